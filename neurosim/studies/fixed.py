"""A setting on the simulated chip: the same measures as in floats, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from neurosim import costs
from neurosim.chip.network import Network
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats.training import Training
from neurosim.rng import sample_order
from neurosim.studies.tasks import Task, unexplained

if TYPE_CHECKING:
    from neurosim.studies.setting import Setting

_HARDWARE = "digital_45nm"
_ON_CHIP = ("epochs", "batch_size", "rate", "halve_every")


def exponent(training: Training) -> int:
    """K of the first rate 2**-k. Raises NeurosimError for a protocol that the chip has no circuit for."""
    plain = Training()
    for name in ("decay", "mean", "optimiser", "momentum", "nesterov", "weight_decay", "shift", "flip", "standardise"):
        if getattr(training, name) != getattr(plain, name):
            raise NeurosimError(
                f"training.{name}={getattr(training, name)!r}: must be {getattr(plain, name)!r} on the chip, "
                f"which has {', '.join(_ON_CHIP)}; the float engine has the rest"
            )
    mantissa, power = math.frexp(training.rate)
    if mantissa != 0.5:
        raise NeurosimError(f"training.rate={training.rate!r}: must be a power of two on the chip")
    return 1 - power


def run_fixed(setting: Setting, spec: NetworkSpec, task: Task, progress: Callable[[str], None]) -> dict[str, Any]:
    """Train and evaluate on the chip; returns measures by name: accuracies in per cent, costs a learning sample at 45 nm."""
    training = setting.training
    first = exponent(training)
    net = Network(spec)
    scale = round(1 / task.scale) if task.scale != 1 else None
    train, test = (net.encode(x, scale) for x in (task.train_inputs, task.test_inputs))
    wanted = task.train_wanted if task.n_classes else net.encode_targets(task.train_wanted)
    curve, right = [], 0
    for epoch in range(training.epochs):
        rate = first + (epoch // training.halve_every if training.halve_every else 0)
        order = sample_order(spec.seed, epoch, len(train))
        right = net.train(train, wanted, rate=rate, batch_size=training.batch_size, order=order)
        curve.append(100 * _score(net, test, task))
        progress(f"epoch {epoch + 1}/{training.epochs}, test {curve[-1]:.2f}")
    counts = net.counts()
    cost = costs.price(counts, None, net.layout(), costs.load(_HARDWARE))
    n = max(1, counts.samples)
    last = curve[-1] if curve else 100 * _score(net, test, task)
    learned: dict[str, Any] = {"test_error": last}
    if task.n_classes:
        learned = {"test_accuracy": last, "train_accuracy": 100 * right / len(train)}
    return learned | {
        "learning_nj": cost.energy_pj_per_sample / 1e3,
        "channel_bits": counts.total("error_code_bit") / n,
        "update_pairs": counts.total("update_pair") / n,
        "curve": " ".join(f"{value:.4g}" for value in curve),
    }


def _score(net: Network, test: NDArray[Any], task: Task) -> float:
    """Accuracy, or the share of real targets' variance that is left over."""
    if task.n_classes:
        return net.evaluate(test, task.test_wanted)
    return unexplained(net.outputs(test), task.test_wanted)
