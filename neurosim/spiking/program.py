"""A spiking network compiled into registers and flat memories (docs/spiking.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.kernels.spike_registers import (
    ELIGIBILITY,
    FLOW,
    KIND,
    PART,
    POPULATION,
    SHIFTING,
    STATE,
    TERM,
    SpikeMemory,
    SpikeProgram,
)
from neurosim.rng import STREAM_NOISE, STREAM_POISSON, layer_key
from neurosim.spiking.held import arriving
from neurosim.spiking.neurons import Poisson, Population, Regular, State, Threshold
from neurosim.spiking.spec import SpikingSpec
from neurosim.spiking.terms import HIGHEST_32
from neurosim.spiking.wiring import LANES, Place, Wiring, joined, padded

_LINE = 64
"""Bytes of a line of a processor's cache, which a vector should not straddle."""


def aligned(n: int, kind: Any) -> NDArray[Any]:
    """Zeros that begin where a vector of the machine does: vectors that straddle two lines of its cache take a fifth longer."""
    size = np.dtype(kind).itemsize
    found = np.zeros(n + _LINE // size, kind)
    first = -found.ctypes.data % _LINE // size
    return found[first : first + n]


class Compiler:
    """Registers of all populations and projections, and the layout of the memories."""

    def __init__(self, spec: SpikingSpec, *, real: bool) -> None:
        self.spec, self.real = spec, real
        self.populations = np.zeros((len(spec.populations), len(POPULATION)), np.int64)
        self.n_states = sum(len(p.states) for p in spec.populations)
        self.states = np.zeros((max(1, self.n_states), len(STATE)), np.int64)
        self.flows: list[list[int]] = []
        self.tables: list[NDArray[np.int64]] = []
        self.neurons = self.x_size = self.input_size = 0
        self._arriving: dict[tuple[int, int], int] = {}
        for p in spec.projections:
            target = spec.number(p.target)
            self._arriving.setdefault((target, spec.populations[target].state(p.state)), 0)
        for number, population in enumerate(spec.populations):
            self._population(number, population)
        self.wiring = Wiring(spec, self.populations, self.states, real=real)
        self._rings()
        self._check_inputs()

    # ------------------------------------------------------------------ populations

    def _population(self, number: int, population: Population) -> None:
        r, n = self.populations[number], population.n
        row = sum(len(p.states) for p in self.spec.populations[:number])
        r[POPULATION.n], r[POPULATION.first], r[POPULATION.refractory] = n, self.neurons, population.refractory
        r[POPULATION.states], r[POPULATION.state_end] = row, row + len(population.states)
        self.neurons += padded(n)
        for k, _ in enumerate(population.states):
            self.states[row + k, STATE.at] = self.x_size
            self.x_size += padded(n)
        for k, state in enumerate(population.states):
            self._state(number, row + k, k, state)
        spikes = population.spikes
        if isinstance(spikes, Threshold):
            r[POPULATION.kind], r[POPULATION.threshold] = KIND.threshold, spikes.value
            spiking = self.states[row + population.state(spikes.state)]
            r[POPULATION.spiking], r[POPULATION.in_lanes] = spiking[STATE.at], spiking[STATE.narrow]
            spiking[STATE.spiking], spiking[STATE.limit] = 1, spikes.value - 1
            return
        r[POPULATION.table] = sum(len(t) for t in self.tables)
        if isinstance(spikes, Poisson):
            r[POPULATION.kind] = KIND.poisson
            r[POPULATION.poisson_key] = layer_key(self.spec.seed, STREAM_POISSON, number)
            self.tables.append(np.broadcast_to(np.asarray(spikes.probability, np.int64), (n,)).copy())
        elif isinstance(spikes, Regular):
            r[POPULATION.kind] = KIND.regular
            self.tables += [
                np.broadcast_to(np.asarray(v, np.int64), (n,)).copy() for v in (spikes.period, spikes.phase)
            ]
        else:
            r[POPULATION.kind] = KIND.events  # the network places their lists

    def _state(self, number: int, row: int, k: int, state: State) -> None:
        r, population = self.states[row], self.spec.populations[number]
        r[STATE.input] = -1
        if (number, k) in self._arriving:
            r[STATE.input] = self._arriving[number, k] = self.input_size
            self.input_size += padded(population.n)
        leak = state.leak
        if leak is not None:
            r[STATE.leak_numerator], r[STATE.leak_shift] = leak.numerator, leak.shift
            r[STATE.leak_round] = SHIFTING[leak.rounding]
        r[STATE.bias], r[STATE.low], r[STATE.high], r[STATE.holds] = state.bias, state.low, state.high, state.holds
        if state.reset is not None:
            r[STATE.reset], r[STATE.reset_to] = 1, state.reset
        if state.jump is not None:
            r[STATE.jump], r[STATE.jump_by] = 1, state.jump
        r[STATE.noise], r[STATE.noise_key] = state.noise, layer_key(self.spec.seed, STREAM_NOISE, row)
        r[STATE.flow] = len(self.flows)
        largest = state.reach * (leak.numerator if leak else 1) + (1 << (leak.shift if leak else 0))
        total = 2 * state.reach + abs(state.bias) + 2
        first = int(self.populations[number, POPULATION.states])
        for flow in state.flows:
            source = population.state(flow.state)
            at = self.states[first + source, STATE.at]
            self.flows.append([int(at), flow.numerator, flow.shift, SHIFTING[flow.rounding]])
            product = population.states[source].reach * abs(flow.numerator) << max(0, -flow.shift)
            largest = max(largest, product + (1 << max(0, flow.shift)))
            total += (product >> max(0, flow.shift)) + 1
        r[STATE.flow_end] = len(self.flows)
        arriving = HIGHEST_32 // 2 if r[STATE.input] >= 0 else 0
        r[STATE.narrow] = not self.real and not state.noise and max(largest, total + arriving) <= HIGHEST_32
        moved = state.flows or state.bias or state.noise or r[STATE.input] >= 0
        shrinks = leak is None or leak.numerator <= 1 << leak.shift
        r[STATE.stays] = not moved and shrinks and state.low <= 0 <= state.high  # type: ignore[operator]
        r[STATE.plain] = all(x.rounding == "floor" for x in ((leak,) if leak else ()) + state.flows)

    def _rings(self) -> None:
        """Room for each population's last spikes, as long as the longest delay."""
        ring = counts = 0
        for number, r in enumerate(self.populations):
            delays = [int(p[PART.delay]) for p in self.wiring.parts if p[PART.source_number] == number]
            r[POPULATION.depth], r[POPULATION.ring], r[POPULATION.counts] = max(delays, default=0) + 1, ring, counts
            ring += int(r[POPULATION.depth] * r[POPULATION.n])
            counts += int(r[POPULATION.depth])
        self.ring_size, self.count_size = ring, counts

    def _check_inputs(self) -> None:
        """Refuse a network in which what arrives in one tick could leave half of 32 bits."""
        synapses = [place.synapses for place in self.wiring.places]
        for (target, state), most in arriving(self.spec, synapses, [s.weight for s in synapses]).items():
            if most > HIGHEST_32 // 2:
                raise NeurosimError(
                    f"population {self.spec.populations[target].name}, state {state}: up to {most} could arrive in a tick, and "
                    f"{HIGHEST_32 // 2} is the most; lower gain, weights or fan-in"
                )

    # ------------------------------------------------------------------ arrays

    @property
    def shifts(self) -> NDArray[np.int64]:
        """The shift of each term as described."""
        return _stacked(self.wiring.terms.terms, len(TERM), least=1)[:, TERM.shift]

    @property
    def places(self) -> list[Place]:
        """Where the synapses of each projection lie."""
        return self.wiring.places

    def program(self) -> SpikeProgram:
        """All registers and tables."""
        terms = self.wiring.terms
        start, target, column_start, column_synapse, column_source = self.wiring.lists()
        return SpikeProgram(
            self.populations,
            self.states,
            np.array(self.flows or [[0] * len(FLOW)], np.int64),
            _stacked(self.wiring.parts, len(PART)),
            _stacked(terms.terms, len(TERM), least=1),
            _stacked(terms.eligibility, len(ELIGIBILITY)),
            start,
            target,
            column_start,
            column_synapse,
            column_source,
            np.array(terms.levels or [0], np.float64 if self.real else np.int64),
        )

    def memory(self) -> SpikeMemory:
        """All states at their beginning."""
        numbers = (np.float64, np.float64) if self.real else (np.int32, np.int16)
        wiring, room = self.wiring, LANES  # whole vectors may be read at the end
        words, gathered = self.neurons // LANES + 2 * room, padded(wiring.longest)
        found = SpikeMemory(
            x=aligned(max(1, self.x_size) + room, numbers[0]),
            inputs=aligned(self.input_size + room, numbers[0]),
            weight=wiring.weights(numbers[1]),
            tag=np.zeros((wiring.size if wiring.terms.eligibility else 0) + room, numbers[1]),
            held=np.zeros(words, np.uint16),
            queue=np.zeros(self.neurons, np.int32),
            in_queue=np.zeros((len(self.spec.populations), 2), np.int64),
            over=np.zeros(words, np.uint16),
            last=np.full(self.neurons + room, -1, np.int64),
            spikes=np.zeros(self.ring_size + 1, np.int32),
            n_spikes=np.zeros(self.count_size + 1, np.int32),
            tables=joined(self.tables, np.int64),
            event_tick=np.zeros(1, np.int64),
            event_neuron=np.zeros(1, np.int32),
            event_at=np.zeros(len(self.spec.populations), np.int64),
            gathered=aligned(gathered, np.int32),
            moved=aligned(gathered, np.int32),
        )
        self.begin(found)
        return found

    def begin(self, memory: SpikeMemory) -> None:
        """States at their start, no input, nobody waiting."""
        memory.inputs[:] = 0
        memory.held[:] = 0
        memory.in_queue[:] = 0
        for number, population in enumerate(self.spec.populations):
            first = int(self.populations[number, POPULATION.states])
            for k, state in enumerate(population.states):
                at = int(self.states[first + k, STATE.at])
                memory.x[at : at + population.n] = state.start


def sorted_events(
    ticks: Sequence[int] | NDArray[Any], neurons: Sequence[int] | NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Events by tick, then neuron, each once: int64[events], int32[events]."""
    both = np.stack([np.asarray(ticks, np.int64), np.asarray(neurons, np.int64)])
    both = np.unique(both, axis=1) if both.size else both
    return both[0].copy(), both[1].astype(np.int32)


def _stacked(rows: Sequence[NDArray[np.int64]], width: int, least: int = 0) -> NDArray[np.int64]:
    return np.stack(rows) if rows else np.zeros((least, width), np.int64)
