"""The commands `sweep` and `report`. What is heavy is imported where it is used."""

from __future__ import annotations

import argparse
import sys

from neurosim.cli.flags import whole
from neurosim.cli.stopping import stop_as_interrupted
from neurosim.errors import NeurosimError


def sweep(given: argparse.Namespace) -> int:
    """`neurosim sweep`: run what is not finished, show how it goes, print the best."""
    from neurosim.studies.sweep.identity import results_path
    from neurosim.studies.sweep.study import Study
    from neurosim.studies.sweep.sweep import sweep as run
    from neurosim.studies.sweep.watch import Watch, summary

    stop_as_interrupted()
    study = Study.load(given.study)
    watch = None if given.quiet else Watch()
    try:
        status = run(
            study,
            given.results,
            workers=None if given.workers is None else whole("workers", given.workers, least=1),
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
    if not status.finished:
        raise NeurosimError(f"no point has finished{status.last_mistake and ': ' + status.last_mistake}")
    return 0


def report(given: argparse.Namespace) -> int:
    """`neurosim report`: write the page, the figures and the tables."""
    from neurosim.studies.sweep.report import report as write

    for path in write(given.study, given.out):
        print(path)
    return 0
