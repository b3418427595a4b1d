"""What f' is needed for (AIJ 2018, section 5): none, the own layer's alone, or those of all layers above too."""

from __future__ import annotations

from typing import Any

from neurosim.studies.papers.on_chip import WIDE, beside, chip, costs_little, findings
from neurosim.studies.papers.protocol import NAMES, for_task, mnist
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float", "fixed")
_KINDS = ("exact", "shift", "boxcar", "none")
_GROWS = (
    "Why nothing is learned without f' here, where in floats about 88 % are: no slope that falls towards the rails keeps hidden weights "
    "from growing. In floats, from the chip's codes and by its steps, 84 to 89 % are right after four epochs (one seed); by then the "
    "largest weights of the first layer are between 5 and 2,800, and a quarter to nine tenths of them are beyond the 0.5 to which the "
    "chip's words reach. On the chip words fill up, and accuracy soon falls."
)
_SAID = {"bp": 89.9, "rbp": 88.3, "srbp": 88.4}


def cells(engine: str = "float") -> list[Cell]:
    """With all f', with the own layer's alone, with none; on the chip exact, powers of two, a boxcar, none."""
    if engine == "fixed":
        wide: dict[str, dict[str, Any]] = {"rbp": {"feedback": WIDE}}
        found = [
            Cell(f"{NAMES[name]}, {kind}", chip(name, derivative=kind, **wide.get(name, {})), 3, kind)
            for name in _SAID
            for kind in _KINDS
        ]
        return beside(found, lambda cell: f"{cell.name.partition(',')[0]}, exact")
    found = [Cell(NAMES[name], mnist(name), 5, "all f'" if name != "srbp" else "own f'") for name in _SAID]
    found += [
        Cell("BP, own f' alone (SBP)", mnist("sbp"), 2, "own f'"),
        Cell("RBP, own f' alone", mnist("rbp", upper_derivatives=False), 2, "own f'"),
    ]
    return found + [Cell(f"{NAMES[name]}, no f'", mnist(name, derivative="none"), 5, "no f'") for name in _SAID]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells(task.engine)))
    if task.engine == "fixed":
        cheap = [(f"{NAMES[name]}, {kind}", f"{NAMES[name]}, exact") for name in _SAID for kind in ("shift", "boxcar")]
        verdicts = [costs_little(results, cell, reference) for cell, reference in cheap]
        verdicts += [
            _worse(results, f"{NAMES[name]}, exact", f"{NAMES[name]}, none", "no published value", "own")
            for name in _SAID
        ]
        title = "Derivatives on the chip, MNIST 784-4x100-10"
        return findings(task, title, results, verdicts, left=0, notes=[_GROWS])
    said = {f"{NAMES[name]}, no f'": value for name, value in _SAID.items()}
    return findings_of(
        "Learning without derivatives, MNIST 784-4x100-10 tanh",
        results,
        _verdicts(results),
        lambda path: bars(results, path, "With and without f', MNIST 784-4x100-10", left=80, said=said),
    )


def _worse(r: Results, whole: str, without: str, said: str, grade: str) -> Verdict:
    return r.judge(
        f"{whole.partition(',')[0]} without f' is clearly worse", said, grade,
        f"{r.text(without)} %, {r.mean(whole) - r.mean(without):.1f} points below", "at least 4 points below",
        [whole, without], r.mean(whole) - r.mean(without) >= 4,
    )  # fmt: skip


def _verdicts(r: Results) -> list[Verdict]:
    found = []
    for name, value in _SAID.items():
        found.append(_worse(r, NAMES[name], f"{NAMES[name]}, no f'", f"{value:g} %", "M-med"))
    for whole, own in (("BP", "BP, own f' alone (SBP)"), ("RBP", "RBP, own f' alone")):
        found.append(
            r.judge(
                f"{whole} needs no f' of the layers above", "they are not needed", "V",
                f"{r.text(own)} %, with all {r.text(whole)} %", "within 1 point",
                [whole, own], abs(r.mean(whole) - r.mean(own)) <= 1,
            )
        )  # fmt: skip
    return found
