"""Counts against closed forms, and what halving a knob may and may not change (docs/substrate.md 8)."""

import numpy as np
import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.costs import load, price
from neurosim.formats import Quantiser

CLOCKED = Quantiser(4, zero="code")


def trained(
    rule="srbp", *, hidden=(100,) * 4, pixels=784, n=3, feedback=None, error=CLOCKED, storage="bitmap", off=None, seed=0
):
    channel = RULES[rule].replace(error=error)
    if channel.matrix == "random" and not channel.adaptive:
        channel = channel.replace(feedback=(feedback or FeedbackCrossbar(density=1.0)).replace(storage=storage))
    net = Network(pixels, [*(Dense(k) for k in hidden), Dense(10, "softmax")], channel, seed=seed)
    codes = np.full((n, pixels), 50, np.uint8)
    if off is not None:
        codes[:, :off] = 0
    net.train(codes, np.arange(n) % 10, rate=8)
    return net


def feedback_work(net):
    counts = net.counts()
    return sum(counts.total(a, phase="feedback") for a in ("add", "mac")) / counts.samples


@pytest.mark.parametrize(("rule", "work", "codes"), [("bp", 31_000, 310), ("rbp", 31_000, 310), ("srbp", 4_000, 10)])
def test_complexity_of_the_papers_network(rule, work, codes):
    net = trained(rule)
    assert feedback_work(net) == work
    assert net.counts().total("error_code") / net.counts().samples == codes
    assert net.counts().total("error_code_bit") == 4 * net.counts().total("error_code")


@pytest.mark.parametrize("n", [1, 2, 8, 25])
def test_sparse_feedback_costs_its_connections(n):
    works = []
    for seed in range(4):
        net = trained(feedback=FeedbackCrossbar(density=n / 100), seed=seed)
        connections = sum(np.count_nonzero(net.feedback(h)) for h in range(4))
        assert feedback_work(net) == connections
        works.append(connections)
    deviation = (4 * 4_000 * n / 100 * (1 - n / 100)) ** 0.5
    assert abs(sum(works) - 4 * 40 * n) <= 4 * deviation


def test_exact_fan_in():
    net = trained(feedback=FeedbackCrossbar(fan_in=1))
    assert all((np.count_nonzero(net.feedback(h), axis=0) == 1).all() for h in range(4))
    assert feedback_work(net) == 400


def test_density_0_is_top_only_bit_for_bit():
    rng = np.random.default_rng(3)
    nets = []
    for rule, density in (("srbp", 0.0), ("rbp", 0.0), ("top-only", 0.25)):
        channel = RULES[rule].replace(feedback=FeedbackCrossbar(density=density))
        net = Network(30, [Dense(20), Dense(15), Dense(4, "softmax")], channel, seed=4)
        net.train(rng.integers(0, 128, (0, 30)).astype(np.uint8), np.zeros(0, int), rate=6)
        data = np.random.default_rng(5)
        net.train(data.integers(0, 128, (300, 30)).astype(np.uint8), data.integers(0, 4, 300), rate=6)
        nets.append(net)
    for other in nets[1:]:
        for h in range(3):
            assert np.array_equal(nets[0].weights(h), other.weights(h))


def changed(a, b):
    """(phases and actions whose count differs, energies at 45 nm)."""
    x, y = (net.counts().by(lambda op: (op.phase, op.action, op.memory)) for net in (a, b))
    different = {k for k in x.keys() | y.keys() if x.get(k, 0) != y.get(k, 0)}
    energies = [price(net.counts(), None, net.layout(), load("digital_45nm")).energy_pj_per_sample for net in (a, b)]
    return different, energies


def test_halving_the_density_halves_the_feedback_and_little_else():
    # n=1 sample: its forward pass and its error are the same in both.
    full, half = (trained(n=1, storage="addresses", feedback=FeedbackCrossbar(density=d)) for d in (1.0, 0.5))
    different, _ = changed(full, half)
    assert all(phase in ("feedback", "update") for phase, _, _ in different)
    assert 0.4 < feedback_work(half) / feedback_work(full) < 0.6
    phases = [price(net.counts(), None, net.layout(), load("digital_45nm")).energy_by_phase for net in (full, half)]
    assert phases[1]["feedback"].nominal < phases[0]["feedback"].nominal
    marginal = [
        sum(
            p.nominal
            for p in price(net.counts(), None, net.layout(), load("digital_45nm")).energy
            if p.phase == "forward" and p.component not in ("static", "clock", "weight memory")
        )
        for net in (full, half)
    ]
    assert marginal[0] == marginal[1]


def test_halving_the_error_bits_halves_the_bits_on_the_wire():
    four, two = (trained(n=1, error=Quantiser(b, zero="code")) for b in (4, 2))
    assert two.counts().total("error_code_bit") * 2 == four.counts().total("error_code_bit")
    for phase, action in (("forward", "mac"), ("error", "error_code"), ("feedback", "add"), ("forward", "event")):
        assert two.counts().total(action, phase=phase) == four.counts().total(action, phase=phase)


def test_halving_the_hidden_units_or_the_pixels():
    whole, narrow, dark = trained(n=1), trained(n=1, hidden=(50, 100, 100, 100)), trained(n=1, off=392)
    assert narrow.counts().total("mac", layer=0) * 2 == whole.counts().total("mac", layer=0)
    assert dark.counts().total("mac", layer=0) == 393 * 100
    assert whole.counts().total("mac", layer=0) == 785 * 100
    for fewer in (narrow, dark):
        assert changed(whole, fewer)[1][1] < changed(whole, fewer)[1][0]


def test_parts_sum_to_totals_and_survive_json():
    import json

    from neurosim.ops import OpCounts

    counts = trained(n=2).counts()
    for action in ("mac", "read", "add"):
        assert counts.total(action) == sum(counts.total(action, layer=h) for h in range(5))
        assert counts.total(action) == sum(
            counts.total(action, phase=p) for p in ("forward", "error", "feedback", "update")
        )
    again = OpCounts.from_dict(json.loads(json.dumps(counts.to_dict())))
    assert again.ops == counts.ops
    assert (counts + counts).total("mac") == 2 * counts.total("mac")


def test_training_and_test_counts_are_never_mixed():
    net = trained(n=2)
    before = net.counts().ops
    net.evaluate(np.zeros((5, 784), np.uint8), np.zeros(5, int))
    assert net.counts().ops == before
    assert net.test_counts().samples == 5
    assert {op.phase for op in net.test_counts().ops} == {"forward"}
