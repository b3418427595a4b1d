"""The engine of spiking networks: ticks of any network that registers describe (docs/spiking.md 1 and 8)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import inlined, kernel
from neurosim.kernels.lanes import HALF, lowest_bit, nonzero_bits
from neurosim.kernels.registers import LANES
from neurosim.kernels.rng import fold, step_key
from neurosim.kernels.spike_delivery import leave, receive, transmit
from neurosim.kernels.spike_fetch import AHEAD, fetch_lists, fetch_starts, fetch_weights
from neurosim.kernels.spike_registers import KIND, PART, POPULATION, STATE
from neurosim.kernels.spike_states import is_held, update_state
from neurosim.kernels.spike_synapses import consolidate

_ONE, _UPPER_16 = np.int64(1), np.uint64(48)


@inlined
def _release(memory, registers, number, tick):
    """Neurons whose refractory time is over are held no more: the first of the queue."""
    n, first, refractory = registers[POPULATION.n], registers[POPULATION.first], registers[POPULATION.refractory]
    at, length = memory.in_queue[number, 0], memory.in_queue[number, 1]
    while length:
        neuron = first + memory.queue[first + at]
        if tick - memory.last[neuron] <= refractory:
            break
        memory.held[neuron // HALF] &= ~(_ONE << (neuron % HALF))
        at, length = (at + 1) % n, length - 1
    memory.in_queue[number, 0], memory.in_queue[number, 1] = at, length


@inlined
def _hold(memory, registers, number, ring, count):
    """The neurons that spiked are held."""
    n, first = registers[POPULATION.n], registers[POPULATION.first]
    at = memory.in_queue[number, 0] + memory.in_queue[number, 1]
    for s in range(count):
        i = np.int64(memory.spikes[ring + s])
        memory.queue[first + (at + s) % n] = i
        memory.held[(first + i) // HALF] |= _ONE << (first + i) % HALF
    memory.in_queue[number, 1] += count


@inlined
def _found_over(memory, registers, ring):
    """Spikes of a population whose spiking state was updated in lanes: their number."""
    n, first, count = registers[POPULATION.n], registers[POPULATION.first] // HALF, np.int64(0)
    words = -(-n // HALF)
    for v in range(0, words, LANES):
        some = nonzero_bits(memory.over, first + v)
        while some:
            word = v + lowest_bit(some)
            some &= some - _ONE
            bits = np.int64(memory.over[first + word]) if word < words else np.int64(0)
            while bits:
                i = word * HALF + lowest_bit(bits)
                bits &= bits - _ONE
                if i < n:
                    memory.spikes[ring + count] = i
                    count += 1
    return count


@inlined
def _over_threshold(memory, registers, ring):
    """The same where it was not."""
    n, first, at = registers[POPULATION.n], registers[POPULATION.first], registers[POPULATION.spiking]
    count = np.int64(0)
    for i in range(n):
        if memory.x[at + i] >= registers[POPULATION.threshold] and not is_held(memory, first + i):
            memory.spikes[ring + count] = i
            count += 1
    return count


@inlined
def _from_source(memory, registers, number, ring, tick, event_tick):
    """Spikes of a source: their number. event_tick: the tick by which lists of events count."""
    n, first, kind, at = (
        registers[POPULATION.n],
        registers[POPULATION.first],
        registers[POPULATION.kind],
        registers[POPULATION.table],
    )
    count = np.int64(0)
    if kind == KIND.events:
        e = memory.event_at[number]
        while e < registers[POPULATION.event_end] and memory.event_tick[e] <= event_tick:
            if memory.event_tick[e] == event_tick and not is_held(memory, first + memory.event_neuron[e]):
                memory.spikes[ring + count] = memory.event_neuron[e]
                count += 1
            e += 1
        memory.event_at[number] = e
    elif kind == KIND.poisson:
        key = step_key(registers[POPULATION.poisson_key], tick)
        for i in range(n):
            p = memory.tables[at + i]
            if p and not is_held(memory, first + i) and np.int64(fold(key, i) >> _UPPER_16) < p:
                memory.spikes[ring + count] = i
                count += 1
    else:
        for i in range(n):
            period, since = memory.tables[at + i], tick - memory.tables[at + n + i]
            if period and since >= 0 and since % period == 0 and not is_held(memory, first + i):
                memory.spikes[ring + count] = i
                count += 1
    return count


@inlined
def _neurons(program, memory, number, tick, event_tick):
    """The states of one population take their step, and its spikes are found."""
    registers = program.populations[number]
    if registers[POPULATION.refractory]:
        _release(memory, registers, number, tick)
    for k in range(registers[POPULATION.states], registers[POPULATION.state_end]):
        update_state(memory, registers, program.states[k], program.flows, tick)
    slot = tick % registers[POPULATION.depth]
    ring = registers[POPULATION.ring] + slot * registers[POPULATION.n]
    if registers[POPULATION.kind] != KIND.threshold:
        count = _from_source(memory, registers, number, ring, tick, event_tick)
    elif registers[POPULATION.in_lanes]:
        count = _found_over(memory, registers, ring)
    else:
        count = _over_threshold(memory, registers, ring)
    if registers[POPULATION.refractory]:
        _hold(memory, registers, number, ring, count)
    memory.n_spikes[registers[POPULATION.counts] + slot] = count


@inlined
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


@inlined
def _arriving(program, memory, part, tick, since):
    """(where the list of the spikes begins that arrive at a part in this tick, how many there are)."""
    source, delay = program.populations[part[PART.source_number]], part[PART.delay]
    slot = (tick - delay) % source[POPULATION.depth]
    n = np.int64(memory.n_spikes[source[POPULATION.counts] + slot]) if since >= delay else np.int64(0)
    return source[POPULATION.ring] + slot * source[POPULATION.n], n


@inlined
def _leaving(program, memory, part, tick):
    """(where the list of the target's spikes in this tick begins, how many there are)."""
    target = program.populations[part[PART.target_number]]
    slot = tick % target[POPULATION.depth]
    n = np.int64(memory.n_spikes[target[POPULATION.counts] + slot])
    return target[POPULATION.ring] + slot * target[POPULATION.n], n


@inlined
def _fetch(program, memory, tick, since, learn):
    """What delivery will read is asked for ahead of time, in the order in which one thing tells where the next one is."""
    for step in range(3):
        for b in range(program.parts.shape[0]):
            part = program.parts[b]
            if part[PART.dense] == 0 and step < 2:
                ring, n = _arriving(program, memory, part, tick, since)
                n = min(n, AHEAD)
                if step == 0:
                    fetch_starts(memory, program.start, part[PART.row], ring, n)
                else:
                    fetch_lists(memory, program.start, part[PART.row], ring, n, program.target, memory.weight)
            if learn and part[PART.post] >= 0:
                ring, n = _leaving(program, memory, part, tick)
                n, at = min(n, AHEAD), part[PART.column]
                if step == 0:
                    fetch_starts(memory, program.column_start, at, ring, n)
                elif step == 1:
                    starts, names = program.column_start, program.column_source
                    fetch_lists(memory, starts, at, ring, n, names, program.column_synapse)
                else:
                    fetch_weights(program, memory, part, ring, n)


@inlined
def _deliver(program, memory, tally, b, tick, since, learn):
    """What arrives at one part in this tick, and what the target's spikes change."""
    part = program.parts[b]
    counts = tally.projections[part[PART.projection]]
    ring, n = _arriving(program, memory, part, tick, since)
    if part[PART.blank] == 0 and part[PART.gain] >= 0 and not (learn and part[PART.pre] >= 0):
        transmit(program, memory, part, ring, n, counts)
    else:
        receive(program, memory, part, ring, n, tick, learn, counts)
    if learn and part[PART.post] >= 0:
        ring, n = _leaving(program, memory, part, tick)
        leave(program, memory, part, ring, n, tick, counts)


@inlined
def _one_tick(program, memory, tally, tick, since, event_tick, learn):
    """All phases of a tick. since: ticks since spikes in flight were cleared; event_tick: that by which lists of events count."""
    populations = program.populations
    for p in range(populations.shape[0]):
        _neurons(program, memory, p, tick, event_tick)
    _fetch(program, memory, tick, since, learn)
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
