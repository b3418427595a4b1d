"""Weight updates: outer product, rounding, saturation, counting, in one pass over a row (docs/substrate.md 5 and 6).

Three kernels do the same arithmetic in lanes of 16, 32 and 64 bits. The caller's bound on |code * signal| picks the
narrowest that cannot overflow, so all three give the same bits. Padded columns have signal 0 and stay as they are.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.channel import quantise
from neurosim.kernels.jit import kernel
from neurosim.kernels.rng import fold, lane
from neurosim.kernels.words import above, bitwise_and, rounded, shift_right, shift_right_unsigned

_STOCHASTIC = 3
_CHUNK = 8192  # columns whose counts surely fit 16 bits


@kernel
def _row_16(weights, i, start, stop, code, signal, word, xor, multiply, shift, low, high):
    """One row in 16-bit lanes: 0 < shift <= 16 and |code * signal| < 2**15.

    reference: w = clip(w + ((code * signal[j] + u) >> shift)), as floor plus carry: (p >> s) + (u > (2**s - 1 - p % 2**s))
    """
    p16, low16, high16 = np.int16(code), np.int16(low), np.int16(high)
    floor_shift, drop = np.int16(min(shift, 15)), np.uint16(16 - shift)
    mask = np.uint16((1 << shift) - 1)
    part = np.uint16(word & np.uint64(0xFFFF))
    changed = np.int16(0)
    clipped = np.int16(0)
    for j in range(start, stop):
        u = shift_right_unsigned(np.uint16(np.uint16(part ^ xor[0, j]) * multiply[0, j]), drop)
        old = np.int16(weights[i, j])
        product = np.int16(p16 * signal[j])
        floor = shift_right(product, floor_shift)
        room = bitwise_and(np.uint16(~product), mask)
        new = np.int16(np.int16(old + floor) + np.int16(above(u, room)))
        kept = min(max(new, low16), high16)
        changed = np.int16(changed + np.int16(kept != old))
        clipped = np.int16(clipped + np.int16(kept != new))
        weights[i, j] = kept
    return np.int64(changed), np.int64(clipped)


@kernel
def _row_32(weights, i, code, signal, word, xor, multiply, shift, low, high):
    """One row in 32-bit lanes: 0 < shift <= 16 and |code * signal| + 2**shift <= 2**31."""
    p32, low32, high32 = np.int32(code), np.int32(low), np.int32(high)
    shift32, drop = np.int32(shift), np.uint16(16 - shift)
    part = np.uint16(word & np.uint64(0xFFFF))
    changed = np.int32(0)
    clipped = np.int32(0)
    for j in range((weights.shape[1] >> 5) << 5):
        u = np.int32(shift_right_unsigned(np.uint16(np.uint16(part ^ xor[0, j]) * multiply[0, j]), drop))
        old = np.int32(weights[i, j])
        new = np.int32(old + shift_right(np.int32(np.int32(p32 * signal[j]) + u), shift32))
        kept = min(max(new, low32), high32)
        changed = np.int32(changed + np.int32(kept != old))
        clipped = np.int32(clipped + np.int32(kept != new))
        weights[i, j] = kept
    return np.int64(changed), np.int64(clipped)


@kernel
def _row_32_two_lanes(weights, i, code, signal, word, xor, multiply, shift, low, high):
    """As `_row_32` for 16 < shift <= 30: the random bits come from two lanes."""
    p32, low32, high32 = np.int32(code), np.int32(low), np.int32(high)
    shift32, drop = np.int32(shift), np.int32(32 - shift)
    part_0 = np.uint16(word & np.uint64(0xFFFF))
    part_1 = np.uint16((word >> np.uint64(16)) & np.uint64(0xFFFF))
    upper = np.int32(shift - 16)
    changed = np.int32(0)
    clipped = np.int32(0)
    for j in range((weights.shape[1] >> 5) << 5):
        v0 = np.int32(np.uint16(np.uint16(part_0 ^ xor[0, j]) * multiply[0, j]))
        v1 = np.int32(np.uint16(np.uint16(part_1 ^ xor[1, j]) * multiply[1, j]))
        u = np.int32(np.int32(v0 * np.int32(1 << upper)) + shift_right(v1, drop))
        old = np.int32(weights[i, j])
        new = np.int32(old + shift_right(np.int32(np.int32(p32 * signal[j]) + u), shift32))
        kept = min(max(new, low32), high32)
        changed = np.int32(changed + np.int32(kept != old))
        clipped = np.int32(clipped + np.int32(kept != new))
        weights[i, j] = kept
    return np.int64(changed), np.int64(clipped)


@kernel
def _row_64(weights, i, code, signal, word, xor, multiply, shift, mode, low, high):
    """One row in 64-bit lanes: any shift, any rounding, any product below 2**62."""
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
def update_row(weights, i, code, signal, narrow_signal, word, xor, multiply, shift, mode, low, high, lanes):
    """Update row i by code * signal; returns how many weights changed and how many were clipped."""
    if lanes == 16:
        changed = np.int64(0)
        clipped = np.int64(0)
        n = (weights.shape[1] >> 5) << 5
        for start in range(0, n, _CHUNK):
            stop = min(n, start + _CHUNK)
            a, b = _row_16(weights, i, start, stop, code, narrow_signal, word, xor, multiply, shift, low, high)
            changed += a
            clipped += b
        return changed, clipped
    if lanes == 32 and shift <= 16:
        return _row_32(weights, i, code, signal, word, xor, multiply, shift, low, high)
    if lanes == 32:
        return _row_32_two_lanes(weights, i, code, signal, word, xor, multiply, shift, low, high)
    return _row_64(weights, i, code, signal, word, xor, multiply, shift, mode, low, high)


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
def update_online(weights, unit, code, n_events, signal, narrow_signal, largest, largest_code, row_key, mix, rule):
    """One sample's update of all rows with an event. Returns changed, clipped.

    unit, code: int32[n_events]; signal: int32[stride]; mix: (xor, multiply); rule: (shift, rounding, low, high).
    """
    shift, mode, low, high = rule
    lanes = lanes_needed(largest * largest_code, shift, mode)
    changed = np.int64(0)
    clipped = np.int64(0)
    for e in range(n_events):
        i = unit[e]
        word = fold(row_key, i)
        a, b = update_row(
            weights, i, code[e], signal, narrow_signal, word, mix[0], mix[1], shift, mode, low, high, lanes
        )
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
    """Non-zero entries and the largest magnitude of int32 or int64 sums."""
    count = 0
    largest = np.int64(0)
    for j in range(sums.shape[0]):
        count += sums[j] != 0
        largest = max(largest, abs(np.int64(sums[j])))
    return count, largest


@kernel
def add_quantised(sums, code, signal, levels, threshold, decode, n_levels):
    """Add each sample's quantised update. reference: sums[j] += q(code * signal[j])"""
    for j in range(signal.shape[0]):
        x = np.int64(code) * np.int64(signal[j])
        if x != 0:
            k = quantise(abs(x), levels, threshold, n_levels)
            if k >= 0:
                sums[j] += levels[decode + k] if x > 0 else -levels[decode + k]
