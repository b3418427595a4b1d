"""The learning rules in floating point: what the chip's integers stand for, and nothing else.

`FloatNetwork` takes the description that a chip is built from and runs it in plain NumPy. It starts from the same weights
and the same C (the same draws, a code c being worth c times its LSB) and follows docs/substrate.md sections 2 to 5 with
every quantiser, rounding and saturation left out. The distance between the two is therefore what low precision costs.

Rules: Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018); DRTP: Frenkel, Lefebvre, Bol (2021).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.program import initial_weights
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import check_whole

Floats: TypeAlias = NDArray[np.floating[Any]]

_EVALUATED_TOGETHER = 1000


def _logistic(x: Floats) -> Floats:
    y: Floats = 0.5 * (1 + np.tanh(0.5 * x))  # the same function as 1 / (1 + exp(-x)), and it cannot overflow
    return y


def _softmax(x: Floats) -> Floats:
    powers = np.exp2(x - x.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "tanh": np.tanh,
    "logistic": _logistic,
    "relu": lambda x: np.maximum(x, 0),
    "hard-tanh": lambda x: np.clip(x, -1, 1),
    "linear": lambda x: x,
    "softmax": _softmax,
}
"""Outputs of drives [samples, n]. Softmax has base 2, as on the chip: 2**x over the sum of all."""

SLOPES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "tanh": lambda _, y: 1 - y * y,
    "logistic": lambda _, y: y * (1 - y),
    "relu": lambda x, _: (x > 0).astype(x.dtype),
    "hard-tanh": lambda x, _: (np.abs(x) < 1).astype(x.dtype),
    "linear": lambda x, _: np.ones_like(x),
}
"""f' of drives x whose outputs are y, both [samples, n]."""


class FloatNetwork:
    """A network in floats, from the description of one on the chip.

    weights[l]: [rows, n_out], the bias row last; feedback[h]: [senders, n_h], None where the rule has no C of its own.
    Layers that blank out events are refused: their loss is random and has no value of its own in floats.

    >>> from neurosim.chip.layers import Dense
    >>> net = FloatNetwork(NetworkSpec(64, (Dense(20, "tanh"), Dense(10, "softmax")), seed=1))
    >>> net.weights[0].shape
    (65, 20)
    """

    def __init__(self, spec: NetworkSpec, dtype: type[np.floating[Any]] = np.float32) -> None:
        self.spec, self.dtype = spec, dtype
        for i, layer in enumerate(spec.layers):
            if layer.blank_out:
                msg = f"layer {i} blank_out={layer.blank_out}: must be 0 in the float engine"
                raise NeurosimError(msg)
        layers = range(len(spec.layers))
        self.weights = [self._initial(layer) for layer in layers]
        self.feedback = [self._crossbar(layer) for layer in layers]

    def _initial(self, layer: int) -> Floats:
        """The chip's initial weights in real values, a bias row of zeros below them: [rows, n_out]."""
        described = self.spec.layers[layer]
        weights = np.zeros((self.spec.rows(layer), described.columns), self.dtype)
        weights[: self.spec.n_in(layer)] = initial_weights(self.spec, layer) * described.weight.lsb
        return weights

    def _crossbar(self, layer: int) -> Floats | None:
        """The chip's C in real values: [senders, n_h]."""
        spec, feedback = self.spec, self.spec.channel.feedback
        if not spec.receives or layer == spec.last or spec.channel.matrix != "random":
            return None
        n_senders = spec.n_out(spec.sender(layer))
        codes = feedback.draw(spec.seed, layer, n_senders, spec.n_out(layer))
        return (codes * feedback.word.lsb).astype(self.dtype)

    def _synapses(self, layer: int) -> Floats:
        """The weights of a layer without its bias row: [n_in, n_out]."""
        return self.weights[layer][: self.spec.n_in(layer)]

    # ------------------------------------------------------------------ forward

    def forward(self, inputs: Floats) -> tuple[list[Floats], list[Floats]]:
        """The drives S^l and the outputs O^l = f(S^l) of all layers, each [samples, n], of inputs [samples, n_in]."""
        drives: list[Floats] = []
        outputs: list[Floats] = []
        below = np.asarray(inputs, self.dtype).reshape(len(inputs), -1)
        for layer, described in enumerate(self.spec.layers):
            drive = below @ self._synapses(layer)
            if described.bias:
                drive += self.weights[layer][-1]
            below = ACTIVATIONS[described.activation](drive)
            drives.append(drive)
            outputs.append(below)
        return drives, outputs

    def targets(self, labels: NDArray[np.int64]) -> Floats:
        """T of the output layer: [samples, classes].

        The top of the output word's range for the true class (1 with the default words), 0 for the others; with tanh
        outputs minus the top.
        """
        word = self.spec.output(self.spec.last)
        top = (word.high + 1) * word.lsb
        others = -top if self.spec.layers[-1].activation == "tanh" else 0.0
        targets = np.full((len(labels), self.spec.n_out(self.spec.last)), others, self.dtype)
        targets[np.arange(len(labels)), labels] = top
        return targets

    def loss(self, inputs: Floats, labels: NDArray[np.int64]) -> float:
        """The loss, summed over samples, whose gradient for the output's drives is -e = O - T, without any factor.

        Softmax of base 2: relative entropy in bits, -log2 O_true = log2(sum 2**x) - x_true, of which the derivative for x_k
        is 2**x_k / sum - T_k: the ln 2 of the base and the ln 2 of the bits cancel. Logistic: relative entropy in nats.
        Tanh, O = 2p - 1 with p = logistic(2x): relative entropy of p in nats. Linear: half the squared error.
        """
        drives, outputs = self.forward(inputs)
        x, target = drives[-1], self.targets(labels)
        kind = self.spec.layers[-1].activation
        if kind == "softmax":
            top = x.max(axis=1, keepdims=True)
            return float((np.log2(np.exp2(x - top).sum(axis=1)) + (top - x)[target == 1]).sum())
        if kind == "linear":
            return float(0.5 * ((target - outputs[-1]) ** 2).sum())
        if kind == "tanh":
            x, target = 2 * x, (1 + target) / 2
        return float((np.logaddexp(0, x) - target * x).sum())

    # ------------------------------------------------------------------ the learning channel

    def signals(
        self, drives: list[Floats], outputs: list[Floats], labels: NDArray[np.int64]
    ) -> tuple[list[Floats | None], list[Floats | None]]:
        """What each layer learns by: (local signals Y, each [samples, n]; what each received, [samples, senders]).

        Top: e = T - O. Hidden layer h: R^h = f'(S^h) * J^h with J^h = 2**gain * d C^h, where d is e (skip), R^(h+1)
        (layered) or the label (target). None where nothing arrives.
        """
        spec = self.spec
        error = self.targets(labels) - outputs[-1]
        local: list[Floats | None] = [None] * len(spec.layers)
        received: list[Floats | None] = [None] * len(spec.layers)
        local[spec.last] = error
        if not spec.receives:
            return local, received
        broadcast = np.maximum(self.targets(labels), 0) if spec.channel.route == "target" else error
        for layer in range(spec.last - 1, -1, -1):
            above = local[layer + 1] if spec.channel.route == "layered" else broadcast
            assert above is not None
            received[layer] = above
            gain = 2.0 ** spec.channel.gain_of(layer, above.shape[1])
            arriving = above @ self.feedback_matrix(layer) * self.dtype(gain)
            local[layer] = arriving * self._slope(layer, drives[layer], outputs[layer])
        return local, received

    def feedback_matrix(self, layer: int) -> Floats:
        """C of a hidden layer as the rule has it now: [senders, n_h] (docs/substrate.md 3).

        Random: its own. Transpose (BP): of the weights above. Product (SBP): (W^(h+1) … W^(L-1))^T.
        """
        if self.spec.channel.matrix == "transpose":
            return self._synapses(layer + 1).T
        if self.spec.channel.matrix == "product":
            product = self._synapses(self.spec.last)
            for between in range(self.spec.last - 1, layer, -1):
                product = self._synapses(between) @ product
            return product.T
        own = self.feedback[layer]
        assert own is not None
        return own

    def _slope(self, layer: int, drive: Floats, output: Floats) -> Floats:
        """The derivative that the channel asks for; `shift` is one of the chip's roundings, so it is exact here."""
        activation, channel = self.spec.layers[layer].activation, self.spec.channel
        if channel.derivative == "none":
            return np.ones_like(drive)
        if channel.derivative == "boxcar":
            inside = np.abs(drive) < channel.window
            return (inside & (drive > 0) if activation == "relu" else inside).astype(self.dtype)
        return SLOPES[activation](drive, output)

    # ------------------------------------------------------------------ learning

    def step(self, inputs: Floats, labels: NDArray[np.int64], *, rate: int) -> int:
        """One update from inputs [samples, n_in] and labels [samples]; returns how many were classified right.

        dW^l = 2**-rate * sum over samples of O^(l-1) Y^l, and for adaptive rules dC^h = 2**-rate * sum of d O^h; all from
        the weights before the step.
        """
        inputs = np.asarray(inputs, self.dtype)
        drives, outputs = self.forward(inputs)
        local, received = self.signals(drives, outputs, labels)
        eta = self.dtype(2.0**-rate)
        for layer, described in enumerate(self.spec.layers):
            signal, below = local[layer], inputs if layer == 0 else outputs[layer - 1]
            if signal is None or described.frozen:
                continue
            signal = eta * signal  # cheaper than scaling the product, and exact: eta is a power of two
            self._synapses(layer)[...] += below.T @ signal
            if described.bias:
                self.weights[layer][-1] += signal.sum(axis=0)
        if self.spec.channel.adaptive:
            for layer in range(self.spec.last):
                sent, own = received[layer], self.feedback[layer]
                if sent is not None and own is not None:
                    own += eta * (sent.T @ outputs[layer])
        return int((drives[-1].argmax(axis=1) == labels).sum())

    def train(
        self,
        inputs: Floats,
        labels: NDArray[np.int64],
        *,
        rate: int,
        batch_size: int = 1,
        order: NDArray[np.int64] | None = None,
    ) -> int:
        """Learn from samples in the given order; returns how many were classified right as they came.

        inputs: real values [samples, n_in], 0 to 1 for images; labels: int64[samples]; rate: k of eta = 2**-k; order:
        indices of samples (all, in their order). The last step may be short.
        """
        check_whole("batch_size", batch_size, 1, 1 << 16)
        order = np.arange(len(inputs)) if order is None else order
        steps = (order[start : start + batch_size] for start in range(0, len(order), batch_size))
        return sum(self.step(inputs[chosen], labels[chosen], rate=rate) for chosen in steps)

    def predict(self, inputs: Floats) -> NDArray[np.int64]:
        """The classes of samples, the lowest index among the largest drives: int64[samples]."""
        parts = [inputs[start : start + _EVALUATED_TOGETHER] for start in range(0, len(inputs), _EVALUATED_TOGETHER)]
        found = [self.forward(part)[0][-1].argmax(axis=1) for part in parts]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def evaluate(self, inputs: Floats, labels: NDArray[np.int64]) -> float:
        """Accuracy, 0 to 1."""
        return float((self.predict(inputs) == labels).mean())
