"""Weight updates: outer product, rounding, saturation, counting, in one pass over a row (docs/substrate.md 5 and 6).

Rows in lanes of 16, 32 and 64 bits do the same arithmetic. The caller's bounds pick the narrowest lanes that cannot
overflow, so all give the same bits. Padded columns have signal 0 and stay as they are.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.channel import requantise
from neurosim.kernels.dense import accumulate, accumulate_words
from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    add,
    add_where_above,
    bit_and,
    count_different,
    largest_magnitude,
    load_16,
    load_32,
    maximum,
    minimum,
    multiply,
    multiply_high,
    numbers_16,
    numbers_32,
    shift_right,
    shift_right_unsigned,
    splat_16,
    splat_32,
    store,
    subtract,
)
from neurosim.kernels.matmul import EXACT_32, TILE, float_block, update_sums
from neurosim.kernels.registers import EXECUTION, LANES, ROUNDING
from neurosim.kernels.rng import column_bits, fold
from neurosim.kernels.words import rounded

_UPPER = np.uint64(32)
_HIGHEST_16, _HIGHEST_32 = (1 << 15) - 1, (1 << 31) - 1
_WORDS = 1 << 17  # more than any weight and its change in 32-bit lanes
MATRIX_SAMPLES = 16
"""Samples in a step from which on BLAS may pay."""
MATRIX_DENSITY = 0.75
"""Active share of the presynaptic units from which on it does."""
MATRIX_WORDS = 1 << 22
"""Weights from which on it does: smaller memories stay in the cache, where events are as fast."""


@inner
def measure(signal, start, columns):
    """(Non-zero entries, the largest magnitude) of signal[start : start + columns], int32[:]."""
    zero = splat_32(0)
    count, most = 0, splat_32(0)
    for j in range(start, start + columns, HALF):
        y = load_32(signal, j)
        count += count_different(y, zero)
        most = maximum(most, maximum(y, subtract(zero, y)))
    return count, largest_magnitude(most)


@inlined
def fits_16(largest_code, largest, rule):
    """Whether products can be split by 16-bit multiplications: see `rows_16`."""
    shift, mode, low, high = rule
    if mode != ROUNDING.stochastic or shift <= 0 or shift > 16 or largest_code > _HIGHEST_16:
        return False
    return (
        largest << (16 - shift) <= _HIGHEST_16
        and ((largest * largest_code) >> shift) + 2 + max(high, -low) <= _HIGHEST_16
    )


@inlined
def fits_32(largest, rule):
    """Whether sums up to `largest` can be rounded in 32-bit lanes."""
    shift = rule[0]
    return -16 <= shift <= 30 and (largest << max(-shift, 0)) + (1 << max(shift, 0)) <= _HIGHEST_32 - _WORDS


@inner
def rows_16(weights, first, stride, columns, unit, code, start, n, signal, row_key, rule):
    """One sample's update of the rows of its events. Returns (changed, clipped).

    signal: int16[stride], the local signals times 2**(16 - shift). So the upper half of a 32-bit product is
    floor(code * y / 2**shift) and the lower half the fraction; the fraction plus u carries where it exceeds ~u.
    """
    lowest, highest, column = splat_16(rule[2]), splat_16(rule[3]), numbers_16()
    changed, clipped = 0, 0
    for e in range(start, start + n):
        i = unit[e]
        at = first + i * stride
        word = fold(row_key, i)
        c, step = splat_16(code[e]), np.int64(word >> _UPPER)
        not_u = subtract(splat_16(~np.int64(word)), multiply(splat_16(step), column))
        on = splat_16(step * LANES)
        for j in range(0, columns, LANES):
            y, old = load_16(signal, j), load_16(weights, at + j)
            new = add_where_above(add(old, multiply_high(c, y)), multiply(c, y), not_u)
            kept = maximum(minimum(new, highest), lowest)
            changed += count_different(kept, old)
            clipped += count_different(kept, new)
            store(weights, at + j, kept)
            not_u = subtract(not_u, on)
    return changed, clipped


@inlined
def row_32(weights, at, columns, c, signal, from_, word, rule):
    """One row in 32-bit lanes, any rounding: w + ((c * y + u) >> shift), u random or what the rounding adds."""
    shift, mode, low, high = rule
    lowest, highest, places = splat_32(low), splat_32(high), splat_32(max(shift, 0))
    changed, clipped = 0, 0
    if mode == ROUNDING.stochastic and shift > 0:
        begin, step = np.int64(word), np.int64(word >> _UPPER)
        if shift <= 16:  # the same sequence modulo 2**16, in the upper half of a lane
            begin, step = begin << 16, step << 16
        u = add(splat_32(begin), multiply(splat_32(step), numbers_32()))
        on, drop = splat_32(step * HALF), splat_32(32 - shift)
        for j in range(0, columns, HALF):
            old = load_32(weights, at + j)
            product = multiply(c, load_32(signal, from_ + j))
            new = add(old, shift_right(add(product, shift_right_unsigned(u, drop)), places))
            kept = maximum(minimum(new, highest), lowest)
            changed += count_different(kept, old)
            clipped += count_different(kept, new)
            store(weights, at + j, kept)
            u = add(u, on)
        return changed, clipped
    to_nearest, to_zero = mode == ROUNDING.nearest and shift > 0, mode == ROUNDING.zero and shift > 0
    half, odd = splat_32((1 << (max(shift, 1) - 1)) - 1 if to_nearest else 0), splat_32(1 if to_nearest else 0)
    below, sign = splat_32((1 << shift) - 1 if to_zero else 0), splat_32(31)
    for j in range(0, columns, HALF):
        old = load_32(weights, at + j)
        product = multiply(c, load_32(signal, from_ + j))
        added = add(half, bit_and(shift_right(product, places), odd))
        added = add(added, bit_and(shift_right(product, sign), below))
        new = add(old, shift_right(add(product, added), places))
        kept = maximum(minimum(new, highest), lowest)
        changed += count_different(kept, old)
        clipped += count_different(kept, new)
        store(weights, at + j, kept)
    return changed, clipped


@inner
def rows_32(weights, first, stride, columns, unit, code, start, n, signal, from_, row_key, rule):
    """One sample's update of the rows of its events. signal: int32[:], from `from_` on. Returns (changed, clipped)."""
    changed, clipped = 0, 0
    left = max(-rule[0], 0)
    for e in range(start, start + n):
        i = unit[e]
        c = splat_32(np.int64(code[e]) << left)
        a, b = row_32(weights, first + i * stride, columns, c, signal, from_, fold(row_key, i), rule)
        changed += a
        clipped += b
    return changed, clipped


@inner
def row_64(weights, at, columns, code, signal, from_, word, rule):
    """One row in 64-bit lanes: any shift, any rounding, any product below 2**62. Returns (changed, clipped)."""
    shift, mode, low, high = rule
    changed, clipped = 0, 0
    for j in range(columns):
        product = np.int64(code) * np.int64(signal[from_ + j])
        if product != 0:
            u = column_bits(word, j, shift) if mode == ROUNDING.stochastic and shift > 0 else np.int64(0)
            old = np.int64(weights[at + j])
            new = old + rounded(product, shift, mode, u)
            kept = min(max(new, low), high)
            changed += kept != old
            clipped += kept != new
            weights[at + j] = kept
    return changed, clipped


@inner
def update_online(
    weights, first, stride, columns, unit, code, start, n, largest_code, signal, from_, largest, narrow, row_key, rule
):
    """One sample's update of all rows with an event. Returns (changed, clipped).

    columns: of the row's `stride`, those in use; signal: int32[:], `columns` of them from `from_` on, up to `largest`;
    narrow: int16[stride], room.
    """
    if fits_16(largest_code, largest, rule):
        factor = splat_16(1 << (16 - rule[0]))
        for j in range(0, columns, LANES):
            store(narrow, j, multiply(load_16(signal, from_ + j), factor))
        return rows_16(weights, first, stride, columns, unit, code, start, n, narrow, row_key, rule)
    if fits_32(largest_code * largest, rule):
        return rows_32(weights, first, stride, columns, unit, code, start, n, signal, from_, row_key, rule)
    changed, clipped = 0, 0
    for e in range(start, start + n):
        i = unit[e]
        a, b = row_64(weights, first + i * stride, columns, code[e], signal, from_, fold(row_key, i), rule)
        changed += a
        clipped += b
    return changed, clipped


@inner
def sort_by_row(unit, code, start, count, n_rows, row_start, row_sample, row_code):
    """Sort a step's events by row, samples in order within a row.

    unit, code: int32[samples, :], from `start` on; count: int32[samples]; row_start: int32[n_rows + 1] out; row_sample,
    row_code: int32 out. Where most units are active every sample gets a place in every row, code 0 where it was silent:
    one store an event. Elsewhere it is a counting sort.
    """
    samples = count.shape[0]
    if 2 * count.sum() > n_rows * samples:
        for i in range(n_rows + 1):
            row_start[i] = i * samples
        for i in range(0, n_rows * samples, samples):
            for b in range(samples):
                row_sample[i + b], row_code[i + b] = b, 0
        for b in range(samples):
            units, codes = unit[b], code[b]
            for e in range(start, start + count[b]):
                row_code[units[e] * samples + b] = codes[e]
        return
    for i in range(n_rows + 1):
        row_start[i] = 0
    for b in range(samples):
        units = unit[b]
        for e in range(start, start + count[b]):
            row_start[units[e] + 1] += 1
    for i in range(n_rows):
        row_start[i + 1] += row_start[i]
    for b in range(samples):
        units, codes = unit[b], code[b]
        for e in range(start, start + count[b]):
            i = units[e]
            at = row_start[i]
            row_sample[at], row_code[at] = b, codes[e]
            row_start[i] = at + 1
    for i in range(n_rows, 0, -1):
        row_start[i] = row_start[i - 1]
    row_start[0] = 0


@inlined
def _code_sum(code, start, stop):
    found = np.int64(0)
    for e in range(start, stop):
        found += abs(np.int64(code[e]))
    return found


@inner
def by_matrix(execution, row_start, row_code, n_rows, stride, samples, largest):
    """Whether a step's update sums go by BLAS: exact in float32, and where it pays (or is asked for)."""
    if execution == EXECUTION.event or samples * stride > TILE:
        return False
    events = row_start[n_rows]
    worth = (
        samples >= MATRIX_SAMPLES and n_rows * stride >= MATRIX_WORDS and events >= MATRIX_DENSITY * samples * n_rows
    )
    if execution == EXECUTION.auto and not worth:
        return False
    most = np.int64(0)
    for i in range(n_rows):
        most = max(most, _code_sum(row_code, row_start[i], row_start[i + 1]))
    return most * largest < EXACT_32


@inner
def update_batch(
    weights, first, stride, columns, n_rows, samples, largest_code, largest, scratch, row_key, rule, levels, quantiser,
    execution,
):  # fmt: skip
    """The update of a step of several samples whose events are sorted by row: one exact sum, one rounding, one saturation.

    The local signals stand in scratch.block, int32[samples * stride], and, where they fit, in narrow_block, int16;
    quantiser: (number of levels or 0, first threshold, first decoded value); execution: 0 as it pays, 1 event by event,
    2 by BLAS. Returns (attempted, rows, changed, clipped).
    """
    row_start, row_sample, row_code = scratch.row_start, scratch.row_sample, scratch.row_code
    sums, wide_sums = scratch.sums, scratch.wide_sums
    quantised, narrow = quantiser[0] > 0, largest <= _HIGHEST_16 and largest_code <= _HIGHEST_16
    matrix = not quantised and by_matrix(execution, row_start, row_code, n_rows, stride, samples, largest)
    tile_rows = TILE // max(samples, stride)
    if matrix:
        float_block(scratch.tile_a, scratch.block, samples * stride)
    attempted, rows, changed, clipped = 0, 0, 0, 0
    zero, one = splat_32(0), splat_32(1 << max(-rule[0], 0))
    for i in range(n_rows):
        if matrix and i % tile_rows == 0:
            part = min(tile_rows, n_rows - i)
            signal = scratch.tile_a[: samples * stride].reshape((samples, stride))
            activity = scratch.tile_b[: part * samples].reshape((part, samples))
            product = scratch.tile_c[: part * stride].reshape((part, stride))
            update_sums(product, activity, signal, i, part, row_start, row_sample, row_code)
        start, stop = np.int64(row_start[i]), np.int64(row_start[i + 1])
        if start == stop:
            continue
        word, at = fold(row_key, i), first + i * stride
        bound = (stop - start) * largest_code * largest
        if not quantised and not fits_32(bound, rule):
            bound = _code_sum(row_code, start, stop) * largest
        if not quantised and fits_32(bound, rule):
            if matrix:
                row = (i % tile_rows) * stride
                for j in range(stride):
                    sums[j] = np.int32(scratch.tile_c[row + j])
            elif narrow:
                accumulate(sums, scratch.narrow_block, 0, stride, row_sample, row_code, start, stop - start)
            else:
                accumulate_words(sums, scratch.block, 0, stride, row_sample, row_code, start, stop - start)
            n = 0
            for j in range(0, columns, HALF):
                n += count_different(load_32(sums, j), zero)
            if n > 0:
                a, b = row_32(weights, at, columns, one, sums, 0, word, rule)
                changed += a
                clipped += b
        else:
            _sum_wide(wide_sums, scratch.block, stride, row_sample, row_code, start, stop, levels, quantiser)
            n = 0
            for j in range(columns):
                n += wide_sums[j] != 0
            if n > 0:
                a, b = row_64(weights, at, columns, 1, wide_sums, 0, word, rule)
                changed += a
                clipped += b
        attempted += n
        rows += n > 0
    return attempted, rows, changed, clipped


@inner
def _sum_wide(sums, signal, stride, row_sample, row_code, start, stop, levels, quantiser):
    """One row's update sum in 64 bits, each sample's part quantised where the channel says so."""
    n_levels, threshold, decode = quantiser
    for j in range(stride):
        sums[j] = 0
    for e in range(start, stop):
        at = np.int64(row_sample[e]) * stride
        for j in range(stride):
            x = np.int64(row_code[e]) * np.int64(signal[at + j])
            if x != 0 and n_levels > 0:
                x = requantise(x, levels, threshold, decode, n_levels)
            sums[j] += x
