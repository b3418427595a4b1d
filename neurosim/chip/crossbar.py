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
from neurosim.formats import Fixed, check, check_whole
from neurosim.rng import STREAM_CONNECTION, STREAM_VALUE, words


@dataclass(frozen=True)
class FeedbackCrossbar:
    """How C is made: entries of 1 bit, {0, 1} or {-1, +1} (0 = not connected), or of a wider word.

    density: probability of a connection; fan_in: exact senders of each receiver instead (not both).
    storage: ``bitmap`` (every entry is held; sparse +-1 in two planes), ``addresses`` (a list of connected receivers by
    sender) or ``regenerated`` (nothing is held, a generator draws the row anew). It changes costs, never results.
    """

    bits: int = 1
    values: Literal["01", "+-1"] = "01"
    density: float | None = 0.25
    fan_in: int | None = None
    storage: Literal["bitmap", "addresses", "regenerated"] = "bitmap"

    def __post_init__(self) -> None:
        check_whole("feedback.bits", self.bits, 1, 16)
        check("feedback.values", self.values, ("01", "+-1"))
        check("feedback.storage", self.storage, ("bitmap", "addresses", "regenerated"))
        if self.fan_in is not None:
            check_whole("feedback.fan_in", self.fan_in, 0, 1 << 20)
            object.__setattr__(self, "density", None)
        elif self.density is None or not (math.isfinite(self.density) and 0 <= self.density <= 1):
            msg = f"feedback.density={self.density!r}: must be a number 0..1 (or give feedback.fan_in)"
            raise NeurosimError(msg)

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
        self, seed: int, layer: int, n_senders: int, n_receivers: int, fans: int | None = None
    ) -> NDArray[np.int64]:
        """C of one layer: int64[n_senders, n_receivers]. fans: fan-in plus fan-out, None for senders plus receivers."""
        shape = (n_senders, n_receivers)
        draws = words(seed, STREAM_CONNECTION, layer, 0, n_senders * n_receivers).reshape(shape)
        if self.fan_in is not None:
            if self.fan_in > n_senders:
                msg = f"feedback.fan_in={self.fan_in}: layer {layer} has {n_senders} senders, so 0..{n_senders}"
                raise NeurosimError(msg)
            rank = np.argsort(np.argsort(draws, axis=0, kind="stable"), axis=0, kind="stable")
            connected = rank < self.fan_in
        else:
            connected = (draws >> np.uint64(32)) < np.uint64(math.floor((self.density or 0.0) * 2**32))
        values = words(seed, STREAM_VALUE, layer, 0, n_senders * n_receivers).reshape(shape)
        if self.bits == 1:
            sign = 1 - 2 * (values >> np.uint64(63)).astype(np.int64) if self.values == "+-1" else 1
            return np.where(connected, sign, 0).astype(np.int64)
        reach = min(self.word.high, max(1, round(math.sqrt(6 / (fans or n_senders + n_receivers)) * 2**self.word.frac)))
        spread = ((values >> np.uint64(32)) % np.uint64(2 * reach + 1)).astype(np.int64) - reach
        return np.where(connected, spread, 0)
