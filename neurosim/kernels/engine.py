"""The engine: steps of learning, and evaluation, of any network that registers describe.

A step reads only weights from before it: forward for all its samples, then the learning channel, then the updates. The
batch size, the order of events and the kernels that are chosen change nothing in the result (docs/substrate.md 7).
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.backward import learning_channel
from neurosim.kernels.crossbars import recompute_crossbars
from neurosim.kernels.forward import emit, forward_layer
from neurosim.kernels.jit import inlined, inner, kernel
from neurosim.kernels.lanes import HALF, load_32, store
from neurosim.kernels.registers import CHIP, HEALTH, LAYER, ROUNDING, ROUTE, TALLY
from neurosim.kernels.rng import step_key
from neurosim.kernels.update import measure, sort_by_row, update_batch, update_online

_NEVER = 63  # the shift of what does not learn


@inner
def _learn_batch(weights, place, events, largest, signals, from_, rule, drawn, levels, quantiser, scratch, execution):
    """The part of `_learn` for several samples: sorted by row, one sum a weight. Returns (attempted, rows, changed, clipped)."""
    first, stride, columns, n_rows = place
    unit, code, start, count, largest_code = events
    samples = count.shape[0]
    for b in range(samples):
        signal = signals[b]
        for j in range(0, stride, HALF):
            y = load_32(signal, from_ + j)
            store(scratch.block, b * stride + j, y)
            store(scratch.narrow_block, b * stride + j, y)
    sort_by_row(unit, code, start, count, n_rows, scratch.row_start, scratch.row_sample, scratch.row_code)
    return update_batch(
        weights,
        first,
        stride,
        columns,
        n_rows,
        samples,
        largest_code,
        largest,
        scratch,
        drawn,
        rule,
        levels,
        quantiser,
        execution,
    )


@inlined
def _learn(weights, place, events, signals, from_, counters, rule, drawn, levels, quantiser, scratch, execution):
    """Update one memory after a step, and count. Returns how many signals were not 0.

    weights: int8 or int16[:]; place: (first, stride, columns, rows); events: (unit, code int32[samples, :], where they start,
    count int32[samples], the largest |code|); signals: int32[samples, :], from `from_` on; counters: (this layer's counts,
    health, the first of the nine counters from pairs to words_64, and that of clipped weights); rule:
    (shift, rounding, low, high), or a shift of 63 or more where nothing is to learn; drawn: the key of the rows' words.
    """
    first, stride, columns, _ = place
    unit, code, start, count, largest_code = events
    counts, health, first_count, clipped_at = counters
    samples = count.shape[0]
    found, pairs, active, largest = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for b in range(samples):
        n, most = measure(signals[b], from_, columns)
        found += n
        pairs += count[b] * n
        active += count[b] if n > 0 else 0
        largest = max(largest, most)
    if rule[0] >= _NEVER:
        return found
    counts[first_count] += pairs
    counts[first_count + 1] += active
    if pairs == 0:
        return found
    if samples == 1 and quantiser[0] == 0:
        changed, clipped = update_online(
            weights, first, stride, columns, unit[0], code[0], start, np.int64(count[0]), largest_code, signals[0], from_, largest,
            scratch.narrow_signal, drawn, rule,
        )  # fmt: skip
        attempted, rows = pairs, active
    else:
        attempted, rows, changed, clipped = _learn_batch(
            weights, place, events, largest, signals, from_, rule, drawn, levels, quantiser, scratch, execution
        )
    counts[first_count + 2] += attempted
    counts[first_count + 3] += rows
    counts[first_count + 4] += changed
    if rule[1] == ROUNDING.stochastic and rule[0] > 0:
        counts[first_count + 5] += rows
        counts[first_count + 6 + (rule[0] > 16) + (rule[0] > 32)] += attempted
    health[clipped_at] += clipped
    return found


@inlined
def update(program, memory, scratch, tally, layer, n_samples, step, rate, of_feedback):
    """The weights of one layer, or its adaptive crossbar: rows are senders with a value, columns its own output codes."""
    chip, registers = program.chip, program.layers[layer]
    if of_feedback:
        sender = layer + 1 if chip[CHIP.route] == ROUTE.layered else chip[CHIP.layers] - 1
        unit, code, signal = scratch.sent_unit, scratch.sent_code, scratch.code
        start, count, largest = (
            program.layers[sender, LAYER.code_event],
            scratch.sent_count[sender, :n_samples],
            chip[CHIP.received_max],
        )
        place = (
            registers[LAYER.feedback],
            registers[LAYER.feedback_stride],
            registers[LAYER.n_out],
            registers[LAYER.feedback_rows],
        )
        rule = (
            registers[LAYER.feedback_update_shift] + rate,
            registers[LAYER.feedback_round],
            registers[LAYER.feedback_low],
            registers[LAYER.feedback_high],
        )
        partial_key, is_wide, quantiser = (
            registers[LAYER.feedback_key],
            registers[LAYER.feedback_wide],
            (np.int64(0), np.int64(0), np.int64(0)),
        )
        first_count, clipped_at = np.int64(TALLY.feedback_pairs), np.int64(HEALTH.feedback_saturated)
    else:
        unit, code, signal = scratch.event_unit, scratch.event_code, scratch.signal
        start, count, largest = (
            registers[LAYER.event],
            scratch.event_count[layer, :n_samples],
            registers[LAYER.code_max],
        )
        place = (registers[LAYER.weight], registers[LAYER.stride], registers[LAYER.n_out], registers[LAYER.rows])
        shift = registers[LAYER.update_shift] + rate if registers[LAYER.frozen] == 0 else np.int64(_NEVER)
        rule = (shift, registers[LAYER.update_round], registers[LAYER.weight_low], registers[LAYER.weight_high])
        partial_key, is_wide = registers[LAYER.update_key], registers[LAYER.wide_weight]
        quantiser = (registers[LAYER.update_levels], registers[LAYER.update_threshold], registers[LAYER.update_decode])
        first_count, clipped_at = np.int64(TALLY.update_pairs), np.int64(HEALTH.weight_saturated)
    events = (unit, code, start, count, largest)
    counters = (tally.counts[layer], tally.health[layer], first_count, clipped_at)
    drawn, from_, levels = step_key(partial_key, step), registers[LAYER.code], program.levels
    if is_wide != 0:
        found = _learn(
            memory.wide,
            place,
            events,
            signal,
            from_,
            counters,
            rule,
            drawn,
            levels,
            quantiser,
            scratch,
            chip[CHIP.execution],
        )
    else:
        found = _learn(
            memory.narrow,
            place,
            events,
            signal,
            from_,
            counters,
            rule,
            drawn,
            levels,
            quantiser,
            scratch,
            chip[CHIP.execution],
        )
    if not of_feedback:
        tally.counts[layer, TALLY.signalled] += found


@inlined
def winner(program, scratch, b):
    """The lowest index among the largest addresses of the output layer."""
    registers = program.layers[program.chip[CHIP.layers] - 1]
    first, address = registers[LAYER.code], scratch.address[b]
    best = 0
    for j in range(registers[LAYER.n_out]):
        if address[first + j] > address[first + best]:
            best = j
    return best


@kernel
def run(program, memory, scratch, tally, inputs, labels, order, batch_size, step, rate, learning, predictions):
    """Classify the samples order[:] as they come and, with `learning`, learn from each mini-batch after that.

    inputs: uint8 or int16[samples, n_in], codes; labels: int64[samples], read when learning; order: int64[:]; step: the
    first step's number; rate: k of eta = 2**-k; predictions: int64[len(order)] out.
    """
    chip = program.chip
    for begin in range(0, order.shape[0], batch_size):
        n = min(batch_size, order.shape[0] - begin)
        for layer in range(chip[CHIP.layers]):
            at = program.layers[layer - 1, LAYER.code] if layer > 0 else np.int64(0)
            for b in range(n):
                if layer > 0:
                    emit(program, scratch, tally, layer, b, scratch.code[b], at, learning, step)
                else:
                    emit(program, scratch, tally, layer, b, inputs[order[begin + b]], at, learning, step)
            forward_layer(program, memory, scratch, tally, layer, n, learning)
        for b in range(n):
            predictions[begin + b] = winner(program, scratch, b)
        if not learning:
            continue
        recompute_crossbars(program, memory, scratch)
        for b in range(n):
            learning_channel(program, memory, scratch, tally, b, labels[order[begin + b]], step)
        for job in range(2 * chip[CHIP.layers]):
            layer, of_feedback = job >> 1, job & 1 == 1
            if not of_feedback or program.layers[layer, LAYER.adaptive] != 0:
                update(program, memory, scratch, tally, layer, n, step, rate, of_feedback)
        step += 1
