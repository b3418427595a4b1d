"""What a network is asked to do: classify a data set, give an input back, or follow a random teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim import data
from neurosim.errors import NeurosimError
from neurosim.spiking import events

TEACHER, EVENT_COUNTS = "teacher-", "n-mnist-counts"
IN_PARTS, PARTS = "-in-parts", 4
"""What the name of a sample of N-MNIST ends with that is judged by parts of its training recordings; how many parts there are."""
PIXELS = events.Pixels(pool=2)
"""How studies take recordings of N-MNIST: 2 x 2 pixels share an input, polarities are apart, ticks are milliseconds."""
_TEACHER_SAMPLES = 5000, 1000


@dataclass(frozen=True)
class Problem:
    """Training and test samples.

    inputs: raw [samples, ...], images with their channels last; wanted: labels int64[samples] or real targets [samples, n_out].

    scale: what a raw value of 1 stands for; n_classes: 0 where targets are real.
    """

    train_inputs: NDArray[Any]
    train_wanted: NDArray[Any]
    test_inputs: NDArray[Any]
    test_wanted: NDArray[Any]
    scale: float
    n_classes: int

    @property
    def n_inputs(self) -> int:
        """Values of one sample."""
        return int(np.prod(self.train_inputs.shape[1:]))

    @property
    def scored(self) -> str:
        """The measure of a run: ``test_accuracy``, or ``test_error`` of real targets."""
        return "test_accuracy" if self.n_classes else "test_error"


def load(name: str, target: str, seed: int, train_samples: int, test_samples: int) -> Problem:
    """A problem by its data set's name, or `teacher-30-20-10`: a random network of those sizes, tanh between its layers.

    A teacher's inputs are standard normal, its weights uniform on [-1, 1] (Lillicrap et al. 2016), new for every seed. target: ``label``
    or ``input``. `n-mnist-counts` is how often each input of a spiking network spikes in a recording of N-MNIST, `PIXELS` of them: what a
    read-out sees that is blind to time; 16 spikes are 1 (`-in-parts`: as of `recordings`). Raises NeurosimError.
    """
    if name.removesuffix(IN_PARTS) == EVENT_COUNTS:
        return _event_counts(name, seed, train_samples, test_samples)
    if name.startswith(TEACHER):
        return _teacher(name, seed, train_samples or _TEACHER_SAMPLES[0], test_samples or _TEACHER_SAMPLES[1])
    found = data.load(name).head(train_samples or None, test_samples or None)
    scale = 1 / found.full_scale if found.full_scale else 1.0
    train, test = (np.moveaxis(x, 1, -1) if x.ndim == 4 else x for x in (found.train_inputs, found.test_inputs))
    if target == "input":
        wanted = [x.reshape(len(x), -1).astype(np.float32) * np.float32(scale) for x in (train, test)]
        return Problem(train, wanted[0], test, wanted[1], scale, 0)
    labels = [y.astype(np.int64) for y in (found.train_labels, found.test_labels)]
    return Problem(train, labels[0], test, labels[1], scale, found.n_classes)


def recordings(
    name: str, seed: int, n_train: int = 0, n_test: int = 0
) -> tuple[list[events.Sample], NDArray[np.int64], list[events.Sample], NDArray[np.int64]]:
    """(training recordings of the sample of N-MNIST as lists of events, labels, test recordings, labels); 0: all of them.

    A name that ends in `-in-parts` is for judging by more recordings than the test has: of the training recordings, every fourth from
    the seed's on (modulo 4) is the test, and the others are learned. Raises NeurosimError for missing data.
    """
    train, labels = events.nmnist("train", n_train or None, pixels=PIXELS)
    wanted = labels.astype(np.int64)
    if not name.endswith(IN_PARTS):
        test, test_labels = events.nmnist("test", n_test or None, pixels=PIXELS)
        return train, wanted, test, test_labels.astype(np.int64)
    held = np.arange(len(train)) % PARTS == seed % PARTS
    learned, judged = ([train[i] for i in np.flatnonzero(part)] for part in (~held, held))
    n = n_test or len(judged)
    return learned, wanted[~held], judged[:n], wanted[held][:n]


def _event_counts(name: str, seed: int, n_train: int, n_test: int) -> Problem:
    train, train_labels, test, test_labels = recordings(name, seed, n_train, n_test)
    counts = (events.counts(samples, PIXELS.n).astype(np.float32) for samples in (train, test))
    return Problem(next(counts), train_labels, next(counts), test_labels, 1 / 16, 10)


def _teacher(name: str, seed: int, n_train: int, n_test: int) -> Problem:
    try:
        sizes = [int(part) for part in name.removeprefix(TEACHER).split("-")]
    except ValueError:
        sizes = []
    if len(sizes) < 2 or min(sizes, default=0) < 1:
        raise NeurosimError(f"data={name!r}: a teacher is named by its sizes, as in teacher-30-10")
    rng = np.random.default_rng([seed, *sizes])
    inputs = rng.normal(size=(n_train + n_test, sizes[0])).astype(np.float32)
    found = inputs
    for i, n in enumerate(sizes[1:]):
        found = (np.tanh(found) if i else found) @ rng.uniform(-1, 1, (found.shape[1], n)).astype(np.float32)
    return Problem(inputs[:n_train], found[:n_train], inputs[n_train:], found[n_train:], 1.0, 0)


def unexplained(outputs: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The share of the targets' variance that outputs leave over: 0 is perfect, 1 is no better than their mean."""
    return float(((outputs - wanted) ** 2).sum() / ((wanted - wanted.mean(axis=0)) ** 2).sum())
