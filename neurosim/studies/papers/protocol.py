"""The set-up of Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018), as settings, and how quick runs shrink one.

MNIST: 784 - 4 x 100 tanh - 10 softmax, Glorot-normal weights, batches of 100, eta = 0.1 of the batch's mean gradient, decayed by 1e-6 an
update, no momentum, 100 epochs. C is dense and from a normal distribution of the same standard deviation as the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from neurosim.chip.channel import Channel, rule
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.spec import NetworkSpec
from neurosim.floats.training import Training
from neurosim.studies.reproduction import Cell, Task
from neurosim.studies.setting import Setting

NORMAL = FeedbackCrossbar(bits=16, density=1.0, distribution="normal")
PAPER = Training(epochs=100, batch_size=100, rate=0.1, decay=1e-6, mean=True)
CONSTANT = replace(PAPER, decay=0.0)
"""The low-precision runs have a rate that does not decay."""
NAMES = {
    "bp": "BP",
    "sbp": "SBP",
    "rbp": "RBP",
    "srbp": "SRBP",
    "arbp": "ARBP",
    "asrbp": "ASRBP",
    "top-only": "top only",
}
COLOURS = {"bp": "#333333", "sbp": "#aa3377", "rbp": "#4477aa", "srbp": "#ee6677", "top-only": "#bbbbbb"}


def network(
    channel: Channel,
    *,
    hidden: Sequence[int] = (100,) * 4,
    activation: str = "tanh",
    inputs: int = 784,
    classes: int = 10,
    output: str = "softmax-e",
    frozen: Sequence[int] = (),
    **layer: Any,
) -> NetworkSpec:
    """A network of dense layers as the papers have it; frozen: layers that do not learn."""
    described = {"initial": "normal", "accumulator": 63, **layer}
    sizes = [*hidden, classes]
    layers = [
        Dense(n, output if i == len(hidden) else activation, frozen=i in frozen, **described)
        for i, n in enumerate(sizes)
    ]
    return NetworkSpec(inputs, tuple(layers), channel)


def channel(name: str, **changes: Any) -> Channel:
    """A rule as in the papers: whole errors, dense normal C; any field of `Channel` may be changed."""
    found = rule(name).replace(error=None, gain=0)
    return found.replace(**{"feedback": NORMAL, **changes})


def mnist(name: str, training: Training = PAPER, net: dict[str, Any] | None = None, **changes: Any) -> Setting:
    """The papers' MNIST set-up under a rule; net: changes of the network; changes: of the channel."""
    return Setting(network(channel(name, **changes), **(net or {})), training)


def for_task(task: Task, cells: Sequence[Cell]) -> list[Cell]:
    """The cells themselves; in a quick run with one seed, 10,000 samples and 5 epochs."""
    if not task.quick:
        return list(cells)
    return [
        replace(
            cell,
            seeds=1,
            setting=cell.setting.replace(
                training=replace(cell.setting.training, epochs=min(5, cell.setting.training.epochs)),
                train_samples=10_000,
                test_samples=2000,
            ),
        )
        for cell in cells
    ]
