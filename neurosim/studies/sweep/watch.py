"""How a sweep goes, to be looked at: a live table on a terminal, a line every half minute elsewhere, a summary at the end."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from neurosim.studies.sweep.measures import MEASURES
from neurosim.studies.sweep.status import Status

_SHOWN = 10
_LINE_EVERY_S = 30.0
_DRAW_EVERY_S = 0.5


class Watch:
    """Shows a status as often as it is worth it."""

    def __init__(self) -> None:
        self.on_terminal, self.last = sys.stderr.isatty(), -math.inf
        self.live = Live(console=Console(stderr=True), auto_refresh=False, transient=True) if self.on_terminal else None
        if self.live:
            self.live.start()

    def show(self, status: Status) -> None:
        """Called after every look at the workers."""
        now = time.monotonic()
        if now - self.last < (_DRAW_EVERY_S if self.live else _LINE_EVERY_S):
            return
        self.last = now
        if self.live:
            self.live.update(table(status), refresh=True)
        else:
            print(line(status), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal clean."""
        if self.live:
            self.live.stop()


def line(status: Status) -> str:
    """A status in a line."""
    of = f"/{status.total:,}" if status.total is not None else ""
    if status.preparing:
        return f"{status.done:,}{of} points done, kernels are loaded or compiled"
    odd = [
        f"{n:,} {what}"
        for n, what in (
            (status.stopped, "stopped early"),
            (status.refused, "refused"),
            (status.failed, "failed"),
            (status.unpriced, "without a price"),
        )
        if n
    ]
    speed = [f"{status.per_hour:,.0f} points/h"] if status.run_here else []
    left = [f"{_time(status.seconds_left)} left"] if status.seconds_left else []
    return ", ".join([f"{status.done:,}{of} points done", *odd, f"{status.flying} under way", *speed, *left])


def table(status: Status) -> Table:
    """The best runs so far under the line of the status."""
    study = status.study
    shown = Table(
        title=line(status), title_justify="left", title_style="", box=None, pad_edge=False, header_style="bold"
    )
    factors = [*(one.name for one in study.factors), *study.priced_factors]
    judged = list(dict.fromkeys([*study.objectives, *study.constraints]))
    for name in (*judged, *factors, "seed"):
        shown.add_column(name, overflow="fold")
    first, way = next(iter(study.objectives.items()))
    for row in sorted(status.front, key=lambda row: row[first], reverse=way == "max")[:_SHOWN]:
        values = [number(name, row[name]) for name in judged]
        shown.add_row(*values, *(_text(row[name]) for name in factors), str(row["seed"]))
    return shown


def summary(status: Status, path: Path) -> None:
    """What a sweep came to, on standard output."""
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    if status.front:
        console.print(
            f"The best {min(_SHOWN, len(status.front))} of {len(status.front)} runs than which none is better in all objectives:"
        )
        shown = table(status)
        shown.title = None
        console.print(shown)
    elif status.study.constraints:
        console.print("No run keeps all constraints.")
    if status.lacking:
        told = ", ".join(f"{name} on {model}" for name, model in sorted(status.lacking))
        console.print(f"Not known, or only as a lower bound, and so not compared: {told}", markup=False)
    if status.last_mistake:
        console.print(f"The last that was refused, failed or has no price: {status.last_mistake}", markup=False)
    print(f"{line(status)}; results in {path}", file=sys.stderr)


def number(name: str, value: float) -> str:
    """A measure as it is read: shares in per cent, others in four figures with their unit."""
    unit = MEASURES[name].unit
    return f"{100 * value:.2f} %" if unit == "share" else f"{value:,.4g} {unit}"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _time(seconds: float | None) -> str:
    minutes = math.ceil((seconds or 0) / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
