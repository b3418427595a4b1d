"""How a network is trained: steps, schedule and optimiser as data, and the loop over epochs in floats."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.floats.activations import Floats
from neurosim.floats.network import Activity, Changes, FloatNetwork, n_right
from neurosim.formats import check, check_whole
from neurosim.rng import STREAM_AUGMENT, sample_order, words

OPTIMISERS = ("sgd", "rmsprop", "adam")


@dataclass(frozen=True)
class Training:
    """A training protocol.

    rate: eta of the first step; decay: step t has rate / (1 + decay * t); halve_every: epochs after which the rate is halved, 0:
    never. mean: a step follows the mean over its samples (otherwise the sum, as the chip does). momentum, nesterov: of
    ``sgd``; ``rmsprop`` and ``adam`` have decays (0.99; 0.9 and 0.999) and epsilon. weight_decay: share of the weights taken off,
    times the rate. shift, flip: augmentation of images: moved by up to that share of their size each way, mirrored every other time.
    standardise: each sample to mean 0 and standard deviation 1.
    """

    epochs: int = 5
    batch_size: int = 1
    rate: float = 2.0**-6
    decay: float = 0.0
    halve_every: int = 0
    mean: bool = False
    optimiser: Literal["sgd", "rmsprop", "adam"] = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    shift: float = 0.0
    flip: bool = False
    standardise: bool = False

    def __post_init__(self) -> None:
        check_whole("training.epochs", self.epochs, 0, 1 << 20)
        check_whole("training.batch_size", self.batch_size, 1, 1 << 16)
        check_whole("training.halve_every", self.halve_every, 0, 1 << 20)
        check("training.optimiser", self.optimiser, OPTIMISERS)
        for name, most in (("rate", 1e3), ("decay", 1.0), ("momentum", 1.0), ("weight_decay", 1.0), ("epsilon", 1e3)):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= most):
                raise NeurosimError(f"training.{name}={value!r}: must be a number 0..{most:g}")
        if not 0 <= self.shift < 1:
            raise NeurosimError(f"training.shift={self.shift!r}: must be a share of the image, 0 to below 1")

    def rate_at(self, step: int, epoch: int) -> float:
        """Eta of a step."""
        halved = epoch // self.halve_every if self.halve_every else 0
        return self.rate * 2.0**-halved / (1 + self.decay * step)


@dataclass
class Optimiser:
    """From the sum of a step's updates to what is added to the weights."""

    training: Training
    first: dict[Any, Floats] = field(default_factory=dict)
    second: dict[Any, Floats] = field(default_factory=dict)
    steps: int = 0

    def move(self, net: FloatNetwork, activity: Activity, wanted: NDArray[Any], rate: float) -> None:
        """One step of a network."""
        t = self.training
        share = 1 / len(wanted) if t.mean else 1.0
        self.steps += 1
        if t.optimiser == "sgd" and not (t.momentum or t.weight_decay):
            net.learn(activity, net.changes(activity, wanted, rate * share))
            return
        found = net.changes(activity, wanted, share * (rate if t.optimiser == "sgd" else 1.0))
        weights = [
            change if change is None else self._moved(layer, change, net.weights[layer], rate)
            for layer, change in enumerate(found.weights)
        ]
        feedback = {h: self._moved(("C", h), change, None, rate) for h, change in found.feedback.items()}
        net.learn(activity, Changes(weights, feedback))

    def _moved(self, key: Any, change: Floats, weights: Floats | None, rate: float) -> Floats:
        t = self.training
        if t.weight_decay and weights is not None:
            change -= (t.weight_decay * (rate if t.optimiser == "sgd" else 1.0)) * weights
        if t.optimiser == "sgd":
            if not t.momentum:
                return change
            velocity = _moment(self.first, key, change)
            velocity *= t.momentum
            velocity += change
            return t.momentum * velocity + change if t.nesterov else velocity
        second = _moment(self.second, key, change)
        keep = 0.99 if t.optimiser == "rmsprop" else 0.999
        second *= keep
        square = (1 - keep) * change
        square *= change
        second += square
        if t.optimiser == "rmsprop":
            spread = np.sqrt(second, out=square)
            spread += t.epsilon
            moved: Floats = rate * change
            moved /= spread
            return moved
        first = _moment(self.first, key, change)
        first *= 0.9
        first += 0.1 * change
        unbiased = np.sqrt(second / (1 - keep**self.steps)) + t.epsilon
        moved = (rate / (1 - 0.9**self.steps)) * first / unbiased
        return moved.astype(change.dtype)


def _moment(moments: dict[Any, Floats], key: Any, like: Floats) -> Floats:
    """A running mean of changes, zero at first."""
    if key not in moments:
        moments[key] = np.zeros_like(like)
    return moments[key]


class Trainer:
    """A network, its optimiser, and where training stands.

    train: inputs (raw, as the data set holds them) [samples, ...] and wanted, labels or real targets; scale: what a raw value of 1
    stands for. Epoch e presents samples in the order of `rng.sample_order(seed, e, n)`, as on the chip.
    """

    def __init__(
        self, net: FloatNetwork, training: Training, inputs: NDArray[Any], wanted: NDArray[Any], *, scale: float = 1.0
    ) -> None:
        self.net, self.training, self.inputs, self.wanted, self.scale = net, training, inputs, wanted, scale
        self.optimiser = Optimiser(training)
        self.epoch = 0

    def real(self, raw: NDArray[Any]) -> Floats:
        """Raw inputs as the network takes them: [samples, n_in]."""
        found = raw.reshape(len(raw), -1).astype(self.net.dtype)
        if self.scale != 1:
            found *= self.net.dtype(self.scale)
        if self.training.standardise:
            found -= found.mean(axis=1, keepdims=True)
            found /= found.std(axis=1, keepdims=True) + 1e-8
        return found

    def train_epoch(self, progress: Callable[[int, int], None] = lambda _done, _n: None) -> float:
        """One pass over the training set; returns the share classified right as they came."""
        n, size = len(self.wanted), self.training.batch_size
        order = sample_order(self.net.spec.seed, self.epoch, n)
        right = 0
        for start in range(0, n, size):
            chosen = order[start : start + size]
            wanted = self.wanted[chosen]
            raw = self.inputs[chosen]
            if self.training.shift or self.training.flip:
                raw = augmented(raw, self.training, self.net.spec.seed, self.net.steps)
            activity = self.net.forward(self.real(raw))
            self.optimiser.move(self.net, activity, wanted, self.training.rate_at(self.net.steps, self.epoch))
            right += n_right(activity, wanted)
            if start // size % 64 == 63:
                progress(start + size, n)
        self.epoch += 1
        return right / n

    def drives(self, raw: NDArray[Any]) -> Floats:
        """The output layer's drives for raw inputs: [samples, n_out]."""
        return np.concatenate([self.net.drives(self.real(raw[i : i + 1000])) for i in range(0, len(raw), 1000)])

    def outputs(self, raw: NDArray[Any]) -> Floats:
        """The output layer's outputs for raw inputs: [samples, n_out]."""
        parts = (self.net.forward(self.real(raw[i : i + 1000])).outputs[-1] for i in range(0, len(raw), 1000))
        return np.concatenate(list(parts))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the rest of training depends on, as arrays; `load_state` takes it back."""
        net, found = self.net, {}
        for layer, weights in enumerate(net.weights):
            found[f"weights.{layer}"] = weights
        for (receiver, variant), matrix in net.feedback.drawn.items():
            found[f"feedback.{receiver}.{variant}"] = matrix
        for layer, outputs in enumerate(net.before):
            found[f"before.{layer}"] = outputs
        for name in ("first", "second"):
            for key, moment in getattr(self.optimiser, name).items():
                label = f"C{key[1]}" if isinstance(key, tuple) else str(key)
                found[f"{name}.{label}"] = moment
        found["at"] = np.array([self.epoch, net.steps, self.optimiser.steps])
        return found

    def load_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take up where `state` was made."""
        net = self.net
        self.epoch, net.steps, self.optimiser.steps = (int(x) for x in state["at"])
        net.before = [state[f"before.{i}"] for i in range(sum(k.startswith("before.") for k in state))]
        for key, array in state.items():
            kind, _, rest = key.partition(".")
            if kind == "weights":
                net.weights[int(rest)][...] = array
            elif kind == "feedback":
                receiver, variant = rest.split(".")
                net.feedback.drawn[int(receiver), int(variant)] = array
            elif kind in ("first", "second"):
                label: Any = ("C", int(rest[1:])) if rest.startswith("C") else int(rest)
                getattr(self.optimiser, kind)[label] = array
        net.feedback.step = net.steps


def augmented(raw: NDArray[Any], training: Training, seed: int, step: int) -> NDArray[Any]:
    """Images [samples, height, width, channels], each shifted by its own number of pixels (zeros come in) and mirrored or not."""
    n, height, width, _ = raw.shape
    drawn = words(seed, STREAM_AUGMENT, 0, step, 3 * n).reshape(3, n)
    reach = [round(training.shift * side) for side in (height, width)]
    down, right = ((drawn[i] >> np.uint64(32)) % np.uint64(2 * reach[i] + 1) for i in (0, 1))
    padded = np.pad(raw, ((0, 0), (reach[0],) * 2, (reach[1],) * 2, (0, 0)))
    found = np.empty_like(raw)
    for i in range(n):
        y, x = int(down[i]), int(right[i])
        part = padded[i, y : y + height, x : x + width]
        found[i] = part[:, ::-1] if training.flip and drawn[2, i] >> np.uint64(63) else part
    return found
