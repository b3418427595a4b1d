"""Look-up tables of activations and derivatives over a pre-activation word (docs/substrate.md 2 and 3)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurosim.formats import Fixed

ONE = 128
"""The unit of derivative tables: f' = 1."""


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


FUNCTIONS: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "logistic": _logistic,
    "relu": lambda x: max(x, 0.0),
    "hard-tanh": lambda x: min(max(x, -1.0), 1.0),
    "linear": lambda x: x,
}

SLOPES: dict[str, Callable[[float], float]] = {
    "tanh": lambda x: 1 - math.tanh(x) ** 2,
    "logistic": lambda x: _logistic(x) * (1 - _logistic(x)),
    "relu": lambda x: float(x > 0),
    "hard-tanh": lambda x: float(-1 < x < 1),
    "linear": lambda _: 1.0,
}


def addresses(word: Fixed) -> list[float]:
    """What every code of the address word stands for, from the lowest up."""
    return [code * word.lsb for code in range(word.low, word.high + 1)]


def activation_table(activation: str, address: Fixed, output: Fixed) -> NDArray[np.int32]:
    """The output code at every address: int32[codes of the address word]."""
    values = np.array([FUNCTIONS[activation](x) for x in addresses(address)])
    return output.encode_array(values).astype(np.int32)  # the bits of `encode`, all at once


def softmax_table(address: Fixed) -> NDArray[np.int32]:
    """2**16 * 2**-f for the fractions f of the address word: int32[2**frac] (empty for whole-numbered addresses)."""
    n = 1 << max(address.frac, 0)
    return np.array([round(2.0 ** (16 - f / n)) for f in range(n)], np.int32)


def derivative_table(activation: str, address: Fixed, derivative: str, window: float) -> NDArray[np.int32]:
    """F' in units of 1/128 at every address: int32[codes of the address word]."""
    return np.array([_derivative(activation, derivative, window, x) for x in addresses(address)], np.int32)


@functools.lru_cache(maxsize=16)
def neuron_table(activation: str, address: Fixed, output: Fixed, derivative: str, window: float) -> NDArray[np.int32]:
    """Both at every address, code * 256 + derivative: int32[codes of the address word], read-only.

    Kept, because the networks of a study share their words, and a wide word's table takes longer than all the rest of a network.
    """
    codes = activation_table(activation, address, output)
    table: NDArray[np.int32] = codes * 256 + derivative_table(activation, address, derivative, window)
    table.flags.writeable = False
    return table


def _derivative(activation: str, derivative: str, window: float, x: float) -> int:
    if derivative == "none":
        return ONE
    if derivative == "boxcar":
        return ONE if -window < x < window and (activation != "relu" or x > 0) else 0
    slope = SLOPES[activation](x)
    if derivative == "exact":
        return round(ONE * slope)
    return int(ONE * 2.0 ** round(math.log2(slope))) if slope >= 2**-7.5 else 0
