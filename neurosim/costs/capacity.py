"""What fits on a core: how layers are cut into slices, and what each of them takes (docs/mapping.md 1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from neurosim.costs.flows import PORT, Flow, Grid, Homes, Slice, flows, shares_feedback
from neurosim.costs.schema import Core
from neurosim.errors import NeurosimError
from neurosim.ops import Geometry, Layout

SYNAPSES = ("weight", "target")
"""Memories that `core.synapse_bits` bounds."""


class CapacityError(NeurosimError):
    """A layout that does not fit: says the layer, what is exceeded, by how much, and how many cores would do."""


class Capacity(NamedTuple):
    """What a core holds, as `[core]` of a model says it; 0: no limit."""

    neurons: int
    synapse_bits: int
    feedback_bits: int
    axons_in: int
    axons_out: int

    @classmethod
    def of(cls, core: Core) -> Capacity:
        """The capacities of a model's core."""
        return cls(*attrgetter(*cls._fields)(core))


class Need(NamedTuple):
    """What a layer needs, with those that stand on its cores.

    neurons; synapse_bits, feedback_bits: held in all. g: windows of its map, whose kernel every core holds for the channels that it
    works on; shared: whether the feedback memory is such a kernel too.
    """

    layer: int
    neurons: int
    synapse_bits: int
    feedback_bits: int
    g: Geometry | None
    shared: bool

    @property
    def positions(self) -> int:
        """What is cut first: positions of a map, else neurons."""
        return self.g.positions if self.g else self.neurons

    @property
    def channels(self) -> int:
        """Of a map; else 1."""
        return self.g.channels if self.g else 1

    def part(self, positions: int, channels: int) -> dict[str, int]:
        """What so many positions and channels take, by the name of the capacity that bounds it."""
        n = positions * channels
        by_channel, by_neuron = (channels, self.channels), (n, max(1, self.neurons))
        return {
            "neurons": n,
            "synapse_bits": _share(self.synapse_bits, *(by_channel if self.g else by_neuron)),
            "feedback_bits": _share(self.feedback_bits, *(by_channel if self.shared else by_neuron)),
        }


def _share(bits: int, part: int, whole: int) -> int:
    return -(-bits * part // whole)


def needs(layout: Layout) -> list[Need]:
    """What each layer that stands on cores of its own needs, in the order of layers."""
    place = layout.places or tuple(range(len(layout.neurons)))
    # A layer without neurons that nothing stands on is no part of the chip: a source that only sends.
    used = {place[h.layer] for h in layout.held} | {place[layer] for layer, n in enumerate(layout.neurons) if n}
    found = []
    for layer in range(len(layout.neurons)):
        if place[layer] != layer or (layout.places and layer not in used):
            continue
        here = [h for h in layout.held if place[h.layer] == layer]
        source = layout.sent(layer)
        found.append(
            Need(
                layer,
                sum(n for at, n in enumerate(layout.neurons) if place[at] == layer),
                sum(h.words * h.bits for h in here if h.memory in SYNAPSES),
                sum(h.words * h.bits for h in here if h.memory == "feedback"),
                source.window,
                any(layer in r and shares_feedback(layout, s, layer) for s, r in enumerate(layout.receivers)),
            )
        )
    return found


def fewest(need: Need, core: Capacity) -> tuple[int, int]:
    """The fewest (parts of the positions, parts of the channels) of which each fits a core: channels are cut only if they must."""
    for parts in range(1, need.channels + 1):
        channels = -(-need.channels // parts)
        most = _most(need, core, channels)
        if most:
            return max(1, -(-need.positions // most), _unheld(need, core)), parts
    taken = need.part(1, 1)
    name = next(k for k, v in taken.items() if 0 < getattr(core, k) < v)
    msg = f"layer {need.layer}: one neuron takes {name}={taken[name]}, {taken[name] - getattr(core, name)} more than a core holds "
    raise CapacityError(f"{msg}(core.{name}={getattr(core, name)}): no number of cores would do")


def _most(need: Need, core: Capacity, channels: int) -> int:
    """The most positions of so many channels that a core holds; 0: none."""
    if any(v > getattr(core, k) > 0 for k, v in need.part(1, channels).items()):
        return 0
    low, high = 1, max(1, need.positions)
    while low < high:  # what a part takes rises with it
        middle = -(-(low + high) // 2)
        fits = all(v <= getattr(core, k) or not getattr(core, k) for k, v in need.part(middle, channels).items())
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _unheld(need: Need, core: Capacity) -> int:
    """Cores for what a layer without neurons holds."""
    return 1 if need.neurons else -(-need.synapse_bits // core.synapse_bits)


def cut(need: Need, parts: tuple[int, int], first_core: int) -> list[Slice]:
    """Even slices: positions times channels, one a core."""
    rows, columns = parts
    return [
        Slice(
            need.layer,
            i * need.positions // rows,
            (i + 1) * need.positions // rows,
            j * need.channels // columns,
            (j + 1) * need.channels // columns,
            first_core + i * columns + j,
        )
        for i in range(rows)
        for j in range(columns)
    ]


def _slices(found: Sequence[Need], parts: Mapping[int, tuple[int, int]]) -> list[Slice]:
    slices: list[Slice] = []
    for need in found:
        slices += cut(need, parts[need.layer], len(slices))
    return slices


def axons(found: Iterable[Flow], cores: int, *, multicast: bool) -> tuple[list[int], list[int]]:
    """(axons in, axons out) of each core: senders that it hears; its own senders, times the cores that each must name without multicast."""
    into, out = [0] * cores, [0] * cores
    for flow in found:
        for core, targets, size in zip(flow.core.tolist(), flow.targets, flow.size.tolist(), strict=True):
            for target in targets:
                into[target] += size
            if core != PORT and targets:
                out[core] += size * (1 if multicast else len(targets))
    return into, out


def automatic(layout: Layout, core: Capacity, grid: Grid) -> list[Slice]:
    """Even slices on the fewest cores that hold them.

    Raises: CapacityError if the mesh, or any core, is too small.
    """
    found = needs(layout)
    parts = {need.layer: fewest(need, core) for need in found}
    while True:
        slices = _slices(found, parts)
        _fits_mesh(found, parts, core, grid)
        if not core.axons_in and not core.axons_out:
            return slices
        worst = _worst(layout, slices, core, grid)
        if worst is None:
            return slices
        layer, name, amount = worst
        need = next(n for n in found if n.layer == layer)
        rows, columns = parts[layer]
        wider = min(need.positions, max(rows + 1, math.ceil(rows * amount / getattr(core, name))))
        if wider <= rows or (name == "axons_in" and need.g is None):
            msg = f"layer {layer}: a core needs {name}={amount}, {amount - getattr(core, name)} more than core.{name}="
            raise CapacityError(
                f"{msg}{getattr(core, name)}; every part of the layer does: no number of cores would do"
            )
        parts[layer] = wider, columns


def _worst(layout: Layout, slices: list[Slice], core: Capacity, grid: Grid) -> tuple[int, str, int] | None:
    """The first (layer, capacity, need) of axons that exceeds a core."""
    into, out = axons(flows(Homes(layout, slices)), len(slices), multicast=grid.cast == "multicast")
    for name, found in (("axons_in", into), ("axons_out", out)):
        bound = getattr(core, name)
        over = [s for s in slices if bound and found[s.core] > bound]
        if over:
            return over[0].layer, name, max(found[s.core] for s in over if s.layer == over[0].layer)
    return None


def _fits_mesh(found: Sequence[Need], parts: Mapping[int, tuple[int, int]], core: Capacity, grid: Grid) -> None:
    room, used = grid.width * grid.height, 0
    total = sum(math.prod(p) for p in parts.values())
    for need in found:
        here = math.prod(parts[need.layer])
        if used + here > room:
            msg = f"layer {need.layer}: needs {_cores(here)} ({_tightest(need, parts[need.layer], core)}) and {room - used} of the mesh, "
            msg += f"fabric.width={grid.width} x fabric.height={grid.height}, are left, {used + here - room} too few; "
            raise CapacityError(f"{msg}{total} cores in all would do")
        used += here


def _cores(n: int) -> str:
    return f"{n} core{'s' if n != 1 else ''}"


def _tightest(need: Need, parts: tuple[int, int], core: Capacity) -> str:
    """The capacity that decides into how many parts a layer is cut."""
    if parts != fewest(need, core):
        return f"core.axons_in={core.axons_in}, core.axons_out={core.axons_out}"
    whole = need.part(need.positions, need.channels)
    name = max((k for k in whole if getattr(core, k)), key=lambda k: whole[k] / getattr(core, k))
    return f"{name}={whole[name]} with core.{name}={getattr(core, name)}"


def parts_of(need: Need, cores: int, core: Capacity) -> tuple[int, int]:
    """How a layer is cut for so many cores: the fewest parts of the channels that fit, else none."""
    for columns in range(1, min(cores, need.channels) + 1):
        part = need.part(-(-need.positions // (cores // columns)), -(-need.channels // columns))
        if cores % columns == 0 and all(v <= getattr(core, k) or not getattr(core, k) for k, v in part.items()):
            return cores // columns, columns
    return cores, 1


def hold(layout: Layout, found: Sequence[Need], slices: Sequence[Slice], core: Capacity, grid: Grid) -> None:
    """Raise CapacityError if any core holds more than it can."""
    by_layer = {need.layer: need for need in found}
    cores = 1 + max(s.core for s in slices)
    into, out = axons(flows(Homes(layout, slices)), cores, multicast=grid.cast == "multicast")
    for number in range(cores):
        here = [s for s in slices if s.core == number]
        taken = {"axons_in": into[number], "axons_out": out[number]}
        for s in here:
            for name, amount in by_layer[s.layer].part(s.last - s.first, s.high - s.low).items():
                taken[name] = taken.get(name, 0) + amount
        for name, amount in taken.items():
            bound = getattr(core, name)
            if bound and amount > bound:
                layer = here[-1].layer
                would = math.prod(fewest(by_layer[layer], core))
                if name in ("axons_in", "axons_out"):  # raises where no number would
                    would = sum(s.layer == layer for s in automatic(layout, core, grid))
                msg = f"layer {layer}: its core {number} takes {name}={amount}, {amount - bound} more than core.{name}={bound}"
                raise CapacityError(f"{msg}; {_cores(would)} of its own would do")
