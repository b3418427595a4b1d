"""A spiking network as data: populations, projections, a seed; checked when it is made (docs/spiking.md 1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from neurosim.errors import NeurosimError
from neurosim.fields import settle, shown
from neurosim.formats import check, check_whole
from neurosim.spiking.neurons import Population
from neurosim.spiking.plasticity import MOST_BITS, Kernel, Term
from neurosim.spiking.projection import Projection

_MOST_SUM = 62
"""Bits of an intermediate value."""


@dataclass(frozen=True, eq=False)
class SpikingSpec:
    """Populations by name, projections between them. Raises NeurosimError that names what does not fit together."""

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        settle(self, "network")
        object.__setattr__(self, "projections", tuple(self._completed(p) for p in self.projections))
        check_whole("seed", self.seed, 0, (1 << 63) - 1)
        names = [p.name for p in self.populations]
        if not names or len(set(names)) < len(names):
            raise NeurosimError(f"populations={names}: at least one, each name once")
        for population in self.populations:
            _check_sums(population)
        for number, projection in enumerate(self.projections):
            self._check_plasticity(projection)
            if projection.shares:
                self._check_shared(number, projection)

    def _completed(self, projection: Projection) -> Projection:
        names = tuple(p.name for p in self.populations)
        check(f"{projection.title}: source", projection.source, names)
        check(f"{projection.title}: target", projection.target, names)
        target = self.population(projection.target)
        if not target.states:
            raise NeurosimError(f"{projection.title}: {target.name} has no state that could receive")
        if projection.state:
            target.state(projection.state)
            return projection
        return projection.replace(state=target.states[0].name)

    def population(self, name: str) -> Population:
        """A population by its name. Raises NeurosimError that lists the names."""
        return self.populations[self.number(name)]

    def number(self, name: str) -> int:
        """The number of a population."""
        names = tuple(p.name for p in self.populations)
        check("population", name, names)
        return names.index(name)

    def projection(self, name: str) -> int:
        """The number of a projection, by its name or `source->target`."""
        names = tuple(p.name or f"{p.source}->{p.target}" for p in self.projections)
        check("projection", name, names)
        return names.index(name)

    def side(self, projection: Projection, name: str) -> tuple[Population, int]:
        """The population and the number of a state that a term names: pre.NAME or post.NAME."""
        side, _, state = name.partition(".")
        population = self.population(projection.source if side == "pre" else projection.target)
        return population, population.state(state)

    def _check_plasticity(self, projection: Projection) -> None:
        rule = projection.plasticity
        if rule is None:
            return
        for term in (rule.on_pre, rule.on_post):
            if term is not None:
                self._check_term(projection, term)
        if rule.eligibility is not None:
            population, state = self.side(projection, rule.eligibility.factor)
            bits = rule.eligibility.word.bits + population.states[state].reach.bit_length()
            _check_bits(projection.title + ": eligibility", bits + abs(rule.eligibility.numerator).bit_length())

    def _check_shared(self, number: int, projection: Projection) -> None:
        """Refuse to share lists that could not be one, whatever the synapses are, which are drawn later."""
        earlier = tuple(p.name or f"{p.source}->{p.target}" for p in self.projections[:number])
        where = f"{projection.title}: shares"
        check(where, projection.shares, earlier)
        other = self.projections[earlier.index(projection.shares)]
        check(f"{where}: target of {projection.shares}", other.target, (projection.target,))
        check(f"{where}: phase of {projection.shares}", other.phase, (projection.phase,))
        if other.shares:
            raise NeurosimError(f"{where}={projection.shares!r}: must be one with lists of its own: {other.shares}")
        mine, its = (self.population(p.source).n for p in (projection, other))
        check_whole(f"{where}: neurons of the source of {projection.shares}", its, mine, mine)

    def lender(self, projection: Projection) -> int | None:
        """The number of the projection whose lists a projection shares."""
        return self.projection(projection.shares) if projection.shares else None

    def _check_term(self, projection: Projection, term: Term) -> None:
        bits = abs(term.numerator).bit_length()
        if isinstance(term.of, Kernel):
            bits += 1 + max(exponent for _, exponent, _ in term.of.segments)
        for name, error in ((term.of, term.error), (term.times, None)):
            if isinstance(name, str) and name != "1":
                population, state = self.side(projection, name)
                reach = population.states[state].reach
                if error is not None:
                    reach = max(reach, *error.decoded_in(0))
                bits += reach.bit_length()
        for gate in term.gates:
            self.side(projection, gate.state)
        _check_bits(projection.title + ": plasticity", bits)

    def replace(self, **changes: Any) -> SpikingSpec:
        """A copy with some fields changed."""
        return replace(self, **changes)


def check_spec(field: str, value: object) -> None:
    """Refuse what is no SpikingSpec; settings of a network make one by their `network()`."""
    if not isinstance(value, SpikingSpec):
        more = f" ({type(value).__name__}.network() makes one)" if hasattr(value, "network") else ""
        raise NeurosimError(f"{field}={shown(value)}: must be a SpikingSpec{more}")


def _check_bits(where: str, bits: int) -> None:
    if bits > MOST_BITS - 1:
        raise NeurosimError(
            f"{where}: its product needs {bits + 1} bits, and there are {MOST_BITS}; narrow its states or numerator"
        )


def _check_sums(population: Population) -> None:
    """Refuse a state whose leak, flows and bias could leave 63 bits before they are clipped."""
    for state in population.states:
        total = 2 * state.reach + abs(state.bias) + state.noise + (1 << 40)
        largest = state.reach * (state.leak.numerator if state.leak else 1)
        for flow in state.flows:
            product = population.states[population.state(flow.state)].reach * abs(flow.numerator)
            largest = max(largest, product)
            total += (product >> flow.shift if flow.shift >= 0 else product << -flow.shift) + 1
        if max(total, largest).bit_length() > _MOST_SUM:
            raise NeurosimError(
                f"population {population.name}, state {state.name}: its sum could leave {_MOST_SUM} bits; shift flows down"
            )
