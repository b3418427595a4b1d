"""Maps in float32, channels last: convolution, the gradient of its weights, and pooling.

Nothing is copied and no pad is multiplied: a tile (`tiles.py`) reads maps and weights where they lie, and for every place
of the kernel there are tiles for just those places of the output whose window has something there.
"""

from __future__ import annotations

from neurosim.kernels.jit import kernel
from neurosim.kernels.tiles import LANES, ROWS, add

STEPS = 256
"""About the most steps of one tile. The lanes that it reads, 64 bytes a step, then stay in the first cache (16 of 32 KiB) for
the next tiles, which read the same."""


@kernel
def convolve(out, maps, weights, before):
    """Sums over windows that begin `before` rows above and columns left of each place of the output.

    reference: out[i, y, x, o] = sum over dy, dx, c of maps[i, y + dy - before, x + dx - before, c] * weights[dy, dx, c, o]
    out: float32[n, H', W', c_out]; maps: float32[n, H, W, c_in]; weights: float32[k, k, c_in, c_out].
    """
    n, height, width, c_in = maps.shape
    _, down, across, c_out = out.shape
    k = weights.shape[0]
    # Where all windows are whole, the places of a row of the kernel follow one another in maps and weights alike.
    joined = k if before == 0 and width == across + k - 1 else 1
    together = max(STEPS // (joined * c_in), 1)
    for i in range(n):
        for y in range(down):
            out[i, y] = 0
            last = min(height + before - y, k)
            for dy in range(max(before - y, 0), last, together):
                turns = min(together, last - dy)
                for dx in range(0, k, joined):
                    first, stop = max(before - dx, 0), min(width + before - dx, across)
                    read = ((i * height + y + dy - before) * width + dx - before) * c_in
                    for o in range(0, c_out, LANES):
                        lanes = min(LANES, c_out - o)
                        right = (weights, (dy * k + dx) * c_in * c_out + o, c_out, k * c_in * c_out)
                        x = first
                        for left_over in range((stop - first + ROWS - 1) // ROWS, 0, -1):
                            rows = (stop - x) // left_over
                            to = (out, ((i * down + y) * across + x) * c_out + o, c_out)
                            left = (maps, read + x * c_in, c_in, 1, width * c_in)
                            add(rows, lanes, to, left, right, (joined * c_in, turns))
                            x += rows


@kernel
def weight_gradient(gradient, maps, signals, before):
    """The adjoint of `convolve` for its weights.

    reference: gradient[dy, dx, c, o] = sum over i, y, x of maps[i, y + dy - before, x + dx - before, c] * signals[i, y, x, o]
    gradient: float32[k, k, c_in, c_out] out; maps: float32[n, H, W, c_in]; signals: float32[n, H', W', c_out].
    """
    n, height, width, c_in = maps.shape
    _, down, across, c_out = signals.shape
    k = gradient.shape[0]
    joined = k if before == 0 and width == across + k - 1 else 1
    together = max(STEPS // across, 1)
    gradient[:] = 0
    for i in range(n):
        for top in range(0, down, together):
            for dy in range(k):
                y, last = max(before - dy, top), min(height + before - dy, top + together, down)
                for dx in range(0, k, joined):
                    x, stop = max(before - dx, 0), min(width + before - dx, across)
                    read = ((i * height + y + dy - before) * width + x + dx - before) * c_in
                    for o in range(0, c_out, LANES):
                        lanes = min(LANES, c_out - o)
                        right = (signals, ((i * down + y) * across + x) * c_out + o, c_out, across * c_out)
                        c = 0
                        for left_over in range((joined * c_in + ROWS - 1) // ROWS, 0, -1):
                            rows = (joined * c_in - c) // left_over
                            to = (gradient, ((dy * k + dx) * c_in + c) * c_out + o, c_out)
                            left = (maps, read + c, 1, c_in, width * c_in)
                            add(rows, lanes, to, left, right, (stop - x, last - y))
                            c += rows


@kernel
def pool(pooled, winners, maps, width, size, stride, before_y, before_x):
    """The largest of each window, the first in scan order among equals.

    pooled: float32[n, H', W', channels] out; winners: int32 of the same shape out, y * W + x of the unit that won;
    maps: float32[n, H * W, channels].
    """
    n, down, across, channels = pooled.shape
    height = maps.shape[1] // width
    for i in range(n):
        for v in range(down):
            top, bottom = max(v * stride - before_y, 0), min(v * stride - before_y + size, height)
            for u in range(across):
                left, right = max(u * stride - before_x, 0), min(u * stride - before_x + size, width)
                for c in range(channels):
                    pooled[i, v, u, c] = maps[i, top * width + left, c]
                    winners[i, v, u, c] = top * width + left
                for y in range(top, bottom):
                    for at in range(y * width + left, y * width + right):
                        for c in range(channels):
                            x, best, who = maps[i, at, c], pooled[i, v, u, c], winners[i, v, u, c]
                            more = x > best  # written without a branch, so that it becomes vectors
                            pooled[i, v, u, c] = x if more else best
                            winners[i, v, u, c] = at if more else who


@kernel
def unpool(maps, signals, winners):
    """Each window's signal to the unit that won it. reference: maps[i, winners[i, v, c], c] += signals[i, v, c]

    maps: float32[n, H * W, channels] out; signals: float32[n, windows, channels]; winners: int32 of the same shape.
    """
    n, windows, channels = signals.shape
    for i in range(n):
        maps[i] = 0
        for v in range(windows):
            for c in range(channels):
                maps[i, winners[i, v, c], c] += signals[i, v, c]
