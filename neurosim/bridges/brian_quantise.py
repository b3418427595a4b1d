"""Weights of a user's own Brian2 network rounded to words of few bits, and what that does to its spikes (docs/brian2.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from neurosim.bridges.brian_code import Words, weights_of
from neurosim.bridges.brian_device import brian2
from neurosim.bridges.brian_hear import assigning, before_counters
from neurosim.bridges.brian_network import check_named, objects_of, sorted_out
from neurosim.errors import NeurosimError
from neurosim.fields import shown
from neurosim.formats import check, check_number, check_whole
from neurosim.spiking.drift import Drift, Raster, check_widths, drift_of_rasters

ROUNDINGS = ("nearest", "stochastic")


class Quantised:
    """Weights in words, from when it is made until `undo` or the end of its `with`; then they are what they were before.

    steps: the value of one LSB by `SYNAPSES.VARIABLE`, in SI units; left: Synapses that have no weight of their own.
    """

    def __init__(
        self,
        synapses: Sequence[Any],
        bits: Any,
        scale: Any,
        weights: Mapping[str, Any],
        rounding: str,
        regular: Mapping[str, list[Any]],
    ) -> None:
        check("rounding", rounding, ROUNDINGS)
        self.steps: dict[str, float] = {}
        self.left: tuple[str, ...] = ()
        self._values: list[tuple[Any, Any]] = []
        self._codes: list[tuple[Any, str, str]] = []
        self._constants: list[tuple[Any, str]] = []
        try:
            for one in synapses:
                names = weights_of(one, Words(None, ()), weights.get(one.name))
                self.left += () if names else (one.name,)
                for name in names:
                    self._round(one, name, _given(bits, one.name, 8), _given(scale, one.name, None), rounding, regular)
        except NeurosimError:
            self.undo()
            raise
        if not self.steps:
            raise NeurosimError(
                f"synapses {', '.join(self.left)}: the weight is no variable of the synapses: give them one, such as "
                "Synapses(…, 'w : volt', on_pre='v += w')"
            )

    def _round(
        self, synapses: Any, name: str, bits: int, scale: Any, rounding: str, regular: Mapping[str, list[Any]]
    ) -> None:
        check_whole(f"bits of {synapses.name}", bits, 2, 32)
        variable, where = synapses.variables[name], f"{synapses.name}.{name}"
        if np.dtype(variable.dtype).kind != "f":
            raise NeurosimError(f"{where}: is of whole numbers already")
        timed = synapses.equations.get(name)
        if timed is not None and timed.type == "differential equation":
            raise NeurosimError(
                f"{where}: changes in every time step by its equation: only changes at spikes can be rounded"
            )
        values = np.array(variable.get_value(), np.float64)
        top = (1 << (bits - 1)) - 1
        largest = (
            float(np.abs(values).max(initial=0))
            if scale is None
            else _of_dimension(f"scale of {where}", scale, variable.dim)
        )
        if not largest:
            raise NeurosimError(
                f"{where}: all are 0: say what the largest word stands for, scale={{{synapses.name!r}: …}}"
            )
        step = largest / top
        self.steps[where] = step
        self._values.append((variable, values))
        drawn = 0.5 if rounding == "nearest" else np.random.default_rng(0).random(values.shape)
        variable.set_value(np.clip(np.floor(values / step + drawn), -top, top) * step)
        lsb = f"_neurosim_lsb_{name}"
        for thing, field in assigning(synapses, name, regular):
            if lsb not in synapses.variables:
                synapses.variables.add_constant(lsb, step, dimensions=variable.dim)
                self._constants.append((synapses.variables, lsb))
            kept = getattr(thing, field)
            self._codes.append((thing, field, kept))
            part = "0.5" if rounding == "nearest" else "rand()"
            line = f"{name} = clip(floor({name}/{lsb} + {part}), -{top}, {top})*{lsb}"
            setattr(thing, field, before_counters(kept, line))

    def undo(self) -> None:
        """The weights and code of before."""
        for variable, values in self._values:
            variable.set_value(values)
        for thing, field, kept in self._codes:
            setattr(thing, field, kept)
        for variables, name in self._constants:
            variables._variables.pop(name)  # noqa: SLF001
        self._values, self._codes, self._constants = [], [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def _of_dimension(field: str, value: Any, dimension: Any) -> float:
    """A quantity above 0 in SI units: of a dimension, or a bare number that is meant so."""
    module, size = brian2(), np.asarray(value)
    one = size.dtype.kind in "iuf" and not size.ndim
    fits = not isinstance(value, module.Quantity) or module.get_dimensions(value) is dimension
    if not (one and fits and 0 < float(size) < np.inf):
        unit = module.get_unit(dimension)
        raise NeurosimError(f"{field}={shown(value)}: must be one number above 0 in units of {unit}")
    return float(size)


def _given(values: Any, name: str, default: Any) -> Any:
    return values.get(name, default) if isinstance(values, Mapping) else values


def quantise(
    network: Any = None,
    bits: Mapping[str, int] | int = 8,
    *,
    scale: Any = None,
    weights: Mapping[str, Any] | None = None,
    rounding: str = "nearest",
    level: int = 0,
) -> Quantised:
    """Round weights to symmetric words of so many bits, now and after every change that spikes make to them.

    network: Synapses, a Network, a list of objects, or nothing for those that `run` would find here. bits, scale: one for all or
    by the name of the Synapses; scale: what the largest word stands for, in SI units (default: the largest magnitude now). weights: as
    of `watch`. rounding: of the first weights and of changes, ``nearest`` or ``stochastic`` (from Brian2's random numbers at every
    change).
    """
    module = brian2()
    if isinstance(network, module.Synapses):
        found = sorted_out([network, *network.contained_objects], counting=False)
    else:
        found = sorted_out(objects_of(network, level + 1), counting=False)
    if module.get_device() is module.all_devices["cpp_standalone"]:
        raise NeurosimError(
            "device cpp_standalone: weights are not known before its program runs; quantise on a runtime target"
        )
    for what, given in (("bits", bits), ("scale", scale), ("weights", weights or {})):
        if isinstance(given, Mapping) or what == "weights":
            check_named(what, given, found.synapses)
    if not found.synapses:
        raise NeurosimError("network: has no Synapses whose weights could be rounded")
    return Quantised(found.synapses, bits, scale, dict(weights or {}), rounding, found.regular)


@dataclass(frozen=True)
class Compared:
    """What rounding has done to the spikes of each group: `Drift` by its name. dt_ms: a tick of its table."""

    dt_ms: float
    groups: Mapping[str, Drift]

    def __str__(self) -> str:
        return "\n".join(f"{name} (ticks of {self.dt_ms:g} ms): {drift}" for name, drift in self.groups.items())


def compare_bits(
    network: Any,
    duration: Any,
    bits: Sequence[int] = (8, 6, 4),
    *,
    within_ms: float = 2.0,
    tau_ms: float = 10.0,
    scale: Any = None,
    weights: Mapping[str, Any] | None = None,
    rounding: str = "nearest",
    namespace: Mapping[str, Any] | None = None,
    level: int = 0,
) -> Compared:
    """Run a Network for a time as it is, and from the same start and random numbers again with weights of so many bits.

    within_ms: by which two spikes of a neuron may differ and still coincide; tau_ms: of van Rossum's distance (2001). namespace: as of
    Brian2's `run`. Afterwards the network is at its start again.
    """
    module = brian2()
    if not isinstance(network, module.Network) or network is module.magic_network:
        raise NeurosimError(
            "network: comparing stores and restores it, so it must be a Network: Network(collect()) makes one"
        )
    check_widths(bits, 32)
    check_number("within_ms", within_ms, 0)
    check_number("tau_ms", tau_ms, 0, above=True)
    if not isinstance(duration, module.Quantity):
        raise NeurosimError(f"duration={shown(duration)}: must be a time, such as 1*second")
    seconds = _of_dimension("duration", duration, module.second.dim)
    found = sorted_out(objects_of(network), counting=False)
    groups = [g for g in found.groups if isinstance(g, module.NeuronGroup) and "spike" in g.events]
    if not groups:
        raise NeurosimError("network: has no NeuronGroup that spikes")
    monitors = {g.name: module.SpikeMonitor(g, name=f"{g.name}_compared*") for g in groups}
    dt, start = float(groups[0].clock.dt_), float(network.t_)
    ticks, state = round(seconds / dt), "_neurosim_compared"
    for group in groups:
        group.contained_objects.append(monitors[group.name])
    try:
        network.store(state)
        real = _run(network, duration, namespace, level + 1, monitors, start, dt)
        cases: dict[str, dict[str, Raster]] = {}
        for b in bits:
            network.restore(state, restore_random_state=True)
            with quantise(network, b, scale=scale, weights=weights, rounding=rounding):
                cases[f"{b} bits"] = _run(network, duration, namespace, level + 1, monitors, start, dt)
        network.restore(state, restore_random_state=True)
    finally:
        for group in groups:
            group.contained_objects.remove(monitors[group.name])
        network._stored_state.pop(state, None)  # noqa: SLF001
    within, tau = round(within_ms * 1e-3 / dt), tau_ms * 1e-3 / dt
    return Compared(
        dt * 1e3,
        {
            g.name: drift_of_rasters(real[g.name], {c: r[g.name] for c, r in cases.items()}, len(g), ticks, within, tau)
            for g in groups
        },
    )


def _run(
    network: Any, duration: Any, namespace: Any, level: int, monitors: Mapping[str, Any], start: float, dt: float
) -> dict[str, Raster]:
    network.run(duration, namespace=namespace, level=level + 1)
    return {
        name: (np.rint((np.asarray(m.t_) - start) / dt).astype(np.int64), np.asarray(m.i[:], np.int64))
        for name, m in monitors.items()
    }
