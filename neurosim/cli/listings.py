"""`neurosim hardware`, `datasets`, `rules`: what there is."""

from __future__ import annotations

import argparse

from neurosim.cli.output import console as terminal


def hardware(given: argparse.Namespace) -> int:
    """The models, or every constant of one with its source."""
    from rich.markup import escape
    from rich.table import Table

    from neurosim import costs

    console = terminal()
    if given.name is None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("model", "kind", "what it is"):
            table.add_column(column)
        for name in costs.names():
            table.add_row(name, costs.load(name).spec.kind, costs.load(name).summary)
        console.print(table)
        return 0
    model = costs.load(given.name)
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


def datasets(given: argparse.Namespace) -> int:
    """The data sets and where they were found."""
    del given
    from rich.table import Table

    from neurosim import data

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("data set", "shape", "samples", "classes", "where"):
        table.add_column(column, overflow="fold")
    for one in data.describe():
        shape = "×".join(map(str, one.shape))
        table.add_row(
            one.name, shape, one.sizes, str(len(one.classes)), ("" if one.found else "not here: ") + one.where
        )
    terminal().print(table)
    return 0


def rules(given: argparse.Namespace) -> int:
    """The learning rules."""
    del given
    from rich.table import Table

    from neurosim.chip.channel import RULES

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("rule", "route", "matrix", "adaptive", "feedback"):
        table.add_column(column)
    for name, rule in RULES.items():
        drawn = rule.matrix == "random" and rule.route != "none"
        feedback = (
            f"{rule.feedback.bits} bit {rule.feedback.values if rule.feedback.bits == 1 else ''}".strip()
            if drawn
            else "-"
        )
        density = f", density {rule.feedback.density:g}" if drawn and rule.feedback.density is not None else ""
        table.add_row(
            name,
            rule.route,
            rule.matrix if rule.route != "none" else "-",
            "yes" if rule.adaptive else "no",
            feedback + density,
        )
    terminal().print(table)
    return 0
