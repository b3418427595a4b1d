"""Crossbars that are made of the weights before every step: their product (SBP) and their signs (docs/substrate.md 3)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.forward import weight_at
from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.lanes import HALF, add, load_32, multiply, splat_32, store
from neurosim.kernels.registers import CHIP, LAYER, MATRIX, ROUNDING
from neurosim.kernels.words import rounded


@inlined
def _store_product(memory, registers, i, k, exact):
    """C[k, i] of SBP from the exact product."""
    x = rounded(np.int64(exact), registers[LAYER.product_shift], ROUNDING.nearest, np.int64(0))
    x = min(max(x, registers[LAYER.feedback_low]), registers[LAYER.feedback_high])
    memory.wide[registers[LAYER.feedback] + k * registers[LAYER.feedback_stride] + i] = x


@inner
def recompute_products(program, memory, scratch):
    """SBP: the products of the weights above each hidden layer, exact, then rounded once into C's word.

    reference: P^h = W^(h+1) P^(h+1) as [n_h, n_out], stored as C[k, i] = P^h[i, k]. Rows of P are padded to whole vectors;
    sums are in 32-bit lanes where the words prove that these hold them, else in 64 bits.
    """
    last = program.chip[CHIP.layers] - 1
    n_out, stride = program.layers[last, LAYER.n_out], program.layers[last, LAYER.stride]
    p, q, wide_p, wide_q = scratch.product[0], scratch.product[1], scratch.wide_product[0], scratch.wide_product[1]
    for layer in range(last - 1, -1, -1):
        above, registers = program.layers[layer + 1], program.layers[layer]
        n, width, narrow = registers[LAYER.n_out], above[LAYER.n_out], registers[LAYER.product_narrow] != 0
        for i in range(n):
            at = above[LAYER.weight] + i * above[LAYER.stride]
            if layer == last - 1:
                for k in range(stride):
                    w = weight_at(memory, above, at + k)
                    q[i * stride + k] = w
                    wide_q[i * stride + k] = w
            elif narrow:
                for k in range(0, n_out, HALF):
                    found = splat_32(0)
                    for j in range(width):
                        w = splat_32(weight_at(memory, above, at + j))
                        found = add(found, multiply(w, load_32(p, j * stride + k)))
                    store(q, i * stride + k, found)
            else:
                for k in range(i * stride, i * stride + n_out):
                    wide_q[k] = 0
                for j in range(width):
                    w = weight_at(memory, above, at + j)
                    for k in range(n_out):
                        wide_q[i * stride + k] += w * wide_p[j * stride + k]
            for k in range(n_out):
                _store_product(memory, registers, i, k, q[i * stride + k] if narrow else wide_q[i * stride + k])
        if narrow and registers[LAYER.product_widens] != 0:
            for i in range(n * stride):
                wide_q[i] = q[i]
        p, q, wide_p, wide_q = q, p, wide_q, wide_p


@inner
def recompute_signs(program, memory, layer):
    """The signs of the weights above a hidden layer. reference: C[k, i] = sign(W[i, k])"""
    above, registers = program.layers[layer + 1], program.layers[layer]
    for i in range(registers[LAYER.n_out]):
        at, to = above[LAYER.weight] + i * above[LAYER.stride], registers[LAYER.feedback] + i
        for k in range(above[LAYER.n_out]):
            w = weight_at(memory, above, at + k)
            memory.narrow[to + k * registers[LAYER.feedback_stride]] = (w > 0) - (w < 0)


@inlined
def recompute_crossbars(program, memory, scratch):
    """Every C that is made of the weights of Dense layers, from those before the step."""
    matrix = program.layers[0, LAYER.matrix]
    if matrix == MATRIX.product:
        recompute_products(program, memory, scratch)
    elif matrix == MATRIX.sign:
        for layer in range(program.layers.shape[0] - 1):
            recompute_signs(program, memory, layer)
