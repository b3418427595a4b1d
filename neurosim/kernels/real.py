"""The one kernel of real numbers: per-sample quantised updates, which no matrix product can sum."""

from __future__ import annotations

import numpy as np

from neurosim.kernels.jit import kernel

_ROOT_2 = np.float32(2**0.5)
_EXPONENT = np.int32(0x7F800000)  # of a float32: with the mantissa cleared it is the power of two below


@kernel
def quantised_update(total, below, signal, smallest, steps, logarithmic, keeps_all):
    """total[i, j] += sum over samples of Q(below[s, i] * signal[s, j]), Q with largest magnitude 1.

    total: float32[rows, n]; below: float32[samples, rows]; signal: float32[samples, n]. Log: powers of two from 1 down to
    `smallest`, geometric thresholds. Linear: odd multiples of 1 / steps. keeps_all: nothing but 0 becomes 0.
    """
    n = signal.shape[1]
    one, zero, half_steps = np.float32(1), np.float32(0), steps * np.float32(0.5)
    least = zero if keeps_all else (smallest / _ROOT_2 if logarithmic else np.float32(0.5) / steps)
    most = half_steps - np.float32(0.5)
    for s in range(below.shape[0]):
        for i in range(below.shape[1]):
            x = below[s, i]
            if x == zero:
                continue
            if logarithmic:
                for j in range(n):
                    v = x * signal[s, j]
                    size = abs(v)
                    # 2**round(log2 size) is the power of two at or below size * sqrt(2).
                    bits = np.int32(np.float32(size * _ROOT_2).view(np.int32) & _EXPONENT)
                    q = bits.view(np.float32)
                    q = min(max(q, smallest), one)
                    q = zero if size < least or size == zero else q
                    total[i, j] += q if v >= zero else -q
            else:
                for j in range(n):
                    v = x * signal[s, j]
                    size = abs(v)
                    level = min(np.floor(size * half_steps), most)
                    q = (np.float32(2) * level + one) / steps
                    q = zero if size < least or size == zero else q
                    total[i, j] += q if v >= zero else -q
