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


def sensitivity(study: Study, rows: Sequence[Mapping[str, Any]], measure: str) -> list[Importance]:
    """Factors by importance for a measure, the first the most important; rows: of the view `results`, finished ones.

    Hardware is a factor where the study has several models, and so is each of their choices that is varied. Factors that have one
    value in all rows are left out; with fewer than 8 points of a seed, or a measure that does not vary, there is nothing to say.
    """
    names = [*(one.name for one in study.factors), *study.priced_factors]
    names = [name for name in names if len({row[name] for row in rows}) > 1]
    by_seed: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row[measure] is not None:
            by_seed.setdefault(row["seed"], []).append(row)
    shares = [
        _shares(names, some, measure) for some in list(by_seed.values())[:_SEEDS] if names and len(some) >= _LEAST
    ]
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


def _shares(names: Sequence[str], rows: Sequence[Mapping[str, Any]], measure: str) -> dict[str, float]:
    """The share that each factor explains among the rows of one seed; empty where the measure does not vary."""
    import optuna

    # drawn, since every so-maniest row of a grid may have one level of a factor only
    some = rows if len(rows) <= _MOST else random.Random(0).sample(rows, _MOST)  # noqa: S311  # no secret
    values = [float(row[measure]) for row in some]
    if min(values) == max(values):
        return {}
    spread = {name: _distribution([row[name] for row in rows]) for name in names}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    trials = [
        optuna.trial.create_trial(params={n: _value(row[n]) for n in names}, distributions=spread, value=value)
        for row, value in zip(some, values, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.add_trials(trials)
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(names), normalize=False)
    return {name: float(found[name]) for name in names}


def _value(value: Any) -> Any:
    return value if isinstance(value, int | float) else str(value)


def _distribution(values: Sequence[Any]) -> Any:
    """Numbers keep their order, logarithmically where they span decades; all else is names."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if all(isinstance(value, int | float) for value in values):
        low, high = float(min(values)), float(max(values))
        return FloatDistribution(low, high, log=low > 0 and high / low > 100)
    return CategoricalDistribution(sorted({str(value) for value in values}))
