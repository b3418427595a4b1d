"""The learning channel's way through convolutions (docs/substrate.md 9): sums of `conv` over signals, with a turned kernel."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.backward import crossbar_sums, handed_on, lose_signals
from neurosim.kernels.channel import local_error, quantise, received_error
from neurosim.kernels.conv import begin_positions, sum_pieces, sum_pieces_wide
from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    add,
    count_different,
    count_lost,
    first_lanes,
    load_32,
    lowest_bit,
    maximum,
    minimum,
    multiply,
    nonzero_bits,
    splat_32,
    store,
    transpose,
    where_equal,
)
from neurosim.kernels.registers import CHIP, HEALTH, LANES, LAYER, MAP, MATRIX, ROUTE, TALLY
from neurosim.kernels.words import nearest, nearest_terms

_ONE_BITS = 7  # the derivative's unit is 2**7


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
        is_wide = registers[LAYER.feedback_sum_wide] != 0
        for i in range(n):
            total = scratch.wide_sums[i] if is_wide else np.int64(scratch.sums[i])
            j, outside, silent = received_error(chip, levels, total, shift)
            clipped += outside
            lost += silent
            found += (j != 0) | (silent != 0)
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
                r, outside, silent = local_error(chip, levels, r)
                clipped += outside
                lost += silent
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
