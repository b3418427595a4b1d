"""Which points a study has, in which order, and what names their results.

A run is one simulation: a configuration and a seed. Its key names its results by all that decides them, so that equal runs are one,
whatever study they come from. Hardware is not in it: counts are kept, and priced on any model.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from neurosim.errors import NeurosimError
from neurosim.studies.config import RESULTS, Config
from neurosim.studies.sweep.factors import Level, Scalar
from neurosim.studies.sweep.study import Study

_DECIDES_NO_BIT = ("hardware", "execution", "seed")  # the seed stands by itself


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
    said = {
        knob.name: getattr(config, knob.name)
        for knob in fields(Config)
        if knob.name not in _DECIDES_NO_BIT and getattr(config, knob.name) != knob.default
    }
    said.pop("data", None)
    text = json.dumps([RESULTS, config.seed, fingerprint, said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=16)
def fingerprint(data: str) -> str:
    """The fingerprint of a data set, whole. Raises NeurosimError for one that is not here."""
    from neurosim.data import load

    return load(data).fingerprint


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


def threshold(ordered: Sequence[float], percentile: float) -> float:
    """The accuracy below which a share of others is, of accuracies in order: nearest rank, -inf where there is none."""
    if not ordered:
        return -math.inf
    return ordered[min(len(ordered) - 1, int(percentile / 100 * len(ordered)))]


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
