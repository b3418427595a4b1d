"""Delivery of spikes: rows of synapses, and which way of going along them is theirs (docs/spiking.md 4)."""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import overload

from neurosim.kernels.jit import inlined, inner, unsigned
from neurosim.kernels.lanes import HALF, add, load_32, multiply, prefetch, splat_32, store
from neurosim.kernels.spike_fetch import AHEAD, fetch_list, is_far
from neurosim.kernels.spike_lanes import arrive_along, arrive_in_lanes, learn_columns, learn_rows
from neurosim.kernels.spike_registers import PART, POPULATION, SPIKE_TALLY
from neurosim.kernels.spike_synapses import arrive, depart


def add_row(memory, part, i, factor):
    """A dense row times a factor arrives."""
    raise NotImplementedError


@overload(add_row, inline="always")
def _add_row(memory, part, i, factor):
    def integers(memory, part, i, factor):
        inputs, weight, to, lanes = memory.inputs, memory.weight, part[PART.input], splat_32(factor)
        first = part[PART.weight] + i * part[PART.stride]
        for j in range(0, part[PART.stride], HALF):
            arriving = multiply(load_32(weight, first + j), lanes)
            store(inputs, to + j, add(load_32(inputs, to + j), arriving))

    def reals(memory, part, i, factor):
        first, to, columns = part[PART.weight] + i * part[PART.stride], part[PART.input], part[PART.columns]
        arriving, row = memory.inputs[to : to + columns], memory.weight[first : first + columns]
        for j in range(columns):
            arriving[j] += row[j] * factor

    return reals if isinstance(memory.types[0].dtype, types.Float) else integers


@inlined
def _add_list(program, memory, part, first, last, factor):
    """A sparse row times a factor arrives."""
    inputs, weight, target, to = memory.inputs, memory.weight, program.target, part[PART.input]
    for k in range(first, last):
        inputs[unsigned(to + target[unsigned(k)])] += weight[unsigned(k)] * factor


@inner
def _add_far(program, memory, part, ring, n, factor):
    """N sparse rows that lie far away: while some arrive, others are asked for. Returns (rows that are not empty, synapses reached).

    A processor looks ahead some hundred instructions, which is a few short rows, and each row waits for its start, then for its list:
    asked for in time, delivery from main memory takes half as long.
    """
    start, at, met, rows = program.start, part[PART.row], np.int64(0), np.int64(0)
    for s in range(n):
        if s + 2 * AHEAD < n:
            prefetch(start, at + memory.spikes[ring + s + 2 * AHEAD])
        if s + AHEAD < n:
            fetch_list(start, at + memory.spikes[ring + s + AHEAD], program.target, memory.weight)
        i = at + np.int64(memory.spikes[ring + s])
        first, last = start[i], start[i + 1]
        _add_list(program, memory, part, first, last, factor)
        rows += last > first
        met += last - first
    return rows, met


@inlined
def transmit(program, memory, part, ring, n, counts):
    """N spikes of the source, from `ring` on, arrive where nothing is lost and nothing learns; gain at least 0."""
    factor, met, rows = memory.x[0] * 0 + (1 << part[PART.gain]), np.int64(0), np.int64(0)
    sources = program.populations[part[PART.source_number], POPULATION.n]
    if n > AHEAD and part[PART.dense] == 0 and is_far(program.start, part[PART.row], sources):
        rows, met = _add_far(program, memory, part, ring, n, factor)
    else:
        for s in range(n):
            i = np.int64(memory.spikes[ring + s])
            if part[PART.dense]:
                add_row(memory, part, i, factor)
                reached = part[PART.columns]
            else:
                first, last = program.start[part[PART.row] + i], program.start[part[PART.row] + i + 1]
                _add_list(program, memory, part, first, last, factor)
                reached = last - first
            rows += reached > 0
            met += reached
    counts[SPIKE_TALLY.arrivals] += rows
    counts[SPIKE_TALLY.events] += met


def receive(program, memory, part, ring, n, tick, learn, counts):
    """N spikes of the source, from `ring` on, arrive at their rows, where something is lost or learns."""
    raise NotImplementedError


@overload(receive, inline="always")
def _receive(program, memory, part, ring, n, tick, learn, counts):
    def integers(program, memory, part, ring, n, tick, learn, counts):
        if part[PART.lanes] == 0:
            arrive(program, memory, part, ring, n, tick, learn, counts)
        elif part[PART.dense]:
            arrive_in_lanes(program, memory, part, ring, n, tick, learn, counts)
        else:
            learn_rows(program, memory, part, ring, n, tick, counts)
            transmit(program, memory, part, ring, n, counts)

    def reals(program, memory, part, ring, n, tick, learn, counts):
        if part[PART.lanes]:
            arrive_along(program, memory, part, ring, n, tick, learn, counts)
        else:
            arrive(program, memory, part, ring, n, tick, learn, counts)

    return reals if isinstance(memory.types[0].dtype, types.Float) else integers


def leave(program, memory, part, ring, n, tick, counts):
    """N neurons of the target, from `ring` on, spike: their synapses change."""
    raise NotImplementedError


@overload(leave, inline="always")
def _leave(program, memory, part, ring, n, tick, counts):
    def integers(program, memory, part, ring, n, tick, counts):
        if part[PART.lanes_post]:
            learn_columns(program, memory, part, ring, n, tick, counts)
        else:
            depart(program, memory, part, ring, n, tick, counts)

    def reals(program, memory, part, ring, n, tick, counts):
        depart(program, memory, part, ring, n, tick, counts)

    return reals if isinstance(memory.types[0].dtype, types.Float) else integers
