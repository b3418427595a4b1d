"""Pricing: the law, what must never be free, and what cannot be priced; what holds for any counts is in `test_invariants`."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from neurosim.costs import Cost, HardwareModel, books, laws, load, names, price, price_each, pricing, sheets, tariffs
from neurosim.costs.cost import COMPONENTS
from neurosim.costs.given import UNCLASSIFIED
from neurosim.costs.laws import CHARGED, COMPONENT_OF, FREE
from neurosim.costs.pricing import COPIES, SPARSE
from neurosim.errors import NeurosimError
from neurosim.ops import ACTIONS, MEMORIES, Held, Layout, Op, OpCounts
from tests.mapping_cases import LAYOUTS, drawn

MODELS = names(kind="array")
WEIGHT, CODE, SUM, ERROR, EVENTS, SIZES = 8, 8, 20, 4, (151, 101, 101), (784, 100, 100, 10)


def layout(weight: int = WEIGHT, receivers: tuple[tuple[int, ...], ...] = ((), (), (0, 1))) -> Layout:
    held: list[Held] = []
    for layer, (n_in, n) in enumerate(pairwise(SIZES)):
        held += [Held(layer, "weight", (n_in + 1) * n, weight), Held(layer, "accumulator", n, SUM)]
        held += [Held(layer, "activation", n_in + 1, CODE), Held(layer, "address", n, 12), Held(layer, "table", 256, 8)]
        held += [Held(layer, "feedback", 10 * n, 1)] if layer < 2 else []
    return Layout(SIZES[1:], tuple(n + 1 for n in SIZES[:-1]), tuple(held), ERROR, (CODE,) * 3, receivers)


def srbp(samples: int = 100, weight: int = WEIGHT, error: int = ERROR) -> OpCounts:
    """Online skipped random backpropagation on 784-100-100-10, in closed form."""
    ops: dict[Op, int] = {}

    def add(layer: int, phase: str, action: str, n: float, bits: int, by: int = 0, memory: str = "") -> None:
        op = Op(layer, phase, action, bits, by, memory)
        ops[op] = ops.get(op, 0) + int(n * samples)

    for layer, (events, n) in enumerate(zip(EVENTS, SIZES[1:], strict=True)):
        synaptic = events * n
        add(layer, "forward", "event", events, CODE)
        add(layer, "forward", "mac", synaptic, weight, CODE)
        add(layer, "forward", "read", synaptic, weight, memory="weight")
        add(layer, "forward", "read", synaptic, SUM, memory="accumulator")
        add(layer, "forward", "write", synaptic, SUM, memory="accumulator")
        add(layer, "forward", "neuron_update", n, SUM)
        add(layer, "forward", "lut", n, CODE)
        add(layer, "forward", "write", events, CODE, memory="activation")
        add(layer, "update", "read", events, CODE, memory="activation")
        add(layer, "update", "update_pair", synaptic, CODE, 10)
        add(layer, "update", "update_attempted", synaptic, weight)
        add(layer, "update", "random_word", synaptic, 16)
        add(layer, "update", "random_word", events, 64)
        add(layer, "update", "add", synaptic, 18)
        add(layer, "update", "read", synaptic, weight, memory="weight")
        add(layer, "update", "write", synaptic / 20, weight, memory="weight")
        add(layer, "update", "weight_changed", synaptic / 20, weight)
        if layer < 2:
            add(layer, "feedback", "shift", 10, 10)
            add(layer, "feedback", "read", 10 * n, 1, memory="feedback")
            add(layer, "feedback", "add", 5 * n, 14)
            add(layer, "feedback", "read", n, 12, memory="address")
            add(layer, "feedback", "multiply", n, 10, 8)
    add(2, "forward", "divide", 10, 33)
    add(2, "error", "add", 10, 17)
    add(2, "error", "compare", 10, 17)
    add(2, "error", "error_code", 10, error)
    add(2, "error", "error_code_bit", 10 * error, error)
    return OpCounts(samples, samples, ops)


def classified(samples: int = 50) -> OpCounts:
    train = srbp(samples)
    return OpCounts(samples, 0, {op: n for op, n in train.ops.items() if op.phase == "forward"})


def one(op: Op, count: int = 1, samples: int = 1) -> OpCounts:
    return OpCounts(samples, 0, {op: count})


def marginal(cost: Cost) -> dict[str, tuple[float, ...]]:
    return {c: tuple(b) for c, b in cost.energy_by_component.items() if c not in ("clock", "static")}


def variant(tmp_path: Path, body: str, parent: str = "digital_28nm", name: str = "mine") -> HardwareModel:
    path = tmp_path / f"{name}.toml"
    path.write_text(f'schema = 1\nname = "{name}"\nsummary = "for this test"\ninherits = "{parent}"\n{body}')
    return load(path)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> HardwareModel:
    return load(request.param)


# ------------------------------------------------------------------------------------------ nothing is silently free


def test_every_action_is_charged_or_knowingly_free() -> None:
    assert set(CHARGED) | set(FREE) == set(ACTIONS)
    assert not set(CHARGED) & set(FREE)
    assert all(len(reason) > 20 for reason in FREE.values())
    assert set(COMPONENT_OF) == {*MEMORIES, "table"}
    assert set(COMPONENT_OF.values()) <= set(COMPONENTS)


@pytest.mark.parametrize("action", sorted(CHARGED))
@pytest.mark.parametrize("bits", [1, 8, 16, 33, 64])
def test_every_charged_action_costs_something(model: HardwareModel, action: str, bits: int) -> None:
    by = 8 if action in ("mac", "multiply", "update_pair") else 0
    for memory in MEMORIES if action in ("read", "write") else [""]:
        phase = "error" if action == "error_code" else "update"
        cost = price(one(Op(2, phase, action, bits, by, memory)), None, layout(), model)
        energies = [v for band in marginal(cost).values() for v in band]
        assert len(energies) == 3
        assert 0 < energies[0] <= energies[1] <= energies[2]


@pytest.mark.parametrize("action", sorted(FREE))
def test_free_actions_add_nothing(model: HardwareModel, action: str) -> None:
    base = srbp()
    more = base + OpCounts(0, 0, {Op(2, "update", action, 8): 10**9})
    assert price(more, None, layout(), model).energy == price(base, None, layout(), model).energy


# ------------------------------------------------------------------------------------------ the law


def test_the_law_holds(model: HardwareModel) -> None:
    cost = price(srbp(), None, layout(), model)
    by, ns = cost.energy_by_component, cost.latency_ns_per_sample
    idle = model.spec.clock.energy_pj_per_cycle * sum(cost.cores) * ns * model.spec.core.clock_mhz / 1000
    assert by["clock"].nominal == pytest.approx(idle, rel=1e-12)
    assert by["static"].nominal == pytest.approx(cost.static_power_uw.nominal * ns / 1000, rel=1e-12)


def test_a_small_count_by_hand() -> None:
    """Ten 8-bit additions on digital_45nm: 0.3 pJ of arithmetic, ten eighths of a lane's cycles."""
    cost = price(one(Op(2, "error", "add", 8), 10), None, layout(), load("digital_45nm"))
    assert cost.energy_by_component["arithmetic"] == pytest.approx((0.04835, 0.3, 0.525))
    fill = 4 * 5  # the pipeline, once a stage
    assert cost.latency_ns_per_sample == pytest.approx(10 / 8 * 5 + fill)
    read = price(one(Op(2, "forward", "read", 8, memory="weight"), 8), None, layout(), load("digital_45nm"))
    assert read.energy_by_component["weight memory"].nominal == pytest.approx(-0.884 + 1.848 * 8)
    packet = price(one(Op(2, "forward", "event", 8)), None, layout(), load("digital_45nm"))
    flit = 32 * (0.13672 + 0.053125)  # layer 1 at (1, 1) to layer 2 at (0, 1): a hop west, then the last router
    assert packet.energy_by_component["communication"].nominal == pytest.approx(flit)
    assert packet.latency_ns_per_sample == pytest.approx(5 + 4.1 + 2.1 + fill)
    empty = price(one(Op(2, "forward", "event", 0)), None, layout(), load("digital_45nm"))
    assert empty.energy_by_component["communication"].nominal == pytest.approx(flit)


# ------------------------------------------------------------------------------------------ more of anything


def scaled(counts: OpCounts, factor: int, samples: int) -> OpCounts:
    return OpCounts(samples, counts.steps, {op: n * factor for op, n in counts.ops.items()})


def test_marginal_energy_is_linear_in_counts(model: HardwareModel) -> None:
    base = srbp()
    once, twice = price(base, None, layout(), model), price(scaled(base, 2, base.samples), None, layout(), model)
    for component, band in marginal(once).items():
        assert tuple(2 * v for v in band) == pytest.approx(marginal(twice)[component], rel=1e-12)
    per_sample = price(scaled(base, 2, 2 * base.samples), None, layout(), model)
    assert per_sample.energy_pj_per_sample == pytest.approx(once.energy_pj_per_sample, rel=1e-12)
    assert per_sample.latency_ns_per_sample == pytest.approx(once.latency_ns_per_sample, rel=1e-12)


def test_wider_error_codes_are_dearer(model: HardwareModel) -> None:
    costs = [price(srbp(error=b), None, layout(), model) for b in range(1, 9)]
    energies = [c.energy_by_component["communication"].nominal for c in costs]
    assert all(a == b for a, b in pairwise(energies))  # 24 bits of header: all are one flit of 32
    assert [c.channel_bits["error_code"] for c in costs] == [10.0 * b for b in range(1, 9)]


@pytest.mark.parametrize("bits", range(1, 33))
def test_a_column_is_dearer_than_a_row(model: HardwareModel, bits: int) -> None:
    row, column = (
        price(one(Op(1, "feedback", "read", bits, memory=m), 1000), None, layout(), model)
        for m in ("weight", "weight_column")
    )
    ratio = column.energy_by_component["weight memory"].nominal / row.energy_by_component["weight memory"].nominal
    assert ratio == pytest.approx(64 / bits)
    assert column.latency_ns_per_sample > row.latency_ns_per_sample


# ------------------------------------------------------------------------------------------ networks and cores


def test_a_broadcast_pays_for_every_core_that_hears_it(model: HardwareModel) -> None:
    counts = one(Op(2, "error", "error_code", ERROR), 7)
    heard = [price(counts, None, layout(receivers=((), (), r)), model) for r in ((1,), (0, 1))]
    cores = heard[0].cores
    paid = [c.energy_by_component["communication"].nominal for c in heard]
    assert cores == (2, 1, 1)
    assert paid[1] > paid[0]
    assert heard[1].channel_bits["error_code"] == 7 * ERROR
    assert heard[1].channel_bits["error_packets"] == 7 * 3 * (model.spec.fabric.header_bits + ERROR)


def test_an_error_code_that_nobody_receives_is_an_error(model: HardwareModel) -> None:
    counts = one(Op(2, "error", "error_code", ERROR))
    for receivers in (((), (), ()), ()):
        with pytest.raises(NeurosimError, match=r"layout\.receivers\[2\]=\(\)"):
            price(counts, None, layout(receivers=receivers), model)


def test_cores_follow_from_neurons_and_synapse_bits(model: HardwareModel) -> None:
    many = Layout(
        (1000, 10), (10, 1000), (Held(0, "weight", 10, 8), Held(1, "weight", 200_000, 8)), 4, (8, 8), ((), ())
    )
    cost = price(one(Op(0, "forward", "event", 8)), None, many, model)
    assert cost.cores == (math.ceil(1000 / 256), math.ceil(1_600_000 / 524_288))


def test_busiest_unit_sets_the_pace() -> None:
    model = load("digital_28nm")
    cost = price(srbp(), None, layout(), model)
    stage = {(s.layer, s.phase): s for s in cost.latency}
    hops, fill = 4.1 + 2.1, 4 * 5  # from the input port to the second core of layer 0, and from layer 1 to layer 2
    assert stage[0, "forward"].unit == "multiplier"
    assert stage[0, "forward"].nominal == pytest.approx(151 * 100 / 8 / 2 * 5 + hops + fill)
    assert stage[2, "forward"].unit == "divider"
    assert stage[2, "forward"].nominal == pytest.approx(10 * 33 * 5 + hops + fill)
    assert stage[1, "update"].nominal == pytest.approx(101 * 100 * (1 / 8 + math.sqrt(1 / 8) / 20) * 5 + fill)


def test_bits_moved(model: HardwareModel) -> None:
    cost = price(srbp(), None, layout(), model)
    synaptic = sum(e * n for e, n in zip(EVENTS, SIZES[1:], strict=True))
    assert cost.bits_moved["forward"]["weight"] == pytest.approx(synaptic * WEIGHT)
    assert cost.bits_moved["forward"]["accumulator"] == pytest.approx(2 * synaptic * SUM)
    assert cost.bits_moved["feedback"]["feedback"] == pytest.approx(2 * 10 * 100)
    assert cost.channel_bits["event_payload"] == pytest.approx(sum(EVENTS) * CODE)
    header = model.spec.fabric.header_bits
    assert cost.channel_bits["event_packets"] == pytest.approx((2 * 151 + 101 + 101) * (header + CODE))


def test_classifying_from_test_counts_or_from_the_forward_phase(model: HardwareModel) -> None:
    given_, derived = (price(srbp(), t, layout(), model) for t in (classified(), None))
    assert given_.inference_from == "test counts"
    assert derived.inference_from == "forward phase of the training counts"
    assert given_.inference_energy_pj_per_sample == pytest.approx(derived.inference_energy_pj_per_sample, rel=1e-12)
    assert derived.inference_energy_pj_per_sample < derived.energy_pj_per_sample
    forward = math.fsum(
        p.nominal for p in derived.energy if p.phase == "forward" and p.component not in ("clock", "static")
    )
    alone = math.fsum(p.nominal for p in derived.inference_energy if p.component not in ("clock", "static"))
    assert forward == alone
    assert given_.energy == derived.energy


def test_one_slow_lane_takes_longer() -> None:
    fast, slow = (price(srbp(), None, layout(), load(n)) for n in ("digital_45nm", "example_minimal"))
    assert slow.latency_ns_per_sample > 8 * fast.latency_ns_per_sample
    assert slow.band["static_power_uw"].nominal > fast.band["static_power_uw"].nominal
    for component, band in marginal(fast).items():
        assert marginal(slow)[component] == band


def times_three(table: object) -> object:
    """A table of a model with every energy in it three times as large."""
    changed = {}
    for name in getattr(table, "__struct_fields__", ()):
        value = getattr(table, name)
        if isinstance(value, list):
            changed[name] = [times_three(v) for v in value]
        elif isinstance(value, msgspec.Struct):
            changed[name] = times_three(value)
        elif isinstance(value, float) and name.startswith(("energy_", "offset_", "slope_")):
            changed[name] = value * 3
    return msgspec.structs.replace(table, **changed)


def forget() -> None:
    """Nothing is known of any model, run or plan."""
    for module in (books, laws, pricing, sheets, tariffs):
        for kept in vars(module).values():
            getattr(kept, "cache_clear", int)()


def test_models_of_equal_choices_share_forms_and_no_numbers(model: HardwareModel) -> None:
    """Priced between each other or alone, a model costs the same; three times the energies, three times what they pay for."""
    dearer = HardwareModel("dearer", "dearer.toml", times_three(model.spec))
    between = [price(srbp(), classified(), layout(), m) for m in (model, dearer, model)]
    forget()
    alone = price(srbp(), classified(), layout(), dearer)
    assert between[0] == between[2]
    assert alone == between[1]
    for component, band in marginal(between[0]).items():
        assert marginal(alone)[component] == pytest.approx([3 * v for v in band], rel=1e-12)
    assert alone.latency == between[0].latency
    assert alone.area == between[0].area


VARIED = ("", ":core.lanes=7", ":core.clock_mhz=33", ":core.pipeline=9", ":core.neurons=3", ":fabric.cast=unicast")


@pytest.mark.parametrize("name", names(kind="array"))
def test_what_is_kept_of_other_runs_and_variants_changes_no_price(name: str) -> None:
    """Runs that counted the same operations, and variants that share forms: priced among each other or alone, the same."""
    runs = [srbp(), OpCounts(3, 0, {op: 2 * n + i for i, (op, n) in enumerate(srbp().ops.items())})]
    models = {setting: load(name + setting) for setting in VARIED}
    tried = [(run, test) for run in runs for test in (None, classified())]
    among = [price_each(run, test, layout(), models) for _ in range(2) for run, test in tried]
    assert among[: len(tried)] == among[len(tried) :]
    for (run, test), (priced, refused) in zip(tried, among, strict=False):
        for setting, model in models.items():
            forget()
            cost, why = price_each(run, test, layout(), {setting: model})
            assert (cost or why) == {setting: (priced | refused)[setting]}


# ------------------------------------------------------------------------------------------ grades


def test_grade_is_the_weakest_that_was_used(tmp_path: Path) -> None:
    assert price(srbp(), None, layout(), load("digital_45nm")).grade == ("model", "computed")
    shaky = variant(
        tmp_path,
        "[[energy.compare]]\nbits = 32\nenergy_pj = 0.01\n"
        'source = "somebody said so"\ntag = "memory-unverified"\nbasis = "not stated"\n',
    )
    counts = srbp()
    without = OpCounts(
        counts.samples, 0, {o: n for o, n in counts.ops.items() if o.action not in ("compare", "neuron_update")}
    )
    assert price(counts, None, layout(), shaky).grade == ("not stated", "memory-unverified")
    assert price(without, None, layout(), shaky).grade == ("model", "computed")


# ------------------------------------------------------------------------------------------ what cannot be priced


def test_no_samples_is_an_error(model: HardwareModel) -> None:
    with pytest.raises(NeurosimError, match=r"counts of training\.samples=0: must be at least 1"):
        price(OpCounts(), None, layout(), model)
    with pytest.raises(NeurosimError, match=r"counts of testing\.samples=0"):
        price(srbp(), OpCounts(), layout(), model)


@pytest.mark.parametrize("name", names())
def test_counts_that_are_all_zero_are_an_error(name: str) -> None:
    nothing = OpCounts(5, 0, {Op(0, "forward", "mac", 8, 8): 0})
    with pytest.raises(NeurosimError, match=r"counts of training\.ops: are all 0"):
        price(nothing, None, layout(), load(name))


def test_what_is_not_told_is_said(model: HardwareModel) -> None:
    update = one(Op(0, "update", "add", 8))
    assert UNCLASSIFIED in price(update, None, layout(), model).notes
    assert UNCLASSIFIED not in price(update, classified(), layout(), model).notes
    assert any("axons (256 in)" in note for note in price(classified(), None, layout(), load("truenorth")).notes)


def test_copies_of_kernels_and_sparse_projections_are_said(model: HardwareModel) -> None:
    core = msgspec.structs.replace(model.spec.core, neurons=4)
    small = HardwareModel("small", "small.toml", msgspec.structs.replace(model.spec, core=core))
    for name, note in (("convolutional", COPIES), ("spiking", SPARSE)):
        network = LAYOUTS[name]()
        counts = drawn(network)
        ops = {**counts.ops, Op(0, "update", "add", 8): 1}
        ticks = 9 if network.places else 0
        notes = price(dataclasses.replace(counts, ops=ops, ticks=ticks), None, network, small).notes
        assert (note in notes) == (note == COPIES or any(h.memory == "target" for h in network.held))
        assert COPIES not in price(dataclasses.replace(counts, ticks=ticks), None, network, small).notes


def test_test_counts_do_not_learn(model: HardwareModel) -> None:
    with pytest.raises(NeurosimError, match="phase='error': must be 'forward'"):
        price(srbp(), srbp(), layout(), model)


def test_a_layer_that_the_layout_lacks(model: HardwareModel) -> None:
    with pytest.raises(NeurosimError, match=r"layer=7: the layout has layers 0\.\.2"):
        price(one(Op(7, "forward", "add", 8)), None, layout(), model)
    for broken in (
        dataclasses.replace(layout(), held=(Held(9, "weight", 1, 1),)),
        dataclasses.replace(layout(), held=(Held(0, "drum", 1, 1),)),
        dataclasses.replace(layout(), receivers=((9,), (), ())),
    ):
        with pytest.raises(NeurosimError, match=r"layout\.(held|receivers)"):
            price(srbp(), None, broken, model)


def test_a_memory_larger_than_the_law_covers(model: HardwareModel) -> None:
    huge = dataclasses.replace(layout(), held=(Held(0, "table", 2**32, 16),))
    with pytest.raises(NeurosimError, match=r"memory='table' of 8\.38861e\+06 KB a core.*sram\.max_kb=4096"):
        price(one(Op(0, "forward", "lut", 16)), None, huge, model)
