"""What counts come to on a plan before a model's constants are known: forms of energy, busy units, stages, and the order of parts.

A `Ledger` hangs on a plan, on which operations were counted, and on a model's choices (`constants.Choices`); `Books` on how many
besides, and their stages on a model's `Speeds`. All are kept: runs of one network, and models of equal choices, share ledgers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.cost import COMPONENTS, Band, Part, Stage, span
from neurosim.costs.laws import LANE_UNITS, Forms, Laws, Quantity
from neurosim.costs.mapping import Plan
from neurosim.costs.noc import Burst
from neurosim.costs.sheets import Outline, Sheet
from neurosim.costs.timing import Schedule, Stop, Work, schedule_of, stages
from neurosim.ops import PHASES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ends = tuple[float, float, float]
_Key = tuple[int, str, str]
_PHASE = {name: i for i, name in enumerate(PHASES)}
_COMPONENT = {name: i for i, name in enumerate(COMPONENTS)}
_KEPT = 64
"""Lines that books keep."""
_part = partial(tuple.__new__, Part)
"""A part from the tuple of its fields: what `Part` itself does, in half of the time."""


class Speeds(NamedTuple):
    """What of a model decides times: ns of a flit on a link, of a hop east or west, north or south, of the last router; its cores'.

    period_ns: of a cycle; lanes: of a core; pipeline: cycles until it is full.
    """

    flit: Ends
    east_west: Ends
    north_south: Ends
    tile: Ends
    period_ns: float
    lanes: int
    pipeline: int

    @classmethod
    def of(cls, laws: Laws) -> Speeds:
        """The speeds of a model."""
        names = (("pace",), ("delay", "east_west"), ("delay", "north_south"), ("delay", "tile"))
        flit, east_west, north_south, tile = (laws.constant(*name)[:3] for name in names)
        core = laws.spec.core
        return cls(flit, east_west, north_south, tile, laws.period_ns, core.lanes, core.pipeline)

    def flight(self, burst: Burst, rounds: float) -> Ends:
        """Low, nominal and high time of the longest route of a burst on free links, so many times (ns)."""

        def longest(end: int) -> float:
            across, down = self.east_west[end], self.north_south[end]
            return rounds * (max([a * across + b * down for a, b in burst.routes]) + self.tile[end])

        return (longest(0), longest(1), longest(2)) if burst.routes else (0.0, 0.0, 0.0)


class _Units(NamedTuple):
    """Units of cores that operations keep busy.

    names: stage and unit of each, by layer, phase and name. rows: int64[n], which rows of an outline take cycles; cycles: float64[n, 3]
    of each; at: int64[n], of which unit. cores: int64[units, 1] that share it; laned: whether as many times as there are lanes.
    """

    names: tuple[tuple[Stop, str], ...]
    rows: Ints
    cycles: Floats
    at: Ints
    cores: Ints
    laned: NDArray[np.bool_]

    def busy(self, each: Floats, speeds: Speeds) -> list[list[float]]:
        """How long each works, low to high (ns); each: operations of every row of the outline."""
        cycles = self.cycles * each[self.rows, None]
        sums = np.array([np.bincount(self.at, ends, len(self.names)) for ends in cycles.T])
        share = speeds.period_ns / (self.cores * np.where(self.laned, speeds.lanes, 1))
        found: list[list[float]] = (sums.T * share).tolist()
        return found


class Ledger:
    """What counts of the same operations share under a model's choices.

    wires: layer and phase of all that travels. forms: of the prices of `Outline.keys`. groups: layer, phase and component of energies.
    sizes: the widest operation of each unit, by the layer on whose cores it is done.

    Raises: NeurosimError on an action, a width or a memory that the model lacks.
    """

    def __init__(self, plan: Plan, outline: Outline, wires: Sequence[Stop], laws: Laws) -> None:
        self.plan = plan
        prices = [laws.price(*key) for key in outline.keys]
        self.forms = Forms(prices)
        paid = [i for i, r in enumerate(outline.rows) if not outline.travels[r.key]]
        rows = [outline.rows[i] for i in paid]
        keys = [(r.layer, r.phase, prices[r.key].component) for r in rows]
        self.groups = sorted({*keys, *((*wire, "communication") for wire in wires)}, key=_order)
        at = {key: i for i, key in enumerate(self.groups)}
        self._paid = np.array(paid, np.int64)
        self._into = np.array([at[k] * len(prices) + r.key for k, r in zip(keys, rows, strict=True)], np.int64)
        self._shape = len(at), len(prices)
        self._wires = {wire: at[*wire, "communication"] for wire in wires}
        self.sizes: dict[tuple[int, str], int] = {}
        for r in outline.rows:
            for unit, width in prices[r.key].sizes:
                self.sizes[r.place, unit] = max(width, self.sizes.get((r.place, unit), 0))
        busy = [i for i in paid if prices[outline.rows[i].key].cycles[2]]
        worked = [outline.rows[i] for i in busy]
        units = [(r.layer, r.phase, prices[r.key].unit) for r in worked]
        names = sorted(set(units))  # of units that are equally busy, the first by name is told
        number = {name: i for i, name in enumerate(names)}
        self.units = _Units(
            tuple(((layer, phase), unit) for layer, phase, unit in names),
            np.array(busy, np.int64),
            np.array([prices[r.key].cycles for r in worked], np.float64).reshape(-1, 3),
            np.array([number[unit] for unit in units], np.int64),
            np.array([plan.cores[layer] for layer, _, _ in names], np.int64)[:, None],
            np.array([unit in LANE_UNITS for _, _, unit in names], np.bool_)[:, None],
        )
        self._orders: dict[tuple[tuple[Stop, ...], frozenset[str]], tuple[tuple[_Key, ...], Ints]] = {}

    def done(self, each: Floats) -> Floats:
        """Operations of each price in each group: float64[groups, prices]; each: of every row of the outline."""
        groups, prices = self._shape
        return (
            np.bincount(self._into, each[self._paid], groups * prices).reshape(groups, prices).astype(float, copy=False)
        )

    def sent(self, sheet: Sheet) -> Floats:
        """Flits over hops east and west, north and south, and into cores: float64[groups, 3]."""
        found = np.zeros((len(self.groups), 3))
        for s in sheet.traffic.streams:
            if s.deliveries:
                found[self._wires[s.layer, s.phase]] += (
                    s.flits * s.east_west,
                    s.flits * s.north_south,
                    s.flits * s.deliveries,
                )
        return found

    def order(self, stops: tuple[Stop, ...], phases: frozenset[str]) -> tuple[tuple[_Key, ...], Ints]:
        """What parts there are when these stages work, all of `phases`.

        Layer, phase and component of each, in their order; and their rows among the groups, then clocking by stage, then leakage by
        stage.
        """
        if (stops, phases) not in self._orders:
            begin, n = len(self.groups), len(stops)
            rows = [(key, i) for i, key in enumerate(self.groups) if key[1] in phases]
            for i, stop in enumerate(stops):
                rows += [((*stop, "clock"), begin + i), ((*stop, "static"), begin + n + i)]
            rows.sort(key=lambda row: _order(row[0]))
            self._orders[stops, phases] = tuple(k for k, _ in rows), np.array([i for _, i in rows], np.int64)
        return self._orders[stops, phases]


class Line(NamedTuple):
    """The stages of some phases in time, and what parts of energy they have.

    time: of the critical path; shares: float64[stages, 1], of the energy that is paid by time. keys, which: as of `Ledger.order`.
    """

    stages: tuple[Stage, ...]
    time: Band
    shares: Floats
    keys: tuple[_Key, ...]
    which: Ints


class Books:
    """The counts of a sheet in a ledger, and when they are done.

    done: float64[groups, prices], operations of each price in each group; sent: float64[groups, 3], flits over hops east and west,
    north and south, and into cores; travels: whether there are any of each.
    """

    def __init__(self, ledger: Ledger, sheet: Sheet) -> None:
        self.ledger, self.sheet = ledger, sheet
        self.done, self.sent = ledger.done(sheet.each), ledger.sent(sheet)
        self.travels = tuple(hops > 0 for hops in self.sent.sum(axis=0).tolist())
        self._lines: dict[tuple[Speeds, frozenset[str]], Line] = {}

    def _work(self, speeds: Speeds) -> dict[Stop, Work]:
        """Time by layer and phase: the busiest unit or link, the filling of the core's pipeline, and the longest route of packets.

        Pipelines fill and packets travel once a sample, with ticks once a tick, but not more often than there is work or a packet.
        """
        sheet, units = self.sheet, self.ledger.units
        found: dict[Stop, _Pace] = {}
        for (here, unit), (low, nominal, high) in zip(units.names, units.busy(sheet.each, speeds), strict=True):
            if here not in found:
                found[here] = _Pace()
            found[here].wait(unit, low, nominal, high)
        flights = {(b.layer, b.phase): b for b in sheet.traffic.bursts}
        for here, burst in flights.items():
            cycles, flits = burst.arrivals * speeds.period_ns, burst.hottest
            pace = found.setdefault(here, _Pace())
            pace.wait("port", cycles, cycles, cycles)
            pace.wait("link", *(ns * flits for ns in speeds.flit))
        out: dict[Stop, Work] = {}
        for here, pace in found.items():
            fill = min(sheet.rounds, sheet.operations.get(here, 0.0)) * speeds.pipeline * speeds.period_ns
            a = b = c = 0.0
            if here in flights:
                a, b, c = speeds.flight(flights[here], min(sheet.rounds, max(1.0, flights[here].packets)))
            out[here] = Work(pace.unit, (pace.low + fill + a, pace.nominal + fill + b, pace.high + fill + c))
        return out

    def line(self, speeds: Speeds, phases: frozenset[str]) -> Line:
        """The stages of these phases on their critical path, and the order of their parts."""
        if (speeds, phases) not in self._lines:
            if len(self._lines) >= _KEPT:
                self._lines.clear()
            self._lines[speeds, phases] = self._line(speeds, phases)
        return self._lines[speeds, phases]

    def _line(self, speeds: Speeds, phases: frozenset[str]) -> Line:
        work = {key: w for key, w in self._work(speeds).items() if key[1] in phases}
        timed = stages(work, _schedule(self.ledger.plan, self.sheet.outline, self.sheet.ticked))
        nominal = [s.nominal for s in timed]
        busy = math.fsum(nominal)
        shares = np.array([n / busy if busy else 0.0 for n in nominal])[:, None]
        keys, which = self.ledger.order(tuple([(s.layer, s.phase) for s in timed]), phases)
        return Line(timed, span(timed), shares, keys, which)

    def parts(self, line: Line, energy: Floats, idle: Quantity, static: Quantity) -> tuple[Part, ...]:
        """Energy by layer, phase and component.

        The whole chip is clocked and leaks for the critical path; stages share that by how long they work, nominally.

        energy: float64[groups, 3], pJ; idle: pJ a ns; static: uW.
        """
        clock = [power * time for power, time in zip(idle[:3], line.time, strict=True)]
        leaks = [power * 1e-3 * time for power, time in zip(static[:3], line.time, strict=True)]
        bands = np.concatenate((energy, line.shares * clock, line.shares * leaks))[line.which].tolist()
        return tuple([_part((*key, *band)) for key, band in zip(line.keys, bands, strict=True)])


class _Pace:
    """The slowest of units, low to high (ns), and the one that is nominally."""

    __slots__ = ("high", "low", "nominal", "unit")

    def __init__(self) -> None:
        self.unit, self.low, self.nominal, self.high = "", 0.0, 0.0, 0.0

    def wait(self, unit: str, low: float, nominal: float, high: float) -> None:
        """For a unit that takes so long."""
        if nominal > self.nominal:
            self.unit, self.nominal = unit, nominal
        if low > self.low:  # noqa: PLR1730 (a third of the time)
            self.low = low
        if high > self.high:  # noqa: PLR1730
            self.high = high


def _order(key: _Key) -> tuple[int, int, int]:
    return key[0], _PHASE[key[1]], _COMPONENT[key[2]]


@lru_cache(maxsize=64)
def _schedule(plan: Plan, outline: Outline, ticked: bool) -> Schedule:  # noqa: FBT001 (a key)
    return schedule_of(plan.layout, plan.place, outline.crossed, ticked=ticked)


@lru_cache(maxsize=256)
def books_of(ledger: Ledger, sheet: Sheet) -> Books:
    """The counts of a sheet in a ledger, kept."""
    return Books(ledger, sheet)
