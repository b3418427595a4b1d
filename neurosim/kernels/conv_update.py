"""Weight updates of a convolution: sums over positions and samples, then one rounding a weight (docs/substrate.md 9).

Signals are few after pooling: only neurons that won have one. So each channel's signals are listed, and its sums run over
the codes below them, which stand in rows as the weights of one channel do: the sums of a stretch of codes, times signals.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.conv import sum_pieces
from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    add,
    count_different,
    first_lanes,
    load_32,
    lowest_bit,
    nonzero_bits,
    splat_32,
    store,
    transpose,
)
from neurosim.kernels.registers import HEALTH, LANES, LAYER, MAP, ROUNDING, TALLY
from neurosim.kernels.rng import fold, step_key
from neurosim.kernels.update import fits_32, measure, row_32, row_64

_NONE, _ONE = np.int64(0), np.int64(1)  # plain numbers would have kernels compiled once more, for those constants
_NARROW = (1 << 15) - 1


@inner
def _margin(codes, at, m, padded):
    """Codes of one sample with a margin of zeros. codes: integers, from `at` on; padded: int16 or int32[:] out."""
    row, pitch = m[MAP.width] * m[MAP.depth], m[MAP.padded_width] * m[MAP.depth]
    padded[: m[MAP.padded_height] * pitch] = 0
    for y in range(m[MAP.height]):
        to, from_ = (y + m[MAP.top]) * pitch + m[MAP.left] * m[MAP.depth], at + y * row
        for i in range(row):
            padded[to + i] = codes[from_ + i]


@inner
def _offsets(m, offset):
    """Where the window of each position of the map begins among the codes with their margin: int32[positions] out."""
    p, pitch = 0, m[MAP.padded_width] * m[MAP.depth]
    for y in range(m[MAP.map_height]):
        for x in range(m[MAP.map_width]):
            offset[p] = m[MAP.step] * (y * pitch + x * m[MAP.depth])
            p += 1


@inner
def _list_signals(signal, first, winner, winner_first, positions, channels, maps):
    """List a sample's signals by channel: where the windows of their neurons begin, and their values."""
    for c in range(channels):
        maps.listed[c] = 0
    for _ in range(positions):
        for begin in range(0, channels, LANES):
            bits = nonzero_bits(signal, first + begin)
            if channels - begin < LANES:
                bits &= (1 << (channels - begin)) - 1
            while bits != 0:
                c = begin + lowest_bit(bits)
                bits &= bits - 1
                to = c * positions + maps.listed[c]
                maps.listed_at[to] = maps.offset[winner[winner_first + c]]
                maps.listed_code[to] = signal[first + c]
                maps.listed[c] += 1
        first += channels
        winner_first += channels


@inner
def _add_sample(m, positions, one, maps, gradient, begins):
    """Add one sample's sums to the gradient: int32[channels, gradient_stride], columns in the order of the kernel's rows.

    one: the code of the bias, 0 where there is none; begins: whether this is the step's first sample.
    """
    size, row = m[MAP.kernel], m[MAP.kernel] * m[MAP.depth]
    columns, pitch, part = -(-row // LANES) * LANES, m[MAP.padded_width] * m[MAP.depth], maps.part
    for c in range(m[MAP.channels]):
        n, start = np.int64(maps.listed[c]), c * positions
        if n == 0 and not begins:
            continue
        for dy in range(size):
            maps.pieces[0, 0], maps.pieces[0, 1], maps.pieces[0, 2] = dy * pitch, start, start + n
            sum_pieces(part, dy * row, maps.padded, columns, _ONE, maps.listed_at, maps.listed_code, maps.pieces, _ONE)
        total = np.int64(0)
        for e in range(start, start + n):
            total += maps.listed_code[e]
        part[size * row] = total * one
        to = c * m[MAP.gradient_stride]
        for i in range(0, size * row + 1, HALF):
            found = load_32(part, i)
            store(gradient, to + i, found if begins else add(found, load_32(gradient, to + i)))


@inner
def _add_sample_wide(m, positions, one, maps, begins):
    """The same in 64 bits: any codes, any signals."""
    size, row = m[MAP.kernel], m[MAP.kernel] * m[MAP.depth]
    pitch, gradient = m[MAP.padded_width] * m[MAP.depth], maps.wide_gradient
    for c in range(m[MAP.channels]):
        to = c * m[MAP.gradient_stride]
        if begins:
            gradient[to : to + m[MAP.gradient_stride]] = 0
        for e in range(c * positions, c * positions + maps.listed[c]):
            r = np.int64(maps.listed_code[e])
            for dy in range(size):
                from_ = maps.listed_at[e] + dy * pitch
                for i in range(row):
                    gradient[to + dy * row + i] += r * np.int64(maps.wide_padded[from_ + i])
            gradient[to + size * row] += r * one


@inlined
def _take(gradient, i, m, sums):
    """One row of the kernel's sums out of the gradient's columns. Returns how many are not 0."""
    n, at = 0, i
    for j in range(m[MAP.channels]):
        x = gradient[at]
        sums[j] = x
        n += x != 0
        at += m[MAP.gradient_stride]
    return n


@inlined
def _take_rows(m, maps, i, stride):
    """HALF rows of the kernel's sums from row i on, out of the gradient's columns."""
    for c in range(0, m[MAP.channels], HALF):
        transpose(maps.gradient, c * m[MAP.gradient_stride] + i, m[MAP.gradient_stride], maps.rows, c, stride)


@inner
def _apply(weights, registers, m, scratch, maps, row_key, rule, wide):
    """Round the sums into the weights, a row at a time. Returns (attempted, rows, changed, clipped)."""
    first, stride, channels = registers[LAYER.weight], registers[LAYER.stride], m[MAP.channels]
    attempted, rows, changed, clipped = 0, 0, 0, 0
    one, zero = splat_32(1 << max(-rule[0], 0)), splat_32(0)
    for i in range(registers[LAYER.rows]):
        word, at, from_ = fold(row_key, i), first + i * stride, (i % HALF) * stride
        n = 0
        if wide:
            n = _take(maps.wide_gradient, i, m, scratch.wide_sums)
        else:
            if from_ == 0:
                _take_rows(m, maps, i, stride)
            for j in range(0, channels, HALF):
                kept = first_lanes(load_32(maps.rows, from_ + j), channels - j)
                n += count_different(kept, zero)
                store(maps.rows, from_ + j, kept)
        if n == 0:
            continue
        if wide:
            a, b = row_64(weights, at, channels, _ONE, scratch.wide_sums, _NONE, word, rule)
        else:
            a, b = row_32(weights, at, channels, one, maps.rows, from_, word, rule)
        attempted += n
        rows += 1
        changed += a
        clipped += b
    return attempted, rows, changed, clipped


@inlined
def _sum_sample(program, scratch, maps, registers, m, layer, b, inputs, sample, wide, begins):
    """One sample's part of a step's sums."""
    positions, channels = m[MAP.out_height] * m[MAP.out_width], m[MAP.channels]
    _list_signals(scratch.signal[b], registers[LAYER.code], maps.winner[b], m[MAP.winner], positions, channels, maps)
    if layer == 0:
        if wide:
            _margin(inputs[sample], _NONE, m, maps.wide_padded)
        else:
            _margin(inputs[sample], _NONE, m, maps.padded)
    else:
        at = program.layers[layer - 1, LAYER.code]
        if wide:
            _margin(scratch.code[b], at, m, maps.wide_padded)
        else:
            _margin(scratch.code[b], at, m, maps.padded)
    if wide:
        _add_sample_wide(m, positions, registers[LAYER.bias_code], maps, begins)
    else:
        _add_sample(m, positions, registers[LAYER.bias_code], maps, maps.gradient, begins)


@inlined
def _pairs(scratch, maps, registers, m, b):
    """Pairs of an event and a signal that its window has."""
    first, channels, pairs = registers[LAYER.code], m[MAP.channels], np.int64(0)
    signal, winner, reach = scratch.signal[b], maps.winner[b], maps.reach[b]
    for begin in range(0, registers[LAYER.n_out], channels):
        for c in range(channels):
            if signal[first + begin + c] != 0:
                pairs += reach[m[MAP.reach] + winner[m[MAP.winner] + begin + c]]
    return pairs


@inner
def update_map(program, memory, scratch, tally, maps, layer, n_samples, step, rate, inputs, order, begin):
    """The weights of one convolution after a step. inputs: codes of all samples, order[begin : begin + n_samples] of them."""
    registers, m, counts = program.layers[layer], maps.registers[layer], tally.counts[layer]
    found, pairs, active, largest = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for b in range(n_samples):
        n, most = measure(scratch.signal[b], registers[LAYER.code], registers[LAYER.n_out])
        found += n
        largest = max(largest, most)
        if n > 0 and registers[LAYER.frozen] == 0:
            pairs += _pairs(scratch, maps, registers, m, b)
            active += scratch.event_count[layer, b]
    counts[TALLY.signalled] += found
    counts[TALLY.update_pairs] += pairs
    counts[TALLY.update_active] += active
    if pairs == 0:
        return
    rule = (
        registers[LAYER.update_shift] + rate,
        registers[LAYER.update_round],
        registers[LAYER.weight_low],
        registers[LAYER.weight_high],
    )
    wide = (
        registers[LAYER.code_max] > _NARROW
        or largest > _NARROW
        or not fits_32(found * largest * registers[LAYER.code_max], rule)
    )
    _offsets(m, maps.offset)
    for b in range(n_samples):
        _sum_sample(program, scratch, maps, registers, m, layer, b, inputs, order[begin + b], wide, b == 0)
    row_key = step_key(registers[LAYER.update_key], step)
    if registers[LAYER.wide_weight] != 0:
        attempted, rows, changed, clipped = _apply(memory.wide, registers, m, scratch, maps, row_key, rule, wide)
    else:
        attempted, rows, changed, clipped = _apply(memory.narrow, registers, m, scratch, maps, row_key, rule, wide)
    counts[TALLY.update_attempted] += attempted
    counts[TALLY.update_rows] += rows
    counts[TALLY.weight_changed] += changed
    if rule[1] == ROUNDING.stochastic and rule[0] > 0:
        counts[TALLY.update_row_words] += rows
        counts[TALLY.update_words_16 + (rule[0] > 16) + (rule[0] > 32)] += attempted
    tally.health[layer, HEALTH.weight_saturated] += clipped
