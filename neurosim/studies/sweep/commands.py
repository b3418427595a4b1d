"""The commands `sweep` and `report`. What is heavy is imported where it is used."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any, NoReturn

from neurosim.errors import NeurosimError


def add(commands: Any) -> None:
    """Register the commands with an argparse parser's subparsers."""
    one = commands.add_parser("sweep", help="run a study: many configurations, from a study file to results in SQLite")
    one.add_argument("study", metavar="STUDY.toml", help="factors, seeds, objectives, constraints, search, budget")
    one.add_argument("--workers", metavar="N", help="local processes (default: one a core)")
    one.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler that is to run the points, instead")
    one.add_argument("--resume", action="store_true", help="go on with the results that are there")
    one.add_argument(
        "--changed", action="store_true", help="go on, although the study has changed; what still fits is kept"
    )
    one.add_argument("--results", metavar="FILE", help="the results file (default: the study's, ending in .sqlite)")
    one.add_argument("--quiet", action="store_true", help="no progress and no summary")
    told = commands.add_parser("report", help="make a page of a sweep's results, with figures and tables")
    told.add_argument("study", metavar="STUDY", help="the study's .toml, or its results file")
    told.add_argument("--out", metavar="DIR", help="where to write (default: beside the results)")


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise NeurosimError(f"workers={text!r}: must be a whole number from 1 up")
    return int(text)


def sweep(given: argparse.Namespace) -> int:
    """`neurosim sweep`: run what is not finished, show how it goes, print the best."""
    from neurosim.studies.sweep.identity import results_path
    from neurosim.studies.sweep.study import Study
    from neurosim.studies.sweep.sweep import sweep as run
    from neurosim.studies.sweep.watch import Watch, summary

    signal.signal(signal.SIGTERM, _as_interrupt)
    study = Study.load(given.study)
    watch = None if given.quiet else Watch()
    try:
        status = run(
            study,
            given.results,
            workers=_count(given.workers),
            cluster=given.cluster,
            resume=given.resume,
            changed=given.changed,
            progress=watch.show if watch else None,
        )
    except KeyboardInterrupt:
        print("neurosim: interrupted; finished points are kept, go on with --resume", file=sys.stderr)
        raise
    finally:
        if watch:
            watch.close()
    if not given.quiet:
        summary(status, results_path(study, given.results))
    return 0


def report(given: argparse.Namespace) -> int:
    """`neurosim report`: write the page, the figures and the tables."""
    from neurosim.studies.sweep.report import report as write

    for path in write(given.study, given.out):
        print(path)
    return 0


def _as_interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
