"""Signals lost in the learning channel (AIJ 2018, section 5, Table 1): each J is dropped with probability p, not rescaled."""

from __future__ import annotations

from typing import Any

from neurosim.studies.papers.on_chip import MEASURES, NOTES, WIDE, beside, chip
from neurosim.studies.papers.protocol import COLOURS, NAMES, for_task, mnist
from neurosim.studies.plots import against
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float", "fixed")
_SAID = {
    "bp": {10: 97.7, 20: 97.8, 50: 97.7},
    "rbp": {10: 96.5, 20: 96.7, 50: 96.7},
    "srbp": {10: 97.1, 20: 97.2, 50: 97.1},
}
_CHANCE = (
    "A chance is rounded to 16 bits; a decision costs a random lane and a comparison. What is left is not scaled up."
)
_ANEW = (
    "In BP and RBP a signal is lost anew at every layer that it passes, so with 50 % lost the lowest of four hidden layers hears a "
    "sixteenth of its signal in the mean, under skipped rules a half: what fails fails there."
)


def _name(rule: str, share: int) -> str:
    return f"{NAMES[rule]}, {share} %" if share else NAMES[rule]


def cells(engine: str = "float") -> list[Cell]:
    """Three rules, nothing to half of the signals lost."""
    if engine == "fixed":
        wide: dict[str, dict[str, Any]] = {"rbp": {"feedback": WIDE}}
        found = [
            Cell(_name(rule, share), chip(rule, dropout=share / 100, **wide.get(rule, {})), 3, NAMES[rule], share)
            for rule in _SAID
            for share in (0, 10, 20, 50)
        ]
        return beside(found, lambda cell: cell.series)
    return [
        Cell(_name(rule, share), mnist(rule, dropout=share / 100), 5, NAMES[rule], share)
        for rule in _SAID
        for share in (0, 10, 20, 50)
    ]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells(task.engine)))
    series = {NAMES[rule]: COLOURS[rule] for rule in _SAID}
    if task.engine == "fixed":
        title = "Dropout in the learning channel on the chip, MNIST 784-4x100-10"
        return findings_of(
            title, results, _chip_verdicts(results),
            lambda path: against(results, path, "Signals lost in the channel, on the chip", "signals lost, %", series),
            measures=MEASURES, notes=(*NOTES, _CHANCE, _ANEW),
        )  # fmt: skip
    said = {NAMES[rule]: values for rule, values in _SAID.items()}
    return findings_of(
        "Dropout in the learning channel, MNIST 784-4x100-10 tanh",
        results,
        _verdicts(results),
        lambda path: against(
            results,
            path,
            "Signals lost in the channel, MNIST",
            "signals lost, %",
            series,
            said=said,
            floor=None if task.quick else 95,
        ),
        notes=[
            "What is left is not scaled up (our reading; the text does not say).",
            f"{_ANEW} RBP learns more slowly then, as its training accuracy shows.",
        ],
    )


def _verdicts(r: Results) -> list[Verdict]:
    return [
        r.judge(
            f"{NAMES[rule]} with {share} % of the signals lost", f"{said:g} %, no real change", "M-med",
            f"{r.text(_name(rule, share))} %, {r.mean(_name(rule, share)) - r.mean(NAMES[rule]):+.2f} points", "within 0.7 of none lost",
            [_name(rule, share), NAMES[rule]],
            abs(r.mean(_name(rule, share)) - r.mean(NAMES[rule])) <= 0.7,
        )
        for rule, values in _SAID.items()
        for share, said in values.items()
    ]  # fmt: skip


def _chip_verdicts(r: Results) -> list[Verdict]:
    found, nj = [], "learning_nj"
    for rule in _SAID:
        for share in (10, 20, 50):
            cell, whole = _name(rule, share), NAMES[rule]
            gap = r.mean(cell) - r.mean(whole)
            found.append(
                r.judge(
                    f"{whole} on the chip with {share} % of the signals lost", "no published value", "own",
                    f"{r.text(cell)} %, {gap:+.2f} points; {r.text(cell, nj, 0)} against {r.text(whole, nj, 0)} nJ",
                    "at most 1 point below",
                    [cell, whole], gap >= -1,
                )
            )  # fmt: skip
    return found
