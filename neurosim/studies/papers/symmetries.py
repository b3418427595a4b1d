"""Symmetries of the deep learning channel (Baldi, Sadowski, Lu, Neural Networks 95:110-133, 2017).

A channel of non-linear units; a channel whose layers do not mirror the network's; feedback that adapts by the same rule, of which C and
the transpose of the weights become nearly symmetric from small weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurosim.formats import Quantiser
from neurosim.studies.papers.protocol import NORMAL, PAPER, for_task, mnist
from neurosim.studies.plots import curves
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float",)
_TRAINING = replace(PAPER, epochs=30)
_SMALL = {"net": {"init_gain": 0.2}, "feedback": replace(NORMAL, scale=0.2)}


def cells() -> list[Cell]:
    """Adaptive feedback from small and usual weights, whole and coarse; non-linear and foreign channels."""
    coarse = {"place": ("received",), "received_error": Quantiser(3, alpha=2.0**-3, zero="none")}
    settings: dict[str, tuple[str, dict[str, Any]]] = {
        "ARBP": ("arbp", {}),
        "ARBP, small weights": ("arbp", _SMALL),
        "ARBP, small weights, 3-bit errors": ("arbp", {**_SMALL, **coarse}),
        "RBP": ("rbp", {}),
        "RBP, tanh channel": ("rbp", {"units": "tanh"}),
        "ARBP, tanh channel": ("arbp", {"units": "tanh"}),
        "SRBP": ("srbp", {}),
        "SRBP, tanh channel": ("srbp", {"units": "tanh"}),
        "SRBP, hard-tanh channel": ("srbp", {"units": "hard-tanh"}),
        "channel of its own, 50": ("srbp", {"route": "relay", "relays": (50,), "units": "tanh"}),
        "channel of its own, 60-30": ("srbp", {"route": "relay", "relays": (60, 30), "units": "tanh"}),
        "top layer alone": ("top-only", {}),
    }
    return [
        Cell(name, mnist(rule, _TRAINING, **changes).replace(probes=True), 2)
        for name, (rule, changes) in settings.items()
    ]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    colours = {
        "ARBP": "#4477aa",
        "ARBP, small weights": "#228833",
        "ARBP, small weights, 3-bit errors": "#ccbb44",
        "RBP": "#bbbbbb",
    }
    measures = {
        "test_accuracy": "test accuracy, %",
        "symmetry": "correlation of C and W^T",
        "angle_signal": "angle of J, degrees",
    }
    return findings_of(
        "Symmetries of the learning channel, MNIST 784-4x100-10 tanh, 30 epochs",
        results,
        _verdicts(results),
        lambda path: curves(
            results, path, "Correlation of C with the transpose of W, mean over layers", colours,
            column="symmetry_curve", ylabel="correlation", first=0,
        ),
        measures=measures,
        notes=[
            "30 epochs. In ARBP each update of C is the transpose of the update above it, so C - W^T never changes: a test holds that to "
            "12 digits, and the correlation rises as both grow. A channel of its own has layers of the sizes named, the last of which "
            "serves all deeper layers."
        ],
    )  # fmt: skip


def _verdicts(r: Results) -> list[Verdict]:
    top = r.mean("top layer alone")
    learn = (
        "RBP, tanh channel", "ARBP, tanh channel", "SRBP, tanh channel", "SRBP, hard-tanh channel",
        "channel of its own, 50", "channel of its own, 60-30",
    )  # fmt: skip
    found = [
        r.judge(
            f"{name} learns", "it does", "V", f"{r.text(name)} %, the top layer alone {r.text('top layer alone')} %",
            "at least 5 points above the top layer alone", [name, "top layer alone"], r.mean(name) >= top + 5,
        )
        for name in learn
    ]  # fmt: skip
    small = r.mean("ARBP, small weights", "symmetry")
    found.append(
        r.judge(
            "from small weights, adaptation makes C and W^T nearly symmetric", "nearly symmetric", "V",
            f"correlation {r.text('ARBP, small weights', 'symmetry', 3)}", "at least 0.9",
            ["ARBP, small weights"], small >= 0.9,
        )
    )  # fmt: skip
    return found
