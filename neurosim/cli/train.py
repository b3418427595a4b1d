"""`neurosim train`: learn, count, price, and draw."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosim.cli.output import check_file, emit
from neurosim.cli.stopping import stop_as_interrupted
from neurosim.studies.config import Config, read

if TYPE_CHECKING:
    from rich.console import Console

    from neurosim.studies.record import Record


def train(given: argparse.Namespace) -> int:
    """Learn as flags and settings say, and report."""
    flags = vars(given)
    out, resume = flags.pop("out", None), flags.pop("resume", False)
    settings = read(flags.pop("config")) if "config" in flags else {}
    if resume and out is not None and (Path(out) / "config.toml").exists():
        settings = {**read(Path(out) / "config.toml"), **settings}
    settings |= {k: v for k, v in flags.items() if k not in ("command", "json", "quiet") and v is not None}
    config = Config(**settings)
    check_file("json", given.json)
    record = _learn(config, out, resume=resume, quiet=given.quiet)
    emit(record.to_dict(), given, lambda console: _show(record, console))
    if out is not None:
        from neurosim.studies.figures import draw

        pictures = draw(record, Path(out))
        if not given.quiet:
            print(
                f"wrote {out}/: record.json, checkpoint.npz, config.toml, {', '.join(p.name for p in pictures)}",
                file=sys.stderr,
            )
    return 0


def _show(record: Record, console: Console) -> None:
    from neurosim.studies.report import show

    show(record, console)


def _learn(config: Config, out: str | None, *, resume: bool, quiet: bool) -> Record:
    from neurosim.studies.experiment import run

    stop_as_interrupted()
    watch = None if quiet or not sys.stderr.isatty() else _Watch(config)
    try:
        return run(config, out=out, resume=resume, progress=watch.show if watch else None)
    except KeyboardInterrupt:
        where = f"; go on with: neurosim train --out {out} --resume" if out else "; with --out it could be resumed"
        print(f"neurosim: interrupted{where}", file=sys.stderr)
        raise
    finally:
        if watch:
            watch.close()


class _Watch:
    """Progress on a terminal: epoch, share, speed, time left."""

    def __init__(self, config: Config) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs = config.epochs
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.task: Any = None
        self.bar.start()

    def show(self, epoch: int, done: int, n: int, speed: float) -> None:
        """Called after each piece of training."""
        if self.task is None:
            self.task = self.bar.add_task("", total=self.epochs * n, completed=epoch * n, epoch="", speed="")
        self.bar.update(
            self.task, completed=epoch * n + done, epoch=f"{epoch + 1}/{self.epochs}", speed=f"{speed:,.0f} samples/s"
        )

    def close(self) -> None:
        """Leave the terminal clean."""
        self.bar.stop()
