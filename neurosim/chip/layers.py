"""Layers as frozen descriptions: sizes, words, activation, geometry of maps (docs/substrate.md 1, 2 and 9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import Fixed, check, check_whole
from neurosim.ops import Geometry

HIDDEN = ("tanh", "logistic", "relu", "hard-tanh", "linear")
OUTPUT = ("softmax", "logistic", "linear", "tanh")
OFF_CHIP = ("softmax-e",)
"""The natural softmax: float engine only, the chip's has base 2."""
WEIGHT = Fixed(8, 8, rounding="stochastic")


def activation_word(activation: str, bits: int) -> Fixed:
    """The default word of a hidden activation."""
    if activation == "logistic":
        return Fixed(bits, bits, signed=False)
    if activation == "relu":
        return Fixed(bits, bits - 2, signed=False)
    return Fixed(bits, bits - 3 if activation == "linear" else bits - 1)


def output_word(activation: str) -> Fixed:
    """The default word of an output layer."""
    return Fixed(16, 16, signed=False) if activation in ("softmax", "softmax-e", "logistic") else Fixed(16, 15)


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of n neurons.

    activation: tanh, logistic, relu, hard-tanh, linear; for the last layer softmax, logistic, linear, tanh.
    weight, output, address: words of weights, activation codes and pre-activations (None: the default of the place).
    accumulator: bits of the synaptic sums; bias: a unit that is always on; frozen: weights do not learn; blank_out:
    how many of 256 presynaptic events are lost in training; initial: distribution of the initial weights, ``uniform`` or
    ``normal``, with the standard deviation sqrt(2 / (fan-in + fan-out)) times init_gain (Glorot, Bengio 2010).
    """

    n: int
    activation: str = "tanh"
    weight: Fixed = WEIGHT
    output: Fixed | None = None
    address: Fixed | None = None
    accumulator: int = 32
    bias: bool = True
    frozen: bool = False
    blank_out: int = 0
    initial: Literal["uniform", "normal"] = "uniform"
    init_gain: float = 1.0

    def __post_init__(self) -> None:
        settle(self, "layer")
        check_whole("layer.n", self.n, 1, 1 << 20)
        check("layer.activation", self.activation, tuple(dict.fromkeys(HIDDEN + OUTPUT + OFF_CHIP)))
        _check_layer(self)

    @property
    def columns(self) -> int:
        """Columns of its weights."""
        return self.n

    def resolved(self, *, is_output: bool) -> Dense:
        """The same layer with every word filled in."""
        check("layer.activation", self.activation, OUTPUT + OFF_CHIP if is_output else HIDDEN)
        output = self.output or (output_word(self.activation) if is_output else activation_word(self.activation, 8))
        layer = replace(self, output=output, address=self.address or Fixed(12 if is_output else 10, 7))
        if self.activation == "softmax" and (output.signed or output.frac != output.bits):
            msg = f"layer.output={output}: softmax needs an unsigned word with frac = bits"
            raise NeurosimError(msg)
        return layer

    def replace(self, **changes: Any) -> Dense:
        """A copy with some fields changed; another activation has its own default word where this one has its."""
        return replace(self, **_with_word(self, changes))


@dataclass(frozen=True)
class Conv2d:
    """A two-dimensional convolution and the max-pooling of its map: hidden, below all Dense layers.

    channels: maps that it makes; kernel: height and width of the window; stride: of the window; padding: ``same`` (the map
    has ceil(n / stride) positions a side, windows centred, what lies outside is 0) or ``valid`` (whole windows alone);
    pool: side of the pooling windows, None for no pooling; pool_stride: None for windows side by side; pooling pads as the
    convolution does, and what lies outside never wins. Its output is the pooled map, unit (y * width + x) * channels + c.
    weight … init_gain: as in `Dense`, but for blank_out, which must be 0. Weights are [kernel * kernel * c_in + bias,
    channels], row (dy * kernel + dx) * c_in + ci.
    """

    channels: int
    kernel: int = 5
    activation: str = "tanh"
    pool: int | None = None
    pool_stride: int | None = None
    padding: Literal["same", "valid"] = "same"
    stride: int = 1
    weight: Fixed = WEIGHT
    output: Fixed | None = None
    address: Fixed | None = None
    accumulator: int = 32
    bias: bool = True
    frozen: bool = False
    blank_out: int = 0
    initial: Literal["uniform", "normal"] = "uniform"
    init_gain: float = 1.0

    def __post_init__(self) -> None:
        settle(self, "layer")
        check_whole("layer.channels", self.channels, 1, 1 << 16)
        check_whole("layer.kernel", self.kernel, 1, 255)
        check_whole("layer.stride", self.stride, 1, 255)
        check("layer.padding", self.padding, ("same", "valid"))
        check("layer.activation", self.activation, HIDDEN)
        if self.pool is not None:
            check_whole("layer.pool", self.pool, 1, 255)
        if self.pool_stride is not None:
            check_whole("layer.pool_stride", self.pool_stride, 1, 255)
            if self.pool is None:
                msg = f"layer.pool_stride={self.pool_stride}: there is no pooling; give layer.pool"
                raise NeurosimError(msg)
        if self.blank_out:
            msg = f"layer.blank_out={self.blank_out!r}: must be 0, a convolution's events are not blanked out"
            raise NeurosimError(msg)
        _check_layer(self)

    @property
    def columns(self) -> int:
        """Columns of its weights."""
        return self.channels

    def resolved(self, *, is_output: bool) -> Conv2d:
        """The same layer with every word filled in."""
        if is_output:
            msg = "network.layers: the last layer is a Conv2d; the output layer must be Dense"
            raise NeurosimError(msg)
        return replace(
            self, output=self.output or activation_word(self.activation, 8), address=self.address or Fixed(10, 7)
        )

    def geometry(self, inputs: tuple[int, int, int]) -> Geometry:
        """Its windows on a map of (height, width, channels). Raises NeurosimError where no window fits."""
        pool = self.pool or 1
        pool_stride = self.pool_stride or pool
        (height, top), (width, left) = (
            self._windows("kernel", n, self.kernel, self.stride) for n in (inputs[0], inputs[1])
        )
        (out_height, pool_top), (out_width, pool_left) = (
            self._windows("pool", n, pool, pool_stride) for n in (height, width)
        )
        return Geometry(
            inputs=inputs,
            channels=self.channels,
            kernel=self.kernel,
            stride=self.stride,
            top=top,
            left=left,
            map=(height, width),
            pool=pool,
            pool_stride=pool_stride,
            pool_top=pool_top,
            pool_left=pool_left,
            out=(out_height, out_width),
        )

    def _windows(self, name: str, n: int, size: int, stride: int) -> tuple[int, int]:
        """(how many windows there are along n positions, how far the first begins before them)."""
        if self.padding == "valid":
            if size > n:
                msg = f"layer.{name}={size}: no window fits on {n} positions with padding='valid', so 1..{n}"
                raise NeurosimError(msg)
            return (n - size) // stride + 1, 0
        windows = -(-n // stride)
        return windows, max((windows - 1) * stride + size - n, 0) // 2

    def replace(self, **changes: Any) -> Conv2d:
        """A copy with some fields changed; another activation has its own default word where this one has its."""
        return replace(self, **_with_word(self, changes))


Layer: TypeAlias = Dense | Conv2d


def _with_word(layer: Layer, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, and the word that goes with an old activation given up with it."""
    if changes.get("activation", layer.activation) == layer.activation or "output" in changes:
        return changes
    usual = layer.output in (activation_word(layer.activation, 8), output_word(layer.activation))
    return {**changes, "output": None} if usual else changes


def _check_layer(layer: Layer) -> None:
    """What holds for every layer. Raises NeurosimError."""
    check_whole("layer.weight.bits", layer.weight.bits, 1, 16)
    check_whole("layer.accumulator", layer.accumulator, 2, 63)
    check_whole("layer.blank_out", layer.blank_out, 0, 255)
    if not layer.weight.signed:
        msg = "layer.weight.signed=False: weights must be signed"
        raise NeurosimError(msg)
    if layer.weight.bits == 1 and not layer.frozen:
        msg = "layer.weight.bits=1: +-1 weights do not learn; freeze the layer or use 2..16 bits"
        raise NeurosimError(msg)
    if layer.weight.bits == 1 and layer.bias:
        msg = "layer.bias=True: +-1 weights have no 0 for a bias to start from; use bias=False"
        raise NeurosimError(msg)
    check("layer.initial", layer.initial, ("uniform", "normal"))
    if not 0 <= layer.init_gain <= 1024:
        msg = f"layer.init_gain={layer.init_gain!r}: must be a number 0..1024"
        raise NeurosimError(msg)
    for name, word in (("weight", layer.weight), ("output", layer.output), ("address", layer.address)):
        _check_word(name, word)


def _check_word(name: str, word: Fixed | None) -> None:
    if word is None:
        return
    if name != "weight":
        check_whole(f"layer.{name}.bits", word.bits, 2, 16)
        if word.rounding == "stochastic":
            msg = f"layer.{name}.rounding='stochastic': only weights and adaptive feedback round stochastically"
            raise NeurosimError(msg)
    if word.overflow != "saturate":
        msg = f"layer.{name}.overflow={word.overflow!r}: a network's words saturate"
        raise NeurosimError(msg)
