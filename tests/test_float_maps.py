"""Convolutions in the float engine: against calculus, against dense layers, and as the limit of the chip for wide words."""

import numpy as np
import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import HIDDEN, Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats.network import FloatNetwork
from neurosim.formats import Fixed

NORMAL = FeedbackCrossbar(bits=16, density=1.0, distribution="normal")
MIXED = [
    {"kernel": 3, "pool": 3, "pool_stride": 2},
    {"kernel": 3, "padding": "valid", "pool": 2},
    {"kernel": 2},
]
MAP_RULES = [name for name, channel in RULES.items() if channel.matrix != "product" and not channel.adaptive]


def network(rule="bp", *, first=None, second=None, seed=3, **changes):
    """7 x 6 x 2, two convolutions, 4 classes."""
    layers = (Conv2d(5, **(first or MIXED[0])), Conv2d(4, **(second or MIXED[2])), Dense(6), Dense(4, "softmax-e"))
    feedback = {} if rule in ("bp", "top-only") else {"feedback": NORMAL}
    channel = RULES[rule].replace(**{"error": None, "gain": 0, **feedback, **changes})
    return FloatNetwork(NetworkSpec((7, 6, 2), layers, channel, seed=seed), from_codes=False)


def samples(n=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 84)).astype(np.float32), rng.integers(0, 4, n)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *((first, second) for first in MIXED for second in (MIXED[0], MIXED[2])),
        *(({**MIXED[0], "activation": kind}, {**MIXED[2], "activation": kind}) for kind in HIDDEN if kind != "tanh"),
    ],
)
def test_bp_is_the_gradient_of_the_loss(first, second):
    # Single precision, and a pooling window may change its winner within the step: most slopes agree, not each.
    net, (inputs, labels) = network(first=first, second=second), samples()
    changes = net.changes(net.forward(inputs), labels, 1.0).weights
    rng, h = np.random.default_rng(5), 2e-3
    for layer, change in enumerate(changes):
        off = []
        for at in rng.integers(0, change.size, 15):
            weights, sides = net.weights[layer].reshape(-1), []
            kept = weights[at]
            for sign in (1, -1):
                weights[at] = kept + sign * h
                sides.append(net.loss(inputs, labels))
            weights[at] = kept
            off.append(abs((sides[0] - sides[1]) / (2 * h) + change.reshape(-1)[at]))
        assert np.median(off) < 4e-3 * (1 + np.abs(change).max())


@pytest.mark.parametrize("rule", MAP_RULES)
def test_a_convolution_of_one_place_is_a_dense_layer(rule):
    channel = RULES[rule].replace(error=None)
    tops = (Dense(6), Dense(4, "softmax"))
    maps = FloatNetwork(NetworkSpec((1, 1, 9), (Conv2d(7, kernel=1), *tops), channel, seed=1))
    dense = FloatNetwork(NetworkSpec(9, (Dense(7), *tops), channel, seed=1))
    rng = np.random.default_rng(2)
    inputs, labels = rng.random((5, 9), dtype=np.float32), rng.integers(0, 4, 5)
    for _ in range(3):
        maps.step(inputs, labels, eta=0.25)
        dense.step(inputs, labels, eta=0.25)
    for a, b in zip(maps.weights, dense.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_feedback_between_convolutions_is_a_kernel_shared_over_space():
    net, (inputs, labels) = network("rbp"), samples(1)
    activity = net.forward(inputs)
    found = net.signals(activity, labels)
    kernel, geometry = net.crossbar(0).reshape(2, 2, 5, 4), net.spec.geometry(1)
    above = found.local[1].reshape(*geometry.map, 4)
    expected = np.zeros((*geometry.inputs[:2], 5))
    for y, x, dy, dx in np.ndindex(*geometry.map, 2, 2):
        to = y + dy - geometry.top, x + dx - geometry.left
        if 0 <= to[0] < expected.shape[0] and 0 <= to[1] < expected.shape[1]:
            expected[to] += kernel[dy, dx] @ above[y, x]
    np.testing.assert_allclose(found.arriving[0].reshape(expected.shape), expected, atol=1e-5)


def test_the_chip_approaches_floats_as_words_widen():
    def distance(bits, rule):
        word = {"weight": Fixed(bits, bits - 1), "output": Fixed(bits, bits - 1), "accumulator": 63}
        word["address"] = Fixed(min(bits, 14), min(bits, 14) - 3)
        layers = (
            Conv2d(5, 3, pool=3, pool_stride=2, **word),
            Conv2d(4, 3, **word),
            Dense(4, "softmax", **{**word, "output": None}),
        )
        feedback = {} if rule in ("bp", "top-only") else {"feedback": FeedbackCrossbar(bits=bits, density=1.0)}
        channel = RULES[rule].replace(error=None, derivative="none", **feedback)
        spec = NetworkSpec(
            (6, 6, 2), layers, channel, seed=5, input=Fixed(bits, bits, signed=False), received=Fixed(bits, bits - 3)
        )
        chip, floats = Network(spec), FloatNetwork(spec)
        rng = np.random.default_rng(9)
        inputs, labels = rng.integers(0, 256, (2, 72)) / 256, rng.integers(0, 4, 2)
        before = [w.copy() for w in floats.weights]
        chip.train(chip.encode(inputs), labels, rate=5, batch_size=2)
        floats.step(inputs.astype(np.float32), labels, eta=2.0**-5)
        assert rule == "top-only" or np.abs(floats.weights[0] - before[0]).max() > 2.0**-12
        return max(
            np.abs(chip.weights(i) * layer.weight.lsb - floats.weights[i]).max() for i, layer in enumerate(spec.layers)
        )

    for rule in MAP_RULES:
        coarse, middle, fine = (distance(bits, rule) for bits in (8, 12, 16))
        assert fine < middle < coarse, rule
        assert fine * 2**15 < 6, rule


def test_what_the_float_engine_cannot_convolve():
    spec = NetworkSpec((7, 6, 2), (Conv2d(5, 3, stride=2), Dense(4, "softmax")), RULES["srbp"])
    with pytest.raises(NeurosimError, match="stride=2"):
        FloatNetwork(spec)
    with pytest.raises(NeurosimError, match="float32"):
        FloatNetwork(network().spec, np.float64)


def test_the_gradient_of_maps_is_seen_from_any_rule():
    # A probe runs backpropagation on the weights of a network with another rule.
    inputs, labels = samples()
    bp, srbp = network("bp"), network("srbp")
    exact, _ = srbp.exact_changes(srbp.forward(inputs), labels)
    expected = bp.changes(bp.forward(inputs), labels, 1.0)
    for a, b in zip(exact.weights, expected.weights, strict=True):
        assert np.array_equal(a, b)


def test_a_kernel_is_told_by_the_layers_and_not_by_its_size():
    # 2 x 2 x 1 windows on a map of 1 x 1 with four channels: the kernel has as many rows as the upper map has neurons.
    layers = (Conv2d(1, 1), Conv2d(4, 2), Dense(4, "softmax-e"))
    net = FloatNetwork(
        NetworkSpec((1, 1, 2), layers, RULES["rbp"].replace(error=None, gain=0, feedback=NORMAL), seed=1),
        from_codes=False,
    )
    inputs, labels = np.ones((3, 2), np.float32), np.arange(3)
    found = net.signals(net.forward(inputs), labels)
    middle = net.crossbar(0)[net.spec.geometry(1).top * 2 + net.spec.geometry(1).left]
    np.testing.assert_allclose(found.arriving[0][:, 0], found.local[1] @ middle, atol=1e-6)


@pytest.mark.parametrize("changes", [{"upper_derivatives": False}, {"feedback": NORMAL.replace(per="synapse")}])
def test_channels_that_maps_do_not_have(changes):
    with pytest.raises(NeurosimError, match="dense layers alone"):
        network("srbp", **changes)
