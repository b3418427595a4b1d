"""`neurosim price`: what an earlier run, or counts from elsewhere, cost on any models."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from neurosim.cli.flags import whole
from neurosim.cli.output import check_file, emit
from neurosim.errors import NeurosimError

if TYPE_CHECKING:
    from neurosim.costs import Counted

_ONLY_COUNTS = ("samples", "ticks", "sizes", "layout")


def price(given: argparse.Namespace) -> int:
    """Price an earlier run or a file of counts, without simulating."""
    if (given.run is None) == (given.counts is None):
        raise NeurosimError("price: give the folder of a run, or --counts FILE, and not both")
    models = [name for name in given.hardware.split(",") if name]
    if not models:
        raise NeurosimError(f"hardware={given.hardware!r}: must name at least one model")
    check_file("json", given.json)
    counted = _counted(given)
    cost = counted.price(*models)

    def show(console: Any) -> None:
        from neurosim.studies.report import show_cost

        show_cost(cost, counted.train, console)

    source = {"run": given.run} if given.run is not None else {"counts": given.counts}
    emit({**source, "cost": {name: c.to_dict() for name, c in cost.items()}}, given, show)
    return 0


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
        sizes=tuple(whole("sizes", part) for part in (given.sizes or "").split(",") if part),
        layout=given.layout,
    )
