"""What learns and what does not (AIJ 2018, section 5).

Redrawn, biased and sign-concordant C, frozen layers, sign-only updates, one random weight per synapse, a random C for the top
layer; and cascades and averaged sets of matrices.

A cascade is our own reading: layer h receives the sum over all layers l above it of C^(h,l) R^l.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.formats import Quantiser
from neurosim.studies.papers.on_chip import WIDE, chip, costs_little, findings
from neurosim.studies.papers.protocol import NAMES, NORMAL, PAPER, for_task, mnist
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells

ENGINES = ("float", "fixed")
_LAYERS = 4
_SIGN = Quantiser(1, alpha=2.0**-6 * PAPER.rate / PAPER.batch_size, zero="none")
_CHIP_SIGN = Quantiser(1, alpha=2.0**-10, zero="none")
_SIGN_RATE = 0.01
"""Of steps of one size: 10**-4 a weight and step, eta over the samples of a batch."""
_BINARY = FeedbackCrossbar(values="+-1", density=1.0, scale=(2 / 110) ** 0.5)  # the spread of the normal C


def _feedback(**changes: Any) -> dict[str, Any]:
    return {"feedback": replace(NORMAL, **changes)}


def _frozen(rule: str) -> dict[str, tuple[int, ...]]:
    """One layer that does not learn, then it and all below, by name."""
    found: dict[str, tuple[int, ...]] = {f"{rule}, layer {h} frozen": (h,) for h in range(_LAYERS)}
    return found | {f"{rule}, layers 0 to {h} frozen": tuple(range(h + 1)) for h in range(1, _LAYERS)}


def _on_chip() -> list[Cell]:
    """The controls that the chip has circuits for, each beside its reference."""
    single = FeedbackCrossbar()
    groups = {
        "reference": {
            "BP": chip("bp"),
            "RBP": chip("rbp", feedback=WIDE),
            "SRBP": chip("srbp"),
            "SRBP, C of 8 bits": chip("srbp", feedback=WIDE),
            "top only": chip("top-only"),
        },
        "matrix": {
            "SRBP, C redrawn every batch": chip("srbp", feedback=single.replace(redraw=True)),
            "RBP, C redrawn every batch": chip("rbp", feedback=WIDE.replace(redraw=True)),
            "sign of W^T": chip("rbp", matrix="sign"),
            "SRBP, C of +-1": chip("srbp", feedback=FeedbackCrossbar(values="+-1", density=1.0)),
            "SRBP, mean of C 0.5 sd": chip("srbp", feedback=WIDE.replace(mean=0.5)),
            "SRBP, mean of C 1 sd": chip("srbp", feedback=WIDE.replace(mean=1.0)),
        },
        "derivative": {
            "BP, own f' alone": chip("bp", upper_derivatives=False),
            "RBP, own f' alone": chip("rbp", upper_derivatives=False, feedback=WIDE),
        },
        "frozen": {name: chip("srbp", frozen=layers) for name, layers in _frozen("SRBP").items()}
        | {f"{NAMES[name]}, only layers 0 and 1 learn": chip(name, frozen=(2, 3, 4)) for name in ("bp", "srbp")},
        "update": {"SRBP, sign of the update": chip("srbp", update=_CHIP_SIGN)},
    }
    return [Cell(name, setting, 3, group) for group, cells in groups.items() for name, setting in cells.items()]


def cells(engine: str = "float") -> list[Cell]:
    """All controls beside their references."""
    if engine == "fixed":
        return _on_chip()
    reference = [Cell(NAMES[name], mnist(name), 5, "reference") for name in ("bp", "rbp", "srbp", "top-only")]
    matrices = {
        "SRBP, C redrawn every batch": mnist("srbp", **_feedback(redraw=True)),
        "RBP, C redrawn every batch": mnist("rbp", **_feedback(redraw=True)),
        "sign of W^T, magnitudes redrawn": mnist("rbp", matrix="sign-random", **_feedback(redraw=True)),
        "sign of W^T, magnitudes fixed": mnist("rbp", matrix="sign-random"),
        "sign of W^T, one magnitude": mnist("rbp", matrix="sign"),
        "SRBP, mean of C 0.5 sd": mnist("srbp", **_feedback(mean=0.5)),
        "SRBP, mean of C 1 sd": mnist("srbp", **_feedback(mean=1.0)),
        "SRBP, C uniform": mnist("srbp", **_feedback(distribution="uniform")),
        "SRBP, C of +-1": mnist("srbp", feedback=_BINARY),
        "SRBP, mean of 4 matrices": mnist("srbp", **_feedback(sets=4)),
        "RBP, mean of 4 matrices": mnist("rbp", **_feedback(sets=4)),
        "cascade": mnist("srbp", route="cascade"),
    }
    tops = {f"{NAMES[name]}, only layers 0 and 1 learn": (name, {"frozen": (2, 3, 4)}) for name in ("bp", "srbp")}
    updates = {
        "SRBP, sign of the update": mnist("srbp", update=_SIGN),
        "SRBP, sign of the step": mnist("srbp", replace(PAPER, rate=_SIGN_RATE), update_part="sign"),
        "SRBP, magnitude of the update": mnist("srbp", update_part="magnitude"),
        "SRBP, a C per synapse": mnist("srbp", **_feedback(per="synapse")),
        "SRBP, random C at the top": mnist("srbp", top="random"),
        "RBP, random C at the top": mnist("rbp", top="random"),
    }
    found = reference + [Cell(name, setting, 2, "matrix") for name, setting in matrices.items()]
    found += [
        Cell(name, mnist("srbp", net={"frozen": layers}), 2, "frozen") for name, layers in _frozen("SRBP").items()
    ]
    found += [Cell(name, mnist(rule, net=net), 2, "frozen") for name, (rule, net) in tops.items()]
    return found + [Cell(name, setting, 2, "update") for name, setting in updates.items()]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells(task.engine)))
    if task.engine == "fixed":
        title = "Controls on the chip, MNIST 784-4x100-10"
        note = (
            "sign of W^T: the signs of the weights above, read before each step, times 2^-3. The sign of the update: 2^-10 for every "
            "sample and pair, however small; weights of 8 bits have little room for that much noise."
        )
        return findings(task, title, results, _chip_verdicts(results), left=0, notes=[note])
    return findings_of(
        "Controls: what learns and what does not, MNIST 784-4x100-10 tanh",
        results,
        _verdicts(results),
        lambda path: bars(results, path, "Controls, MNIST 784-4x100-10"),
        notes=[
            "The sign of the update is read two ways: of each sample's update before the batch is summed, and of a step's whole update (as "
            "Manhattan updates are); of each sample's, all move a weight by as much, right or wrong, which seeds bear very differently.",
            "A cascade is our own reading, for which no formula was found: layer h receives the sum over all layers l above it of C^(h,l) "
            "R^l. The mean of four matrices has half the spread of one, and so slower steps.",
            "Freezing one hidden layer costs little here: random tanh features of the layer below, whose own layer learns on, lose less "
            "than random features of random features do. The published word is 'often'.",
            _redrawn(results),
        ],
    )


def _redrawn(r: Results) -> str:
    """Of redrawn feedback: how it begins and how it ends."""
    first = [f"{float(str(run['curve']).split()[0]):.0f}" for run in r.runs.get("SRBP, C redrawn every batch", ())]
    return (
        "Feedback that is redrawn ends far below the top layer alone, not beside it: hidden weights move at random for as long as there "
        f"are errors, and the top layer learns from features that move under it (SRBP: {' and '.join(first) or 'missing'} % after the "
        "first epoch, then less and less). The claim is taken to be that it does not learn. So is that of a random C at the top."
    )


def _chip_verdicts(r: Results) -> list[Verdict]:
    top = r.mean("top only")

    def judge(claim: str, found: str, tolerance: str, cells: list[str], passed: bool) -> Verdict:  # noqa: FBT001
        return r.judge(f"{claim}, on the chip", "no published value", "own", found, tolerance, cells, passed)

    lower, sign = "only layers 0 and 1 learn", "SRBP, sign of the update"
    return [
        *(
            judge(
                f"{cell} does not learn", f"{r.text(cell)} %", f"at most 2 points above the top layer alone, {r.text('top only')} %",
                [cell, "top only"], r.mean(cell) <= top + 2,
            )
            for cell in ("SRBP, C redrawn every batch", "RBP, C redrawn every batch")
        ),
        costs_little(r, "sign of W^T", "BP"),
        costs_little(r, "SRBP, C of +-1", "SRBP, C of 8 bits"),
        *(costs_little(r, f"SRBP, mean of C {mean} sd", "SRBP, C of 8 bits") for mean in ("0.5", "1")),
        *(costs_little(r, f"{rule}, own f' alone", rule) for rule in ("BP", "RBP")),
        judge(
            "with frozen top layers the lower ones learn by BP alone", f"SRBP {r.text(f'SRBP, {lower}')} %, BP {r.text(f'BP, {lower}')} %",
            "SRBP below 50 %, BP above 90 %", [f"SRBP, {lower}", f"BP, {lower}"],
            r.mean(f"SRBP, {lower}") < 50 and r.mean(f"BP, {lower}") > 90,
        ),
        judge(
            "the sign of the update alone: between the top layer alone and SRBP",
            f"{r.text('top only')} < {r.text(sign)} < {r.text('SRBP')} %", "order", [sign, "SRBP", "top only"],
            top < r.mean(sign) < r.mean("SRBP"),
        ),
    ]  # fmt: skip


def _verdicts(r: Results) -> list[Verdict]:
    srbp, top = r.mean("SRBP"), r.mean("top only")

    def fails(cell: str, claim: str, limit: float, tolerance: str) -> Verdict:
        return r.judge(
            claim,
            "does not learn",
            "V",
            f"{r.text(cell)} %",
            tolerance,
            [cell, "top only"],
            r.mean(cell) <= limit,
        )

    def unchanged(cell: str, claim: str) -> Verdict:
        return r.judge(
            claim, "unchanged", "V", f"{r.text(cell)} %, {r.mean(cell) - srbp:+.2f} points", "within 1 point of SRBP", [cell, "SRBP"],
            abs(r.mean(cell) - srbp) <= 1,
        )  # fmt: skip

    as_top = f"at most 2 points above the top layer alone, {r.text('top only')} %"
    concordant = "sign of W^T, magnitudes redrawn"
    signs = {
        "the sign of each sample's update alone": "SRBP, sign of the update",
        "the sign of each step's update alone": "SRBP, sign of the step",
    }
    worse = [(h, r.mean(f"SRBP, layer {h} frozen"), r.mean(f"SRBP, layers 0 to {h} frozen")) for h in range(1, _LAYERS)]
    lower = "SRBP, only layers 0 and 1 learn"
    return [
        fails("SRBP, C redrawn every batch", "SRBP with C redrawn at every batch is as bad as the top layer alone", top + 2, as_top),
        fails("RBP, C redrawn every batch", "RBP with C redrawn at every batch is as bad as the top layer alone", top + 2, as_top),
        r.judge(
            "redrawn but sign-concordant with W: the training error goes to 0", "0 %", "V",
            f"{100 - r.mean(concordant, 'train_accuracy'):.2f} %", "at most 0.5 %", [concordant],
            r.mean(concordant, "train_accuracy") >= 99.5,
        ),
        unchanged("SRBP, mean of C 0.5 sd", "a C of non-zero mean, half its spread, changes nothing"),
        unchanged("SRBP, mean of C 1 sd", "a C of non-zero mean, as large as its spread, changes nothing"),
        unchanged("SRBP, C uniform", "a uniform C does as well as a normal one"),
        unchanged("SRBP, C of +-1", "a binary C does as well as a normal one"),
        r.judge(
            "freezing one layer is often worse than freezing it and all below", "often", "V",
            ", ".join(f"layer {h}: {one:.2f} against {below:.2f} %" for h, one, below in worse), "for at least one layer",
            [f"SRBP, layer {h} frozen" for h in range(1, _LAYERS)], any(one < below for _, one, below in worse),
        ),
        r.judge(
            "frozen top layers: the lower ones do not learn by SRBP, but by BP", "not at all, unlike BP", "V",
            f"SRBP {r.text(lower)} %, BP {r.text('BP, only layers 0 and 1 learn')} %", "SRBP below 50 %, BP above 90 %",
            [lower, "BP, only layers 0 and 1 learn"], r.mean(lower) < 50 and r.mean("BP, only layers 0 and 1 learn") > 90,
        ),
        *(
            r.judge(
                f"{what}: between the top layer alone and SRBP", "better than the one, worse than the other", "V",
                f"{r.text('top only')} < {r.text(cell)} < {r.text('SRBP')} %", "order", [cell, "SRBP", "top only"],
                top < r.mean(cell) < srbp,
            )
            for what, cell in signs.items()
        ),
        fails("SRBP, magnitude of the update", "the magnitude of the update alone does not learn", 50, "below 50 %"),
        fails("SRBP, a C per synapse", "a random weight per synapse instead of per neuron does not learn", top + 2, as_top),
        fails("SRBP, random C at the top", "a random C for the top layer does not work", 50, "below 50 %"),
        fails("RBP, random C at the top", "a random C for the top layer does not work (RBP)", 50, "below 50 %"),
        r.judge(
            "a cascade learns", "named, without numbers", "own", f"{r.text('cascade')} %", "at least 8 points above the top layer alone",
            ["cascade", "top only"], r.mean("cascade") >= top + 8,
        ),
    ]  # fmt: skip
