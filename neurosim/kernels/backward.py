"""The learning channel of one sample: output error, codes on the wires, crossbars, local signals (docs/substrate.md 3)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.channel import local_error, quantise, received_error
from neurosim.kernels.dense import accumulate, accumulate_wide, row_products, row_products_wide
from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    count_different,
    count_lost,
    load_32,
    maximum,
    minimum,
    multiply,
    splat_32,
    store,
)
from neurosim.kernels.registers import CHIP, HEALTH, LAYER, MATRIX, ROUNDING, ROUTE, TALLY
from neurosim.kernels.rng import column_bits, fold, step_key
from neurosim.kernels.words import nearest, nearest_terms, rounded

_ONE_BITS = 7  # the derivative's unit is 2**7


@inlined
def output_error(program, scratch, b, label):
    """E = T - O of the output layer, into its signal; label: the row of the target table."""
    chip = program.chip
    registers = program.layers[chip[CHIP.layers] - 1]
    first = registers[LAYER.code]
    for j in range(registers[LAYER.n_out]):
        scratch.signal[b, first + j] = program.targets[label, j] - scratch.code[b, first + j]


@inlined
def handed_on(program, scratch, layer, b):
    """What a layer puts on the channel: its signal, or a hidden layer's J where f' stays at home. int32[code_size]."""
    signal = scratch.signal[b]
    if program.chip[CHIP.upper_derivatives] == 0 and layer < program.chip[CHIP.layers] - 1:
        signal = scratch.arrived
    return signal


@inlined
def _list_words(program, scratch, tally, layer, b, label, counted):
    """Whole words on the channel: what a hidden layer hands on as it is, or e rounded into the received word."""
    chip, registers = program.chip, program.layers[layer]
    first, start, first_unit = registers[LAYER.code], registers[LAYER.code_event], registers[LAYER.unit_code]
    is_error, shift, low, high = (
        layer == chip[CHIP.layers] - 1,
        chip[CHIP.error_shift],
        chip[CHIP.received_low],
        chip[CHIP.received_high],
    )
    is_target = chip[CHIP.route] == ROUTE.target
    signal, unit, code = handed_on(program, scratch, layer, b), scratch.sent_unit[b], scratch.sent_code[b]
    n, clipped, lost = 0, 0, 0
    for j in range(registers[LAYER.n_out]):
        x = np.int64(signal[first + j])
        if is_target:
            x = chip[CHIP.target_high] if j == label else np.int64(0)
        d = x
        if is_error:
            exact = rounded(x, shift, ROUNDING.nearest, np.int64(0))
            d = min(max(exact, low), high)
            clipped += d != exact
            lost += (x != 0) & (d == 0)
        if d != 0:
            tally.codes[first_unit + j] += counted
            unit[start + n] = j
            code[start + n] = d
            n += 1
    tally.health[layer, HEALTH.error_saturated] += clipped
    tally.health[layer, HEALTH.error_underflow] += lost
    return n


@inlined
def _list_codes(program, scratch, tally, layer, b, label, counted):
    """Quantised codes on the channel: e, R or the target, as decoded values."""
    chip, registers, levels = program.chip, program.layers[layer], program.levels
    first, start, first_unit = registers[LAYER.code], registers[LAYER.code_event], registers[LAYER.unit_code]
    threshold, alpha, n_levels, decode = (
        registers[LAYER.source_threshold],
        registers[LAYER.source_alpha],
        chip[CHIP.levels],
        chip[CHIP.decode],
    )
    always, is_target = chip[CHIP.always_sent] != 0, chip[CHIP.route] == ROUTE.target
    signal, unit, code = handed_on(program, scratch, layer, b), scratch.sent_unit[b], scratch.sent_code[b]
    n, met, clipped, lost, undecoded = 0, 0, 0, 0, 0
    for j in range(registers[LAYER.n_out]):
        x = np.int64(signal[first + j])
        if is_target:
            x = chip[CHIP.target_high] if j == label else np.int64(0)
        k = -1
        if x != 0:
            met += 1
            clipped += abs(x) > alpha
            k = quantise(abs(x), levels, threshold, n_levels)
            lost += k < 0
        if k >= 0 or always:
            tally.codes[first_unit + j] += counted
        if k >= 0:
            d = levels[decode + k]
            undecoded += d == 0
            unit[start + n] = j
            code[start + n] = d if x > 0 else -d
            n += d != 0
    tally.counts[layer, TALLY.quantised] += met
    tally.health[layer, HEALTH.error_saturated] += clipped
    tally.health[layer, HEALTH.error_underflow] += lost
    tally.health[layer, HEALTH.decode_underflow] += undecoded
    return n


@inlined
def send(program, scratch, tally, layer, b, label, counted):
    """Put one layer's signals on the channel: list the decoded values that are not 0, count codes by unit."""
    if program.chip[CHIP.source] != 0:
        scratch.sent_count[layer, b] = _list_codes(program, scratch, tally, layer, b, label, counted)
    else:
        scratch.sent_count[layer, b] = _list_words(program, scratch, tally, layer, b, label, counted)


@inlined
def _receive_random(memory, scratch, registers, start, n, b):
    """X_i = sum_k C[k, i] d_k of the n values sent, into scratch.sums or scratch.wide_sums."""
    unit, code = scratch.sent_unit[b], scratch.sent_code[b]
    first, stride = registers[LAYER.feedback], registers[LAYER.feedback_stride]
    if registers[LAYER.feedback_sum_wide] != 0:
        if registers[LAYER.feedback_wide] != 0:
            accumulate_wide(scratch.wide_sums, memory.wide, first, stride, unit, code, start, n)
        else:
            accumulate_wide(scratch.wide_sums, memory.narrow, first, stride, unit, code, start, n)
    elif registers[LAYER.feedback_wide] != 0:
        accumulate(scratch.sums, memory.wide, first, stride, unit, code, start, n)
    else:
        accumulate(scratch.sums, memory.narrow, first, stride, unit, code, start, n)


@inlined
def _receive_transposed(memory, scratch, registers, above, start, n_sent, b):
    """X_i = sum_k W[i, k] d_k with the weights of the layer above."""
    first, stride, n = above[LAYER.weight], above[LAYER.stride], registers[LAYER.n_out]
    dense = scratch.narrow_signal
    for k in range(stride):
        dense[k] = 0
    for e in range(start, start + n_sent):
        dense[scratch.sent_unit[b, e]] = scratch.sent_code[b, e]
    if registers[LAYER.feedback_sum_wide] != 0:
        if above[LAYER.wide_weight] != 0:
            row_products_wide(scratch.wide_sums, memory.wide, first, stride, dense, n)
        else:
            row_products_wide(scratch.wide_sums, memory.narrow, first, stride, dense, n)
        return
    if above[LAYER.wide_weight] != 0:
        row_products(scratch.sums, memory.wide, first, stride, dense, n)
    else:
        row_products(scratch.sums, memory.narrow, first, stride, dense, n)
    for i in range(n, registers[LAYER.stride]):
        scratch.sums[i] = 0


@inlined
def crossbar_sums(program, memory, scratch, layer, start, n, b):
    """X of one hidden layer that listens to a Dense one, into scratch.sums or scratch.wide_sums."""
    registers = program.layers[layer]
    if registers[LAYER.matrix] == MATRIX.transpose:
        _receive_transposed(memory, scratch, registers, program.layers[layer + 1], start, n, b)
    else:
        _receive_random(memory, scratch, registers, start, n, b)


@inner
def lose_signals(program, scratch, tally, layer, b, step):
    """Dropout: some of the crossbar's sums become 0, before anything is made of them."""
    registers, limit = program.layers[layer], program.chip[CHIP.dropout]
    word, is_wide = fold(step_key(registers[LAYER.dropout_key], step), b), registers[LAYER.feedback_sum_wide] != 0
    drawn, lost = 0, 0
    for i in range(registers[LAYER.n_out]):
        found = scratch.wide_sums[i] if is_wide else np.int64(scratch.sums[i])
        if found == 0:
            continue
        drawn += 1
        if column_bits(word, i, 16) < limit:
            lost += 1
            if is_wide:
                scratch.wide_sums[i] = 0
            else:
                scratch.sums[i] = 0
    tally.counts[layer, TALLY.dropout_words] += drawn > 0
    tally.counts[layer, TALLY.dropout_draws] += drawn
    tally.counts[layer, TALLY.dropout_lost] += lost


@inlined
def _local_signals_32(program, scratch, tally, layer, b):
    """From the crossbar's sums to R in 32-bit lanes: rounding to nearest, no quantiser at this layer."""
    chip, registers = program.chip, program.layers[layer]
    first, signal, slopes = registers[LAYER.code], scratch.signal[b], scratch.slope[b]
    low, high, zero, one = (
        splat_32(chip[CHIP.received_low]),
        splat_32(chip[CHIP.received_high]),
        splat_32(0),
        splat_32(1),
    )
    half, unit = splat_32((1 << (_ONE_BITS - 1)) - 1), splat_32(_ONE_BITS)
    a, c, d, e = nearest_terms(registers[LAYER.received_shift])
    factor, bias, odd, shift = splat_32(a), splat_32(c), splat_32(d), splat_32(e)
    received, local, clipped, lost = 0, 0, 0, 0
    for i in range(0, registers[LAYER.n_out], HALF):
        exact = nearest(load_32(scratch.sums, i), factor, bias, odd, shift)
        j = minimum(maximum(exact, low), high)
        slope = load_32(slopes, first + i)
        r = nearest(multiply(slope, j), one, half, one, unit)
        clipped += count_different(j, exact)
        received += count_different(j, zero)
        local += count_different(r, zero)
        lost += count_lost(j, slope, r)
        store(signal, first + i, r)
    tally.counts[layer, TALLY.received] += received
    tally.counts[layer, TALLY.local] += local
    tally.health[layer, HEALTH.received_saturated] += clipped
    tally.health[layer, HEALTH.received_underflow] += lost


@inner
def _local_signals(program, scratch, tally, layer, b):
    """From the crossbar's sums to R: round to the received word, quantise, multiply by f', quantise."""
    chip, registers, levels = program.chip, program.layers[layer], program.levels
    first, shift = registers[LAYER.code], registers[LAYER.received_shift]
    at_local, is_wide = chip[CHIP.local] != 0, registers[LAYER.feedback_sum_wide] != 0
    signal, slopes = scratch.signal[b], scratch.slope[b]
    received, local, clipped, lost = 0, 0, 0, 0
    for i in range(registers[LAYER.n_out]):
        found = scratch.wide_sums[i] if is_wide else np.int64(scratch.sums[i])
        j, outside, silent = received_error(chip, levels, found, shift)
        clipped += outside
        lost += silent
        received += (j != 0) | (silent != 0)
        scratch.arrived[first + i] = j
        slope = np.int64(slopes[first + i])
        r = rounded(slope * j, _ONE_BITS, ROUNDING.nearest, np.int64(0))
        lost += (r == 0) & (j != 0) & (slope != 0)
        local += r != 0
        if at_local and r != 0:
            r, outside, silent = local_error(chip, levels, r)
            clipped += outside
            lost += silent
        signal[first + i] = r
    tally.counts[layer, TALLY.received] += received
    tally.counts[layer, TALLY.local] += local
    tally.health[layer, HEALTH.received_saturated] += clipped
    tally.health[layer, HEALTH.received_underflow] += lost


@inlined
def receive(program, memory, scratch, tally, layer, b, step):
    """The local signals of one hidden layer."""
    chip = program.chip
    registers = program.layers[layer]
    sender = layer + 1 if chip[CHIP.route] == ROUTE.layered else chip[CHIP.layers] - 1
    start, n = program.layers[sender, LAYER.code_event], np.int64(scratch.sent_count[sender, b])
    if n == 0:
        first, signal = registers[LAYER.code], scratch.signal[b]
        for i in range(first, first + registers[LAYER.n_out]):
            signal[i] = 0
            scratch.arrived[i] = 0
        return
    crossbar_sums(program, memory, scratch, layer, start, n, b)
    if chip[CHIP.dropout] != 0:
        lose_signals(program, scratch, tally, layer, b, step)
    if registers[LAYER.received_narrow] != 0:
        _local_signals_32(program, scratch, tally, layer, b)
    else:
        _local_signals(program, scratch, tally, layer, b)


@inlined
def codes_at_top(program, scratch, b):
    """The top layer's signal is what it has sent."""
    last = program.chip[CHIP.layers] - 1
    first, start = program.layers[last, LAYER.code], program.layers[last, LAYER.code_event]
    scratch.signal[b, first : first + program.layers[last, LAYER.n_out]] = 0
    for e in range(scratch.sent_count[last, b]):
        scratch.signal[b, first + scratch.sent_unit[b, start + e]] = scratch.sent_code[b, start + e]


@inlined
def learning_channel(program, memory, scratch, tally, b, label, step):
    """All signals of one sample, from the output down."""
    chip = program.chip
    last = chip[CHIP.layers] - 1
    output_error(program, scratch, b, label)
    hidden = last > 0 and chip[CHIP.route] != ROUTE.none
    if hidden or chip[CHIP.top_quantised] != 0:
        send(program, scratch, tally, last, b, label, hidden)
    if hidden:
        for layer in range(last - 1, -1, -1):
            receive(program, memory, scratch, tally, layer, b, step)
            if layer > 0 and chip[CHIP.route] == ROUTE.layered:
                send(program, scratch, tally, layer, b, label, hidden)
    if chip[CHIP.top_quantised] != 0:
        codes_at_top(program, scratch, b)
