"""Fair timings: rivals take turns in one process on one core; medians; a goal and a rate for each."""

import os
import platform
import statistics
import time
from dataclasses import dataclass


def one_core():
    """Pin this process to one core and its libraries to one thread. Call before numpy is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def interleaved(rivals, rounds):
    """Seconds of each rival, by name: the median over `rounds` rounds in which all take turns."""
    times = {name: [] for name in rivals}
    for work in rivals.values():
        work()
    for _ in range(rounds):
        for name, work in rivals.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


@dataclass
class Row:
    """One line of the results: what was measured, what was wanted (None: for information)."""

    what: str
    measured: float
    unit: str
    goal: float | None = None
    least: bool = True
    note: str = ""

    @property
    def verdict(self):
        if self.goal is None:
            return ""
        met = self.measured >= self.goal if self.least else self.measured <= self.goal
        return "met" if met else "missed"

    def cells(self):
        sign = ">=" if self.least else "<="
        goal = f"{sign} {self.goal:g}" if self.goal is not None else ""
        number = f"{self.measured:,.0f}" if self.measured >= 1000 else f"{self.measured:.3g}"
        return self.what, f"{number} {self.unit}".strip(), goal, self.verdict, self.note


def table(rows):
    """The rows as Markdown."""
    head = ("benchmark", "measured", "goal", "verdict", "note")
    lines = [head, ("---",) * 5, *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine():
    """The processor and the versions that took part."""
    import numba
    import numpy as np

    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as info:
            model = next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}"
