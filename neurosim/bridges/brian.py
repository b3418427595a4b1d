"""Spiking networks in Brian2 (Stimberg, Brette, Goodman 2019): the same integers, spike for spike, as code that can be read and edited.

`twin` makes Brian2 objects of a SpikingSpec, `compare` runs them beside this package's own network, and `drift` tells how far
words of few bits move the spikes of the network in real numbers. The other way, `watch` counts and prices a user's own Brian2
network, and `quantise` rounds its weights. See docs/brian2.md.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.bridges.brian_build import Objects, build
from neurosim.bridges.brian_compare import Agreement, Trace, drift_of, first_difference
from neurosim.bridges.brian_device import TARGETS, brian2, compiled, settings
from neurosim.bridges.brian_listing import listing
from neurosim.bridges.brian_model import Model, model, variable
from neurosim.bridges.brian_quantise import Compared, Quantised, compare_bits, quantise
from neurosim.bridges.brian_random import bits_function, random_bits
from neurosim.bridges.brian_watch import Counted, Watch, count, price, watch
from neurosim.errors import NeurosimError
from neurosim.fields import shown
from neurosim.formats import check, check_all_whole, check_number, check_whole
from neurosim.spiking.drift import Drift, check_widths, narrowed, presented, van_rossum
from neurosim.spiking.neurons import LAST_TICK
from neurosim.spiking.projection import Synapses
from neurosim.spiking.spec import SpikingSpec, check_spec

__all__ = [
    "Agreement", "BrianTwin", "Compared", "Counted", "Drift", "Quantised", "Trace", "Watch", "bits_function", "brian2", "compare",
    "compare_bits", "count", "drift", "first_difference", "here", "narrowed", "price", "quantise", "random_bits", "settings", "simulate",
    "twin", "van_rossum", "watch",
]  # fmt: skip

Given = Sequence[Synapses] | Mapping[str, Synapses] | None


class BrianTwin:
    """A network as Brian2 objects, which are made when they are first asked for.

    With the target `cpp_standalone` there are none to hold: they live in a program, which `run` writes, compiles and runs, once.
    """

    def __init__(self, spec: SpikingSpec, synapses: Given, dt_ms: float, target: str, *, real: bool) -> None:
        check_spec("spec", spec)
        check("target", target, TARGETS)
        check_number("dt_ms", dt_ms, 0, above=True)
        _check_given(spec, synapses)
        self.spec, self.dt_ms, self.target, self.real = spec, float(dt_ms), target, real
        self._model = model(spec, synapses, real=real)
        self._trace: Trace | None = None

    @functools.cached_property
    def _objects(self) -> Objects:
        if self._compiled:
            raise NeurosimError("target='cpp_standalone': its objects live in the program that `run` makes")
        with settings(self.target):
            return build(self._model, self.dt_ms)

    @property
    def _compiled(self) -> bool:
        return self.target == "cpp_standalone"

    @property
    def network(self) -> Any:
        """Brian2's Network of all objects."""
        return self._objects.network

    @property
    def groups(self) -> dict[str, Any]:
        """NeuronGroups (or SpikeGeneratorGroups) by the name of the population."""
        return dict(zip((p.name for p in self.spec.populations), self._objects.groups, strict=True))

    @property
    def monitors(self) -> dict[str, Any]:
        """SpikeMonitors by the name of the population."""
        return dict(zip((p.name for p in self.spec.populations), self._objects.monitors, strict=True))

    @property
    def projections(self) -> dict[str, Any]:
        """Synapses by the name of the projection, or `source->target`."""
        titles = [p.name or f"{p.source}->{p.target}" for p in self.spec.projections]
        return dict(zip(titles, self._objects.synapses, strict=True))

    def run(self, ticks: int, *, learn: bool = True) -> None:
        """So many ticks more."""
        check_whole("ticks", ticks, 0, LAST_TICK)
        if self._compiled:
            if self._trace is not None:
                raise NeurosimError("target='cpp_standalone': its program runs once; make another twin")
            self._trace = _run_compiled([self._model], [self.spec], ticks, self.dt_ms, learn=learn)[0]
            return
        with settings(self.target):
            _learning([self._objects], learn=learn)
            self.network.run(ticks * self._objects.clock.dt, namespace={})

    @property
    def trace(self) -> Trace:
        """All spikes so far, and states, weights and tags as they are now."""
        if not self._compiled:
            return _read(self.spec, self._objects)
        if self._trace is None:
            raise NeurosimError("target='cpp_standalone': nothing is known before `run`")
        return self._trace

    def spikes(self, population: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The spikes of a population: ticks, rising, and neurons, rising within a tick."""
        return self.trace.spikes[self.spec.population(population).name]

    def states(self, population: str, state: str) -> NDArray[Any]:
        """A state of all neurons of a population, as it is now: int64[n] (float64 in real numbers)."""
        described = self.spec.population(population)
        return self.trace.states[population, described.states[described.state(state)].name]

    def weights(self, projection: int | str) -> NDArray[Any]:
        """The weights now: int64[synapses] (float64 in real numbers), in the order in which they were drawn or given."""
        return self.trace.weights[self._number(projection)]

    def tags(self, projection: int | str) -> NDArray[Any]:
        """The tags of a projection with an eligibility, likewise."""
        number = self._number(projection)
        rule = self.spec.projections[number].plasticity
        if rule is None or rule.eligibility is None:
            raise NeurosimError(f"{self.spec.projections[number].title}: has no eligibility, so no tags")
        return self.trace.tags[number]

    def _number(self, projection: int | str) -> int:
        number = self.spec.projection(projection) if isinstance(projection, str) else projection
        check_whole("projection", number, 0, len(self.spec.projections) - 1)
        return number

    def code(self) -> str:
        """The whole model as a Python program of Brian2 calls. Arrays that it loads come from `save`."""
        return listing(self._model, self.dt_ms, "twin.npz")[0]

    def save(self, path: str | Path) -> Path:
        """Write the program, and beside it the arrays that it loads. path: of the program, NAME.py."""
        if not isinstance(path, str | Path):
            raise NeurosimError(f"path={shown(path)}: must be the name of a file")
        file = Path(path).with_suffix(".py")
        text, arrays = listing(self._model, self.dt_ms, file.with_suffix(".npz").name)
        try:
            file.write_text(text)
            if arrays:
                np.savez_compressed(file.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise NeurosimError(f"path={str(path)!r}: cannot be written: {error.strerror}") from None
        return file


def twin(
    spec: SpikingSpec, *, synapses: Given = None, dt_ms: float = 1.0, target: str = "numpy", real: bool = False
) -> BrianTwin:
    """A network as Brian2 objects.

    synapses: of all projections, or of some by name, in the place of those drawn; dt_ms: a tick; target: ``numpy``, ``cython`` or
    ``cpp_standalone``; real: in real numbers (docs/spiking.md 9). Raises NeurosimError for what cannot be said in Brian2.
    """
    return BrianTwin(spec, synapses, dt_ms, target, real=real)


def simulate(
    specs: Sequence[SpikingSpec],
    ticks: int,
    *,
    target: str = "numpy",
    real: bool = False,
    learn: bool = True,
    dt_ms: float = 1.0,
) -> list[Trace]:
    """Several networks for so many ticks; with the target `cpp_standalone` in one program, since compiling takes most of the time."""
    if not isinstance(specs, list | tuple):
        raise NeurosimError(f"specs={shown(specs)}: must be a list of SpikingSpecs")
    for spec in specs:
        check_spec("spec", spec)
    check_whole("ticks", ticks, 0, LAST_TICK)
    check("target", target, TARGETS)
    check_number("dt_ms", dt_ms, 0, above=True)
    models = [model(spec, real=real, prefix=f"n{k}_" if len(specs) > 1 else "") for k, spec in enumerate(specs)]
    if target == "cpp_standalone":
        return _run_compiled(models, specs, ticks, dt_ms, learn=learn)
    with settings(target):
        objects = [build(one, dt_ms) for one in models]
        _learning(objects, learn=learn)
        for one in objects:
            one.network.run(ticks * one.clock.dt, namespace={})
        return [_read(spec, one) for spec, one in zip(specs, objects, strict=True)]


def compare(
    spec: SpikingSpec, ticks: int, target: str = "numpy", *, learn: bool = True, inputs: Any = None, labels: Any = None
) -> Agreement:
    """Run this package's network and its twin for so many ticks: whether they are equal, and where not; and what never spiked.

    inputs, labels: samples as of `SpikingNetwork.present`, one after the other, so many ticks each; without them sources whose role is
    input or label do what their description says, which may be nothing.
    """
    spec, ticks = _shown(spec, ticks, inputs, labels)
    found = simulate([spec], ticks, target=target, learn=learn)[0]
    return first_difference(spec, ticks, here(spec, ticks, learn=learn), found)


def here(spec: SpikingSpec, ticks: int, *, learn: bool = True) -> Trace:
    """What this package's own network leaves after so many ticks."""
    from neurosim.spiking.network import SpikingNetwork

    network = SpikingNetwork(spec)
    raster = network.run(ticks, learn=learn)
    tagged = [
        k for k, p in enumerate(spec.projections) if p.plasticity is not None and p.plasticity.eligibility is not None
    ]
    return Trace(
        {p.name: raster[p.name] for p in spec.populations},
        {(p.name, s.name): network.state(p.name, s.name) for p in spec.populations for s in p.states},
        [network.weights(k) for k in range(len(spec.projections))],
        {k: network.tags(k) for k in tagged},
    )


def drift(
    spec: SpikingSpec,
    ticks: int,
    bits: Sequence[int] = (8, 6, 4),
    *,
    within: int = 2,
    tau: float = 10.0,
    target: str = "numpy",
    inputs: Any = None,
    labels: Any = None,
) -> Drift:
    """How far integers, and then weights of fewer bits, move spikes from those of the network in real numbers.

    within: ticks by which two spikes of a neuron may differ and still coincide; tau: of van Rossum's distance (2001), in ticks.
    inputs, labels: samples as of `compare`.
    """
    check_widths(bits, 16)
    check_whole("within", within, 0, LAST_TICK)
    check_number("tau", tau, 0, above=True)
    spec, ticks = _shown(spec, ticks, inputs, labels)
    widest = max((p.weight.bits for p in spec.projections), default=0)
    cases = {"as described": spec} | {f"{b}-bit weights": narrowed(spec, b) for b in bits if b < widest}
    original = simulate([spec], ticks, target=target, real=True)[0]
    found = simulate(list(cases.values()), ticks, target=target)
    return drift_of(spec, ticks, original, dict(zip(cases, found, strict=True)), within, tau)


def _shown(spec: SpikingSpec, ticks: int, inputs: Any, labels: Any) -> tuple[SpikingSpec, int]:
    """A network that is shown samples, if there are any, and for how many ticks in all."""
    check_spec("spec", spec)
    check_whole("ticks", ticks, 0, LAST_TICK)
    if inputs is None and labels is None:
        return spec, ticks
    return presented(spec, inputs, labels, ticks=ticks)


def _check_given(spec: SpikingSpec, synapses: Given) -> None:
    """Refuse synapses that are none, or reach beyond their populations."""
    if synapses is not None and not isinstance(synapses, list | tuple | Mapping):
        raise NeurosimError(
            f"synapses={shown(synapses)}: must be a list of Synapses, or Synapses by the names of projections"
        )
    if isinstance(synapses, list | tuple) and synapses and len(synapses) != len(spec.projections):
        raise NeurosimError(
            f"synapses: {len(synapses)} of them: must be {len(spec.projections)}, as many as projections"
        )
    for key, one in synapses.items() if isinstance(synapses, Mapping) else enumerate(synapses or ()):
        number = spec.projection(key) if isinstance(key, str) else key
        check_whole("synapses: projection", number, 0, len(spec.projections) - 1)
        p = spec.projections[number]
        if not isinstance(one, Synapses):
            raise NeurosimError(f"synapses of {p.title}={shown(one)}: must be Synapses")
        if len(one.start) != spec.population(p.source).n + 1:
            raise NeurosimError(
                f"synapses of {p.title}: start has {len(one.start)} numbers: must be {spec.population(p.source).n + 1}"
            )
        check_all_whole(f"synapses of {p.title}: target", one.target, 0, spec.population(p.target).n - 1)


def _learning(objects: Sequence[Objects], *, learn: bool) -> None:
    for one in objects:
        for synapses in one.synapses:
            if "learn" in synapses.variables:
                synapses.learn = int(learn)


def _run_compiled(
    models: Sequence[Model], specs: Sequence[SpikingSpec], ticks: int, dt_ms: float, *, learn: bool
) -> list[Trace]:
    with settings("cpp_standalone") as module, tempfile.TemporaryDirectory(prefix="neurosim_brian_") as folder:
        clock = module.Clock(dt=dt_ms * module.ms)
        objects = [build(one, dt_ms, clock) for one in models]
        _learning(objects, learn=learn)
        network = module.Network(*(o for one in objects for o in one.network.objects))
        compiled(module, network, ticks, clock, folder)
        return [_read(spec, one) for spec, one in zip(specs, objects, strict=True)]


def _read(spec: SpikingSpec, objects: Objects) -> Trace:
    spikes, states = {}, {}
    for p, group, monitor in zip(spec.populations, objects.groups, objects.monitors, strict=True):
        ticks = np.rint(np.asarray(monitor.t / objects.clock.dt)).astype(np.int64)
        neurons = np.asarray(monitor.i[:], np.int64)
        order = np.lexsort((neurons, ticks))
        spikes[p.name] = ticks[order], neurons[order]
        for state in p.states:
            states[p.name, state.name] = np.array(getattr(group, variable(state.name))[:])
    weights, tags = [], {}
    for number, (projection, synapses) in enumerate(zip(spec.projections, objects.synapses, strict=True)):
        weights.append(np.array(synapses.w[:]))
        if projection.plasticity is not None and projection.plasticity.eligibility is not None:
            tags[number] = np.array(synapses.c[:])
    return Trace(spikes, states, weights, tags)
