"""Single-bit sparse feedback (AIJ 2018, section 5; IJCAI 2019, Fig. 5): C in {0, 1}, 1 with probability n / 100.

100 is the size of the receiving layer: n is the expected number of neurons of a layer that one error unit reaches. RBP's matrices are
scaled by 1 / sqrt(n), so that errors do not grow from layer to layer; SRBP's are not. An exact fan-in is another device
(Crafton et al. 2019): each neuron listens to so many error units.
"""

from __future__ import annotations

import math

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.studies.papers.on_chip import FLOAT, MEASURES, NOTES, WIDE, beside, buys, chip, costs_little, floats
from neurosim.studies.papers.protocol import COLOURS, NAMES, for_task, mnist
from neurosim.studies.plots import against
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float", "fixed")
_WIDTH = 100
_SAID = {"srbp": {1: 94.6, 2: 95.8, 8: 96.9}, "rbp": {1: 90.3, 2: 96.3, 8: 96.0}}
_ALL = {"srbp": (0, 1, 2, 4, 8, 16, 32, 50, 64, 80, 90, 95, 99, 100), "rbp": (0, 1, 2, 4, 8, 20, 50, 100)}
_EXACT = "exact fan-in of 1"


def _sparse(rule: str, n: int) -> Setting:
    scale = 1 / math.sqrt(n) if rule == "rbp" and n else 1.0
    return mnist(rule, feedback=FeedbackCrossbar(values="01", density=n / _WIDTH, scale=scale))


def _name(rule: str, n: int) -> str:
    return f"{NAMES[rule]}, n = {n}"


def cells(engine: str = "float") -> list[Cell]:
    """No connection to all; exact fan-in; dense and no feedback."""
    if engine == "fixed":
        return _on_chip()
    found = [
        Cell(_name(rule, n), _sparse(rule, n), 5 if n in _SAID[rule] else 2, NAMES[rule], n)
        for rule, all_n in _ALL.items()
        for n in all_n
    ]
    for fan_in, values in ((1, "01"), (1, "+-1"), (3, "+-1")):
        feedback = FeedbackCrossbar(values=values, fan_in=fan_in)  # type: ignore[arg-type]
        found.append(Cell(f"SRBP, {_EXACT[:-1]}{fan_in}, {values}", mnist("srbp", feedback=feedback), 2))
    return [*found, *(Cell(NAMES[rule], mnist(rule), 5) for rule in ("srbp", "rbp", "top-only"))]


def _on_chip() -> list[Cell]:
    """SRBP with crossbars of {0, 1} and of +-1, held as a bitmap; 4-bit errors."""
    found = []
    for values in ("01", "+-1"):
        for n in (0, 1, 2, 4, 8, 16, 32, 64, 100):
            feedback = FeedbackCrossbar(values=values, density=n / _WIDTH)
            found.append(Cell(f"C of {values}, n = {n}", chip("srbp", feedback=feedback), 3, f"C of {values}", n))
        single = FeedbackCrossbar(values=values, fan_in=1)
        found.append(Cell(f"C of {values}, exact fan-in 1", chip("srbp", feedback=single), 3))
    dense = chip("srbp", feedback=WIDE)
    found += [
        Cell("C of 8 bits", dense, 3),
        Cell(f"C of 8 bits, {FLOAT}", floats(dense), 2),
        Cell("top only", chip("top-only"), 3),
    ]
    return beside(found, lambda _: f"C of 8 bits, {FLOAT}")


def _chip_findings(task: Task, r: Results) -> Findings:
    verdicts = [costs_little(r, f"C of {values}, n = 8", "C of 8 bits") for values in ("01", "+-1")]
    series = {"C of 01": "#4477aa", "C of +-1": "#ee6677"}
    return findings_of(
        "Sparse single-bit feedback on the chip, MNIST 784-4x100-10", r, verdicts,
        buys("Sparse single-bit feedback", r, series, lambda c: f"{c.x:g}", floor=0 if task.quick else 92,
             lines=(f"C of 8 bits, {FLOAT}", "C of 8 bits")),
        measures=MEASURES, notes=(*NOTES, "The figure begins at 92 %: n = 0, and n = 100 of {0, 1}, are below (see the table)."),
    )  # fmt: skip


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    if task.engine == "fixed":
        return _chip_findings(task, run_cells(task, for_task(task, cells("fixed"))))
    results = run_cells(task, for_task(task, cells()))
    series = {NAMES[rule]: COLOURS[rule] for rule in _SAID}
    said = {NAMES[rule]: dict(values.items()) for rule, values in _SAID.items()}
    lines = {"SRBP, dense normal C": results.mean("SRBP"), "top layer alone": results.mean("top only")}
    return findings_of(
        "Single-bit sparse feedback, MNIST 784-4x100-10 tanh",
        results,
        _verdicts(results),
        lambda path: against(
            results, path, "Sparse single-bit feedback, MNIST", "n: neurons of a layer that an error unit reaches, of 100",
            series, lines=lines, said=said, xscale="symlog", ticks=(0, 1, 2, 4, 8, 16, 32, 64, 100),
        ),
        notes=[
            "Softmax errors sum to zero, so a C of ones (n = 100) brings nothing to any neuron: it ends where n = 0 does. RBP with n = 1 "
            "depends on the draw, because a chain of crossbars is as good as its thinnest: its seeds spread over several points."
        ],
    )  # fmt: skip


def _verdicts(r: Results) -> list[Verdict]:
    found = [
        r.near(f"SRBP, n = {n}", _name("srbp", n), _SAID["srbp"][n], "M-med", 1.5 if n == 1 else 1.0) for n in (1, 2, 8)
    ]
    found += [r.near(f"RBP, n = {n}", _name("rbp", n), _SAID["rbp"][n], "M-med", 1.5) for n in (1, 2, 8)]
    plateau = [_name("srbp", n) for n in (8, 16, 32, 50, 64, 80)]
    gaps = [r.mean("SRBP") - r.mean(name) for name in plateau]
    top, none = r.values("top only"), r.values(_name("srbp", 0))
    equal = len(none) > 0 and bool((none == top[: len(none)]).all())
    full = r.mean(_name("srbp", 100))
    found += [
        r.judge(
            "between n = 8 and n = 80 sparse feedback is as good as dense", "flat in between", "V",
            f"{-max(gaps):+.2f} to {-min(gaps):+.2f} points against dense, {r.text('SRBP')} %", "within 1.5", [*plateau, "SRBP"],
            max(map(abs, gaps)) <= 1.5,
        ),
        r.judge(
            "n = 0 is training the top layer alone", "fails", "V",
            f"{r.text(_name('srbp', 0))} %, {'equal, run for run' if equal else 'not equal'}", "equal", [_name("srbp", 0), "top only"],
            equal,
        ),
        r.judge(
            "n = 100, the same error for all neurons of a layer, fails", "fails", "V",
            f"{r.text(_name('srbp', 100))} %, {r.mean('SRBP') - full:.2f} below dense", "below the plateau by 1.5 or more",
            [_name("srbp", 100), *plateau], full <= min(r.mean(name) for name in plateau) - 1.5,
        ),
    ]  # fmt: skip
    return found
