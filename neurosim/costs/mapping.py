"""Layers onto cores: how a layout is cut, what a core holds of it, and whether it fits (docs/mapping.md 1).

`place` makes a `Plan`: slices of layers on numbered cores, and where each core stands on the mesh. Positions are chosen by
`neurosim.costs.placement`, or given by hand.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import index
from pathlib import Path
from typing import Any

from neurosim.costs import placement
from neurosim.costs.capacity import Capacity, CapacityError, automatic, cut, hold, needs, parts_of
from neurosim.costs.flows import Flow, Grid, Homes, Slice, flows
from neurosim.costs.given import sound
from neurosim.costs.hardware import HardwareModel
from neurosim.errors import NeurosimError
from neurosim.ops import Layout, OpCounts

Position = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Plan:
    """Where a layout stands on a mesh.

    slices: parts of layers by core; at[c]: (x, y) of core c; grid: the mesh of the model; method: how positions were chosen;
    cost_packet_hops: packets times hops a sample, one copy of a packet to each core that receives it; snake_packet_hops: what
    the order of layers along a snake would cost.
    """

    layout: Layout
    grid: Grid
    slices: tuple[Slice, ...]
    at: tuple[Position, ...]
    method: str
    cost_packet_hops: float
    snake_packet_hops: float

    @cached_property
    def homes(self) -> Homes:
        """Cores by neuron."""
        return Homes(self.layout, self.slices)

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """All packets that may be sent."""
        return flows(self.homes)

    @cached_property
    def place(self) -> tuple[int, ...]:
        """The layer on whose cores each layer stands: layers that share a core stand together."""
        place = list(self.homes.place)
        owner: dict[int, int] = {}
        for s in self.slices:
            old, new = place[owner.setdefault(s.core, s.layer)], place[s.layer]
            place = [min(old, new) if p in (old, new) else p for p in place]
        return tuple(place)

    @cached_property
    def own(self) -> tuple[int, ...]:
        """Cores by layer, those of layers that share them at the first."""
        cores: dict[int, set[int]] = {}
        for s in self.slices:
            cores.setdefault(self.place[s.layer], set()).add(s.core)
        return tuple(len(cores.get(layer, ())) for layer in range(len(self.layout.neurons)))

    @cached_property
    def cores(self) -> tuple[int, ...]:
        """Cores that work for each layer."""
        return tuple(len(self.homes.cores(layer)) for layer in range(len(self.layout.neurons)))

    @cached_property
    def copies(self) -> Mapping[tuple[int, str], int]:
        """How many times a memory of a layer is held, by layer and memory: the kernels of a map once in each part of its positions."""
        found = {}
        for need in needs(self.layout):
            if need.g is not None:
                parts = len({s.first for s in self.homes.slices[need.layer]})
                kernels = ("weight", "gradient", *(("feedback",) if need.shared else ()))
                found.update({(need.layer, memory): parts for memory in kernels})
        return found

    def toml(self, path: str | Path) -> None:
        """Write the cores of each layer as `place` reads them back (``manual``)."""
        cores: dict[int, list[Position]] = {}
        for s in self.slices:
            cores.setdefault(s.layer, []).append(self.at[s.core])
        lines = [f"{layer} = {json.dumps(positions)}" for layer, positions in cores.items()]
        head = f"# layer = cores [x, y] on a mesh of {self.grid.width} x {self.grid.height}; chosen by: {self.method}"
        Path(path).write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


def place(
    layout: Layout,
    model: HardwareModel,
    *,
    counts: OpCounts | None = None,
    manual: Mapping[int, Sequence[Position]] | str | Path | None = None,
    method: str = "auto",
) -> Plan:
    """A layout on the mesh of a model.

    counts: what positions are chosen for; None: every sender sends once a sample. manual: the cores of each layer that stands on
    its own, {layer: [(x, y), ...]}, or a TOML or JSON file of that (layers may share a core). method: ``auto``, or one of
    `placement.METHODS`.

    Raises: CapacityError if it does not fit; NeurosimError on a place that is not on the mesh, or a layer without one.
    """
    grid, core = Grid.of(model.spec.fabric), Capacity.of(model.spec.core)
    try:
        if manual is None and counts is None and method == "auto":
            return automatic_plan(layout, grid, core)
        sound(layout)
        if manual is None:
            return _placed(layout, grid, core, counts, method)
        given, where = _read(manual)
        return _by_hand(layout, grid, core, given, counts, where)
    except CapacityError as error:
        raise CapacityError(f"{error} ({model.path})") from None


@lru_cache(maxsize=64)
def automatic_plan(layout: Layout, grid: Grid, core: Capacity) -> Plan:
    """The plan of a layout as if every sender sent once a sample: of a model it depends on the mesh and the capacities alone.

    Raises: CapacityError if it does not fit.
    """
    return _placed(sound(layout), grid, core, None, "auto")


def _placed(layout: Layout, grid: Grid, core: Capacity, counts: OpCounts | None, method: str) -> Plan:
    slices = automatic(layout, core, grid)
    weights = placement.weights(flows(Homes(layout, slices)), len(slices), counts)
    return Plan(layout, grid, tuple(slices), *placement.choose(weights, grid, method))


def _read(manual: Mapping[int, Sequence[Position]] | str | Path) -> tuple[dict[int, list[Position]], str]:
    """The cores of each layer, and where that was read."""
    where = "manual"
    raw: Any = manual
    if isinstance(manual, str | Path):
        where, path = str(manual), Path(manual)
        try:
            text = path.read_text(encoding="utf-8")
            raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise NeurosimError(
                f"manual={where!r}: must be a TOML or JSON file of layer = [[x, y], ...]: {error}"
            ) from None
    out: dict[int, list[Position]] = {}
    try:
        for layer, positions in dict(raw).items():
            out[int(layer)] = [(index(x), index(y)) for x, y in positions]
    except (TypeError, ValueError):
        raise NeurosimError(f"manual={raw!r}: must be layer = [[x, y], ...], whole numbers ({where})") from None
    return out, where


def _by_hand(
    layout: Layout,
    grid: Grid,
    core: Capacity,
    given: Mapping[int, list[Position]],
    counts: OpCounts | None,
    where: str,
) -> Plan:
    """Even slices on the cores that were named, each checked for what all its layers take."""
    found, slices = needs(layout), list[Slice]()
    own = [need.layer for need in found]
    if set(given) != set(own):
        raise NeurosimError(
            f"manual: names the layers {sorted(given)}; it must place {own}, no more and no fewer ({where})"
        )
    number: dict[Position, int] = {}
    for need in found:
        positions = given[need.layer]
        for x, y in positions:
            if not (0 <= x < grid.width and 0 <= y < grid.height):
                raise NeurosimError(
                    f"manual: layer {need.layer} at ({x}, {y}): the mesh is {grid.width} x {grid.height} ({where})"
                )
            number.setdefault((x, y), len(number))
        if not positions or len(set(positions)) != len(positions):
            raise NeurosimError(f"manual: layer {need.layer} at {positions}: must name cores, each once ({where})")
        parts = parts_of(need, len(positions), core)
        slices += [s._replace(core=number[p]) for s, p in zip(cut(need, parts, 0), positions, strict=True)]
    at = tuple(number)
    hold(layout, found, slices, core, grid)
    weights = placement.weights(flows(Homes(layout, slices)), len(at), counts)
    cost = placement.packet_hops(weights, at, grid)
    snake = placement.packet_hops(weights, placement.snake(len(at), grid), grid)
    return Plan(layout, grid, tuple(slices), at, "manual", cost, snake)


__all__ = ["CapacityError", "Plan", "Position", "place"]
