"""The random bits of docs/substrate.md 6 as one Brian2 function, in NumPy, Cython and C++: all three give the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.rng import fold_array, key

_LAST = np.uint64((1 << 64) - 1)
_ARGUMENTS = ("seed", "stream", "a", "t", "row", "column", "bits")


def random_bits(seed: Any, stream: Any, a: Any, t: Any, row: Any, column: Any, bits: Any) -> NDArray[np.int64]:
    """The top bits of the word of item `row` (column -1), or of its value at a column: int64 of row's and column's shape.

    >>> int(random_bits(1, 20, 0, 5, 7, -1, 16))
    43393
    """
    base = key(*(int(np.asarray(one).flat[0]) for one in (seed, stream, a, t)))
    word, n = fold_array(base, np.asarray(row).astype(np.uint64)), int(np.asarray(bits).flat[0])
    if np.ndim(column) == 0 and int(column) < 0:
        return (word >> np.uint64(64 - n)).astype(np.int64) if n else np.zeros(word.shape, np.int64)
    along = np.asarray(column).astype(np.uint64)
    width = 16 if n <= 16 else 32 if n <= 32 else 64
    if width == 64:
        start, step = word, fold_array(word, np.full(word.shape, _LAST))  # mix(r): fold adds a multiple of 0
    else:
        ones = np.uint64((1 << width) - 1)
        start, step = word & ones, (word >> np.uint64(32)) & ones
    with np.errstate(over="ignore"):
        value = start + step * along
    if width < 64:
        value &= ones
    return (value >> np.uint64(width - n)).astype(np.int64)


_CPP = """
static inline uint64_t _neurosim_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}
static inline uint64_t _neurosim_fold(uint64_t h, uint64_t x)
{
    return _neurosim_mix(h + 0x9E3779B97F4A7C15ULL * (x + 1ULL));
}
static inline int64_t _neurosim_bits(int64_t seed, int64_t stream, int64_t a, int64_t t, int64_t row, int64_t column, int64_t bits)
{
    uint64_t h = _neurosim_fold(_neurosim_fold(_neurosim_fold(_neurosim_fold(0ULL, seed), stream), a), t);
    uint64_t r = _neurosim_fold(h, row);
    if (bits == 0) return 0;
    if (column < 0) return (int64_t)(r >> (64 - bits));
    if (bits <= 16) return (int64_t)((((r & 0xFFFFULL) + ((r >> 32) & 0xFFFFULL) * (uint64_t)column) & 0xFFFFULL) >> (16 - bits));
    if (bits <= 32) return (int64_t)((((r & 0xFFFFFFFFULL) + (r >> 32) * (uint64_t)column) & 0xFFFFFFFFULL) >> (32 - bits));
    return (int64_t)((r + _neurosim_mix(r) * (uint64_t)column) >> (64 - bits));
}
"""

_CYTHON = """
cdef uint64_t _neurosim_mix(uint64_t z):
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return z ^ (z >> 31)

cdef uint64_t _neurosim_fold(uint64_t h, uint64_t x):
    return _neurosim_mix(h + <uint64_t>0x9E3779B97F4A7C15ULL * (x + <uint64_t>1))

cdef int64_t _neurosim_bits(int64_t seed, int64_t stream, int64_t a, int64_t t, int64_t row, int64_t column, int64_t bits):
    cdef uint64_t h = _neurosim_fold(_neurosim_fold(0, <uint64_t>seed), <uint64_t>stream)
    h = _neurosim_fold(_neurosim_fold(h, <uint64_t>a), <uint64_t>t)
    cdef uint64_t r = _neurosim_fold(h, <uint64_t>row)
    cdef uint64_t k = <uint64_t>column
    cdef uint64_t low = 0xFFFF
    if bits == 0:
        return 0
    if column < 0:
        return <int64_t>(r >> (64 - bits))
    if bits <= 16:
        return <int64_t>((((r & low) + ((r >> 32) & low) * k) & low) >> (16 - bits))
    if bits <= 32:
        low = <uint64_t>0xFFFFFFFFULL
        return <int64_t>((((r & low) + (r >> 32) * k) & low) >> (32 - bits))
    return <int64_t>((r + _neurosim_mix(r) * k) >> (64 - bits))
"""


def bits_function() -> Any:
    """`random_bits` as a Brian2 Function of whole numbers, without units."""
    from brian2 import Function

    n = len(_ARGUMENTS)
    made = Function(
        random_bits, arg_units=[1] * n, arg_names=list(_ARGUMENTS), return_unit=1, arg_types=["integer"] * n, return_type="integer"
    )  # fmt: skip
    made.implementations.add_numpy_implementation(random_bits)
    made.implementations.add_implementation("cpp", _CPP, name="_neurosim_bits")
    made.implementations.add_implementation("cython", _CYTHON, name="_neurosim_bits")
    return made
