"""Projections: who is joined to whom, with what weights, delays and plasticity (docs/spiking.md 4 to 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import Fixed, check, check_all_whole, check_whole
from neurosim.ops import PHASES
from neurosim.rng import STREAM_SPIKE_CONNECT, STREAM_SPIKE_DELAY, STREAM_SPIKE_WEIGHT, words
from neurosim.spiking.plasticity import Plasticity

MOST_DELAY = 4095
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Connect:
    """Which pairs are joined: ``all``, ``one`` (i to i), or at random: each pair with a probability, or fan_out targets of each source.

    itself: whether a neuron may be joined to itself, in a projection of a population to itself.
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

    state: which, by default the target's first. weight: their word, at most 16 bits. initial: codes of the first weights: one for
    all, (low, high) for uniform ones, or an array int[synapses] in the order of `Synapses`
    (with `Pairs`, in theirs). connect: also a
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
        if isinstance(self.connect, FeedbackCrossbar):
            matrix = self.connect.draw(seed, number, n_source, n_target)
            sources, targets = np.nonzero(matrix)
            drawn = matrix[sources, targets]
        else:
            sources, targets = self._pairs(seed, number, n_source, n_target)
        order = np.lexsort((targets, sources)) if isinstance(self.connect, Pairs) else slice(None)
        sources, targets = sources[order], targets[order]
        start = np.zeros(n_source + 1, np.int64)
        np.cumsum(np.bincount(sources, minlength=n_source), out=start[1:])
        n = len(targets)
        weights = self._values("initial", self.initial, seed, STREAM_SPIKE_WEIGHT, number, n, order)
        if drawn is not None:
            weights = weights * drawn
            check_all_whole(
                f"{self.title}: entries of its crossbar times initial", weights, self.weight.low, self.weight.high
            )
        delays = self._values("delay", self.delay, seed, STREAM_SPIKE_DELAY, number, n, order)
        return Synapses(start, targets.astype(np.int32), weights.astype(np.int16), delays.astype(np.int16))

    def _pairs(self, seed: int, number: int, n_source: int, n_target: int) -> tuple[NDArray[Any], NDArray[Any]]:
        connect = self.connect
        if isinstance(connect, Pairs):
            sources, targets = np.asarray(connect.sources, np.int64), np.asarray(connect.targets, np.int64)
            check_all_whole(f"{self.title}: pairs.sources", sources, 0, n_source - 1)
            check_all_whole(f"{self.title}: pairs.targets", targets, 0, n_target - 1)
            return sources, targets
        assert isinstance(connect, Connect)
        if connect.kind == "one":
            if n_source != n_target:
                raise NeurosimError(
                    f"{self.title}: connect='one': {n_source} neurons cannot be joined one to one to {n_target}"
                )
            return np.arange(n_source), np.arange(n_source)
        if connect.kind == "all":
            sources, targets = np.repeat(np.arange(n_source), n_target), np.tile(np.arange(n_target), n_source)
        elif connect.probability is not None:
            sources, targets = _bernoulli(seed, number, n_source, n_target, connect.probability)
        else:
            sources, targets = _fan_out(seed, number, n_source, n_target, connect.fan_out or 0, self.title)
        if not connect.itself and self.source == self.target:
            kept = sources != targets
            sources, targets = sources[kept], targets[kept]
        return sources, targets

    def _values(
        self, field: str, values: Any, seed: int, stream: int, number: int, n: int, order: Any
    ) -> NDArray[np.int64]:
        """One value a synapse: the same for all, uniform between two, or as given."""
        if isinstance(values, tuple):
            low, high = values
            drawn = words(seed, stream, number, 0, n) >> np.uint64(32)
            uniform: NDArray[np.int64] = low + (drawn % np.uint64(high - low + 1)).astype(np.int64)
            return uniform
        array = np.asarray(values, np.int64)
        if array.ndim == 0:
            return np.full(n, int(array), np.int64)
        if array.shape != (n,):
            raise NeurosimError(f"{self.title}: {field} has shape {list(array.shape)}, and it has {n} synapses")
        given: NDArray[np.int64] = array[order]
        return given


def _check_range(name: str, values: Any, low: int, high: int) -> None:
    """A number for all, (low, high), or an array."""
    check_all_whole(name, values, low, high)
    if isinstance(values, tuple) and (len(values) != 2 or values[0] > values[1]):
        raise NeurosimError(f"{name}={values}: must be a number, (low, high), or an array")


def _bernoulli(seed: int, number: int, n_source: int, n_target: int, p: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pair (i, j) is joined where the word of item i * n_target + j, its upper half, is below p * 2**32."""
    from neurosim.rng import fold_array, key

    total, base, limit = n_source * n_target, key(seed, STREAM_SPIKE_CONNECT, number, 0), np.uint64(int(p * 2**32))
    parts = []
    for first in range(0, total, _CHUNK):
        items = np.arange(first, min(total, first + _CHUNK), dtype=np.uint64)
        parts.append(items[fold_array(base, items) >> np.uint64(32) < limit].astype(np.int64))
    found = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return found // n_target, found % n_target


def _fan_out(
    seed: int, number: int, n_source: int, n_target: int, k: int, title: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Target m of source i lies in the m-th of k equal parts of the population, at a place drawn by item i * k + m."""
    if k > n_target:
        raise NeurosimError(f"{title}: connect.fan_out={k}: the target has {n_target} neurons")
    edges = np.arange(k + 1, dtype=np.int64) * n_target // max(1, k)
    targets = np.empty((n_source, k), np.int64)
    from neurosim.rng import fold_array, key

    base = key(seed, STREAM_SPIKE_CONNECT, number, 0)
    rows = max(1, _CHUNK // max(1, k))
    for first in range(0, n_source, rows):
        last = min(n_source, first + rows)
        items = np.arange(first * k, last * k, dtype=np.uint64)
        drawn = (fold_array(base, items) >> np.uint64(32)).astype(np.int64).reshape(last - first, k)
        targets[first:last] = edges[:-1] + drawn % np.maximum(1, np.diff(edges))
    return np.repeat(np.arange(n_source), k), targets.ravel()
