"""What is measured beside accuracy: how far updates are from the gradient, saturation, and the area under the ROC curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.floats.activations import Floats
from neurosim.floats.network import FloatNetwork
from neurosim.floats.quantise import saturated


def degrees(a: Floats, b: Floats) -> float:
    """The angle between two arrays taken as vectors, in degrees; 90 where one of them is 0."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    if size == 0:
        return 90.0
    return float(np.degrees(np.arccos(np.clip(float((a * b).sum()) / size, -1, 1))))


def update_angles(net: FloatNetwork, inputs: Floats, wanted: NDArray[Any]) -> dict[str, float]:
    """How far a rule is from backpropagation on the same weights (Lillicrap et al. 2016), for a batch of samples.

    Of each hidden layer h: `angle_update_h`, between the rule's weight update and the gradient's; `angle_signal_h`, between J and
    the gradient's J, the mean over samples; `ratio_h`, the norm of the update over the gradient's; `symmetry_h`, the correlation
    of C with the transpose of the weights above, in layered rules. Without h: the mean over layers. Degrees; a layer that
    receives nothing is left out.
    """
    activity = net.forward(inputs)
    own, found = net.changes(activity, wanted, 1.0), net.signals(activity, wanted)
    exact, gradient = net.exact_changes(activity, wanted)
    measures: dict[str, float] = {}
    for layer in range(net.spec.last):
        mine, true, ours, theirs = (
            own.weights[layer],
            exact.weights[layer],
            found.arriving[layer],
            gradient.arriving[layer],
        )
        if mine is None or true is None or ours is None or theirs is None:
            continue
        measures[f"angle_update_{layer}"] = degrees(mine, true)
        measures[f"angle_signal_{layer}"] = float(np.mean([degrees(a, b) for a, b in zip(ours, theirs, strict=True)]))
        measures[f"ratio_{layer}"] = float(np.linalg.norm(mine) / max(1e-30, float(np.linalg.norm(true))))
        if net.spec.channel.route == "layered" and net.spec.channel.matrix == "random":
            measures[f"symmetry_{layer}"] = _correlation(net, layer)
    for kind in ("angle_update", "angle_signal", "ratio", "symmetry"):
        of_layers = [value for name, value in measures.items() if name.startswith(f"{kind}_")]
        if of_layers:
            measures[kind] = float(np.mean(of_layers))
    return measures


def saturated_share(net: FloatNetwork, inputs: Floats, wanted: NDArray[Any]) -> float:
    """The share of received signals, of those that are not 0, beyond the quantiser's largest magnitude; in per cent over hidden layers."""
    found = net.signals(net.forward(inputs), wanted)
    limit = net.spec.channel.received_error
    shares = [saturated(limit, whole) for whole in found.whole if whole is not None]
    return 100 * float(np.mean(shares)) if shares else 0.0


def _correlation(net: FloatNetwork, layer: int) -> float:
    own = net.crossbar(layer)
    assert own is not None
    return float(np.corrcoef(own.ravel(), net.synapses(layer + 1).T.ravel())[0, 1])


def roc_area(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The area under the ROC curve: the chance that a sample of class 1 scores above one of class 0, ties counting a half.

    scores: float64[samples]; labels: 0 or 1. NaN where one class is missing.
    """
    from scipy.stats import rankdata

    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[labels == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))
