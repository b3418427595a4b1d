"""When each stage of a sample begins and ends: the critical path through layers and phases (docs/hardware_models.md, Time).

A stage is one phase of one layer. It begins when all that it waits for has ended and the cores it stands on are free; cores do
one stage at a time, and cores of different layers work at once. What waits for what follows from the layout and the counts:
who sends error codes to whom, and whether feedback reads the weights that an update is about to change. Samples follow one
another, also within a mini-batch; nothing here is a forecast of contention, which is the network's.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from neurosim.costs.cost import Band, Stage
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout

Stop = tuple[int, str]
"""Layer and phase."""

_PHASE = {name: i for i, name in enumerate(PHASES)}
_TURN = {"forward": 0, "feedback": 1, "error": 2, "update": 3}
"""The order on one core: a hidden layer quantises and sends its signal after it has received one, and before it learns."""


class Work(NamedTuple):
    """How long a stage takes (ns, low to high), and the unit that is busy all the while."""

    unit: str
    ns: tuple[float, float, float]


class Schedule(NamedTuple):
    """All stages that a layout could have, each after all that it waits for, and the indices of those, in the same order."""

    order: tuple[Stop, ...]
    waits: tuple[tuple[int, ...], ...]


def stages(work: Mapping[Stop, Work], schedule: Schedule) -> tuple[Stage, ...]:
    """Every stage that works with its start, sorted by layer and phase.

    A stage without work takes no time but passes on what it waits for, so times only rise with what is counted.
    """
    ends: list[tuple[float, float, float]] = []
    out = []
    for key, waits in zip(schedule.order, schedule.waits, strict=True):
        a = b = c = 0.0
        for i in waits:
            end = ends[i]
            a, b, c = max(a, end[0]), max(b, end[1]), max(c, end[2])
        if key in work:
            unit, (low, nominal, high) = work[key]
            out.append(Stage(*key, unit, low, nominal, high, Band(a, b, c)))
            a, b, c = a + low, b + nominal, c + high
        ends.append((a, b, c))
    return tuple(sorted(out, key=lambda s: (s.layer, _PHASE[s.phase])))


@lru_cache(maxsize=256)
def schedule_of(
    layout: Layout, place: tuple[int, ...], crossed: frozenset[tuple[int, str]], *, ticked: bool
) -> Schedule:
    """What waits for what; nothing of it hangs on a model, so a sweep works it out once.

    place: the layer on whose cores each layer stands. crossed: (layer, memory) of weights that feedback reads. ticked: a spiking
    network, whose layers all work in every tick.

    Raises: NeurosimError if layers wait for each other's error codes.
    """
    needs: dict[Stop, set[Stop]] = {(layer, phase): set() for phase in _TURN for layer in range(len(place))}
    if not ticked:
        for key, needed in _flow(layout, crossed):
            needs[key].add(needed)
    order = _sorted(needs, layout)
    last_on: dict[int, Stop] = {}
    for key in order:  # cores do one stage at a time, in this order
        if place[key[0]] in last_on:
            needs[key].add(last_on[place[key[0]]])
        last_on[place[key[0]]] = key
    at = {key: i for i, key in enumerate(order)}
    return Schedule(tuple(order), tuple(tuple(sorted(at[n] for n in needs[key])) for key in order))


def _flow(layout: Layout, crossed: frozenset[tuple[int, str]]) -> Iterator[tuple[Stop, Stop]]:
    """The dependencies of a network without ticks, as (stage, stage that it waits for)."""
    layers, last = range(len(layout.neurons)), len(layout.neurons) - 1
    senders = {h: [s for s, hears in enumerate(layout.receivers) if h in hears] for h in layers}
    for h in layers:
        turn = [(h, phase) for phase in _TURN]
        yield from pairwise(reversed(turn))
        if h:
            yield (h, "forward"), (h - 1, "forward")
        if h == last or not layout.early_codes:
            yield (h, "error"), (last, "forward")
        if h != last and not layout.early_codes:
            yield from (((h, "feedback"), (s, "error")) for s in senders[h] or [last])
    for h, memory in crossed:  # weights change after feedback has read them
        above = range(h + 1, last + 1)
        readers = [s for s in senders[h] if s in above] if memory == "weight_column" else above
        yield from (((s, "update"), (h, "feedback")) for s in readers)


def _sorted(needs: Mapping[Stop, set[Stop]], layout: Layout) -> list[Stop]:
    """An order in which each stage comes after what it needs; of those that could come next, by phase and then by layer."""
    left = {key: len(needed) for key, needed in needs.items()}
    after: dict[Stop, list[Stop]] = {key: [] for key in needs}
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
