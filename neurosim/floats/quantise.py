"""The quantisers of docs/substrate.md 3 on real numbers: the same magnitudes and thresholds, without a word's grid."""

from __future__ import annotations

import math

import numpy as np

from neurosim.floats.activations import Floats
from neurosim.formats import Quantiser


def quantise(quantiser: Quantiser, x: Floats) -> Floats:
    """Each element's nearest level, in the sense of the quantiser's thresholds; 0 stays 0. The shape and dtype of x."""
    size = np.abs(x)
    size /= x.dtype.type(quantiser.alpha)
    found = _log(quantiser, size) if quantiser.kind == "log" else _linear(quantiser, size)
    found *= x.dtype.type(quantiser.alpha)
    return np.copysign(found, x, out=found)


def saturated(quantiser: Quantiser, x: Floats) -> float:
    """The share of non-zero elements beyond the largest magnitude."""
    return float((np.abs(x) > quantiser.alpha).sum() / max(1, np.count_nonzero(x)))


def _log(q: Quantiser, size: Floats) -> Floats:
    per_octave = 1 << q.base_exponent  # base = 2**(1 / per_octave)
    ratio = 2.0 ** (-1 / per_octave)
    lower = {"geometric": ratio**0.5, "midpoint": (1 + ratio) / 2, "floor": 1.0}[str(q.thresholds)]
    with np.errstate(divide="ignore"):
        level = np.log2(size)
    # The largest magnitude base**-k whose threshold, lower * base**-k, is not above |x|.
    level *= -per_octave
    level += size.dtype.type(math.log2(lower) * per_octave)
    np.ceil(level, out=level)
    too_small = size == 0 if q.zero == "none" else level > q.n_levels - 1
    np.clip(level, 0, q.n_levels - 1, out=level)
    level *= size.dtype.type(-1 / per_octave)
    found: Floats = np.exp2(level)
    found[too_small] = 0
    return found


def _linear(q: Quantiser, size: Floats) -> Floats:
    n = q.n_levels
    if q.zero == "code":
        even: Floats = np.minimum(np.floor(size * n + 0.5), n) / size.dtype.type(n)
        return even
    steps = 2 * n - 1
    level = np.minimum(np.floor(size * (steps / 2)), n - 1)
    found: Floats = (2 * level + 1) / size.dtype.type(steps)
    found[size == 0 if q.zero == "none" else size * (2 * steps) < 1] = 0
    return found
