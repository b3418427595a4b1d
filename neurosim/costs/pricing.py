"""From counts to cost: what a run of a network costs on one hardware model.

    energy = static power x time + idle energy x cycles x cores + sum(count x marginal energy)

A phase of a layer, a stage, takes as long as the busiest of its units, over the cores that hold the layer; stages overlap
where nothing forbids it (`neurosim.costs.timing`), and the whole chip leaks and is clocked until the last has ended. Placement
is not made here: `cores` follow from neurons and synapse bits alone, and every packet travels the model's mean number of hops.
"""

from __future__ import annotations

import math
from functools import lru_cache

from neurosim.costs.area import Floor
from neurosim.costs.cost import COMPONENTS, Band, Cost, Grade, Part, Stage, span, total
from neurosim.costs.hardware import HardwareModel
from neurosim.costs.laws import COMPONENT_OF, LANE_UNITS, Laws, Price, Quantity, quantity
from neurosim.costs.schema import BASES, TAGS
from neurosim.costs.timing import Key, Work, plan_of, stages
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout, Op, OpCounts

_Key = tuple[str, int, int, str, int]
_SPLIT = frozenset({"weight", "target", "feedback", "gradient", "tag", "state"})
"""Held by neuron; every core needs whole tables, activations and waiting spikes."""
_PHASE = {name: i for i, name in enumerate(PHASES)}
_COMPONENT = {name: i for i, name in enumerate(COMPONENTS)}
CHANNEL = ("event_payload", "event_packets", "event_bit_hops", "error_code", "error_packets", "error_bit_hops")
UNPRICED = (
    "no area is known for routers, control, event queues, wiring and pads",
    "packets travel a mean number of hops; links have no load",
)
"""What every price leaves out."""
_ALL, _FORWARD = frozenset(PHASES), frozenset({"forward"})


def _sound(layout: Layout) -> Layout:
    """Give the layout back if its layers and memories exist."""
    layers = range(len(layout.neurons))
    for h in layout.held:
        if h.layer not in layers or h.memory not in COMPONENT_OF or h.words < 0 or h.bits < 0:
            msg = f"layout.held={h}: layer must be 0..{len(layers) - 1}, memory one of {', '.join(COMPONENT_OF)}"
            raise NeurosimError(msg)
    for sender, receivers in enumerate(layout.receivers):
        if any(r not in layers for r in receivers):
            msg = f"layout.receivers[{sender}]={receivers}: must be layers 0..{len(layers) - 1}"
            raise NeurosimError(msg)
    places = layout.places
    if places and (len(places) != len(layers) or any(p not in layers or places[p] != p for p in places)):
        msg = f"layout.places={places}: must be one of {len(layers)} layers for each, and that one its own"
        raise NeurosimError(msg)
    return layout


class _Chip:
    """A layout on a model: cores by layer, what each of them holds, and the prices found so far.

    cores: that work for a layer; own: without those of a layer that stands on another's, so that their sum is the chip's.
    """

    def __init__(self, layout: Layout, model: HardwareModel) -> None:
        self.layout, self.laws, core = layout, Laws(model), model.spec.core
        self.layers = len(layout.neurons)
        _sound(layout)
        self.place = layout.places or tuple(range(self.layers))
        neurons, synapses = [0] * self.layers, [0] * self.layers
        for layer, n in enumerate(layout.neurons):
            neurons[self.place[layer]] += n
        for h in layout.held:
            if h.memory in ("weight", "target"):
                synapses[self.place[h.layer]] += h.words * h.bits
        # A layer without neurons that nothing stands on is no part of the chip: a source that only sends.
        used = {self.place[h.layer] for h in layout.held} | {p for p, n in enumerate(neurons) if n}
        self.own = tuple(
            max(1, math.ceil(neurons[layer] / core.neurons), math.ceil(synapses[layer] / core.synapse_bits))
            if self.place[layer] == layer and (layer in used or not layout.places)
            else 0
            for layer in range(self.layers)
        )
        self.cores = tuple(self.own[p] for p in self.place)
        self.held: dict[tuple[int, str], int] = {}
        self.accumulator = [0] * self.layers
        for h in layout.held:
            here = (self.place[h.layer], h.memory)
            self.held[here] = self.held.get(here, 0) + h.words * h.bits
            if h.memory == "accumulator":
                self.accumulator[h.layer] = max(self.accumulator[h.layer], h.bits)
        spec = model.spec
        self.floor = Floor(layout, self.laws, self.own)
        self.idle = quantity(spec.clock, "energy_pj_per_cycle").times(sum(self.own) / self.laws.period_ns)
        self.hop = quantity(spec.network.router, "latency_ns").times(spec.network.hops)
        self._laws: dict[_Key, Price | None] = {}
        self._prices: dict[Op, Price | None] = {}

    def price(self, op: Op) -> Price | None:
        """What one such operation costs at its layer."""
        if op not in self._prices:  # training and testing ask for the same
            key = (op.action, op.bits, op.by, op.memory, self._context(op))
            if key not in self._laws:
                self._laws[key] = self.laws.price(*key)
            self._prices[op] = self._laws[key]
        return self._prices[op]

    def _context(self, op: Op) -> int:
        """What else its price hangs on: the accumulator's width (mac), or the bits of its memory that a core holds."""
        if op.action == "mac":
            return self.accumulator[op.layer]
        memory = "table" if op.action == "lut" else "weight" if op.memory == "weight_column" else op.memory
        held = self.held.get((self.place[op.layer], memory), 0)
        return math.ceil(held / self.cores[op.layer]) if held and memory in _SPLIT else held

    def deliveries(self, op: Op) -> int:
        """How many cores a packet goes to.

        Raises: NeurosimError if nobody receives an error code.
        """
        if op.action == "event":
            return self.cores[op.layer]
        receivers = self.layout.receivers[op.layer] if op.layer < len(self.layout.receivers) else ()
        if not receivers:
            msg = (
                f"layout.receivers[{op.layer}]={receivers}: layer {op.layer} sends error codes, so some layer gets one"
            )
            raise NeurosimError(msg)
        return sum(self.cores[r] for r in receivers)


class _Bill:
    """Marginal energy, time and traffic of one set of counts, a sample."""

    def __init__(self, counts: OpCounts, chip: _Chip, name: str) -> None:
        if counts.samples < 1:
            msg = f"{name}.samples={counts.samples}: must be at least 1, costs are given a sample"
            raise NeurosimError(msg)
        self.chip = chip
        self.ticked = counts.ticks > 0
        self.rounds = max(1.0, counts.ticks / counts.samples)
        self.energy: dict[tuple[int, str, str], list[float]] = {}
        self.busy: dict[tuple[int, str, str], list[float]] = {}
        self.packets: dict[tuple[int, str], float] = {}
        self.operations: dict[tuple[int, str], float] = {}
        self.crossed: set[tuple[int, str]] = set()
        self.sizes: dict[tuple[int, str], int] = {}
        self.moved: dict[str, dict[str, float]] = {}
        self.channel = dict.fromkeys(CHANNEL, 0.0)
        self.tag = self.basis = 0
        self._check(counts, name)
        for op, count in counts.ops.items():
            price = chip.price(op)
            if price is not None:
                self._charge(op, count / counts.samples, price)

    def _check(self, counts: OpCounts, name: str) -> None:
        for layer in {op.layer for op in counts.ops}:
            if layer >= self.chip.layers:
                msg = f"{name}: layer={layer}: the layout has layers 0..{self.chip.layers - 1}"
                raise NeurosimError(msg)
            if not self.chip.cores[layer]:
                msg = f"{name}: layer={layer}: works, and the layout gives it neither neurons nor memory"
                raise NeurosimError(msg)

    def _charge(self, op: Op, count: float, price: Price) -> None:
        layer, phase, _, bits, _, memory = op
        energy, here = price.energy, (layer, phase)
        times = count
        self.operations[here] = self.operations.get(here, 0.0) + count
        if memory:
            moved = self.moved.setdefault(phase, {})
            moved[memory] = moved.get(memory, 0.0) + count * bits
            if phase == "feedback" and memory in ("weight", "weight_column"):
                self.crossed.add((layer, memory))
        elif price.unit == "port":
            times = self._send(op, count)
            self.packets[here] = self.packets.get(here, 0.0) + count
        _add(self.energy, (layer, phase, price.component), energy, times)
        _add(self.busy, (layer, phase, price.unit), price.cycles, count)
        for unit, width in price.sizes:
            place = self.chip.place[layer], unit
            if width > self.sizes.get(place, 0):
                self.sizes[place] = width
        if energy.high > 0:
            self.tag, self.basis = max(self.tag, energy.tag), max(self.basis, energy.basis)

    def _send(self, op: Op, count: float) -> float:
        sent = count * self.chip.deliveries(op)
        packet = self.chip.laws.spec.network.header_bits + op.bits
        is_event = op.action == "event"
        self.channel["event_payload" if is_event else "error_code"] += count * op.bits
        self.channel["event_packets" if is_event else "error_packets"] += sent * packet
        hops = self.chip.laws.spec.network.hops
        self.channel["event_bit_hops" if is_event else "error_bit_hops"] += sent * packet * hops
        return sent

    def work(self) -> dict[Key, Work]:
        """Time by layer and phase: the busiest unit, the filling of the core's pipeline, and the hops where packets travel first.

        Pipelines fill and packets hop once a sample, with ticks once a tick, but not more often than there is work or a packet.
        """
        chip, core = self.chip, self.chip.laws.spec.core
        found: dict[Key, tuple[str, float, float, float]] = {}
        for (layer, phase, unit), (a, b, c) in self.busy.items():
            width = 1 if unit == "port" else chip.cores[layer] * (core.lanes if unit in LANE_UNITS else 1)
            cycle = chip.laws.period_ns / width
            name, low, nominal, high = found.get((layer, phase), ("", 0.0, 0.0, 0.0))
            pace = unit if b * cycle > nominal else name
            found[layer, phase] = pace, max(low, a * cycle), max(nominal, b * cycle), max(high, c * cycle)
        out: dict[Key, Work] = {}
        for here, (unit, low, nominal, high) in found.items():
            fill = min(self.rounds, self.operations[here]) * core.pipeline * chip.laws.period_ns
            rounds = min(self.rounds, max(1.0, self.packets[here])) if here in self.packets else 0.0
            a, b, c = chip.hop.times(rounds)[:3]
            out[here] = Work(unit, (low + fill + a, nominal + fill + b, high + fill + c))
        return out

    def timed(self, phases: frozenset[str]) -> tuple[Stage, ...]:
        """The stages of these phases on their critical path."""
        work = {key: w for key, w in self.work().items() if key[1] in phases}
        plan = plan_of(self.chip.layout, self.chip.place, frozenset(self.crossed), ticked=self.ticked)
        return stages(work, plan)

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
        return tuple(sorted(rows, key=lambda r: (r.layer, _PHASE[r.phase], _COMPONENT[r.component])))


@lru_cache(maxsize=64)
def _chip(layout: Layout, model: HardwareModel) -> _Chip:
    return _Chip(layout, model)


def price(train: OpCounts, test: OpCounts | None, layout: Layout, model: HardwareModel) -> Cost:
    """What a run costs, a sample.

    train: counts of the run that learned. test: counts of classifying alone (phase ``forward``); None takes the
    forward phase of `train` for that. layout: what the network occupies.

    Raises: NeurosimError on counts without samples, a layer that the layout lacks, test counts of learning phases, an
    error code that nobody receives, or an action, width or memory that the model lacks.
    """
    chip = _chip(layout, model)
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
        notes=UNPRICED,
    )


def _tested(test: OpCounts, chip: _Chip) -> _Bill:
    other = sorted({op.phase for op in test.ops} - {"forward"})
    if other:
        msg = f"counts of testing: phase={other[0]!r}: must be 'forward', testing does not learn"
        raise NeurosimError(msg)
    return _Bill(test, chip, "counts of testing")


def _grade(bills: list[_Bill], chip: _Chip, *others: Quantity) -> Grade:
    """The weakest basis and tag among all constants that cost energy, time or area."""
    used = [chip.idle, *others, *([chip.hop] if any(b.packets for b in bills) else [])]
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
