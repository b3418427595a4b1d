"""STDP and its variants against theory: windows in closed form, drifts of Poisson pairs, rewards, feedback that learns."""

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.formats import Fixed
from neurosim.kernels.spike_registers import PART
from neurosim.spiking.erbp import Erbp, alignment
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import EVERY_TICK, Events, Leak, Poisson, Population, State, Threshold, trace
from neurosim.spiking.plasticity import Kernel, Term, kernel_stdp, modulated, pair_stdp, reward_stdp
from neurosim.spiking.projection import Connect, Projection
from neurosim.spiking.spec import SpikingSpec

WIDE = Fixed(16, 0, rounding="nearest")
LAGS = range(-24, 25)
REWARD = 3


def pairs_at_all_lags(rule, leak=None, jump=0, *, more=(), word=WIDE, real=False, after=()):
    """Changes of the weight of one pair a lag: the source spikes in tick 30 and the target `lag` ticks after; int64[lags]."""
    n = len(LAGS)
    states = (trace("x", leak, jump),) if leak else ()
    pre = Population("pre", n, states, Events([30] * n, range(n)))
    order = np.argsort(LAGS, kind="stable")
    post = Population("post", n, (State("u"), *states, *more), Events([30 + LAGS[i] for i in order], order))
    joined = Projection("pre", "post", "u", word, 0, Connect("one"), plasticity=rule)
    net = SpikingNetwork(SpikingSpec((pre, post, *after), (joined,)), real=real)
    net.run(100)
    return net.weights(0)


def decayed(jump, leak, ticks):
    """A trace so many updates after its jump, by the rule of docs/spiking.md 2, for a floor."""
    for _ in range(ticks):
        jump -= leak.numerator * jump >> leak.shift
    return jump


@pytest.mark.parametrize("leak", [Leak(1), Leak(3), Leak(4), Leak.of(1 / 20)])
@pytest.mark.parametrize("shift", [0, 3])
def test_the_window_of_pair_stdp(leak, shift):
    jump = 1 << 14
    found = pairs_at_all_lags(pair_stdp("x", "x", shift, shift + 1), leak, jump)
    for lag, change in zip(LAGS, found, strict=True):
        left = decayed(jump, leak, abs(lag)) if lag else 0  # spikes of one tick see none of each other's trace
        down = lag < 0
        exact = (-1) ** down * left / 2 ** (shift + down)
        assert change == np.rint(exact), lag
    real = pairs_at_all_lags(pair_stdp("x", "x", shift, shift + 1), leak, jump, real=True)
    for lag, change in zip(LAGS, real, strict=True):
        size = jump * (1 - leak.share) ** abs(lag) * 2.0**-shift
        assert change == pytest.approx(0 if lag == 0 else size if lag > 0 else -size / 2, rel=1e-12)


def test_halving_traces_give_powers_of_two():
    found = pairs_at_all_lags(pair_stdp("x", "x", 0, 0), Leak(1), 1 << 14)
    assert [found[LAGS.index(lag)] for lag in (1, 2, 5, 14)] == [1 << 13, 1 << 12, 1 << 9, 1]
    assert [found[LAGS.index(-lag)] for lag in (1, 2, 5, 14)] == [-(1 << 13), -(1 << 12), -(1 << 9), -1]


def test_the_window_of_power_of_two_kernels():
    up, down = Kernel(((2, 9, 1), (7, 6, 1), (20, 3, 1))), Kernel(((4, 8, -1), (16, 4, -1)))
    found = pairs_at_all_lags(kernel_stdp(up, down, shift=1))

    def curve(lag):
        for until, exponent, sign in (up if lag > 0 else down).segments:
            if abs(lag) <= until:
                return sign * 2 ** (exponent - 1)
        return 0

    assert found.tolist() == [0 if lag == 0 else curve(lag) for lag in LAGS]


@pytest.mark.parametrize("error", [-5, -1, 0, 1, 7])
def test_an_error_gates_and_signs_the_window(error):
    held = State("error", start=error)
    plain = pairs_at_all_lags(pair_stdp("x", "x", 0, 0), Leak(1), 1 << 8)
    found = pairs_at_all_lags(modulated(pair_stdp("x", "x", 0, 0), "error", 0, dead=2), Leak(1), 1 << 8, more=(held,))
    assert found.tolist() == (plain * (error if abs(error) >= 2 else 0)).tolist()


@pytest.mark.parametrize("reward", [-REWARD, 0, REWARD])
def test_reward_turns_tags_into_weight_once(reward):
    # The reward is there in one tick; tags of 16 bits do not leak, so the weight changes by tag * reward / 4.
    plain = pairs_at_all_lags(pair_stdp("x", "x", 0, 0), Leak(1), 1 << 10)
    rule = reward_stdp("x", "x", "r", 0, 0, shift=2, word=Fixed(16, 0))
    n = len(LAGS)
    states = (trace("x", Leak(1), 1 << 10),)
    order = np.argsort(LAGS, kind="stable")
    populations = (
        Population("pre", n, states, Events([30] * n, range(n))),
        Population("post", n, (State("u"), *states, State("r", Leak(0))), Events([30 + LAGS[i] for i in order], order)),
        Population("teacher", 1, (), Events([70], [0])),
    )
    joined = (
        Projection("pre", "post", "u", WIDE, 0, Connect("one"), plasticity=rule),
        Projection("teacher", "post", "r", Fixed(8, 0), reward),
    )
    net = SpikingNetwork(SpikingSpec(populations, joined))
    net.run(100)
    assert net.tags(0).tolist() == plain.tolist()
    exact = plain * reward / 4
    assert net.weights(0).tolist() == np.rint(exact).tolist()
    net.run(20)  # tags are still there, the reward is not
    assert net.weights(0).tolist() == np.rint(exact).tolist()


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize(("up", "down"), [(6, 6), (5, 6), (7, 6)])
def test_poisson_pairs_drift_as_the_area_of_the_window_says(up, down, real):
    # Independent spikes of p and q a tick: a trace has the mean p J (1 - s) / s, s being its leak's share, so the weight drifts by
    # p q J (1 - s) / s (2**-up - 2**-down) a tick.
    n, ticks, p, q, jump, leak = 60, 3000, 1 / 16, 1 / 32, 1 << 10, Leak(4)
    states = (trace("x", leak, jump),)
    pre = Population("pre", n, states, Poisson(int(p * EVERY_TICK)))
    post = Population("post", n, (State("u"), *states), Poisson(int(q * EVERY_TICK)))
    rule = pair_stdp("x", "x", up, down)
    joined = Projection("pre", "post", "u", Fixed(16, 0, rounding="stochastic"), 0, plasticity=rule)
    net = SpikingNetwork(SpikingSpec((pre, post), (joined,), seed=3), real=real)
    net.run(ticks, record=False)
    one = p * q * jump * (1 - leak.share) / leak.share * ticks
    found = net.weights(0)
    # Of n * n pairs those of a neuron share its spikes, so the mean is as uncertain as that of about n.
    spread = found.std() / np.sqrt(n)
    assert (
        abs(found.mean() - one * (2.0**-up - 2.0**-down)) < 4 * spread + one * 2.0**-down / 50
    )  # a floor leaves a little more
    if up != down:
        assert np.sign(found.mean()) == np.sign(down - up)


# ---------------------------------------------------------------- learning by reward


def bandit(sign, *, trials=60, seed=0):
    """Share of right answers in the last third of the trials. Two patterns, two neurons; the pattern's neuron must spike more.

    After each trial a teacher's spikes bring reward to all neurons: + where the answer was right and - where it was wrong, times sign.
    """
    half, on, off = 10, EVERY_TICK // 8, EVERY_TICK // 256
    neuron = (
        trace("y", Leak(3), 64),
        State("r", Leak(1, rounding="zero")),
        State("v", Leak(3, rounding="least"), reset=0, noise=100),
    )
    rule = reward_stdp("x", "y", "r", 2, 4, leak=Leak(5, rounding="least"), shift=12)
    spec = SpikingSpec(
        (
            Population("data", 2 * half, (trace("x", Leak(3), 64),), Poisson(role="input")),
            Population("out", 2, neuron, Threshold(500, "v"), refractory=2),
            Population("teacher", 2, (), Poisson(role="input")),
        ),
        (
            Projection("data", "out", "v", Fixed(8, 0, rounding="stochastic"), 40, gain=1, low=0, plasticity=rule),
            Projection("teacher", "out", "r", Fixed(8, 0), np.array([16, 16, -16, -16]) * sign),
            Projection("out", "out", "v", Fixed(8, 0), -100, Connect(itself=False), gain=2),
        ),
        seed,
    )
    net, rng, right = SpikingNetwork(spec), np.random.default_rng(seed), []
    silent, still = np.zeros((1, 2), int), np.zeros((1, 2 * half), int)
    for _ in range(trials):
        shown = int(rng.integers(2))
        pattern = np.where(np.arange(2 * half) // half == shown, on, off)[None]
        spikes = net.present({"data": pattern, "teacher": silent}, ticks=60, output="out")[0]
        right.append(spikes[shown] > spikes[1 - shown])
        verdict = np.array([[right[-1], not right[-1]]]) * (EVERY_TICK // 2)
        net.present({"data": still, "teacher": verdict}, ticks=10, output="out")
    return float(np.mean(right[-trials // 3 :]))


def test_reward_modulated_stdp_learns_from_a_teacher():
    learned = [bandit(1, seed=seed) for seed in range(5)]
    assert np.mean(learned) > 0.85
    assert np.mean([bandit(-1, seed=seed) for seed in range(5)]) < 0.3  # the same, told the opposite


# ---------------------------------------------------------------- feedback that learns


def patterns(n_in, classes, samples, seed=0):
    """Noisy prototypes as probabilities, int64[samples, n_in], and labels."""
    rng = np.random.default_rng(seed)
    prototypes = rng.random((classes, n_in)) < 0.3
    labels = rng.integers(0, classes, samples)
    flipped = rng.random((samples, n_in)) < 0.1
    return (prototypes[labels] ^ flipped) * (EVERY_TICK // 12), labels


def small(**changes):
    return Erbp(
        n_in=40, hidden=(50,), classes=4, blank_out=0, soma=Leak(3, rounding="least"), dendrite=Leak(5, rounding="least"),
        error_output=127, error_threshold=1024, feedback_weight=32, gates=(3000, 3000), gains=(3, 3), rate=8, threshold=300,
    ).replace(**changes)  # fmt: skip


def aligned(adaptive, real, seed, **changes):
    """The alignment after 200 samples, and the share of right answers on 100 others."""
    inputs, labels = patterns(40, 4, 300, seed)
    net = SpikingNetwork(small(adaptive=adaptive, seed=seed, **changes).network(), real=real)
    before = alignment(net)
    assert abs(before) < 0.35
    net.present(inputs[:200], labels[:200], ticks=60, output="out")
    found = net.present(inputs[200:], ticks=60, output="out", learn=False).argmax(axis=1)
    return alignment(net), np.mean(found == labels[200:])


@pytest.mark.parametrize("real", [False, True])
def test_adaptive_feedback_comes_to_resemble_the_forward_weights(real):
    # C begins at one code, too little for the weights to come to resemble C (feedback alignment): what they share C has learned.
    fixed, adaptive = (
        np.mean([aligned(adaptive, real, seed, feedback_weight=1, feedback_rate=8)[0] for seed in range(3)])
        for adaptive in (False, True)
    )
    assert abs(fixed) < 0.25
    assert adaptive > 0.7


@pytest.mark.parametrize("real", [False, True])
def test_stdp_like_feedback_comes_to_resemble_the_forward_weights(real):
    found = [aligned("stdp", real, seed, feedback_weight=1, feedback_rate=5)[0] for seed in range(3)]
    assert np.mean(found) > 0.3


@pytest.mark.parametrize("slow", [3, 5, 7])
def test_the_change_of_steady_activity_has_the_mean_0(slow):
    """Also in integers, where a slow trace stands still within 2**slow of the fast one: that must be little."""
    net = SpikingNetwork(small(adaptive="stdp", slow=slow).network())
    inputs, _ = patterns(40, 4, 1)
    steady, fast, change = inputs.repeat(40, axis=0), np.zeros(50), np.zeros(50)
    net.present(steady, ticks=60, output="out", learn=False)
    for _ in range(1500):
        net.present(steady[:1], ticks=1, output="out", learn=False)
        fast, change = fast + net.state("hidden0", "fast"), change + net.state("hidden0", "change")
    assert (fast > 0).sum() > 20
    assert np.abs(change).sum() < 0.05 * fast.sum()


@pytest.mark.parametrize("adaptive", [True, "stdp"])
@pytest.mark.parametrize("real", [False, True])
def test_networks_whose_feedback_learns_learn(adaptive, real):
    assert np.mean([aligned(adaptive, real, seed)[1] for seed in range(3)]) > 0.8


def test_what_adaptive_feedback_keeps():
    # With all gates open, no blank-out and floats, C and W^T change by the same sum (ARBP: C - W^T is constant), -C by its opposite.
    inputs, labels = patterns(40, 4, 30)
    settings = small(adaptive=True).replace(gates=(1 << 20, 1 << 20))
    net = SpikingNetwork(settings.network(), real=True)
    at = [net.weights(name) for name in ("positive->hidden0", "negative->hidden0", "forward1")]
    net.present(inputs, labels, ticks=60, output="out")
    c, minus, w = (
        net.weights(name) - old
        for name, old in zip(("positive->hidden0", "negative->hidden0", "forward1"), at, strict=True)
    )
    start, targets = net.synapses("positive->hidden0")[:2]
    w = w.reshape(50, 4)[targets, np.repeat(np.arange(4), np.diff(start))]
    inside = (np.abs(net.weights("positive->hidden0")) < 127) & (np.abs(c) > 0)
    assert inside.sum() > 40
    assert np.allclose(c[inside], w[inside], atol=1e-9)
    assert np.allclose(c[inside], -minus[inside], atol=1e-9)


def test_adaptive_must_be_known():
    with pytest.raises(NeurosimError, match=r"erbp\.adaptive='hebb'"):
        small(adaptive="hebb")


@pytest.mark.parametrize("rounding", ["stochastic", "floor"])
@pytest.mark.parametrize("shift", [0, 6, 18])
@pytest.mark.parametrize("delay", [0, (0, 2)])
def test_vectors_of_synapses_learn_as_single_ones(rounding, shift, delay):
    """Rows and columns of 0 to 70 synapses; `tests/naive_spiking.py` knows the single ones on small networks."""
    size = 1 << (min(shift, 10) + 2)
    states = (trace("x", Leak(4), size), State("u"), State("back"))
    pre = Population("pre", 90, states, Poisson(np.arange(90) * 60))
    post = Population("post", 70, states, Poisson(3000))
    joined = Connect("random", probability=0.5)
    rule = pair_stdp("x", "x", shift, shift)
    either = pair_stdp("x", "x", shift, shift).replace(
        on_pre=Term("pre.x", shift=shift), on_post=Term("post.x", numerator=-1, shift=shift)
    )
    word = Fixed(8, 0, rounding=rounding)
    projections = [
        Projection("pre", "post", "u", word, (-20, 20), joined, delay, gain=2, plasticity=rule),
        Projection("post", "pre", "back", word, 5, joined, delay, plasticity=either, low=-30, high=60),
    ]
    nets = [SpikingNetwork(SpikingSpec((pre, post), tuple(projections), 4)) for _ in range(2)]
    parts = nets[1]._program.parts
    assert (parts[:, PART.lanes] == 1).all()
    assert parts[:, PART.lanes_post].sum() == 2
    parts[:, PART.lanes] = parts[:, PART.lanes_post] = 0
    for net in nets:
        net.run(60)
        net.slow(2)
        net.run(60)
    assert nets[0].counters()["projections"] == nets[1].counters()["projections"]
    assert nets[0].counters()["projections"][0]["changed"] > 0
    for p in range(2):
        assert np.array_equal(nets[0].weights(p), nets[1].weights(p))
    assert np.array_equal(nets[0].state("pre", "back"), nets[1].state("pre", "back"))
