"""The same studies on the simulated chip: 8-bit weights, stochastic rounding, coarse errors, and what they cost.

784 - 4 x 100 tanh - 10, softmax of base 2; batches of 20 whose updates are summed, so that floats can follow step by step from the same
codes; eta halves every second epoch, 10 epochs. Costs are of one learning sample at 45 nm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.spec import NetworkSpec
from neurosim.floats.training import Training
from neurosim.formats import Fixed
from neurosim.studies.figures import figures
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of
from neurosim.studies.setting import Setting

TRAINING = Training(epochs=10, batch_size=20, rate=2.0**-6, halve_every=2)
WIDE = FeedbackCrossbar(bits=8, density=1.0)
RATES = {"bp": 7, "sbp": 7, "arbp": 7, "asrbp": 7, "drtp": 7}
"""K of eta = 2**-k, where it is not 6."""
FLOAT = "in floats"
_ABOVE, _BELOW = (3, 4), (3, -10)
"""Where labels stand, in points: of every other series above its points, of the rest below."""
_TOGETHER = 14
"""Pixels within which points share a label."""
MEASURES = {
    "test_accuracy": "test accuracy, %",
    "learning_nj": "nJ a learning sample",
    "channel_bits": "bits on the channel a sample",
    "update_pairs": "update pairs a sample",
}
NET = "784-4x100-10"
NOTES = (
    f"On the chip: {NET} tanh, 8-bit weights in ±0.5 (±2 in the output layer where it alone learns) with stochastic rounding, "
    "8-bit activities, errors of 4 bits unless said, batches of 20, 10 epochs, eta from 2^-6 (2^-7 in BP, SBP, ARBP, ASRBP, DRTP), halved "
    "every second. C has single bits, a quarter of them connected, in SRBP; 8 bits, dense, in RBP, ARBP and ASRBP: their "
    "energies and bits differ by that too. "
    "Floats start from the same codes and take the same steps with whole errors. Energy: `digital_45nm`.",
)


def chip(
    rule: str,
    hidden: Sequence[int] = (100,) * 4,
    frozen: Sequence[int] = (),
    activation: str = "tanh",
    k: int | None = None,
    **changes: Any,
) -> Setting:
    """A rule on the chip; frozen: layers that do not learn; k: eta is 2**-k (None: the rule's own); changes: of the channel.

    The top layer of `top-only` may grow to 2.
    """
    channel = RULES[rule].replace(**changes)
    top = (
        Dense(10, "softmax", weight=Fixed(8, 6, rounding="stochastic")) if rule == "top-only" else Dense(10, "softmax")
    )
    layers = (*(Dense(n, activation) for n in hidden), top)
    layers = tuple(replace(layer, frozen=i in frozen) for i, layer in enumerate(layers))
    net = NetworkSpec(784, layers, channel)
    return Setting(net, replace(TRAINING, rate=2.0 ** -(RATES.get(rule, 6) if k is None else k)), engine="fixed")


def finer(setting: Setting, bits: int) -> Setting:
    """The same with hidden and output weights of so many bits within the same range."""
    weight = Fixed(bits, bits, rounding="stochastic")
    layers = tuple(replace(layer, weight=weight) for layer in setting.network.layers)
    return setting.replace(network=setting.network.replace(layers=layers))


def floats(setting: Setting) -> Setting:
    """The same steps from the same codes without rounding or quantisers."""
    channel = setting.network.channel.replace(error=None, place=())
    return setting.replace(network=setting.network.replace(channel=channel), engine="float", start="codes")


def buys(
    title: str,
    r: Results,
    series: Mapping[str, str],
    labels: Callable[[Cell], str],
    *,
    floor: float = 0.0,
    lines: Sequence[str] = (),
) -> Callable[[Path], None]:
    """A figure: accuracy against bits on the channel, and against energy, a point a cell.

    series: colours by name; lines: cells without such costs, as levels.
    """

    def draw(path: Path) -> None:
        with figures(path, title, 2, (10.0, 4.4)) as axes:
            named = []
            for axis, measure in zip(axes, ("channel_bits", "learning_nj"), strict=True):
                for number, (name, colour) in enumerate(series.items()):
                    cells = [
                        c for c in r.cells if c.series == name and r.has(c.name) and len(r.values(c.name, measure))
                    ]
                    cells.sort(key=lambda c: c.x)
                    points = [(r.mean(c.name, measure), r.mean(c.name)) for c in cells]
                    if points:
                        axis.plot(*zip(*points, strict=True), "o-", color=colour, label=name, markersize=4, linewidth=1)
                        named.append(
                            (axis, points, [labels(c) for c in cells], colour, _ABOVE if number % 2 else _BELOW)
                        )
                for i, name in enumerate(lines):
                    if r.has(name):
                        style = ("--", ":", "-.")[i % 3]
                        axis.axhline(r.mean(name), color="#888888", linestyle=style, linewidth=1, label=name)
                axis.set_xlabel(MEASURES[measure])
                axis.grid(alpha=0.25)
                if floor:
                    axis.set_ylim(floor, max(r.mean(c.name) for c in r.cells if r.has(c.name)) + 0.6)
            axes[0].set_xscale("symlog", linthresh=1)
            axes[0].set_xlim(left=-0.1)
            axes[0].set_ylabel("test accuracy, %")
            axes[1].legend(loc="lower right", fontsize=8)
            for one in named:
                _annotate(*one)

    return draw


def _annotate(
    axis: Any, points: Sequence[tuple[float, float]], labels: Sequence[str], colour: str, offset: tuple[int, int]
) -> None:
    """A label at each point, one for neighbours that lie together: the first to the last."""
    pixels = axis.transData.transform(points)
    first = 0
    for i in range(1, len(points) + 1):
        if i < len(points) and np.hypot(*(pixels[i] - pixels[i - 1])) < _TOGETHER:
            continue
        text = labels[first] if i == first + 1 else f"{labels[first]} to {labels[i - 1]}"
        axis.annotate(text, points[first], xytext=offset, textcoords="offset points", fontsize=7, color=colour)
        first = i


def beside(
    cells: Sequence[Cell], reference: Callable[[Cell], str] = lambda cell: f"{cell.name}, {FLOAT}"
) -> list[Cell]:
    """The cells, each beside the one that it is read against where there is such a one: by default its own floats."""
    names = {cell.name for cell in cells}
    found = [(cell, reference(cell)) for cell in cells]
    return [replace(cell, beside=name) if name in names and name != cell.name else cell for cell, name in found]


def same_named(cells: Sequence[Cell]) -> dict[str, str]:
    """Cells on the chip and their floats, by name."""
    names = [cell.name for cell in cells]
    return {name: f"{name}, {FLOAT}" for name in names if f"{name}, {FLOAT}" in names}


def findings(
    task: Task,
    title: str,
    results: Results,
    verdicts: Sequence[Verdict],
    *,
    left: float,
    notes: Sequence[str] = (),
    net: str = NET,
) -> Findings:
    """A study on the chip as bars, with its costs; left: where the bars begin, but in a quick run; net: its sizes."""
    return findings_of(
        title,
        results,
        verdicts,
        lambda path: bars(results, path, title, left=0 if task.quick else left),
        measures=MEASURES,
        notes=(*(note.replace(NET, net) for note in NOTES), *notes),
    )


def costs_little(r: Results, cell: str, reference: str, within: float = 1.0) -> Verdict:
    """A verdict: a cell on the chip is as good as its reference."""
    gap = r.mean(cell) - r.mean(reference)
    costs = f"{r.text(cell, 'learning_nj', 0)} nJ and {r.text(cell, 'channel_bits', 1)} bits on the channel a sample"
    return r.judge(
        f"{cell}, on the chip, does as well as {reference}", "no published value", "own", f"{r.text(cell)} %, {gap:+.2f} points; {costs}",
        f"at most {within:g} point below", [cell, reference], gap >= -within,
    )  # fmt: skip
