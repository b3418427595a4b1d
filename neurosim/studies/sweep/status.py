"""How a sweep stands: counts, speed, time left, and the best runs so far."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurosim.studies.sweep.measures import PRICED
from neurosim.studies.sweep.study import Study


@dataclass
class Status:
    """How a sweep stands, in runs; front: the best so far, none worse than another in all.

    done, and of it finished, refused, stopped and failed: with what was there before; run_here: what was not. unpriced: rows of a run
    and a model that cannot price it, known at the end. lacking: measures that the study judges by, each with a model on which it is not
    known, or only as a lower bound.
    """

    study: Study
    total: int | None
    done: int = 0
    finished: int = 0
    run_here: int = 0
    refused: int = 0
    failed: int = 0
    stopped: int = 0
    unpriced: int = 0
    flying: int = 0
    preparing: bool = False
    began: float = field(default_factory=time.monotonic)
    last_mistake: str = ""
    front: list[dict[str, Any]] = field(default_factory=list)
    lacking: set[tuple[str, str]] = field(default_factory=set)

    @property
    def per_hour(self) -> float:
        """Points that were run here an hour."""
        return 3600 * self.run_here / max(time.monotonic() - self.began, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far."""
        if self.total is None or not self.run_here:
            return None
        return (self.total - self.done) * 3600 / self.per_hour

    def look_at(self, row: dict[str, Any]) -> None:
        """Take a result into the front, if it belongs there and keeps all constraints."""
        wanted = self.study.objectives
        lacks = [name for name in (*wanted, *self.study.constraints) if row.get(name) is None]
        if any(row.get(name) is not None for name in PRICED):
            self.lacking.update((name, row["hardware"]) for name in lacks)
        if lacks or not self.study.allows(row):
            return
        if any(_no_worse(other, row, wanted) for other in self.front):
            return
        self.front = [other for other in self.front if not _no_worse(row, other, wanted)] + [row]


def _no_worse(a: Mapping[str, Any], b: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(a[name] >= b[name] if way == "max" else a[name] <= b[name] for name, way in wanted.items())
