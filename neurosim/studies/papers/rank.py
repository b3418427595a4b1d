"""Feedback of low rank (IJCAI 2019, Fig. 6): seven hidden layers, C uniform, cut down to its largest singular values."""

from __future__ import annotations

from itertools import pairwise

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.studies.papers.on_chip import FLOAT, WIDE, beside, chip, costs_little, findings, floats
from neurosim.studies.papers.protocol import COLOURS, NAMES, for_task, mnist
from neurosim.studies.plots import against
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float", "fixed")
_RANKS = {"srbp": (1, 2, 3, 5, 7, 10), "rbp": (1, 2, 3, 5, 10, 20, 50, 100)}
_NOISE = 0.7


def _low(rule: str, rank: int) -> Setting:
    feedback = FeedbackCrossbar(bits=16, density=1.0, rank=rank)
    return mnist(rule, net={"hidden": (100,) * 7}, feedback=feedback)


def _name(rule: str, rank: int) -> str:
    return f"{NAMES[rule]}, rank {rank}"


def _in_floats(rank: int) -> str:
    return f"{_name('srbp', rank)}, {FLOAT}"


def cells(engine: str = "float") -> list[Cell]:
    """Each rule up to full rank: 10 from the outputs, 100 between hidden layers; on the chip SRBP with 8-bit entries."""
    if engine == "fixed":
        found = [
            Cell(_name("srbp", n), chip("srbp", feedback=WIDE.replace(rank=n)), 3, NAMES["srbp"], n)
            for n in _RANKS["srbp"]
        ]
        found += [Cell(_in_floats(n), floats(chip("srbp", feedback=WIDE.replace(rank=n))), 2) for n in (3, 5, 10)]
        return beside(found, lambda cell: _in_floats(10) if FLOAT in cell.name else _name("srbp", 10))
    return [Cell(_name(rule, n), _low(rule, n), 2, NAMES[rule], n) for rule, all_n in _RANKS.items() for n in all_n]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells(task.engine)))
    if task.engine == "fixed":
        verdicts = [costs_little(results, _name("srbp", n), _name("srbp", 10)) for n in (3, 5, 7)]
        return findings(
            task,
            "Feedback of low rank on the chip, MNIST 784-4x100-10",
            results,
            verdicts,
            left=60,
            notes=_whose(results),
        )
    series = {NAMES[rule]: COLOURS[rule] for rule in _RANKS}
    return findings_of(
        "Feedback matrices of low rank, MNIST 784-7x100-10 tanh",
        results,
        _verdicts(results),
        lambda path: against(
            results,
            path,
            "Rank of C, MNIST 784-7x100-10",
            "rank of C",
            series,
            xscale="log",
            ticks=(1, 2, 3, 5, 10, 20, 50, 100),
        ),
    )


def _whose(r: Results) -> list[str]:
    """Whether what a low rank loses is the chip's or its own."""
    if not r.has(_in_floats(3), _in_floats(10), _name("srbp", 3), _name("srbp", 10)):
        return []
    chip_loss, own_loss = (
        r.mean(full) - r.mean(low)
        for full, low in ((_name("srbp", 10), _name("srbp", 3)), (_in_floats(10), _in_floats(3)))
    )
    return [
        f"What rank 3 loses is its own: {chip_loss:.2f} points on the chip, {own_loss:.2f} in floats. The errors of ten classes "
        "sum to 0, so they have nine directions; of rank r, C hands r of them to the hidden layers. It saves no energy either: more "
        "errors are left to send."
    ]


def _fall(points: float) -> str:
    return f"the largest fall with rising rank {points:.2f}" if points > 0 else "no fall with rising rank"


def _verdicts(r: Results) -> list[Verdict]:
    found = [
        r.judge(
            f"{NAMES[rule]} trains seven hidden layers", "very deep networks train", "V", f"{r.text(name)} %", "at least 95 %", [name],
            r.mean(name) >= 95,
        )
        for rule, name in (("srbp", _name("srbp", 10)), ("rbp", _name("rbp", 100)))
    ]  # fmt: skip
    for rule, all_n in _RANKS.items():
        names = [_name(rule, n) for n in all_n]
        means = [r.mean(name) for name in names]
        falls = max((a - b for a, b in pairwise(means)), default=0.0)
        found += [
            r.judge(
                f"{NAMES[rule]} is best at full rank", "best at full rank", "V",
                f"full {r.text(names[-1])} %, best of the others {r.text(max(names[:-1], key=r.mean))} %",
                f"within the noise, {_NOISE:g}", names, means[-1] >= max(means[:-1]) - _NOISE,
            ),
            r.judge(
                f"{NAMES[rule]} loses gracefully with the rank", "gracefully", "V", _fall(falls),
                f"within the noise, {_NOISE:g}", names, falls <= _NOISE,
            ),
        ]  # fmt: skip
    return found
