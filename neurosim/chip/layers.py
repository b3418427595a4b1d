"""Layers as frozen descriptions: sizes, words, activation (docs/substrate.md 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, check, check_whole

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
        check_whole("layer.n", self.n, 1, 1 << 20)
        check("layer.activation", self.activation, tuple(dict.fromkeys(HIDDEN + OUTPUT + OFF_CHIP)))
        check_whole("layer.weight.bits", self.weight.bits, 1, 16)
        check_whole("layer.accumulator", self.accumulator, 2, 63)
        check_whole("layer.blank_out", self.blank_out, 0, 255)
        if not self.weight.signed:
            msg = "layer.weight.signed=False: weights must be signed"
            raise NeurosimError(msg)
        if self.weight.bits == 1 and not self.frozen:
            msg = "layer.weight.bits=1: +-1 weights do not learn; freeze the layer or use 2..16 bits"
            raise NeurosimError(msg)
        if self.weight.bits == 1 and self.bias:
            msg = "layer.bias=True: +-1 weights have no 0 for a bias to start from; use bias=False"
            raise NeurosimError(msg)
        check("layer.initial", self.initial, ("uniform", "normal"))
        if not 0 <= self.init_gain <= 1024:
            msg = f"layer.init_gain={self.init_gain!r}: must be a number 0..1024"
            raise NeurosimError(msg)
        for name, word in (("weight", self.weight), ("output", self.output), ("address", self.address)):
            _check_word(name, word)

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
        """A copy with some fields changed."""
        return replace(self, **changes)


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
