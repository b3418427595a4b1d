"""Factors of a study: what is varied, and over which values.

A factor is a knob of `Config` with its values (a list, a range, a logarithmic range), or a name of the user's own whose levels are
tables that set several knobs together. A level is a label, which names it in results, and the knobs that it sets.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from neurosim.costs.variants import choices
from neurosim.errors import NeurosimError
from neurosim.studies.config import Config, check_names, converted
from neurosim.studies.sweep.measures import MEASURES

_MOST_LEVELS = 100_000
_RANGE_KEYS = ("from", "to", "count", "step", "factor", "log")
RESERVED = (
    *MEASURES,
    "number",
    "run",
    "seed",
    "hardware",
    "state",
    "seconds",
    "wall_s",
    "host",
    "versions",
    "started",
    "error",
    "config",
    "unpriced",
    "model",
)
"""Columns of results, which a factor of the user's own must not be called."""
_KINDS: dict[str, type] = {knob.name: knob.metadata["kind"] for knob in fields(Config)}
_OF_HARDWARE = ("core", "fabric", "memory")

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Level:
    """One value of a factor: what it is called in results, and the knobs that it sets."""

    label: Scalar
    sets: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Factor:
    """A factor: its name, and its levels or, where it is continuous, its ends.

    levels: in the order given, none twice; low, high: of a continuous factor, which has no levels; log: it is drawn evenly in the
    logarithm; whole: it takes whole numbers only.
    """

    name: str
    levels: tuple[Level, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def of_hardware(self) -> bool:
        """Whether it is a choice of the hardware models, which finished runs are priced by and not simulated for."""
        return "." in self.name

    @property
    def continuous(self) -> bool:
        """Whether it has no levels, only ends."""
        return not self.levels

    @property
    def knobs(self) -> tuple[str, ...]:
        """The knobs that it sets."""
        return tuple(dict.fromkeys(name for level in self.levels for name, _ in level.sets)) or (self.name,)

    def at(self, value: Scalar) -> Level:
        """The level of a label, or of a value between the ends."""
        for level in self.levels:
            if level.label == value and isinstance(level.label, bool) == isinstance(value, bool):
                return level
        if self.levels:
            raise NeurosimError(f"factors.{self.name}={value!r}: must be one of {[one.label for one in self.levels]}")
        return _level(self.name, round(value) if self.whole else value, f"factors.{self.name}")  # type: ignore[arg-type]

    def draw(self, share: float) -> Level:
        """The level at a share 0 <= share < 1 of its values."""
        if self.levels:
            return self.levels[int(share * len(self.levels))]
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        value = low + share * (high - low)
        return self.at(min(max(math.exp(value) if self.log else value, self.low), self.high))


def factor_of(name: str, given: Any) -> Factor:
    """A factor from what a study file says of it. Raises NeurosimError that names the factor, the value and what is allowed."""
    where = f"factors.{name}"
    if name == "seed":
        raise NeurosimError(f"{where}: seeds are no factor; write them as seeds, beside factors")
    if "." in name:
        return _of_hardware(name, given, where)
    if isinstance(given, Mapping):
        check_names([name], f" ({where})")
        return _range(name, given, where)
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise NeurosimError(f"{where}={given!r}: must be a list of values, or a table with from and to")
    if not given:
        raise NeurosimError(f"{where}=[]: must have at least one value")
    if any(isinstance(one, Mapping) for one in given):
        if name.lower() in RESERVED or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise NeurosimError(f"{where}: must be a name of letters, digits and _ that is no column of the results")
        levels = [_together(name, one, where) for one in given]
    else:
        check_names([name], f" ({where})")
        levels = [_level(name, one, where) for one in given]
    return _checked(name, levels, where)


def flattened(given: Mapping[str, Any]) -> dict[str, Any]:
    """The factors of a study by name: TOML reads ``core.lanes = [8, 64]`` as a table in a table."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        if (
            key.split(".")[0] in _OF_HARDWARE
            and isinstance(value, Mapping)
            and value
            and not set(value) & set(_RANGE_KEYS)
        ):
            found |= flattened({f"{key}.{inner}": one for inner, one in value.items()})
        else:
            found[key] = value
    return found


def _of_hardware(name: str, given: Any, where: str) -> Factor:
    """A factor whose levels are values of one choice of the hardware models; the models check the values."""
    known = choices()
    if name not in known:
        close = difflib.get_close_matches(name, known, 1, 0.8)
        told = ", ".join(key for key in known if not key.startswith("memory."))
        hint = (
            f"did you mean {close[0]}?"
            if close
            else f"constants of models cannot be varied; allowed are {told}, and keys of memory.weight and the like"
        )
        raise NeurosimError(f"{where}: no such choice of a hardware model; {hint}")
    if isinstance(given, Mapping):
        found = _range(name, given, where)
        if found.continuous:
            raise NeurosimError(f"{where}: must have values; give count, step or factor")
        return found
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise NeurosimError(f"{where}={given!r}: must be a list of values, or a table with from and to")
    return _checked(name, [_level(name, one, where) for one in given], where)


def _kind(name: str) -> type:
    """The type of a setting's values, or of a choice's."""
    if "." not in name:
        return _KINDS[name]
    value = choices()[name].value
    return value if isinstance(value, type) else str


def _checked(name: str, levels: list[Level], where: str) -> Factor:
    seen = set()
    for level in levels:
        label = type(level.label) is bool, level.label
        if label in seen:
            raise NeurosimError(f"{where}: {level.label!r} is there twice; each value must be there once")
        seen.add(label)
    return Factor(name, tuple(levels))


def _level(name: str, value: Any, where: str) -> Level:
    if "." in name:
        if isinstance(value, list | Mapping) or (isinstance(value, str) and _kind(name) is not str):
            raise NeurosimError(f"{where}: {value!r} must be of the type {_kind(name).__name__}")
        return Level(value, ((name, value),))
    try:
        found = converted(name, value)
    except NeurosimError as error:
        raise NeurosimError(f"factors.{error}") from None
    if found == () and name == "hardware":
        raise NeurosimError(f"{where}: must name a hardware model")
    return Level(label_of(found), ((name, found),))


def label_of(value: Any) -> Scalar:
    """What a value is called in results: lists are joined by commas, or stand alone where they have one item."""
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else ",".join(map(str, value)) or "none"
    return value  # type: ignore[no-any-return]


def _together(name: str, given: Any, where: str) -> Level:
    """A level that sets several knobs; `label` may name it."""
    if not isinstance(given, Mapping):
        raise NeurosimError(f"{where}: {given!r} stands among tables; all levels must be tables of settings, or none")
    settings = {key: value for key, value in given.items() if key != "label"}
    if not settings:
        raise NeurosimError(f"{where}: a level sets nothing; it must be a table of settings")
    check_names(settings, f" ({where})")
    if name in _KINDS and name not in settings:
        raise NeurosimError(f"{where}: is a setting's name, and a level does not set it; give the factor another name")
    for key in ("seed", "hardware"):
        if key in settings:
            raise NeurosimError(f"{where}: {key} must not be set together with others")
    sets = tuple((key, _level(key, value, where).sets[0][1]) for key, value in settings.items())
    label = given.get("label", " ".join(f"{key}={label_of(value)}" for key, value in sets))
    return Level(str(label), sets)


def _number(name: str, where: str, key: str, value: Any) -> float:
    found = value
    if isinstance(value, str) and value.startswith("2^"):
        try:
            found = 2.0 ** int(value[2:])
        except (ValueError, OverflowError):
            found = None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise NeurosimError(f"{where}.{key}={value!r}: must be a number")
    if _kind(name) is int and key != "factor" and found != int(found):
        raise NeurosimError(f"{where}.{key}={value!r}: must be a whole number, as {name} is")
    return float(found)


def _range(name: str, given: Mapping[str, Any], where: str) -> Factor:
    """A range: from, to, and one of count, step, factor; with none of them it is continuous, for searches that draw."""
    kind = _kind(name)
    if kind not in (int, float):
        raise NeurosimError(f"{where}: has no range, {name} is no number; give a list of values")
    for key in given:
        if key not in _RANGE_KEYS:
            raise NeurosimError(f"{where}.{key}: no such key; allowed are {', '.join(_RANGE_KEYS)}")
    for key in ("from", "to"):
        if key not in given:
            raise NeurosimError(f"{where}.{key}: is missing; a range has from and to")
    low, high = (_number(name, where, key, given[key]) for key in ("from", "to"))
    if not low < high:
        raise NeurosimError(f"{where}.to={given['to']!r}: must be above from={given['from']!r}")
    log, steps = given.get("log", False), [key for key in ("count", "step", "factor") if key in given]
    if not isinstance(log, bool):
        raise NeurosimError(f"{where}.log={log!r}: must be true or false")
    if len(steps) > 1:
        raise NeurosimError(f"{where}: {' and '.join(steps)} contradict each other; give one of them")
    if (log or "factor" in given) and low <= 0:
        raise NeurosimError(f"{where}.from={given['from']!r}: must be above 0 in a logarithmic range")
    if not steps:
        return Factor(name, (), low, high, log, kind is int)
    values = _stepped(name, where, low, high, given, steps[0])
    exact = dict.fromkeys(round(value) if kind is int else value for value in values)
    return _checked(name, [_level(name, value, where) for value in exact], where)


def _stepped(name: str, where: str, low: float, high: float, given: Mapping[str, Any], by: str) -> list[float]:
    """The values of a range: `count` evenly placed ones, every `step`, or each `factor` times the one before."""
    size = _number(name, where, by, given[by])
    slack = 1e-9  # so that the last value is not lost to rounding: (0.3 - 0.1) / 0.1 is 1.999...
    if by == "count":
        if size < 2 or size != int(size) or size > _MOST_LEVELS:
            raise NeurosimError(f"{where}.count={given[by]!r}: must be a whole number 2..{_MOST_LEVELS}")
        shares = [i / (int(size) - 1) for i in range(int(size))]
        if given.get("log", False):
            return [low, *(low * (high / low) ** share for share in shares[1:-1]), high]
        return [low, *(low + share * (high - low) for share in shares[1:-1]), high]
    if by == "step" and given.get("log", False):
        raise NeurosimError(f"{where}.step: contradicts log = true; give count or factor")
    if (by == "step" and size <= 0) or (by == "factor" and size <= 1):
        raise NeurosimError(f"{where}.{by}={given[by]!r}: must be above {0 if by == 'step' else 1}")
    count = (high - low) / size if by == "step" else math.log(high / low) / math.log(size)
    if count > _MOST_LEVELS:
        raise NeurosimError(f"{where}.{by}={given[by]!r}: makes more than {_MOST_LEVELS} values")
    steps = range(int(count + slack) + 1)
    return [low + i * size for i in steps] if by == "step" else [low * size**i for i in steps]
