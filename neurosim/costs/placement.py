"""Where cores stand on the mesh: positions that make packets x hops small (docs/mapping.md 3).

Everything is deterministic, and the method that was used is named in the plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.flows import PORT, Flow, Grid
from neurosim.errors import NeurosimError
from neurosim.ops import OpCounts

Floats = NDArray[np.float64]
Position = tuple[int, int]

METHODS = ("exhaustive", "faq", "snake+swaps", "snake")
"""Every arrangement; scipy's FAQ and then swaps; swaps from the snake; the snake alone."""
EXHAUSTIVE_MOST = 50_000
"""Arrangements that are all tried."""
FAQ_MOST = 100
"""Positions up to which scipy's solver is asked: it multiplies matrices of that size, and solves an assignment of it, up to 30 times."""
SWAPS_MOST = 1024
"""Cores up to which pairs are swapped: a round takes their square times the mesh."""
_ROUNDS = 20


def weights(flows: Iterable[Flow], cores: int, counts: OpCounts | None) -> Floats:
    """Packets a sample from core a to core b, one a core that receives: float64[cores + 1, cores], the last row from the input port.

    counts: None: every sender sends once a sample.
    """
    found = np.zeros((cores + 1, cores))
    for flow in flows:
        units, total = None, 0.0
        if counts is not None:
            by_layer = counts.events if flow.action == "event" else counts.error_codes
            units = by_layer[flow.layer] if flow.layer < len(by_layer) else None
            total = counts.total(flow.action, layer=flow.layer) / max(1, counts.samples)
        sent, bias, _ = flow.sent(units)
        packets = sent if counts is None else sent * (total / max(1.0, float(sent.sum()) + bias))
        for core, targets, n in zip(flow.core.tolist(), flow.targets, packets.tolist(), strict=True):
            found[core, list(targets)] += n  # the port is -1: the last row
    return found


def packet_hops(flow: Floats, at: Sequence[Position], grid: Grid) -> float:
    """Packets x hops a sample, one copy of a packet to each core that receives it."""
    places = np.array([*at, (grid.input_x, grid.input_y)], np.int64).reshape(-1, 2)
    hops = np.abs(places[:, None] - places[None, :-1]).sum(axis=2)
    return float((flow * hops).sum())


def region(cores: int, grid: Grid) -> list[Position]:
    """The smallest near-square part of the mesh at the input port that has room: its positions along a snake, from the port's side."""
    width = min(grid.width, max(math.ceil(math.sqrt(cores)), math.ceil(cores / grid.height)))
    height = math.ceil(cores / width)
    left = min(max(0, grid.input_x - width // 2), grid.width - width)
    top = min(max(0, grid.input_y - height // 2), grid.height - height)
    rows = range(top, top + height)
    if grid.input_y > top + height // 2:
        rows = range(top + height - 1, top - 1, -1)
    found: list[Position] = []
    forward = grid.input_x <= left + width // 2
    for y in rows:
        row = [(x, y) for x in range(left, left + width)]
        found += row if forward else row[::-1]
        forward = not forward
    return found


def snake(cores: int, grid: Grid) -> list[Position]:
    """Cores in the order of layers, along the rows of `region`, there and back."""
    return region(cores, grid)[:cores]


def choose(flow: Floats, grid: Grid, method: str = "auto") -> tuple[tuple[Position, ...], str, float, float]:
    """(positions, the method, what they cost, what the snake would cost), costs in packets x hops a sample.

    flow: as `weights` gives it. Never dearer than the snake.

    Raises: NeurosimError on a method that is none of `METHODS`, or cannot do so many cores.
    """
    if method not in ("auto", *METHODS):
        raise NeurosimError(f"method={method!r}: must be auto, {', '.join(METHODS)}")
    cores = flow.shape[1]
    first = snake(cores, grid)
    plain = packet_hops(flow, first, grid)
    small = _arrangements(cores, grid.width * grid.height) <= EXHAUSTIVE_MOST
    places = region(cores, grid)
    if small:
        places = [(x, y) for y in range(grid.height) for x in range(grid.width)]
    if method == "auto":
        near = small or _arrangements(cores, len(places)) <= EXHAUSTIVE_MOST
        method = METHODS[0 if near else 1 if len(places) <= FAQ_MOST else 2 if cores <= SWAPS_MOST else 3]
    at = first
    if method == "exhaustive":
        if _arrangements(cores, len(places)) > EXHAUSTIVE_MOST:
            raise NeurosimError(
                f"method='exhaustive': {cores} cores on {len(places)} positions are too many; take auto"
            )
        at = _exhaustive(flow, places, grid)
    elif method != "snake":
        starts = [first, _faq(flow, places, grid)] if method == "faq" else [first]
        at = min((_swapped(flow, start, places, grid) for start in starts), key=lambda a: packet_hops(flow, a, grid))
    cost = packet_hops(flow, at, grid)
    if cost >= plain:
        at, cost = first, plain
    return tuple(at), method, cost, plain


def _arrangements(cores: int, places: int) -> float:
    return math.inf if cores > 9 else math.perm(places, cores)


def _distances(places: Sequence[Position], grid: Grid) -> tuple[Floats, Floats]:
    """Hops between positions, and from the input port to each."""
    xy = np.array(places, np.int64).reshape(-1, 2)
    hops = np.abs(xy[:, None] - xy[None]).sum(axis=2).astype(float)
    return hops, np.abs(xy - (grid.input_x, grid.input_y)).sum(axis=1).astype(float)


def _exhaustive(flow: Floats, places: Sequence[Position], grid: Grid) -> list[Position]:
    """The cheapest of all arrangements; of equals the first in the order of permutations."""
    hops, port = _distances(places, grid)
    cores = flow.shape[1]
    trial = np.array(list(permutations(range(len(places)), cores)), np.int64).reshape(-1, cores)
    cost = port[trial] @ flow[PORT]
    for a in range(cores):
        for b in range(cores):
            if flow[a, b]:
                cost = cost + flow[a, b] * hops[trial[:, a], trial[:, b]]
    return [places[i] for i in trial[int(cost.argmin())]]


def _faq(flow: Floats, places: Sequence[Position], grid: Grid) -> list[Position]:
    """Scipy's fast approximate quadratic assignment: cores and idle positions on positions, the input port fixed."""
    from scipy.optimize import quadratic_assignment

    n, cores = len(places), flow.shape[1]
    hops, port = _distances(places, grid)
    distance, packets = np.zeros((n + 1, n + 1)), np.zeros((n + 1, n + 1))
    distance[:n, :n], distance[n, :n], distance[:n, n] = hops, port, port
    packets[:cores, :cores], packets[n, :cores] = flow[:cores], flow[PORT]
    # It draws nothing from rng, and warns without one.
    options = {"partial_match": np.array([[n, n]]), "rng": np.random.default_rng(0)}
    found: Any = quadratic_assignment(packets, distance, method="faq", options=options)
    return [places[i] for i in found.col_ind[:cores]]


def _swapped(flow: Floats, start: Sequence[Position], places: Sequence[Position], grid: Grid) -> list[Position]:
    """Swap each core in turn with the core, or move it to the idle position, that saves most; until a round saves nothing."""
    hops, port = _distances(places, grid)
    number = {p: i for i, p in enumerate(places)}
    at = np.array([number[p] for p in start], np.int64)
    cores = len(at)
    both = flow[:cores] + flow[:cores].T
    np.fill_diagonal(both, 0.0)
    state = _State(at, both, flow[PORT], hops, port)
    for _ in range(_ROUNDS):
        moves = sum(state.move(a) for a in range(cores))
        if not moves:
            break
    return [places[i] for i in at]


class _State:
    """An arrangement at[core] = position that is improved in place: both[a, b] packets between cores, enters[a] from the input port."""

    def __init__(self, at: NDArray[np.int64], both: Floats, enters: Floats, hops: Floats, port: Floats) -> None:
        self.at, self.both, self.enters, self.hops, self.port = at, both, enters, hops, port
        self._settle()

    def _settle(self) -> None:
        self.stay: Floats = (self.both * self.hops[np.ix_(self.at, self.at)]).sum(axis=1)

    def move(self, a: int) -> bool:
        """Make the move of core a that saves most; whether there was one."""
        at, hops, port = self.at, self.hops, self.port
        here = at[a]
        # Core a at every position while all others stay, and every other core where a is now.
        alone = hops[:, at] @ self.both[a] + self.enters[a] * port
        gain = alone - alone[here]
        come = self.both @ hops[here, at] - self.stay + self.enters * (port[here] - port[at])
        # Each of the two took the other for one that stays; swapped, they are as far apart as before.
        gain[at] += come + 2 * self.both[a] * hops[here, at]
        gain[here] = 0.0
        best = int(gain.argmin())
        if gain[best] >= -1e-9 * max(1.0, float(np.abs(alone).max())):
            return False
        at[at == best] = here
        at[a] = best
        self._settle()
        return True
