"""Rules of plasticity compiled into registers: terms, their factors and levels, eligibility (docs/spiking.md 5 and 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurosim.formats import Quantiser
from neurosim.kernels.spike_registers import ELIGIBILITY, FACTOR, POPULATION, SHIFTING, STATE, TERM
from neurosim.spiking.plasticity import Eligibility, Kernel, Term
from neurosim.spiking.projection import Projection
from neurosim.spiking.spec import SpikingSpec

MOST_SLOWER = 8
"""By how many powers of two learning can be slowed down."""
HIGHEST_32 = (1 << 31) - 1


class Terms:
    """Rows of `TERM` and of `ELIGIBILITY`, and the levels of quantisers and kernels, of all rules.

    populations, states: the registers of both, int64[populations, :] and int64[states, :].
    """

    def __init__(
        self, spec: SpikingSpec, populations: NDArray[np.int64], states: NDArray[np.int64], *, real: bool
    ) -> None:
        self.spec, self.populations, self.states, self.real = spec, populations, states, real
        self.terms: list[NDArray[np.int64]] = []
        self.eligibility: list[NDArray[np.int64]] = []
        self.levels: list[float] = []

    def add(self, projection: Projection, term: Term) -> int:
        """The row of a term of a projection's rule."""
        ends = self.spec.number(projection.source), self.spec.number(projection.target)
        r = np.zeros(len(TERM), np.int64)
        r[TERM.numerator], r[TERM.shift], r[TERM.gates] = term.numerator, term.shift, len(term.gates)
        if isinstance(term.of, Kernel):
            r[TERM.of], r[TERM.kernel], r[TERM.levels] = FACTOR.kernel, len(self.levels), len(term.of.segments)
            for until, exponent, sign in term.of.segments:
                self.levels += [until, sign << exponent]
        else:
            r[TERM.of], r[TERM.of_at] = self._factor(ends, term.of)
        r[TERM.times], r[TERM.times_at] = self._factor(ends, term.times)
        for g, gate in enumerate(term.gates):
            side, at = self._factor(ends, gate.state)
            values = {"side": side, "gate": at, "low": gate.low, "high": gate.high, "outside": gate.outside}
            for name, value in values.items():
                r[TERM[f"{name}_{g}"]] = value
        if term.error is not None:
            r[TERM.levels], r[TERM.threshold] = term.error.n_levels, len(self.levels)
            thresholds, decoded = (
                _real_levels(term.error) if self.real else (term.error.thresholds_in(0), term.error.decoded_in(0))
            )
            self.levels += thresholds
            r[TERM.decode] = len(self.levels)
            self.levels += decoded
        self.terms.append(r)
        return len(self.terms) - 1

    def add_eligibility(self, target: int, rule: Eligibility) -> int:
        """The row of an eligibility whose synapses lie at a target."""
        r = np.zeros(len(ELIGIBILITY), np.int64)
        r[ELIGIBILITY.factor_at] = self._factor((target, target), rule.factor)[1]
        r[ELIGIBILITY.numerator], r[ELIGIBILITY.shift] = rule.numerator, rule.shift
        if rule.leak is not None:
            r[ELIGIBILITY.leak_numerator], r[ELIGIBILITY.leak_shift] = rule.leak.numerator, rule.leak.shift
            r[ELIGIBILITY.leak_round] = SHIFTING[rule.leak.rounding]
        self.eligibility.append(r)
        return len(self.eligibility) - 1

    def _factor(self, ends: tuple[int, int], name: str) -> tuple[int, int]:
        """The kind of a factor and where its state begins in memory. ends: the source's number and the target's."""
        if name == "1":
            return FACTOR["one"], 0
        side, _, state = name.partition(".")
        number = ends[side == "post"]
        row = self.populations[number, POPULATION.states] + self.spec.populations[number].state(state)
        return FACTOR[side], int(self.states[row, STATE.at])

    # ------------------------------------------------------------------ what fits vectors

    def fits_lists(self, projection: Projection, term: Term | None) -> bool:
        """Whether sparse synapses can change in 32-bit lanes: a term that is a state and nothing else."""
        rule = projection.plasticity
        if self.real or term is None or rule is None or rule.eligibility is not None:
            return False
        if term.times != "1" or term.gates or term.error is not None or not isinstance(term.of, str) or term.of == "1":
            return False
        population, state = self.spec.side(projection, term.of)
        return projection.weight.rounding != "nearest" and _fits_32(projection, term, population.states[state].reach)

    def fits_rows(self, projection: Projection) -> bool:
        """Whether dense rows can be met in vectors, of 32 bits or real numbers: their rule for arrivals looks at the target alone."""
        rule = projection.plasticity
        if projection.gain < 0 and not self.real:
            return False
        if rule is None or rule.on_pre is None:
            return True
        term = rule.on_pre
        sides = (term.of, *(gate.state for gate in term.gates))
        hears = all(isinstance(side, str) and side.startswith("post.") for side in sides)
        if not hears or rule.eligibility is not None or term.times != "1" or len(term.gates) > 1:
            return False
        if any(gate.outside or max(abs(gate.low), abs(gate.high)) > HIGHEST_32 for gate in term.gates):
            return False
        if self.real:
            return term.error is None
        population, state = self.spec.side(projection, str(term.of))
        decoded = term.error.decoded_in(0) if term.error is not None else []
        return _fits_32(projection, term, int(max(population.states[state].reach, *map(abs, decoded), 0)))


def _fits_32(projection: Projection, term: Term, largest: int) -> bool:
    """Whether a term whose state, or error, is at most so large can be rounded in 32 bits, slowed down or not."""
    return (
        projection.weight.rounding in ("stochastic", "floor", "nearest")
        and term.shift <= 30 - MOST_SLOWER
        and largest * abs(term.numerator) + (2 << (term.shift + MOST_SLOWER)) <= HIGHEST_32
    )


def _real_levels(q: Quantiser) -> tuple[list[float], list[float]]:
    """Thresholds and magnitudes of a quantiser before they are rounded, falling."""
    assert q.alpha is not None
    n = q.n_levels
    if q.kind == "log":
        ratio = q.base**-1.0  # type: ignore[operator]
        lower = {"geometric": ratio**0.5, "midpoint": (1 + ratio) / 2, "floor": 1.0}[str(q.thresholds)]
        decoded = [q.alpha * ratio**k for k in range(n)]
        thresholds = [lower * magnitude for magnitude in decoded]
    else:
        steps = n if q.zero == "code" else 2 * n - 1
        decoded = [q.alpha * (n - k if q.zero == "code" else 2 * (n - 1 - k) + 1) / steps for k in range(n)]
        thresholds = [(a + b) / 2 for a, b in zip(decoded, [*decoded[1:], 0.0], strict=True)]
    if q.zero == "none":
        thresholds[-1] = 5e-324
    return thresholds, decoded
