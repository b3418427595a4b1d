"""Counter-based random words for construction and shuffling: a pure function of (seed, stream, a, b, item).

The same function as in the kernels, on NumPy arrays (docs/substrate.md 6). Results cannot depend on evaluation order,
thread count, machine or resume.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STREAM_WEIGHTS, STREAM_CONNECTION, STREAM_VALUE, STREAM_ORDER = 0, 1, 2, 3
STREAM_WEIGHT_UPDATE, STREAM_FEEDBACK_UPDATE, STREAM_BLANK_OUT = 4, 5, 6
STREAM_DROPOUT, STREAM_AUGMENT = 7, 8
STREAM_SPIKE_BLANK, STREAM_ON_PRE, STREAM_ON_POST, STREAM_NOISE, STREAM_POISSON, STREAM_CONSOLIDATE = (
    16,
    17,
    18,
    19,
    20,
    21,
)
STREAM_SPIKE_CONNECT, STREAM_SPIKE_WEIGHT, STREAM_SPIKE_DELAY = 22, 23, 24

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_A, _MIX_B = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def fold(h: int, x: int) -> int:
    """Take the integer x >= 0 into the key h (SplitMix64 finaliser: Steele, Lea, Flood 2014)."""
    z = (h + _GOLDEN * (x + 1)) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_A) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_B) & _MASK
    return z ^ (z >> 31)


def fold_array(h: NDArray[np.uint64] | int, x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`fold` element by element."""
    with np.errstate(over="ignore"):
        z = np.asarray(h, np.uint64) + np.uint64(_GOLDEN) * (x.astype(np.uint64) + np.uint64(1))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_A)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_B)
        mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def layer_key(seed: int, stream: int, layer: int) -> int:
    """The key of (seed, stream, layer) without its last part, the step, as a register holds it: a signed 64-bit integer."""
    found = fold(fold(fold(0, seed), stream), layer)
    return found - (1 << 64) if found >> 63 else found


def key(seed: int, stream: int, a: int, b: int) -> int:
    """The key of one purpose."""
    return fold(fold(fold(fold(0, seed), stream), a), b)


def words(seed: int, stream: int, a: int, b: int, n: int) -> NDArray[np.uint64]:
    """The words of items 0 … n-1: uint64[n]."""
    return fold_array(key(seed, stream, a, b), np.arange(n, dtype=np.uint64))


def sample_order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order in which an epoch presents n samples: int64[n]."""
    return np.argsort(words(seed, STREAM_ORDER, epoch, 0, n), kind="stable").astype(np.int64)
