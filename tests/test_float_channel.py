"""Every setting of the learning channel in floats: against loops, identities and the exact thresholds of the words."""

import numpy as np
import pytest

from neurosim.chip.channel import RULES, Channel, refuse_off_chip
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats.network import FloatNetwork
from neurosim.floats.quantise import quantise
from neurosim.floats.training import Optimiser, Trainer, Training, augmented
from neurosim.floats.updates import per_sample_update
from neurosim.formats import Quantiser

NORMAL = FeedbackCrossbar(bits=16, density=1.0, distribution="normal")
QUANTISERS = [
    Quantiser(bits, kind, alpha=alpha, zero=zero, base=base, thresholds=thresholds)
    for bits in (1, 2, 3, 4, 6)
    for kind in ("log", "linear")
    for zero in ("silent", "none", "code")
    for base in ((2.0, 2**0.5) if kind == "log" else (2.0,))
    for thresholds in (("geometric", "midpoint", "floor") if kind == "log" else ("midpoint",))
    for alpha in (1.0, 0.15)
    if not (zero == "code" and bits == 1)
]


def network(rule="srbp", *, hidden=(7, 6, 5), activation="tanh", output="softmax-e", seed=3, frozen=(), **changes):
    layers = [Dense(n, activation, frozen=i in frozen) for i, n in enumerate(hidden)]
    channel = RULES[rule].replace(**{"error": None, "gain": 0, "feedback": NORMAL, **changes})
    return FloatNetwork(NetworkSpec(9, (*layers, Dense(4, output)), channel, seed=seed), np.float64, from_codes=False)


def samples(n=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 9)), rng.integers(0, 4, n)


def changes_of(net, inputs, labels, eta=0.5):
    return net.changes(net.forward(inputs), labels, eta)


def same(one, other, **given):
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, **{"atol": 1e-13, **given})


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_quantisers_agree_with_the_exact_thresholds_of_wide_words(quantiser):
    frac = 40  # a word so wide that no threshold is rounded where it matters
    thresholds, decoded = quantiser.thresholds_in(frac), quantiser.decoded_in(frac)
    codes = np.unique(
        np.concatenate([np.random.default_rng(1).integers(1, 2**41, 300), *[[t - 2000, t + 2000] for t in thresholds]])
    )
    codes = codes[codes > 0]
    expected = []
    for code in codes:
        reached = [level for level, t in enumerate(thresholds) if code >= t]
        expected.append(decoded[reached[0]] if reached else 0)
    real = np.ldexp(codes.astype(np.float64), -frac)
    for sign in (1, -1):
        np.testing.assert_allclose(
            quantise(quantiser, sign * real), sign * np.ldexp(np.array(expected, float), -frac), atol=2.0**-frac
        )
    assert not quantise(quantiser, np.zeros(3)).any()
    assert quantise(quantiser, np.float32([0.3, -0.001])).dtype == np.float32


def test_ten_bits_reach_further_than_single_precision():
    found = quantise(Quantiser(10, alpha=2.0**-3, zero="none"), np.float32([1e-30, 0.1, 0.0, -5.0]))
    assert np.isfinite(found).all()
    assert found[1:].tolist() == [0.125, 0.0, -0.125]


@pytest.mark.parametrize(
    "quantiser",
    [
        q
        for q in QUANTISERS
        if q.base == 2.0
        and q.thresholds in ("geometric", "midpoint")
        and q.zero != "code"
        and not (q.kind == "log" and q.thresholds == "midpoint")
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_updates_are_quantised_sample_by_sample(quantiser, bias):
    rng = np.random.default_rng(4)
    below = rng.normal(size=(5, 8)).astype(np.float32) * (rng.random((5, 8)) < 0.6)
    below, signal = below.astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    found = per_sample_update(quantiser, below, signal, 0.25, bias=bias)
    whole = np.concatenate([below, np.ones((5, 1), np.float32)], axis=1) if bias else below
    products = whole[:, :, None].astype(np.float64) * (0.25 * signal[:, None, :].astype(np.float64))
    np.testing.assert_allclose(found, quantise(quantiser, products).sum(axis=0), rtol=1e-5, atol=1e-6)


def test_update_quantisers_that_the_kernel_does_not_have_are_refused():
    with pytest.raises(NeurosimError, match=r"channel\.update"):
        per_sample_update(Quantiser(3, alpha=1.0, base=2**0.5), np.ones((1, 2)), np.ones((1, 2)), 1.0, bias=False)


def test_bp_without_upper_derivatives_is_sbp():
    inputs, labels = samples()
    same(changes_of(network("bp", upper_derivatives=False), inputs, labels), changes_of(network("sbp"), inputs, labels))


def test_upper_derivatives_change_nothing_where_they_are_one():
    inputs, labels = samples()
    for rule in ("bp", "rbp"):
        pair = [network(rule, activation="linear", upper_derivatives=u) for u in (True, False)]
        same(*(changes_of(net, inputs, labels) for net in pair))


def test_a_cascade_is_the_sum_of_its_senders():
    net, (inputs, labels) = network(route="cascade"), samples()
    activity = net.forward(inputs)
    found = net.signals(activity, labels)
    for h in range(3):
        expected = sum(
            found.local[above]
            @ net.feedback.matrix(h, (found.local[above].shape[1], net.spec.layers[h].n), above - h - 1)
            for above in range(h + 1, 4)
        )
        np.testing.assert_allclose(found.arriving[h], expected, atol=1e-14)
    one = {
        rule: changes_of(network(rule, hidden=(7,), **more), inputs, labels)
        for rule, more in (("rbp", {}), ("srbp", {"route": "cascade"}))
    }
    same(one["rbp"], one["srbp"])


def test_a_relay_passes_errors_through_layers_of_its_own():
    net, (inputs, labels) = network(route="relay", relays=(3, 2), units="tanh"), samples()
    activity = net.forward(inputs)
    found, error = net.signals(activity, labels), net.targets(labels) - activity.outputs[-1]
    first = np.tanh(error @ net.feedback.matrix(4, (4, 3)))
    second = np.tanh(first @ net.feedback.matrix(5, (3, 2)))
    for h, relay in ((2, first), (1, second), (0, second)):
        expected = np.tanh(relay @ net.feedback.matrix(h, (relay.shape[1], net.spec.layers[h].n)))
        np.testing.assert_allclose(found.arriving[h], expected, atol=1e-14)


def test_recirculation_is_the_difference_of_two_passes():
    layers = (Dense(5, "tanh"), Dense(9, "linear"))
    channel = RULES["srbp"].replace(error=None, route="recirculate", derivative="none")
    net = FloatNetwork(NetworkSpec(9, layers, channel, seed=1), np.float64, from_codes=False)
    inputs, _ = samples()
    activity = net.forward(inputs)
    found = net.signals(activity, inputs)
    np.testing.assert_allclose(
        found.local[0], activity.outputs[0] - net.forward(activity.outputs[1]).outputs[0], atol=1e-15
    )
    # Close to a fixed point it is f' times the error through the forward weights.
    small = inputs * 1e-4
    activity = net.forward(small)
    nearly = (small - activity.outputs[1]) @ net.synapses(0)
    np.testing.assert_allclose(net.signals(activity, small).local[0], nearly, atol=1e-9)


@pytest.mark.parametrize("matrix", ["transpose", "random"])
def test_local_errors_come_from_a_classifier_of_the_layer(matrix):
    net, (inputs, labels) = network(route="local", matrix=matrix), samples()
    activity = net.forward(inputs)
    found = net.signals(activity, labels)
    for h in range(3):
        own = net.feedback.classifier(h, (net.spec.layers[h].n, 4))
        powers = np.exp(activity.outputs[h] @ own)
        error = net.targets(labels) - powers / powers.sum(axis=1, keepdims=True)
        back = own.T if matrix == "transpose" else net.feedback.matrix(h, (4, net.spec.layers[h].n), 129)
        np.testing.assert_allclose(found.arriving[h], error @ back, atol=1e-13)


def test_signs_of_the_transpose():
    for matrix in ("sign", "sign-random"):
        net, (inputs, labels) = network("rbp", matrix=matrix), samples()
        found = net.signals(net.forward(inputs), labels)
        above = net.synapses(2).T
        size = np.sqrt(2 / 11) if matrix == "sign" else np.abs(net.feedback.matrix(1, (5, 6)))
        np.testing.assert_allclose(found.arriving[1], found.local[2] @ (np.sign(above) * size), atol=1e-14)


def test_redrawn_feedback_is_new_at_every_step_and_the_same_in_every_run():
    def first_steps():
        net, (inputs, labels) = network(feedback=FeedbackCrossbar(bits=16, density=1.0, redraw=True)), samples()
        seen = []
        for _ in range(3):
            net.step(inputs, labels, eta=0.1)
            seen.append(net.feedback.matrix(0, (4, 7)).copy())
        return seen

    one, other = first_steps(), first_steps()
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0], one[1])


def test_one_weight_per_synapse():
    net, (inputs, labels) = (
        network(hidden=(5,), feedback=FeedbackCrossbar(bits=16, density=1.0, per="synapse")),
        samples(2),
    )
    activity = net.forward(inputs)
    found = net.changes(activity, labels, 0.5).weights[0]
    own = net.feedback.matrix(0, (4, 50), 1).reshape(4, 10, 5) * np.sqrt(54 / 9)
    error, slope = net.targets(labels) - activity.outputs[-1], 1 - activity.outputs[0] ** 2
    for i in range(10):
        for j in range(5):
            o = inputs[:, i] if i < 9 else np.ones(2)
            expected = 0.5 * sum(o[s] * slope[s, j] * (own[:, i, j] @ error[s]) for s in range(2))
            assert found[i, j] == pytest.approx(expected, abs=1e-13)


def test_random_top_magnitudes_and_dropout():
    inputs, labels = samples()
    net = network(top="random")
    activity = net.forward(inputs)
    error = net.targets(labels) - activity.outputs[-1]
    np.testing.assert_allclose(
        net.signals(activity, labels).local[-1], error @ net.feedback.matrix(3, (4, 4)), atol=1e-14
    )
    grows = changes_of(network(update_part="magnitude"), np.abs(inputs), labels)
    whole, signs = (changes_of(network(update_part=part), inputs, labels).weights for part in ("value", "sign"))
    eta = max(np.abs(change).max() for change in signs)
    assert eta > 0
    assert all(np.array_equal(one, np.sign(other) * eta) for one, other in zip(signs, whole, strict=True))
    assert all((w >= 0).all() for w in grows.weights)
    share = np.mean(
        [
            (s == 0).mean()
            for s in network(dropout=0.3).signals(net.forward(samples(2000)[0]), samples(2000)[1]).arriving[:3]
        ]
    )
    assert share == pytest.approx(0.3, abs=0.02)


def test_feedback_follows_activity_or_its_change():
    inputs, labels = samples()
    net = network("asrbp", adaptive="stdp")
    first = net.forward(inputs)
    assert not any(c.any() for c in net.changes(first, labels, 1.0).feedback.values())
    net.learn(first, net.changes(first, labels, 0.1))
    second = net.forward(inputs[::-1])
    found = net.changes(second, labels, 1.0)
    error = net.targets(labels) - second.outputs[-1]
    for h in range(3):
        np.testing.assert_allclose(found.feedback[h], error.T @ (second.outputs[h] - first.outputs[h]), atol=1e-13)


@pytest.mark.parametrize(("changes", "standing"), [({"sets": 4}, 0.5), ({"scale": 2.0}, 2.0), ({}, 1.0)])
def test_how_c_is_drawn(changes, standing):
    recipe = NORMAL.replace(**changes)
    drawn = recipe.draw_real(1, 0, 100, 200)
    assert drawn.std() / np.sqrt(2 / 300) == pytest.approx(standing, rel=0.03)
    assert np.linalg.matrix_rank(NORMAL.replace(rank=3).draw_real(1, 0, 20, 30)) == 3
    left, values, right = np.linalg.svd(NORMAL.draw_real(1, 0, 20, 30), full_matrices=False)
    np.testing.assert_allclose(NORMAL.replace(rank=20).draw_real(1, 0, 20, 30), left * values @ right, atol=1e-12)
    assert NORMAL.replace(mean=1.5).draw_real(1, 0, 100, 200).mean() / np.sqrt(2 / 300) == pytest.approx(1.5, abs=0.05)
    codes = recipe.draw(1, 0, 100, 200)
    assert np.abs(codes * recipe.word.lsb - drawn).max() <= recipe.word.lsb / 2


def test_normal_initial_weights():
    spec = NetworkSpec(300, (Dense(200, initial="normal"), Dense(10, "softmax")), seed=2)
    drawn = FloatNetwork(spec, from_codes=False).synapses(0)
    assert drawn.std() == pytest.approx(np.sqrt(2 / 500), rel=0.01)
    assert np.abs(FloatNetwork(spec).synapses(0) - drawn).max() <= 2.0**-9 + 1e-6


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"route": "relay"}, "relays"),
        ({"route": "skip", "matrix": "sign"}, "matrix='sign'"),
        ({"dropout": 1.0}, r"channel\.dropout"),
        ({"adaptive": "often"}, r"channel\.adaptive"),
        ({"route": "layered", "feedback": FeedbackCrossbar(bits=8, density=1.0, per="synapse")}, "per='synapse'"),
    ],
)
def test_channels_that_make_no_sense(settings, named):
    with pytest.raises(NeurosimError, match=named):
        Channel(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"route": "cascade"}, {"units": "tanh"}, {"update_part": "magnitude"}, {"matrix": "sign-random", "route": "layered"},
        {"top": "random"}, {"error": Quantiser(9)}, {"feedback": FeedbackCrossbar(redraw=True, fan_in=1)},
        {"feedback": FeedbackCrossbar(bits=8, density=1.0, redraw=True, mean=0.5)}, {"feedback": FeedbackCrossbar(scale=0.5)},
        {"feedback": FeedbackCrossbar(bits=8, density=1.0, scale=0.5), "matrix": "sign", "route": "layered"},
    ],
)  # fmt: skip
def test_what_the_chip_does_not_have_is_named(settings):
    with pytest.raises(NeurosimError, match=f"{next(iter(settings))}.*on the chip"):
        refuse_off_chip(Channel(**settings))


# ---------------------------------------------------------------------- training


def trainer(**training):
    net = network(hidden=(7, 6))
    rng = np.random.default_rng(2)
    return Trainer(net, Training(batch_size=8, mean=True, **training), rng.random((40, 9)), rng.integers(0, 4, 40))


PROTOCOLS = [
    {"rate": 0.1},
    {"rate": 0.1, "decay": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    {"rate": 0.01, "optimiser": "adam"},
    {"rate": 0.01, "optimiser": "rmsprop", "standardise": True},
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_training_goes_on_exactly_from_its_state(protocol):
    whole, first, second = (trainer(**protocol) for _ in range(3))
    for _ in range(3):
        whole.train_epoch()
    first.train_epoch()
    second.load_state({name: array.copy() for name, array in first.state().items()})
    for _ in range(2):
        second.train_epoch()
    for a, b in zip(whole.net.weights, second.net.weights, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_optimisers_lower_the_loss(protocol):
    one = trainer(**protocol)
    before = one.net.loss(one.real(one.inputs), one.wanted)
    for _ in range(5):
        one.train_epoch()
    assert one.net.loss(one.real(one.inputs), one.wanted) < before


def test_momentum_is_the_textbook_recursion():
    one, rate = trainer(rate=0.1, momentum=0.9), 0.1
    inputs, wanted = one.real(one.inputs[:8]), one.wanted[:8]
    velocity = [np.zeros_like(w) for w in one.net.weights]
    expected = [w.copy() for w in one.net.weights]
    optimiser = Optimiser(one.training)
    for _ in range(4):
        activity = one.net.forward(inputs)
        slopes = one.net.changes(activity, wanted, 1 / 8).weights
        for layer, slope in enumerate(slopes):
            velocity[layer] = 0.9 * velocity[layer] + rate * slope
            expected[layer] = expected[layer] + velocity[layer]
        optimiser.move(one.net, activity, wanted, rate)
        for a, b in zip(one.net.weights, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-14)


def test_images_are_moved_and_mirrored():
    images = np.random.default_rng(0).integers(1, 255, (300, 8, 8, 2), dtype=np.uint8)
    training = Training(shift=0.125, flip=True)
    found = augmented(images, training, seed=1, step=4)
    assert found.shape == images.shape
    seen = set()
    for image, moved in zip(images, found, strict=True):
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
        match = [
            (y, x, flip)
            for y in range(3)
            for x in range(3)
            for flip in (False, True)
            if np.array_equal(moved, padded[y : y + 8, x : x + 8][:, :: -1 if flip else 1])
        ]
        assert len(match) == 1
        seen.add(match[0])
    assert len(seen) == 18
    assert np.array_equal(found, augmented(images, training, seed=1, step=4))


@pytest.mark.parametrize(
    ("name", "value"), [("rate", -1.0), ("momentum", 2.0), ("optimiser", "magic"), ("shift", 1.0), ("batch_size", 0)]
)
def test_protocols_that_make_no_sense(name, value):
    with pytest.raises(NeurosimError, match=rf"training\.{name}"):
        Training(**{name: value})


def test_a_spread_of_its_own_does_not_depend_on_the_sizes():
    recipe = FeedbackCrossbar(bits=16, density=1.0, spread=0.5 / np.sqrt(3))
    for sizes in ((10, 300), (300, 40)):
        drawn = recipe.draw_real(1, 0, *sizes)
        assert 0.49 < np.abs(drawn).max() <= 0.5 + 1e-6
        assert drawn.std() == pytest.approx(0.5 / np.sqrt(3), rel=0.03)
