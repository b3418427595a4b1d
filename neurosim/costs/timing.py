"""When each stage of a sample begins and ends: the critical path through layers and phases (docs/hardware_models.md, Time).

A stage is one phase of one layer. It begins when all that it waits for has ended and the cores it stands on are free; cores do
one stage at a time, and cores of different layers work at once. What waits for what follows from the layout and the counts:
who sends error codes to whom, and whether feedback reads the weights that an update is about to change. Samples follow one
another, also within a mini-batch; nothing here is a forecast of contention, which is the network's.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from neurosim.costs.cost import Band, Stage
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout

Key = tuple[int, str]
"""Layer and phase."""

_PHASE = {name: i for i, name in enumerate(PHASES)}
_TURN = {"forward": 0, "feedback": 1, "error": 2, "update": 3}
"""The order on one core: a hidden layer quantises and sends its signal after it has received one, and before it learns."""


class Work(NamedTuple):
    """How long a stage takes (ns, low to high), and the unit that is busy all the while."""

    unit: str
    ns: tuple[float, float, float]


class Plan(NamedTuple):
    """Stages in an order in which each comes after all that it waits for, and the indices of those, in the same order."""

    order: tuple[Key, ...]
    waits: tuple[tuple[int, ...], ...]


def stages(work: Mapping[Key, Work], plan: Plan) -> tuple[Stage, ...]:
    """Every stage with its start, sorted by layer and phase. Times rise with every duration, so low, nominal and high are in order."""
    ends: list[tuple[float, float, float]] = []
    out = []
    for key, waits in zip(plan.order, plan.waits, strict=True):
        unit, (low, nominal, high) = work[key]
        a = b = c = 0.0
        for i in waits:
            end = ends[i]
            a, b, c = max(a, end[0]), max(b, end[1]), max(c, end[2])
        ends.append((a + low, b + nominal, c + high))
        out.append(Stage(*key, unit, low, nominal, high, Band(a, b, c)))
    return tuple(sorted(out, key=lambda s: (s.layer, _PHASE[s.phase])))


@lru_cache(maxsize=256)
def plan_of(
    keys: frozenset[Key], layout: Layout, place: tuple[int, ...], crossed: frozenset[tuple[int, str]], *, ticked: bool
) -> Plan:
    """What waits for what; nothing of it hangs on a model, so a sweep works it out once.

    keys: the stages that there are. place: the layer on whose cores each layer stands. crossed: (layer, memory) of weights that
    feedback reads. ticked: a spiking network, whose layers all work in every tick.

    Raises: NeurosimError if layers wait for each other's error codes.
    """
    stages_ = sorted(keys, key=lambda k: (_TURN[k[1]], k[0]))
    needs: dict[Key, set[Key]] = {key: set() for key in stages_}
    if not ticked:
        for key, needed in _Flow(stages_, layout, crossed).pairs():
            needs[key].add(needed)
    order = _sorted(needs, layout)
    last_on: dict[int, Key] = {}
    for key in order:  # cores do one stage at a time, in this order
        if place[key[0]] in last_on:
            needs[key].add(last_on[place[key[0]]])
        last_on[place[key[0]]] = key
    at = {key: i for i, key in enumerate(order)}
    return Plan(tuple(order), tuple(tuple(sorted(at[n] for n in needs[key])) for key in order))


class _Flow:
    """The dependencies of a network without ticks, as (stage, stage that it waits for)."""

    def __init__(self, keys: Sequence[Key], layout: Layout, crossed: frozenset[tuple[int, str]]) -> None:
        self.layout, self.crossed = layout, crossed
        self.has = frozenset(keys)
        self.of = {phase: sorted(layer for layer, p in keys if p == phase) for phase in PHASES}
        self.output: list[Key] = [(self.of["forward"][-1], "forward")] if self.of["forward"] else []

    def pairs(self) -> Iterator[tuple[Key, Key]]:
        """Every pair, stages of one layer in turn among them."""
        for below, layer in zip(self.of["forward"], self.of["forward"][1:], strict=False):
            yield (layer, "forward"), (below, "forward")
        for layer, phase in self.has:
            yield from (
                ((layer, phase), (layer, p)) for p in self.of if _TURN[p] < _TURN[phase] and (layer, p) in self.has
            )
        for layer in self.of["error"]:
            yield from (((layer, "error"), key) for key in self.output)
        for layer in self.of["feedback"]:
            yield from (((layer, "feedback"), key) for key in self._codes(layer))
        for layer in self.of["update"]:
            if not {(layer, "error"), (layer, "feedback")} & self.has:
                yield from (
                    ((layer, "update"), key) for key in [*self.output, *((s, "error") for s in self.of["error"])]
                )
        yield from self._weights_read()

    def _codes(self, layer: int) -> list[Key]:
        """What brings a layer its codes: those who send to it, else all that send from above, else the output itself."""
        if self.layout.early_codes:
            return []
        senders = self._senders(layer) or [s for s in self.of["error"] if s > layer]
        return [(s, "error") for s in senders] or self.output

    def _senders(self, layer: int) -> list[int]:
        return [s for s, hears in enumerate(self.layout.receivers) if layer in hears and (s, "error") in self.has]

    def _weights_read(self) -> Iterator[tuple[Key, Key]]:
        """Weights change after feedback has read them: its senders' by columns, those of all layers above by rows."""
        for layer, memory in self.crossed:
            above = [h for h in self.of["update"] if h > layer]
            for h in [s for s in self._senders(layer) if s in above] if memory == "weight_column" else above:
                if (layer, "feedback") in self.has:
                    yield (h, "update"), (layer, "feedback")


def _sorted(needs: Mapping[Key, set[Key]], layout: Layout) -> list[Key]:
    """An order in which each stage comes after what it needs; of those that could come next, by phase and then by layer."""
    left = {key: len(needed) for key, needed in needs.items()}
    after: dict[Key, list[Key]] = {key: [] for key in needs}
    for key, needed in needs.items():
        for n in needed:
            after[n].append(key)
    ready = [(_TURN[key[1]], key) for key, n in left.items() if not n]
    heapq.heapify(ready)
    order = []
    while ready:
        _, key = heapq.heappop(ready)
        order.append(key)
        for follower in after[key]:
            left[follower] -= 1
            if not left[follower]:
                heapq.heappush(ready, (_TURN[follower[1]], follower))
    if len(order) < len(needs):
        waiting = sorted({layer for (layer, _), n in left.items() if n})
        msg = f"layout.receivers={layout.receivers}: layers {', '.join(map(str, waiting))} wait for each other's error codes"
        raise NeurosimError(msg)
    return order
