"""From what a Brian2 network did to the operations and words of a chip, in the vocabulary of our own spiking networks (docs/brian2.md).

Layers are the Synapses, the PoissonInputs and the groups, in this order. What synapses add to a variable is summed in an accumulator, as
in our networks, and joins it in the next step; a variable that no equation moves is its accumulator itself. Other variables of neurons
are kept in `state`, weights in `weight`, other variables of synapses in `tag`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.bridges.brian_arithmetic import Key
from neurosim.bridges.brian_code import Block, GroupCode, PathwayCode, SynapsesCode, base
from neurosim.bridges.brian_network import Flow, Read
from neurosim.ops import Held, Layout, Op, OpCounts, Source
from neurosim.spiking.held import address_bits

TABLE_WORDS = 256
"""Entries of a table in which functions and decays are looked up."""


@dataclass(frozen=True)
class Happened:
    """What was counted.

    steps: time steps by dt; spikes by (group, event): int64[n]; flows by a pathway's name; heard: events of Poisson inputs; changed: by
    `SYNAPSES.VARIABLE`, how often a weight was different after an assignment, where that is known.
    """

    steps: Mapping[float, int]
    spikes: Mapping[tuple[str, str], NDArray[np.int64]]
    flows: Mapping[str, Flow]
    heard: Mapping[str, int]
    changed: Mapping[str, int]


class Ledger:
    """Operations and layout of a network and of what it did."""

    def __init__(self, read: Read, happened: Happened) -> None:
        self.read, self.happened = read, happened
        self.first = len(read.synapses) + len(read.inputs)
        self.place = {name: self.first + k for k, name in enumerate(read.groups)}
        self.received = {(base(one._group).name, one.target_var) for one in read.inputs}  # noqa: SLF001
        self.touched: dict[Key, int] = {}
        for block in self._blocks():
            for key, bits in (block.work.reads | block.writes).items():
                self.touched["synapse" if key[0] == "synapse" else "own", key[1], key[2]] = bits
        for one in read.synapses:
            for pathway in one.pathways:
                self.received |= {key[1:] for key in pathway.forward.adds}
        for one in read.inputs:
            thing, name = base(one._group).name, one.target_var  # noqa: SLF001
            self.touched["own", thing, name] = read.words.of(thing, name, "state")
        self.moved = {
            (g.name, name)
            for g in read.groups.values()
            if not g.outside
            for name in g.group.user_equations.diff_eq_names
        }
        self.weights = {(one.name, name) for one in read.synapses for name in one.weights}
        self.ops: dict[Op, int] = {}

    def _blocks(self) -> list[Block]:
        groups, synapses = self.read.groups.values(), self.read.synapses
        found = [block for group in groups for _, _, block in group.tick] + [b for g in groups for b in g.at.values()]
        found += [block for one in synapses for _, block in one.tick]
        return found + [b for one in synapses for p in one.pathways for b in (p.forward, p.update)]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all layers."""
        return (*(s.name for s in self.read.synapses), *(p.name for p in self.read.inputs), *self.read.groups)

    def memory(self, key: Key, *, column: bool = False) -> str:
        """Where a word is kept; column: weights are met across their rows."""
        side, thing, name = key
        if side == "synapse":
            return ("weight_column" if column else "weight") if (thing, name) in self.weights else "tag"
        return "accumulator" if (thing, name) in self.received - self.moved else "state"

    def add(self, layer: int, phase: str, count: int, action: str, bits: int, by: int = 0, memory: str = "") -> None:
        """Count an operation so many times."""
        if count:
            op = Op(layer, phase, action, int(bits), int(by), memory)
            self.ops[op] = self.ops.get(op, 0) + int(count)

    # ------------------------------------------------------------------ operations

    def counts(self) -> OpCounts:
        """All operations; the whole run is one sample."""
        self.ops = {}
        sent = []
        for layer, one in enumerate(self.read.synapses):
            sent.append(self._synapses(layer, one))
        for k, one in enumerate(self.read.inputs):
            sent.append(self._input(len(self.read.synapses) + k, one))
        for group in self.read.groups.values():
            self._group(self.place[group.name], group)
        ticks = self.happened.steps.get(self.read.dt, 0)
        learning = any(one.plastic for one in self.read.synapses)
        none = [np.zeros(0, np.int64) for _ in self.read.groups]
        zeros = [np.zeros_like(s) for s in sent]
        return OpCounts(int(ticks > 0), ticks if learning else 0, self.ops, (*sent, *none), (*zeros, *none), ticks)

    def _block(self, layer: int, phase: str, block: Block, times: int) -> None:
        for (action, bits, by), n in block.work.ops.items():
            self.add(layer, phase, n * times, action, bits, by)
        for key, bits in block.work.reads.items():
            self.add(layer, phase, times, "read", bits, memory=self.memory(key))
        for key, bits in block.writes.items():
            if not self._known(key):
                self.add(layer, phase, times, "write", bits, memory=self.memory(key))

    def _known(self, key: Key) -> bool:
        """Whether it is known how often a word has changed: then it is written as often."""
        return key[0] == "synapse" and f"{key[1]}.{key[2]}" in self.happened.changed

    def _group(self, layer: int, group: GroupCode) -> None:
        for dt, n, block in group.tick:
            self._block(layer, "forward", block, n * self.happened.steps.get(dt, 0))
        for name in self._summed(group):
            n, bits = group.n * self.happened.steps.get(self.read.dt, 0), self.touched["own", group.name, name]
            self.add(layer, "forward", n, "add", bits)
            for action in ("read", "write"):
                self.add(layer, "forward", n, action, bits, memory="accumulator")
        for event, block in group.at.items():
            self._block(layer, "forward", block, int(self.happened.spikes[group.name, event].sum()))
        if group.waits:
            n = group.n * self.happened.steps.get(self.read.dt, 0)
            spikes = int(self.happened.spikes[group.name, "spike"].sum()) if "spike" in group.group.events else 0
            for action in ("compare", "add"):
                self.add(layer, "forward", n, action, group.waits)
            self.add(layer, "forward", n, "read", group.waits, memory="state")
            self.add(layer, "forward", n + spikes, "write", group.waits, memory="state")

    def _summed(self, group: GroupCode) -> list[str]:
        """Variables of a group that have an accumulator beside them."""
        return sorted(name for thing, name in self.received & self.moved if thing == group.name)

    def _input(self, layer: int, one: Any) -> NDArray[np.int64]:
        thing, variable = base(one._group).name, one.target_var  # noqa: SLF001
        n, bits = self.happened.heard[one.name], self.read.words.of(thing, variable, "state")
        self.add(layer, "forward", n, "event", 0)
        self.add(layer, "forward", n, "synaptic_event", self.read.words.bits["weight"])
        self.add(layer, "forward", n, "add", bits)
        for action in ("read", "write"):
            self.add(layer, "forward", n, action, bits, memory="accumulator")
        return np.array([n], np.int64)

    def _synapses(self, layer: int, one: SynapsesCode) -> NDArray[np.int64]:
        n = len(one.synapses)
        for dt, block in one.tick:
            self._block(layer, "update", block, n * self.happened.steps.get(dt, 0))
        total = np.zeros(base(one.synapses.source).N, np.int64)
        pre = [p for p in one.pathways if p.side == "pre"]
        carrying = [p for p in pre if p.forward.writes] or pre[:1]
        for pathway in one.pathways:
            flow = self.happened.flows[pathway.pathway.name]
            phase = "forward" if pathway.forward.writes else "update"
            if pathway in carrying:
                self.add(layer, "forward", flow.sent, "event", 0)
                total += self._sent(pathway)
            self._travel(layer, phase, one, pathway, flow)
            self._deliver(layer, one, pathway, flow)
            self._learn(layer, pathway, flow)
        for name in one.weights:
            changed, bits = self.happened.changed.get(f"{one.name}.{name}", 0), self.touched["synapse", one.name, name]
            self.add(layer, "update", changed, "weight_changed", bits)
            self.add(layer, "update", changed, "write", bits, memory="weight")
        return total

    def _sent(self, code: PathwayCode) -> NDArray[np.int64]:
        pathway = code.pathway
        spikes = self.happened.spikes[base(pathway.source).name, pathway.event].copy()
        has = np.bincount(np.asarray(pathway.synapse_sources.get_value(), np.int64), minlength=len(spikes)) > 0
        spikes[: pathway.source.start] = 0
        spikes[pathway.source.stop :] = 0
        found: NDArray[np.int64] = spikes * has
        return found

    def _travel(self, layer: int, phase: str, one: SynapsesCode, code: PathwayCode, flow: Flow) -> None:
        """Spikes that wait, and rows that are found."""
        if max(flow.delays):
            address = address_bits(len(code.pathway.source))
            self.add(layer, phase, flow.sent, "write", address, memory="spike")
            self.add(layer, phase, flow.arrivals - flow.immediate, "read", address, memory="spike")
        address, start = _lists(one)
        if code.side == "pre" and start:
            self.add(layer, phase, 2 * flow.arrivals, "read", start, memory="target")
        if code.side == "pre" and address:
            self.add(layer, phase, flow.events, "read", address, memory="target")

    def _deliver(self, layer: int, one: SynapsesCode, code: PathwayCode, flow: Flow) -> None:
        if code.side == "pre" and code.forward.writes:
            bits = max(
                [self.touched["synapse", one.name, w] for w in one.weights], default=self.read.words.bits["weight"]
            )
            self.add(layer, "forward", flow.events, "synaptic_event", bits)
        self._act(layer, "forward", code, code.forward, flow, {})

    def _learn(self, layer: int, code: PathwayCode, flow: Flow) -> None:
        self._act(layer, "update", code, code.update, flow, code.forward.work.reads)
        for (_, thing, name), bits in code.update.writes.items():
            if (thing, name) in self.weights:
                self.add(layer, "update", flow.events, "update_attempted", bits)

    def _act(
        self, layer: int, phase: str, code: PathwayCode, block: Block, flow: Flow, known: Mapping[Key, int]
    ) -> None:
        """A block at every synapse that spikes reach; words of the neuron that spiked are read once for its whole row."""
        column = code.side == "post"
        for (action, bits, by), n in block.work.ops.items():
            self.add(layer, phase, n * flow.events, action, bits, by)
        for key, bits in block.work.reads.items():
            if key not in known or key[0] != "synapse":
                times = flow.arrivals if key[0] == code.side else flow.events
                memory = "accumulator" if key in block.adds and key[0] != "synapse" else self.memory(key, column=column)
                self.add(layer, phase, times, "read", bits, memory=memory)
        for key, bits in block.writes.items():
            memory = "accumulator" if key in block.adds and key[0] != "synapse" else self.memory(key)
            if not self._known(key):
                self.add(layer, phase, flow.events, "write", bits, memory=memory)

    # ------------------------------------------------------------------ layout

    def layout(self) -> Layout:
        """What the network occupies. Groups whose spikes come from outside are no part of the chip."""
        held: list[Held] = []
        for layer, one in enumerate(self.read.synapses):
            held += self._held_synapses(layer, one)
        for group in self.read.groups.values():
            held += self._held_group(self.place[group.name], group)
        groups, before = self.read.groups.values(), self.first
        fan_in = [
            int(
                np.bincount(np.asarray(s.synapses.variables["_synaptic_post"].get_value(), np.int64), minlength=1).max()
            )
            for s in self.read.synapses
        ]
        stands = [self.place[base(s.synapses.target).name] for s in self.read.synapses]
        stands += [self.place[base(p._group).name] for p in self.read.inputs]  # noqa: SLF001
        return Layout(
            neurons=(*(0 for _ in range(before)), *(0 if g.outside else g.n for g in groups)),
            fan_in=(*fan_in, *(p.N for p in self.read.inputs), *(0 for _ in groups)),
            held=tuple(h for h in held if h.words and h.bits),
            code_bits=1,
            event_bits=(0,) * (before + len(groups)),
            receivers=((),) * (before + len(groups)),
            places=(*stands, *self.place.values()),
            sources=(
                *map(self._source, self.read.synapses),
                *(Source(-1, 1) for _ in self.read.inputs),
                *(Source(-1, 0) for _ in groups),
            ),
        )

    def _source(self, one: SynapsesCode) -> Source:
        """What spikes into synapses: a group on the chip, or the input port."""
        whole = base(one.synapses.source)
        return Source(-1 if self.read.groups[whole.name].outside else self.place[whole.name], whole.N)

    def _held_synapses(self, layer: int, one: SynapsesCode) -> list[Held]:
        n, source = len(one.synapses), len(one.synapses.source)
        held = [
            Held(layer, self.memory(key), n, bits)
            for key, bits in self.touched.items()
            if key[:2] == ("synapse", one.name)
        ]
        flows = [(p, self.happened.flows[p.pathway.name]) for p in one.pathways]
        delays = {d for p, flow in flows if p.side == "pre" for d in flow.delays} or {0}
        address, start = _lists(one)
        held += [Held(layer, "target", n, address), Held(layer, "target", source * len(delays) + 1, start)]
        for pathway, flow in flows:
            longest = max(flow.delays)
            if longest:
                spiking = base(pathway.pathway.source)
                waiting = -(-longest // (self.read.groups[spiking.name].refractory + 1))
                senders = len(np.unique(pathway.pathway.synapse_sources.get_value()))
                held.append(Held(layer, "spike", senders * waiting, address_bits(len(pathway.pathway.source))))
        blocks = [b for p in one.pathways for b in (p.forward, p.update)] + [b for _, b in one.tick]
        return [*held, *_tables(layer, blocks)]

    def _held_group(self, layer: int, group: GroupCode) -> list[Held]:
        held = [
            Held(layer, self.memory(key), group.n, bits)
            for key, bits in self.touched.items()
            if key[:2] == ("own", group.name)
        ]
        held += [
            Held(layer, "accumulator", group.n, self.touched["own", group.name, name]) for name in self._summed(group)
        ]
        if group.waits:
            held.append(Held(layer, "state", group.n, group.waits))
        return [*held, *_tables(layer, [*(b for _, _, b in group.tick), *group.at.values()])]


def _tables(layer: int, blocks: list[Block]) -> list[Held]:
    bits = [op[1] for block in blocks if block.work.tables for op in block.work.ops if op[0] == "lut"]
    return [Held(layer, "table", TABLE_WORDS, max(bits))] if bits else []


def _lists(one: SynapsesCode) -> tuple[int, int]:
    """Bits of an address and of a row's start; none where all pairs are joined once, or each neuron with its own, with one delay."""
    synapses = one.synapses
    sources, targets, n = len(synapses.source), len(synapses.target), len(synapses)
    i = np.asarray(synapses.variables["_synaptic_pre"].get_value(), np.int64) - synapses.source.start
    j = np.asarray(synapses.variables["_synaptic_post"].get_value(), np.int64) - synapses.target.start
    one_delay = all(
        len(np.unique(p.pathway.variables["delay"].get_value())) <= 1 for p in one.pathways if p.side == "pre"
    )
    whole = n == sources * targets and len(np.unique(i * targets + j)) == n
    single = n == sources == targets and bool((i == j).all())
    if one_delay and n and (whole or single):
        return 0, 0
    return address_bits(targets), max(1, n.bit_length())
