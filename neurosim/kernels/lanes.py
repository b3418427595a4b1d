"""Vectors of 32 lanes of 16 bits or 16 lanes of 32: the kernels' inner loops say what one vector does, LLVM says how.

Left to itself the compiler checks at every row whether arrays overlap, and works in lanes that are wider than the words.
With vectors written out, a row of weights is a handful of instructions (AVX-512, AVX2, SSE or NEON: LLVM splits a vector
where the machine's are shorter). Nothing here depends on a machine: every operation is LLVM's own, and exact.

Rows are padded to a multiple of 32 elements (`registers.LANES`), so whole vectors are read and written, without tails.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from neurosim.kernels.registers import LANES

HALF = LANES // 2
"""Lanes of a vector of 32-bit words."""


class Vector(types.Type):
    """The type of a vector: `lanes` signed integers of `bits` bits."""

    def __init__(self, bits: int, lanes: int) -> None:
        self.bits, self.lanes = bits, lanes
        super().__init__(name=f"Vector({bits}x{lanes})")


class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, llvm_vector(vector))


def llvm_vector(vector: Any) -> ir.VectorType:
    """The type as LLVM has it."""
    return ir.VectorType(ir.IntType(vector.bits), vector.lanes)


register_model(Vector)(_VectorModel)

LANES_16, LANES_32 = Vector(16, LANES), Vector(32, HALF)


def numbered(numbers: list[int]) -> ir.Constant:
    """Numbers of lanes, for a shuffle."""
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


def filled(builder: Any, vector: ir.VectorType, scalar: Any) -> Any:
    """A vector with the scalar in every lane."""
    empty = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, empty, numbered([0] * vector.count))


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, element: ir.Type) -> Any:
    """Where the first two arguments, an array and an index, point to."""
    array, at = arguments[:2]
    data = context.make_array(signature.args[0])(context, builder, array).data
    index = context.cast(builder, at, signature.args[1], types.intp)
    return builder.bitcast(builder.gep(data, [index]), ir.PointerType(element))


# ---------------------------------------------------------------------- memory


def _load(vector):
    @intrinsic
    def load(typing_context, array, at):
        width, signed = array.dtype.bitwidth, array.dtype.signed

        def codegen(context, builder, signature, arguments):
            element = ir.VectorType(ir.IntType(width), vector.lanes)
            found = builder.load(_pointer(context, builder, signature, arguments, element), align=width // 8)
            if width < vector.bits:
                return (builder.sext if signed else builder.zext)(found, llvm_vector(vector))
            return found if width == vector.bits else builder.trunc(found, llvm_vector(vector))

        return vector(array, at), codegen

    return load


load_16 = _load(LANES_16)
"""load_16(array, at): elements at … at + 31, widened to 16 bits (or their lower 16)."""
load_32 = _load(LANES_32)
"""load_32(array, at): elements at … at + 15, widened to 32 bits."""


@intrinsic
def store(typing_context, array, at, vector):
    """array[at :] = vector, each lane's lower bits where the elements are narrower."""
    width = array.dtype.bitwidth

    def codegen(context, builder, signature, arguments):
        element = ir.VectorType(ir.IntType(width), vector.lanes)
        value = arguments[2]
        if width != vector.bits:
            value = (builder.trunc if width < vector.bits else builder.sext)(value, element)
        builder.store(value, _pointer(context, builder, signature, arguments, element), align=width // 8)
        return context.get_dummy_value()

    return types.void(array, at, vector), codegen


@intrinsic
def transpose(typing_context, array, at, pitch, out, to, width):
    """out[to + i * width + k] = array[at + k * pitch + i] for i, k = 0 … 15; integers, lower bits where out is narrower."""
    kinds = array.dtype.bitwidth, out.dtype.bitwidth

    def codegen(context, builder, signature, arguments):
        lanes = llvm_vector(LANES_32)
        source, target = (ir.VectorType(ir.IntType(bits), HALF) for bits in kinds)

        def place(first, k, element):
            values = [
                context.cast(builder, arguments[i], signature.args[i], types.intp) for i in (first + 1, first + 2)
            ]
            data = context.make_array(signature.args[first])(context, builder, arguments[first]).data
            index = builder.add(values[0], builder.mul(values[1], ir.Constant(values[1].type, k)))
            return builder.bitcast(builder.gep(data, [index]), ir.PointerType(element))

        rows = [builder.load(place(0, k, source), align=kinds[0] // 8) for k in range(HALF)]
        rows = [builder.sext(row, lanes) if kinds[0] < 32 else row for row in rows]
        for size in (1, 2, 4, 8):  # exchange the off-diagonal blocks of each pair of rows
            low = [HALF + i - size if i & size else i for i in range(HALF)]
            high = [HALF + i if i & size else i + size for i in range(HALF)]
            for k in (k for k in range(HALF) if not k & size):
                a, b = rows[k], rows[k + size]
                rows[k] = builder.shuffle_vector(a, b, numbered(low))
                rows[k + size] = builder.shuffle_vector(a, b, numbered(high))
        for k, row in enumerate(rows):
            found = builder.trunc(row, target) if kinds[1] < 32 else row
            builder.store(found, place(3, k, target), align=kinds[1] // 8)
        return context.get_dummy_value()

    return types.void(array, at, pitch, out, to, width), codegen


@intrinsic
def nonzero_bits(typing_context, array, at):
    """Bit i is 1 where array[at + i] is not 0, i = 0 … 31: int64."""
    width = array.dtype.bitwidth

    def codegen(context, builder, signature, arguments):
        element = ir.VectorType(ir.IntType(width), LANES)
        found = builder.load(_pointer(context, builder, signature, arguments, element), align=width // 8)
        return _bits(builder, builder.icmp_unsigned("!=", found, ir.Constant(element, [0] * LANES)))

    return types.int64(array, at), codegen


@intrinsic
def prefetch(typing_context, array, at):
    """Bring what lies around array[at] near: it changes nothing but the time."""

    def codegen(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [context.cast(builder, arguments[1], signature.args[1], types.intp)])
        word = ir.IntType(32)
        place = builder.bitcast(place, ir.PointerType(ir.IntType(8)))
        function = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        named = cgutils.get_or_insert_function(builder.module, function, "llvm.prefetch.p0")
        builder.call(named, [place, ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)])
        return context.get_dummy_value()

    return types.void(array, at), codegen


# ---------------------------------------------------------------------- lanes


def _splat(vector):
    @intrinsic
    def splat(typing_context, x):
        def codegen(context, builder, signature, arguments):
            scalar = context.cast(builder, arguments[0], signature.args[0], types.int64)
            return filled(builder, llvm_vector(vector), builder.trunc(scalar, ir.IntType(vector.bits)))

        return vector(x), codegen

    return splat


splat_16 = _splat(LANES_16)
"""splat_16(x): the lower bits of x in every lane."""
splat_32 = _splat(LANES_32)


def _numbers(vector):
    @intrinsic
    def numbers(typing_context):
        def codegen(context, builder, signature, arguments):
            return ir.Constant(llvm_vector(vector), list(range(vector.lanes)))

        return vector(), codegen

    return numbers


numbers_16 = _numbers(LANES_16)
"""numbers_16(): 0, 1, … 31."""
numbers_32 = _numbers(LANES_32)
"""numbers_32(): 0, 1, … 15."""


def _binary(instruction):
    @intrinsic
    def operation(typing_context, a, b):
        def codegen(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments)

        return a(a, b), codegen

    return operation


add, subtract, multiply = _binary("add"), _binary("sub"), _binary("mul")
bit_and, shift_right, shift_right_unsigned = _binary("and_"), _binary("ashr"), _binary("lshr")


def _choice(comparison):
    @intrinsic
    def operation(typing_context, a, b):
        def codegen(context, builder, signature, arguments):
            x, y = arguments
            return builder.select(builder.icmp_signed(comparison, x, y), x, y)

        return a(a, b), codegen

    return operation


minimum, maximum = _choice("<"), _choice(">")


@intrinsic
def multiply_high(typing_context, a, b):
    """The upper half of each signed product."""

    def codegen(context, builder, signature, arguments):
        wide = ir.VectorType(ir.IntType(2 * a.bits), a.lanes)
        x, y = (builder.sext(v, wide) for v in arguments)
        upper = builder.lshr(builder.mul(x, y), ir.Constant(wide, [a.bits] * a.lanes))
        return builder.trunc(upper, llvm_vector(a))

    return a(a, b), codegen


@intrinsic
def add_where_above(typing_context, x, a, b):
    """One more than x where a > b as unsigned numbers, else x."""

    def codegen(context, builder, signature, arguments):
        value, p, q = arguments
        more = builder.add(value, ir.Constant(llvm_vector(x), [1] * x.lanes))
        return builder.select(builder.icmp_unsigned(">", p, q), more, value)

    return x(x, a, b), codegen


@intrinsic
def where_above(typing_context, a, b, x, y):
    """The lanes of x where a > b as signed numbers, else those of y."""

    def codegen(context, builder, signature, arguments):
        p, q, chosen, other = arguments
        return builder.select(builder.icmp_signed(">", p, q), chosen, other)

    return x(a, b, x, y), codegen


@intrinsic
def where_equal(typing_context, a, b, x, y):
    """The lanes of x where a = b, else those of y."""

    def codegen(context, builder, signature, arguments):
        p, q, chosen, other = arguments
        return builder.select(builder.icmp_unsigned("==", p, q), chosen, other)

    return x(a, b, x, y), codegen


@intrinsic
def where_bits(typing_context, bits, x, y):
    """The lanes of x whose bit is 1, else those of y; bits: an int64, bit i for lane i."""

    def codegen(context, builder, signature, arguments):
        mask = builder.trunc(arguments[0], ir.IntType(x.lanes))
        chosen = builder.bitcast(mask, ir.VectorType(ir.IntType(1), x.lanes))
        return builder.select(chosen, arguments[1], arguments[2])

    return x(types.int64, x, y), codegen


@intrinsic
def first_lanes(typing_context, x, n):
    """The first n lanes of x, 0 in the others."""

    def codegen(context, builder, signature, arguments):
        count = builder.trunc(context.cast(builder, arguments[1], signature.args[1], types.int64), ir.IntType(x.bits))
        lane = ir.Constant(llvm_vector(x), list(range(x.lanes)))
        inside = builder.icmp_signed("<", lane, filled(builder, llvm_vector(x), count))
        return builder.select(inside, arguments[0], ir.Constant(llvm_vector(x), [0] * x.lanes))

    return x(x, n), codegen


@intrinsic
def look_up(typing_context, table, at, indices):
    """table[at + index] in each lane; table: int32[:]. Lane by lane: processors' gathers are no faster."""

    def codegen(context, builder, signature, arguments):
        array, start, where = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        base = builder.gep(data, [context.cast(builder, start, signature.args[1], types.intp)])
        found = ir.Constant(llvm_vector(indices), ir.Undefined)
        for i in range(indices.lanes):
            lane = ir.Constant(ir.IntType(32), i)
            index = builder.sext(builder.extract_element(where, lane), ir.IntType(64))
            found = builder.insert_element(found, builder.load(builder.gep(base, [index])), lane)
        return found

    return indices(table, at, indices), codegen


@intrinsic
def bits_above(typing_context, a, b):
    """Bit i is 1 where lane i of a is above that of b, as signed numbers: int64."""

    def codegen(context, builder, signature, arguments):
        return _bits(builder, builder.icmp_signed(">", *arguments))

    return types.int64(a, b), codegen


# ---------------------------------------------------------------------- counts of a vector


def _bits(builder: Any, mask: Any) -> Any:
    """A mask of lanes as the lower bits of an int64."""
    return builder.zext(builder.bitcast(mask, ir.IntType(mask.type.count)), ir.IntType(64))


def _call(builder: Any, name: str, result: ir.Type, arguments: list[Any]) -> Any:
    function = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), arguments)


@intrinsic
def count_different(typing_context, a, b):
    """In how many lanes a != b: int64."""

    def codegen(context, builder, signature, arguments):
        bits = _bits(builder, builder.icmp_unsigned("!=", *arguments))
        return _call(builder, "llvm.ctpop.i64", ir.IntType(64), [bits])

    return types.int64(a, b), codegen


@intrinsic
def count_lost(typing_context, before, factor, after):
    """In how many lanes before and factor are not 0, but after is: int64."""

    def codegen(context, builder, signature, arguments):
        zero = ir.Constant(llvm_vector(before), [0] * before.lanes)
        x, f, y = arguments
        alive = builder.and_(builder.icmp_unsigned("!=", x, zero), builder.icmp_unsigned("!=", f, zero))
        bits = _bits(builder, builder.and_(alive, builder.icmp_unsigned("==", y, zero)))
        return _call(builder, "llvm.ctpop.i64", ir.IntType(64), [bits])

    return types.int64(before, factor, after), codegen


@intrinsic
def lowest_bit(typing_context, bits):
    """The number of the lowest 1 in an int64 that is not 0: int64."""

    def codegen(context, builder, signature, arguments):
        return _call(builder, "llvm.cttz.i64", ir.IntType(64), [arguments[0], ir.Constant(ir.IntType(1), 1)])

    return types.int64(types.int64), codegen


@intrinsic
def largest_magnitude(typing_context, a):
    """The largest |lane|: int64. No lane may be the lowest number of its width."""

    def codegen(context, builder, signature, arguments):
        x = arguments[0]
        negative = builder.sub(ir.Constant(llvm_vector(a), [0] * a.lanes), x)
        size = builder.select(builder.icmp_signed(">", x, negative), x, negative)
        found = _call(builder, f"llvm.vector.reduce.smax.v{a.lanes}i{a.bits}", ir.IntType(a.bits), [size])
        return builder.sext(found, ir.IntType(64))

    return types.int64(a), codegen


@intrinsic
def total(typing_context, sums):
    """The sum of the lanes, in their own width: int64."""

    def codegen(context, builder, signature, arguments):
        name = f"llvm.vector.reduce.add.v{sums.lanes}i{sums.bits}"
        return builder.sext(_call(builder, name, ir.IntType(sums.bits), list(arguments)), ir.IntType(64))

    return types.int64(sums), codegen
