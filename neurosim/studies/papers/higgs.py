"""HIGGS, a subset of 31,624 events to learn and 19,609 to test (28 features): deep networks, area under the ROC curve.

No source read has an architecture or a number for random backpropagation on HIGGS, and none is for this subset: the rules are
reported side by side. 28 - 4 x 100 - 2, batches of 100, eta = 0.02 of the mean, decayed by 1e-4 an update, momentum 0.9.
"""

from __future__ import annotations

from neurosim.floats.training import Training
from neurosim.studies.papers.protocol import NAMES, channel, for_task, network
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float",)
_RULES = ("bp", "rbp", "srbp", "top-only")
_TRAINING = Training(epochs=40, batch_size=100, rate=0.02, decay=1e-4, momentum=0.9, mean=True)


def cells() -> list[Cell]:
    """Four rules with tanh and ReLU units."""
    return [
        Cell(
            f"{NAMES[rule]}, {kind}",
            Setting(network(channel(rule), inputs=28, classes=2, activation=kind), _TRAINING, data="higgs"),
            3,
            kind,
        )
        for kind in ("tanh", "relu")
        for rule in _RULES
    ]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    return findings_of(
        "HIGGS (subset), 28-4x100-2",
        results,
        _verdicts(results),
        lambda path: bars(
            results,
            path,
            "HIGGS (subset), 28-4x100-2",
            measure="auc",
            xlabel="area under the ROC curve",
            left=0.5,
            digits=3,
        ),
        measures={
            "auc": "area under the ROC curve",
            "test_accuracy": "test accuracy, %",
            "train_accuracy": "training accuracy, %",
        },
        notes=[
            "There is no published target for this subset.",
            "The subset is small: whoever fits it best tests worst. BP ends with the highest training accuracy and tests no better than "
            "RBP and SRBP; nothing here regularises (no weight decay, no early stop).",
        ],
    )


def _verdicts(r: Results) -> list[Verdict]:
    found = []
    for kind in ("tanh", "relu"):
        cells = [f"{NAMES[rule]}, {kind}" for rule in _RULES]
        told = [f"{NAMES[rule]} {r.text(cell, 'auc', 4)}" for rule, cell in zip(_RULES, cells, strict=True)]
        area = [r.mean(cell, "auc") for cell in cells]
        found.append(
            r.judge(
                f"{kind}: RBP and SRBP learn more than the top layer alone", "no published value", "own",
                ", ".join(told), "order", cells,
                min(area[1], area[2]) > area[3],
            )
        )  # fmt: skip
    return found
