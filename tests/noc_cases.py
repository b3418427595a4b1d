"""Traffic of networks, and of chance, for the cycle-accurate mesh."""

from __future__ import annotations

import msgspec
import numpy as np

from neurosim.costs import load
from neurosim.costs.flows import PORT
from neurosim.costs.mapping import Plan
from neurosim.costs.noc import Burst
from neurosim.costs.schema import Delay, Fabric, Pace
from neurosim.ops import OpCounts
from tests import naive_noc

_SAID = {"source": "a cycle", "tag": "computed", "basis": "model"}


def _unit() -> Fabric:
    fabric = load("digital_45nm").spec.fabric
    ways = {
        name: msgspec.structs.replace(getattr(fabric, name), latency=Delay(latency_ns=1.0, **_SAID))
        for name in ("east_west", "north_south", "tile")
    }
    return msgspec.structs.replace(fabric, **ways, link=Pace(time_ns_per_flit=1.0, **_SAID))


UNIT = _unit()
"""A hop, the last router and a flit on a link take 1 ns, a cycle of the slow mesh."""


def random_packets(rng: np.random.Generator, width: int, height: int, n: int, flits: int, most: int = 3) -> list[tuple]:
    """Packets that all start at once, from any core to up to `most` others."""
    places = [(x, y) for y in range(height) for x in range(width)]
    packets = []
    for _ in range(n):
        chosen = rng.choice(len(places), 1 + int(rng.integers(1, most + 1)), replace=False)
        source, *targets = (places[i] for i in chosen)
        packets.append((0, source, False, targets, flits))
    return packets


def waited(rng: np.random.Generator, rate: float, cycles: int) -> tuple[float, float, float]:
    """Single flits between any cores of a 4 x 4 mesh, so many a core and cycle: (busiest link's load, mean wait, that of M/D/1), cycles."""
    places, packets = [(x, y) for y in range(4) for x in range(4)], []
    for cycle in range(cycles):
        for source in np.flatnonzero(rng.random(len(places)) < rate).tolist():
            target = (source + 1 + int(rng.integers(len(places) - 1))) % len(places)
            packets.append((cycle, places[source], False, [places[target]], 1))
    arrived, crossed = naive_noc.simulate(4, 4, packets, multicast=False)
    late = [t - packets[p][0] - (len(naive_noc.walk(packets[p][1], at)) - 1) for p, _, at, t in arrived]
    load = {link: n / cycles for link, n in crossed.items()}
    said = [sum(load[k] / (2 * (1 - load[k])) for k in naive_noc.walk(s, t[0])) for _, s, _, t, _ in packets]
    return max(load.values()), float(np.mean(late)), float(np.mean(said))


def burst_packets(plan: Plan, counts: OpCounts, burst: Burst) -> list[tuple]:
    """The packets of a burst, all ready at once, senders of a core in turn."""
    grid, packets = plan.grid, []
    for flow in plan.flows:
        units = (counts.events if flow.action == "event" else counts.error_codes)[flow.layer]
        phase = {"event": "forward", "error_code": "error"}[flow.action]
        if (flow.layer, phase) != (burst.layer, burst.phase):
            continue
        bits = plan.layout.event_bits[flow.layer] if flow.action == "event" else plan.layout.code_bits
        for unit, group in enumerate(flow.group.tolist()):
            core, targets = int(flow.core[group]), [plan.at[t] for t in flow.targets[group]]
            source = (grid.input_x, grid.input_y) if core == PORT else plan.at[core]
            flits = -(-(grid.header_bits + bits) // grid.flit_bits)
            if targets:
                packets += [(0, source, core == PORT, targets, flits)] * int(units[unit])
    return packets


def simulated(plan: Plan, counts: OpCounts, burst: Burst, depth: int | None = None) -> tuple[int, dict]:
    """(cycles until the last flit of a burst arrives, flits by link) in the slow mesh."""
    grid = plan.grid
    packets = burst_packets(plan, counts, burst)
    arrived, crossed = naive_noc.simulate(
        grid.width, grid.height, packets, multicast=grid.cast == "multicast", depth=depth
    )
    return max(t for *_, t in arrived), crossed
