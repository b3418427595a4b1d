"""Words: rounding in scalars and in vectors (docs/substrate.md 1)."""

from __future__ import annotations

from neurosim.kernels.jit import inlined
from neurosim.kernels.lanes import add, bit_and, multiply, shift_right
from neurosim.kernels.registers import ROUNDING


@inlined
def rounded(x, shift, mode, u):
    """round(x, shift) for an int64 x; u is used by stochastic rounding alone."""
    if shift <= 0:
        return x << -shift
    if mode == ROUNDING.floor:
        return x >> shift
    if mode == ROUNDING.nearest:
        return (x + (1 << (shift - 1)) - 1 + ((x >> shift) & 1)) >> shift
    if mode == ROUNDING.zero:
        return x >> shift if x >= 0 else -((-x) >> shift)
    return (x + u) >> shift


@inlined
def nearest_terms(shift):
    """What `nearest` needs for one shift: (factor, what is added, whether the floor's last bit is added, shift)."""
    if shift <= 0:
        return 1 << -shift, 0, 0, 0
    return 1, (1 << (shift - 1)) - 1, 1, shift


@inlined
def nearest(x, factor, bias, odd, shift):
    """`rounded` to nearest of a vector, its terms in vectors, where the registers say that nothing can overflow."""
    scaled = multiply(x, factor)
    return shift_right(add(add(scaled, bias), bit_and(shift_right(scaled, shift), odd)), shift)
