"""The learning channel of one sample: output error, codes on the wires, crossbars, local signals (docs/substrate.md 3)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.channel import quantise, requantise
from neurosim.kernels.dense import accumulate, row_products
from neurosim.kernels.forward import weight_rows, wide_weight_rows
from neurosim.kernels.jit import inlined, kernel
from neurosim.kernels.registers import CHIP, HEALTH, LAYER, TALLY
from neurosim.kernels.words import nearest_32, nearest_terms, rounded

_N_OUT, _ROWS, _STRIDE, _CODE, _CODE_EVENT = (
    LAYER["n_out"],
    LAYER["rows"],
    LAYER["stride"],
    LAYER["code"],
    LAYER["code_event"],
)
_WIDE_WEIGHT, _WEIGHT, _ADDRESS_LOW, _DERIVATIVE = (
    LAYER["wide_weight"],
    LAYER["weight"],
    LAYER["address_low"],
    LAYER["derivative"],
)
_FEEDBACK, _FEEDBACK_ROWS, _FEEDBACK_STRIDE, _FEEDBACK_WIDE, _FEEDBACK_SUM_WIDE = (
    LAYER["feedback"],
    LAYER["feedback_rows"],
    LAYER["feedback_stride"],
    LAYER["feedback_wide"],
    LAYER["feedback_sum_wide"],
)
_MATRIX, _RECEIVED_SHIFT, _UNIT_CODE = LAYER["matrix"], LAYER["received_shift"], LAYER["unit_code"]
_SOURCE_THRESHOLD, _SOURCE_ALPHA = LAYER["source_threshold"], LAYER["source_alpha"]
_LAYERS, _ROUTE, _ERROR_SHIFT, _LOW, _HIGH, _ROUND = (
    CHIP["layers"],
    CHIP["route"],
    CHIP["error_shift"],
    CHIP["received_low"],
    CHIP["received_high"],
    CHIP["received_round"],
)
_TARGET_HIGH, _TARGET_LOW, _SOURCE, _RECEIVED, _LOCAL = (
    CHIP["target_high"],
    CHIP["target_low"],
    CHIP["source"],
    CHIP["received"],
    CHIP["local"],
)
_ALWAYS, _LEVELS, _DECODE, _TOP_QUANTISED = CHIP["always_sent"], CHIP["levels"], CHIP["decode"], CHIP["top_quantised"]
_R_THRESHOLD, _R_DECODE, _R_LEVELS, _R_ALPHA = (
    CHIP["received_threshold"],
    CHIP["received_decode"],
    CHIP["received_levels"],
    CHIP["received_alpha"],
)
_L_THRESHOLD, _L_DECODE, _L_LEVELS, _L_ALPHA = (
    CHIP["local_threshold"],
    CHIP["local_decode"],
    CHIP["local_levels"],
    CHIP["local_alpha"],
)
_QUANTISED, _T_RECEIVED, _T_LOCAL = TALLY["quantised"], TALLY["received"], TALLY["local"]
_ERROR_SATURATED, _ERROR_UNDERFLOW, _DECODE_UNDERFLOW = (
    HEALTH["error_saturated"],
    HEALTH["error_underflow"],
    HEALTH["decode_underflow"],
)
_RECEIVED_SATURATED, _RECEIVED_UNDERFLOW = HEALTH["received_saturated"], HEALTH["received_underflow"]
_RECEIVED_NARROW = LAYER["received_narrow"]
_PRODUCT_SHIFT, _FEEDBACK_LOW, _FEEDBACK_HIGH = LAYER["product_shift"], LAYER["feedback_low"], LAYER["feedback_high"]
_ROUTE_LAYERED, _ROUTE_TARGET, _ROUTE_NONE = 1, 3, 0
_TRANSPOSE = 2
_NEAREST = 1


@inlined
def output_error(program, scratch, b, label):
    """E = T - O of the output layer, into its signal."""
    chip = program.chip
    registers = program.layers[chip[_LAYERS] - 1]
    first = registers[_CODE]
    for j in range(registers[_N_OUT]):
        target = chip[_TARGET_HIGH] if j == label else chip[_TARGET_LOW]
        scratch.signal[b, first + j] = target - scratch.code[b, first + j]


@inlined
def _list_words(program, scratch, tally, layer, b, label, counted):
    """Whole words on the channel: a hidden layer's R as it is, or e rounded into the received word."""
    chip, registers = program.chip, program.layers[layer]
    first, start, first_unit = registers[_CODE], registers[_CODE_EVENT], registers[_UNIT_CODE]
    is_error, shift, low, high = layer == chip[_LAYERS] - 1, chip[_ERROR_SHIFT], chip[_LOW], chip[_HIGH]
    is_target = chip[_ROUTE] == _ROUTE_TARGET
    signal, unit, code = scratch.signal[b], scratch.sent_unit[b], scratch.sent_code[b]
    n, clipped, lost = 0, 0, 0
    for j in range(registers[_N_OUT]):
        x = np.int64(signal[first + j])
        if is_target:
            x = chip[_TARGET_HIGH] if j == label else np.int64(0)
        d = x
        if is_error:
            exact = rounded(x, shift, _NEAREST, np.int64(0))
            d = min(max(exact, low), high)
            clipped += d != exact
            lost += (x != 0) & (d == 0)
        if d != 0:
            tally.codes[first_unit + j] += counted
            unit[start + n] = j
            code[start + n] = d
            n += 1
    tally.health[layer, _ERROR_SATURATED] += clipped
    tally.health[layer, _ERROR_UNDERFLOW] += lost
    return n


@inlined
def _list_codes(program, scratch, tally, layer, b, label, counted):
    """Quantised codes on the channel: e, R or the target, as decoded values."""
    chip, registers, levels = program.chip, program.layers[layer], program.levels
    first, start, first_unit = registers[_CODE], registers[_CODE_EVENT], registers[_UNIT_CODE]
    threshold, alpha, n_levels, decode = (
        registers[_SOURCE_THRESHOLD],
        registers[_SOURCE_ALPHA],
        chip[_LEVELS],
        chip[_DECODE],
    )
    always, is_target = chip[_ALWAYS] != 0, chip[_ROUTE] == _ROUTE_TARGET
    signal, unit, code = scratch.signal[b], scratch.sent_unit[b], scratch.sent_code[b]
    n, met, clipped, lost, undecoded = 0, 0, 0, 0, 0
    for j in range(registers[_N_OUT]):
        x = np.int64(signal[first + j])
        if is_target:
            x = chip[_TARGET_HIGH] if j == label else np.int64(0)
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
    tally.counts[layer, _QUANTISED] += met
    tally.health[layer, _ERROR_SATURATED] += clipped
    tally.health[layer, _ERROR_UNDERFLOW] += lost
    tally.health[layer, _DECODE_UNDERFLOW] += undecoded
    return n


@kernel
def send(program, scratch, tally, layer, b, label, counted):
    """Put one layer's signals on the channel: list the decoded values that are not 0, count codes by unit."""
    if program.chip[_SOURCE] != 0:
        scratch.sent_count[layer, b] = _list_codes(program, scratch, tally, layer, b, label, counted)
    else:
        scratch.sent_count[layer, b] = _list_words(program, scratch, tally, layer, b, label, counted)


@inlined
def feedback_rows(memory, registers):
    """A layer's crossbar in the narrow memory: int8[senders, stride]."""
    start, rows, stride = registers[_FEEDBACK], registers[_FEEDBACK_ROWS], registers[_FEEDBACK_STRIDE]
    return memory.narrow[start : start + rows * stride].reshape((rows, stride))


@inlined
def wide_feedback_rows(memory, registers):
    """The same in the wide memory: int16[senders, stride]."""
    start, rows, stride = registers[_FEEDBACK], registers[_FEEDBACK_ROWS], registers[_FEEDBACK_STRIDE]
    return memory.wide[start : start + rows * stride].reshape((rows, stride))


@inlined
def _receive_random(program, memory, scratch, layer, sender, b):
    registers = program.layers[layer]
    start = program.layers[sender, _CODE_EVENT]
    unit, code = scratch.sent_unit[b, start:], scratch.sent_code[b, start:]
    n, stride = scratch.sent_count[sender, b], registers[_FEEDBACK_STRIDE]
    wide_sums = scratch.wide_sums[:stride]
    if registers[_FEEDBACK_SUM_WIDE] != 0:
        wide_sums[:] = 0
        if registers[_FEEDBACK_WIDE] != 0:
            accumulate(wide_sums, wide_feedback_rows(memory, registers), unit, code, n)
        else:
            accumulate(wide_sums, feedback_rows(memory, registers), unit, code, n)
    else:
        sums = scratch.sums[:stride]
        sums[:] = 0
        if registers[_FEEDBACK_WIDE] != 0:
            accumulate(sums, wide_feedback_rows(memory, registers), unit, code, n)
        else:
            accumulate(sums, feedback_rows(memory, registers), unit, code, n)
        if registers[_RECEIVED_NARROW] == 0:
            for j in range(registers[_N_OUT]):
                wide_sums[j] = sums[j]


@inlined
def _receive_transposed(program, memory, scratch, layer, b):
    """X_i = sum_k W[i, k] d_k with the weights of the layer above."""
    above = program.layers[layer + 1]
    stride, start = above[_STRIDE], above[_CODE_EVENT]
    dense = scratch.product[0, :stride]
    dense[:] = 0
    for e in range(scratch.sent_count[layer + 1, b]):
        dense[scratch.sent_unit[b, start + e]] = scratch.sent_code[b, start + e]
    n = program.layers[layer, _N_OUT]
    if above[_WIDE_WEIGHT] != 0:
        row_products(scratch.wide_sums, wide_weight_rows(memory, above), dense, n)
    else:
        row_products(scratch.wide_sums, weight_rows(memory, above), dense, n)


@inlined
def _local_signals_32(program, scratch, tally, layer, b):
    """From the crossbar's sums to R in 32-bit lanes: rounding to nearest, no quantiser at this layer."""
    chip, registers, tables = program.chip, program.layers[layer], program.tables
    n, first = registers[_N_OUT], registers[_CODE]
    low, high = np.int32(chip[_LOW]), np.int32(chip[_HIGH])
    slopes = tables[registers[_DERIVATIVE] :]
    lowest = registers[_ADDRESS_LOW]
    signal, address, sums = scratch.signal[b, first : first + n], scratch.address[b, first : first + n], scratch.sums
    scale, bias, odd, shift = nearest_terms(registers[_RECEIVED_SHIFT])
    received, local, clipped, lost = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
    for i in range(n):
        exact = nearest_32(sums[i], scale, bias, odd, shift)
        j = min(max(exact, low), high)
        slope = slopes[np.uint64(address[i] - lowest)]
        r = nearest_32(np.int32(slope * j), np.int32(1), np.int32(63), np.int32(1), np.int32(7))
        clipped = np.int32(clipped + np.int32(j != exact))
        received = np.int32(received + np.int32(j != 0))
        local = np.int32(local + np.int32(r != 0))
        lost = np.int32(lost + np.int32((r == 0) & (j != 0) & (slope != 0)))
        signal[i] = r
    tally.counts[layer, _T_RECEIVED] += received
    tally.counts[layer, _T_LOCAL] += local
    tally.health[layer, _RECEIVED_SATURATED] += clipped
    tally.health[layer, _RECEIVED_UNDERFLOW] += lost


@kernel
def _local_signals(program, scratch, tally, layer, b):
    """From the crossbar's sums to R: round to the received word, quantise, multiply by f', quantise."""
    chip, registers, levels, tables = program.chip, program.layers[layer], program.levels, program.tables
    first, shift, low, high, mode = (
        registers[_CODE],
        registers[_RECEIVED_SHIFT],
        chip[_LOW],
        chip[_HIGH],
        chip[_ROUND],
    )
    table = registers[_DERIVATIVE] - registers[_ADDRESS_LOW]
    at_received, at_local = chip[_RECEIVED] != 0, chip[_LOCAL] != 0
    signal, address, sums = scratch.signal[b], scratch.address[b], scratch.wide_sums
    received, local, clipped, lost = 0, 0, 0, 0
    for i in range(registers[_N_OUT]):
        exact = rounded(sums[i], shift, mode, np.int64(0))
        j = min(max(exact, low), high)
        clipped += j != exact
        received += j != 0
        if at_received and j != 0:
            clipped += abs(j) > chip[_R_ALPHA]
            j = requantise(j, levels, chip[_R_THRESHOLD], chip[_R_DECODE], chip[_R_LEVELS])
            lost += j == 0
        slope = np.int64(tables[table + address[first + i]])
        r = rounded(slope * j, 7, _NEAREST, np.int64(0))
        lost += (r == 0) & (j != 0) & (slope != 0)
        local += r != 0
        if at_local and r != 0:
            clipped += abs(r) > chip[_L_ALPHA]
            r = requantise(r, levels, chip[_L_THRESHOLD], chip[_L_DECODE], chip[_L_LEVELS])
            lost += r == 0
        signal[first + i] = r
    tally.counts[layer, _T_RECEIVED] += received
    tally.counts[layer, _T_LOCAL] += local
    tally.health[layer, _RECEIVED_SATURATED] += clipped
    tally.health[layer, _RECEIVED_UNDERFLOW] += lost


@kernel
def receive(program, memory, scratch, tally, layer, b):
    """The local signals of one hidden layer."""
    chip = program.chip
    registers = program.layers[layer]
    sender = layer + 1 if chip[_ROUTE] == _ROUTE_LAYERED else chip[_LAYERS] - 1
    first = registers[_CODE]
    if registers[_MATRIX] == _TRANSPOSE:
        _receive_transposed(program, memory, scratch, layer, b)
    else:
        if scratch.sent_count[sender, b] == 0:
            scratch.signal[b, first : first + registers[_N_OUT]] = 0
            return
        _receive_random(program, memory, scratch, layer, sender, b)
    if registers[_RECEIVED_NARROW] != 0:
        _local_signals_32(program, scratch, tally, layer, b)
    else:
        _local_signals(program, scratch, tally, layer, b)


@kernel
def learning_channel(program, memory, scratch, tally, b, label):
    """All signals of one sample, from the output down."""
    chip = program.chip
    last = chip[_LAYERS] - 1
    output_error(program, scratch, b, label)
    hidden = last > 0 and chip[_ROUTE] != _ROUTE_NONE
    if hidden or chip[_TOP_QUANTISED] != 0:
        send(program, scratch, tally, last, b, label, hidden)
    if hidden:
        for layer in range(last - 1, -1, -1):
            receive(program, memory, scratch, tally, layer, b)
            if layer > 0 and chip[_ROUTE] == _ROUTE_LAYERED:
                send(program, scratch, tally, layer, b, label, hidden)
    if chip[_TOP_QUANTISED] != 0:
        registers = program.layers[last]
        first, start = registers[_CODE], registers[_CODE_EVENT]
        scratch.signal[b, first : first + registers[_N_OUT]] = 0
        for e in range(scratch.sent_count[last, b]):
            scratch.signal[b, first + scratch.sent_unit[b, start + e]] = scratch.sent_code[b, start + e]


@kernel
def recompute_products(program, memory, scratch):
    """SBP: the products of the weights above each hidden layer, exact in 64 bits, then rounded once into C's word.

    reference: P^h = W^(h+1) P^(h+1) as [n_h, n_out], stored as C[k, i] = P^h[i, k].
    """
    layers = program.chip[_LAYERS]
    n_out = program.layers[layers - 1, _N_OUT]
    a, b = scratch.product[0], scratch.product[1]
    for k in range(n_out):
        for i in range(n_out):
            a[k * n_out + i] = 1 if k == i else 0
    width = n_out
    for layer in range(layers - 2, -1, -1):
        above, registers = program.layers[layer + 1], program.layers[layer]
        n = registers[_N_OUT]
        is_wide = above[_WIDE_WEIGHT] != 0
        narrow, wide = memory.narrow[:0].reshape((0, 1)), memory.wide[:0].reshape((0, 1))
        if is_wide:
            wide = wide_weight_rows(memory, above)
        else:
            narrow = weight_rows(memory, above)
        target = wide_feedback_rows(memory, registers)
        for i in range(n):
            for k in range(n_out):
                total = np.int64(0)
                for j in range(width):
                    w = np.int64(wide[i, j]) if is_wide else np.int64(narrow[i, j])
                    total += w * a[j * n_out + k]
                b[i * n_out + k] = total
                x = rounded(total, registers[_PRODUCT_SHIFT], _NEAREST, np.int64(0))
                target[k, i] = min(max(x, registers[_FEEDBACK_LOW]), registers[_FEEDBACK_HIGH])
        a, b = b, a
        width = n
