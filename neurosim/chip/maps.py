"""The registers and the room of a network's convolutions (docs/substrate.md 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.spec import NetworkSpec
from neurosim.ops import Geometry

if TYPE_CHECKING:
    from neurosim.kernels.registers import Maps

_SPILL = 64
"""Elements behind an array's last one that kernels may write: they write whole vectors, and the next ones over the rest."""


@dataclass
class _Sizes:
    winner: int = _SPILL
    reach: int = 1
    positions: int = 1
    pieces: int = 2
    entries: int = 1
    neurons: int = 1
    turned: int = 1
    padded: int = 1
    emitted: int = 1
    channels: int = 1
    part: int = 1
    gradient: int = 1


def padded(n: int) -> int:
    """N rounded up to whole vectors of lanes."""
    return -(-n // 32) * 32


class MapCompiler:
    """Lays the convolutions of a network out: registers int64[convolutions, len(MAP)], and the room that they need."""

    def __init__(self, spec: NetworkSpec) -> None:
        from neurosim.kernels.registers import MAP

        self._spec, self._sizes = spec, _Sizes()
        self.registers = np.zeros((spec.convolutions, len(MAP)), np.int64)
        for layer in range(spec.convolutions):
            for name, value in self._place(layer, spec.geometry(layer)).items():
                self.registers[layer, MAP[name]] = value

    def _place(self, layer: int, g: Geometry) -> dict[str, int]:
        sizes, rows = self._sizes, self._spec.rows(layer)
        (height, width, depth), (map_height, map_width), (out_height, out_width) = g.inputs, g.map, g.out
        padded_height = max((map_height - 1) * g.stride + g.kernel, g.top + height)
        padded_width = max((map_width - 1) * g.stride + g.kernel, g.left + width)
        values = {
            "height": height,
            "width": width,
            "depth": depth,
            "channels": g.channels,
            "kernel": g.kernel,
            "step": g.stride,
            "top": g.top,
            "left": g.left,
            "map_height": map_height,
            "map_width": map_width,
            "pool": g.pool,
            "pool_step": g.pool_stride,
            "pool_top": g.pool_top,
            "pool_left": g.pool_left,
            "out_height": out_height,
            "out_width": out_width,
            "winner": sizes.winner - _SPILL,
            "reach": sizes.reach - 1,
            "padded_height": padded_height,
            "padded_width": padded_width,
            "turned": sizes.turned - 1,
            "gradient_stride": padded(rows + 1) + 32,
        }
        sizes.winner += out_height * out_width * g.channels
        sizes.reach += g.positions
        sizes.positions = max(sizes.positions, g.positions, height * width)
        sizes.pieces = max(sizes.pieces, g.kernel * g.kernel + 1)
        sizes.entries = max(sizes.entries, g.positions * padded(g.channels))
        sizes.neurons = max(sizes.neurons, g.positions * g.channels)
        if layer > 0 and self._spec.channel.matrix in ("transpose", "sign"):
            sizes.turned += g.kernel * g.kernel * g.channels * padded(depth)
        sizes.padded = max(sizes.padded, padded_height * padded_width * depth)
        sizes.emitted = max(sizes.emitted, out_height * out_width * g.channels)
        sizes.channels = max(sizes.channels, g.channels)
        sizes.part = max(sizes.part, rows)
        sizes.gradient = max(sizes.gradient, padded(g.channels) * values["gradient_stride"])
        return values

    def room(self, samples: int, kind: np.dtype[Any]) -> Maps:
        """Room for steps of this many samples. kind: of the widest weights."""
        from neurosim.kernels.registers import Maps

        sizes = self._sizes
        return Maps(
            registers=self.registers,
            winner=np.zeros((samples, sizes.winner), np.int32),
            reach=np.zeros((samples, sizes.reach), np.int32),
            starts=np.zeros(sizes.positions + 1, np.int32),
            pieces=np.zeros((sizes.pieces, 3), np.int64),
            entries=np.zeros(sizes.entries, np.int32),
            field=np.zeros(padded(sizes.neurons), np.int32),
            received=np.zeros(sizes.emitted + _SPILL, np.int32),
            turned=np.zeros(sizes.turned, kind),
            padded=np.zeros(sizes.padded + _SPILL, np.int16),
            wide_padded=np.zeros(sizes.padded, np.int32),
            offset=np.zeros(sizes.positions, np.int32),
            listed_at=np.zeros(sizes.emitted, np.int32),
            listed_code=np.zeros(sizes.emitted, np.int32),
            listed=np.zeros(sizes.channels, np.int32),
            part=np.zeros(padded(sizes.part) + _SPILL, np.int32),
            gradient=np.zeros(sizes.gradient + _SPILL, np.int32),
            wide_gradient=np.zeros(sizes.gradient, np.int64),
            rows=np.zeros(16 * padded(sizes.channels), np.int32),
        )


def _inside(windows: int, size: int, stride: int, begin: int, n: int) -> NDArray[np.int64]:
    """1 where entry i of window v is a position 0 … n - 1, else 0: int64[windows, size]."""
    at = np.arange(windows)[:, None] * stride - begin + np.arange(size)
    return ((at >= 0) & (at < n)).astype(np.int64)


def window_sides(g: Geometry) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which entries of a convolution's windows exist: by (y, dy) and by (x, dx)."""
    (height, width, _), (map_height, map_width) = g.inputs, g.map
    return (
        _inside(map_height, g.kernel, g.stride, g.top, height),
        _inside(map_width, g.kernel, g.stride, g.left, width),
    )


def reached(g: Geometry) -> NDArray[np.int64]:
    """How many positions of the map hear each position below: int64[height * width]."""
    sides = []
    for inside, begin, n in zip(window_sides(g), (g.top, g.left), g.inputs[:2], strict=True):
        at = np.arange(len(inside))[:, None] * g.stride - begin + np.arange(g.kernel)
        sides.append(np.bincount(at[inside == 1], minlength=n))
    return np.multiply.outer(*sides).reshape(-1)


def connections(g: Geometry, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of weights[dy, dx, channel] over the entries of a window that exist: int64[map height, map width, channels]."""
    rows, columns = window_sides(g)
    found: NDArray[np.int64] = np.einsum("yd,xe,dec->yxc", rows, columns, weights, optimize=True)
    return found


def comparisons(g: Geometry) -> int:
    """Comparisons that max-pooling of one sample takes."""
    (map_height, map_width), (out_height, out_width) = g.map, g.out
    held = [
        int(_inside(n, g.pool, g.pool_stride, begin, size).sum())
        for n, begin, size in ((out_height, g.pool_top, map_height), (out_width, g.pool_left, map_width))
    ]
    return (held[0] * held[1] - out_height * out_width) * g.channels


def turned_rows(g: Geometry) -> int:
    """Rows of a convolution's kernel as the way back reads it."""
    return g.kernel * g.kernel * g.channels


def turn(kernel: NDArray[Any], g: Geometry) -> NDArray[Any]:
    """[k * k * depth, channels] as the way back reads it: [k * k * channels, depth], columns of the window reversed."""
    k, depth = g.kernel, g.inputs[2]
    return kernel.reshape(k, k, depth, g.channels)[:, ::-1].transpose(0, 1, 3, 2).reshape(-1, depth)


def turn_back(turned: NDArray[Any], g: Geometry) -> NDArray[Any]:
    """The reverse of `turn`."""
    k, depth = g.kernel, g.inputs[2]
    return turned.reshape(k, k, g.channels, depth)[:, ::-1].transpose(0, 1, 3, 2).reshape(-1, g.channels)
