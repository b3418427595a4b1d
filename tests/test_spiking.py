"""Spiking networks by hand: neurons, what arrives, what learns, presentations (docs/spiking.md 2 to 8)."""

import copy

import numpy as np
import pytest

from neurosim.formats import Fixed, Quantiser
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Flow, Leak, Poisson, Population, Regular, State, Threshold
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
from tests.naive_spiking import NaiveSpiking, divided
from tests.spiking_twin import (
    Case,
    as_dict,
    compare,
)

NEAREST = Fixed(8, 0, rounding="nearest")


def naive(spec, ticks=0, *, learn=True):
    """The slow twin after so many ticks; the kernels are the same there."""
    twin = NaiveSpiking(as_dict(spec))
    twin.run(ticks, learn=learn)
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
