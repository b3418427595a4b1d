"""Counts from elsewhere: read from JSON, CSV or a dict, checked, and given a layout to be priced with (docs/counts.md).

The names are those of `neurosim.ops`. What is wrong is said with file, line or row, field, value and what is allowed; a
number is never guessed: a layout is reckoned only from the counts and the sizes of the layers, by rules that the docs state.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from neurosim.costs.cost import Cost
from neurosim.costs.hardware import AnyModel, arrays, load
from neurosim.costs.mapping import Plan, place
from neurosim.costs.pricing import price
from neurosim.errors import NeurosimError
from neurosim.ops import ACTIONS, MEMORIES, PHASES, READS, SCHEMA_VERSION, Held, Layout, Op, OpCounts

COLUMNS: Mapping[str, str] = {
    "layer": "weight layer, from 0 at the input",
    "phase": f"one of {', '.join(PHASES)}",
    "action": f"one of {', '.join(ACTIONS)}",
    "bits": "width of the operand, at least 1 (an `event` may carry 0)",
    "by": "width of the other operand of a product; else 0 or empty",
    "memory": f"of `read` and `write`, one of {', '.join(MEMORIES)}; else empty",
    "count": "how often, over all samples: a whole number",
}
"""Columns of a CSV file and keys of a row of `ops`; `by` and `memory` may be left out."""

HEAD = ("samples", "ticks", "steps")
"""Numbers that a CSV file gives as comments: ``# samples = 100``."""

KEYS = ("schema", *HEAD, "ops", "events", "error_codes")
"""Keys of counts in JSON; those of training may hold `BESIDE` them."""

BESIDE = ("layout", "sizes", "test")

MOST = 2**63 - 1
"""The largest count."""

TABLE_WORDS = 256
"""Entries that a look-up table is taken to have where the layout is reckoned."""

_ROLES = {
    "weight": "synapses", "weight_column": "synapses", "gradient": "synapses", "tag": "synapses", "target": "synapses",
    "feedback": "crossbar", "accumulator": "neurons", "address": "neurons", "state": "neurons",
    "activation": "inputs", "spike": "inputs",
}  # fmt: skip


@dataclass(frozen=True)
class Counted:
    """Counts with all that pricing needs.

    train: counts of the run that learned. test: of classifying alone, or None. layout: what the network occupies. notes:
    what was assumed and not given.
    """

    train: OpCounts
    test: OpCounts | None
    layout: Layout
    notes: tuple[str, ...] = ()

    def price(self, *hardware: str, placement: str | Path | None = None) -> dict[str, Cost]:
        """What they cost on hardware models, by name or path; what was assumed is in `Cost.notes`.

        placement: a TOML or JSON file of the cores of each layer; None: placed automatically.

        Raises: NeurosimError if a model lacks something that was counted, or a placement is of no use to it.
        """
        costs: dict[str, Cost] = {}
        for name in hardware:
            model = load(name)
            if model.name in costs and costs[model.name].digest != model.digest:
                raise NeurosimError(
                    f"hardware={name!r}: another model is named {model.name!r}; each needs a name of its own"
                )
            cost = price(self.train, self.test, self.layout, model, self.plan(model, placement) if placement else None)
            costs[model.name] = replace(cost, notes=(*self.notes, *cost.notes))
        return costs

    def plan(self, model: AnyModel, placement: str | Path | None = None) -> Plan:
        """Where they stand on a model, as `price` places them.

        Raises: NeurosimError if the model has no mesh, or it does not fit.
        """
        return place(self.layout, arrays(model), manual=placement)


def read_counts(
    source: str | Path | Mapping[str, Any],
    *,
    samples: int | None = None,
    ticks: int | None = None,
    sizes: Sequence[int] = (),
    layout: Layout | Mapping[str, Any] | str | Path | None = None,
) -> Counted:
    """Counts from a .json or .csv file, or from a dict of the JSON form.

    samples, ticks, sizes, layout: instead of the source's own. layout: one, its dict, or the path of its JSON. sizes: inputs and then
    neurons of each layer; with them a layout is reckoned where there is none.

    Raises: NeurosimError on one line for whatever is wrong, with file, place, field, value and what is allowed.
    """
    if not isinstance(source, str | Path | Mapping):
        raise NeurosimError(f"counts={source!r}: must be the path of a .json or .csv file, or a dict of the JSON form")
    where = "counts" if isinstance(source, Mapping) else str(source)
    data = source if isinstance(source, Mapping) else _from_file(Path(source))
    given = {key: n for key, n in (("samples", samples), ("ticks", ticks)) if n is not None}
    train = _counts({**data, **given}, where, "", BESIDE)
    test = _counts(data["test"], where, "test.") if data.get("test") is not None else None
    notes = [] if train.events else ["uniform traffic assumed: the counts do not say which units sent the events"]
    wanted = layout if layout is not None else data.get("layout")
    sizes = sizes if len(sizes) else data.get("sizes", ()) if wanted is None else ()
    if wanted is None:
        wanted = reckoned(train, sizes, where)
        notes.insert(0, f"layout reckoned from the counts and the sizes {'-'.join(map(str, sizes))}")
    elif len(sizes):
        raise NeurosimError(f"sizes={list(sizes)}: there is a layout already; give one of the two ({where})")
    return Counted(train, test, _layout(wanted, where), tuple(notes))


# ------------------------------------------------------------------------------------------ files


def _from_file(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".csv":
        return _from_csv(_text(path, "counts"), path)
    if path.suffix != ".json":
        raise NeurosimError(f"counts={str(path)!r}: must end in .json or .csv")
    return _json(path, "counts")


def _text(path: Path, field: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise NeurosimError(f"{field}={str(path)!r}: cannot be read: {why}") from None


def _json(path: Path, field: str) -> dict[str, Any]:
    try:
        data = json.loads(_text(path, field))
    except ValueError as error:
        raise NeurosimError(f"{field}: not valid JSON: {error} ({path})") from None
    if not isinstance(data, dict):
        raise NeurosimError(f"{field}: must be a JSON object ({path})")
    return data


def _from_csv(text: str, path: Path) -> dict[str, Any]:
    """The JSON form of a table; `ops` keeps the line of each row under the key ``line``."""
    data: dict[str, Any] = {"schema": SCHEMA_VERSION, "ops": []}
    header: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        at = f"{path}, line {number}"
        if line.startswith("#"):
            for key, number_of in _comment(line, at).items():
                if key in data:
                    raise NeurosimError(f"{key}={number_of}: stands here twice, {data[key]} came before ({at})")
                data[key] = number_of
        elif line.strip(" ,;\t"):
            cells = [cell.strip() for cell in next(csv.reader(io.StringIO(line)))]
            if not header:
                header = _header(cells, at)
            elif len(cells) != len(header):
                raise NeurosimError(f"{len(cells)} cells: must be {len(header)}, as many as columns ({at})")
            else:
                data["ops"].append({**dict(zip(header, cells, strict=True)), "line": number})
    if not header:
        raise NeurosimError(f"there is no header: the first line names the columns {', '.join(COLUMNS)} ({path})")
    return data


def _comment(line: str, at: str) -> dict[str, Any]:
    """What a comment of the form ``# name = number`` says, or ``# sizes = 784,100,10``; any other comment says nothing."""
    found = re.fullmatch(r"#\s*(\w+)\s*[=:]\s*(.*?)[\s,;]*", line)
    if not found:
        return {}
    if found[1] == "sizes":
        return {"sizes": [_whole(n.strip(), "sizes", at) for n in found[2].split(",")]}
    if found[1] not in HEAD:
        raise NeurosimError(f"{found[1]}={found[2]!r}: a comment may set {', '.join(HEAD)}, sizes ({at})")
    return {found[1]: _whole(found[2], found[1], at)}


def _header(cells: list[str], at: str) -> list[str]:
    for cell in cells:
        if cell not in COLUMNS or cells.count(cell) > 1:
            raise NeurosimError(f"column {cell!r}: must be one of {', '.join(COLUMNS)}, each once ({at})")
    for name in COLUMNS:
        if name not in cells and name not in ("by", "memory"):
            raise NeurosimError(f"column {name!r}: is missing ({at})")
    return cells


# ------------------------------------------------------------------------------------------ counts


def _counts(data: Any, where: str, prefix: str, beside: tuple[str, ...] = ()) -> OpCounts:
    if not isinstance(data, Mapping):
        raise NeurosimError(f"{prefix.rstrip('.') or 'counts'}={data!r}: must hold samples and ops ({where})")
    for key in data:
        if key not in (*KEYS, *beside):
            raise NeurosimError(
                f"{prefix}{key}: is not a known key; allowed are {', '.join((*KEYS, *beside))} ({where})"
            )
    if data.get("schema", SCHEMA_VERSION) not in READS:
        raise NeurosimError(f"{prefix}schema={data['schema']!r}: must be one of {', '.join(map(str, READS))} ({where})")
    if "samples" not in data:
        raise NeurosimError(f"{prefix}samples: is missing; how many samples were counted ({where})")
    samples, *more = (_whole(data.get(key, 0), prefix + key, where) for key in ("samples", "steps", "ticks"))
    if samples < 1:
        raise NeurosimError(f"{prefix}samples={samples}: must be at least 1, costs are given a sample ({where})")
    rows = data.get("ops")
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise NeurosimError(f"{prefix}ops={rows!r}: must be a list of rows with {', '.join(COLUMNS)} ({where})")
    ops: dict[Op, int] = {}
    for number, row in enumerate(rows):
        op, count = _row(row, f"{prefix}ops[{number}]", where)
        ops[op] = ops.get(op, 0) + count
    units = {key: data.get(key, ()) for key in ("events", "error_codes")}
    try:
        found = OpCounts.from_dict({"schema": SCHEMA_VERSION, "samples": samples, "steps": more[0], "ticks": more[1],
                                   "ops": [{**op._asdict(), "count": n} for op, n in ops.items()], **units})  # fmt: skip
    except (TypeError, ValueError, OverflowError):
        raise NeurosimError(f"{prefix}events, error_codes: must be a list of whole numbers a layer ({where})") from None
    _agreeing(found, where, prefix)
    return found


def _agreeing(counts: OpCounts, where: str, prefix: str) -> None:
    """Counts by unit, where there are any, must come to the counts of their action."""
    for key, action in (("events", "event"), ("error_codes", "error_code")):
        for layer, units in enumerate(getattr(counts, key)):
            by_unit, all_told = int(units.sum()), counts.total(action, layer=layer)
            if len(units) and by_unit != all_told:
                msg = (
                    f"{prefix}{key}[{layer}]: comes to {by_unit}, and action={action!r} of layer {layer} to {all_told}"
                )
                raise NeurosimError(f"{msg}: must be equal ({where})")


def _row(row: Any, name: str, where: str) -> tuple[Op, int]:
    if not isinstance(row, Mapping):
        raise NeurosimError(f"{name}={row!r}: must hold {', '.join(COLUMNS)} ({where})")
    line = row.get("line") if where.endswith(".csv") else None
    at, prefix = (f"{where}, line {line}", "") if line else (where, f"{name}.")
    for key in row:
        if key not in COLUMNS and not (line and key == "line"):
            raise NeurosimError(f"{prefix}{key}: is not a known key; allowed are {', '.join(COLUMNS)} ({at})")
    for key in COLUMNS:
        if key not in row and key not in ("by", "memory"):
            raise NeurosimError(f"{prefix}{key}: is missing ({at})")

    def refuse(key: str, allowed: str) -> NoReturn:
        raise NeurosimError(f"{prefix}{key}={row.get(key, '')!r}: {allowed} ({at})")

    layer, bits, count = (_whole(row[key], prefix + key, at) for key in ("layer", "bits", "count"))
    by = _whole(row.get("by") or 0, f"{prefix}by", at)
    phase, action, memory = row["phase"], row["action"], row.get("memory") or ""
    for key, value, allowed in (("phase", phase, PHASES), ("action", action, ACTIONS)):
        if value not in allowed:
            refuse(key, f"must be one of {', '.join(allowed)}")
    _fitting(action, memory, bits, by, refuse)
    return Op(layer, phase, action, bits, by, memory), count


def _fitting(action: str, memory: str, bits: int, by: int, refuse: Callable[[str, str], NoReturn]) -> None:
    """Widths and memory must be those that the action has."""
    if action in ("read", "write"):
        if memory not in MEMORIES:
            refuse("memory", f"action={action!r} names one of {', '.join(MEMORIES)}")
    elif memory:
        refuse("memory", f"must be empty with action={action!r}")
    if bits < 1 and action != "event":
        refuse("bits", f"must be at least 1 with action={action!r}")
    product = action in ("mac", "multiply", "update_pair")
    if product and by < 1:
        refuse("by", f"must be at least 1 with action={action!r}, a product")
    if by and not product:
        refuse("by", f"must be 0 or empty with action={action!r}, which is no product")


def _whole(value: Any, name: str, at: str) -> int:
    """A whole number that is not negative, also as text or NumPy's."""
    number: Any = value
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.0*)?", value.strip()):
        number = int(value.strip().split(".")[0])
    elif (isinstance(value, float | np.floating) and value.is_integer()) or isinstance(value, np.integer):
        number = int(value)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise NeurosimError(f"{name}={value!r}: must be a whole number, at least 0 ({at})")
    if number > MOST:
        raise NeurosimError(f"{name}={value!r}: must be at most {MOST} ({at})")
    return number


# ------------------------------------------------------------------------------------------ layouts


def _layout(given: Any, where: str) -> Layout:
    if isinstance(given, str | Path):
        given, where = _json(Path(given), "layout"), str(given)
    try:
        found = given if isinstance(given, Layout) else Layout.from_dict(given)
        for name in ("neurons", "fan_in", "event_bits"):
            for i, number in enumerate(getattr(found, name)):
                _whole(number, f"layout.{name}[{i}]", where)
        for i, h in enumerate(found.held):
            for key in ("layer", "words", "bits"):
                _whole(getattr(h, key), f"layout.held[{i}].{key}", where)
    except (KeyError, TypeError, AttributeError) as error:
        what = f"field {error} is missing" if isinstance(error, KeyError) else "a field is of the wrong kind"
        raise NeurosimError(f"layout: {what}; it is the form of Layout.to_dict ({where})") from None
    for name in ("fan_in", "event_bits", "receivers"):
        if len(getattr(found, name)) != len(found.neurons):
            said = f"has {len(getattr(found, name))} layers, must have {len(found.neurons)} as neurons has"
            raise NeurosimError(f"layout.{name}: {said} ({where})")
    return found


def reckoned(counts: OpCounts, sizes: Sequence[int], where: str = "counts") -> Layout:
    """The least layout that the counts need: dense layers of the given sizes, one word of each kind that was read or written.

    sizes: inputs and then neurons of each layer. The rules stand in docs/counts.md.

    Raises: NeurosimError if the sizes are missing or are not one more than the layers.
    """
    layers = 1 + max((op.layer for op in counts.ops), default=0)
    sizes = tuple(_whole(n, f"sizes[{i}]", where) for i, n in enumerate(sizes))
    if len(sizes) != layers + 1 or min(sizes, default=0) < 1:
        shown = list(sizes) or "none"
        raise NeurosimError(
            f"sizes={shown}: the counts have layers 0..{layers - 1} and no layout, so give {layers + 1} sizes, inputs first, "
            f"each at least 1, or a layout ({where})"
        )
    senders = sorted({op.layer for op in counts.ops if op.action == "error_code"})
    hears = _receivers(counts, senders, layers)
    source = {h: sender for sender, listeners in enumerate(hears) for h in listeners}
    held = tuple(_held(counts, tuple(sizes), source))
    return Layout(
        neurons=tuple(sizes[1:]),
        fan_in=tuple(sizes[:-1]),
        held=held,
        code_bits=max((op.bits for op in counts.ops if op.action == "error_code"), default=0),
        event_bits=tuple(
            max((op.bits for op in counts.ops if op.action == "event" and op.layer == layer), default=0)
            for layer in range(layers)
        ),
        receivers=hears,
    )


def _receivers(counts: OpCounts, senders: list[int], layers: int) -> tuple[tuple[int, ...], ...]:
    """Several senders: each to the layer below. One: to the layers below it that have feedback, or to all of them."""
    if len(senders) > 1:
        return tuple((layer - 1,) if layer in senders and layer else () for layer in range(layers))
    busy = {op.layer for op in counts.ops if op.phase == "feedback"}
    return tuple(
        (tuple(h for h in range(layer) if h in busy) or tuple(range(layer))) if layer in senders else ()
        for layer in range(layers)
    )


def _held(counts: OpCounts, sizes: tuple[int, ...], source: Mapping[int, int]) -> Iterator[Held]:
    widest: dict[tuple[int, str], int] = {}
    for op in counts.ops:
        memory = "table" if op.action == "lut" else "weight" if op.memory == "weight_column" else op.memory
        if memory:
            widest[op.layer, memory] = max(op.bits, widest.get((op.layer, memory), 0))
    for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
        heard = sizes[1 + source.get(layer, len(sizes) - 2)]
        words = {"synapses": n_in * n_out, "crossbar": heard * n_out, "neurons": n_out, "inputs": n_in}
        for (at, memory), bits in sorted(widest.items()):
            if at == layer:
                yield Held(layer, memory, TABLE_WORDS if memory == "table" else words[_ROLES[memory]], bits)


def columns_table() -> str:
    """Columns of a row of counts, actions and memories as Markdown tables; docs/counts.md holds them word for word."""
    rows = [f"| `{name}` | {what} |" for name, what in COLUMNS.items()]
    rows += ["", "| action | what it is |", "|---|---|", *(f"| `{name}` | {what} |" for name, what in ACTIONS.items())]
    rows += [
        "",
        "| memory | what it holds |",
        "|---|---|",
        *(f"| `{name}` | {what} |" for name, what in MEMORIES.items()),
    ]
    return "\n".join(["| column | value |", "|---|---|", *rows]) + "\n"
