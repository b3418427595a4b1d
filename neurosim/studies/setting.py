"""One cell of a study: a network, trained one way, on one data set, by one engine; and running it.

`Setting` is of networks that answer in steps; `neurosim.studies.spikes` has those that answer by spikes. A setting is data. What it says
decides its results to the last bit, so its `key` names them: a finished run is never repeated.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats.training import Training
from neurosim.formats import check, check_whole
from neurosim.studies import files
from neurosim.studies.config import RESULTS
from neurosim.studies.fixed import FixedRun
from neurosim.studies.real import FloatRun
from neurosim.studies.tasks import load

ENGINES = ("float", "fixed")
_SAVED_EVERY_S = 20
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
        return key_of(self, seed)

    def begin(self, seed: int) -> FixedRun | FloatRun:
        """The run, before its first epoch. Raises NeurosimError."""
        found = load(self.data, self.target, seed, self.train_samples, self.test_samples)
        network = self.network.replace(seed=seed)
        if found.n_inputs != network.n_inputs:
            raise NeurosimError(f"network.inputs={network.inputs}: {self.data} has {found.n_inputs}")
        return (FixedRun if self.engine == "fixed" else FloatRun)(self, network, found)


def key_of(setting: Any, seed: int) -> str:
    """What names the results of a setting, any dataclass, with a seed."""
    text = json.dumps([RESULTS, seed, _plain(setting)], sort_keys=True)
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


class _Run(Protocol):
    """A run in progress, of any engine: epochs of them in all; scored: the measure that `score` gives."""

    epochs: int
    scored: str

    @property
    def epoch(self) -> int: ...
    def train_epoch(self, progress: Progress) -> None: ...
    def score(self) -> float: ...
    def measures(self) -> dict[str, Any]: ...
    def notes(self) -> dict[str, Any]: ...
    def state(self) -> dict[str, NDArray[Any]]: ...
    def load(self, notes: dict[str, Any], state: dict[str, NDArray[Any]]) -> None: ...


class _Runnable(Protocol):
    """What a cell has: a description that names its results and begins their run."""

    def key(self, seed: int) -> str: ...
    def begin(self, seed: int) -> _Run: ...


def run(
    setting: _Runnable, seed: int, *, checkpoint: Path | None = None, progress: Progress = lambda _: None
) -> dict[str, Any]:
    """Train and evaluate; returns the measures by name, accuracies in per cent.

    checkpoint: a file that is written after an epoch, at most every 20 s, and taken up where it exists. Raises NeurosimError.
    """
    one = setting.begin(seed)
    curve: list[float] = []
    seconds, last_saved = 0.0, time.monotonic()
    if checkpoint is not None and checkpoint.exists():
        try:
            notes, state = files.load_checkpoint(checkpoint)
            one.load(notes, state)
            curve, seconds = notes["curve"], notes["seconds"]
        except NeurosimError as error:  # a damaged one costs this run's beginning, not the study
            progress(f"starts anew: {error}")
            checkpoint.unlink(missing_ok=True)
    while one.epoch < one.epochs:
        start = time.perf_counter()
        one.train_epoch(progress)
        curve.append(one.score())
        seconds += time.perf_counter() - start
        progress(f"epoch {one.epoch}/{one.epochs}, test {curve[-1]:.4g}")
        if checkpoint is not None and time.monotonic() - last_saved > _SAVED_EVERY_S:
            files.save_checkpoint(checkpoint, one.notes() | {"curve": curve, "seconds": seconds}, one.state())
            last_saved = time.monotonic()
    if not curve:
        curve.append(one.score())
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    last = {one.scored: curve[-1]}
    text = " ".join(f"{value:.4g}" for value in curve)
    return last | one.measures() | {"seconds": round(seconds, 1), "curve": text}
