"""Who sends packets to which cores: a layout cut into slices, and its senders in groups that reach the same cores.

Nothing here knows where cores stand: that is `neurosim.costs.placement`; what their routes carry is `neurosim.costs.noc`
(docs/mapping.md 1 and 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.schema import Fabric
from neurosim.ops import Geometry, Layout

Ints = NDArray[np.int64]
PORT = -1
"""The chip's input port, where a core's number is asked for."""


class Grid(NamedTuple):
    """What of a fabric decides where packets go: the mesh, the input port, how packets branch, and how many flits they are."""

    width: int
    height: int
    cast: str
    input_x: int
    input_y: int
    flit_bits: int
    header_bits: int

    @classmethod
    def of(cls, fabric: Fabric) -> Grid:
        """The grid of a model's fabric."""
        return cls(*attrgetter(*cls._fields)(fabric))


class Slice(NamedTuple):
    """Part of a layer on one core: neurons first … last - 1; of a convolution those positions, channels low … high - 1 of each."""

    layer: int
    first: int
    last: int
    low: int
    high: int
    core: int

    @property
    def neurons(self) -> int:
        """Neurons that it holds."""
        return (self.last - self.first) * (self.high - self.low)


class Sent(NamedTuple):
    """Packets by group of senders, float64[groups], and those of the bias, which do not travel: whole numbers; whether units told them."""

    packets: NDArray[np.float64]
    bias: float
    told: bool


@dataclass(frozen=True, eq=False)
class Flow:
    """Packets of one action into one layer of counts, by groups of senders.

    action: ``event`` or ``error_code``; layer: of the `Op`. core[g]: int64[groups], where the senders of a group stand (`PORT`: the
    input port); targets[g]: the cores that a packet of theirs goes to; size[g]: how many senders. group[i]: int64[units], the
    group of sender i.
    """

    action: str
    layer: int
    core: Ints
    targets: tuple[tuple[int, ...], ...]
    size: Ints
    group: Ints

    def sent(self, units: Ints | None) -> Sent:
        """The packets of a flow.

        units: int64[senders or more], how often each sent; what is beyond the senders is the bias. None, or nothing sent: every
        sender once.
        """
        if units is None or not units.any():
            return Sent(self.size.astype(np.float64), 0.0, told=False)
        n = len(self.group)
        found = np.bincount(self.group, weights=units[:n], minlength=len(self.size))
        return Sent(found.astype(np.float64, copy=False), float(units[n:].sum()), told=True)


class Homes:
    """Which core holds each neuron of a cut layout."""

    def __init__(self, layout: Layout, slices: Sequence[Slice]) -> None:
        self.layout = layout
        self.place = layout.places or tuple(range(len(layout.neurons)))
        self.slices: dict[int, list[Slice]] = {}
        for s in slices:
            self.slices.setdefault(s.layer, []).append(s)
        self._first: dict[int, int] = {}
        used: dict[int, int] = {}
        for layer, n in enumerate(layout.neurons):
            self._first[layer] = used.get(self.place[layer], 0)
            used[self.place[layer]] = self._first[layer] + n

    def cores(self, layer: int) -> tuple[int, ...]:
        """The cores that a layer stands on."""
        return tuple(dict.fromkeys(s.core for s in self.slices.get(self.place[layer], ())))

    def window(self, layer: int) -> Geometry | None:
        """The windows of a layer's own map, None if it is no convolution."""
        return self.layout.sent(layer).window if self.place[layer] == layer else None

    def of_neurons(self, layer: int) -> Ints:
        """The core of each neuron: int64[neurons]."""
        g, n = self.window(layer), self.layout.neurons[layer]
        if g is None:
            found = np.full(self._first[layer] + n, PORT, np.int64)
            for s in self.slices.get(self.place[layer], ()):
                found[s.first : s.last] = s.core
            return np.array(found[self._first[layer] :])
        return np.ravel(self._of_positions(layer, g))

    def _of_positions(self, layer: int, g: Geometry) -> Ints:
        found = np.full((g.positions, g.channels), PORT, np.int64)
        for s in self.slices[layer]:
            found[s.first : s.last, s.low : s.high] = s.core
        return found

    def of_emitted(self, layer: int) -> Ints:
        """The core that sends for each unit that a layer emits: where a pooling window begins."""
        g = self.window(layer)
        if g is None:
            return self.of_neurons(layer)
        return np.ravel(self._of_positions(layer, g)[pooled(g)])


def pooled(g: Geometry) -> Ints:
    """The position of the map in which each pooling window begins: int64[out height * out width]."""
    y = np.maximum(np.arange(g.out[0]) * g.pool_stride - g.pool_top, 0)
    x = np.maximum(np.arange(g.out[1]) * g.pool_stride - g.pool_left, 0)
    return np.ravel(np.add.outer(y * g.map[1], x))


def heard(g: Geometry) -> Ints:
    """Positions of the map whose windows hold each position below: int64[height * width, most], -1 where there are fewer."""
    (height, width, _), (map_height, map_width) = g.inputs, g.map
    rows = _side(height, g.kernel, g.stride, g.top, map_height)
    return _crossed(rows, _side(width, g.kernel, g.stride, g.left, map_width), map_width)


def windowed(g: Geometry) -> Ints:
    """Positions below that the window of each position of the map holds: int64[positions, kernel**2], -1 outside."""
    sides = []
    for windows, begin, n in zip(g.map, (g.top, g.left), g.inputs, strict=False):
        at = np.arange(windows)[:, None] * g.stride - begin + np.arange(g.kernel)
        sides.append(np.where((at >= 0) & (at < n), at, -1))
    return _crossed(sides[0], sides[1], g.inputs[1])


def _side(n: int, kernel: int, stride: int, begin: int, windows: int) -> Ints:
    """Windows along one side that hold each of n positions: int64[n, most]."""
    last = (np.arange(n) + begin) // stride
    at = last[:, None] - np.arange(-(-kernel // stride))
    holds = (at >= 0) & (at < windows) & (at * stride - begin + kernel > np.arange(n)[:, None])
    return np.where(holds, at, -1)


def _crossed(rows: Ints, columns: Ints, width: int) -> Ints:
    """All pairs of a row and a column as positions y * width + x: int64[rows * columns, most]."""
    y, x = rows[:, None, :, None], columns[None, :, None, :]
    found = np.where((y >= 0) & (x >= 0), y * width + x, -1)
    return found.reshape(len(rows) * len(columns), -1)


def flows(homes: Homes) -> tuple[Flow, ...]:
    """All packets that a layout may send: events into every layer, error codes of every layer that somebody receives."""
    layout, found = homes.layout, []
    for layer in range(len(layout.neurons)):
        if layout.sent(layer).units and homes.cores(layer):
            found.append(_events(homes, layer))
        receivers = layout.receivers[layer] if layer < len(layout.receivers) else ()
        if receivers:
            found.append(_codes(homes, layer, receivers))
    return tuple(found)


def _events(homes: Homes, layer: int) -> Flow:
    source = homes.layout.sent(layer)
    core = _senders(homes, source.layer, source.units)
    if source.window is None:
        return _flow("event", layer, core, [homes.cores(layer)], np.zeros(len(core), np.int64))
    g = source.window
    sets, which = _sets(homes, layer, heard(g))
    return _flow("event", layer, core, sets, which[np.arange(source.units) // g.inputs[2]])


def _codes(homes: Homes, layer: int, receivers: Sequence[int]) -> Flow:
    layout, source = homes.layout, homes.layout.sent(layer)
    own = layout.neurons[layer] > 0  # else a projection: the neurons that it comes from send
    core = homes.of_neurons(layer) if own else _senders(homes, source.layer, source.units)
    everywhere = [c for r in receivers if not shares_feedback(layout, layer, r) for c in homes.cores(r)]
    near = [r for r in receivers if shares_feedback(layout, layer, r)]
    if not near:
        return _flow("error_code", layer, core, [tuple(dict.fromkeys(everywhere))], np.zeros(len(core), np.int64))
    g, below = source.window, homes.window(near[0])
    assert g is not None
    at = windowed(g)
    if below is not None:
        at = np.where(at >= 0, pooled(below)[at], -1)
    sets, which = _sets(homes, near[0], at)
    sets = [tuple(dict.fromkeys((*s, *everywhere))) for s in sets]
    return _flow("error_code", layer, core, sets, which[np.arange(len(core)) // g.channels])


def shares_feedback(layout: Layout, sender: int, receiver: int) -> bool:
    """Whether codes go back through the windows that events came up by: from a convolution to the one below it."""
    source = layout.sent(sender)
    return source.window is not None and source.layer == receiver and layout.sent(receiver).window is not None


def _senders(homes: Homes, layer: int, units: int) -> Ints:
    """The core of each sender: int64[units]."""
    if layer == PORT:
        return np.full(units, PORT, np.int64)
    found = homes.of_emitted(layer)
    return found[:units] if len(found) >= units else np.append(found, np.full(units - len(found), PORT, np.int64))


def _sets(homes: Homes, layer: int, at: Ints) -> tuple[list[tuple[int, ...]], Ints]:
    """(the different sets of cores that hold the listed positions of a map, the number of the set of each row)."""
    slices = homes.slices[layer]
    begins = sorted({s.first for s in slices})
    part = np.searchsorted(begins, at, side="right") - 1
    part = np.where(at >= 0, part, len(begins))
    rows, which = np.unique(part, axis=0, return_inverse=True)
    by_part = [tuple(s.core for s in slices if s.first == b) for b in begins]
    sets = [tuple(dict.fromkeys(c for p in np.unique(row) if p < len(begins) for c in by_part[p])) for row in rows]
    return sets, which.reshape(-1)


def _flow(action: str, layer: int, core: Ints, sets: list[tuple[int, ...]], which: Ints) -> Flow:
    """Senders in groups of one core and one set of targets."""
    keys, group = np.unique(core * len(sets) + which, return_inverse=True)
    targets = tuple(sets[int(k % len(sets))] for k in keys)
    size = np.bincount(group, minlength=len(keys)).astype(np.int64)
    return Flow(action, layer, keys // len(sets), targets, size, group.reshape(-1))
