"""Convolutions: forward with max-pooling, and the learning channel's way through them (docs/substrate.md 9).

Maps are channel-last, so the events of neighbouring positions of a row follow one another, as the rows of the kernel for
neighbouring columns of its window do: a window's sum is one stretch of events a row of the window. The way back is the same
sum over signals with a turned kernel, whose rows are the senders.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.backward import crossbar_sums, handed_on, lose_signals
from neurosim.kernels.channel import quantise, requantise
from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    add,
    add_pairs_high,
    add_pairs_low,
    bit_and,
    columns_0,
    columns_1,
    count_different,
    count_lost,
    first_lanes,
    load_16,
    load_32,
    look_up,
    lowest_bit,
    maximum,
    minimum,
    multiply,
    no_sums,
    nonzero_bits,
    pair,
    shift_right,
    splat_32,
    store,
    transpose,
    where_above,
    where_equal,
)
from neurosim.kernels.registers import CHIP, HEALTH, LANES, LAYER, MAP, MATRIX, ROUTE, TALLY
from neurosim.kernels.words import nearest, nearest_terms, rounded

_NONE = np.int64(0)  # a plain 0 would have its kernel compiled once more, for that constant
_ONE_BITS = 7  # the derivative's unit is 2**7


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


# ---------------------------------------------------------------------- the way back


@inner
def _turn(weights, first, stride, m, turned):
    """A kernel for the way back: rows are (dy, dx from the right, channel), columns the units of a position below.

    weights: int8 or int16[:], rows (dy, dx, unit) of channels from `first` on; turned: int8 or int16[:] out.
    """
    size, depth, channels = m[MAP.kernel], m[MAP.depth], m[MAP.channels]
    pitch = -(-depth // LANES) * LANES
    for dy in range(size):
        for dx in range(size):
            at = first + (dy * size + dx) * depth * stride
            to = m[MAP.turned] + (dy * size + size - 1 - dx) * channels * pitch
            for c in range(0, channels, HALF):
                for i in range(0, depth, HALF):
                    if c + HALF <= channels and i + HALF <= depth:
                        transpose(weights, at + i * stride + c, stride, turned, to + c * pitch + i, pitch)
                        continue
                    for k in range(c, min(c + HALF, channels)):
                        for n in range(i, min(i + HALF, depth)):
                            turned[to + k * pitch + n] = weights[at + n * stride + k]


@inner
def turn_weights(program, memory, maps, layer):
    """The kernel of a convolution turned, before a step; its signs where the layer below hears those."""
    registers, m = program.layers[layer], maps.registers[layer]
    if registers[LAYER.wide_weight] != 0:
        _turn(memory.wide, registers[LAYER.weight], registers[LAYER.stride], m, maps.turned)
    else:
        _turn(memory.narrow, registers[LAYER.weight], registers[LAYER.stride], m, maps.turned)
    if program.layers[layer - 1, LAYER.matrix] == MATRIX.sign:
        turned, n = maps.turned, m[MAP.kernel] * m[MAP.kernel] * m[MAP.channels] * (-(-m[MAP.depth] // LANES) * LANES)
        for i in range(m[MAP.turned], m[MAP.turned] + n):
            turned[i] = (turned[i] > 0) - (turned[i] < 0)


@inlined
def _list_senders(m, first, starts, pieces, y, x):
    """The pieces of all signals whose windows hold position (y, x) of the map below. Returns how many there are."""
    size, step, channels, width = m[MAP.kernel], m[MAP.step], m[MAP.channels], m[MAP.map_width]
    pitch = -(-m[MAP.depth] // LANES) * LANES
    right = x + m[MAP.left]
    begin, end = max(-((size - 1 - right) // step), 0), min(right // step + 1, width)
    n = 0
    if begin >= end:
        return n
    for dy in range(size):
        above = y + m[MAP.top] - dy
        if above < 0 or above % step != 0 or above // step >= m[MAP.map_height]:
            continue
        row = above // step * width
        flat = (dy * size + size - 1 - right) * channels * pitch + first
        if step == 1:
            start, stop = np.int64(starts[row + begin]), np.int64(starts[row + end])
            if start < stop:
                pieces[n, 0], pieces[n, 1], pieces[n, 2] = flat - row * channels * pitch, start, stop
                n += 1
            continue
        for p in range(begin, end):
            start, stop = np.int64(starts[row + p]), np.int64(starts[row + p + 1])
            if start < stop:
                pieces[n, 0] = flat + (step * p - row - p) * channels * pitch
                pieces[n, 1], pieces[n, 2] = start, stop
                n += 1
    return n


@inner
def _sums_from_map(program, memory, scratch, maps, layer, n_sent, b):
    """X of one hidden layer that listens to a convolution, into scratch.sums or scratch.wide_sums."""
    registers, above, m = program.layers[layer], program.layers[layer + 1], maps.registers[layer + 1]
    depth, pitch, at = m[MAP.depth], -(-m[MAP.depth] // LANES) * LANES, 0
    unit, code, pieces = scratch.sent_unit[b], scratch.sent_code[b], maps.pieces
    positions = m[MAP.map_height] * m[MAP.map_width]
    begin_positions(unit, above[LAYER.code_event], n_sent, m[MAP.channels], positions, maps.starts)
    turned, is_wide = registers[LAYER.matrix] != MATRIX.random, registers[LAYER.feedback_sum_wide] != 0
    first = m[MAP.turned] if turned else registers[LAYER.feedback]
    for y in range(m[MAP.height]):
        for x in range(m[MAP.width]):
            n = _list_senders(m, first, maps.starts, pieces, y, x)
            if is_wide:
                if turned:
                    sum_pieces_wide(scratch.wide_sums, at, maps.turned, pitch, pitch, unit, code, pieces, n)
                elif registers[LAYER.feedback_wide] != 0:
                    sum_pieces_wide(scratch.wide_sums, at, memory.wide, pitch, pitch, unit, code, pieces, n)
                else:
                    sum_pieces_wide(scratch.wide_sums, at, memory.narrow, pitch, pitch, unit, code, pieces, n)
            elif turned:
                sum_pieces(scratch.sums, at, maps.turned, pitch, pitch, unit, code, pieces, n)
            elif registers[LAYER.feedback_wide] != 0:
                sum_pieces(scratch.sums, at, memory.wide, pitch, pitch, unit, code, pieces, n)
            else:
                sum_pieces(scratch.sums, at, memory.narrow, pitch, pitch, unit, code, pieces, n)
            at += depth


@inner
def _received(program, scratch, tally, maps, layer):
    """J of every unit that a convolution emits, from the sums: rounded, and quantised where the channel says so."""
    chip, registers, levels, received = program.chip, program.layers[layer], program.levels, maps.received
    shift, low, high, n = (
        registers[LAYER.received_shift],
        chip[CHIP.received_low],
        chip[CHIP.received_high],
        registers[LAYER.n_out],
    )
    found, clipped, lost = 0, 0, 0
    if registers[LAYER.received_narrow] != 0:
        lowest, highest, zero = splat_32(low), splat_32(high), splat_32(0)
        a, c, d, e = nearest_terms(shift)
        factor, bias, odd, places = splat_32(a), splat_32(c), splat_32(d), splat_32(e)
        for i in range(0, n, HALF):
            exact = first_lanes(nearest(load_32(scratch.sums, i), factor, bias, odd, places), n - i)
            j = minimum(maximum(exact, lowest), highest)
            clipped += count_different(j, exact)
            found += count_different(j, zero)
            store(received, i, j)
    else:
        mode, is_wide, quantised = (
            chip[CHIP.received_round],
            registers[LAYER.feedback_sum_wide] != 0,
            chip[CHIP.received] != 0,
        )
        for i in range(n):
            exact = rounded(scratch.wide_sums[i] if is_wide else np.int64(scratch.sums[i]), shift, mode, np.int64(0))
            j = min(max(exact, low), high)
            clipped += j != exact
            found += j != 0
            if quantised and j != 0:
                clipped += abs(j) > chip[CHIP.received_alpha]
                j = requantise(
                    j, levels, chip[CHIP.received_threshold], chip[CHIP.received_decode], chip[CHIP.received_levels]
                )
                lost += j == 0
            received[i] = j
    tally.counts[layer, TALLY.received] += found
    tally.health[layer, HEALTH.received_saturated] += clipped
    tally.health[layer, HEALTH.received_underflow] += lost


@inlined
def _routed(m, received, winner, v, w, j):
    """The summed J of the neurons that won channels j … j + 15 at emitted position (v, w), 0 where one won an earlier unit.

    Units that share a winner have windows that share a position, so they are neighbours.
    """
    channels, width = m[MAP.channels], m[MAP.out_width]
    around = (m[MAP.pool] - 1) // m[MAP.pool_step]
    at = (v * width + w) * channels + j
    mine, found, zero = load_32(winner, m[MAP.winner] + at), load_32(received, at), splat_32(0)
    begin, end = max(w - around, 0), min(w + around + 1, width)
    for p in range(v * width + w + 1, v * width + end):
        other = load_32(winner, m[MAP.winner] + p * channels + j)
        found = add(found, where_equal(mine, other, load_32(received, p * channels + j), zero))
    for y in range(v + 1, min(v + around + 1, m[MAP.out_height])):
        for p in range(y * width + begin, y * width + end):
            other = load_32(winner, m[MAP.winner] + p * channels + j)
            found = add(found, where_equal(mine, other, load_32(received, p * channels + j), zero))
    for y in range(max(v - around, 0), v + 1):
        for p in range(y * width + begin, y * width + (end if y < v else w)):
            found = where_equal(mine, load_32(winner, m[MAP.winner] + p * channels + j), zero, found)
    return found


@inner
def _local_signals(program, scratch, tally, maps, layer, b):
    """From J of the units that a convolution emits to R of the neurons that won.

    R stands at the first unit that its neuron won, 0 at the others, so that a sample's signals are as many as its outputs.
    """
    chip, registers, m, levels = program.chip, program.layers[layer], maps.registers[layer], program.levels
    low, high, zero, one = (
        splat_32(chip[CHIP.received_low]),
        splat_32(chip[CHIP.received_high]),
        splat_32(0),
        splat_32(1),
    )
    half, unit, channels, at = (
        splat_32((1 << (_ONE_BITS - 1)) - 1),
        splat_32(_ONE_BITS),
        m[MAP.channels],
        registers[LAYER.code],
    )
    signal, slopes, winner, arrived = scratch.signal[b], scratch.slope[b], maps.winner[b], scratch.arrived
    hands_on_j = chip[CHIP.upper_derivatives] == 0
    routed, local, clipped, lost = 0, 0, 0, 0
    for v in range(m[MAP.out_height]):
        for w in range(m[MAP.out_width]):
            for i in range(0, channels, HALF):
                exact = first_lanes(_routed(m, maps.received, winner, v, w, i), channels - i)
                j = minimum(maximum(exact, low), high)
                slope = load_32(slopes, at + i)
                r = nearest(multiply(slope, j), one, half, one, unit)
                clipped += count_different(j, exact)
                routed += count_different(j, zero)
                local += count_different(r, zero)
                lost += count_lost(j, slope, r)
                store(signal, at + i, r)
                if hands_on_j:
                    store(arrived, at + i, j)
            at += channels
    if chip[CHIP.local] != 0:
        for i in range(registers[LAYER.code], registers[LAYER.code] + registers[LAYER.n_out]):
            r = np.int64(signal[i])
            if r != 0:
                clipped += abs(r) > chip[CHIP.local_alpha]
                r = requantise(r, levels, chip[CHIP.local_threshold], chip[CHIP.local_decode], chip[CHIP.local_levels])
                lost += r == 0
                signal[i] = r
    tally.counts[layer, TALLY.routed] += routed
    tally.counts[layer, TALLY.local] += local
    tally.health[layer, HEALTH.received_saturated] += clipped
    tally.health[layer, HEALTH.received_underflow] += lost


@inner
def receive_map(program, memory, scratch, tally, maps, layer, b, step):
    """The local signals of one convolution."""
    chip, registers = program.chip, program.layers[layer]
    sender = layer + 1 if chip[CHIP.route] == ROUTE.layered else chip[CHIP.layers] - 1
    start, n = program.layers[sender, LAYER.code_event], np.int64(scratch.sent_count[sender, b])
    if n == 0:
        first, signal = registers[LAYER.code], scratch.signal[b]
        for i in range(first, first + registers[LAYER.n_out]):
            signal[i] = 0
            scratch.arrived[i] = 0
        return
    if sender < maps.registers.shape[0]:
        _sums_from_map(program, memory, scratch, maps, layer, n, b)
    else:
        crossbar_sums(program, memory, scratch, layer, start, n, b)
    if chip[CHIP.dropout] != 0:
        lose_signals(program, scratch, tally, layer, b, step)
    _received(program, scratch, tally, maps, layer)
    _local_signals(program, scratch, tally, maps, layer, b)


@inner
def send_map(program, scratch, tally, maps, layer, b):
    """Put the signals of a convolution's neurons on the channel, in the order of its map: as `backward.send`."""
    chip, registers, m, levels = program.chip, program.layers[layer], maps.registers[layer], program.levels
    first, start, first_unit = registers[LAYER.code], registers[LAYER.code_event], registers[LAYER.unit_code]
    signal, unit, code = handed_on(program, scratch, layer, b), scratch.sent_unit[b], scratch.sent_code[b]
    channels, field, winner = m[MAP.channels], maps.field, maps.winner[b]
    for begin in range(0, registers[LAYER.n_out], channels):
        for c in range(channels):
            r = signal[first + begin + c]
            if r != 0:
                field[winner[m[MAP.winner] + begin + c] * channels + c] = r
    coded, always = chip[CHIP.source] != 0, chip[CHIP.source] != 0 and chip[CHIP.always_sent] != 0
    neurons, n, met, clipped, lost, undecoded = m[MAP.map_height] * m[MAP.map_width] * channels, 0, 0, 0, 0, 0
    if always:
        for i in range(first_unit, first_unit + neurons):
            tally.codes[i] += 1
    for begin in range(0, neurons, LANES):
        bits = nonzero_bits(field, begin)
        while bits != 0:
            i = begin + lowest_bit(bits)
            bits &= bits - 1
            x = np.int64(field[i])
            field[i] = 0
            d = x
            if coded:
                met += 1
                clipped += abs(x) > registers[LAYER.source_alpha]
                k = quantise(abs(x), levels, registers[LAYER.source_threshold], chip[CHIP.levels])
                lost += k < 0
                d = np.int64(0)
                if k >= 0:
                    d = levels[chip[CHIP.decode] + k] if x > 0 else -levels[chip[CHIP.decode] + k]
                    undecoded += d == 0
                    tally.codes[first_unit + i] += not always
            else:
                tally.codes[first_unit + i] += 1
            if d != 0:
                unit[start + n] = i
                code[start + n] = d
                n += 1
    scratch.sent_count[layer, b] = n
    tally.counts[layer, TALLY.quantised] += met
    tally.health[layer, HEALTH.error_saturated] += clipped
    tally.health[layer, HEALTH.error_underflow] += lost
    tally.health[layer, HEALTH.decode_underflow] += undecoded
