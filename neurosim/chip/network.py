"""A network that lives: integer state, and the calls that make it learn and classify.

`Network` owns the arrays; the kernels do the work; `counting` turns tallies into operations. Nothing here knows of chips
or joules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.channel import Channel
from neurosim.chip.counting import Tallies, delivered, layout, operations
from neurosim.chip.given import checked_codes, checked_labels, checked_order, checked_wanted, code_type
from neurosim.chip.layers import Layer
from neurosim.chip.maps import padded, turn_back
from neurosim.chip.program import Compiler
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import check, check_whole
from neurosim.kernels import conv_engine, engine
from neurosim.kernels.matmul import TILE
from neurosim.kernels.registers import CHIP, EXECUTION, HEALTH, TALLY, Maps, Memory, Program, Scratch, Tally
from neurosim.ops import Layout, OpCounts

_EVALUATED_TOGETHER = 64  # samples; more gain nothing, and room for them is kept

LOSSES: dict[str, tuple[str, ...]] = {
    "accumulator": (),
    "state": (),
    "decode": (),
    "weight": ("weight_saturated", "feedback_saturated"),
    "preactivation": ("preactivation_saturated",),
    "update": ("dead_updates",),
    "error": ("error_saturated",),
    "received": ("received_saturated",),
}
"""Kinds of loss that `strict` may name, and the health counters that show them. The first three cannot happen: they are
proven away when a network is built."""

STRICT = frozenset(("accumulator", "state", "decode"))
"""The default."""


class LossError(NeurosimError):
    """A loss of a kind that `strict` names has happened."""


@dataclass(frozen=True)
class Step:
    """What one call of `Network.step` did: output codes int32[samples, n_out], and how many were right."""

    output: NDArray[np.int32]
    correct: int
    health: dict[str, list[int]]


class Network:
    """A rate network on the simulated chip.

    >>> from neurosim.chip.layers import Dense
    >>> net = Network(64, [Dense(20, "tanh"), Dense(10, "softmax")], seed=1)
    >>> net.weights(0).shape
    (65, 20)
    """

    def __init__(
        self,
        inputs: int | tuple[int, int, int] | NetworkSpec,
        layers: Sequence[Layer] = (),
        channel: Channel | None = None,
        *,
        strict: frozenset[str] | set[str] = STRICT,
        **fields: Any,
    ) -> None:
        if isinstance(inputs, NetworkSpec):
            self.spec = inputs
        else:
            self.spec = NetworkSpec(inputs, tuple(layers), channel or Channel(), **fields)
        for kind in strict:
            check("strict", kind, tuple(LOSSES))
        self.strict = frozenset(strict)
        self._compiler = Compiler(self.spec)
        made = self._compiler
        self._classes = made.targets()
        self._program = Program(made.chip, made.layers, made.tables, made.levels, self._classes)
        self._memory = Memory(*self._compiler.fill())
        self._scratch: Scratch | None = None
        self._maps: Maps | None = None
        self._rate: int | None = None
        self.train_tally, self.test_tally = self._new_tally(), self._new_tally()
        self.step_count = 0
        self.trained_samples = 0
        self.tested_samples = 0
        self.batch_size = 1

    # ------------------------------------------------------------------ state

    def weights(self, layer: int) -> NDArray[np.integer[Any]]:
        """The weight codes of a layer, a view: int8 or int16[rows, n_out], the bias row last."""
        held = self._view(layer, "weight", "rows", "stride", "wide_weight")
        return held[:, : self.spec.layers[layer].columns]

    def feedback(self, layer: int) -> NDArray[np.integer[Any]] | None:
        """C of a hidden layer: int8 or int16[senders, n]; None where the rule has none of its own.

        A view; but between two convolutions a copy of the kernel that they share, int8 or int16[k * k * c_in, channels].
        """
        if not self._register(layer, "feedback_rows"):
            return None
        held = self._view(layer, "feedback", "feedback_rows", "feedback_stride", "feedback_wide")
        if self.spec.shares_feedback(layer):
            above = self.spec.geometry(layer + 1)
            return turn_back(held[:, : above.inputs[2]], above)
        return held[:, : self.spec.n_out(layer)]

    def _register(self, layer: int, name: str) -> int:
        return self._compiler.register(layer, name)

    def _view(self, layer: int, start: str, rows: str, stride: str, wide: str) -> NDArray[np.integer[Any]]:
        memory = self._memory.wide if self._register(layer, wide) else self._memory.narrow
        at, n, width = self._register(layer, start), self._register(layer, rows), self._register(layer, stride)
        return memory[at : at + n * width].reshape(n, width)

    def _new_tally(self) -> Tally:
        n, sizes = len(self.spec.layers), self._compiler.sizes
        return Tally(
            np.zeros((n, len(TALLY)), np.int64),
            np.zeros((n, len(HEALTH)), np.int64),
            np.zeros(sizes.unit_event, np.int64),
            np.zeros(sizes.unit_code, np.int64),
        )

    def _room(self, samples: int) -> Scratch:
        """Scratch for steps of this many samples, made when it is first needed or grows."""
        if self._scratch is None or self._scratch.code.shape[0] < samples:
            self._scratch = _new_scratch(self._compiler, samples)
            self._maps = self._compiler.maps.room(samples, self._memory.wide.dtype) if self.spec.convolutions else None
        return self._scratch

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that a checkpoint must hold, as arrays; `load_state` takes it back."""
        arrays: dict[str, NDArray[Any]] = {"narrow": self._memory.narrow, "wide": self._memory.wide}
        for name, tally in (("train", self.train_tally), ("test", self.test_tally)):
            arrays |= {f"{name}_{key}": value for key, value in tally._asdict().items()}
        arrays["progress"] = np.array(
            [self.step_count, self.trained_samples, self.tested_samples, self.batch_size], np.int64
        )
        return {key: value.copy() for key, value in arrays.items()}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back a `state`. Raises NeurosimError if it is of another network."""
        for key, mine in self.state().items():
            if key not in arrays or arrays[key].shape != mine.shape or arrays[key].dtype != mine.dtype:
                found = f"{arrays[key].dtype}{list(arrays[key].shape)}" if key in arrays else "nothing"
                msg = f"checkpoint.{key}: {found}, and this network needs {mine.dtype}{list(mine.shape)}"
                raise NeurosimError(msg)
        self._memory.narrow[:], self._memory.wide[:] = arrays["narrow"], arrays["wide"]
        for name, tally in (("train", self.train_tally), ("test", self.test_tally)):
            for key, value in tally._asdict().items():
                value[:] = arrays[f"{name}_{key}"]
        self.step_count, self.trained_samples, self.tested_samples, self.batch_size = map(int, arrays["progress"])

    # ------------------------------------------------------------------ running

    def encode(self, inputs: NDArray[Any], full_scale: float | None = None) -> NDArray[Any]:
        """Real inputs to codes of the input word: uint8, int16 or int32[samples, n_in].

        full_scale: the raw value that stands for 1 (255 for pixels); None for data that is used as it is. Maps are
        [samples, height, width, channels], or flat in that order. Raises NeurosimError for another shape.
        """
        if isinstance(self.spec.inputs, tuple) and np.ndim(inputs) == 4 and np.shape(inputs)[1:] != self.spec.inputs:
            msg = f"inputs: maps of {list(np.shape(inputs)[1:])}, and the network's are {list(self.spec.inputs)}, channels last"
            raise NeurosimError(msg)
        flat = np.ascontiguousarray(inputs).reshape(len(inputs), -1)
        if flat.shape[1] != self.spec.n_inputs:
            msg = f"inputs: {flat.shape[1]} values a sample, and the network has {self.spec.n_inputs} inputs"
            raise NeurosimError(msg)
        word = self.spec.input
        kind = code_type(word)
        if flat.dtype in (np.uint8, np.bool_):
            table = word.encode_array(np.arange(256) / (full_scale or 1.0)).astype(kind)
            return table[flat.astype(np.uint8)]
        codes = np.empty(flat.shape, kind)
        for start in range(0, len(flat), 4096):
            codes[start : start + 4096] = word.encode_array(flat[start : start + 4096] / (full_scale or 1.0))
        return codes

    def encode_targets(self, values: NDArray[Any]) -> NDArray[np.int32]:
        """Real targets [samples, n_out] to codes of the output word: int32."""
        return self.spec.output(self.spec.last).encode_array(np.asarray(values)).astype(np.int32)

    def train(
        self,
        codes: NDArray[Any],
        wanted: NDArray[np.integer[Any]],
        *,
        rate: int,
        batch_size: int = 1,
        order: NDArray[np.int64] | None = None,
        execution: str = "auto",
    ) -> int:
        """Learn from samples in the given order; returns how many were classified right as they came.

        codes: uint8 or int16[samples, n_in], made by `encode`; wanted: labels, whole numbers [samples], 0 … classes-1, or target
        codes [samples, n_out], made by `encode_targets` (of those the largest is the class); rate: k of eta = 2**-k; order:
        indices of samples (all, in their order). Raises LossError for a loss that `strict` names.
        """
        codes = checked_codes(self.spec, codes)
        targets, labels, classes = checked_wanted(self.spec, np.asarray(wanted), len(codes), self._classes)
        order = np.arange(len(codes)) if order is None else checked_order(order, len(codes))
        self._set_execution(execution)
        check_whole("batch_size", batch_size, 1, 1 << 16)
        self._set_rate(rate)
        self.batch_size = max(self.batch_size, batch_size)
        scratch = self._room(min(batch_size, max(1, len(order))))
        self._program = self._program._replace(targets=targets)
        predictions = self._run(scratch, self.train_tally, codes, labels, order, batch_size, rate, learning=True)
        self.step_count += -(-len(order) // batch_size)
        self.trained_samples += len(order)
        self._check_losses()
        return int((predictions == classes[order]).sum())

    def _run(
        self,
        scratch: Scratch,
        tally: Tally,
        codes: NDArray[Any],
        labels: NDArray[np.int64],
        order: NDArray[np.int64],
        batch_size: int,
        rate: int,
        *,
        learning: bool,
    ) -> NDArray[np.int64]:
        """Predicted classes, int64[len(order)]. The kernels get all samples at once, or step by step where C is new at each."""
        predictions = np.empty(len(order), np.int64)
        at_once = batch_size if learning and self.spec.redraws else max(1, len(order))
        for number, begin in enumerate(range(0, len(order), at_once)):
            step, part = self.step_count + number, slice(begin, begin + at_once)
            state = (self._program, self._memory, scratch, tally)
            rest = (codes, labels, order[part], batch_size, step, rate, learning, predictions[part])
            if learning and self.spec.redraws:
                self._compiler.draw_feedback(self._memory.narrow, self._memory.wide, step)
                before = tally.codes.copy()
            if self._maps is None:
                engine.run(*state, *rest)
            else:
                conv_engine.run(*state, self._maps, *rest)
            if learning and self.spec.redraws:
                self._count_connections(tally.codes - before)
        return predictions

    def _count_connections(self, sent: NDArray[np.int64]) -> None:
        """Count what the codes of one step, by unit, met in the C of that step."""
        for layer in range(self.spec.last):
            sender = self.spec.sender(layer)
            at = self._register(sender, "unit_code")
            by_unit = sent[at : at + self.spec.n_neurons(sender)]
            met = delivered(self.spec, layer, by_unit, self.feedback(layer))[1]
            self.train_tally.counts[layer, TALLY["redrawn_connections"]] += met

    def step(self, inputs: NDArray[Any], labels: Any, *, rate: int, full_scale: float | None = None) -> Step:
        """One step on one sample [n_in] or a mini-batch [samples, n_in] of real inputs."""
        inputs = np.asarray(inputs)
        batch = inputs.reshape(1, -1) if inputs.ndim == 1 else inputs.reshape(len(inputs), -1)
        labels = np.atleast_1d(np.asarray(labels, np.int64))
        codes = self.encode(batch, full_scale)
        correct = self.train(codes, labels, rate=rate, batch_size=len(batch))
        first = self._register(self.spec.last, "code")
        output = self._room(1).code[: len(batch), first : first + self.spec.n_out(self.spec.last)].copy()
        return Step(output, correct, self.health())

    def predict(self, codes: NDArray[Any], *, execution: str = "auto") -> NDArray[np.int64]:
        """The classes of samples: int64[samples]. Counted apart from training."""
        codes = checked_codes(self.spec, codes)
        self._set_execution(execution)
        room = self._room(min(_EVALUATED_TOGETHER, max(1, len(codes))) if execution != "event" else 1)
        order, together = np.arange(len(codes)), room.code.shape[0]
        found = self._run(room, self.test_tally, codes, np.empty(0, np.int64), order, together, 0, learning=False)
        self.tested_samples += len(codes)
        return found

    def outputs(self, codes: NDArray[Any], *, execution: str = "auto") -> NDArray[np.float64]:
        """The real values of the output layer: float64[samples, n_out]. Counted as `predict` is."""
        word, at, n = (
            self.spec.output(self.spec.last),
            self._register(self.spec.last, "code"),
            self.spec.n_out(self.spec.last),
        )
        found = np.empty((len(codes), n))
        for i in range(len(codes)):
            self.predict(codes[i : i + 1], execution=execution)
            found[i] = self._room(1).code[0, at : at + n] * word.lsb
        return found

    def evaluate(self, codes: NDArray[Any], labels: NDArray[np.int64], *, execution: str = "auto") -> float:
        """Accuracy, 0 to 1. The test counts start anew: they are those of the last evaluation."""
        labels = checked_labels(self.spec, labels, len(codes))
        for counter in self.test_tally:
            counter[...] = 0
        self.tested_samples = 0
        return float((self.predict(codes, execution=execution) == labels).mean())

    def _set_execution(self, execution: str) -> None:
        check("execution", execution, tuple(EXECUTION.indices))
        self._compiler.chip[CHIP["execution"]] = EXECUTION[execution]

    def check_rate(self, rate: int) -> None:
        """Raise NeurosimError if eta = 2**-rate is beyond what the updates' words can say."""
        check_whole("rate", rate, -32, 62)
        for layer in range(len(self.spec.layers)):
            shift = self._register(layer, "update_shift") + rate
            if shift > 62:
                msg = f"rate={rate}: layer {layer} would shift its updates by {shift} places, and 62 are the most"
                raise NeurosimError(msg)

    def _set_rate(self, rate: int) -> None:
        self.check_rate(rate)
        if self.spec.channel.update is not None and rate != self._rate:
            self._program = self._program._replace(levels=self._compiler.set_rate(rate))
        self._rate = rate

    # ------------------------------------------------------------------ what happened

    def health(self) -> dict[str, list[int]]:
        """Losses of training by kind, one number a layer (docs/substrate.md 8)."""
        losses = {name: self.train_tally.health[:, i].tolist() for name, i in HEALTH.indices.items()}
        attempted, changed = TALLY["update_attempted"], TALLY["weight_changed"]
        losses["dead_updates"] = (self.train_tally.counts[:, attempted] - self.train_tally.counts[:, changed]).tolist()
        return losses

    def _check_losses(self) -> None:
        if self.strict <= STRICT:
            return
        health = self.health()
        for kind in sorted(self.strict):
            for counter in LOSSES[kind]:
                for layer, n in enumerate(health[counter]):
                    if n:
                        msg = f"strict={kind!r}: layer {layer} has {counter}={n}; widen the word or take {kind!r} out of strict"
                        raise LossError(msg)

    def tallies(self, which: str = "train") -> Tallies:
        """The raw counters by layer and unit."""
        tally = self.train_tally if which == "train" else self.test_tally
        samples = self.trained_samples if which == "train" else self.tested_samples
        return Tallies.collect(self.spec, tally, samples, self.step_count if which == "train" else 0)

    def counts(self) -> OpCounts:
        """Everything counted in training so far."""
        return self._operations("train")

    def test_counts(self) -> OpCounts:
        """Everything counted in the last evaluation."""
        return self._operations("test")

    def _operations(self, which: str) -> OpCounts:
        size, learning = self.batch_size, which == "train"
        return operations(self.spec, self.tallies(which), self._crossbars(), batch_size=size, learning=learning)

    def layout(self) -> Layout:
        """What the network occupies on a chip."""
        return layout(self.spec, self._crossbars(), self.batch_size)

    def _crossbars(self) -> list[NDArray[np.integer[Any]] | None]:
        return [self.feedback(layer) for layer in range(len(self.spec.layers))]


def _new_scratch(compiler: Compiler, samples: int) -> Scratch:
    sizes, n = compiler.sizes, len(compiler.spec.layers)
    widths = {
        **dict.fromkeys(("event_unit", "event_code"), sizes.event),
        **dict.fromkeys(("sent_unit", "sent_code"), sizes.code_event),
        **dict.fromkeys(("code", "slope", "address", "signal"), sizes.code),
    }
    arrays: dict[str, Any] = {name: np.zeros((samples, size), np.int32) for name, size in widths.items()}
    arrays["arrived"] = np.zeros(sizes.code, np.int32)
    arrays |= {name: np.empty(TILE, np.float32) for name in ("tile_a", "tile_b", "tile_c")}
    width = padded(max(sizes.stride, sizes.rows))
    sums = max(width, sizes.sums)
    return Scratch(
        **arrays,
        event_count=np.zeros((n, samples), np.int32),
        sent_count=np.zeros((n, samples), np.int32),
        narrow_signal=np.zeros(width, np.int16),
        sums=np.zeros(sums, np.int32),
        wide_sums=np.zeros(sums, np.int64),
        product=np.zeros((2, sizes.product), np.int32),
        wide_product=np.zeros((2, sizes.product), np.int64),
        block=np.zeros(samples * sizes.stride, np.int32),
        narrow_block=np.zeros(samples * sizes.stride, np.int16),
        row_start=np.zeros(sizes.rows + 2, np.int32),
        row_sample=np.zeros(samples * (sizes.rows + 1), np.int32),
        row_code=np.zeros(samples * (sizes.rows + 1), np.int32),
    )
