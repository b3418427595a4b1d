"""`neurosim validate`, `convert`: hardware models against published silicon, and from another tool's file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from neurosim.cli.output import check_file, emit
from neurosim.errors import NeurosimError


def validate(given: argparse.Namespace) -> int:
    """Price every published point: a table, JSON, or the page of docs/validation.md."""
    from neurosim.costs import validation

    check_file("json", given.json)
    check_file("write", given.write)
    if given.write:
        Path(given.write).write_text(validation.report(), encoding="utf-8")
        print(f"wrote {given.write}", file=sys.stderr)

    def show(console: Any) -> None:
        from rich.markup import escape
        from rich.table import Table

        header, body = validation.table()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in header:
            table.add_column(name, overflow="fold")
        for row in body:
            table.add_row(*map(escape, row))
        console.print(table)
        console.print("\n" + validation.summary())

    emit(validation.to_dict(), given, show, width=150)
    return 0


def convert(given: argparse.Namespace) -> int:
    """A SANA-FE architecture file as a hardware model; what could not be carried goes to standard error."""
    from neurosim.costs import load
    from neurosim.costs.sanafe import converted

    target = Path(given.out)
    if target.suffix != ".toml":
        raise NeurosimError(f"out={given.out!r}: must end in .toml, and its name is the model's")
    check_file("out", given.out)
    text, left = converted(Path(given.file), target.stem, given.source)
    target.write_text(text, encoding="utf-8")
    load(given.out)
    for one in left:
        print(f"not carried: {one}", file=sys.stderr)
    print(f"wrote {given.out}", file=sys.stderr)
    return 0
