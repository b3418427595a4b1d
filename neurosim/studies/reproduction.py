"""Published findings, made again: what a study is, how it runs and resumes, how it is judged, and where it is written.

A study gives one table, one figure, and a verdict on each published claim. Values that were read in their source are called
published; values that are only remembered are called recalled, with their grade.
"""

from __future__ import annotations

import csv
import functools
import importlib
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.errors import NeurosimError
from neurosim.formats import check
from neurosim.studies.described import set_up
from neurosim.studies.files import prepare, write_text
from neurosim.studies.rows import cell_text, csv_of, finished, header_of

GRADES = {
    "V": "published, read in the source",
    "D": "derived from the source",
    "M-hi": "recalled, high confidence",
    "M-med": "recalled, medium confidence",
    "M-lo": "recalled, low confidence",
    "own": "own question, no published value",
}


@dataclass(frozen=True)
class Verdict:
    """One claim: what was said, with what grade, what was found, and whether that is within the stated tolerance.

    passed: None where it cannot be judged: runs are missing, or a quick run is smaller than what the claim is about.
    """

    claim: str
    said: str
    grade: str
    found: str
    tolerance: str
    passed: bool | None

    def __post_init__(self) -> None:
        check("verdict.grade", self.grade, tuple(GRADES))

    @property
    def word(self) -> str:
        """Pass, FAIL or not judged."""
        return "not judged" if self.passed is None else "pass" if self.passed else "FAIL"

    def line(self) -> str:
        """As it is printed and written."""
        return (
            f"{self.word}: {self.claim}. Said: {self.said} ({GRADES[self.grade]}). Found: {self.found}. "
            f"Tolerance: {self.tolerance}."
        )


@dataclass(frozen=True)
class Findings:
    """What a study found. rows: one sequence a row, as wide as the header; draw: writes PATH.png and PATH.svg.

    table: header and rows to be read, where those of the file are too many; notes: paragraphs under the title; setup: how its networks
    are made and trained, of its own page alone.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    verdicts: Sequence[Verdict]
    draw: Callable[[Path], None]
    table: Sequence[Sequence[Any]] = ()
    notes: Sequence[str] = ()
    setup: str = ""


@dataclass(frozen=True)
class Task:
    """How a study is to be run: engine, quick or whole, where its files are, whether missing runs are made (`runs`)."""

    engine: str = "float"
    quick: bool = False
    folder: Path | None = None
    name: str = ""
    progress: Callable[[str], None] = lambda _: None
    runs: bool = True

    @property
    def stem(self) -> str:
        """The name of the files: a fixed-point or a quick run has its own."""
        return self.name + ("-fixed" if self.engine == "fixed" else "") + ("-quick" if self.quick else "")

    @property
    def table(self) -> Path | None:
        """Where the rows stand."""
        return None if self.folder is None else self.folder / f"{self.stem}.csv"


STUDIES = {
    "theory": "learning equations of linear chains and the power unit: invariants, limits, vector field",
    "rules": "BP, SBP, RBP, SRBP and training the top layer alone, MNIST; activations",
    "no-derivative": "the rules without f', and with f' of the own layer alone",
    "adaptive": "feedback that learns: ARBP, ASRBP and the STDP-like variant",
    "precision": "errors of 1 to 10 bits, logarithmic and linear",
    "update-precision": "weight updates of 1 to 10 bits",
    "sparsity": "single-bit sparse feedback, from no connection to all, and an exact fan-in",
    "rank": "feedback matrices of low rank",
    "dropout": "signals lost in the learning channel",
    "controls": "what learns and what does not: redrawn, biased, frozen, per-synapse, sign-only feedback",
    "cifar10": "CIFAR-10 with convolutions: BP, RBP, SRBP, the top layer alone",
    "higgs": "HIGGS (subset): deep networks, area under the ROC curve",
    "angles": "angles and norm ratios between updates and the gradient",
    "drtp": "direct random target projection beside DFA, sign-only DFA and BP",
    "lillicrap": "feedback alignment: MNIST, linear and tanh teachers",
    "dfa": "direct feedback alignment, 2 x 800 tanh",
    "sparse-dfa": "direct feedback with one error a neuron",
    "symmetries": "non-linear channels, channels of their own shape, adaptation towards symmetry",
    "recirculation": "autoencoders that learn by recirculation",
    "local-errors": "errors from a fixed random classifier at each layer",
    "spiking": "learning in spikes: eRBP in real numbers, integers and few bits, MNIST and N-MNIST",
}
"""Studies by name: what they reproduce. The module is the name with underscores, in `neurosim.studies.papers`."""


def reproduce(
    name: str,
    out: Path | None = None,
    *,
    engine: str = "float",
    quick: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Run a study and, with `out`, write its table (.csv), text (.md) and figure (.png, .svg) there; go on where it stopped.

    quick: a smaller run, labelled so, of which no verdict is judged; progress: told what is being done. Raises NeurosimError for
    a name that is not in `STUDIES` and for an engine that a study does not have.
    """
    module = module_of(name)
    if engine not in module.ENGINES and " and " in engines_of(name):
        raise NeurosimError(f"engine of {name}={engine!r}: it compares both engines by itself; leave the engine out")
    check(f"engine of {name}", engine, module.ENGINES)
    if out is not None:
        prepare(out)
    task = Task(engine, quick, out, name, progress)
    found: Findings = module.study(task)
    if quick:
        found = replace(found, verdicts=[replace(verdict, passed=None) for verdict in found.verdicts])
    if out is not None:
        assert task.table is not None
        write_text(task.table, table_of(found))
        write_text(out / f"{task.stem}.md", document(found, task))
        found.draw(out / task.stem)
    return found


def module_of(name: str) -> Any:
    """The module of a study: `ENGINES`, `study`, and `cells` where it is made of cells. Raises NeurosimError for another name."""
    check("study", name, tuple(STUDIES))
    return importlib.import_module(f"neurosim.studies.papers.{name.replace('-', '_')}")


def engines_of(name: str) -> str:
    """The engines of a study: those to choose from, `float, fixed`, or those that it compares by itself, `float and fixed`."""
    module = module_of(name)
    if len(module.ENGINES) == 1 and hasattr(module, "cells"):
        compared = {getattr(cell.setting, "engine", module.ENGINES[0]) for cell in module.cells()}
        return " and ".join(sorted({*module.ENGINES, *compared}, reverse=True))
    return ", ".join(module.ENGINES)


def table_of(found: Findings) -> str:
    """The rows of the file, as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([found.header, *found.rows])
    return text.getvalue()


_QUICK = (
    "A quick run, smaller than what the claims are about: one seed, few samples, epochs or starts. "
    "What paragraphs below say of those is of the whole study."
)


def document(found: Findings, task: Task) -> str:
    """The findings as Markdown: title, command, notes, table, verdicts, figure."""
    flags = (" --engine fixed" if task.engine == "fixed" else "") + (" --quick" if task.quick else "")
    lines = [f"# {found.title}", "", f"Made by `neurosim reproduce {task.name}{flags}`."]
    if task.quick:
        lines += ["", f"**{_QUICK}**"]
    for note in (found.setup, *found.notes):
        lines += ["", note] if note else []
    header, *rows = found.table or [found.header, *found.rows]
    cells = [header, ["---"] * len(header), *rows]
    lines += ["", *("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells), ""]
    lines += [f"- {verdict.line()}" for verdict in found.verdicts]
    return "\n".join([*lines, "", f"![{found.title}]({task.stem}.png)", ""])


# ---------------------------------------------------------------------- studies that are made of cells


@dataclass(frozen=True)
class Cell:
    """One row of a study's table: a setting and how many seeds it has.

    series, x: where it stands in the figure; beside: the cell that it is read against, as its floats are against the chip.
    """

    name: str
    setting: Any
    seeds: int = 2
    series: str = ""
    x: float = math.nan
    beside: str = ""


@dataclass
class Results:
    """The finished runs of a study, by cell: one mapping of measures a seed."""

    cells: Sequence[Cell]
    runs: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def values(self, cell: str, measure: str = "test_accuracy") -> np.ndarray[Any, np.dtype[np.float64]]:
        """A measure of all finished seeds of a cell: float64[seeds]. ``late_accuracy`` is the mean of the last ten epochs."""
        runs = self.runs.get(cell, ())
        if measure == "late_accuracy":
            return np.array([np.mean([float(x) for x in str(run["curve"]).split()[-10:]]) for run in runs], np.float64)
        found = [run[measure] for run in runs if run.get(measure, "") != ""]
        return np.array(found, np.float64)

    def has(self, *cells: str) -> bool:
        """Whether each of the cells has finished runs."""
        return all(len(self.runs.get(cell, ())) > 0 for cell in cells)

    def complete(self, *cells: str) -> bool:
        """Whether all seeds of each of the cells have run."""
        wanted = {cell.name: cell.seeds for cell in self.cells}
        return all(len(self.runs.get(cell, ())) == wanted.get(cell) for cell in cells)

    def mean(self, cell: str, measure: str = "test_accuracy") -> float:
        """The mean over seeds; NaN where there is none."""
        values = self.values(cell, measure)
        return float(values.mean()) if len(values) else math.nan

    def spread(self, cell: str, measure: str = "test_accuracy") -> float:
        """The sample standard deviation over seeds; 0 with one."""
        values = self.values(cell, measure)
        return float(values.std(ddof=1)) if len(values) > 1 else 0.0

    def text(self, cell: str, measure: str = "test_accuracy", digits: int = 2) -> str:
        """Mean (standard deviation), n seeds; or that it is missing."""
        values = self.values(cell, measure)
        if not len(values):
            return "–" if self.has(cell) else "missing"
        spread = f" ({self.spread(cell, measure):.{digits}f})" if len(values) > 1 else ""
        return f"{values.mean():.{digits}f}{spread}"

    def error(self, cell: str) -> str:
        """What is wrong of the test samples, per cent: mean (standard deviation)."""
        spread = f" ({self.spread(cell):.2f})" if len(self.values(cell)) > 1 else ""
        return f"{100 - self.mean(cell):.2f}{spread} %"

    def gap(self, cell: Cell, *, named: bool) -> str:
        """Points of test accuracy above the cell that it is read against; named: which one that is, too."""
        if not self.has(cell.name, cell.beside):
            return ""
        return f"{self.mean(cell.name) - self.mean(cell.beside):+.2f}" + (f" ({cell.beside})" if named else "")

    def judge(
        self,
        claim: str,
        said: str,
        grade: str,
        found: str,
        tolerance: str,
        cells: Iterable[str],
        passed: bool,  # noqa: FBT001
    ) -> Verdict:
        """A verdict; not judged where one of the cells has not run, and said where one lacks seeds."""
        names = list(cells)
        if not self.has(*names):
            return Verdict(claim, said, grade, "missing", tolerance, None)
        if not self.complete(*names):
            least = min((len(self.runs[cell.name]), cell.seeds) for cell in self.cells if cell.name in names)
            found = f"{found} (so far {least[0]} of {least[1]} seeds)"
        return Verdict(claim, said, grade, found, tolerance, bool(passed))

    def near(self, claim: str, cell: str, said: float, grade: str, within: float) -> Verdict:
        """A verdict on one accuracy."""
        return self.judge(
            claim, f"{said:g} %", grade, f"{self.text(cell)} %", f"±{within:g}", [cell],
            abs(self.mean(cell) - said) <= within,
        )  # fmt: skip


def run_cells(task: Task, cells: Sequence[Cell]) -> Results:
    """Run what is not finished yet; each finished run is a row of the table at once."""
    from neurosim.studies.setting import run

    done = {} if task.folder is None else finished(task.folder)
    wanted = [(cell, seed) for cell in cells for seed in range(cell.seeds)]
    kept: dict[tuple[str, int], dict[str, Any]] = {}
    for cell, seed in wanted:
        row = done.get(cell.setting.key(seed))
        if row is not None:
            kept[cell.name, seed] = {**row, "cell": cell.name}
    # The first seeds of all cells before the second of any: a table that is not finished yet says something of each.
    for number, (cell, seed) in enumerate(sorted(wanted, key=lambda pair: pair[1]), 1):
        if (cell.name, seed) in kept or not task.runs:
            continue
        label = f"{number}/{len(wanted)} {cell.name}, seed {seed}"
        task.progress(label)
        key = cell.setting.key(seed)
        checkpoint = None if task.folder is None else task.folder / f".{key}.npz"
        found = run(cell.setting, seed, checkpoint=checkpoint, progress=functools.partial(_labelled, task, label))
        row = {"cell": cell.name, "seed": seed, "id": key, **found}
        kept[cell.name, seed] = {name: cell_text(value) for name, value in row.items()}  # as it will be read back
        if task.table is not None:
            ordered = [kept[c.name, s] for c, s in wanted if (c.name, s) in kept]
            write_text(task.table, csv_of(ordered))
    runs = {c.name: [kept[c.name, s] for s in range(c.seeds) if (c.name, s) in kept] for c in cells}
    return Results(cells, runs)


def _labelled(task: Task, label: str, text: str) -> None:
    task.progress(f"{label}: {text}")


def findings_of(
    title: str,
    results: Results,
    verdicts: Sequence[Verdict],
    draw: Callable[[Path], None],
    *,
    measures: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Findings:
    """Findings of a study of cells: rows of all runs for the file, means and spreads to be read.

    measures: columns to be read, by measure; accuracies by default.
    """
    shown = measures or {"test_accuracy": "test accuracy, %", "train_accuracy": "training accuracy, %"}
    rows = [run for cell in results.cells for run in results.runs.get(cell.name, ())]
    header = header_of(rows) or ["cell"]
    references = {cell.beside for cell in results.cells} - {""}
    against = f"points against {references.copy().pop()}" if len(references) == 1 else "points against its reference"
    table = [("", "seeds", *shown.values(), *([against] if references else []))]
    for cell in results.cells:
        n = len(results.runs.get(cell.name, ()))
        table.append(
            (
                cell.name,
                str(n) if n == cell.seeds else f"{n} of {cell.seeds}",
                *(results.text(cell.name, measure, 4 if measure == "auc" else 2) for measure in shown),
                *([results.gap(cell, named=len(references) > 1)] if references else []),
            )
        )
    written = [[cell_text(row.get(name, "")) for name in header] for row in rows]
    return Findings(
        title, header, written, verdicts, draw, table, notes, set_up([cell.setting for cell in results.cells])
    )
