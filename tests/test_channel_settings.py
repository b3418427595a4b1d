"""Settings of the learning channel on the chip: lost signals, f' at home, signs of weights, redrawn C (docs/substrate.md 3)."""

import numpy as np
import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.costs import load, price
from neurosim.formats import Fixed

WIDE = FeedbackCrossbar(bits=8, density=1.0)
HIDDEN = (40, 35, 33)


def network(rule="srbp", *, hidden=HIDDEN, above=None, activation="tanh", **changes):
    """above: changes of all layers but the first."""
    layers = [Dense(n, activation) for n in hidden] + [Dense(10, "softmax")]
    layers[1:] = [layer.replace(**(above or {})) for layer in layers[1:]]
    return Network(30, layers, RULES[rule].replace(**changes), seed=3)


def samples(n=60):
    rng = np.random.default_rng(4)
    return rng.integers(0, 128, (n, 30)).astype(np.uint8), rng.integers(0, 10, n)


def trained(*args, batch_size=1, pieces=1, execution="auto", n=60, **changes):
    net = network(*args, **changes)
    codes, labels = samples(n)
    for part in np.array_split(np.arange(n), pieces):
        again = Network(net.spec)
        again.load_state(net.state())
        net = again
        net.train(codes[part], labels[part], rate=6, batch_size=batch_size, execution=execution)
    return net


def weights(net):
    return [net.weights(h).copy() for h in range(len(net.spec.layers))]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


SETTINGS = [
    ("srbp", {"dropout": 0.3}),
    ("bp", {"dropout": 0.3, "upper_derivatives": False}),
    ("rbp", {"upper_derivatives": False, "place": ("source", "received")}),
    ("bp", {"matrix": "sign"}),
    ("srbp", {"feedback": FeedbackCrossbar(redraw=True)}),
    ("rbp", {"feedback": WIDE.replace(redraw=True)}),
    ("drtp", {"feedback": FeedbackCrossbar(values="+-1", density=0.5, redraw=True), "dropout": 0.5}),
]


@pytest.mark.parametrize(("rule", "changes"), SETTINGS)
def test_same_bits_by_events_or_blas_in_one_piece_or_resumed(rule, changes):
    for size in (1, 20):
        reference = trained(rule, batch_size=size, execution="event", **changes).state()
        for other in ({"execution": "blas"}, {"pieces": 3}):
            found = trained(rule, batch_size=size, **other, **changes).state()
            for name, array in reference.items():
                assert np.array_equal(array, found[name]), name


@pytest.mark.parametrize(("rule", "changes"), SETTINGS)
def test_they_change_what_is_learnt_and_have_a_price(rule, changes):
    plain, net = trained(rule), trained(rule, **changes)
    assert not same(plain, net)
    assert price(net.counts(), None, net.layout(), load("digital_45nm")).energy_pj_per_sample > 0


# ---------------------------------------------------------------------- lost signals


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_lost_signals(p):
    net = trained(dropout=p, n=400)
    for h in range(3):
        counts = net.tallies().counts[h]
        drawn = counts["dropout_draws"]
        assert abs(counts["dropout_lost"] - p * drawn) < 4 * (p * (1 - p) * drawn) ** 0.5
        assert counts["received"] <= drawn - counts["dropout_lost"]
        assert 0 < counts["dropout_words"] <= 400
    ops = net.counts()
    words = sum(net.tallies().counts[h]["dropout_words"] for h in range(3))
    draws = sum(net.tallies().counts[h]["dropout_draws"] for h in range(3))
    widths = ops.by(lambda op: (op.phase, op.action, op.bits))
    assert (widths["feedback", "random_word", 64], widths["feedback", "random_word", 16]) == (words, draws)
    assert widths["feedback", "compare", 16] == draws


def test_a_chance_below_the_comparator_is_none_and_one_above_it_nearly_all():
    assert network(dropout=2.0**-18).spec.channel.dropout_limit == 0
    assert same(trained(dropout=2.0**-18), trained())
    deaf = trained(dropout=1 - 2.0**-30)
    assert deaf.spec.channel.dropout_limit == 2**16 - 1
    for h in range(3):
        counts = deaf.tallies().counts[h]
        assert counts["dropout_draws"] - counts["dropout_lost"] <= 2


def test_what_is_lost_updates_nothing_and_travels_no_further():
    deaf = trained("rbp", dropout=1 - 2.0**-30, n=20)
    assert sum(deaf.tallies().codes[1]) == 0
    assert np.array_equal(deaf.weights(0), network("rbp").weights(0))


# ---------------------------------------------------------------------- f' at home


@pytest.mark.parametrize("rule", ["bp", "rbp", "arbp"])
def test_without_derivatives_there_is_none_to_hand_on(rule):
    pair = [trained(rule, derivative="none", upper_derivatives=u) for u in (True, False)]
    assert same(*pair)
    assert pair[0].tallies().counts == pair[1].tallies().counts


def test_skipping_rules_hand_nothing_on():
    assert same(trained("srbp"), trained("srbp", upper_derivatives=False))


def test_a_map_hands_on_what_its_neurons_received():
    layers = [Conv2d(5, 3, "relu", pool=2), Conv2d(6, 3, "relu", pool=3, pool_stride=2), Dense(10, "softmax")]
    rng = np.random.default_rng(2)
    codes, labels = rng.integers(0, 128, (20, 144)).astype(np.uint8), rng.integers(0, 10, 20)
    nets = []
    for changes in ({}, {"upper_derivatives": False}, {"derivative": "none"}, {"matrix": "sign"}):
        net = Network((12, 12, 1), layers, RULES["bp"].replace(**changes), seed=1)
        net.train(codes, labels, rate=6)
        nets.append(net)
    assert not same(nets[0], nets[1])
    assert not same(nets[1], nets[2])
    assert not same(nets[0], nets[3])


# ---------------------------------------------------------------------- signs


@pytest.mark.parametrize("wide", [False, True])
def test_signs_of_weights_that_are_signs_are_the_weights(wide):
    # Weights of one bit are worth ±2**-3. C is worth ±2**-f_C, and a gain makes the two equal.
    fixed = Fixed(1, 3) if not wide else Fixed(12, 3)
    above = {"weight": fixed, "bias": False, "frozen": True}
    exponents = tuple(network("bp", matrix="sign", above=above).spec.feedback_word(h).frac - 3 for h in range(3))
    pair = [network("bp", above=above), network("bp", matrix="sign", gain=exponents, above=above)]
    for net in pair:
        if wide:
            for h in range(1, 4):
                net.weights(h)[:] = np.sign(net.weights(h))
        net.train(*samples(), rate=6)
    assert same(*pair)
    assert [t["received"] for t in pair[0].tallies().counts] == [t["received"] for t in pair[1].tallies().counts]


def test_signs_are_read_from_the_live_weights_and_held_nowhere():
    net = network("bp", matrix="sign")
    codes, labels = samples(6)
    for i in range(6):
        before = weights(net)
        net.train(codes[i : i + 1], labels[i : i + 1], rate=3)
        for h in range(3):
            n = net.spec.layers[h].n
            assert np.array_equal(net.feedback(h), np.sign(before[h + 1][:n].T))
    assert net.layout().bits("feedback") == 0
    heard, plain = (
        (found.total("read", memory="weight_column"), found.total("mac", phase="feedback"))
        for found in (net.counts(), trained("bp", n=6).counts())
    )
    assert heard[0] > 0
    assert heard[1] == 0
    assert plain[1] == plain[0]
    assert net.counts().total("add", phase="feedback") == heard[0]


@pytest.mark.parametrize(("n", "exponent"), [(10, 2), (54, 2), (100, 3), (118, 3), (246, 4), (1000, 4)])
def test_the_magnitude_of_signs_is_near_the_spread_of_a_random_c(n, exponent):
    net = network("bp", matrix="sign", hidden=(n,))
    word = net.spec.feedback_word(0)
    assert word.frac == exponent
    assert 0.7 < word.lsb / np.sqrt(2 / (n + 10)) < 1.42


# ---------------------------------------------------------------------- redrawn C


@pytest.mark.parametrize("feedback", [FeedbackCrossbar(), FeedbackCrossbar(values="+-1"), WIDE])
def test_a_redrawn_c_belongs_to_its_step(feedback):
    net = network("rbp", feedback=feedback.replace(redraw=True))
    codes, labels = samples(12)
    seen = []
    for step in range(3):
        net.train(codes[4 * step : 4 * step + 4], labels[4 * step : 4 * step + 4], rate=6, batch_size=4)
        seen.append([net.feedback(h).copy() for h in range(3)])
        for h in range(3):
            n = net.spec.feedback_shape(h)
            assert np.array_equal(seen[-1][h], feedback.draw(3, h, *n, variant=256 * (step + 1)))
    assert not np.array_equal(seen[0][0], seen[1][0])
    counts = net.counts()
    assert net.layout().bits("feedback") == counts.total("read", memory="feedback") == 0
    met = sum(t["redrawn_connections"] for t in net.tallies().counts)
    if feedback.bits == 1:
        assert met == counts.total("add", phase="feedback")
    assert counts.total("random_word", phase="feedback") >= met > 0


def test_a_fixed_c_counts_no_redrawn_connections():
    assert all(t["redrawn_connections"] == 0 for t in trained("srbp").tallies().counts)
