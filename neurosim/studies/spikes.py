"""A cell of a study whose network answers by spikes: an eRBP network, how samples are shown to it, and its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim import costs, data
from neurosim.formats import check, check_whole
from neurosim.spiking import events
from neurosim.spiking.drift import drift_of_rasters, joined, narrowed, replayed, rounded
from neurosim.spiking.erbp import Erbp, escape_probabilities, probabilities
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import EVERY_TICK
from neurosim.spiking.spec import SpikingSpec
from neurosim.spiking.training import Lesson, accuracy, train_part
from neurosim.studies.setting import key_of
from neurosim.studies.tasks import recordings

ENCODINGS = ("rate", "escape", "events")
WITHIN_TICKS, TAU_TICKS = 2, 10.0
"""By which spikes of two runs are matched, and compared."""
_HARDWARE = "digital_45nm"
_GLANCE = 1000
"""Test samples by which a network is tested on the way."""
_REPLAYED = 20
"""Test samples whose spikes are compared."""


@dataclass(frozen=True)
class SpikingSetting:
    """What decides a run, but for its seed.

    data, encoding: a data set whose values become probabilities of a spike in a tick (``rate``: up to `brightest`; ``escape``: as of
    `escape_probabilities`), or ``n-mnist`` (also ``-in-parts``: `tasks.recordings`) as ``events``; lesson: how samples are shown;
    engine: ``float``, in real numbers, or ``fixed``; train_samples, test_samples: only the first so many, 0: all; weight_bits: the
    network learns with narrower weights, 0: as described; rounded: widths that the weights are rounded to at the end, to see what that
    costs.
    """

    network: Erbp
    lesson: Lesson = field(default_factory=Lesson)
    data: str = "mnist"
    encoding: Literal["rate", "escape", "events"] = "rate"
    brightest: float = 0.3
    engine: Literal["float", "fixed"] = "fixed"
    train_samples: int = 0
    test_samples: int = 0
    weight_bits: int = 0
    rounded: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check("setting.encoding", self.encoding, ENCODINGS)
        check("setting.engine", self.engine, ("float", "fixed"))
        check_whole("setting.train_samples", self.train_samples, 0, 1 << 40)
        check_whole("setting.test_samples", self.test_samples, 0, 1 << 40)

    def replace(self, **changes: Any) -> SpikingSetting:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def key(self, seed: int) -> str:
        """What names this run's results, as of `Setting.key`."""
        return key_of(self, seed)

    def begin(self, seed: int) -> SpikingRun:
        """The run, before its first part. Raises NeurosimError."""
        return SpikingRun(self, seed)

    def spec(self, seed: int) -> SpikingSpec:
        """The network."""
        found = self.network.replace(seed=seed).network()
        return narrowed(found, self.weight_bits) if self.weight_bits else found

    def samples(self, seed: int) -> tuple[Any, NDArray[np.int64], Any, NDArray[np.int64]]:
        """(training inputs as of `SpikingNetwork.present`, labels, test inputs, labels). Raises NeurosimError for missing data."""
        if self.encoding == "events":
            return recordings(self.data, seed, self.train_samples, self.test_samples)
        found = data.load(self.data).head(self.train_samples or None, self.test_samples or None)
        full = float(found.full_scale or 1)
        train, test = (
            escape_probabilities(x, full) if self.encoding == "escape" else probabilities(x, full, self.brightest)
            for x in (found.train_inputs, found.test_inputs)
        )
        return train, found.train_labels.astype(np.int64), test, found.test_labels.astype(np.int64)


class SpikingRun:
    """One run in progress; its epochs are the parts of its lesson. On the way it is tested by the first samples alone."""

    def __init__(self, setting: SpikingSetting, seed: int) -> None:
        self.setting, self.lesson = setting, setting.lesson
        self.net = SpikingNetwork(setting.spec(seed), real=setting.engine == "float")
        self.inputs, self.labels, self.test, self.test_labels = setting.samples(seed)
        self.parts = self.lesson.parts(seed, len(self.labels))
        self.epochs, self.scored, self.epoch, self.right = len(self.parts), "test_accuracy", 0, 0.0
        self.events, self.spikes = 0, np.zeros(len(self.net.spec.populations), np.int64)

    def train_epoch(self, progress: Callable[[str], None]) -> None:
        """One part."""
        part, (events_before, spikes_before) = self.parts[self.epoch], self._counted()
        progress(f"part {self.epoch + 1}/{self.epochs}, {len(part):,} samples")
        slower = self.lesson.slower[self.epoch]
        self.right = train_part(self.net, self.inputs, self.labels, self.lesson, slower, part)
        events_after, spikes_after = self._counted()
        self.events += events_after - events_before
        self.spikes += spikes_after - spikes_before
        self.epoch += 1

    def _counted(self) -> tuple[int, NDArray[np.int64]]:
        """Synapses reached by spikes so far, and spikes by population."""
        found = self.net.counters()
        return sum(p["events"] for p in found["projections"]), np.array(
            [p["spikes"].sum() for p in found["populations"]]
        )

    def score(self) -> float:
        """Test accuracy in per cent: of all test samples at the end, of the first thousand before it."""
        return self._accuracy(self.net, None if self.epoch == self.epochs else _GLANCE)

    def _accuracy(self, net: SpikingNetwork, n: int | None) -> float:
        return 100 * accuracy(net, self.test[:n], self.test_labels[:n], self.lesson)

    def measures(self) -> dict[str, Any]:
        """What is known at the end, beside the score: synaptic operations of a learning sample, counted and by the papers' formula."""
        shown = sum(map(len, self.parts))
        found = {
            "train_accuracy": 100 * self.right,
            "samples": shown,
            "synops": self.events / shown,
            "synops_formula": self._formula() / shown,
        }
        if self.setting.engine == "fixed":
            cost = costs.price(self.net.counts(), None, self.net.layout(), costs.load(_HARDWARE))
            found["learning_nj"] = cost.energy_pj_per_sample / 1e3
        return found | self._rounded()

    def _formula(self) -> int:
        """n_vis N_h + n_hid N_out + 2 n_out N_out + n_err (N_out + N_h), summed over hidden layers (script of Neftci et al. 2017)."""
        spikes = dict(zip((p.name for p in self.net.spec.populations), self.spikes.tolist(), strict=True))
        sizes = [*self.setting.network.hidden, self.setting.network.classes]
        below = ["data", *(f"hidden{h}" for h in range(len(sizes) - 1))]
        forward = sum(spikes[name] * n for name, n in zip(below, sizes, strict=True))
        errors = spikes["positive"] + spikes["negative"]
        return int(forward + 2 * spikes["out"] * sizes[-1] + errors * sum(sizes))

    def _rounded(self) -> dict[str, float]:
        """By width: accuracy of the trained network with rounded weights and integer states, and how far spikes moved."""
        found: dict[str, float] = {}
        if not self.setting.rounded:
            return found
        spec, ticks = self.setting.spec(self.net.spec.seed), self.lesson.ticks
        samples = self._drawn(_REPLAYED)
        whole = replayed(spec, samples, ticks)

        def trains(net: SpikingNetwork) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            return joined(spec, net.run(ticks * len(samples), learn=False).by_name)

        original = SpikingNetwork(whole, real=self.net.real)
        for number, projection in enumerate(spec.projections):
            if projection.plasticity is not None:
                original.set_weights(number, self.net.weights(number))
        n, real = sum(p.n for p in spec.populations if not p.is_source), trains(original)
        for bits in self.setting.rounded:
            narrow = rounded(whole, self.net, bits)
            moved = drift_of_rasters(
                real, {"": trains(SpikingNetwork(narrow))}, n, ticks * len(samples), WITHIN_TICKS, TAU_TICKS
            ).rows[0]
            found[f"accuracy_{bits}_bits"] = self._accuracy(SpikingNetwork(rounded(spec, self.net, bits)), None)
            found[f"coincide_{bits}_bits"] = 100 * moved[2]
            found[f"distance_{bits}_bits"] = moved[4]
        return found

    def _drawn(self, n: int) -> list[events.Sample]:
        """Test samples as lists of events; rates are drawn by a generator of their own, the same for all widths."""
        if self.setting.encoding == "events":
            return list(self.test[:n])
        rng = np.random.default_rng(self.net.spec.seed)
        ticks = self.lesson.ticks
        return [np.nonzero(rng.random((ticks, len(p))) * EVERY_TICK < p) for p in self.test[:n]]  # type: ignore[misc]

    def notes(self) -> dict[str, Any]:
        """What a checkpoint holds beside arrays."""
        return {"epoch": self.epoch, "right": self.right, "events": self.events, "spikes": self.spikes.tolist()}

    def state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint holds as arrays."""
        return self.net.save()

    def load(self, notes: dict[str, Any], state: dict[str, NDArray[Any]]) -> None:
        """Take up where a checkpoint was made. Raises NeurosimError if it is of another network."""
        self.net.restore(state)
        self.epoch, self.right, self.events = notes["epoch"], notes["right"], notes["events"]
        self.spikes = np.array(notes["spikes"], np.int64)
