"""Processes killed at random moments: at the end every point is there once, none was repeated, all bits as in an undisturbed sweep."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from contextlib import contextmanager

import pytest

from neurosim.errors import NeurosimError
from neurosim.studies.sweep.executors import Cluster, WorkerLost
from neurosim.studies.sweep.study import Study
from neurosim.studies.sweep.sweep import sweep
from tests import sweeps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the workers to kill in /proc"),
]

FACTORS = {"error_bits": [1, 2, 3, 4, 8], "feedback_density": {"from": 0.1, "to": 1.0, "count": 10}}
POINTS = 500


def study(folder, name):
    return sweeps.write(folder / name, FACTORS, seeds=10)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = study(tmp_path_factory.mktemp("whole"), "study.toml")
    process = sweeps.start(path, "--workers", 2)
    sweeps.finish(process)
    found = sweeps.contents(path.with_suffix(".sqlite"))
    assert len(found[0]) == POINTS
    return found


def wait_until(results, n, process):
    while len(sweeps.started(results)) < n and process.poll() is None:
        time.sleep(0.02)


def test_killed_workers_and_killed_sweeps_lose_and_repeat_nothing(tmp_path, undisturbed):
    path = study(tmp_path, "study.toml")
    results, chance, seen = path.with_suffix(".sqlite"), random.Random(11), {}
    moments = sorted((n, "sweep" if i % 2 else "worker") for i, n in enumerate(chance.sample(range(1, POINTS), 6)))
    process = sweeps.start(path, "--workers", 2)
    for n, victim in moments:
        wait_until(results, n, process)
        seen |= sweeps.started(results)
        if victim == "worker":
            for pid in sweeps.workers_of(process.pid)[:1]:
                sweeps.kill(pid)
        else:
            orphans = sweeps.workers_of(process.pid)
            process.kill()
            process.communicate()
            process = sweeps.start(path, "--workers", 2, "--resume")
            deadline = time.monotonic() + 30
            while any(sweeps.alive(pid) for pid in orphans):
                assert time.monotonic() < deadline, "workers outlive their sweep"
                time.sleep(0.1)
    sweeps.finish(process)
    assert sweeps.contents(results) == undisturbed
    final = sweeps.started(results)
    assert {run: final[run] for run in seen} == seen


def test_two_sweeps_at_once_share_the_points(tmp_path, undisturbed):
    path = study(tmp_path, "study.toml")
    results = path.with_suffix(".sqlite")
    first = sweeps.start(path, "--workers", 1)
    wait_until(results, 20, first)
    second = sweeps.start(path, "--workers", 1, "--resume")
    for process in (first, second):
        sweeps.finish(process)
    assert sweeps.contents(results) == undisturbed


def test_an_interrupted_sweep_says_how_to_go_on_and_leaves_nobody(tmp_path, undisturbed):
    path = study(tmp_path, "study.toml")
    process = sweeps.start(path, "--workers", 2)
    wait_until(path.with_suffix(".sqlite"), 30, process)
    workers = sweeps.workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "neurosim: interrupted; finished points are kept, go on with --resume"
    assert not any(sweeps.alive(pid) for pid in workers)
    runs = sweeps.contents(path.with_suffix(".sqlite"))[0]
    assert 30 <= len(runs) < POINTS
    assert set(runs) <= set(undisturbed[0])


# ---------------------------------------------------------------------- on a Dask cluster


@pytest.mark.filterwarnings("ignore")  # Dask complains of its own dead workers
def test_killed_workers_of_a_cluster_lose_and_repeat_nothing(tmp_path, undisturbed):
    pytest.importorskip("distributed", reason="Dask, the extra `cluster`, is not installed")
    from distributed import Client, LocalCluster

    path, moments = study(tmp_path, "study.toml"), sorted(random.Random(5).sample(range(1, POINTS - 20), 3))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:

        def progress(status):
            if moments and status.run_here > moments[0]:
                moments.pop(0)
                sweeps.kill(next(iter(client.run(os.getpid).values())))

        status = sweep(Study.load(path), cluster=cluster.scheduler_address, progress=progress)
    assert moments == []
    assert status.done == POINTS
    assert sweeps.contents(path.with_suffix(".sqlite")) == undisturbed


@contextmanager
def dask(port):
    """A scheduler and a worker, as processes that can be killed."""
    here = f"tcp://127.0.0.1:{port}"
    commands = (
        ["dask_scheduler", "--port", str(port), "--host", "127.0.0.1", "--no-dashboard"],
        ["dask_worker", here, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "30"],
    )
    started = []
    try:
        for module, *arguments in commands:
            command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
        yield started[0], here
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_killed_scheduler_loses_and_repeats_nothing(tmp_path, undisturbed):
    pytest.importorskip("distributed", reason="Dask, the extra `cluster`, is not installed")
    path = study(tmp_path, "study.toml")
    results = path.with_suffix(".sqlite")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with dask(port) as (scheduler, here):
        process = sweeps.start(path, "--cluster", here)
        wait_until(results, 60, process)
        scheduler.kill()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 2, said
    assert said.count("\n") == 1
    assert said.endswith("its scheduler has gone; finished points are kept, go on with --resume\n")
    seen = sweeps.started(results)
    assert len(seen) >= 60
    with dask(port) as (_, here):
        sweeps.finish(sweeps.start(path, "--cluster", here, "--resume"))
    assert sweeps.contents(results) == undisturbed
    final = sweeps.started(results)
    assert {run: final[run] for run in seen} == seen


class _LostClient:
    """A Dask client whose scheduler has died, at the moment when its next call fails."""

    def __init__(self, status, error):
        self.status, self.error = status, error

    def close(self, *_, **__):
        raise self.error

    scheduler_info = submit = result = shutdown = close


_LOSSES = (OSError("timed out"), asyncio.CancelledError(), RuntimeError("loop is closed"), CancelledError())


@pytest.mark.parametrize("error", _LOSSES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", ["room", "submit", "result"])
def test_whatever_a_client_without_a_scheduler_raises_is_told_in_one_way(call, error):
    pytest.importorskip("distributed", reason="Dask, the extra `cluster`, is not installed")
    calls = {
        "room": lambda cluster: cluster.room,
        "submit": lambda cluster: cluster.submit(os.getpid),
        "result": lambda cluster: cluster.result(cluster.client),
    }
    for status in ("connecting", "closed", "running"):
        cluster = Cluster.__new__(Cluster)
        cluster.client = cluster.executor = _LostClient(status, error)
        cluster.address, cluster.levels = "tcp://127.0.0.1:1", {}
        if status != "running":
            with pytest.raises(NeurosimError, match="its scheduler has gone"):
                calls[call](cluster)
        elif call == "result" and isinstance(error, CancelledError):
            with pytest.raises(WorkerLost):  # the client has found a scheduler again
                calls[call](cluster)
        else:
            with pytest.raises(type(error)):
                calls[call](cluster)
        if status != "running":
            cluster.close(at_once=True)
        else:
            with pytest.raises(type(error)):
                cluster.close(at_once=True)
