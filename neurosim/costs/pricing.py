"""From counts to cost: what a run of a network costs on one hardware model.

    energy = static power x time + idle energy x cycles x cores + sum(count x marginal energy)

A phase of a layer, a stage, takes as long as the busiest of its units, over the cores that hold the layer, or its busiest
link; stages overlap where nothing forbids it (`neurosim.costs.timing`), and the whole chip leaks and is clocked until the last
has ended. Where cores stand is a `mapping.Plan`, what travels between them `noc.traffic`: neither depends on what anything
costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from neurosim.costs.area import Floor
from neurosim.costs.capacity import sound
from neurosim.costs.chips import price_chip
from neurosim.costs.cost import CHANNEL, COMPONENTS, Band, Cost, Grade, Load, Part, Placed, Routing, Stage, span, total
from neurosim.costs.flows import Grid
from neurosim.costs.hardware import AnyModel, ChipModel, HardwareModel
from neurosim.costs.laws import LANE_UNITS, ONE, Laws, Price, Quantity, quantity
from neurosim.costs.mapping import Plan, place
from neurosim.costs.noc import Burst, Traffic
from neurosim.costs.schema import BASES, TAGS
from neurosim.costs.sheets import Key, memories, sheet
from neurosim.costs.timing import Stop, Work, schedule_of, stages
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout, OpCounts

_PHASE = {name: i for i, name in enumerate(PHASES)}
_COMPONENT = {name: i for i, name in enumerate(COMPONENTS)}
UNPRICED = ("no area is known for routers, control, event queues, wiring and pads",)
"""What every price leaves out."""
SPLIT = "a layer on several cores has the lanes of all of them, so one core more can save time and idle energy: compare at equal cores"
"""Told with every price of such a layer."""
_ALL, _FORWARD = frozenset(PHASES), frozenset({"forward"})


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
        self.sheet = found = sheet(chip.plan, counts, name)
        prices = chip.prices(found.keys)
        self.chip, self.traffic, self.moved = chip, found.traffic, found.moved
        self.energy, self.busy = found.charged(prices)
        self.sizes = found.sizes(prices)
        self.channel = dict.fromkeys(CHANNEL, 0.0)
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
            payload, packets, hopped = CHANNEL[:3] if s.action == "event" else CHANNEL[3:]
            self.channel[payload] += (s.packets + s.local) * s.bits
            self.channel[packets] += s.deliveries * (header + s.bits)
            self.channel[hopped] += (s.east_west + s.north_south) * (header + s.bits)
        for b in self.traffic.bursts:
            _add(self.busy, (b.layer, b.phase, "port"), ONE, b.arrivals)
            _add(self.busy, (b.layer, b.phase, "link"), self.chip.pace, b.hottest)

    def work(self) -> dict[Stop, Work]:
        """Time by layer and phase: the busiest unit or link, the filling of the core's pipeline, and the longest route of packets.

        Pipelines fill and packets travel once a sample, with ticks once a tick, but not more often than there is work or a packet.
        """
        chip, core, sheet = self.chip, self.chip.laws.spec.core, self.sheet
        found: dict[Stop, list[Any]] = {}
        for (layer, phase, unit), (low, nominal, high) in self.busy.items():
            width = 1 if unit in ("port", "link") else chip.cores[layer] * (core.lanes if unit in LANE_UNITS else 1)
            share = chip.laws.period_ns / width
            pace = found.setdefault((layer, phase), ["", 0.0, 0.0, 0.0])
            if nominal * share > pace[2]:
                pace[0], pace[2] = unit, nominal * share
            pace[1] = max(pace[1], low * share)
            pace[3] = max(pace[3], high * share)
        flights = {(b.layer, b.phase): b for b in self.traffic.bursts}
        out: dict[Stop, Work] = {}
        for here, (unit, low, nominal, high) in found.items():
            fill = min(sheet.rounds, sheet.operations.get(here, 0.0)) * core.pipeline * chip.laws.period_ns
            a = b = c = 0.0
            if here in flights:
                a, b, c = chip.flight(flights[here], min(sheet.rounds, max(1.0, flights[here].packets)))
            out[here] = Work(unit, (low + fill + a, nominal + fill + b, high + fill + c))
        return out

    def timed(self, phases: frozenset[str]) -> tuple[Stage, ...]:
        """The stages of these phases on their critical path."""
        work = {key: w for key, w in self.work().items() if key[1] in phases}
        plan = self.chip.plan
        return stages(work, schedule_of(plan.layout, plan.place, self.sheet.crossed, ticked=self.sheet.ticked))

    def parts(self, timed: tuple[Stage, ...], phases: frozenset[str], static: Quantity) -> tuple[Part, ...]:
        """Energy by layer, phase and component.

        The whole chip is clocked and leaks for the critical path; stages share that by how long they work, nominally.
        """
        rows = [Part(*key, *band) for key, band in self.energy.items() if key[1] in phases]
        path, busy = span(timed), total(timed).nominal
        clock = [a * b for a, b in zip(self.chip.idle[:3], path, strict=True)]
        leak = [a * b * 1e-3 for a, b in zip(static[:3], path, strict=True)]  # uW x ns = 1e-3 pJ
        for s in timed:
            share = s.nominal / busy if busy else 0.0
            rows.append(Part(s.layer, s.phase, "clock", *(e * share for e in clock)))
            rows.append(Part(s.layer, s.phase, "static", *(e * share for e in leak)))
        return tuple(sorted(rows, key=lambda r: (r[0], _PHASE[r[1]], _COMPONENT[r[2]])))


def price_each(
    train: OpCounts, test: OpCounts | None, layout: Layout, models: Mapping[str, AnyModel]
) -> tuple[dict[str, Cost], dict[str, str]]:
    """What a run costs on each of several models, by their names, as of `price`; and of those that refuse it, why."""
    priced, refused = {}, {}
    for name, model in models.items():
        try:
            priced[name] = price(train, test, layout, model)
        except NeurosimError as error:
            refused[name] = str(error).removesuffix(f" ({model.path})")
    return priced, refused


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


def price(train: OpCounts, test: OpCounts | None, layout: Layout, model: AnyModel, plan: Plan | None = None) -> Cost:
    """What a run costs, a sample.

    train: counts of the run that learned. test: counts of classifying alone (phase ``forward``); None takes the
    forward phase of `train` for that. layout: what the network occupies. plan: where it stands, from `mapping.place`; None: placed
    automatically, as if every sender sent once a sample, so that runs of one network stand alike.

    Raises: NeurosimError on counts without samples, a layer that the layout lacks, test counts of learning phases, an
    error code that nobody receives, an action, width or memory that the model lacks, or a plan for another mesh;
    CapacityError if the layout does not fit.
    """
    if isinstance(model, ChipModel):
        if plan is not None:
            msg = f"plan: {model.name!r} is a published chip, whose packets travel the mean hops of its file ({model.path})"
            raise NeurosimError(msg)
        return price_chip(train, test, sound(layout), model)
    chip = _chip(_plan(layout, model, plan), model)
    learned = _Bill(train, chip, "counts of training")
    bills = [learned] if test is None else [learned, _tested(test, chip)]
    sizes = dict(learned.sizes)
    for key, width in bills[-1].sizes.items():
        sizes[key] = max(width, sizes.get(key, 0))
    plots, area, static = chip.floor.built(sizes)
    classified = learned if test is None else bills[1]
    taken = ((learned, _ALL), (classified, _FORWARD))
    timed = [bill.timed(phases) for bill, phases in taken]
    parts = [bill.parts(line, phases, static) for (bill, phases), line in zip(taken, timed, strict=True)]
    return Cost(
        model=model.name,
        digest=model.digest,
        grade=_grade(bills, chip, area, static),
        cores=chip.own,
        static_power_uw=Band(*static[:3]),
        energy=parts[0],
        latency=timed[0],
        inference_energy=parts[1],
        inference_latency=timed[1],
        inference_from="forward phase of the training counts" if test is None else "test counts",
        area=plots,
        bits_moved=learned.moved,
        channel_bits=learned.channel,
        places=chip.place,
        notes=UNPRICED if max(chip.own, default=0) < 2 else (*UNPRICED, SPLIT),
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
    kept = table.get(key)
    if kept is None:
        table[key] = [band[0] * times, band[1] * times, band[2] * times]
        return
    kept[0] += band[0] * times
    kept[1] += band[1] * times
    kept[2] += band[2] * times
