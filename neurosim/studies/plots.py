"""The figures of studies: learning curves, measures against a factor, bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.studies.figures import figure
from neurosim.studies.reproduction import Results

PALETTE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#333333", "#bbbbbb")
_FEW = 6
"""Curves whose legend finds a place among them."""


def _curve(run: Mapping[str, Any], column: str) -> np.ndarray[Any, Any]:
    return np.array([float(value) for value in str(run[column]).split()])


def curves(
    results: Results,
    path: Path,
    title: str,
    cells: Mapping[str, str],
    *,
    column: str = "curve",
    ylabel: str = "test accuracy, %",
    first: int = 1,
    said: Mapping[str, float] | None = None,
) -> None:
    """A measure against the epoch, one line a cell: the mean over seeds, the band from lowest to highest.

    cells: colours by name; first: the epoch of the first value; said: published or recalled values, as levels.
    """
    with figure(path, title) as axis:
        lowest = []
        for name, colour in cells.items():
            runs = [_curve(run, column) for run in results.runs.get(name, ())]
            if not runs:
                continue
            values = np.stack([run[: min(map(len, runs))] for run in runs])
            at = np.arange(first, first + values.shape[1])
            axis.plot(at, values.mean(axis=0), color=colour, label=f"{name}, {values[:, -1].mean():.4g}", linewidth=1.4)
            axis.fill_between(at, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
            lowest.append(float(np.median(values)))
            if name in (said or {}):
                axis.axhline((said or {})[name], color=colour, linestyle=":", linewidth=1)
        if lowest and column == "curve" and ylabel.startswith("test accuracy"):
            axis.set_ylim(bottom=max(0.0, min(lowest) - 5))
        if said:
            axis.plot([], [], color="#666666", linestyle=":", linewidth=1, label="as said")
        axis.set(xlabel="epoch", ylabel=ylabel)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(axis="y", alpha=0.25)
        if said or len(lowest) > _FEW:
            axis.get_figure().legend(loc="outside right upper", fontsize=8)
        elif lowest:
            axis.legend(loc="best", fontsize=8)


def against(
    results: Results,
    path: Path,
    title: str,
    xlabel: str,
    series: Mapping[str, str],
    *,
    measure: str = "test_accuracy",
    ylabel: str = "test accuracy, %",
    xscale: str = "linear",
    lines: Mapping[str, float] | None = None,
    said: Mapping[str, Mapping[int, float]] | None = None,
    floor: float | None = None,
    ticks: Sequence[float] = (),
) -> None:
    """A measure against a cell's x, one line a series: mean over seeds, bars from lowest to highest.

    series: colours by name; lines: horizontal references by label; said: published or recalled values by series and x.
    """
    with figure(path, title) as axis:
        for name, colour in series.items():
            cells = sorted((c for c in results.cells if c.series == name and results.has(c.name)), key=lambda c: c.x)
            if cells:
                values = [results.values(c.name, measure) for c in cells]
                means = np.array([v.mean() for v in values])
                low, high = (np.array([f(v) for v in values]) for f in (np.min, np.max))
                axis.errorbar(
                    [c.x for c in cells], means, [means - low, high - means],
                    color=colour, label=name, marker="o", markersize=3.5, linewidth=1.3, capsize=2,
                )  # fmt: skip
            recalled = (said or {}).get(name, {})
            if recalled:
                axis.plot(
                    list(recalled), list(recalled.values()), "x", color=colour, markersize=7, label=f"{name}, as said"
                )
        for i, (label, value) in enumerate((lines or {}).items()):
            if np.isfinite(value):
                axis.axhline(value, color="#888888", linestyle=("--", ":", "-.")[i % 3], linewidth=1, label=label)
        axis.set_xscale(xscale, **({"linthresh": 1, "linscale": 0.4} if xscale == "symlog" else {}))
        if xscale == "symlog":
            axis.set_xlim(left=-0.15)
        if ticks:
            axis.set_xticks(list(ticks), [f"{t:g}" for t in ticks])
            axis.minorticks_off()
        if floor is not None:
            axis.set_ylim(bottom=floor)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.grid(axis="y", alpha=0.25)
        axis.get_figure().legend(loc="outside right upper", fontsize=8)


def bars(
    results: Results,
    path: Path,
    title: str,
    *,
    measure: str = "test_accuracy",
    xlabel: str = "test accuracy, %",
    left: float = 0.0,
    said: Mapping[str, float] | None = None,
    named: str = "as said",
    digits: int = 2,
    series: str | None = None,
) -> None:
    """A measure of every cell, or those of a series, as a bar, with the seeds as dots.

    said: published or recalled values, or others under another name, as lines.
    """
    cells = [c for c in results.cells if series in (None, c.series)]
    names = list(dict.fromkeys(c.series or "" for c in cells))
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}
    with figure(path, title, (7.5, 1.2 + 0.27 * max(1, len(cells)))) as axis:
        for row, cell in enumerate(cells):
            values, colour = results.values(cell.name, measure), colours[cell.series or ""]
            if not len(values):
                axis.annotate("missing", (left, row), xytext=(5, -3), textcoords="offset points", fontsize=8)
                continue
            axis.barh(row, max(0.0, float(values.mean()) - left), 0.7, left=left, color=colour, alpha=0.75)
            axis.plot(values, [row] * len(values), ".", color="#222222", markersize=3)
            end = max(left, float(values.max()), (said or {}).get(cell.name, left))
            axis.annotate(
                f"{values.mean():.{digits}f}",
                (end, row),
                xytext=(5, -3),
                textcoords="offset points",
                fontsize=8,
            )
            if said and cell.name in said:
                axis.plot([said[cell.name]] * 2, [row - 0.4, row + 0.4], color="#000000", linewidth=1.6)
        if said:
            axis.plot([], [], color="#000000", linewidth=1.6, label=named)
        for name in names if len(names) > 1 else ():
            axis.barh([0], [0], 0, left=left, color=colours[name], alpha=0.75, label=name or "others")
        if said or len(names) > 1:
            axis.get_figure().legend(loc="outside lower center", ncols=4, fontsize=8)
        axis.set_yticks(range(len(cells)), [c.name for c in cells], fontsize=8)
        axis.set_ylim(len(cells) - 0.4, -0.6)
        axis.set_xlabel(xlabel)
        axis.set_xlim(left=left)
        axis.margins(x=0.1)
        axis.grid(axis="x", alpha=0.25)
