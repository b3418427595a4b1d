"""What a network takes and what it refuses: one line that names the argument and says what would do."""

import numpy as np
import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser

CODES, LABELS = np.full((6, 5), 3, np.uint8), np.arange(6) % 3


def network(**changes):
    return Network(5, [Dense(4), Dense(3, "softmax")], RULES["srbp"], **changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"codes": CODES[:, :4]}, r"codes: \[6, 4\], and the network has 5 inputs"),
        ({"codes": CODES[0]}, r"codes: \[5\]"),
        ({"codes": CODES / 7}, r"codes: float64; they are integers, made by `encode`"),
        ({"codes": CODES + 200}, r"codes: 203\.\.203, and the input word holds 0\.\.127"),
        ({"codes": CODES.astype(np.int64) - 4}, r"codes: -1\.\.-1"),
        ({"labels": LABELS[:5]}, r"labels: int64\[5\], and there are 6 samples"),
        ({"labels": LABELS / 1.0}, r"labels: float64"),
        ({"labels": LABELS + 1}, r"labels: 3 is out of range: the network has 3 outputs, so 0\.\.2"),
        ({"labels": LABELS - 1}, r"labels: -1 is out of range"),
        ({"order": np.array([0, 6])}, r"order: must list samples by number, 0\.\.5"),
        ({"order": np.array([-1])}, r"order: must"),
        ({"rate": 63}, r"rate=63: must be"),
        ({"rate": 56}, r"rate=56: layer 0 would shift its updates by 63 places"),
        ({"batch_size": 0}, r"batch_size=0: must be"),
        ({"execution": "gpu"}, r"execution='gpu': must be"),
    ],
)
def test_bad_arguments_of_train(changes, named):
    net = network()
    before = net.state()
    given = {"codes": CODES, "labels": LABELS, "rate": 7} | changes
    with pytest.raises(NeurosimError, match=named):
        net.train(given.pop("codes"), given.pop("labels"), **given)
    for name, array in net.state().items():
        assert np.array_equal(array, before[name]), name


def test_any_integers_in_any_layout_give_the_same_bits():
    states = []
    for codes, labels in (
        (CODES, LABELS),
        (CODES.astype(np.int64), LABELS.astype(np.uint8)),
        (np.asfortranarray(CODES), LABELS.tolist()),
        (np.repeat(CODES, 2, axis=0)[::2], np.repeat(LABELS, 2)[::2]),
    ):
        net = network(seed=4)
        net.train(codes, labels, rate=7)
        states.append(net.state())
    for other in states[1:]:
        assert all(np.array_equal(states[0][name], other[name]) for name in other)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Dense(4, weight=Fixed(1, 0)), "layer.weight.bits=1"),
        (lambda: Dense(4, weight=Fixed(1, 0), frozen=True), "layer.bias=True"),
        (lambda: Fixed(0, 0), "bits=0"),
        (lambda: Fixed(40, 0).encode(1.0) and Dense(4, weight=Fixed(40, 0)), "bits=40"),
        (lambda: RULES["asrbp"].replace(feedback=FeedbackCrossbar(8, density=0.5)), "feedback.density must be 1"),
        (lambda: RULES["srbp"].replace(update=Quantiser(4, base="auto")), "update.base='auto'"),
        (
            lambda: NetworkSpec(4, (Dense(3, "softmax"),), received=Fixed(10, 8, rounding="stochastic")),
            "network.received.rounding='stochastic'",
        ),
    ],
)
def test_descriptions_that_mean_nothing(make, named):
    with pytest.raises(NeurosimError, match=named.replace("+", r"\+")):
        make()


def test_real_targets_are_codes_of_the_output_word():
    net = Network(6, [Dense(4), Dense(3, "linear")], seed=1)
    codes = net.encode(np.random.default_rng(0).random((5, 6)))
    targets = net.encode_targets(np.linspace(-0.5, 0.5, 15).reshape(5, 3))
    assert targets.dtype == np.int32
    before = np.abs(net.outputs(codes) - targets * 2.0**-15).sum()
    for _ in range(200):
        net.train(codes, targets, rate=4)
    assert np.abs(net.outputs(codes) - targets * 2.0**-15).sum() < before / 2
    for wrong, said in (
        (targets[:4], "targets: int32"),
        (targets * 3, "the output word holds"),
        (targets * 1.0, "targets: float64"),
    ):
        with pytest.raises(NeurosimError, match=said):
            net.train(codes, wrong, rate=5)
    with pytest.raises(NeurosimError, match="learns from labels alone"):
        Network(6, [Dense(4), Dense(3, "linear")], RULES["drtp"]).train(codes, targets, rate=5)
    # Labels still mean classes afterwards.
    assert 0 <= net.train(codes, np.zeros(5, int), rate=5) <= 5
