"""Where results go: JSON to a file or to standard output, the report to the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosim.errors import NeurosimError

if TYPE_CHECKING:
    from rich.console import Console


def check_file(flag: str, given: str | None) -> None:
    """Refuse a file whose folder does not exist before any work is done."""
    if given not in (None, "-") and not Path(str(given)).parent.is_dir():
        raise NeurosimError(f"{flag}={given!r}: its folder does not exist")


def emit(content: Mapping[str, Any], given: argparse.Namespace, show: Callable[[Console], None]) -> None:
    """JSON to where it was asked for; the report to standard output unless the JSON goes there."""
    if given.json == "-":
        json.dump(content, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return
    if given.json:
        from neurosim.studies.files import write_json

        write_json(Path(given.json), content)
    if not given.quiet:
        show(console())


def console() -> Console:
    """The terminal; what goes to a file is 110 columns wide."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 110, highlight=False)
