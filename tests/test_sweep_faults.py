"""Processes killed at random moments: at the end every point is there once, none was repeated, all bits as in an undisturbed sweep."""

import random
import sys
import time

import pytest

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
