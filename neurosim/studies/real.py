"""A setting in floating point, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.spec import NetworkSpec
from neurosim.floats.network import FloatNetwork
from neurosim.floats.training import Trainer
from neurosim.studies.measures import roc_area, saturated_share, update_angles
from neurosim.studies.tasks import Problem, unexplained

if TYPE_CHECKING:
    from neurosim.studies.setting import Setting

_PROBED = 1000
"""Training samples by which angles and saturation are measured."""


class FloatRun:
    """One run in progress: a network, its trainer, and what was measured so far."""

    def __init__(self, setting: Setting, spec: NetworkSpec, problem: Problem) -> None:
        self.setting, self.problem = setting, problem
        self.epochs, self.scored = setting.training.epochs, problem.scored
        self.net = FloatNetwork(spec, from_codes=setting.start == "codes")
        self.trainer = Trainer(
            self.net, setting.training, problem.train_inputs, problem.train_wanted, scale=problem.scale
        )
        self.probes: list[dict[str, float]] = []
        self.train_right = 0.0

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.trainer.epoch

    def train_epoch(self, progress: Callable[[str], None]) -> None:
        """One epoch, and the probes after it."""
        if self.setting.probes and not self.probes:
            self.probes.append(update_angles(self.net, *self._probed()))
        at = f"epoch {self.epoch + 1}/{self.setting.training.epochs}"
        with np.errstate(over="ignore", invalid="ignore"):  # what does not learn may diverge: that is its result
            self.train_right = self.trainer.train_epoch(lambda done, n: progress(f"{at}, {done / n:.0%}"))
            if self.setting.probes:
                self.probes.append(update_angles(self.net, *self._probed()))

    def _probed(self) -> tuple[NDArray[Any], NDArray[Any]]:
        n = min(_PROBED, len(self.trainer.wanted))
        return self.trainer.real(self.trainer.inputs[:n]), self.trainer.wanted[:n]

    def score(self) -> float:
        """Test accuracy in per cent; of real targets the per cent of their variance that is left over."""
        with np.errstate(over="ignore", invalid="ignore"):
            if self.problem.n_classes:
                drives = self.trainer.drives(self.problem.test_inputs)
                return 100 * float((drives.argmax(axis=1) == self.problem.test_wanted).mean())
            return 100 * unexplained(self.trainer.outputs(self.problem.test_inputs), self.problem.test_wanted)

    def measures(self) -> dict[str, Any]:
        """What is known at the end, beside the score."""
        found: dict[str, Any] = {}
        if self.problem.n_classes:
            found["train_accuracy"] = 100 * self.train_right
        if self.problem.n_classes == 2:
            drives = self.trainer.drives(self.problem.test_inputs).astype(np.float64)
            found["auc"] = roc_area(drives[:, 1] - drives[:, 0], self.problem.test_wanted)
        if "received" in self.net.spec.channel.place:
            found["saturated"] = round(saturated_share(self.net, *self._probed()), 2)
        if self.probes:
            found |= {name: round(value, 4) for name, value in self.probes[-1].items()}
            for name in ("angle_signal", "angle_update", "symmetry"):
                if name in self.probes[-1]:
                    found[f"{name}_curve"] = " ".join(f"{p[name]:.4g}" for p in self.probes)
        return found

    def notes(self) -> dict[str, Any]:
        """What a checkpoint holds beside arrays."""
        return {"probes": self.probes, "train": self.train_right}

    def state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint holds as arrays."""
        return self.trainer.state()

    def load(self, notes: dict[str, Any], state: dict[str, NDArray[Any]]) -> None:
        """Take up where a checkpoint was made."""
        self.trainer.load_state(state)
        self.probes, self.train_right = notes["probes"], notes["train"]
