"""What the command line says of hardware models: the list, one in full, errors against published silicon, conversion."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from neurosim import costs
from neurosim.costs import validation
from neurosim.errors import NeurosimError


def show_models(name: str | None, console: Console) -> int:
    """List the shipped models, or explain one: every constant with its source."""
    if name is None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("model")
        table.add_column("kind")
        table.add_column("what it is")
        for found in costs.names():
            table.add_row(found, costs.load(found).spec.kind, costs.load(found).summary)
        console.print(table)
        return 0
    model = costs.load(name)
    console.print(f"[bold]{model.name}[/bold]: {model.summary}\n")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("constant", "low", "nominal", "high", "unit", "basis, tag", "note"):
        table.add_column(column, overflow="fold")
    notes: dict[str, int] = {}
    for row in costs.explain(model):
        numbers = [
            f"{row[k]:.4g}" if isinstance(row[k], int | float) else str(row[k] or "")
            for k in ("low", "nominal", "high")
        ]
        if len(set(numbers)) == 1:
            numbers = ["", numbers[1], ""]
        table.add_row(
            escape(str(row["constant"])),
            *numbers,
            str(row["unit"] or ""),
            ", ".join(x for x in (row["basis"], row["tag"]) if x),
            str(notes.setdefault(str(row["source"]), len(notes) + 1)),
        )
    console.print(table)
    console.print("\n[bold]Notes[/bold]: where each constant comes from, or why it was chosen")
    listed = Table(box=None, pad_edge=False, show_header=False)
    listed.add_column(justify="right")
    listed.add_column(overflow="fold")
    for source, number in notes.items():
        listed.add_row(str(number), escape(source))
    console.print(listed)
    return 0


def validate(as_json: str | None, page: str | None, console: Console) -> int:
    """Price every published point; a table, or JSON, or the page of docs/validation.md."""
    if page:
        Path(page).write_text(validation.report(), encoding="utf-8")
        print(f"wrote {page}", file=sys.stderr)
    if as_json == "-":
        json.dump(validation.to_dict(), sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    if as_json:
        Path(as_json).write_text(json.dumps(validation.to_dict(), allow_nan=False), encoding="utf-8")
    header, body = validation.table()
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [i for i, column in enumerate(header) if column not in ("tolerance", "grade")]  # the page has them
    for i in shown:
        table.add_column(header[i], overflow="fold")
    for row in body:
        table.add_row(*(escape(row[i]) for i in shown))
    console.print(table)
    console.print("\n" + validation.summary())
    return 0


def convert(path: str, out: str, source: str | None) -> int:
    """A SANA-FE architecture file as a hardware model; what could not be carried goes to standard error."""
    from neurosim.costs.sanafe import converted

    target = Path(out)
    if target.suffix != ".toml":
        raise NeurosimError(f"out={out!r}: must end in .toml, and its name is the model's")
    text, left = converted(Path(path), target.stem, source)
    target.write_text(text, encoding="utf-8")
    costs.load(out)
    for one in left:
        print(f"not carried: {one}", file=sys.stderr)
    print(f"wrote {out}", file=sys.stderr)
    return 0
