"""The commands `sweep` and `report`. What is heavy is imported where it is used."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any, NoReturn

from neurosim.errors import NeurosimError


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
