"""What a placed network puts on its mesh: packets, the load of every link, time on the way (docs/mapping.md 4 and 5).

All loads are a sample's. Nothing here knows joules; `neurosim.costs.pricing` prices hops and links.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.flows import PORT, Flow, Sent
from neurosim.costs.mapping import Plan, Position
from neurosim.costs.routes import Link, mesh
from neurosim.costs.routing import BETWEEN, Stream
from neurosim.costs.schema import Fabric
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, OpCounts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ACTIONS = ("event", "error_code")
"""What travels."""
_PHASE = {name: i for i, name in enumerate(PHASES)}


class Burst(NamedTuple):
    """All packets into one layer of counts in one phase: they are under way together.

    hottest: flits on the busiest link, ways into and out of routers included; arrivals: packets that the busiest core takes in,
    packets: those that are sent, both with the bias; flits: of the longest packet; routes: (east-west, north-south) hops of which
    none is shorter in both.
    """

    layer: int
    phase: str
    hottest: float
    arrivals: float
    packets: float
    flits: int
    routes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Traffic:
    """What counts put on the mesh, a sample.

    load: float64[links], flits by link of `links`; shares: of a layer's packets, by action, layer and group of senders; assumed:
    the actions whose counts come without units, so that all senders of a layer are taken to send alike.
    """

    plan: Plan
    streams: tuple[Stream, ...]
    bursts: tuple[Burst, ...]
    load: Floats
    shares: Mapping[tuple[str, int], Floats]
    assumed: tuple[str, ...]

    @property
    def links(self) -> tuple[Link, ...]:
        """The links that any route crosses."""
        return mesh(self.plan).links

    def loads(self) -> dict[Link, float]:
        """Flits by link of the mesh and by way into or out of a router; links that carry nothing are left out."""
        return {link: n for link, n in zip(self.links, self.load.tolist(), strict=True) if n}

    @property
    def hottest(self) -> tuple[Link, float] | None:
        """The link between routers that carries most flits, and how many; None if none carries any."""
        found = {link: n for link, n in self.loads().items() if link.direction in BETWEEN}
        return max(found.items(), key=lambda item: item[1]) if found else None

    def packets(self) -> dict[str, float]:
        """Packets sent, by phase."""
        out: dict[str, float] = {}
        for s in self.streams:
            out[s.phase] = out.get(s.phase, 0.0) + s.packets
        return out

    @property
    def hops(self) -> tuple[float, float]:
        """(east-west, north-south) links that packets crossed."""
        return math.fsum(s.east_west for s in self.streams), math.fsum(s.north_south for s in self.streams)

    def waits_ns(self, period_ns: float, link_ns: float) -> dict[Link, float]:
        """The mean wait for each link if samples come one a period, arrivals at random and flits of fixed length: M/D/1.

        rho x service / (2 (1 - rho)), rho = flits x link_ns / period_ns, service that of the longest packet.

        Raises: NeurosimError if a link has more than it can carry.
        """
        service = link_ns * max((s.flits for s in self.streams), default=1)
        out: dict[Link, float] = {}
        for link, flits in self.loads().items():
            rho = flits * link_ns / period_ns
            if rho >= 1:
                msg = f"period_ns={period_ns:g}: link {tuple(link)} carries {flits:g} flits of {link_ns:g} ns in it; at least "
                raise NeurosimError(f"{msg}{flits * link_ns:g} ns are needed")
            out[link] = rho * service / (2 * (1 - rho))
        return out

    def pairs(self) -> Iterator[tuple[Stream, Position, Position, bool, float]]:
        """(stream, from, to, whether from the input port, packets a sample) of every pair of a sender's core and a receiver's."""
        grid, at = self.plan.grid, self.plan.at
        for s in self.streams:
            routes, sums = mesh(self.plan).by_op[s.action, s.layer], dict[tuple[int, int], float]()
            share = self.shares[s.action, s.layer]
            for core, targets, part in zip(routes.flow.core.tolist(), routes.flow.targets, share.tolist(), strict=True):
                for target in targets:
                    sums[core, target] = sums.get((core, target), 0.0) + part * (s.packets + s.local)
            for (core, target), n in sorted(sums.items()):
                if n:
                    source = (grid.input_x, grid.input_y) if core == PORT else at[core]
                    yield s, source, at[target], core == PORT, n

    def csv(self, path: str | Path) -> None:
        """Packets a sample by sender's and receiver's core: one line a pair and stream, a copy of a packet for each receiver."""
        lines = ["layer,phase,action,bits,flits,from_port,from_x,from_y,to_x,to_y,packets_per_sample"]
        for s, a, b, port, n in self.pairs():
            lines.append(
                f"{s.layer},{s.phase},{s.action},{s.bits},{s.flits},{int(port)},{a[0]},{a[1]},{b[0]},{b[1]},{n!r}"
            )
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def links_csv(self, path: str | Path) -> None:
        """Flits a sample by link: one line a link between routers, and a way into or out of one."""
        lines = ["x,y,direction,flits_per_sample"]
        lines += [f"{link.x},{link.y},{link.direction},{flits!r}" for link, flits in self.loads().items()]
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def noxim(self, path: str | Path, utilisation: float = 0.5) -> None:
        """A traffic table of Noxim (src dst pir por t_on t_off t_period; docs/mapping.md 6).

        Bursts follow one another; each lasts as many cycles as keep its busiest link busy for that share of the time (0 < utilisation
        <= 1). A packet goes to every receiver by itself, as Noxim knows no multicast; what stays on its core is left out.

        Raises: NeurosimError on another utilisation.
        """
        if not 0 < utilisation <= 1:
            raise NeurosimError(f"utilisation={utilisation}: must be above 0 and at most 1")
        grid, begin = self.plan.grid, 0
        times: dict[tuple[int, str], tuple[int, int]] = {}
        sent: dict[tuple[int, str, int], float] = {}
        rows = [(s, y * grid.width + x, v * grid.width + u, n) for s, (x, y), (u, v), _, n in self.pairs()]
        for s, source, _, n in rows:
            key = s.layer, s.phase, source
            sent[key] = sent.get(key, 0.0) + n * s.flits
        for b in self.bursts:
            most = max([b.hottest, *(n for (layer, phase, _), n in sent.items() if (layer, phase) == b[:2])])
            times[b.layer, b.phase] = begin, begin + max(1, math.ceil(most / utilisation)) + 1
            begin = times[b.layer, b.phase][1]
        lines = [
            f"% mesh {grid.width} x {grid.height}, node = y * {grid.width} + x; one period of {begin + 1} cycles is a sample",
            f"% flits a packet: {', '.join(str(f) for f in sorted({s.flits for s in self.streams}))}; a flit of {grid.flit_bits} bits",
            "% src dst pir por t_on t_off t_period",
        ]
        for s, source, target, n in rows:
            on, off = times[s.layer, s.phase]
            if source != target:
                rate = n / (off - on - 1)  # Noxim sends in the cycles between t_on and t_off, without either
                lines.append(f"{source} {target} {rate:.9g} {rate:.9g} {on} {off} {begin + 1}")
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def traffic(plan: Plan, counts: OpCounts) -> Traffic:
    """What counts put on the mesh of a plan, a sample.

    Raises: NeurosimError on counts without samples, or a packet that nobody receives.
    """
    if counts.samples < 1:
        raise NeurosimError(f"counts.samples={counts.samples}: must be at least 1, traffic is given a sample")
    routes, grid, streams = mesh(plan), plan.grid, list[Stream]()
    load = np.zeros(len(routes.links))
    assumed: dict[str, None] = {}
    shares: dict[tuple[str, int], Floats] = {}
    together: dict[tuple[int, str], _Gathered] = {}
    found = sorted((op for op in counts.ops if op.action in ACTIONS), key=lambda o: (_PHASE[o.phase], o.layer))
    for op in found:
        route = routes.by_op.get((op.action, op.layer)) or _nobody(plan, op.action, op.layer)
        units = counts.events if op.action == "event" else counts.error_codes
        by_unit = units[op.layer] if op.layer < len(units) and len(units[op.layer]) else None
        sent, bias, told = _sent(route.flow, by_unit)
        if not told:
            assumed[op.action] = None
        travels = float(sent.sum())
        total = max(1.0, travels + bias)
        shares[op.action, op.layer] = sent / total
        # Whole numbers until here, and all the way where every count has its unit: then this is 1 / samples.
        scale, flits = counts.ops[op] / (total * counts.samples), -(-(grid.header_bits + op.bits) // grid.flit_bits)
        across, down, arrived = [n * scale for n in (route.sums @ sent).tolist()]
        packets, local = travels * scale, bias * scale
        streams.append(Stream(op.layer, op.phase, op.action, op.bits, packets, local, arrived, flits, across, down))
        here: NDArray[Any] = (
            np.bincount(route.link, weights=route.times * sent[route.group], minlength=len(load)) * flits * scale
        )
        load += here
        into: NDArray[Any] = np.bincount(route.into, weights=sent[route.into_group], minlength=len(load)) * scale
        gathered = _Gathered(here, into, packets + local, local, flits, route.longest)
        before = together.get((op.layer, op.phase))
        together[op.layer, op.phase] = gathered if before is None else before.plus(gathered)
    bursts = tuple([g.burst(*key) for key, g in together.items()])
    return Traffic(plan, tuple(streams), bursts, load, shares, tuple(assumed))


def _sent(flow: Flow, units: Ints | None) -> Sent:
    if units is not None and len(units) < len(flow.group):
        msg = f"counts: layer {flow.layer}: {flow.action}s of {len(units)} units, and the layout has {len(flow.group)} senders"
        raise NeurosimError(msg)
    return flow.sent(units)


def _nobody(plan: Plan, action: str, layer: int) -> NoReturn:
    receivers = plan.layout.receivers[layer] if layer < len(plan.layout.receivers) else ()
    if action == "error_code":
        msg = f"layout.receivers[{layer}]={receivers}: layer {layer} sends error codes, so some layer gets one"
        raise NeurosimError(msg)
    raise NeurosimError(f"layout: layer {layer} gets events, and no core or no sender of them is in the layout")


class _Gathered(NamedTuple):
    """What is under way together.

    load, into: float64[links], flits, and packets into cores; packets, bias, flits and routes as of `Burst`.
    """

    load: Floats
    into: Floats
    packets: float
    bias: float
    flits: int
    routes: tuple[tuple[int, int], ...]

    def plus(self, other: _Gathered) -> _Gathered:
        """Both together."""
        load, into = self.load + other.load, self.into + other.into
        packets, bias = self.packets + other.packets, self.bias + other.bias
        routes = tuple(sorted({*self.routes, *other.routes}))
        return _Gathered(load, into, packets, bias, max(self.flits, other.flits), routes)

    def burst(self, layer: int, phase: str) -> Burst:
        """All of it."""
        hottest, arrivals = float(self.load.max(initial=0.0)), float(self.into.max(initial=0.0)) + self.bias
        return Burst(layer, phase, hottest, arrivals, self.packets, self.flits, self.routes)


def latency_ns(burst: Burst, fabric: Fabric, end: str = "nominal") -> float:
    """How long a burst that starts at once is under way (docs/mapping.md 5).

    The longest route on free links, and before it the flits that the busiest link carries but for the last.

    end: ``low``, ``nominal`` or ``high`` of the constants.
    """

    def of(constant: Any, key: str) -> float:
        return float(getattr(getattr(constant, end, None) or constant, key))

    across, down, tile = (of(d.latency, "latency_ns") for d in (fabric.east_west, fabric.north_south, fabric.tile))
    longest = max((a * across + b * down for a, b in burst.routes), default=0.0)
    return longest + tile + max(burst.hottest - 1, burst.flits - 1, 0) * of(fabric.link, "time_ns_per_flit")


__all__ = ["Burst", "Link", "Stream", "Traffic", "latency_ns", "traffic"]
