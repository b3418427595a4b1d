"""What hidden layers learn by: the learning channel of docs/learning_channel.md in real numbers.

Signals are computed from the top down. e = T - O is the output's error, d_l what layer l puts on the channel, J^h what layer h
receives, R^h = f'(S^h) * J^h what it learns by. Sources: Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018);
Neural Networks 95:110-133 (2017); Neural Networks 108:479-494 (2018); Mostafa, Ramesh, Cauwenberghs (2017); Frenkel, Lefebvre, Bol (2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neurosim.chip.channel import Channel
from neurosim.floats.activations import ACTIVATIONS, Floats
from neurosim.floats.feedback import BACK
from neurosim.floats.quantise import quantise
from neurosim.rng import STREAM_DROPOUT, words

if TYPE_CHECKING:
    from neurosim.floats.network import Activity, FloatNetwork


@dataclass
class Signals:
    """local[l]: R of each layer, [samples, n]; sent[h]: what was sent to layer h, [samples, senders]; arriving[h]: J.

    whole[h]: J before it was quantised. None where nothing arrives.
    """

    local: list[Floats | None]
    sent: list[Floats | None] = field(default_factory=list)
    arriving: list[Floats | None] = field(default_factory=list)
    whole: list[Floats | None] = field(default_factory=list)


def signals(net: FloatNetwork, activity: Activity, targets: Floats, channel: Channel | None = None) -> Signals:
    """The signals of one step under the network's own channel, or under another on the same weights."""
    spec, channel = net.spec, channel or net.spec.channel
    last = spec.last
    error = targets - activity.outputs[last]
    empty: list[Floats | None] = [None] * (last + 1)
    found = Signals(empty, empty.copy(), empty.copy(), empty.copy())
    found.local[last] = _top(net, channel, error)
    if last == 0 or channel.route == "none":
        return found
    senders = _Senders(net, channel, error, targets)
    again = net.forward(activity.outputs[last]).outputs if channel.route == "recirculate" else None
    for layer in range(last - 1, -1, -1):
        if again is not None:
            arriving = activity.outputs[layer] - again[layer]
        elif channel.route == "local":
            arriving = _from_classifier(net, channel, activity.outputs[layer], targets, layer)
        else:
            found.sent[layer], arriving = senders.reach(layer)
        arriving = found.whole[layer] = _received(net, channel, arriving, layer)
        if "received" in channel.place:
            arriving = quantise(channel.received_error, arriving)
        found.arriving[layer] = arriving
        local = net.at_neurons(layer, arriving * net.slope(channel, layer, activity), activity)
        if "local" in channel.place:
            local = quantise(channel.local_error, local)
        found.local[layer] = local
        senders.add(layer, local if channel.upper_derivatives else arriving)
    return found


def _top(net: FloatNetwork, channel: Channel, error: Floats) -> Floats:
    if channel.top == "quantised" and channel.error is not None:
        return quantise(channel.error, error)
    if channel.top == "random":
        n = error.shape[1]
        return error @ net.feedback.matrix(net.spec.last, (n, n))
    return error


def _received(net: FloatNetwork, channel: Channel, arriving: Floats, layer: int) -> Floats:
    """J as a layer takes it: through the channel's units, some of it lost."""
    if channel.units != "linear":
        arriving = ACTIVATIONS[channel.units](arriving)
    if channel.dropout:
        drawn = words(net.spec.seed, STREAM_DROPOUT, layer, net.steps, arriving.size).reshape(arriving.shape)
        arriving = arriving * (drawn >= np.uint64(int(channel.dropout * 2**64)))
    return arriving


def _from_classifier(net: FloatNetwork, channel: Channel, outputs: Floats, targets: Floats, layer: int) -> Floats:
    """J from a layer's own fixed random classifier M: e^h = T - softmax(O^h M), brought back by M^T or by a random C."""
    n, classes = outputs.shape[1], targets.shape[1]
    own = net.feedback.classifier(layer, (n, classes))
    kind = net.spec.layers[-1].activation
    error = targets - ACTIVATIONS[kind](outputs @ own)
    if channel.matrix == "transpose":
        return error @ own.T
    return error @ net.feedback.matrix(layer, (classes, n), BACK)


class _Senders:
    """What has been put on the channel so far, and the matrices that bring it to a layer."""

    def __init__(self, net: FloatNetwork, channel: Channel, error: Floats, targets: Floats) -> None:
        self.net, self.channel = net, channel
        self.by_layer: dict[int, Floats] = {}
        self.broadcast = np.maximum(targets, 0) if channel.route == "target" else self._coded(error)
        self.by_layer[net.spec.last] = self.broadcast
        self.relayed = self._relay()

    def add(self, layer: int, value: Floats) -> None:
        """Put what a hidden layer hands on onto the channel, where anyone below listens to it."""
        if self.channel.route in ("layered", "cascade"):
            self.by_layer[layer] = self._coded(value)

    def _coded(self, value: Floats) -> Floats:
        channel = self.channel
        return quantise(channel.error, value) if channel.quantises_at_source and channel.error else value

    def _relay(self) -> list[Floats]:
        """D^0 = d, D^i = g(D^(i-1) C^i): the layers of the channel's own."""
        found = [self.broadcast]
        for i, n in enumerate(self.channel.relays):
            c = self.net.feedback.matrix(self.net.spec.last + 1 + i, (found[-1].shape[1], n))
            found.append(ACTIVATIONS[self.channel.units](found[-1] @ c))
        return found

    def reach(self, layer: int) -> tuple[Floats, Floats]:
        """(what is sent to a hidden layer, J before the channel's units): of several senders, the sum of all J."""
        route, last = self.channel.route, self.net.spec.last
        if route == "cascade":
            parts = [
                self.by_layer[above] @ self._matrix(layer, self.by_layer[above].shape[1], above - layer - 1)
                for above in range(layer + 1, last + 1)
            ]
            return self.by_layer[layer + 1], np.sum(parts, axis=0, dtype=parts[0].dtype)
        if route == "relay":
            sent = self.relayed[min(len(self.channel.relays), last - layer)]
        else:
            sent = self.by_layer[layer + 1] if route == "layered" else self.broadcast
        matrix = self._matrix(layer, sent.shape[1])
        if is_shared(self.net, self.channel, layer):
            return sent, self.net.through_kernel(layer, sent, matrix)
        return sent, sent @ matrix

    def _matrix(self, layer: int, n_senders: int, variant: int = 0) -> Floats:
        return feedback_matrix(self.net, self.channel, layer, n_senders, variant)


def is_shared(net: FloatNetwork, channel: Channel, layer: int) -> bool:
    """Whether C of a hidden layer is a kernel, shared over space: under this channel it hears a convolution."""
    return channel.route == "layered" and layer + 1 < net.spec.convolutions


def feedback_matrix(net: FloatNetwork, channel: Channel, layer: int, n_senders: int, variant: int = 0) -> Floats:
    """C of a hidden layer as the rule has it now, its gain included: [senders, receivers] (docs/substrate.md 3).

    Random: its own. Transpose (BP): of the weights above. Product (SBP): (W^(h+1) … W^(L-1))^T. Sign: of the transpose, times the
    standard deviation of a random C (``sign``) or the magnitudes of one (``sign-random``). Between two convolutions C is a kernel,
    shared over space, of the upper kernel's shape, and acts by the transposed convolution (section 9).
    """
    spec = net.spec
    if channel.matrix == "product":
        product = net.synapses(spec.last)
        for between in range(spec.last - 1, layer, -1):
            product = net.synapses(between) @ product
        return product.T
    shared = is_shared(net, channel, layer)
    above = net.synapses(layer + 1) if shared else net.synapses(layer + 1).T
    if channel.matrix == "transpose":
        return above
    shape = spec.feedback_shape(layer) if shared else (n_senders, spec.n_out(layer))
    fans = spec.fans(layer + 1) if shared else sum(shape)
    if channel.matrix == "sign":
        size = channel.feedback.scale * math.sqrt(2 / fans)
        if net.feedback.from_codes:
            size = spec.feedback_word(layer).lsb
        signs: Floats = np.sign(above) * net.dtype(size * 2.0 ** channel.gain_of(layer, n_senders))
        return signs
    own = net.feedback.matrix(layer, shape, variant, fans)
    if channel.matrix == "sign-random":
        own = np.sign(above) * np.abs(own)
    gain = channel.gain_of(layer, spec.n_heard(layer) if shared else n_senders)
    return own * net.dtype(2.0**gain) if gain else own
