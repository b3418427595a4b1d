"""A study: base configuration, factors, seeds, objectives, constraints, search, pruning and budget, from TOML or from Python.

The tables of a file are the arguments of `Study.of`; both are checked in whole before anything runs.
"""

from __future__ import annotations

import difflib
import itertools
import json
import math
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from neurosim.errors import NeurosimError
from neurosim.formats import check
from neurosim.studies.config import Config, check_names, converted
from neurosim.studies.sweep.factors import Factor, Level, Scalar, factor_of, flattened, label_of
from neurosim.studies.sweep.measures import MEASURES

METHODS = ("grid", "random", "nsga2", "nsga3", "tpe")
ADAPTIVE = ("nsga2", "nsga3", "tpe")
DEFAULT_HARDWARE = ("digital_45nm",)
_MOST_MODELS = 10_000
_MOST_SEEDS = 100_000
_TABLES: Mapping[str, tuple[str, ...]] = {
    "base": (),
    "factors": (),
    "objectives": (),
    "constraints": (),
    "search": ("method", "seed", "population"),
    "pruning": ("percentile", "runs", "epochs"),
    "budget": ("points", "hours"),
}


@dataclass(frozen=True)
class Pruning:
    """Runs that are hopeless stop early.

    A run stops after an epoch, from `epochs` on, whose test accuracy is below the given percentile of what earlier runs of the study
    had after as many epochs, once there are `runs` of them.
    """

    percentile: float = 25.0
    runs: int = 8
    epochs: int = 1


@dataclass(frozen=True)
class Study:
    """What a sweep explores; made by `of` or `load`.

    base: settings of all points; factors: what is varied, hardware excepted; hardware: the models that each point is priced on, and
    of each its levels of the factors that only prices depend on, `priced_factors`;
    seeds: each point runs with all of them; objectives: measure to ``min`` or ``max``; constraints: measure to (least, most);
    budget: points (without seeds; 0: no limit) and hours (0: no limit).
    """

    name: str
    given: Mapping[str, Any]
    base: Mapping[str, Any]
    factors: tuple[Factor, ...]
    hardware: Mapping[str, Mapping[str, Scalar]]
    seeds: tuple[int, ...]
    objectives: Mapping[str, str]
    constraints: Mapping[str, tuple[float, float]]
    method: str = "grid"
    search_seed: int = 0
    population: int = 24
    pruning: Pruning | None = None
    points: int = 0
    hours: float = 0.0
    path: Path | None = field(default=None, compare=False)

    @classmethod
    def of(cls, *, name: str = "study", path: Path | None = None, **given: Any) -> Study:
        """A study from the tables of a study file: base, factors, seeds, objectives, constraints, search, pruning, budget.

        Raises NeurosimError that names table, field, value and what is allowed.
        """
        try:
            return _study(name, path, given)
        except NeurosimError as error:
            raise NeurosimError(f"{error} ({path})" if path is not None else str(error)) from None

    @classmethod
    def load(cls, path: str | Path) -> Study:
        """The study in a TOML file. Raises NeurosimError that names the file."""
        path = Path(path)
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise NeurosimError(f"study={str(path)!r}: cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise NeurosimError(f"study={str(path)!r}: not valid TOML: {error}") from None
        for key in ("name", "path"):
            if key in given:
                raise NeurosimError(f"{key}: no such table; a study is named by its file ({path})")
        return cls.of(name=path.stem, path=path, **given)

    @property
    def definition(self) -> str:
        """All that decides which points there are and what is asked of them, as JSON."""
        return json.dumps(self.given, sort_keys=False, allow_nan=False)

    @property
    def priced_factors(self) -> tuple[str, ...]:
        """Columns of results that tell hardware models apart; none where there is one model."""
        return tuple(next(iter(self.hardware.values()))) if len(self.hardware) > 1 else ()

    @property
    def combinations(self) -> int:
        """Points of the whole grid, without seeds and hardware; 0 where a factor is continuous."""
        return math.prod(len(one.levels) for one in self.factors)

    @property
    def total(self) -> int | None:
        """Points that the sweep is to make, without seeds and hardware."""
        if self.method != "grid":
            return self.points
        return min(self.combinations, self.points) if self.points else self.combinations

    def config(self, levels: Sequence[Level], seed: int) -> Config:
        """The configuration of a point. Raises NeurosimError where its settings contradict one another, or nothing is learned."""
        sets = {name: value for level in levels for name, value in level.sets}
        found = Config(**{**self.base, **sets, "seed": seed})
        if not found.epochs:
            raise NeurosimError("epochs=0: must be from 1 up in a sweep")
        return found

    def allows(self, measures: Mapping[str, float]) -> bool:
        """Whether a point keeps all constraints."""
        return all(self.violation(name, measures[name]) <= 0 for name in self.constraints)

    def violation(self, name: str, value: float) -> float:
        """How far a value is outside its constraint, in shares of the bound; 0 or less within."""
        least, most = self.constraints[name]
        scale = max(abs(bound) for bound in (least, most) if math.isfinite(bound)) or 1.0
        return max(least - value, value - most) / scale


def _study(name: str, path: Path | None, given: Mapping[str, Any]) -> Study:
    given, known = _plain(given), [*_TABLES, "seeds"]
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]}?" if close else "allowed are " + ", ".join(known)
            hint = "it is a setting of [base]" if key in {f.name for f in fields(Config)} else hint
            raise NeurosimError(f"{key}: no such table; {hint}")
    tables = {key: _table(key, given.get(key, {})) for key in _TABLES}
    base = dict(tables["base"])
    check_names(base, " (base)")
    if "seed" in base:
        raise NeurosimError(f"base.seed={base['seed']!r}: write it as seeds, beside base")
    all_factors = [factor_of(key, value) for key, value in flattened(tables["factors"]).items()]
    _no_knob_twice(base, all_factors)
    search, budget = tables["search"], tables["budget"]
    method = search.get("method", "grid")
    check("search.method", method, METHODS)
    hardware = next((one for one in all_factors if one.name == "hardware"), None)
    study = Study(
        name=name,
        given=given,
        base=base,
        factors=tuple(one for one in all_factors if one.name != "hardware" and not one.of_hardware),
        hardware=_hardware(hardware, base, [one for one in all_factors if one.of_hardware]),
        seeds=_seeds(given.get("seeds", 1)),
        objectives=_objectives(tables["objectives"]),
        constraints=_constraints(tables["constraints"]),
        method=method,
        search_seed=_whole("search.seed", search.get("seed", 0), 0),
        population=_whole("search.population", search.get("population", 24), 2),
        pruning=_pruning(tables["pruning"]) if "pruning" in given else None,
        points=_whole("budget.points", budget.get("points", 0), 0),
        hours=_real("budget.hours", budget.get("hours", 0.0), 0.0, math.inf),
        path=path,
    )
    _check_search(study)
    try:
        study.config([one.draw(0.0) for one in study.factors], study.seeds[0])
    except NeurosimError as error:
        raise NeurosimError(f"the first point: {error}") from None
    return study


def _plain(given: Any, where: str = "") -> Any:
    """What a study says, in the types of JSON. Raises NeurosimError for what has none: a date, nan, infinity."""
    if isinstance(given, Mapping):
        return {str(key): _plain(value, f"{where}.{key}" if where else str(key)) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_plain(value, where) for value in given]
    if hasattr(given, "item"):  # a number of NumPy
        given = given.item()
    if not isinstance(given, bool | int | float | str) or (isinstance(given, float) and not math.isfinite(given)):
        raise NeurosimError(f"{where}={given!r}: must be a number, a word, true or false, or a list or table of them")
    return given


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise NeurosimError(f"{name}={given!r}: must be a table")
    for key in given:
        if _TABLES[name] and key not in _TABLES[name]:
            raise NeurosimError(f"{name}.{key}: no such key; allowed are {', '.join(_TABLES[name])}")
    return given


def _no_knob_twice(base: Mapping[str, Any], factors: Sequence[Factor]) -> None:
    names: dict[str, str] = {}
    for one in factors:
        twin = names.setdefault(one.name.lower(), one.name)
        if twin != one.name:
            raise NeurosimError(
                f"factors.{one.name}: differs from factors.{twin} in capitals only; give it another name"
            )
    owner = dict.fromkeys(base, "base")
    for one in factors:
        for knob in one.knobs:
            if knob in owner:
                raise NeurosimError(
                    f"factors.{one.name}: sets {knob}, which {owner[knob]} sets too; it must be set in one place"
                )
            owner[knob] = f"factors.{one.name}"


def _hardware(
    factor: Factor | None, base: Mapping[str, Any], choices: Sequence[Factor]
) -> dict[str, dict[str, Scalar]]:
    """Names or paths of the models, each checked, with its levels: of ``hardware`` where there are several, and of each choice."""
    from neurosim import costs
    from neurosim.costs.variants import named

    if factor is not None and factor.continuous:
        raise NeurosimError("factors.hardware: must be a list of models")
    of_base = converted("hardware", base.get("hardware", ())) or DEFAULT_HARDWARE
    given = [level.sets[0][1] for level in factor.levels] if factor else [(one,) for one in of_base]
    if any(len(one) != 1 for one in given):
        raise NeurosimError("factors.hardware: each value must be one model")
    models = tuple(str(one[0]) for one in given)
    if len(models) * math.prod(len(one.levels) for one in choices) > _MOST_MODELS:
        raise NeurosimError(f"factors: make more than {_MOST_MODELS} variants of hardware models")
    found: dict[str, dict[str, Scalar]] = {}
    for model, levels in itertools.product(models, itertools.product(*(one.levels for one in choices))):
        chosen = {one.name: level.label for one, level in zip(choices, levels, strict=True)}
        name = named(model, chosen)
        try:
            costs.load(name)
        except NeurosimError as error:
            raise NeurosimError(f"factors.{', factors.'.join(chosen)}: {error}" if chosen else str(error)) from None
        own: dict[str, Scalar] = {"model" if choices else "hardware": model} if len(models) > 1 or not choices else {}
        found[name] = own | chosen
    return found


def _seeds(given: Any) -> tuple[int, ...]:
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= _MOST_SEEDS:
        return tuple(range(given))
    good = (
        isinstance(given, Sequence)
        and len(given) <= _MOST_SEEDS
        and all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in given)
    )
    if not good or not given or len(set(given)) != len(given):
        raise NeurosimError(
            f"seeds={_short(given)}: must be how many, 1..{_MOST_SEEDS}, or a list of so many different whole numbers from 0 up"
        )
    return tuple(given)


def _short(given: Any) -> str:
    return textwrap.shorten(repr(given), 200)


def _objectives(given: Mapping[str, Any]) -> dict[str, str]:
    found = dict(given) or {"test_accuracy": "max", "energy_pj_per_sample": "min"}
    for name, direction in found.items():
        check("objectives", name, tuple(MEASURES))
        check(f"objectives.{name}", direction, ("min", "max"))
    return found


def _constraints(given: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    found = {}
    for name, bounds in given.items():
        check("constraints", name, tuple(MEASURES))
        if not isinstance(bounds, Mapping) or not bounds or set(bounds) - {"min", "max"}:
            raise NeurosimError(f"constraints.{name}={bounds!r}: must be a table with min, max or both")
        least, most = (_real(f"constraints.{name}.{key}", bounds.get(key, default), -math.inf, math.inf) for key, default in
                       (("min", -math.inf), ("max", math.inf)))  # fmt: skip
        if least > most:
            raise NeurosimError(f"constraints.{name}: min={least:g} and max={most:g} contradict each other")
        if MEASURES[name].unit == "share" and least > 1:
            raise NeurosimError(f"constraints.{name}.min={least:g}: no point can keep it; it is a share, 0..1")
        if least <= 0 and most < 0:
            raise NeurosimError(f"constraints.{name}.max={most:g}: no point can keep it; it is never below 0")
        found[name] = (least, most)
    return found


def _pruning(given: Mapping[str, Any]) -> Pruning:
    return Pruning(
        _real("pruning.percentile", given.get("percentile", 25.0), 0.0, 100.0),
        _whole("pruning.runs", given.get("runs", 8), 2),
        _whole("pruning.epochs", given.get("epochs", 1), 1),
    )


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise NeurosimError(f"{name}={value!r}: must be a whole number from {least} up")
    return value


def _real(name: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or not least <= value <= most:
        raise NeurosimError(
            f"{name}={value!r}: must be a number" + (f" {least:g}..{most:g}" if math.isfinite(most) else "")
        )
    return float(value)


def _check_search(study: Study) -> None:
    continuous = next((one for one in study.factors if one.continuous), None)
    if study.method == "grid" and continuous is not None:
        raise NeurosimError(
            f"factors.{continuous.name}: a grid needs its values; give count, step or factor, or another search.method"
        )
    if study.method != "grid" and not study.points:
        raise NeurosimError(
            f"budget.points: is missing; search.method={study.method!r} draws points until there are so many"
        )


def describe(levels: Sequence[Level], factors: Sequence[Factor]) -> str:
    """A point in words: each factor with its level."""
    return ", ".join(f"{one.name}={label_of(level.label)}" for one, level in zip(factors, levels, strict=True))
