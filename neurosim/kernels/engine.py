"""The engine: steps of learning, and evaluation, of any network that registers describe.

A step reads only weights from before it: forward for all its samples, then the learning channel, then the updates. The
batch size, the order of events and the kernels that are chosen change nothing in the result (docs/substrate.md 7).
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.backward import feedback_rows, learning_channel, recompute_products, wide_feedback_rows
from neurosim.kernels.forward import emit, forward_layer, weight_rows, wide_weight_rows
from neurosim.kernels.jit import inlined, kernel
from neurosim.kernels.registers import CHIP, HEALTH, LAYER, TALLY
from neurosim.kernels.rng import STREAM_FEEDBACK_UPDATE, STREAM_WEIGHT_UPDATE, key
from neurosim.kernels.update import measure, sort_by_row, update_batch, update_online

_N_IN, _ROWS, _N_OUT, _STRIDE, _FROZEN = (
    LAYER["n_in"],
    LAYER["rows"],
    LAYER["n_out"],
    LAYER["stride"],
    LAYER["frozen"],
)
_WIDE_WEIGHT, _EVENT, _CODE, _CODE_EVENT, _CODE_MAX = (
    LAYER["wide_weight"],
    LAYER["event"],
    LAYER["code"],
    LAYER["code_event"],
    LAYER["code_max"],
)
_UPDATE_SHIFT, _UPDATE_ROUND, _UPDATE_LOW, _UPDATE_HIGH = (
    LAYER["update_shift"],
    LAYER["update_round"],
    LAYER["weight_low"],
    LAYER["weight_high"],
)
_ADAPTIVE, _FEEDBACK_ROWS, _FEEDBACK_WIDE = LAYER["adaptive"], LAYER["feedback_rows"], LAYER["feedback_wide"]
_FEEDBACK_SHIFT, _FEEDBACK_ROUND, _FEEDBACK_LOW, _FEEDBACK_HIGH = (
    LAYER["feedback_update_shift"],
    LAYER["feedback_round"],
    LAYER["feedback_low"],
    LAYER["feedback_high"],
)
_LEVELS, _THRESHOLD, _DECODE = LAYER["update_levels"], LAYER["update_threshold"], LAYER["update_decode"]
_MATRIX, _LAYERS, _ROUTE, _SEED, _RECEIVED_HIGH = (
    LAYER["matrix"],
    CHIP["layers"],
    CHIP["route"],
    CHIP["seed"],
    CHIP["received_high"],
)
_EXECUTION = CHIP["execution"]
_SIGNALLED, _PAIRS, _F_PAIRS = TALLY["signalled"], TALLY["update_pairs"], TALLY["feedback_pairs"]
_WEIGHT_SATURATED, _FEEDBACK_SATURATED = HEALTH["weight_saturated"], HEALTH["feedback_saturated"]
_PRODUCT, _ROUTE_LAYERED = 3, 1


@kernel
def _learn(
    weights,
    unit,
    code,
    count,
    signals,
    first,
    largest_code,
    scratch,
    counts,
    health,
    where,
    row_key,
    mix,
    rule,
    levels,
    quantiser,
    execution,
):
    """Update one memory after a step and count.

    unit, code: int32[samples, :]; count: int32[samples]; signals: int32[samples, :], of which columns `first` on are read.
    counts, health: this layer's counters; where: the first of the five counters pairs, active, attempted, rows, changed,
    and the one of clipped weights.
    """
    first_count, clipped_at = where
    samples, stride = count.shape[0], weights.shape[1]
    pairs, active = 0, 0
    largest = np.int64(0)
    for b in range(samples):
        n, most = measure(signals[b, first : first + stride], scratch.narrow_signal)
        pairs += count[b] * n
        active += count[b] if n > 0 else 0
        largest = max(largest, most)
    counts[first_count] += pairs
    counts[first_count + 1] += active
    if pairs == 0:
        return
    if samples == 1 and quantiser[0] == 0:
        signal = signals[0, first : first + stride]
        changed, clipped = update_online(
            weights,
            unit[0],
            code[0],
            count[0],
            signal,
            scratch.narrow_signal,
            largest * largest_code,
            row_key,
            mix,
            rule,
        )
        attempted, rows = pairs, active
    else:
        # Rows of one block lie behind each other: a view into wider rows has a stride that no vector load can use.
        block = scratch.block[: samples * stride].reshape((samples, stride))
        block[:] = signals[:samples, first : first + stride]
        sort_by_row(unit, code, count, weights.shape[0], scratch.row_start, scratch.row_sample, scratch.row_code)
        attempted, rows, changed, clipped = update_batch(
            weights, block, scratch, row_key, mix, rule, levels, quantiser, execution
        )
    counts[first_count + 2] += attempted
    counts[first_count + 3] += rows
    counts[first_count + 4] += changed
    health[clipped_at] += clipped


@inlined
def _update_layer(program, memory, scratch, tally, layer, n_samples, step, rate):
    """The weights of one layer."""
    registers = program.layers[layer]
    first, start = registers[_CODE], registers[_EVENT]
    unit, code = scratch.event_unit[:n_samples, start:], scratch.event_code[:n_samples, start:]
    count = scratch.event_count[layer, :n_samples]
    row_key = key(program.chip[_SEED], STREAM_WEIGHT_UPDATE, layer, step)
    rule = (registers[_UPDATE_SHIFT] + rate, registers[_UPDATE_ROUND], registers[_UPDATE_LOW], registers[_UPDATE_HIGH])
    quantiser = (registers[_LEVELS], registers[_THRESHOLD], registers[_DECODE])
    where = (np.int64(_PAIRS), np.int64(_WEIGHT_SATURATED))
    mix = (program.mix_xor, program.mix_multiply)
    counts, health = tally.counts[layer], tally.health[layer]
    if registers[_WIDE_WEIGHT] != 0:
        _learn(
            wide_weight_rows(memory, registers), unit, code, count, scratch.signal, first, registers[_CODE_MAX], scratch, counts, health,
            where, row_key, mix, rule, program.levels, quantiser, program.chip[_EXECUTION],
        )  # fmt: skip
    else:
        _learn(
            weight_rows(memory, registers), unit, code, count, scratch.signal, first, registers[_CODE_MAX], scratch, counts, health,
            where, row_key, mix, rule, program.levels, quantiser, program.chip[_EXECUTION],
        )  # fmt: skip


@inlined
def _update_feedback(program, memory, scratch, tally, layer, n_samples, step, rate):
    """The adaptive crossbar of one hidden layer: rows are senders with a value, columns this layer's output codes."""
    chip, registers = program.chip, program.layers[layer]
    sender = layer + 1 if chip[_ROUTE] == _ROUTE_LAYERED else chip[_LAYERS] - 1
    first, start = registers[_CODE], program.layers[sender, _CODE_EVENT]
    unit, code = scratch.sent_unit[:n_samples, start:], scratch.sent_code[:n_samples, start:]
    count = scratch.sent_count[sender, :n_samples]
    row_key = key(chip[_SEED], STREAM_FEEDBACK_UPDATE, layer, step)
    rule = (
        registers[_FEEDBACK_SHIFT] + rate,
        registers[_FEEDBACK_ROUND],
        registers[_FEEDBACK_LOW],
        registers[_FEEDBACK_HIGH],
    )
    quantiser = (np.int64(0), np.int64(0), np.int64(0))
    where = (np.int64(_F_PAIRS), np.int64(_FEEDBACK_SATURATED))
    mix = (program.mix_xor, program.mix_multiply)
    counts, health = tally.counts[layer], tally.health[layer]
    if registers[_FEEDBACK_WIDE] != 0:
        _learn(
            wide_feedback_rows(memory, registers), unit, code, count, scratch.code, first, chip[_RECEIVED_HIGH], scratch, counts, health,
            where, row_key, mix, rule, program.levels, quantiser, program.chip[_EXECUTION],
        )  # fmt: skip
    else:
        _learn(
            feedback_rows(memory, registers), unit, code, count, scratch.code, first, chip[_RECEIVED_HIGH], scratch, counts, health,
            where, row_key, mix, rule, program.levels, quantiser, program.chip[_EXECUTION],
        )  # fmt: skip


@inlined
def _forward(program, memory, scratch, tally, inputs, order, training, step):
    """Forward of all layers for the samples order[:]; returns nothing: codes and addresses stay in the scratch."""
    chip = program.chip
    for b in range(order.shape[0]):
        emit(program, scratch, tally, 0, b, inputs[order[b]], training, step)
    for layer in range(chip[_LAYERS]):
        if layer > 0:
            below = program.layers[layer - 1]
            first, n = below[_CODE], below[_N_OUT]
            for b in range(order.shape[0]):
                emit(program, scratch, tally, layer, b, scratch.code[b, first : first + n], training, step)
        forward_layer(program, memory, scratch, tally, layer, order.shape[0], training)


@inlined
def _is_correct(program, scratch, b, label):
    """Whether the lowest of the largest output addresses is the label's."""
    registers = program.layers[program.chip[_LAYERS] - 1]
    first = registers[_CODE]
    best = 0
    for j in range(registers[_N_OUT]):
        if scratch.address[b, first + j] > scratch.address[b, first + best]:
            best = j
    return best == label


@kernel
def train(program, memory, scratch, tally, inputs, labels, order, batch_size, step, rate):
    """Learn from the samples order[:], in mini-batches; returns how many were classified right when they came.

    inputs: uint8 or int16[samples, n_in], codes; labels: int64[samples]; order: int64[:]; step: the first step's number;
    rate: k of eta = 2**-k.
    """
    chip = program.chip
    correct = 0
    for start in range(0, order.shape[0], batch_size):
        batch = order[start : start + batch_size]
        n = batch.shape[0]
        _forward(program, memory, scratch, tally, inputs, batch, np.int64(1), step)
        if program.layers[0, _MATRIX] == _PRODUCT:
            recompute_products(program, memory, scratch)
        for b in range(n):
            label = labels[batch[b]]
            correct += _is_correct(program, scratch, b, label)
            learning_channel(program, memory, scratch, tally, b, label)
        for layer in range(chip[_LAYERS]):
            _count_signals(program, scratch, tally, layer, n)
            if program.layers[layer, _FROZEN] == 0:
                _update_layer(program, memory, scratch, tally, layer, n, step, rate)
            if program.layers[layer, _ADAPTIVE] != 0:
                _update_feedback(program, memory, scratch, tally, layer, n, step, rate)
        step += 1
    return correct


@inlined
def _count_signals(program, scratch, tally, layer, n_samples):
    registers = program.layers[layer]
    first = registers[_CODE]
    count = 0
    for b in range(n_samples):
        for j in range(registers[_N_OUT]):
            count += scratch.signal[b, first + j] != 0
    tally.counts[layer, _SIGNALLED] += count


@kernel
def evaluate(program, memory, scratch, tally, inputs, order, predictions):
    """Classify the samples order[:]; predictions: int64[len(order)] out."""
    registers = program.layers[program.chip[_LAYERS] - 1]
    first = registers[_CODE]
    size = scratch.code.shape[0]
    for start in range(0, order.shape[0], size):
        batch = order[start : start + size]
        _forward(program, memory, scratch, tally, inputs, batch, np.int64(0), np.int64(0))
        for b in range(batch.shape[0]):
            best = 0
            for j in range(registers[_N_OUT]):
                if scratch.address[b, first + j] > scratch.address[b, first + best]:
                    best = j
            predictions[start + b] = best
