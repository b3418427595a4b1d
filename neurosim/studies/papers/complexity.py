"""What feedback takes, counted on the chip (AIJ 2018, section 6, worked out for 784-4x100-10): operations, stored bits, values sent.

Every hidden unit is active in every sample, so the counts are those of the papers' sums (`neurosim.costs.channel.analysis`): 3 * 100 * 100
+ 10 * 100 = 31,000 operations from layer to layer, 4 * 10 * 100 = 4,000 from the output, 40 n additions where an output reaches n
neurons of each layer.
"""

from __future__ import annotations

import numpy as np

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.costs.channel import analysis
from neurosim.formats import Quantiser
from neurosim.studies.reproduction import Verdict

_SAMPLES, _SEEDS, _SIZES, _BITS = 6, 5, (784, 100, 100, 100, 100, 10), 4


def verdicts() -> list[Verdict]:
    """Counts of one step of each rule, and of sparse single-bit feedback over seeds."""
    found = []
    for rule in ("bp", "rbp", "srbp"):
        said, net = analysis(rule, _SIZES, bits=_BITS), _stepped(rule, 1.0)
        counts = net.counts()
        done = (counts.total("mac", phase="feedback") + counts.total("add", phase="feedback")) / _SAMPLES
        sent, held = counts.total("error_code") / _SAMPLES, net.layout().bits("feedback")
        found.append(
            Verdict(
                f"{rule.upper()}: operations, values sent and entries of C for a sample's feedback, no unit silent",
                f"{said.operations:,.0f}, {said.values:,}, {said.stored:,.0f}",
                "D",
                f"{done:,.0f}, {sent:,.0f}, {held:,}",
                "exact",
                (done, sent, held) == (said.operations, said.values, said.stored),
            )
        )
    for n in (1, 2, 8):
        added = [
            _stepped("srbp", n / 100, seed).counts().total("add", phase="feedback") / _SAMPLES for seed in range(_SEEDS)
        ]
        expected, p = analysis("srbp", _SIZES, bits=_BITS, density=n / 100).operations, n / 100
        deviation = (expected * (1 - p) / _SEEDS) ** 0.5
        found.append(
            Verdict(
                f"SRBP, single bits, n = {n}: additions for a sample's feedback, no unit silent",
                f"40 n = {expected:.0f}",
                "D",
                f"{np.mean(added):.1f}, mean of {_SEEDS} crossbars",
                f"4 standard deviations of a binomial, {4 * deviation:.1f}",
                bool(abs(np.mean(added) - expected) <= 4 * deviation),
            )
        )
    return found


def _stepped(rule: str, density: float, seed: int = 0) -> Network:
    """A network after one step; logistic units are never 0, and errors have a code for 0, so nothing is silent."""
    channel = RULES[rule].replace(error=Quantiser(_BITS, zero="code"), feedback=FeedbackCrossbar(density=density))
    layers = [*(Dense(n, "logistic") for n in _SIZES[1:-1]), Dense(_SIZES[-1], "softmax")]
    net = Network(_SIZES[0], layers, channel, seed=seed)
    codes = np.random.default_rng(7).integers(1, 128, (_SAMPLES, _SIZES[0])).astype(np.uint8)
    net.train(codes, np.arange(_SAMPLES), rate=8, batch_size=_SAMPLES)
    return net
