"""Activations and their derivatives in floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[Any]
"""An array of float32 or float64."""


def _logistic(x: Floats) -> Floats:
    y: Floats = 0.5 * (1 + np.tanh(0.5 * x))  # the same function as 1 / (1 + exp(-x)), and it cannot overflow
    return y


def _shares(power: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    def softmax(x: Floats) -> Floats:
        powers = power(x - x.max(axis=1, keepdims=True))
        shares: Floats = powers / powers.sum(axis=1, keepdims=True)
        return shares

    return softmax


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "tanh": np.tanh,
    "logistic": _logistic,
    "relu": lambda x: np.maximum(x, 0),
    "hard-tanh": lambda x: np.clip(x, -1, 1),
    "linear": lambda x: x,
    "softmax": _shares(np.exp2),
    "softmax-e": _shares(np.exp),
}
"""Outputs of drives [samples, n]. ``softmax`` has base 2, as on the chip: 2**x over the sum of all."""

SLOPES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "tanh": lambda _, y: 1 - y * y,
    "logistic": lambda _, y: y * (1 - y),
    "relu": lambda x, _: (x > 0).astype(x.dtype),
    "hard-tanh": lambda x, _: (np.abs(x) < 1).astype(x.dtype),
    "linear": lambda x, _: np.ones_like(x),
}
"""f' of drives x whose outputs are y, both [samples, n]."""


def loss(activation: str, drives: Floats, targets: Floats) -> float:
    """The loss of an output layer, summed over samples, whose slope for its drives is O - T, without any factor.

    Softmax of base 2: relative entropy in bits, log2(sum 2**x) - sum T x, of which the derivative for x_k is
    2**x_k / sum - T_k: the ln 2 of the base and the ln 2 of the bits cancel. Natural softmax and logistic: relative entropy
    in nats. Tanh, O = 2p - 1 with p = logistic(2x): relative entropy of p in nats. Linear: half the squared error.
    """
    if activation in ("softmax", "softmax-e"):
        power, log = (np.exp2, np.log2) if activation == "softmax" else (np.exp, np.log)
        over = drives - drives.max(axis=1, keepdims=True)
        return float((log(power(over).sum(axis=1)) - (targets * over).sum(axis=1)).sum())
    if activation == "linear":
        return float(0.5 * ((targets - drives) ** 2).sum())
    if activation == "tanh":
        drives, targets = 2 * drives, (1 + targets) / 2
    return float((np.logaddexp(0, drives) - targets * drives).sum())
