"""The engine of networks with convolutions: as `engine.run`, which knows none and so compiles sooner."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.backward import codes_at_top, output_error, receive, send
from neurosim.kernels.conv import forward_map
from neurosim.kernels.conv_back import receive_map, send_map, turn_weights
from neurosim.kernels.conv_update import update_map
from neurosim.kernels.crossbars import recompute_signs
from neurosim.kernels.engine import update, winner
from neurosim.kernels.forward import emit, forward_layer
from neurosim.kernels.jit import inlined, inner, kernel
from neurosim.kernels.registers import CHIP, LAYER, MATRIX, ROUTE


@inlined
def _learning_channel(program, memory, scratch, tally, maps, b, label, step):
    """All signals of one sample, from the output down."""
    chip = program.chip
    last, convolutions = chip[CHIP.layers] - 1, maps.registers.shape[0]
    hidden, layered = chip[CHIP.route] != ROUTE.none, chip[CHIP.route] == ROUTE.layered
    output_error(program, scratch, b, label)
    for layer in range(last, -1, -1):
        if layer < convolutions:
            if hidden:
                receive_map(program, memory, scratch, tally, maps, layer, b, step)
                if layered and layer > 0:
                    send_map(program, scratch, tally, maps, layer, b)
        else:
            if layer < last and hidden:
                receive(program, memory, scratch, tally, layer, b, step)
            if (layered and hidden) or (layer == last and (hidden or chip[CHIP.top_quantised] != 0)):
                send(program, scratch, tally, layer, b, label, hidden)
    if chip[CHIP.top_quantised] != 0:
        codes_at_top(program, scratch, b)


@inner
def _forward(program, memory, scratch, tally, maps, layer, inputs, order, begin, n, step, learning):
    """One layer for the samples order[begin : begin + n]."""
    at = program.layers[layer - 1, LAYER.code] if layer > 0 else np.int64(0)
    for b in range(n):
        if layer > 0:
            emit(program, scratch, tally, layer, b, scratch.code[b], at, learning, step)
        else:
            emit(program, scratch, tally, layer, b, inputs[order[begin + b]], at, learning, step)
        if layer < maps.registers.shape[0]:
            forward_map(program, memory, scratch, tally, maps, layer, b)
    if layer >= maps.registers.shape[0]:
        forward_layer(program, memory, scratch, tally, layer, n, learning)


@inlined
def _recompute_crossbars(program, memory, maps):
    """Every C that is made of weights, from those before the step: kernels turned for the way back, and signs."""
    convolutions, matrix = maps.registers.shape[0], program.layers[0, LAYER.matrix]
    if matrix == MATRIX.transpose or matrix == MATRIX.sign:
        for layer in range(1, convolutions):
            turn_weights(program, memory, maps, layer)
    if matrix == MATRIX.sign:
        for layer in range(convolutions - 1, program.layers.shape[0] - 1):
            recompute_signs(program, memory, layer)


@inlined
def _update(program, memory, scratch, tally, layer, n, step, rate, of_feedback):
    update(program, memory, scratch, tally, layer, n, step, rate, of_feedback)


@kernel
def run(program, memory, scratch, tally, maps, inputs, labels, order, batch_size, step, rate, learning, predictions):
    """As `engine.run`, for a network whose first layers are convolutions. maps: `registers.Maps`."""
    chip, convolutions = program.chip, maps.registers.shape[0]
    for begin in range(0, order.shape[0], batch_size):
        n = min(batch_size, order.shape[0] - begin)
        for layer in range(chip[CHIP.layers]):
            _forward(program, memory, scratch, tally, maps, layer, inputs, order, begin, n, step, learning)
        for b in range(n):
            predictions[begin + b] = winner(program, scratch, b)
        if not learning:
            continue
        _recompute_crossbars(program, memory, maps)
        for b in range(n):
            _learning_channel(program, memory, scratch, tally, maps, b, labels[order[begin + b]], step)
        for job in range(2 * chip[CHIP.layers]):
            layer, of_feedback = job >> 1, job & 1 == 1
            if layer < convolutions and not of_feedback:
                update_map(program, memory, scratch, tally, maps, layer, n, step, rate, inputs, order, begin)
            elif not of_feedback or program.layers[layer, LAYER.adaptive] != 0:
                _update(program, memory, scratch, tally, layer, n, step, rate, of_feedback)
        step += 1
