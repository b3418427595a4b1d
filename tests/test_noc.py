"""Traffic on the mesh: every link equals the slow walk, packets are conserved, time against a cycle-accurate mesh."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.costs import price
from neurosim.costs.mapping import Plan, place
from neurosim.costs.noc import Traffic, latency_ns, traffic
from neurosim.costs.routes import DIRECTIONS, tree
from neurosim.errors import NeurosimError
from neurosim.ops import Layout, OpCounts
from tests import naive_noc
from tests.mapping_cases import LAYOUTS, dense, drawn, model
from tests.noc_cases import UNIT, random_packets, simulated, waited

CORE = {"neurons": 7, "synapse_bits": 6000}
CASTS = ("unicast", "multicast")


def sent(plan: Plan, counts: OpCounts) -> list[tuple]:
    """Packets (source, port, targets, flits, how many) of counts, unit by unit, from the definitions alone."""
    layout, grid, slices = plan.layout, plan.grid, [s._asdict() for s in plan.slices]
    owner = layout.places or tuple(range(len(layout.neurons)))
    windows = [vars(s.window) if s.window else None for s in map(layout.sent, range(len(layout.neurons)))]
    packets = []

    def put(core: int, port: bool, targets: list[int], bits: int, n: int) -> None:
        source = (grid.input_x, grid.input_y) if port else plan.at[core]
        flits = -(-(grid.header_bits + bits) // grid.flit_bits)
        packets.append((source, port, [plan.at[t] for t in targets], flits, int(n)))

    for layer in range(len(layout.neurons)):
        source = layout.sent(layer)
        below = windows[source.layer] if source.layer >= 0 else None
        for unit in range(min(source.units, len(counts.events[layer]))):
            port = source.layer < 0
            core = -1 if port else naive_noc.emitted_core(slices, owner[source.layer], unit, below)
            targets = naive_noc.event_targets(slices, owner[layer], unit, windows[layer])
            put(core, port, targets, layout.event_bits[layer], counts.events[layer][unit])
        for unit, n in enumerate(counts.error_codes[layer]):
            port, g = False, windows[layer]
            if layout.neurons[layer]:
                core = naive_noc.neuron_core(slices, owner[layer], unit, g["channels"] if g else 1)
            else:
                port = source.layer < 0
                core = -1 if port else naive_noc.emitted_core(slices, owner[source.layer], unit, below)
            targets: set[int] = set()
            for r in layout.receivers[layer]:
                if g and r == source.layer and windows[r]:
                    targets |= set(naive_noc.code_targets(slices, r, unit, g, windows[r]))
                else:
                    targets |= {s["core"] for s in slices if s["layer"] == owner[r]}
            put(core, port, sorted(targets), layout.code_bits, n)
    return packets


def found(name: str, cast: str, samples: int = 1, **fabric: int) -> tuple[Plan, OpCounts, Traffic]:
    layout = LAYOUTS[name]()
    chip = model(core=CORE, fabric={"cast": cast, "width": 9, "height": 30, "input_x": 2, "input_y": 1, **fabric})
    plan = place(layout, chip, method="snake" if len(layout.neurons) > 3 else "auto")
    counts = drawn(layout, samples=samples)
    return plan, counts, traffic(plan, counts)


# ------------------------------------------------------------------------------------------ routes and loads


@pytest.mark.parametrize("cast", CASTS)
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_link_carries_exactly_what_the_walk_says(name: str, cast: str) -> None:
    for bits in (32, 10):  # one flit a packet, and three or four
        plan, counts, moved = found(name, cast, flit_bits=bits)
        packets = sent(plan, counts)
        expected = naive_noc.loads(packets, cast == "multicast")
        assert {tuple(k): v for k, v in moved.loads().items()} == {k: float(v) for k, v in expected.items() if v}
        assert moved.assumed == ()
        assert sum(s.packets for s in moved.streams) == sum(n for *_, targets, _, n in packets if targets)


@settings(deadline=None)
@given(
    source=st.tuples(st.integers(0, 7), st.integers(0, 5)),
    targets=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), min_size=1, max_size=20, unique=True),
)
def test_a_tree_is_the_union_of_its_routes_and_no_larger_than_their_sum(source, targets) -> None:
    links = [(*at, DIRECTIONS[way]) for at, way in tree(source, targets)]
    walked = [[k for k in naive_noc.walk(source, t) if k[2] in naive_noc.STEPS] for t in targets]
    assert len(set(links)) == len(links)
    assert set(links) == {k for route in walked for k in route}
    assert all(len(w) == abs(x - source[0]) + abs(y - source[1]) for w, (x, y) in zip(walked, targets, strict=True))
    assert len(links) <= sum(map(len, walked))


@pytest.mark.parametrize("name", LAYOUTS)
def test_packets_are_conserved_and_multicast_never_moves_more(name: str) -> None:
    many, one = (found(name, cast)[2] for cast in CASTS)
    for moved in (many, one):
        into = sum(n for link, n in moved.loads().items() if link.direction == "into core")
        assert into == sum(s.flits * s.deliveries for s in moved.streams)
        hops = [
            sum(n for k, n in moved.loads().items() if k.direction in ways)
            for ways in (DIRECTIONS[:2], DIRECTIONS[2:4])
        ]
        assert hops == [sum(s.flits * x for s in moved.streams for x in [s[i]]) for i in (8, 9)]
    assert many.packets() == one.packets()
    assert all(n <= many.loads()[link] for link, n in one.loads().items())
    assert sum(one.hops) < sum(many.hops) or name == "spiking"


def test_samples_divide_and_totals_without_units_are_said_to_be_assumed() -> None:
    plan, counts, one = found("dense", "unicast")
    seven = traffic(plan, OpCounts(7, 0, counts.ops, counts.events, counts.error_codes))
    for link, n in one.loads().items():
        assert seven.loads()[link] == pytest.approx(n / 7)
    bare = traffic(plan, OpCounts(1, 0, counts.ops))
    assert bare.assumed == ("event", "error_code")
    assert sum(bare.packets().values()) == pytest.approx(sum(counts.ops.values()))  # no unit is known to be the bias
    cost = price(OpCounts(1, 0, counts.ops), None, plan.layout, model(core=CORE))
    assert cost.routing is not None
    assert cost.routing.assumed == ("event", "error_code")


def test_a_broadcast_is_one_packet_and_a_return_goes_layer_by_layer() -> None:
    chip = model(fabric={"width": 8, "height": 1})
    sizes, manual = (20, 9, 8, 7, 3), {i: [(i, 0)] for i in range(4)}
    crossed = {}
    for rule in ("srbp", "bp"):
        layout = dense(*sizes, rule=rule)
        counts = drawn(layout)
        moved = traffic(place(layout, chip, manual=manual), counts)
        streams = [s for s in moved.streams if s.action == "error_code"]
        crossed[rule] = [s.east_west for s in streams], [int(c.sum()) for c in counts.error_codes if c.size]
    assert crossed["srbp"][0] == [3 * n for n in crossed["srbp"][1]]  # one tree along three links to all hidden layers
    assert crossed["bp"][0] == crossed["bp"][1]  # each layer's codes one link down
    assert len(crossed["bp"][0]) == 3


def test_units_that_the_layout_lacks_are_an_error() -> None:
    plan, counts, _ = found("dense", "unicast")
    short = (counts.events[0][:5], *counts.events[1:])
    with pytest.raises(NeurosimError, match=r"layer 0: events of 5 units, and the layout has 30 senders"):
        traffic(plan, OpCounts(1, 0, counts.ops, short, counts.error_codes))
    with pytest.raises(NeurosimError, match=r"counts\.samples=0"):
        traffic(plan, OpCounts(0, 0, counts.ops))


# ------------------------------------------------------------------------------------------ dearer is dearer


def test_farther_is_never_cheaper() -> None:
    layout = dense(20, 9, 8, 3)
    counts, chip = drawn(layout), model(fabric={"width": 12, "height": 12})
    for step in ((1, 0), (0, 1)):
        costs = [
            price(
                counts,
                None,
                layout,
                chip,
                place(layout, chip, manual={i: [(step[0] * i * k, step[1] * i * k)] for i in range(3)}),
            )
            for k in (1, 2, 5)
        ]
        for a, b in pairwise(costs):
            for low, high in zip(
                a.energy_by_component["communication"], b.energy_by_component["communication"], strict=True
            ):
                assert low < high
            assert a.latency_ns_per_sample <= b.latency_ns_per_sample


@settings(deadline=None, max_examples=20)
@given(header=st.integers(0, 60), more=st.integers(1, 60), flit=st.integers(8, 64))
def test_more_bits_are_never_cheaper(header: int, more: int, flit: int) -> None:
    layout = dense(20, 9, 8, 3)
    thin, thick = (
        price(drawn(layout), None, layout, model(fabric={"header_bits": h, "flit_bits": flit}))
        for h in (header, header + more)
    )
    for a, b in zip(thin.energy_by_component["communication"], thick.energy_by_component["communication"], strict=True):
        assert a <= b
    assert thin.latency_ns_per_sample <= thick.latency_ns_per_sample


# ------------------------------------------------------------------------------------------ cycle by cycle


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), flits=st.integers(1, 4), depth=st.sampled_from([None, 1, 4]))
def test_the_cycle_accurate_mesh_delivers_everything_over_the_same_links(seed: int, n: int, flits: int, depth) -> None:
    packets = random_packets(np.random.default_rng(seed), 4, 3, n, flits, most=1)
    arrived, crossed = naive_noc.simulate(4, 3, packets, multicast=False, depth=depth)
    got = sorted((p, i, at) for p, i, at, _ in arrived)
    assert got == sorted((p, i, t) for p, (*_, targets, f) in enumerate(packets) for t in targets for i in range(f))
    assert crossed == naive_noc.loads([(s, port, t, f, 1) for _, s, port, t, f in packets], multicast=False)


@pytest.mark.parametrize("cast", CASTS)
def test_a_packet_alone_takes_its_route_and_its_flits(cast: str) -> None:
    for target in ((0, 0), (3, 0), (2, 2)):
        for flits in (1, 3):
            arrived, _ = naive_noc.simulate(4, 3, [(0, (0, 0), True, [target], flits)], multicast=cast == "multicast")
            assert max(t for *_, t in arrived) == sum(target) + 1 + flits - 1


@pytest.mark.parametrize("cast", CASTS)
@pytest.mark.parametrize("name", ["dense", "dense bp", "convolutional", "spiking"])
def test_bursts_of_a_network_take_about_what_the_model_says(name: str, cast: str) -> None:
    """docs/mapping.md 5: from 0.8 to 1.15 of what the routers take."""
    plan, counts, moved = found(name, cast)
    for burst in moved.bursts:
        took, crossed = simulated(plan, counts, burst)
        assert max(crossed.values()) == burst.hottest
        assert 0.8 <= latency_ns(burst, UNIT) / took <= 1.15, burst


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 300), flits=st.integers(1, 3))
def test_bursts_of_random_packets_take_about_what_the_model_says(seed: int, n: int, flits: int) -> None:
    packets = random_packets(np.random.default_rng(seed), 4, 4, n, flits, most=1)
    arrived, crossed = naive_noc.simulate(4, 4, packets, multicast=False)
    longest = max(abs(s[0] - t[0]) + abs(s[1] - t[1]) for _, s, _, targets, _ in packets for t in targets)
    model_cycles = longest + 1 + max(crossed.values()) - 1
    assert 0.7 <= model_cycles / max(t for *_, t in arrived) <= 1.5


# ------------------------------------------------------------------------------------------ waiting, files


def test_waits_are_those_of_a_queue_with_fixed_service() -> None:
    _, _, moved = found("dense", "unicast")
    hottest = max(moved.loads().values())
    waits = moved.waits_ns(period_ns=2 * hottest * 3.0, link_ns=3.0)
    assert max(waits.values()) == pytest.approx(0.5 * 3 / (2 * 0.5))
    assert all(w >= 0 for w in waits.values())
    with pytest.raises(NeurosimError, match=r"period_ns=.*: link .* flits of 1 ns"):
        moved.waits_ns(period_ns=hottest, link_ns=1.0)


def test_one_link_waits_as_the_formula_says() -> None:
    """A core that gets packets at random from a neighbour's port: mean wait 0.5 cycles at half load, within 10 %."""
    rng = np.random.default_rng(0)
    for rho in (0.3, 0.5, 0.8):
        cycles = np.flatnonzero(rng.random((40000, 4)).reshape(-1) < rho / 4) // 4
        packets = [(int(c), (0, 0), True, [(1, 0)], 1) for c in cycles]
        arrived, _ = naive_noc.simulate(2, 1, packets, multicast=False)
        wait = np.mean([t - packets[p][0] - 2 for p, _, _, t in arrived])
        binomial = rho * 0.75 / (2 * (1 - rho))  # four coins a cycle are a little more regular than a Poisson process
        assert wait == pytest.approx(binomial, rel=0.1)
        assert wait <= rho / (2 * (1 - rho))


def test_waits_over_whole_routes_are_an_upper_estimate() -> None:
    """docs/mapping.md 5: M/D/1 at every link of a route says up to three times what is waited at low loads, less at high ones."""
    for rate, most in ((0.1, 3.5), (0.5, 1.8)):
        load, wait, said = waited(np.random.default_rng(0), rate, 1000)
        assert load < 0.7
        assert 1 <= said / wait <= most


def test_a_noxim_table_holds_the_traffic(tmp_path) -> None:
    plan, counts, moved = found("dense", "unicast")
    moved.noxim(tmp_path / "traffic.txt")
    lines = (tmp_path / "traffic.txt").read_text().splitlines()
    rows = [[float(v) for v in line.split()] for line in lines if not line.startswith("%")]
    assert all(len(r) == 7 for r in rows)
    total = 0.0
    for source, target, pir, por, on, off, period in rows:
        assert source != target
        assert 0 <= pir == por <= 1
        assert 0 <= on < off < period
        total += pir * (off - on - 1)  # cycles strictly between t_on and t_off
    elsewhere = sum(n for (s, _, targets, _, n) in sent(plan, counts) for t in targets if t != s)
    assert total == pytest.approx(elsewhere)
    with pytest.raises(NeurosimError, match=r"utilisation=0: must be above 0"):
        moved.noxim(tmp_path / "x", utilisation=0)


def test_a_trace_holds_every_pair(tmp_path) -> None:
    _, _, moved = found("convolutional", "multicast")
    moved.csv(tmp_path / "traffic.csv")
    head, *rows = (tmp_path / "traffic.csv").read_text().splitlines()
    assert head == "layer,phase,action,bits,flits,from_port,from_x,from_y,to_x,to_y,packets_per_sample"
    assert sum(float(r.split(",")[-1]) for r in rows) == pytest.approx(sum(s.deliveries for s in moved.streams))
    assert all(re.fullmatch(r"\d+,(forward|error),(event|error_code)(,\d+){7},[\d.e-]+", r) for r in rows)


def test_an_empty_layout_moves_nothing() -> None:
    layout = Layout((3,), (2,), (), 1, (8,), ((),))
    moved = traffic(place(layout, model()), OpCounts(1))
    assert (moved.hottest, moved.loads(), moved.hops, moved.packets()) == (None, {}, (0.0, 0.0), {})
