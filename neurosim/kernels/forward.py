"""The forward pass of one layer for the samples of a step (docs/substrate.md 2 and 7)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.dense import accumulate, accumulate_wide, gather
from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    bit_and,
    count_different,
    first_lanes,
    load_32,
    look_up,
    maximum,
    minimum,
    shift_right,
    splat_32,
    store,
)
from neurosim.kernels.matmul import EXACT_32, matrix_sums
from neurosim.kernels.registers import CHIP, EXECUTION, HEALTH, LAYER
from neurosim.kernels.rng import column_bits, fold, step_key
from neurosim.kernels.words import nearest, nearest_terms, rounded

_ALL = 256
_NONE = np.int64(0)  # a plain 0 would have its kernel compiled once more, for that constant
MATRIX_SAMPLES = 16
"""Samples in a step from which on BLAS may pay."""
MATRIX_DENSITY = 0.75
"""Active share of the presynaptic units from which on it does."""
MATRIX_WORDS = 1 << 22
"""Weights from which on it does: smaller memories stay in the cache, where events are as fast."""


@inner
def _drop_events(unit, code, start, n, blank_out, word, tallied, first):
    """Blank out events: keep those whose 16 random bits reach the threshold."""
    kept = start
    for e in range(start, start + n):
        i = unit[e]
        if column_bits(word, i, 16) >= _ALL * blank_out:
            unit[kept], code[kept] = i, code[e]
            kept += 1
        else:
            tallied[first + i] -= 1
    return kept - start


@inlined
def emit(program, scratch, tally, layer, b, codes, at, training, step):
    """List the events of one sample that arrive at a layer, codes[at : at + n_in] and its bias, and count them by unit."""
    registers = program.layers[layer]
    start, first = registers[LAYER.event], registers[LAYER.unit_event]
    unit, code = scratch.event_unit[b], scratch.event_code[b]
    n = gather(codes, at, registers[LAYER.n_in], unit, code, start, tally.events, first)
    if training and registers[LAYER.blank_out] > 0:
        word = fold(step_key(registers[LAYER.blank_out_key], step), b)
        n = _drop_events(unit, code, start, n, registers[LAYER.blank_out], word, tally.events, first)
    if registers[LAYER.bias_code] > 0:  # the bias stands last: evaluation with blank-out relies on it
        unit[start + n] = registers[LAYER.n_in]
        code[start + n] = registers[LAYER.bias_code]
        tally.events[first + registers[LAYER.n_in]] += 1
        n += 1
    scratch.event_count[layer, b] = n


@inlined
def _softmax(program, registers, address, code):
    """Integer softmax with base 2. address, code: int32[n_out]."""
    n, bits = registers[LAYER.n_out], registers[LAYER.softmax_bits]
    largest = address[0]
    for j in range(n):
        largest = max(largest, address[j])
    total = np.int64(0)
    for j in range(n):
        d = np.int64(largest - address[j])
        if bits > 0:
            value = np.int64(program.tables[registers[LAYER.table] + (d & ((1 << bits) - 1))])
            d >>= bits
        else:
            value = np.int64(1 << 16)
            d <<= -bits
        value = value >> d if d < 63 else 0
        code[j] = value
        total += value
    for j in range(n):
        code[j] = min((np.int64(code[j]) << registers[LAYER.output_bits]) // total, registers[LAYER.output_high])


@inlined
def _activate(program, scratch, layer, b):
    """Addresses to output codes and derivatives of one sample: a table holds both, code * 256 + derivative."""
    registers = program.layers[layer]
    n, first = registers[LAYER.n_out], registers[LAYER.code]
    address, code, slope = scratch.address[b], scratch.code[b], scratch.slope[b]
    if registers[LAYER.softmax] != 0:
        _softmax(program, registers, address[first : first + n], code[first : first + n])
        return
    at, places, derivative = registers[LAYER.table] - registers[LAYER.address_low], splat_32(8), splat_32(0xFF)
    for j in range(0, n, HALF):
        entry = first_lanes(look_up(program.tables, at, load_32(address, first + j)), n - j)
        store(code, first + j, shift_right(entry, places))
        store(slope, first + j, bit_and(entry, derivative))


@inner
def _addresses(scratch, tally, layer, b, registers, sums, at, more):
    """Sums to addresses, any rounding, any width.

    sums: integers, n_out of them from `at` on; more: places that they have beyond those of the words.
    """
    first, shift, mode, low, high = (
        registers[LAYER.code],
        registers[LAYER.address_shift] + more,
        registers[LAYER.address_round],
        registers[LAYER.address_low],
        registers[LAYER.address_high],
    )
    address = scratch.address[b]
    clipped = 0
    for j in range(registers[LAYER.n_out]):
        exact = rounded(np.int64(sums[at + j]), shift, mode, np.int64(0))
        a = min(max(exact, low), high)
        clipped += a != exact
        address[first + j] = a
    tally.health[layer, HEALTH.preactivation_saturated] += clipped


@inlined
def _addresses_32(scratch, tally, layer, b, registers, sums):
    """The same in 32-bit lanes, rounding to nearest. sums: int32[stride], 0 in padded columns."""
    first, address = registers[LAYER.code], scratch.address[b]
    a, c, d, e = nearest_terms(registers[LAYER.address_shift])
    factor, bias, odd, shift = splat_32(a), splat_32(c), splat_32(d), splat_32(e)
    low, high = splat_32(registers[LAYER.address_low]), splat_32(registers[LAYER.address_high])
    clipped = 0
    for j in range(0, registers[LAYER.n_out], HALF):
        exact = nearest(load_32(sums, j), factor, bias, odd, shift)
        found = minimum(maximum(exact, low), high)
        clipped += count_different(found, exact)
        store(address, first + j, found)
    tally.health[layer, HEALTH.preactivation_saturated] += clipped


@inlined
def _sum_events(memory, scratch, registers, b, n):
    """The synaptic sums of one sample's first n events into scratch.sums or scratch.wide_sums."""
    start, unit, code = registers[LAYER.event], scratch.event_unit[b], scratch.event_code[b]
    first, stride = registers[LAYER.weight], registers[LAYER.stride]
    if registers[LAYER.sum_wide] != 0:
        if registers[LAYER.wide_weight] != 0:
            accumulate_wide(scratch.wide_sums, memory.wide, first, stride, unit, code, start, n)
        else:
            accumulate_wide(scratch.wide_sums, memory.narrow, first, stride, unit, code, start, n)
    elif registers[LAYER.wide_weight] != 0:
        accumulate(scratch.sums, memory.wide, first, stride, unit, code, start, n)
    else:
        accumulate(scratch.sums, memory.narrow, first, stride, unit, code, start, n)


@inlined
def by_matrix(program, scratch, layer, n_samples):
    """Whether a layer's sums go by BLAS: exact in float32, and where it pays (or is asked for)."""
    execution, registers = program.chip[CHIP.execution], program.layers[layer]
    if execution == EXECUTION.event or n_samples == 0 or registers[LAYER.sum_wide] != 0:
        return False
    if execution == EXECUTION.auto:
        words = registers[LAYER.rows] * registers[LAYER.stride]
        if n_samples < MATRIX_SAMPLES or words < MATRIX_WORDS:
            return False
        if scratch.event_count[layer, :n_samples].sum() < MATRIX_DENSITY * n_samples * registers[LAYER.rows]:
            return False
    start, largest = registers[LAYER.event], np.int64(0)
    for b in range(n_samples):
        one = np.int64(0)
        for e in range(scratch.event_count[layer, b]):
            one += abs(np.int64(scratch.event_code[b, start + e]))
        largest = max(largest, one)
    return largest * max(registers[LAYER.weight_high], -registers[LAYER.weight_low]) < EXACT_32


@inner
def _sum_matrix(program, memory, scratch, layer, n_samples):
    """The sums of all samples by BLAS into scratch.block: int32[samples * stride]."""
    registers = program.layers[layer]
    start, first, stride, rows = (
        registers[LAYER.event],
        registers[LAYER.weight],
        registers[LAYER.stride],
        registers[LAYER.rows],
    )
    unit, code, count = scratch.event_unit, scratch.event_code, scratch.event_count[layer, :n_samples]
    sums = scratch.block[: n_samples * stride].reshape((n_samples, stride))
    tiles = (scratch.tile_a, scratch.tile_b, scratch.tile_c)
    if registers[LAYER.wide_weight] != 0:
        matrix_sums(sums, memory.wide, first, stride, rows, unit, code, start, count, tiles)
    else:
        matrix_sums(sums, memory.narrow, first, stride, rows, unit, code, start, count, tiles)


@inlined
def weight_at(memory, registers, at):
    """One weight of a layer, by its place in the memory: int64."""
    return np.int64(memory.wide[at]) if registers[LAYER.wide_weight] != 0 else np.int64(memory.narrow[at])


@inner
def _scaled_addresses(memory, scratch, tally, layer, b, registers):
    """Evaluation of a layer that blanked events out: 256 times the sums, (256 - p) of the events and 256 of the bias."""
    n, bias = scratch.event_count[layer, b], registers[LAYER.bias_code]
    _sum_events(memory, scratch, registers, b, n - 1 if bias > 0 else n)
    wide, keep = scratch.wide_sums, _ALL - registers[LAYER.blank_out]
    row = registers[LAYER.weight] + registers[LAYER.n_in] * registers[LAYER.stride]
    for j in range(registers[LAYER.n_out]):
        part = wide[j] if registers[LAYER.sum_wide] != 0 else np.int64(scratch.sums[j])
        wide[j] = part * keep + (_ALL * bias * weight_at(memory, registers, row + j) if bias > 0 else 0)
    _addresses(scratch, tally, layer, b, registers, wide, _NONE, np.int64(8))


@inlined
def forward_layer(program, memory, scratch, tally, layer, n_samples, training):
    """One layer for the samples of a step, whose events have been listed: event by event, or by BLAS; equal bits."""
    registers = program.layers[layer]
    scaled = not training and registers[LAYER.blank_out] > 0
    if not scaled and by_matrix(program, scratch, layer, n_samples):
        _sum_matrix(program, memory, scratch, layer, n_samples)
        for b in range(n_samples):
            _addresses(scratch, tally, layer, b, registers, scratch.block, b * registers[LAYER.stride], _NONE)
            _activate(program, scratch, layer, b)
        return
    for b in range(n_samples):
        if scaled:
            _scaled_addresses(memory, scratch, tally, layer, b, registers)
        else:
            _sum_events(memory, scratch, registers, b, scratch.event_count[layer, b])
            if registers[LAYER.address_narrow] != 0:
                _addresses_32(scratch, tally, layer, b, registers, scratch.sums)
            elif registers[LAYER.sum_wide] != 0:
                _addresses(scratch, tally, layer, b, registers, scratch.wide_sums, _NONE, _NONE)
            else:
                _addresses(scratch, tally, layer, b, registers, scratch.sums, _NONE, _NONE)
        _activate(program, scratch, layer, b)
