"""Sparse direct feedback (Crafton et al., Frontiers in Neuroscience 13:525, 2019): each hidden neuron hears exactly one error.

784-400-10 tanh, natural softmax, weights from zero for DFA, Adam with rate 0.01 and epsilon 1, batches of 32, images standardised
one by one.
B uniform on +-1/sqrt(width / sqrt(10 k)) for k errors a neuron. The authors train for 300 epochs, and BP with
ReLU units; here 30, with tanh.
"""

from __future__ import annotations

import math
from typing import Any

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.floats.training import Training
from neurosim.studies.papers.protocol import channel, for_task, network
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float",)
_WIDTH = 400
_TRAINING = Training(epochs=30, batch_size=32, rate=0.01, optimiser="adam", epsilon=1.0, mean=True, standardise=True)


def _b(fan_in: int, **changes: Any) -> FeedbackCrossbar:
    reach = 1 / math.sqrt(_WIDTH / math.sqrt(10 * fan_in))
    return FeedbackCrossbar(bits=16, fan_in=fan_in, spread=reach / math.sqrt(3), **changes)


def cells() -> list[Cell]:
    """Dense and sparse DFA, BP, and a single-bit crossbar of the same fan-in."""
    zero = {"hidden": (_WIDTH,), "init_gain": 0.0}
    rules = {
        "DFA, 10 errors a neuron": (channel("srbp", feedback=_b(10)), zero),
        "DFA, 1 error a neuron": (channel("srbp", feedback=_b(1)), zero),
        "DFA, 1 error a neuron, entries of +-1": (
            channel("srbp", feedback=FeedbackCrossbar(values="+-1", fan_in=1, scale=0.05)),
            zero,
        ),
        "BP": (channel("bp"), {"hidden": (_WIDTH,)}),
    }
    return [Cell(name, Setting(network(rule, **net), _TRAINING), 2) for name, (rule, net) in rules.items()]  # type: ignore[arg-type]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    return findings_of(
        "Sparse direct feedback, MNIST 784-400-10 tanh",
        results,
        _verdicts(results),
        lambda path: bars(results, path, "MNIST 784-400-10 tanh, Adam", left=0 if task.quick else 95),
        notes=["30 epochs; the published runs have 300."],
    )


def _verdicts(r: Results) -> list[Verdict]:
    dense, sparse = "DFA, 10 errors a neuron", "DFA, 1 error a neuron"
    gap = r.mean(dense) - r.mean(sparse)
    return [
        r.judge(
            "one error a neuron is enough", "a small loss, within about 0.5 points", "V", f"{r.text(sparse)} %, {gap:+.2f} below dense",
            "at most 1 point", [dense, sparse], gap <= 1,
        ),
        r.near("DFA on MNIST, 784-400-10", dense, 98.0, "M-lo", 1.0),
    ]  # fmt: skip
