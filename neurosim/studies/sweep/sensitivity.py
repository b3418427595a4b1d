"""Which factor matters most: the importance of each factor for a measure, by fANOVA, seed by seed.

fANOVA (Hutter, Hoos, Leyton-Brown: An efficient approach for assessing hyperparameter importance, ICML 2014), as Optuna has it, fits a
random forest to measure against factors and gives the share of the variance that each factor explains alone. It is fitted to the
points of one seed at a time: the interval over seeds says how far the order of the factors can be trusted.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.studies.sweep.study import Study

_LEAST, _MOST = 8, 200  # points of a seed; the time of fANOVA grows with them, its answer hardly changes
_TREES = 32
_SEEDS = 8


@dataclass(frozen=True)
class Importance:
    """The share of a measure's variance that a factor explains: mean over seeds, and the ends of the 95 % interval of that mean.

    low and high are equal to the mean where there is one seed.
    """

    factor: str
    mean: float
    low: float
    high: float
    seeds: int


def sensitivity(study: Study, columns: Mapping[str, NDArray[Any]], measure: str) -> list[Importance]:
    """Factors by importance for a measure, the first the most important; columns: factors, seed and measures of finished points, [n].

    Hardware is a factor where the study has several models, and so is each of their choices that is varied. Factors that have one
    value in all rows are left out; with fewer than 8 points of a seed, or a measure that does not vary, there is nothing to say.
    """
    names = [*(one.name for one in study.factors), *study.priced_factors]
    names = [name for name in names if len(set(columns[name].tolist())) > 1]
    seeds = np.where(np.isnan(columns[measure]), -1, columns["seed"])
    by_seed = [np.flatnonzero(seeds == seed) for seed in dict.fromkeys(seeds[seeds >= 0].tolist())]
    shares = [_shares(names, columns, some, measure) for some in by_seed[:_SEEDS] if names and len(some) >= _LEAST]
    found = [_interval(name, [one[name] for one in shares if one]) for name in names if any(shares)]
    return sorted(found, key=lambda one: -one.mean)


def _interval(name: str, shares: Sequence[float]) -> Importance:
    from scipy.stats import t

    n, mean = len(shares), math.fsum(shares) / len(shares)
    if n == 1:
        return Importance(name, mean, mean, mean, 1)
    spread = math.sqrt(math.fsum((share - mean) ** 2 for share in shares) / (n - 1))
    half = float(t.ppf(0.975, n - 1)) * spread / math.sqrt(n)
    return Importance(name, mean, max(0.0, mean - half), min(1.0, mean + half), n)


def _shares(
    names: Sequence[str], columns: Mapping[str, NDArray[Any]], rows: NDArray[np.intp], measure: str
) -> dict[str, float]:
    """The share that each factor explains among the rows of one seed, int[n]; empty where the measure does not vary."""
    import optuna

    # drawn, since every so-maniest row of a grid may have one level of a factor only
    some = rows.tolist() if len(rows) <= _MOST else random.Random(0).sample(rows.tolist(), _MOST)  # noqa: S311  # no secret
    values = columns[measure][some].tolist()
    if min(values) == max(values):
        return {}
    spread = {name: _distribution(columns[name][rows].tolist()) for name in names}
    levels = {name: columns[name][some].tolist() for name in names}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    trials = [
        optuna.trial.create_trial(params={n: levels[n][i] for n in names}, distributions=spread, value=value)
        for i, value in enumerate(values)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.add_trials(trials)
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(names), normalize=False)
    return {name: float(found[name]) for name in names}


def _distribution(values: Sequence[Any]) -> Any:
    """Numbers keep their order, logarithmically where they span decades; all else is names."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if all(isinstance(value, int | float) for value in values):
        low, high = float(min(values)), float(max(values))
        return FloatDistribution(low, high, log=low > 0 and high / low > 100)
    return CategoricalDistribution(sorted(set(values)))
