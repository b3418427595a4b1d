"""A user's own Brian2 network counted and priced: two lines around a `run` (docs/brian2.md)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim import costs
from neurosim.bridges.brian_code import GroupCode, PathwayCode, base
from neurosim.bridges.brian_counts import Happened, Ledger
from neurosim.bridges.brian_device import brian2
from neurosim.bridges.brian_hear import Hearing
from neurosim.bridges.brian_network import Flow, Read, Rows, flow, objects_of, queued, read, refuse_inactive, sorted_out
from neurosim.errors import NeurosimError
from neurosim.ops import Layout, OpCounts


@dataclass(frozen=True)
class Counted:
    """Counts of what a network has done, as one sample, and what it occupies. names: of the layers; notes: what was assumed.

    tallies: by the names of Synapses, what docs/spiking.md 10 calls arrivals, events, evaluated_pre, evaluated_post, and of those whose
    weights code assigns, changed; of groups and PoissonInputs `ticks` and `spikes`.
    """

    counts: OpCounts
    layout: Layout
    names: tuple[str, ...]
    notes: tuple[str, ...]
    tallies: Mapping[str, Mapping[str, int]]

    def price(self, hardware: str) -> costs.Cost:
        """What it costs on a hardware model, by its name or path. Raises NeurosimError where nothing has run."""
        self._check_ran()
        return costs.price(self.counts, None, self.layout, costs.load(hardware))

    def prices(self, *hardware: str) -> dict[str, costs.Cost]:
        """The same on several models; on all that are priced unasked where none is named."""
        return {name: self.price(name) for name in _named(hardware)}

    def table(self, *hardware: str) -> str:
        """The prices as text, the optimistic and pessimistic ends in brackets; what a model refuses the network for in its row."""
        self._check_ran()
        events = sum(row.get("events", row.get("spikes", 0)) for row in self.tallies.values() if "ticks" not in row)
        lines = [
            f"{'':20}{'energy, uJ':>28}{'pJ a synaptic event':>21}{'busy, us':>12}{'area, mm2':>11}{'cores':>7}  grade"
        ]
        models = {name: costs.load(name) for name in _named(hardware)}
        priced, refused = costs.price_each(self.counts, None, self.layout, models)
        for name, cost in priced.items():
            low, nominal, high = cost.band["energy_pj_per_sample"]
            energy = f"{nominal / 1e6:.4g} ({low / 1e6:.4g} … {high / 1e6:.4g})"
            each = f"{nominal / events:.4g}" if events else "-"
            lines.append(
                f"{name:20}{energy:>28}{each:>21}{_total(cost, 'latency_ns_per_sample', 1e3):>12}{_total(cost, 'area_um2', 1e6):>11}"
                f"{sum(cost.cores):>7}  {cost.grade.basis}, {cost.grade.tag}"
                + (f"; without {', '.join(cost.unpriced)}" if cost.unpriced else "")
            )
        for name, why in refused.items():
            lines += textwrap.wrap(why, 130, initial_indent=f"{name:20}", subsequent_indent=" " * 20)
        return "\n".join(lines)

    def _check_ran(self) -> None:
        if not self.counts.samples:
            raise NeurosimError("network: has not run since its counting began, so there is nothing to price")


def _total(cost: costs.Cost, key: str, unit: float) -> str:
    return f"{cost.band[key].nominal / unit:.5g}" if key in cost.band else "-"


def _named(hardware: tuple[str, ...]) -> Sequence[str]:
    return hardware or costs.names(default_only=True)


class Watch:
    """What counts a network's runs from now on: a SpikeMonitor without records at each group, and queues as they are now.

    Its monitors belong to the groups, so they run wherever these do, and go back in time with Brian2's `restore`.
    """

    def __init__(self, network: Any, objects: Iterable[Any], bits: Any, weights: Any, *, monitors: bool = True) -> None:
        self._device = brian2()
        objects = list(objects)
        self._network = network if isinstance(network, self._device.Network) else self._device.magic_network
        sources = sorted_out(objects)
        self.read: Read = read(sources, bits, weights)
        timed = (*sources.groups, *sources.synapses, *(one for several in sources.regular.values() for one in several))
        self._timed, self._dt_of = timed, [float(one.clock.dt_) for one in timed]
        self._dts, self._idle = sorted(set(self._dt_of)), {one.name for one in sources.synapses if not one.active}
        self._compiled = _compiles(self._device)
        self._monitors: dict[tuple[str, str], Any] = {}
        self._hearing = Hearing(compiled=self._compiled)
        self._own = monitors
        if monitors:
            self._place()
        else:
            self._find(objects)
        self._began = {dt: self._steps(dt) if monitors else 0 for dt in self._dts}
        self._waited = {p.pathway.name: self._waiting(p) if monitors else (0, 0) for p in self._pathways}

    @property
    def _pathways(self) -> list[PathwayCode]:
        return [p for one in self.read.synapses for p in one.pathways]

    def _place(self) -> None:
        for group in self.read.groups.values():
            for event in group.group.events:
                made = self._device.EventMonitor(
                    group.group, event, record=self._compiled, name=f"{group.name}_{event}s_watched*"
                )
                group.group.contained_objects.append(made)
                self._monitors[group.name, event] = made
        for one in self.read.inputs:
            if self._compiled or one.active:
                self._hearing.poisson(one)
        for synapses in self.read.synapses:
            self._hearing.weights(synapses, self.read.regular)

    def _find(self, objects: Iterable[Any]) -> None:
        """The monitors that the user has made."""
        for thing in objects:
            if isinstance(thing, self._device.EventMonitor) and base(thing.source) is thing.source:
                self._monitors[thing.source.name, thing.event] = thing
        for group in self.read.groups.values():
            for event in group.group.events:
                if (group.name, event) not in self._monitors:
                    what = "a SpikeMonitor" if event == "spike" else f"an EventMonitor of {event}"
                    raise NeurosimError(
                        f"{group.name}: needs {what}: give it one, or call brian.watch(network) before the run"
                    )
        for one in self.read.inputs:
            raise NeurosimError(
                f"PoissonInput {one.name}: counts nothing by itself; call brian.watch(network) before the run"
            )

    def _steps(self, dt: float) -> int:
        """Steps of dt since the network's time 0. Clocks are shared between networks, so they are asked last."""
        network = self._network
        own = network is not self._device.magic_network
        ran = {one._network for one in self._timed}  # noqa: SLF001
        if own or network.id in ran:
            now = float(network.t_)
        else:
            now = 0.0 if ran <= {None} else float(np.asarray(self._timed[0].clock.variables["t"].get_value()).flat[0])
        return math.ceil(now / dt - 1e-6)

    def _rows(self, code: PathwayCode) -> Rows:
        return Rows(code.pathway, len(base(code.pathway.source)))

    def _waiting(self, code: PathwayCode) -> tuple[int, int]:
        if self._compiled:
            return 0, 0
        due, synapse = queued(code.pathway)
        return self._rows(code).waiting(due, synapse) if len(due) else (0, 0)

    def _late(self, code: PathwayCode, rows: Rows) -> tuple[int, int]:
        """Arrivals and events that have not yet come."""
        pathway = code.pathway
        if not self._compiled:
            return rows.waiting(*queued(pathway))
        monitor, clock = self._monitors[base(pathway.source).name, pathway.event], pathway.source.clock
        steps, neurons = (
            np.rint(np.asarray(monitor.t_) / float(clock.dt_)).astype(np.int64),
            np.asarray(monitor.i[:], np.int64),
        )
        mine = (neurons >= pathway.source.start) & (neurons < pathway.source.stop)
        return rows.late(neurons[mine], steps[mine], self._steps(float(clock.dt_)))

    def counted(self) -> Counted:
        """What has happened since the watch began.

        Raises: NeurosimError for a network that has changed since: objects added or switched off or on, another time step.
        """
        try:
            return self._counted()
        except NotImplementedError as error:
            raise NeurosimError(
                "device cpp_standalone: nothing is known before its program has been built and run"
            ) from error

    def _counted(self) -> Counted:
        self._refuse_changes()
        spikes = {key: np.asarray(m.count[:], np.int64) for key, m in self._monitors.items()}
        flows = {}
        for code in self._pathways:
            rows, pathway = self._rows(code), code.pathway
            mine = spikes[base(pathway.source).name, pathway.event]
            flows[pathway.name] = flow(code, mine, self._waited[pathway.name], self._late(code, rows), rows)
        steps = {dt: self._steps(dt) - self._began[dt] for dt in self._dts}
        heard = {one.name: self._hearing.heard(one.name) or 0 for one in self.read.inputs}
        compared = [f"{one.name}.{name}" for one in self.read.synapses for name in one.compared]
        changed = {key: n for key in compared if (n := self._hearing.heard(key)) is not None}
        ledger = Ledger(self.read, Happened(steps, spikes, flows, heard, changed))
        return Counted(
            ledger.counts(),
            ledger.layout(),
            ledger.names,
            tuple(self.read.notes),
            self._tallies(spikes, flows, heard, changed, steps),
        )

    def _refuse_changes(self) -> None:
        """Refuse a network that is no longer the one that was read."""
        for one in self.read.synapses:
            if not (one.synapses.active and all(p.pathway.active for p in one.pathways)):
                raise NeurosimError(
                    f"synapses {one.name}: active=False: was switched off; watch anew for each part of the run"
                )
        for group in self.read.groups.values():
            if not group.outside:
                refuse_inactive(group.group)
        for thing, dt in zip(self._timed, self._dt_of, strict=True):
            if float(thing.clock.dt_) != dt:
                now = float(thing.clock.dt_) * 1e3
                raise NeurosimError(
                    f"{thing.name}: its time step was {dt * 1e3:g} ms when the watch began and is {now:g} ms; watch anew"
                )
        if self._network is not self._device.magic_network:
            found = sorted_out(objects_of(self._network))
            known = {one.name for one in (*self._timed, *self.read.inputs)} | self._idle
            regular = [one for several in found.regular.values() for one in several]
            for thing in (*found.groups, *found.synapses, *found.inputs, *regular):
                if thing.name not in known:
                    raise NeurosimError(f"{thing.name}: was added after the watch began; watch anew")

    def _tallies(
        self,
        spikes: Mapping[tuple[str, str], NDArray[np.int64]],
        flows: Mapping[str, Flow],
        heard: Mapping[str, int],
        changed: Mapping[str, int],
        steps: Mapping[float, int],
    ) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for one in self.read.synapses:
            mine = [(p, flows[p.pathway.name]) for p in one.pathways]
            pre = [f for p, f in mine if p.side == "pre"]
            found[one.name] = {
                "arrivals": sum(f.arrivals for f in pre),
                "events": sum(f.events for f in pre),
                **{
                    f"evaluated_{s}": sum(f.events for p, f in mine if p.side == s and p.assigns)
                    for s in ("pre", "post")
                },
            }
            known = [changed[key] for key in (f"{one.name}.{name}" for name in one.compared) if key in changed]
            if known:
                found[one.name]["changed"] = sum(known)
        found |= {name: {"spikes": n} for name, n in heard.items()}
        ticks = steps.get(self.read.dt, 0)
        for group in self.read.groups.values():
            total = int(spikes[group.name, "spike"].sum()) if "spike" in group.group.events else 0
            found[group.name] = {"ticks": ticks, "spikes": total}
        return found

    # ------------------------------------------------------------------ in one line

    @property
    def layout(self) -> Layout:
        """What the network occupies."""
        return self.counted().layout

    @property
    def counts(self) -> OpCounts:
        """All operations so far."""
        return self.counted().counts

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers: Synapses, PoissonInputs, groups."""
        return self.counted().names

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed."""
        return tuple(self.read.notes)

    def price(self, hardware: str) -> costs.Cost:
        """What has happened so far costs on a hardware model, by its name or path."""
        return self.counted().price(hardware)

    def table(self, *hardware: str) -> str:
        """The prices as text, on the named models or on all that are priced unasked; refusals in their rows."""
        return self.counted().table(*hardware)

    def close(self) -> None:
        """Take the monitors away, and give Poisson inputs and synapses their code back."""
        for (name, _), monitor in self._monitors.items():
            group: GroupCode = self.read.groups[name]
            if self._own and monitor in group.group.contained_objects:
                group.group.contained_objects.remove(monitor)
        self._hearing.close()


def _compiles(module: Any) -> bool:
    from brian2.devices.device import get_device

    return get_device() is module.all_devices["cpp_standalone"]


def watch(
    network: Any = None,
    *,
    bits: Mapping[str, int] | int | None = None,
    weights: Mapping[str, Any] | None = None,
    level: int = 0,
) -> Watch:
    """Count a Brian2 network from now on. network: a Network, a list of objects, or nothing for those that `run` would find here.

    bits: widths of words, by `weight`, `state`, `synaptic`, `number` or `OBJECT.VARIABLE` (a number alone: of weights); weights: names of
    the variables held as weights, by the name of the Synapses, where this is not plain. level: as of Brian2's `collect`.
    Raises NeurosimError for objects that cannot be counted.
    """
    return Watch(network, objects_of(network, level + 1), bits, weights)


def count(
    network: Any = None,
    *,
    bits: Mapping[str, int] | int | None = None,
    weights: Mapping[str, Any] | None = None,
    level: int = 0,
) -> Counted:
    """Count what a network has done since its time 0, from the SpikeMonitors that it has; every group needs one."""
    return Watch(network, objects_of(network, level + 1), bits, weights, monitors=False).counted()


def price(
    network: Any = None,
    *hardware: str,
    bits: Mapping[str, int] | int | None = None,
    weights: Mapping[str, Any] | None = None,
    level: int = 0,
) -> dict[str, costs.Cost]:
    """What a network with SpikeMonitors has cost since its time 0, by hardware model: on those named, or on all that are priced unasked."""
    return count(network, bits=bits, weights=weights, level=level + 1).prices(*hardware)
