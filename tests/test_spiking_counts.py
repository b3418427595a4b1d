"""Counts of spiking networks against theory: closed forms by hand, synaptic operations, knobs, prices, what runs share and keep apart."""

import json
import math

import numpy as np
import pytest

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.costs import load, names, price
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed
from neurosim.ops import Held, Layout, Op, OpCounts
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Leak, Poisson, Population, Regular, State, Threshold, lif, trace
from neurosim.spiking.plasticity import Eligibility, Gate, Kernel, Plasticity, Term, erbp, kernel_stdp, pair_stdp
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec
from tests.spiking_twin import cases

MODELS = names(kind="array")


def made(populations, projections=(), seed=3):
    return SpikingNetwork(SpikingSpec(tuple(populations), tuple(projections), seed))


def ops_of(net, layer, **pinned):
    """Counts of one layer: {(phase, action, bits, by, memory): n}."""
    at = net.layer_names.index(layer)
    return {tuple(op)[1:]: n for op, n in net.counts().ops.items() if op.layer == at}


# ---------------------------------------------------------------------- closed forms


def test_a_small_network_by_hand():
    """Two sources that spike 3 and 1 times, all to all onto 3 leaky neurons with a refractory counter, for 10 ticks.

    4 spikes meet 3 synapses each: 12 synaptic events, in each a word of 6 bits is read and added into 7 bits: at most
    2 * 31 = 62 can arrive in a tick, 6 bits and a sign. 3 neurons * 10 ticks = 30 updates of a word of 16 bits: a leak (shift of
    16 bits) and what arrived, summed in 17 bits, sign included (32,768 + 62 at most), rounded and clipped once.
    """
    source = Population("in", 2, (), Events([0, 1, 2, 2], [0, 0, 0, 1]))
    cells = Population("out", 3, (State("v", Leak(3), reset=0),), Threshold(40), refractory=2)
    net = made([source, cells], [Projection("in", "out", weight=Fixed(6, 0), initial=31, name="feed")])
    net.run(10)
    spikes = int(net.counters()["populations"][1]["spikes"].sum())
    assert spikes == 6  # 31, then 31 - 3 + 31 in tick 2, reset; 62 while held, 55, and 49 in tick 5, when it may again
    assert net.layer_names == ("feed", "in", "out")
    f = "forward"
    assert ops_of(net, "feed") == {
        (f, "event", 0, 0, ""): 4,
        (f, "synaptic_event", 6, 0, ""): 12,
        (f, "read", 6, 0, "weight"): 12,
        (f, "add", 7, 0, ""): 12,
        (f, "read", 7, 0, "accumulator"): 12,
        (f, "write", 7, 0, "accumulator"): 12,
    }
    assert ops_of(net, "in") == {}
    assert ops_of(net, "out") == {
        (f, "read", 16, 0, "state"): 30,
        (f, "write", 16, 0, "state"): 30 + spikes,
        (f, "shift", 16, 0, ""): 30,
        (f, "add", 17, 0, ""): 60,
        (f, "read", 7, 0, "accumulator"): 30,
        (f, "write", 7, 0, "accumulator"): 30,
        (f, "neuron_update", 17, 0, ""): 30,
        (f, "compare", 16, 0, ""): 30,
        (f, "read", 2, 0, "state"): 30,
        (f, "compare", 2, 0, ""): 30,
        (f, "add", 2, 0, ""): 30,
        (f, "write", 2, 0, "state"): 30 + spikes,
    }
    counts = net.counts()
    assert (counts.samples, counts.steps, counts.ticks) == (1, 10, 10)
    assert [e.tolist() for e in counts.events] == [[3, 1], [], []]
    layout = net.layout()
    assert layout.held == (
        Held(0, "weight", 6, 6), Held(2, "state", 3, 16), Held(2, "accumulator", 3, 7), Held(2, "state", 3, 2)
    )  # fmt: skip
    assert (layout.neurons, layout.fan_in, layout.places) == ((0, 0, 3), (2, 0, 0), (2, 1, 2))


def test_rows_delays_gain_and_blank_out_by_hand():
    """Sparse rows with two delays: addresses and row starts are read, spikes wait; gain shifts; a lost event reads an address only."""
    pairs = Pairs([0, 0, 1, 1, 2], [0, 3, 1, 2, 4])  # neuron 3 has no synapse
    delays = np.array([0, 2, 2, 2, 0])
    source = Population("in", 4, (), Regular(5), refractory=1)
    cells = Population("out", 5, (State("v"),), Threshold(1 << 14))
    feed = Projection("in", "out", initial=3, connect=pairs, delay=delays, gain=2, blank_out=64)
    net = made([source, cells], [feed])
    net.run(20)
    seen, counted = ops_of(net, "in->out"), net.counters()["projections"][0]
    assert (counted["arrivals"], counted["events"]) == (4 * 4, 4 * 5)  # row 0 has two delays
    met = 20 - counted["blanked"]
    assert 0 < met < 20
    f, width = "forward", 5  # one synapse a target: at most 3 << 2 = 12, 4 bits and a sign
    assert seen == {
        (f, "event", 0, 0, ""): 12,
        (f, "write", 2, 0, "spike"): 12,
        (f, "read", 2, 0, "spike"): 16 - 8,  # rows 0 and 2 have arrivals at once
        (f, "read", 3, 0, "target"): 2 * 16 + 20,  # 5 synapses: starts of 3 bits; 5 targets: addresses of 3
        (f, "synaptic_event", 8, 0, ""): 20,
        (f, "random_word", 64, 0, ""): 16,
        (f, "random_word", 8, 0, ""): 20,
        (f, "compare", 8, 0, ""): 20,
        (f, "read", 8, 0, "weight"): met,
        (f, "shift", width, 0, ""): met,
        (f, "add", width, 0, ""): met,
        (f, "read", width, 0, "accumulator"): met,
        (f, "write", width, 0, "accumulator"): met,
    }
    assert net.layout().bits("target") == (5 + 4 * 2 + 1) * 3
    assert net.layout().bits("spike") == 3 * 1 * 2  # three senders, one spike in two ticks each, addresses of 2 bits


def test_plasticity_by_hand():
    """Event-driven random backpropagation: two compares and one addition a synapse (Neftci et al. 2017, abstract), and their words."""
    rule = erbp("u", "v", -4000, 4000, 4)
    cells = Population("out", 3, (State("v"), State("u", bits=12, start=37)), Threshold(5000, "v"))
    source = Population("in", 2, (), Regular(1))
    net = made([source, cells], [Projection("in", "out", "v", initial=(-20, 20), plasticity=rule)])
    net.run(6)
    net.run(6, learn=False)
    done = net.counters()["projections"][0]
    assert done["evaluated_pre"] == 2 * 3 * 6
    update = {key[1:]: n for key, n in ops_of(net, "in->out").items() if key[0] == "update"}
    attempted, changed = done["attempted_pre"], done["changed"]
    assert attempted == 36
    assert 0 < changed <= 36
    assert update == {
        ("read", 12, 0, "state"): 36,
        ("read", 16, 0, "state"): 36,
        ("compare", 16, 0, ""): 72,
        ("update_attempted", 8, 0, ""): attempted,
        ("add", 8, 0, ""): attempted,
        ("random_word", 64, 0, ""): 12,  # one a spike
        ("random_word", 16, 0, ""): attempted,
        ("add", 12, 0, ""): attempted,
        ("weight_changed", 8, 0, ""): changed,
        ("write", 8, 0, "weight"): changed,
    }
    assert net.counts().steps == 6


def test_both_sides_of_a_rule_read_states_once_a_row_and_weights_across_rows():
    cells = lif("out", 3, threshold=30, leak=Leak(4), traces=[trace("y", Leak(3), 64)])
    source = Population("in", 2, (trace("x", Leak(3), 64),), Regular(3))
    rule = pair_stdp("x", "y", 5, 5)
    net = made([source, cells], [Projection("in", "out", "v", Fixed(8, 0), 20, plasticity=rule)])
    net.run(30)
    done = net.counters()
    post, arrivals = int(done["populations"][1]["spikes"].sum()), done["projections"][0]["arrivals"]
    assert post > 5
    counts = net.counts()
    reads = counts.total("read", phase="update", memory="state")
    assert reads == arrivals * 3 + post * 2  # post.y a synapse of each arrival, pre.x a synapse of each spike
    assert counts.total("read", memory="weight_column") == done["projections"][0]["attempted_post"]
    assert (
        counts.total("read", memory="state", layer=net.layer_names.index("in")) == 2 * 30 + arrivals
    )  # steps, and jumps
    assert net.layout().neurons == (0, 2, 3)  # the source's traces are on the chip


def test_tags_by_hand():
    """Every tag is read, compared with 0, leaks and is written in every tick that learns."""
    cells = Population("out", 2, (State("v"), State("r", start=3)), Threshold(1 << 14, "v"))
    rule = Plasticity(Term(numerator=5), eligibility=Eligibility("post.r", Leak(2, 3), shift=2))
    net = made([Population("in", 3, (), Regular(2)), cells], [Projection("in", "out", "v", initial=1, plasticity=rule)])
    net.run(8)
    done = net.counters()["projections"][0]
    tags, changed, used = 6 * 8, done["tags_changed"], done["consolidated"]
    assert used > 0
    counts = net.counts()
    assert counts.total("read", memory="tag") == tags + done["attempted_pre"]
    assert counts.total("write", memory="tag") == tags + changed
    assert counts.ops[Op(0, "update", "multiply", 16, 2)] == counts.ops[Op(0, "update", "shift", 18)] == tags
    assert counts.ops[Op(0, "update", "update_pair", 16, 16)] == used
    assert counts.total("read", memory="weight", phase="update") == used
    assert net.layout().bits("tag") == 6 * 16


def test_kernels_of_time_remember_last_spikes():
    up, down = Kernel(((3, 2, 1), (9, 1, 1))), Kernel(((3, 2, -1),))
    cells = lif("out", 4, threshold=30, leak=Leak(4))
    net = made(
        [Population("in", 2, (), Regular(3)), cells],
        [Projection("in", "out", initial=20, plasticity=kernel_stdp(up, down))],
    )
    net.run(30)
    done = net.counters()["projections"][0]
    compares = net.counts().by(lambda op: (op.phase, op.action, op.bits))["update", "compare", 32]
    assert compares == done["evaluated_pre"] + 2 * done["evaluated_post"]
    assert net.layout().bits("state") == 4 * 16 + (2 + 4) * 32
    assert ops_of(net, "in") == {("forward", "write", 32, 0, "state"): 20}


# ---------------------------------------------------------------------- synaptic operations


def recurrent(delay=0, **knobs):
    """A sparse recurrent network that is driven by Poisson spikes."""
    cells = lif("cells", 60, threshold=150, leak=Leak(4), current=Leak(2), refractory=3)
    driven = Projection("in", "cells", "g", initial=(50, 120), connect=Connect("random", probability=0.3), **knobs)
    within = Projection("cells", "cells", "g", initial=(-60, 60), connect=Connect("random", fan_out=12), delay=delay)
    return made([Population("in", 40, (), Poisson(1 << 12)), cells], [driven, within])


def test_synaptic_operations_are_spikes_times_fan_out():
    net = recurrent()
    spikes = net.run(200)
    expected = [int(sum(np.diff(net.synapses(p).start)[spikes[name][1]])) for p, name in enumerate(("in", "cells"))]
    assert min(expected) > 1000
    counts = net.counts()
    assert [counts.total("synaptic_event", layer=p) for p in range(2)] == expected
    assert counts.total("add", layer=0) == expected[0]
    assert [int(e @ np.diff(net.synapses(p).start)) for p, e in enumerate(counts.events[:2])] == expected


def joined_to_all(spec):
    """The same network with error lines from all to all, as the published formula has them."""
    wide = (p.replace(connect=Connect()) if p.phase == "error" else p for p in spec.projections)
    return spec.replace(projections=tuple(wide))


def two_ways(weights, shares="up", plasticity=None, delay=2, pairs=((0, 0, 1), (0, 2, 1)), **more):
    """Two sources of 2 neurons onto 3 cells through the same three pairs, or others."""
    sources = [Population(name, 2, (), Regular(3)) for name in ("plus", "minus")]
    cells = Population("out", 3, (State("v", Leak(3), reset=0),), Threshold(40))
    joined = [
        Projection(source, "out", "v", Fixed(8, 0), np.array(w), Pairs(*by), d, phase="feedback", plasticity=plasticity, name=name, shares=borrows, **m)
        for source, w, by, d, name, borrows, m in (
            ("plus", (5, -5, 5), ((0, 0, 1), (0, 2, 1)), 2, "up", "", {}),
            ("minus", weights, pairs, delay, "down", shares, more),
        )
    ]  # fmt: skip
    return made([*sources, cells], joined)


def test_shared_lists_are_held_once():
    """Three addresses of 2 bits and three row starts of 2; a sign each, as there is one magnitude: once for both where it serves both."""
    lists, sign, word = 3 * 2 + 3 * 2, 3, 3 * 8
    assert two_ways((-5, 5, -5), shares="").layout().bits("feedback") == 2 * (lists + sign)
    for weights, held in (((-5, 5, -5), lists + sign), ((5, -5, 5), lists + sign), ((5, 5, -5), lists + 2 * sign), ((1, 2, 3), lists + sign + word)):  # fmt: skip
        net, alone = two_ways(weights), two_ways(weights, shares="")
        assert net.layout().bits("feedback") == held
        assert net.layout().bits("spike") == alone.layout().bits("spike") > 0
        for one in (net, alone):
            one.run(20)
        assert net.counts().ops == alone.counts().ops  # what is read does not change
        assert np.array_equal(net.state("out", "v"), alone.state("out", "v"))
    learns = Plasticity(Term(shift=4))
    assert two_ways((-5, 5, -5), plasticity=learns).layout().bits("feedback") == lists + 2 * word


def test_feedback_of_erbp_is_one_crossbar():
    for adaptive, words in ((False, 1), (True, 2), ("stdp", 2)):
        spec = Erbp(n_in=4, hidden=(5,), classes=3, adaptive=adaptive).network()
        net = SpikingNetwork(spec)
        layer, other = (net.layer_names.index(f"{error}->hidden0") for error in ("positive", "negative"))
        layout, n = net.layout(), len(net.weights("positive->hidden0"))
        assert layout.bits("feedback", other) == (words - 1) * 8 * n
        assert layout.bits("feedback", layer) == n * (1 if words == 1 else 8) + n * 3 + 4 * n.bit_length()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: two_ways((1, 1, 1), shares="down"), "projection down: shares='down': must be one of up"),
        (lambda: two_ways((1, 1, 1), delay=1), "projection down: shares='up': its delays are others"),
        (
            lambda: two_ways((1, 1, 1), pairs=((0, 1, 1), (0, 2, 1))),
            "projection down: shares='up': its pairs are others",
        ),
    ],
)
def test_lists_that_could_not_be_one_are_refused(make, message):
    with pytest.raises(NeurosimError, match=message):
        make()


@pytest.mark.parametrize("wide", [True, False])
def test_synops_of_event_driven_random_backpropagation(wide):
    """n_vis N_h + n_hid N_out + 2 n_out N_out + n_err (N_out + N_h): SynOps in the published plot script of eRBP.

    There every error line joins all classes; with lines one to one N_out is 1 there. Spikes of labels, which it leaves out, are
    known by their projections.
    """
    n_h, n_out = 12, 4
    settings = Erbp(
        16, (n_h,), n_out, threshold=200, blank_out=0, error_threshold=300, reach=(60, 60),
        feedback=FeedbackCrossbar(values="+-1", density=1.0),
    )  # fmt: skip
    spec = joined_to_all(settings.network()) if wide else settings.network()
    net = SpikingNetwork(spec)
    images = np.random.default_rng(0).integers(1000, 9000, (5, 16))
    net.present(images, [0, 1, 2, 3, 0], ticks=120, output="out")
    counters = net.counters()["populations"]
    vis, hid, out, label, pos, neg = (int(counters[spec.number(n)]["spikes"].sum()) for n in ("data", "hidden0", "out", "label", "positive", "negative"))  # fmt: skip
    assert min(vis, hid, out, label, pos, neg) > 0
    counts, lines = net.counts(), n_out if wide else 1
    of_labels = sum(
        counts.total("synaptic_event", layer=p) for p, x in enumerate(spec.projections) if x.source == "label"
    )
    published = vis * n_h + hid * n_out + 2 * out * lines + (pos + neg) * (lines + n_h)
    assert of_labels == 2 * label * lines
    assert counts.total("synaptic_event") - of_labels == published
    codes = {(op.bits, op.phase) for op in counts.ops if op.action == "error_code"}
    assert codes == {(1, "error")}
    assert counts.total("error_code") == 2 * (label + out) + pos + neg
    assert counts.total("event", phase="feedback") == pos + neg


def test_fixed_lines_of_one_magnitude_hold_signs():
    spec = Erbp(16, (12,), 4).network()
    net = SpikingNetwork(spec)
    bits = {
        name: net.layout().bits("weight", p) + net.layout().bits("feedback", p)
        for p, name in enumerate(net.layer_names)
    }
    entries = np.count_nonzero(Erbp().feedback.draw(0, 0, 4, 12))
    assert bits["forward0"] == 16 * 12 * 8
    assert bits["label->positive"] == 0
    lists = entries * 4 + 5 * max(1, int(entries).bit_length())
    assert bits["positive->hidden0"] == entries + lists


def test_fixed_lines_are_held_by_what_they_are_now():
    cells = Population("out", 6, (State("v"),), Threshold(1 << 14))
    lines = Projection("in", "out", initial=7, connect=Connect("random", probability=0.5), phase="error")
    net = made([Population("in", 4, (), Regular(1)), cells], [lines])
    start, n = net.save(), len(net.synapses(0).target)
    assert net.layout().bits("weight") == 0
    net.set_weights(0, np.arange(n) % 2 * 14 - 7)
    assert net.layout().bits("weight") == n
    net.set_weights(0, np.arange(n))
    assert net.layout().bits("weight") == 8 * n
    net.restore(start)
    assert net.layout().bits("weight") == 0


@pytest.mark.parametrize(("storage", "reads"), [("bitmap", 2 * 4 * 6), ("addresses", None), ("regenerated", 0)])
def test_a_single_bit_crossbar_is_read_as_it_is_held(storage, reads):
    crossbar = FeedbackCrossbar(values="+-1", density=0.5, storage=storage)
    cells = Population("out", 6, (State("v"),), Threshold(1 << 14))
    net = made(
        [Population("in", 4, (), Regular(1)), cells],
        [Projection("in", "out", initial=7, connect=crossbar, phase="feedback")],
    )
    net.run(1)
    counts, joined = net.counts(), len(net.synapses(0).target)
    arrivals = net.counters()["projections"][0]["arrivals"]
    found = counts.total("read", memory="feedback")
    assert found == (2 * joined + 2 * arrivals if reads is None else reads * arrivals // 4)
    assert counts.total("random_word") == (6 * arrivals if storage == "regenerated" else 0)
    held = net.layout().bits("feedback")
    assert held == {"bitmap": 48, "regenerated": 0}.get(storage, held)


# ---------------------------------------------------------------------- one knob at a time


def difference(one, other):
    """(action, memory) of what two networks count differently, whatever the widths."""
    a, b = ({}, {})
    for net, into in ((one, a), (other, b)):
        into.update(net.counts().by(lambda op: (op.layer, op.phase, op.action, op.memory)))
    return {key[2:] for key in a.keys() | b.keys() if a.get(key, 0) != b.get(key, 0)}


def test_half_the_weight_bits_change_the_weight_memory_alone():
    wide, narrow = (recurrent(weight=Fixed(bits, 0)) for bits in (16, 8))
    for net in (wide, narrow):
        net.run(100)
    assert difference(wide, narrow) == set()
    a, b = (n.layout() for n in (wide, narrow))
    assert a.bits("weight", 0) == 2 * b.bits("weight", 0)
    assert a.bits() - b.bits() == b.bits("weight", 0)
    costs = [price(n.counts(), None, n.layout(), load("digital_45nm")).energy_by_component for n in (wide, narrow)]
    ours = len(wide.synapses(1).target)
    reads = [n.counts().total("read", memory="weight", layer=0) for n in (wide, narrow)]
    assert reads[0] == reads[1] > ours
    assert costs[0]["weight memory"].nominal > costs[1]["weight memory"].nominal
    for part in ("arithmetic", "state memory", "communication"):
        assert costs[0][part] == costs[1][part]


def test_half_the_spikes_halve_events_and_leave_neurons():
    def net(period):
        cells = Population("out", 10, (State("v", Leak(4)),), Threshold(1 << 14))
        found = made([Population("in", 20, (), Regular(period)), cells], [Projection("in", "out", initial=1)])
        found.run(100)
        return found.counts()

    often, seldom = net(5), net(10)
    assert often.ops.keys() == seldom.ops.keys()
    for op, n in often.ops.items():
        assert seldom.ops[op] == (n // 2 if op.layer == 0 else n)


def test_half_the_ticks_halve_everything_of_a_regular_network():
    net = made(
        [Population("in", 8, (), Regular(2)), Population("o", 3, (State("v", Leak(4)),), Threshold(1 << 14))],
        [Projection("in", "o")],
    )
    net.run(40)
    before = net.counts()
    net.run(40)
    later = net.counts().since(before, samples=1)
    assert later.ops == before.ops
    assert later.ticks == before.ticks == 40
    with pytest.raises(NeurosimError, match="must not be negative"):
        before.since(net.counts())


# ---------------------------------------------------------------------- random networks


def test_random_words_are_those_of_the_kernels():
    """Words and lanes that are derived a rule and side at a time sum to what the kernels drew."""
    lively = 0
    for case in cases(60, "counts"):
        net = SpikingNetwork(case.spec)
        net.run(case.ticks, learn=case.learn)
        counts = net.counts() if case.learn else net.test_counts()
        for p, done in enumerate(net.counters()["projections"]):
            crossbar = case.spec.projections[p].connect
            drawn = isinstance(crossbar, FeedbackCrossbar) and crossbar.storage == "regenerated"
            if drawn or (not case.learn and case.spec.projections[p].phase != "forward"):
                continue
            assert counts.total("random_word", layer=p) == done["random_words"] + done["random_lanes"]
            assert counts.total("synaptic_event", layer=p) == done["events"]
            assert counts.total("weight_changed", layer=p) == done["changed"]
            lively += done["random_lanes"]
        for model in ("digital_45nm", "digital_28nm"):
            cost = price(counts, None, net.layout(), load(model)) if counts.samples else None
            assert cost is None or cost.energy_pj_per_sample > 0
        again = OpCounts.from_dict(json.loads(json.dumps(counts.to_dict())))
        assert (again.ops, again.ticks) == (counts.ops, counts.ticks)
        assert Layout.from_dict(json.loads(json.dumps(net.layout().to_dict()))) == net.layout()
    assert lively > 1000


# ---------------------------------------------------------------------- prices


@pytest.mark.parametrize("model", MODELS)
def test_parts_sum_to_the_total_and_all_of_it_is_somewhere(model):
    net = SpikingNetwork(Erbp(16, (12,), 4, threshold=200, reach=(60, 60)).network())
    images = np.random.default_rng(0).integers(1000, 9000, (3, 16))
    net.present(images, [0, 1, 2], ticks=60, output="out")
    net.present(images, ticks=60, output="out", learn=False)
    cost = price(net.counts(), net.test_counts(), net.layout(), load(model))
    for groups in (cost.energy_by_phase, cost.energy_by_layer, cost.energy_by_component):
        assert math.isclose(math.fsum(b.nominal for b in groups.values()), cost.energy_pj_per_sample, rel_tol=1e-12)
    assert set(cost.energy_by_phase) == {"forward", "error", "feedback", "update"}
    assert {p.phase for p in cost.inference_energy} == {"forward"}
    assert 0 < cost.inference_energy_pj_per_sample < cost.energy_pj_per_sample
    assert cost.band["energy_pj_per_sample"].low < cost.band["energy_pj_per_sample"].high
    cores = dict(zip(net.layer_names, cost.cores, strict=True))
    assert cores == {name: int(name in ("hidden0", "out", "positive", "negative")) for name in net.layer_names}


def test_without_plasticity_nothing_is_updated():
    net = recurrent()
    net.run(50)
    cost = price(net.counts(), None, net.layout(), load("digital_28nm"))
    assert {op.phase for op in net.counts().ops} == {"forward"} == set(cost.energy_by_phase)


def test_packets_hop_once_a_tick():
    """The way's latency stands once in every tick in which a layer's packets may travel; two ticks by hand, the core at the input port."""
    net = made(
        [Population("in", 1, (), Regular(1)), Population("out", 1, (State("v"),), Threshold(99))],
        [Projection("in", "out")],
    )
    net.run(2)
    model = load("digital_45nm")
    stages = {s.layer: s for s in price(net.counts(), None, net.layout(), model).latency}
    hop, cycle = model.spec.fabric.tile.latency.latency_ns, 1000 / model.spec.core.clock_mhz
    fill = 2 * model.spec.core.pipeline * cycle  # once a tick, too
    assert stages[0].nominal == pytest.approx(2 * cycle + 2 * hop + fill)  # a packet a cycle, two of them
    assert (stages[2].unit, stages[2].nominal) == ("state memory", cycle + fill)  # states do not travel


def test_projections_stand_on_the_cores_of_their_target():
    """600 neurons need 3 cores of 256; the weights of two projections, 600 x 400 x 8 bits each, need 8 of 64 KB."""
    cells = Population("out", 600, (State("v"),), Threshold(1 << 14))
    sources = [Population(name, 400, (), Regular(50)) for name in ("a", "b")]
    for joined, cores in ((("a", "b"), 8), (("a",), 4), ((), 3)):
        net = made([*sources, cells], [Projection(name, "out") for name in joined])
        net.run(60)
        assert sum(price(net.counts(), None, net.layout(), load("digital_45nm")).cores) == cores


@pytest.mark.parametrize("places", [(0,), (1, 1, 5), (1, 2, 2)])
def test_places_that_make_no_sense_are_refused(places):
    layout = Layout((4, 4, 4), (1, 1, 1), (), 1, (0, 0, 0), ((), (), ()), places)
    with pytest.raises(NeurosimError, match=r"layout\.places"):
        price(OpCounts(1, 0, {Op(0, "forward", "add", 8): 1}), None, layout, load("digital_45nm"))


# ---------------------------------------------------------------------- what belongs to which run


def test_training_and_testing_are_kept_apart():
    spec = Erbp(16, (12,), 4, threshold=200, reach=(60, 60)).network()
    images, labels = np.random.default_rng(0).integers(1000, 9000, (4, 16)), [0, 1, 2, 3]
    net = SpikingNetwork(spec)
    net.present(images, labels, ticks=50, burn_in=10, output="out")
    trained = net.counts()
    assert (trained.samples, trained.ticks, trained.steps) == (4, 200, 160)
    assert net.test_counts().samples == 0
    net.present(images[:3], ticks=40, burn_in=5, output="out", learn=False)
    assert net.counts().to_dict() == trained.to_dict()
    tested = net.test_counts()
    assert (tested.samples, tested.ticks, tested.steps) == (3, 120, 0)
    assert {op.phase for op in tested.ops} == {"forward"}
    assert not any(codes.any() for codes in tested.error_codes)
    events = sum(c["events"] for c in net.counters()["projections"])
    of_errors = sum(
        c["events"]
        for c, p in zip(net.counters()["projections"], spec.projections, strict=True)
        if p.phase != "forward"
    )
    forward = trained.total("synaptic_event", phase="forward") + tested.total("synaptic_event")
    assert forward == events - of_errors
    other = SpikingNetwork(spec)
    other.restore(net.save())
    assert other.counts().to_dict() == trained.to_dict()
    assert other.test_counts().to_dict() == tested.to_dict()


def test_real_numbers_are_no_hardware():
    net = SpikingNetwork(SpikingSpec((lif("a", 2, threshold=5, leak=None),)), real=True)
    net.run(3)
    for ask in (net.counts, net.test_counts, net.layout):
        with pytest.raises(NeurosimError, match="integer hardware"):
            ask()


def test_counts_of_the_first_version_are_read():
    old = {"schema": 1, "samples": 2, "ops": [{"layer": 0, "phase": "forward", "action": "add", "bits": 8, "count": 5}]}
    assert OpCounts.from_dict(old).total("add") == 5
    with pytest.raises(NeurosimError, match="this version reads 1, 2"):
        OpCounts.from_dict({**old, "schema": 3})


def test_gates_outside_and_two_of_them_are_two_compares_each():
    term = Term("post.u", gates=(Gate("post.v", -5, 5), Gate("pre.x", -1, 1, outside=True)))
    cells = Population("out", 2, (State("v"), State("u", start=1)), Threshold(99, "v"))
    source = Population("in", 2, (State("x", start=4),), Regular(1))
    net = made([source, cells], [Projection("in", "out", "v", plasticity=Plasticity(term))])
    net.run(3)
    done = net.counters()["projections"][0]
    assert net.counts().total("compare", phase="update") == 2 * done["gates"] == 2 * 2 * 12
