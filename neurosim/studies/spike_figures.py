"""The figures of spiking runs: raster, rates of populations, histograms of weights, energy over time. PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.formats import check, check_whole
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import LAST_TICK
from neurosim.spiking.recorded import Spikes
from neurosim.studies.figures import AnyPath, figure, figures
from neurosim.studies.spike_energy import Slices

_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#333333")
_COMPONENT_COLOURS = {
    "arithmetic": "#4477aa", "weight memory": "#228833", "feedback memory": "#66ccee", "state memory": "#ccbb44",
    "gradient memory": "#999933", "lookup": "#332288", "random": "#aa3377", "communication": "#ee6677",
    "synapse": "#44aa99", "neuron": "#88ccee", "learning": "#882255", "memory": "#ee8866", "sample": "#ddcc77",
    "core": "#661100", "chip": "#cc6677", "clock": "#999999", "static": "#dddddd",
}  # fmt: skip
_MOST_DOTS = 60_000


def _times(ticks: NDArray[Any], tick_ms: float | None) -> NDArray[np.float64]:
    return ticks * (1.0 if tick_ms is None else tick_ms)


def _unit(tick_ms: float | None) -> str:
    return "tick" if tick_ms is None else "time, ms"


def _check_shown(spikes: Spikes, sizes: Mapping[str, int]) -> None:
    """Refuse to show no population, one that was not recorded, or one without neurons."""
    if not sizes:
        raise NeurosimError(f"sizes={{}}: must be neurons by population, of {', '.join(spikes.by_name)}")
    for name, n in sizes.items():
        check("sizes: population", name, tuple(spikes.by_name))
        check_whole(f"sizes: neurons of {name}", n, 1, 1 << 24)


def raster(
    spikes: Spikes,
    path: AnyPath,
    title: str,
    *,
    sizes: Mapping[str, int],
    tick_ms: float | None = None,
    shown: int | None = None,
) -> None:
    """Spikes as dots, a band a population, the first one at the bottom.

    sizes: neurons by population, those to show; tick_ms: length of a tick, None to count ticks; shown: neurons of each population at
    most, evenly chosen. Runs of more dots than can be told apart are pictures inside the SVG. Raises NeurosimError for populations that
    were not recorded.
    """
    _check_shown(spikes, sizes)
    heights = {name: min(n, shown or n) for name, n in sizes.items()}
    # Small populations keep a band that can be seen.
    least = max(heights.values()) // 8
    with figure(path, title, (8.0, 4.6)) as axis:
        base, middles = 0.0, []
        total = sum(len(spikes[name][0]) for name in sizes)
        for k, (name, n) in enumerate(sizes.items()):
            ticks, neurons = spikes[name]
            chosen = np.unique(np.linspace(0, n - 1, heights[name]).round().astype(np.int64))
            kept = np.isin(neurons, chosen)
            band = float(max(heights[name], least, 1))
            rows = base + (np.searchsorted(chosen, neurons[kept]) + 0.5) * band / len(chosen)
            size = float(np.clip(250 / np.sqrt(max(1, kept.sum())), 0.7, 6.0))
            axis.scatter(
                _times(ticks[kept], tick_ms), rows, s=size, color=_COLOURS[k % len(_COLOURS)], linewidths=0,
                rasterized=total > _MOST_DOTS // 10,
            )  # fmt: skip
            middles.append(base + band / 2)
            base += band
            if k + 1 < len(sizes):
                axis.axhline(base, color="#cccccc", linewidth=0.6)
        part = {name: f"{heights[name]:,} of " if heights[name] < n else "" for name, n in sizes.items()}
        axis.set_yticks(middles, [f"{name}, {part[name]}{n:,}" for name, n in sizes.items()])
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(0, base)
        axis.set_xlabel(_unit(tick_ms))
        axis.margins(x=0.01)


def rates(
    spikes: Spikes,
    path: AnyPath,
    title: str,
    *,
    sizes: Mapping[str, int],
    end: int,
    every: int,
    start: int = 0,
    tick_ms: float | None = None,
) -> None:
    """Mean rate of populations over time, in bins of so many ticks from start to end; the mean over all of it in the legend.

    Raises NeurosimError for populations that were not recorded, and for spikes before the start or from the end on.
    """
    _check_shown(spikes, sizes)
    check_whole("start", start, 0, LAST_TICK)
    check_whole("end", end, start + 1, LAST_TICK)
    check_whole("every", every, 1, LAST_TICK)
    for name in sizes:
        ticks = spikes[name][0]
        if len(ticks) and not start <= int(ticks[0]) <= int(ticks[-1]) < end:
            raise NeurosimError(
                f"rates: spikes of {name} at ticks {ticks[0]}..{ticks[-1]}: must be {start}..{end - 1}, from start to before end"
            )
    edges = np.arange(start, end + every, every)
    with figure(path, title, (8.0, 3.6)) as axis:
        scale, unit = (
            (1.0, "spikes a neuron and tick") if tick_ms is None else (1000 / tick_ms, "spikes a neuron and second")
        )
        for k, (name, n) in enumerate(sizes.items()):
            ticks = spikes[name][0]
            widths = np.diff(np.minimum(edges, end))
            rate = np.histogram(ticks, edges)[0] / (n * np.maximum(1, widths)) * scale
            mean = len(ticks) / (n * (end - start)) * scale
            axis.stairs(
                rate, _times(np.minimum(edges, end), tick_ms), baseline=None, color=_COLOURS[k % len(_COLOURS)], linewidth=1.2,
                label=f"{name}, mean {mean:.3g}",
            )  # fmt: skip
        axis.set_ylim(bottom=0)
        axis.set(xlabel=_unit(tick_ms), ylabel=unit)
        axis.margins(x=0.01)
        axis.grid(axis="y", alpha=0.25)
        axis.get_figure().legend(loc="outside right upper", fontsize=8)


def weights(net: SpikingNetwork, path: AnyPath, title: str, *, projections: tuple[str, ...] = ()) -> None:
    """Histograms of the weights of projections (by default those that learn), as they began and as they are, in codes.

    Raises NeurosimError where none is named and none learns, and for a projection without synapses.
    """
    known = tuple(p.name or f"{p.source}->{p.target}" for p in net.spec.projections)
    learning = tuple(n for n, p in zip(known, net.spec.projections, strict=True) if p.plasticity is not None)
    names = projections or learning
    if not names:
        raise NeurosimError(f"projections=(): none of the network learns; name some of {', '.join(known) or 'none'}")
    for name in names:
        check_whole(f"projection {name}: synapses", len(net.weights(name)), 1, LAST_TICK)
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    with figures(path, title, len(names), (1.6 + 3.0 * columns, 0.6 + 2.7 * rows), rows) as axes:
        for k, (axis, name) in enumerate(zip(axes, names, strict=False)):
            first, now = net.synapses(name).weight, net.weights(name)
            low, high = min(first.min(), now.min()), max(first.max(), now.max())
            bins = int(np.clip(np.sqrt(len(now)), 8, 64))
            step = max(1, -(-int(high - low + 1) // bins))
            edges = np.arange(low, high + step + 1, step) - 0.5
            axis.hist(first, edges, color="#bbbbbb", label="at first")
            axis.hist(now, edges, histtype="step", color=_COLOURS[0], linewidth=1.4, label="now")
            axis.set_xlabel(f"{name}, code of {net.spec.projections[net.spec.projection(name)].weight.bits} bits")
            axis.set_ylabel("synapses" if k % columns == 0 else "")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.margins(x=0.01)
        axes[0].get_figure().legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)


def energy(slices: Slices, path: AnyPath, title: str, *, tick_ms: float | None = None) -> None:
    """Energy of each slice by component, stacked, with lines for low and high sources; a panel a model."""
    models = list(slices.costs)
    stacks = {model: (slices.by_component(model), slices.energy_pj(model)) for model in models}
    _stacked(slices, path, title, stacks, _COMPONENT_COLOURS, tick_ms)


def energy_of_events(slices: Slices, path: AnyPath, title: str, *, tick_ms: float | None = None) -> None:
    """What follows the spikes: energy of each slice by projection, without clocking and leakage; a panel a model."""
    stacks = {}
    for model in slices.costs:
        found = slices.by_projection(model)
        stacks[model] = (found, None)
    names = dict.fromkeys(name for values, _ in stacks.values() for name in values)
    colours = {name: _COLOURS[k % len(_COLOURS)] for k, name in enumerate(names)}
    _stacked(slices, path, title, stacks, colours, tick_ms)


def _stacked(
    slices: Slices,
    path: AnyPath,
    title: str,
    stacks: Mapping[str, tuple[Mapping[str, NDArray[Any]], NDArray[Any] | None]],
    colours: Mapping[str, str],
    tick_ms: float | None,
) -> None:
    """Parts of each slice's energy (pJ) on top of one another, a panel a model: (parts by name, low to high or None)."""
    at = _times(slices.ticks, tick_ms)
    length = f"{np.diff(at).max():g} {'ticks' if tick_ms is None else 'ms'}"
    with figures(path, "", len(stacks), (8.6, 0.7 + 2.3 * len(stacks)), len(stacks)) as axes:
        seen: dict[str, Any] = {}
        for axis, (model, (parts, band)) in zip(axes, stacks.items(), strict=True):
            top = max((sum(v.max() for v in parts.values()), *(() if band is None else (band.max(),))), default=0.0)
            scale, unit = next(((s, u) for s, u in ((1e6, "uJ"), (1e3, "nJ")) if top >= 2 * s), (1.0, "pJ"))
            below = np.zeros(len(at) - 1)
            for name, values in parts.items():
                above = below + values / scale
                seen[name] = axis.stairs(above, at, baseline=below, fill=True, color=colours[name], label=name)
                below = above
            ends = () if band is None else ((band[:, 0], ":", "low sources"), (band[:, 2], "--", "high sources"))
            for values, style, label in ends:
                seen[label] = axis.stairs(
                    values / scale,
                    at,
                    baseline=None,
                    color="#333333",
                    linewidth=0.9,
                    linestyle=style,
                    label=label,
                )
            axis.set(ylabel=f"{unit} a slice of {length}", ylim=(0, 1.06 * top / scale if top else 1))
            axis.set_title(model, fontsize=9, fontweight="normal")
            axis.margins(x=0.0)
        axes[-1].set_xlabel(_unit(tick_ms))
        drawing = axes[0].get_figure()
        drawing.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
        # As they are stacked, whichever model has them first; lines above.
        order = [name for name in (*colours, "low sources", "high sources") if name in seen][::-1]
        drawing.legend([seen[name] for name in order], order, loc="outside right upper", fontsize=8)
