"""The engine: steps of learning, and evaluation, of any network that registers describe.

A step reads only weights from before it: forward for all its samples, then the learning channel, then the updates. The
batch size, the order of events and the kernels that are chosen change nothing in the result (docs/substrate.md 7).
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.backward import learning_channel, recompute_products
from neurosim.kernels.forward import emit, forward_layer
from neurosim.kernels.jit import inlined, kernel
from neurosim.kernels.lanes import HALF, load_32, store
from neurosim.kernels.registers import CHIP, HEALTH, LAYER, TALLY
from neurosim.kernels.rng import step_key
from neurosim.kernels.update import measure, sort_by_row, update_batch, update_online
from neurosim.kernels.words import STOCHASTIC

_ROWS, _N_OUT, _STRIDE, _FROZEN = LAYER["rows"], LAYER["n_out"], LAYER["stride"], LAYER["frozen"]
_WEIGHT, _WIDE_WEIGHT, _EVENT, _CODE, _CODE_EVENT, _CODE_MAX = (
    LAYER["weight"],
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
_ADAPTIVE, _FEEDBACK, _FEEDBACK_ROWS, _FEEDBACK_STRIDE, _FEEDBACK_WIDE = (
    LAYER["adaptive"],
    LAYER["feedback"],
    LAYER["feedback_rows"],
    LAYER["feedback_stride"],
    LAYER["feedback_wide"],
)
_FEEDBACK_SHIFT, _FEEDBACK_ROUND, _FEEDBACK_LOW, _FEEDBACK_HIGH = (
    LAYER["feedback_update_shift"],
    LAYER["feedback_round"],
    LAYER["feedback_low"],
    LAYER["feedback_high"],
)
_UPDATE_KEY, _FEEDBACK_KEY = LAYER["update_key"], LAYER["feedback_key"]
_LEVELS, _THRESHOLD, _DECODE = LAYER["update_levels"], LAYER["update_threshold"], LAYER["update_decode"]
_MATRIX, _LAYERS, _ROUTE, _RECEIVED_MAX, _EXECUTION = (
    LAYER["matrix"],
    CHIP["layers"],
    CHIP["route"],
    CHIP["received_max"],
    CHIP["execution"],
)
_SIGNALLED, _PAIRS, _F_PAIRS = TALLY["signalled"], TALLY["update_pairs"], TALLY["feedback_pairs"]
_WEIGHT_SATURATED, _FEEDBACK_SATURATED = HEALTH["weight_saturated"], HEALTH["feedback_saturated"]
_PRODUCT, _ROUTE_LAYERED = 3, 1
_NEVER = 63  # the shift of what does not learn


@kernel
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
    if rule[1] == STOCHASTIC and rule[0] > 0:
        counts[first_count + 5] += rows
        counts[first_count + 6 + (rule[0] > 16) + (rule[0] > 32)] += attempted
    health[clipped_at] += clipped
    return found


@inlined
def _update(program, memory, scratch, tally, layer, n_samples, step, rate, of_feedback):
    """The weights of one layer, or its adaptive crossbar: rows are senders with a value, columns its own output codes."""
    chip, registers = program.chip, program.layers[layer]
    if of_feedback:
        sender = layer + 1 if chip[_ROUTE] == _ROUTE_LAYERED else chip[_LAYERS] - 1
        unit, code, signal = scratch.sent_unit, scratch.sent_code, scratch.code
        start, count, largest = (
            program.layers[sender, _CODE_EVENT],
            scratch.sent_count[sender, :n_samples],
            chip[_RECEIVED_MAX],
        )
        place = (registers[_FEEDBACK], registers[_FEEDBACK_STRIDE], registers[_N_OUT], registers[_FEEDBACK_ROWS])
        rule = (
            registers[_FEEDBACK_SHIFT] + rate,
            registers[_FEEDBACK_ROUND],
            registers[_FEEDBACK_LOW],
            registers[_FEEDBACK_HIGH],
        )
        partial_key, is_wide, quantiser = (
            registers[_FEEDBACK_KEY],
            registers[_FEEDBACK_WIDE],
            (np.int64(0), np.int64(0), np.int64(0)),
        )
        first_count, clipped_at = np.int64(_F_PAIRS), np.int64(_FEEDBACK_SATURATED)
    else:
        unit, code, signal = scratch.event_unit, scratch.event_code, scratch.signal
        start, count, largest = registers[_EVENT], scratch.event_count[layer, :n_samples], registers[_CODE_MAX]
        place = (registers[_WEIGHT], registers[_STRIDE], registers[_N_OUT], registers[_ROWS])
        shift = registers[_UPDATE_SHIFT] + rate if registers[_FROZEN] == 0 else np.int64(_NEVER)
        rule = (shift, registers[_UPDATE_ROUND], registers[_UPDATE_LOW], registers[_UPDATE_HIGH])
        partial_key, is_wide = registers[_UPDATE_KEY], registers[_WIDE_WEIGHT]
        quantiser = (registers[_LEVELS], registers[_THRESHOLD], registers[_DECODE])
        first_count, clipped_at = np.int64(_PAIRS), np.int64(_WEIGHT_SATURATED)
    events = (unit, code, start, count, largest)
    counters = (tally.counts[layer], tally.health[layer], first_count, clipped_at)
    drawn, from_, levels = step_key(partial_key, step), registers[_CODE], program.levels
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
            chip[_EXECUTION],
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
            chip[_EXECUTION],
        )
    if not of_feedback:
        tally.counts[layer, _SIGNALLED] += found


@inlined
def _winner(program, scratch, b):
    """The lowest index among the largest addresses of the output layer."""
    registers = program.layers[program.chip[_LAYERS] - 1]
    first, address = registers[_CODE], scratch.address[b]
    best = 0
    for j in range(registers[_N_OUT]):
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
        for layer in range(chip[_LAYERS]):
            at = program.layers[layer - 1, _CODE] if layer > 0 else np.int64(0)
            for b in range(n):
                if layer > 0:
                    emit(program, scratch, tally, layer, b, scratch.code[b], at, learning, step)
                else:
                    emit(program, scratch, tally, layer, b, inputs[order[begin + b]], at, learning, step)
            forward_layer(program, memory, scratch, tally, layer, n, learning)
        for b in range(n):
            predictions[begin + b] = _winner(program, scratch, b)
        if not learning:
            continue
        if program.layers[0, _MATRIX] == _PRODUCT:
            recompute_products(program, memory, scratch)
        for b in range(n):
            learning_channel(program, memory, scratch, tally, b, labels[order[begin + b]])
        for job in range(2 * chip[_LAYERS]):
            layer, of_feedback = job >> 1, job & 1 == 1
            if not of_feedback or program.layers[layer, _ADAPTIVE] != 0:
                _update(program, memory, scratch, tally, layer, n, step, rate, of_feedback)
        step += 1
