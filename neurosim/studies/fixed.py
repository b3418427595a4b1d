"""A setting on the simulated chip, epoch by epoch: the same measures as in floats, and what they cost."""

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
from neurosim.studies.tasks import Problem, unexplained

if TYPE_CHECKING:
    from neurosim.studies.setting import Setting

_HARDWARE = "digital_45nm"
_PIECE = 512
"""Mini-batches between two lines of progress."""
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


class FixedRun:
    """One run in progress. Measures beside the score are costs of a learning sample at 45 nm."""

    def __init__(self, setting: Setting, spec: NetworkSpec, problem: Problem) -> None:
        self.training, self.problem = setting.training, problem
        self.epochs, self.scored = setting.training.epochs, problem.scored
        self.rate = exponent(setting.training)
        self.net = Network(spec)
        scale = round(1 / problem.scale) if problem.scale != 1 else None
        self.train, self.test = (self.net.encode(x, scale) for x in (problem.train_inputs, problem.test_inputs))
        self.wanted = problem.train_wanted if problem.n_classes else self.net.encode_targets(problem.train_wanted)
        self.epoch = self.right = 0

    def train_epoch(self, progress: Callable[[str], None]) -> None:
        """One epoch."""
        training, n = self.training, len(self.train)
        rate = self.rate + (self.epoch // training.halve_every if training.halve_every else 0)
        order = sample_order(self.net.spec.seed, self.epoch, n)
        at, piece, self.right = f"epoch {self.epoch + 1}/{training.epochs}", _PIECE * training.batch_size, 0
        for start in range(0, n, piece):
            self.right += self.net.train(
                self.train,
                self.wanted,
                rate=rate,
                batch_size=training.batch_size,
                order=order[start : start + piece],
            )
            progress(f"{at}, {min(n, start + piece) / n:.0%}")
        self.epoch += 1

    def score(self) -> float:
        """Test accuracy in per cent, or the per cent of real targets' variance that is left over."""
        if self.problem.n_classes:
            return 100 * self.net.evaluate(self.test, self.problem.test_wanted)
        return 100 * unexplained(self.net.outputs(self.test), self.problem.test_wanted)

    def measures(self) -> dict[str, Any]:
        """What is known at the end, beside the score."""
        counts = self.net.counts()
        cost = costs.price(counts, None, self.net.layout(), costs.load(_HARDWARE))
        n = max(1, counts.samples)
        found = {"train_accuracy": 100 * self.right / len(self.train)} if self.problem.n_classes else {}
        return found | {
            "learning_nj": cost.energy_pj_per_sample / 1e3,
            "channel_bits": counts.total("error_code_bit") / n,
            "update_pairs": counts.total("update_pair") / n,
        }

    def notes(self) -> dict[str, Any]:
        """What a checkpoint holds beside arrays."""
        return {"epoch": self.epoch, "right": self.right}

    def state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint holds as arrays."""
        return self.net.state()

    def load(self, notes: dict[str, Any], state: dict[str, NDArray[Any]]) -> None:
        """Take up where a checkpoint was made. Raises NeurosimError if it is of another network."""
        self.net.load_state(state)
        self.epoch, self.right = notes["epoch"], notes["right"]
