"""The update of states, in integers and in real numbers (docs/spiking.md 2)."""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import overload

from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import (
    HALF,
    add,
    bit_and,
    load_32,
    maximum,
    minimum,
    multiply,
    shift_right,
    splat_32,
    store,
    subtract,
    where_above,
    where_equal,
)
from neurosim.kernels.rng import fold
from neurosim.kernels.spike_registers import FLOW, SHIFTING, STATE

_POWERS = 2.0 ** -np.arange(-64.0, 65.0)
_UPPER = np.uint64(32)


def divided(v, shift, mode):
    """q(v, shift) of an int64, or of a real number, which is not rounded."""
    raise NotImplementedError


@overload(divided)
def _divided(v, shift, mode):
    def integer(v, shift, mode):
        if shift <= 0:
            return v << -shift
        if mode == SHIFTING.floor:
            return v >> shift
        if mode == SHIFTING.away:
            return -((-v) >> shift) if v >= 0 else v >> shift
        found = v >> shift if v >= 0 else -((-v) >> shift)
        if mode == SHIFTING.least and found == 0 and v != 0:
            return np.int64(1) if v > 0 else np.int64(-1)
        return found

    def real(v, shift, mode):
        return v * _POWERS[shift + 64]

    return real if isinstance(v, types.Float) else integer


def is_real(x):
    """Whether an array holds real numbers: known when a kernel is compiled."""
    raise NotImplementedError


@overload(is_real)
def _is_real(x):
    found = isinstance(x.dtype, types.Float)

    def known(x):
        return found

    return known


@inlined
def noise(registers, tick, item):
    """The noise of one neuron."""
    word = fold(fold(np.uint64(registers[STATE.noise_key]), tick), item)
    a = registers[STATE.noise]
    return np.int64(((word >> _UPPER) * np.uint64(2 * a + 1)) >> _UPPER) - a


@inlined
def _any(v, terms):
    """Floor of v + push, and for negative v also + tilt; where that is 0, the sign of v, or 0 where least is 0."""
    shift, push, tilt, least = terms
    sign = shift_right(v, splat_32(31))
    found = shift_right(add(add(v, push), bit_and(sign, tilt)), shift)
    zero = splat_32(0)
    return where_equal(found, zero, minimum(maximum(v, subtract(zero, least)), least), found)


@inlined
def _terms(shift, mode):
    """(shift, push, tilt, least) of a rounding, in vectors; shift at least 0."""
    rest = (1 << shift) - 1
    push = rest if mode == SHIFTING.away else 0
    tilt = -rest if mode == SHIFTING.away else (0 if mode == SHIFTING.floor else rest)
    return splat_32(shift), splat_32(push), splat_32(tilt), splat_32(1 if mode == SHIFTING.least else 0)


@inlined
def _quotient(v, terms, plain):
    return shift_right(v, terms[0]) if plain else _any(v, terms)


@inlined
def _flow(flows, k, at):
    """(where flow k's state begins less `at`, its factor and the terms of its rounding); of what lies beyond the list the last."""
    f = flows[min(k, flows.shape[0] - 1)]
    factor = splat_32(f[FLOW.numerator] << max(0, -f[FLOW.shift]))
    return f[FLOW.at] - at, factor, _terms(max(0, f[FLOW.shift]), f[FLOW.round])


def _narrow(plain):
    """The update of a state in 32-bit lanes; plain: where all roundings are floors."""

    @inner
    def update(x, inputs, wait, first, n, registers, flows):
        at, arriving = registers[STATE.at], registers[STATE.input]
        zero = splat_32(0)
        bias, low, high = (
            splat_32(registers[STATE.bias]),
            splat_32(registers[STATE.low]),
            splat_32(registers[STATE.high]),
        )
        leaks, leak = registers[STATE.leak_numerator], splat_32(registers[STATE.leak_numerator])
        leak_terms = _terms(registers[STATE.leak_shift], registers[STATE.leak_round])
        flow, flow_end, holds = registers[STATE.flow], registers[STATE.flow_end], registers[STATE.holds]
        at_0, factor_0, terms_0 = _flow(flows, flow, at)  # of two flows everything stays in registers
        at_1, factor_1, terms_1 = _flow(flows, flow + 1, at)
        for i in range(at, at + n, HALF):
            before = load_32(x, i)
            y = add(before, bias)
            if leaks:
                y = subtract(y, _quotient(multiply(before, leak), leak_terms, plain))
            if arriving >= 0:
                y = add(y, load_32(inputs, arriving + i - at))
                store(inputs, arriving + i - at, zero)
            if flow_end > flow:
                y = add(y, _quotient(multiply(load_32(x, i + at_0), factor_0), terms_0, plain))
            if flow_end > flow + 1:
                y = add(y, _quotient(multiply(load_32(x, i + at_1), factor_1), terms_1, plain))
            for k in range(flow + 2, flow_end):
                at_k, factor, terms = _flow(flows, k, at)
                y = add(y, _quotient(multiply(load_32(x, i + at_k), factor), terms, plain))
            y = minimum(maximum(y, low), high)
            if holds:
                y = where_above(load_32(wait, first + i - at), zero, before, y)
            store(x, i, y)

    return update


_update_plain, _update_any = _narrow(True), _narrow(False)


@inner
def _update_one(x, inputs, wait, first, n, registers, flows, tick):
    """The same, neuron by neuron, in 64 bits or real numbers, with noise."""
    at, arriving = registers[STATE.at], registers[STATE.input]
    for i in range(n):
        before = x[at + i]
        y = before + registers[STATE.bias]
        if registers[STATE.leak_numerator]:
            y -= divided(
                before * registers[STATE.leak_numerator], registers[STATE.leak_shift], registers[STATE.leak_round]
            )
        if arriving >= 0:
            y += inputs[arriving + i]
            inputs[arriving + i] = 0
        for k in range(registers[STATE.flow], registers[STATE.flow_end]):
            f = flows[k]
            y += divided(x[f[FLOW.at] + i] * f[FLOW.numerator], f[FLOW.shift], f[FLOW.round])
        if registers[STATE.noise]:
            y += noise(registers, tick, i)
        y = min(max(y, registers[STATE.low]), registers[STATE.high])
        if not (registers[STATE.holds] and wait[first + i] > 0):
            x[at + i] = y


def update_state(x, inputs, wait, first, n, registers, flows, tick):
    """One state of a population, in integers or in real numbers."""
    raise NotImplementedError


@overload(update_state)
def _update_state(x, inputs, wait, first, n, registers, flows, tick):
    def integers(x, inputs, wait, first, n, registers, flows, tick):
        if not registers[STATE.narrow]:
            _update_one(x, inputs, wait, first, n, registers, flows, tick)
        elif registers[STATE.plain]:
            _update_plain(x, inputs, wait, first, n, registers, flows)
        else:
            _update_any(x, inputs, wait, first, n, registers, flows)

    def reals(x, inputs, wait, first, n, registers, flows, tick):
        _update_one(x, inputs, wait, first, n, registers, flows, tick)

    return reals if isinstance(x.dtype, types.Float) else integers
