"""A spiking network compiled into registers and flat memories (docs/spiking.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.kernels.registers import ROUNDING
from neurosim.kernels.spike_registers import (
    ELIGIBILITY,
    FACTOR,
    FLOW,
    KIND,
    PART,
    POPULATION,
    SHIFTING,
    STATE,
    TERM,
    SpikeMemory,
    SpikeProgram,
)
from neurosim.rng import (
    STREAM_CONSOLIDATE,
    STREAM_NOISE,
    STREAM_ON_POST,
    STREAM_ON_PRE,
    STREAM_POISSON,
    STREAM_SPIKE_BLANK,
    layer_key,
)
from neurosim.spiking.held import arriving
from neurosim.spiking.neurons import Poisson, Population, Regular, State, Threshold
from neurosim.spiking.plasticity import Eligibility, Kernel, Term
from neurosim.spiking.projection import Connect, Projection, Synapses
from neurosim.spiking.spec import SpikingSpec

_LANES = 16
MOST_SLOWER = 8
"""By how many powers of two learning can be slowed down."""
_HIGHEST_32 = (1 << 31) - 1


class Place(NamedTuple):
    """Where a projection's synapses lie: order: the place of each in `SpikeMemory.weight`, int64[synapses] or a slice."""

    order: NDArray[np.int64] | slice
    synapses: Synapses


def padded(n: int) -> int:
    """To whole vectors."""
    return -(-n // _LANES) * _LANES


class Compiler:
    """Registers of all populations and projections, and the layout of the memories."""

    def __init__(self, spec: SpikingSpec, *, real: bool) -> None:
        self.spec, self.real = spec, real
        self.populations = np.zeros((len(spec.populations), len(POPULATION)), np.int64)
        self.n_states = sum(len(p.states) for p in spec.populations)
        self.states = np.zeros((max(1, self.n_states), len(STATE)), np.int64)
        self.flows: list[list[int]] = []
        self.parts: list[NDArray[np.int64]] = []
        self.terms: list[NDArray[np.int64]] = []
        self.eligibility: list[NDArray[np.int64]] = []
        self.levels: list[float] = []
        self.start: list[NDArray[np.int64]] = []
        self.target: list[NDArray[np.int32]] = []
        self.weight: list[NDArray[np.int16]] = []
        self.columns: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]], list[NDArray[np.int32]]] = ([], [], [])
        self.tables: list[NDArray[np.int64]] = []
        self.places: list[Place] = []
        self.dense: list[NDArray[np.int16]] = []
        self.neurons = self.x_size = self.input_size = self._sparse_at = 0
        self._arriving: dict[tuple[int, int], int] = {}
        for p in spec.projections:
            target = spec.number(p.target)
            self._arriving.setdefault((target, spec.populations[target].state(p.state)), 0)
        for number, population in enumerate(spec.populations):
            self._population(number, population)
        drawn = [self._drawn(number, projection) for number, projection in enumerate(spec.projections)]
        pairs = list(zip(spec.projections, drawn, strict=True))
        self._dense_at = sum(
            len(synapses.target) for projection, synapses in pairs if not self._is_dense(projection, synapses)
        )
        for number, (projection, synapses) in enumerate(pairs):
            self._projection(number, projection, synapses)
        self._rings()
        self._check_inputs()

    # ------------------------------------------------------------------ populations

    def _population(self, number: int, population: Population) -> None:
        r, n = self.populations[number], population.n
        row = sum(len(p.states) for p in self.spec.populations[:number])
        r[POPULATION.n], r[POPULATION.first], r[POPULATION.refractory] = n, self.neurons, population.refractory
        r[POPULATION.states], r[POPULATION.state_end] = row, row + len(population.states)
        self.neurons += padded(n)
        for k, _ in enumerate(population.states):
            self.states[row + k, STATE.at] = self.x_size
            self.x_size += padded(n)
        for k, state in enumerate(population.states):
            self._state(number, row + k, k, state)
        spikes = population.spikes
        if isinstance(spikes, Threshold):
            r[POPULATION.kind], r[POPULATION.threshold] = KIND.threshold, spikes.value
            r[POPULATION.spiking] = self.states[row + population.state(spikes.state), STATE.at]
            return
        r[POPULATION.table] = sum(len(t) for t in self.tables)
        if isinstance(spikes, Poisson):
            r[POPULATION.kind] = KIND.poisson
            r[POPULATION.poisson_key] = layer_key(self.spec.seed, STREAM_POISSON, number)
            self.tables.append(np.broadcast_to(np.asarray(spikes.probability, np.int64), (n,)).copy())
        elif isinstance(spikes, Regular):
            r[POPULATION.kind] = KIND.regular
            self.tables += [
                np.broadcast_to(np.asarray(v, np.int64), (n,)).copy() for v in (spikes.period, spikes.phase)
            ]
        else:
            r[POPULATION.kind] = KIND.events  # the network places their lists

    def _state(self, number: int, row: int, k: int, state: State) -> None:
        r, population = self.states[row], self.spec.populations[number]
        r[STATE.input] = -1
        if (number, k) in self._arriving:
            r[STATE.input] = self._arriving[number, k] = self.input_size
            self.input_size += padded(population.n)
        leak = state.leak
        if leak is not None:
            r[STATE.leak_numerator], r[STATE.leak_shift] = leak.numerator, leak.shift
            r[STATE.leak_round] = SHIFTING[leak.rounding]
        r[STATE.bias], r[STATE.low], r[STATE.high], r[STATE.holds] = state.bias, state.low, state.high, state.holds
        if state.reset is not None:
            r[STATE.reset], r[STATE.reset_to] = 1, state.reset
        if state.jump is not None:
            r[STATE.jump], r[STATE.jump_by] = 1, state.jump
        r[STATE.noise], r[STATE.noise_key] = state.noise, layer_key(self.spec.seed, STREAM_NOISE, row)
        r[STATE.flow] = len(self.flows)
        largest = state.reach * (leak.numerator if leak else 1) + (1 << (leak.shift if leak else 0))
        total = 2 * state.reach + abs(state.bias) + 2
        first = int(self.populations[number, POPULATION.states])
        for flow in state.flows:
            source = population.state(flow.state)
            at = self.states[first + source, STATE.at]
            self.flows.append([int(at), flow.numerator, flow.shift, SHIFTING[flow.rounding]])
            product = population.states[source].reach * abs(flow.numerator) << max(0, -flow.shift)
            largest = max(largest, product + (1 << max(0, flow.shift)))
            total += (product >> max(0, flow.shift)) + 1
        r[STATE.flow_end] = len(self.flows)
        arriving = _HIGHEST_32 // 2 if r[STATE.input] >= 0 else 0
        r[STATE.narrow] = not self.real and not state.noise and max(largest, total + arriving) <= _HIGHEST_32
        r[STATE.plain] = all(x.rounding == "floor" for x in ((leak,) if leak else ()) + state.flows)

    def _rings(self) -> None:
        """Room for each population's last spikes, as long as the longest delay."""
        ring = counts = 0
        for number, r in enumerate(self.populations):
            delays = [int(p[PART.delay]) for p in self.parts if p[PART.source_number] == number]
            r[POPULATION.depth], r[POPULATION.ring], r[POPULATION.counts] = max(delays, default=0) + 1, ring, counts
            ring += int(r[POPULATION.depth] * r[POPULATION.n])
            counts += int(r[POPULATION.depth])
        self.ring_size, self.count_size = ring, counts

    # ------------------------------------------------------------------ projections

    def _drawn(self, number: int, projection: Projection) -> Synapses:
        sizes = (self.spec.population(name).n for name in (projection.source, projection.target))
        return projection.draw(self.spec.seed, number, *sizes)

    def _is_dense(self, projection: Projection, synapses: Synapses) -> bool:
        """Whether every row holds all targets in their order, with one delay: then no list of targets is needed."""
        connect = projection.connect
        whole = (
            isinstance(connect, Connect)
            and connect.kind == "all"
            and (connect.itself or projection.source != projection.target)
        )
        return whole and len(synapses.delay) > 0 and bool((synapses.delay == synapses.delay[0]).all())

    def _projection(self, number: int, projection: Projection, synapses: Synapses) -> None:
        source, target = self.spec.number(projection.source), self.spec.number(projection.target)
        order: NDArray[np.int64] | slice
        if self._is_dense(projection, synapses):
            order = self._dense(number, projection, source, target, synapses)
            n_parts = 1
        else:
            order, n_parts = self._sparse(number, projection, source, target, synapses)
        self.places.append(Place(order, synapses))
        if projection.plasticity is not None:
            self._plastic(projection, source, target, synapses, order, n_parts)
        self.parts[-1][PART.lanes] = self._fits_lanes(projection, self.parts[-1])

    def _fits_lanes(self, projection: Projection, part: NDArray[np.int64]) -> bool:
        """Whether a row can be met in lanes: dense, and its rule for arrivals looks at the target alone, in integers within 32 bits."""
        rule = projection.plasticity
        if not part[PART.dense] or (projection.gain < 0 and not self.real):
            return False
        if rule is None or rule.on_pre is None:
            return True
        term, target = rule.on_pre, self.spec.population(projection.target)
        sides = [term.of, *(gate.state for gate in term.gates)]
        if rule.eligibility is not None or term.times != "1" or len(term.gates) > 1:
            return False
        if any(gate.outside or max(abs(gate.low), abs(gate.high)) > _HIGHEST_32 for gate in term.gates) or not all(
            isinstance(side, str) and side.startswith("post.") for side in sides
        ):
            return False
        if self.real:
            return term.error is None
        assert isinstance(term.of, str)
        size = target.states[target.state(term.of.partition(".")[2])].reach
        largest = max(size, max(map(abs, term.error.decoded_in(0))) if term.error is not None else 0)
        rounding = projection.weight.rounding
        return (
            rounding in ("stochastic", "floor", "nearest")
            and term.shift <= 30 - MOST_SLOWER
            and largest * abs(term.numerator) + (2 << (term.shift + MOST_SLOWER)) <= _HIGHEST_32
        )

    def _dense(
        self, number: int, projection: Projection, source: int, target: int, synapses: Synapses
    ) -> NDArray[np.int64]:
        r = self._part(number, projection, source, target)
        rows, n, stride = int(r[PART.rows]), int(r[PART.columns]), padded(int(r[PART.columns]))
        r[PART.delay], r[PART.dense], r[PART.stride], r[PART.weight] = synapses.delay[0], 1, stride, self._dense_at
        block = np.zeros((rows, stride), np.int16)
        block[:, :n] = synapses.weight.reshape(rows, n)
        self.dense.append(block.ravel())
        order: NDArray[np.int64] = (self._dense_at + np.arange(rows)[:, None] * stride + np.arange(n)).ravel()
        self._dense_at += rows * stride
        self.parts.append(r)
        return order

    def _sparse(
        self, number: int, projection: Projection, source: int, target: int, synapses: Synapses
    ) -> tuple[NDArray[np.int64] | slice, int]:
        """One part for each delay; returns where the synapses went, and how many parts there are."""
        delays, n = np.unique(synapses.delay), len(synapses.target)
        if len(delays) <= 1:
            self._rows(
                number, projection, (source, target), int(delays[0]) if n else 0, synapses.start, synapses, slice(None)
            )
            return slice(self._sparse_at - n, self._sparse_at), 1
        n_source = self.spec.populations[source].n
        row, order = np.repeat(np.arange(n_source), np.diff(synapses.start)), np.empty(n, np.int64)
        for delay in delays:
            chosen = np.flatnonzero(synapses.delay == delay)
            starts = np.zeros(n_source + 1, np.int64)
            np.cumsum(np.bincount(row[chosen], minlength=n_source), out=starts[1:])
            order[chosen] = self._sparse_at + np.arange(len(chosen))
            self._rows(number, projection, (source, target), int(delay), starts, synapses, chosen)
        return order, len(delays)

    def _rows(
        self,
        number: int,
        projection: Projection,
        ends: tuple[int, int],
        delay: int,
        starts: NDArray[np.int64],
        synapses: Synapses,
        chosen: Any,
    ) -> None:
        r = self._part(number, projection, *ends)
        r[PART.delay], r[PART.row] = delay, sum(len(s) for s in self.start)
        self.start.append(starts + self._sparse_at)
        self.target.append(synapses.target[chosen])
        self.weight.append(synapses.weight[chosen])
        self._sparse_at += int(starts[-1])
        self.parts.append(r)

    def _part(self, number: int, projection: Projection, source: int, target: int) -> NDArray[np.int64]:
        r, seed = np.zeros(len(PART), np.int64), self.spec.seed
        population = self.spec.populations[target]
        state = self.populations[target, POPULATION.states] + population.state(projection.state)
        r[PART.projection], r[PART.source_number], r[PART.target_number] = number, source, target
        r[PART.source], r[PART.target] = (
            self.populations[source, POPULATION.first],
            self.populations[target, POPULATION.first],
        )
        r[PART.input], r[PART.gain], r[PART.blank] = (
            self.states[state, STATE.input],
            projection.gain,
            projection.blank_out,
        )
        r[PART.rows], r[PART.columns] = self.spec.populations[source].n, population.n
        for name, stream in (
            ("blank_key", STREAM_SPIKE_BLANK),
            ("pre_key", STREAM_ON_PRE),
            ("post_key", STREAM_ON_POST),
            ("consolidate_key", STREAM_CONSOLIDATE),
        ):
            r[PART[name]] = layer_key(seed, stream, number)
        assert projection.low is not None
        assert projection.high is not None
        r[PART.low], r[PART.high], r[PART.round] = projection.low, projection.high, ROUNDING[projection.weight.rounding]
        r[PART.pre] = r[PART.post] = r[PART.eligibility] = -1
        return r

    def _plastic(
        self,
        projection: Projection,
        source: int,
        target: int,
        synapses: Synapses,
        order: NDArray[np.int64] | slice,
        n_parts: int,
    ) -> None:
        rule = projection.plasticity
        assert rule is not None
        parts = self.parts[-n_parts:]
        if rule.on_pre is not None:
            self.terms.append(self._term(source, target, rule.on_pre))
            for r in parts:
                r[PART.pre] = len(self.terms) - 1
        if rule.on_post is not None:
            self.terms.append(self._term(source, target, rule.on_post))
            last = parts[-1]  # after all arrivals of the projection
            last[PART.post] = len(self.terms) - 1
            last[PART.column] = sum(len(c) for c in self.columns[0])
            self._by_target(synapses, order, self.spec.populations[target].n)
        if rule.eligibility is not None:
            word: Fixed = rule.eligibility.word
            self.eligibility.append(self._eligibility(target, rule.eligibility))
            for r in parts:
                r[PART.eligibility] = len(self.eligibility) - 1
                r[PART.tag_low], r[PART.tag_high], r[PART.tag_round] = word.low, word.high, ROUNDING[word.rounding]

    def _by_target(self, synapses: Synapses, order: NDArray[np.int64] | slice, n_target: int) -> None:
        by_target = np.argsort(synapses.target, kind="stable")
        starts = np.zeros(n_target + 1, np.int64)
        np.cumsum(np.bincount(synapses.target, minlength=n_target), out=starts[1:])
        sources = np.repeat(np.arange(len(synapses.start) - 1, dtype=np.int32), np.diff(synapses.start))
        self.columns[0].append(starts + sum(len(c) for c in self.columns[1]))
        self.columns[1].append(by_target + order.start if isinstance(order, slice) else order[by_target])
        self.columns[2].append(sources[by_target])

    def _term(self, source: int, target: int, term: Term) -> NDArray[np.int64]:
        r = np.zeros(len(TERM), np.int64)
        r[TERM.numerator], r[TERM.shift], r[TERM.gates] = term.numerator, term.shift, len(term.gates)
        if isinstance(term.of, Kernel):
            r[TERM.of], r[TERM.kernel], r[TERM.levels] = FACTOR.kernel, len(self.levels), len(term.of.segments)
            for until, exponent, sign in term.of.segments:
                self.levels += [until, sign << exponent]
        else:
            r[TERM.of], r[TERM.of_at] = self._factor(source, target, term.of)
        r[TERM.times], r[TERM.times_at] = self._factor(source, target, term.times)
        for g, gate in enumerate(term.gates):
            side, at = self._factor(source, target, gate.state)
            for name, value in (
                ("side", side),
                ("gate", at),
                ("low", gate.low),
                ("high", gate.high),
                ("outside", gate.outside),
            ):
                r[TERM[f"{name}_{g}"]] = value
        if term.error is not None:
            r[TERM.levels], r[TERM.threshold] = term.error.n_levels, len(self.levels)
            thresholds, decoded = (
                _real_levels(term.error) if self.real else (term.error.thresholds_in(0), term.error.decoded_in(0))
            )
            self.levels += thresholds
            r[TERM.decode] = len(self.levels)
            self.levels += decoded
        return r

    def _factor(self, source: int, target: int, name: str) -> tuple[int, int]:
        """The kind of a factor and where its state begins in memory."""
        if name == "1":
            return FACTOR["one"], 0
        side, _, state = name.partition(".")
        number = source if side == "pre" else target
        row = self.populations[number, POPULATION.states] + self.spec.populations[number].state(state)
        return FACTOR[side], int(self.states[row, STATE.at])

    def _eligibility(self, target: int, rule: Eligibility) -> NDArray[np.int64]:
        r = np.zeros(len(ELIGIBILITY), np.int64)
        r[ELIGIBILITY.factor_at] = self._factor(target, target, rule.factor)[1]
        r[ELIGIBILITY.numerator], r[ELIGIBILITY.shift] = rule.numerator, rule.shift
        if rule.leak is not None:
            r[ELIGIBILITY.leak_numerator], r[ELIGIBILITY.leak_shift] = rule.leak.numerator, rule.leak.shift
            r[ELIGIBILITY.leak_round] = SHIFTING[rule.leak.rounding]
        return r

    def _check_inputs(self) -> None:
        """Refuse a network in which what arrives in one tick could leave half of 32 bits."""
        synapses = [place.synapses for place in self.places]
        for (target, state), most in arriving(self.spec, synapses, [s.weight for s in synapses]).items():
            if most > _HIGHEST_32 // 2:
                raise NeurosimError(
                    f"population {self.spec.populations[target].name}, state {state}: up to {most} could arrive in a tick, and "
                    f"{_HIGHEST_32 // 2} is the most; lower gain, weights or fan-in"
                )

    # ------------------------------------------------------------------ arrays

    @property
    def shifts(self) -> NDArray[np.int64]:
        """The shift of each term as described."""
        return _stacked(self.terms, len(TERM), least=1)[:, TERM.shift]

    def program(self) -> SpikeProgram:
        """All registers and tables."""
        return SpikeProgram(
            self.populations,
            self.states,
            np.array(self.flows or [[0] * len(FLOW)], np.int64),
            _stacked(self.parts, len(PART)),
            _stacked(self.terms, len(TERM), least=1),
            _stacked(self.eligibility, len(ELIGIBILITY)),
            _joined(self.start, np.int64),
            _joined(self.target, np.int32),
            _joined(self.columns[0], np.int64),
            _joined(self.columns[1], np.int64),
            _joined(self.columns[2], np.int32),
            np.array(self.levels or [0], np.float64 if self.real else np.int64),
        )

    def memory(self) -> SpikeMemory:
        """All states at their beginning."""
        numbers = (np.float64, np.float64) if self.real else (np.int32, np.int16)
        room = _LANES  # whole vectors may be read at the end
        found = SpikeMemory(
            np.zeros(max(1, self.x_size) + room, numbers[0]),
            np.zeros(self.input_size + room, numbers[0]),
            np.concatenate([*self.weight, *self.dense, np.zeros(room, np.int16)]).astype(numbers[1], copy=False),
            np.zeros((self._dense_at if self.eligibility else 0) + room, numbers[1]),
            np.zeros(self.neurons + room, np.int32),
            np.full(self.neurons + room, -1, np.int64),
            np.zeros(self.ring_size + 1, np.int32),
            np.zeros(self.count_size + 1, np.int32),
            _joined(self.tables, np.int64),
            np.zeros(1, np.int64),
            np.zeros(1, np.int32),
            np.zeros(len(self.spec.populations), np.int64),
        )
        self.begin(found)
        return found

    def begin(self, memory: SpikeMemory) -> None:
        """States at their start, no input, nobody waiting."""
        memory.inputs[:] = 0
        memory.wait[:] = 0
        for number, population in enumerate(self.spec.populations):
            first = int(self.populations[number, POPULATION.states])
            for k, state in enumerate(population.states):
                at = int(self.states[first + k, STATE.at])
                memory.x[at : at + population.n] = state.start


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


def sorted_events(
    ticks: Sequence[int] | NDArray[Any], neurons: Sequence[int] | NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Events by tick, then neuron, each once: int64[events], int32[events]."""
    both = np.stack([np.asarray(ticks, np.int64), np.asarray(neurons, np.int64)])
    both = np.unique(both, axis=1) if both.size else both
    return both[0].copy(), both[1].astype(np.int32)


def _stacked(rows: Sequence[NDArray[np.int64]], width: int, least: int = 0) -> NDArray[np.int64]:
    return np.stack(rows) if rows else np.zeros((least, width), np.int64)


def _joined(parts: Sequence[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(1, kind)
