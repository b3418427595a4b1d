"""Which points a study has, in which order, and what names their results.

A run is one simulation: a configuration and a seed. Its key names its results by all that decides them, so that equal runs are one,
whatever study they come from. Hardware is not in it: counts are kept, and priced on any model.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from neurosim.data import DataSet, load
from neurosim.errors import NeurosimError
from neurosim.studies.config import RESULTS, Config, converted
from neurosim.studies.sweep.factors import Level, Scalar
from neurosim.studies.sweep.study import Study

_STANDS_APART = ("hardware", "execution", "seed", "data")  # decides no bit, or, seed and data, stands by itself
_DEFAULTS = {knob.name: knob.default for knob in fields(Config) if knob.name not in _STANDS_APART}


@dataclass(frozen=True)
class Candidate:
    """A point that is to run: its number in the study, its levels, the seeds that are wanted now, and the hardware that it is judged on."""

    number: int
    levels: tuple[Level, ...]
    seeds: tuple[int, ...]
    hardware: str = ""


def key_of(config: Config, fingerprint: str) -> str:
    """What names a run's results: 16 hex digits. Settings at their defaults do not count, so new ones keep old results.

    fingerprint: of the data set, in whose place its name does not count.
    """
    return _key({name: getattr(config, name) for name in _DEFAULTS}, config.seed, fingerprint)


def _key(settings: Mapping[str, Any], seed: int, fingerprint: str) -> str:
    said = {name: value for name, value in settings.items() if name in _DEFAULTS and value != _DEFAULTS[name]}
    text = json.dumps([RESULTS, seed, fingerprint, said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Keys:
    """The keys of a study's points, without their configurations: an eighth of the time, which counts where most have run.

    A point whose settings contradict one another has a key, too; no run has it.
    """

    def __init__(self, study: Study) -> None:
        self.base = {name: converted(name, value) for name, value in study.base.items()}

    def of(self, levels: Sequence[Level], seed: int) -> str:
        """As `key_of` has it. Raises NeurosimError where the data set is not here."""
        settings = self.base | {name: value for level in levels for name, value in level.sets}
        return _key(settings, seed, fingerprint(settings.get("data", Config.data)))


@functools.lru_cache(maxsize=1)
def loaded(data: str) -> DataSet:
    """A data set, whole, kept until another is asked for. Raises NeurosimError for one that is not here."""
    return load(data)


@functools.lru_cache(maxsize=16)
def fingerprint(data: str) -> str:
    """The fingerprint of a data set, whole. Raises NeurosimError for one that is not here."""
    return loaded(data).fingerprint


def labels(study: Study, levels: Sequence[Level]) -> dict[str, Scalar]:
    """The levels of a point by factor."""
    return {one.name: level.label for one, level in zip(study.factors, levels, strict=True)}


def candidates(study: Study) -> Iterator[Candidate]:
    """The points of a grid or of a random search. First seeds of all before the second of any: what is unfinished says something of all."""
    total = study.total or 0
    for seed in study.seeds:
        drawn: Any = _grid(study) if study.method == "grid" else (_random(study, i) for i in range(total))
        for number, levels in enumerate(itertools.islice(drawn, total)):
            yield Candidate(number, levels, (seed,))


def _grid(study: Study) -> Iterator[tuple[Level, ...]]:
    return itertools.product(*(one.levels for one in study.factors))


def _random(study: Study, number: int) -> tuple[Level, ...]:
    """Each point is drawn by its own number: a resumed study draws the same."""
    return tuple(
        one.draw(random.Random(f"{study.search_seed}:{number}:{one.name}").random())  # noqa: S311  # no secret
        for one in study.factors
    )


def position(study: Study, number: int, seed: int) -> int:
    """The number of a run in its study."""
    return number * len(study.seeds) + study.seeds.index(seed)


def size(study: Study) -> int | None:
    """Runs of the whole study."""
    return None if study.total is None else study.total * len(study.seeds)


def kinds(study: Study) -> list[dict[str, Any]]:
    """One configuration for each kind of kernels that a study needs, so that each is compiled once."""
    first = [one.draw(0.0) for one in study.factors]
    found: dict[tuple[bool, bool], dict[str, Any]] = {}
    for i, factor in enumerate(study.factors):
        for level in factor.levels if set(factor.knobs) & {"conv", "batch_size"} else ():
            _kind(study, [*first[:i], level, *first[i + 1 :]], found)
    _kind(study, first, found)
    return list(found.values())


def _kind(study: Study, levels: list[Any], found: dict[tuple[bool, bool], dict[str, Any]]) -> None:
    try:
        config = study.config(levels, study.seeds[0])
    except NeurosimError:
        return
    found.setdefault((bool(config.conv), config.batch_size > 1), config.to_dict())
