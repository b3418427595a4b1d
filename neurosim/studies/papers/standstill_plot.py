"""The figure of quantised dynamics: paths of the smallest chain, and for each system where it ends against the bits of a weight."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neurosim.studies.figures import figures
from neurosim.studies.papers.chains import SLOPE, SYSTEMS, Case, Ends, System
from neurosim.studies.theory import follow

_STARTS = ((0.2, 0.2), (-1.2, 0.6), (0.3, -1.3), (1.4, 1.4), (-0.4, -1.2))
_WIDTHS = {6: "#ee6677", 8: "#4477aa", 12: "#228833"}
_NEAREST, _STOCHASTIC = "#4477aa", "#ee6677"
_EDGE = 2.6
_LEAST = 1e-5  # distances below are drawn here: a path may end on a fixed point exactly


def draw(ends: Ends, alone: Mapping[System, float], path: Path) -> None:
    """ends: of all cases; alone: how far from the limit steps in real numbers end; writes PATH.png and PATH.svg."""
    title = "Paths of [1, 1, 1], rounded to the nearest"
    with figures(path, title, 2 + len(SYSTEMS), (12.0, 11.0), rows=3) as axes:
        axes[1].set_title("rounded stochastically")
        _plane(axes[0], "nearest")
        _plane(axes[1], "stochastic")
        for axis, system in zip(axes[2:], SYSTEMS, strict=True):
            _against_bits(axis, system, ends, alone[system])
        legend = axes[0].get_figure().legend
        legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
        legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def _plane(axis: Any, rounding: Literal["nearest", "stochastic"]) -> None:
    """Paths of coarse and fine words in the plane of the two weights."""
    system = SYSTEMS[0]
    for side in (-1, 1):
        x = side * np.linspace(0.25, _EDGE, 200)
        axis.plot(x, SLOPE / x, color="#333333", linewidth=1.6, label="a1 a2 = alpha / beta" if side > 0 else None)
    cases = {Case(system, bits, rounding): colour for bits, colour in _WIDTHS.items()}
    for i, start in enumerate(map(np.array, _STARTS)):
        real = follow(system.net.flow, start).states
        axis.plot(
            *real.T, color="#bbbbbb", linewidth=3, zorder=0, label="real numbers" if i == 0 else None
        )  # fmt: skip
        for case, colour in cases.items():
            seen = case.path(start)[0]
            axis.plot(*seen.T, color=colour, linewidth=0.9, label=f"{case.bits}-bit weights" if i == 0 else None)
            axis.plot(*seen[-1], "s", color=colour, markersize=4)
        axis.plot(*start, "o", color="#888888", markersize=4)
    axis.set(xlim=(-_EDGE, _EDGE), ylim=(-_EDGE, _EDGE), xlabel="a1, first weight", ylabel="a2, second weight")


def _against_bits(axis: Any, system: System, ends: Ends, alone: float) -> None:
    """Distances of one system against the bits of a weight: medians over starts, bars from lowest to highest."""
    for rounding, colour, shift in (("nearest", _NEAREST, -0.12), ("stochastic", _STOCHASTIC, 0.12)):
        found = {
            case: some for case, some in ends.items()
            if (case.system, case.rounding, case.error_bits) == (system, rounding, 0)
        }  # fmt: skip
        bits = np.array([case.bits for case in found])
        off = np.maximum([[end.off for end in some] for some in found.values()], _LEAST)
        middle = np.median(off, axis=1)
        axis.errorbar(
            bits + shift, middle, [middle - off.min(axis=1), off.max(axis=1) - middle],
            color=colour, marker="o", markersize=3.5, linewidth=1.4, elinewidth=0.8, capsize=2,
            label=f"from the fixed points, {rounding}",
        )  # fmt: skip
        limit = [np.median([end.from_limit for end in some]) for some in found.values()]
        axis.plot(
            bits, limit, "--", color=colour, marker="x", markersize=4, linewidth=1, label=f"from the limit, {rounding}"
        )
        if rounding == "nearest":
            reach = [case.standstill.reach for case in found]
            axis.fill_between(bits, _LEAST, reach, color="#dddddd", zorder=0, label="half-LSB band")
            axis.set_xticks(bits)
    axis.axhline(alone, color="#888888", linestyle=":", linewidth=1, label="steps alone, from the limit")
    axis.set(yscale="log", ylim=(_LEAST / 1.5, 50), xlabel="bits of a weight", ylabel="distance", title=system.name)
