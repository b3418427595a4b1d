"""From tallies to operations: what the counted events and signals made the hardware do (docs/substrate.md 8).

The kernels count only what differs from sample to sample: events and codes by unit, pairs, attempts, changes. How many
multiplications, reads and bits follow from those is arithmetic on the network's description, and is written here once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.channel import DROPOUT_BITS
from neurosim.chip.maps import comparisons, connections, reached
from neurosim.chip.program import quantiser_steps
from neurosim.chip.spec import NetworkSpec
from neurosim.ops import Held, Layout, Op, OpCounts, Source

Crossbars = Sequence[NDArray[np.integer[Any]] | None]
_LANE = 16
_DONE = ("pairs", "active", "attempted", "row_words", "words_16", "words_32", "words_64")


@dataclass(frozen=True)
class Tallies:
    """Raw counters of a run. counts[l]: by name; events[l], codes[l]: by unit."""

    samples: int
    steps: int
    counts: tuple[dict[str, int], ...]
    events: tuple[NDArray[np.int64], ...]
    codes: tuple[NDArray[np.int64], ...]

    @classmethod
    def collect(cls, spec: NetworkSpec, tally: Any, samples: int, steps: int) -> Tallies:
        """Split the kernels' flat counters by layer."""
        from neurosim.kernels.registers import TALLY

        n = range(len(spec.layers))
        event_ends = np.cumsum([spec.units(layer) for layer in n])[:-1]
        code_ends = np.cumsum([spec.n_neurons(layer) for layer in n])[:-1]
        return cls(
            samples,
            steps,
            tuple({name: int(tally.counts[layer, i]) for name, i in TALLY.indices.items()} for layer in n),
            tuple(part.copy() for part in np.split(tally.events, event_ends)),
            tuple(part.copy() for part in np.split(tally.codes, code_ends)),
        )


class _Counter:
    """Adds up operations."""

    def __init__(self) -> None:
        self.ops: dict[Op, int] = {}

    def add(self, n: int, layer: int, phase: str, action: str, bits: int, by: int = 0, memory: str = "") -> None:
        op = Op(layer, phase, action, int(bits), int(by), memory)
        self.ops[op] = self.ops.get(op, 0) + int(n)


def operations(
    spec: NetworkSpec, tallies: Tallies, crossbars: Crossbars, *, batch_size: int, learning: bool
) -> OpCounts:
    """All operations of a run. batch_size: of the run; above 1 a chip keeps sums of updates."""
    counter = _Counter()
    for layer in range(len(spec.layers)):
        _forward(counter, spec, tallies, layer, learning=learning)
        if learning:
            _update(counter, spec, tallies, layer, batch_size)
    if learning:
        _error(counter, spec, tallies)
        for layer in range(spec.last if spec.receives else 0):
            _feedback(counter, spec, tallies, layer, crossbars[layer])
            if spec.channel.adaptive:
                _adapt(counter, spec, tallies, layer, batch_size)
    codes = tallies.codes if learning else ()
    return OpCounts(tallies.samples, tallies.steps, counter.ops, tallies.events, codes)


def accumulator_bits(spec: NetworkSpec, layer: int) -> int:
    """The width that a layer's synaptic sums really need, proven from its words."""
    described = spec.layers[layer]
    return (spec.rows(layer) * described.weight.max_abs * spec.presynaptic(layer).max_abs).bit_length() + 1


def _synaptic(spec: NetworkSpec, events: NDArray[np.int64], layer: int) -> int:
    """Weights that a layer's events met."""
    columns = spec.layers[layer].columns
    if layer >= spec.convolutions:
        return int(events.sum()) * columns
    g = spec.geometry(layer)
    arriving = events[: spec.n_in(layer)].reshape(-1, g.inputs[2]).sum(axis=1)
    return (int(arriving @ reached(g)) + int(events[spec.n_in(layer) :].sum()) * g.positions) * columns


def _forward(counter: _Counter, spec: NetworkSpec, tallies: Tallies, layer: int, *, learning: bool) -> None:
    described, code, address = spec.layers[layer], spec.presynaptic(layer), spec.address(layer)
    n, samples = spec.n_neurons(layer), tallies.samples
    events = int(tallies.events[layer].sum())
    synaptic = _synaptic(spec, tallies.events[layer], layer)

    def add(count: int, action: str, bits: int, by: int = 0, memory: str = "") -> None:
        counter.add(count, layer, "forward", action, bits, by, memory)

    add(events, "event", code.bits)
    add(synaptic, "mac", described.weight.bits, code.bits)
    add(synaptic, "read", described.weight.bits, memory="weight")
    for action in ("read", "write"):
        add(synaptic, action, accumulator_bits(spec, layer), memory="accumulator")
    add(samples * n, "neuron_update", address.bits)
    output = spec.output(layer)
    if described.activation in ("tanh", "logistic"):
        add(samples * n, "lut", output.bits)
    elif described.activation == "relu":
        add(samples * n, "compare", address.bits)
    elif described.activation == "hard-tanh":
        add(2 * samples * n, "compare", address.bits)
    elif described.activation == "softmax":
        width = 17 + max(1, (n - 1).bit_length())
        add(samples * n, "compare", address.bits)
        add(samples * n, "add", address.bits + 1)
        add(samples * n, "lut", 17)
        add(samples * n, "shift", 17)
        add(samples * n, "add", width)
        add(samples * n, "divide", width + output.bits)
    if layer < spec.convolutions:
        add(samples * comparisons(spec.geometry(layer)), "compare", output.bits)
    if learning:
        add(events, "write", code.bits, memory="activation")
        kept = _kept_bits(spec, layer) if spec.receives and layer < spec.last else 0
        if kept:
            add(samples * spec.n_out(layer), "write", kept, memory="address")


def _needs_address(spec: NetworkSpec, layer: int) -> bool:
    """Whether the derivative must remember the pre-activation."""
    if spec.channel.derivative == "none":
        return False
    return not (spec.channel.derivative in ("exact", "shift") and spec.layers[layer].activation == "linear")


def _kept_bits(spec: NetworkSpec, layer: int) -> int:
    """Bits kept for each unit that a hidden layer emits: its address, for the derivative, and which neuron won it."""
    address = spec.address(layer).bits if _needs_address(spec, layer) else 0
    return address + ((spec.geometry(layer).pool ** 2 - 1).bit_length() if layer < spec.convolutions else 0)


def _error(counter: _Counter, spec: NetworkSpec, tallies: Tallies) -> None:
    last, bits = spec.last, spec.error_bits
    counter.add(tallies.samples * spec.n_out(last), last, "error", "add", bits)
    for layer in dict.fromkeys((*spec.senders, last)):
        counts = tallies.counts[layer]
        if spec.channel.error is not None:
            shifts, compares = quantiser_steps(spec.channel.error)
            width = bits if layer == last else spec.received.bits
            counter.add(shifts * counts["quantised"], layer, "error", "shift", width)
            counter.add(compares * counts["quantised"], layer, "error", "compare", width)
        codes = int(tallies.codes[layer].sum())
        counter.add(codes, layer, "error", "error_code", spec.code_bits)
        counter.add(codes * spec.code_bits, layer, "error", "error_code_bit", spec.code_bits)


def _feedback(
    counter: _Counter, spec: NetworkSpec, tallies: Tallies, layer: int, crossbar: NDArray[np.integer[Any]] | None
) -> None:
    channel, counts, n = spec.channel, tallies.counts[layer], spec.n_out(layer)
    by_unit = tallies.codes[spec.sender(layer)]
    codes, received = int(by_unit.sum()), spec.received.bits
    single = channel.matrix == "random" and channel.feedback.bits == 1
    heard, connected = delivered(spec, layer, by_unit, crossbar if single else None)
    if spec.redraws:
        connected = counts["redrawn_connections"]
    word = spec.feedback_word(layer)

    def add(count: int, action: str, bits: int, by: int = 0, memory: str = "") -> None:
        counter.add(count, layer, "feedback", action, bits, by, memory)

    if channel.error is not None and channel.quantises_at_source:
        is_shift = channel.error.kind == "log" and channel.error.base == 2.0
        add(codes, "shift" if is_shift else "lut", received)
    operations_done = connected if single else heard
    if single or channel.matrix == "sign":
        add(operations_done, "add", spec.feedback_sum_bits(layer))
    else:
        add(operations_done, "mac", word.bits, received)
    if spec.redraws:
        add(heard, "random_word", _LANE)
    elif single:
        _read_single_bit(add, channel.feedback, heard, connected, _receivers(spec, layer))
    elif channel.matrix in ("transpose", "sign"):  # the sign is no bit of its own: 0 has none
        add(heard, "read", spec.layers[layer + 1].weight.bits, memory="weight_column")
    else:
        add(heard, "read", word.bits, memory="feedback")
    for action in ("read", "write"):
        add(operations_done, action, spec.feedback_sum_bits(layer), memory="accumulator")
    if channel.matrix == "product":
        above = spec.layers[layer + 1]
        if layer + 1 < spec.last:
            macs = tallies.steps * n * above.columns * spec.n_out(spec.last)
            add(macs, "mac", word.bits, above.weight.bits)
            add(macs, "read", above.weight.bits, memory="weight")
        add(tallies.steps * n * spec.n_out(spec.last), "write", word.bits, memory="feedback")
    add(counts["dropout_words"], "random_word", 64)
    add(counts["dropout_draws"], "random_word", DROPOUT_BITS)
    add(counts["dropout_draws"], "compare", DROPOUT_BITS)
    _slope(add, spec, layer, counts)
    for place, quantiser, met in (
        ("received", channel.received_error, counts["received"]),
        ("local", channel.local_error, counts["local"]),
    ):
        if place in channel.place:
            shifts, compares = quantiser_steps(quantiser)
            add(shifts * met, "shift", received)
            add(compares * met, "compare", received)


def delivered(
    spec: NetworkSpec, layer: int, by_unit: NDArray[np.int64], crossbar: NDArray[Any] | None
) -> tuple[int, int]:
    """(entries of C that the codes sent by each unit met, those of them that are not 0 in this crossbar; None: of none)."""
    joined = np.zeros(spec.feedback_shape(layer), np.bool_) if crossbar is None else crossbar != 0
    if not spec.shares_feedback(layer):
        return int(by_unit.sum()) * spec.n_out(layer), int(by_unit @ joined.sum(axis=1))
    g = spec.geometry(layer + 1)
    sent, shape = by_unit.reshape(*g.map, g.channels), (g.kernel, g.kernel, g.inputs[2], g.channels)
    heard = connections(g, np.ones(shape, np.int64).sum(axis=2))
    return int((sent * heard).sum()), int((sent * connections(g, joined.reshape(shape).sum(axis=2))).sum())


def _receivers(spec: NetworkSpec, layer: int) -> int:
    """Entries of a sender's row of C."""
    return spec.feedback_shape(layer)[0 if spec.shares_feedback(layer) else 1]


def _read_single_bit(add: Any, feedback: Any, heard: int, connected: int, n: int) -> None:
    """What fetching the entries of a single-bit crossbar takes, as it is held: rows of n."""
    signed = feedback.values == "+-1"
    if feedback.storage == "bitmap":
        planes = 2 if signed and not _is_dense(feedback) else 1
        add(planes * heard, "read", 1, memory="feedback")
    elif feedback.storage == "addresses":
        add(connected, "read", _address_bits(n) + signed, memory="feedback")
    else:
        add(heard, "random_word", _LANE)


def _is_dense(feedback: Any) -> bool:
    return bool(feedback.density == 1.0)


def _address_bits(n: int) -> int:
    return max(1, (n - 1).bit_length())


def _slope(add: Any, spec: NetworkSpec, layer: int, counts: dict[str, int]) -> None:
    """The work of f' for the neurons that received an error, and before it the way to those that won."""
    derivative, activation = spec.channel.derivative, spec.layers[layer].activation
    address, received, n = spec.address(layer).bits, spec.received.bits, counts["received"]
    kept = _kept_bits(spec, layer)
    if kept:
        add(n, "read", kept, memory="address")
    if layer < spec.convolutions:
        g, n = spec.geometry(layer), counts["routed"]
        if g.pool > g.pool_stride:
            add(counts["received"], "add", received)
    if not _needs_address(spec, layer):
        return
    if derivative == "boxcar" or activation in ("relu", "hard-tanh"):
        add(n, "compare", address)
    elif derivative == "shift":
        add(n, "lut", 4)
        add(n, "shift", received)
    else:
        add(n, "lut", 8)
        add(n, "multiply", received, 8)


def _update(counter: _Counter, spec: NetworkSpec, tallies: Tallies, layer: int, batch_size: int) -> None:
    counts, weight, code = tallies.counts[layer], spec.layers[layer].weight, spec.presynaptic(layer)
    top = layer == spec.last and spec.channel.top == "exact"
    signal = spec.error_bits if top else spec.received.bits
    done = {name: counts[f"update_{name}"] for name in _DONE}
    done["changed"] = counts["weight_changed"]
    widths = (weight.bits, code.bits, signal, spec.gradient_bits(layer, batch_size))
    _learn(counter, layer, done, widths, memory="weight", summed=batch_size > 1 or layer < spec.convolutions)
    update = spec.channel.update
    if update is not None:
        shifts, compares = quantiser_steps(update)
        counter.add(shifts * done["pairs"], layer, "update", "shift", code.bits + signal)
        counter.add(compares * done["pairs"], layer, "update", "compare", code.bits + signal)


def _adapt(counter: _Counter, spec: NetworkSpec, tallies: Tallies, layer: int, batch_size: int) -> None:
    counts, word = tallies.counts[layer], spec.feedback_word(layer)
    done = {name: counts[f"feedback_{name}"] for name in (*_DONE, "changed")}
    output = spec.output(layer)
    gradient = (batch_size * spec.received.max_abs * output.max_abs).bit_length() + 1
    widths = (word.bits, spec.received.bits, output.bits, gradient)
    _learn(counter, layer, done, widths, memory="feedback", summed=batch_size > 1)


def _learn(
    counter: _Counter,
    layer: int,
    done: dict[str, int],
    widths: tuple[int, int, int, int],
    *,
    memory: str,
    summed: bool,
) -> None:
    """The work of updating one memory. summed: its updates are sums, which are kept."""
    weight, code, signal, gradient = widths

    def add(count: int, action: str, bits: int, by: int = 0, memory: str = "") -> None:
        counter.add(count, layer, "update", action, bits, by, memory)

    add(done["active"], "read", code, memory="activation")
    add(done["pairs"], "update_pair", code, signal)
    if summed:
        add(done["pairs"], "add", gradient)
        add(done["pairs"], "read", gradient, memory="gradient")
        add(done["pairs"], "write", gradient, memory="gradient")
    add(done["row_words"], "random_word", 64)
    for bits in (16, 32, 64):
        add(done[f"words_{bits}"], "random_word", bits)
        add(done[f"words_{bits}"], "add", gradient)
    add(done["attempted"], "add", weight)
    add(done["attempted"], "update_attempted", weight)
    add(done["attempted"], "read", weight, memory=memory)
    add(done["changed"], "weight_changed", weight)
    add(done["changed"], "write", weight, memory=memory)


def layout(spec: NetworkSpec, crossbars: Crossbars, batch_size: int) -> Layout:
    """What the network occupies, in words."""
    held: list[Held] = []
    for layer, described in enumerate(spec.layers):
        weights = spec.rows(layer) * described.columns
        neurons = spec.n_neurons(layer)
        held.append(Held(layer, "weight", weights, described.weight.bits))
        held.append(Held(layer, "accumulator", neurons, accumulator_bits(spec, layer)))
        held.append(Held(layer, "activation", spec.units(layer), spec.presynaptic(layer).bits))
        if described.activation in ("tanh", "logistic"):
            entries = spec.address(layer).high - spec.address(layer).low + 1
            held.append(Held(layer, "table", entries, spec.output(layer).bits))
        elif described.activation == "softmax":
            held.append(Held(layer, "table", 1 << max(0, spec.address(layer).frac), 17))
        if batch_size > 1 or layer < spec.convolutions:
            held.append(Held(layer, "gradient", weights, spec.gradient_bits(layer, batch_size)))
        if spec.receives and layer < spec.last:
            held.extend(_held_feedback(spec, layer, crossbars[layer]))
    listeners = {layer: [h for h in range(spec.last) if spec.sender(h) == layer] for layer in spec.senders}
    return Layout(
        neurons=tuple(spec.n_neurons(layer) for layer in range(len(spec.layers))),
        fan_in=tuple(spec.rows(layer) for layer in range(len(spec.layers))),
        held=tuple(h for h in held if h.words),
        code_bits=spec.code_bits,
        event_bits=tuple(spec.presynaptic(layer).bits for layer in range(len(spec.layers))),
        receivers=tuple(tuple(listeners.get(layer, ())) for layer in range(len(spec.layers))),
        early_codes=spec.channel.route == "target",
        sources=tuple(
            Source(layer - 1, spec.n_in(layer), spec.geometry(layer) if layer < spec.convolutions else None)
            for layer in range(len(spec.layers))
        ),
    )


def _held_feedback(spec: NetworkSpec, layer: int, crossbar: NDArray[np.integer[Any]] | None) -> list[Held]:
    feedback, n = spec.channel.feedback, spec.n_out(layer)
    held = [Held(layer, "accumulator", n, spec.feedback_sum_bits(layer))]
    if _kept_bits(spec, layer):
        held.append(Held(layer, "address", n, _kept_bits(spec, layer)))
    if crossbar is None or spec.redraws or spec.channel.matrix == "sign":
        return held
    if spec.channel.matrix == "product" or feedback.bits > 1:
        return [*held, Held(layer, "feedback", crossbar.size, spec.feedback_word(layer).bits)]
    if feedback.storage == "bitmap":
        planes = 2 if feedback.values == "+-1" and not _is_dense(feedback) else 1
        return [*held, Held(layer, "feedback", planes * crossbar.size, 1)]
    if feedback.storage == "addresses":
        bits = _address_bits(_receivers(spec, layer)) + (feedback.values == "+-1")
        return [*held, Held(layer, "feedback", int(np.count_nonzero(crossbar)), bits)]
    return held
