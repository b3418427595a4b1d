"""Plasticity as data: what an arrival and a spike of the target do to a weight (docs/spiking.md 5 and 6).

Pair STDP by traces or by power-of-two kernels, reward-modulated and error-gated STDP, event-driven random backpropagation
and feedback that learns are settings of the same two terms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import Fixed, Quantiser, check, check_factor, check_whole
from neurosim.spiking.neurons import MOST_FACTOR, Leak

MOST_BITS = 62
"""Of one stochastic rounding."""


@dataclass(frozen=True)
class Kernel:
    """A function of the ticks since the other side's last spike: sign * 2**exponent of the first segment that reaches so far.

    segments: (until, exponent, sign), rising; beyond the last it is 0.
    """

    segments: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        settle(self, "kernel")
        if not 1 <= len(self.segments) <= 8:
            raise NeurosimError(f"kernel.segments: {len(self.segments)} of them; must be 1..8")
        before = 0
        for until, exponent, sign in self.segments:
            check_whole("kernel: until", until, before, 1 << 30)
            check_whole("kernel: exponent", exponent, 0, 30)
            if sign not in (-1, 1):
                raise NeurosimError(f"kernel: sign={sign}: must be -1 or 1")
            before = until + 1


@dataclass(frozen=True)
class Gate:
    """A term acts only where low < x < high, or (outside) only where not; x being a state, `pre.NAME` or `post.NAME`."""

    state: str
    low: int
    high: int
    outside: bool = False

    def __post_init__(self) -> None:
        settle(self, "gate")
        check_whole("gate.low", self.low, -(1 << 32), 1 << 32)
        check_whole("gate.high", self.high, self.low, 1 << 32)


@dataclass(frozen=True)
class Term:
    """One change of a weight: round(numerator * of * times / 2**shift).

    of, times: ``"1"``, or a state, `pre.NAME` or `post.NAME`; of may be a kernel of time; error: a quantiser that `of` passes, its
    alpha in units of the state.
    """

    of: str | Kernel = "1"
    times: str = "1"
    numerator: int = 1
    shift: int = 0
    gates: tuple[Gate, ...] = ()
    error: Quantiser | None = None

    def __post_init__(self) -> None:
        settle(self, "term")
        check_factor("term.numerator", self.numerator, MOST_FACTOR)
        check_whole("term.shift", self.shift, 0, 46)
        for name in (self.of, self.times, *(gate.state for gate in self.gates)):
            if isinstance(name, str) and name != "1" and name.partition(".")[0] not in ("pre", "post"):
                raise NeurosimError(f"term: {name!r}: must be '1', or a state as in pre.NAME or post.NAME")
        if len(self.gates) > 2:
            raise NeurosimError(f"term.gates: {len(self.gates)} of them; must be 0..2")
        if self.error is not None:
            if isinstance(self.of, Kernel) or self.of == "1":
                raise NeurosimError("term.error: quantises a state; give term.of as pre.NAME or post.NAME")
            if self.error.alpha is None:
                raise NeurosimError("term.error.alpha=None: must be given, in units of the state")
            if self.error.base == "auto":
                raise NeurosimError("term.error.base='auto': must be 2**(2**-m), m = 0..7")
            if not any(self.error.decoded_in(0)):
                raise NeurosimError(
                    f"term.error.alpha={self.error.alpha!r}: no magnitude is above 0 in units of the state; give a larger one"
                )

    def replace(self, **changes: Any) -> Term:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Eligibility:
    """Terms change a tag of the synapse, which a reward turns into a change of the weight: round(numerator * c * factor / 2**shift).

    factor: a state of the target, `post.NAME`; word: of the tags; leak: of the tags, a tick.
    """

    factor: str
    leak: Leak | None = None
    numerator: int = 1
    shift: int = 0
    word: Fixed = Fixed(16, 0)

    def __post_init__(self) -> None:
        settle(self, "eligibility")
        check_factor("eligibility.numerator", self.numerator, MOST_FACTOR)
        check_whole("eligibility.shift", self.shift, 0, 46)
        check_whole("eligibility.word.bits", self.word.bits, 2, 16)
        check("eligibility.word.signed", self.word.signed, (True,))
        check("eligibility.word.overflow", self.word.overflow, ("saturate",))
        if not self.factor.startswith("post."):
            raise NeurosimError(f"eligibility.factor={self.factor!r}: must be a state of the target, post.NAME")


@dataclass(frozen=True)
class Plasticity:
    """A rule: what arrivals and the target's spikes do."""

    on_pre: Term | None = None
    on_post: Term | None = None
    eligibility: Eligibility | None = None

    def __post_init__(self) -> None:
        settle(self, "plasticity")
        if self.on_pre is None and self.on_post is None:
            raise NeurosimError("plasticity: on_pre and on_post are both None; give one, or no plasticity")

    def replace(self, **changes: Any) -> Plasticity:
        """A copy with some fields changed."""
        return replace(self, **changes)


def pair_stdp(pre: str, post: str, shift_up: int, shift_down: int) -> Plasticity:
    """Pair STDP by traces (Morrison, Diesmann, Gerstner 2008): up by the source's trace, down by the target's.

    pre, post: names of the traces, which may be one where time constants and jumps are equal; the weight rises by trace / 2**shift_up when
    the target spikes, and falls by trace / 2**shift_down at an arrival.
    """
    return Plasticity(Term(f"post.{post}", numerator=-1, shift=shift_down), Term(f"pre.{pre}", shift=shift_up))


def kernel_stdp(up: Kernel, down: Kernel, shift: int = 0) -> Plasticity:
    """STDP by power-of-two kernels of the time since the other side's last spike (NSAT: Detorakis et al. 2018).

    up acts when the target spikes, down at an arrival: their segments carry the signs, so those of down are mostly -1.
    """
    return Plasticity(Term(down, shift=shift), Term(up, shift=shift))


def reward_stdp(
    pre: str,
    post: str,
    reward: str,
    shift_up: int,
    shift_down: int,
    *,
    leak: Leak | None = None,
    shift: int = 0,
    word: Fixed | None = None,
) -> Plasticity:
    """Reward-modulated STDP (Izhikevich 2007; Florian 2007): pair STDP changes a tag that leaks, and the reward turns it into weight.

    pre, post: names of the traces, as of `pair_stdp`; reward: the state of the target that a population brings the reward to through a
    projection; each tick the weight changes by tag * reward / 2**shift. leak: of the tag, in a word that rounds at random by default.
    """
    tags = word or Fixed(16, 0, rounding="stochastic")
    rule = pair_stdp(pre, post, shift_up, shift_down)
    return rule.replace(eligibility=Eligibility(f"post.{reward}", leak, shift=shift, word=tags))


def modulated(rule: Plasticity, error: str, shift: int, dead: int = 0) -> Plasticity:
    """A rule whose changes are multiplied by a state of the target, its error or reward, and 2**-shift.

    dead: no change while the error's magnitude is below it.
    """

    def gated(term: Term | None) -> Term | None:
        if term is None:
            return None
        gates = (*term.gates, Gate(f"post.{error}", -dead, dead, outside=True)) if dead else term.gates
        return term.replace(times=f"post.{error}", shift=term.shift + shift, gates=gates)

    return rule.replace(on_pre=gated(rule.on_pre), on_post=gated(rule.on_post))


def erbp(
    error: str, drive: str, low: int, high: int, shift: int, *, numerator: int = 1, channel: Quantiser | None = None
) -> Plasticity:
    """Event-driven random backpropagation (Neftci et al. 2017): at an arrival dw = eta * U_j where low < I_j < high.

    error: the state of the target that the error charges (its dendrite); drive: the state whose window is the boxcar
    derivative; eta = numerator * 2**-shift; channel: a quantiser of the error.
    """
    gate = Gate(f"post.{drive}", low, high)
    return Plasticity(Term(f"post.{error}", numerator=numerator, shift=shift, gates=(gate,), error=channel))
