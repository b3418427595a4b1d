"""Linear chains and networks on the chip: the systems of the theory, their paths in words, and where these end.

A system is data: sizes, samples, feedback, and the closed form of its limit. A case puts it on the chip with one width and rounding
of weights; an end holds a path against the learning equations and their band (`standstill`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurosim.chip.channel import Channel
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.chip.spec import NetworkSpec
from neurosim.formats import Fixed, Quantiser
from neurosim.studies.standstill import Samples, Standstill, descend
from neurosim.studies.theory import (
    Floats,
    LinearNetwork,
    bottleneck_limit,
    chain_limit,
    follow,
    wide_limit,
)

SLOPE = 0.8
"""T = 0.8 I in chains and [1, N, 1]: alpha / beta, but for the rounding of T."""
RANGE_BITS = 2
"""Weights lie in +-4."""
TIME = 64
"""How long a path is followed, of the learning equations: as many steps as that is rates."""
_RECORDS = 400


@dataclass(frozen=True, eq=False)
class System:
    """A linear network to be put on the chip: sizes, inputs [n, N_0], teacher [N_L, N_0] (T = teacher I), C_i [N_i, N_L] of +-1.

    limit: where the learning equations take a start, by their closed form if there is one; rate: k of eta = 2**-k, the
    rate of the mean over the samples; state: the word of targets, pre-activations, outputs and received errors.
    """

    name: str
    sizes: tuple[int, ...]
    inputs: Floats
    teacher: Floats
    feedback: tuple[Floats, ...]
    limit: Callable[[LinearNetwork, Floats], Floats]
    rate: int = 5
    state: Fixed = Fixed(16, 12)

    @functools.cached_property
    def samples(self) -> Samples:
        """One step's samples, targets as the chip's words hold them."""
        codes = self.state.encode_array(self.inputs @ self.teacher.T)
        return Samples(self.inputs, np.asarray(codes * self.state.lsb, np.float64))

    @functools.cached_property
    def net(self) -> LinearNetwork:
        """Its learning equations."""
        return self.samples.network(self.sizes, self.feedback)

    @functools.cached_property
    def n_weights(self) -> int:
        """How many weights there are."""
        return sum(a * b for a, b in zip(self.sizes[1:], self.sizes[:-1], strict=True))

    def starts(self, n: int) -> list[Floats]:
        """Random starts, the same at all widths: n of [weights], uniform on [-1, 1]."""
        rng = np.random.default_rng(list(self.name.encode()))
        return [rng.uniform(-1, 1, self.n_weights) for _ in range(n)]

    def steps_alone(self, start: Floats) -> float:
        """How far from the limit, in the worst weight, steps of this rate end in real numbers."""
        return float(np.abs(descend(self.net, start, 2.0**-self.rate) - self.limit(self.net, start)).max())


def _chain_limit(net: LinearNetwork, start: Floats) -> Floats:
    c = np.array([float(one[0, 0]) for one in net.feedback])
    return chain_limit(c, start, float(net.s_ti[0, 0]), float(net.s_ii[0, 0]))


def _wide_limit(net: LinearNetwork, start: Floats) -> Floats:
    (c,), n = net.feedback, net.sizes[1]
    moments = float(net.s_ti[0, 0]), float(net.s_ii[0, 0])
    return np.concatenate(wide_limit(c[:, 0], start[:n], start[n:], *moments))


def _bottleneck_limit(net: LinearNetwork, start: Floats) -> Floats:
    (c,), n = net.feedback, net.sizes[0]
    return np.concatenate(bottleneck_limit(c[0], start[:n], start[n:]))


def _integrated_limit(net: LinearNetwork, start: Floats) -> Floats:
    return follow(net.flow, start).end


_RAMP = np.arange(1, 9)[:, None] / 4
_HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], float)


def _chain(c: Sequence[int], rate: int, places: int) -> System:
    sizes, feedback = (1,) * (len(c) + 2), tuple(np.array([[float(x)]]) for x in c)
    name, word = f"chain of {len(c) + 1} weights", Fixed(16, places)
    return System(name, sizes, _RAMP, np.array([[SLOPE]]), feedback, _chain_limit, rate, word)


def _drawn(sizes: tuple[int, int, int]) -> System:
    """Inputs and teacher on grids of an eighth and a sixteenth, which the chip's words hold exactly."""
    rng = np.random.default_rng(5)
    inputs, teacher = rng.normal(size=(16, sizes[0])), 0.5 * rng.normal(size=(sizes[2], sizes[0]))
    feedback = np.array([[1, 1, -1, 1], [-1, 1, 1, 1], [1, 1, 1, -1]], float)
    return System(
        str(list(sizes)), sizes, np.rint(8 * inputs) / 8, np.rint(16 * teacher) / 16, (feedback,), _integrated_limit
    )


# Each weight more makes a chain stiffer and lets its products overshoot further. With these rates steps in real numbers reach the limit
# from all starts, and with these states nothing clips on the way (products times inputs of up to 4, 8, 13, 20).
SYSTEMS = (
    _chain([1], 5, 12),
    _chain([1, -1], 5, 11),
    _chain([1, -1, 1], 6, 11),
    _chain([1, -1, 1, 1], 8, 10),
    System(
        "[1, 5, 1]", (1, 5, 1), _RAMP, np.array([[SLOPE]]),
        (np.array([[1.0], [-1.0], [1.0], [1.0], [-1.0]]),), _wide_limit,
    ),
    System(
        "[4, 1, 4] autoencoder", (4, 1, 4), np.vstack([_HADAMARD, -_HADAMARD]), np.eye(4),
        (np.array([[1.0, -1.0, 1.0, 1.0]]),), _bottleneck_limit,
    ),
    _drawn((5, 3, 4)),
)  # fmt: skip


# ---------------------------------------------------------------------- on the chip


@dataclass(frozen=True)
class Case:
    """A system on the chip: bits of a weight, how updates are rounded, bits of an error (0: whole words)."""

    system: System
    bits: int
    rounding: Literal["nearest", "stochastic"]
    error_bits: int = 0

    @functools.cached_property
    def weight(self) -> Fixed:
        """The word of a weight."""
        return Fixed(self.bits, self.bits - 1 - RANGE_BITS, rounding=self.rounding)

    @functools.cached_property
    def standstill(self) -> Standstill:
        """Its band."""
        return Standstill(
            self.system.net, self.system.samples, self.weight.lsb, 2.0**-self.system.rate, self.system.state.lsb,
        )  # fmt: skip

    @functools.cached_property
    def network(self) -> Network:
        """The chip. It runs all starts one after another: its steps, and with them its random words, are counted on."""
        layer: dict[str, Any] = {"weight": self.weight, "output": self.system.state, "address": self.system.state}
        channel = Channel(
            route="skip", feedback=FeedbackCrossbar(values="+-1", density=1.0), gain=0,
            error=Quantiser(self.error_bits, alpha=4.0) if self.error_bits else None,
        )  # fmt: skip
        layers = tuple(Dense(n, "linear", accumulator=63, bias=False, **layer) for n in self.system.sizes[1:])
        net = Network(
            NetworkSpec(self.system.sizes[0], layers, channel, input=Fixed(8, 5), received=self.system.state),
            strict=set(),
        )
        for i, c in enumerate(self.system.feedback):
            held = net.feedback(i)
            assert held is not None
            held[...] = c.T
        return net

    def path(self, start: Floats, time: float = TIME) -> tuple[Floats, bool, bool]:
        """(states [times, weights], whether the last one is at rest, whether the chip clips something there).

        time: of the learning equations. A path that rounds to the nearest ends where one step changes nothing, for then none will.
        """
        net, samples = self.network, self.system.samples
        codes, targets = net.encode(samples.inputs), net.encode_targets(samples.targets)
        steps = round(time * 2**self.system.rate)
        together = max(1, steps // _RECORDS)
        n = len(codes)
        learn = functools.partial(
            net.train, codes, targets, rate=self.system.rate + n.bit_length() - 1, batch_size=n,
        )  # fmt: skip
        for layer, matrix in enumerate(self.system.net.split(start)):
            net.weights(layer)[...] = self.weight.encode_array(matrix.T)
        seen = [self._state()]
        for _ in range(steps // together):
            learn(order=np.tile(np.arange(n), together))
            seen.append(self._state())
            if self.rounding == "nearest" and np.array_equal(seen[-1], seen[-2]):
                break
        before = self._clipped()
        learn()
        return np.array(seen), np.array_equal(seen[-1], self._state()), self._clipped() > before

    def _state(self) -> Floats:
        net = self.network
        found: Floats = (
            np.concatenate([net.weights(i).T.ravel() for i in range(len(net.spec.layers))]) * self.weight.lsb
        )
        return found

    def _clipped(self) -> int:
        return sum(sum(found) for kind, found in self.network.health().items() if kind.endswith("_saturated"))


@dataclass(frozen=True)
class End:
    """Where a path ended. Means are over its last quarter, but for a path that rounds to the nearest: there its last state.

    stopped: one more step changes no weight; clipped: it clips a word; update: the largest update of the learning equations, in
    LSB; slack: the most that the band allows beyond half an LSB; inside: no weight's update is more than the band
    allows for it; off: distance from the fixed points; from_limit: of the weight that is farthest from the limit; moved: the
    largest range of a weight in the path's last quarter.
    """

    stopped: bool
    clipped: bool
    update: float
    slack: float
    inside: bool
    off: float
    from_limit: float
    moved: float


def ends_of(case: Case, starts: Sequence[Floats], time: float = TIME) -> list[End]:
    """The ends of all starts."""
    return [_end(case, *case.path(start, time)) for start in starts]


def _end(case: Case, states: Floats, stopped: bool, clipped: bool) -> End:  # noqa: FBT001
    band, quarter = case.standstill, states[-max(1, len(states) // 4) :]
    tail = states[-1:] if case.rounding == "nearest" else quarter
    updates, allowed = np.abs(band.updates(states[-1])), band.allowed(states[-1])
    if case.error_bits:  # only the top layer's signal is whole then
        top = case.system.sizes[-1] * case.system.sizes[-2]
        updates, allowed = updates[-top:], allowed[-top:]
    return End(
        stopped,
        clipped,
        float(updates.max()),
        float(allowed.max()) - 0.5,
        bool((updates <= allowed).all()),
        float(np.mean([band.distance(state) for state in tail])),
        float(np.abs(tail.mean(axis=0) - case.system.limit(case.system.net, states[0])).max()),
        float(np.ptp(quarter, axis=0).max()),
    )


Ends = Mapping[Case, Sequence[End]]
