"""Where a network stands and what it sends: a map of cores by energy and of links by load, and files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurosim.costs import Cost, Plan, traffic
from neurosim.costs.routing import Load
from neurosim.errors import NeurosimError
from neurosim.ops import OpCounts
from neurosim.studies.figures import figure
from neurosim.studies.files import prepare

_STEPS = {"east": (1, 0), "west": (-1, 0), "south": (0, 1), "north": (0, -1)}
_MESH_COLOUR, _ENTRY_COLOUR = "#cc3311", "#ee8866"

FILES = ("map.png", "map.svg", "placement.toml", "links.csv", "packets.csv", "noxim.txt")
"""What `mesh_files` writes."""


def mesh_files(cost: Cost, plan: Plan, counts: OpCounts, folder: Path) -> None:
    """Everything about a placed network in a folder: `FILES` (docs/mapping.md 6).

    cost: of the counts on that plan.

    Raises: NeurosimError if the folder cannot be written to.
    """
    prepare(folder, "mesh")
    mesh_map(cost, folder / "map")
    plan.toml(folder / "placement.toml")
    moved = traffic(plan, counts)
    moved.links_csv(folder / "links.csv")
    moved.csv(folder / "packets.csv")
    moved.noxim(folder / "noxim.txt")


def mesh_map(cost: Cost, path: Path, title: str = "Energy by core and flits by link, a learning sample") -> None:
    """Cores coloured by energy, with the layers that stand on them; arrows between routers as wide as their load.

    Raises: NeurosimError if the model of the cost has no mesh.
    """
    routing = cost.routing
    if routing is None:
        raise NeurosimError(f"hardware={cost.model!r}: has no mesh to draw")
    energy = {at: band.nominal / 1e3 for at, band in cost.energy_by_core.items()}
    links = [load for load in routing.links if load.direction in _STEPS]
    ports = [load for load in routing.links if load.direction == "from port"]
    places = [*energy, *((load.x, load.y) for load in (*links, *ports))]
    right, down = 1 + max((x for x, _ in places), default=0), 1 + max((y for _, y in places), default=0)
    cell = min(1.5, 11.0 / max(right, down))
    with figure(path, title, (3.6 + cell * right, 3.4 + cell * down)) as axis:
        shown = axis.imshow(
            [[energy.get((x, y), float("nan")) for x in range(right)] for y in range(down)],
            cmap="Blues",
            vmin=0,
            vmax=max(energy.values(), default=1.0) * 1.25,
        )
        bar = axis.get_figure().colorbar(shown, ax=axis, shrink=0.7)
        bar.set_label("energy of the core, nJ")
        lines = {"color": "white", "linewidth": 3, "zorder": 1.5}
        axis.hlines([y + 0.5 for y in range(-1, down)], -0.5, right - 0.5, **lines)
        axis.vlines([x + 0.5 for x in range(-1, right)], -0.5, down - 0.5, **lines)
        if right * down <= 150:
            _label(axis, cost, energy)
            for x, y in {(load.x, load.y) for load in links} - set(energy):
                axis.text(x, y, "idle", ha="center", va="center", fontsize=7, color="#888888")
        most = max((load.flits for load in (*links, *ports)), default=1.0)
        for load in links:
            _arrow(axis, load, most)
        for load in ports:
            width = 0.6 + 4.4 * load.flits / most
            axis.annotate(
                "",
                (load.x - 0.28, load.y - 0.28),
                (load.x - 0.75, load.y - 0.75),
                arrowprops={"arrowstyle": "-|>", "color": _ENTRY_COLOUR, "linewidth": width},
                annotation_clip=False,
            )
        hot = max(links, key=lambda load: load.flits, default=None)
        words = [f"{routing.method}: {routing.packet_hops:,.0f} packets x hops, snake {routing.snake_packet_hops:,.0f}"]
        if hot is not None:
            words.append(f"red: links; busiest ({hot.x}, {hot.y}) {hot.direction}: {hot.flits:,.1f} flits")
        if ports:
            words.append(f"orange: inputs, {ports[0].flits:,.1f} flits")
        axis.set_xlabel("\n".join(words), fontsize=8)
        axis.set_xticks(range(right), range(right), fontsize=8)
        axis.set_yticks(range(down), range(down), fontsize=8)
        axis.set_xlim(-0.85, right - 0.4)
        axis.set_ylim(down - 0.4, -0.85)
        for side in ("left", "bottom"):
            axis.spines[side].set_visible(False)
        axis.tick_params(length=0)


def _label(axis: Any, cost: Cost, energy: dict[tuple[int, int], float]) -> None:
    """The layers on each core, and its energy."""
    layers: dict[tuple[int, int], list[int]] = {}
    for core in cost.routing.cores if cost.routing else ():
        layers.setdefault((core.x, core.y), []).append(core.layer)
    most = max(energy.values(), default=1.0)
    for (x, y), here in layers.items():
        dark = energy.get((x, y), 0.0) > 0.7 * most
        words = f"layer {', '.join(str(n) for n in dict.fromkeys(here))}\n{energy.get((x, y), 0.0):.3g}"
        axis.text(x, y, words, ha="center", va="center", fontsize=7, color="white" if dark else "#222222")


def _arrow(axis: Any, load: Load, most: float) -> None:
    """One link, beside its opposite."""
    dx, dy = _STEPS[load.direction]
    aside_x, aside_y = -0.22 * dy, 0.22 * dx
    begin = load.x + 0.3 * dx + aside_x, load.y + 0.3 * dy + aside_y
    end = load.x + 0.72 * dx + aside_x, load.y + 0.72 * dy + aside_y
    share = load.flits / most
    axis.annotate(
        "",
        end,
        begin,
        arrowprops={
            "arrowstyle": "-|>",
            "color": _MESH_COLOUR,
            "alpha": 0.35 + 0.65 * share,
            "linewidth": 0.6 + 4.4 * share,
        },
    )
