"""What a spiking network's runs have counted, apart by what they were for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.kernels.spike_registers import SPIKE_TALLY, SpikeTally

WAITING, LEARNING, TESTING = "waiting", "learning", "testing"
"""Ticks before learning begins in a presentation that learns; ticks that learn; ticks of runs and presentations that do not."""


class Run(NamedTuple):
    """Raw counters of some ticks: counts[p] of projection p by name, spikes[q] of population q: int64[n]."""

    ticks: int
    counts: tuple[dict[str, int], ...]
    spikes: tuple[NDArray[np.int64], ...]


class Tallies:
    """The kernels' counters of each kind, with the ticks and presentations that they cover.

    places: (first, n) of each population's neurons among all.
    """

    def __init__(self, projections: int, neurons: int, places: list[tuple[int, int]]) -> None:
        self.projections, self.places = projections, places
        self.of = {
            kind: SpikeTally(
                np.zeros((max(1, projections), len(SPIKE_TALLY)), np.int64), np.zeros(neurons + 1, np.int64)
            )
            for kind in (WAITING, LEARNING, TESTING)
        }
        self.ticks, self.samples = dict.fromkeys(self.of, 0), dict.fromkeys(self.of, 0)

    def spikes(self, kind: str, population: int) -> NDArray[np.int64]:
        """Spikes of a population's neurons so far: int64[n], a copy."""
        first, n = self.places[population]
        return self.of[kind].spikes[first : first + n].copy()

    def run(self, *kinds: str) -> Run:
        """The counters of these kinds together."""
        counted = sum((self.of[kind].projections for kind in kinds), np.zeros((1, 1), np.int64))
        return Run(
            sum(self.ticks[kind] for kind in kinds),
            tuple(
                {name: int(counted[p, i]) for name, i in SPIKE_TALLY.indices.items()} for p in range(self.projections)
            ),
            tuple(
                sum((self.spikes(kind, q) for kind in kinds), np.zeros(n, np.int64))
                for q, (_, n) in enumerate(self.places)
            ),
        )

    def save(self) -> dict[str, NDArray[np.int64]]:
        """All counters as arrays; `restore` takes them back."""
        found = {f"tally_{kind}_{key}": v.copy() for kind, t in self.of.items() for key, v in t._asdict().items()}
        found["tally_covers"] = np.array([*self.ticks.values(), *self.samples.values()], np.int64)
        return found

    def restore(self, arrays: Mapping[str, NDArray[np.int64]]) -> None:
        """Take back a `save`."""
        for kind in self.of:
            self.of[kind] = SpikeTally(**{key: arrays[f"tally_{kind}_{key}"].copy() for key in SpikeTally._fields})
        covers = arrays["tally_covers"].tolist()
        self.ticks = dict(zip(self.of, covers[: len(self.of)], strict=True))
        self.samples = dict(zip(self.of, covers[len(self.of) :], strict=True))
