"""Projections: who is joined to whom, with what weights, delays and plasticity (docs/spiking.md 4 to 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import Fixed, check, check_all_whole, check_whole
from neurosim.ops import PHASES
from neurosim.rng import STREAM_SPIKE_CONNECT, STREAM_SPIKE_DELAY, STREAM_SPIKE_WEIGHT, fold_array, key
from neurosim.spiking.plasticity import Plasticity

MOST_DELAY = 4095
MOST_SYNAPSES = (1 << 31) - 1
"""Of a projection; at 8 bytes each they are more than most machines hold."""
_CHUNK = 1 << 22
_Joined = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Sources and targets of some synapses."""


@dataclass(frozen=True)
class Connect:
    """Which pairs are joined: ``all``, ``one`` (i to i), or at random: each pair with a probability, or fan_out targets of each source.

    itself: whether a neuron may be joined to itself, in a projection of a population to itself. A probability draws for every pair, a
    fan_out for the synapses alone: take that between a hundred thousand neurons and more.
    """

    kind: Literal["all", "one", "random"] = "all"
    probability: float | None = None
    fan_out: int | None = None
    itself: bool = True

    def __post_init__(self) -> None:
        settle(self, "connect")
        check("connect.kind", self.kind, ("all", "one", "random"))
        if (self.kind == "random") != ((self.probability is None) != (self.fan_out is None)):
            raise NeurosimError(
                f"connect.kind={self.kind!r}: 'random' needs a probability or a fan_out, one of them; the others neither"
            )
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise NeurosimError(f"connect.probability={self.probability!r}: must be a number 0..1")
        if self.fan_out is not None:
            check_whole("connect.fan_out", self.fan_out, 0, 1 << 24)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Synapses given one by one: sources int[synapses], targets int[synapses]; a pair may occur more than once."""

    sources: Sequence[int] | NDArray[Any]
    targets: Sequence[int] | NDArray[Any]

    def __post_init__(self) -> None:
        settle(self, "pairs")
        check_all_whole("pairs.sources", self.sources, 0, 1 << 24)
        check_all_whole("pairs.targets", self.targets, 0, 1 << 24)
        sources, targets = np.asarray(self.sources), np.asarray(self.targets)
        if sources.shape != targets.shape or sources.ndim != 1:
            raise NeurosimError(
                f"pairs: {list(sources.shape)} sources and {list(targets.shape)} targets must be lists of one length"
            )


class Synapses(NamedTuple):
    """The synapses of a projection, by source, then target.

    start: int64[n_source + 1], where each source's begin; target: int32[synapses]; weight, delay: int16[synapses].
    """

    start: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.int16]
    delay: NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population onto one state of another.

    state: which, by default the target's first. weight: their word, at most 16 bits; codes count, so its `frac` plays no part. initial:
    codes of the first weights: one for all, (low, high) for uniform ones, or an array int[synapses] in the order of `Synapses` (with
    `Pairs`, in theirs). connect: also a
    `FeedbackCrossbar`, whose entries are then the weights (times `initial`, a number). delay: ticks, or (low, high). gain: weights
    arrive times 2**gain. blank_out: synaptic events lost, of 256. low, high: bounds of plastic weights, by default the word's. phase:
    under which its operations are counted. shares: an earlier projection (its name or `source->target`) with the same pairs and delays,
    whose lists of addresses serve this one, too (docs/spiking.md 10); it changes what is held, never results.
    """

    source: str
    target: str
    state: str = ""
    weight: Fixed = Fixed(8, 0, rounding="stochastic")
    initial: int | tuple[int, int] | NDArray[Any] = 1
    connect: Connect | Pairs | FeedbackCrossbar = Connect()
    delay: int | tuple[int, int] | NDArray[Any] = 0
    gain: int = 0
    blank_out: int = 0
    plasticity: Plasticity | None = None
    low: int | None = None
    high: int | None = None
    phase: str = "forward"
    name: str = ""
    shares: str = ""

    def __post_init__(self) -> None:
        settle(self, "projection")
        where = self.title
        if not self.weight.signed or not 2 <= self.weight.bits <= 16:
            raise NeurosimError(f"{where}: weight={self.weight}: must be a signed word of 2..16 bits")
        check(f"{where}: weight.overflow", self.weight.overflow, ("saturate",))
        check_whole(f"{where}: gain", self.gain, -15, 16)
        check_whole(f"{where}: blank_out", self.blank_out, 0, 255)
        check(f"{where}: phase", self.phase, tuple(PHASES))
        for name, default in (("low", self.weight.low), ("high", self.weight.high)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
            check_whole(f"{where}: {name}", getattr(self, name), self.weight.low, self.weight.high)
        if self.low > self.high:  # type: ignore[operator]
            raise NeurosimError(f"{where}: low={self.low} is above high={self.high}")
        _check_range(f"{where}: initial", self.initial, self.weight.low, self.weight.high)
        _check_range(f"{where}: delay", self.delay, 0, MOST_DELAY)

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"projection {self.name or f'{self.source}->{self.target}'}"

    def replace(self, **changes: Any) -> Projection:
        """A copy with some fields changed; a new word brings its own bounds."""
        if "weight" in changes:
            changes = {"low": None, "high": None, **changes}
        return replace(self, **changes)

    def draw(self, seed: int, number: int, n_source: int, n_target: int) -> Synapses:
        """The synapses of projection `number`. Raises NeurosimError for arrays that do not fit."""
        drawn: NDArray[Any] | None = None
        order: Any = slice(None)
        if isinstance(self.connect, FeedbackCrossbar):
            matrix = self.connect.draw(seed, number, n_source, n_target)
            chunks: Any = [np.nonzero(matrix)]
            drawn = matrix[chunks[0]]
        elif isinstance(self.connect, Pairs):
            pairs = self._given(n_source, n_target)
            order = np.lexsort(pairs[::-1])
            chunks = [(pairs[0][order], pairs[1][order])]
        else:
            chunks = self._chunks(seed, number, n_source, n_target)
        start = np.zeros(n_source + 1, np.int64)
        targets = _listed(chunks, start[1:])
        np.cumsum(start, out=start)
        weights = self._values("initial", self.initial, seed, STREAM_SPIKE_WEIGHT, number, len(targets), order)
        if drawn is not None:
            products = weights.astype(np.int64) * drawn
            check_all_whole(
                f"{self.title}: entries of its crossbar times initial", products, self.weight.low, self.weight.high
            )
            weights = products.astype(np.int16)
        delays = self._values("delay", self.delay, seed, STREAM_SPIKE_DELAY, number, len(targets), order)
        return Synapses(start, targets, weights, delays)

    def _given(self, n_source: int, n_target: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        connect = self.connect
        assert isinstance(connect, Pairs)
        sources, targets = np.asarray(connect.sources, np.int64), np.asarray(connect.targets, np.int64)
        check_all_whole(f"{self.title}: pairs.sources", sources, 0, n_source - 1)
        check_all_whole(f"{self.title}: pairs.targets", targets, 0, n_target - 1)
        return sources, targets

    def _chunks(self, seed: int, number: int, n_source: int, n_target: int) -> Iterator[_Joined]:
        """All pairs that a description joins, some rows at a time."""
        connect = self.connect
        assert isinstance(connect, Connect)
        of_each = {"one": 1, "all": n_target}.get(connect.kind, connect.fan_out)
        expected = n_source * n_target * (connect.probability or 0) if of_each is None else n_source * of_each
        check_whole(f"{self.title}: synapses", int(expected), 0, MOST_SYNAPSES)
        if connect.kind == "one":
            if n_source != n_target:
                raise NeurosimError(
                    f"{self.title}: connect='one': {n_source} neurons cannot be joined one to one to {n_target}"
                )
            yield np.arange(n_source), np.arange(n_source)
            return
        if connect.kind == "all":
            chunks = _everything(n_source, n_target)
        elif connect.probability is not None:
            chunks = _bernoulli(seed, number, n_source, n_target, connect.probability)
        else:
            chunks = _fan_out(seed, number, n_source, n_target, connect.fan_out or 0, self.title)
        for sources, targets in chunks:
            if connect.itself or self.source != self.target:
                yield sources, targets
            else:
                yield sources[sources != targets], targets[sources != targets]

    def _values(
        self, field: str, values: Any, seed: int, stream: int, number: int, n: int, order: Any
    ) -> NDArray[np.int16]:
        """One value a synapse: the same for all (one number in memory, read-only), uniform between two, or as given."""
        if isinstance(values, tuple):
            return _uniform(key(seed, stream, number, 0), values, n)
        array = np.asarray(values, np.int64)
        if array.ndim == 0:
            return np.broadcast_to(array.astype(np.int16), (n,))
        if array.shape != (n,):
            raise NeurosimError(f"{self.title}: {field} has shape {list(array.shape)}, and it has {n} synapses")
        given: NDArray[np.int16] = array[order].astype(np.int16)
        return given


def delays_of(synapses: Synapses) -> tuple[int, ...]:
    """The different delays, rising; of no synapses 0."""
    delay = synapses.delay
    if not len(delay) or delay.strides == (0,):
        return tuple(map(int, delay[:1])) or (0,)
    return tuple(np.flatnonzero(np.bincount(delay)).tolist())


def _listed(chunks: Iterable[_Joined], counts: NDArray[np.int64]) -> NDArray[np.int32]:
    """The targets of all chunks, one behind the other. counts: int64[n_source] out, synapses of each source."""
    parts = []
    for sources, targets in chunks:
        counts += np.bincount(sources, minlength=len(counts))
        parts.append(targets.astype(np.int32))
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def _check_range(name: str, values: Any, low: int, high: int) -> None:
    """A number for all, (low, high), or an array."""
    check_all_whole(name, values, low, high)
    if isinstance(values, tuple) and (len(values) != 2 or values[0] > values[1]):
        raise NeurosimError(f"{name}={values}: must be a number, (low, high), or an array")


def _uniform(base: int, ends: tuple[int, int], n: int) -> NDArray[np.int16]:
    """Of synapse m low + the upper half of item m, modulo high - low + 1."""
    low, high = ends
    found = np.empty(n, np.int16)
    for first in range(0, n, _CHUNK):
        items = np.arange(first, min(n, first + _CHUNK), dtype=np.uint64)
        drawn = (fold_array(base, items) >> np.uint64(32)) % np.uint64(high - low + 1)
        found[first : first + _CHUNK] = low + drawn.astype(np.int64)
    return found


def _everything(n_source: int, n_target: int) -> Iterator[_Joined]:
    """Each source to all targets."""
    rows = max(1, _CHUNK // max(1, n_target))
    for first in range(0, n_source, rows):
        sources = np.arange(first, min(n_source, first + rows))
        yield np.repeat(sources, n_target), np.tile(np.arange(n_target), len(sources))


def _bernoulli(seed: int, number: int, n_source: int, n_target: int, p: float) -> Iterator[_Joined]:
    """Pair (i, j) is joined where the word of item i * n_target + j, its upper half, is below p * 2**32."""
    total, base, limit = n_source * n_target, key(seed, STREAM_SPIKE_CONNECT, number, 0), np.uint64(int(p * 2**32))
    for first in range(0, total, _CHUNK):
        items = np.arange(first, min(total, first + _CHUNK), dtype=np.uint64)
        found = items[fold_array(base, items) >> np.uint64(32) < limit].astype(np.int64)
        yield found // n_target, found % n_target


def _fan_out(seed: int, number: int, n_source: int, n_target: int, k: int, title: str) -> Iterator[_Joined]:
    """Target m of source i lies in the m-th of k equal parts of the population, at a place drawn by item i * k + m."""
    if k > n_target:
        raise NeurosimError(f"{title}: connect.fan_out={k}: the target has {n_target} neurons")
    edges = np.arange(k + 1, dtype=np.int64) * n_target // max(1, k)
    base, rows = key(seed, STREAM_SPIKE_CONNECT, number, 0), max(1, _CHUNK // max(1, k))
    for first in range(0, n_source, rows):
        last = min(n_source, first + rows)
        items = np.arange(first * k, last * k, dtype=np.uint64)
        drawn = (fold_array(base, items) >> np.uint64(32)).astype(np.int64).reshape(last - first, k)
        targets = edges[:-1] + drawn % np.maximum(1, np.diff(edges))
        yield np.repeat(np.arange(first, last), k), targets.ravel()
