"""Spikes that a run has recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurosim.kernels.spike_registers import POPULATION
from neurosim.spiking.spec import SpikingSpec


@dataclass(frozen=True)
class Spikes:
    """Recorded spikes: by population, ticks int64[spikes], rising, and neurons int64[spikes], rising within a tick."""

    by_name: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]

    def __getitem__(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.by_name[name]

    def values(self) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Ticks and neurons of all populations, in their order."""
        return self.by_name.values()

    @property
    def total(self) -> int:
        """Spikes of all populations."""
        return sum(len(ticks) for ticks, _ in self.by_name.values())


def unrecorded(spec: SpikingSpec) -> Spikes:
    """Of a run that recorded none."""
    empty = np.zeros(0, np.int64)
    return Spikes({p.name: (empty, empty) for p in spec.populations})


def together(parts: Sequence[Spikes], first: int = 0) -> Spikes:
    """Runs that followed one another as one. first: the tick that is counted as 0."""
    found = {}
    for name in parts[0].by_name:
        ticks, neurons = zip(*(part[name] for part in parts), strict=True)
        found[name] = np.concatenate(ticks) - first, np.concatenate(neurons)
    return Spikes(found)


def in_turn(samples: Sequence[Spikes], ticks: int) -> Spikes:
    """Recorded samples of so many ticks each, one after the other, as one run."""
    shifted = [
        Spikes({name: (at + ticks * k, who) for name, (at, who) in one.by_name.items()})
        for k, one in enumerate(samples)
    ]
    return together(shifted)


def in_order(
    spec: SpikingSpec, registers: NDArray[np.int64], parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int32]]]
) -> Spikes:
    """The raster's pieces by population. registers: of `POPULATION`; parts: ticks int64[spikes], neurons among all int32[spikes]."""
    ticks = np.concatenate([part[0] for part in parts])
    neurons = np.concatenate([part[1] for part in parts]).astype(np.int64)
    found = {}
    for number, population in enumerate(spec.populations):
        first = int(registers[number, POPULATION.first])
        mine = (neurons >= first) & (neurons < first + population.n)
        at, who = ticks[mine], neurons[mine] - first
        order = np.lexsort((who, at))
        found[population.name] = at[order], who[order]
    return Spikes(found)
