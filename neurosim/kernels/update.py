"""Weight updates: outer product, rounding, saturation, counting, in one pass over a row (docs/substrate.md 5 and 6).

Three kernels do the same arithmetic in lanes of 16, 32 and 64 bits. The caller's bound on |code * signal| picks the
narrowest that cannot overflow, so all three give the same bits. Padded columns have signal 0 and stay as they are.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.channel import requantise
from neurosim.kernels.dense import accumulate
from neurosim.kernels.jit import inlined, kernel
from neurosim.kernels.matmul import EXACT_32, TILE_ROWS, update_sums
from neurosim.kernels.rng import fold, lane
from neurosim.kernels.words import above, bitwise_and, rounded, shift_right, shift_right_unsigned

_STOCHASTIC = 3
MATRIX_SAMPLES = 16
"""Samples in a step from which on BLAS may pay."""
MATRIX_DENSITY = 0.3
"""Active share of the presynaptic units from which on it does."""
_LANE = 16
_COUNTABLE = 1 << 14  # columns whose counts surely fit 16 bits


@inlined
def _row_16(weights, i, code, signal, part, xor, multiply, floor_shift, drop, mask, low, high):
    """One row in 16-bit lanes: 0 < shift <= 16 and |code * signal| < 2**15. At most 2**15 columns, for the counts.

    reference: w = clip(w + ((code * signal[j] + u) >> shift)), as floor plus carry: (p >> s) + (u > (2**s - 1 - p % 2**s))
    """
    changed = np.int16(0)
    clipped = np.int16(0)
    for j in range((weights.shape[1] >> 5) << 5):
        u = shift_right_unsigned(np.uint16(np.uint16(part ^ xor[j]) * multiply[j]), drop)
        old = np.int16(weights[i, j])
        product = np.int16(code * signal[j])
        floor = shift_right(product, floor_shift)
        room = bitwise_and(np.uint16(~product), mask)
        new = np.int16(np.int16(old + floor) + np.int16(above(u, room)))
        kept = min(max(new, low), high)
        changed = np.int16(changed + np.int16(kept != old))
        clipped = np.int16(clipped + np.int16(kept != new))
        weights[i, j] = kept
    return changed, clipped


@inlined
def _row_32(weights, i, code, signal, part, xor, multiply, shift, drop, low, high):
    """One row in 32-bit lanes: 0 < shift <= 16 and |code * signal| + 2**shift <= 2**31."""
    changed = np.int32(0)
    clipped = np.int32(0)
    for j in range((weights.shape[1] >> 5) << 5):
        u = np.int32(shift_right_unsigned(np.uint16(np.uint16(part ^ xor[j]) * multiply[j]), drop))
        old = np.int32(weights[i, j])
        new = np.int32(old + shift_right(np.int32(np.int32(code * signal[j]) + u), shift))
        kept = min(max(new, low), high)
        changed = np.int32(changed + np.int32(kept != old))
        clipped = np.int32(clipped + np.int32(kept != new))
        weights[i, j] = kept
    return changed, clipped


@inlined
def _row_32_two_lanes(weights, i, code, signal, part, part_1, xor, multiply, xor_1, multiply_1, shift, low, high):
    """As `_row_32` for 16 < shift <= 30: the random bits come from two lanes."""
    upper, drop = np.int32(1 << (shift - 16)), np.int32(32 - shift)
    changed = np.int32(0)
    clipped = np.int32(0)
    for j in range((weights.shape[1] >> 5) << 5):
        v0 = np.int32(np.uint16(np.uint16(part ^ xor[j]) * multiply[j]))
        v1 = np.int32(np.uint16(np.uint16(part_1 ^ xor_1[j]) * multiply_1[j]))
        u = np.int32(np.int32(v0 * upper) + shift_right(v1, drop))
        old = np.int32(weights[i, j])
        new = np.int32(old + shift_right(np.int32(np.int32(code * signal[j]) + u), shift))
        kept = min(max(new, low), high)
        changed = np.int32(changed + np.int32(kept != old))
        clipped = np.int32(clipped + np.int32(kept != new))
        weights[i, j] = kept
    return changed, clipped


@kernel
def _row_64(weights, i, code, signal, word, xor, multiply, rule):
    """One row in 64-bit lanes: any shift, any rounding, any product below 2**62."""
    shift, mode, low, high = rule
    changed = 0
    clipped = 0
    for j in range(weights.shape[1]):
        product = np.int64(code) * np.int64(signal[j])
        if product != 0:
            u = np.uint64(0)
            if mode == _STOCHASTIC and shift > 0:
                for a in range(4):
                    u = (u << np.uint64(16)) | np.uint64(lane(word, a, xor[a, j], multiply[a, j]))
                u >>= np.uint64(64 - shift)
            old = np.int64(weights[i, j])
            new = old + rounded(product, shift, mode, np.int64(u))
            kept = min(max(new, low), high)
            changed += kept != old
            clipped += kept != new
            weights[i, j] = kept
    return changed, clipped


@kernel
def lanes_needed(largest, shift, mode):
    """The narrowest lanes that hold products up to `largest`: 16, 32 or 64."""
    if mode != _STOCHASTIC or shift <= 0:
        return 64
    if shift <= 16 and largest < 1 << 15:
        return 16
    if shift <= 30 and largest + (1 << shift) <= 1 << 31:
        return 32
    return 64


@kernel
def measure(signal, narrow_signal):
    """Non-zero entries and the largest magnitude of a signal; a copy of it in 16 bits where they hold it."""
    count = np.int32(0)
    largest = np.int32(0)
    for j in range((signal.shape[0] >> 5) << 5):
        y = signal[j]
        count = np.int32(count + np.int32(y != 0))
        largest = max(largest, max(y, np.int32(-y)))
        narrow_signal[j] = np.int16(y)
    return np.int64(count), np.int64(largest)


@kernel
def _rows_16(weights, unit, code, n_events, signal, row_key, mix, rule):
    shift, _, low, high = rule
    xor, multiply = mix[0][0], mix[1][0]
    floor_shift, drop, mask = np.int16(min(shift, 15)), np.uint16(16 - shift), np.uint16((1 << shift) - 1)
    low16, high16 = np.int16(low), np.int16(high)
    changed = np.int64(0)
    clipped = np.int64(0)
    for e in range(n_events):
        i = unit[e]
        part = np.uint16(fold(row_key, i) & np.uint64(0xFFFF))
        a, b = _row_16(
            weights, i, np.int16(code[e]), signal, part, xor, multiply, floor_shift, drop, mask, low16, high16
        )
        changed += a
        clipped += b
    return changed, clipped


@kernel
def _rows_32(weights, unit, code, n_events, signal, row_key, mix, rule):
    shift, _, low, high = rule
    xor, multiply, drop = mix[0][0], mix[1][0], np.uint16(16 - shift)
    low32, high32, shift32 = np.int32(low), np.int32(high), np.int32(shift)
    changed = np.int64(0)
    clipped = np.int64(0)
    for e in range(n_events):
        i = unit[e]
        part = np.uint16(fold(row_key, i) & np.uint64(0xFFFF))
        a, b = _row_32(weights, i, np.int32(code[e]), signal, part, xor, multiply, shift32, drop, low32, high32)
        changed += a
        clipped += b
    return changed, clipped


@kernel
def _rows_32_two_lanes(weights, unit, code, n_events, signal, row_key, mix, rule):
    shift, _, low, high = rule
    xor, multiply, xor_1, multiply_1 = mix[0][0], mix[1][0], mix[0][1], mix[1][1]
    low32, high32, shift32 = np.int32(low), np.int32(high), np.int32(shift)
    changed = np.int64(0)
    clipped = np.int64(0)
    for e in range(n_events):
        i = unit[e]
        word = fold(row_key, i)
        part = np.uint16(word & np.uint64(0xFFFF))
        part_1 = np.uint16((word >> np.uint64(16)) & np.uint64(0xFFFF))
        a, b = _row_32_two_lanes(
            weights,
            i,
            np.int32(code[e]),
            signal,
            part,
            part_1,
            xor,
            multiply,
            xor_1,
            multiply_1,
            shift32,
            low32,
            high32,
        )
        changed += a
        clipped += b
    return changed, clipped


@kernel
def update_online(weights, unit, code, n_events, signal, narrow_signal, largest, row_key, mix, rule):
    """One sample's update of all rows with an event. Returns changed, clipped.

    unit, code: int32[n_events]; signal: int32[stride], narrow_signal: int16[stride], the same where it fits;
    largest: bound of |code * signal|; mix: (xor, multiply), uint16[4, stride]; rule: (shift, rounding, low, high).
    """
    lanes = lanes_needed(largest, rule[0], rule[1])
    if lanes == 16 and weights.shape[1] <= _COUNTABLE:
        return _rows_16(weights, unit, code, n_events, narrow_signal, row_key, mix, rule)
    if lanes <= 32 and rule[0] <= _LANE:
        return _rows_32(weights, unit, code, n_events, signal, row_key, mix, rule)
    if lanes <= 32:
        return _rows_32_two_lanes(weights, unit, code, n_events, signal, row_key, mix, rule)
    changed = np.int64(0)
    clipped = np.int64(0)
    for e in range(n_events):
        a, b = _row_64(weights, unit[e], code[e], signal, fold(row_key, unit[e]), mix[0], mix[1], rule)
        changed += a
        clipped += b
    return changed, clipped


@kernel
def sort_by_row(unit, code, count, n_rows, row_start, row_sample, row_code):
    """Sort a batch's events by row, samples in order within a row (a counting sort).

    unit, code: int32[samples, :]; count: int32[samples]; row_start: int32[n_rows + 1] out; row_sample, row_code: int32 out.
    """
    row_start[: n_rows + 1] = 0
    for b in range(count.shape[0]):
        for e in range(count[b]):
            row_start[unit[b, e] + 1] += 1
    for i in range(n_rows):
        row_start[i + 1] += row_start[i]
    for b in range(count.shape[0]):
        for e in range(count[b]):
            i = unit[b, e]
            at = row_start[i]
            row_sample[at] = b
            row_code[at] = code[b, e]
            row_start[i] = at + 1
    for i in range(n_rows, 0, -1):
        row_start[i] = row_start[i - 1]
    row_start[0] = 0


@kernel
def count_nonzero(sums):
    """How many sums are not 0."""
    count = 0
    for j in range(sums.shape[0]):
        count += sums[j] != 0
    return count


@kernel
def update_batch(weights, signal, scratch, row_key, mix, rule, levels, quantiser, execution):
    """The update of a step of several samples whose events are sorted by row: one exact sum, one rounding, one saturation.

    signal: int32[samples, stride]; quantiser: (number of levels or 0, first threshold, first decoded value);
    execution: 0 as it pays, 1 event by event, 2 by BLAS. Returns attempted, rows, changed, clipped.
    """
    shift, mode, low, high = rule
    n_rows, stride = weights.shape
    sums, wide_sums = scratch.sums[:stride], scratch.wide_sums[:stride]
    start_of, sample_of, code_of = scratch.row_start, scratch.row_sample, scratch.row_code
    xor, multiply, xor_1, multiply_1 = mix[0][0], mix[1][0], mix[0][1], mix[1][1]
    low32, high32, shift32, one = np.int32(low), np.int32(high), np.int32(shift), np.int32(1)
    largest = np.int64(0)
    for b in range(signal.shape[0]):
        largest = max(largest, measure(signal[b], scratch.narrow_signal)[1])
    matrix = quantiser[0] == 0 and _pays(execution, start_of, code_of, n_rows, signal.shape[0], largest)
    room = TILE_ROWS if matrix else 0
    real_signal = signal[: signal.shape[0] if matrix else 0].astype(np.float32)
    activity = np.empty((room, signal.shape[0] if matrix else 0), np.float32)
    product = np.empty((room, stride), np.float32)
    attempted, rows, changed, clipped = 0, 0, np.int64(0), np.int64(0)
    for i in range(n_rows):
        if matrix and i % TILE_ROWS == 0:
            part = min(TILE_ROWS, n_rows - i)
            update_sums(product, activity, real_signal, i, part, start_of, sample_of, code_of)
        start, stop = start_of[i], start_of[i + 1]
        if start == stop:
            continue
        total_code = np.int64(0)
        for e in range(start, stop):
            total_code += abs(np.int64(code_of[e]))
        word = fold(row_key, i)
        lanes = lanes_needed(total_code * largest, shift, mode)
        if lanes <= 32 and quantiser[0] == 0:
            if matrix:
                for j in range((stride >> 5) << 5):
                    sums[j] = np.int32(product[i % TILE_ROWS, j])
            else:
                sums[:] = 0
                accumulate(sums, signal, sample_of[start:stop], code_of[start:stop], stop - start)
            n = np.int32(0)
            for j in range((stride >> 5) << 5):
                n = np.int32(n + np.int32(sums[j] != 0))
            if n > 0:
                part_0 = np.uint16(word & np.uint64(0xFFFF))
                if shift <= _LANE:
                    drop = np.uint16(16 - shift)
                    a, c = _row_32(weights, i, one, sums, part_0, xor, multiply, shift32, drop, low32, high32)
                else:
                    part_1 = np.uint16((word >> np.uint64(16)) & np.uint64(0xFFFF))
                    a, c = _row_32_two_lanes(
                        weights, i, one, sums, part_0, part_1, xor, multiply, xor_1, multiply_1, shift32, low32, high32
                    )
                changed += a
                clipped += c
        else:
            if matrix:
                for j in range(stride):
                    wide_sums[j] = np.int64(product[i % TILE_ROWS, j])
            else:
                _sum_wide(wide_sums, signal, sample_of, code_of, start, stop, levels, quantiser)
            n = np.int32(count_nonzero(wide_sums))
            if n > 0:
                d, f = _row_64(weights, i, np.int64(1), wide_sums, word, mix[0], mix[1], rule)
                changed += d
                clipped += f
        attempted += n
        rows += n > 0
    return attempted, rows, changed, clipped


@kernel
def _pays(execution, start_of, code_of, n_rows, samples, largest):
    """Whether a step's update sums go by BLAS: exact in float32, and dense enough (or asked for)."""
    if execution == 1:
        return False
    events = start_of[n_rows]
    if execution == 0 and (samples < MATRIX_SAMPLES or events < MATRIX_DENSITY * samples * n_rows):
        return False
    most = np.int64(0)
    for i in range(n_rows):
        total = np.int64(0)
        for e in range(start_of[i], start_of[i + 1]):
            total += abs(np.int64(code_of[e]))
        most = max(most, total)
    return most * largest < EXACT_32


@kernel
def _sum_wide(sums, signal, sample_of, code_of, start, stop, levels, quantiser):
    """One row's update sum in 64 bits, each sample's part quantised where the channel says so."""
    n_levels, threshold, decode = quantiser
    sums[:] = 0
    for e in range(start, stop):
        for j in range(sums.shape[0]):
            x = np.int64(code_of[e]) * np.int64(signal[sample_of[e], j])
            if x != 0 and n_levels > 0:
                x = requantise(x, levels, threshold, decode, n_levels)
            sums[j] += x
