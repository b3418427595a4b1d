"""`neurosim price`: what an earlier run costs on other models."""

from __future__ import annotations

import argparse

from neurosim.cli.output import emit


def price(given: argparse.Namespace) -> int:
    """Price an earlier run, without simulating."""
    from neurosim.studies.record import Record

    record = Record.load(given.run)
    record.cost = record.price([name for name in given.hardware.split(",") if name])
    emit(record, given, {"run": given.run, "cost": {name: cost.to_dict() for name, cost in record.cost.items()}})
    return 0
