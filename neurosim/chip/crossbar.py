"""Feedback crossbars: how the matrix C of the learning channel is drawn and held (docs/substrate.md 3 and 6).

Bernoulli density (Baldi, Sadowski, Lu 2018, 1.6 in their sparse study) and an exact fan-in (Crafton et al. 2019) are two
different devices, so both have a name. Only bits=1 is single-bit; wider ones exist for studies and for adaptive rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import Fixed, check, check_whole
from neurosim.rng import STREAM_CONNECTION, STREAM_VALUE, words


@dataclass(frozen=True)
class FeedbackCrossbar:
    """How C is made: entries of 1 bit, {0, 1} or {-1, +1} (0 = not connected), or of a wider word.

    density: probability of a connection; fan_in: exact senders of each receiver instead (not both).
    storage: ``bitmap`` (every entry is held; sparse +-1 in two planes), ``addresses`` (a list of connected receivers by
    sender) or ``regenerated`` (nothing is held, a generator draws the row anew). It changes costs, never results. A wider C is held
    whatever it says, and one that is redrawn never is.

    Entries wider than a bit are drawn ``uniform`` or ``normal`` with the standard deviation sqrt(2 / (senders + receivers))
    times scale, or the one in spread, about mean standard deviations. rank: only so many singular values are kept, the largest.
    sets: so many matrices are drawn and averaged. redraw: C is drawn anew before every step. per: ``neuron`` (one weight from a
    sender to a neuron) or ``synapse`` (one to each of its synapses, float engine only).
    """

    bits: int = 1
    values: Literal["01", "+-1"] = "01"
    density: float | None = 0.25
    fan_in: int | None = None
    storage: Literal["bitmap", "addresses", "regenerated"] = "bitmap"
    distribution: Literal["uniform", "normal"] = "uniform"
    scale: float = 1.0
    spread: float | None = None
    mean: float = 0.0
    rank: int | None = None
    sets: int = 1
    redraw: bool = False
    per: Literal["neuron", "synapse"] = "neuron"

    def __post_init__(self) -> None:
        settle(self, "feedback")
        check_whole("feedback.bits", self.bits, 1, 16)
        check("feedback.values", self.values, ("01", "+-1"))
        check("feedback.storage", self.storage, ("bitmap", "addresses", "regenerated"))
        check("feedback.distribution", self.distribution, ("uniform", "normal"))
        check("feedback.per", self.per, ("neuron", "synapse"))
        check_whole("feedback.sets", self.sets, 1, 1 << 10)
        for name, value, least in (
            ("scale", self.scale, 0.0),
            ("mean", self.mean, -1e3),
            ("spread", self.spread or 0.0, 0.0),
        ):
            if not (math.isfinite(value) and least <= value <= 1e3):
                raise NeurosimError(f"feedback.{name}={value!r}: must be a number {least:g}..1000")
        if self.rank is not None:
            check_whole("feedback.rank", self.rank, 0, 1 << 20)
        if self.fan_in is not None:
            check_whole("feedback.fan_in", self.fan_in, 0, 1 << 20)
            object.__setattr__(self, "density", None)
        elif self.density is None or not (math.isfinite(self.density) and 0 <= self.density <= 1):
            msg = f"feedback.density={self.density!r}: must be a number 0..1 (or give feedback.fan_in)"
            raise NeurosimError(msg)
        if self.bits == 1 and (self.rank is not None or self.sets > 1 or self.mean or self.distribution == "normal"):
            raise NeurosimError(
                "feedback.bits=1: rank, sets, mean and distribution shape entries of several bits; give feedback.bits of 2..16"
            )

    @property
    def word(self) -> Fixed:
        """The word of an entry."""
        return Fixed(self.bits, self.bits - 1 if self.bits > 1 else 0, rounding="stochastic")

    def expected_fan_in(self, n_senders: int) -> float:
        """Connections that a receiver may expect."""
        return float(self.fan_in if self.fan_in is not None else (self.density or 0.0) * n_senders)

    def replace(self, **changes: Any) -> FeedbackCrossbar:
        """A copy with some fields changed; a fan-in takes the place of a density."""
        return replace(self, **changes)

    def draw(
        self,
        seed: int,
        layer: int,
        n_senders: int,
        n_receivers: int,
        *,
        variant: int = 0,
        fans: int | None = None,
    ) -> NDArray[np.int64]:
        """C of one layer in codes of its word: int64[n_senders, n_receivers].

        variant: tells several C of a layer apart; fans: fan-in plus fan-out, None for senders plus receivers.
        """
        shape = (n_senders, n_receivers)
        if self.bits > 1 and not self._is_plain:
            return self.word.encode_array(self.draw_real(seed, layer, *shape, variant=variant, fans=fans))
        values = words(seed, STREAM_VALUE, layer, variant, n_senders * n_receivers).reshape(shape)
        connected = self._connected(seed, layer, shape, variant)
        if self.bits == 1:
            sign = 1 - 2 * (values >> np.uint64(63)).astype(np.int64) if self.values == "+-1" else 1
            return np.where(connected, sign, 0).astype(np.int64)
        reach = min(self.word.high, max(1, round(math.sqrt(6 / (fans or n_senders + n_receivers)) * 2**self.word.frac)))
        spread = ((values >> np.uint64(32)) % np.uint64(2 * reach + 1)).astype(np.int64) - reach
        return np.where(connected, spread, 0)

    def draw_real(
        self,
        seed: int,
        layer: int,
        n_senders: int,
        n_receivers: int,
        *,
        variant: int = 0,
        fans: int | None = None,
    ) -> NDArray[np.float64]:
        """C of one layer in real numbers: float64[n_senders, n_receivers]; single-bit entries are as in `draw`, times scale."""
        shape = (n_senders, n_receivers)
        if self.bits == 1:
            scaled: NDArray[np.float64] = (
                self.draw(seed, layer, *shape, variant=variant).astype(np.float64) * self.scale
            )
            return scaled
        total = np.zeros(shape)
        for one in range(self.sets):
            sub = variant + (one << 48)  # beyond any step's variant
            drawn = deviates(words(seed, STREAM_VALUE, layer, sub, n_senders * n_receivers), self.distribution)
            usual = self.scale * math.sqrt(2 / (fans or n_senders + n_receivers))
            entries = (drawn.reshape(shape) + self.mean) * (usual if self.spread is None else self.spread)
            total += np.where(self._connected(seed, layer, shape, sub), entries, 0.0)
        total /= self.sets
        return total if self.rank is None else _of_rank(total, self.rank)

    @property
    def is_streamed(self) -> bool:
        """Whether a generator can follow the recipe entry by entry, as a chip that redraws C must."""
        return self.fan_in is None and self._is_plain

    @property
    def _is_plain(self) -> bool:
        """Whether C is what docs/substrate.md 6 draws in integers."""
        return self.distribution == "uniform" and (
            self.scale, self.spread, self.mean, self.rank, self.sets
        ) == (1.0, None, 0.0, None, 1)  # fmt: skip

    def _connected(self, seed: int, layer: int, shape: tuple[int, int], variant: int) -> NDArray[np.bool_]:
        draws = words(seed, STREAM_CONNECTION, layer, variant, shape[0] * shape[1]).reshape(shape)
        if self.fan_in is None:
            return draws >> np.uint64(32) < np.uint64(math.floor((self.density or 0.0) * 2**32))
        if self.fan_in > shape[0]:
            msg = f"feedback.fan_in={self.fan_in}: layer {layer} has {shape[0]} senders, so 0..{shape[0]}"
            raise NeurosimError(msg)
        rank = np.argsort(np.argsort(draws, axis=0, kind="stable"), axis=0, kind="stable")
        return rank < self.fan_in


def redrawn(step: int) -> int:
    """The variant of a C that is drawn for one step; below it there is room for the variants of one that is not."""
    return (step + 1) << 8


def deviates(drawn: NDArray[np.uint64], distribution: str) -> NDArray[np.float64]:
    """Random words as numbers of mean 0 and standard deviation 1, ``uniform`` or ``normal``, on a grid of 2**-20.

    The grid makes them the same wherever the normal quantile differs in its last places.
    """
    share = ((drawn >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    if distribution == "normal":
        from scipy.special import ndtri

        spread = ndtri(share)
    else:
        spread = (2 * share - 1) * math.sqrt(3)
    found: NDArray[np.float64] = np.ldexp(np.rint(np.ldexp(spread, 20)), -20)
    return found


def _of_rank(matrix: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """The nearest matrix of a rank: its largest singular values alone."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    found: NDArray[np.float64] = (left[:, :rank] * values[:rank]) @ right[:rank]
    return found
