"""The learning channel's quantisers and its local signals (docs/substrate.md 3)."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.registers import CHIP
from neurosim.kernels.words import rounded

_FEW = 16


@inner
def quantise(magnitude, levels, threshold, n_levels):
    """The index of the largest level whose threshold |x| reaches, or -1 for zero.

    magnitude: int64 > 0; thresholds stand in levels[threshold : threshold + n_levels], falling.
    """
    if n_levels <= _FEW:  # all at once: errors are unforeseeable, and so would be a search's branches
        k = 0
        for i in range(threshold, threshold + n_levels):
            k += magnitude < levels[i]
        return k if k < n_levels else -1
    if magnitude < levels[threshold + n_levels - 1]:
        return -1
    low, high = 0, n_levels - 1
    while low < high:
        middle = (low + high) >> 1
        if magnitude >= levels[threshold + middle]:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def requantise(x, levels, threshold, decode, n_levels):
    """The decoded value of the code of x != 0, with its sign; 0 where it is silent."""
    k = quantise(abs(np.int64(x)), levels, threshold, n_levels)
    if k < 0:
        return np.int64(0)
    return levels[decode + k] if x > 0 else -levels[decode + k]


@inlined
def received_error(chip, levels, total, shift):
    """What a unit receives, from the sum of its crossbar: (J, how often it was clipped, whether its quantiser lost it)."""
    exact = rounded(total, shift, chip[CHIP.received_round], np.int64(0))
    j = min(max(exact, chip[CHIP.received_low]), chip[CHIP.received_high])
    clipped, lost = np.int64(j != exact), np.int64(0)
    if chip[CHIP.received] != 0 and j != 0:
        clipped += abs(j) > chip[CHIP.received_alpha]
        j = requantise(j, levels, chip[CHIP.received_threshold], chip[CHIP.received_decode], chip[CHIP.received_levels])
        lost += j == 0
    return j, clipped, lost


@inlined
def local_error(chip, levels, r):
    """A local signal R != 0 after its quantiser: (R, whether it was clipped, whether it was lost)."""
    clipped = np.int64(abs(r) > chip[CHIP.local_alpha])
    r = requantise(r, levels, chip[CHIP.local_threshold], chip[CHIP.local_decode], chip[CHIP.local_levels])
    return r, clipped, np.int64(r == 0)
