"""The update of states, in integers and in real numbers (docs/spiking.md 2)."""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import overload

from neurosim.kernels.jit import inlined, inner, unsigned
from neurosim.kernels.lanes import (
    HALF,
    add,
    bit_and,
    bits_above,
    load_32,
    maximum,
    minimum,
    multiply,
    shift_right,
    splat_32,
    store,
    subtract,
    where_bits,
    where_equal,
)
from neurosim.kernels.rng import fold
from neurosim.kernels.spike_registers import FLOW, POPULATION, SHIFTING, STATE

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
def is_held(memory, neuron):
    """Whether a neuron, by its number among all, is refractory in this tick."""
    return (np.int64(memory.held[neuron // HALF]) >> (neuron % HALF)) & 1


@inlined
def noise(registers, tick, item):
    """The noise of one neuron."""
    word = fold(fold(np.uint64(registers[STATE.noise_key]), tick), item)
    a = registers[STATE.noise]
    return np.int64(((word >> _UPPER) * np.uint64(2 * a + 1)) >> _UPPER) - a


@inlined
def _rounded(v, terms):
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
    return shift_right(v, terms[0]) if plain else _rounded(v, terms)


@inlined
def _flow(flows, k):
    """(where flow k's state begins, its factor and the terms of its rounding); of what lies beyond the list the last."""
    f = flows[min(k, flows.shape[0] - 1)]
    factor = splat_32(f[FLOW.numerator] << max(0, -f[FLOW.shift]))
    return f[FLOW.at], factor, _terms(max(0, f[FLOW.shift]), f[FLOW.round])


def _narrow(plain, most, whole):
    """The update of a state in 32-bit lanes, compiled for what it has, so that all of it stays in registers.

    plain: all roundings are floors; most: it has so many flows, of 3 that or more; whole: it may hold, and spike.
    """

    @inner
    def update(x, inputs, held, over, n, word, registers, flows):
        at, arriving, flow = registers[STATE.at], registers[STATE.input], registers[STATE.flow]
        n_flows = registers[STATE.flow_end] - flow
        zero, bias = splat_32(0), splat_32(registers[STATE.bias])
        low, high, limit = (
            splat_32(registers[STATE.low]),
            splat_32(registers[STATE.high]),
            splat_32(registers[STATE.limit]),
        )
        leak, leak_terms = (
            splat_32(registers[STATE.leak_numerator]),
            _terms(registers[STATE.leak_shift], registers[STATE.leak_round]),
        )
        holds, spiking = -registers[STATE.holds], registers[STATE.spiking]
        at_word = unsigned(word)
        biased, stays = registers[STATE.bias] != 0, registers[STATE.stays]
        at_0, factor_0, terms_0 = _flow(flows, flow)
        at_1, factor_1, terms_1 = _flow(flows, flow + 1)
        for i in range(0, n, HALF):
            before = load_32(x, at + i)
            y = subtract(before, _quotient(multiply(before, leak), leak_terms, plain))
            if biased:
                y = add(y, bias)
            if arriving >= 0:
                y = add(y, load_32(inputs, arriving + i))
                store(inputs, arriving + i, zero)
            if most in (1, 2) or n_flows > 0:
                y = add(y, _quotient(multiply(load_32(x, at_0 + i), factor_0), terms_0, plain))
            if most == 2 or n_flows > 1:
                y = add(y, _quotient(multiply(load_32(x, at_1 + i), factor_1), terms_1, plain))
            if most > 2:
                for k in range(flow + 2, flow + n_flows):
                    at_k, factor, terms = _flow(flows, k)
                    y = add(y, _quotient(multiply(load_32(x, at_k + i), factor), terms, plain))
            if not stays:
                y = minimum(maximum(y, low), high)
            if whole:
                holding = np.int64(held[at_word])
                y = where_bits(holding & holds, before, y)
                if spiking:
                    over[at_word] = bits_above(y, limit) & ~holding
                at_word += unsigned(1)
            store(x, at + i, y)

    return update


_plain_0, _plain_1, _plain_2 = _narrow(True, 0, False), _narrow(True, 1, False), _narrow(True, 2, False)
_plain_whole_0, _plain_whole_1, _plain_whole_2 = _narrow(True, 0, True), _narrow(True, 1, True), _narrow(True, 2, True)
_any = _narrow(False, 3, True)


@inlined
def _update_narrow(memory, population, registers, flows):
    """Whichever of these is the state's."""
    x, inputs, held, over = memory.x, memory.inputs, memory.held, memory.over
    n, word = population[POPULATION.n], population[POPULATION.first] // HALF
    n_flows = registers[STATE.flow_end] - registers[STATE.flow]
    if registers[STATE.plain] == 0 or n_flows > 2:
        _any(x, inputs, held, over, n, word, registers, flows)
    elif registers[STATE.holds] or registers[STATE.spiking]:
        if n_flows == 0:
            _plain_whole_0(x, inputs, held, over, n, word, registers, flows)
        elif n_flows == 1:
            _plain_whole_1(x, inputs, held, over, n, word, registers, flows)
        else:
            _plain_whole_2(x, inputs, held, over, n, word, registers, flows)
    elif n_flows == 0:
        _plain_0(x, inputs, held, over, n, word, registers, flows)
    elif n_flows == 1:
        _plain_1(x, inputs, held, over, n, word, registers, flows)
    else:
        _plain_2(x, inputs, held, over, n, word, registers, flows)


@inner
def _update_one(memory, population, registers, flows, tick):
    """The same, neuron by neuron, in 64 bits or real numbers, with noise; it leaves spikes to be found."""
    x, inputs, n, first = memory.x, memory.inputs, population[POPULATION.n], population[POPULATION.first]
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
        if not (registers[STATE.holds] and is_held(memory, first + i)):
            x[at + i] = y


def update_state(memory, population, registers, flows, tick):
    """One state of a population, in integers or in real numbers."""
    raise NotImplementedError


@overload(update_state, inline="always")
def _update_state(memory, population, registers, flows, tick):
    def integers(memory, population, registers, flows, tick):
        if not registers[STATE.narrow]:
            _update_one(memory, population, registers, flows, tick)
        else:
            _update_narrow(memory, population, registers, flows)

    def reals(memory, population, registers, flows, tick):
        _update_one(memory, population, registers, flows, tick)

    return reals if isinstance(memory.types[0].dtype, types.Float) else integers
