"""Counts against theory: the closed forms of the rules' complexity, and what halving one knob changes and what it must not.

Closed forms: Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018), worked out for 784-4x100-10. Every comparison is of one
step from the same initial weights, so that both networks classify the same data with the same weights and counts can be
held to be equal, not only close.
"""

import numpy as np
import pytest

from neurosim import data
from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.costs import load, price
from neurosim.formats import Quantiser
from tests.mapping_cases import model

CLOCKED = Quantiser(bits=4, zero="code")
DEEP = (100,) * 4
SAMPLES = 6


def stepped(
    rule="srbp",
    *,
    hidden=DEEP,
    pixels=784,
    dark=0,
    error=CLOCKED,
    feedback=None,
    activation="logistic",
    frozen=False,
    seed=0,
    **knobs,
):
    """A network after one step of SAMPLES samples; `dark` of its pixels are 0. Logistic units are never exactly 0, so
    every hidden unit emits an event in every sample."""
    channel = RULES[rule].replace(error=error, **knobs)
    if feedback is not None:
        channel = channel.replace(feedback=feedback)
    layers = [Dense(n, activation, frozen=frozen) for n in hidden]
    net = Network(pixels, [*layers, Dense(10, "softmax")], channel, seed=seed)
    codes = np.random.default_rng(7).integers(1, 128, (SAMPLES, pixels)).astype(np.uint8)
    codes[:, :dark] = 0
    net.train(codes, np.arange(SAMPLES), rate=8, batch_size=SAMPLES)
    return net


def a_sample(net, action, **pinned):
    """How often a sample takes an action, where that is a whole number."""
    whole, rest = divmod(net.counts().total(action, **pinned), SAMPLES)
    assert rest == 0
    return whole


def tally(net):
    """Counts by all but widths."""
    return net.counts().by(lambda op: (op.layer, op.phase, op.action, op.memory))


def changed(one, other):
    """(phase, action, memory) of everything that was counted differently, whatever the layer."""
    a, b = tally(one), tally(other)
    return {key[1:] for key in a.keys() | b.keys() if a.get(key, 0) != b.get(key, 0)}


def cost(net, chip=None):
    return price(net.counts(), None, net.layout(), chip or load("digital_45nm"))


def marginal(net, phase, chip=None):
    """pJ a sample of what happens in a phase: without clock and leakage, which follow the time of the whole step."""
    return sum(
        part.nominal
        for part in cost(net, chip).energy
        if part.phase == phase and part.component not in ("clock", "static")
    )


# ---------------------------------------------------------------------- closed forms


@pytest.mark.parametrize(
    ("rule", "action", "operations", "codes"),
    [("bp", "mac", 31_000, 310), ("rbp", "add", 31_000, 310), ("srbp", "add", 4_000, 10)],
)
def test_work_of_the_feedback(rule, action, operations, codes):
    # 31,000 = 3 * 100 * 100 + 10 * 100; 4,000 = 4 * 10 * 100; 310 units above the first hidden layer, of which 10 are outputs.
    net = stepped(rule, feedback=FeedbackCrossbar(density=1.0))
    assert a_sample(net, action, phase="feedback") == operations
    assert a_sample(net, "mac" if action == "add" else "add", phase="feedback") == 0
    assert a_sample(net, "error_code") == codes
    assert a_sample(net, "error_code_bit") == 4 * codes


@pytest.mark.parametrize(("rule", "words"), [("rbp", 31_000), ("srbp", 4_000), ("bp", 0)])
def test_what_the_feedback_occupies(rule, words):
    layout = stepped(rule, feedback=FeedbackCrossbar(density=1.0)).layout()
    assert layout.bits("feedback") == words  # one bit an entry
    wide = stepped(rule, feedback=FeedbackCrossbar(bits=8, density=1.0)).layout()
    assert wide.bits("feedback") == 8 * words


@pytest.mark.parametrize("n", [1, 2, 8, 25])
def test_sparse_feedback_costs_one_addition_a_connection(n):
    # n is the expected number of receivers of one error unit in a layer of 100: 4 * 10 * 100 * n / 100 = 40 n additions.
    nets = [stepped(feedback=FeedbackCrossbar(density=n / 100), seed=seed) for seed in range(5)]
    connections = [sum(np.count_nonzero(net.feedback(h)) for h in range(4)) for net in nets]
    assert [a_sample(net, "add", phase="feedback") for net in nets] == connections
    assert all(a_sample(net, "mac", phase="feedback") == 0 for net in nets)
    entries = 4_000 * len(nets)
    deviation = (entries * (n / 100) * (1 - n / 100)) ** 0.5
    assert abs(sum(connections) - 40 * n * len(nets)) <= 4 * deviation


def test_work_of_the_forward_pass_and_the_update():
    # Every unit emits and every weight of the hidden layers learns: macs and pairs are weights, biases included.
    net = stepped("rbp", feedback=FeedbackCrossbar(density=1.0), derivative="none")
    weights = [785 * 100, 101 * 100, 101 * 100, 101 * 100, 101 * 10]
    for layer, n in enumerate(weights):
        assert a_sample(net, "mac", phase="forward", layer=layer) == n
        assert a_sample(net, "event", layer=layer) == n // net.spec.layers[layer].n
    assert a_sample(net, "update_pair", layer=4) == weights[4]
    for layer in range(4):
        pairs = net.counts().total("update_pair", layer=layer)
        assert pairs % net.spec.rows(layer) == 0
        assert 0 < pairs <= SAMPLES * weights[layer]


@pytest.mark.parametrize(("rule", "learns"), [("arbp", 31_000), ("asrbp", 4_000)])
def test_adaptive_feedback_adds_its_own_updates(rule, learns):
    # At most one update for each entry of C and step; its rows are read and written in the memory of C.
    net = stepped(rule, activation="tanh")
    changes = net.counts().total("write", phase="update", memory="feedback")
    attempts = net.counts().total("read", phase="update", memory="feedback")
    assert 0 < changes <= attempts <= learns
    assert attempts > learns // 2


# ---------------------------------------------------------------------- halving one knob


def halved_density(storage, **knobs):
    return [stepped(feedback=FeedbackCrossbar(density=density, storage=storage), **knobs) for density in (0.5, 0.25)]


@pytest.mark.parametrize("storage", ["bitmap", "addresses", "regenerated"])
def test_density_lowers_the_additions_and_nothing_else(storage):
    # Frozen hidden layers without f', so that nothing follows from the signals: the connections alone differ.
    full, half = halved_density(storage, frozen=True, derivative="none", gain=0)
    for h in range(4):
        kept, all_of_them = half.feedback(h) != 0, full.feedback(h) != 0
        assert not (kept & ~all_of_them).any()  # the sparser crossbar is a part of the denser one
    fewer = {("feedback", "add", ""), ("feedback", "read", "accumulator"), ("feedback", "write", "accumulator")}
    if storage == "addresses":  # a bitmap is read whole, a regenerated row is drawn whole
        fewer |= {("feedback", "read", "feedback")}
    assert changed(full, half) == fewer
    removed = SAMPLES * sum(np.count_nonzero(full.feedback(h)) - np.count_nonzero(half.feedback(h)) for h in range(4))
    assert all(tally(full)[key] > tally(half).get(key, 0) for key in tally(full) if key[1:] in fewer)
    assert full.counts().total("add", phase="feedback") - half.counts().total("add", phase="feedback") == removed
    assert marginal(half, "feedback") < marginal(full, "feedback")
    assert all(marginal(half, phase) == marginal(full, phase) for phase in ("forward", "error", "update"))


def test_density_leaves_forward_and_error_alone_when_everything_learns():
    full, half = halved_density("addresses")
    assert {phase for phase, _, _ in changed(full, half)} == {"feedback", "update"}
    assert all(tally(half).get(key, 0) <= n for key, n in tally(full).items() if key[1] == "update" and key[0] < 4)
    assert half.counts().total("update_pair") < full.counts().total("update_pair")
    assert half.layout().bits("feedback") < full.layout().bits("feedback")
    assert cost(half).energy_pj_per_sample < cost(full).energy_pj_per_sample


@pytest.mark.parametrize(("rule", "codes"), [("srbp", 10), ("rbp", 310), ("bp", 310)])
def test_error_bits_lower_the_bits_on_the_wires_and_nothing_else(rule, codes):
    four, two = (stepped(rule, error=Quantiser(bits, zero="code"), frozen=True, derivative="none") for bits in (4, 2))
    assert [a_sample(net, "error_code_bit") for net in (four, two)] == [4 * codes, 2 * codes]
    quantised = {
        ("error", "shift", ""),
        ("error", "compare", ""),
    }  # a hidden R that 2 bits make 0 is not quantised below
    assert changed(four, two) - (quantised if codes > 10 else set()) == {("error", "error_code_bit", "")}
    narrow = model(fabric={"flit_bits": 1})  # with flits of 32 bits both are one, header and all
    assert marginal(two, "error", narrow) < marginal(four, "error", narrow)
    assert marginal(two, "error") <= marginal(four, "error")
    assert all(marginal(two, phase) == marginal(four, phase) for phase in ("forward", "feedback"))


def test_silent_codes_are_fewer_with_fewer_bits():
    four, two = (stepped(error=Quantiser(bits, zero="silent")) for bits in (4, 2))
    assert two.counts().total("error_code") < four.counts().total("error_code") <= 10 * SAMPLES
    assert {phase for phase, _, _ in changed(four, two)} == {"error", "feedback", "update"}


@pytest.mark.parametrize(("rule", "codes"), [("rbp", 50), ("srbp", 0)])
def test_hidden_units_lower_the_work_of_their_own_synapses(rule, codes):
    # The second of four hidden layers has half as many neurons: its own synapses, those above it, and its feedback.
    whole, half = (
        stepped(rule, hidden=(100, n, 100, 100), feedback=FeedbackCrossbar(density=1.0), frozen=True, derivative="none")
        for n in (100, 50)
    )
    macs = [[a_sample(net, "mac", phase="forward", layer=layer) for layer in range(5)] for net in (whole, half)]
    assert macs == [[78_500, 10_100, 10_100, 10_100, 1_010], [78_500, 5_050, 5_100, 10_100, 1_010]]
    adds = [[a_sample(net, "add", phase="feedback", layer=h) for h in range(4)] for net in (whole, half)]
    lower = [10_000, 10_000, 10_000, 1_000] if rule == "rbp" else [1_000] * 4
    fewer = [5_000, 5_000, 10_000, 1_000] if rule == "rbp" else [1_000, 500, 1_000, 1_000]
    assert adds == [lower, fewer]
    assert a_sample(whole, "error_code") - a_sample(half, "error_code") == codes
    forward = {key: n for key, n in tally(whole).items() if key[0] in (0, 3, 4) and key[1] == "forward"}
    assert forward == {key: n for key, n in tally(half).items() if key[0] in (0, 3, 4) and key[1] == "forward"}
    assert all(marginal(half, phase) < marginal(whole, phase) for phase in ("forward", "feedback"))


def test_pixels_lower_the_work_of_the_first_layer_and_nothing_else():
    whole, half = (
        stepped(dark=dark, feedback=FeedbackCrossbar(density=1.0), derivative="none", gain=2) for dark in (0, 392)
    )
    assert [a_sample(net, "event", layer=0) for net in (whole, half)] == [785, 393]
    assert [a_sample(net, "mac", layer=0) for net in (whole, half)] == [78_500, 39_300]
    assert [a_sample(net, "write", layer=0, memory="activation") for net in (whole, half)] == [785, 393]
    one, other = tally(whole), tally(half)
    same = {key: n for key, n in one.items() if key[1] in ("forward", "error", "feedback") and key[0] > 0}
    assert same == {key: n for key, n in other.items() if key[1] in ("forward", "error", "feedback") and key[0] > 0}
    first = {key[1:] for key in one if key[0] == 0 and one[key] != other.get(key, 0)}
    untouched = {("forward", "neuron_update", ""), ("forward", "lut", ""), ("feedback", "add", "")}
    assert untouched <= {key[1:] for key in one if key[0] == 0} - first
    pairs = [net.counts().total("update_pair", layer=0) for net in (whole, half)]
    assert pairs[0] * 393 == pairs[1] * 785  # the same signals meet fewer presynaptic codes
    assert marginal(half, "forward") < marginal(whole, "forward")
    assert marginal(half, "update") < marginal(whole, "update")
    assert all(marginal(half, phase) == marginal(whole, phase) for phase in ("error", "feedback"))


# ---------------------------------------------------------------------- rules


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def learned(channel, digits, samples=600, epochs=2):
    net = Network(64, [Dense(40), Dense(30), Dense(10, "softmax")], channel, seed=3)
    codes, labels = net.encode(digits.train_inputs, digits.full_scale), digits.train_labels.astype(int)
    for epoch in range(epochs):
        net.train(codes[:samples], labels[:samples], rate=6 + epoch)
    return net, net.evaluate(net.encode(digits.test_inputs, digits.full_scale), digits.test_labels.astype(int))


@pytest.mark.parametrize("name", RULES)
def test_every_rule_learns(name, digits):
    # Chance is 10 %, with a standard deviation below 2 % on these test samples.
    net, accuracy = learned(RULES[name], digits)
    assert accuracy > 0.4
    moved = [bool((net.weights(h) != Network(net.spec).weights(h)).any()) for h in range(3)]
    assert moved == ([False, False, True] if name == "top-only" else [True, True, True])


@pytest.mark.parametrize("rule", ["srbp", "rbp"])
@pytest.mark.parametrize("values", ["01", "+-1"])
def test_no_feedback_is_top_only_bit_for_bit(rule, values, digits):
    silent, accuracy = learned(RULES[rule].replace(feedback=FeedbackCrossbar(values=values, density=0.0)), digits, 200)
    alone, expected = learned(RULES["top-only"], digits, 200)
    assert accuracy == expected
    for layer in range(3):
        assert np.array_equal(silent.weights(layer), alone.weights(layer))
    assert silent.counts().total("add", phase="feedback") == 0
    assert alone.counts().total("error_code") == 0
