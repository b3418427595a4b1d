"""The rules side by side (AIJ 2018, sections 3 to 5, Table 1): BP, SBP, RBP, SRBP, the top layer alone; other activations."""

from __future__ import annotations

from neurosim.studies.papers.protocol import COLOURS, NAMES, for_task, mnist
from neurosim.studies.plots import curves
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float",)
_PUBLISHED = {"bp": 97.9, "rbp": 97.2, "srbp": 97.2}
_ACTIVATIONS = ("linear", "logistic", "relu")


def cells() -> list[Cell]:
    """The five rules with tanh, then three with other activations."""
    five = [
        Cell(NAMES[name], mnist(name), 2 if name == "sbp" else 5, name)
        for name in ("bp", "sbp", "rbp", "srbp", "top-only")
    ]
    others = [
        Cell(f"{NAMES[name]}, {kind}", mnist(name, net={"activation": kind}), 2, name)
        for kind in _ACTIVATIONS
        for name in ("bp", "rbp", "srbp", "top-only")
    ]
    return five + others


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    labels = {NAMES[name]: COLOURS[name] for name in ("bp", "sbp", "rbp", "srbp", "top-only")}
    return findings_of(
        task,
        "Learning rules on MNIST, 784-4x100-10",
        results,
        _verdicts(results),
        lambda path: curves(results, path, "MNIST, 784-4x100-10 tanh", labels),
    )


def _verdicts(r: Results) -> list[Verdict]:
    found = [r.near(f"{NAMES[name]} on MNIST", NAMES[name], said, "M-med", 0.5) for name, said in _PUBLISHED.items()]
    bp, rbp, srbp, top = (r.mean(n) for n in ("BP", "RBP", "SRBP", "top only"))
    found.append(
        r.judge(
            "BP is best, SRBP not below RBP", "BP >= SRBP >= RBP", "V", f"{bp:.2f} / {srbp:.2f} / {rbp:.2f} %", "0.2 for RBP",
            ["BP", "RBP", "SRBP"], bp >= srbp >= rbp - 0.2,
        )
    )  # fmt: skip
    found.append(r.near("top layer only", "top only", 84.7, "M-med", 3))
    found.append(
        r.judge(
            "the top layer alone is far below SRBP", "12.5 points", "M-med", f"{srbp - top:.1f} points", "at least 8",
            ["SRBP", "top only"], srbp - top >= 8,
        )
    )  # fmt: skip
    for kind in _ACTIVATIONS:
        names = [f"{NAMES[name]}, {kind}" for name in ("rbp", "srbp", "top-only")]
        found.append(
            r.judge(
                f"RBP and SRBP learn with {kind} units", "they do", "V",
                f"{r.text(names[0])} and {r.text(names[1])} %, the top layer alone {r.text(names[2])} %", "above the top layer alone",
                names, min(r.mean(names[0]), r.mean(names[1])) > r.mean(names[2]),
            )
        )  # fmt: skip
    return found
