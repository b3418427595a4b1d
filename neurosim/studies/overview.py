"""All studies on one page: what was claimed, what was found, from the tables that `neurosim reproduce` wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neurosim.errors import NeurosimError
from neurosim.studies.files import write_text
from neurosim.studies.reproduction import GRADES, STUDIES, Findings, Task, document, module_of, table_of

_HEAD = """# Published findings, made again

Every number in the tables below was made by the command beside its study, none was typed. *Said* is the published or recalled
value, with the grade of its source; *found* is ours, with the sample standard deviation over seeds in brackets. What
fails stands as failing; what has not been run stands as missing. Each study's own page has its set-up, its whole table and its figure.
Numbers in paragraphs that say "tried" or "one seed" are of trials beside a study, which no command makes again.
"""
_LINE = re.compile(r"- (pass|FAIL|not judged): (.*)\. Said: (.*) \((.*?)\)\. Found: (.*)\. Tolerance: (.*)\.$")
_WORDS = ("pass", "FAIL", "not judged")
_COLUMNS = ("", "claim", "said", "grade", "found", "tolerance")


@dataclass(frozen=True)
class _Part:
    title: str
    task: Task
    lines: Sequence[str]
    notes: Sequence[str]


def overview(page: Path) -> str:
    """Write the page from the folder of the same name (docs/reproduction.md from docs/reproduction/); returns its text.

    Nothing is run; the pages of studies whose tables have grown are written anew. Raises NeurosimError where there is no folder.
    """
    folder = page.with_suffix("")
    if not folder.is_dir():
        raise NeurosimError(f"report={str(page)!r}: there is no folder {folder} with the tables of studies")
    parts = [part for name in STUDIES for engine in module_of(name).ENGINES for part in _part(name, engine, folder)]
    lines = [_HEAD, "Grades: " + "; ".join(f"*{key}*, {text}" for key, text in GRADES.items()) + ".", ""]
    lines += [*_summary(parts, folder), ""]
    told: set[str] = set()
    for part in parts:
        flags = " --engine fixed" if part.task.engine == "fixed" else ""
        lines += [
            f"## {part.title}",
            "",
            f"{_link(part, part.task.stem, folder)}: `neurosim reproduce {part.task.name}{flags}`",
            "",
        ]
        lines += [note + "\n" for note in part.notes if note not in told]
        told.update(part.notes)
        lines += [*_rows(part.lines), ""]
    text = "\n".join(lines)
    write_text(page, text)
    return text


def _link(part: _Part, text: str, folder: Path) -> str:
    """A text that leads to a study's own page, where there is one."""
    page = f"{part.task.stem}.md"
    return f"[{text}]({folder.name}/{page})" if (folder / page).exists() else text


def _summary(parts: Sequence[_Part], folder: Path) -> list[str]:
    """How many claims of the papers, and how many questions of our own, pass and fail: in all and by study."""
    lines = ["| study | " + " | ".join(f"{of}: {word}" for of in ("papers", "own") for word in _WORDS) + " |"]
    lines.append("| --- |" + " --- |" * 6)
    total = [0] * 6
    for part in parts:
        counts = [
            sum(line.startswith(f"- {word}:") and (GRADES["own"] in line) == own for line in part.lines)
            for own in (False, True)
            for word in _WORDS
        ]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        lines.append(f"| {_link(part, part.title, folder)} | " + " | ".join(str(n) if n else "" for n in counts) + " |")
    said = f"{total[0]} pass, {total[1]} fail, {total[2]} not judged yet"
    asked = f"{total[3]} pass, {total[4]} fail, {total[5]} not judged yet"
    return [f"**Claims of the papers: {said}. Questions of our own: {asked}.**", "", *lines]


def _rows(lines: Sequence[str]) -> list[str]:
    """Verdicts as the rows of a table."""
    grades = {text: key for key, text in GRADES.items()}
    found = [_LINE.match(line) for line in lines]
    if not all(found):
        return list(lines)
    rows = [_COLUMNS, ("---",) * len(_COLUMNS)]
    for one in found:
        assert one is not None
        word, claim, said, grade, ours, tolerance = one.groups()
        rows.append((f"**{word}**" if word == "FAIL" else word, claim, said, grades.get(grade, grade), ours, tolerance))
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def _part(name: str, engine: str, folder: Path) -> Iterator[_Part]:
    """A study as far as it has been run; nothing where it was not begun."""
    task = Task(engine, folder=folder, name=name, runs=False)
    assert task.table is not None
    if not task.table.exists():
        yield _Part(f"{name} ({engine})", task, ["- not judged: not run yet."], ())
        return
    module = module_of(name)
    if not hasattr(module, "cells"):
        text = (folder / f"{task.stem}.md").read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ")
        yield _Part(title, task, [line for line in text.splitlines() if line.startswith("- ")], ())
        return
    found: Findings = module.study(task)
    write_text(task.table, table_of(found))
    write_text(folder / f"{task.stem}.md", document(found, task))
    found.draw(folder / task.stem)
    yield _Part(found.title, task, [f"- {verdict.line()}" for verdict in found.verdicts], found.notes)
