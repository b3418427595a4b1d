"""Counter-based randomness (docs/substrate.md 6): a pure function of (seed, stream, layer, step, item)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)

STREAM_WEIGHT_UPDATE = 4
STREAM_FEEDBACK_UPDATE = 5
STREAM_BLANK_OUT = 6


@kernel
def mix(z):
    """The SplitMix64 finaliser (Steele, Lea, Flood 2014) of a uint64."""
    z = (z ^ (z >> np.uint64(30))) * _MIX_A
    z = (z ^ (z >> np.uint64(27))) * _MIX_B
    return z ^ (z >> np.uint64(31))


@kernel
def fold(h, x):
    """Take the integer x >= 0 into the key h."""
    return mix(h + _GOLDEN * (np.uint64(x) + np.uint64(1)))


@kernel
def key(seed, stream, layer, step):
    """The key of one layer's draws of one step."""
    return fold(fold(fold(fold(np.uint64(0), seed), stream), layer), step)


@kernel
def lane(word, a, xor, multiply):
    """The 16 random bits of lane a of a row word at one column."""
    part = np.uint16((word >> np.uint64(16 * a)) & np.uint64(0xFFFF))
    return np.uint16(np.uint16(part ^ xor) * multiply)
