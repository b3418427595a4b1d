"""What can be known before anything runs: data sets that are not here, and values with which no point can run.

Points that contradict themselves in some combinations only are none of this: they are refused one by one, as they come.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence

from neurosim.data import DataSet
from neurosim.errors import NeurosimError
from neurosim.studies import build
from neurosim.studies.config import Config
from neurosim.studies.sweep import plan
from neurosim.studies.sweep.factors import Factor, Level
from neurosim.studies.sweep.study import Study

_TRIES = 200  # combinations with levels of other factors, after which a level is held to be impossible
_MOST_LEVELS = 200  # of a factor that are tried: both ends and evenly between
_LAST = 1 - 2**-53  # the share of a factor's last level


def check_points(study: Study) -> None:
    """Describe a network for each level of each factor, and find its data set; nothing is compiled or simulated.

    Raises NeurosimError that names the factor and the level, or says that no point can run at all.
    """
    here = _Here()
    mistake = _mistake(study, [_levels(one) for one in study.factors], here)
    if mistake:
        raise NeurosimError(f"no point can run: {mistake}")
    for i, factor in enumerate(study.factors):
        others = [_levels(one) for one in study.factors]
        for level in others[i]:
            mistake = _mistake(study, [*others[:i], [level], *others[i + 1 :]], here)
            if mistake:
                raise NeurosimError(f"factors.{factor.name}: no point with {level.label!r} can run: {mistake}")
    plan.loaded.cache_clear()


class _Here:
    """Data sets by name while points are checked, and what is wrong with those that are not here."""

    def __init__(self) -> None:
        self.found: dict[str, DataSet] = {}
        self.missing: dict[str, str] = {}

    def __getitem__(self, name: str) -> DataSet:
        if name in self.missing:
            raise NeurosimError(self.missing[name])
        if name not in self.found:
            try:
                self.found[name] = plan.loaded(name)
            except NeurosimError as error:
                self.missing[name] = str(error)
                raise
            plan.fingerprint(name)
        return self.found[name]


def _levels(factor: Factor) -> list[Level]:
    if factor.continuous:
        return [factor.draw(0.0), factor.draw(_LAST)]
    step = math.ceil(len(factor.levels) / _MOST_LEVELS)
    return list(dict.fromkeys([*factor.levels[::step], factor.levels[-1]]))


def _mistake(study: Study, choices: Sequence[Sequence[Level]], here: _Here) -> str:
    """What is wrong with the first of the combinations where none can run; empty where one can."""
    first = ""
    for levels in _combinations(choices):
        try:
            _describe(study.config(levels, study.seeds[0]), here)
        except NeurosimError as error:
            first = first or str(error)
        else:
            return ""
    return first


def _combinations(choices: Sequence[Sequence[Level]]) -> Iterator[Sequence[Level]]:
    """All, the first levels first; where there are too many, drawn ones."""
    if math.prod(map(len, choices)) <= _TRIES:
        yield from itertools.product(*choices)
        return
    yield [levels[0] for levels in choices]
    chance = random.Random(0)  # noqa: S311  # no secret
    for _ in range(_TRIES):
        yield [chance.choice(levels) for levels in choices]


def _describe(config: Config, here: _Here) -> None:
    """The network's description, for a sample of the data: all that needs no kernels."""
    found = here[config.data].head(config.train_samples or 1, config.test_samples or 1)
    build.network(config, found.head(1, 1))
