"""Published findings, made again: what a study gives back, how it is judged, and where it is written.

A study is one function that returns `Findings`: one table, one figure, and a verdict on each published claim. Values that
were read in their source are called published; values that are only remembered are called recalled, with their grade.
"""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim.errors import NeurosimError
from neurosim.formats import check
from neurosim.studies.files import write_text

GRADES = {
    "V": "published, read in the source",
    "D": "derived from the source, checked by integration",
    "M-hi": "recalled, high confidence",
    "M-med": "recalled, medium confidence",
    "M-lo": "recalled, low confidence",
}


@dataclass(frozen=True)
class Verdict:
    """One claim: what was said, with what grade, what was found, and whether that is within the stated tolerance."""

    claim: str
    said: str
    grade: str
    found: str
    tolerance: str
    passed: bool

    def __post_init__(self) -> None:
        check("verdict.grade", self.grade, tuple(GRADES))

    def line(self) -> str:
        """As it is printed and written."""
        verdict = "pass" if self.passed else "FAIL"
        return (
            f"{verdict}: {self.claim}. Said: {self.said} ({GRADES[self.grade]}). Found: {self.found}. "
            f"Tolerance: {self.tolerance}."
        )


@dataclass(frozen=True)
class Findings:
    """What a study found. rows: one sequence a row, as wide as the header; draw: writes PATH.png and PATH.svg."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    verdicts: Sequence[Verdict]
    draw: Callable[[Path], None]


STUDIES = {
    "theory": (
        "learning equations of linear chains and the power unit: invariants, limits, vector field",
        "theory_study",
    ),
}
"""Studies by name: (what they reproduce, the module whose `study(quick, progress)` does it)."""


def reproduce(
    name: str, out: Path | None = None, *, quick: bool = False, progress: Callable[[str], None] = lambda _: None
) -> Findings:
    """Run a study and, with `out`, write NAME.csv, NAME.md, NAME.png and NAME.svg there.

    quick: a smaller run, labelled so; progress: told what is being done. Raises NeurosimError for a name that is not in `STUDIES`.
    """
    check("study", name, tuple(STUDIES))
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NeurosimError(f"out={str(out)!r}: cannot be made: {error.strerror}; name another folder") from None
    found: Findings = importlib.import_module(f"neurosim.studies.{STUDIES[name][1]}").study(
        quick=quick, progress=progress
    )
    if out is not None:
        write_text(out / f"{name}.csv", _table(found))
        write_text(out / f"{name}.md", document(found, name, quick=quick))
        found.draw(out / name)
    return found


def _table(found: Findings) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([found.header, *found.rows])
    return text.getvalue()


def document(found: Findings, name: str, *, quick: bool) -> str:
    """The findings as Markdown: title, command, table, verdicts, figure."""
    lines = [f"# {found.title}", "", f"Made by `neurosim reproduce {name}{' --quick' if quick else ''}`."]
    if quick:
        lines += ["", "**A quick run: smaller than what the claims are about.**"]
    cells = [found.header, ["---"] * len(found.header), *found.rows]
    lines += ["", *("| " + " | ".join(str(cell) for cell in row) + " |" for row in cells), ""]
    lines += [f"- {verdict.line()}" for verdict in found.verdicts]
    return "\n".join([*lines, "", f"![{found.title}]({name}.png)", ""])
