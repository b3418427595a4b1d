"""What feedback takes, counted on the chip (AIJ 2018, section 6, worked out for 784-4x100-10): operations, stored bits, values sent.

Every hidden unit is active in every sample, so the counts are those of the formulas: 3 * 100 * 100 + 10 * 100 = 31,000 operations from
layer to layer, 4 * 10 * 100 = 4,000 from the output, 40 n additions where an output reaches n neurons of each layer.
"""

from __future__ import annotations

import numpy as np

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.formats import Quantiser
from neurosim.studies.reproduction import Verdict

_SAMPLES, _SEEDS, _HIDDEN, _OUTPUTS = 6, 5, 4, 10
_SAID = {"bp": (31_000, 310), "rbp": (31_000, 310), "srbp": (4_000, 10)}


def verdicts() -> list[Verdict]:
    """Counts of one step of each rule, and of sparse single-bit feedback over seeds."""
    found = []
    for rule, (operations, codes) in _SAID.items():
        net = _stepped(rule, 1.0)
        counts = net.counts()
        done = (counts.total("mac", phase="feedback") + counts.total("add", phase="feedback")) / _SAMPLES
        sent, held = counts.total("error_code") / _SAMPLES, net.layout().bits("feedback")
        stored = 0 if rule == "bp" else operations
        found.append(
            Verdict(
                f"{rule.upper()}: operations, values sent and entries of C for a sample's feedback",
                f"{operations:,}, {codes}, {stored:,}",
                "D",
                f"{done:,.0f}, {sent:,.0f}, {held:,}",
                "exact",
                (done, sent, held) == (operations, codes, stored),
            )
        )
    for n in (1, 2, 8):
        done = [
            _stepped("srbp", n / 100, seed).counts().total("add", phase="feedback") / _SAMPLES for seed in range(_SEEDS)
        ]
        expected, p = 40 * n, n / 100
        deviation = (_HIDDEN * _OUTPUTS * 100 * p * (1 - p) / _SEEDS) ** 0.5
        found.append(
            Verdict(
                f"SRBP, single bits, n = {n}: additions for a sample's feedback",
                f"40 n = {expected}",
                "D",
                f"{np.mean(added):.1f}, mean of {_SEEDS} crossbars",
                f"4 standard deviations of a binomial, {4 * deviation:.1f}",
                bool(abs(np.mean(added) - expected) <= 4 * deviation),
            )
        )
    return found


def _stepped(rule: str, density: float, seed: int = 0) -> Network:
    """A network after one step; logistic units are never 0, and errors have a code for 0, so nothing is silent."""
    channel = RULES[rule].replace(error=Quantiser(4, zero="code"), feedback=FeedbackCrossbar(density=density))
    layers = [*(Dense(100, "logistic") for _ in range(_HIDDEN)), Dense(_OUTPUTS, "softmax")]
    net = Network(784, layers, channel, seed=seed)
    codes = np.random.default_rng(7).integers(1, 128, (_SAMPLES, 784)).astype(np.uint8)
    net.train(codes, np.arange(_SAMPLES), rate=8, batch_size=_SAMPLES)
    return net
