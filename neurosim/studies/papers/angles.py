"""How far updates are from the gradient while a network learns: angles and norm ratios, rule by rule.

The angle between B e and W^T e is what feedback alignment is explained by (Lillicrap et al. 2016): a rule learns as long as it is below
90 degrees. Here it is recorded after every epoch, layer by layer, for the papers' MNIST network.
"""

from __future__ import annotations

from dataclasses import replace

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.studies.papers.protocol import NAMES, PAPER, for_task, mnist
from neurosim.studies.plots import PALETTE, curves
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float",)
_TRAINING = replace(PAPER, epochs=30)
_SPARSE = FeedbackCrossbar(values="01", density=0.08)


def cells() -> list[Cell]:
    """Rules, and two that cannot align."""
    settings = {NAMES[name]: mnist(name, _TRAINING) for name in ("sbp", "rbp", "srbp", "arbp", "asrbp")}
    settings |= {
        "SRBP, 1 bit, n = 8": mnist("srbp", _TRAINING, feedback=_SPARSE),
        "sign of W^T": mnist("rbp", _TRAINING, matrix="sign"),
        "DRTP": mnist("drtp", _TRAINING),
        "SRBP, C redrawn": mnist(
            "srbp", _TRAINING, feedback=replace(mnist("srbp").network.channel.feedback, redraw=True)
        ),
    }
    return [Cell(name, setting.replace(probes=True), 2) for name, setting in settings.items()]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    colours = dict(zip([cell.name for cell in results.cells], [*PALETTE, "#994f00"], strict=False))
    measures = {
        "test_accuracy": "test accuracy, %",
        "angle_signal": "angle of J, degrees",
        "angle_update": "angle of the update, degrees",
        "ratio": "norm of the update over the gradient's",
    }
    return findings_of(
        "Angles between updates and the gradient, MNIST 784-4x100-10 tanh, 30 epochs",
        results,
        _verdicts(results),
        lambda path: curves(
            results, path, "Angle between J and the gradient's J", colours,
            column="angle_signal_curve", ylabel="degrees", first=0,
        ),
        measures=measures,
        notes=["30 epochs; angles are of 1,000 training samples, the mean over hidden layers."],
    )  # fmt: skip


def _verdicts(r: Results) -> list[Verdict]:
    found = []
    for name in ("SBP", "RBP", "SRBP", "ARBP", "ASRBP"):
        angle = r.mean(name, "angle_signal")
        found.append(
            r.judge(
                f"{name} aligns with the gradient", "below 90 degrees", "V", f"{r.text(name, 'angle_signal', 1)} degrees", "below 85",
                [name], angle < 85,
            )
        )  # fmt: skip
    angle = r.mean("SRBP, C redrawn", "angle_signal")
    found.append(
        r.judge(
            "redrawn feedback cannot align", "90 degrees in the mean", "own",
            f"{r.text('SRBP, C redrawn', 'angle_signal', 1)} degrees", "at least 85", ["SRBP, C redrawn"],
            angle >= 85,
        )
    )  # fmt: skip
    return found
