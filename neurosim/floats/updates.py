"""Updates that are quantised sample by sample, before they are summed: Q(eta * O_i * R_j) for every synapse."""

from __future__ import annotations

import numpy as np

from neurosim.errors import NeurosimError
from neurosim.floats.activations import Floats
from neurosim.formats import Quantiser
from neurosim.kernels.real import quantised_update


def per_sample_update(quantiser: Quantiser, below: Floats, signal: Floats, eta: float, *, bias: bool) -> Floats:
    """The sum over samples of quantised updates: float32[rows, n_out], the bias row last.

    below: [samples, n_in]; signal: [samples, n_out]. Raises NeurosimError for a base other than 2.
    """
    if quantiser.kind == "log" and (quantiser.base != 2.0 or quantiser.thresholds != "geometric"):
        raise NeurosimError(
            "channel.update: the float engine quantises updates with base=2.0 and thresholds='geometric'"
        )
    if bias:
        below = np.concatenate([below, np.ones((len(below), 1), below.dtype)], axis=1)
    total = np.zeros((below.shape[1], signal.shape[1]), np.float32)
    if quantiser.bits == 1 and quantiser.zero == "none":
        signs: Floats = np.sign(below).T @ np.sign(signal)
        return signs * quantiser.alpha
    n, alpha = quantiser.n_levels, signal.dtype.type(quantiser.alpha)
    quantised_update(
        total,
        np.ascontiguousarray(below, np.float32),
        np.ascontiguousarray(signal * (signal.dtype.type(eta) / alpha), np.float32),
        np.float32(2.0 ** -min(n - 1, 120)),
        np.float32(2 * n - 1),
        quantiser.kind == "log",
        quantiser.zero == "none",
    )
    total *= alpha
    return total
