"""Where results go: JSON to a file or to standard output, the report to the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from neurosim.studies.record import Record


def emit(record: Record, given: argparse.Namespace, content: dict[str, Any]) -> None:
    """JSON to where it was asked for; the report to standard output unless the JSON goes there."""
    if given.json == "-":
        json.dump(content, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return
    if given.json:
        from neurosim.studies.files import write_json

        write_json(Path(given.json), content)
    if not given.quiet:
        from neurosim.studies.report import show

        show(record, console())


def console() -> Console:
    """The terminal; what goes to a file is 110 columns wide."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 110, highlight=False)
