"""Synapses that lose or learn in vectors: of 16 where 32 bits hold all, or dense rows in real numbers (docs/spiking.md 4, 5 and 9)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import inlined, inner, unsigned
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
from neurosim.kernels.spike_registers import FACTOR, PART, SPIKE_TALLY, TERM
from neurosim.kernels.spike_synapses import BLANK_BITS

_LOWER_32, _UPPER = np.uint64(0xFFFFFFFF), np.uint64(32)


@inlined
def _along(word, bits):
    """(lanes of a row word's values at columns 0 … 15, what is added for the next 16, mask, shift to the top bits); bits at most 32."""
    narrow = bits <= 16
    mask = splat_32((1 << 16) - 1) if narrow else splat_32(-1)
    step = splat_32(np.int64(word >> np.uint64(32)))
    value = bit_and(add(splat_32(np.int64(word & _LOWER_32)), multiply(step, numbers_32())), mask)
    return value, multiply(step, splat_32(HALF)), mask, splat_32((16 if narrow else 32) - bits)


@inlined
def _row_in_lanes(program, memory, part, i, tick, learn, counts):
    """`arrive` at a dense row whose rule looks at the target alone, in vectors of 16 synapses: see `Terms.fits_rows`."""
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
def arrive_in_lanes(program, memory, part, ring, n, tick, learn, counts):
    """`arrive` at dense rows whose rule looks at the target alone."""
    for s in range(n):
        _row_in_lanes(program, memory, part, np.int64(memory.spikes[ring + s]), tick, learn, counts)


@inlined
def _row_along(program, memory, part, i, tick, learn, counts):
    """The same in real numbers, which have no vectors of their own: choices in the place of branches let the compiler make them."""
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


@inner
def arrive_along(program, memory, part, ring, n, tick, learn, counts):
    """`arrive_in_lanes` in real numbers."""
    for s in range(n):
        _row_along(program, memory, part, np.int64(memory.spikes[ring + s]), tick, learn, counts)


@inlined
def _drawn(word, bits, columns):
    """The random bits of a row word at 16 columns; bits 1 … 32."""
    lanes = add(splat_32(np.int64(word & _LOWER_32)), multiply(splat_32(np.int64(word >> _UPPER)), columns))
    if bits <= 16:
        return shift_right_unsigned(bit_and(lanes, splat_32((1 << 16) - 1)), splat_32(16 - bits))
    return shift_right_unsigned(lanes, splat_32(32 - bits))


@inlined
def _step(part, term, word, columns, w, v, n):
    """16 weights after a plain term, v being its state: (weights, how many it attempted, how many changed); of them the first n."""
    zero, shift = splat_32(0), term[TERM.shift]
    v = multiply(v, splat_32(term[TERM.numerator]))
    acts = first_lanes(where_equal(v, zero, zero, splat_32(-1)), n)
    if part[PART.round] == ROUNDING.stochastic and shift > 0:
        v = add(v, _drawn(word, shift, columns))
    after = minimum(
        maximum(add(w, shift_right(v, splat_32(shift))), splat_32(part[PART.low])), splat_32(part[PART.high])
    )
    after = where_equal(acts, zero, w, after)
    return after, count_different(acts, zero), count_different(after, w)


@inner
def learn_rows(program, memory, part, ring, n, tick, counts):
    """N spikes of the source, from `ring` on, arrive at sparse rows whose rule is plain: what they learn, not yet what they transmit."""
    x, weight, target, gathered = memory.x, memory.weight, program.target, memory.gathered
    term = program.terms[part[PART.pre]]
    of, hears = term[TERM.of_at], term[TERM.of] == FACTOR.post
    takes = part[PART.round] == ROUNDING.stochastic and term[TERM.shift] > 0
    key = step_key(part[PART.pre_key], tick)
    met, attempted, changed, words = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for s in range(n):
        i = np.int64(memory.spikes[ring + s])
        first, last = program.start[part[PART.row] + i], program.start[part[PART.row] + i + 1]
        word, before, lanes = fold(key, i), attempted, splat_32(x[of + i] if not hears else 0)
        if hears:
            for k in range(first, last):
                gathered[unsigned(k - first)] = x[unsigned(of + target[unsigned(k)])]
        for k in range(first, last, HALF):
            v = load_32(gathered, k - first) if hears else lanes
            after, tried, other = _step(
                part, term, word, load_32(target, k), load_32(weight, k), v, min(last - k, HALF)
            )
            store(weight, k, after)
            attempted += tried
            changed += other
        met += last - first
        words += attempted > before
    counts[SPIKE_TALLY.evaluated_pre] += met
    counts[SPIKE_TALLY.attempted_pre] += attempted
    counts[SPIKE_TALLY.changed] += changed
    counts[SPIKE_TALLY.random_words] += words if takes else 0
    counts[SPIKE_TALLY.random_lanes] += attempted if takes else 0


@inner
def learn_columns(program, memory, part, ring, n, tick, counts):
    """N neurons of the target, from `ring` on, spike, and a plain rule changes their synapses: `depart` in vectors."""
    x, weight, gathered, moved = memory.x, memory.weight, memory.gathered, memory.moved
    synapse, source, term = program.column_synapse, program.column_source, program.terms[part[PART.post]]
    of, hears = term[TERM.of_at], term[TERM.of] == FACTOR.pre
    takes = part[PART.round] == ROUNDING.stochastic and term[TERM.shift] > 0
    key = step_key(part[PART.post_key], tick)
    met, attempted, changed, words = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for s in range(n):
        j = np.int64(memory.spikes[ring + s])
        first, last = program.column_start[part[PART.column] + j], program.column_start[part[PART.column] + j + 1]
        word, before, lanes = fold(key, j), attempted, splat_32(x[of + j] if not hears else 0)
        for c in range(first, last):
            moved[unsigned(c - first)] = weight[synapse[unsigned(c)]]
        if hears:
            for c in range(first, last):
                gathered[unsigned(c - first)] = x[unsigned(of + source[unsigned(c)])]
        for c in range(first, last, HALF):
            v = load_32(gathered, c - first) if hears else lanes
            after, tried, other = _step(
                part, term, word, load_32(source, c), load_32(moved, c - first), v, min(last - c, HALF)
            )
            store(moved, c - first, after)
            attempted += tried
            changed += other
        for c in range(first, last):
            weight[synapse[unsigned(c)]] = moved[unsigned(c - first)]
        met += last - first
        words += attempted > before
    counts[SPIKE_TALLY.evaluated_post] += met
    counts[SPIKE_TALLY.attempted_post] += attempted
    counts[SPIKE_TALLY.changed] += changed
    counts[SPIKE_TALLY.random_words] += words if takes else 0
    counts[SPIKE_TALLY.random_lanes] += attempted if takes else 0
