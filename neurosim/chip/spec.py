"""A network as data: layers, channel, words, seed, and everything that follows from them by arithmetic.

What no chip could hold is refused here, with the width that would do (docs/substrate.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from neurosim.chip.channel import Channel
from neurosim.chip.layers import Dense
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, check_whole

_MOST_BITS, _SCALE_BITS = 63, 8
PRODUCT_WORD = Fixed(16, 12)
"""The word of SBP's recomputed matrix."""


@dataclass(frozen=True)
class NetworkSpec:
    """A network as data: everything that decides its bits, and nothing else.

    inputs: number of inputs; layers: Dense layers, the last one is the output; channel: the learning rule;
    input: the word of the inputs; received: the word of received errors J and R; seed: of weights, C and rounding.
    Words that are left open are filled in when it is made. Raises NeurosimError for what no chip could hold.
    """

    inputs: int
    layers: tuple[Dense, ...]
    channel: Channel = field(default_factory=Channel)
    input: Fixed = Fixed(7, 7, signed=False)
    received: Fixed = Fixed(10, 8)
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("network.inputs", self.inputs, 1, 1 << 20)
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
        object.__setattr__(self, "channel", self._resolved_channel())
        for i in range(len(layers)):
            self._prove_accumulator(i)

    def replace(self, **changes: Any) -> NetworkSpec:
        """A copy with some fields changed."""
        return replace(self, **changes)

    @property
    def last(self) -> int:
        """The number of the output layer."""
        return len(self.layers) - 1

    def n_in(self, layer: int) -> int:
        """Presynaptic units of a layer, without the bias."""
        return self.inputs if layer == 0 else self.layers[layer - 1].n

    def rows(self, layer: int) -> int:
        """Rows of a layer's weights: presynaptic units and the bias."""
        return self.n_in(layer) + self.layers[layer].bias

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
        return PRODUCT_WORD if self.channel.matrix == "product" else self.channel.feedback.word

    def feedback_sum_bits(self, layer: int) -> int:
        """Bits of the crossbar's sum at one hidden layer, proven from the words."""
        n = self.layers[self.sender(layer)].n
        return (n * self.feedback_word(layer).max_abs * self.received.max_abs).bit_length() + 1

    def gradient_bits(self, layer: int, batch_size: int) -> int:
        """Bits of a weight's exact update sum over a mini-batch."""
        signal = self.output(layer).high - self.output(layer).low if layer == self.last else self.received.max_abs
        return (batch_size * self.presynaptic(layer).max_abs * signal).bit_length() + 1

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
            if channel.error.bits == 1 and channel.route != "target":
                largest /= 4  # one magnitude for all errors: at the largest, all it says is enormous
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
