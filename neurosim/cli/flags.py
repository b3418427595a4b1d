"""All commands and their flags; nothing heavy is imported for them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NoReturn

from neurosim.errors import NeurosimError
from neurosim.studies.config import Config

COMMANDS: Mapping[str, str] = {
    "train": "train",
    "price": "price",
    "channel": "channel",
    "reproduce": "reproduce",
    "validate": "models",
    "convert": "models",
    "sweep": "sweep",
    "report": "sweep",
    "hardware": "listings",
    "datasets": "listings",
    "rules": "listings",
}
"""The module of each command, which has a function of the command's name: (given: argparse.Namespace) -> exit code."""


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
    _model_flags(commands)
    commands.add_parser("datasets", help="list the data sets and where they were found")
    commands.add_parser("rules", help="list the learning rules")
    _price_flags(
        commands.add_parser("price", help="price an earlier run, or counts from elsewhere, without simulating")
    )
    channel = commands.add_parser("channel", help="what each rule's learning channel takes, without a run")
    channel.add_argument(
        "--sizes", metavar="N,…", default="784,100,100,100,100,10", help="inputs, hidden layers, outputs"
    )
    channel.add_argument("--error-bits", metavar="N", default="4", help="bits of an error code (default: 4)")
    _hardware_flag(channel, default="digital_45nm,digital_28nm")
    channel.add_argument("--report", metavar="FILE.md", help="write the page there")
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
    _sweep_flags(commands)
    return top


def _model_flags(commands: Any) -> None:
    validate = commands.add_parser("validate", help="price published chips' workloads: errors against silicon")
    validate.add_argument("--write", metavar="FILE.md", help="write the page of all rows, with notes and sources")
    _output_flags(validate)
    convert = commands.add_parser("convert", help="make a hardware model of a SANA-FE architecture file")
    convert.add_argument("file", metavar="FILE.yaml")
    convert.add_argument("--out", metavar="NAME.toml", required=True, help="the model, named as the file")
    convert.add_argument("--source", metavar="TEXT", help="where its numbers come from; without it they are unverified")


def _sweep_flags(commands: Any) -> None:
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


def whole(flag: str, text: str, least: int = 0) -> int:
    """A whole number given as a flag.

    Raises: NeurosimError that names the flag.
    """
    if not text.strip().isdecimal() or int(text) < least:
        raise NeurosimError(f"{flag}={text!r}: must be a whole number, at least {least}")
    return int(text)


def listed(flag: str, text: str) -> list[str]:
    """What a flag names, separated by commas.

    Raises: NeurosimError that names the flag, if it names nothing.
    """
    found = [part for part in text.split(",") if part]
    if not found:
        raise NeurosimError(f"{flag}={text!r}: must name at least one")
    return found


def _price_flags(price: argparse.ArgumentParser) -> None:
    price.add_argument("run", nargs="?", metavar="RUN", help="the folder that --out made")
    _hardware_flag(price)
    price.add_argument("--counts", metavar="FILE", help="counts from elsewhere, .json or .csv (docs/counts.md)")
    price.add_argument("--samples", metavar="N", help="samples that were counted, if the file does not say")
    price.add_argument("--ticks", metavar="N", help="ticks that were counted, of spiking networks")
    price.add_argument("--sizes", metavar="N,…", help="inputs and neurons of each layer, to reckon a layout from")
    price.add_argument("--layout", metavar="FILE.json", help="what the network occupies, if the counts do not say")
    price.add_argument("--csv", metavar="FILE", help="write every part and total as rows")
    price.add_argument(
        "--figure", metavar="DIR", help="draw models side by side, by component and in time, PNG and SVG"
    )
    price.add_argument(
        "--placement", metavar="FILE", help="layer = [[x, y], …], TOML or JSON, instead of placing automatically"
    )
    price.add_argument(
        "--mesh",
        metavar="DIR",
        help="write a folder a model: map of cores and links, loads, packets, Noxim's table, placement",
    )
    _output_flags(price)


def _hardware_flag(command: argparse.ArgumentParser, default: str | None = None) -> None:
    told = f"models, or paths of .toml files{f' (default: {default})' if default else ''}"
    command.add_argument("--hardware", metavar="NAME,…", required=default is None, default=default, help=told)


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
