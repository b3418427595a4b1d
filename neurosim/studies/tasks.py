"""What a network is asked to do: classify a data set, give an input back, or follow a random teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim import data
from neurosim.errors import NeurosimError

TEACHER = "teacher-"
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


def load(name: str, target: str, seed: int, train_samples: int, test_samples: int) -> Problem:
    """A problem by its data set's name, or `teacher-30-20-10`: a random network of those sizes, tanh between its layers.

    A teacher's inputs are standard normal, its weights uniform on [-1, 1] (Lillicrap et al. 2016), new for every seed. target: ``label``
    or ``input``. Raises NeurosimError.
    """
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
