"""Training a spiking network that answers by spikes: how samples are shown, how learning slows down, how right the answers are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import check_whole
from neurosim.rng import sample_order
from neurosim.spiking.erbp import answers
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.terms import MOST_SLOWER

OUTPUT = "out"
"""The population whose spikes are the answer."""


@dataclass(frozen=True)
class Lesson:
    """How samples are shown.

    ticks: of a sample; burn_in: of these, the first that neither teach nor count; epochs: passes over all samples; slower: all that is
    shown falls into so many equal parts, in each of which weights change by 2**-slower as much; shuffled: each pass has an order of its
    own, otherwise samples come as they are given.
    """

    ticks: int = 110
    burn_in: int = 30
    epochs: int = 1
    slower: tuple[int, ...] = (0, 1, 2, 3, 4)
    shuffled: bool = True

    def __post_init__(self) -> None:
        settle(self, "lesson")
        check_whole("lesson.ticks", self.ticks, 1, 1 << 30)
        check_whole("lesson.burn_in", self.burn_in, 0, self.ticks - 1)
        check_whole("lesson.epochs", self.epochs, 1, 1 << 20)
        if not self.slower:
            raise NeurosimError(f"lesson.slower=(): must have at least one number 0..{MOST_SLOWER}, one a part")
        for by in self.slower:
            check_whole("lesson.slower", by, 0, MOST_SLOWER)

    def replace(self, **changes: Any) -> Lesson:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def parts(self, seed: int, n_samples: int) -> list[NDArray[np.int64]]:
        """The samples of each part, in the order in which they are shown: int64[shown]."""
        orders = [
            sample_order(seed, epoch, n_samples) if self.shuffled else np.arange(n_samples)
            for epoch in range(self.epochs)
        ]
        return np.array_split(np.concatenate(orders), len(self.slower))


def train(
    network: SpikingNetwork, inputs: Any, labels: NDArray[Any] | Sequence[int], lesson: Lesson
) -> Iterator[tuple[int, float]]:
    """Show all parts of a lesson, one each time the iterator is asked: (by how much it was slower, share of right answers as it learned).

    Answers as it learned are counted in ticks in which the sample's own label teaches already, so they are no test. inputs, labels: as of
    `SpikingNetwork.present`; the order is drawn from the network's seed. Raises NeurosimError for what does not fit.
    """
    wanted = np.asarray(labels)
    for slower, part in zip(lesson.slower, lesson.parts(network.spec.seed, len(wanted)), strict=True):
        yield slower, train_part(network, inputs, wanted, lesson, slower, part)


def train_part(
    network: SpikingNetwork, inputs: Any, labels: NDArray[Any], lesson: Lesson, slower: int, part: NDArray[np.int64]
) -> float:
    """Show one part of a lesson; returns the share of right answers as it learned."""
    network.slow(slower)
    found = network.present(
        inputs, labels, ticks=lesson.ticks, burn_in=lesson.burn_in, output=OUTPUT, order=part
    )  # fmt: skip
    return float(np.mean(answers(found) == labels[part]))


def accuracy(network: SpikingNetwork, inputs: Any, labels: NDArray[Any] | Sequence[int], lesson: Lesson) -> float:
    """The share of right answers, without learning and with no labels shown."""
    found = network.present(inputs, ticks=lesson.ticks, burn_in=lesson.burn_in, output=OUTPUT, learn=False)
    return float(np.mean(answers(found) == np.asarray(labels)))
