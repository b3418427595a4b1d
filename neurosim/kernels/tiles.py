"""Sums of outer products in registers: the inner loop of convolutions and of their gradients.

A tile is up to 8 rows of 16 float32 lanes. It takes one vector and one number for each row at a step, and adds their
products to its registers: 8 multiply-adds for 9 reads, from arrays as they lie, whatever their strides. So a convolution
needs no copy of its windows, and at an edge simply does less. As in `lanes.py`, vectors are LLVM's own; a machine decides
only how many rows a tile has at most, and the order in which a sum is made does not depend on that.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from neurosim.kernels.jit import kernel


def _has_long_vectors() -> bool:
    """Whether kernels are compiled for AVX-512."""
    features = numba.config.CPU_FEATURES
    return "+avx512f" in (llvmlite.binding.get_host_cpu_features().flatten() if features is None else features)


LANES = 16
"""Columns of a tile."""
ROWS = 8 if _has_long_vectors() else 6
"""Its most rows. With vectors of 512 bits a tile of 8 takes 8 of 32 registers; with 256 bits 6 rows take 12 of 16, and 8 rows
would have to go to memory at every step: a third of the speed."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_INDEX = ir.VectorType(ir.IntType(32), LANES)
_WORD = ir.IntType(64)


def _filled(builder: Any, scalar: Any, vector: ir.VectorType) -> Any:
    """A vector with the scalar in every lane."""
    empty = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, empty, ir.Constant(_INDEX, [0] * LANES))


class _Memory:
    """Reads and writes vectors, all lanes or the first few, at pointers to float32."""

    def __init__(self, builder: Any, lanes: Any) -> None:
        self.builder, self.mask = builder, None
        if lanes is not None:
            wanted = _filled(builder, builder.trunc(lanes, ir.IntType(32)), _INDEX)
            self.mask = builder.icmp_signed("<", ir.Constant(_INDEX, list(range(LANES))), wanted)

    def _masked(self, name: str, signature: ir.FunctionType) -> Any:
        return cgutils.get_or_insert_function(self.builder.module, signature, f"llvm.masked.{name}.v{LANES}f32.p0")

    def load(self, at: Any) -> Any:
        at = self.builder.bitcast(at, _VECTOR.as_pointer())
        if self.mask is None:
            return self.builder.load(at, align=4)
        load = self._masked("load", ir.FunctionType(_VECTOR, [_VECTOR.as_pointer(), ir.IntType(32), _MASK, _VECTOR]))
        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        return self.builder.call(load, [at, ir.Constant(ir.IntType(32), 4), self.mask, zeros])

    def store(self, vector: Any, at: Any) -> None:
        at = self.builder.bitcast(at, _VECTOR.as_pointer())
        if self.mask is None:
            self.builder.store(vector, at, align=4)
            return
        store = self._masked(
            "store", ir.FunctionType(ir.VoidType(), [_VECTOR, _VECTOR.as_pointer(), ir.IntType(32), _MASK])
        )
        self.builder.call(store, [vector, at, ir.Constant(ir.IntType(32), 4), self.mask])


def _place(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, list[Any]]:
    """Of a tuple (array, index, strides …): the pointer to array[index], and the strides."""
    array, *numbers = cgutils.unpack_tuple(builder, value)
    at, *strides = (context.cast(builder, x, t, types.intp) for x, t in zip(numbers, kind.types[1:], strict=True))
    return builder.gep(context.make_array(kind.types[0])(context, builder, array).data, [at]), strides


def _advance(builder: Any, moves: Any) -> None:
    """Each kept pointer by its stride."""
    for kept, stride in moves:
        builder.store(builder.gep(builder.load(kept), [stride]), kept)


def _tile(rows: int, *, whole: bool) -> Any:
    """The tile of so many rows; `whole`: of 16 lanes, else of the first `lanes`."""

    @intrinsic
    def tile(typing_context, lanes, out, left, right, steps):
        def codegen(context, builder, signature, arguments):
            kinds = signature.args
            to, (to_row,) = _place(context, builder, kinds[1], arguments[1])
            a, (a_row, a_step, a_turn) = _place(context, builder, kinds[2], arguments[2])
            b, (b_step, b_turn) = _place(context, builder, kinds[3], arguments[3])
            count, turns = (
                context.cast(builder, x, kinds[4].dtype, types.intp)
                for x in cgutils.unpack_tuple(builder, arguments[4])
            )
            n_lanes = None if whole else context.cast(builder, arguments[0], kinds[0], types.intp)
            memory = _Memory(builder, n_lanes)
            add = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
            )
            sums = [cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * LANES)) for _ in range(rows)]
            row = [builder.mul(a_row, ir.Constant(_WORD, r)) for r in range(rows)]
            # Pointers that move on, since an index times a stride would be worked out anew at every step.
            a_turned, b_turned = (cgutils.alloca_once_value(builder, start) for start in (a, b))
            with cgutils.for_range(builder, turns):
                a_now, b_now = (cgutils.alloca_once_value(builder, builder.load(at)) for at in (a_turned, b_turned))
                with cgutils.for_range(builder, count):
                    vector, numbers = memory.load(builder.load(b_now)), builder.load(a_now)
                    for r in range(rows):
                        number = builder.load(builder.gep(numbers, [row[r]]), align=4)
                        total = builder.call(add, [_filled(builder, number, _VECTOR), vector, builder.load(sums[r])])
                        builder.store(total, sums[r])
                    _advance(builder, ((a_now, a_step), (b_now, b_step)))
                _advance(builder, ((a_turned, a_turn), (b_turned, b_turn)))
            for r in range(rows):
                at = builder.gep(to, [builder.mul(to_row, ir.Constant(_WORD, r))])
                memory.store(builder.fadd(memory.load(at), builder.load(sums[r])), at)
            return context.get_dummy_value()

        return types.void(lanes, out, left, right, steps), codegen

    return tile


_1, _2, _3, _4, _5, _6, _7, _8 = (_tile(rows, whole=True) for rows in range(1, 9))
_few_1, _few_2, _few_3, _few_4, _few_5, _few_6, _few_7, _few_8 = (_tile(r, whole=False) for r in range(1, 9))


@kernel
def add_whole(rows, out, left, right, steps):
    """`add` of 16 lanes."""
    if rows == 8:
        _8(LANES, out, left, right, steps)
    elif rows == 7:
        _7(LANES, out, left, right, steps)
    elif rows == 6:
        _6(LANES, out, left, right, steps)
    elif rows == 5:
        _5(LANES, out, left, right, steps)
    elif rows == 4:
        _4(LANES, out, left, right, steps)
    elif rows == 3:
        _3(LANES, out, left, right, steps)
    elif rows == 2:
        _2(LANES, out, left, right, steps)
    else:
        _1(LANES, out, left, right, steps)


@kernel
def add_few(rows, lanes, out, left, right, steps):
    """`add` of the first few lanes; the others are neither read nor written."""
    if rows == 8:
        _few_8(lanes, out, left, right, steps)
    elif rows == 7:
        _few_7(lanes, out, left, right, steps)
    elif rows == 6:
        _few_6(lanes, out, left, right, steps)
    elif rows == 5:
        _few_5(lanes, out, left, right, steps)
    elif rows == 4:
        _few_4(lanes, out, left, right, steps)
    elif rows == 3:
        _few_3(lanes, out, left, right, steps)
    elif rows == 2:
        _few_2(lanes, out, left, right, steps)
    else:
        _few_1(lanes, out, left, right, steps)


@kernel
def add(rows, lanes, out, left, right, steps):
    """reference: out[r, l] += sum over turns v and steps s of left[r, s, v] * right[s, v, l]; 1 to 8 rows, 1 to 16 lanes.

    out: (float32 array, flat index, stride of r); left: (array, index, strides of r, s, v); right: (array, index, strides
    of s, v), its lanes neighbours, as those of out; steps: (number of s, number of v).
    """
    if lanes == LANES:
        add_whole(rows, out, left, right, steps)
    else:
        add_few(rows, lanes, out, left, right, steps)
