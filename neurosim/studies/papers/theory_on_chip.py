"""The learning equations on the fixed-point substrate: where quantised dynamics stall.

Each system of `chains` runs with weights of several widths. Rounded to the nearest, a path must stand still inside the band of
`standstill` and nowhere else; rounded stochastically it goes on and wanders along the fixed points. A coarse error channel
that is silent below its smallest code stops the hidden weights where every error is below it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from neurosim.studies.papers import standstill_plot
from neurosim.studies.papers.chains import SLOPE, SYSTEMS, TIME, Case, End, Ends, System, ends_of
from neurosim.studies.reproduction import Findings, Task, Verdict

BITS, QUICK_BITS = (6, 8, 10, 12, 14, 16), (6, 10)
_STARTS, _QUICK_STARTS = 20, 3
_NEAREST_ERRORS, _STOCHASTIC_ERRORS = 14, 8  # bits of weights with errors of few bits
_HEADER = (
    "system", "weight_bits", "rounding", "error_bits", "starts", "stopped", "clipped", "inside",
    "update_lsb_largest", "slack_lsb_largest", "off_median", "off_largest", "off_bound", "from_limit_median",
    "from_limit_largest", "steps_alone_median", "moved_median",
)  # fmt: skip
_READ = (
    "system", "weights", "nearest: stopped", "|C1 (P - W)|, median (largest)", "at most", "from the limit",
    "stochastic: at rest", "|C1 (P - W)|, median (largest)", "from the limit", "still moving by", "steps alone, from the limit",
)  # fmt: skip
_POWER_UNIT = (
    "The power unit O = a2 (a1 I)^(1/3) is not among them: a substrate's derivative is at most 1 (docs/substrate.md 3, which is why R "
    "fits the word of J), and the slope of a cube root has no bound at 0. A table that clips it would be another unit, without the "
    "closed form. The band says what its drift without f' would do, though it was not run: at 0.0272 a unit of time, the drift of "
    "a1 from P = alpha/beta on, stands still where the LSB is at least 2 eta 0.0272."
)


def cases(*, quick: bool = False) -> list[Case]:
    """All that is run: systems in words of errors that are whole, and the smallest chain with errors of few bits."""
    bits, few = (QUICK_BITS, (1, 4)) if quick else (BITS, (1, 2, 3, 4))
    return [
        *(Case(system, b, rounding) for system in SYSTEMS for rounding in ("nearest", "stochastic") for b in bits),
        *(Case(SYSTEMS[0], _NEAREST_ERRORS, "nearest", b) for b in few),
        *(Case(SYSTEMS[0], _STOCHASTIC_ERRORS, "stochastic", b) for b in few),
    ]


def study(task: Task) -> Findings:
    """All cases from random starts, judged by their closed forms, and the figure."""
    n, ends = _QUICK_STARTS if task.quick else _STARTS, {}
    for case in cases(quick=task.quick):
        errors = f", errors of {case.error_bits} bits" if case.error_bits else ""
        task.progress(f"{case.system.name}, {case.bits}-bit weights, {case.rounding}{errors}, {n} starts")
        ends[case] = ends_of(case, case.system.starts(n))
    alone = {s: float(np.median([s.steps_alone(start) for start in s.starts(n)])) for s in SYSTEMS}
    return Findings(
        "Linear chains and networks on the chip: where quantised dynamics stall",
        _HEADER,
        [_row(case, found, alone[case.system]) for case, found in ends.items()],
        list(_verdicts(ends, alone)),
        functools.partial(standstill_plot.draw, ends, alone),
        table=[_READ, *_read(ends, alone)],
        notes=_notes(ends, n),
    )


def _of(found: Sequence[End], field: str, what: Callable[[Any], Any] = np.median) -> float:
    return float(what([getattr(end, field) for end in found]))


def _standing(found: Sequence[End]) -> list[End]:
    """The ends that the band speaks of: at rest, and nothing clips there."""
    return [end for end in found if end.stopped and not end.clipped]


def _row(case: Case, found: Sequence[End], alone: float) -> list[Any]:
    standing = _standing(found)
    numbers = (
        _of(standing, "update", max) if standing else "",
        _of(standing, "slack", max) if standing else "",
        _of(found, "off"), _of(found, "off", max), case.standstill.reach, _of(found, "from_limit"),
        _of(found, "from_limit", max), alone, _of(found, "moved"),
    )  # fmt: skip
    return [
        case.system.name, case.bits, case.rounding, case.error_bits or "", len(found), int(_of(found, "stopped", sum)),
        int(_of(found, "clipped", sum)), sum(end.inside for end in standing),
        *(number if number == "" else f"{number:.5g}" for number in numbers),
    ]  # fmt: skip


def _read(ends: Ends, alone: Mapping[System, float]) -> Iterator[list[str]]:
    """The table to be read: both roundings of a system and a width side by side."""
    kinds = dict.fromkeys((c.system, c.error_bits, c.bits) for c in ends)
    for system, errors, bits in kinds:
        name = f"{system.name}, errors of {errors} bits" if errors else system.name
        row = [name, str(bits), *["–"] * 8, _short(alone[system])]
        near, wander = (ends.get(Case(system, bits, r, errors)) for r in ("nearest", "stochastic"))
        if near:
            reach = "–" if errors else _short(Case(system, bits, "nearest").standstill.reach)
            row[2:6] = [_count(near), _off(near), reach, _short(_of(near, "from_limit"))]
        if wander:
            row[6:10] = [_count(wander), _off(wander), *(_short(_of(wander, f)) for f in ("from_limit", "moved"))]
        yield row


def _short(value: float) -> str:
    return f"{value:.4f}"


def _off(found: Sequence[End]) -> str:
    return f"{_of(found, 'off'):.4f} ({_of(found, 'off', max):.4f})"


def _count(found: Sequence[End]) -> str:
    clipped = sum(end.clipped for end in found)
    return f"{sum(end.stopped for end in found)} of {len(found)}" + (f", {clipped} clipped" if clipped else "")


def _notes(ends: Ends, starts: int) -> list[str]:
    rest = [
        end for case, found in ends.items() if case.rounding == "stochastic" and not case.error_bits for end in found
    ]
    rates = ", ".join(f"2^-{system.rate} ({system.name})" for system in SYSTEMS)
    still = f"{sum(end.stopped for end in rest)} of {len(rest)}"
    return [
        f"{starts} starts each, weights uniform on ±1, in words of ±4; SRBP with C of ±1. T = {SLOPE} I in the chains and "
        "[1, 5, 1]; white inputs and T = I for the autoencoder; 16 drawn inputs and a drawn teacher for [5, 3, 4]. A step is all "
        f"samples; eta is of their mean: {rates}. States have 16 bits. Paths are followed for {TIME} units of time of the "
        "learning equations.",
        "Where it must stall: rounded to the nearest, a state where nothing clips stands still if and only if every weight's "
        "update is at most half an LSB. The update is eta times the flow of the learning equations, but for the forward pass, which "
        "rounds as well; so at every such standstill |flow| <= LSB / (2 eta) + slack for each weight, with the slack bounded from "
        "the state. In a chain that is |alpha - beta P| max |c_i a_1 … a_(i-1)| <= LSB / (2 eta) + slack; in all systems the lowest "
        "layer gives |C1 (P - W)| <= LSB / (2 eta) times the 1-norm of S_II^-1, W = S_TI S_II^-1: the column *at most* (1 / beta in "
        "a chain), without the slack.",
        "Distances are medians over starts (in brackets the largest): |C1 (P - W)| from the fixed points; from the limit: of the "
        "worst weight from where the learning equations take the same start, in closed form ([5, 3, 4]: integrated). *Steps alone* "
        "is the same distance for steps of eta in real numbers: what is left in words of any width. *Still moving by* is the range "
        "of the worst weight over the last quarter of the path.",
        "Where stochastic rounding wanders: an update of a fraction of an LSB is taken with that probability, so its noise has "
        "at most the variance update x LSB and dies out on the fixed points; across them the flow brings a path back, along them nothing "
        "does, and each step leaves the invariants that fix the limit a little changed. Where the sums of codes are all 0 it rests, "
        f"too: {still} paths changed no weight in one more step, some of them by chance.",
        _POWER_UNIT,
    ]


# ---------------------------------------------------------------------- verdicts


def _verdicts(ends: Ends, alone: Mapping[System, float]) -> Iterator[Verdict]:
    whole = {case: found for case, found in ends.items() if not case.error_bits}
    for system in SYSTEMS:
        near, wander = (
            {case.bits: found for case, found in whole.items() if case.system is system and case.rounding == rounding}
            for rounding in ("nearest", "stochastic")
        )
        yield _inside(f"{system.name}: rounded to the nearest, paths stop nowhere but inside the band", near)
        yield _nearer(system, near, wander)
        yield _wide(system, near, alone[system])
    few = {case.error_bits: found for case, found in ends.items() if case.error_bits and case.rounding == "nearest"}
    yield _inside(
        f"{SYSTEMS[0].name}, {_NEAREST_ERRORS}-bit weights, hidden errors of {_listed(few)} bits: paths stop where the whole error of the "
        "top layer is inside its band",
        few,
    )


def _inside(claim: str, found: Mapping[int, Sequence[End]]) -> Verdict:
    """found: by bits, of weights or of errors."""
    standing = {bits: _standing(some) for bits, some in found.items()}
    count, all_ends = sum(map(len, standing.values())), [end for some in found.values() for end in some]
    inside = sum(end.inside for some in standing.values() for end in some)
    stopped, clipped = sum(end.stopped for end in all_ends), sum(end.stopped and end.clipped for end in all_ends)
    update, slack = (
        {bits: _of(some, field, max) for bits, some in standing.items() if some} for field in ("update", "slack")
    )
    beyond = ", ".join(f"{value:.2g} ({bits} bits)" for bits, value in slack.items())
    return Verdict(
        claim,
        "|update| <= LSB / 2 for each weight",
        "own",
        f"{inside} of {count} ({stopped} of {len(all_ends)} paths stopped, {clipped} of them clipped at the end and not counted), "
        f"the largest update {max(update.values(), default=0):.3f} LSB",
        f"none outside; beyond half an LSB no more than the bound on what the forward pass rounds, for each weight: at most {beyond} LSB",
        count > 0 and inside == count,
    )


def _nearer(system: System, near: Mapping[int, Sequence[End]], wander: Mapping[int, Sequence[End]]) -> Verdict:
    off, limit = (
        {bits: (_of(wander[bits], field), _of(near[bits], field)) for bits in near} for field in ("off", "from_limit")
    )
    further = [bits for bits, (ours, theirs) in limit.items() if ours > theirs]
    clipped = sum(end.clipped for found in wander.values() for end in found)
    but = f"further at {_listed(further)} bits" if further else "further at no width"
    return Verdict(
        f"{system.name}: rounded stochastically, paths end nearer to the fixed points at every width",
        "no published value",
        "own",
        "|C1 (P - W)| " + ", ".join(f"{ours:.2g} against {theirs:.2g} ({bits} bits)" for bits, (ours, theirs) in off.items())
        + f"; from the closed-form limit {but}: " + ", ".join(f"{a:.2g} against {b:.2g}" for a, b in limit.values())
        + f"; {clipped} of {sum(map(len, wander.values()))} stochastic paths clip at the end",
        "order of the medians",
        all(ours < theirs for ours, theirs in off.values()),
    )  # fmt: skip


def _wide(system: System, near: Mapping[int, Sequence[End]], alone: float) -> Verdict:
    widest = max(near)
    ends = {bits: _of(found, "from_limit") for bits, found in near.items()}
    return Verdict(
        f"{system.name}: words of {widest} bits end as near the closed-form limit as steps in real numbers do",
        f"{alone:.2g}, steps alone",
        "own",
        ", ".join(f"{value:.2g} ({bits} bits)" for bits, value in ends.items()),
        "twice, of the medians",
        ends[widest] <= 2 * alone,
    )


def _listed(numbers: Any) -> str:
    return ", ".join(map(str, numbers))
