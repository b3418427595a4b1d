"""Convolution and max-pooling in float32 as plain functions: sums, their adjoints, and nothing of a network.

Maps are channels last, float32[n, H, W, channels]; weights are float32[k * k * c_in, c_out], row (dy * k + dx) * c_in + ci,
as on the chip. The stride of a convolution is 1. Biases, activations and their slopes are the caller's.

Given `out`, nothing of a map's size is allocated, but for maps of fewer than 16 channels (see `_framed`). A sum is made in
one order, whatever the mini-batch: what a sample gives does not depend on its company. Gradients add sample by sample.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.kernels import maps as kernels

Maps: TypeAlias = NDArray[np.float32]
Winners: TypeAlias = NDArray[np.int32]

PADDINGS = ("same", "valid")

FEW = 16
"""Channels below which a map is copied with its pads (`_framed`)."""

# ---------------------------------------------------------------------- geometry


def check_padding(padding: str) -> None:
    """Refuse what is neither "same" nor "valid"."""
    if padding not in PADDINGS:
        raise NeurosimError(f"padding={padding!r}: must be one of {', '.join(PADDINGS)}")


def pads_before(kernel: int, padding: str) -> int:
    """Pads above, and left of, a map. "same" has kernel - 1 in all; where that is odd, the last one comes after."""
    check_padding(padding)
    return (kernel - 1) // 2 if padding == "same" else 0


def convolved(size: int, kernel: int, padding: str) -> int:
    """Height or width of the output of a convolution."""
    check_padding(padding)
    if padding == "valid" and kernel > size:
        raise NeurosimError(f"kernel={kernel}: must be at most the map's {size} with padding 'valid'")
    return size if padding == "same" else size - kernel + 1


def pooled(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """(height or width after pooling, pads before). "same": ceil(size / stride), pads halved, the odd one after."""
    check_padding(padding)
    if padding == "valid":
        if window > size:
            raise NeurosimError(f"size={window}: must be at most the map's {size} with padding 'valid'")
        return (size - window) // stride + 1, 0
    after = -(-size // stride)
    return after, max((after - 1) * stride + window - size, 0) // 2


# ---------------------------------------------------------------------- convolution


def convolve(x: Maps, w: Maps, kernel: int, padding: str, *, out: Maps | None = None) -> Maps:
    """S[n, y, x, o] = sum over dy, dx, i of x[n, y + dy - before, x + dx - before, i] w[(dy k + dx) c_in + i, o].

    x: float32[n, H, W, c_in]; w: float32[k * k * c_in, c_out]; returns float32[n, H', W', c_out], in `out` where given.
    "same": H' = H, zeros around the map, the odd one after it; "valid": H' = H - k + 1.
    """
    out = _room(_convolved(x.shape, w.shape[1], kernel, padding), out)
    return _correlate(x, w.reshape(kernel, kernel, x.shape[3], -1), pads_before(kernel, padding), out)


def transposed(r: Maps, w: Maps, kernel: int, padding: str, shape: tuple[int, ...], *, out: Maps | None = None) -> Maps:
    """The adjoint for the input: J[n, y, x, i] = sum over dy, dx, o of r[n, y - dy + before, …, o] w[(dy k + dx) c_in + i, o].

    r: float32[n, H', W', c_out]; shape: (n, H, W, c_in) of the input; returns float32[n, H, W, c_in], in `out` where given.
    It is a convolution again: of r with the kernel turned by half a circle and its channels exchanged.
    """
    _expect("r", r, _convolved(shape, w.shape[1], kernel, padding))
    turned = w.reshape(kernel, kernel, shape[3], -1)[::-1, ::-1].transpose(0, 1, 3, 2)
    return _correlate(r, turned, kernel - 1 - pads_before(kernel, padding), _room(shape, out))


def weight_gradient(x: Maps, r: Maps, kernel: int, padding: str, *, out: Maps | None = None) -> Maps:
    """The adjoint for the weights: G[(dy k + dx) c_in + i, o] = sum over n, y, x of x[n, y + dy - before, …, i] r[n, y, x, o].

    x: float32[n, H, W, c_in]; r: float32[n, H', W', c_out]; returns float32[k * k * c_in, c_out], in `out` where given.
    """
    c_in, c_out = x.shape[3], r.shape[3]
    _expect("r", r, _convolved(x.shape, c_out, kernel, padding))
    out = _room((kernel * kernel * c_in, c_out), out)
    maps, before = _framed(x, r.shape, kernel, pads_before(kernel, padding))
    kernels.weight_gradient(out.reshape(kernel, kernel, c_in, c_out), maps, _plain(r), before)
    return out


def _convolved(shape: tuple[int, ...], c_out: int, kernel: int, padding: str) -> tuple[int, ...]:
    """The shape of the output of a convolution of maps of a shape."""
    n, height, width, _ = shape
    return n, convolved(height, kernel, padding), convolved(width, kernel, padding), c_out


def _correlate(x: Maps, w: Maps, before: int, out: Maps) -> Maps:
    """Sums over windows that begin `before` places before each place of `out`; w: float32[k, k, c_in, c_out]."""
    maps, before = _framed(x, out.shape, len(w), before)
    kernels.convolve(out, maps, _plain(w), before)
    return out


def _framed(x: Maps, shape: tuple[int, ...], kernel: int, before: int) -> tuple[Maps, int]:
    """(maps, pads before that the kernels have to see to), for an output of a shape.

    With few channels a place of the kernel is too short a run for a tile; with the pads in memory a row of the kernel is
    one run, and a copy costs little beside c_out sums of them.
    """
    n, height, width, c_in = x.shape
    down, across = shape[1] + kernel - 1, shape[2] + kernel - 1
    if c_in >= FEW or (down, across) == (height, width):
        return _plain(x), before
    framed = np.zeros((n, down, across, c_in), np.float32)
    framed[:, before : before + height, before : before + width] = x
    return framed, 0


def _plain(x: Maps) -> Maps:
    """As the kernels read arrays: float32, one element after the other; copied only where it is not so."""
    return np.ascontiguousarray(x, np.float32)


def _expect(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape: kernels do not look where they write."""
    if array.shape != shape:
        raise NeurosimError(f"{name}: its shape is {list(array.shape)}, must be {list(shape)}")


def _room(shape: tuple[int, ...], out: Maps | None) -> Maps:
    """`out`, or memory where there is none."""
    if out is None:
        return np.empty(shape, np.float32)
    if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise NeurosimError(f"out={out.dtype}{list(out.shape)}: must be contiguous float32{list(shape)}")
    return out


# ---------------------------------------------------------------------- pooling


def max_pool(
    x: Maps, size: int, stride: int, padding: str, *, out: tuple[Maps, Winners] | None = None
) -> tuple[Maps, Winners]:
    """The largest of each size x size window, and where it was: y * W + x of the first largest, by rows.

    x: float32[n, H, W, channels]; returns float32 and int32[n, H', W', channels], in `out` where given. "same":
    H' = ceil(H / stride), windows hang over the edge but pads never win; "valid": only whole windows.
    """
    n, height, width, channels = x.shape
    (down, before_y), (across, before_x) = (pooled(extent, size, stride, padding) for extent in (height, width))
    shape = (n, down, across, channels)
    largest = _room(shape, None if out is None else out[0])
    winners = np.empty(shape, np.int32) if out is None else out[1]
    _expect("winners", winners, shape)
    kernels.pool(
        largest, winners, _plain(x).reshape(n, height * width, channels), width, size, stride, before_y, before_x
    )
    return largest, winners


def unpool(j: Maps, winners: Winners, shape: tuple[int, ...], *, out: Maps | None = None) -> Maps:
    """The signal of each pooled unit to the unit that won it, summed where one won several windows; 0 where none.

    j: float32[n, H', W', channels]; winners as from `max_pool`; shape: (n, H, W, channels); returns float32 of that shape.
    """
    n, height, width, channels = shape
    _expect("winners", winners, j.shape)
    _expect("j", j, (n, *j.shape[1:3], channels))
    if winners.size and not 0 <= winners.min() <= winners.max() < height * width:
        raise NeurosimError(
            f"winners={winners.min()}…{winners.max()}: must be 0…{height * width - 1} on a map of {height} x {width}"
        )
    out = _room(shape, out)
    windows = (n, j.shape[1] * j.shape[2], channels)
    signals, won = _plain(j).reshape(windows), np.ascontiguousarray(winners, np.int32).reshape(windows)
    kernels.unpool(out.reshape(n, height * width, channels), signals, won)
    return out
