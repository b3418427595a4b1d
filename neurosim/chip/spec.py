"""A network as data: layers, channel, words, seed, and everything that follows from them by arithmetic.

What no chip could hold is refused here, with the width that would do (docs/substrate.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from neurosim.chip.channel import Channel, half_log2
from neurosim.chip.layers import Dense, Layer
from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import Fixed, check_whole
from neurosim.ops import Geometry

_MOST_BITS, _SCALE_BITS = 63, 8
PRODUCT_WORD = Fixed(16, 12)
"""The word of SBP's recomputed matrix."""


@dataclass(frozen=True)
class NetworkSpec:
    """A network as data: everything that decides its bits, and nothing else.

    inputs: number of inputs, or (height, width, channels) of a map; layers: Conv2d, then Dense layers, the last one is the
    output; channel: the learning rule; input: the word of the inputs; received: the word of received errors J and R; seed:
    of weights, C and rounding.
    Words that are left open are filled in when it is made. Raises NeurosimError for what no chip could hold.
    """

    inputs: int | tuple[int, int, int]
    layers: tuple[Layer, ...]
    channel: Channel = field(default_factory=Channel)
    input: Fixed = Fixed(7, 7, signed=False)
    received: Fixed = Fixed(10, 8)
    seed: int = 0
    _geometry: tuple[Geometry, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        settle(self, "network")
        self._check_inputs()
        check_whole("seed", self.seed, 0, (1 << 63) - 1)
        check_whole("network.input.bits", self.input.bits, 2, 16)
        check_whole("network.received.bits", self.received.bits, 2, 16)
        if not self.received.signed:
            msg = "network.received.signed=False: errors have a sign"
            raise NeurosimError(msg)
        if self.received.rounding == "stochastic":
            msg = "network.received.rounding='stochastic': only weights and adaptive feedback round stochastically"
            raise NeurosimError(msg)
        if not self.layers:
            msg = "network.layers=(): at least an output layer is needed"
            raise NeurosimError(msg)
        last = len(self.layers) - 1
        layers = tuple(layer.resolved(is_output=i == last) for i, layer in enumerate(self.layers))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "_geometry", self._found_geometry())
        object.__setattr__(self, "channel", self._resolved_channel())
        for i in range(len(layers)):
            self._prove_accumulator(i)
        self._check_convolutions()

    def replace(self, **changes: Any) -> NetworkSpec:
        """A copy with some fields changed."""
        return replace(self, **changes)

    @property
    def last(self) -> int:
        """The number of the output layer."""
        return len(self.layers) - 1

    @property
    def n_inputs(self) -> int:
        """The number of inputs."""
        return math.prod(self.inputs) if isinstance(self.inputs, tuple) else self.inputs

    @property
    def convolutions(self) -> int:
        """How many layers are convolutions: layers 0 … convolutions - 1."""
        return len(self._geometry)

    def geometry(self, layer: int) -> Geometry:
        """The windows of a convolution."""
        return self._geometry[layer]

    def n_in(self, layer: int) -> int:
        """Presynaptic units of a layer, without the bias."""
        return self.n_inputs if layer == 0 else self.n_out(layer - 1)

    def n_out(self, layer: int) -> int:
        """Units that a layer emits: its neurons, or those of its pooled map."""
        described = self.layers[layer]
        if isinstance(described, Dense):
            return described.n
        return math.prod(self._geometry[layer].out) * described.channels

    def n_neurons(self, layer: int) -> int:
        """Neurons of a layer: for a convolution the units of its map, before pooling."""
        described = self.layers[layer]
        return described.n if isinstance(described, Dense) else self._geometry[layer].positions * described.channels

    def fan_in(self, layer: int) -> int:
        """Rows of a layer's weights without the bias: presynaptic units that one neuron hears."""
        return self._geometry[layer].fan_in if layer < self.convolutions else self.n_in(layer)

    def rows(self, layer: int) -> int:
        """Rows of a layer's weights: those of `fan_in` and the bias."""
        return self.fan_in(layer) + self.layers[layer].bias

    def units(self, layer: int) -> int:
        """Units that send events to a layer: presynaptic units and the bias."""
        return self.n_in(layer) + self.layers[layer].bias

    def fans(self, layer: int) -> int:
        """Fan-in plus fan-out of a layer, which scale its initial weights."""
        described = self.layers[layer]
        if isinstance(described, Dense):
            return self.n_in(layer) + described.n
        return described.kernel**2 * (self._geometry[layer].inputs[2] + described.channels)

    def presynaptic(self, layer: int) -> Fixed:
        """The word of what arrives at a layer."""
        return self.input if layer == 0 else self.output(layer - 1)

    def output(self, layer: int) -> Fixed:
        """The word of what a layer emits."""
        word = self.layers[layer].output
        assert word is not None
        return word

    def address(self, layer: int) -> Fixed:
        """The word of a layer's pre-activations."""
        word = self.layers[layer].address
        assert word is not None
        return word

    def sender(self, layer: int) -> int:
        """The layer whose codes a hidden layer receives."""
        return layer + 1 if self.channel.route == "layered" else self.last

    @property
    def receives(self) -> bool:
        """Whether hidden layers hear anything."""
        return self.last > 0 and self.channel.route != "none"

    @property
    def senders(self) -> tuple[int, ...]:
        """Layers that put codes on the channel."""
        if not self.receives:
            return ()
        return tuple(range(1, self.last + 1)) if self.channel.route == "layered" else (self.last,)

    @property
    def targets(self) -> tuple[int, int]:
        """T's codes: (true class, other classes)."""
        word = self.output(self.last)
        return word.high, word.low if self.layers[-1].activation == "tanh" else 0

    @property
    def error_bits(self) -> int:
        """Bits of e = T - O."""
        word = self.output(self.last)
        return (word.high - word.low).bit_length() + 1

    @property
    def code_bits(self) -> int:
        """Bits of an error code on the wires."""
        return (
            self.channel.error.bits if self.channel.error and self.channel.quantises_at_source else self.received.bits
        )

    def feedback_word(self, layer: int) -> Fixed:
        """The word of an entry of C of one hidden layer."""
        if self.channel.matrix == "transpose":
            return self.layers[layer + 1].weight
        if self.channel.matrix == "sign":  # its LSB is near the standard deviation of a random C
            return Fixed(1, half_log2(self.feedback_fans(layer) / 2))
        return PRODUCT_WORD if self.channel.matrix == "product" else self.channel.feedback.word

    def feedback_fans(self, layer: int) -> int:
        """Fan-in plus fan-out of a hidden layer's C, which scale its entries: senders plus receivers, or those of the kernel above."""
        return self.fans(layer + 1) if self.shares_feedback(layer) else sum(self.feedback_shape(layer))

    @property
    def redraws(self) -> bool:
        """Whether C is drawn anew before every step."""
        return self.receives and self.channel.matrix == "random" and self.channel.feedback.redraw

    def shares_feedback(self, layer: int) -> bool:
        """Whether a hidden layer's C is a kernel, shared over space: it listens to a convolution."""
        return self.channel.route == "layered" and layer + 1 < self.convolutions

    def feedback_shape(self, layer: int) -> tuple[int, int]:
        """The shape of a hidden layer's C: [senders, units it emits], or that of the kernel above."""
        if self.shares_feedback(layer):
            return self.fan_in(layer + 1), self.layers[layer + 1].columns
        return self.n_neurons(self.sender(layer)), self.n_out(layer)

    def n_heard(self, layer: int) -> int:
        """Senders that one receiver of a hidden layer may be connected to."""
        above = self.layers[self.sender(layer)]
        return above.n if isinstance(above, Dense) else above.kernel**2 * above.channels

    def feedback_sum_bits(self, layer: int) -> int:
        """Bits of the crossbar's sum at one hidden layer, proven from the words."""
        largest = self.n_heard(layer) * self.feedback_word(layer).max_abs * self.received.max_abs
        return largest.bit_length() + 1

    def gradient_bits(self, layer: int, batch_size: int) -> int:
        """Bits of a weight's exact update sum over a mini-batch, and over the positions of a map."""
        signal = self.output(layer).high - self.output(layer).low if layer == self.last else self.received.max_abs
        times = batch_size * (self._geometry[layer].positions if layer < self.convolutions else 1)
        return (times * self.presynaptic(layer).max_abs * signal).bit_length() + 1

    def _check_inputs(self) -> None:
        if not isinstance(self.inputs, tuple):
            check_whole("network.inputs", self.inputs, 1, 1 << 20)
            return
        for name, n in zip(("height", "width", "channels"), self.inputs, strict=True):
            check_whole(f"network.inputs {name}", n, 1, 1 << 20)
        check_whole("network.inputs height x width x channels", self.n_inputs, 1, 1 << 20)

    def _found_geometry(self) -> tuple[Geometry, ...]:
        found: list[Geometry] = []
        for i, layer in enumerate(self.layers):
            if isinstance(layer, Dense):
                continue
            if i != len(found):
                msg = f"layer {i}: a Conv2d above a Dense layer; convolutions stand below all Dense layers"
                raise NeurosimError(msg)
            if not isinstance(self.inputs, tuple):
                msg = f"network.inputs={self.inputs!r}: layer 0 is a Conv2d and needs (height, width, channels)"
                raise NeurosimError(msg)
            arriving = (*found[-1].out, found[-1].channels) if found else self.inputs
            found.append(layer.geometry(arriving))
            check_whole(f"layer {i} units of its map", found[-1].positions * layer.channels, 1, 1 << 24)
        return tuple(found)

    def _check_convolutions(self) -> None:
        """What the learning channel cannot do across a convolution."""
        if not self.convolutions:
            return
        channel = self.channel
        if channel.matrix == "product":
            msg = "channel.matrix='product': a product of weights has no convolution in it; must be random or transpose"
            raise NeurosimError(msg)
        if channel.update is not None:
            msg = "channel.update: a convolution's weights sum over positions; must be None in a network with Conv2d"
            raise NeurosimError(msg)
        if not any(self.shares_feedback(layer) for layer in range(self.last)) or channel.matrix != "random":
            return
        if channel.adaptive:
            msg = "channel.adaptive=True: C between two convolutions is shared over space and does not learn; must be False"
            raise NeurosimError(msg)
        if channel.feedback.fan_in is not None:
            msg = (
                f"feedback.fan_in={channel.feedback.fan_in}: C between two convolutions is shared over space; "
                f"give feedback.density"
            )
            raise NeurosimError(msg)

    def _resolved_channel(self) -> Channel:
        high, low = self.targets
        word = self.output(self.last)
        frac = self.received.frac
        channel = self.channel
        changes: dict[str, Any] = {
            "received_error": channel.received_error.resolve(2.0**-3, frac),
            "local_error": channel.local_error.resolve(2.0**-3, frac),
        }
        largest = (high - low) * word.lsb if low else high * word.lsb
        if channel.error is not None:
            if channel.error.bits < 3 and channel.route != "target":
                # One or two magnitudes for all errors: at the largest, all they say is enormous, and learning collapses.
                largest /= 1 << (3 - channel.error.bits)
            changes["error"] = channel.error.resolve(largest, frac)
        if channel.update is not None:
            changes["update"] = channel.update.resolve(2.0**-6, 62)
        channel = channel.replace(**changes)
        used = {"source": channel.error, "received": channel.received_error, "local": channel.local_error}
        for place in channel.place:
            quantiser = used[place]
            if self.receives and quantiser is not None and quantiser.decoded_in(frac)[0] > self.received.high:
                msg = (
                    f"channel.error at {place}: its largest magnitude {quantiser.alpha:g} does not fit the received word "
                    f"{self.received.bits}.{frac} (highest {self.received.high * self.received.lsb:g}): "
                    f"give network.received a smaller frac or more bits"
                )
                raise NeurosimError(msg)
        return channel

    def _prove_accumulator(self, layer: int) -> None:
        spec = self.layers[layer]
        need = (self.rows(layer) * spec.weight.max_abs * self.presynaptic(layer).max_abs).bit_length() + 1
        if need > spec.accumulator:
            msg = (
                f"layer {layer} accumulator={spec.accumulator}: a sum of {self.rows(layer)} products of "
                f"{spec.weight.bits}-bit weights and {self.presynaptic(layer).bits}-bit codes needs {need} bits"
            )
            raise NeurosimError(msg)
        if spec.blank_out and need > _MOST_BITS - _SCALE_BITS:
            msg = (
                f"layer {layer} blank_out={spec.blank_out}: evaluation scales sums of {need} bits, and has room for "
                f"{_MOST_BITS - _SCALE_BITS}"
            )
            raise NeurosimError(msg)
