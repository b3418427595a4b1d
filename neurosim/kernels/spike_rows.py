"""A spike meets a whole row at once: `arrive` in vectors, in integers and real numbers, where a rule allows it; rows that do not learn."""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import overload

from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    add,
    bit_and,
    count_different,
    first_lanes,
    load_32,
    maximum,
    minimum,
    multiply,
    numbers_32,
    shift_right,
    shift_right_unsigned,
    splat_32,
    store,
    subtract,
    where_above,
    where_equal,
)
from neurosim.kernels.registers import ROUNDING
from neurosim.kernels.rng import column_bits, fold, step_key
from neurosim.kernels.spike_registers import PART, SPIKE_TALLY, TERM
from neurosim.kernels.spike_synapses import BLANK_BITS, arrive

_LOWER_32 = np.uint64(0xFFFFFFFF)


@inlined
def _along(word, bits):
    """(lanes of a row word's values at columns 0 … 15, what is added for the next 16, mask, shift to the top bits); bits at most 32."""
    narrow = bits <= 16
    mask = splat_32((1 << 16) - 1) if narrow else splat_32(-1)
    step = splat_32(np.int64(word >> np.uint64(32)))
    value = bit_and(add(splat_32(np.int64(word & _LOWER_32)), multiply(step, numbers_32())), mask)
    return value, multiply(step, splat_32(HALF)), mask, splat_32((16 if narrow else 32) - bits)


@inner
def arrive_in_lanes(program, memory, part, i, tick, learn, counts):
    """`arrive` at a dense row whose rule looks at the target alone, in vectors of 16 synapses: see `Compiler` for when it may."""
    x, inputs, weight, levels = memory.x, memory.inputs, memory.weight, program.levels
    first, to, columns = part[PART.weight] + i * part[PART.stride], part[PART.input], part[PART.columns]
    zero, ones, factor = splat_32(0), splat_32(-1), splat_32(1 << part[PART.gain])
    blank, learns = part[PART.blank], learn and part[PART.pre] >= 0
    blank_word = fold(step_key(part[PART.blank_key], tick), i) if blank else np.uint64(0)
    lost, lost_step, lost_mask, lost_shift = _along(blank_word, BLANK_BITS)
    limit = splat_32(blank - 1)
    term = program.terms[max(0, part[PART.pre])]
    shift = term[TERM.shift]
    takes = learns and part[PART.round] == ROUNDING.stochastic and shift > 0
    word = fold(step_key(part[PART.pre_key], tick), i) if takes else np.uint64(0)
    drawn, drawn_step, drawn_mask, drawn_shift = _along(word, max(1, shift))
    nearest = part[PART.round] == ROUNDING.nearest and shift > 0
    below_half, one = splat_32((1 << max(0, shift - 1)) - 1), splat_32(1)
    of, gate = term[TERM.of_at], term[TERM.gate_0]
    low, high = splat_32(part[PART.low]), splat_32(part[PART.high])
    above, below = splat_32(term[TERM.low_0]), splat_32(term[TERM.high_0])
    numerator, places = splat_32(term[TERM.numerator]), splat_32(shift)
    blanked, attempted, changed = np.int64(0), np.int64(0), np.int64(0)
    for j in range(0, part[PART.stride], HALF):
        w = load_32(weight, first + j)
        met = first_lanes(ones, min(columns - j, HALF))
        if blank:
            met = bit_and(met, where_above(shift_right_unsigned(lost, lost_shift), limit, ones, zero))
            lost = bit_and(add(lost, lost_step), lost_mask)
            blanked += min(columns - j, HALF) - count_different(met, zero)
        if learns:
            v = load_32(x, of + j)
            if term[TERM.levels]:
                size, q = maximum(v, subtract(zero, v)), zero
                for k in range(term[TERM.levels] - 1, -1, -1):
                    threshold = splat_32(levels[term[TERM.threshold] + k] - 1)
                    q = where_above(size, threshold, splat_32(levels[term[TERM.decode] + k]), q)
                v = where_above(v, zero, q, subtract(zero, q))
            v = multiply(v, numerator)
            acts = where_equal(v, zero, zero, met)
            if term[TERM.gates]:
                g = load_32(x, gate + j)
                acts = where_above(g, above, where_above(below, g, acts, zero), zero)
            if takes:
                v = add(v, shift_right_unsigned(drawn, drawn_shift))
                drawn = bit_and(add(drawn, drawn_step), drawn_mask)
            if nearest:  # ties to even
                v = add(add(v, below_half), bit_and(shift_right(v, places), one))
            after = minimum(maximum(add(w, shift_right(v, places)), low), high)
            after = where_equal(acts, zero, w, after)
            attempted += count_different(acts, zero)
            changed += count_different(after, w)
            store(weight, first + j, after)
            w = after
        arriving = where_equal(met, zero, zero, multiply(w, factor))
        store(inputs, to + j, add(load_32(inputs, to + j), arriving))
    counts[SPIKE_TALLY.arrivals] += 1
    counts[SPIKE_TALLY.events] += columns
    counts[SPIKE_TALLY.blanked] += blanked
    counts[SPIKE_TALLY.evaluated_pre] += columns - blanked if learns else 0
    counts[SPIKE_TALLY.attempted_pre] += attempted
    counts[SPIKE_TALLY.changed] += changed
    counts[SPIKE_TALLY.random_words] += (blank != 0) + (takes and attempted > 0)
    counts[SPIKE_TALLY.random_lanes] += (columns if blank else 0) + (attempted if takes else 0)


@inner
def arrive_along(program, memory, part, i, tick, learn, counts):
    """`arrive` in real numbers at a dense row whose rule looks at the target alone: choices in the place of branches make vectors of it."""
    first, columns = part[PART.weight] + i * part[PART.stride], part[PART.columns]
    weight, blank = memory.weight[first : first + columns], part[PART.blank]
    inputs = memory.inputs[part[PART.input] : part[PART.input] + columns]
    blank_word = fold(step_key(part[PART.blank_key], tick), i) if blank else np.uint64(0)
    learns, term, factor = learn and part[PART.pre] >= 0, program.terms[max(0, part[PART.pre])], 2.0 ** part[PART.gain]
    u, eta = memory.x[term[TERM.of_at] : term[TERM.of_at] + columns], 2.0 ** -term[TERM.shift]
    gated, gate = term[TERM.gates] != 0, memory.x[term[TERM.gate_0] : term[TERM.gate_0] + columns]
    above, below, numerator = term[TERM.low_0], term[TERM.high_0], term[TERM.numerator]
    low, high = part[PART.low], part[PART.high]
    blanked, attempted, changed = np.int64(0), np.int64(0), np.int64(0)
    for j in range(columns):
        met = column_bits(blank_word, j, BLANK_BITS) >= blank
        before = after = weight[j]
        blanked += not met
        if learns:
            v = u[j] * numerator
            acts = met & (v != 0) & (not gated or (above < gate[j]) & (gate[j] < below))
            after = min(max(before + v * eta, low), high) if acts else before
            attempted += acts
            changed += after != before
            weight[j] = after
        inputs[j] += after * factor if met else 0.0
    counts[SPIKE_TALLY.arrivals] += 1
    counts[SPIKE_TALLY.events] += columns
    counts[SPIKE_TALLY.random_words] += blank != 0
    counts[SPIKE_TALLY.random_lanes] += columns if blank else 0
    counts[SPIKE_TALLY.blanked] += blanked
    counts[SPIKE_TALLY.evaluated_pre] += columns - blanked if learns else 0
    counts[SPIKE_TALLY.attempted_pre] += attempted
    counts[SPIKE_TALLY.changed] += changed


def receive(program, memory, part, i, tick, learn, counts):
    """One spike of neuron i of the source arrives at its row, where something is lost or learns."""
    raise NotImplementedError


@overload(receive)
def _receive_of(program, memory, part, i, tick, learn, counts):
    def integers(program, memory, part, i, tick, learn, counts):
        if part[PART.lanes]:
            arrive_in_lanes(program, memory, part, i, tick, learn, counts)
        else:
            arrive(program, memory, part, i, tick, learn, counts)

    def reals(program, memory, part, i, tick, learn, counts):
        if part[PART.lanes]:
            arrive_along(program, memory, part, i, tick, learn, counts)
        else:
            arrive(program, memory, part, i, tick, learn, counts)

    return reals if isinstance(memory.types[0].dtype, types.Float) else integers


@inner
def _transmit(program, memory, part, i):
    inputs, weight, to = memory.inputs, memory.weight, part[PART.input]
    if part[PART.dense]:
        first, factor = part[PART.weight] + i * part[PART.stride], splat_32(1 << part[PART.gain])
        for j in range(0, part[PART.stride], HALF):
            arriving = multiply(load_32(weight, first + j), factor)
            store(inputs, to + j, add(load_32(inputs, to + j), arriving))
        return part[PART.columns]
    at, gain, target = part[PART.row] + i, part[PART.gain], program.target
    first, last = program.start[at], program.start[at + 1]
    for k in range(first, last):
        inputs[to + target[k]] += np.int32(weight[k]) << gain
    return last - first


@inner
def _transmit_real(program, memory, part, i):
    inputs, weight, to = memory.inputs, memory.weight, part[PART.input]
    factor = 2.0 ** part[PART.gain]
    if part[PART.dense]:
        first, columns = part[PART.weight] + i * part[PART.stride], part[PART.columns]
        arriving, row = inputs[to : to + columns], weight[first : first + columns]
        for j in range(columns):
            arriving[j] += row[j] * factor
        return columns
    at, target = part[PART.row] + i, program.target
    first, last = program.start[at], program.start[at + 1]
    for k in range(first, last):
        inputs[to + target[k]] += weight[k] * factor
    return last - first


def transmit(program, memory, part, i):
    """A spike of neuron i arrives where nothing is lost and nothing learns; gain at least 0. Returns the synapses that it met."""
    raise NotImplementedError


@overload(transmit)
def _transmit_of(program, memory, part, i):
    def integers(program, memory, part, i):
        return _transmit(program, memory, part, i)

    def reals(program, memory, part, i):
        return _transmit_real(program, memory, part, i)

    return reals if isinstance(memory.types[0].dtype, types.Float) else integers
