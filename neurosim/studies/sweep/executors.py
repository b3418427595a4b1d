"""Where points run: in processes of this machine, or on a Dask cluster. Both are existing engines; nothing is scheduled here.

Local workers are spawned, never forked (a child forked after a parallel kernel is killed), live for the whole sweep, have one thread
each, do not hear Ctrl-C, and end when this process does, however it ends.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from neurosim.errors import NeurosimError

ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SCRIPT = 'a script that sweeps must be a file and keep its own work under if __name__ == "__main__"'
_LOGGERS = ("distributed", "distributed.client", "tornado.application", "asyncio")  # each has a level of its own
_NOTICED_S = 0.5
"""A connection to a dead scheduler may fail this long before the client knows."""
_AHEAD = 2  # points that wait at each worker, so that none is idle while a result is written


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerLost(Exception):  # noqa: N818  # it is no error of the point's
    """A worker died while it had a point."""


class Local:
    """Processes of this machine. One that dies takes the others' points with it."""

    together = True

    def __init__(self, workers: int) -> None:
        main = sys.modules["__main__"]
        script = getattr(main, "__file__", None)
        if script is not None and getattr(main, "__spec__", None) is None and not Path(script).is_file():
            raise NeurosimError(f"workers: must import the script that sweeps, and {script!r} is no file; {SCRIPT}")
        self.workers = workers
        self.before = set(multiprocessing.active_children())
        self.pool = self._new()

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), initializer=_worker)

    @property
    def room(self) -> int:
        """How many points to have under way."""
        return _AHEAD * self.workers

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start a call. A broken pool is replaced: its other calls have failed already, and their points come again."""
        with _one_thread():
            try:
                return self.pool.submit(function, *args)
            except BrokenProcessPool:
                self.pool.shutdown(wait=False)
                self.pool = self._new()
                return self.pool.submit(function, *args)

    def result(self, future: Future[Any]) -> Any:
        """What a call gave. Raises WorkerLost."""
        try:
            return future.result()
        except BrokenProcessPool:
            raise WorkerLost from None

    def close(self, *, at_once: bool) -> None:
        """End the workers; at_once: without waiting for their points."""
        if at_once:
            for child in set(multiprocessing.active_children()) - self.before:
                child.kill()
        self.pool.shutdown(wait=True, cancel_futures=True)


class Cluster:
    """A Dask cluster whose scheduler is at an address, as its own tools and queue systems have made it."""

    together = False

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise NeurosimError("cluster: needs Dask; install the extra `cluster`") from None
        try:
            self.levels = {name: logging.getLogger(name).level for name in _LOGGERS}
            for name in _LOGGERS:  # what goes wrong is told here, in one line
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
            connect: Any = distributed.Client
            self.client: Any = connect(address, timeout=10, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise NeurosimError(
                f"cluster={address!r}: no Dask scheduler answers there ({' '.join(str(error).split())})"
            ) from None
        self.address = address
        self.executor: Executor = self.client.get_executor(pure=False, retries=0)

    @property
    def room(self) -> int:
        """How many points to have under way: workers come and go."""
        with self._asked():
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return _AHEAD * max(1, sum(int(worker["nthreads"]) for worker in workers))

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start a call."""
        with self._asked():
            return self.executor.submit(function, *args)

    def result(self, future: Future[Any]) -> Any:
        """What a call gave. Raises WorkerLost, and NeurosimError where the scheduler has gone."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        try:
            with self._asked():
                return future.result()
        except (KilledWorker, CancelledError, CommClosedError):
            raise WorkerLost from None

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """A client that has lost its scheduler fails in many ways, in its connections, tasks and futures: all mean the same."""
        from distributed import KilledWorker

        try:
            yield
        except KilledWorker:
            raise
        except (Exception, asyncio.CancelledError):
            until = time.monotonic() + _NOTICED_S
            while self.client.status == "running":
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            raise NeurosimError(
                f"cluster={self.address!r}: its scheduler has gone; finished points are kept, go on with --resume"
            ) from None

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster as it was found, if it is still there."""
        try:
            with suppress(NeurosimError), self._asked():
                self.executor.shutdown(wait=not at_once)
                self.client.close()
        finally:
            for name, level in self.levels.items():
                logging.getLogger(name).setLevel(level)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Workers that start in here inherit one thread each; the user's own environment comes back."""
    old = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _worker() -> None:
    """Runs in each local worker as it starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker waits for calls in a pipe that it holds open itself, so it would never notice that nobody is left to call."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
