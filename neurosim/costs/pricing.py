"""From counts to cost: what a run of a network costs on one hardware model.

    energy = static power x time + idle energy x cycles x cores + sum(count x marginal energy)

Layers and phases follow one another; nothing is pipelined and nothing overlaps, so the whole chip leaks and is clocked
while one layer works, and that is charged to the layer and phase at work. A phase of a layer takes as long as the
busiest of its units, over the cores that hold the layer, or its busiest link. Where cores stand is a `mapping.Plan`, what
travels between them `noc.traffic`: neither depends on what anything costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from neurosim.costs.area import Floor
from neurosim.costs.cost import COMPONENTS, Band, Cost, Grade, Load, Part, Placed, Routing, Stage
from neurosim.costs.flows import Grid
from neurosim.costs.hardware import HardwareModel
from neurosim.costs.laws import LANE_UNITS, ONE, Laws, Price, Quantity, quantity
from neurosim.costs.mapping import Plan, place
from neurosim.costs.noc import Burst, Traffic
from neurosim.costs.schema import BASES, TAGS
from neurosim.costs.sheets import Key, memories, sheet
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout, OpCounts

_PHASE = {name: i for i, name in enumerate(PHASES)}
_COMPONENT = {name: i for i, name in enumerate(COMPONENTS)}


class _Chip:
    """A plan on a model: cores by layer, and the prices found so far.

    cores: that work for a layer; own: without those of a layer that stands on another's, so that their sum is the chip's.
    """

    def __init__(self, plan: Plan, model: HardwareModel) -> None:
        memories(plan)  # what it holds must be known before it is priced
        self.plan, self.laws = plan, Laws(model)
        self.place, self.own, self.cores = plan.place, plan.own, plan.cores
        spec = model.spec
        self.floor = Floor(plan.layout, self.laws, self.own, plan.copies)
        self.idle = quantity(spec.clock, "energy_pj_per_cycle").times(sum(self.own) / self.laws.period_ns)
        self.flit = self.laws.flit()
        fabric = spec.fabric
        self.pace = quantity(fabric.link, "time_ns_per_flit").times(1 / self.laws.period_ns)
        self.delay = tuple(
            quantity(way.latency, "latency_ns") for way in (fabric.east_west, fabric.north_south, fabric.tile)
        )
        self._prices: dict[Key, Price] = {}

    def flight(self, burst: Burst, rounds: float) -> tuple[float, float, float]:
        """Low, nominal and high time of the longest route of a burst on free links, so many times (ns)."""
        across, down, tile = self.delay

        def longest(end: int) -> float:
            return rounds * (max([a * across[end] + b * down[end] for a, b in burst.routes]) + tile[end])

        return (longest(0), longest(1), longest(2)) if burst.routes else (0.0, 0.0, 0.0)

    def prices(self, keys: Sequence[Key]) -> list[Price]:
        """What one operation costs, for each key."""
        for key in keys:
            if key not in self._prices:
                self._prices[key] = self.laws.price(*key)
        return [self._prices[key] for key in keys]


class _Bill:
    """Marginal energy, time and traffic of one set of counts, a sample."""

    def __init__(self, counts: OpCounts, chip: _Chip, name: str) -> None:
        found = sheet(chip.plan, counts, name)
        prices = chip.prices(found.keys)
        self.chip, self.rounds, self.traffic, self.moved = chip, found.rounds, found.traffic, found.moved
        self.energy, self.busy = found.charged(prices)
        self.sizes = found.sizes(prices)
        self.channel = dict.fromkeys(("event_payload", "event_packets", "error_code", "error_packets"), 0.0)
        paid = [p.energy for p in prices if p.energy.high > 0]
        self.tag, self.basis = max((q.tag for q in paid), default=0), max((q.basis for q in paid), default=0)
        self._send()

    def _send(self) -> None:
        """Charge what travels: flits by hop, and time at the busiest port and on the busiest link."""
        flit, header = self.chip.flit, self.chip.plan.grid.header_bits
        for s in self.traffic.streams:
            hops = s.flits * s.east_west, s.flits * s.north_south, s.flits * s.deliveries
            for q, n in zip(flit, hops, strict=True):
                if n:
                    _add(self.energy, (s.layer, s.phase, "communication"), q, n)
                    if q.high > 0:
                        self.tag, self.basis = max(self.tag, q.tag), max(self.basis, q.basis)
            payload, packets = (
                ("event_payload", "event_packets") if s.action == "event" else ("error_code", "error_packets")
            )
            self.channel[payload] += (s.packets + s.local) * s.bits
            self.channel[packets] += s.deliveries * (header + s.bits)
        for b in self.traffic.bursts:
            _add(self.busy, (b.layer, b.phase, "port"), ONE, b.arrivals)
            _add(self.busy, (b.layer, b.phase, "link"), self.chip.pace, b.hottest)

    def stages(self) -> tuple[Stage, ...]:
        """Time by layer and phase: the busiest unit or link, and the longest route where packets travel.

        That comes first: once a tick, if there are as many packets.
        """
        chip, lanes = self.chip, self.chip.laws.spec.core.lanes
        found: dict[tuple[int, str], list[Any]] = {}
        for (layer, phase, unit), (low, nominal, high) in self.busy.items():
            width = 1 if unit in ("port", "link") else chip.cores[layer] * (lanes if unit in LANE_UNITS else 1)
            share = chip.laws.period_ns / width
            pace = found.setdefault((layer, phase), ["", 0.0, 0.0, 0.0])
            if nominal * share > pace[2]:
                pace[0], pace[2] = unit, nominal * share
            pace[1] = max(pace[1], low * share)
            pace[3] = max(pace[3], high * share)
        flights = {(b.layer, b.phase): b for b in self.traffic.bursts}
        out = []
        for here, (unit, *ns) in found.items():
            on_way = (0.0, 0.0, 0.0)
            if here in flights:
                rounds = min(self.rounds, max(1.0, flights[here].packets))
                on_way = chip.flight(flights[here], rounds)
            out.append(Stage(*here, unit, *(a + b for a, b in zip(ns, on_way, strict=True))))
        return tuple(sorted(out, key=lambda s: (s[0], _PHASE[s[1]])))

    def parts(self, stages: tuple[Stage, ...], static: Quantity) -> tuple[Part, ...]:
        """Marginal energy by layer, phase and component; clocking and static power of the whole chip by stage."""
        idle = self.chip.idle
        rows = [Part(*key, *band) for key, band in self.energy.items()]
        leak = [power * 1e-3 for power in static[:3]]  # uW x ns = 1e-3 pJ
        for layer, phase, _, low, nominal, high in stages:
            rows.append(Part(layer, phase, "clock", idle[0] * low, idle[1] * nominal, idle[2] * high))
            rows.append(Part(layer, phase, "static", leak[0] * low, leak[1] * nominal, leak[2] * high))
        return tuple(sorted(rows, key=lambda r: (r[0], _PHASE[r[1]], _COMPONENT[r[2]])))


def _plan(layout: Layout, model: HardwareModel, plan: Plan | None) -> Plan:
    if plan is None:
        return place(layout, model)
    grid = Grid.of(model.spec.fabric)
    if plan.layout != layout or plan.grid != grid:
        what = "layout" if plan.layout != layout else f"mesh, {plan.grid}"
        msg = f"plan: was made for another {what}; make one for this layout and model ({model.path})"
        raise NeurosimError(msg)
    return plan


@lru_cache(maxsize=64)
def _chip(plan: Plan, model: HardwareModel) -> _Chip:
    return _Chip(plan, model)


def price(
    train: OpCounts, test: OpCounts | None, layout: Layout, model: HardwareModel, plan: Plan | None = None
) -> Cost:
    """What a run costs, a sample.

    train: counts of the run that learned. test: counts of classifying alone (phase ``forward``); None takes the
    forward phase of `train` for that. layout: what the network occupies. plan: where it stands, from `mapping.place`; None: placed
    automatically, as if every sender sent once a sample, so that runs of one network stand alike.

    Raises: NeurosimError on counts without samples, a layer that the layout lacks, test counts of learning phases, an
    error code that nobody receives, an action, width or memory that the model lacks, or a plan for another mesh;
    CapacityError if the layout does not fit.
    """
    chip = _chip(_plan(layout, model, plan), model)
    learned = _Bill(train, chip, "counts of training")
    bills = [learned] if test is None else [learned, _tested(test, chip)]
    sizes = dict(learned.sizes)
    for key, width in bills[-1].sizes.items():
        sizes[key] = max(width, sizes.get(key, 0))
    plots, area, static = chip.floor.built(sizes)
    stages = [b.stages() for b in bills]
    parts = [b.parts(s, static) for b, s in zip(bills, stages, strict=True)]
    if test is None:
        stages.append(tuple(s for s in stages[0] if s.phase == "forward"))
        parts.append(tuple(p for p in parts[0] if p.phase == "forward"))
    return Cost(
        model=model.name,
        digest=model.digest,
        grade=_grade(bills, chip, area, static),
        cores=chip.own,
        static_power_uw=Band(*static[:3]),
        energy=parts[0],
        latency=stages[0],
        inference_energy=parts[1],
        inference_latency=stages[1],
        inference_from="forward phase of the training counts" if test is None else "test counts",
        area=plots,
        bits_moved=learned.moved,
        channel_bits=learned.channel,
        routing=_routing(learned.traffic),
    )


@lru_cache(maxsize=64)
def _routing(moved: Traffic) -> Routing:
    plan = moved.plan
    cores = tuple(Placed(s.layer, s.first, s.last, s.low, s.high, *plan.at[s.core]) for s in plan.slices)
    loads = tuple(Load(*link, flits) for link, flits in moved.loads().items())
    hops = (plan.cost_packet_hops, plan.snake_packet_hops)
    return Routing(
        plan.method,
        *hops,
        (plan.grid.width, plan.grid.height),
        plan.homes.place,
        cores,
        loads,
        moved.streams,
        moved.assumed,
    )


def _tested(test: OpCounts, chip: _Chip) -> _Bill:
    other = sorted({op.phase for op in test.ops} - {"forward"})
    if other:
        msg = f"counts of testing: phase={other[0]!r}: must be 'forward', testing does not learn"
        raise NeurosimError(msg)
    return _Bill(test, chip, "counts of testing")


def _grade(bills: list[_Bill], chip: _Chip, *others: Quantity) -> Grade:
    """The weakest basis and tag among all constants that cost energy, time or area."""
    used = [chip.idle, *others, *([chip.pace, *chip.delay] if any(b.traffic.bursts for b in bills) else [])]
    paid = [q for q in used if q.high > 0]
    tag = max([b.tag for b in bills] + [q.tag for q in paid])
    basis = max([b.basis for b in bills] + [q.basis for q in paid])
    return Grade(BASES[basis], TAGS[tag])


def _add(
    table: dict[tuple[int, str, str], list[float]],
    key: tuple[int, str, str],
    band: tuple[float, ...],
    times: float,
) -> None:
    kept = table.setdefault(key, [0.0, 0.0, 0.0])
    kept[0] += band[0] * times
    kept[1] += band[1] * times
    kept[2] += band[2] * times
