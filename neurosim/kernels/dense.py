"""Synaptic sums of a dense crossbar: events times rows, and rows times a vector (docs/substrate.md 2 and 3)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    add,
    load_16,
    load_32,
    lowest_bit,
    multiply,
    nonzero_bits,
    numbers_32,
    splat_32,
    store,
    total,
)
from neurosim.kernels.pairs import add_pairs_high, add_pairs_low, add_products, columns_0, columns_1, no_sums, pair
from neurosim.kernels.registers import LANES


@inner
def accumulate(sums, weights, first, stride, unit, code, start, n):
    """The sums of n events. reference: sums[j] = sum_e code[start + e] * weights[first + unit[start + e] * stride + j]

    sums: int32[stride or more] out; weights: int8 or int16[:], rows of `stride` columns from `first` on; unit, code:
    int32[:], codes within 16 bits. Two events at a time, the sums of 64 columns in registers.
    """
    j = 0
    while j + 2 * LANES <= stride:
        a_low, a_high, b_low, b_high = no_sums(), no_sums(), no_sums(), no_sums()
        for e in range(start, start + n - 1, 2):
            p, q = first + unit[e] * stride + j, first + unit[e + 1] * stride + j
            factors = pair(code[e], code[e + 1])
            x, y = load_16(weights, p), load_16(weights, q)
            a_low, a_high = add_pairs_low(a_low, x, y, factors), add_pairs_high(a_high, x, y, factors)
            x, y = load_16(weights, p + LANES), load_16(weights, q + LANES)
            b_low, b_high = add_pairs_low(b_low, x, y, factors), add_pairs_high(b_high, x, y, factors)
        if n & 1:
            e = start + n - 1
            p = first + unit[e] * stride + j
            factors = pair(code[e], 0)
            x = load_16(weights, p)
            a_low, a_high = add_pairs_low(a_low, x, x, factors), add_pairs_high(a_high, x, x, factors)
            x = load_16(weights, p + LANES)
            b_low, b_high = add_pairs_low(b_low, x, x, factors), add_pairs_high(b_high, x, x, factors)
        store(sums, j, columns_0(a_low, a_high))
        store(sums, j + HALF, columns_1(a_low, a_high))
        store(sums, j + LANES, columns_0(b_low, b_high))
        store(sums, j + LANES + HALF, columns_1(b_low, b_high))
        j += 2 * LANES
    if j < stride:
        low, high = no_sums(), no_sums()
        for e in range(start, start + n - 1, 2):
            x, y = load_16(weights, first + unit[e] * stride + j), load_16(weights, first + unit[e + 1] * stride + j)
            factors = pair(code[e], code[e + 1])
            low, high = add_pairs_low(low, x, y, factors), add_pairs_high(high, x, y, factors)
        if n & 1:
            e = start + n - 1
            x, factors = load_16(weights, first + unit[e] * stride + j), pair(code[e], 0)
            low, high = add_pairs_low(low, x, x, factors), add_pairs_high(high, x, x, factors)
        store(sums, j, columns_0(low, high))
        store(sums, j + HALF, columns_1(low, high))


@inner
def accumulate_words(sums, words, first, stride, unit, code, start, n):
    """The same for rows of 32-bit words. words: int32[:]; sums: int32[:] out."""
    for j in range(0, stride, HALF):
        found = splat_32(0)
        for e in range(start, start + n):
            row = load_32(words, first + unit[e] * stride + j)
            found = add(found, multiply(splat_32(code[e]), row))
        store(sums, j, found)


@inner
def accumulate_wide(sums, weights, first, stride, unit, code, start, n):
    """The same where 32 bits may not hold a sum, or 16 a code. sums: int64[stride or more] out."""
    for j in range(stride):
        sums[j] = 0
    for e in range(start, start + n):
        at, c = first + unit[e] * stride, np.int64(code[e])
        for j in range(stride):
            sums[j] += c * np.int64(weights[at + j])


@inner
def row_products(sums, weights, first, stride, vector, n_rows):
    """The transposed product. reference: sums[i] = sum_j weights[first + i * stride + j] * vector[j]

    sums: int32[n_rows] out; vector: int16[stride].
    """
    for i in range(n_rows):
        at = first + i * stride
        found = no_sums()
        for j in range(0, stride, LANES):
            found = add_products(found, load_16(weights, at + j), load_16(vector, j))
        sums[i] = total(found)


@inner
def row_products_wide(sums, weights, first, stride, vector, n_rows):
    """The same where 32 bits may not hold a sum. sums: int64[n_rows] out."""
    for i in range(n_rows):
        at, found = first + i * stride, np.int64(0)
        for j in range(stride):
            found += np.int64(weights[at + j]) * np.int64(vector[j])
        sums[i] = found


_ALL = (1 << LANES) - 1


@inlined
def _note(codes, at, i, unit, code, to, tallied, first):
    unit[to] = i
    code[to] = codes[at + i]
    tallied[first + i] += 1


@inner
def gather(codes, at, n, unit, code, start, tallied, first):
    """List the non-zero codes of codes[at : at + n] as events, in the order of their units; returns how many.

    codes: integers; unit, code: int32[:], filled from `start` on; tallied[first + unit] counts events by unit.
    """
    to, i = start, 0
    while i + LANES <= n:
        bits = nonzero_bits(codes, at + i)
        if bits == _ALL:
            for k in range(0, LANES, HALF):
                store(unit, to + k, add(numbers_32(), splat_32(i + k)))
                store(code, to + k, load_32(codes, at + i + k))
            for k in range(first + i, first + i + LANES):
                tallied[k] += 1
            to, bits = to + LANES, 0
        while bits != 0:
            _note(codes, at, i + lowest_bit(bits), unit, code, to, tallied, first)
            bits &= bits - 1
            to += 1
        i += LANES
    while i < n:
        if codes[at + i] != 0:
            _note(codes, at, i, unit, code, to, tallied, first)
            to += 1
        i += 1
    return to - start
