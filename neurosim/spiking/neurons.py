"""Neurons and sources as data: states with leaks and flows, and what makes them spike (docs/spiking.md 2 and 3).

A neuron is a list of integer states that are updated one after the other, a threshold on one of them, and what a spike
does to each. Leaky integrate-and-fire, current-based synapses, two compartments, error neurons and traces are all rows of
this kind; the presets below are those that the literature uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import check, check_all_whole, check_factor, check_whole

ROUNDINGS = ("floor", "zero", "away", "least")
Shifting = Literal["floor", "zero", "away", "least"]
MOST = (1 << 31) - 1
"""The largest magnitude of a state."""
MOST_FACTOR = (1 << 16) - 1
"""The largest magnitude of the numerator of a leak, a flow or a term."""
EVERY_TICK = 1 << 16
"""A Poisson source's code of certainty."""
LAST_TICK = 1 << 40
"""The last tick of a list of events, and the most ticks of a run."""


@dataclass(frozen=True)
class Leak:
    """What a state loses in a tick: q(numerator * x / 2**shift). A plain shift leak has numerator 1.

    rounding: ``floor``, ``zero``, ``away`` or ``least`` (towards zero, but at least 1, so that the state always reaches 0). With ``floor``
    a state from 0 to below 2**shift / numerator leaks no more: a membrane whose threshold is not far above that hardly leaks at all, and
    a trace keeps so much for ever.
    """

    shift: int
    numerator: int = 1
    rounding: Shifting = "floor"

    def __post_init__(self) -> None:
        settle(self, "leak")
        check_whole("leak.shift", self.shift, 0, 30)
        check_whole("leak.numerator", self.numerator, 1, MOST_FACTOR)
        check("leak.rounding", self.rounding, ROUNDINGS)

    @classmethod
    def of(cls, share: float, bits: int = 12, rounding: Shifting = "floor") -> Leak:
        """The leak nearest to a share of the state a tick, such as dt / tau or 1 - exp(-dt / tau), with so many bits.

        Raises NeurosimError for a share that so many bits cannot tell from 0.
        """
        if not isinstance(share, int | float | np.floating) or not 0 < share <= 1:
            raise NeurosimError(f"leak share={share!r}: must be above 0, at most 1")
        check_whole("leak bits", bits, 0, 30)
        if not round(share * 2**bits):
            raise NeurosimError(f"leak share={share!r}: must be above 2**-{bits + 1}, of {bits} bits; give more bits")
        return cls(bits, round(share * 2**bits), rounding)

    @property
    def share(self) -> float:
        """What is lost in a tick, as a share of the state."""
        return self.numerator * 2.0**-self.shift


@dataclass(frozen=True)
class Flow:
    """What flows into a state from another of the same neuron in a tick: q(numerator * y / 2**shift); shifts may be negative."""

    state: str
    shift: int = 0
    numerator: int = 1
    rounding: Shifting = "floor"

    def __post_init__(self) -> None:
        settle(self, "flow")
        check_whole("flow.shift", self.shift, -16, 30)
        check_factor("flow.numerator", self.numerator, MOST_FACTOR)
        check("flow.rounding", self.rounding, ROUNDINGS)


@dataclass(frozen=True)
class State:
    """One integer a neuron, of so many bits, or between low and high where they are given.

    reset, jump: what a spike of the neuron does to it (one or none of them): to that value, or by that much. holds: it
    keeps its value while the neuron is refractory, and its input is lost. noise: amplitude of uniform noise.
    """

    name: str
    leak: Leak | None = None
    flows: tuple[Flow, ...] = ()
    bias: int = 0
    reset: int | None = None
    jump: int | None = None
    holds: bool = False
    noise: int = 0
    start: int = 0
    bits: int = 16
    low: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        settle(self, "state")
        if not self.name.isidentifier() or self.name in ("i", "j", "t", "w", "c", "wait", "last", "dt"):
            raise NeurosimError(
                f"state.name={self.name!r}: must be a Python name, and not i, j, t, w, c, wait, last or dt"
            )
        check_whole(f"state {self.name}: bits", self.bits, 2, 32)
        reach = (1 << (self.bits - 1)) - 1
        for name, default in (("low", -reach), ("high", reach)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
            check_whole(f"state {self.name}: {name}", getattr(self, name), -MOST, MOST)
        if self.low > self.high:  # type: ignore[operator]
            raise NeurosimError(f"state {self.name}: low={self.low} is above high={self.high}")
        if self.reset is not None and self.jump is not None:
            raise NeurosimError(f"state {self.name}: reset={self.reset} and jump={self.jump}: give one of them")
        for name in ("reset", "start"):
            value = getattr(self, name)
            if value is not None:
                check_whole(f"state {self.name}: {name}", value, self.low, self.high)  # type: ignore[arg-type]
        check_whole(f"state {self.name}: bias", self.bias, -MOST, MOST)
        check_whole(f"state {self.name}: jump", self.jump or 0, -MOST, MOST)
        check_whole(f"state {self.name}: noise", self.noise, 0, (1 << 24) - 1)

    @property
    def reach(self) -> int:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))  # type: ignore[arg-type]

    def replace(self, **changes: Any) -> State:
        """A copy with some fields changed; new bits bring their own range."""
        if "bits" in changes:
            changes = {"low": None, "high": None, **changes}
        return replace(self, **changes)


@dataclass(frozen=True)
class Threshold:
    """Spikes where a state (default: the last) is at least a value, and the neuron is not refractory."""

    value: int
    state: str = ""

    def __post_init__(self) -> None:
        settle(self, "threshold")
        check_whole("threshold.value", self.value, -MOST, MOST)


@dataclass(frozen=True, eq=False)
class Poisson:
    """Spikes at random: probability[i] is that of neuron i in a tick, in units of 2**-16 (a number for all, or one each).

    role: ``fixed``, or in presentations the ``input`` (probabilities of the sample) or the ``label`` (of its class).
    """

    probability: int | Sequence[int] | NDArray[Any] = 0
    role: Literal["fixed", "input", "label"] = "fixed"

    def __post_init__(self) -> None:
        settle(self, "poisson")
        check("poisson.role", self.role, ("fixed", "input", "label"))
        check_all_whole("poisson.probability", self.probability, 0, EVERY_TICK)


@dataclass(frozen=True, eq=False)
class Regular:
    """Spikes every so many ticks from the phase on; a period of 0 is silence. Numbers for all neurons, or one each."""

    period: int | Sequence[int] | NDArray[Any]
    phase: int | Sequence[int] | NDArray[Any] = 0

    def __post_init__(self) -> None:
        settle(self, "regular")
        check_all_whole("regular.period", self.period, 0, MOST)
        check_all_whole("regular.phase", self.phase, 0, MOST)


@dataclass(frozen=True, eq=False)
class Events:
    """Spikes from a list: ticks int64[events], rising, and neurons int64[events]; none in a population whose events come with each run.

    role: ``fixed``, or in presentations ``input`` (the sample's events).
    """

    ticks: Sequence[int] | NDArray[Any] = ()
    neurons: Sequence[int] | NDArray[Any] = ()
    role: Literal["fixed", "input"] = "fixed"

    def __post_init__(self) -> None:
        settle(self, "events")
        check("events.role", self.role, ("fixed", "input"))
        check_events("events.", self.ticks, self.neurons, MOST)
        ticks = np.asarray(self.ticks)
        falls = np.flatnonzero(np.diff(ticks) < 0)
        if len(falls):
            raise NeurosimError(f"events.ticks: {ticks[falls[0] + 1]} after {ticks[falls[0]]}: must not fall")


def check_events(where: str, ticks: Any, neurons: Any, most: int) -> None:
    """Refuse lists of events that are no whole numbers, out of range or of two lengths. most: the highest neuron."""
    check_all_whole(f"{where}ticks", ticks, 0, LAST_TICK)
    check_all_whole(f"{where}neurons", neurons, 0, most)
    if np.shape(ticks) != np.shape(neurons) or np.ndim(ticks) != 1:
        raise NeurosimError(
            f"{where}ticks and neurons: {list(np.shape(ticks))} and {list(np.shape(neurons))} numbers: must be lists of one length"
        )


Source = Poisson | Regular | Events


@dataclass(frozen=True)
class Population:
    """So many neurons of one kind. spikes: a threshold, or a source; refractory: ticks after that of a spike without another."""

    name: str
    n: int
    states: tuple[State, ...] = ()
    spikes: Threshold | Source = Threshold(1)
    refractory: int = 0

    def __post_init__(self) -> None:
        settle(self, "population")
        if not self.name.isidentifier():
            raise NeurosimError(f"population.name={self.name!r}: must be a Python name")
        where = f"population {self.name}"
        check_whole(f"{where}: n", self.n, 1, 1 << 24)
        check_whole(f"{where}: refractory", self.refractory, 0, 1 << 20)
        names = [state.name for state in self.states]
        if len(set(names)) < len(names):
            raise NeurosimError(f"{where}: states={names}: each name once")
        for state in self.states:
            for flow in state.flows:
                if flow.state not in names or flow.state == state.name:
                    others = ", ".join(n for n in names if n != state.name) or "no other state"
                    raise NeurosimError(
                        f"{where}, state {state.name}: flow.state={flow.state!r}: must be one of {others}"
                    )
        if isinstance(self.spikes, Threshold):
            if not names:
                raise NeurosimError(f"{where}: states=(): a neuron with a threshold has at least one")
            if not self.spikes.state:
                object.__setattr__(self, "spikes", replace(self.spikes, state=names[-1]))
            check(f"{where}: threshold.state", self.spikes.state, tuple(names))
        else:
            self._check_source(where)

    def _check_source(self, where: str) -> None:
        for name in ("probability", "period", "phase"):
            values = np.asarray(getattr(self.spikes, name, 0))
            if values.ndim and values.shape != (self.n,):
                raise NeurosimError(f"{where}: {name} has shape {list(values.shape)}, and it has {self.n} neurons")
        if isinstance(self.spikes, Events) and np.size(self.spikes.neurons):
            check_all_whole(f"{where}: events.neurons", self.spikes.neurons, 0, self.n - 1)

    @property
    def is_source(self) -> bool:
        """Whether it spikes by itself."""
        return not isinstance(self.spikes, Threshold)

    def state(self, name: str) -> int:
        """The number of a state. Raises NeurosimError that lists the names."""
        names = tuple(state.name for state in self.states)
        check(f"population {self.name}: state", name, names)
        return names.index(name)

    def replace(self, **changes: Any) -> Population:
        """A copy with some fields changed."""
        return replace(self, **changes)


def lif(
    name: str,
    n: int,
    *,
    threshold: int,
    leak: Leak | None,
    current: Leak | None = None,
    refractory: int = 0,
    bits: int = 16,
    reset: int | None = 0,
    traces: Sequence[State] = (),
) -> Population:
    """Leaky integrate-and-fire: a membrane `v` that leaks, driven by spikes directly, or by a synaptic current `g` that decays too.

    The membrane holds while refractory. reset: the membrane after a spike, None for the subtraction of the threshold. Raises NeurosimError
    for a threshold that a membrane of so many bits cannot reach.
    """
    reach = State("v", bits=bits).reach
    check_whole(f"population {name}: threshold", threshold, -reach, reach)
    after: dict[str, Any] = {"jump": -threshold} if reset is None else {"reset": reset}
    membrane = State("v", leak, bits=bits, holds=True, **after)
    states = [membrane]
    if current is not None:
        shift, numerator = (leak.shift, leak.numerator) if leak is not None else (0, 1)
        states = [State("g", current, bits=bits), membrane.replace(flows=(Flow("g", shift, numerator),))]
    return Population(name, n, (*traces, *states), Threshold(threshold, "v"), refractory)


def trace(name: str, leak: Leak, jump: int, bits: int = 16) -> State:
    """A trace of a neuron's own spikes: it leaks, and jumps with each."""
    return State(name, leak, jump=jump, bits=bits)
