"""Spiking networks: the slow twin by hand, descriptions that are refused, and the kernels against the twin (docs/spiking.md)."""

import copy
import importlib.util
import random

import numpy as np
import pytest

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.neurons import Events, Flow, Leak, Poisson, Population, Regular, State, Threshold, lif, trace
from neurosim.spiking.plasticity import (
    Eligibility,
    Gate,
    Kernel,
    Plasticity,
    Term,
    kernel_stdp,
    pair_stdp,
)
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec
from tests.naive_spiking import NaiveSpiking, divided, synapses
from tests.spiking_twin import (
    Case,
    a_sample,
    a_table,
    as_dict,
    compare,
    liveliness,
    random_case,
    same,
    same_network,
    same_raster,
)

KERNELS = importlib.util.find_spec("neurosim.spiking.network") is not None
NEAREST = Fixed(8, 0, rounding="nearest")


def naive(spec, ticks=0, *, learn=True):
    """The slow twin after so many ticks; the kernels, where there are any, are the same there."""
    twin = NaiveSpiking(as_dict(spec))
    twin.run(ticks, learn=learn)
    if KERNELS:
        from neurosim.spiking.network import SpikingNetwork

        compare(Case(spec, ticks, learn), SpikingNetwork)
    return twin


def spikes_of(spec, ticks, population):
    """[(tick, neuron)] of a population."""
    naive(spec, ticks)
    return [(t, i) for t, p, i in NaiveSpiking(as_dict(spec)).run(ticks) if p == spec.number(population)]


def by_tick(spec, ticks, look, *, learn=True):
    """look(twin) after each tick."""
    naive(spec, ticks, learn=learn)
    twin, found = NaiveSpiking(as_dict(spec)), []
    for _ in range(ticks):
        twin.run(1, learn=learn)
        found.append(look(twin))
    return found


def source(*ticks, name="pre", states=(), **fields):
    """One neuron that spikes in these ticks."""
    return Population(name, 1, tuple(states), Events(ticks, [0] * len(ticks)), **fields)


def one_neuron(*states, threshold=1 << 20, name="post", **fields):
    return Population(name, 1, states, Threshold(threshold), **fields)


# ---------------------------------------------------------------- neurons, by hand


@pytest.mark.parametrize(("delay", "seen"), [(0, [0, 3, 3, 3, 3]), (1, [0, 0, 3, 3, 3]), (2, [0, 0, 0, 3, 3])])
def test_a_spike_arrives_after_its_delay_and_acts_in_the_next_update(delay, seen):
    joined = Projection("pre", "post", initial=3, delay=delay)
    spec = SpikingSpec((source(0), one_neuron(State("v", bits=32))), (joined,))
    assert by_tick(spec, 5, lambda twin: twin.states[1][0][0]) == seen
    spiking = spec.replace(populations=(source(0), one_neuron(State("v", reset=0), threshold=3)))
    assert spikes_of(spiking, 5, "post") == [(delay + 1, 0)]


@pytest.mark.parametrize(("holds", "ticks"), [(True, [2, 8, 14]), (False, [2, 6, 10, 14])])
def test_refractory(holds, ticks):
    # Rises by 1 a tick to 3 in tick 2, then 3 ticks without a spike. Held: it starts again from 0 in tick 6; else it has 4 by then.
    neuron = one_neuron(State("v", bias=1, reset=0, holds=holds), threshold=3, refractory=3)
    assert spikes_of(SpikingSpec((neuron,)), 16, "post") == [(t, 0) for t in ticks]


def test_a_neuron_can_spike_again_r_plus_one_ticks_later():
    for r in range(4):
        neuron = one_neuron(State("v", bias=1, reset=0, holds=True), threshold=1, refractory=r)
        assert spikes_of(SpikingSpec((neuron,)), 12, "post") == [(t, 0) for t in range(0, 12, r + 1)]
        every = source(*range(12), refractory=r)
        assert spikes_of(SpikingSpec((every,)), 12, "pre") == [(t, 0) for t in range(0, 12, r + 1)]


def test_what_arrives_at_a_held_state_is_lost():
    # Spikes in tick 0 by its start value and is held in ticks 1 and 2, where the input of ticks 0 and 1 would act; that of tick 2 acts in 3.
    for holds, seen, ticks in ((True, [0, 0, 0, 5], [0]), (False, [0, 5, 10, 0], [0, 3])):
        neuron = one_neuron(State("v", start=12, reset=0, holds=holds), threshold=12, refractory=2)
        spec = SpikingSpec((source(0, 1, 2), neuron), (Projection("pre", "post", initial=5),))
        assert by_tick(spec, 4, lambda twin: twin.states[1][0][0]) == seen
        assert spikes_of(spec, 4, "post") == [(t, 0) for t in ticks]


@pytest.mark.parametrize(
    ("after", "ticks", "left"),
    [({"reset": 0}, [1, 3, 5, 7], 0), ({"jump": -8}, [1, 3, 4, 6, 7], 0), ({}, [1, 2, 3, 4, 5, 6, 7], 40)],
)
def test_reset_and_jump(after, ticks, left):
    # 5 a tick, threshold 8. Reset: 5 10>0 5 10>0. Jump: 5 10>2 7 12>4 9>1 6 11>3 8>0. Neither: it stays above.
    spec = SpikingSpec((one_neuron(State("v", bias=5, **after), threshold=8),))
    assert spikes_of(spec, 8, "post") == [(t, 0) for t in ticks]
    assert naive(spec, 8).states[0][0][0] == left


@pytest.mark.parametrize(
    ("rounding", "start", "seen"),
    [
        ("floor", 10, [8, 6, 5, 4, 3, 3, 3]),
        ("zero", 10, [8, 6, 5, 4, 3, 3, 3]),
        ("away", 10, [7, 5, 3, 2, 1, 0, 0]),
        ("least", 10, [8, 6, 5, 4, 3, 2, 1, 0, 0]),
        ("floor", -10, [-7, -5, -3, -2, -1, 0, 0]),
        ("zero", -10, [-8, -6, -5, -4, -3, -3]),
        ("away", -10, [-7, -5, -3, -2, -1, 0, 0]),
        ("least", -10, [-8, -6, -5, -4, -3, -2, -1, 0, 0]),
    ],
)
def test_a_quarter_leaks_by_each_rounding(rounding, start, seen):
    spec = SpikingSpec((one_neuron(State("v", Leak(2, rounding=rounding), start=start)),))
    assert by_tick(spec, len(seen), lambda twin: twin.states[0][0][0]) == seen


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_least_always_ends_at_zero_and_floor_does_not(bits):
    for shift in (1, 4, 7):
        for x in (1, -1, (1 << (bits - 1)) - 1, -(1 << (bits - 1)) + 1):
            y, z = x, x
            for _ in range(bits << shift):
                y, z = y - divided(y, shift, "least"), z - divided(z, shift, "floor")
            assert y == 0
            assert z == (0 if x < 0 else min(x, 2**shift - 1))


@pytest.mark.parametrize(("rounding", "down"), [("floor", -2), ("zero", -1), ("away", -2), ("least", -1)])
def test_flows_read_what_states_are_now(rounding, down):
    # a is 1 after its update, so b gets 2 * 1 in the same tick; e comes before a and gets nothing yet; d is -3/2 of a.
    states = (
        State("e", flows=(Flow("a", -1),)),
        State("a", bias=1),
        State("b", flows=(Flow("a", -1),)),
        State("d", flows=(Flow("a", 1, -3, rounding),)),
    )
    spec = SpikingSpec((one_neuron(*states),))
    assert naive(spec, 1).states[0] == [[0], [1], [2], [down]]
    assert naive(spec, 2).states[0][:3] == [[2], [2], [6]]


def test_states_saturate():
    spec = SpikingSpec(
        (one_neuron(State("v", bias=100, bits=8), State("u", bias=-100, low=-30, high=7), State("x", jump=9)),)
    )
    assert naive(spec, 2).states[0][:2] == [[127], [-30]]
    jumping = SpikingSpec(
        (source(0, 1, 2, states=(State("x", jump=100, bits=8), State("y", jump=-100, low=-5, high=5))),)
    )
    assert naive(jumping, 3).states[0] == [[127], [-5]]


def test_sources():
    spec = SpikingSpec(
        (
            Population("regular", 3, (), Regular([3, 0, 1], [2, 0, 7])),
            Population("certain", 2, (), Poisson([1 << 16, 0])),
            Population("listed", 3, (), Events([1, 1, 1, 4], [2, 0, 2, 1])),
        )
    )
    assert spikes_of(spec, 9, "regular") == [(2, 0), (5, 0), (7, 2), (8, 0), (8, 2)]
    assert spikes_of(spec, 4, "certain") == [(t, 0) for t in range(4)]
    assert spikes_of(spec, 9, "listed") == [(1, 0), (1, 2), (4, 1)]


def test_poisson_rates_and_noise_have_their_means():
    spec = SpikingSpec(
        (
            Population("drawn", 20, (), Poisson(1 << 14)),
            Population("noisy", 20, (State("v", Leak(0), noise=3, bits=8),), Threshold(100)),
        )
    )
    twin = NaiveSpiking(as_dict(spec))
    values = []
    for _ in range(200):
        twin.run(1)
        values += twin.states[1][0]
    assert set(values) == set(range(-3, 4))
    assert abs(np.mean(values)) < 4 * 2 / np.sqrt(4000)
    share = sum(twin.population_counts[0]["spikes"]) / 4000
    assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)


# ---------------------------------------------------------------- synapses, by hand


@pytest.mark.parametrize(("gain", "arrives"), [(0, -3), (2, -12), (-1, -2), (-15, -1)])
def test_gain(gain, arrives):
    spec = SpikingSpec((source(0), one_neuron(State("v"))), (Projection("pre", "post", initial=-3, gain=gain),))
    assert naive(spec, 2).states[1][0][0] == arrives


def test_projections_onto_one_state_add_up_and_others_do_not_mix():
    post = one_neuron(State("g"), State("v"))
    joined = tuple(Projection("pre", "post", state, initial=w) for state, w in (("g", 3), ("g", -7), ("v", 5)))
    assert naive(SpikingSpec((source(0), post), joined), 2).states[1] == [[-4], [5]]


def plastic(rule, *, pre, post, **fields):
    return SpikingSpec(
        (pre, post), (Projection("pre", "post", fields.pop("state", "u"), NEAREST, 10, plasticity=rule, **fields),)
    )


def test_pair_stdp_and_coincidence():
    # x, y halve each tick and jump by 8 after a spike. Tick 1: x=4, w=11. Tick 2, both spike: y=4 takes 1, x=2 adds 1/2, that is 0: a
    # spike does not see its own trace. Tick 3: x=(2+8)/2=5 adds 1.
    pre = source(0, 2, states=(State("x", Leak(1), jump=8),))
    post = source(1, 2, 3, name="post", states=(State("y", Leak(1), jump=8), State("u")))
    spec = plastic(pair_stdp("x", "y", 2, 2), pre=pre, post=post)
    assert by_tick(spec, 4, lambda twin: twin.weights[0][0]) == [10, 11, 10, 11]
    twin = naive(spec, 4)
    assert twin.states == [[[5]], [[14], [20]]]  # u got 10 of tick 0, and of tick 2 the 10 after on_pre, before on_post
    assert twin.counts[0] == {
        "arrivals": 2, "events": 2, "blanked": 0, "evaluated_pre": 2, "evaluated_post": 3, "attempted_pre": 1, "attempted_post": 3,
        "gates": 0, "changed": 3, "tags_changed": 0, "consolidated": 0, "random_words": 0, "random_lanes": 0,
    }  # fmt: skip
    assert twin.population_counts == [{"ticks": 4, "spikes": [2]}, {"ticks": 4, "spikes": [3]}]
    assert naive(spec, 4, learn=False).weights == [[10]]


def test_the_weight_arrives_as_on_pre_has_left_it():
    spec = plastic(Plasticity(Term("1", numerator=3)), pre=source(0), post=source(name="post", states=(State("u"),)))
    assert naive(spec, 2).states[1][0][0] == 13


@pytest.mark.parametrize(("delay", "seen"), [(0, [10, 10, 10, 12, 12, 10, 10]), (1, [10, 10, 10, 12, 12, 14, 10])])
def test_kernels_go_from_spike_to_spike(delay, seen):
    # Tick 3: 3 after the source's spike, +2. Tick 5: at the target 5 after it, +2 (the spike of tick 5 is not its past). At an arrival, -4
    # where the target spiked 1 or 2 ticks ago, by tick 5 (delay 0: its spike of tick 3) or 6 (delay 1: its spike of tick 5).
    rule = kernel_stdp(up=Kernel(((2, 3, 1), (5, 1, 1))), down=Kernel(((2, 2, -1),)))
    spec = plastic(rule, pre=source(0, 5), post=source(3, 5, name="post", states=(State("u"),)), delay=delay)
    assert by_tick(spec, 7, lambda twin: twin.weights[0][0]) == seen


@pytest.mark.parametrize(("outside", "seen"), [(False, [11, 11, 11, 11]), (True, [10, 11, 12, 13])])
def test_gates_are_open_strictly_between(outside, seen):
    rule = Plasticity(Term("1", gates=(Gate("post.z", 0, 2, outside),)))  # z is 1, 2, 3, 4
    post = one_neuron(State("u"), State("z", bias=1))
    assert by_tick(plastic(rule, pre=source(0, 1, 2, 3), post=post), 4, lambda twin: twin.weights[0][0]) == seen
    assert naive(plastic(rule, pre=source(0, 1, 2, 3), post=post), 4).counts[0]["gates"] == 4


@pytest.mark.parametrize(("z", "w"), [(-5, 6), (-20, 2), (3, 12), (1, 11), (0, 10)])
def test_errors_pass_a_quantiser(z, w):
    q = Quantiser(3, alpha=8.0, thresholds="floor")  # 8, 4, 2, 1
    rule = Plasticity(Term("post.z", error=q))
    assert naive(plastic(rule, pre=source(0), post=one_neuron(State("u"), State("z", start=z))), 1).weights == [[w]]


def test_weights_stop_at_their_bounds():
    post = one_neuron(State("u"))
    for m, seen in ((4, [12, 12]), (-4, [8, 8])):
        spec = plastic(Plasticity(Term("1", numerator=m)), pre=source(0, 1), post=post, low=8, high=12)
        assert by_tick(spec, 2, lambda twin: twin.weights[0][0]) == seen


def test_eligibility_turns_into_weight_by_reward():
    # Tag 4 in tick 0, halved after each consolidation: +4*2/4, +2*2/4, then 1/2 that rounds to 0; the tag stays at 1 by its floor.
    rule = Plasticity(Term("1", numerator=4), eligibility=Eligibility("post.r", Leak(1), shift=2))
    post = one_neuron(State("u"), State("r", start=2))
    spec = plastic(rule, pre=source(0), post=post)
    assert by_tick(spec, 4, lambda twin: (twin.weights[0][0], twin.tags[0][0])) == [(12, 2), (13, 1), (13, 1), (13, 1)]
    assert naive(spec, 4).counts[0]["consolidated"] == 4
    assert naive(spec, 4, learn=False).tags == [[0]]


def test_stochastic_rounding_takes_each_row_once():
    rule = Plasticity(Term("1", numerator=1, shift=2))
    spec = SpikingSpec(
        (Population("pre", 3, (), Regular(1)), Population("post", 50, (State("u"),), Threshold(1 << 20))),
        (Projection("pre", "post", weight=Fixed(16, 0, rounding="stochastic"), initial=0, plasticity=rule),),
    )
    twin = naive(spec, 40)
    assert twin.counts[0]["random_words"] == 3 * 40
    assert twin.counts[0]["random_lanes"] == 3 * 40 * 50
    assert abs(np.mean(twin.weights[0]) - 10) < 0.5


def test_blank_out_stops_transmission_and_learning():
    spec = SpikingSpec(
        (Population("pre", 4, (), Regular(1)), Population("post", 10, (State("u", bits=32),), Threshold(1 << 30))),
        (Projection("pre", "post", initial=1, blank_out=64, plasticity=Plasticity(Term("1")), weight=NEAREST),),
    )
    twin = naive(spec, 50)
    counts = twin.counts[0]
    assert counts["events"] == 2000
    assert abs(counts["blanked"] - 500) < 4 * np.sqrt(2000 * 0.25 * 0.75)
    assert counts["changed"] == counts["attempted_pre"] == 2000 - counts["blanked"] == sum(twin.weights[0]) - 40
    assert counts["random_words"] == 200


def test_a_spike_arrives_once_for_each_delay_of_its_row():
    spec = SpikingSpec(
        (Population("pre", 2, (), Events([0, 1], [0, 0])), Population("post", 4, (State("u"),), Threshold(99))),
        (Projection("pre", "post", connect=Pairs([0, 0, 0, 1], [0, 1, 2, 3]), delay=np.array([0, 2, 2, 0])),),
    )
    assert [c["projections"][0]["arrivals"] for c in by_tick(spec, 4, lambda t: copy.deepcopy(t.counters()))] == [
        1,
        2,
        3,
        4,
    ]
    assert naive(spec, 4).counts[0]["events"] == 6


# ---------------------------------------------------------------- presentations, real numbers


def test_presentations():
    spec = SpikingSpec(
        (
            Population("pixels", 2, (), Poisson(0, "input")),
            Population("label", 2, (), Poisson(0, "label")),
            Population("teacher", 1, (), Events([1], [0])),
            Population("out", 2, (State("v", Leak(0), reset=0),), Threshold(1)),
        ),
        (
            Projection("pixels", "out", connect=Connect("one"), delay=1),
            Projection("label", "out", connect=Connect("one"), initial=-1),
        ),
    )
    full, samples = 1 << 16, [{0: [1 << 16, 0]}, {0: [0, 1 << 16]}, {0: [0, 0]}]
    table = {1: [[0, full], [full, 0]]}
    twin = NaiveSpiking(as_dict(spec))
    # A membrane is what arrived last. The first sample's spikes act from its tick 2 on; two of them are then still in flight, and act in
    # ticks 0 and 1 of the second, before its burn-in ends. Labels inhibit the other output.
    assert twin.present(samples, [0, 1, 0], ticks=5, burn_in=2, output=3, classes=table) == [[3, 0], [0, 3], [0, 0]]
    assert twin.population_counts[2]["spikes"] == [3]  # one in each presentation
    assert twin.population_counts[1]["spikes"] == [5, 10]
    flying = NaiveSpiking(as_dict(spec)).present(samples, ticks=5, output=3, classes=table)
    assert flying == [[3, 0], [2, 3], [0, 2]]
    rested = NaiveSpiking(as_dict(spec)).present(samples, ticks=5, output=3, rest=True, classes=table)
    assert rested == [[3, 0], [0, 3], [0, 0]]
    assert [NaiveSpiking.answer(row) for row in ([3, 0], [0, 3], [2, 2])] == [0, 1, 0]


def test_a_sample_brings_its_events_and_learning_starts_after_the_burn_in():
    pre = Population("pre", 1, (), Events([0], [0], "input"))
    spec = plastic(Plasticity(Term("1")), pre=pre, post=one_neuron(State("u")))
    twin = NaiveSpiking(as_dict(spec))
    twin.present([{0: [(1, 0), (3, 0)]}] * 2, ticks=4, burn_in=2, output=1)
    assert twin.weights == [[12]]
    assert twin.population_counts[0]["spikes"] == [4]


def test_in_real_numbers_nothing_rounds():
    neuron = one_neuron(State("g", Leak(2)), State("v", Leak(1, rounding="least"), flows=(Flow("g", 2, -3),)))
    spec = SpikingSpec((source(0), neuron), (Projection("pre", "post", initial=3, gain=-1),))
    twin = NaiveSpiking(as_dict(spec), real=True)
    twin.run(3)
    assert twin.states[1] == [
        [1.125],
        [-1.125 / 2 - 1.125 * 0.75],
    ]  # g: 1.5, 1.125; v: -1.5 * 3/4 = -1.125, then half of it less g * 3/4
    for z, change in ((-5.0, -4.0), (0.4, 0.0), (6.0, 8.0)):
        q = Quantiser(3, alpha=8.0)  # 8, 4, 2, 1, changed at sqrt(32), sqrt(8), ...
        learning = plastic(
            Plasticity(Term("post.z", numerator=1, shift=3, error=q)),
            pre=source(0),
            post=one_neuron(State("u"), State("z")),
        )
        twin = NaiveSpiking(as_dict(learning), real=True)
        twin.states[1][1][0] = z
        twin.run(1)
        assert twin.weights == [[10 + change / 8]]


# ---------------------------------------------------------------- birth of synapses


def born(spec):
    """Compared integers of all projections, drawn by the description and by the twin."""
    described, compared = as_dict(spec), 0
    for number, p in enumerate(spec.projections):
        sizes = spec.population(p.source).n, spec.population(p.target).n
        found = p.draw(spec.seed, number, *sizes)
        expected = synapses(spec.seed, number, described["projections"][number], *sizes)
        rows = np.repeat(np.arange(sizes[0]), np.diff(found.start))
        for mine, k in ((rows, 0), (found.target, 1), (found.weight, 2), (found.delay, 3)):
            compared += same(f"{p.title}, {k}", mine, [synapse[k] for synapse in expected])
    return compared


CONNECTIONS = (
    Connect(),
    Connect(itself=False),
    Connect("one"),
    *(Connect("random", p, itself=itself) for p in (0.0, 0.1, 0.5, 1.0) for itself in (True, False)),
    *(Connect("random", fan_out=k, itself=itself) for k in (0, 1, 3, 7, 13) for itself in (True, False)),
    Pairs([3, 0, 3, 0, 12, 3], [1, 2, 0, 2, 12, 1]),
    Pairs([], []),
    FeedbackCrossbar(),
    FeedbackCrossbar(values="+-1", density=0.7),
    FeedbackCrossbar(values="+-1", fan_in=4),
    FeedbackCrossbar(4, density=0.5),
    FeedbackCrossbar(5, fan_in=13),
)


@pytest.mark.parametrize("connect", CONNECTIONS, ids=str)
def test_synapses_are_the_twins(connect):
    for seed in range(3):
        for initial, delay in ((2, 0), ((-3, 4), (0, 9)), (-1, (5, 5)), ((1, 1), 4095)):
            joined = Projection("a", "a", initial=initial, delay=delay, connect=connect)
            other = joined if connect == Connect("one") else joined.replace(target="b")
            populations = (Population("a", 13, (State("v"),)), Population("b", 29, (State("v"),)))
            born(SpikingSpec(populations, (joined, other), seed))


def test_lists_of_weights_go_by_the_pairs_as_given():
    joined = Projection(
        "a", "a", initial=np.arange(5), delay=np.arange(5) * 2, connect=Pairs([1, 0, 1, 0, 1], [0, 1, 0, 0, 1])
    )
    spec = SpikingSpec((Population("a", 2, (State("v"),)),), (joined,))
    assert born(spec) == 20
    assert joined.draw(0, 0, 2, 2).weight.tolist() == [3, 1, 0, 2, 4]


def test_synapses_of_random_networks_are_the_twins():
    compared = sum(born(spec) for spec, _, _ in cases(150, "born"))
    assert compared > 20_000


# ---------------------------------------------------------------- what is refused

V = State("v")
POST = Population("post", 3, (V,), Threshold(5))
PRE = Population("pre", 2, (State("x", jump=1),), Poisson(100))
JOINED = Projection("pre", "post")


def network(*projections, populations=(PRE, POST), **fields):
    return SpikingSpec(populations, projections, **fields)


def learns(**terms):
    return network(JOINED.replace(plasticity=Plasticity(**terms)))


def draws(n_source=2, n_target=3, **fields):
    return JOINED.replace(**fields).draw(0, 0, n_source, n_target)


def joined_all(connect):
    """More synapses than any memory holds: refused before they are drawn."""
    return Projection("a", "a", connect=connect).draw(0, 0, 1 << 17, 1 << 17)


WIDE = State("v", bits=32)
REFUSED = {
    # neurons
    "leak.shift=31": lambda: Leak(31),
    "leak.shift=-1": lambda: Leak(-1),
    "leak.shift=1.0": lambda: Leak(1.0),
    "leak.shift=True": lambda: Leak(True),
    "leak.numerator=0": lambda: Leak(1, 0),
    "leak.numerator=65536": lambda: Leak(1, 65536),
    "leak.rounding='nearest'": lambda: Leak(1, rounding="nearest"),
    "leak share=0": lambda: Leak.of(0),
    "leak share=1.5": lambda: Leak.of(1.5),
    "leak share=0.0001: must be above 2**-13, of 12 bits; give more bits": lambda: Leak.of(1e-4),
    "leak bits=31": lambda: Leak.of(0.5, 31),
    "population a: threshold=32768: must be a whole number -32767..32767": lambda: lif(
        "a", 1, threshold=1 << 15, leak=None
    ),
    "population a: threshold='8': must be a whole number": lambda: lif("a", 1, threshold="8", leak=None, reset=None),
    "population a: threshold=128: must be a whole number -127..127": lambda: lif(
        "a", 1, threshold=128, leak=None, bits=8
    ),
    "projection a->a: synapses=17179869184: must be a whole number 0..2147483647": lambda: joined_all(Connect()),
    "projection a->a: synapses=8589934592:": lambda: joined_all(Connect("random", probability=0.5)),
    "projection a->a: synapses=2147483648:": lambda: joined_all(Connect("random", fan_out=1 << 14)),
    "erbp.threshold=32768: must be a whole number 1..32767": lambda: Erbp(threshold=1 << 15),
    "erbp.error_threshold=128: must be a whole number 1..127": lambda: Erbp(bits=8, threshold=9, error_threshold=128),
    "term.error.alpha=0.001: no magnitude is above 0": lambda: Term("post.v", error=Quantiser(4, alpha=1e-3)),
    "flow.shift=-17": lambda: Flow("v", -17),
    "flow.shift=31": lambda: Flow("v", 31),
    "flow.numerator=0": lambda: Flow("v", numerator=0),
    "flow.numerator=-65536": lambda: Flow("v", numerator=-65536),
    "flow.rounding='up'": lambda: Flow("v", rounding="up"),
    "state.name='2v'": lambda: State("2v"),
    "state.name='dt'": lambda: State("dt"),
    "state v: bits=1": lambda: State("v", bits=1),
    "state v: bits=33": lambda: State("v", bits=33),
    "state v: low=-2147483648": lambda: State("v", low=-(1 << 31)),
    "state v: high=0.5": lambda: State("v", high=0.5),
    "state v: low=5 is above high=4": lambda: State("v", low=5, high=4),
    "state v: reset=1 and jump=2": lambda: State("v", reset=1, jump=2),
    "state v: reset=128": lambda: State("v", reset=128, bits=8),
    "state v: start=-6": lambda: State("v", start=-6, low=-5),
    "state v: bias=2147483648": lambda: State("v", bias=1 << 31),
    "state v: jump=-2147483648": lambda: State("v", jump=-(1 << 31)),
    "state v: noise=-1": lambda: State("v", noise=-1),
    "state v: noise=16777216": lambda: State("v", noise=1 << 24),
    "poisson.role='output'": lambda: Poisson(0, "output"),
    "poisson.probability=65537": lambda: Poisson(65537),
    "poisson.probability=-1..3": lambda: Poisson([3, -1]),
    "poisson.probability=0.5": lambda: Poisson(0.5),
    "regular.period=-1": lambda: Regular(-1),
    "regular.phase=-2..0": lambda: Regular(3, [0, -2]),
    "events.role='label'": lambda: Events(role="label"),
    "events.ticks and neurons: [2] and [1] numbers": lambda: Events([0, 1], [0]),
    "events.ticks and neurons: [1, 1] and [1, 1] numbers: must be lists": lambda: Events([[0]], [[0]]),
    "events.ticks=-1..0": lambda: Events([-1, 0], [0, 0]),
    "events.ticks=0.5": lambda: Events([0.5], [0]),
    "events.ticks: 3 after 4": lambda: Events([1, 4, 3], [0, 0, 0]),
    "population.name='a b'": lambda: Population("a b", 1, (V,)),
    "population a: n=0": lambda: Population("a", 0, (V,)),
    "population a: n=16777217": lambda: Population("a", (1 << 24) + 1, (V,)),
    "population a: refractory=-1": lambda: Population("a", 1, (V,), refractory=-1),
    "population a: states=['v', 'v']": lambda: Population("a", 1, (V, V)),
    "population a, state v: flow.state='v'": lambda: Population("a", 1, (State("v", flows=(Flow("v"),)),)),
    "population a, state v: flow.state='g'": lambda: Population("a", 1, (State("v", flows=(Flow("g"),)), State("u"))),
    "population a: states=()": lambda: Population("a", 1),
    "population a: threshold.state='u'": lambda: Population("a", 1, (V,), Threshold(1, "u")),
    "threshold.value=2147483648": lambda: Population("a", 1, (V,), Threshold(1 << 31)),
    "population a: probability has shape [3], and it has 2": lambda: Population("a", 2, (), Poisson([1, 2, 3])),
    "population a: period has shape [1], and it has 2": lambda: Population("a", 2, (), Regular([1])),
    "population a: phase has shape [3], and it has 2": lambda: Population("a", 2, (), Regular(1, [1, 2, 3])),
    "population a: events.neurons=0..2": lambda: Population("a", 2, (), Events([0, 1], [0, 2])),
    "events.neurons=-1..0": lambda: Population("a", 2, (), Events([0, 1], [-1, 0])),
    "population post: state='u'": lambda: POST.state("u"),
    # plasticity
    "kernel.segments: 0": lambda: Kernel(()),
    "kernel.segments: 9": lambda: Kernel(tuple((k, 0, 1) for k in range(9))),
    "kernel: until=3": lambda: Kernel(((3, 0, 1), (3, 0, 1))),
    "kernel: until=-1": lambda: Kernel(((-1, 0, 1),)),
    "kernel: exponent=31": lambda: Kernel(((1, 31, 1),)),
    "kernel: exponent=-1": lambda: Kernel(((1, -1, 1),)),
    "kernel: sign=0": lambda: Kernel(((1, 0, 0),)),
    "gate.low=-4294967297": lambda: Gate("post.v", -(1 << 32) - 1, 0),
    "gate.high=2": lambda: Gate("post.v", 3, 2),
    "term.numerator=0": lambda: Term(numerator=0),
    "term.numerator=-65536": lambda: Term(numerator=-65536),
    "term.shift=47": lambda: Term(shift=47),
    "term.shift=-1": lambda: Term(shift=-1),
    "term: 'v'": lambda: Term("v"),
    "term: 'target.v'": lambda: Term("1", "target.v"),
    "term: 'w'": lambda: Term(gates=(Gate("w", 0, 1),)),
    "term.gates: 3": lambda: Term(gates=(Gate("post.v", 0, 1),) * 3),
    "term.error: quantises a state": lambda: Term(Kernel(((1, 1, 1),)), error=Quantiser(3, alpha=1.0)),
    "term.error: quantises a state; give term.of": lambda: Term("1", error=Quantiser(3, alpha=1.0)),
    "term.error.alpha=None": lambda: Term("post.v", error=Quantiser(3)),
    "term.error.base='auto'": lambda: Term("post.v", error=Quantiser(3, alpha=1.0, base="auto")),
    "eligibility.numerator=0": lambda: Eligibility("post.v", numerator=0),
    "eligibility.shift=47": lambda: Eligibility("post.v", shift=47),
    "eligibility.word.bits=17": lambda: Eligibility("post.v", word=Fixed(17, 0)),
    "eligibility.word.bits=1": lambda: Eligibility("post.v", word=Fixed(1, 0)),
    "eligibility.word.signed=False": lambda: Eligibility("post.v", word=Fixed(16, 0, signed=False)),
    "eligibility.word.overflow='wrap'": lambda: Eligibility("post.v", word=Fixed(8, 0, overflow="wrap")),
    "eligibility.factor='pre.x'": lambda: Eligibility("pre.x"),
    "plasticity: on_pre and on_post are both None": lambda: Plasticity(),
    # projections
    "connect.kind='some'": lambda: Connect("some"),
    "connect.kind='random'": lambda: Connect("random"),
    "connect.kind='random': 'random' needs": lambda: Connect("random", 0.5, 3),
    "connect.kind='all'": lambda: Connect("all", 0.5),
    "connect.probability=1.5": lambda: Connect("random", 1.5),
    "connect.probability=nan": lambda: Connect("random", float("nan")),
    "connect.fan_out=-1": lambda: Connect("random", fan_out=-1),
    "pairs: [2] sources and [1] targets": lambda: Pairs([0, 1], [0]),
    "projection pre->post: weight=Fixed(bits=17": lambda: JOINED.replace(weight=Fixed(17, 0)),
    "projection pre->post: weight=Fixed(bits=1,": lambda: JOINED.replace(weight=Fixed(1, 0)),
    "projection pre->post: weight=Fixed(bits=8, frac=0, signed=False": lambda: JOINED.replace(
        weight=Fixed(8, 0, signed=False)
    ),
    "overflow='wrap'": lambda: JOINED.replace(weight=Fixed(8, 0, overflow="wrap")),
    "projection named: gain=17": lambda: JOINED.replace(gain=17, name="named"),
    "projection pre->post: gain=-16": lambda: JOINED.replace(gain=-16),
    "projection pre->post: blank_out=256": lambda: JOINED.replace(blank_out=256),
    "projection pre->post: phase='sideways'": lambda: JOINED.replace(phase="sideways"),
    "projection pre->post: low=-128": lambda: JOINED.replace(low=-128),
    "projection pre->post: high=128": lambda: JOINED.replace(high=128),
    "projection pre->post: low=3 is above high=2": lambda: JOINED.replace(low=3, high=2),
    "projection pre->post: initial=128": lambda: JOINED.replace(initial=128),
    "projection pre->post: initial=-128..0": lambda: JOINED.replace(initial=(-128, 0)),
    "projection pre->post: initial=0.5": lambda: JOINED.replace(initial=0.5),
    "projection pre->post: initial=(3, 2)": lambda: JOINED.replace(initial=(3, 2)),
    "projection pre->post: initial=(1, 2, 3)": lambda: JOINED.replace(initial=(1, 2, 3)),
    "projection pre->post: delay=4096": lambda: JOINED.replace(delay=4096),
    "projection pre->post: delay=-1": lambda: JOINED.replace(delay=-1),
    "projection pre->post: delay=0..4096": lambda: JOINED.replace(delay=(0, 4096)),
    "projection pre->post: delay=0.0..1.5": lambda: JOINED.replace(delay=np.array([0, 1.5])),
    "projection pre->post: entries of its crossbar times initial": lambda: draws(
        8, 8, connect=FeedbackCrossbar(8, density=1.0), initial=100
    ),
    "projection pre->post: pairs.sources=0..2": lambda: draws(connect=Pairs([0, 2], [0, 0])),
    "projection pre->post: pairs.targets=0..3": lambda: draws(connect=Pairs([0, 1], [0, 3])),
    "connect='one': 2 neurons cannot be joined one to one to 3": lambda: draws(connect=Connect("one")),
    "projection pre->post: connect.fan_out=4: the target has 3 neurons": lambda: draws(
        connect=Connect("random", fan_out=4)
    ),
    "projection pre->post: initial has shape [5], and it has 6": lambda: draws(initial=np.ones(5, int)),
    "projection pre->post: delay has shape [7], and it has 6": lambda: draws(delay=np.ones(7, int)),
    "feedback.fan_in=3": lambda: draws(connect=FeedbackCrossbar(fan_in=3)),
    # networks
    "seed=-1": lambda: network(seed=-1),
    "seed=9223372036854775808": lambda: network(seed=1 << 63),
    "populations=[]": lambda: network(populations=()),
    "populations=['post', 'post']": lambda: network(populations=(POST, POST)),
    "projection gone->post: source='gone'": lambda: network(JOINED.replace(source="gone")),
    "projection pre->gone: target='gone'": lambda: network(JOINED.replace(target="gone")),
    "projection pre->bare: bare has no state": lambda: network(
        JOINED.replace(target="bare"), populations=(PRE, Population("bare", 1, (), Poisson(1)))
    ),
    "population post: state='g'": lambda: network(JOINED.replace(state="g")),
    "population='x'": lambda: network().population("x"),
    "projection='x'": lambda: network(JOINED).projection("x"),
    "population pre: state='y'": lambda: learns(on_pre=Term("pre.y")),
    "population post: state='x'": lambda: learns(on_pre=Term("1", "post.x")),
    "population post: state='w'": lambda: learns(on_post=Term(gates=(Gate("post.w", 0, 1),))),
    "population post: state='reward'": lambda: learns(on_pre=Term(), eligibility=Eligibility("post.reward")),
    "projection pre->post: plasticity: its product needs": lambda: network(
        JOINED.replace(plasticity=Plasticity(Term("post.v", "post.v"))), populations=(PRE, POST.replace(states=(WIDE,)))
    ),
    "projection pre->post: plasticity: its product needs 64 bits": lambda: learns(
        on_pre=Term("post.v", "post.v", error=Quantiser(3, alpha=2.0**46))
    ),
    "projection pre->post: eligibility: its product needs": lambda: network(
        JOINED.replace(plasticity=Plasticity(Term(), eligibility=Eligibility("post.v", numerator=65535))),
        populations=(PRE, POST.replace(states=(WIDE,))),
    ),
    "population a, state v: its sum could leave": lambda: SpikingSpec(
        (Population("a", 1, (State("v", flows=(Flow("u", -16, 65535),)), State("u", bits=32))),)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_errors_name_field_and_value(message):
    with pytest.raises(NeurosimError) as raised:
        REFUSED[message]()
    assert message in str(raised.value)


def test_what_lies_just_inside_is_not_refused():
    Leak(30, 65535), Leak(0), Flow("v", -16, -65535), Flow("v", 30)
    State("v", bits=32, low=-(2**31) + 1, high=2**31 - 1, noise=(1 << 24) - 1, bias=-(2**31) + 1)
    Kernel(tuple((k, 30, -1) for k in range(8)))
    Poisson([0, 1 << 16]), Regular(0), Events(), Events([0, 0, 5], [1, 0, 0])
    (
        JOINED.replace(initial=-127, delay=(0, 4095), gain=16, blank_out=255),
        JOINED.replace(weight=Fixed(16, 0, range="full"), initial=-32768),
    )
    network(JOINED, seed=(1 << 63) - 1)


# ---------------------------------------------------------------- random cases


def cases(count, seed):
    """So many random networks."""
    found, number = [], 0
    while len(found) < count:
        number += 1
        try:
            found.append(random_case(random.Random(f"{seed}-{number}")))
        except NeurosimError:
            continue
    return found


def test_random_networks_are_lively():
    found = liveliness(100, "lively")
    assert found["refused"] < 20
    assert found["neurons spike"] > 70
    assert found["weights change"] > 0.6 * found["plastic"]
    assert found["consolidated"] > 20


def test_the_twin_does_not_depend_on_how_a_run_is_split():
    for case in cases(10, "split"):
        whole, parts = (NaiveSpiking(as_dict(case.spec)) for _ in range(2))
        at_once = whole.run(case.ticks, learn=case.learn)
        assert at_once == [spike for _ in range(case.ticks) for spike in parts.run(1, learn=case.learn)]
        assert (whole.states, whole.weights, whole.tags, whole.counts) == (
            parts.states,
            parts.weights,
            parts.tags,
            parts.counts,
        )


def test_without_learning_no_weight_changes():
    for case in cases(20, "frozen"):
        twin = NaiveSpiking(as_dict(case.spec))
        before = [list(w) for w in twin.weights]
        twin.run(case.ticks, learn=False)
        assert twin.weights == before
        assert not any(any(tags) for tags in twin.tags)


@pytest.mark.parametrize("real", [False, True])
def test_random_networks_run_in_both_numbers(real):
    for case in cases(20, "numbers"):
        twin = NaiveSpiking(as_dict(case.spec), real=real)
        twin.run(case.ticks, learn=case.learn)
        for p, population in enumerate(case.spec.populations):
            for state, values in zip(population.states, twin.states[p], strict=True):
                assert all(state.low <= x <= state.high for x in values)


# ---------------------------------------------------------------- the kernels are the twin


@pytest.fixture(scope="module")
def make():
    return pytest.importorskip("neurosim.spiking.network").SpikingNetwork


def test_kernels_equal_the_twin(make):
    assert sum(compare(case, make, pieces=1) for case in cases(150, "kernels")) > 60_000


def test_kernels_equal_the_twin_in_real_numbers(make):
    assert sum(compare(case, make, real=True) for case in cases(150, "reals")) > 60_000


@pytest.mark.parametrize("real", [False, True])
def test_rows_of_a_large_projection_equal_the_twin(make, real):
    """More than 2**17 synapses, which are asked for ahead of time: many spikes a tick, and a few."""
    rows = Connect("random", probability=0.9)
    one, other = (
        Projection("pre", "post", "v", initial=(-5, 5), connect=rows, delay=1),
        Projection("post", "pre", "x", initial=1),
    )
    many = Population("pre", 400, (trace("x", Leak(3), 9),), Poisson([12000] * 380 + [0] * 20))
    few = Population("post", 400, (State("v", Leak(2), reset=0),), Threshold(14))
    spec = SpikingSpec((many, few), (one, other.replace(connect=rows, gain=1)), 5)
    assert compare(Case(spec, 8, learn=False), make, real=real)
    spikes = make(spec).run(8)
    for name in ("pre", "post"):
        assert np.bincount(spikes[name][0]).max() > 8


def test_kernels_equal_the_twin_in_pieces(make):
    for number, case in enumerate(cases(40, "pieces")):
        compare(case, make, pieces=(2, 3, 7, case.ticks)[number % 4])


def test_kernels_go_on_from_what_was_saved(make):
    for case in cases(30, "saved"):
        half = case.ticks // 2
        whole, part, other = make(case.spec), make(case.spec), make(case.spec)
        whole.run(half, learn=case.learn)
        part.run(half, learn=case.learn)
        saved = {name: np.copy(array) for name, array in part.save().items()}
        part.run(3)  # what goes on afterwards must not reach into what was saved
        other.run(5)  # and nothing of what was before must remain
        other.restore(saved)
        rest = case.ticks - half
        expected, found = whole.run(rest, learn=case.learn), other.run(rest, learn=case.learn)
        for p in case.spec.populations:
            for mine, its in zip(found[p.name], expected[p.name], strict=True):
                same(f"spikes of {p.name}", mine, its)
        twin = NaiveSpiking(as_dict(case.spec))
        twin.run(case.ticks, learn=case.learn)
        same_network(case.spec, other, twin)


def test_kernels_change_no_weight_without_learning(make):
    for case in cases(20, "frozen"):
        net = make(case.spec)
        before = [np.copy(net.weights(k)) for k in range(len(case.spec.projections))]
        net.run(case.ticks, learn=False)
        for k, weights in enumerate(before):
            same("weights", net.weights(k), weights)


def test_kernels_answer_in_the_words_of_the_interface(make):
    case = cases(1, "types")[0]
    net = make(case.spec)
    for ticks, neurons in net.run(case.ticks, learn=True).values():
        assert ticks.dtype == neurons.dtype == np.int64
    for p in case.spec.populations:
        assert all(net.state(p.name, s.name).dtype == np.int32 for s in p.states)
    assert all(net.weights(k).dtype == np.int16 for k in range(len(case.spec.projections)))


def a_list(given):
    """What a sample gives to a source, as arrays: probabilities, or ticks and neurons of events."""
    events = not given or isinstance(given[0], tuple)
    return tuple(np.array(given, np.int64).reshape(-1, 2).T) if events else np.array(given)


def test_kernels_present_as_the_twin(make):
    for number, (spec, _, _) in enumerate(cases(40, "shown")):
        r = random.Random(number)
        ticks, classes = r.randint(5, 15), 3
        samples, labels = [a_sample(r, spec, ticks) for _ in range(4)], [r.randrange(classes) for _ in range(4)]
        table = a_table(r, spec, classes)
        output, rest, learn = r.choice(spec.populations).name, r.random() < 0.5, r.random() < 0.8
        how = {"ticks": ticks, "burn_in": r.randint(0, ticks), "rest": rest, "learn": learn}
        net, twin = make(spec), NaiveSpiking(as_dict(spec))
        shown = {name: [a_list(sample[name]) for sample in samples] for name in samples[0]}
        found = net.present(shown, labels, output=output, classes=table, **how)
        by_number = [{spec.number(name): given for name, given in sample.items()} for sample in samples]
        its = {spec.number(name): rows for name, rows in table.items()}
        same(
            "spikes of the output",
            found,
            twin.present(by_number, labels, output=spec.number(output), classes=its, **how),
        )
        same_raster(spec, net.run(5), twin.run(5))
        same_network(spec, net, twin)


def test_presets_run(make):
    populations = (
        Population("pre", 20, (), Poisson(1 << 13)),
        lif("post", 10, threshold=300, leak=Leak(5, rounding="least"), current=Leak(2, rounding="least"), refractory=3),
    )
    compare(Case(SpikingSpec(populations, (Projection("pre", "post", initial=(20, 60)),)), 100, True), make)
