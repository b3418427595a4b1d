"""Convolutions, forward, with max-pooling (docs/substrate.md 9).

Maps are channel-last, so the events of neighbouring positions of a row follow one another, as the rows of the kernel for
neighbouring columns of its window do: a window's sum is one stretch of events a row of the window. The way back (`conv_back`) is the
same sum over signals with a turned kernel, whose rows are the senders.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    bit_and,
    count_different,
    first_lanes,
    load_16,
    load_32,
    look_up,
    maximum,
    minimum,
    shift_right,
    splat_32,
    store,
    where_above,
)
from neurosim.kernels.pairs import add_pairs_high, add_pairs_low, columns_0, columns_1, no_sums, pair
from neurosim.kernels.registers import HEALTH, LANES, LAYER, MAP
from neurosim.kernels.words import nearest, nearest_terms, rounded

_NONE = np.int64(0)  # a plain 0 would have its kernel compiled once more, for that constant


@inner
def sum_pieces(sums, at, weights, columns, pitch, unit, code, pieces, n):
    """Sums of n stretches of events. reference: sums[at + j] = sum_e code[e] * weights[first + unit[e] * pitch + j]

    sums: int32[:], `columns` of them out, whole vectors; weights: int8 or int16[:]; pieces: int64[n, 3], each (first,
    start, stop): the events from start to stop, whose rows stand from `first` on. As `dense.accumulate`.
    """
    j = 0
    while j + 2 * LANES <= columns:
        a_low, a_high, b_low, b_high = no_sums(), no_sums(), no_sums(), no_sums()
        for piece in range(n):
            first, start, stop = pieces[piece, 0] + j, pieces[piece, 1], pieces[piece, 2]
            for e in range(start, stop - 1, 2):
                p, q = first + unit[e] * pitch, first + unit[e + 1] * pitch
                factors = pair(code[e], code[e + 1])
                x, y = load_16(weights, p), load_16(weights, q)
                a_low, a_high = add_pairs_low(a_low, x, y, factors), add_pairs_high(a_high, x, y, factors)
                x, y = load_16(weights, p + LANES), load_16(weights, q + LANES)
                b_low, b_high = add_pairs_low(b_low, x, y, factors), add_pairs_high(b_high, x, y, factors)
            if (stop - start) & 1:
                p = first + unit[stop - 1] * pitch
                factors = pair(code[stop - 1], 0)
                x = load_16(weights, p)
                a_low, a_high = add_pairs_low(a_low, x, x, factors), add_pairs_high(a_high, x, x, factors)
                x = load_16(weights, p + LANES)
                b_low, b_high = add_pairs_low(b_low, x, x, factors), add_pairs_high(b_high, x, x, factors)
        store(sums, at + j, columns_0(a_low, a_high))
        store(sums, at + j + HALF, columns_1(a_low, a_high))
        store(sums, at + j + LANES, columns_0(b_low, b_high))
        store(sums, at + j + LANES + HALF, columns_1(b_low, b_high))
        j += 2 * LANES
    if j < columns:
        low, high = no_sums(), no_sums()
        for piece in range(n):
            first, start, stop = pieces[piece, 0] + j, pieces[piece, 1], pieces[piece, 2]
            for e in range(start, stop - 1, 2):
                x, y = load_16(weights, first + unit[e] * pitch), load_16(weights, first + unit[e + 1] * pitch)
                factors = pair(code[e], code[e + 1])
                low, high = add_pairs_low(low, x, y, factors), add_pairs_high(high, x, y, factors)
            if (stop - start) & 1:
                x, factors = load_16(weights, first + unit[stop - 1] * pitch), pair(code[stop - 1], 0)
                low, high = add_pairs_low(low, x, x, factors), add_pairs_high(high, x, x, factors)
        store(sums, at + j, columns_0(low, high))
        store(sums, at + j + HALF, columns_1(low, high))


@inner
def sum_pieces_wide(sums, at, weights, columns, pitch, unit, code, pieces, n):
    """The same where 32 bits may not hold a sum, or 16 a code. sums: int64[:], `columns` of them out."""
    for j in range(at, at + columns):
        sums[j] = 0
    for piece in range(n):
        first = pieces[piece, 0]
        for e in range(pieces[piece, 1], pieces[piece, 2]):
            row, c = first + unit[e] * pitch, np.int64(code[e])
            for j in range(columns):
                sums[at + j] += c * np.int64(weights[row + j])


@inner
def begin_positions(unit, start, n, depth, positions, starts):
    """Where the events of each position begin in a list sorted by unit. starts: int32[positions + 1] out."""
    e, end, limit = start, start + n, depth
    for p in range(positions):
        starts[p] = e
        if e + depth <= end and unit[e + depth - 1] == limit - 1:  # all of them
            e += depth
        else:
            while e < end and unit[e] < limit:
                e += 1
        limit += depth
    starts[positions] = e


@inlined
def _list_window(registers, m, starts, pieces, y, x):
    """The pieces of one position's window, and how many events it holds."""
    width, depth, kernel_size, pitch = m[MAP.width], m[MAP.depth], m[MAP.kernel], registers[LAYER.stride]
    above, before = y * m[MAP.step] - m[MAP.top], x * m[MAP.step] - m[MAP.left]
    begin, end = max(before, 0), min(before + kernel_size, width)
    n, held = 0, np.int64(0)
    for dy in range(max(-above, 0), min(kernel_size, m[MAP.height] - above)):
        row = (above + dy) * width
        start, stop = np.int64(starts[row + begin]), np.int64(starts[row + end])
        if start < stop:
            pieces[n, 0] = registers[LAYER.weight] + (dy * kernel_size - row - before) * depth * pitch
            pieces[n, 1], pieces[n, 2] = start, stop
            held += stop - start
            n += 1
    return n, held


@inner
def _entries(program, registers, m, sums, entries, at):
    """Table entries of one position's neurons, from sums of any width. Returns how many addresses were clipped."""
    clipped = 0
    table = registers[LAYER.table] - registers[LAYER.address_low]
    for j in range(m[MAP.channels]):
        exact = rounded(np.int64(sums[j]), registers[LAYER.address_shift], registers[LAYER.address_round], np.int64(0))
        a = min(max(exact, registers[LAYER.address_low]), registers[LAYER.address_high])
        clipped += a != exact
        entries[at + j] = program.tables[table + a]
    return clipped


@inlined
def _entries_32(program, registers, m, sums, entries, at):
    """The same in 32-bit lanes, rounding to nearest."""
    a, c, d, e = nearest_terms(registers[LAYER.address_shift])
    factor, bias, odd, shift = splat_32(a), splat_32(c), splat_32(d), splat_32(e)
    low, high = splat_32(registers[LAYER.address_low]), splat_32(registers[LAYER.address_high])
    table, clipped = registers[LAYER.table] - registers[LAYER.address_low], 0
    for j in range(0, m[MAP.channels], HALF):
        exact = nearest(load_32(sums, j), factor, bias, odd, shift)
        found = minimum(maximum(exact, low), high)
        clipped += count_different(found, exact)
        store(entries, at + j, look_up(program.tables, table, found))
    return clipped


@inlined
def _pool(scratch, maps, registers, m, b):
    """Max-pooling of the table entries: codes, derivatives and winning positions of the units that the layer emits."""
    channels, stride, width = m[MAP.channels], registers[LAYER.stride], m[MAP.map_width]
    to, winner_to = registers[LAYER.code], m[MAP.winner]
    code, slope, winner, entries = scratch.code[b], scratch.slope[b], maps.winner[b], maps.entries
    places, derivative = splat_32(8), splat_32(0xFF)
    for v in range(m[MAP.out_height]):
        above = v * m[MAP.pool_step] - m[MAP.pool_top]
        y_begin, y_end = max(above, 0), min(above + m[MAP.pool], m[MAP.map_height])
        for w in range(m[MAP.out_width]):
            before = w * m[MAP.pool_step] - m[MAP.pool_left]
            x_begin, x_end = max(before, 0), min(before + m[MAP.pool], width)
            for j in range(0, channels, HALF):
                first = y_begin * width + x_begin
                best, where = load_32(entries, first * stride + j), splat_32(first)
                most = shift_right(best, places)
                for y in range(y_begin, y_end):
                    for p in range(y * width + x_begin, y * width + x_end):
                        entry = load_32(entries, p * stride + j)
                        found = shift_right(entry, places)
                        best = where_above(found, most, entry, best)
                        where = where_above(found, most, splat_32(p), where)
                        most = maximum(most, found)
                store(code, to + j, first_lanes(most, channels - j))
                store(slope, to + j, first_lanes(bit_and(best, derivative), channels - j))
                store(winner, winner_to + j, where)
            to += channels
            winner_to += channels


@inner
def forward_map(program, memory, scratch, tally, maps, layer, b):
    """One convolution of one sample, whose events have been listed: sums, addresses, codes, pooling."""
    registers, m = program.layers[layer], maps.registers[layer]
    start, stride, pieces = registers[LAYER.event], registers[LAYER.stride], maps.pieces
    unit, code, reach = scratch.event_unit[b], scratch.event_code[b], maps.reach[b]
    n, biased = np.int64(scratch.event_count[layer, b]), registers[LAYER.bias_code] > 0
    begin_positions(unit, start, n - biased, m[MAP.depth], m[MAP.height] * m[MAP.width], maps.starts)
    bias_row = m[MAP.kernel] * m[MAP.kernel] * m[MAP.depth]
    narrow, wide, at, clipped = registers[LAYER.address_narrow] != 0, registers[LAYER.sum_wide] != 0, 0, 0
    for y in range(m[MAP.map_height]):
        for x in range(m[MAP.map_width]):
            k, held = _list_window(registers, m, maps.starts, pieces, y, x)
            if biased:
                pieces[k, 0] = registers[LAYER.weight] + (bias_row - registers[LAYER.n_in]) * stride
                pieces[k, 1], pieces[k, 2] = start + n - 1, start + n
                k += 1
            reach[m[MAP.reach] + y * m[MAP.map_width] + x] = held + biased
            if wide:
                if registers[LAYER.wide_weight] != 0:
                    sum_pieces_wide(scratch.wide_sums, _NONE, memory.wide, stride, stride, unit, code, pieces, k)
                else:
                    sum_pieces_wide(scratch.wide_sums, _NONE, memory.narrow, stride, stride, unit, code, pieces, k)
            elif registers[LAYER.wide_weight] != 0:
                sum_pieces(scratch.sums, _NONE, memory.wide, stride, stride, unit, code, pieces, k)
            else:
                sum_pieces(scratch.sums, _NONE, memory.narrow, stride, stride, unit, code, pieces, k)
            if narrow:
                clipped += _entries_32(program, registers, m, scratch.sums, maps.entries, at)
            elif wide:
                clipped += _entries(program, registers, m, scratch.wide_sums, maps.entries, at)
            else:
                clipped += _entries(program, registers, m, scratch.sums, maps.entries, at)
            at += stride
    tally.health[layer, HEALTH.preactivation_saturated] += clipped
    _pool(scratch, maps, registers, m, b)
