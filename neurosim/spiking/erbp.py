"""Event-driven random backpropagation (Neftci, Augustine, Paul, Detorakis, Frontiers in Neuroscience 11:324, 2017) as a network.

Data neurons drive hidden layers and ten prediction neurons; a positive and a negative error neuron a class compare label and
prediction spikes; their spikes charge the dendrites `u` of prediction neurons one to one, and those of hidden neurons through a
fixed random crossbar. Each arrival at a synapse changes its weight by eta * u of its target, where the target's membrane lies in
the boxcar (Detorakis et al., Frontiers in Neuroscience 12:583, 2018, for the integer form).

Feedback may learn, too, from what its own two ends know (`Erbp.adaptive`). *Adaptive* is ASRBP, dC = eta O e^T (Baldi, Sadowski, Lu,
Artificial Intelligence 260, 2018), in spikes: error neurons hold the signed error of their class as a state `e`, charged as the dendrite of
the prediction neuron is, and at each spike of a hidden neuron its entries of C change by eta * e. That is what the weight from this hidden
neuron to that prediction neuron changes by at the same spike, but for the boxcar: so C - W^T stays as it was, up to gates, blank-out and
roundings. (A trace of the hidden neuron, read at error spikes, would not do: each of the two projections hears errors of one sign
only, so that both could only grow.) *STDP-like* is a formula of our own: at each spike of an error neuron its entries change by
eta * d, d being a fast trace of the hidden neuron minus a slow one, which is how its activity has changed. Its mean is 0, so nothing
grows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.fields import settle
from neurosim.formats import Fixed, Quantiser, check, check_whole
from neurosim.spiking.neurons import EVERY_TICK, MOST, Flow, Leak, Poisson, Population, Source, State, Threshold, trace
from neurosim.spiking.plasticity import Plasticity, Term, erbp
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec

if TYPE_CHECKING:
    from neurosim.spiking.network import SpikingNetwork


_RANGES = (
    *((name, 1, 1 << 24) for name in ("n_in", "hidden", "classes")),
    *((name, 1, MOST) for name in ("threshold", "error_threshold")),
    *((name, -15, 16) for name in ("gains", "error_gain")),
    *((name, 0, 46) for name in ("rate", "feedback_rate")),
    *((name, -127, 127) for name in ("error_input", "error_output")),
    ("gates", 0, MOST), ("reach", 0, (1 << 15) - 1), ("refractory", 0, 1 << 20), ("blank_out", 0, 255),
    ("feedback_weight", 0, (1 << 15) - 1),
    ("label", 0, EVERY_TICK), ("bits", 2, 32), ("slow", 1, 30), ("seed", 0, (1 << 63) - 1),
)  # fmt: skip
"""Of the settings that are numbers; what must fit together is refused by the network."""


@dataclass(frozen=True)
class Erbp:
    """The settings of a network that learns by eRBP; all of them integers of the chip's words.

    soma, dendrite: leaks of the membrane `v` and of the dendrite `u`; threshold, refractory: of hidden and prediction neurons,
    whose membrane is not reset (or, `subtracts`, by the threshold); gates: the boxcar |v| < gate, of hidden layers and of the
    output; rate: eta = 2**-rate; gains, reach: of the weights from the data and of those above: what they count, 2**gain, and within what
    they are drawn; blank_out: synaptic events lost, of 256; error_threshold: of error neurons, which spikes of label and prediction
    charge by error_input * 2**error_gain; error_output: what an error spike adds to a prediction neuron's dendrite; feedback,
    feedback_weight: C, and what its entries count; channel: a quantiser of the dendrite, None for its whole word; label: probability of a
    label spike in a tick, in units of 2**-16: by default it spikes as often as a prediction neuron can, so that errors end where it does.
    adaptive: whether C learns, and how (True: as ASRBP; ``stdp``: STDP-like), with eta = 2**-feedback_rate, by default the rate; slow: the
    slow trace follows the fast one by 2**-slow a tick.
    """

    n_in: int = 784
    hidden: tuple[int, ...] = (200,)
    classes: int = 10
    weight: Fixed = field(default_factory=lambda: Fixed(8, 0, rounding="stochastic"))
    soma: Leak = Leak(3, rounding="least")
    dendrite: Leak = Leak(3, rounding="least")
    threshold: int = 500
    refractory: int = 6
    gates: tuple[int, int] = (5000, 32767)
    subtracts: bool = False
    rate: int = 8
    gains: tuple[int, int] = (2, 3)
    reach: tuple[int, int] = (16, 16)
    blank_out: int = 0
    error_threshold: int = 600
    error_input: int = 96
    error_gain: int = 2
    error_output: int = 127
    feedback: FeedbackCrossbar = field(default_factory=lambda: FeedbackCrossbar(values="+-1", density=0.4))
    feedback_weight: int = 127
    channel: Quantiser | None = None
    label: int = EVERY_TICK
    bits: int = 16
    source: Source = field(default_factory=lambda: Poisson(role="input"))
    seed: int = 0
    adaptive: bool | Literal["stdp"] = False
    feedback_rate: int | None = None
    slow: int = 7

    def __post_init__(self) -> None:
        settle(self, "erbp")
        check("erbp.adaptive", self.adaptive, (False, True, "stdp"))
        for name, low, high in _RANGES:
            values = getattr(self, name)
            for value in values if isinstance(values, tuple) else (values,):
                if value is not None:  # the rate of feedback that follows the other
                    check_whole(f"erbp.{name}", value, low, high)

    def replace(self, **changes: Any) -> Erbp:
        """A copy with some settings changed."""
        return replace(self, **changes)

    def rule(self, layer: int) -> Plasticity:
        """The plasticity of a layer's forward weights."""
        gate = self.gates[layer == len(self.hidden)]
        return erbp("u", "v", -gate, gate, self.rate, channel=self.channel)

    def network(self) -> SpikingSpec:
        """The network: populations data, hidden0 …, out, label, positive, negative."""
        layers = [*(f"hidden{h}" for h in range(len(self.hidden))), "out"]
        sizes = [*self.hidden, self.classes]
        populations = [Population("data", self.n_in, (), self.source)]
        populations += [self._neurons(name, n) for name, n in zip(layers, sizes, strict=True)]
        populations.append(Population("label", self.classes, (), Poisson(self.label, role="label"), self.refractory))
        populations += [self._error(name) for name in ("positive", "negative")]
        projections = [
            Projection(
                below, name, "v", self.weight, initial=(-self.reach[h > 0], self.reach[h > 0]), gain=self.gains[h > 0],
                blank_out=self.blank_out,
                plasticity=self.rule(h), name=f"forward{h}",
            )
            for h, (below, name) in enumerate(zip(["data", *layers[:-1]], layers, strict=True))
        ]  # fmt: skip
        projections += self._errors()
        for h, name in enumerate(layers[:-1]):
            projections += self._feedback(h, name)
        return SpikingSpec(tuple(populations), tuple(projections), self.seed)

    def _neurons(self, name: str, n: int) -> Population:
        jump = -self.threshold if self.subtracts else None
        states = [State("v", self.soma, bits=self.bits, jump=jump), State("u", self.dendrite, bits=self.bits)]
        if self.adaptive == "stdp" and name != "out":
            # The slow trace takes up from the fast one what the same leak takes from itself, so that both have one mean.
            follow = Flow("fast", self.slow, rounding="zero")
            slow = State("slow", Leak(self.slow, rounding="zero"), (follow,), bits=self.bits)
            change = State("change", Leak(0), (Flow("fast"), Flow("slow", numerator=-1)), bits=self.bits)
            states += [trace("fast", self.dendrite, self.error_output, self.bits), slow, change]
        return Population(name, n, tuple(states), Threshold(self.threshold, "v"), self.refractory)

    def _error(self, name: str) -> Population:
        states = [State("v", jump=-self.error_threshold, low=0, bits=self.bits)]
        if self.adaptive is True:
            states.append(State("e", self.dendrite, bits=self.bits))
        return Population(name, self.classes, tuple(states), Threshold(self.error_threshold, "v"))

    def _errors(self) -> list[Projection]:
        """What charges error neurons, and what they send to prediction neurons."""
        one, word = Connect("one"), Fixed(8, 0)
        found = []
        for error, sign in (("positive", 1), ("negative", -1)):
            for source, way in (("label", sign), ("out", -sign)):
                charge = way * self.error_input
                found.append(Projection(source, error, "v", word, charge, one, gain=self.error_gain, phase="error"))
            to = [("out", "u"), *((name, "e") for name in ("positive", "negative") if self.adaptive is True)]
            found += [Projection(error, name, x, word, sign * self.error_output, one, phase="error") for name, x in to]
        return found

    def _feedback(self, layer: int, name: str) -> list[Projection]:
        """The crossbar to a hidden layer's dendrites, one for positive and, with the other sign, for negative errors."""
        matrix = self.feedback.draw(self.seed, layer, self.classes, self.hidden[layer])
        sources, targets = np.nonzero(matrix)
        entries: NDArray[np.int64] = matrix[sources, targets] * self.feedback_weight
        word = Fixed(max(8, 1 + int(np.abs(entries).max(initial=1)).bit_length()), 0)
        pairs = Pairs(sources, targets)
        if self.adaptive is not False:
            word = Fixed(word.bits, 0, rounding=self.weight.rounding)
        return [
            Projection(
                error, name, "u", word, sign * entries, pairs, plasticity=self._taught(sign), phase="feedback", shares=lender
            )
            for error, sign, lender in (("positive", 1, ""), ("negative", -1, f"positive->{name}"))
        ]  # fmt: skip

    def _taught(self, sign: int) -> Plasticity | None:
        """How C, or for negative errors -C, learns from the forward channel."""
        shift = self.rate if self.feedback_rate is None else self.feedback_rate
        if self.adaptive is True:
            return Plasticity(on_post=Term("pre.e", numerator=sign, shift=shift))
        # A negative error lowers C by the change, so -C rises by it, as C does by a positive one.
        return Plasticity(on_pre=Term("post.change", shift=shift)) if self.adaptive else None


def alignment(network: SpikingNetwork) -> float:
    """The correlation of C of the last hidden layer with the transposed weights from there to the predictions, over C's synapses.

    C: half the difference of what positive and negative errors go through. Raises NeurosimError for a network that is not of `Erbp`.
    """
    last = sum(p.name.startswith("hidden") for p in network.spec.populations) - 1
    positive, negative = (
        network.weights(f"{error}->hidden{last}").astype(np.float64) for error in ("positive", "negative")
    )
    n_hidden, classes = network.spec.population(f"hidden{last}").n, network.spec.population("out").n
    forward = network.weights(f"forward{last + 1}").reshape(n_hidden, classes)
    start, targets = network.synapses(f"positive->hidden{last}")[:2]
    sources = np.repeat(np.arange(classes), np.diff(start))
    return float(np.corrcoef(positive - negative, forward[targets, sources])[0, 1])


def probabilities(images: NDArray[Any], full_scale: float, most: float) -> NDArray[np.int64]:
    """Pixels as probabilities of a spike in a tick, in units of 2**-16: int64[samples, pixels]; the brightest has `most`."""
    flat = np.asarray(images, np.float64).reshape(len(images), -1) / full_scale
    found: NDArray[np.int64] = np.rint(flat * (most * EVERY_TICK)).astype(np.int64)
    return found


def answers(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes by the most spikes, the lowest among equals: int64[samples]."""
    found: NDArray[np.int64] = counts.argmax(axis=1)
    return found
