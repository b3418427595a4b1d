"""Event-driven random backpropagation (Neftci, Augustine, Paul, Detorakis, Frontiers in Neuroscience 11:324, 2017) as a network.

Data neurons drive hidden layers and ten prediction neurons; a positive and a negative error neuron a class compare label and
prediction spikes; their spikes charge the dendrites `u` of prediction neurons one to one, and those of hidden neurons through a
fixed random crossbar. Each arrival at a synapse changes its weight by eta * u of its target, where the target's membrane lies in
the boxcar (Detorakis et al., Frontiers in Neuroscience 12:583, 2018, for the integer form).

Feedback may learn, too, from what its own two ends know (`Erbp.adaptive`). *Adaptive* is ASRBP, dC = eta O e^T (Baldi, Sadowski, Lu,
Artificial Intelligence 260, 2018), in spikes: error neurons hold the signed error of their class as a state `e`, charged as the
dendrite of the prediction neuron is, and at each spike of a hidden neuron its entries of C change by eta * e. That is what the weight
from this hidden neuron to that prediction neuron changes by at the same spike, but for the boxcar: so C - W^T stays as it was, up to
gates, blank-out and roundings. (A trace of the hidden neuron, read at error spikes, would not do: each of the two projections hears
errors of one sign only, so that both could only grow.) *STDP-like* is a formula of our own: at each spike of an error neuron its
entries change by eta * d, d being a fast trace of the hidden neuron minus a slow one, which is how its activity has changed. Its mean
is 0, so nothing grows by itself, and what C learns is the part of ASRBP that a neuron's mean activity has no share in. In integers
that holds only as long as the slow trace follows: it stands still within 2**slow of the fast one, so both are kept in finer units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.fields import settle, shown
from neurosim.formats import Fixed, Quantiser, check, check_whole
from neurosim.spiking.neurons import (
    EVERY_TICK,
    MOST,
    MOST_FACTOR,
    Flow,
    Leak,
    Poisson,
    Population,
    Source,
    State,
    Threshold,
    trace,
)
from neurosim.spiking.plasticity import Plasticity, Term, erbp
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec

if TYPE_CHECKING:
    from neurosim.spiking.network import SpikingNetwork

_NA = 1 << 13
"""Codes of 1 nA in `Erbp.neftci`."""


_RANGES = (
    *((name, 1, 1 << 24) for name in ("n_in", "hidden", "classes")),
    *((name, 1, MOST) for name in ("threshold", "error_threshold")), ("numerator", 1, MOST_FACTOR),
    *((name, -15, 16) for name in ("gains", "error_gain", "dendrite_gain")),
    *((name, 0, 46) for name in ("rate", "feedback_rate")),
    *((name, 0, 1 << 20) for name in ("refractory", "data_refractory")),
    *((name, 0, (1 << 15) - 1) for name in ("reach", "feedback_weight")),
    ("error_input", -127, 127), ("inhibition", 0, 127), ("error_output", 1 - (1 << 15), (1 << 15) - 1),
    ("gates", 0, MOST), ("blank_out", 0, 255), ("noise", 0, (1 << 24) - 1),
    ("label", 0, EVERY_TICK), ("bits", 2, 32), ("slow", 1, 30), ("seed", 0, (1 << 63) - 1),
)  # fmt: skip
"""Of the settings that are numbers; what must fit together is refused by the network."""


@dataclass(frozen=True)
class Erbp:
    """The settings of a network that learns by eRBP; all of them integers of the chip's words.

    soma, dendrite: leaks of the membrane `v` and of the dendrite `u`; current: with one, spikes act on a synaptic current `g` of this
    leak that the membrane follows, and the boxcar is of the current; threshold, refractory: of hidden and prediction neurons; after:
    their membrane after a spike ``stays``, ``subtracts`` the threshold, or ``resets`` to 0 and holds while the neuron is refractory;
    noise: amplitude of uniform noise on what spikes act on; gates: the boxcar |v| < gate; rate, numerator: eta = numerator * 2**-rate;
    gains, reach: of the forward weights: what they count, 2**gain, and within what they are drawn; blank_out: synaptic events lost, of
    256; error_threshold: of error neurons, which spikes of label and prediction charge by error_input * 2**error_gain; error_output:
    what an error spike adds to a prediction neuron's dendrite; feedback, feedback_weight: C, and what its entries count; centred: the
    mean over classes is taken from C; dendrite_gain: what arrives at dendrites counts 2**gain; channel: a quantiser of the dendrite,
    None for its whole word; inhibition: what a spike of a prediction neuron takes from each of the others, counted as the weights to
    them are, so that they compete as under a softmax; 0: none, as published; label: probability of a label spike in a tick, in units of
    2**-16: by default it spikes as often as a prediction neuron can, so that errors end where it does; data_refractory: of the data
    neurons. Gates, gains and reach have one value for each layer of forward weights, or two: gates of hidden layers and of the output,
    gains and reach of the weights from the data and of those above.
    adaptive: whether C learns, and how (True: as ASRBP; ``stdp``: STDP-like), with eta = numerator * 2**-feedback_rate, by default
    the rate; slow: the slow trace follows the fast one by 2**-slow a tick.
    """

    n_in: int = 784
    hidden: tuple[int, ...] = (200,)
    classes: int = 10
    weight: Fixed = field(default_factory=lambda: Fixed(8, 0, rounding="stochastic"))
    soma: Leak = Leak(3, rounding="least")
    dendrite: Leak = Leak(3, rounding="least")
    current: Leak | None = None
    threshold: int = 500
    refractory: int = 6
    after: Literal["stays", "subtracts", "resets"] = "stays"
    noise: int = 0
    gates: tuple[int, ...] = (5000, 32767)
    rate: int = 8
    numerator: int = 1
    gains: tuple[int, ...] = (2, 3)
    reach: tuple[int, ...] = (16, 16)
    blank_out: int = 0
    error_threshold: int = 600
    error_input: int = 96
    error_gain: int = 2
    error_output: int = 127
    feedback: FeedbackCrossbar = field(default_factory=lambda: FeedbackCrossbar(values="+-1", density=0.4))
    feedback_weight: int = 127
    centred: bool = False
    dendrite_gain: int = 0
    channel: Quantiser | None = None
    inhibition: int = 0
    label: int = EVERY_TICK
    bits: int = 16
    source: Source = field(default_factory=lambda: Poisson(role="input"))
    data_refractory: int = 0
    seed: int = 0
    adaptive: bool | Literal["stdp"] = False
    feedback_rate: int | None = None
    slow: int = 5

    def __post_init__(self) -> None:
        settle(self, "erbp")
        check("erbp.adaptive", self.adaptive, (False, True, "stdp"))
        check("erbp.after", self.after, ("stays", "subtracts", "resets"))
        for name, low, high in _RANGES:
            values = getattr(self, name)
            for value in values if isinstance(values, tuple) else (values,):
                if value is not None:  # the rate of feedback that follows the other
                    check_whole(f"erbp.{name}", value, low, high)
        for name in ("threshold", "error_threshold"):  # a state that cannot get there would never spike
            check_whole(f"erbp.{name}", getattr(self, name), 1, (1 << (self.bits - 1)) - 1)
        layers = len(self.hidden) + 1
        for name in ("gains", "reach", "gates"):
            values = getattr(self, name)
            if len(values) not in (2, max(2, layers)):
                more = f", or {layers}, one a layer" if layers > 2 else ""
                raise NeurosimError(f"erbp.{name}={shown(values)}: must be 2 numbers{more}")

    @classmethod
    def neftci(cls, *, additive: bool = False, hidden: tuple[int, ...] = (200,), **changes: Any) -> Erbp:
        """The published parameters of eRBPx, with blank-out, or eRBP+, with additive noise (Neftci et al. 2017, Table 2 and their code).

        Meant for real numbers (`SpikingNetwork(..., real=True)`), samples of 250 ticks whose first 50 teach nothing, and
        `escape_probabilities`. 1 nA is 8192 codes, so weights reach +-4 nA; tau_syn 4 ms, tau_V 1 ms, tau_U 5 ms, threshold 100 mV at
        1 nS, spikes of a neuron at least 4 ms apart, |I| < 1.15 nA (25 nA in the second hidden layer), eta 10e-4 (+: 6e-4),
        transmission 0.45 (+: 1 and noise of 50e-3 nA), w_E 90e-3 nA, weights and C uniform within sqrt(7 / (n_in + n_out)), the mean over
        classes taken from C, labels at 0.98 of the maximum.
        Departures: a tick is 1 ms, not 0.1 ms; refractory times are three whole ticks after that of the spike (3.9 ms published, of data
        neurons 4.0); the noise is uniform, drawn each
        tick; a label or prediction spike charges an error neuron by 90 mV at once; eta is 8/8192 and 5/8192; the published label rate
        1e-5 of the other classes is 0; predictions have the gate of the first hidden layer.
        """
        sizes = (changes.get("n_in", 784), *hidden, changes.get("classes", 10))
        reach = tuple(round(_NA * math.sqrt(7 / (a + b))) for a, b in pairwise(sizes))
        gates = (round(1.15 * _NA), *(25 * _NA for _ in hidden[1:]), round(1.15 * _NA))
        described: dict[str, Any] = {
            "weight": Fixed(16, 0), "bits": 24, "current": Leak.of(1 - math.exp(-1 / 4)), "soma": Leak.of(1 - math.exp(-1)),
            "dendrite": Leak.of(1 - math.exp(-1 / 5)), "threshold": round(0.1 * _NA), "after": "resets", "refractory": 3,
            "data_refractory": 3, "gates": gates, "reach": reach, "gains": (0, 0), "label": round(0.98 * EVERY_TICK),
            "error_threshold": 100, "error_input": 90, "error_gain": 0, "error_output": round(0.09 * _NA),
            "feedback": FeedbackCrossbar(bits=14, density=1.0, scale=math.sqrt(7 / 6)), "feedback_weight": 1, "centred": True,
        }  # fmt: skip
        noisy = {"rate": 13, "numerator": 5, "noise": round(math.sqrt(3) * 50e-3 * _NA)}
        lossy = {"rate": 10, "blank_out": round((1 - 0.45) * 256)}
        return cls(hidden=hidden, **{**described, **(noisy if additive else lossy), **changes})

    @classmethod
    def nsat(cls, **changes: Any) -> Erbp:
        """The configuration that its authors ship for NSAT, 784-100-10 (Detorakis et al. 2018 and their code).

        Leaks x >> 7 of the membrane and x >> 6 of the dendrite, at least 1; threshold 500, refractory 39, no reset; p 9/15; gains 2**3
        of the membrane's and 2**4 of the dendrite's inputs; gates +-2560; dw = u * 2**(-7 - 10), rounded at random; error neurons 1025,
        subtracted; 96 in, 37 out; entries of C of standard deviation 35 whose sum over classes is 0; weights within +-16, and +-4 to
        the output. Meant for samples of 1500 ticks whose first 375 teach nothing.
        Departures: C is drawn from a normal distribution in place of a shuffle of 3000 x 10 entries; the shift by 7 is not rounded by
        itself, towards 0, before that by 10; what arrives in a tick is not clipped to 16 bits before it is added; inputs of error neurons
        have the membrane's gain, which could not be read in the source, nor could the rates of data and label neurons: here pixels are
        probabilities of at most 0.03 a tick and labels spike as often as they can.
        """
        described: dict[str, Any] = {
            "hidden": (100,), "soma": Leak(7, rounding="least"), "dendrite": Leak(6, rounding="least"), "threshold": 500, "refractory": 39,
            "blank_out": round(256 * 6 / 15), "gains": (3, 3), "dendrite_gain": 4, "gates": (2560, 2560), "rate": 17, "reach": (16, 4),
            "error_threshold": 1025, "error_input": 96, "error_gain": 3, "error_output": 37,
            "feedback": FeedbackCrossbar(bits=8, density=1.0, distribution="normal", spread=35 / 128), "feedback_weight": 1,
            "centred": True,
        }  # fmt: skip
        return cls(**{**described, **changes})

    def replace(self, **changes: Any) -> Erbp:
        """A copy with some settings changed."""
        return replace(self, **changes)

    def rule(self, layer: int) -> Plasticity:
        """The plasticity of a layer's forward weights."""
        gate = self.gates[layer] if len(self.gates) > 2 else self.gates[layer == len(self.hidden)]
        return erbp("u", self._driven, -gate, gate, self.rate, numerator=self.numerator, channel=self.channel)

    @property
    def _finer(self) -> int:
        """Places that traces of activity have below `error_output`.

        The slow one stands still within 2**slow of the fast one: with as many places that is a part of one spike, without them it would
        hardly follow, and the change would not have the mean 0. Fewer, where a neuron that spikes as often as it can would fill the word.
        """
        most = abs(self.error_output) * (1 / (self.dendrite.share * (self.refractory + 1)) + 1)
        return max(0, min(self.slow, int(math.log2(max(1.0, (2 ** (self.bits - 1) - 1) / max(1.0, most))))))

    @property
    def _driven(self) -> str:
        """The state that spikes act on."""
        return "v" if self.current is None else "g"

    def _of(self, name: str, layer: int) -> int:
        """Gain or reach of a layer's forward weights."""
        values: tuple[int, ...] = getattr(self, name)
        return values[layer] if len(values) > 2 else values[layer > 0]

    def network(self) -> SpikingSpec:
        """The network: populations data, hidden0 …, out, label, positive, negative."""
        layers = [*(f"hidden{h}" for h in range(len(self.hidden))), "out"]
        sizes = [*self.hidden, self.classes]
        populations = [Population("data", self.n_in, (), self.source, self.data_refractory)]
        populations += [self._neurons(name, n) for name, n in zip(layers, sizes, strict=True)]
        populations.append(Population("label", self.classes, (), Poisson(self.label, role="label"), self.refractory))
        populations += [self._error(name) for name in ("positive", "negative")]
        projections = [
            Projection(
                below, name, self._driven, self.weight, initial=(-self._of("reach", h), self._of("reach", h)), gain=self._of("gains", h),
                blank_out=self.blank_out, plasticity=self.rule(h), name=f"forward{h}",
            )
            for h, (below, name) in enumerate(zip(["data", *layers[:-1]], layers, strict=True))
        ]  # fmt: skip
        projections += self._competition() + self._errors()
        for h, name in enumerate(layers[:-1]):
            projections += self._feedback(h, name)
        return SpikingSpec(tuple(populations), tuple(projections), self.seed)

    def _neurons(self, name: str, n: int) -> Population:
        """Hidden or prediction neurons."""
        spiked: dict[str, Any] = {
            "stays": {}, "subtracts": {"jump": -self.threshold}, "resets": {"reset": 0, "holds": True}
        }[self.after]  # fmt: skip
        states = [State("v", self.soma, bits=self.bits, **spiked), State("u", self.dendrite, bits=self.bits)]
        if self.current is None:
            states[0] = replace(states[0], noise=self.noise)
        else:
            flow = Flow("g", self.soma.shift, self.soma.numerator)
            states[0] = replace(states[0], flows=(flow,))
            states.insert(0, State("g", self.current, bits=self.bits, noise=self.noise))
        if self.adaptive == "stdp" and name != "out":
            # The slow trace takes up from the fast one what the same leak takes from itself, so that both have one mean.
            follow = Flow("fast", self.slow, rounding="zero")
            slow = State("slow", Leak(self.slow, rounding="zero"), (follow,), bits=self.bits)
            change = State("change", Leak(0), (Flow("fast"), Flow("slow", numerator=-1)), bits=self.bits)
            states += [trace("fast", self.dendrite, self.error_output << self._finer, self.bits), slow, change]
        return Population(name, n, tuple(states), Threshold(self.threshold, "v"), self.refractory)

    def _error(self, name: str) -> Population:
        states = [State("v", jump=-self.error_threshold, low=0, bits=self.bits)]
        if self.adaptive is True:
            states.append(State("e", self.dendrite, bits=self.bits))
        return Population(name, self.classes, tuple(states), Threshold(self.error_threshold, "v"))

    def _competition(self) -> list[Projection]:
        """Lateral inhibition between the prediction neurons, where there is any."""
        if not self.inhibition:
            return []
        others, gain = Connect("all", itself=False), self._of("gains", len(self.hidden))
        return [
            Projection("out", "out", self._driven, Fixed(8, 0), -self.inhibition, others, gain=gain, name="competition")
        ]

    def _errors(self) -> list[Projection]:
        """What charges error neurons, and what they send to prediction neurons."""
        one, word = Connect("one"), Fixed(8, 0)
        found = []
        for error, sign in (("positive", 1), ("negative", -1)):
            for source, way in (("label", sign), ("out", -sign)):
                charge = way * self.error_input
                found.append(Projection(source, error, "v", word, charge, one, gain=self.error_gain, phase="error"))
            to = [("out", "u"), *((name, "e") for name in ("positive", "negative") if self.adaptive is True)]
            output = Fixed(max(8, 1 + self.error_output.bit_length()), 0)
            gain = self.dendrite_gain
            found += [
                Projection(error, name, x, output, sign * self.error_output, one, gain=gain, phase="error")
                for name, x in to
            ]
        return found

    def _feedback(self, layer: int, name: str) -> list[Projection]:
        """The crossbar to a hidden layer's dendrites, one for positive and, with the other sign, for negative errors."""
        matrix = self.feedback.draw(self.seed, layer, self.classes, self.hidden[layer])
        if self.centred:
            matrix = matrix - np.rint(matrix.mean(axis=0)).astype(np.int64)
        sources, targets = np.nonzero(matrix)
        entries: NDArray[np.int64] = matrix[sources, targets] * self.feedback_weight
        word = Fixed(max(8, 1 + int(np.abs(entries).max(initial=1)).bit_length()), 0)
        pairs = Pairs(sources, targets)
        if self.adaptive is not False:
            word = Fixed(word.bits, 0, rounding=self.weight.rounding)
        return [
            Projection(
                error, name, "u", word, sign * entries, pairs, gain=self.dendrite_gain, plasticity=self._taught(sign),
                phase="feedback", shares=lender,
            )
            for error, sign, lender in (("positive", 1, ""), ("negative", -1, f"positive->{name}"))
        ]  # fmt: skip

    def _taught(self, sign: int) -> Plasticity | None:
        """How C, or for negative errors -C, learns from the forward channel."""
        shift = self.rate if self.feedback_rate is None else self.feedback_rate
        if self.adaptive is True:
            return Plasticity(on_post=Term("pre.e", numerator=sign * self.numerator, shift=shift))
        # A negative error lowers C by the change, so -C rises by it, as C does by a positive one.
        if self.adaptive == "stdp":
            return Plasticity(on_pre=Term("post.change", numerator=self.numerator, shift=shift + self._finer))
        return None


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


def escape_probabilities(images: NDArray[Any], full_scale: float) -> NDArray[np.int64]:
    """Probabilities of a spike in a tick of 1 ms, in units of 2**-16, of the data neurons of Neftci et al. 2017: int64[samples, pixels].

    Exponential escape at 100 Hz * exp((V - 100 mV) / 50 mV), V being 0.5 nA * pixel - 0.215 nA through 1 nS; pixels are 0 .. 1.
    """
    flat = np.asarray(images, np.float64).reshape(len(images), -1) / full_scale
    expected = 0.1 * np.exp((1000 * (0.5 * flat - 0.215) - 100) / 50)
    found: NDArray[np.int64] = np.rint(-np.expm1(-expected) * EVERY_TICK).astype(np.int64)
    return found


def answers(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes by the most spikes, the lowest among equals: int64[samples]."""
    found: NDArray[np.int64] = counts.argmax(axis=1)
    return found
