"""`neurosim reproduce`: a published finding made again."""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

from neurosim.cli.output import console as terminal
from neurosim.errors import NeurosimError

_LINE_EVERY_S = 30
_NOT_KEPT = "neurosim: no file is written and no run is kept; --out DIR keeps them"


class _Lines:
    """What a study is doing: one line that changes on a terminal, a line every half minute elsewhere."""

    def __init__(self, notice: str = "") -> None:
        self.on_terminal, self.last, self.notice = sys.stderr.isatty(), -math.inf, notice

    def __call__(self, doing: str) -> None:
        if self.notice:
            print(self.notice, file=sys.stderr, flush=True)
            self.notice = ""
        if self.on_terminal:
            print(f"\r\033[K{doing}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.last >= _LINE_EVERY_S:
            print(doing, file=sys.stderr, flush=True)
            self.last = time.monotonic()

    def close(self) -> None:
        """Leave the terminal clean."""
        if self.on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def reproduce(given: argparse.Namespace) -> int:
    """Run a study, list what there is, or write the page of all studies."""
    from rich.markup import escape
    from rich.table import Table

    from neurosim.studies.reproduction import STUDIES, Task, engines_of, reproduce

    if given.report and given.name is not None:
        raise NeurosimError(f"report={given.report!r}: is of all studies and runs none; leave out {given.name!r}")
    if given.report:
        from neurosim.studies.overview import overview

        overview(Path(given.report))
        print(f"wrote {given.report}", file=sys.stderr)
        return 0
    if given.name is None and not given.list and (given.quick or given.out):
        raise NeurosimError(
            "study: none is named, though --quick or --out is given; `neurosim reproduce --list` names them all"
        )
    table = Table(box=None, pad_edge=False, header_style="bold")
    if given.list or given.name is None:
        for column in ("study", "engines", "what it reproduces"):
            table.add_column(column)
        for name, what in STUDIES.items():
            table.add_row(name, engines_of(name), what)
        terminal().print(table)
        return 0
    out = Path(given.out) if given.out else None
    console, progress = terminal(), _Lines("" if out or given.quick else _NOT_KEPT)
    try:
        found = reproduce(given.name, out, engine=given.engine, quick=given.quick, progress=progress)
    except KeyboardInterrupt:
        progress.close()
        print(
            "neurosim: interrupted" + ("; finished runs are kept, the same command goes on" if out else ""),
            file=sys.stderr,
        )
        raise
    finally:
        progress.close()
    console.print(
        f"[bold]{escape(found.title)}[/bold]{' (quick: smaller than what the claims are about)' if given.quick else ''}\n"
    )
    header, *rows = found.table or [found.header, *found.rows]
    for column in header:
        table.add_column(column)
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table)
    console.print()
    for verdict in found.verdicts:
        console.print(verdict.line(), markup=False, soft_wrap=True)
    if given.out:
        stem = Task(given.engine, given.quick, name=given.name).stem
        kinds = ", ".join(f"{stem}.{kind}" for kind in ("csv", "md", "png", "svg"))
        print(f"wrote {given.out}/: {kinds}", file=sys.stderr)
    return 0
