"""What two runs of a network have in common: where integers differ first, and how far spikes have moved (docs/brian2.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.spiking.drift import Drift, Raster, drift_of_rasters, joined
from neurosim.spiking.spec import SpikingSpec


@dataclass(frozen=True)
class Trace:
    """What a run left. spikes: ticks and neurons by population; states by (population, state); weights, tags by projection's number."""

    spikes: Mapping[str, Raster]
    states: Mapping[tuple[str, str], NDArray[Any]]
    weights: list[NDArray[Any]]
    tags: Mapping[int, NDArray[Any]]


@dataclass(frozen=True)
class Agreement:
    """Whether this package's network and its twin in Brian2 agree on all integers, and the first difference if not.

    place: what differs, as (population, neuron), (population.state, neuron), (projection, synapse) or (tags of projection, synapse);
    tick: of a spike that one of them has alone; None for states, weights and tags, which are compared at the end. spikes: of all
    populations here; silent: populations that have none.
    """

    ticks: int
    integers: int
    place: tuple[str, int] | None = None
    tick: int | None = None
    here: int | None = None
    brian: int | None = None
    spikes: int = 0
    silent: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return self.place is None

    def __str__(self) -> str:
        if self.place is None:
            if not self.spikes:
                return (
                    f"nothing spiked in {self.ticks} ticks, so that little was compared: {self.integers} integers are equal; "
                    "give samples (inputs=…) to sources that are silent without them"
                )
            quiet = f"; {', '.join(self.silent)} never spiked" if self.silent else ""
            return f"equal: {self.integers} integers of {self.spikes} spikes, states, weights and tags over {self.ticks} ticks{quiet}"
        name, index = self.place
        if self.tick is not None:
            who = "here alone" if self.here else "in Brian2 alone"
            return f"first difference at tick {self.tick}: neuron {index} of {name} spikes {who}"
        return f"the spikes of {self.ticks} ticks are equal, but {name} [{index}] is {self.here} here and {self.brian} in Brian2"


def first_difference(spec: SpikingSpec, ticks: int, here: Trace, brian: Trace) -> Agreement:
    """Compare spikes, the first in time; then states, weights and tags."""
    found, compared = [], 0
    silent = tuple(p.name for p in spec.populations if not len(here.spikes[p.name][0]))
    spikes = sum(len(here.spikes[p.name][0]) for p in spec.populations)
    for number, p in enumerate(spec.populations):
        mine, its = (set(zip(*(x.tolist() for x in t.spikes[p.name]), strict=True)) for t in (here, brian))
        compared += 2 * len(mine)
        found += [(tick, number, neuron, (tick, neuron) in mine) for tick, neuron in mine ^ its]
    if found:
        tick, number, neuron, mine_alone = min(found)
        name = spec.populations[number].name
        return Agreement(ticks, compared, (name, neuron), tick, int(mine_alone), int(not mine_alone), spikes, silent)
    pairs = [(f"state {p}.{s}", values, brian.states[p, s]) for (p, s), values in here.states.items()]
    titles = [p.title for p in spec.projections]
    pairs += [(f"weight of {titles[k]}", w, brian.weights[k]) for k, w in enumerate(here.weights)]
    pairs += [(f"tag of {titles[k]}", c, brian.tags[k]) for k, c in here.tags.items()]
    for name, one, other in pairs:
        differ = np.flatnonzero(one != other)
        if len(differ):
            at = int(differ[0])
            return Agreement(ticks, compared, (name, at), None, int(one[at]), int(other[at]), spikes, silent)
        compared += len(one)
    return Agreement(ticks, compared, spikes=spikes, silent=silent)


def drift_of(
    spec: SpikingSpec, ticks: int, original: Trace, cases: Mapping[str, Trace], within: int, tau: float
) -> Drift:
    """`Drift` of some runs."""
    n = sum(p.n for p in spec.populations if not p.is_source)
    found = {name: joined(spec, trace.spikes) for name, trace in cases.items()}
    return drift_of_rasters(joined(spec, original.spikes), found, n, ticks, within, tau)
