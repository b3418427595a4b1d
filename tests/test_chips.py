"""Published chips: amounts equal a slow twin, parts sum, nothing is free, more is never cheaper, mistakes are named."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.costs import ChipModel, Cost, load, names, price
from neurosim.costs.activities import ACTIVITIES, PER, activity, amounts
from neurosim.costs.capacity import CapacityError
from neurosim.costs.chip_schema import Activity, Per, Term
from neurosim.costs.chips import price_chip
from neurosim.costs.cost import COMPONENTS
from neurosim.costs.mapping import place
from neurosim.costs.schema import BASES, TAGS
from neurosim.errors import NeurosimError
from neurosim.ops import ACTIONS, MEMORIES, PHASES, Held, Layout, Op, OpCounts
from tests import naive_chips

CHIPS = names(kind="chip")
PLAIN = Layout((20, 10), (15, 20), (Held(0, "weight", 300, 8), Held(1, "weight", 200, 8)), 4, (8, 8), ((), (0,)))
PLACED = Layout((0, 0, 12, 10), (15, 20, 0, 0), (), 1, (0, 0, 0, 0), ((), (2,), (), ()), places=(2, 3, 2, 3))


def every_op(layers: int) -> st.SearchStrategy[Op]:
    def build(layer: int, phase: str, action: str, bits: int, memory: str) -> Op:
        layer = 1 if action == "error_code" else layer
        return Op(layer, phase, action, bits, bits, memory if action in ("read", "write") else "")

    return st.builds(
        build,
        st.integers(0, layers - 1),
        st.sampled_from(list(PHASES)),
        st.sampled_from(list(ACTIONS)),
        st.integers(1, 32),
        st.sampled_from(list(MEMORIES)),
    )


def runs() -> st.SearchStrategy[tuple[Layout, OpCounts]]:
    def build(layout: Layout, ticks: int, ops: dict[Op, int], samples: int) -> tuple[Layout, OpCounts]:
        return layout, OpCounts(samples, 0, ops, ticks=ticks)

    plain = st.builds(
        build,
        st.just(PLAIN),
        st.just(0),
        st.dictionaries(every_op(2), st.integers(1, 10**6), min_size=1, max_size=12),
        st.integers(1, 9),
    )
    placed = st.builds(
        build,
        st.just(PLACED),
        st.integers(1, 50),
        st.dictionaries(every_op(4), st.integers(1, 10**6), min_size=1, max_size=12),
        st.integers(1, 9),
    )
    return st.one_of(plain, placed)


def numbers(ends: list[float]) -> dict[str, object]:
    low, nominal, high = sorted(ends)
    sourced = {"source": "drawn by chance", "tag": "computed", "basis": "model"}
    return {**sourced, "value": nominal, "low": {**sourced, "value": low}, "high": {**sourced, "value": high}}


def models() -> st.SearchStrategy[ChipModel]:
    """Chips of random terms: any numbers of any amounts, with static power, clocking and latencies, or without."""
    value = st.floats(1e-3, 1e6)
    ends = st.lists(value, min_size=3, max_size=3)
    table = st.dictionaries(st.sampled_from(list(PER)), ends, min_size=1, max_size=8)

    def rename(row: dict[str, object], key: str) -> dict[str, object]:
        return {
            **{k: rename(v, key) if isinstance(v, dict) else v for k, v in row.items() if k != "value"},
            key: row["value"],
        }

    def build(energy: object, latency: object, static: object, idle: object, clock: float) -> ChipModel:
        raw = {
            "schema": 1, "kind": "chip", "name": "drawn", "summary": "a chip drawn by chance",
            "technology": {"node_nm": 28, "supply_v": 0.9, "reason": "drawn by chance"},
            "operating": {"clock_mhz": clock, "hops_east_west": 2.5, "hops_north_south": 1.0, "reason": "drawn by chance"},
            "energy": [{"per": k, **rename(numbers(v), "energy_pj")} for k, v in energy.items()],
            "latency": [{"per": k, **rename(numbers(v), "latency_ns")} for k, v in latency.items()],
        }  # fmt: skip
        if static:
            raw["static"] = rename(numbers(static), "power_uw")
        if idle:
            raw["idle"] = rename(numbers(idle), "energy_pj_per_cycle")
        return ChipModel("drawn", "drawn.toml", msgspec.convert(raw, type(load("odin").spec)))

    some = st.one_of(st.none(), ends)
    return st.builds(build, table, table, some, some, st.floats(0.1, 1000))


# ------------------------------------------------------------------------------------------ amounts


@settings(deadline=None, max_examples=200)
@given(run=runs())
def test_amounts_equal_the_twin(run: tuple[Layout, OpCounts]) -> None:
    layout, counts = run
    places, cores = layout.places or tuple(range(len(layout.neurons))), (3, 2, 3, 2)[: len(layout.neurons)]
    found = amounts(counts, layout, cores, (2.5, 1.25))
    ops = [(*op, n) for op, n in counts.ops.items()]
    twin = naive_chips.amounts(
        ops, counts.samples, counts.ticks, layout.neurons, layout.receivers, places, cores, (2.5, 1.25)
    )
    assert list(found) == list(twin) == list(PER)
    for name, rows in found.items():
        assert sum(rows.values()) == twin[name], name


def test_every_operation_belongs_to_an_activity() -> None:
    for phase in PHASES:
        for action in ACTIONS:
            for memory in MEMORIES if action in ("read", "write") else [""]:
                for ticking in (False, True):
                    assert activity(Op(0, phase, action, 8, 8, memory), ticking=ticking) in ACTIVITIES
    assert set(Per.__args__) == set(PER)  # type: ignore[attr-defined]
    assert {*ACTIVITIES, "static", "time"} == set(Activity.__args__)  # type: ignore[attr-defined]
    assert {p.component for p in PER.values()} <= set(COMPONENTS)
    assert {a for p in PER.values() for a in p.activities} == set(ACTIVITIES)


# ------------------------------------------------------------------------------------------ invariants


@settings(deadline=None, max_examples=150)
@given(model=models(), run=runs())
def test_parts_sum_and_nothing_is_wrong_or_free(model: ChipModel, run: tuple[Layout, OpCounts]) -> None:
    layout, counts = run
    cost = price(counts, None, layout, model)
    for end, total in enumerate(cost.band["energy_pj_per_sample"]):
        for groups in (cost.energy_by_phase, cost.energy_by_layer, cost.energy_by_component):
            assert math.isclose(math.fsum(b[end] for b in groups.values()), total, rel_tol=1e-12)
        assert math.fsum(p[3 + end] for p in cost.energy) == total
    for row in (*cost.energy, *cost.latency, *cost.inference_energy, *cost.inference_latency):
        assert 0 < row.low <= row.nominal <= row.high < math.inf, row
    happened = {activity(op, ticking=counts.ticks > 0) for op in counts.ops}
    found = {per for per, rows in amounts(counts, layout, [1] * len(layout.neurons), (2.5, 1.0)).items() if rows}
    for name in happened - set(cost.unpriced):
        assert any(name in PER[t.per].activities or name in t.covers for t in model.spec.energy if t.per in found)
    assert ("time" in cost.unpriced) == (not cost.latency)
    again = Cost.from_dict(json.loads(json.dumps(cost.to_dict())))
    assert (again, again.to_dict()) == (cost, cost.to_dict())


@settings(deadline=None, max_examples=100)
@given(model=models(), run=runs(), data=st.data())
def test_more_of_anything_is_never_cheaper(model: ChipModel, run: tuple[Layout, OpCounts], data: st.DataObject) -> None:
    layout, counts = run
    more = {op: n + data.draw(st.integers(0, 1000)) for op, n in counts.ops.items()}
    extra = data.draw(every_op(len(layout.neurons)))
    more[extra] = more.get(extra, 0) + 7
    few = price(counts, None, layout, model)
    many = price(OpCounts(counts.samples, 0, more, ticks=counts.ticks), None, layout, model)
    for key in ("energy_pj_per_sample", "latency_ns_per_sample", "area_um2", "static_power_uw"):
        if key not in few.band:  # nobody published it
            continue
        band = few.band[key]
        assert all(a <= b * (1 + 1e-12) for a, b in zip(band, many.band[key], strict=True)), key
    far = price_chip(counts, None, layout, model, hops=(3.0, 1.0))
    assert far.energy_pj_per_sample >= few.energy_pj_per_sample * (1 - 1e-12)


def test_what_nobody_published_is_named() -> None:
    learning = OpCounts(1, 1, {Op(0, "forward", "mac", 8, 8): 300, Op(0, "update", "update_attempted", 8): 5})
    assert price(learning, None, PLAIN, load("truenorth")).unpriced == ("updates", "static", "time")
    assert price(learning, None, PLAIN, load("odin")).unpriced == ("updates",)
    assert price(learning, None, PLAIN, load("loihi_davies")).unpriced == ("static",)
    assert price(learning, None, PLAIN, load("reckon")).unpriced == ("time",)


@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_without_a_term_names_the_activity(name: str) -> None:
    """Taken away number by number, what it paid for turns up as missing and never as a smaller sum alone."""
    model = load(name)
    assert isinstance(model, ChipModel)
    counts = OpCounts(1, 1, {Op(0, "forward", "event", 8): 9, Op(0, "forward", "mac", 8, 8): 90,
                             Op(0, "forward", "neuron_update", 8): 20, Op(0, "update", "update_attempted", 8): 5})  # fmt: skip
    for term in model.spec.energy:
        others = [t for t in model.spec.energy if t is not term]
        poorer = msgspec.structs.replace(model.spec, energy=others, applies=None)
        cost = price(counts, None, PLAIN, ChipModel("poor", "poor.toml", poorer))
        paid = {a for t in others for a in (*PER[t.per].activities, *t.covers)}
        happened = {activity(op, ticking=False) for op in counts.ops}
        assert happened - paid <= set(cost.unpriced)


# ------------------------------------------------------------------------------------------ shipped chips


@pytest.mark.parametrize("name", CHIPS)
def test_every_number_is_sourced_and_graded(name: str) -> None:
    model = load(name)
    for row in (*model.spec.energy, *model.spec.latency, *model.spec.cycles, *model.spec.area, *model.spec.validation):
        assert row.tag in TAGS
        assert row.basis in BASES
        assert len(row.source) > 12
    if "memory-unverified" in (Path(model.path)).read_text():
        assert not model.spec.priced_by_default


def test_odin_by_hand() -> None:
    """One second at 75 MHz: 27.3 uW, 1.78 pJ a cycle and 8.43 pJ a synaptic operation of two cycles."""
    counts = OpCounts(1, 0, {Op(0, "forward", "synaptic_event", 4): 37_500_000})
    cost = price(counts, None, Layout((256,), (256,), (), 1, (0,), ((),)), load("odin"))
    assert cost.latency_ns_per_sample == pytest.approx(1e9)
    assert cost.energy_pj_per_sample == pytest.approx(27.3e6 + 1.78 * 75e6 + 8.43 * 37.5e6)
    assert cost.grade == ("spec", "computed")  # cycles are from a specification, areas computed
    assert cost.cores == (1,)


def test_loihi_by_hand() -> None:
    """Two ticks of 20 neurons with 3 spikes in, 60 synaptic operations, on one core each."""
    ops = {
        Op(0, "forward", "event", 0): 3,
        Op(0, "forward", "synaptic_event", 8): 60,
        Op(1, "forward", "neuron_update", 16): 40,
    }
    layout = Layout((0, 20), (3, 0), (), 1, (0, 0), ((), ()), places=(1, 1))
    cost = price(OpCounts(1, 0, ops, ticks=2), None, layout, load("loihi_davies"))
    by = cost.energy_by_component
    assert by["synapse"].nominal == pytest.approx(60 * 23.6)
    assert tuple(by["neuron"]) == pytest.approx((40 * 52, 40 * 52, 40 * 81))
    assert by["communication"].nominal == pytest.approx(3 * (1.7 + 2.625 * 3 + 1.25 * 4))
    assert cost.latency_ns_per_sample == pytest.approx(60 * 3.5 + 40 * 5.3 + 2 * 113)
    assert cost.notes == (
        "loihi_davies: packets travel the mean hops of the file, no placement is made",
        "loihi_davies: a core has axons (4096 in, 4096 out), and whether they suffice is not checked",
    )
    refitted = price(OpCounts(1, 0, ops, ticks=2), None, layout, load("loihi_sanafe"))
    assert refitted.notes[-1] == "loihi_sanafe: neurons that took in an event are an upper bound"
    refit = refitted.energy_by_component
    assert refit["neuron"].nominal == pytest.approx(40 * (51.2 + 21.6))
    assert refit["communication"].nominal == pytest.approx(3 * (69.3 + 111 + 2.625 * 3 + 1.25 * 4.2))


def test_totals_are_of_one_network() -> None:
    park = Layout((200, 200, 10), (785, 201, 201), (), 4, (8,) * 3, ((),) * 3)
    learned = OpCounts(2, 2, {Op(0, "forward", "mac", 8, 8): 10, Op(0, "update", "update_attempted", 8): 5})
    cost = price(learned, None, park, load("park2019"))
    assert cost.energy_pj_per_sample == pytest.approx(236500 * 1.075)
    assert cost.inference_energy_pj_per_sample == 236500
    assert cost.unpriced == ()
    with pytest.raises(NeurosimError, match=r"network 15-20-10: .*'park2019' are of one network alone, 784-200-200-10"):
        price(learned, None, PLAIN, load("park2019"))


def test_totals_are_not_of_spiking_networks() -> None:
    spiking = Layout((0, 128, 10), (784, 0, 0), (), 4, (0,) * 3, ((),) * 3, places=(1, 1, 2))
    with pytest.raises(NeurosimError, match=r"'spoon' are of one network alone, \.\.\.-128-10"):
        price(OpCounts(1, 0, {Op(0, "forward", "synaptic_event", 8): 1}, ticks=3), None, spiking, load("spoon"))


def test_a_network_that_does_not_fit_is_told_how_many_cores_would_do() -> None:
    large = Layout((1000, 10), (785, 1000), (), 4, (8, 8), ((), ()))
    counts = OpCounts(1, 0, {Op(0, "forward", "mac", 8, 8): 10})
    with pytest.raises(
        NeurosimError, match=r"needs 4 cores of 256 neurons and 262144 synapse bits.*'odin' has 1; layer 0 .*odin\.toml"
    ):
        price(counts, None, large, load("odin"))
    wide = Layout((200_000, 10), (785, 200_000), (), 4, (8, 8), ((), ()))
    with pytest.raises(CapacityError, match=r"needs 197 cores of 1024 neurons.*'loihi_davies' has 128"):
        price(counts, None, wide, load("loihi_davies"))


def test_a_plan_of_an_array_is_none_of_a_chip() -> None:
    counts = OpCounts(1, 0, {Op(0, "forward", "mac", 8, 8): 10})
    with pytest.raises(NeurosimError, match=r"plan: 'odin' is a published chip"):
        price(counts, None, PLAIN, load("odin"), place(PLAIN, load("digital_28nm")))


@pytest.mark.parametrize("name", CHIPS)
def test_counts_that_cannot_be_priced(name: str) -> None:
    model = load(name)
    layout = PLAIN
    if model.spec.applies:
        ends = tuple(model.spec.applies.neurons)
        layout = Layout(ends, (784,) * len(ends), (), 4, (8,) * len(ends), ((),) * len(ends))
    bare = OpCounts(1, 0, {Op(7, "forward", "mac", 8, 8): 1})
    with pytest.raises(NeurosimError, match=r"layer=7: the layout has layers"):
        price(bare, None, layout, model)
    with pytest.raises(NeurosimError, match=r"counts of training\.samples=0"):
        price(OpCounts(), None, layout, model)
    with pytest.raises(NeurosimError, match=r"layout\.receivers\[0\]"):
        price(OpCounts(1, 0, {Op(0, "error", "error_code", 4): 1}), None, layout, model)


# ------------------------------------------------------------------------------------------ bad files

SURE = "source = 'a book we read'\ntag = 'computed'\nbasis = 'model'\n"
TERM = "[[energy]]\nper = 'spike'\nenergy_pj = 1.0\n"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("[[energy]]\nper = 'spike'\nenergy_nj = 1.0\nSRC", "energy[0].energy_nj: is not a known key; allowed are source"),
        ("[[energy]]\nper = 'spike'\nenergy_pj = -1.0\nSRC", "energy[0].energy_pj=-1.0: expected `float` >= 0.0"),
        ("[[energy]]\nper = 'thought'\nenergy_pj = 1.0\nSRC", "energy[0].per='thought': must be one of `synaptic_operation`"),
        ("[[energy]]\nper = 'spike'\nenergy_pj = 1.0\n", "energy[0].source: is missing"),
        ("[[energy]]\nper = 'spike'\nenergy_pj = nan\nSRC", "energy[0].energy_pj=nan: expected"),
        ("[[energy]]\nper = 'spike'\nSRC", "energy[0].energy_pj: is missing"),
        (TERM + "SRC" + TERM + "SRC", "energy[1].per='spike': stands here twice"),
        (TERM + "SRC[energy.low]\nenergy_pj = 2.0\nSRC", "energy[0].energy_pj=1.0: must lie between its low=2.0"),
        (TERM + "covers = ['sleep']\nSRC", "energy[0].covers[0]='sleep'"),
        ("energy = []\n", "energy: is empty"),
        (TERM + "SRC[static]\npower_mw = 1.0\nSRC", "static.power_mw: is not a known key"),
        (TERM + "SRC[idle]\nenergy_pj_per_cycle = 1.0\nSRC", "operating.clock_mhz=0: must be given"),
        (TERM + "SRC[[cycles]]\nper = 'spike'\nlatency_cycles = 1.0\nSRC", "operating.clock_mhz=0: must be given"),
        (TERM + "SRC[core]\nlanes = 1\n", "core: is not a known key"),
        (TERM + "SRC[capacity]\ncores = 0\nSRC", "capacity.cores=0: expected `int` >= 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_field_value_and_file(tmp_path: Path, body: str, says: str) -> None:
    head = "schema = 1\nkind = 'chip'\nname = 'mine'\nsummary = 'a chip for this test'\n"
    tables = (
        "[technology]\nnode_nm = 28\nsupply_v = 0.9\nreason = 'for this test'\n[operating]\nreason = 'for this test'\n"
    )
    path = tmp_path / "mine.toml"
    path.write_text(head + (body + tables if body.startswith("energy") else tables + body).replace("SRC", SURE))
    with pytest.raises(NeurosimError, match=re.escape(says)) as error:
        load(path)
    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_ticks_of_a_fixed_length_leave_no_room_for_latencies(tmp_path: Path) -> None:
    text = Path(load("truenorth").path).read_text().replace('name = "truenorth"', 'name = "mine"')
    path = tmp_path / "mine.toml"
    path.write_text(text + "\n[[latency]]\nper = 'tick'\nlatency_ns = 1.0\n" + SURE)
    with pytest.raises(NeurosimError, match=r"operating\.tick_us=1000\.0"):
        load(path)


def test_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("schema = 1\nkind = 'abacus'\nname = 'mine'\nsummary = 'beads on wires'\n")
    with pytest.raises(NeurosimError, match=r"kind='abacus': must be one of array, chip .*mine\.toml"):
        load(path)


def test_a_chip_inherits_and_its_points_do_not(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'schema = 1\nname = "mine"\nsummary = "ODIN at another clock"\ninherits = "odin"\n'
        '[operating]\nclock_mhz = 1.3\nreason = "the biological point"\n'
    )
    mine = load(path)
    assert isinstance(mine, ChipModel)
    assert (mine.spec.operating.clock_mhz, mine.spec.validation) == (1.3, [])
    assert isinstance(mine.spec.energy[0], Term)
    assert mine.digest != load("odin").digest


def test_what_a_chip_was_not_measured_with_is_told() -> None:
    wide = Layout((10,), (20,), (Held(0, "weight", 200, 16),), 4, (8,), ((),))
    forward = OpCounts(1, 0, {Op(0, "forward", "mac", 16, 16): 200})
    assert any("at most 4 bits, the network's 16" in note for note in price(forward, None, wide, load("odin")).notes)
    narrow = dataclasses.replace(wide, held=(Held(0, "weight", 200, 4),))
    assert not any("bits" in note for note in price(forward, None, narrow, load("odin")).notes)
    taught = OpCounts(1, 1, {**forward.ops, Op(0, "update", "update_attempted", 16): 10})
    for counts, told in ((forward, False), (taught, True)):
        notes = price(counts, None, wide, load("reckon")).notes
        assert any("measured of a modified e-prop" in note for note in notes) == told


@pytest.mark.parametrize("ticks", [0, 50])
def test_multiplications_of_counts_with_ticks_are_synaptic_operations(ticks: int) -> None:
    plan = Layout((10,), (20,), (Held(0, "weight", 200, 4),), 4, (8,), ((),))
    cost = price(OpCounts(1, 0, {Op(0, "forward", "mac", 4, 4): 200}, ticks=ticks), None, plan, load("odin"))
    assert cost.energy_by_component["synapse"].nominal == pytest.approx(200 * 8.43)
