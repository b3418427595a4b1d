"""Convolutions on the chip: against the slow twin, against dense layers, and counts in closed form (docs/substrate.md 9)."""

import random

import numpy as np
import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.costs import load, price
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.ops import Layout
from tests.naive_conv import NaiveConvNetwork
from tests.twin import TALLIES, a_case, compare, describe

WITH_MAPS = [name for name in RULES if name not in ("sbp",)]


@pytest.mark.parametrize("rule", WITH_MAPS)
@pytest.mark.parametrize("maps", [1, 2, 3])
def test_random_maps_equal_the_twin(rule, maps):
    compared = cases = 0
    for number in range(20):
        try:
            compared += compare(a_case(random.Random(f"maps-{rule}-{maps}-{number}"), rule, maps))
            cases += 1
        except NeurosimError:
            continue
        if cases == 4:
            break
    assert compared > 500 or (rule == "arbp" and maps > 1)


def samples(n, width, classes=4, seed=3):
    r = np.random.default_rng(seed)
    codes = r.integers(0, 128, (n, width)) * (r.random((n, width)) < 0.6)
    return codes.astype(np.uint8), r.integers(0, classes, n)


@pytest.mark.parametrize("rule", WITH_MAPS)
@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_map_of_one_position_is_a_dense_layer(rule, batch_size):
    codes, labels = samples(60, 30)
    # Between two convolutions C does not learn, and has the shape of a kernel: one convolution for those rules.
    two = rule in ("bp", "srbp", "asrbp", "drtp", "top-only")
    second = Conv2d(25, 1) if two else Dense(25)
    pair = [
        Network((1, 1, 30), [Conv2d(40, 1, pool=1), second, Dense(4, "softmax")], RULES[rule], seed=9),
        Network(30, [Dense(40), Dense(25), Dense(4, "softmax")], RULES[rule], seed=9),
    ]
    for net in pair:
        net.train(codes, labels, rate=5, batch_size=batch_size)
        net.evaluate(codes, labels)
    for h in range(3):
        assert np.array_equal(pair[0].weights(h), pair[1].weights(h))
    for which in ("train", "test"):
        mine, dense = (net.tallies(which) for net in pair)
        for h in range(3):
            assert {**mine.counts[h], "routed": 0} == dense.counts[h]
            assert np.array_equal(mine.events[h], dense.events[h])
            assert np.array_equal(mine.codes[h], dense.codes[h])
    assert pair[0].health() == pair[1].health()
    assert pair[0].test_counts().ops == pair[1].test_counts().ops


def test_a_kernel_as_large_as_the_map_is_a_dense_layer():
    codes, labels = samples(40, 5 * 4 * 3)
    layers = [Dense(20), Dense(4, "softmax")]
    one = Network((4, 4, 3), [Conv2d(33, 4, padding="valid", weight=Fixed(8, 8, rounding="nearest")), *layers], seed=1)
    dense = Network(48, [Dense(33, weight=Fixed(8, 8, rounding="nearest")), *layers], seed=1)
    one.weights(0)[:] = dense.weights(0)
    for net in (one, dense):
        net.train(codes[:, :48], labels, rate=6, batch_size=4)
    for h in range(3):
        assert np.array_equal(one.weights(h), dense.weights(h))


@pytest.mark.parametrize("n", [5, 8])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_work_of_a_full_map_in_closed_form(n, k):
    net = Network((n, n, 3), [Conv2d(7, k, pool=3, pool_stride=2), Dense(2, "softmax")])
    net.train(np.full((2, n * n * 3), 9, np.uint8), np.array([0, 1]), rate=8)
    side = k * n - 2 * sum(range(1, (k - 1) // 2 + 1))  # windows' entries along one side, less those outside
    counts = net.counts()
    assert counts.total("mac", phase="forward", layer=0) == 2 * 7 * (3 * side**2 + n * n)
    assert counts.total("read", memory="weight", phase="forward", layer=0) == 2 * 7 * (3 * side**2 + n * n)
    assert counts.total("event", layer=0) == 2 * (3 * n * n + 1)
    assert counts.total("neuron_update", layer=0) == 2 * 7 * n * n


def run_pair(rule, number, feedback=None):
    r = random.Random(f"work-{rule}-{number}")
    channel = RULES[rule]
    if feedback:
        channel = channel.replace(feedback=feedback)
    layers = [
        Conv2d(3, 3, pool=3, pool_stride=2, stride=r.choice((1, 2))),
        r.choice((Conv2d(4, 3, pool=2), Conv2d(4, 2, pool=2), Conv2d(4, 2, padding="valid"))),
        Dense(3, "softmax"),
    ]
    net = Network((7, 6, 2), layers, channel.replace(error=Quantiser(4)), seed=number)
    twin = NaiveConvNetwork(describe(net.spec, net.spec.channel, 5))
    rows = [[r.choice((0, r.randint(0, 127))) for _ in range(84)] for _ in range(4)]
    labels = [r.randrange(3) for _ in range(4)]
    net.train(np.array(rows, np.uint8), np.array(labels), rate=5, batch_size=2)
    for i in (0, 2):
        twin.train_step(rows[i : i + 2], labels[i : i + 2])
    return net, twin


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("rule", ["bp", "rbp", "srbp"])
def test_work_equals_what_the_twin_did(rule, number):
    net, twin = run_pair(rule, number)
    counts = net.counts()
    for h in (0, 1):
        tally = twin.tally[h]
        layer = net.spec.layers[h]
        assert counts.total("mac", phase="forward", layer=h) == tally["macs"]
        assert counts.total("compare", phase="forward", layer=h) == tally["comparisons"]
        assert counts.total("update_pair", layer=h) == tally["update_pairs"]
        assert counts.total("write", memory="gradient", layer=h) == tally["update_pairs"]
        assert counts.total("read", memory="address", layer=h) == tally["received"]
        assert counts.total("multiply", phase="feedback", layer=h) == tally["routed"]
        assert {name: net.tallies().counts[h][name] for name in TALLIES} == {name: tally[name] for name in TALLIES}
        assert net.layout().bits("weight", h) == 8 * layer.channels * (net.spec.fan_in(h) + 1)
    delivered = connected = 0
    for j, n in enumerate(twin.tally[1]["codes"]):
        position, c = divmod(j, 4)
        for row in twin.plans[1].heard[position]:
            delivered += n
            connected += n * (rule == "rbp" and twin.feedback[0][row][c] != 0)
    if rule == "bp":
        assert counts.total("mac", phase="feedback", layer=0) == delivered > 0
        assert counts.total("read", memory="weight_column", layer=0) == delivered
    if rule == "rbp":
        assert counts.total("add", phase="feedback", layer=0) == connected + twin.tally[0]["received"] > 0
        assert counts.total("read", memory="feedback", layer=0) == delivered


def test_a_wide_c_between_convolutions_multiplies():
    net, twin = run_pair("rbp", 0, FeedbackCrossbar(bits=8, density=1.0))
    delivered = sum(n * len(twin.plans[1].heard[j // 4]) for j, n in enumerate(twin.tally[1]["codes"]))
    assert net.counts().total("mac", phase="feedback", layer=0) == delivered > 0
    assert net.feedback(0).tolist() == twin.feedback[0]


@pytest.mark.parametrize("model", ["digital_45nm", "digital_28nm"])
def test_cost_of_a_convolution(model):
    codes, labels = samples(3, 192)
    small, large = (Network((8, 8, 3), [Conv2d(n, 3, pool=2), Dense(10, "softmax")], seed=1) for n in (4, 8))
    costs = []
    for net in (small, large):
        net.train(codes, labels, rate=8)
        costs.append(price(net.counts(), None, net.layout(), load(model)))
        assert Layout.from_dict(net.layout().to_dict()) == net.layout()
    assert 1.2 < costs[1].energy_pj_per_sample / costs[0].energy_pj_per_sample < 3
    assert small.layout().neurons == (8 * 8 * 4, 10)
    assert small.layout().bits("weight", 0) == 28 * 4 * 8
    assert small.layout().bits("activation", 0) == 193 * 7
    assert small.layout().bits("address", 0) == 4 * 4 * 4 * (10 + 2)


def test_resumed_in_pieces_and_by_blas():
    codes, labels = samples(60, 7 * 7 * 2)
    states = []
    for pieces, execution in ((1, "auto"), (4, "event"), (3, "blas")):
        layers = [Conv2d(6, 3, pool=3, pool_stride=2), Conv2d(5, 3), Dense(12), Dense(4, "softmax")]
        net = Network((7, 7, 2), layers, RULES["bp"], seed=2)
        for part in np.array_split(np.arange(60), pieces):
            again = Network(net.spec)
            again.load_state(net.state())
            net = again
            net.train(codes, labels, rate=6, batch_size=5, order=part, execution=execution)
        net.evaluate(codes, labels, execution=execution)
        states.append(net.state())
    for other in states[1:]:
        for name, array in states[0].items():
            assert np.array_equal(array, other[name]), name


def test_maps_with_channels_first_are_refused():
    net = Network((5, 4, 3), [Conv2d(2), Dense(2, "softmax")])
    maps = np.random.default_rng(1).random((6, 5, 4, 3))
    assert np.array_equal(net.encode(maps), net.encode(maps.reshape(6, -1)))
    with pytest.raises(NeurosimError, match="channels last"):
        net.encode(maps.transpose(0, 3, 1, 2))


def bars(n=400, seed=0):
    """Pictures of a bright bar: lying, standing, or one of two blocks; int labels."""
    r = np.random.default_rng(seed)
    labels = r.integers(0, 4, n)
    pictures = r.random((n, 8, 8, 1)) * 0.4
    for picture, label in zip(pictures, labels, strict=True):
        y, x = r.integers(1, 5, 2)
        height, width = ((1, 4), (4, 1), (2, 2), (2, 3))[label]
        picture[y : y + height, x : x + width] += 0.6
    return pictures, labels


@pytest.mark.parametrize("rule", ["bp", "rbp", "srbp", "top-only"])
def test_what_learns(rule):
    # A {0, 1} C has one sign at all positions of a map, which share their weights: it drives them to the rails.
    pictures, labels = bars()
    channel = RULES[rule].replace(feedback=FeedbackCrossbar(values="+-1", density=0.5))
    net = Network((8, 8, 1), [Conv2d(12, 3, pool=2), Dense(20), Dense(4, "softmax")], channel, seed=5)
    codes = net.encode(pictures)
    for _ in range(40):
        net.train(codes, labels, rate=6)
    accuracy = net.evaluate(codes, labels)
    assert accuracy < 0.5 if rule == "top-only" else accuracy > 0.75
