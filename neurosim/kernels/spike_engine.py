"""The engine of spiking networks: ticks of any network that registers describe (docs/spiking.md 1 and 8)."""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import overload

from neurosim.kernels.jit import inlined, inner, kernel
from neurosim.kernels.lanes import HALF, bits_above, load_32, lowest_bit, maximum, splat_32, store, subtract
from neurosim.kernels.rng import fold, step_key
from neurosim.kernels.spike_registers import KIND, PART, POPULATION, SPIKE_TALLY, STATE
from neurosim.kernels.spike_rows import receive, transmit
from neurosim.kernels.spike_states import update_state
from neurosim.kernels.spike_synapses import consolidate, depart

_ONE, _UPPER_16 = np.int64(1), np.uint64(48)


@inlined
def _emit(memory, registers, ring, count, i):
    """Neuron i of a population spikes."""
    memory.spikes[ring + count] = i
    if registers[POPULATION.refractory]:
        memory.wait[registers[POPULATION.first] + i] = registers[POPULATION.refractory]


@inner
def _wait(memory, registers):
    """Waiting neurons come a tick nearer, before spikes set their counters anew."""
    first, zero, one = registers[POPULATION.first], splat_32(0), splat_32(1)
    for i in range(first, first + registers[POPULATION.n], HALF):
        store(memory.wait, i, maximum(subtract(load_32(memory.wait, i), one), zero))


@inner
def _over_threshold(memory, registers, ring):
    n, first, at = registers[POPULATION.n], registers[POPULATION.first], registers[POPULATION.spiking]
    limit, zero, one = splat_32(registers[POPULATION.threshold] - 1), splat_32(0), splat_32(1)
    refractory, count = registers[POPULATION.refractory], np.int64(0)
    for i in range(0, n, HALF):
        bits = bits_above(load_32(memory.x, at + i), limit)
        if refractory:
            waiting = load_32(memory.wait, first + i)
            bits &= ~bits_above(waiting, zero)
            store(memory.wait, first + i, maximum(subtract(waiting, one), zero))
        while bits:
            lane = lowest_bit(bits)
            bits &= bits - _ONE
            if i + lane < n:
                _emit(memory, registers, ring, count, i + lane)
                count += 1
    return count


@inner
def _over_threshold_real(memory, registers, ring):
    n, first, at = registers[POPULATION.n], registers[POPULATION.first], registers[POPULATION.spiking]
    count = np.int64(0)
    for i in range(n):
        held = memory.wait[first + i] > 0
        memory.wait[first + i] -= held
        if memory.x[at + i] >= registers[POPULATION.threshold] and not held:
            _emit(memory, registers, ring, count, i)
            count += 1
    return count


def over_threshold(memory, registers, ring):
    """Spikes of a population with a threshold, in integers or real numbers: their number."""
    raise NotImplementedError


@overload(over_threshold)
def _over_threshold_of(memory, registers, ring):
    def integers(memory, registers, ring):
        return _over_threshold(memory, registers, ring)

    def reals(memory, registers, ring):
        return _over_threshold_real(memory, registers, ring)

    return reals if isinstance(memory.types[0].dtype, types.Float) else integers


@inner
def _from_source(memory, registers, number, ring, tick, event_tick):
    """Spikes of a source: their number. event_tick: the tick by which lists of events count."""
    n, first, kind, at = (
        registers[POPULATION.n],
        registers[POPULATION.first],
        registers[POPULATION.kind],
        registers[POPULATION.table],
    )
    refractory, count = registers[POPULATION.refractory], np.int64(0)
    if kind == KIND.events:
        e = memory.event_at[number]
        while e < registers[POPULATION.event_end] and memory.event_tick[e] <= event_tick:
            if memory.event_tick[e] == event_tick and not (
                refractory and memory.wait[first + memory.event_neuron[e]] > 0
            ):
                memory.spikes[ring + count] = memory.event_neuron[e]
                count += 1
            e += 1
        memory.event_at[number] = e
    elif kind == KIND.poisson:
        key = step_key(registers[POPULATION.poisson_key], tick)
        for i in range(n):
            p = memory.tables[at + i]
            if p and not (refractory and memory.wait[first + i] > 0) and np.int64(fold(key, i) >> _UPPER_16) < p:
                memory.spikes[ring + count] = i
                count += 1
    else:
        for i in range(n):
            period, since = memory.tables[at + i], tick - memory.tables[at + n + i]
            if period and since >= 0 and since % period == 0 and not (refractory and memory.wait[first + i] > 0):
                memory.spikes[ring + count] = i
                count += 1
    if refractory:
        _wait(memory, registers)
        for s in range(count):
            memory.wait[first + memory.spikes[ring + s]] = refractory
    return count


@inner
def _after_spikes(program, memory, registers, ring, count, tick):
    """Resets, jumps and the tick of the last spike."""
    for s in range(count):
        i = np.int64(memory.spikes[ring + s])
        memory.last[registers[POPULATION.first] + i] = tick
        for k in range(registers[POPULATION.states], registers[POPULATION.state_end]):
            state = program.states[k]
            at = state[STATE.at] + i
            if state[STATE.reset]:
                memory.x[at] = state[STATE.reset_to]
            elif state[STATE.jump]:
                memory.x[at] = min(max(memory.x[at] + state[STATE.jump_by], state[STATE.low]), state[STATE.high])


@inner
def _deliver(program, memory, tally, b, tick, since, learn):
    """What arrives at one part in this tick, and what the target's spikes change."""
    part = program.parts[b]
    counts, delay = tally.projections[part[PART.projection]], part[PART.delay]
    source = program.populations[part[PART.source_number]]
    if since >= delay:
        slot = (tick - delay) % source[POPULATION.depth]
        ring = source[POPULATION.ring] + slot * source[POPULATION.n]
        n = memory.n_spikes[source[POPULATION.counts] + slot]
        quiet = part[PART.blank] == 0 and part[PART.gain] >= 0 and not (learn and part[PART.pre] >= 0)
        for s in range(n):
            i = np.int64(memory.spikes[ring + s])
            if quiet:
                met = transmit(program, memory, part, i)
                counts[SPIKE_TALLY.arrivals] += met > 0
                counts[SPIKE_TALLY.events] += met
            else:
                receive(program, memory, part, i, tick, learn, counts)
    if learn and part[PART.post] >= 0:
        target = program.populations[part[PART.target_number]]
        slot = tick % target[POPULATION.depth]
        ring = target[POPULATION.ring] + slot * target[POPULATION.n]
        for s in range(memory.n_spikes[target[POPULATION.counts] + slot]):
            depart(program, memory, part, np.int64(memory.spikes[ring + s]), tick, counts)


@inner
def _one_tick(program, memory, tally, tick, since, event_tick, learn):
    """All phases of a tick. since: ticks since spikes in flight were cleared; event_tick: that by which lists of events count."""
    populations = program.populations
    for p in range(populations.shape[0]):
        registers = populations[p]
        for k in range(registers[POPULATION.states], registers[POPULATION.state_end]):
            update_state(
                memory.x, memory.inputs, memory.wait, registers[POPULATION.first], registers[POPULATION.n],
                program.states[k], program.flows, tick,
            )  # fmt: skip
    for p in range(populations.shape[0]):
        registers = populations[p]
        slot = tick % registers[POPULATION.depth]
        ring = registers[POPULATION.ring] + slot * registers[POPULATION.n]
        if registers[POPULATION.kind] == KIND.threshold:
            count = over_threshold(memory, registers, ring)
        else:
            count = _from_source(memory, registers, p, ring, tick, event_tick)
        memory.n_spikes[registers[POPULATION.counts] + slot] = count
    for b in range(program.parts.shape[0]):
        _deliver(program, memory, tally, b, tick, since, learn)
    if learn and program.eligibility.shape[0]:
        for b in range(program.parts.shape[0]):
            part = program.parts[b]
            if part[PART.eligibility] >= 0:
                consolidate(program, memory, part, tick, tally.projections[part[PART.projection]])
    for p in range(populations.shape[0]):
        registers = populations[p]
        slot = tick % registers[POPULATION.depth]
        ring, count = (
            registers[POPULATION.ring] + slot * registers[POPULATION.n],
            memory.n_spikes[registers[POPULATION.counts] + slot],
        )
        _after_spikes(program, memory, registers, ring, count, tick)
        for s in range(count):
            tally.spikes[registers[POPULATION.first] + memory.spikes[ring + s]] += 1


@kernel
def run_spikes(program, memory, tally, raster, tick, since, event_tick, ticks, learn, record):
    """So many ticks from `tick` on; fewer where the raster is full. Returns the ticks done.

    since: ticks since spikes in flight were cleared; event_tick: that by which lists of events count.
    """
    populations = program.populations
    neurons = 0
    for p in range(populations.shape[0]):
        neurons += populations[p, POPULATION.n]
    for t in range(ticks):
        if record and raster.used[0] + neurons > raster.tick.shape[0]:
            return t
        _one_tick(program, memory, tally, tick + t, since + t, event_tick + t, learn)
        if record:
            used = raster.used[0]
            for p in range(populations.shape[0]):
                registers = populations[p]
                slot = (tick + t) % registers[POPULATION.depth]
                ring = registers[POPULATION.ring] + slot * registers[POPULATION.n]
                for s in range(memory.n_spikes[registers[POPULATION.counts] + slot]):
                    raster.tick[used] = tick + t
                    raster.neuron[used] = registers[POPULATION.first] + memory.spikes[ring + s]
                    used += 1
            raster.used[0] = used
    return ticks
