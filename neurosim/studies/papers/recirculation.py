"""Recirculation in autoencoders (Baldi, Sadowski, Neural Networks 108:479-494, 2018).

The output enters the network again, and hidden layer h learns by the difference of its two activities, O^h(x) - O^h(x'): errors
reach hidden layers through the forward weights, and C is not needed. The output layer learns by x - x'. MNIST autoencoders with
rectified hidden units and logistic outputs.
"""

from __future__ import annotations

from typing import Any

from neurosim.chip.channel import Channel
from neurosim.floats.training import Training
from neurosim.studies.papers.protocol import NORMAL, channel, for_task, network
from neurosim.studies.plots import PALETTE, curves
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float",)
_TRAINING = Training(epochs=20, batch_size=100, rate=0.001, mean=True, optimiser="adam")
_NOTES = (
    "The paper's networks and rates were not found; these are ours: Adam, rate 0.001, batches of 100, 20 epochs. With tanh and plain "
    "steps of 0.1 backpropagation leaves 35 % over after 30 epochs: the sum of 784 errors of one sign saturates the hidden units at once "
    "(with tanh and Adam as well, and in PyTorch too: half left over after three epochs), which random feedback escapes: a comparison of "
    "start-up, not of rules.",
    "The deep network is our own extension: every hidden layer learns by the difference of its two activities. There a layer hears of "
    "x' through layers that learn at the same time, and the second pass moves away from the first one: at a tenth of the rate 78 % are "
    "left over after two epochs and more after that, with tanh 75 after four, with plain steps of 0.01 it overflows.",
)
_NETS = {"784-64-784": (64,), "784-128-64-128-784": (128, 64, 128)}


def _rules() -> dict[str, Channel]:
    return {
        "BP": channel("bp"),
        "recirculation": channel("srbp", route="recirculate", derivative="none"),
        "RBP": channel("rbp"),
        "ARBP": channel("arbp", feedback=NORMAL),
        "top layer alone": channel("top-only"),
    }


def cells() -> list[Cell]:
    """Two autoencoders, five rules."""
    found = []
    for label, hidden in _NETS.items():
        for name, rule in _rules().items():
            net: dict[str, Any] = {"hidden": hidden, "activation": "relu", "classes": 784, "output": "logistic"}
            found.append(Cell(f"{label}, {name}", Setting(network(rule, **net), _TRAINING, target="input"), 2))
    return found


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    colours = {f"784-64-784, {name}": colour for name, colour in zip(_rules(), PALETTE, strict=False)}
    return findings_of(
        "Recirculation in MNIST autoencoders",
        results,
        _verdicts(results),
        lambda path: curves(
            results, path, "MNIST autoencoder 784-64-784", colours, ylabel="variance of a test image left over, %"
        ),
        measures={"test_error": "variance left over, %"},
        notes=_NOTES,
    )


def _verdicts(r: Results) -> list[Verdict]:
    found = []
    for label in _NETS:
        cells = {name: f"{label}, {name}" for name in _rules()}
        error = {name: r.mean(cell, "test_error") for name, cell in cells.items()}
        said, grade = ("it does", "V") if label == "784-64-784" else ("our own extension", "own")
        found.append(
            r.judge(
                f"{label}: recirculation learns", said, grade,
                ", ".join(f"{name} {r.text(cell, 'test_error')}" for name, cell in cells.items()) + " % left over",
                "below the top layer alone",
                list(cells.values()), error["recirculation"] < error["top layer alone"],
            )
        )  # fmt: skip
    return found
