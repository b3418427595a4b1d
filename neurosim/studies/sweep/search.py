"""Searches that learn from what was found: NSGA-II, NSGA-III and TPE of Optuna, which asks for points and is told how they did.

Optuna's own tables lie in the results file, so `optuna-dashboard sqlite:///STUDY.sqlite` shows the study. A point that was under way
when a sweep died is asked for again; one that is proposed twice is run and counted once. Which points are asked for depends on the
order in which others finish.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from neurosim.errors import NeurosimError
from neurosim.studies.sweep.factors import Factor, Level
from neurosim.studies.sweep.plan import Candidate
from neurosim.studies.sweep.study import Study

_WAITS_S = 60.0
_TRIES = 50  # proposals of points that were asked for before, after which a search has ended


class Search:
    """The points of an adaptive search."""

    def __init__(self, study: Study, results: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = study
        with _no_experiments():
            self.trials = _opened(study, results)
        self.space = space(study)
        self.asked: dict[int, optuna.trial.Trial] = {}
        self.mine: set[int] = set()
        self.again: deque[optuna.trial.FrozenTrial] = deque()
        self.seen = 0
        self._look()
        with _no_experiments():
            self.trials.sampler = sampler(study, self.seen)
        self.points: set[str] = set()
        self.told: dict[str, Mapping[str, Any]] = {}
        self.twins: dict[str, list[optuna.trial.Trial]] = {}
        self.exhausted = False

    def _look(self) -> None:
        """Take up what was asked for before, or by another sweep meanwhile."""
        for trial in self.trials.get_trials(deepcopy=False)[self.seen :]:
            if self.seen and trial.state == TrialState.RUNNING and len(trial.params) < len(self.space):
                break  # another sweep is about to ask for it
            self.seen += 1
            if trial.number not in self.mine and trial.state != TrialState.WAITING:
                self.again.append(trial)

    def next(self) -> Candidate | None:
        """First those that were asked for before, to be counted or run again, then new ones."""
        self._look()
        while self.again:
            old = self.again.popleft()
            try:
                levels, hardware = self._levels(old.params)
            except (KeyError, StopIteration, NeurosimError):  # asked for before the study changed
                continue
            point, runs = _words(old.params), old.state == TrialState.RUNNING
            if runs:
                self.asked[old.number] = optuna.trial.Trial(self.trials, old._trial_id)  # noqa: SLF001  # the way that Optuna's own ask goes
            if point in self.points:
                if runs:
                    self._again(self.asked.pop(old.number), point)
                continue
            self.points.add(point)
            if old.state == TrialState.COMPLETE:
                self.told[point] = {"values": old.values, "violations": old.constraints or {}}
            elif not runs:
                self.told[point] = {"state": old.state}
            return Candidate(old.number, levels, self.study.seeds, hardware)
        if self.exhausted or len(self.points) >= self.study.points:
            return None
        for _ in range(_TRIES):
            trial, chosen = self._asked()
            if _words(chosen) not in self.points:
                break
            self._again(trial, _words(chosen))
        else:
            self.exhausted = True
            return None
        self.points.add(_words(chosen))
        self.asked[trial.number] = trial
        levels, hardware = self._levels(chosen)
        return Candidate(trial.number, levels, self.study.seeds, hardware)

    def _asked(self) -> tuple[optuna.trial.Trial, dict[str, Any]]:
        """A point that the sampler proposes."""
        trial = self.trials.ask(self.space)
        self.mine.add(trial.number)
        return trial, trial.params

    def _levels(self, chosen: Mapping[str, Any]) -> tuple[tuple[Level, ...], str]:
        levels = tuple(one.at(chosen[one.name]) for one in self.study.factors)
        wanted = {name: chosen[name] for name in self.study.priced_factors}
        return levels, next(model for model, own in self.study.hardware.items() if not wanted or own == wanted)

    def tell(self, candidate: Candidate, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """The mean over seeds. A point with a run that was stopped is pruned; with one that was refused or failed, it fails."""
        trial = self.asked.pop(candidate.number, None)
        if trial is None:
            return
        names = [*self.study.objectives, *self.study.constraints]
        if any(
            outcome.get("state") != "finished" or any(outcome.get(name) is None for name in names)
            for outcome in outcomes
        ):
            one = len(self.study.objectives) == 1 and all(
                outcome.get("state") in ("finished", "stopped") for outcome in outcomes
            )
            self._finish(trial, {"state": TrialState.PRUNED if one else TrialState.FAIL})
            return
        means = {name: statistics.fmean(outcome[name] for outcome in outcomes) for name in names}
        violations = {name: self.study.violation(name, means[name]) for name in self.study.constraints}
        self._finish(trial, {"values": [means[name] for name in self.study.objectives], "violations": violations})

    def _again(self, trial: optuna.trial.Trial, point: str) -> None:
        """A point that was proposed before does as it did, at once or when that is known."""
        if point in self.told:
            self._finish(trial, self.told[point])
        else:
            self.twins.setdefault(point, []).append(trial)

    def _finish(self, trial: optuna.trial.Trial, said: Mapping[str, Any]) -> None:
        """Tell Optuna how a point did: values, or the state in which it ended without."""
        point = _words(trial.params)
        self.told[point] = said
        for twin in self.twins.pop(point, ()):
            self._finish(twin, said)
        with suppress(optuna.exceptions.UpdateFinishedTrialError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # another sweep has told it, too
            for name, violation in said.get("violations", {}).items():
                trial.set_constraint(name, violation)
            self.trials.tell(trial, said.get("values"), state=said.get("state"), skip_if_finished=True)


def _words(chosen: Mapping[str, Any]) -> str:
    """A point's choices, as one key."""
    return json.dumps(chosen, sort_keys=True)


@contextmanager
def _no_experiments() -> Iterator[None]:
    """Some of Optuna has been experimental for years, and says so at each use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _opened(study: Study, results: Path) -> optuna.Study:
    """Optuna's study in the results file, made where there is none, or none of the same values.

    Optuna does not let values change: a study that does has another one, NAME 2, say, with the trials that belong to it still.
    """
    storage = _storage(results)
    ways = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
    directions = [ways[way] for way in study.objectives.values()]
    wanted = space(study)
    old: list[optuna.trial.FrozenTrial] = []
    for n in itertools.count(1):
        name = study.name if n == 1 else f"{study.name} {n}"
        found = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
        if found.directions != directions:
            raise NeurosimError(f"{results}: its search has other objectives; name another with --results")
        trials = found.get_trials(deepcopy=False)
        if all(_same_values(trial, wanted) for trial in trials):
            break
        old = trials
    if not trials:
        found.add_trials(_belonging(old, wanted))
    found.set_metric_names(list(study.objectives))
    return found


def _storage(results: Path) -> optuna.storages.RDBStorage:
    """Optuna's tables in the results file. Two sweeps that begin at once may both make them: who comes second finds them."""
    address, given = f"sqlite:///{results.resolve()}", {"connect_args": {"timeout": _WAITS_S}}
    for _ in range(2):
        with suppress(OperationalError):
            return optuna.storages.RDBStorage(address, engine_kwargs=given)
        time.sleep(0.5)
    return optuna.storages.RDBStorage(address, engine_kwargs=given)


def _same_values(trial: optuna.trial.FrozenTrial, wanted: Mapping[str, BaseDistribution]) -> bool:
    try:
        for name in trial.distributions.keys() & wanted.keys():
            check_distribution_compatibility(trial.distributions[name], wanted[name])
    except ValueError:
        return False
    return True


def _belonging(
    trials: Sequence[optuna.trial.FrozenTrial], wanted: Mapping[str, BaseDistribution]
) -> Iterator[optuna.trial.FrozenTrial]:
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.params.keys() == wanted.keys():
            with suppress(ValueError):  # a value that is none of the study's any more
                yield optuna.trial.create_trial(
                    values=trial.values,
                    params=trial.params,
                    distributions=dict(wanted),
                    system_attrs=trial.system_attrs,
                )


def space(study: Study) -> dict[str, BaseDistribution]:
    """What a search draws from: factors, and what tells hardware models apart."""
    found = {one.name: _distribution(one) for one in study.factors}
    for name in study.priced_factors:
        values = dict.fromkeys(levels[name] for levels in study.hardware.values())
        found[name] = CategoricalDistribution(list(values))
    return found


def _distribution(factor: Factor) -> BaseDistribution:
    if not factor.continuous:
        return CategoricalDistribution([level.label for level in factor.levels])
    if factor.whole:
        return IntDistribution(round(factor.low), round(factor.high), log=factor.log)
    return FloatDistribution(factor.low, factor.high, log=factor.log)


def sampler(study: Study, asked: int) -> optuna.samplers.BaseSampler:
    """The sampler of a study's method; asked: how many points there were, so that a resumed search does not draw the same again."""
    seed = study.search_seed + asked
    if study.method == "tpe":
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    if study.method == "nsga3":
        return optuna.samplers.NSGAIIISampler(seed=seed, population_size=study.population)
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=study.population)
