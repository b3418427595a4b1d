"""Feedback that learns (AIJ 2018, section 4): ARBP, ASRBP, and an STDP-like variant.

No published formula of the STDP-like variant was found. Ours: C changes with the error signal times the change of the activity
between two presentations, dC^h = eta (O^h(t) - O^h(t-1)) d^T, where ARBP and ASRBP use the activity O^h(t) itself.
"""

from __future__ import annotations

from neurosim.studies.papers.on_chip import FLOAT, WIDE, beside, chip, costs_little, findings, floats, same_named
from neurosim.studies.papers.protocol import NAMES, for_task, mnist
from neurosim.studies.plots import PALETTE, curves
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float", "fixed")
_STDP = {"arbp": "STDP-like RBP", "asrbp": "STDP-like SRBP"}
_FIXED = {"ARBP": "RBP", "ASRBP": "SRBP, C of 8 bits"}
"""The same C that does not learn, on the chip."""
_RBP = "What RBP loses it loses to the 8 bits of its weights: with 12 the loss goes (see the study of rules)."


def cells(engine: str = "float") -> list[Cell]:
    """Fixed, adaptive and STDP-like feedback, layer by layer and skipped; on the chip with 8-bit C, floats beside."""
    if engine == "fixed":
        wide = {name: chip(rule, feedback=WIDE) for rule, name in zip(("rbp", "srbp"), _FIXED.values(), strict=True)}
        found = []
        for name, setting in (wide | {"ARBP": chip("arbp"), "ASRBP": chip("asrbp")}).items():
            found += [Cell(name, setting, 3, "chip"), Cell(f"{name}, {FLOAT}", floats(setting), 2, FLOAT)]
        found += [
            Cell("SRBP, single bits", chip("srbp"), 3, "chip"),
            Cell("top only", chip("top-only"), 3, "chip"),
        ]
        return beside(found)
    found = [Cell(NAMES[name], mnist(name), 5) for name in ("rbp", "srbp", "arbp", "asrbp")]
    found += [Cell(label, mnist(name, adaptive="stdp"), 2) for name, label in _STDP.items()]
    return [*found, Cell(NAMES["top-only"], mnist("top-only"), 5)]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells(task.engine)))
    if task.engine == "fixed":
        verdicts = [costs_little(results, cell, reference) for cell, reference in same_named(results.cells).items()]
        verdicts += [_learns_more(results, adaptive, fixed) for adaptive, fixed in _FIXED.items()]
        return findings(
            task, "Adaptive feedback on the chip, MNIST 784-4x100-10", results, verdicts, left=80, notes=[_RBP]
        )
    names = [cell.name for cell in results.cells if cell.name != "top only"]
    colours = dict(zip(names, PALETTE, strict=False))
    return findings_of(
        "Adaptive feedback, MNIST 784-4x100-10 tanh",
        results,
        _verdicts(results),
        lambda path: curves(results, path, "Fixed, adaptive and STDP-like feedback, MNIST 784-4x100-10", colours),
        notes=[
            "The STDP-like variant is our own: no published formula was found. dC = eta (O(t) - O(t-1)) d, O(t-1) being the same "
            "unit's activity at the presentation before, sample by sample in a batch."
        ],
    )


def _learns_more(r: Results, adaptive: str, fixed: str) -> Verdict:
    gap, nj = r.mean(adaptive) - r.mean(fixed), "learning_nj"
    return r.judge(
        f"{adaptive} on the chip is worth its energy: better than {fixed}", "no published value", "own",
        f"{r.text(adaptive)} %, {gap:+.2f} points; {r.text(adaptive, nj, 0)} against {r.text(fixed, nj, 0)} nJ", "better",
        [adaptive, fixed],
        gap > 0,
    )  # fmt: skip


def _verdicts(r: Results) -> list[Verdict]:
    found = [r.near(f"{name} on MNIST", name, 97.3, "M-med", 0.5) for name in ("ARBP", "ASRBP")]
    return found + [
        r.judge(
            f"{label} learns", "it does", "V", f"{r.text(label)} %, the top layer alone {r.text('top only')} %",
            "at least 8 points above the top layer alone", [label, "top only"], r.mean(label) >= r.mean("top only") + 8,
        )
        for label in _STDP.values()
    ]  # fmt: skip
