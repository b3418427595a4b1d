"""The same sums by BLAS: exact in float32 while every partial sum stays below 2**24.

Matrices are converted in tiles of at most `TILE` elements, so that the room BLAS needs does not grow with the network:
three tiles of 1 MiB. The caller has shown that the bound holds; where it does not, sums go event by event.
"""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import kernel

TILE = 1 << 18
"""Elements of the largest tile."""
_TILE_INNER = 1024
_TILE_COLUMNS = 256
_TILE_SAMPLES = 256
TILE_ROWS = 256
"""Rows of weights whose update sums are formed at once."""

EXACT_32 = 1 << 24


@kernel
def event_matrix(tile, unit, code, count, first, width):
    """Events of units first … first + width - 1 as a dense matrix: tile[b, unit - first] = code."""
    tile[:] = 0
    for b in range(count.shape[0]):
        for e in range(count[b]):
            i = unit[b, e] - first
            if 0 <= i < width:
                tile[b, i] = code[b, e]


@kernel
def matrix_sums(sums, weights, unit, code, count):
    """The synaptic sums of several samples. reference: sums[b] = sum over events of code * weights[unit]

    sums: int64[samples, stride] out; weights: int8 or int16[rows, stride]; unit, code: int32[samples, :].
    """
    rows, stride = weights.shape
    sums[:] = 0
    for b in range(0, count.shape[0], _TILE_SAMPLES):
        n = min(_TILE_SAMPLES, count.shape[0] - b)
        for i in range(0, rows, _TILE_INNER):
            inner = min(_TILE_INNER, rows - i)
            activity = np.empty((n, inner), np.float32)
            event_matrix(activity, unit[b : b + n], code[b : b + n], count[b : b + n], i, inner)
            for j in range(0, stride, _TILE_COLUMNS):
                width = min(_TILE_COLUMNS, stride - j)
                tile = np.empty((inner, width), np.float32)
                for k in range(inner):
                    for m in range(width):
                        tile[k, m] = weights[i + k, j + m]
                product = np.dot(activity, tile)
                for k in range(n):
                    for m in range(width):
                        sums[b + k, j + m] += np.int64(product[k, m])


@kernel
def update_sums(product, activity, signal, first, rows, start_of, sample_of, code_of):
    """Update sums of `rows` rows from `first` on: product = activity @ signal, both float32.

    activity: [TILE_ROWS, samples], room; signal: [samples, stride]; events sorted by row. product: [TILE_ROWS, stride] out.
    """
    part = activity[:rows]
    part[:] = 0
    for i in range(rows):
        for e in range(start_of[first + i], start_of[first + i + 1]):
            part[i, sample_of[e]] = code_of[e]
    np.dot(part, signal, product[:rows])
