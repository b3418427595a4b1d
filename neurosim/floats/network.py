"""The learning rules in floating point: what the chip's integers stand for, and nothing else.

`FloatNetwork` takes the description that a chip is built from and runs it in NumPy. Words are left out: no rounding, no
saturation. The learning channel is kept, quantisers included. From the chip's codes it starts with the same weights and the
same C, so the distance between the two is what low precision costs; otherwise with real numbers, as the papers do.

Rules: Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018); DRTP: Frenkel, Lefebvre, Bol (2021).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.channel import RULES, Channel
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.program import initial_weights, real_weights
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats import activations, convolution
from neurosim.floats.activations import ACTIVATIONS, SLOPES, Floats
from neurosim.floats.channel import Signals, signals
from neurosim.floats.feedback import Feedback
from neurosim.floats.updates import per_sample_update

_EVALUATED_TOGETHER, _MAPS_TOGETHER = 1000, 100
_EXACT_BP = RULES["bp"].replace(error=None)


@dataclass
class Activity:
    """What a forward pass leaves: inputs [samples, n_in], drives S^l and outputs O^l = f(S^l) of all layers [samples, n].

    Of a convolution, drives and outputs are of the units it emits, those that won its pooling windows; winners: where they
    were, int32[samples, H', W', channels] as `convolution.max_pool` has it, None without pooling.
    """

    inputs: Floats
    drives: list[Floats]
    outputs: list[Floats]
    winners: list[NDArray[np.int32] | None] = field(default_factory=list)

    def below(self, layer: int) -> Floats:
        """What arrives at a layer."""
        return self.inputs if layer == 0 else self.outputs[layer - 1]


@dataclass
class Changes:
    """What a step adds to the weights of each layer [rows, n_out] and to each C [senders, n_h]; None where nothing learns."""

    weights: list[Floats | None]
    feedback: dict[int, Floats]


class FloatNetwork:
    """A network in floats, from the description of one on the chip.

    weights[l]: [rows, n_out], the bias row last; feedback: the matrices C; steps: how many steps it has learnt.
    Layers that blank out events are refused: their loss is random and has no value of its own in floats.

    >>> from neurosim.chip.layers import Dense
    >>> net = FloatNetwork(NetworkSpec(64, (Dense(20, "tanh"), Dense(10, "softmax")), seed=1))
    >>> net.weights[0].shape
    (65, 20)
    """

    def __init__(
        self, spec: NetworkSpec, dtype: type[np.floating[Any]] = np.float32, *, from_codes: bool = True
    ) -> None:
        self.spec, self.dtype, self.from_codes = spec, dtype, from_codes
        for i, layer in enumerate(spec.layers):
            if layer.blank_out:
                msg = f"layer {i} blank_out={layer.blank_out}: must be 0 in the float engine"
                raise NeurosimError(msg)
        for i in range(spec.convolutions):
            if spec.geometry(i).stride != 1 or dtype is not np.float32:
                msg = (
                    f"layer {i} stride={spec.geometry(i).stride}: must be 1 in the float engine, and its dtype float32"
                )
                raise NeurosimError(msg)
        if spec.convolutions and (spec.channel.feedback.per == "synapse" or not spec.channel.upper_derivatives):
            msg = "channel.feedback.per='synapse' and channel.upper_derivatives=False: dense layers alone have them, not a Conv2d"
            raise NeurosimError(msg)
        self.weights = [self._initial(layer) for layer in range(len(spec.layers))]
        self.feedback = Feedback(spec, dtype, from_codes=from_codes)
        self.steps = 0
        self.before: list[Floats] = []

    def _initial(self, layer: int) -> Floats:
        """Initial weights, a bias row of zeros below them: [rows, n_out]."""
        spec, described = self.spec, self.spec.layers[layer]
        weights = np.zeros((spec.rows(layer), described.columns), self.dtype)
        if self.from_codes:
            weights[: spec.fan_in(layer)] = initial_weights(spec, layer) * described.weight.lsb
        else:
            weights[: spec.fan_in(layer)] = real_weights(spec, layer)
        return weights

    def synapses(self, layer: int) -> Floats:
        """The weights of a layer without its bias row: [n_in, n_out], or [k * k * c_in, channels]."""
        return self.weights[layer][: self.spec.fan_in(layer)]

    def crossbar(self, layer: int) -> Floats | None:
        """The random C of a hidden layer that hears one sender, without its gain: [senders, n_h]; None where there is none."""
        spec, channel = self.spec, self.spec.channel
        if layer == spec.last or channel.route not in ("layered", "skip", "target") or channel.matrix != "random":
            return None
        if spec.shares_feedback(layer):
            return self.feedback.matrix(layer, spec.feedback_shape(layer), fans=spec.fans(layer + 1))
        return self.feedback.matrix(layer, spec.feedback_shape(layer))

    # ------------------------------------------------------------------ forward

    def forward(self, inputs: Floats) -> Activity:
        """The activity for inputs [samples, n_in]."""
        found = Activity(np.asarray(inputs, self.dtype).reshape(len(inputs), -1), [], [])
        for layer, described in enumerate(self.spec.layers):
            drive, winners = self._drive(layer, found.below(layer))
            found.winners.append(winners)
            found.drives.append(drive)
            found.outputs.append(ACTIVATIONS[described.activation](drive))
        return found

    def _drive(self, layer: int, below: Floats) -> tuple[Floats, NDArray[np.int32] | None]:
        """S of the units that a layer emits, and which neurons of its map they are.

        Every activation rises with its drive, so the largest output is that of the largest drive: pooling comes first.
        """
        described = self.spec.layers[layer]
        if isinstance(described, Dense):
            drive = below @ self.synapses(layer)
            if described.bias:
                drive += self.weights[layer][-1]
            return drive, None
        shape = self.spec.geometry(layer).inputs
        drive = convolution.convolve(
            below.reshape(-1, *shape), self.synapses(layer), described.kernel, described.padding
        )
        winners = None
        if described.pool:
            stride = described.pool_stride or described.pool
            drive, winners = convolution.max_pool(drive, described.pool, stride, described.padding)
        if described.bias:
            drive += self.weights[layer][-1]
        return drive.reshape(len(below), -1), winners

    def at_neurons(self, layer: int, signal: Floats, activity: Activity) -> Floats:
        """A signal at the units a layer emits, brought to its neurons: through pooling to the winners, else as it is."""
        winners = activity.winners[layer]
        if winners is None:
            return signal
        found = convolution.unpool(signal.reshape(winners.shape), winners, self._map(layer, len(signal)))
        return found.reshape(len(signal), -1)

    def _map(self, layer: int, samples: int) -> tuple[int, int, int, int]:
        """The shape of a convolution's map before pooling."""
        geometry = self.spec.geometry(layer)
        return samples, *geometry.map, geometry.channels

    def targets(self, wanted: NDArray[Any]) -> Floats:
        """T of the output layer from labels int64[samples], or from real values [samples, n_out], which are taken as they are.

        For labels: the top of the output word's range for the true class (1 with the default words), 0 for the others; with
        tanh outputs minus the top.
        """
        if wanted.ndim == 2:
            return np.asarray(wanted, self.dtype)
        word = self.spec.output(self.spec.last)
        top = (word.high + 1) * word.lsb
        others = -top if self.spec.layers[-1].activation == "tanh" else 0.0
        targets = np.full((len(wanted), self.spec.n_out(self.spec.last)), others, self.dtype)
        targets[np.arange(len(wanted)), wanted] = top
        return targets

    def loss(self, inputs: Floats, wanted: NDArray[Any]) -> float:
        """The loss, summed over samples, whose slope for the output's drives is -e = O - T (`activations.loss`)."""
        drives = self.forward(inputs).drives[-1]
        return activations.loss(self.spec.layers[-1].activation, drives, self.targets(wanted))

    # ------------------------------------------------------------------ the learning channel

    def signals(self, activity: Activity, wanted: NDArray[Any], channel: Channel | None = None) -> Signals:
        """What each layer learns by, under this network's channel or another."""
        return signals(self, activity, self.targets(wanted), channel)

    def through_kernel(self, layer: int, sent: Floats, kernel: Floats) -> Floats:
        """J of a hidden layer that hears a convolution [samples, its neurons] through a kernel of that one's shape."""
        above = self.spec.layers[layer + 1]
        assert isinstance(above, Conv2d)
        shape = len(sent), *self.spec.geometry(layer + 1).inputs
        signals = sent.reshape(self._map(layer + 1, len(sent)))
        return convolution.transposed(signals, kernel, above.kernel, above.padding, shape).reshape(len(sent), -1)

    def slope(self, channel: Channel, layer: int, activity: Activity) -> Floats:
        """The derivative that the channel asks for; ``shift`` is one of the chip's roundings, so it is exact here."""
        drive, activation = activity.drives[layer], self.spec.layers[layer].activation
        if channel.derivative == "none":
            return np.ones_like(drive)
        if channel.derivative == "boxcar":
            inside = np.abs(drive) < channel.window
            return (inside & (drive > 0) if activation == "relu" else inside).astype(self.dtype)
        return SLOPES[activation](drive, activity.outputs[layer])

    # ------------------------------------------------------------------ learning

    def changes(self, activity: Activity, wanted: NDArray[Any], eta: float, channel: Channel | None = None) -> Changes:
        """What a step adds, from the weights before it.

        dW^l = eta * sum over samples of O^(l-1) Y^l; with `channel.update` each sample's part is quantised before the sum. For
        adaptive rules dC^h = eta * sum of d O^h, or of d times the change of O^h since the presentation before (``stdp``).
        """
        channel = channel or self.spec.channel
        found = self.signals(activity, wanted, channel)
        weights: list[Floats | None] = []
        for layer, described in enumerate(self.spec.layers):
            signal = found.local[layer]
            if described.frozen or signal is None:
                weights.append(None)
            elif channel.feedback.per == "synapse" and layer < self.spec.last and channel.matrix == "random":
                weights.append(self._by_synapse(layer, activity, found.sent[layer], channel, eta))
            else:
                weights.append(self._sum(layer, channel, activity.below(layer), signal, eta))
        return Changes(weights, self._feedback_changes(channel, activity, found, eta))

    def _sum(self, layer: int, channel: Channel, below: Floats, signal: Floats, eta: float) -> Floats:
        """The sum of all samples' updates, over all positions of a map: [rows, n_out]."""
        described = self.spec.layers[layer]
        bias = described.bias
        if isinstance(described, Conv2d):
            found = self._sum_over_map(layer, described, channel, below, signal * self.dtype(eta))
            return _signs(found, eta) if channel.update_part == "sign" else found
        if channel.update is not None:
            return per_sample_update(channel.update, below, signal, eta, bias=bias)
        if channel.update_part == "magnitude":
            below, signal = np.abs(below), np.abs(signal)
        scaled = signal * self.dtype(eta)
        found = np.empty((below.shape[1] + bias, signal.shape[1]), self.dtype)
        np.matmul(below.T, scaled, out=found[: below.shape[1]])
        if bias:
            scaled.sum(axis=0, out=found[-1])
        return _signs(found, eta) if channel.update_part == "sign" else found

    def _sum_over_map(self, layer: int, described: Conv2d, channel: Channel, below: Floats, signal: Floats) -> Floats:
        if channel.update_part == "magnitude":
            below, signal = np.abs(below), np.abs(signal)
        maps, signals = (
            below.reshape(-1, *self.spec.geometry(layer).inputs),
            signal.reshape(self._map(layer, len(signal))),
        )
        found = np.empty((self.spec.rows(layer), described.channels), self.dtype)
        convolution.weight_gradient(
            maps, signals, described.kernel, described.padding, out=found[: self.spec.fan_in(layer)]
        )
        if described.bias:
            signals.sum(axis=(0, 1, 2), out=found[-1])
        return found

    def _by_synapse(self, layer: int, activity: Activity, sent: Floats | None, channel: Channel, eta: float) -> Floats:
        """Each synapse hears the error through weights of its own: dw_ij = eta sum over k of C_k,ij e_k f'_j O_i."""
        assert sent is not None
        slope, below = self.slope(channel, layer, activity), activity.below(layer)
        rows, n = self.spec.rows(layer), self.spec.layers[layer].columns
        own = self.feedback.matrix(layer, (sent.shape[1], rows * n), variant=1).reshape(-1, rows, n)
        # The standard deviation that a neuron's C has, not that of a layer with rows * n receivers.
        own = own * self.dtype(np.sqrt((sent.shape[1] + rows * n) / (sent.shape[1] + n)))
        found = np.zeros((rows, n), self.dtype)
        for k, weights in enumerate(own):
            found += weights * self._sum(layer, channel, below, slope * sent[:, k : k + 1], eta)
        return found

    def _feedback_changes(self, channel: Channel, activity: Activity, found: Signals, eta: float) -> dict[int, Floats]:
        if not channel.adaptive:
            return {}
        changes = {}
        for layer in range(self.spec.last):
            sent, own = found.sent[layer], activity.outputs[layer]
            if channel.adaptive == "stdp":
                same = self.before and self.before[layer].shape == own.shape
                own = own - self.before[layer] if same else np.zeros_like(own)
            assert sent is not None
            changes[layer] = self.dtype(eta) * (sent.T @ own)
        return changes

    def learn(self, activity: Activity, changes: Changes) -> None:
        """Take a step: add the changes."""
        for layer, moved in enumerate(changes.weights):
            if moved is not None:
                self.weights[layer] += moved
        for layer, change in changes.feedback.items():
            self.feedback.drawn[layer, 0] += change
        self.before = activity.outputs if self.spec.channel.adaptive == "stdp" else []
        self.steps += 1
        self.feedback.next_step(self.steps)

    def step(self, inputs: Floats, wanted: NDArray[Any], *, eta: float) -> int:
        """One update from inputs [samples, n_in] and labels or real targets; returns how many were classified right."""
        activity = self.forward(inputs)
        self.learn(activity, self.changes(activity, wanted, eta))
        return n_right(activity, wanted)

    def train(
        self,
        inputs: Floats,
        wanted: NDArray[Any],
        *,
        eta: float,
        batch_size: int = 1,
        order: NDArray[np.int64] | None = None,
    ) -> int:
        """Learn from samples in the given order; returns how many were classified right as they came.

        inputs: real values [samples, n_in], 0 to 1 for images; wanted: labels int64[samples] or real targets; order:
        indices of samples (all, in their order). The last step may be short. `training.Trainer` has schedules and optimisers.
        """
        order = np.arange(len(inputs)) if order is None else order
        steps = (order[start : start + batch_size] for start in range(0, len(order), batch_size))
        return sum(self.step(inputs[chosen], wanted[chosen], eta=eta) for chosen in steps)

    # ------------------------------------------------------------------ evaluation

    def drives(self, inputs: Floats) -> Floats:
        """The output layer's drives: [samples, n_out]."""
        together = _MAPS_TOGETHER if self.spec.convolutions else _EVALUATED_TOGETHER
        parts = [inputs[start : start + together] for start in range(0, len(inputs), together)]
        found = [self.forward(part).drives[-1] for part in parts]
        return np.concatenate(found) if found else np.zeros((0, self.spec.n_out(self.spec.last)), self.dtype)

    def predict(self, inputs: Floats) -> NDArray[np.int64]:
        """The classes of samples, the lowest index among the largest drives: int64[samples]."""
        classes: NDArray[np.int64] = self.drives(inputs).argmax(axis=1)
        return classes

    def evaluate(self, inputs: Floats, labels: NDArray[np.int64]) -> float:
        """Accuracy, 0 to 1."""
        return float((self.predict(inputs) == labels).mean())

    def exact_changes(self, activity: Activity, wanted: NDArray[Any]) -> tuple[Changes, Signals]:
        """The true gradient's step with eta = 1 and its signals: backpropagation on the same weights."""
        return self.changes(activity, wanted, 1.0, _EXACT_BP), self.signals(activity, wanted, _EXACT_BP)


def _signs(update: Floats, eta: float) -> Floats:
    """The same for every weight but its sign: eta up, eta down, or nothing."""
    found: Floats = np.sign(update) * update.dtype.type(eta)
    return found


def n_right(activity: Activity, wanted: NDArray[Any]) -> int:
    """How many samples of a step were classified right; of real targets the largest is the class."""
    labels = wanted if wanted.ndim == 1 else wanted.argmax(axis=1)
    return int((activity.drives[-1].argmax(axis=1) == labels).sum())
