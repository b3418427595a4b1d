"""The sweep: points from a plan go to workers, results come back into the store; whatever dies, no finished point is lost."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from neurosim.errors import NeurosimError
from neurosim.studies.sweep import plan
from neurosim.studies.sweep.check import check_points
from neurosim.studies.sweep.executors import SCRIPT, Cluster, Local, WorkerLost, cores
from neurosim.studies.sweep.identity import identify, results_path
from neurosim.studies.sweep.measures import PRICED, SIMULATED
from neurosim.studies.sweep.plan import Candidate
from neurosim.studies.sweep.pricing import bring_up_to_date, price
from neurosim.studies.sweep.pruning import Curves
from neurosim.studies.sweep.simulate import counts_of, prepare, simulate
from neurosim.studies.sweep.status import Status
from neurosim.studies.sweep.store import DONE, Store
from neurosim.studies.sweep.study import ADAPTIVE, Study

_DEATHS = 5  # of workers that had a point, after which it is given up
_STARTS = 2  # of a worker that died before it had anything to do, after which nothing is begun
_BEAT_S, _LOOK_S = 10.0, 0.5
_OFTEN = 1000  # points that were finished before, between two looks at them
Outcome = Mapping[str, Any]


class Source(Protocol):
    """Where points come from: each is a candidate with the seeds that are wanted; told, once they are there, how they did."""

    def next(self) -> Candidate | None:
        """The next point; None where there is none, or none before others are told."""

    def tell(self, candidate: Candidate, outcomes: list[Outcome]) -> None:
        """The outcomes of a candidate, one a seed."""


class Listed:
    """Points that are known beforehand: a grid, or random ones."""

    def __init__(self, study: Study) -> None:
        self.points: Iterator[Candidate] = plan.candidates(study)

    def next(self) -> Candidate | None:
        """The next of the list."""
        return next(self.points, None)

    def tell(self, candidate: Candidate, outcomes: list[Outcome]) -> None:
        """Nothing is learned."""


Progress = Callable[[Status], None]


def sweep(
    study: Study,
    results: str | Path | None = None,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    changed: bool = False,
    progress: Progress | None = None,
) -> Status:
    """Run a study's points that are not finished; each is in the results file, durable, as soon as it is.

    results: the SQLite file; by default beside the study's. workers: local processes, by default one a core that this process may
    use; cluster: the address of
    a Dask scheduler, instead. resume: go on with results that are there; changed: even of a study that said something else.
    Raises NeurosimError for whatever the user can mend; what was finished is kept.
    """
    if workers is not None and (cluster is not None or workers < 1):
        raise NeurosimError(f"workers={workers}: must be from 1 up, and not beside cluster")
    path = results_path(study, results)
    check_points(study)
    store = Store(path)
    try:
        identify(store, study, resume=resume, changed=changed)
        store.show([one.name for one in study.factors], study.priced_factors, study.hardware)
        store.beat()
        with_pool = _Sweep(study, store, progress or (lambda _: None))
        if with_pool.nothing_left():
            return with_pool.judged()
        pool = Cluster(cluster) if cluster is not None else Local(workers or cores())
        try:
            with_pool.run(pool)
        except BaseException:
            pool.close(at_once=True)
            raise
        pool.close(at_once=False)
        return with_pool.judged()
    finally:
        store.close()


class _Sweep:
    """One sweep under way."""

    def __init__(self, study: Study, store: Store, progress: Progress) -> None:
        self.study, self.store, self.progress = study, store, progress
        self.states = DONE if study.pruning else ("finished", "refused")
        self.known, self.numbers = store.known(self.states), store.numbers()
        self.status = Status(study, plan.size(study))
        self.source = self._source()
        self.jobs: deque[tuple[Candidate, int]] = deque()
        self.elsewhere: deque[tuple[Candidate, int, str]] = deque()
        self.flying: dict[Future[Any], str] = {}
        self.same: dict[str, list[tuple[Candidate, int]]] = {}
        self.deaths: dict[str, int] = {}
        self.outcomes: dict[int, dict[int, Outcome]] = {}
        self.new_points: list[tuple[str, tuple[int, int, Any]]] = []
        self.keys, self.curves = plan.Keys(study), Curves(study.pruning)
        self.last_beat = time.monotonic()

    def _source(self) -> Source:
        if self.study.method in ADAPTIVE:
            from neurosim.studies.sweep.search import Search

            return Search(self.study, self.store.path)
        return Listed(self.study)

    # ------------------------------------------------------------------ before

    def nothing_left(self) -> bool:
        """Take up what is finished; whether that was all."""
        bring_up_to_date(self.store, list(self.study.hardware))
        if self.numbers:
            self._look_at()
        job = self._next_job()
        if job is not None:
            self.jobs.appendleft(job)
        else:
            self._write_points()
        return job is None

    def judged(self) -> Status:
        """The status at the end: with what no model could price."""
        self.status.unpriced, why = self.store.refusals()
        self.status.last_mistake = self.status.last_mistake or why
        return self.status

    def _look_at(self, numbers: Sequence[int] | None = None) -> None:
        judged = (*self.study.objectives, *self.study.constraints)
        shown = dict.fromkeys([*judged, *(one.name for one in self.study.factors), *self.study.priced_factors, "seed"])
        for row in self.store.results(list(shown), numbers):
            self.status.look_at(row)
        if self.study.pruning:
            self.curves.learn(self.store.curves(numbers))

    # ------------------------------------------------------------------ what to run

    def _next_job(self) -> tuple[Candidate, int] | None:
        """The next run that is not finished. Points whose runs are there are written on the way."""
        while True:
            if self.jobs:
                candidate, seed = self.jobs.popleft()
            else:
                found = self.source.next()
                if found is None:
                    return None
                self.jobs.extend((found, seed) for seed in found.seeds)
                continue
            key = self._key(candidate, seed)
            if key is None:
                continue
            if key not in self.known:
                return candidate, seed
            self._finished(candidate, seed, key)

    def _key(self, candidate: Candidate, seed: int) -> str | None:
        """The key of a run; None, and a refusal, where its settings contradict one another."""
        try:
            key = self.keys.of(candidate.levels, seed)
            if key not in self.known:
                self.study.config(candidate.levels, seed)
        except NeurosimError as error:
            self._refuse(candidate, seed, str(error))
            return None
        return key

    def _refuse(self, candidate: Candidate, seed: int, why: str) -> None:
        number = plan.position(self.study, candidate.number, seed)
        if number not in self.numbers:
            key = f"refused-{number}"
            self.store.add(key, {"state": "refused", "seed": seed, "error": why}, [], [self._point(candidate, seed)])
            self.numbers.add(number)
        self.status.last_mistake = why
        self._count(candidate, seed, "refused")

    def _point(self, candidate: Candidate, seed: int) -> tuple[int, int, Any]:
        return plan.position(self.study, candidate.number, seed), seed, plan.labels(self.study, candidate.levels)

    def _finished(self, candidate: Candidate, seed: int, key: str) -> None:
        """A run that was there already: from before, or because an equal point was run."""
        point = self._point(candidate, seed)
        if point[0] not in self.numbers:
            self.numbers.add(point[0])
            self.new_points.append((key, point))
            if len(self.new_points) >= _OFTEN:
                self._write_points()
        if self.known[key] == "refused":
            self.status.last_mistake = self.store.outcome(key)[1]
        self._count(candidate, seed, self.known[key], key)
        if self.status.done % _OFTEN == 0:
            self._tell()

    def _write_points(self) -> None:
        if self.new_points:
            self.store.point(self.new_points)
            numbers = [point[0] for _, point in self.new_points]
            self.new_points.clear()
            bring_up_to_date(self.store, list(self.study.hardware), numbers)
            self._look_at(numbers)

    def _count(self, candidate: Candidate, seed: int, state: str, run: str = "") -> None:
        status = self.status
        status.done += 1
        status.finished += state == "finished"
        status.refused += state == "refused"
        status.failed += state == "failed"
        status.stopped += state == "stopped"
        if self.study.method not in ADAPTIVE:
            return
        told = self.outcomes.setdefault(candidate.number, {})
        told[seed] = {"state": state}
        if state == "finished":
            self._write_points()
            told[seed] = self._stored(run, candidate)
        if len(told) == len(candidate.seeds):
            self.source.tell(candidate, [self.outcomes[candidate.number].pop(one) for one in candidate.seeds])

    def _stored(self, key: str, candidate: Candidate) -> Outcome:
        """The measures of a finished run, on the hardware that a candidate names."""
        text = "SELECT * FROM runs r LEFT JOIN costs c ON c.run = r.run AND c.hardware = ? WHERE r.run = ?"
        return self.store.rows(text, (candidate.hardware or next(iter(self.study.hardware)), key))[0]

    # ------------------------------------------------------------------ running

    def run(self, pool: Local | Cluster) -> None:
        """Until nothing is left, or the budget is spent."""
        self.status.preparing = True
        self._begin(pool)
        self.status.began, self.status.preparing = time.monotonic(), False
        over = False
        while True:
            over = over or bool(self.study.hours and time.monotonic() - self.status.began > 3600 * self.study.hours)
            room = pool.room
            while not over and len(self.flying) < room and self._start_one(pool):
                pass
            if not self.flying and (over or not self.elsewhere):
                break
            self._collect(pool)
        self._write_points()
        self._tell(force=True)

    def _begin(self, pool: Local | Cluster) -> None:
        """See that workers start at all, then compile in one of them: the others find the kernels in the cache."""
        for left in reversed(range(_STARTS)):
            try:
                self._wait_for(pool, pool.submit(os.getpid))
                break
            except WorkerLost:
                if not left:
                    raise NeurosimError(
                        f"workers: die as they start; {SCRIPT}, and there must be memory for them"
                    ) from None
        for config in plan.kinds(self.study):
            with suppress(WorkerLost):  # the points will say what is wrong
                self._wait_for(pool, pool.submit(prepare, config))

    def _wait_for(self, pool: Local | Cluster, future: Future[Any]) -> None:
        while not wait([future], timeout=_LOOK_S).done:
            self._tell()
        pool.result(future)

    def _start_one(self, pool: Local | Cluster) -> bool:
        if pool.together and not self.deaths.keys().isdisjoint(self.flying.values()):
            return False  # a run that may kill its worker goes alone, lest it be blamed on others
        job = self._next_job()
        if job is None:
            return bool(self.elsewhere) and self._look_elsewhere()
        candidate, seed = job
        key = self._key(candidate, seed)
        assert key is not None
        if key in self.same:
            self.same[key].append(job)
            return True
        if pool.together and key in self.deaths and self.flying:
            self.jobs.appendleft(job)
            return False
        claimed = self.store.claim(key, self.states)
        if claimed == "done":
            self.known[key] = self.store.outcome(key)[0]
            self.jobs.appendleft(job)
        elif claimed == "elsewhere":
            self.elsewhere.append((candidate, seed, key))
        else:
            config = self.study.config(candidate.levels, seed).replace(hardware=())
            self.same[key] = [job]
            data = plan.fingerprint(config.data)
            task = (config.to_dict(), self.curves.stop_below(data, config.test_samples), data)
            self.flying[pool.submit(simulate, *task)] = key
        return True

    def _look_elsewhere(self) -> bool:
        """Whether a run that another sweep had claimed is finished now, or free."""
        for _ in range(len(self.elsewhere)):
            candidate, seed, key = self.elsewhere.popleft()
            claimed = self.store.claim(key, self.states)
            if claimed != "elsewhere":
                self.jobs.append((candidate, seed))
                if claimed == "done":
                    self.known[key] = self.store.outcome(key)[0]
                return True
            self.elsewhere.append((candidate, seed, key))
        return False

    def _collect(self, pool: Local | Cluster) -> None:
        if self.flying:
            done = wait(self.flying, timeout=_LOOK_S, return_when=FIRST_COMPLETED).done
        else:
            time.sleep(_LOOK_S)
            done = set()
        for future in done:
            key = self.flying.pop(future)
            try:
                found = pool.result(future)
            except WorkerLost:
                self._lost(key)
                continue
            self._take(key, found)
        self._tell()

    def _lost(self, key: str) -> None:
        """A worker died: its points come again, unless they seem to be what kills workers."""
        self.deaths[key] = self.deaths.get(key, 0) + 1
        if self.deaths[key] >= _DEATHS:
            self._take(key, {"state": "failed", "error": f"{_DEATHS} workers died while they had it"})
        else:
            self.jobs.extend(self.same.pop(key))

    def _take(self, key: str, found: dict[str, Any]) -> None:
        """A result: priced, written, counted."""
        jobs, status = self.same.pop(key), self.status
        candidate, seed = jobs[0]
        config = self.study.config(candidate.levels, seed)
        found |= {
            "seed": seed,
            "config": json.dumps(config.replace(hardware=()).to_dict()),
            "data": plan.fingerprint(config.data),
        }
        costs = price(counts_of(found["counts"]), list(self.study.hardware)) if "counts" in found else []
        points = [self._point(*job) for job in jobs]
        self.store.add(key, found, costs, points)
        self.numbers.update(point[0] for point in points)
        status.run_here += 1
        status.last_mistake = found.get("error") or status.last_mistake
        if found["state"] in self.states:
            self.known[key] = found["state"]
        if "curve" in found:
            self.curves.learn([(key, found["data"], config.test_samples, found["curve"])])
        for cost in costs if found["state"] == "finished" else ():
            row = {name: found[name] for name in SIMULATED} | {name: cost.get(name) for name in PRICED}
            own = {"hardware": cost["hardware"], **self.study.hardware[cost["hardware"]]}
            status.look_at(row | points[0][2] | own | {"seed": seed})
        for job in jobs:
            self._count(*job, found["state"], key)

    def _tell(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self.last_beat > _BEAT_S:
            self.store.beat()
            self.last_beat = now
        self.status.flying = len(self.flying)
        self.progress(self.status)
