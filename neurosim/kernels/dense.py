"""Synaptic sums of a dense crossbar: events times rows, and rows times a vector (docs/substrate.md 2 and 3)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import kernel


@kernel
def accumulate(sums, weights, unit, code, n_events):
    """Add the rows of `n_events` events to the sums. reference: sums[j] += code[e] * weights[unit[e], j]

    sums: int32[stride] or int64[stride]; weights: int8 or int16[rows, stride]; unit, code: int32[n_events].
    Four rows at a time, so that sums are loaded and stored once for four multiplications.
    """
    one = sums.dtype.type
    n = (weights.shape[1] >> 5) << 5
    e = 0
    while e + 4 <= n_events:
        i0, i1, i2, i3 = unit[e], unit[e + 1], unit[e + 2], unit[e + 3]
        p0, p1, p2, p3 = one(code[e]), one(code[e + 1]), one(code[e + 2]), one(code[e + 3])
        for j in range(n):
            sums[j] = one(
                sums[j]
                + p0 * one(weights[i0, j])
                + p1 * one(weights[i1, j])
                + p2 * one(weights[i2, j])
                + p3 * one(weights[i3, j])
            )
        e += 4
    while e < n_events:
        i0, p0 = unit[e], one(code[e])
        for j in range(n):
            sums[j] = one(sums[j] + p0 * one(weights[i0, j]))
        e += 1


@kernel
def row_products(sums, weights, vector, n_rows):
    """The transposed product. reference: sums[i] = sum_j weights[i, j] * vector[j]

    sums: int64[n_rows]; weights: int8 or int16[rows, stride]; vector: int64[stride].
    """
    for i in range(n_rows):
        total = np.int64(0)
        for j in range(weights.shape[1]):
            total += np.int64(weights[i, j]) * vector[j]
        sums[i] = total


@kernel
def gather(codes, unit, code):
    """List the non-zero codes as events, in the order of their units; returns how many.

    codes: integers [n]; unit, code: int32[at least n + 1].
    """
    n = 0
    for i in range(codes.shape[0]):
        c = codes[i]
        unit[n] = i
        code[n] = c
        n += c != 0
    return n
