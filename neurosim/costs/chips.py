"""Published chips: static power, idle clocking and marginal energies, each as it was published (docs/hardware_models.md).

    energy = static power x time + idle energy x cycles + sum(amount x marginal energy)

Amounts follow from counts by `neurosim.costs.activities`. A layer's cores work side by side; layers, phases and terms
follow one another. What happened and stands in no number of the file is named in `Cost.unpriced`, never taken for 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from neurosim.costs.activities import ACTIVITIES, PER, Place, activity, amounts
from neurosim.costs.capacity import Capacity, CapacityError, fewest, needs
from neurosim.costs.chip_schema import ChipFile
from neurosim.costs.cost import CHANNEL, COMPONENTS, Band, Cost, Grade, Part, Plot, Stage
from neurosim.costs.given import classified, countable
from neurosim.costs.hardware import ChipModel
from neurosim.costs.laws import NOTHING, Quantity, quantity
from neurosim.costs.schema import BASES, TAGS
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout, OpCounts

_PHASE = {name: i for i, name in enumerate(PHASES)}
_COMPONENT = {name: i for i, name in enumerate(COMPONENTS)}
_LEARNING = frozenset({"synaptic_update", "weight_change", "learning_synaptic_operation", "learning_sample"})
_WHOLE = frozenset({"tick", "sample", "learning_sample"})
"""Times of these are of the whole chip: no number of cores shortens them."""


class _Bill:
    """Energy, time and what is missing of one set of counts, a sample. used: every constant that cost something."""

    def __init__(
        self, counts: OpCounts, layout: Layout, spec: ChipFile, cores: tuple[int, ...], hops: tuple[float, float]
    ) -> None:
        self.counts, self.spec, self.cores = counts, spec, cores
        found = amounts(counts, layout, cores, hops)
        self.amounts = {
            name: {place: n / counts.samples for place, n in rows.items()} for name, rows in found.items() if rows
        }
        self.used: list[Quantity] = []
        self.stages = self._stages()
        self.parts = self._parts()
        self.unpriced = self._unpriced()

    def _stages(self) -> tuple[Stage, ...]:
        spec, counts = self.spec, self.counts
        if spec.operating.tick_us and counts.ticks:
            ns = spec.operating.tick_us * 1e3 * counts.ticks / counts.samples
            return (Stage(0, "forward", "tick", ns, ns, ns, Band(0.0, 0.0, 0.0)),)
        times = [(row.per, quantity(row, "latency_ns")) for row in spec.latency]
        period = 1e3 / spec.operating.clock_mhz if spec.cycles else 0.0
        times += [(row.per, quantity(row, "latency_cycles").times(period)) for row in spec.cycles]
        rows: dict[Place, list[tuple[float, float, float, str]]] = {}
        for per, each in times:
            for (layer, phase), n in self.amounts.get(per, {}).items():
                share = n if per in _WHOLE else n / max(1, self.cores[layer])
                low, nominal, high = (end * share for end in each[:3])
                if high:
                    rows.setdefault((layer, phase), []).append((low, nominal, high, per))
                    self.used.append(each)
        out, start = [], Band(0.0, 0.0, 0.0)
        for (layer, phase), these in sorted(rows.items(), key=lambda r: (_PHASE[r[0][1]], r[0][0])):
            slowest = max(these, key=lambda t: t[1])[3]
            lows, nominals, highs, _ = zip(*these, strict=True)
            out.append(Stage(layer, phase, slowest, math.fsum(lows), math.fsum(nominals), math.fsum(highs), start))
            start = out[-1].end
        return tuple(sorted(out, key=lambda s: (s.layer, _PHASE[s.phase])))

    def _parts(self) -> tuple[Part, ...]:
        rows: dict[tuple[int, str, str], list[tuple[float, ...]]] = {}

        def pay(place: Place, component: str, each: Quantity, n: float) -> None:
            if each.high * n > 0:
                rows.setdefault((*place, component), []).append(tuple(end * n for end in each[:3]))
                self.used.append(each)

        for term in self.spec.energy:
            for place, n in self.amounts.get(term.per, {}).items():
                pay(place, PER[term.per].component, quantity(term, "energy_pj"), n)
        always = (("clock", _clocking(self.spec)), ("static", _static(self.spec)))
        for s in self.stages:
            for component, power in always:
                ends = [p * t * 1e-3 for p, t in zip(power[:3], s[3:6], strict=True)]  # uW x ns = 1e-3 pJ
                pay((s.layer, s.phase), component, power._replace(low=ends[0], nominal=ends[1], high=ends[2]), 1.0)
        order = sorted(rows.items(), key=lambda r: (r[0][0], _PHASE[r[0][1]], _COMPONENT[r[0][2]]))
        return tuple(Part(*key, *(math.fsum(b[i] for b in bands) for i in range(3))) for key, bands in order)

    def _unpriced(self) -> tuple[str, ...]:
        """Activities that happened and that no number contains; then static power and time, if they are not known."""
        happened = {activity(op, ticking=self.counts.ticks > 0) for op in self.counts.ops}
        paid = {
            a
            for term in self.spec.energy
            if term.per in self.amounts
            for a in (*PER[term.per].activities, *term.covers)
        }
        if self._unmet():
            paid.discard("synapses")
        missing = [a for a in ACTIVITIES if a in happened - paid]
        if "static" not in paid and (self.spec.static is None or not self.stages):
            missing.append("static")
        if not self.stages and "time" not in paid:
            missing.append("time")
        return tuple(missing)

    def _unmet(self) -> bool:
        """Whether a layer reads its weights to sum them, and has no synaptic operation, which alone would pay for that."""
        payers = {
            term.per
            for term in self.spec.energy
            if term.per in self.amounts and "synapses" in (*PER[term.per].activities, *term.covers)
        }
        ticking = self.counts.ticks > 0
        reads = {
            op.layer for op in self.counts.ops if op.memory == "weight" and activity(op, ticking=ticking) == "synapses"
        }
        met = {layer for layer, _ in self.amounts.get("synaptic_operation", {})}
        return payers == {"synaptic_operation"} and bool(reads - met)


def price_chip(
    train: OpCounts,
    test: OpCounts | None,
    layout: Layout,
    model: ChipModel,
    hops: tuple[float, float] | None = None,
) -> Cost:
    """What a run costs on a published chip, a sample; see `neurosim.costs.price`.

    hops: mean hops of a packet east or west, and north or south; None: those of the file.

    Raises: NeurosimError on counts without samples or operations, a layer that the layout lacks, a network that the chip's numbers are
    not of; CapacityError on one that needs more cores than the chip has.
    """
    spec = model.spec
    countable(train, "counts of training")
    if test is not None:
        countable(test, "counts of testing")
    _applies(layout, model)
    own, cores = _cores(layout, model)
    travelled = hops or (spec.operating.hops_east_west, spec.operating.hops_north_south)
    if test is None:
        forward = {op: n for op, n in train.ops.items() if op.phase == "forward"}
        runs = [train, OpCounts(train.samples, 0, forward, ticks=train.ticks)]
    else:
        runs = [train, test]
        other = sorted({op.phase for op in test.ops if not test.ticks} - {"forward"})
        if other:
            msg = f"counts of testing: phase={other[0]!r}: must be 'forward', testing does not learn"
            raise NeurosimError(msg)
    for name, counts in zip(("training", "testing"), runs, strict=True):
        _sound_counts(counts, layout, f"counts of {name}")
    learned, tested = (_Bill(counts, layout, spec, cores, travelled) for counts in runs)
    plots = tuple(Plot(0, a.component, a.area_um2, a.area_um2, a.area_um2) for a in spec.area)
    used = [*learned.used, *tested.used, *(quantity(a, "area_um2") for a in spec.area)]
    return Cost(
        model=model.name,
        digest=model.digest,
        grade=Grade(BASES[max((q.basis for q in used), default=0)], TAGS[max((q.tag for q in used), default=0)]),
        cores=own,
        static_power_uw=Band(*_static(spec)[:3]),
        energy=learned.parts,
        latency=learned.stages,
        inference_energy=tested.parts,
        inference_latency=tested.stages,
        inference_from="forward phase of the training counts" if test is None else "test counts",
        area=plots,
        bits_moved={},
        channel_bits=_channel(train, layout, cores, travelled),
        unpriced=(*learned.unpriced, *(() if spec.area else ("area",))),
        notes=(*classified(train, test), *_notes(model, learned, layout, given=hops is not None)),
        places=(own.index(max(own)),) * len(own) if sum(map(bool, own)) == 1 else layout.places,
    )


def _notes(model: ChipModel, bill: _Bill, layout: Layout, *, given: bool) -> tuple[str, ...]:
    """What was assumed and not given."""
    spec = model.spec
    told = [t.per for t in spec.energy] + [t.per for t in spec.latency] + [t.per for t in spec.cycles]
    used = set(told) & set(bill.amounts)
    notes = []
    if used & {"hop_east_west", "hop_north_south"} and not given:
        notes.append(f"{model.name}: packets travel the mean hops of the file, no placement is made")
    if spec.capacity and (spec.capacity.axons_in or spec.capacity.axons_out):
        holds = ", ".join(
            f"{n} {way}" for n, way in ((spec.capacity.axons_in, "in"), (spec.capacity.axons_out, "out")) if n
        )
        notes.append(f"{model.name}: a core has axons ({holds}), and whether they suffice is not checked")
    if "neuron_active" in used:
        notes.append(f"{model.name}: neurons that took in an event are an upper bound")
    widest = max((h.bits for h in layout.held if h.memory == "weight"), default=0)
    if spec.capacity and 0 < spec.capacity.weight_bits < widest:
        notes.append(
            f"{model.name}: its synapses have at most {spec.capacity.weight_bits} bits, the network's {widest}; "
            "its numbers are of the former"
        )
    if spec.learns_by and any(t.per in _LEARNING and t.per in bill.amounts for t in spec.energy):
        notes.append(f"{model.name}: what learning adds was measured of {spec.learns_by}, whatever rule was counted")
    return tuple(notes)


def _static(spec: ChipFile) -> Quantity:
    return quantity(spec.static, "power_uw") if spec.static else NOTHING


def _clocking(spec: ChipFile) -> Quantity:
    """Power of idle clocking (uW): pJ a cycle x MHz."""
    return quantity(spec.idle, "energy_pj_per_cycle").times(spec.operating.clock_mhz) if spec.idle else NOTHING


def _applies(layout: Layout, model: ChipModel) -> None:
    """Refuse a network that a chip's totals are not of."""
    told = model.spec.applies
    if told is None:
        return
    last, first = list(layout.neurons[-len(told.neurons) :]), layout.fan_in[0]
    inputs_differ = told.inputs and first not in (told.inputs, told.inputs + 1)  # a bias is a row more
    if last != told.neurons or inputs_differ or layout.places:  # places: a spiking network
        wanted = "-".join(map(str, [told.inputs or "...", *told.neurons]))
        inputs = layout.sources[0].units if layout.sources else first  # without the bias, where it is told
        given = "-".join(map(str, [inputs, *layout.neurons]))
        msg = f"network {given}: the numbers of {model.name!r} are of one network alone, {wanted} ({model.path})"
        raise NeurosimError(msg)


def _cores(layout: Layout, model: ChipModel) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cores by layer: its own (0 where it stands on another's), and those that work for it. Axons are not counted.

    Raises: CapacityError if the chip has too few, saying how many would do.
    """
    has, layers = model.spec.capacity, range(len(layout.neurons))
    place = layout.places or tuple(layers)
    core = Capacity(has.neurons, has.synapse_bits, 0, 0, 0) if has else Capacity(0, 0, 0, 0, 0)
    found = needs(layout)
    own = [0] * len(layers)
    if has is None or has.cores == 1:  # all layers share it
        pairs = ((sum(n.neurons for n in found), core.neurons), (sum(n.synapse_bits for n in found), core.synapse_bits))
        own[place[-1]] = max([1, *(math.ceil(need / holds) for need, holds in pairs if holds)])
        cores = (1,) * len(layers)
    else:
        for need in found:
            own[need.layer] = math.prod(fewest(need, core)) if core.synapse_bits or need.neurons else 1
        cores = tuple(own[p] for p in place)
    if has is not None and sum(own) > has.cores:
        layers_of = ", ".join(f"layer {n.layer} {n.neurons} neurons and {n.synapse_bits} synapse bits" for n in found)
        known = ((core.neurons, "neurons"), (core.synapse_bits, "synapse bits"))
        holds = " and ".join(f"{n} {what}" for n, what in known if n)
        msg = f"network: needs {sum(own)} cores of {holds}, {model.name!r} has {has.cores}; {layers_of} ({model.path})"
        raise CapacityError(msg)
    return tuple(own), cores


def _sound_counts(counts: OpCounts, layout: Layout, name: str) -> None:
    for op in counts.ops:
        if op.layer >= len(layout.neurons):
            msg = f"{name}: layer={op.layer}: the layout has layers 0..{len(layout.neurons) - 1}"
            raise NeurosimError(msg)
        if op.action == "error_code" and not (op.layer < len(layout.receivers) and layout.receivers[op.layer]):
            msg = f"layout.receivers[{op.layer}]=(): layer {op.layer} sends error codes, so some layer gets one"
            raise NeurosimError(msg)


def _channel(
    counts: OpCounts, layout: Layout, cores: tuple[int, ...], hops: tuple[float, float]
) -> Mapping[str, float]:
    """Bits sent, a sample: payloads alone, since a chip's header is part of its packet's price."""
    bits = dict.fromkeys(CHANNEL, 0.0)
    for op, n in counts.ops.items():
        if op.action in ("event", "error_code"):
            ends = (op.layer,) if op.action == "event" else layout.receivers[op.layer]
            payload, packets, hopped = CHANNEL[:3] if op.action == "event" else CHANNEL[3:]
            sent = op.bits * n / counts.samples
            bits[payload] += sent
            bits[packets] += sent * sum(cores[end] for end in ends)
            bits[hopped] += sent * sum(cores[end] for end in ends) * sum(hops)
    return bits
