"""Counter-based randomness (docs/substrate.md 6): a pure function of (seed, stream, layer, step, item, column)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import inlined

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_LOWER_16, _LOWER_32 = np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)


@inlined
def mix(z):
    """The SplitMix64 finaliser (Steele, Lea, Flood 2014) of a uint64."""
    z = (z ^ (z >> np.uint64(30))) * _MIX_A
    z = (z ^ (z >> np.uint64(27))) * _MIX_B
    return z ^ (z >> np.uint64(31))


@inlined
def fold(h, x):
    """Take the integer x >= 0 into the key h."""
    return mix(h + _GOLDEN * (np.uint64(x) + np.uint64(1)))


@inlined
def step_key(register, step):
    """The key of one layer's draws of one step, from the key of (seed, stream, layer) that a register holds."""
    return fold(np.uint64(register), step)


@inlined
def column_bits(word, column, bits):
    """The random bits of a row word at one column: int64 below 2**bits, for 0 < bits <= 62.

    start + step * column, modulo 2**16, 2**32 or 2**64, whichever holds the bits; of that the top ones. Kernels that go
    along a row add the step to a vector instead.
    """
    j = np.uint64(column)
    if bits <= 16:
        value = (word + (word >> np.uint64(32)) * j) & _LOWER_16
        return np.int64(value >> np.uint64(16 - bits))
    if bits <= 32:
        value = (word + (word >> np.uint64(32)) * j) & _LOWER_32
        return np.int64(value >> np.uint64(32 - bits))
    return np.int64((word + mix(word) * j) >> np.uint64(64 - bits))
