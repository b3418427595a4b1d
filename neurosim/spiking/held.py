"""How a spiking network is held on a chip: the widths of its words, and what each of its layers occupies (docs/spiking.md 10).

Layers of counts are the projections, in their order, and after them the populations. A projection stands on the cores of its
target, which holds the synapses that arrive there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Held, Layout, Source
from neurosim.spiking.neurons import Population, State, Threshold
from neurosim.spiking.plasticity import Kernel
from neurosim.spiking.projection import Projection, Synapses, delays_of
from neurosim.spiking.spec import SpikingSpec

_CHUNK = 1 << 22
TICK_BITS = 32
"""Of the tick of a neuron's last spike."""


class Rows(NamedTuple):
    """How the synapses of a projection are held.

    memory: of the weights; weight: bits of each, 0 where none is held; lists: the memory of addresses and of row starts, of address
    and start bits (0 where rows need none); planes: bits of an entry of a bitmap of all pairs, 0 for none; regenerated: drawn anew
    for every arrival; delays: the different ones, each with rows of its own.
    """

    memory: str
    weight: int
    lists: str
    address: int
    start: int
    planes: int
    regenerated: bool
    delays: tuple[int, ...]


def width(low: int, high: int) -> int:
    """Bits of a signed word that holds low … high."""
    return max(int(high).bit_length(), int(-low - 1 if low < 0 else low).bit_length()) + 1


def state_bits(state: State) -> int:
    """Bits of a state's word."""
    return width(state.low, state.high)  # type: ignore[arg-type]


def address_bits(n: int) -> int:
    """Bits that name one of n."""
    return max(1, (n - 1).bit_length())


def arriving(
    spec: SpikingSpec, synapses: Sequence[Synapses], weights: Sequence[NDArray[Any]]
) -> dict[tuple[int, str], int]:
    """The most that can arrive in a tick, by population and state: with all synapses met, plastic ones at their bounds."""
    worst: dict[tuple[int, str], NDArray[np.int64]] = {}
    for projection, joined, w in zip(spec.projections, synapses, weights, strict=True):
        target = spec.number(projection.target)
        n = spec.populations[target].n
        if projection.plasticity is None:
            sums = _sums(joined.target, w, n)
        else:
            most = max(abs(projection.low), abs(projection.high))  # type: ignore[arg-type]
            sums = np.bincount(joined.target, minlength=n) * most
        sums = sums << projection.gain if projection.gain >= 0 else sums
        key = target, projection.state
        worst[key] = worst.get(key, 0) + sums
    return {key: int(sums.max(initial=0)) for key, sums in worst.items()}


def _sums(targets: NDArray[np.int32], weights: NDArray[Any], n: int) -> NDArray[np.int64]:
    """The sum of all magnitudes at each of n targets, some at a time: whole lists in 64 bits would outweigh the network."""
    found = np.zeros(n)
    for first in range(0, len(targets), _CHUNK):
        some = slice(first, first + _CHUNK)
        found += np.bincount(targets[some], weights=np.abs(np.asarray(weights[some], np.float64)), minlength=n)
    return found.astype(np.int64)


def check_shared(spec: SpikingSpec, synapses: Sequence[Synapses]) -> None:
    """Raise NeurosimError for a projection that shares the lists of one with other synapses."""
    for projection, mine in zip(spec.projections, synapses, strict=True):
        lender = spec.lender(projection)
        if lender is None:
            continue
        for what, field in (("pairs", "start"), ("pairs", "target"), ("delays", "delay")):
            if not np.array_equal(getattr(mine, field), getattr(synapses[lender], field)):
                raise NeurosimError(
                    f"{projection.title}: shares={projection.shares!r}: its {what} are others; give both the same"
                )


def rows_of(projection: Projection, synapses: Synapses, weights: NDArray[Any], n_target: int) -> Rows:
    """How a projection's synapses are held, its weights being what they are now."""
    connect, delays = projection.connect, delays_of(synapses)
    n_source, n = len(synapses.start) - 1, len(synapses.target)
    feeds = projection.phase == "feedback"
    memory, lists = ("feedback", "feedback") if feeds else ("weight", "target")
    address, start = address_bits(n_target), max(1, n.bit_length())
    fixed, number = (
        projection.plasticity is None,
        np.ndim(projection.initial) == 0 and not isinstance(projection.initial, tuple),
    )
    if isinstance(connect, FeedbackCrossbar) and connect.bits == 1 and fixed and number:
        signed = connect.values == "+-1"
        if connect.storage == "bitmap":
            return Rows("feedback", 0, "feedback", 0, 0, 2 if signed and connect.density != 1.0 else 1, False, delays)
        if connect.storage == "regenerated":
            return Rows("feedback", 0, "feedback", 0, 0, 0, True, delays)
        return Rows("feedback", int(signed), "feedback", address, start, 0, False, delays)
    # Off the forward path a fixed line of one magnitude is a wire with a sign: the magnitude is held once.
    bits = projection.weight.bits
    if fixed and projection.phase != "forward" and len(np.unique(np.abs(weights))) <= 1:
        bits = int(n > 0 and weights.min() != weights.max())
    ordered = np.arange(n_target)
    whole = n == n_source * n_target and bool((synapses.target.reshape(n_source, n_target) == ordered).all())
    single = n == n_source == n_target and np.array_equal(synapses.target, ordered)
    if len(delays) == 1 and (whole or single):
        address = start = 0
    return Rows(memory, bits, lists, address, start, 0, False, delays)


class Holding:
    """What counts and layouts are reckoned from: the description, its synapses, and how they are held.

    accumulator[q, name]: bits of what arrives at a state. weights[p]: int[synapses], as they are now.
    """

    def __init__(self, spec: SpikingSpec, synapses: Sequence[Synapses], weights: Sequence[NDArray[Any]]) -> None:
        self.spec, self.synapses = spec, tuple(synapses)
        self.rows = tuple(
            rows_of(p, s, w, spec.population(p.target).n)
            for p, s, w in zip(spec.projections, synapses, weights, strict=True)
        )
        most = arriving(spec, synapses, weights)
        self.accumulator = {key: value.bit_length() + 1 for key, value in most.items()}
        self._most, self._weights = most, tuple(weights)

    def layer(self, population: int) -> int:
        """The layer of a population."""
        return len(self.spec.projections) + population

    def names(self) -> tuple[str, ...]:
        """The names of all layers: a projection's own or `source->target`, then those of populations."""
        joined = tuple(p.name or f"{p.source}->{p.target}" for p in self.spec.projections)
        return joined + tuple(p.name for p in self.spec.populations)

    def phase(self, population: int) -> str:
        """Under which a population's updates are counted: forward, unless only projections of other phases arrive."""
        name = self.spec.populations[population].name
        arriving_phases = {p.phase for p in self.spec.projections if p.target == name}
        return next((phase for phase in PHASES if phase in arriving_phases), "forward")

    def sum_bits(self, population: int, state: State) -> int:
        """Bits of a state's sum before it is clipped."""
        reach, most = state.reach, self._most.get((population, state.name), 0)
        lost = (reach * state.leak.numerator >> state.leak.shift) + 1 if state.leak is not None else 0
        total = max(reach, lost) + most + abs(state.bias) + state.noise
        described = self.spec.populations[population]
        for flow in state.flows:
            product = described.states[described.state(flow.state)].reach * abs(flow.numerator)
            total += (product >> flow.shift if flow.shift >= 0 else product << -flow.shift) + 1
        return int(total).bit_length() + 1

    def remembers(self, population: int) -> bool:
        """Whether some kernel of time asks for the last spikes of a population."""
        name = self.spec.populations[population].name
        for p in self.spec.projections:
            rule = p.plasticity
            if rule is None:
                continue
            for term, other in ((rule.on_pre, p.target), (rule.on_post, p.source)):
                if term is not None and isinstance(term.of, Kernel) and other == name:
                    return True
        return False

    def senders(self, projection: int) -> NDArray[np.bool_]:
        """Which neurons of the source have a synapse: bool[n_source]."""
        found: NDArray[np.bool_] = np.diff(self.synapses[projection].start) > 0
        return found

    def layout(self) -> Layout:
        """What the network occupies, in words. A source without states is no part of the chip."""
        spec, held = self.spec, []
        for p, projection in enumerate(spec.projections):
            held += self._held_synapses(p, projection)
        for q, population in enumerate(spec.populations):
            held += self._held_states(q, population)
        populations = range(len(spec.populations))
        fan_in = [int(np.bincount(s.target, minlength=1).max()) for s in self.synapses]
        errors = (((p,) if projection.phase == "error" else ()) for p, projection in enumerate(spec.projections))
        return Layout(
            neurons=(*(0 for _ in spec.projections), *(p.n if p.states else 0 for p in spec.populations)),
            fan_in=(*fan_in, *(0 for _ in populations)),
            held=tuple(h for h in held if h.words and h.bits),
            code_bits=1,
            event_bits=(0,) * (len(fan_in) + len(populations)),
            receivers=(*errors, *(() for _ in populations)),
            places=(*(self.layer(spec.number(p.target)) for p in spec.projections), *map(self.layer, populations)),
            sources=(*map(self._source, spec.projections), *(Source(-1, 0) for _ in populations)),
        )

    def _source(self, projection: Projection) -> Source:
        """What spikes into a projection: a population on the chip, or the input port."""
        source = self.spec.population(projection.source)
        return Source(self.layer(self.spec.number(projection.source)) if source.states else -1, source.n)

    def _held_synapses(self, p: int, projection: Projection) -> list[Held]:
        rows, synapses = self.rows[p], self.synapses[p]
        n, source = len(synapses.target), self.spec.population(projection.source)
        n_target, sending = self.spec.population(projection.target).n, int(self.senders(p).sum())
        lender = self.spec.lender(projection)
        held = []
        if lender is None or not self._lends_weights(p, lender):
            held += [Held(p, rows.memory, n, rows.weight), Held(p, rows.memory, source.n * n_target, rows.planes)]
        if lender is None:
            held += [
                Held(p, rows.lists, n, rows.address),
                Held(p, rows.lists, source.n * len(rows.delays) + 1, rows.start),
            ]
        longest = max(rows.delays)
        if longest:  # a neuron spikes once in refractory + 1 ticks at most
            waiting = -(-longest // (source.refractory + 1))
            held.append(Held(p, "spike", sending * waiting, address_bits(source.n)))
        rule = projection.plasticity
        if rule is not None and rule.eligibility is not None:
            held.append(Held(p, "tag", n, rule.eligibility.word.bits))
        return held

    def _lends_weights(self, p: int, lender: int) -> bool:
        """Whether the weights of a projection are those of the one that lends it lists, or their negatives, for good."""
        fixed = all(self.spec.projections[k].plasticity is None for k in (p, lender))
        mine, its = self._weights[p], self._weights[lender]
        same = self.rows[p][:2] == self.rows[lender][:2]
        return fixed and same and (np.array_equal(mine, its) or np.array_equal(-mine, its))

    def _held_states(self, q: int, population: Population) -> list[Held]:
        layer, n = self.layer(q), population.n
        held = [Held(layer, "state", n, state_bits(state)) for state in population.states]
        held += [
            Held(layer, "accumulator", n, self.accumulator[q, state.name])
            for state in population.states
            if (q, state.name) in self.accumulator
        ]
        if waits(population):
            held.append(Held(layer, "state", n, population.refractory.bit_length()))
        if self.remembers(q):
            held.append(Held(layer, "state", n, TICK_BITS))
        return held


def waits(population: Population) -> bool:
    """Whether the chip keeps a refractory counter: a source's own belongs to what makes it spike, unless states hold by it."""
    own = isinstance(population.spikes, Threshold) or any(state.holds for state in population.states)
    return population.refractory > 0 and own
