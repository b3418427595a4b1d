"""What counts come to on a plan before a model's constants are known: forms of energy, busy units, stages, and the order of parts.

Everything here hangs on a plan, on counts and on a model's choices (`constants.Choices`), and stages on its latencies besides. It is
kept, so that a sweep over energies reckons energies alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.cost import CHANNEL, COMPONENTS, Band, Part, Stage, span, total
from neurosim.costs.laws import LANE_UNITS, ONE, Forms, Laws, Price, Quantity
from neurosim.costs.mapping import Plan
from neurosim.costs.noc import ACTIONS, Burst
from neurosim.costs.sheets import Sheet
from neurosim.costs.timing import Stop, Work, schedule_of, stages
from neurosim.ops import PHASES

Floats = NDArray[np.float64]
Ends = tuple[float, float, float]
_Key = tuple[int, str, str]
_PHASE = {name: i for i, name in enumerate(PHASES)}
_COMPONENT = {name: i for i, name in enumerate(COMPONENTS)}


class Speeds(NamedTuple):
    """What of a model's constants decides times: ns of a flit on a link, of a hop east or west, north or south, of the last router."""

    flit: Ends
    east_west: Ends
    north_south: Ends
    tile: Ends

    @classmethod
    def of(cls, laws: Laws) -> Speeds:
        """The speeds of a model."""
        names = (("pace",), ("delay", "east_west"), ("delay", "north_south"), ("delay", "tile"))
        return cls(*(tuple(ends) for ends in laws.constants.values[[laws.rows[name] for name in names]].tolist()))

    def flight(self, burst: Burst, rounds: float) -> Ends:
        """Low, nominal and high time of the longest route of a burst on free links, so many times (ns)."""

        def longest(end: int) -> float:
            ways = [a * self.east_west[end] + b * self.north_south[end] for a, b in burst.routes]
            return rounds * (max(ways) + self.tile[end])

        return (longest(0), longest(1), longest(2)) if burst.routes else (0.0, 0.0, 0.0)


class Line(NamedTuple):
    """The stages of some phases in time, and what parts of energy they have.

    time: of the critical path; shares: float64[stages], of the energy that is paid by time. keys: layer, phase and component of every
    part, in their order; which: their rows among the groups of energy, then clocking by stage, then leakage by stage.
    """

    stages: tuple[Stage, ...]
    time: Band
    shares: Floats
    keys: tuple[_Key, ...]
    which: NDArray[np.int64]


class Books:
    """The forms of one sheet under a model's choices.

    forms: of the prices of `Sheet.keys`. groups: layer, phase and component of energies; done: float64[groups, prices], operations
    of each price in them; sent: float64[groups, 3], flits over hops east and west, north and south, and into cores. sizes: the
    widest operation of each unit, by the layer on whose cores it is done. channel: `Cost.channel_bits`.

    Raises: NeurosimError on an action, a width or a memory that the model lacks.
    """

    def __init__(self, plan: Plan, sheet: Sheet, laws: Laws) -> None:
        self.plan, self.sheet, self._core = plan, sheet, laws.spec.core
        self._period_ns = laws.period_ns
        prices = [laws.price(*key) for key in sheet.keys]
        self.forms = Forms(prices)
        travels = [key[0] in ACTIONS for key in sheet.keys]
        paid = [((*r[:2], prices[r[2]].component), r[2], r[3]) for r in sheet.rows if not travels[r[2]]]
        wires = [((s.layer, s.phase, "communication"), s) for s in sheet.traffic.streams if s.deliveries]
        self.groups = sorted({k for k, *_ in paid} | {k for k, _ in wires}, key=_order)
        at = {key: i for i, key in enumerate(self.groups)}
        self.done, self.sent = np.zeros((len(at), len(prices))), np.zeros((len(at), 3))
        for key, number, n in paid:
            self.done[at[key], number] += n
        for key, s in wires:
            self.sent[at[key]] += s.flits * s.east_west, s.flits * s.north_south, s.flits * s.deliveries
        self._busy = self._cycles(prices, travels)
        self.sizes: dict[tuple[int, str], int] = {}
        for _, _, number, _, place in sheet.rows:
            for unit, width in prices[number].sizes:
                self.sizes[place, unit] = max(width, self.sizes.get((place, unit), 0))
        self._lines: dict[tuple[Speeds, frozenset[str]], Line] = {}

    def _cycles(self, prices: Sequence[Price], travels: Sequence[bool]) -> dict[tuple[int, str, str], list[float]]:
        """Cycles by layer, phase and unit, low to high, but for links."""
        busy: dict[tuple[int, str, str], list[float]] = {}

        def add(key: tuple[int, str, str], cycles: Ends, n: float) -> None:
            kept = busy.setdefault(key, [0.0, 0.0, 0.0])
            kept[:] = [a + b * n for a, b in zip(kept, cycles, strict=True)]

        for layer, phase, number, n, _ in self.sheet.rows:
            if prices[number].cycles[2] and not travels[number]:
                add((layer, phase, prices[number].unit), prices[number].cycles, n)
        busy = dict(sorted(busy.items()))  # of units that are equally busy, the first by name is told
        for b in self.sheet.traffic.bursts:
            add((b.layer, b.phase, "port"), ONE, b.arrivals)
        return busy

    @cached_property
    def channel(self) -> dict[str, float]:
        """Bits sent a sample."""
        bits, header = dict.fromkeys(CHANNEL, 0.0), self.plan.grid.header_bits
        for s in self.sheet.traffic.streams:
            payload, packets, hopped = CHANNEL[:3] if s.action == "event" else CHANNEL[3:]
            bits[payload] += (s.packets + s.local) * s.bits
            bits[packets] += s.deliveries * (header + s.bits)
            bits[hopped] += (s.east_west + s.north_south) * (header + s.bits)
        return bits

    def _work(self, speeds: Speeds) -> dict[Stop, Work]:
        """Time by layer and phase: the busiest unit or link, the filling of the core's pipeline, and the longest route of packets.

        Pipelines fill and packets travel once a sample, with ticks once a tick, but not more often than there is work or a packet.
        """
        core, sheet = self._core, self.sheet
        found: dict[Stop, list[Any]] = {}

        def pace(here: Stop, unit: str, ns: Ends) -> None:
            slowest = found.setdefault(here, ["", 0.0, 0.0, 0.0])
            if ns[1] > slowest[2]:
                slowest[0] = unit
            slowest[1:] = [max(a, b) for a, b in zip(slowest[1:], ns, strict=True)]

        for (layer, phase, unit), (low, nominal, high) in self._busy.items():
            lanes = self.plan.cores[layer] * (core.lanes if unit in LANE_UNITS else 1)
            share = self._period_ns / (1 if unit == "port" else lanes)
            pace((layer, phase), unit, (low * share, nominal * share, high * share))
        flights = {(b.layer, b.phase): b for b in sheet.traffic.bursts}
        for here, burst in flights.items():
            low, nominal, high = speeds.flit
            pace(here, "link", (low * burst.hottest, nominal * burst.hottest, high * burst.hottest))
        out: dict[Stop, Work] = {}
        for here, (unit, low, nominal, high) in found.items():
            fill = min(sheet.rounds, sheet.operations.get(here, 0.0)) * core.pipeline * self._period_ns
            a = b = c = 0.0
            if here in flights:
                a, b, c = speeds.flight(flights[here], min(sheet.rounds, max(1.0, flights[here].packets)))
            out[here] = Work(unit, (low + fill + a, nominal + fill + b, high + fill + c))
        return out

    def line(self, speeds: Speeds, phases: frozenset[str]) -> Line:
        """The stages of these phases on their critical path, and the order of their parts."""
        if (speeds, phases) not in self._lines:
            self._lines[speeds, phases] = self._line(speeds, phases)
        return self._lines[speeds, phases]

    def _line(self, speeds: Speeds, phases: frozenset[str]) -> Line:
        work = {key: w for key, w in self._work(speeds).items() if key[1] in phases}
        plan = self.plan
        timed = stages(work, schedule_of(plan.layout, plan.place, self.sheet.crossed, ticked=self.sheet.ticked))
        busy, begin, n = total(timed).nominal, len(self.groups), len(timed)
        rows = [(key, i) for i, key in enumerate(self.groups) if key[1] in phases]
        for i, s in enumerate(timed):
            rows += [((s.layer, s.phase, "clock"), begin + i), ((s.layer, s.phase, "static"), begin + n + i)]
        rows.sort(key=lambda row: _order(row[0]))
        shares = np.array([s.nominal / busy if busy else 0.0 for s in timed])
        return Line(timed, span(timed), shares, tuple(k for k, _ in rows), np.array([i for _, i in rows], np.int64))

    def parts(self, line: Line, energy: Floats, idle: Ends, static: Quantity) -> tuple[Part, ...]:
        """Energy by layer, phase and component.

        The whole chip is clocked and leaks for the critical path; stages share that by how long they work, nominally.

        energy: float64[groups, 3], pJ; idle: pJ a ns; static: uW.
        """
        time = np.array(line.time)
        by_time = [line.shares[:, None] * (power * time) for power in (np.array(idle), np.array(static[:3]) * 1e-3)]
        bands = np.concatenate((energy, *by_time))[line.which].tolist()
        return tuple([Part(*key, *band) for key, band in zip(line.keys, bands, strict=True)])


def _order(key: _Key) -> tuple[int, int, int]:
    return key[0], _PHASE[key[1]], _COMPONENT[key[2]]
