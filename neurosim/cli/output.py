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


_WIDE = 110


def check_file(flag: str, given: str | None) -> None:
    """Refuse a file whose folder does not exist before any work is done."""
    if given not in (None, "-") and not Path(str(given)).parent.is_dir():
        raise NeurosimError(f"{flag}={given!r}: its folder does not exist")


def emit(
    content: Mapping[str, Any], given: argparse.Namespace, show: Callable[[Console], None], width: int = _WIDE
) -> None:
    """JSON to where it was asked for; the report to standard output unless the JSON goes there.

    width: columns of a report that goes to a file. Raises NeurosimError, before a byte is written, for a number that is not finite.
    """
    if given.json == "-":
        try:
            text = json.dumps(content, allow_nan=False)
        except ValueError:
            raise NeurosimError("json: a result is not finite; look for a constant that is too large") from None
        sys.stdout.write(text + "\n")
        return
    if given.json:
        from neurosim.studies.files import write_json

        write_json(Path(given.json), content)
    if not given.quiet:
        show(console(width))


def console(width: int = _WIDE) -> Console:
    """The terminal; what goes to a file is so many columns wide."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else width, highlight=False)
