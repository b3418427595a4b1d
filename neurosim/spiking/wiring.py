"""Projections compiled into parts: rows and columns of synapses, and where each synapse lies in memory (docs/spiking.md 4)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.kernels.registers import ROUNDING
from neurosim.kernels.spike_registers import PART, POPULATION, STATE
from neurosim.rng import STREAM_CONSOLIDATE, STREAM_ON_POST, STREAM_ON_PRE, STREAM_SPIKE_BLANK, layer_key
from neurosim.spiking.held import check_shared
from neurosim.spiking.plasticity import Plasticity
from neurosim.spiking.projection import Connect, Projection, Synapses, delays_of
from neurosim.spiking.spec import SpikingSpec
from neurosim.spiking.terms import Terms

LANES = 16
_BEHIND = np.zeros(LANES, np.int32)
"""Behind the lists of targets and sources: whole vectors may be read at the end."""
_STREAMS = {
    "blank_key": STREAM_SPIKE_BLANK,
    "pre_key": STREAM_ON_PRE,
    "post_key": STREAM_ON_POST,
    "consolidate_key": STREAM_CONSOLIDATE,
}


class Place(NamedTuple):
    """Where a projection's synapses lie: order: the place of each in `SpikeMemory.weight`, int64[synapses] or a slice."""

    order: NDArray[np.int64] | slice
    synapses: Synapses


def padded(n: int) -> int:
    """To whole vectors."""
    return -(-n // LANES) * LANES


def joined(parts: list[NDArray[Any]], kind: Any) -> NDArray[Any]:
    """The arrays one behind the other."""
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(1, kind)


class Wiring:
    """The parts of all projections and the lists they point into; sparse weights lie first in memory, dense blocks behind them.

    populations, states: the registers of both, int64[populations, :] and int64[states, :].
    """

    def __init__(
        self, spec: SpikingSpec, populations: NDArray[np.int64], states: NDArray[np.int64], *, real: bool
    ) -> None:
        self.spec, self.populations, self.states = spec, populations, states
        self.terms = Terms(spec, populations, states, real=real)
        self.parts: list[NDArray[np.int64]] = []
        self.places: list[Place] = []
        self.starts: list[NDArray[np.int64]] = []
        self.column_starts: list[NDArray[np.int64]] = []
        self._targets: list[NDArray[np.int32]] = []
        self._weights: list[NDArray[np.int16]] = []
        self._blocks: list[NDArray[np.int16]] = []
        self._column_synapses: list[NDArray[np.uint32]] = []
        self._column_sources: list[NDArray[np.int32]] = []
        drawn = [self._drawn(number, projection) for number, projection in enumerate(spec.projections)]
        check_shared(spec, drawn)
        pairs = list(zip(spec.projections, drawn, strict=True))
        self._sparse_at = 0
        self._dense_at = sum(len(synapses.target) for p, synapses in pairs if not _is_dense(p, synapses))
        for number, (projection, synapses) in enumerate(pairs):
            self._projection(number, projection, synapses)
        self.size = self._dense_at

    def lists(self) -> tuple[NDArray[Any], ...]:
        """`start` … `column_source` of `SpikeProgram`. Once: what has been joined is not kept in pieces."""
        targets = joined([*self._targets, _BEHIND], np.int32)
        self.places = [_on(place, targets) for place in self.places]
        self._targets = []
        return (
            joined(self.starts, np.int64),
            targets,
            joined(self.column_starts, np.int64),
            joined(self._column_synapses, np.uint32),
            joined([*self._column_sources, _BEHIND], np.int32),
        )

    def weights(self, kind: Any) -> NDArray[Any]:
        """All weights at their beginning. Once, likewise."""
        found = joined([*self._weights, *self._blocks, np.zeros(LANES, np.int16)], kind)
        self._weights, self._blocks = [], []
        return found

    @property
    def longest(self) -> int:
        """Synapses of the longest sparse row, or column."""
        return max((int(np.diff(s).max(initial=0)) for s in self.starts + self.column_starts), default=0)

    # ------------------------------------------------------------------ projections

    def _drawn(self, number: int, projection: Projection) -> Synapses:
        sizes = (self.spec.population(name).n for name in (projection.source, projection.target))
        return projection.draw(self.spec.seed, number, *sizes)

    def _projection(self, number: int, projection: Projection, synapses: Synapses) -> None:
        order: NDArray[np.int64] | slice
        if _is_dense(projection, synapses):
            order, parts = self._dense(number, projection, synapses)
        else:
            order, parts = self._sparse(number, projection, synapses)
        self.parts += parts
        self.places.append(Place(order, synapses))
        if projection.plasticity is not None:
            self._plastic(projection, projection.plasticity, self.places[-1], parts)
        for r in parts:
            r[PART.lanes] = self._fits_lanes(projection, r)

    def _fits_lanes(self, projection: Projection, r: NDArray[np.int64]) -> bool:
        rule = projection.plasticity
        if r[PART.dense]:
            return self.terms.fits_rows(projection)
        if rule is None or projection.gain < 0 or projection.blank_out:
            return False
        return self.terms.fits_lists(projection, rule.on_pre)

    def _dense(
        self, number: int, projection: Projection, synapses: Synapses
    ) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        r = self._part(number, projection)
        rows, n, stride = int(r[PART.rows]), int(r[PART.columns]), padded(int(r[PART.columns]))
        r[PART.delay], r[PART.dense], r[PART.stride], r[PART.weight] = synapses.delay[0], 1, stride, self._dense_at
        block = np.zeros((rows, stride), np.int16)
        block[:, :n] = synapses.weight.reshape(rows, n)
        self._blocks.append(block.ravel())
        order: NDArray[np.int64] = (self._dense_at + np.arange(rows)[:, None] * stride + np.arange(n)).ravel()
        self._dense_at += rows * stride
        return order, [r]

    def _sparse(
        self, number: int, projection: Projection, synapses: Synapses
    ) -> tuple[NDArray[np.int64] | slice, list[NDArray[np.int64]]]:
        """One part for each delay; returns where the synapses went, and the parts."""
        delays, n, at = delays_of(synapses), len(synapses.target), self._sparse_at
        if len(delays) == 1:
            part = self._rows(number, projection, delays[0], synapses.start, synapses, slice(None))
            return slice(at, at + n), [part]
        n_source = len(synapses.start) - 1
        row, order, parts = np.repeat(np.arange(n_source), np.diff(synapses.start)), np.empty(n, np.int64), []
        for delay in delays:
            chosen = np.flatnonzero(synapses.delay == delay)
            starts = np.zeros(n_source + 1, np.int64)
            np.cumsum(np.bincount(row[chosen], minlength=n_source), out=starts[1:])
            order[chosen] = self._sparse_at + np.arange(len(chosen))
            parts.append(self._rows(number, projection, delay, starts, synapses, chosen))
        return order, parts

    def _rows(
        self,
        number: int,
        projection: Projection,
        delay: int,
        starts: NDArray[np.int64],
        synapses: Synapses,
        chosen: Any,
    ) -> NDArray[np.int64]:
        r = self._part(number, projection)
        r[PART.delay], r[PART.row] = delay, sum(len(s) for s in self.starts)
        self.starts.append(starts + self._sparse_at)
        self._targets.append(synapses.target[chosen])
        self._weights.append(synapses.weight[chosen])
        self._sparse_at += int(starts[-1])
        return r

    def _part(self, number: int, projection: Projection) -> NDArray[np.int64]:
        r, spec = np.zeros(len(PART), np.int64), self.spec
        source, target = spec.number(projection.source), spec.number(projection.target)
        sender, population = spec.populations[source], spec.populations[target]
        state = self.populations[target, POPULATION.states] + population.state(projection.state)
        r[PART.projection], r[PART.source_number], r[PART.target_number] = number, source, target
        r[PART.source] = self.populations[source, POPULATION.first]
        r[PART.target] = self.populations[target, POPULATION.first]
        r[PART.input], r[PART.gain] = self.states[state, STATE.input], projection.gain
        r[PART.blank], r[PART.rows], r[PART.columns] = projection.blank_out, sender.n, population.n
        for name, stream in _STREAMS.items():
            r[PART[name]] = layer_key(spec.seed, stream, number)
        assert projection.low is not None
        assert projection.high is not None
        r[PART.low], r[PART.high], r[PART.round] = projection.low, projection.high, ROUNDING[projection.weight.rounding]
        r[PART.pre] = r[PART.post] = r[PART.eligibility] = -1
        return r

    def _plastic(self, projection: Projection, rule: Plasticity, place: Place, parts: list[NDArray[np.int64]]) -> None:
        target = self.spec.number(projection.target)
        if rule.on_pre is not None:
            row = self.terms.add(projection, rule.on_pre)
            for r in parts:
                r[PART.pre] = row
        if rule.on_post is not None:
            last = parts[-1]  # after all arrivals of the projection
            last[PART.post] = self.terms.add(projection, rule.on_post)
            last[PART.lanes_post] = self.terms.fits_lists(projection, rule.on_post)
            last[PART.column] = sum(len(c) for c in self.column_starts)
            self._by_target(place, self.spec.populations[target].n)
        if rule.eligibility is not None:
            word, row = rule.eligibility.word, self.terms.add_eligibility(target, rule.eligibility)
            for r in parts:
                r[PART.eligibility] = row
                r[PART.tag_low], r[PART.tag_high], r[PART.tag_round] = word.low, word.high, ROUNDING[word.rounding]

    def _by_target(self, place: Place, n_target: int) -> None:
        order, synapses = place
        by_target = np.argsort(synapses.target, kind="stable")
        starts = np.zeros(n_target + 1, np.int64)
        np.cumsum(np.bincount(synapses.target, minlength=n_target), out=starts[1:])
        sources = np.repeat(np.arange(len(synapses.start) - 1, dtype=np.int32), np.diff(synapses.start))
        self.column_starts.append(starts + sum(len(c) for c in self._column_synapses))
        placed = by_target + order.start if isinstance(order, slice) else order[by_target]
        self._column_synapses.append(placed.astype(np.uint32))
        self._column_sources.append(sources[by_target])


def _is_dense(projection: Projection, synapses: Synapses) -> bool:
    """Whether every row holds all targets in their order, with one delay: then no list of targets is needed."""
    connect = projection.connect
    whole = (
        isinstance(connect, Connect)
        and connect.kind == "all"
        and (connect.itself or projection.source != projection.target)
    )
    return whole and len(synapses.delay) > 0 and len(delays_of(synapses)) == 1


def _on(place: Place, targets: NDArray[np.int32]) -> Place:
    """A place whose list of targets is that of the program, where that holds it in the same order."""
    if isinstance(place.order, slice):
        return place._replace(synapses=place.synapses._replace(target=targets[place.order]))
    return place
