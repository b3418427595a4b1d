"""What counts say before anything has a price: operations in rows, kept, so that a sweep over models reckons prices alone.

Everything here hangs on a plan and on counts; nothing on what an operation costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.cost import COMPONENTS
from neurosim.costs.laws import FREE, Price
from neurosim.costs.mapping import Plan
from neurosim.costs.noc import ACTIONS, Traffic, traffic
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Op, OpCounts

Floats = NDArray[np.float64]
Charge = dict[tuple[int, str, str], list[float]]
_Table = tuple[list[tuple[int, str, str]], Floats]
Key = tuple[str, int, int, str, int]
"""What the price of an operation hangs on: action, bits, by, memory, and the context that `laws.Laws.price` asks for."""
_SPLIT = frozenset({"weight", "target", "feedback", "gradient", "tag", "state"})
"""Held by neuron; every core needs whole tables, activations and waiting spikes."""
_ORDER = {name: i for names in (PHASES, COMPONENTS) for i, name in enumerate(names)}


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

    keys: what prices hang on, each once; moved: bits to and from memory by phase and memory; traffic: what travels; ticked: a
    spiking network, of so many rounds a sample (else 1); operations: by layer and phase; crossed: layers whose feedback reads weights,
    and along what.

    Raises: NeurosimError on counts without samples, or a layer that the layout lacks or gives nothing to.
    """

    def __init__(self, plan: Plan, counts: OpCounts, name: str) -> None:
        if counts.samples < 1:
            msg = f"{name}.samples={counts.samples}: must be at least 1, costs are given a sample"
            raise NeurosimError(msg)
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
        self._rows: list[tuple[int, str, int, float, int]] = []
        for op, count in counts.ops.items():
            if op.action in FREE:
                continue
            n, key = count / counts.samples, (op.action, op.bits, op.by, op.memory, held.context(op))
            self._rows.append((op.layer, op.phase, number.setdefault(key, len(number)), n, plan.place[op.layer]))
            self.operations[op.layer, op.phase] = self.operations.get((op.layer, op.phase), 0.0) + n
            if op.memory:
                bits = self.moved.setdefault(op.phase, {})
                bits[op.memory] = bits.get(op.memory, 0.0) + n * op.bits
        self.keys = tuple(number)
        self._sizes: dict[tuple[tuple[tuple[str, int], ...], ...], dict[tuple[int, str], int]] = {}
        self._tables: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[_Table, _Table]] = {}

    def charged(self, prices: Sequence[Price]) -> tuple[Charge, Charge]:
        """(energy by layer, phase and component, cycles by layer, phase and unit): low, nominal, high; what travels is left out.

        prices: of `keys`. Units that take no cycles are left out.
        """
        names = tuple(p.component for p in prices), tuple(p.unit if p.cycles[2] else "" for p in prices)
        if names not in self._tables:
            self._tables[names] = self._table(names[0]), self._table(names[1])
        (components, energy), (units, cycles) = self._tables[names]
        each = np.array([(*p.energy[:3], *p.cycles) for p in prices], np.float64).reshape(-1, 6)
        # Not a matrix product: its last bits would hang on the machine's BLAS.
        joules, busy = np.einsum("gk,ke->ge", energy, each[:, :3]), np.einsum("gk,ke->ge", cycles, each[:, 3:])
        return dict(zip(components, joules.tolist(), strict=True)), dict(zip(units, busy.tolist(), strict=True))

    def _table(self, names: tuple[str, ...]) -> _Table:
        """(groups by layer, phase and the name of each key, operations of each key in each: float64[groups, keys])."""
        rows = [
            (r[0], r[1], names[r[2]], r[2], r[3])
            for r in self._rows
            if self.keys[r[2]][0] not in ACTIONS and names[r[2]]
        ]
        groups = sorted({r[:3] for r in rows}, key=lambda g: (g[0], _ORDER[g[1]], _ORDER.get(g[2], 0), g[2]))
        at = {g: i for i, g in enumerate(groups)}
        times = np.zeros((len(groups), len(self.keys)))
        for row in rows:
            times[at[row[:3]], row[3]] += row[4]
        return groups, times

    def sizes(self, prices: Sequence[Price]) -> dict[tuple[int, str], int]:
        """The widest operation of each unit, by the layer on whose cores it is done."""
        sizes = tuple(p.sizes for p in prices)
        if sizes not in self._sizes:
            found: dict[tuple[int, str], int] = {}
            for _, _, key, _, place in self._rows:
                for unit, width in sizes[key]:
                    found[place, unit] = max(width, found.get((place, unit), 0))
            self._sizes[sizes] = found
        return self._sizes[sizes]


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
