"""Words: shifts and comparisons in an operand's own width, rounding and saturation (docs/substrate.md 1).

Numba promotes every integer to 64 bits, and LLVM cannot narrow a shift by a variable again: eight lanes a vector instead
of 32. The intrinsics here keep 16 and 32 bits what they are.
"""

from __future__ import annotations

import numpy as np
from numba.extending import intrinsic

from neurosim.kernels.jit import inlined, kernel


def _same_width(instruction):
    @intrinsic
    def operation(typing_context, a, b):
        def codegen(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments)

        return a(a, a), codegen

    return operation


shift_right = _same_width("ashr")
"""Arithmetic shift of a by b; both of one type, 0 <= b < width."""
shift_right_unsigned = _same_width("lshr")
bitwise_and = _same_width("and_")


@intrinsic
def above(typing_context, a, b):
    """1 where a > b as unsigned numbers, else 0, in the operands' type."""

    def codegen(context, builder, signature, arguments):
        return builder.zext(builder.icmp_unsigned(">", *arguments), arguments[0].type)

    return a(a, a), codegen


@kernel
def rounded(x, shift, mode, u):
    """round(x, shift) of docs/substrate.md 1 for an int64 x; u is used by stochastic rounding alone."""
    if shift <= 0:
        return x << -shift
    if mode == 0:
        return x >> shift
    if mode == 1:
        return (x + (1 << (shift - 1)) - 1 + ((x >> shift) & 1)) >> shift
    if mode == 2:
        return x >> shift if x >= 0 else -((-x) >> shift)
    return (x + u) >> shift


@kernel
def nearest_terms(shift):
    """What `nearest_32` needs for one shift, as int32: (scale, bias, whether the floor's last bit counts, shift)."""
    if shift <= 0:
        return np.int32(1 << -shift), np.int32(0), np.int32(0), np.int32(0)
    return np.int32(1), np.int32((1 << (shift - 1)) - 1), np.int32(1), np.int32(shift)


@inlined
def nearest_32(x, scale, bias, odd, shift):
    """`rounded` to nearest in 32-bit lanes, where the registers say that nothing can overflow."""
    scaled = np.int32(x * scale)
    last = bitwise_and(shift_right(scaled, shift), odd)
    return shift_right(np.int32(np.int32(scaled + bias) + last), shift)
