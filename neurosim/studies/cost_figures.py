"""Figures of what counts cost: models side by side, energy by component, and a sample in time. PNG and SVG.

Models may be decades apart: an axis on which the largest nominal value is more than `_FAR` times the smallest is logarithmic, and
bars on it are whole, since shares of a logarithm mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurosim.costs import Band, Cost
from neurosim.costs.cost import KINDS, Part, grouped
from neurosim.ops import PHASES
from neurosim.studies.figures import PHASE_COLOURS, figures

_KIND_COLOURS = dict(zip(KINDS, ("#44aa99", "#ddcc77", "#999999"), strict=True))
_FULL, _PALE, _LINE = "#4477aa", "#aaccee", "#333333"
_SMALL: Mapping[str, Any] = {"xytext": (4, -3), "textcoords": "offset points", "fontsize": 7, "color": "#666666"}
_FAR = 30.0
_ABREAST = 3
_PREFIXES = ((1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))
_DOING = (("", "learning", -0.2, _FULL), ("inference_", "inference", 0.2, _PALE))


def _unit(values: Iterable[float], base: float, unit: str) -> tuple[float, str]:
    """What to divide values of `base` units by, and the unit with the prefix that suits the largest of them."""
    largest = max(values, default=0.0) * base
    size, prefix = next(((s, p) for s, p in reversed(_PREFIXES) if largest >= s), _PREFIXES[0])
    return size / base, prefix + unit


def comparison(cost: Mapping[str, Cost], path: Path) -> None:
    """Energy, time, power and area of every model; bars are nominal, lines go from low to high sources."""
    size = (10.5, 3.0 + 1.1 * len(cost))
    with figures(path, "Energy of a sample", 4, size, rows=2) as (energy, time, power, area):
        _pairs(energy, cost, "energy_pj_per_sample", 1e-12, "J")
        _pairs(time, cost, "latency_ns_per_sample", 1e-9, "s")
        _pairs(power, cost, "power_uw", 1e-6, "W")
        _bars(area, cost, [("area_um2", "", 0.0, _FULL)], 1e6, "mm²")
        for axis, title in ((time, "Time of a sample"), (power, "Power"), (area, "Area")):
            axis.set_title(title)
        if energy.get_xscale() == "linear":
            _stack(energy, cost)
            energy.get_figure().legend(loc="outside lower center", ncols=len(KINDS), title="energy", fontsize=8)


def _pairs(axis: Any, cost: Mapping[str, Cost], key: str, base: float, unit: str) -> None:
    """Learning above inference."""
    bars = [(word + key, name, side, colour) for word, name, side, colour in _DOING]
    values = [c.band[k].nominal for c in cost.values() for k, *_ in bars if k in c.band]
    _bars(axis, cost, bars, *_unit(values, base, unit))


def _bars(
    axis: Any, cost: Mapping[str, Cost], bars: list[tuple[str, str, float, str]], scale: float, unit: str
) -> None:
    """bars: key in `Cost.band`, name, place beside the row, colour."""
    known: list[tuple[float, str, str, Band]] = [
        (row + side, f"{name}, at least" if name and c.is_least(key) else name, colour, c.band[key])
        for row, c in enumerate(cost.values())
        for key, name, side, colour in bars
        if key in c.band
    ]
    nominal = [band.nominal for *_, band in known if band.nominal > 0]
    if nominal and max(nominal) > _FAR * min(nominal):
        axis.set_xscale("log")
    for row, c in enumerate(cost.values()):
        for key, name, side, _ in bars:
            if key not in c.band:
                axis.annotate(
                    f"{name} not known".strip(), (0, row + side), xycoords=("axes fraction", "data"), **_SMALL
                )
    for y, name, colour, band in known:
        axis.barh(y, band.nominal / scale, 0.36 if name else 0.6, color=colour)
        axis.plot([band.low / scale, band.high / scale], [y, y], color=_LINE, linewidth=1)
        _name(axis, name, max(band.nominal, band.high) / scale, y)
    axis.set_yticks(
        range(len(cost)), [f"{name}\n{c.grade.basis}, {c.grade.tag}" for name, c in cost.items()], fontsize=8
    )
    axis.set_ylim(len(cost) - 0.5, -0.5)  # also where the last models have no such total
    axis.set_xlabel(f"{unit} (lines: from low to high sources)")
    if axis.get_xscale() == "linear":
        axis.set_xlim(left=0)
    axis.margins(x=0.2)
    axis.grid(axis="x", alpha=0.25)


def _name(axis: Any, text: str, x: float, y: float) -> None:
    axis.annotate(text, (x, y), **_SMALL)


def _stack(axis: Any, cost: Mapping[str, Cost]) -> None:
    """What energy is paid for, over the bars of the totals."""
    scale, _ = _unit([b.nominal for c in cost.values() for k, b in c.band.items() if "energy" in k], 1e-12, "J")
    for row, c in enumerate(cost.values()):
        for word, _, side, _ in _DOING:
            parts: tuple[Part, ...] = c.inference_energy if word else c.energy
            by = grouped(parts, lambda p: p.component if p.component in KINDS else KINDS[0], KINDS)
            left = 0.0
            for kind in KINDS:
                width = by[kind].nominal / scale if kind in by else 0.0
                label = kind if (row, word) == (0, "") else None
                axis.barh(row + side, width, 0.36, left=left, color=_KIND_COLOURS[kind], label=label)
                left += width


def energy_by_component(cost: Mapping[str, Cost], path: Path) -> None:
    """Energy of a learning sample by component, stacked by phase, a panel a model; the band of each sum as a line.

    A panel has the components of its own model: chips and arrays have few in common.
    """
    most = max((len(c.energy_by_component) for c in cost.values()), default=1)
    lines = -(-len(cost) // _ABREAST)
    size = (1.5 + 4.2 * min(_ABREAST, len(cost)), 0.6 + lines * (1.0 + 0.34 * most))
    with figures(path, "Energy of one learning sample, by component", len(cost), size, rows=lines) as axes:
        for axis, (model, c) in zip(axes, cost.items(), strict=True):
            by = c.energy_by_component
            names = list(by)
            scale, unit = _unit([band.nominal for band in by.values()], 1e-12, "J")
            for row, name in enumerate(names):
                left = 0.0
                for phase in PHASES:
                    width = sum(p.nominal for p in c.energy if (p.component, p.phase) == (name, phase)) / scale
                    axis.barh(row, width, 0.7, left=left, color=PHASE_COLOURS[phase], label=None if row else phase)
                    left += width
                axis.plot([by[name].low / scale, by[name].high / scale], [row, row], color=_LINE, linewidth=1)
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(most - 0.5, -0.5)  # bars of one thickness in all panels
            axis.set_xlabel(f"{model}, {unit} (lines: from low to high sources)", fontsize=8)
            axis.margins(x=0.08)
            axis.grid(axis="x", alpha=0.25)
        _phases(axes)


def _phases(axes: Sequence[Any]) -> None:
    """One legend for all panels, outside, phases in their order."""
    handles = {k: h for axis in axes for k, h in zip(*reversed(axis.get_legend_handles_labels()), strict=True)}
    kept = [phase for phase in PHASES if phase in handles]
    axes[0].get_figure().legend([handles[p] for p in kept], kept, loc="outside lower center", ncols=len(PHASES))


def timeline(cost: Mapping[str, Cost], path: Path) -> None:
    """When the stages of a learning sample work, a row a layer and a panel a model; nominal times."""
    cost = {name: c for name, c in cost.items() if c.latency} or cost  # of some chips no times were published
    layers = sorted({s.layer for c in cost.values() for s in c.latency})
    size = (8.0, 0.9 + len(cost) * (0.9 + 0.3 * len(layers)))
    with figures(path, "A learning sample in time", len(cost), size, rows=len(cost)) as axes:
        for axis, (name, c) in zip(axes, cost.items(), strict=True):
            scale, unit = _unit([s.end.nominal for s in c.latency], 1e-9, "s")
            for s in c.latency:
                start, width, row = s.start.nominal / scale, s.nominal / scale, layers.index(s.layer)
                axis.barh(row, width, 0.7, left=start, color=PHASE_COLOURS[s.phase], label=s.phase)
            axis.set_yticks(range(len(layers)), [f"layer {layer}" for layer in layers])
            axis.invert_yaxis()
            axis.set_xlim(left=0)
            axis.set_xlabel(f"{name}, {unit}", fontsize=8)
            axis.grid(axis="x", alpha=0.25)
        _phases(axes)


FIGURES: Mapping[str, Callable[[Mapping[str, Cost], Path], None]] = {
    "comparison": comparison,
    "energy_by_component": energy_by_component,
    "timeline": timeline,
}


def draw_costs(cost: Mapping[str, Cost], folder: Path) -> list[Path]:
    """All figures of costs into a folder; returns the PNG files."""
    for name, make in FIGURES.items():
        make(cost, folder / name)
    return [folder / f"{name}.png" for name in FIGURES]
