"""Energy over time: a run of a spiking network in slices, each priced by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurosim.costs import AnyModel, Cost, price
from neurosim.costs.cost import COMPONENTS
from neurosim.errors import NeurosimError
from neurosim.formats import check_whole
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import LAST_TICK
from neurosim.spiking.recorded import Spikes, together


@dataclass(frozen=True)
class Slices:
    """A run in slices of time.

    ticks: int64[slices + 1], the network's ticks at which slices begin, and the last one's end. spikes: of the whole run.
    synaptic_events: int64[slices]. costs: of each slice by model. layer_names: of their layers, `projections` of them first.
    """

    ticks: NDArray[np.int64]
    spikes: Spikes
    synaptic_events: NDArray[np.int64]
    costs: Mapping[str, tuple[Cost, ...]]
    layer_names: tuple[str, ...]
    projections: int

    def energy_pj(self, model: str) -> NDArray[np.float64]:
        """Energy of each slice, low, nominal and high: float64[slices, 3]."""
        return np.array([cost.band["energy_pj_per_sample"] for cost in self.costs[model]], np.float64).reshape(-1, 3)

    def latency_ns(self, model: str) -> NDArray[np.float64]:
        """How long the chip computes for each slice: float64[slices, 3]. Raises: NeurosimError where it is not known of the model."""
        return np.array([cost.known("latency_ns_per_sample") for cost in self.costs[model]], np.float64).reshape(-1, 3)

    def by_component(self, model: str) -> dict[str, NDArray[np.float64]]:
        """Nominal energy of each slice by component, those that cost anything: float64[slices] (pJ)."""
        groups = [cost.energy_by_component for cost in self.costs[model]]
        return {
            name: np.array([g[name].nominal if name in g else 0.0 for g in groups])
            for name in COMPONENTS
            if any(name in g for g in groups)
        }

    def by_projection(self, model: str) -> dict[str, NDArray[np.float64]]:
        """Nominal energy of each slice by projection, without clocking and leakage: float64[slices] (pJ)."""
        found = np.array([by_projection(cost, self.projections) for cost in self.costs[model]])
        return {name: found[:, k] for k, name in enumerate(self.layer_names[: self.projections])}


def by_projection(cost: Cost, projections: int) -> NDArray[np.float64]:
    """Nominal energy of each projection, the first layers of so many, without clocking and leakage: float64[projections] (pJ)."""
    found = np.zeros(projections)
    for part in cost.energy:
        if part.layer < projections and part.component not in ("clock", "static"):
            found[part.layer] += part.nominal
    return found


def run_in_slices(
    net: SpikingNetwork, ticks: int, every: int, models: Mapping[str, AnyModel], *, learn: bool = True
) -> Slices:
    """Run a network so many ticks and price every so many of them; the last slice may be shorter.

    Marginal energies of slices sum to those of the whole run. Times need not, nor clocking and leakage with them: each slice
    has busiest units and ticks with packets of its own.

    Raises: NeurosimError for ticks or every below 1, or what pricing refuses.
    """
    check_whole("ticks", ticks, 1, LAST_TICK)
    check_whole("every", every, 1, LAST_TICK)
    if not models:
        raise NeurosimError("models: give at least one hardware model by name")
    edges, parts, events = [net.tick], [], []
    costs: dict[str, list[Cost]] = {name: [] for name in models}
    counted = net.counts if learn else net.test_counts
    before, layout, end = counted(), net.layout(), net.tick + ticks
    while net.tick < end:
        parts.append(net.run(min(every, end - net.tick), learn=learn))
        edges.append(net.tick)
        after = counted()
        counts = after.since(before, samples=1)
        events.append(counts.total("synaptic_event"))
        for name, model in models.items():
            costs[name].append(price(counts, None, layout, model))
        before = after
    return Slices(
        np.array(edges, np.int64),
        together(parts),
        np.array(events, np.int64),
        {name: tuple(found) for name, found in costs.items()},
        net.layer_names,
        len(net.spec.projections),
    )
