"""Sums of pairs of products in vectors of `lanes`.

Processors multiply 16-bit lanes and add neighbouring products into 32 bits in one instruction (pmaddwd, vpdpwssd). Two rows are
interleaved lane by lane within groups of eight, as their unpack instructions do it, so that neighbours belong to one column;
`columns_0` and `columns_1` put the two halves of the sums into the order of the columns.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from neurosim.kernels.lanes import HALF, LANES_16, LANES_32, filled, llvm_vector, numbered
from neurosim.kernels.registers import LANES

_HALVES = tuple([8 * group + 4 * half + i for group in range(4) for i in range(4)] for half in range(2))


@intrinsic
def no_sums(typing_context):
    """Sums of 16 columns, all 0."""

    def codegen(context, builder, signature, arguments):
        return ir.Constant(llvm_vector(LANES_32), [0] * LANES_32.lanes)

    return LANES_32(), codegen


@intrinsic
def pair(typing_context, p, q):
    """Two 16-bit factors, for `add_pairs`: a vector p, q, p, q, …"""

    def codegen(context, builder, signature, arguments):
        word, lower = ir.IntType(32), ir.Constant(ir.IntType(32), 0xFFFF)
        x, y = (
            builder.trunc(context.cast(builder, v, t, types.int64), word)
            for v, t in zip(arguments, signature.args, strict=True)
        )
        both = builder.or_(builder.and_(x, lower), builder.shl(y, ir.Constant(word, 16)))
        return builder.bitcast(filled(builder, llvm_vector(LANES_32), both), llvm_vector(LANES_16))

    return LANES_16(p, q), codegen


def _pair_products(builder: Any, sums: Any, x: Any, y: Any) -> Any:
    """Sums + x * y of neighbouring 16-bit lanes."""
    wide = ir.VectorType(ir.IntType(32), LANES)
    products = builder.mul(builder.sext(x, wide), builder.sext(y, wide))
    empty = ir.Constant(wide, ir.Undefined)
    even = builder.shuffle_vector(products, empty, numbered(list(range(0, LANES, 2))))
    odd = builder.shuffle_vector(products, empty, numbered(list(range(1, LANES, 2))))
    return builder.add(sums, builder.add(even, odd))


def _add_pairs(half):
    order = [i + LANES * row for i in _HALVES[half] for row in range(2)]

    @intrinsic
    def operation(typing_context, sums, a, b, factors):
        def codegen(context, builder, signature, arguments):
            total_so_far, row_a, row_b, pq = arguments
            mixed = builder.shuffle_vector(row_a, row_b, numbered(order))
            return _pair_products(builder, total_so_far, mixed, pq)

        return sums(sums, a, b, factors), codegen

    return operation


add_pairs_low = _add_pairs(0)
"""add_pairs_low(sums, a, b, pair(p, q)): sums + p * a + q * b for the columns of the first half; a, b: 16-bit vectors."""
add_pairs_high = _add_pairs(1)


@intrinsic
def add_products(typing_context, sums, a, b):
    """Sums + a * b, neighbouring lanes added up: for a sum along a row, whose columns need no order."""

    def codegen(context, builder, signature, arguments):
        return _pair_products(builder, *arguments)

    return sums(sums, a, b), codegen


def _columns(half):
    at = {column: i for i, column in enumerate((*_HALVES[0], *_HALVES[1]))}
    order = [at[column] for column in range(half * HALF, (half + 1) * HALF)]

    @intrinsic
    def columns(typing_context, low, high):
        def codegen(context, builder, signature, arguments):
            return builder.shuffle_vector(*arguments, numbered(order))

        return LANES_32(low, high), codegen

    return columns


columns_0 = _columns(0)
"""columns_0(low, high): the sums of columns 0 … 15 in their order."""
columns_1 = _columns(1)
"""columns_1(low, high): the sums of columns 16 … 31."""
