"""Signals lost in the learning channel (AIJ 2018, section 5, Table 1): each J is dropped with probability p, not rescaled."""

from __future__ import annotations

from neurosim.studies.papers.protocol import COLOURS, NAMES, for_task, mnist
from neurosim.studies.plots import against
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float",)
_SAID = {
    "bp": {10: 97.7, 20: 97.8, 50: 97.7},
    "rbp": {10: 96.5, 20: 96.7, 50: 96.7},
    "srbp": {10: 97.1, 20: 97.2, 50: 97.1},
}


def _name(rule: str, share: int) -> str:
    return f"{NAMES[rule]}, {share} %" if share else NAMES[rule]


def cells() -> list[Cell]:
    """Three rules, nothing to half of the signals lost."""
    return [
        Cell(_name(rule, share), mnist(rule, dropout=share / 100), 5, NAMES[rule], share)
        for rule in _SAID
        for share in (0, 10, 20, 50)
    ]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    series = {NAMES[rule]: COLOURS[rule] for rule in _SAID}
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
    )


def _verdicts(r: Results) -> list[Verdict]:
    return [
        r.judge(
            f"{NAMES[rule]} with {share} % of the signals lost", f"{said:g} %, no real change", "M-med",
            f"{r.text(_name(rule, share))} %, {r.mean(_name(rule, share)) - r.mean(NAMES[rule]):+.2f}", "within 0.7 of none lost",
            [_name(rule, share), NAMES[rule]],
            abs(r.mean(_name(rule, share)) - r.mean(NAMES[rule])) <= 0.7,
        )
        for rule, values in _SAID.items()
        for share, said in values.items()
    ]  # fmt: skip
