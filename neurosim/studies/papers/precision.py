"""Errors of few bits (AIJ 2018, section 5, equation 19; IJCAI 2019, Fig. 4).

What each hidden neuron receives, J, is quantised before f' multiplies it; in BP and RBP the result travels on, so errors of
quantisation accumulate. Weights and activity stay real. Log: powers of two from alpha = 2**-3 down, no level at zero; linear: evenly
spaced levels, the alternative reading. The rate does not decay.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from neurosim.formats import Quantiser
from neurosim.studies.papers.on_chip import FLOAT, MEASURES, NOTES, WIDE, beside, buys, chip, costs_little, floats
from neurosim.studies.papers.protocol import COLOURS, CONSTANT, NAMES, for_task, mnist
from neurosim.studies.plots import against
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float", "fixed")
_BITS = range(1, 11)
_SAID = {
    "bp": {1: 94.6, 3: 96.5, 5: 97.6},
    "rbp": {1: 89.8, 3: 92.5, 5: 95.4},
    "srbp": {1: 91.6, 3: 93.2, 5: 95.1},
}
_ALPHA = 2.0**-3
_PLACES = {"received": "of J", "local": "after f'"}
"""Where neurons quantise, on the chip, beside the wires."""
_FEW = (1, 2, 4)


def coarse(
    rule: str, bits: int, kind: Literal["log", "linear"] = "log", alpha: float = _ALPHA, place: str = "received"
) -> Setting:
    """A rule with errors of so many bits."""
    return mnist(rule, CONSTANT, None, place=(place,), **{f"{place}_error": _levels(bits, kind, alpha)})


def _levels(bits: int, kind: Literal["log", "linear"] = "log", alpha: float = _ALPHA) -> Quantiser:
    return Quantiser(bits, kind, alpha=alpha, zero="none")


def _bits(n: int) -> str:
    return f"{n} bit{'s' if n > 1 else ''}"


def _name(rule: str, bits: int, kind: str = "log") -> str:
    return f"{NAMES[rule]}, {_bits(bits)}" + (", linear" if kind == "linear" else "")


def cells(engine: str = "float") -> list[Cell]:
    """Whole errors; 1 to 10 bits, log and linear; other alphas; the signal after f' instead."""
    if engine == "fixed":
        return _on_chip()
    found = [Cell(f"{NAMES[rule]}, whole", mnist(rule, CONSTANT), 5) for rule in _SAID]
    found.append(Cell("top only", mnist("top-only", CONSTANT), 5))
    found += [
        Cell(_name(rule, bits), coarse(rule, bits), 5 if bits in _SAID[rule] else 2, NAMES[rule], bits)
        for rule in ("srbp", "rbp", "bp")
        for bits in _BITS
    ]
    found += [
        Cell(f"SRBP, {_bits(bits)}, alpha 2^{k}", coarse("srbp", bits, alpha=2.0**k), 2)
        for k in (-5, -4, -2, -1, 0)
        for bits in (1, 3, 5)
    ]
    found += [Cell(f"{NAMES[rule]}, 3 bits, after f'", coarse(rule, 3, place="local"), 2) for rule in _SAID]
    found += [
        Cell(
            f"SRBP, {_bits(bits)}, of the output's error",
            mnist("srbp", CONSTANT, error=_levels(bits), place=("source",)),
        )
        for bits in (1, 3, 5)
    ]
    found += [
        Cell(_name(rule, bits, "linear"), coarse(rule, bits, "linear"), 2, f"{NAMES[rule]}, linear", bits)
        for rule in ("srbp", "rbp", "bp")
        for bits in _BITS
    ]
    return found


def _elsewhere(rule: str, bits: int, place: str, changes: dict[str, Any]) -> Setting:
    """A rule on the chip whose wires carry whole words, and whose neurons quantise what they receive."""
    return chip(rule, **{"error": None, "place": (place,), f"{place}_error": Quantiser(bits), **changes})


def _on_chip() -> list[Cell]:
    """Codes of 1 to 8 bits on the wires, log and linear, then whole words, also quantised by neurons; floats beside them."""
    wide: dict[str, dict[str, Any]] = {"srbp": {}, "bp": {}, "rbp": {"feedback": WIDE}}
    found = []
    for rule, changes in wide.items():
        whole = chip(rule, error=None, **changes)
        for kind in ("log", "linear"):
            series = NAMES[rule] if kind == "log" else f"{NAMES[rule]}, linear"
            found += [
                Cell(
                    _name(rule, bits, kind),
                    chip(rule, error=Quantiser(bits, kind), **changes),
                    3 if kind == "log" or rule == "srbp" else 2,
                    series,
                    bits,
                )
                for bits in range(1, 9)
            ]
        found += [
            Cell(f"{NAMES[rule]}, whole words", whole, 3, NAMES[rule], 10),
            Cell(f"{NAMES[rule]}, {FLOAT}", floats(whole), 2),
        ]
        found += [
            Cell(f"{_name(rule, bits)}, {of}", _elsewhere(rule, bits, place, changes), 2)
            for place, of in _PLACES.items()
            for bits in _FEW
        ]
    found += [
        Cell(f"{_name('srbp', bits)}, alpha 1", chip("srbp", error=Quantiser(bits, alpha=1.0)), 3) for bits in (1, 2)
    ]
    found.append(Cell("top only", chip("top-only"), 3))
    return beside(found, lambda cell: f"{cell.name.partition(',')[0]}, {FLOAT}")


def _chip_findings(task: Task, r: Results) -> Findings:
    verdicts = [
        costs_little(r, _name(rule, bits), f"{NAMES[rule]}, {FLOAT}")
        for rule in ("srbp", "bp", "rbp")
        for bits in (1, 2, 4)
    ]
    one = _name("srbp", 1)
    verdicts.append(
        r.judge(
            "SRBP with 1-bit errors learns on the chip", "at least 5 points above the top layer alone", "own",
            f"{r.text(one)} against {r.text('top only')} %", "5 points", [one, "top only"], r.mean(one) >= r.mean("top only") + 5,
        )
    )  # fmt: skip
    series = {NAMES[rule]: COLOURS[rule] for rule in ("bp", "rbp", "srbp")}
    return findings_of(
        "What a bit of error buys on the chip, MNIST 784-4x100-10", r, verdicts,
        buys("What a bit of error buys", r, series, lambda c: "whole" if c.x > 8 else f"{c.x:g}", floor=0 if task.quick else 84,
             lines=[f"{NAMES[rule]}, {FLOAT}" for rule in ("bp", "srbp", "rbp")]),
        measures=MEASURES, notes=(
            *NOTES,
            "A failing line says that the bits cost more than a point. From 4 bits up the errors cost nothing: RBP misses its point with "
            "whole words too, which its 8-bit weights cost it (see the study of rules). In BP and RBP errors are quantised at every layer "
            "they pass, in SRBP once: of few bits RBP's are the worst, and two and three are no better than one (why was not looked into). "
            "The largest magnitude of 1 and 2 bits is a quarter and half of the largest error; at the largest error itself they collapse. "
            "From 5 bits up log codes reach below the errors that matter: all units speak, and nothing is gained.",
        ),
    )  # fmt: skip


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    if task.engine == "fixed":
        return _chip_findings(task, run_cells(task, for_task(task, cells("fixed"))))
    results = run_cells(task, for_task(task, cells()))
    series = {NAMES[rule]: COLOURS[rule] for rule in _SAID}
    faint = {"bp": "#aaaaaa", "rbp": "#aac4dd", "srbp": "#f7b6bd"}
    series |= {f"{NAMES[rule]}, linear": faint[rule] for rule in _SAID}
    lines = {"SRBP, whole errors": results.mean("SRBP, whole"), "top layer alone": results.mean("top only")}
    said = {NAMES[rule]: dict(values.items()) for rule, values in _SAID.items()}
    return findings_of(
        "Errors of few bits, MNIST 784-4x100-10 tanh",
        results,
        _verdicts(results),
        lambda path: against(
            results,
            path,
            "Error precision, MNIST, alpha = 2^-3",
            "bits of an error",
            series,
            lines=lines,
            said=said,
            ticks=tuple(_BITS),
        ),
        measures={
            "test_accuracy": "test accuracy, %",
            "train_accuracy": "training accuracy, %",
            "saturated": "signals beyond alpha, %",
        },
        notes=_readings(results),
    )


def _readings(r: Results) -> list[str]:
    """Which of the two quantisers the recalled values agree with."""
    said = [
        f"{NAMES[rule]} {_SAID[rule][bits]:g} recalled, {r.text(_name(rule, bits))} log, {r.text(_name(rule, bits, 'linear'))} linear"
        for bits in (3, 5)
        for rule in ("srbp", "rbp", "bp")
    ]
    return [
        "The quantised signal is J, what a hidden neuron receives, before f'; alpha is 2^-3. The equation itself was not in the text that "
        "was read. A log code of more than 5 bits differs from one of 5 only in signals below 2^-18, so under this reading 5 bits must be "
        "as good as 10, and a line that fails at 5 bits fails by being better than what is recalled. With evenly spaced "
        "levels, the other reading, accuracy rises more slowly with the bits. With 3 bits: "
        + ", ".join(said[:3])
        + " %; with 5 bits: "
        + ", ".join(said[3:])
        + f" %. The nine recalled values (1, 3 and 5 bits) are {_off(r, 'log')} points from those of log codes, {_off(r, 'linear')} from "
        "those of evenly spaced levels."
    ]


def _off(r: Results, kind: str) -> str:
    """How far the recalled values are from those of a quantiser, in points."""
    found = [
        abs(r.mean(_name(rule, bits, kind)) - said) for rule, values in _SAID.items() for bits, said in values.items()
    ]
    return f"{sum(found) / len(found):.1f} (at most {max(found):.1f})"


def _verdicts(r: Results) -> list[Verdict]:
    found = [
        r.near(f"{NAMES[rule]}, {_bits(bits)} of error", _name(rule, bits), said, "M-med", 2)
        for rule in ("srbp", "rbp", "bp")
        for bits, said in _SAID[rule].items()
    ]
    names = [_name("srbp", bits) for bits in _BITS]
    falls = max((r.mean(a) - r.mean(b) for a, b in pairwise(names)), default=0.0)
    found += [
        r.judge(
            "SRBP: more bits are no worse", "progressive loss below 7 bits", "V",
            f"the largest fall from one bit to the next {max(0.0, falls):.2f}",
            "0.5", names, falls <= 0.5,
        ),
        r.judge(
            "SRBP, 1 bit, learns", "above 85 % and above the top layer alone", "V", f"{r.text(names[0])} %, {r.text('top only')} %",
            "both", [names[0], "top only"], r.mean(names[0]) > max(85, r.mean("top only")),
        ),
    ]  # fmt: skip
    for bits, within in ((7, 0.7), (10, 0.3)):
        name = _name("srbp", bits)
        gap = r.mean("SRBP, whole") - r.mean(name)
        found.append(
            r.judge(
                f"SRBP, {bits} bits, is as good as whole errors", "close to full precision" if bits == 7 else "indistinguishable", "V",
                f"{r.text(name)} %, {-gap:+.2f} points against {r.text('SRBP, whole')} %", f"{within:g}",
                [name, "SRBP, whole"], abs(gap) <= within,
            )
        )  # fmt: skip
    return found
