"""One cell of a study: a network, trained one way, on one data set, by one engine; and running it.

A setting is data. What it says decides its results to the last bit, so its `key` names them: a finished run is never repeated.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats.network import FloatNetwork
from neurosim.floats.training import Trainer, Training
from neurosim.formats import check, check_whole
from neurosim.studies import files
from neurosim.studies.fixed import run_fixed
from neurosim.studies.measures import roc_area, update_angles
from neurosim.studies.tasks import Task, load, unexplained

ENGINES = ("float", "fixed")
RESULTS = 1
"""Version of results: raised when an engine's answers change."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Setting:
    """What decides a run, but for its seed.

    data: a data set's name, or a teacher's (`tasks.load`); network: layers and learning channel; training: the protocol;
    engine: ``float`` or ``fixed``; start: what weights and C the float engine starts from, ``real`` numbers or the chip's ``codes``;
    train_samples, test_samples: only the first so many, 0: all; target: what outputs are to be, the ``label`` or the ``input``
    (an autoencoder); probes: record after every epoch how far updates are from the gradient.
    """

    network: NetworkSpec
    training: Training = field(default_factory=Training)
    data: str = "mnist"
    engine: Literal["float", "fixed"] = "float"
    start: Literal["real", "codes"] = "real"
    train_samples: int = 0
    test_samples: int = 0
    target: Literal["label", "input"] = "label"
    probes: bool = False

    def __post_init__(self) -> None:
        check("setting.engine", self.engine, ENGINES)
        check("setting.start", self.start, ("real", "codes"))
        check("setting.target", self.target, ("label", "input"))
        channel, training = self.network.channel, self.training
        if channel.route == "recirculate" and self.target != "input":
            raise NeurosimError(
                "setting.target='label': channel.route='recirculate' needs an autoencoder, target='input'"
            )
        if channel.update is not None and (training.optimiser != "sgd" or training.momentum or training.weight_decay):
            raise NeurosimError(
                "channel.update: each update is quantised with its rate, so training.optimiser must be sgd without momentum or decay"
            )
        check_whole("setting.train_samples", self.train_samples, 0, 1 << 40)
        check_whole("setting.test_samples", self.test_samples, 0, 1 << 40)

    def replace(self, **changes: Any) -> Setting:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def key(self, seed: int) -> str:
        """What names this run's results: 12 hex digits. Fields at their defaults do not count, so new fields keep old results."""
        text = json.dumps([RESULTS, seed, _plain(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    """A description as JSON: only what differs from the defaults."""
    if is_dataclass(value):
        found = {}
        for one in fields(value):
            default = one.default_factory() if one.default_factory is not MISSING else one.default
            if one.init and getattr(value, one.name) != default:
                found[one.name] = _plain(getattr(value, one.name))
        return {type(value).__name__: found}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def run(
    setting: Setting, seed: int, *, checkpoint: Path | None = None, progress: Progress = lambda _: None
) -> dict[str, Any]:
    """Train and evaluate; returns the measures by name, accuracies in per cent.

    checkpoint: a file that is written after every epoch and taken up where it exists. Raises NeurosimError.
    """
    found = load(setting.data, setting.target, seed, setting.train_samples, setting.test_samples)
    network = setting.network.replace(seed=seed)
    if found.n_inputs != network.n_inputs:
        raise NeurosimError(f"network.inputs={network.inputs}: {setting.data} has {found.n_inputs}")
    if setting.engine == "fixed":
        return run_fixed(setting, network, found, progress)
    return _FloatRun(setting, network, found).run(checkpoint, progress)


class _FloatRun:
    def __init__(self, setting: Setting, network: NetworkSpec, task: Task) -> None:
        self.setting, self.task = setting, task
        self.net = FloatNetwork(network, from_codes=setting.start == "codes")
        self.trainer = Trainer(self.net, setting.training, task.train_inputs, task.train_wanted, scale=task.scale)
        self.curve: list[float] = []
        self.probes: list[dict[str, float]] = []
        self.train_right = self.seconds = 0.0

    def run(self, checkpoint: Path | None, progress: Progress) -> dict[str, Any]:
        if checkpoint is not None and checkpoint.exists():
            try:
                self._load(checkpoint)
            except NeurosimError as error:  # a damaged one costs this run's beginning, not the study
                progress(f"starts anew: {error}")
                checkpoint.unlink(missing_ok=True)
        epochs, last_saved = self.setting.training.epochs, time.monotonic()
        with np.errstate(over="ignore", invalid="ignore"):  # what does not learn may diverge: that is its result
            while self.trainer.epoch < epochs:
                self._epoch(progress)
                if checkpoint is not None and time.monotonic() - last_saved > 20:
                    self._save(checkpoint)
                    last_saved = time.monotonic()
        if not self.curve:
            self.curve.append(self._score())
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        return self._measures()

    def _epoch(self, progress: Progress) -> None:
        start, epochs = time.perf_counter(), self.setting.training.epochs
        if self.setting.probes and not self.probes:
            self.probes.append(self._probe())
        self.train_right = self.trainer.train_epoch(
            lambda done, n: progress(f"epoch {self.trainer.epoch + 1}/{epochs}, {done / n:.0%}")
        )
        self.curve.append(self._score())
        if self.setting.probes:
            self.probes.append(self._probe())
        self.seconds += time.perf_counter() - start
        progress(f"epoch {self.trainer.epoch}/{epochs}, test {self.curve[-1]:.4g}")

    def _probe(self) -> dict[str, float]:
        n = min(1000, len(self.trainer.wanted))
        return update_angles(self.net, self.trainer.real(self.trainer.inputs[:n]), self.trainer.wanted[:n])

    def _score(self) -> float:
        """Test accuracy in per cent; of real targets the per cent of their variance that is left over."""
        if self.task.n_classes:
            drives = self.trainer.drives(self.task.test_inputs)
            return 100 * float((drives.argmax(axis=1) == self.task.test_wanted).mean())
        return 100 * unexplained(self.trainer.outputs(self.task.test_inputs), self.task.test_wanted)

    def _measures(self) -> dict[str, Any]:
        found: dict[str, Any] = {"test_accuracy" if self.task.n_classes else "test_error": self.curve[-1]}
        if self.task.n_classes:
            found["train_accuracy"] = 100 * self.train_right
        if self.task.n_classes == 2:
            drives = self.trainer.drives(self.task.test_inputs).astype(np.float64)
            found["auc"] = roc_area(drives[:, 1] - drives[:, 0], self.task.test_wanted)
        if self.probes:
            found |= {name: round(value, 4) for name, value in self.probes[-1].items()}
            for name in ("angle_signal", "angle_update", "symmetry"):
                if name in self.probes[-1]:
                    found[f"{name}_curve"] = " ".join(f"{p[name]:.4g}" for p in self.probes)
        found["seconds"] = round(self.seconds, 1)
        found["curve"] = " ".join(f"{value:.4g}" for value in self.curve)
        return found

    def _save(self, path: Path) -> None:
        meta = {"curve": self.curve, "probes": self.probes, "train": self.train_right, "seconds": self.seconds}
        files.save_checkpoint(path, meta, self.trainer.state())

    def _load(self, path: Path) -> None:
        meta, state = files.load_checkpoint(path)
        self.trainer.load_state(state)
        self.curve, self.probes = meta["curve"], meta["probes"]
        self.train_right, self.seconds = meta["train"], meta["seconds"]
