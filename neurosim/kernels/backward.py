"""The learning channel of one sample: output error, codes on the wires, crossbars, local signals (docs/substrate.md 3)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.channel import quantise, requantise
from neurosim.kernels.dense import accumulate, accumulate_wide, row_products, row_products_wide
from neurosim.kernels.forward import weight_at
from neurosim.kernels.jit import inlined, kernel
from neurosim.kernels.lanes import (
    HALF,
    add,
    count_different,
    count_lost,
    load_32,
    maximum,
    minimum,
    multiply,
    splat_32,
    store,
)
from neurosim.kernels.registers import CHIP, HEALTH, LAYER, TALLY
from neurosim.kernels.words import NEAREST, nearest, nearest_terms, rounded

_N_OUT, _STRIDE, _CODE, _CODE_EVENT = (
    LAYER["n_out"],
    LAYER["stride"],
    LAYER["code"],
    LAYER["code_event"],
)
_WIDE_WEIGHT, _WEIGHT = LAYER["wide_weight"], LAYER["weight"]
_FEEDBACK, _FEEDBACK_STRIDE, _FEEDBACK_WIDE, _FEEDBACK_SUM_WIDE = (
    LAYER["feedback"],
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
_PRODUCT_NARROW, _PRODUCT_WIDENS = LAYER["product_narrow"], LAYER["product_widens"]
_PRODUCT_SHIFT, _FEEDBACK_LOW, _FEEDBACK_HIGH = LAYER["product_shift"], LAYER["feedback_low"], LAYER["feedback_high"]
_ROUTE_LAYERED, _ROUTE_TARGET, _ROUTE_NONE = 1, 3, 0
_TRANSPOSE = 2
_ONE_BITS = 7  # the derivative's unit is 2**7


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
            exact = rounded(x, shift, NEAREST, np.int64(0))
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


@inlined
def send(program, scratch, tally, layer, b, label, counted):
    """Put one layer's signals on the channel: list the decoded values that are not 0, count codes by unit."""
    if program.chip[_SOURCE] != 0:
        scratch.sent_count[layer, b] = _list_codes(program, scratch, tally, layer, b, label, counted)
    else:
        scratch.sent_count[layer, b] = _list_words(program, scratch, tally, layer, b, label, counted)


@inlined
def _receive_random(memory, scratch, registers, start, n, b):
    """X_i = sum_k C[k, i] d_k of the n values sent, into scratch.sums or scratch.wide_sums."""
    unit, code = scratch.sent_unit[b], scratch.sent_code[b]
    first, stride = registers[_FEEDBACK], registers[_FEEDBACK_STRIDE]
    if registers[_FEEDBACK_SUM_WIDE] != 0:
        if registers[_FEEDBACK_WIDE] != 0:
            accumulate_wide(scratch.wide_sums, memory.wide, first, stride, unit, code, start, n)
        else:
            accumulate_wide(scratch.wide_sums, memory.narrow, first, stride, unit, code, start, n)
    elif registers[_FEEDBACK_WIDE] != 0:
        accumulate(scratch.sums, memory.wide, first, stride, unit, code, start, n)
    else:
        accumulate(scratch.sums, memory.narrow, first, stride, unit, code, start, n)


@inlined
def _receive_transposed(memory, scratch, registers, above, start, n_sent, b):
    """X_i = sum_k W[i, k] d_k with the weights of the layer above."""
    first, stride, n = above[_WEIGHT], above[_STRIDE], registers[_N_OUT]
    dense = scratch.narrow_signal
    for k in range(stride):
        dense[k] = 0
    for e in range(start, start + n_sent):
        dense[scratch.sent_unit[b, e]] = scratch.sent_code[b, e]
    if registers[_FEEDBACK_SUM_WIDE] != 0:
        if above[_WIDE_WEIGHT] != 0:
            row_products_wide(scratch.wide_sums, memory.wide, first, stride, dense, n)
        else:
            row_products_wide(scratch.wide_sums, memory.narrow, first, stride, dense, n)
        return
    if above[_WIDE_WEIGHT] != 0:
        row_products(scratch.sums, memory.wide, first, stride, dense, n)
    else:
        row_products(scratch.sums, memory.narrow, first, stride, dense, n)
    for i in range(n, registers[_STRIDE]):
        scratch.sums[i] = 0


@inlined
def _local_signals_32(program, scratch, tally, layer, b):
    """From the crossbar's sums to R in 32-bit lanes: rounding to nearest, no quantiser at this layer."""
    chip, registers = program.chip, program.layers[layer]
    first, signal, slopes = registers[_CODE], scratch.signal[b], scratch.slope[b]
    low, high, zero, one = splat_32(chip[_LOW]), splat_32(chip[_HIGH]), splat_32(0), splat_32(1)
    half, unit = splat_32((1 << (_ONE_BITS - 1)) - 1), splat_32(_ONE_BITS)
    a, c, d, e = nearest_terms(registers[_RECEIVED_SHIFT])
    factor, bias, odd, shift = splat_32(a), splat_32(c), splat_32(d), splat_32(e)
    received, local, clipped, lost = 0, 0, 0, 0
    for i in range(0, registers[_N_OUT], HALF):
        exact = nearest(load_32(scratch.sums, i), factor, bias, odd, shift)
        j = minimum(maximum(exact, low), high)
        slope = load_32(slopes, first + i)
        r = nearest(multiply(slope, j), one, half, one, unit)
        clipped += count_different(j, exact)
        received += count_different(j, zero)
        local += count_different(r, zero)
        lost += count_lost(j, slope, r)
        store(signal, first + i, r)
    tally.counts[layer, _T_RECEIVED] += received
    tally.counts[layer, _T_LOCAL] += local
    tally.health[layer, _RECEIVED_SATURATED] += clipped
    tally.health[layer, _RECEIVED_UNDERFLOW] += lost


@kernel
def _local_signals(program, scratch, tally, layer, b):
    """From the crossbar's sums to R: round to the received word, quantise, multiply by f', quantise."""
    chip, registers, levels = program.chip, program.layers[layer], program.levels
    first, shift, low, high, mode = (
        registers[_CODE],
        registers[_RECEIVED_SHIFT],
        chip[_LOW],
        chip[_HIGH],
        chip[_ROUND],
    )
    at_received, at_local, is_wide = chip[_RECEIVED] != 0, chip[_LOCAL] != 0, registers[_FEEDBACK_SUM_WIDE] != 0
    signal, slopes = scratch.signal[b], scratch.slope[b]
    received, local, clipped, lost = 0, 0, 0, 0
    for i in range(registers[_N_OUT]):
        found = scratch.wide_sums[i] if is_wide else np.int64(scratch.sums[i])
        exact = rounded(found, shift, mode, np.int64(0))
        j = min(max(exact, low), high)
        clipped += j != exact
        received += j != 0
        if at_received and j != 0:
            clipped += abs(j) > chip[_R_ALPHA]
            j = requantise(j, levels, chip[_R_THRESHOLD], chip[_R_DECODE], chip[_R_LEVELS])
            lost += j == 0
        slope = np.int64(slopes[first + i])
        r = rounded(slope * j, _ONE_BITS, NEAREST, np.int64(0))
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


@inlined
def receive(program, memory, scratch, tally, layer, b):
    """The local signals of one hidden layer."""
    chip = program.chip
    registers = program.layers[layer]
    sender = layer + 1 if chip[_ROUTE] == _ROUTE_LAYERED else chip[_LAYERS] - 1
    start, n = program.layers[sender, _CODE_EVENT], np.int64(scratch.sent_count[sender, b])
    if n == 0:
        first, signal = registers[_CODE], scratch.signal[b]
        for i in range(first, first + registers[_N_OUT]):
            signal[i] = 0
        return
    if registers[_MATRIX] == _TRANSPOSE:
        _receive_transposed(memory, scratch, registers, program.layers[layer + 1], start, n, b)
    else:
        _receive_random(memory, scratch, registers, start, n, b)
    if registers[_RECEIVED_NARROW] != 0:
        _local_signals_32(program, scratch, tally, layer, b)
    else:
        _local_signals(program, scratch, tally, layer, b)


@inlined
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


@inlined
def _store_product(memory, registers, i, k, exact):
    """C[k, i] of SBP from the exact product."""
    x = rounded(np.int64(exact), registers[_PRODUCT_SHIFT], NEAREST, np.int64(0))
    x = min(max(x, registers[_FEEDBACK_LOW]), registers[_FEEDBACK_HIGH])
    memory.wide[registers[_FEEDBACK] + k * registers[_FEEDBACK_STRIDE] + i] = x


@kernel
def recompute_products(program, memory, scratch):
    """SBP: the products of the weights above each hidden layer, exact, then rounded once into C's word.

    reference: P^h = W^(h+1) P^(h+1) as [n_h, n_out], stored as C[k, i] = P^h[i, k]. Rows of P are padded to whole vectors;
    sums are in 32-bit lanes where the words prove that these hold them, else in 64 bits.
    """
    last = program.chip[_LAYERS] - 1
    n_out, stride = program.layers[last, _N_OUT], program.layers[last, _STRIDE]
    p, q, wide_p, wide_q = scratch.product[0], scratch.product[1], scratch.wide_product[0], scratch.wide_product[1]
    for layer in range(last - 1, -1, -1):
        above, registers = program.layers[layer + 1], program.layers[layer]
        n, width, narrow = registers[_N_OUT], above[_N_OUT], registers[_PRODUCT_NARROW] != 0
        for i in range(n):
            at = above[_WEIGHT] + i * above[_STRIDE]
            if layer == last - 1:
                for k in range(stride):
                    w = weight_at(memory, above, at + k)
                    q[i * stride + k] = w
                    wide_q[i * stride + k] = w
            elif narrow:
                for k in range(0, n_out, HALF):
                    found = splat_32(0)
                    for j in range(width):
                        w = splat_32(weight_at(memory, above, at + j))
                        found = add(found, multiply(w, load_32(p, j * stride + k)))
                    store(q, i * stride + k, found)
            else:
                for k in range(i * stride, i * stride + n_out):
                    wide_q[k] = 0
                for j in range(width):
                    w = weight_at(memory, above, at + j)
                    for k in range(n_out):
                        wide_q[i * stride + k] += w * wide_p[j * stride + k]
            for k in range(n_out):
                _store_product(memory, registers, i, k, q[i * stride + k] if narrow else wide_q[i * stride + k])
        if narrow and registers[_PRODUCT_WIDENS] != 0:
            for i in range(n * stride):
                wide_q[i] = q[i]
        p, q, wide_p, wide_q = q, p, wide_q, wide_p
