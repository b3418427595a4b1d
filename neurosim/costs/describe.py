"""A hardware model told in rows: the schema table of the docs, and every constant of one model with its source."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from neurosim.costs.chip_schema import ChipFile
from neurosim.costs.schema import CellMemory, Choice, ModelFile, Sourced, SramMemory, Table

# Longest suffix first: the first that fits is the unit.
_UNITS = (
    ("_pj_per_bit_mm", "pJ/bit/mm"), ("_ns_per_flit", "ns/flit"), ("_mm", "mm"),
    ("_pj_per_sqrt_kb", "pJ/sqrt(KB)"), ("_pj_per_cycle", "pJ/cycle"), ("_pj_per_bit", "pJ/bit"), ("_pj", "pJ"),
    ("_uw_per_core", "uW/core"), ("_uw_per_kb", "uW/KB"), ("_uw", "uW"), ("_um2_per_bit", "um2/bit"), ("_um2", "um2"),
    ("_ns", "ns"), ("_us", "us"), ("_cycles", "cycles"), ("_nm", "nm"), ("_mhz", "MHz"), ("_kb", "KB"), ("_bits", "bits"), ("_v", "V"),
    ("writes", "writes"),
)  # fmt: skip
_META = ("source", "tag", "basis", "reason", "low", "high")
_NAMES = ("per", "component")  # these say what a constant is of


def unit_of(key: str) -> str:
    """The unit that the suffix of a key stands for; empty for a bare number or a word.

    >>> unit_of("area_um2_per_bit"), unit_of("lanes")
    ('um2/bit', '')
    """
    if key in ("bits", "by"):
        return "bits"
    return next((unit for suffix, unit in _UNITS if key.endswith(suffix)), "")


class Field(msgspec.Struct, frozen=True):
    """One key of a table: `tables` are the structs it may hold (several for a choice between them)."""

    name: str
    value: Any
    tables: tuple[type[Table], ...]
    many: bool
    metas: tuple[Meta, ...]
    required: bool

    @property
    def meaning(self) -> str:
        """What the key means, in a line."""
        return next((m.description for m in self.metas if m.description), "")

    @property
    def allowed(self) -> str:
        """The values it takes."""
        if get_origin(self.value) is Literal:
            return ", ".join(f"`{a}`" for a in get_args(self.value))
        if get_origin(self.value) in (list, tuple):
            inner = get_args(self.value)[0]
            return "list of " + (", ".join(f"`{a}`" for a in get_args(inner)) or {str: "texts", int: "integers"}[inner])
        name = {float: "number", int: "integer", str: "text", bool: "`true`, `false`"}[self.value]
        limits = [f">= {m.ge}" for m in self.metas if m.ge is not None]
        limits += [f"> {m.gt}" for m in self.metas if m.gt is not None]
        limits += [f"<= {m.le}" for m in self.metas if m.le is not None]
        return " ".join([name, ", ".join(limits)]).strip()


@functools.cache
def fields_of(struct: type[Table]) -> tuple[Field, ...]:
    """Every key that a table may hold."""
    return tuple(_fields(struct))


def _fields(struct: type[Table]) -> Iterator[Field]:
    for f in msgspec.structs.fields(struct):
        hint, metas = f.type, []
        while get_origin(hint) is Annotated:
            metas += [m for m in get_args(hint)[1:] if isinstance(m, Meta)]
            hint = get_args(hint)[0]
        many = get_origin(hint) in (list, tuple)
        parts = get_args(hint) if many or get_origin(hint) in (Union, types.UnionType) else (hint,)
        tables = tuple(p for p in parts if isinstance(p, type) and issubclass(p, Table))
        yield Field(f.encode_name, hint, tables, many, tuple(metas), f.required)


def _schema_rows(struct: type[Table], path: str) -> Iterator[str]:
    for f in fields_of(struct):
        here, must = f"{path}.{f.name}".lstrip("."), "yes" if f.required else "no"
        if f.name in _META:
            continue
        if len(f.tables) > 1 and CellMemory in f.tables:  # a memory: its keys are shown once, under memory.NAME
            yield f"| `[{here}]` | choice, see `memory.NAME` | | {must} | {f.meaning} |"
        elif f.tables:
            table = f.tables[0]
            kind = "constant" if issubclass(table, Sourced) else "choice" if issubclass(table, Choice) else "table"
            text = f.meaning or (table.__doc__ or "").split("\n")[0].rstrip(".")
            yield f"| `{f'[[{here}]]' if f.many else f'[{here}]'}` | {kind} | | {must} | {text} |"
            yield from _schema_rows(table, here)
        else:
            yield f"| `{here}` | {f.allowed} | {unit_of(f.name)} | {must} | {f.meaning} |"


def chip_schema_table() -> str:
    """The schema of the kind `chip`, likewise."""
    return (
        "\n".join(["| key | value | unit | required | meaning |", "|---|---|---|---|---|", *_schema_rows(ChipFile, "")])
        + "\n"
    )


def schema_table() -> str:
    """The schema as a Markdown table, made from the structs; `docs/hardware_models.md` holds it word for word."""
    lines = ["| key | value | unit | required | meaning |", "|---|---|---|---|---|", *_schema_rows(ModelFile, "")]
    lines.append("| `memory.NAME.kind` | `sram`, `register`, `cells` | | yes | how the memory is built |")
    built = [*_schema_rows(SramMemory, "memory.NAME"), *_schema_rows(CellMemory, "memory.NAME")]
    return "\n".join([*lines, *built]) + "\n"


def _constant_rows(table: Sourced, path: str) -> Iterator[dict[str, Any]]:
    low, high = getattr(table, "low", None), getattr(table, "high", None)
    width = [str(getattr(table, k)) for k in ("bits", "by") if hasattr(table, k)]
    here = f"{path}[{'x'.join(width)} bits]" if width else path
    here += "".join(f"[{getattr(table, k)}]" for k in _NAMES if hasattr(table, k))
    for f in fields_of(type(table)):
        if f.name in (*_META, *_NAMES, "bits", "by") or f.tables or f.many:
            continue
        value = getattr(table, f.name)
        yield {
            "constant": f"{here}.{f.name}",
            "low": getattr(low, f.name) if low else value,
            "nominal": value,
            "high": getattr(high, f.name) if high else value,
            "unit": unit_of(f.name),
            "basis": table.basis,
            "tag": table.tag,
            "source": table.source,
            "low_source": low.source if low else "",
            "high_source": high.source if high else "",
        }


def _choice_rows(table: Table, path: str) -> Iterator[dict[str, Any]]:
    for f in fields_of(type(table)):
        if f.name in _META or f.tables or f.many:
            continue
        value = getattr(table, f.name)
        yield {
            "constant": f"{path}.{f.name}",
            "low": value,
            "nominal": value,
            "high": value,
            "unit": unit_of(f.name),
            "basis": "choice",
            "tag": "",
            "source": getattr(table, "reason", ""),
            "low_source": "",
            "high_source": "",
        }


def rows_of(table: Table, path: str = "") -> Iterator[dict[str, Any]]:
    """Every constant and choice below `table`: constant, low, nominal, high, unit, basis, tag, source and its ends'."""
    if isinstance(table, Sourced):
        yield from _constant_rows(table, path)
    elif isinstance(table, Choice):
        yield from _choice_rows(table, path)
    for f in fields_of(type(table)):
        value = getattr(table, f.name)
        if f.name in ("low", "high", "validation"):
            continue
        for item in value if f.many else [value]:
            if isinstance(item, Table):
                yield from rows_of(item, f"{path}.{f.name}".lstrip("."))
