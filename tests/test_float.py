"""The float engine against calculus, against the theory of the rules, and as the limit of the chip for wide words."""

import numpy as np
import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import HIDDEN, OUTPUT, Dense
from neurosim.chip.network import Network
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats.network import FloatNetwork
from neurosim.formats import Fixed


def network(rule="bp", *, hidden=(7, 6), activation="tanh", output="softmax", dtype=np.float64, seed=2, **changes):
    """9 inputs, 4 classes. dtype: float64, so that theory can be held to 12 digits."""
    layers = (*(Dense(n, activation) for n in hidden), Dense(4, output))
    spec = NetworkSpec(9, layers, RULES[rule].replace(**{"error": None, **changes}), seed=seed, received=Fixed(10, 7))
    return FloatNetwork(spec, dtype)


def samples(n=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, 9)), rng.integers(0, 4, n)


def changes_of(net, inputs, labels, rate=3):
    """What one step adds to each weight: a list of [rows, n_out]."""
    before = [w.copy() for w in net.weights]
    net.step(inputs, labels, eta=2.0**-rate)
    return [after - old for after, old in zip(net.weights, before, strict=True)]


def slope_by_differences(net, weights, at, inputs, labels, h=1e-5):
    """dL/dw of one weight by central differences; the error of the method is about h**2."""
    kept = weights[at]
    weights[at] = kept + h
    above = net.loss(inputs, labels)
    weights[at] = kept - h
    below = net.loss(inputs, labels)
    weights[at] = kept
    return (above - below) / (2 * h)


@pytest.mark.parametrize("output", OUTPUT)
@pytest.mark.parametrize("activation", HIDDEN)
def test_bp_is_the_gradient_of_the_loss(activation, output):
    # e = T - O is minus the slope of the loss for the output's drives with no factor at all: with softmax of base 2 the loss is
    # in bits, and the ln 2 of d(2**x)/dx cancels the 1 / ln 2 of log2. So dW = -eta * dL/dW exactly, whatever the output.
    net = network(activation=activation, output=output)
    inputs, labels = samples()
    if activation == "hard-tanh":
        net.weights[0] *= 3  # some units beyond the rails
    expected = [
        np.array(
            [[slope_by_differences(net, w, (i, j), inputs, labels) for j in range(w.shape[1])] for i in range(len(w))]
        )
        for w in net.weights
    ]
    for found, slope in zip(changes_of(net, inputs, labels), expected, strict=True):
        assert np.abs(slope).max() > 1e-3
        np.testing.assert_allclose(found, -(2.0**-3) * slope, atol=1e-8)


def test_softmax_of_base_2_is_the_natural_one_of_a_scaled_drive():
    # 2**x = exp(x ln 2): the same network as one whose output weights are ln 2 times larger and whose softmax is natural.
    net = network()
    activity = net.forward(samples()[0])
    natural = np.exp(activity.drives[-1] * np.log(2))
    np.testing.assert_allclose(activity.outputs[-1], natural / natural.sum(axis=1, keepdims=True), rtol=1e-14)


@pytest.mark.parametrize(("one", "other"), [("bp", "sbp"), ("rbp", "srbp"), ("arbp", "asrbp")])
@pytest.mark.parametrize("activation", HIDDEN)
def test_skipping_is_no_skip_with_one_hidden_layer(one, other, activation):
    inputs, labels = samples()
    pair = [network(rule, hidden=(8,), activation=activation) for rule in (one, other)]
    for _ in range(5):
        left, right = (changes_of(net, inputs, labels) for net in pair)
        for a, b in zip(left, right, strict=True):
            assert np.array_equal(a, b)


def test_sbp_is_bp_in_a_linear_network():
    # SBP leaves out the derivatives above; where all are 1 nothing is left out.
    inputs, labels = samples()
    left, right = (changes_of(network(rule, activation="linear"), inputs, labels) for rule in ("bp", "sbp"))
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14)


def test_arbp_keeps_the_distance_of_c_from_the_transpose():
    # dW^(h+1) = eta O^h R^(h+1) and dC^h is its transpose: the difference never moves, though both do.
    net = network("arbp", hidden=(7, 6, 5))
    inputs, labels = samples(40)

    def distances():
        return [net.crossbar(h) - net.weights[h + 1][: net.spec.layers[h].n].T for h in range(3)]

    before, c = distances(), [net.crossbar(h).copy() for h in range(3)]
    for start in range(40):
        net.step(inputs[start : start + 1], labels[start : start + 1], eta=0.25)
    for h, (old, new) in enumerate(zip(before, distances(), strict=True)):
        assert np.abs(net.crossbar(h) - c[h]).max() > 1e-3
        np.testing.assert_allclose(new, old, atol=1e-13)


@pytest.mark.parametrize("name", RULES)
def test_no_error_no_update(name):
    # O is made to be T, so e = 0; DRTP sends the label, not the error, so its hidden layers move all the same.
    net = network(name)
    inputs, labels = samples()
    activity = net.forward(inputs)
    activity.outputs[-1] = net.targets(labels)
    moved = [signal is not None and bool(signal.any()) for signal in net.signals(activity, labels).local]
    assert moved == ([True, True, False] if name == "drtp" else [False, False, False])


def test_layers_and_channels_without_learning():
    inputs, labels = samples()
    top_only = changes_of(network("top-only"), inputs, labels)
    assert not top_only[0].any() and not top_only[1].any() and top_only[2].any()
    silent = changes_of(network("srbp", feedback=FeedbackCrossbar(density=0.0)), inputs, labels)
    assert all(np.array_equal(a, b) for a, b in zip(top_only, silent, strict=True))
    spec = network().spec
    frozen = FloatNetwork(spec.replace(layers=(spec.layers[0].replace(frozen=True), *spec.layers[1:])))
    found = changes_of(frozen, inputs, labels)
    assert not found[0].any() and found[1].any()


def test_the_top_learns_alike_under_every_rule():
    inputs, labels = samples()
    tops = [changes_of(network(name), inputs, labels)[-1] for name in RULES]
    assert all(np.array_equal(tops[0], top) for top in tops)


def test_derivatives_and_gain():
    inputs, labels = samples()
    none, wide, narrow = (
        changes_of(network("srbp", **knobs), inputs, labels)[0]
        for knobs in (
            {"derivative": "none"},
            {"derivative": "boxcar", "window": 50.0},
            {"derivative": "boxcar", "window": 1e-9},
        )
    )
    assert np.array_equal(none, wide)
    assert not narrow.any()
    exact, shift = (changes_of(network("srbp", derivative=d), inputs, labels)[0] for d in ("exact", "shift"))
    assert np.array_equal(exact, shift)
    one, four = (changes_of(network("srbp", gain=gain), inputs, labels)[0] for gain in (0, 2))
    np.testing.assert_allclose(four, 4 * one, rtol=1e-13)


def test_updates_are_summed_over_the_batch_and_training_takes_steps():
    inputs, labels = samples(6)
    together = changes_of(network("srbp"), inputs, labels)
    parts = [changes_of(network("srbp"), inputs[i : i + 1], labels[i : i + 1]) for i in range(6)]
    for layer, whole in enumerate(together):
        np.testing.assert_allclose(whole, sum(part[layer] for part in parts), atol=1e-15)
    by_steps, by_train = network("srbp"), network("srbp")
    for chosen in ([5, 4, 3, 2], [1, 0]):
        by_steps.step(inputs[chosen], labels[chosen], eta=2.0**-4)
    by_train.train(inputs, labels, eta=2.0**-4, batch_size=4, order=np.arange(5, -1, -1))
    assert all(np.array_equal(a, b) for a, b in zip(by_steps.weights, by_train.weights, strict=True))
    assert by_train.evaluate(inputs, labels) == (by_train.predict(inputs) == labels).mean()


@pytest.mark.parametrize("name", RULES)
def test_starts_where_the_chip_starts(name):
    net = network(name)
    chip = Network(net.spec)
    for layer in range(3):
        assert np.array_equal(net.weights[layer], chip.weights(layer) * 2.0**-8)
        own, codes = net.crossbar(layer), chip.feedback(layer)
        if own is not None:
            assert np.array_equal(own, codes * net.spec.channel.feedback.word.lsb)
        else:
            assert codes is None or name == "sbp"


def test_blank_out_is_refused():
    with pytest.raises(NeurosimError, match="layer 0 blank_out=3"):
        FloatNetwork(NetworkSpec(9, (Dense(5, blank_out=3), Dense(4, "softmax"))))


def words_of(bits, name, *, activation="tanh", output="softmax", derivative="exact", **changes):
    """The same network in words of `bits`; every word keeps its range, only its LSB shrinks.

    The output's weights start small, so that no linear output leaves its word.
    """
    code = Fixed(bits, bits - 1) if activation == "tanh" else Fixed(bits, bits, signed=False)
    top = Fixed(bits, bits - 1) if output == "linear" else Fixed(bits, bits, signed=False)
    address = Fixed(min(bits, 14), min(bits, 14) - 3)  # tables of 2**14 entries are as good, and quick to make
    described = {"weight": Fixed(bits, bits - 1), "address": address, "accumulator": 63}
    layers = [Dense(n, activation, output=code, **described) for n in (20, 15)]
    channel = RULES[name].replace(error=None, derivative=derivative, **changes)
    if channel.adaptive:
        channel = channel.replace(feedback=FeedbackCrossbar(bits=bits, density=1.0))
    words = {"input": Fixed(bits, bits, signed=False), "received": Fixed(bits, bits - 3)}
    return NetworkSpec(
        30, (*layers, Dense(4, output, output=top, init_gain=0.25, **described)), channel, seed=5, **words
    )


def distance(spec, n=2, rate=6):
    """How far the weights of chip and floats are apart after one step of n samples, in real values: the largest difference."""
    chip, floats = Network(spec), FloatNetwork(spec, np.float64)
    rng = np.random.default_rng(9)
    inputs, labels = rng.integers(0, 256, (n, 30)) / 256, rng.integers(0, 4, n)
    chip.train(chip.encode(inputs), labels, rate=rate, batch_size=n)
    moved = changes_of(floats, inputs, labels, rate=rate)
    assert np.abs(moved[-1]).max() > 2**-9  # the step is far larger than what it is held to
    pairs = [(chip.weights(i), floats.weights[i], spec.layers[i].weight.lsb) for i in range(3)]
    if spec.channel.adaptive:
        pairs += [(chip.feedback(h), floats.crossbar(h), spec.channel.feedback.word.lsb) for h in range(2)]
    return max(np.abs(codes * lsb - values).max() for codes, values, lsb in pairs)


@pytest.mark.parametrize(("activation", "output"), [("tanh", "softmax"), ("tanh", "linear"), ("logistic", "logistic")])
@pytest.mark.parametrize("derivative", ["exact", "none"])
@pytest.mark.parametrize("name", RULES)
def test_the_chip_approaches_floats_as_words_widen(name, derivative, activation, output):
    # Rounding to nearest, no error quantiser; one LSB of a 16-bit weight is 2**-15. What remains at 16 bits is the weights' own
    # rounding (half an LSB); 1 - LSB in the place of 1; words of the channel; and the table of f', whose entries have 7 bits at
    # any width: 2**-8 in f' moves a weight by at most eta * 2**-8 * |J| = 2 |J| LSB a sample, |J| being about 1.
    coarse, middle, fine = (
        distance(words_of(bits, name, activation=activation, output=output, derivative=derivative))
        for bits in (8, 12, 16)
    )
    assert fine < middle < coarse
    assert fine * 2**15 < (5 if derivative == "exact" else 1.5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bp", {"matrix": "sign"}),
        ("bp", {"upper_derivatives": False}),
        ("rbp", {"upper_derivatives": False, "feedback": FeedbackCrossbar(bits=8, density=1.0)}),
        ("srbp", {"feedback": FeedbackCrossbar(redraw=True)}),
        ("rbp", {"feedback": FeedbackCrossbar(bits=8, density=0.5, redraw=True)}),
    ],
)
def test_so_do_the_settings_of_its_channel(name, changes):
    coarse, fine = (distance(words_of(bits, name, **changes)) for bits in (8, 16))
    assert fine < coarse
    assert fine * 2**15 < 5


NORMAL = FeedbackCrossbar(bits=16, density=1.0, distribution="normal")
BY_ROUTE = {
    **{name: (name, {}) for name, channel in RULES.items() if channel.route != "none"},
    "RBP, no upper f'": ("rbp", {"upper_derivatives": False}),
    "BP, no upper f'": ("bp", {"upper_derivatives": False}),
    "cascade": ("srbp", {"route": "cascade", "feedback": NORMAL}),
    "relay": ("srbp", {"route": "relay", "relays": (5, 3), "units": "tanh", "feedback": NORMAL}),
    "recirculate": ("srbp", {"route": "recirculate"}),
    "local": ("srbp", {"route": "local", "feedback": NORMAL}),
    "local, transposed": ("srbp", {"route": "local", "matrix": "transpose"}),
    "sign": ("rbp", {"matrix": "sign"}),
    "sign-random": ("rbp", {"matrix": "sign-random", "feedback": NORMAL}),
}


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("route", BY_ROUTE)
def test_every_route_climbs_what_its_signal_weighs(route, activation):
    # Whatever a route brings to a layer, J, the layer learns by the slope of sum(J * O^h(W^h)) for its own weights, J and all that
    # lies below held still. Differences of that sum see f' and the outer product under every route, where there is no loss to ask.
    name, changes = BY_ROUTE[route]
    net = network(name, activation=activation, hidden=(7, 6, 5), **changes)
    if route == "recirculate":  # an autoencoder
        layers = (*net.spec.layers[:-1], Dense(9, "linear"))
        net = FloatNetwork(net.spec.replace(layers=layers), np.float64)
    if activation == "hard-tanh":
        net.weights[0] *= 3
    inputs, labels = samples()
    wanted = inputs if route == "recirculate" else labels
    activity = net.forward(inputs)
    arriving = net.signals(activity, wanted).arriving
    found = net.changes(activity, wanted, 1.0).weights
    for layer in range(net.spec.last):
        weights, held, h = net.weights[layer], arriving[layer], 1e-5

        def weighed(layer=layer, held=held):
            return float((held * net.forward(inputs).outputs[layer]).sum())

        slopes = np.zeros_like(weights)
        for at in np.ndindex(weights.shape):
            kept = weights[at]
            sides = []
            for sign in (1, -1):
                weights[at] = kept + sign * h
                sides.append(weighed())
            weights[at] = kept
            slopes[at] = (sides[0] - sides[1]) / (2 * h)
        assert np.abs(slopes).max() > 1e-6
        np.testing.assert_allclose(found[layer], slopes, atol=1e-7 * max(1, np.abs(slopes).max()))
