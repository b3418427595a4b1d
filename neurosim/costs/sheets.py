"""What counts say before anything has a price: operations in rows, kept, so that a sweep over models reckons prices alone.

Everything here hangs on a plan and on counts; nothing on what an operation costs. Runs of one network count the same operations, each
so and so often: which they are is an `Outline`, kept for all of them, and how often a `Sheet`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.cost import CHANNEL
from neurosim.costs.given import countable, tallied
from neurosim.costs.laws import FREE
from neurosim.costs.mapping import Plan
from neurosim.costs.noc import ACTIONS, Traffic, traffic
from neurosim.errors import NeurosimError
from neurosim.ops import Op, OpCounts

Key = tuple[str, int, int, str, int]
"""What the price of an operation hangs on: action, bits, by, memory, and the context that `laws.Laws.price` asks for."""
_SPLIT = frozenset({"weight", "target", "feedback", "gradient", "tag", "state"})
"""Held by neuron; every core needs whole tables, activations and waiting spikes."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Memories:
    """What the cores of a plan hold: bits by layer and memory, and how wide its accumulators are."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._held: dict[tuple[int, str], int] = {}
        self._accumulator = [0] * len(plan.layout.neurons)
        for h in plan.layout.held:
            here = (plan.place[h.layer], h.memory)
            copies = plan.copies.get((h.layer, h.memory), 1)
            self._held[here] = self._held.get(here, 0) + h.words * h.bits * copies
            if h.memory == "accumulator":
                self._accumulator[h.layer] = max(self._accumulator[h.layer], h.bits)

    def context(self, op: Op) -> int:
        """What else its price hangs on: the accumulator's width (mac), or the bits of its memory that a core holds."""
        if op.action == "mac":
            return self._accumulator[op.layer]
        memory = "table" if op.action == "lut" else "weight" if op.memory == "weight_column" else op.memory
        place = self._plan.place[op.layer]
        held = self._held.get((place, memory), 0)
        return math.ceil(held / self._plan.own[place]) if held and memory in _SPLIT else held


@lru_cache(maxsize=64)
def memories(plan: Plan) -> Memories:
    """What the cores of a plan hold."""
    return Memories(plan)


class Row(NamedTuple):
    """An operation that is paid for: where, the number of what its price hangs on, the layer on whose cores it is done."""

    layer: int
    phase: str
    key: int
    place: int


class Outline:
    """The operations that counts hold, on a plan, without how many.

    keys: what prices hang on, each once; rows: of operations, but for the free; paid: int64[rows], their numbers among all. travels:
    by key, whether it is a packet. crossed: layers whose feedback reads weights, and along what. learns: layers with updates.
    tallied: tallies of work that was not counted.

    Raises: NeurosimError on a layer that the layout lacks or gives nothing to; name: of the counts.
    """

    def __init__(self, plan: Plan, ops: Sequence[Op], name: str) -> None:
        _sound(plan, ops, name)
        held, number = memories(plan), dict[Key, int]()
        rows, paid = list[Row](), list[int]()
        for i, op in enumerate(ops):
            if op.action not in FREE:
                key = op.action, op.bits, op.by, op.memory, held.context(op)
                rows.append(Row(op.layer, op.phase, number.setdefault(key, len(number)), plan.place[op.layer]))
                paid.append(i)
        self.keys, self.rows, self.paid = tuple(number), tuple(rows), np.array(paid, np.int64)
        self.travels = tuple(key[0] in ACTIONS for key in self.keys)
        self.crossed = frozenset(
            (op.layer, op.memory) for op in ops if op.phase == "feedback" and op.memory in ("weight", "weight_column")
        )
        self.learns = frozenset(op.layer for op in ops if op.phase == "update")
        self.tallied = tallied(ops)
        self._stops = _numbered([(r.layer, r.phase) for r in rows])
        moves = [i for i, r in enumerate(rows) if self.keys[r.key][3]]
        self._moves = np.array(moves, np.int64)
        self._bits = np.array([self.keys[rows[i].key][1] for i in moves], np.float64)
        self._memories = _numbered([(rows[i].phase, self.keys[rows[i].key][3]) for i in moves])

    def operations(self, each: Floats) -> dict[tuple[int, str], float]:
        """Operations by layer and phase; each: float64[rows]."""
        return dict(zip(self._stops.names, self._stops.sums(each), strict=True))

    def moved(self, each: Floats) -> dict[str, dict[str, float]]:
        """Bits to and from memory by phase and memory; each: float64[rows]."""
        found: dict[str, dict[str, float]] = {}
        sums = self._memories.sums(each[self._moves] * self._bits)
        for (phase, memory), bits in zip(self._memories.names, sums, strict=True):
            found.setdefault(phase, {})[memory] = bits
        return found


class _Numbered(NamedTuple):
    """Names, each once, and the number of the name of each row: int64[rows]."""

    names: tuple[Any, ...]
    at: Ints

    def sums(self, each: Floats) -> list[float]:
        """What rows of one name come to, added in their order."""
        found: list[float] = np.bincount(self.at, each, len(self.names)).tolist()
        return found


def _numbered(names: Sequence[Any]) -> _Numbered:
    number: dict[Any, int] = {}
    at = [number.setdefault(name, len(number)) for name in names]
    return _Numbered(tuple(number), np.array(at, np.int64))


@lru_cache(maxsize=64)
def _outline(plan: Plan, ops: tuple[Op, ...], name: str) -> Outline:
    return Outline(plan, ops, name)


class Sheet:
    """The operations of counts on a plan, a sample.

    outline: which they are; each: float64[rows of the outline], how many. operations: of them by layer and phase. traffic: what
    travels; wires: layer and phase of all that does; ticked: a spiking network, of so many rounds a sample (else 1).

    Raises: NeurosimError on counts without samples or operations, or a layer that the layout lacks or gives nothing to.
    """

    def __init__(self, plan: Plan, counts: OpCounts, name: str) -> None:
        countable(counts, name)
        samples = counts.samples
        self.plan, self.ticked, self.rounds = plan, counts.ticks > 0, max(1.0, counts.ticks / samples)
        self.outline = _outline(plan, tuple(counts.ops), name)
        # Divided as whole numbers of any size, before they are floats.
        self.each: Floats = np.array([n / samples for n in counts.ops.values()])[self.outline.paid]
        self.operations = self.outline.operations(self.each)
        self.traffic: Traffic = traffic(plan, counts)
        self.wires = tuple(dict.fromkeys((s.layer, s.phase) for s in self.traffic.streams if s.deliveries))

    @cached_property
    def moved(self) -> dict[str, dict[str, float]]:
        """Bits to and from memory by phase and memory, a sample."""
        return self.outline.moved(self.each)

    @cached_property
    def channel(self) -> dict[str, float]:
        """Bits sent a sample, as of `Cost.channel_bits`."""
        bits, header = dict.fromkeys(CHANNEL, 0.0), self.plan.grid.header_bits
        for s in self.traffic.streams:
            payload, packets, hopped = CHANNEL[:3] if s.action == "event" else CHANNEL[3:]
            bits[payload] += (s.packets + s.local) * s.bits
            bits[packets] += s.deliveries * (header + s.bits)
            bits[hopped] += (s.east_west + s.north_south) * (header + s.bits)
        return bits


def _sound(plan: Plan, ops: Sequence[Op], name: str) -> None:
    for op in ops:
        if op.layer >= len(plan.cores):
            msg = f"{name}: layer={op.layer}: the layout has layers 0..{len(plan.cores) - 1}"
            raise NeurosimError(msg)
        if not plan.cores[op.layer]:
            msg = f"{name}: layer={op.layer}: works, and the layout gives it neither neurons nor memory"
            raise NeurosimError(msg)


class _Same:
    """Counts, compared by identity: they are frozen, and too large to compare."""

    def __init__(self, counts: OpCounts) -> None:
        self.counts = counts

    def __hash__(self) -> int:
        return id(self.counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.counts is self.counts


@lru_cache(maxsize=64)
def _kept(plan: Plan, counts: _Same, name: str) -> Sheet:
    return Sheet(plan, counts.counts, name)


def sheet(plan: Plan, counts: OpCounts, name: str) -> Sheet:
    """The operations of counts on a plan, kept; name: of the counts, for errors."""
    return _kept(plan, _Same(counts), name)
