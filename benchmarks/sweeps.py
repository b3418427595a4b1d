"""Sweeps: what a point costs beside its epoch, what a price costs, what appending costs when there are many, what a second worker brings."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Row


def sweeps(smoke):
    """Points of 784-100-10 for one MNIST epoch (digits where MNIST is not here, or for smoke)."""
    data = "digits" if smoke or not _has_mnist() else "mnist"
    return [*_point(data, 2 if smoke else 5), *_append(2_000 if smoke else 100_000), *_workers(data, smoke)]


def _has_mnist():
    from neurosim.data import describe

    return next(one.found for one in describe() if one.name == "mnist")


def _cpu(work, rounds):
    start = time.process_time()
    for i in range(rounds):
        work(i)
    return (time.process_time() - start) / rounds


def _point(data, rounds):
    """CPU seconds, so that other work on the machine does not count."""
    from neurosim.studies.config import Config
    from neurosim.studies.experiment import Shelf, _Run
    from neurosim.studies.sweep.pricing import price
    from neurosim.studies.sweep.simulate import counts_of, simulate

    settings = {"data": data, "epochs": 1}
    found = simulate(settings)
    single = _Run(Config(**settings, halve_every=0), None, Shelf())
    single.warm()
    alone = _cpu(lambda _: single.train_epoch(None), rounds)
    with tempfile.TemporaryDirectory() as folder:
        store = _store(folder)

        def whole(i):
            got = simulate(settings | {"seed": i})
            store.add(str(i), got | {"seed": i}, price(counts_of(got["counts"]), ["digital_45nm"]), [(i, i, {})])

        point = _cpu(whole, rounds)
        store.close()
    counts = counts_of(found["counts"])
    priced = _cpu(lambda _: price(counts, ["digital_28nm"]), 200)
    return [
        Row("points of a sweep / epochs of a single run", alone / point, "x", 0.8, note=f"{data}, CPU time, {3600 / point:,.0f} points an hour and core"),
        Row("a price on one more chip", 1e3 * priced, "ms", 1, least=False),
    ]  # fmt: skip


def _store(folder):
    from neurosim.studies.sweep.store import Store

    return Store(Path(folder) / "s.sqlite")


def _append(many):
    """Of a durable point: first into an empty file, then into a full one."""
    from neurosim.studies.sweep.pricing import price
    from neurosim.studies.sweep.simulate import counts_of, simulate

    found = simulate({"data": "digits", "epochs": 1, "train_samples": 60, "test_samples": 40})
    costs = price(counts_of(found["counts"]), ["digital_45nm"])
    with tempfile.TemporaryDirectory() as folder:
        store = _store(folder)

        def add(i):
            store.add(f"{i:016x}", found | {"seed": i}, costs, [(i, i, {"error_bits": i})])

        first = _cpu(add, 500)
        _copies(store, many)
        last = _cpu(lambda i: add(many + 1000 + i), 500)
        store.close()
    return [Row(f"appending a point after {many:,} / first", last / first, "x", 1.5, least=False, note=f"{1e3 * last:.2f} ms of CPU each")]  # fmt: skip


def _copies(store, many):
    """Many points that are all the same but for their names."""
    series = (
        f"(WITH RECURSIVE s(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM s WHERE i < {many + 999}) SELECT i FROM s)"
    )
    for table in ("runs", "counts", "costs"):
        names = [row[1] for row in store.db.execute(f"PRAGMA table_info({table})")][1:]
        store.db.execute(
            f"INSERT INTO {table} SELECT printf('%016x', i), {', '.join(names)} FROM {table}, {series} WHERE run = '{0:016x}'"
        )
    store.db.execute(f"INSERT INTO points SELECT i, printf('%016x', i), i, '{{}}' FROM {series}")


def _workers(data, smoke):
    """Whole commands in a row, on all cores; of an otherwise idle machine, or the number means little."""
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    speed = {}
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "s.toml"
        study.write_text(
            f'seeds = {2 if smoke else 40}\n[base]\ndata = "{data}"\nepochs = 1\n[factors]\nerror_bits = [1, 2, 4, 8]\n'
        )
        if mine:
            os.sched_setaffinity(0, range(os.cpu_count()))
        for workers in (1, 2):
            results = Path(folder) / f"{workers}.sqlite"
            command = [
                sys.executable,
                "-m",
                "neurosim",
                "sweep",
                study,
                "--workers",
                str(workers),
                "--results",
                results,
            ]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()[-1]
            speed[workers] = float(said.partition(" points/h")[0].rpartition(" ")[2].replace(",", ""))
        if mine:
            os.sched_setaffinity(0, mine)
    return [
        Row("points an hour with two workers", speed[2], "/h", 10_000, note=f"{data}, one epoch, wall clock"),
        Row(
            "two workers / one",
            speed[2] / speed[1],
            "x",
            1.8,
            note="160 points, the last ones included; of 40 points 1.6 to 1.7",
        ),
    ]
