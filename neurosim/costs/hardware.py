"""Hardware models: found by name or path, composed by `inherits`, checked, and frozen.

A model is a TOML file (`docs/hardware_models.md`). Shipped files lie in `neurosim/hardware_models` of an installed
package, or in the repository's `hardware_models` folder. What a file may hold is `neurosim.costs.schema`; what its
numbers come to is `neurosim.costs.laws`.
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from neurosim.costs.chip_schema import ChipFile
from neurosim.costs.constants import ends
from neurosim.costs.describe import fields_of, rows_of
from neurosim.costs.schema import Choice, Fabric, LawEnd, ModelFile, Sourced, Sram, Table
from neurosim.costs.variants import named, split, varied
from neurosim.errors import NeurosimError


@dataclass(frozen=True, eq=False)
class _Model:
    name: str
    path: str
    spec: ModelFile | ChipFile

    @cached_property
    def digest(self) -> str:
        """A fingerprint of all that the model prices by, inherited or not: equal digests price alike."""
        said = msgspec.structs.replace(self.spec, validation=[]) if isinstance(self.spec, ChipFile) else self.spec
        return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:16]

    @property
    def summary(self) -> str:
        """What the model is, in a line."""
        return self.spec.summary


@dataclass(frozen=True, eq=False)
class HardwareModel(_Model):
    """One checked array: `spec` holds every constant, `path` the file it came from. Compared by identity."""

    spec: ModelFile


@dataclass(frozen=True, eq=False)
class ChipModel(_Model):
    """One checked published chip, likewise."""

    spec: ChipFile


AnyModel = HardwareModel | ChipModel
_KINDS: Mapping[str, type[ModelFile | ChipFile]] = {"array": ModelFile, "chip": ChipFile}


@cache
def folder() -> Path:
    """The folder of the shipped models: inside an installed package, or beside it in a repository."""
    package = Path(__file__).parents[1]
    inside = package / "hardware_models"
    return inside if inside.is_dir() else package.parent / "hardware_models"


def names(*, default_only: bool = False, kind: str | None = None) -> list[str]:
    """The names of the shipped models, sorted.

    default_only: those that a report prices unasked; kind: ``"array"`` or ``"chip"`` alone.
    """
    found = _shipped()
    if default_only:
        found = [n for n in found if load(n).spec.priced_by_default]
    return [n for n in found if kind in (None, load(n).spec.kind)]


def load(name_or_path: str | Path) -> AnyModel:
    """The model of that name, or in the file at that path (which ends in ``.toml``).

    Behind either, choices may be changed: ``digital_28nm:core.lanes=64:fabric.cast=unicast`` (`costs.variants`).
    A file is read anew only when it, or a file that it inherits from, has changed.

    Raises: NeurosimError if there is no such file, or on a mistake in it, naming field, value, allowed values and file.
    """
    text, settings = split(str(name_or_path))
    path = _find(text)
    key = named(str(path.resolve()), dict(settings))
    kept = _cache.get(key)
    if kept is not None and _holds(kept[1]):
        return kept[0]
    raw, stamps = _composed(path)
    spec = _check(varied(raw, settings, str(path)), path)
    name = named(path.stem, dict(settings))
    model = HardwareModel(name, str(path), spec) if isinstance(spec, ModelFile) else ChipModel(name, str(path), spec)
    _cache[key] = (model, stamps)
    return model


def arrays(model: AnyModel) -> HardwareModel:
    """The model, if it is of a kind whose cores stand on a mesh.

    Raises: NeurosimError if it is a published chip, which has one number for all packets or none.
    """
    if not isinstance(model, HardwareModel):
        msg = (
            f"hardware={model.name!r}: must be an array model, a published chip has no mesh to route on ({model.path})"
        )
        raise NeurosimError(msg)
    return model


def explain(model: AnyModel) -> list[dict[str, Any]]:
    """One row a constant: constant, low, nominal, high, unit, basis, tag, source, low_source, high_source.

    A designer's choice has the basis ``"choice"``, no tag, and its reason as source.
    """
    return list(rows_of(model.spec))


_LARGEST = 1e30
_MOST = 2**53
_POSSIBLE = (
    ("energy_pj", 1e-9, _LARGEST, "joules"),  # to erase a bit at 300 K takes 2.9e-9 pJ, k T ln 2
    ("latency_ns", 1e-6, _LARGEST, "seconds"),
    ("time_ns", 1e-6, _LARGEST, "seconds"),
    ("area_um2", 1e-6, _LARGEST, "mm2 or m2"),
    ("clock_mhz", 1e-6, 1e5, "Hz"),
    ("supply_v", 0.01, 100.0, "millivolts"),
    ("node_nm", 0.5, 1e5, "micrometres or metres"),
)
"""Of keys with a word in them: the least and the most that is no slip of the unit, and the unit that it then is in."""
_cache: dict[str, tuple[AnyModel, dict[str, int]]] = {}
_texts: dict[str, tuple[dict[str, Any], dict[str, int]]] = {}


def _composed(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The tables of a file, read once for all its variants, and when each file that they come from was written."""
    key = str(path.resolve())
    kept = _texts.get(key)
    if kept is None or not _holds(kept[1]):
        raw, files = _compose(path, ())
        kept = _texts[key] = raw, {str(f): _stamp(f) for f in files}
    return kept


def _holds(stamps: Mapping[str, int]) -> bool:
    return all(_stamp(Path(f)) == s for f, s in stamps.items())


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _find(name_or_path: str | Path, asked_in: Path | None = None) -> Path:
    """The file: a path ends in ``.toml``, a name is a shipped one; `asked_in`, a folder, is looked through first."""
    text = str(name_or_path)
    if text.endswith(".toml"):
        path = Path(text) if asked_in is None else asked_in / text
        if not path.is_file():
            msg = f"hardware={text!r}: there is no such file; shipped models are {', '.join(_shipped())}"
            raise NeurosimError(msg)
        return path
    for place in (asked_in or folder(), folder()):
        if re.fullmatch(r"\w+", text) and (place / f"{text}.toml").is_file():
            return place / f"{text}.toml"
    msg = f"hardware={text!r}: must be one of {', '.join(_shipped())}, or a path that ends in .toml"
    raise NeurosimError(msg)


def _shipped() -> list[str]:
    return sorted(p.stem for p in folder().glob("*.toml"))


def _compose(path: Path, seen: tuple[Path, ...]) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The file's tables over those of the file it inherits from, and all files that were read."""
    here = path.resolve()
    if here in seen:
        chain = " -> ".join(p.stem for p in (*seen, here))
        msg = f"inherits={here.stem!r}: a model must not inherit from itself ({chain}) ({path})"
        raise NeurosimError(msg)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid TOML: {error}"
        raise NeurosimError(msg) from None
    parent = raw.get("inherits", "")
    if not isinstance(parent, str):
        msg = f"inherits={parent!r}: must be the name of a model or a path that ends in .toml ({path})"
        raise NeurosimError(msg)
    if not parent:
        return raw, (path,)
    for field in ("schema", "name", "summary"):
        if field not in raw:
            msg = f"{field}: is missing; a model that inherits states its own schema, name and summary ({path})"
            raise NeurosimError(msg)
    try:
        base, files = _compose(_find(parent, path.parent), (*seen, here))
    except NeurosimError as error:
        if "hardware=" not in str(error):
            raise
        msg = f"inherits={parent!r}: {str(error).split(': ', 1)[1]} ({path})"
        raise NeurosimError(msg) from None
    for own in ("priced_by_default", "validation"):
        base.pop(own, None)
    return _over(base, raw, "", path), (path, *files)


def _over(base: Mapping[str, Any], child: Mapping[str, Any], where: str, path: Path) -> dict[str, Any]:
    """The child's keys over the base's. A constant is replaced whole, so no number keeps another number's source."""
    out = dict(base)
    for key, value in child.items():
        old, here = base.get(key), f"{where}.{key}".lstrip(".")
        if not (isinstance(old, dict) and isinstance(value, dict)) or "source" in old:
            out[key] = value
            continue
        if value.get("kind", old.get("kind")) != old.get("kind"):  # built otherwise: none of the old keys says anything
            out[key] = value
            continue
        own = [k for k, v in value.items() if not isinstance(v, (dict, list))]
        if "reason" in old and own and "reason" not in value:
            msg = f"{here}: reason is missing; a file that changes {', '.join(own)} says why ({path})"
            raise NeurosimError(msg)
        out[key] = _over(old, value, here, path)
    return out


def _check(raw: dict[str, Any], path: Path) -> ModelFile | ChipFile:
    kind = raw.get("kind", "array")
    if kind not in _KINDS:
        msg = f"kind={kind!r}: must be one of {', '.join(_KINDS)} ({path})"
        raise NeurosimError(msg)
    try:
        spec = msgspec.convert(raw, _KINDS[kind])
    except msgspec.ValidationError as error:
        raise NeurosimError(_readable(str(error), raw, path)) from None
    if spec.name != path.stem:
        msg = f"name={spec.name!r}: must be the file's name, {path.stem!r} ({path})"
        raise NeurosimError(msg)
    for complaint in (*_complaints(spec, ""), *(_chip_complaints(spec) if isinstance(spec, ChipFile) else ())):
        msg = f"{complaint} ({path})"
        raise NeurosimError(msg)
    return spec


def _readable(message: str, raw: Any, path: Path) -> str:
    """The message of msgspec with field, value and file in front: it names the path, not the value."""
    text, _, where = message.partition(" - at `$")
    steps = re.findall(r"\.(\w+)|\[(\d+)\]|\[\.\.\.\]", where.rstrip("`"))
    value, label, union = raw, "", tuple[type[Table], ...]()
    table: type[Table] = _KINDS[raw.get("kind", "array")]
    for key, index in steps:
        label += f".{key}" if key else f"[{index}]"
        nxt = value.get(key) if isinstance(value, dict) and key else value[int(index)] if index else None
        field = next((f for f in fields_of(table) if f.name == key), None) if key else None
        if key == "kind" and field is None and union:
            kinds = ", ".join(f"`{t.__struct_config__.tag}`" for t in union)
            text = f"must be one of {kinds}"
        if field is not None and field.tables:
            union = field.tables
            kind = nxt.get("kind") if isinstance(nxt, dict) else None
            table = next((t for t in field.tables if t.__struct_config__.tag == kind), field.tables[0])
        elif field is not None:
            text = text.replace("Invalid enum value", "must be one of " + field.allowed + ", not")
        value = nxt
    unknown = re.search(r"unknown field `(\w+)`", text)
    if unknown:
        allowed = ", ".join(f.name for f in fields_of(table))
        return f"{f'{label}.{unknown[1]}'.lstrip('.')}: is not a known key; allowed are {allowed} ({path})"
    missing = re.search(r"missing required field `(\w+)`", text)
    if missing:
        return f"{f'{label}.{missing[1]}'.lstrip('.')}: is missing ({path})"
    return f"{label.lstrip('.')}={value!r}: {text[:1].lower()}{text[1:]} ({path})"


def _complaints(table: Table, where: str) -> Iterator[str]:
    """What the types cannot say: numbers are finite, ends are in order, points rise, laws stay positive."""
    for f in fields_of(type(table)):
        value, here = getattr(table, f.name), f"{where}.{f.name}".lstrip(".")
        if isinstance(value, float) and not abs(value) <= _LARGEST:  # so that no cost of any counts overflows
            yield f"{here}={value}: must be finite, at most {_LARGEST:g}"
        elif isinstance(value, int) and abs(value) > _MOST:
            yield f"{here}={value}: must be at most {_MOST}"
        elif isinstance(value, float) and value:
            yield from _unlikely(f.name, abs(value), here)
        elif f.many and f.tables:
            if value and hasattr(value[0], "bits"):
                yield from _rising(value, here)
            for i, item in enumerate(value):
                yield from _complaints(item, f"{here}[{i}]")
        elif isinstance(value, Table):
            yield from _complaints(value, here)
    if isinstance(table, Sourced) and not isinstance(table, LawEnd):
        yield from _ordered(table, where)
    if isinstance(table, Sram):
        yield from _lawful(table, where)
    if isinstance(table, Fabric):
        yield from _meshed(table, where)
    if isinstance(table, (Sourced, Choice)):
        words = table.source if isinstance(table, Sourced) else table.reason
        if not words.strip():
            yield f"{where}: source or reason is empty"


def _unlikely(key: str, value: float, where: str) -> Iterator[str]:
    """A number that no device can have in its key's unit, which then is another."""
    for part, least, most, other in _POSSIBLE:
        if part in key and not least <= value <= most:
            yield f"{where}={value}: must be from {least:g} to {most:g}; is it in {other}?"


def _ordered(table: Sourced, where: str) -> Iterator[str]:
    for f in fields_of(type(table)):
        if f.value is not float:
            continue
        low, nominal, high = ends(table, f.name)[:3]
        if not low <= nominal <= high:
            yield f"{where}.{f.name}={nominal}: must lie between its low={low} and its high={high}"


def _rising(points: list[Any], where: str) -> Iterator[str]:
    for a, b in pairwise(points):
        width = [p.bits * getattr(p, "by", 1) for p in (a, b)]
        if width[0] >= width[1]:
            yield f"{where}: widths must rise from point to point, {width[0]} is followed by {width[1]}"
        else:
            for i, end in ((1, ""), (0, " (low)"), (2, " (high)")):
                before, now = ends(a, "energy_pj")[i], ends(b, "energy_pj")[i]
                if before > now:
                    yield f"{where}.energy_pj={now}{end}: a wider operation must not be cheaper, {before} came before"


def _lawful(sram: Sram, where: str) -> Iterator[str]:
    if sram.min_kb > sram.max_kb:
        yield f"{where}.min_kb={sram.min_kb}: must not exceed max_kb={sram.max_kb}"
    for name, law in (("read", sram.read), ("write", sram.write)):
        for kb in (sram.min_kb, sram.max_kb):  # linear in sqrt(KB): the two ends decide
            offsets, slopes = ends(law, "offset_pj")[:3], ends(law, "slope_pj_per_sqrt_kb")[:3]
            low, nominal, high = (a + b * math.sqrt(kb) for a, b in zip(offsets, slopes, strict=True))
            if not 0 < low <= nominal <= high:
                yield f"{where}.{name} at {kb} KB: needs 0 < low <= nominal <= high, not {low}, {nominal}, {high}"


def _chip_complaints(spec: ChipFile) -> Iterator[str]:
    """What the types of a chip cannot say: one number for each `per`, and a clock where cycles are told."""
    for key in ("energy", "latency", "cycles", "area"):
        seen: set[str] = set()
        for i, row in enumerate(getattr(spec, key)):
            name = "component" if key == "area" else "per"
            if getattr(row, name) in seen:
                yield f"{key}[{i}].{name}={getattr(row, name)!r}: stands here twice"
            seen.add(getattr(row, name))
    if not spec.energy:
        yield "energy: is empty; a chip has at least one [[energy]]"
    if not spec.operating.clock_mhz and (spec.cycles or spec.idle):
        yield "operating.clock_mhz=0: must be given where idle energy or latencies are given by the cycle"
    if spec.operating.tick_us and (spec.latency or spec.cycles):
        yield f"operating.tick_us={spec.operating.tick_us}: ticks of a fixed length leave no room for latencies"


def models_table() -> str:
    """Every shipped file, as a Markdown table; `docs/hardware_models.md` holds it word for word."""
    lines = ["| model | kind | node, supply | priced unasked | what it is |", "|---|---|---|---|---|"]
    for name in names():
        spec = load(name).spec
        unasked = "yes" if spec.priced_by_default else "no"
        at = f"{spec.technology.node_nm:g} nm, {spec.technology.supply_v:g} V" if spec.technology else "not told"
        lines.append(f"| `{name}` | {spec.kind} | {at} | {unasked} | {spec.summary} |")
    return "\n".join(lines) + "\n"


def _meshed(fabric: Fabric, where: str) -> Iterator[str]:
    for axis, n in (("x", fabric.width), ("y", fabric.height)):
        at = getattr(fabric, f"input_{axis}")
        if at >= n:
            yield f"{where}.input_{axis}={at}: must be on the mesh, 0..{n - 1}"
    if (fabric.wire is None) != (fabric.hop_mm == 0):
        yield f"{where}.hop_mm={fabric.hop_mm}: must be above 0 with {where}.wire, and 0 without"
