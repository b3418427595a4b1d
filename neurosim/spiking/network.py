"""Running a spiking network: ticks, presentations, what was recorded and counted (docs/spiking.md)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.formats import check_whole
from neurosim.kernels.spike_engine import run_spikes
from neurosim.kernels.spike_registers import POPULATION, STATE, TERM, Raster, SpikeMemory
from neurosim.ops import Layout, OpCounts
from neurosim.spiking.counting import operations
from neurosim.spiking.given import check_labels, check_samples, check_values, inputs_of, order_of, tables_of
from neurosim.spiking.held import Holding
from neurosim.spiking.neurons import LAST_TICK, Events, Poisson
from neurosim.spiking.pacing import FIRST, Stops, paced
from neurosim.spiking.program import Compiler, sorted_events
from neurosim.spiking.projection import Synapses
from neurosim.spiking.recorded import Spikes, in_order, together, unrecorded
from neurosim.spiking.spec import SpikingSpec, check_spec
from neurosim.spiking.tallies import LEARNING, TESTING, WAITING, Tallies
from neurosim.spiking.terms import MOST_SLOWER

_ROOM = 1 << 16
"""Spikes recorded before the room grows."""


class SpikingNetwork:
    """A network in motion. real: in real numbers (docs/spiking.md 9). Raises NeurosimError for a description that does not fit."""

    def __init__(self, spec: SpikingSpec, *, real: bool = False) -> None:
        check_spec("network", spec)
        self.spec, self.real = spec, real
        self._compiler = Compiler(spec, real=real)
        self._program = self._compiler.program()
        self._memory: SpikeMemory = self._compiler.memory()
        places = [(int(r[POPULATION.first]), int(r[POPULATION.n])) for r in self._compiler.populations]
        self._tallies = Tallies(len(spec.projections), self._compiler.neurons, places)
        self.tick, self._piece, self._stops = 0, FIRST, Stops()
        self._cleared = self._presented = self.samples = self._slower = 0
        self._shown: dict[int, tuple[NDArray[np.int64], NDArray[np.int32]]] = {}
        self._event_start: dict[int, int] = {}
        self._held: Holding | None = None
        self._place_events()
        self._seek(0)

    # ------------------------------------------------------------------ running

    def slow(self, by: int) -> None:
        """From now on plastic terms change weights by 2**-by as much: their shift is so many more. Raises NeurosimError beyond 0..8."""
        check_whole("slow", by, 0, MOST_SLOWER)
        self._program.terms[:, TERM.shift] = self._compiler.shifts + by
        self._slower = by

    def run(self, ticks: int, *, learn: bool = True, record: bool = True) -> Spikes:
        """So many ticks; returns the spikes of all populations, none with record=False. Interrupted, it stops between two ticks."""
        check_whole("ticks", ticks, 0, LAST_TICK)
        with self._stops:
            return self._ticks(ticks, LEARNING if learn else TESTING, record=record)

    def present(
        self,
        inputs: Any,
        labels: NDArray[np.integer[Any]] | Sequence[int] | None = None,
        *,
        ticks: int,
        burn_in: int = 0,
        output: str,
        classes: Mapping[str, NDArray[Any]] | None = None,
        learn: bool = True,
        rest: bool = False,
        order: NDArray[np.int64] | None = None,
        spikes: list[Spikes] | None = None,
    ) -> NDArray[np.int64]:
        """Present samples, so many ticks each; returns the spikes of the output population after burn_in: int64[presented, n_out].

        inputs: of the one input population, or a mapping by name: probabilities in units of 2**-16, int[samples, n], or for events a pair
        (ticks, neurons) a sample. labels: int[samples]; without them label populations are silent, so what learns is taught that no class
        is right: test with learn=False. classes: probabilities of label
        populations by class, int[classes, n]; by default their own for the neuron of the class. learn: from burn_in on. rest: neurons
        begin each sample anew. order: indices of samples, all in their order by default. spikes: a list to which each sample's spikes are
        added, of all populations and its ticks from 0 on. Raises NeurosimError for what does not fit.
        """
        check_whole("ticks", ticks, 0, LAST_TICK)
        check_whole("burn_in", burn_in, 0, ticks)
        given, tables = inputs_of(self.spec, inputs), tables_of(self.spec, classes)
        n_samples = len(next(iter(given.values()))) if given else len(labels if labels is not None else ())
        if labels is not None:
            check_labels(labels, n_samples, tables)
        out = self.spec.number(output)
        before_learning, counted = (WAITING, LEARNING) if learn else (TESTING, TESTING)
        n_out = self.spec.populations[out].n
        chosen = order_of(order, n_samples)
        check_samples(self.spec, given, chosen)
        found = np.zeros((len(chosen), n_out), np.int64)
        with self._stops:
            try:
                for at, sample in enumerate(chosen):
                    if rest:
                        self.rest()
                    for number, values in given.items():
                        self._set_input(number, values[sample])
                    for number, table in tables.items():
                        self._set_table(number, 0 if labels is None else table[labels[sample]])
                    self._seek(0)
                    self._presented = self.tick
                    record = spikes is not None
                    parts = [self._ticks(burn_in, before_learning, record=record)]
                    before = self._tallies.spikes(counted, out)
                    parts.append(self._ticks(ticks - burn_in, counted, record=record))
                    if spikes is not None:
                        spikes.append(together(parts, self._presented))
                    found[at] = self._tallies.spikes(counted, out) - before
                    self._tallies.samples[counted] += 1
                    self.samples += 1
            finally:  # also where a sample is refused or a run is stopped
                self._set_back([*given, *tables])
        return found

    def rest(self) -> None:
        """All neurons as at the beginning: nothing waits, arrives or has spiked; weights, tags and time go on."""
        self._compiler.begin(self._memory)
        self._memory.last[:] = -1
        self._cleared = self.tick

    def _set_input(self, number: int, sample: Any) -> None:
        if isinstance(self.spec.populations[number].spikes, Poisson):
            self._set_table(number, sample)
            return
        self._shown[number] = sorted_events(*sample)
        self._place_events()

    def _place_events(self) -> None:
        """Events of all sources, those that a sample has brought in the place of the description's."""
        ticks, neurons, start = [], [], 0
        for number, population in enumerate(self.spec.populations):
            if not isinstance(population.spikes, Events):
                continue
            mine = self._shown.get(number) or sorted_events(population.spikes.ticks, population.spikes.neurons)
            ticks.append(mine[0])
            neurons.append(mine[1])
            self._event_start[number] = start
            start += len(mine[0])
            self._program.populations[number, POPULATION.event_end] = start
        self._memory = self._memory._replace(
            event_tick=np.concatenate([*ticks, [0]]), event_neuron=np.concatenate([*neurons, [0]]).astype(np.int32)
        )

    def _seek(self, tick: int) -> None:
        """The next event of each list is the first from a tick on."""
        for number, start in self._event_start.items():
            end = self._program.populations[number, POPULATION.event_end]
            self._memory.event_at[number] = start + np.searchsorted(self._memory.event_tick[start:end], tick)

    def _set_table(self, number: int, probabilities: Any) -> None:
        registers = self._program.populations[number]
        at, n = registers[POPULATION.table], registers[POPULATION.n]
        self._memory.tables[at : at + n] = probabilities

    def _set_back(self, numbers: Sequence[int]) -> None:
        """After presentations sources do again what their description says, by the network's ticks."""
        for number in numbers:
            spikes = self.spec.populations[number].spikes
            if isinstance(spikes, Poisson):
                self._set_table(number, spikes.probability)
        self._shown.clear()
        self._place_events()
        self._presented = 0
        self._seek(self.tick)

    def _ticks(self, ticks: int, kind: str, *, record: bool) -> Spikes:
        room = _ROOM if record else 1
        raster = Raster(np.empty(room, np.int64), np.empty(room, np.int32), np.zeros(1, np.int64))
        done, parts = 0, []
        while done < ticks:
            start, asked = self.tick, min(ticks - done, self._piece)
            began = time.perf_counter()
            done_now = run_spikes(
                self._program, self._memory, self._tallies.of[kind], raster, start, start - self._cleared,
                start - self._presented, asked, kind == LEARNING, record,
            )  # fmt: skip
            self.tick += done_now
            self._tallies.ticks[kind] += done_now
            self._stops.check()
            done += done_now
            if done_now == self._piece:
                self._piece = paced(self._piece, time.perf_counter() - began)
            if done_now < asked:  # no room for what another tick may record
                used = int(raster.used[0])
                parts.append((raster.tick[:used].copy(), raster.neuron[:used].copy()))
                raster.used[0] = 0
                if done_now == 0:
                    room *= 4
                    raster = Raster(np.empty(room, np.int64), np.empty(room, np.int32), np.zeros(1, np.int64))
        used = int(raster.used[0])
        parts.append((raster.tick[:used].copy(), raster.neuron[:used].copy()))
        return in_order(self.spec, self._compiler.populations, parts) if record else unrecorded(self.spec)

    # ------------------------------------------------------------------ what it holds

    def state(self, population: str, state: str) -> NDArray[Any]:
        """A state of all neurons of a population: int32[n] (float64 in real numbers), a copy."""
        at, n = self._state_place(population, state)
        return self._memory.x[at : at + n].copy()

    def set_state(self, population: str, state: str, values: Any) -> None:
        """Set a state of all neurons: int[n], or one number for all (real numbers in a network of such).

        Raises NeurosimError for another number of values, values that are not whole, and values out of its range.
        """
        at, n = self._state_place(population, state)
        described = self.spec.population(population)
        one = described.states[described.state(state)]
        assert one.low is not None
        assert one.high is not None
        where = f"population {population}, state {state}"
        self._memory.x[at : at + n] = check_values(where, values, n, one.low, one.high, real=self.real, each=False)

    def _state_place(self, population: str, state: str) -> tuple[int, int]:
        number = self.spec.number(population)
        row = self._compiler.populations[number, POPULATION.states] + self.spec.populations[number].state(state)
        return int(self._compiler.states[row, STATE.at]), self.spec.populations[number].n

    def _projection(self, projection: int | str) -> int:
        number = self.spec.projection(projection) if isinstance(projection, str) else projection
        check_whole("projection", number, 0, len(self.spec.projections) - 1)
        return number

    def synapses(self, projection: int | str) -> Synapses:
        """The synapses of a projection, by source, then target, with their first weights."""
        return self._compiler.places[self._projection(projection)].synapses

    def weights(self, projection: int | str) -> NDArray[Any]:
        """The weights now: int16[synapses] (float64 in real numbers), in the order of `synapses`; a copy."""
        return self._memory.weight[self._compiler.places[self._projection(projection)].order].copy()

    def set_weights(self, projection: int | str, weights: NDArray[Any]) -> None:
        """Set all weights of a projection: int[synapses], real numbers in a network of such, in the order of `synapses`.

        Raises NeurosimError for another number of weights, weights that are not whole, and weights outside its bounds.
        """
        number = self._projection(projection)
        one, n = self.spec.projections[number], len(self.synapses(number).target)
        assert one.low is not None
        assert one.high is not None
        array = check_values(f"{one.title}: weights", weights, n, one.low, one.high, real=self.real, each=True)
        self._memory.weight[self._compiler.places[number].order] = array
        self._held = None  # how fixed weights are held depends on what they are

    def tags(self, projection: int | str) -> NDArray[Any]:
        """The tags of a projection with an eligibility: int16[synapses]."""
        number = self._projection(projection)
        rule = self.spec.projections[number].plasticity
        if rule is None or rule.eligibility is None:
            raise NeurosimError(f"{self.spec.projections[number].title}: has no eligibility, so no tags")
        return self._memory.tag[self._compiler.places[number].order].copy()

    def counters(self) -> dict[str, list[dict[str, Any]]]:
        """What has been counted (docs/spiking.md 10), by projection and by population."""
        run = self._tallies.run(WAITING, LEARNING, TESTING)
        for projection, found in zip(self.spec.projections, run.counts, strict=True):
            rule, found["gates"] = projection.plasticity, 0
            if rule is not None:
                for side, term in (("pre", rule.on_pre), ("post", rule.on_post)):
                    found["gates"] += found[f"evaluated_{side}"] * len(term.gates) if term is not None else 0
        populations = [{"ticks": self.tick, "spikes": spikes} for spikes in run.spikes]
        return {"projections": list(run.counts), "populations": populations}

    # ------------------------------------------------------------------ what it costs

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The names of the layers of `counts` and `layout`: projections (`source->target` without a name), then populations."""
        return self._holding().names()

    def counts(self) -> OpCounts:
        """Operations of all runs and presentations with learn=True so far, burn-in included (docs/spiking.md 10).

        samples: the presentations; without any, everything that ran is one sample.
        Raises: NeurosimError for a network in real numbers, which no hardware counts for.
        """
        tallies = self._tallies
        run, learning = tallies.run(WAITING, LEARNING), tallies.run(LEARNING)
        return operations(self._holding(), run, learning, tallies.samples[LEARNING] or int(run.ticks > 0))

    def test_counts(self) -> OpCounts:
        """The same for learn=False, of the forward phase alone: a chip that classifies leaves error and feedback off."""
        run = self._tallies.run(TESTING)
        return operations(self._holding(), run, None, self._tallies.samples[TESTING] or int(run.ticks > 0))

    def layout(self) -> Layout:
        """What the network occupies on a chip; projections stand on the cores of their targets."""
        return self._holding().layout()

    def _holding(self) -> Holding:
        if self.real:
            raise NeurosimError("real=True: counts and layout are of integer hardware; make the network without it")
        if self._held is None:
            places = self._compiler.places
            weights = [self._memory.weight[place.order] for place in places]
            self._held = Holding(self.spec, [place.synapses for place in places], weights)
        return self._held

    # ------------------------------------------------------------------ checkpoints

    def save(self) -> dict[str, NDArray[Any]]:
        """Everything that the future depends on, as arrays, and a fingerprint of the description; `restore` takes it back."""
        found = {f"memory_{key}": value.copy() for key, value in self._memory._asdict().items()}
        found |= self._tallies.save()
        found["progress"] = np.array([self.tick, self._cleared, self._presented, self.samples, self._slower], np.int64)
        found["description"] = self._fingerprint()
        return found

    def _fingerprint(self) -> NDArray[np.uint8]:
        """Of what was described: registers and levels, learning not slowed down. Keys of random words are among them, so seeds count."""
        p = self._program
        terms = p.terms.copy()
        terms[:, TERM.shift] = self._compiler.shifts
        text = hashlib.sha256()
        for array in (p.populations, p.states, p.flows, p.parts, terms, p.eligibility, p.levels):
            text.update(np.ascontiguousarray(array).tobytes())
        return np.frombuffer(text.digest(), np.uint8)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back a `save`. Raises NeurosimError if it is of another network."""
        mine = self.save()
        for key, value in mine.items():
            fits = key in arrays and arrays[key].dtype == value.dtype
            if not fits or arrays[key].shape != value.shape:
                found = f"{arrays[key].dtype}{list(arrays[key].shape)}" if key in arrays else "nothing"
                raise NeurosimError(
                    f"checkpoint.{key}: {found}, and this network needs {value.dtype}{list(value.shape)}"
                )
        if not np.array_equal(arrays["description"], mine["description"]):
            raise NeurosimError("checkpoint.description: is of a network with other parameters, or another seed")
        for key, array in self._memory._asdict().items():
            array[:] = arrays[f"memory_{key}"]  # where it lies, since it lies aligned
        self._held = None
        self._tallies.restore(arrays)
        self.tick, self._cleared, self._presented, self.samples, slower = map(int, arrays["progress"])
        self.slow(slower)
