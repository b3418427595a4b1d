"""The forward pass of one layer for the samples of a step (docs/substrate.md 2 and 7)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.dense import accumulate, gather
from neurosim.kernels.jit import inlined, kernel
from neurosim.kernels.matmul import EXACT_32, matrix_sums
from neurosim.kernels.registers import CHIP, HEALTH, LAYER
from neurosim.kernels.rng import STREAM_BLANK_OUT, fold, key, lane
from neurosim.kernels.words import nearest_32, nearest_terms, rounded

_N_IN, _ROWS, _N_OUT, _STRIDE = LAYER["n_in"], LAYER["rows"], LAYER["n_out"], LAYER["stride"]
_WEIGHT, _WIDE_WEIGHT, _SUM_WIDE = LAYER["weight"], LAYER["wide_weight"], LAYER["sum_wide"]
_BIAS_CODE, _BLANK_OUT, _EVENT, _UNIT_EVENT = (
    LAYER["bias_code"],
    LAYER["blank_out"],
    LAYER["event"],
    LAYER["unit_event"],
)
_CODE, _ADDRESS_NARROW = LAYER["code"], LAYER["address_narrow"]
_SHIFT, _ROUND, _LOW, _HIGH = (
    LAYER["address_shift"],
    LAYER["address_round"],
    LAYER["address_low"],
    LAYER["address_high"],
)
_TABLE, _SOFTMAX, _SOFTMAX_BITS = LAYER["table"], LAYER["softmax"], LAYER["softmax_bits"]
_OUTPUT_HIGH, _OUTPUT_BITS = LAYER["output_high"], LAYER["output_bits"]
_WEIGHT_LOW, _WEIGHT_HIGH = LAYER["weight_low"], LAYER["weight_high"]
_SEED, _EXECUTION = CHIP["seed"], CHIP["execution"]
_BY_EVENT = 1
MATRIX_SAMPLES = 16
"""Samples in a step from which on BLAS may pay."""
MATRIX_DENSITY = 0.5
"""Active share of the presynaptic units from which on it does."""
_PREACTIVATION_SATURATED = HEALTH["preactivation_saturated"]


@inlined
def weight_rows(memory, registers):
    """The rows of a layer's weights in the narrow memory: int8[rows, stride]."""
    start, rows, stride = registers[_WEIGHT], registers[_ROWS], registers[_STRIDE]
    return memory.narrow[start : start + rows * stride].reshape((rows, stride))


@inlined
def wide_weight_rows(memory, registers):
    """The same in the wide memory: int16[rows, stride]."""
    start, rows, stride = registers[_WEIGHT], registers[_ROWS], registers[_STRIDE]
    return memory.wide[start : start + rows * stride].reshape((rows, stride))


@kernel
def _drop_events(unit, code, n, width, blank_out, word, xor, multiply):
    """Blank out events: keep those whose 16 random bits reach the threshold. The bias unit (width) always stays."""
    kept = 0
    for e in range(n):
        i = unit[e]
        if i == width or lane(word, 0, xor[0, i], multiply[0, i]) >= 256 * blank_out:
            unit[kept] = i
            code[kept] = code[e]
            kept += 1
    return kept


@kernel
def emit(program, scratch, tally, layer, b, codes, training, step):
    """List the events of one sample that arrive at a layer, with its bias, and count them by unit."""
    registers = program.layers[layer]
    start = registers[_EVENT]
    unit, code = scratch.event_unit[b, start:], scratch.event_code[b, start:]
    n = gather(codes, unit, code)
    if training != 0 and registers[_BLANK_OUT] > 0:
        word = fold(key(program.chip[_SEED], STREAM_BLANK_OUT, layer, step), b)
        n = _drop_events(
            unit, code, n, registers[_N_IN], registers[_BLANK_OUT], word, program.mix_xor, program.mix_multiply
        )
    if registers[_BIAS_CODE] > 0:
        unit[n] = registers[_N_IN]
        code[n] = registers[_BIAS_CODE]
        n += 1
    scratch.event_count[layer, b] = n
    first = registers[_UNIT_EVENT]
    for e in range(n):
        tally.events[first + unit[e]] += 1


@inlined
def softmax(program, registers, address, code):
    """Integer softmax with base 2. address, code: int32[n_out]."""
    n, bits = registers[_N_OUT], registers[_SOFTMAX_BITS]
    largest = address[0]
    for j in range(n):
        largest = max(largest, address[j])
    total = np.int64(0)
    for j in range(n):
        d = np.int64(largest - address[j])
        if bits > 0:
            value = np.int64(program.tables[registers[_TABLE] + (d & ((1 << bits) - 1))])
            d >>= bits
        else:
            value = np.int64(1 << 16)
            d <<= -bits
        value = value >> d if d < 63 else 0
        code[j] = value
        total += value
    for j in range(n):
        code[j] = min((np.int64(code[j]) << registers[_OUTPUT_BITS]) // total, registers[_OUTPUT_HIGH])


@kernel
def _addresses(scratch, tally, layer, b, registers, sums, keep):
    """Sums to addresses, in 64 bits: any rounding, any width. keep: of 256, what blank-out leaves in evaluation."""
    n, first = registers[_N_OUT], registers[_CODE]
    address = scratch.address[b, first : first + n]
    shift, mode, low, high = registers[_SHIFT], registers[_ROUND], registers[_LOW], registers[_HIGH]
    clipped = 0
    for j in range(n):
        total = np.int64(sums[j])
        if keep != 256:
            total = (total * keep) >> 8
        exact = rounded(total, shift, mode, np.int64(0))
        a = min(max(exact, low), high)
        clipped += a != exact
        address[j] = a
    tally.health[layer, _PREACTIVATION_SATURATED] += clipped


@inlined
def _addresses_32(scratch, tally, layer, b, registers, sums):
    """The same in 32-bit lanes, rounding to nearest."""
    n, first = registers[_N_OUT], registers[_CODE]
    address = scratch.address[b, first : first + n]
    scale, bias, odd, shift = nearest_terms(registers[_SHIFT])
    low, high = np.int32(registers[_LOW]), np.int32(registers[_HIGH])
    clipped = np.int32(0)
    for j in range(n):
        exact = nearest_32(sums[j], scale, bias, odd, shift)
        a = min(max(exact, low), high)
        clipped = np.int32(clipped + np.int32(a != exact))
        address[j] = a
    tally.health[layer, _PREACTIVATION_SATURATED] += clipped


@inlined
def activate(program, scratch, layer, b):
    """Addresses to output codes of one sample."""
    registers = program.layers[layer]
    n, first = registers[_N_OUT], registers[_CODE]
    address, code = scratch.address[b, first : first + n], scratch.code[b, first : first + n]
    if registers[_SOFTMAX] != 0:
        softmax(program, registers, address, code)
        return
    table = program.tables[registers[_TABLE] :]
    low = registers[_LOW]
    for j in range(n):
        code[j] = table[np.uint64(address[j] - low)]


@inlined
def sum_events(program, memory, scratch, layer, b):
    """The synaptic sums of one sample, event by event, into scratch.sums or scratch.wide_sums."""
    registers = program.layers[layer]
    start, n = registers[_EVENT], scratch.event_count[layer, b]
    unit, code = scratch.event_unit[b, start:], scratch.event_code[b, start:]
    stride = registers[_STRIDE]
    if registers[_SUM_WIDE] != 0:
        wide_sums = scratch.wide_sums[:stride]
        wide_sums[:] = 0
        if registers[_WIDE_WEIGHT] != 0:
            accumulate(wide_sums, wide_weight_rows(memory, registers), unit, code, n)
        else:
            accumulate(wide_sums, weight_rows(memory, registers), unit, code, n)
    else:
        sums = scratch.sums[:stride]
        sums[:] = 0
        if registers[_WIDE_WEIGHT] != 0:
            accumulate(sums, wide_weight_rows(memory, registers), unit, code, n)
        else:
            accumulate(sums, weight_rows(memory, registers), unit, code, n)


@kernel
def by_matrix(program, scratch, layer, n_samples):
    """Whether a layer's sums go by BLAS: as it pays or is asked for, and only where float32 is exact."""
    execution, registers = program.chip[_EXECUTION], program.layers[layer]
    if execution == _BY_EVENT or n_samples == 0:
        return False
    start, total, largest = registers[_EVENT], 0, np.int64(0)
    for b in range(n_samples):
        n = scratch.event_count[layer, b]
        total += n
    if execution == 0 and (n_samples < MATRIX_SAMPLES or total < MATRIX_DENSITY * n_samples * registers[_ROWS]):
        return False
    for b in range(n_samples):
        one = np.int64(0)
        for e in range(scratch.event_count[layer, b]):
            one += abs(np.int64(scratch.event_code[b, start + e]))
        largest = max(largest, one)
    return largest * max(registers[_WEIGHT_HIGH], -registers[_WEIGHT_LOW]) < EXACT_32


@kernel
def _sum_matrix(program, memory, scratch, layer, n_samples):
    """The sums of all samples by BLAS into int64[samples, stride]."""
    registers = program.layers[layer]
    start, stride = registers[_EVENT], registers[_STRIDE]
    unit, code = scratch.event_unit[:n_samples, start:], scratch.event_code[:n_samples, start:]
    count = scratch.event_count[layer, :n_samples]
    sums = np.empty((n_samples, stride), np.int64)
    if registers[_WIDE_WEIGHT] != 0:
        matrix_sums(sums, wide_weight_rows(memory, registers), unit, code, count)
    else:
        matrix_sums(sums, weight_rows(memory, registers), unit, code, count)
    return sums


@kernel
def forward_layer(program, memory, scratch, tally, layer, n_samples, training):
    """One layer for the samples of a step, whose events have been listed: event by event, or by BLAS; equal bits."""
    registers = program.layers[layer]
    keep = np.int64(256) if training != 0 else 256 - registers[_BLANK_OUT]
    if by_matrix(program, scratch, layer, n_samples):
        matrix = _sum_matrix(program, memory, scratch, layer, n_samples)
        for b in range(n_samples):
            _addresses(scratch, tally, layer, b, registers, matrix[b], keep)
            activate(program, scratch, layer, b)
        return
    narrow = registers[_ADDRESS_NARROW] != 0 and keep == 256
    for b in range(n_samples):
        sum_events(program, memory, scratch, layer, b)
        if narrow:
            _addresses_32(scratch, tally, layer, b, registers, scratch.sums)
        elif registers[_SUM_WIDE] != 0:
            _addresses(scratch, tally, layer, b, registers, scratch.wide_sums, keep)
        else:
            _addresses(scratch, tally, layer, b, registers, scratch.sums, keep)
        activate(program, scratch, layer, b)
