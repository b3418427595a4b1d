"""The command line: a thin layer over `neurosim.studies`. Heavy modules are imported by the commands that need them."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from neurosim.errors import NeurosimError
from neurosim.studies.config import Config, read
from neurosim.studies.sweep import commands as sweeps

if TYPE_CHECKING:
    from rich.console import Console

    from neurosim.studies.experiment import Record

_MISTAKE, _INTERRUPTED = 2, 130
_LINE_EVERY_S = 30


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise NeurosimError(message)


def parser() -> argparse.ArgumentParser:
    """All commands and flags; the flags of `train` are the knobs of `Config`."""
    import neurosim

    top = _Parser(
        prog="neurosim", description="Learn on a simulated low-precision neuromorphic chip, and see what it costs."
    )
    top.add_argument("--version", action="version", version=f"neurosim {neurosim.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    train = commands.add_parser(
        "train", help="learn a data set on chip, count and price it", argument_default=argparse.SUPPRESS
    )
    train.add_argument("data", nargs="?", metavar="DATA", help=f"{_field('data').metadata['help']} (default: digits)")
    train.add_argument(
        "--config", metavar="FILE.toml", help="settings under the flags' names with underscores; flags win"
    )
    train.add_argument("--out", metavar="DIR", help="write record.json, a checkpoint, figures and the settings here")
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    _output_flags(train)
    groups: dict[str, Any] = {}
    for knob in fields(Config):
        info = knob.metadata
        if knob.name == "data":
            continue
        if info["group"] not in groups:
            groups[info["group"]] = train.add_argument_group(info["group"])
        flag = "--" + knob.name.replace("_", "-")
        if info["kind"] is bool:
            groups[info["group"]].add_argument(flag, action=argparse.BooleanOptionalAction, help=info["help"])
        else:
            shown = info["show"] or (",".join(map(str, knob.default)) if info["many"] else knob.default)  # type: ignore[arg-type]
            groups[info["group"]].add_argument(
                flag, metavar="X,…" if info["many"] else "X", help=f"{info['help']} (default: {shown})"
            )

    hardware = commands.add_parser("hardware", help="list the hardware models, or explain one")
    hardware.add_argument("name", nargs="?", metavar="NAME")
    commands.add_parser("datasets", help="list the data sets and where they were found")
    commands.add_parser("rules", help="list the learning rules")
    price = commands.add_parser("price", help="price an earlier run anew, without simulating")
    price.add_argument("run", metavar="RUN", help="the folder that --out made")
    price.add_argument("--hardware", metavar="NAME,…", required=True, help="models, or paths of .toml files")
    _output_flags(price)
    again = commands.add_parser("reproduce", help="make a published finding again: table, figure, verdicts")
    again.add_argument("name", nargs="?", metavar="NAME")
    again.add_argument("--list", action="store_true", help="what there is")
    again.add_argument("--engine", default="float", metavar="X", help="float or fixed (default: float)")
    again.add_argument(
        "--report", metavar="FILE.md", help="one page of all studies in the folder of that name; runs nothing"
    )
    again.add_argument("--quick", action="store_true", help="a smaller run, labelled so")
    again.add_argument(
        "--out",
        metavar="DIR",
        help="write NAME.csv, NAME.md and NAME.png, .svg here; finished runs that stand here are kept",
    )
    sweeps.add(commands)
    return top


def _output_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json",
        metavar="FILE",
        help="write all results as JSON; - is standard output, and nothing else goes there",
        default=None,
    )
    command.add_argument("--quiet", action="store_true", help="no report and no progress", default=False)


def _field(name: str) -> Any:
    return next(knob for knob in fields(Config) if knob.name == name)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for a mistake of the user's, 130 when interrupted."""
    try:
        given = parser().parse_args(arguments)
        command = {
            "train": _train,
            "hardware": _hardware,
            "datasets": _datasets,
            "rules": _rules,
            "price": _price,
            "reproduce": _reproduce,
            "sweep": sweeps.sweep,
            "report": sweeps.report,
        }
        code = command[given.command](given)
        sys.stdout.flush()
    except NeurosimError as error:
        return _complain(str(error))
    except MemoryError:
        return _complain("not enough memory for this network or data set; make it smaller")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        return _complain(f"{error.filename or 'output'}: {error.strerror or error}")
    return code


def _complain(message: str) -> int:
    print("neurosim: error: " + " ".join(message.split()), file=sys.stderr)
    return _MISTAKE


def _train(given: argparse.Namespace) -> int:
    flags = vars(given)
    out, resume = flags.pop("out", None), flags.pop("resume", False)
    settings = read(flags.pop("config")) if "config" in flags else {}
    if resume and out is not None and (Path(out) / "config.toml").exists():
        settings = {**read(Path(out) / "config.toml"), **settings}
    settings |= {k: v for k, v in flags.items() if k not in ("command", "json", "quiet") and v is not None}
    config = Config(**settings)
    if given.json not in (None, "-") and not Path(given.json).parent.is_dir():
        raise NeurosimError(f"json={given.json!r}: its folder does not exist")
    record = _learn(config, out, resume=resume, quiet=given.quiet)
    _emit(record, given, record.to_dict())
    if out is not None:
        from neurosim.studies.figures import draw

        pictures = draw(record, Path(out))
        if not given.quiet:
            print(
                f"wrote {out}/: record.json, checkpoint.npz, config.toml, {', '.join(p.name for p in pictures)}",
                file=sys.stderr,
            )
    return 0


def _learn(config: Config, out: str | None, *, resume: bool, quiet: bool) -> Record:
    from neurosim.studies.experiment import run

    signal.signal(signal.SIGTERM, _as_interrupt)
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


def _as_interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


class _Lines:
    """What a study is doing: one line that changes on a terminal, a line every half minute elsewhere."""

    def __init__(self) -> None:
        self.on_terminal, self.last = sys.stderr.isatty(), -math.inf

    def __call__(self, doing: str) -> None:
        if self.on_terminal:
            print(f"\r\033[K{doing}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.last >= _LINE_EVERY_S:
            print(doing, file=sys.stderr, flush=True)
            self.last = time.monotonic()

    def close(self) -> None:
        """Leave the terminal clean."""
        if self.on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


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


def _emit(record: Record, given: argparse.Namespace, content: dict[str, Any]) -> None:
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

        show(record, _console())


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 110, highlight=False)


def _price(given: argparse.Namespace) -> int:
    from neurosim.studies.experiment import Record

    record = Record.load(given.run)
    record.cost = record.price([name for name in given.hardware.split(",") if name])
    _emit(record, given, {"run": given.run, "cost": {name: cost.to_dict() for name, cost in record.cost.items()}})
    return 0


def _reproduce(given: argparse.Namespace) -> int:
    from rich.markup import escape
    from rich.table import Table

    from neurosim.studies.reproduction import STUDIES, Task, module_of, reproduce

    if given.report and given.name is not None:
        raise NeurosimError(f"report={given.report!r}: is of all studies and runs none; leave out {given.name!r}")
    if given.report:
        from neurosim.studies.overview import overview

        overview(Path(given.report))
        print(f"wrote {given.report}", file=sys.stderr)
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    if given.list or given.name is None:
        for column in ("study", "engines", "what it reproduces"):
            table.add_column(column)
        for name, what in STUDIES.items():
            table.add_row(name, ", ".join(module_of(name).ENGINES), what)
        _console().print(table)
        return 0
    console, progress = _console(), _Lines()
    out = Path(given.out) if given.out else None
    try:
        found = reproduce(given.name, out, engine=given.engine, quick=given.quick, progress=progress)
    except KeyboardInterrupt:
        print(
            "\nneurosim: interrupted" + ("; finished runs are kept, the same command goes on" if out else ""),
            file=sys.stderr,
        )
        raise
    progress.close()
    console.print(
        f"[bold]{escape(found.title)}[/bold]{' (quick: smaller than what the claims are about)' if given.quick else ''}\n"
    )
    header, *rows = found.table or [found.header, *found.rows]
    for column in header:
        table.add_column(column)
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table)
    console.print()
    for verdict in found.verdicts:
        console.print(verdict.line(), markup=False)
    if given.out:
        stem = Task(given.engine, given.quick, name=given.name).stem
        kinds = ", ".join(f"{stem}.{kind}" for kind in ("csv", "md", "png", "svg"))
        print(f"wrote {given.out}/: {kinds}", file=sys.stderr)
    return 0


def _hardware(given: argparse.Namespace) -> int:
    from rich.markup import escape
    from rich.table import Table

    from neurosim import costs

    console = _console()
    if given.name is None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("model")
        table.add_column("what it is")
        for name in costs.names():
            table.add_row(name, costs.load(name).summary)
        console.print(table)
        return 0
    model = costs.load(given.name)
    console.print(f"[bold]{model.name}[/bold]: {model.summary}\n")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("constant", "low", "nominal", "high", "unit", "basis, tag", "note"):
        table.add_column(column, overflow="fold")
    notes: dict[str, int] = {}
    for row in costs.explain(model):
        numbers = [
            f"{row[k]:.4g}" if isinstance(row[k], int | float) else str(row[k] or "")
            for k in ("low", "nominal", "high")
        ]
        if len(set(numbers)) == 1:
            numbers = ["", numbers[1], ""]
        table.add_row(
            str(row["constant"]),
            *numbers,
            str(row["unit"] or ""),
            ", ".join(x for x in (row["basis"], row["tag"]) if x),
            str(notes.setdefault(str(row["source"]), len(notes) + 1)),
        )
    console.print(table)
    console.print("\n[bold]Notes[/bold]: where each constant comes from, or why it was chosen")
    listed = Table(box=None, pad_edge=False, show_header=False)
    listed.add_column(justify="right")
    listed.add_column(overflow="fold")
    for source, number in notes.items():
        listed.add_row(str(number), escape(source))
    console.print(listed)
    return 0


def _datasets(given: argparse.Namespace) -> int:
    del given
    from rich.table import Table

    from neurosim import data

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("data set", "shape", "samples", "classes", "where"):
        table.add_column(column, overflow="fold")
    for one in data.describe():
        shape = "×".join(map(str, one.shape))
        table.add_row(
            one.name, shape, one.sizes, str(len(one.classes)), ("" if one.found else "not here: ") + one.where
        )
    _console().print(table)
    return 0


def _rules(given: argparse.Namespace) -> int:
    del given
    from rich.table import Table

    from neurosim.chip.channel import RULES

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("rule", "route", "matrix", "adaptive", "feedback"):
        table.add_column(column)
    for name, rule in RULES.items():
        drawn = rule.matrix == "random" and rule.route != "none"
        feedback = (
            f"{rule.feedback.bits} bit {rule.feedback.values if rule.feedback.bits == 1 else ''}".strip()
            if drawn
            else "-"
        )
        density = f", density {rule.feedback.density:g}" if drawn and rule.feedback.density is not None else ""
        table.add_row(
            name,
            rule.route,
            rule.matrix if rule.route != "none" else "-",
            "yes" if rule.adaptive else "no",
            feedback + density,
        )
    _console().print(table)
    return 0
