"""Weight updates of few bits (AIJ 2018, section 5): each sample's update is quantised before the batch is summed.

The same log quantiser, largest magnitude 2**-6 before the learning rate and the mean over the batch (the text does not say which
comes first; this is our reading): a sample moves a weight by at most 2**-6 * eta / 100. The other reading, eta before the quantiser, is
listed beside it: at most 2**-6 / 100. The rate does not decay. Nor does the text say what becomes of an update far below the smallest
magnitude: it is raised to it ("no level at zero") or, the other reading, lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from neurosim.formats import Quantiser
from neurosim.studies.papers.on_chip import beside, chip, costs_little, findings
from neurosim.studies.papers.protocol import COLOURS, CONSTANT, NAMES, for_task, mnist
from neurosim.studies.plots import against
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float", "fixed")
_BITS = range(1, 11)
_TRAINING = replace(CONSTANT, epochs=20)
_ALPHA = 2.0**-6 * CONSTANT.rate / CONSTANT.batch_size
_AFTER = 2.0**-6 / CONSTANT.batch_size
_WHOLE, _CHIP_ALPHAS = "SRBP, whole updates", {"2^-8": 2.0**-8, "2^-10": 2.0**-10}
_LOST = (
    "Why 1 and 2 bits collapse with alpha = 2^-8: below 2^-9.5 an update of 2 bits is lost. At birth that is 57 % of the updates "
    "of the first layer and 93 % of the output's, where it takes one side: through an input code of a quarter, all that the "
    "right class is to gain is kept, and nothing of what the nine wrong classes are to lose, each of which is a tenth as large. "
    "All outputs rise together until words are full, and errors never end: see the bits on the channel. Of 3 bits, which reach down to "
    "2^-11.5, some seeds stay behind and others do not. (Shares of 1,000 "
    "samples in floats, from the chip's codes.)"
)
_TEACHES = (
    "Which reading is the papers': where every update however small moves its weight by a whole level, one of 1 bit is its sign alone, "
    "and a weight comes to rest where as many samples push it up as down, the median and not the mean; of ten classes nine push "
    "an output down. Levels of a hundredth to 64 times the size do not mend it, nor does it help to spare the output layer (tried by hand, "
    "one seed, six epochs). Where small updates are lost, 1 to 3 bits reach 93 %: what is recalled lies between the two readings."
)
_LOST_NAME = ", small updates lost"
_PALE = {"bp": "#aaaaaa", "rbp": "#a3c4e0", "srbp": "#f5b5bd"}
_SAID = {
    "bp": {1: 92.5, 3: 96.5, 5: 95.2},
    "rbp": {1: 9.6, 3: 91.0, 5: 94.0},
    "srbp": {1: 90.7, 3: 92.2, 5: 93.3},
}


def _name(rule: str, bits: int) -> str:
    return f"{NAMES[rule]}, {bits} bit{'s' if bits > 1 else ''}"


def cells(engine: str = "float") -> list[Cell]:
    """Whole updates, then 1 to 10 bits; on the chip to 8."""
    if engine == "fixed":
        found = [Cell(_WHOLE, chip("srbp"), 3)]
        found += [
            Cell(f"{_name('srbp', bits)}, alpha {label}", chip("srbp", update=Quantiser(bits, alpha=alpha)), 3, label)
            for label, alpha in _CHIP_ALPHAS.items()
            for bits in (1, 2, 3, 4, 6)
        ]
        return beside(found, lambda _: _WHOLE)
    found = [Cell(f"{NAMES[rule]}, whole", mnist(rule, _TRAINING), 2) for rule in _SAID]
    found += [
        Cell(
            _name(rule, bits), _coarse(rule, bits), 5 if bits in (1, 2, 3) and rule == "srbp" else 2, NAMES[rule], bits
        )
        for rule in ("srbp", "rbp", "bp")
        for bits in _BITS
    ]
    found += [
        Cell(
            _name(rule, bits) + _LOST_NAME, _coarse(rule, bits, zero="silent"), 5 if rule == "srbp" and bits <= 3 else 2,
            f"{NAMES[rule]}{_LOST_NAME}", bits,
        )
        for rule in ("srbp", "rbp", "bp")
        for bits in (1, 2, 3, 5)
    ]  # fmt: skip
    return found + [
        Cell(f"{_name(rule, bits)}, alpha of eta times the update", _coarse(rule, bits, _AFTER), 2)
        for rule in ("srbp", "rbp", "bp")
        for bits in (1, 3, 5)
    ]


def _coarse(rule: str, bits: int, alpha: float = _ALPHA, zero: Literal["none", "silent"] = "none") -> Setting:
    return mnist(rule, _TRAINING, update=Quantiser(bits, alpha=alpha, zero=zero))


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    if task.engine == "fixed":
        results = run_cells(task, for_task(task, cells("fixed")))
        verdicts = [costs_little(results, f"{_name('srbp', bits)}, alpha 2^-8", _WHOLE) for bits in (2, 3, 4)]
        note = "An update of more than alpha is taken for alpha (2^-8 is an LSB of a weight); one below the smallest magnitude is lost."
        return findings(
            task,
            "Coarse weight updates on the chip, MNIST 784-4x100-10",
            results,
            verdicts,
            left=60,
            notes=[note, _LOST],
        )
    results = run_cells(task, for_task(task, cells()))
    series = {NAMES[rule]: COLOURS[rule] for rule in _SAID}
    series |= {NAMES[rule] + _LOST_NAME: colour for rule, colour in _PALE.items()}
    said = {NAMES[rule]: dict(values.items()) for rule, values in _SAID.items()}
    return findings_of(
        "Weight updates of few bits, MNIST 784-4x100-10 tanh, 20 epochs",
        results,
        _verdicts(results),
        lambda path: against(
            results, path, "Update precision, MNIST, 20 epochs, alpha = 2^-6", "bits of a sample's update", series, said=said,
            lines={"SRBP, whole updates": results.mean("SRBP, whole")}, ticks=tuple(_BITS), floor=None if task.quick else 70,
        ),
        notes=["20 epochs instead of 100. Recalled values are of 100 epochs.", _TEACHES],
    )  # fmt: skip


def _verdicts(r: Results) -> list[Verdict]:
    return [
        r.judge(
            f"SRBP, {bits} bit{'s' if bits > 1 else ''} of update{how}, reaches about 90 %",
            "about 90 %" + (f" (recalled {_SAID['srbp'][bits]})" if bits in _SAID["srbp"] else ""), "V",
            f"{r.text(_name('srbp', bits) + cell)} %", "86 to 95", [_name("srbp", bits) + cell],
            86 <= r.mean(_name("srbp", bits) + cell) <= 95,
        )
        for cell, how in (("", ", the smallest raised to a level"), (_LOST_NAME, ", the smallest lost"))
        for bits in (1, 2, 3)
    ]  # fmt: skip
