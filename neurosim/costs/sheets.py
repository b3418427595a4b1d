"""What counts say before anything has a price: operations in rows, kept, so that a sweep over models reckons prices alone.

Everything here hangs on a plan and on counts; nothing on what an operation costs.
"""

from __future__ import annotations

import math
from functools import lru_cache

from neurosim.costs.given import countable
from neurosim.costs.laws import FREE
from neurosim.costs.mapping import Plan
from neurosim.costs.noc import Traffic, traffic
from neurosim.errors import NeurosimError
from neurosim.ops import Op, OpCounts

Key = tuple[str, int, int, str, int]
"""What the price of an operation hangs on: action, bits, by, memory, and the context that `laws.Laws.price` asks for."""
_SPLIT = frozenset({"weight", "target", "feedback", "gradient", "tag", "state"})
"""Held by neuron; every core needs whole tables, activations and waiting spikes."""


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


class Sheet:
    """The operations of counts on a plan, a sample.

    keys: what prices hang on, each once; rows: (layer, phase, number of the key, count, the layer on whose cores it is done). moved:
    bits to and from memory by phase and memory; traffic: what travels; ticked: a spiking network, of so many rounds a sample (else 1);
    operations: by layer and phase; crossed: layers whose feedback reads weights, and along what.

    Raises: NeurosimError on counts without samples or operations, or a layer that the layout lacks or gives nothing to.
    """

    def __init__(self, plan: Plan, counts: OpCounts, name: str) -> None:
        countable(counts, name)
        self.ticked, self.rounds = counts.ticks > 0, max(1.0, counts.ticks / counts.samples)
        _sound(plan, counts, name)
        self.traffic: Traffic = traffic(plan, counts)
        self.moved: dict[str, dict[str, float]] = {}
        self.operations: dict[tuple[int, str], float] = {}
        self.crossed = frozenset(
            (op.layer, op.memory)
            for op in counts.ops
            if op.phase == "feedback" and op.memory in ("weight", "weight_column")
        )
        held, number = memories(plan), dict[Key, int]()
        self.rows: list[tuple[int, str, int, float, int]] = []
        for op, count in counts.ops.items():
            if op.action in FREE:
                continue
            n, key = count / counts.samples, (op.action, op.bits, op.by, op.memory, held.context(op))
            self.rows.append((op.layer, op.phase, number.setdefault(key, len(number)), n, plan.place[op.layer]))
            self.operations[op.layer, op.phase] = self.operations.get((op.layer, op.phase), 0.0) + n
            if op.memory:
                bits = self.moved.setdefault(op.phase, {})
                bits[op.memory] = bits.get(op.memory, 0.0) + n * op.bits
        self.keys = tuple(number)


def _sound(plan: Plan, counts: OpCounts, name: str) -> None:
    for op in counts.ops:
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
