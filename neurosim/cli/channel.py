"""`neurosim channel`: what the learning channel of each rule takes, by the papers' sums and on chips."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from neurosim.cli.flags import listed, whole
from neurosim.cli.output import console


def channel(given: argparse.Namespace) -> int:
    """Print the page, or write it."""
    from neurosim.costs.channel import page
    from neurosim.costs.hardware import arrays, load

    sizes = [whole("sizes", part) for part in listed("sizes", given.sizes)]
    models = [arrays(load(name)) for name in listed("hardware", given.hardware)]
    text = page(sizes, models, bits=whole("error_bits", given.error_bits))
    if given.report is None:
        from rich.markdown import Markdown

        console().print(Markdown(text))
        return 0
    from neurosim.studies.files import write_text

    write_text(Path(given.report), text)
    print(f"wrote {given.report}", file=sys.stderr)
    return 0
