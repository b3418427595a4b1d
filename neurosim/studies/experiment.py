"""Run an experiment: the one place where the execution plane and the accounting plane meet.

Training goes in pieces of about half a second, whole mini-batches each, so that progress shows and an interrupt is heard;
bits do not depend on the pieces. A checkpoint holds everything, so a resumed run ends in the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim import costs, data
from neurosim.chip.network import Network
from neurosim.errors import NeurosimError
from neurosim.rng import sample_order
from neurosim.studies import build, files
from neurosim.studies.config import Config
from neurosim.studies.record import DEFAULT_HARDWARE, Record, versions

_PIECE_S = 0.4
_MAY_CHANGE = frozenset(("epochs", "hardware", "execution"))

Progress = Callable[[int, int, int, float], None]
"""Called as progress(epoch, samples done in it, samples of an epoch, samples a second)."""


class Shelf:
    """Data sets and their codes, kept for the next run: loading and encoding take longer than an epoch of a small network.

    size: how many of each are kept, the last used.
    """

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self.kept: dict[str, dict[Any, Any]] = {"data": {}, "codes": {}}

    def take(self, kind: str, key: Any, make: Callable[[], Any]) -> Any:
        """What stands under a key, made where nothing does."""
        shelf = self.kept[kind]
        shelf[key] = shelf.pop(key) if key in shelf else make()
        for old in list(shelf)[: -self.size]:
            del shelf[old]
        return shelf[key]

    def data(self, name: str) -> data.DataSet:
        """A data set, whole. Raises NeurosimError for one that is not here."""
        found: data.DataSet = self.take("data", name, lambda: data.load(name))
        return found


class _Run:
    """One run in progress: a network, its data, where it stands."""

    def __init__(self, config: Config, out: Path | None, shelf: Shelf | None = None) -> None:
        shelf = shelf or Shelf()
        self.config, self.out = config, out
        self.models = [costs.load(name) for name in config.hardware or DEFAULT_HARDWARE]
        samples = (config.data, config.train_samples, config.test_samples)
        self.data = build.data_set(config, shelf.data(config.data))
        spec = build.network(config, self.data)
        self.network = Network(spec, strict=set(config.strict) | {"accumulator", "state", "decode"})
        self._check_last_rate()
        self.name = "-".join(str(n) for n in (spec.n_inputs, *(layer.columns for layer in spec.layers)))
        self.train_codes, self.test_codes = shelf.take("codes", (*samples, spec.input, bool(config.conv)), self._codes)
        self.train_labels = self.data.train_labels.astype(np.int64)
        self.test_labels = self.data.test_labels.astype(np.int64)
        self.epoch = self.position = self.correct = 0
        self.seconds = 0.0
        self.epochs: list[dict[str, float]] = []
        self.samples_per_second = 2000.0

    def _codes(self) -> tuple[NDArray[Any], NDArray[Any]]:
        parts = (self.data.train_inputs, self.data.test_inputs)
        train, test = (self.network.encode(build.inputs(self.config, raw), self.data.full_scale) for raw in parts)
        return train, test

    def _check_last_rate(self) -> None:
        """Refuse a schedule whose end the words cannot say, before the first epoch and not after the hundredth."""
        config = self.config
        for epoch in (0, max(0, config.epochs - 1)):
            try:
                self.network.check_rate(config.rate_in(epoch))
            except NeurosimError as error:
                name = "learning_rate" if epoch == 0 else "halve_at" if config.halve_at else "halve_every"
                msg = f"{name}={getattr(config, name)}: in epoch {epoch + 1} of {config.epochs}, {error}"
                raise NeurosimError(msg) from None

    @property
    def checkpoint(self) -> Path:
        assert self.out is not None
        return self.out / "checkpoint.npz"

    def save(self) -> None:
        """Write a checkpoint, if there is a folder."""
        if self.out is None:
            return
        meta = {
            "config": self.config.to_dict(),
            "neurosim": versions()["neurosim"],
            "data": self.data.fingerprint,
            "epoch": self.epoch,
            "position": self.position,
            "correct": self.correct,
            "seconds": self.seconds,
            "epochs": self.epochs,
        }
        files.save_checkpoint(self.checkpoint, meta, self.network.state())

    def load(self) -> None:
        """Take up where the checkpoint stands."""
        meta, arrays = files.load_checkpoint(self.checkpoint)
        mine = self.config.to_dict()
        for name, value in meta["config"].items():
            if name not in _MAY_CHANGE and mine.get(name) != value:
                raise NeurosimError(
                    f"{name}={mine.get(name)!r}: the checkpoint was made with {value!r} ({self.checkpoint}); "
                    f"resume with that, or start anew in another folder"
                )
        if meta["neurosim"] != versions()["neurosim"]:
            raise NeurosimError(
                f"checkpoint.neurosim={meta['neurosim']}: this is {versions()['neurosim']}, whose bits may differ "
                f"({self.checkpoint}); start anew in another folder"
            )
        if meta["data"] != self.data.fingerprint:
            raise NeurosimError(
                f"data={self.config.data!r}: not the data that the checkpoint was made with ({self.checkpoint})"
            )
        self.network.load_state(arrays)
        self.epoch, self.position, self.correct = meta["epoch"], meta["position"], meta["correct"]
        self.seconds, self.epochs = meta["seconds"], meta["epochs"]

    def piece(self) -> int:
        """Samples of the next piece: whole mini-batches, about half a second."""
        batch = self.config.batch_size
        return max(1, int(self.samples_per_second * _PIECE_S) // batch) * batch

    def train_epoch(self, progress: Progress | None) -> None:
        """Go on to the end of the epoch, then evaluate."""
        config, n = self.config, len(self.train_codes)
        order = sample_order(config.seed, self.epoch, n)
        while self.position < n:
            part = order[self.position : self.position + self.piece()]
            start = time.perf_counter()
            self.correct += self.network.train(
                self.train_codes,
                self.train_labels,
                rate=config.rate_in(self.epoch),
                batch_size=config.batch_size,
                order=part,
                execution=config.execution,
            )
            seconds = time.perf_counter() - start
            self.position += len(part)
            self.seconds += seconds
            self.samples_per_second = len(part) / max(seconds, 1e-9)
            if progress:
                progress(self.epoch, self.position, n, self.samples_per_second)
        accuracy = self.network.evaluate(self.test_codes, self.test_labels, execution=config.execution)
        self.epochs.append(
            {
                "train_accuracy": self.correct / n,
                "test_accuracy": accuracy,
                "seconds": self.seconds,
                "samples_per_second": n / max(self.seconds, 1e-9),
            }
        )
        self.epoch, self.position, self.correct, self.seconds = self.epoch + 1, 0, 0, 0.0

    def warm(self) -> None:
        """Load or compile the kernels before the clock starts: one step of a copy, thrown away."""
        copy = Network(self.network.spec)
        copy.train(
            self.train_codes[:2], self.train_labels[:2], rate=self.config.rate, batch_size=self.config.batch_size
        )
        copy.predict(self.test_codes[:2])

    def results(self) -> Record:
        """The results so far, without prices."""
        return Record(
            self.config,
            versions(),
            self.epochs,
            self.network.counts(),
            self.network.test_counts(),
            self.network.health(),
            self.network.layout(),
            self.name,
        )

    def record(self) -> Record:
        """The results so far, priced."""
        record = self.results()
        if record.train_counts.samples:
            record.cost = record.price(self.config.hardware or DEFAULT_HARDWARE)
        return record


def simulate(config: Config, shelf: Shelf, stop_below: Sequence[float] = ()) -> tuple[Record, bool]:
    """Learn and count, for a sweep: no files, no prices. Returns the results, and whether the run was stopped early.

    stop_below[e]: the run stops after epoch e + 1, unless it is the last, where its test accuracy is below. Raises NeurosimError.
    """
    this = _Run(config, None, shelf)
    this.warm()
    while this.epoch < config.epochs:
        this.train_epoch(None)
        accuracy, epoch = this.epochs[-1]["test_accuracy"], this.epoch
        if epoch < config.epochs and epoch <= len(stop_below) and accuracy < stop_below[epoch - 1]:
            return this.results(), True
    return this.results(), False


def prepare(config: Config, shelf: Shelf) -> None:
    """Load the data and compile the kernels of a run, without running it. Raises NeurosimError."""
    _Run(config, None, shelf).warm()


def run(
    config: Config | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **knobs: Any,
) -> Record:
    """Learn, count and price; write the record and a checkpoint into `out`, if given.

    knobs: any names of `Config`. On KeyboardInterrupt the checkpoint is written first, then the interrupt goes on.
    Raises NeurosimError for whatever the user can mend.
    """
    config = (config or Config()).replace(**knobs)
    folder = Path(out) if out is not None else None
    if resume and folder is None:
        raise NeurosimError("resume: needs out, the folder of the run to go on with")
    if folder is not None:
        if not resume and any((folder / name).exists() for name in ("checkpoint.npz", "record.json")):
            raise NeurosimError(f"out={str(folder)!r}: holds a run already; resume it, or name another folder")
        if not resume:
            files.prepare(folder)
    this = _Run(config, folder)
    if resume:
        this.load()
    this.warm()
    if folder is not None:
        files.write_text(folder / "config.toml", config.to_toml())
    try:
        while this.epoch < config.epochs:
            this.train_epoch(progress)
            this.save()
    except KeyboardInterrupt:
        this.save()
        raise
    record = this.record()
    if folder is not None:
        files.write_json(folder / "record.json", record.to_dict())
    return record
