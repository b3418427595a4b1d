"""Routes of a plan: XY routes and trees over numbered links (docs/mapping.md 4)."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.flows import PORT, Flow, Grid
from neurosim.costs.mapping import Plan, Position
from neurosim.costs.routing import BETWEEN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DIRECTIONS = (*BETWEEN, "from core", "into core", "from port")
"""Links of a router: to its neighbours, and the ways in and out."""
MESH = len(BETWEEN)
"""Of these, links between routers."""


class Link(NamedTuple):
    """The link of the router at (x, y) in one of `DIRECTIONS`."""

    x: int
    y: int
    direction: str


class Routes(NamedTuple):
    """What one packet of each group of a flow does: links crossed by direction, copies that arrive, which links how often.

    sums: float64[3, groups], links east or west, links north or south, copies. link, group, times: by crossing; into, into_group: of
    these, the ways into cores. longest: hops of the routes of which none is shorter both east-west and north-south.
    """

    flow: Flow
    sums: Floats
    link: Ints
    group: Ints
    times: Floats
    into: Ints
    into_group: Ints
    longest: tuple[tuple[int, int], ...]


class Mesh:
    """The routes of a plan: every flow's, over links numbered from 0 in the order of `links`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        grid = plan.grid
        self._routers, self._width = grid.width * grid.height, grid.width
        found = [_routed(flow, plan) for flow in plan.flows]
        self._used = np.unique(np.concatenate([r.link for r in found])) if found else np.empty(0, np.int64)
        self.by_op: dict[tuple[str, int], Routes] = {
            (r.flow.action, r.flow.layer): r._replace(
                link=np.searchsorted(self._used, r.link), into=np.searchsorted(self._used, r.into)
            )
            for r in found
        }

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links that any route crosses."""
        return tuple(_named(int(i), self._routers, self._width) for i in self._used)


def _named(number: int, routers: int, width: int) -> Link:
    if number < MESH * routers:
        at, way = divmod(number, MESH)
    else:
        way, at = divmod(number - MESH * routers, routers)
        way += MESH
    return Link(at % width, at // width, DIRECTIONS[way])


def tree(source: Position, targets: list[Position]) -> list[tuple[Position, int]]:
    """Every link of the tree of XY routes: (router, direction).

    Routes go along x and then along y, so those from one source share what they have in common, and no link twice.
    """
    x0, y0 = source
    links: list[tuple[Position, int]] = []
    links += [((x, y0), 0) for x in range(x0, max(x0, *(x for x, _ in targets)))]
    links += [((x, y0), 1) for x in range(x0, min(x0, *(x for x, _ in targets)), -1)]
    for column in dict.fromkeys(x for x, _ in targets):
        ys = [y for x, y in targets if x == column]
        links += [((column, y), 2) for y in range(y0, max(y0, *ys))]
        links += [((column, y), 3) for y in range(y0, min(y0, *ys), -1)]
    return links


def _times(links: list[tuple[Position, int]], targets: list[Position]) -> list[int]:
    """How many of the routes to the targets cross each link of their tree."""
    found = []
    for (x, y), way in links:
        if way == 0:
            found.append(sum(tx > x for tx, _ in targets))
        elif way == 1:
            found.append(sum(tx < x for tx, _ in targets))
        elif way == 2:
            found.append(sum(tx == x and ty > y for tx, ty in targets))
        else:
            found.append(sum(tx == x and ty < y for tx, ty in targets))
    return found


def _walked(
    grid: Grid, core: int, source: Position, targets: list[Position]
) -> tuple[list[int], list[float], float, float]:
    """One packet: (numbers of the links that it crosses, how often each, links east or west, links north or south)."""
    routers, crossed = grid.width * grid.height, tree(source, targets)
    multicast = grid.cast == "multicast"
    times = [1.0] * len(crossed) if multicast else [float(n) for n in _times(crossed, targets)]
    east_west = sum(n for n, (_, way) in zip(times, crossed, strict=True) if way < 2)
    north_south = sum(times) - east_west
    numbers = [MESH * (y * grid.width + x) + way for (x, y), way in crossed]
    way_in = MESH + (2 if core == PORT else 0)
    numbers.append(routers * way_in + source[1] * grid.width + source[0])
    numbers += [routers * (MESH + 1) + y * grid.width + x for x, y in targets]
    return numbers, [*times, 1.0 if multicast else float(len(targets)), *[1.0] * len(targets)], east_west, north_south


def _routed(flow: Flow, plan: Plan) -> Routes:
    grid, at = plan.grid, plan.at
    sums = np.zeros((3, len(flow.targets)))
    link, group, times = list[int](), list[int](), list[float]()
    away: set[tuple[int, int]] = set()
    for g, (core, cores) in enumerate(zip(flow.core.tolist(), flow.targets, strict=True)):
        if not cores:
            continue
        source = (grid.input_x, grid.input_y) if core == PORT else at[core]
        targets = [at[c] for c in cores]
        numbers, load, east_west, north_south = _walked(grid, core, source, targets)
        link += numbers
        times += load
        group += [g] * len(numbers)
        sums[:, g] = east_west, north_south, len(targets)
        away.update((abs(x - source[0]), abs(y - source[1])) for x, y in targets)
    longest = tuple(p for p in sorted(away) if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in away))
    numbers_of, groups = np.array(link, np.int64), np.array(group, np.int64)
    into = numbers_of // (grid.width * grid.height) == MESH + 1
    return Routes(flow, sums, numbers_of, groups, np.array(times), numbers_of[into], groups[into], longest)


@lru_cache(maxsize=64)
def mesh(plan: Plan) -> Mesh:
    """The routes of a plan, kept: they depend on nothing else."""
    return Mesh(plan)
