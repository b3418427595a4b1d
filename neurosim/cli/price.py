"""`neurosim price`: what an earlier run, or counts from elsewhere, cost on any models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosim.cli.flags import listed, whole
from neurosim.cli.output import check_file, emit
from neurosim.errors import NeurosimError

if TYPE_CHECKING:
    from neurosim.costs import Cost, Counted

_ONLY_COUNTS = ("samples", "ticks", "sizes", "layout")


def price(given: argparse.Namespace) -> int:
    """Price an earlier run or a file of counts, without simulating."""
    if (given.run is None) == (given.counts is None):
        raise NeurosimError("price: give the folder of a run, or --counts FILE, and not both")
    models = listed("hardware", given.hardware)
    check_file("json", given.json)
    check_file("csv", given.csv)
    counted = _counted(given)
    cost = counted.price(*models, placement=given.placement)
    if given.csv is not None:
        _table(cost, given)
    if given.figure is not None:
        _figures(cost, given)
    if given.mesh is not None:
        _mesh(cost, counted, models, given)

    def show(console: Any) -> None:
        from neurosim.studies.cost_report import show_cost

        show_cost(cost, counted.train, counted.layout, console)

    source = {"run": given.run} if given.run is not None else {"counts": given.counts}
    content = {**source, "cost": {name: c.to_dict() for name, c in cost.items()}}
    emit(content, given, show, width=max(110, 24 * (1 + len(cost))))
    return 0


def _table(cost: Mapping[str, Cost], given: argparse.Namespace) -> None:
    from neurosim.costs.table import as_csv
    from neurosim.studies.files import write_text

    if given.csv == "-":
        raise NeurosimError("csv='-': must be a file; standard output is for the report or for --json -")
    write_text(Path(given.csv), as_csv(cost.values()))


def _figures(cost: Mapping[str, Cost], given: argparse.Namespace) -> None:
    from neurosim.studies.cost_figures import draw_costs
    from neurosim.studies.files import prepare

    prepare(Path(given.figure), "figure")
    pictures = draw_costs(cost, Path(given.figure))
    if not given.quiet:
        print(f"wrote {given.figure}/: {', '.join(p.name for p in pictures)}", file=sys.stderr)


def _mesh(cost: Mapping[str, Cost], counted: Counted, models: list[str], given: argparse.Namespace) -> None:
    """A folder a model: map, placement, loads, traffic."""
    from neurosim.costs import load
    from neurosim.studies.mesh_figures import FILES, mesh_files

    plans = {model.name: counted.plan(model, given.placement) for model in map(load, models)}
    for name, c in cost.items():
        mesh_files(c, plans[name], counted.train, Path(given.mesh) / name)
        if not given.quiet:
            print(f"wrote {Path(given.mesh) / name}/: {', '.join(FILES)}", file=sys.stderr)


def _counted(given: argparse.Namespace) -> Counted:
    from neurosim.costs import Counted, read_counts

    if given.run is not None:
        from neurosim.studies.record import Record

        for flag in _ONLY_COUNTS:
            if getattr(given, flag) is not None:
                raise NeurosimError(f"{flag}={getattr(given, flag)!r}: is of --counts; a run has its own")
        record = Record.load(given.run)
        return Counted(record.train_counts, record.test_counts, record.layout)
    return read_counts(
        given.counts,
        samples=None if given.samples is None else whole("samples", given.samples),
        ticks=None if given.ticks is None else whole("ticks", given.ticks),
        sizes=tuple(whole("sizes", part) for part in listed("sizes", given.sizes)) if given.sizes is not None else (),
        layout=given.layout,
    )
