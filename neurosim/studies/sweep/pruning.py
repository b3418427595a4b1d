"""Which runs are hopeless: test accuracies of a study's own runs after each epoch, and what later runs must not be below."""

from __future__ import annotations

import json
import math
from bisect import insort
from collections.abc import Iterable, Sequence

from neurosim.studies.sweep.study import Pruning

Curve = tuple[str, str, int, str]
"""A run, the fingerprint of its data set, how many samples it is tested on (0: all), its accuracies by epoch (JSON)."""


def threshold(ordered: Sequence[float], percentile: float) -> float:
    """The accuracy below which a share of others is, of accuracies in order: nearest rank, -inf where there is none."""
    if not ordered:
        return -math.inf
    return ordered[min(len(ordered) - 1, int(percentile / 100 * len(ordered)))]


class Curves:
    """Accuracies in order, by epoch; only those on the same test samples are compared."""

    def __init__(self, rule: Pruning | None) -> None:
        self.rule = rule
        self.runs: set[str] = set()
        self.seen: dict[tuple[str, int], list[list[float]]] = {}

    def learn(self, curves: Iterable[Curve]) -> None:
        """Take up runs of the study; each counts once."""
        for run, data, tested, curve in curves:
            if run in self.runs:
                continue
            self.runs.add(run)
            epochs = self.seen.setdefault((data, tested), [])
            for epoch, accuracy in enumerate(json.loads(curve)):
                if epoch == len(epochs):
                    epochs.append([])
                insort(epochs[epoch], accuracy)

    def stop_below(self, data: str, tested: int) -> tuple[float, ...]:
        """The accuracy after each epoch below which a run stops; nothing where the study does not prune."""
        rule = self.rule
        if rule is None:
            return ()
        return tuple(
            threshold(seen, rule.percentile) if epoch >= rule.epochs and len(seen) >= rule.runs else -math.inf
            for epoch, seen in enumerate(self.seen.get((data, tested), ()), 1)
        )
