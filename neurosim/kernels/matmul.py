"""The same sums by BLAS: exact in float32 while every partial sum stays below 2**24.

Matrices are converted in tiles of at most `TILE` elements, so that the room BLAS needs does not grow with the network:
three tiles of 1 MiB. The caller has shown that the bound holds; where it does not, sums go event by event.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import calling_blas, inner

TILE = 1 << 18
"""Elements of the largest tile."""
_TILE_INNER = 1024
_TILE_COLUMNS = 256
_TILE_SAMPLES = 256

EXACT_32 = 1 << 24


@calling_blas
def matrix_sums(sums, weights, first, stride, rows, unit, code, start, count, tiles):
    """The synaptic sums of several samples. reference: sums[b, j] = sum over events of code * weights[unit, j]

    sums: int32[samples, stride] out; weights: int8 or int16[:], from `first` on; unit, code: int32[samples, :], from
    `start` on; count: int32[samples]; tiles: three float32[TILE].
    """
    samples = count.shape[0]
    activities, weight_tiles, products = tiles
    sums[:] = 0
    for b in range(0, samples, _TILE_SAMPLES):
        n = min(_TILE_SAMPLES, samples - b)
        for i in range(0, rows, _TILE_INNER):
            inner = min(_TILE_INNER, rows - i)
            activity = activities[: n * inner].reshape((n, inner))
            activity[:] = 0
            for k in range(n):
                for e in range(start, start + count[b + k]):
                    at = unit[b + k, e] - i
                    if 0 <= at < inner:
                        activity[k, at] = code[b + k, e]
            for j in range(0, stride, _TILE_COLUMNS):
                width = min(_TILE_COLUMNS, stride - j)
                tile = weight_tiles[: inner * width].reshape((inner, width))
                product = products[: n * width].reshape((n, width))
                for k in range(inner):
                    at = first + (i + k) * stride + j
                    for m in range(width):
                        tile[k, m] = weights[at + m]
                np.dot(activity, tile, product)
                for k in range(n):
                    for m in range(width):
                        sums[b + k, j + m] += np.int32(product[k, m])


@inner
def float_block(signal, block, n):
    """The first n of a block's local signals in floats. signal: float32[TILE] out; block: int32[:]."""
    for j in range(n):
        signal[j] = block[j]


@calling_blas
def update_sums(product, activity, signal, first, rows, row_start, row_sample, row_code):
    """Update sums of `rows` rows from `first` on: product = activity @ signal, all float32.

    signal: [samples, stride]; events sorted by row; activity: [rows, samples], room; product: [rows, stride] out.
    """
    activity[:] = 0
    for i in range(rows):
        for e in range(row_start[first + i], row_start[first + i + 1]):
            activity[i, row_sample[e]] = row_code[e]
    np.dot(activity, signal, product)
