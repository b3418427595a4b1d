"""The objects of a user's Brian2 network, read; and what its runs have counted: spikes, arrivals, synaptic events, updates.

A pathway's events are the spikes of its source times their synapses, less those that still wait for their delay. Where Brian2 runs in
Python they wait in the pathway's queue; a program in C++ has none left to ask, so there the times of all spikes are recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.bridges.brian_code import (
    GroupCode,
    PathwayCode,
    SynapsesCode,
    Words,
    base,
    read_group,
    read_synapses,
)  # fmt: skip
from neurosim.bridges.brian_device import brian2
from neurosim.errors import NeurosimError
from neurosim.fields import shown

SUPPORTED = (
    "NeuronGroup, PoissonGroup, SpikeGeneratorGroup, PoissonInput, Synapses between groups or subgroups of them, "
    "run_regularly and monitors"
)


@dataclass
class Sources:
    """Objects of a network by kind, in the order of their names, as they are found."""

    groups: list[Any] = field(default_factory=list)
    synapses: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    regular: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Read:
    """A network's code: groups by name, synapses and Poisson inputs, all in the order of their names. dt: of all groups and synapses, s."""

    groups: dict[str, GroupCode]
    synapses: list[SynapsesCode]
    inputs: list[Any]
    words: Words
    dt: float
    notes: list[str]
    regular: dict[str, list[Any]]


def objects_of(network: Any, level: int = 0) -> set[Any]:
    """All objects of a Network, of a list, or (None) of those that Brian2's own `run` would find in the caller's frame."""
    module = brian2()
    from brian2.core.network import _get_all_objects

    if network is None or network is module.magic_network:
        found = module.collect(level=level + 1)
    elif isinstance(network, module.Network):
        found = network.objects
    elif isinstance(network, list | tuple | set) and all(isinstance(one, module.BrianObject) for one in network):
        found = set(network)
    else:
        raise NeurosimError(
            f"network={shown(network)}: must be a Brian2 Network, a list of its objects, or nothing for the magic network"
        )
    if not found:
        raise NeurosimError("network: has no objects of Brian2")
    everything: set[Any] = _get_all_objects(found)
    return everything


def sorted_out(objects: Iterable[Any], *, counting: bool = True) -> Sources:
    """Objects by kind. counting: raise NeurosimError for one that cannot be counted, by its name; otherwise such is left out."""
    module = brian2()
    from brian2.groups.group import CodeRunner

    found = Sources()
    sources = (module.NeuronGroup, module.PoissonGroup, module.SpikeGeneratorGroup)
    for thing in sorted(objects, key=_place):
        if counting:
            _refuse_uncounted(thing)
        if isinstance(thing, sources):
            found.groups.append(thing)
        elif isinstance(thing, module.Synapses):
            found.synapses.append(thing)
        elif isinstance(thing, module.PoissonInput):
            found.inputs.append(thing)
        elif isinstance(thing, module.NetworkOperation):
            found.notes.append(f"{thing.name}: a Python function runs beside the network: what it does is not counted")
        elif type(thing) is CodeRunner:
            found.regular.setdefault(base(thing.group).name, []).append(thing)
    return found


def _refuse_uncounted(thing: Any) -> None:
    """Refuse an object that cannot be counted, by its name."""
    module = brian2()
    from brian2.groups.group import CodeRunner

    taken = (
        module.NeuronGroup, module.PoissonGroup, module.SpikeGeneratorGroup, module.Synapses, module.PoissonInput, module.NetworkOperation,
        module.Subgroup, module.EventMonitor, module.StateMonitor, module.PopulationRateMonitor, CodeRunner,
    )  # fmt: skip
    if isinstance(thing, module.SpatialNeuron):
        raise _refused(thing, "a neuron of many compartments")
    if isinstance(thing, module.Synapses):
        for name in thing.summed_updaters:
            raise _refused(thing, f"its variable {name}, summed over synapses in every step,")
        for end, whose in ((thing.source, "spikes"), (thing.target, "variables")):
            if isinstance(base(end), module.Synapses):
                raise _refused(thing, f"what it does with the {whose} of other synapses, {base(end).name},")
    elif isinstance(thing, module.NeuronGroup):
        refuse_inactive(thing)
    elif not isinstance(thing, taken):
        raise _refused(thing, f"a {type(thing).__name__}")


def check_named(field: str, given: Any, synapses: Iterable[Any]) -> None:
    """Refuse what is not given by the names of Synapses of the network."""
    names = sorted(one.name for one in synapses)
    if not isinstance(given, Mapping):
        raise NeurosimError(
            f"{field}={shown(given)}: must be by the names of Synapses, such as {{{(names or ['syn'])[0]!r}: …}}"
        )
    unknown = sorted(map(str, set(given) - set(names)))
    if unknown:
        raise NeurosimError(f"{field}: {unknown[0]!r}: must be one of {', '.join(names) or 'no synapses'}")


def refuse_inactive(group: Any) -> None:
    """Refuse a group of neurons of which not all runs: what it does in a tick would be counted all the same."""
    parts = ("state_updater", "subexpression_updater", "thresholder", "resetter")
    runners = [group, *(part for name in parts if (part := getattr(group, name, None)) is not None)]
    runners = [one for several in runners for one in (several.values() if isinstance(several, dict) else (several,))]
    for one in (*runners, *(r for r in group.contained_objects if "run_regularly" in r.name)):
        if not one.active:
            what = "is" if one is group else f"its {one.name} is"
            raise _refused(group, f"{what} not active (active=False), so what it does")


def _place(thing: Any) -> list[Any]:
    """Names in order, numbers in them by their size."""
    import re

    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", thing.name)]


def _refused(thing: Any, why: str) -> NeurosimError:
    return NeurosimError(f"{type(thing).__name__} {thing.name}: {why} cannot be counted; supported are {SUPPORTED}")


def read(sources: Sources, bits: Mapping[str, int] | int | None, weights: Mapping[str, Any] | None) -> Read:
    """Read the code of all objects. bits, weights: as of `brian.watch`."""
    module = brian2()
    check_named("weights", weights or {}, sources.synapses)
    told = dict(weights or {})
    names = {f"{g.name}.{v}" for g in (*sources.groups, *sources.synapses) for v in g.variables}
    words = Words(bits, names)
    notes = list(sources.notes)
    groups = {}
    for group in sources.groups:
        outside = isinstance(group, module.PoissonGroup | module.SpikeGeneratorGroup)
        groups[group.name] = read_group(group, sources.regular.get(group.name, []), words, outside=outside)
    for synapses in sources.synapses:
        for end in (synapses.source, synapses.target):
            if base(end).name not in groups:
                what = base(end)
                raise NeurosimError(
                    f"synapses {synapses.name}: {what.name} is no group of this network; supported are {SUPPORTED}"
                )
    joined = [
        read_synapses(s, sources.regular.get(s.name, []), words, told.get(s.name)) for s in sources.synapses if s.active
    ]
    steps = {float(thing.clock.dt_): thing.name for thing in (*sources.groups, *sources.synapses)}
    if len(steps) > 1:
        said = ", ".join(f"{name} {dt * 1e3:g} ms" for dt, name in steps.items())
        raise NeurosimError(f"network: its objects have different time steps ({said}): supported is one for all")
    notes += [f"{s.name}: is not active, so it is not counted" for s in sources.synapses if not s.active]
    notes += _notes(groups, joined, words)
    return Read(groups, joined, sources.inputs, words, next(iter(steps), 1e-4), notes, sources.regular)


def _notes(groups: Mapping[str, GroupCode], joined: list[SynapsesCode], words: Words) -> list[str]:
    b = words.bits
    notes = [
        f"words: weights {b['weight']} bits, states {b['state']}, other variables of synapses {b['synaptic']}, "
        f"numbers in products {b['number']}"
    ]
    for group in groups.values():
        if group.outside:
            notes.append(f"{group.name}: its spikes come from outside the chip")
        elif group.group.user_equations.diff_eq_names:
            notes.append(f"{group.name}: a tick is counted as one step of forward Euler, whatever method Brian2 uses")
        for _, _, block in group.tick:
            notes += sorted(block.work.notes)
    for one in joined:
        if not one.weights and any(p.forward.writes for p in one.pathways):
            notes.append(f"{one.name}: one number is the weight of all synapses, so none is held")
        for pathway in one.pathways:
            notes += sorted(pathway.forward.work.notes | pathway.update.work.notes)
        if one.plastic:
            notes.append(f"{one.name}: every evaluation of a rule counts as an attempted update")
        notes += [
            f"{one.name}.{name}: an equation moves it, so it is not known when it is different: each update is a write"
            for name in one.moved
        ]
    return list(dict.fromkeys(notes))


# ---------------------------------------------------------------------- what has happened


@dataclass(frozen=True)
class Flow:
    """What a pathway has carried (docs/spiking.md 10 has the words).

    sent: spikes of neurons that have a synapse; arrivals: (spike, delay) pairs; events: at synapses; immediate: arrivals in the time
    step of the spike; delays: the different ones, in time steps.
    """

    sent: int
    arrivals: int
    events: int
    immediate: int
    delays: tuple[int, ...]


class Rows:
    """The synapses of a pathway. row: int64[synapses], the neuron of the whole source group; delay: int64[synapses], in time steps."""

    def __init__(self, pathway: Any, n: int) -> None:
        self.row = np.asarray(pathway.synapse_sources.get_value(), np.int64)
        seconds = np.asarray(pathway.variables["delay"].get_value(), np.float64)
        dt = float(pathway.source.clock.dt_)
        self.delay = np.broadcast_to(np.rint(seconds / dt).astype(np.int64), self.row.shape)
        self.fan = np.bincount(self.row, minlength=n)
        self.delays = tuple(int(d) for d in np.unique(self.delay)) or (0,)
        pairs = np.unique(self._pairs(self.row, self.delay))
        self.lines = np.bincount(pairs // self._span, minlength=n)
        at_once = np.unique(self.row[self.delay == 0])
        self.at_once = np.bincount(at_once, minlength=n)

    @property
    def _span(self) -> int:
        return max(self.delays) + 1

    def _pairs(self, row: NDArray[np.int64], delay: NDArray[np.int64]) -> NDArray[np.int64]:
        return row * self._span + delay

    def waiting(self, due: NDArray[np.int64], synapse: NDArray[np.int64]) -> tuple[int, int]:
        """Arrivals and events among (due time step, synapse) pairs."""
        if not len(due):
            return 0, 0
        keys = np.stack([due, self._pairs(self.row[synapse], self.delay[synapse])])
        return np.unique(keys, axis=1).shape[1], len(due)

    def late(self, neurons: NDArray[np.int64], steps: NDArray[np.int64], end: int) -> tuple[int, int]:
        """Arrivals and events of recorded spikes that fall on the step `end` or later."""
        arrivals = events = 0
        for delay in self.delays:
            if delay == 0:
                continue
            mine = np.bincount(self.row[self.delay == delay], minlength=len(self.fan))
            found = mine[neurons[steps + delay >= end]]
            arrivals, events = arrivals + int((found > 0).sum()), events + int(found.sum())
        return arrivals, events


def queued(pathway: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What waits in a pathway's queue, be it that of Python or of C++: steps until it is due, and synapses."""
    state = pathway.queue._full_state()  # noqa: SLF001
    if len(state) == 3:
        pairs = np.asarray(state[1], np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]
    at, lists = state
    due = [np.full(len(one), (k - at) % len(lists), np.int64) for k, one in enumerate(lists)]
    return np.concatenate([*due, np.zeros(0, np.int64)]), np.concatenate([*map(_whole, lists), np.zeros(0, np.int64)])


def _whole(values: Any) -> NDArray[np.int64]:
    return np.asarray(values, np.int64)


def flow(
    code: PathwayCode, spikes: NDArray[np.int64], waited: tuple[int, int], waits: tuple[int, int], rows: Rows
) -> Flow:
    """What a pathway has carried. spikes: int64[n] of its source's neurons; waited, waits: what was in flight before, and is now."""
    start, stop = code.pathway.source.start, code.pathway.source.stop
    mine = np.zeros_like(spikes)
    mine[start:stop] = spikes[start:stop]
    return Flow(
        sent=int(mine @ (rows.fan > 0)),
        arrivals=int(mine @ rows.lines) + waited[0] - waits[0],
        events=int(mine @ rows.fan) + waited[1] - waits[1],
        immediate=int(mine @ rows.at_once),
        delays=rows.delays,
    )
