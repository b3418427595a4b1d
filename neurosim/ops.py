"""The countable actions of a learning chip: all that simulation and pricing share.

The execution plane (``neurosim.chip``) says *how often* something happened, the accounting plane
(``neurosim.costs``) says *what it costs*. Neither imports the other; both import this module. Counts know nothing of
any chip: packets, hops and joules are results of ``costs``.

A count is keyed by layer, phase, action, memory and operand widths. Layers are weight layers, numbered from 0 at the
input; in spiking networks they are projections and then populations (docs/spiking.md 10). The whole vocabulary stands
in `PHASES`, `ACTIONS` and `MEMORIES`; its version is `SCHEMA_VERSION`, and a version reads those in `READS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError

SCHEMA_VERSION = 2
READS = (1, 2)
"""Version 2 has more words and `OpCounts.ticks`; what version 1 says means the same."""

PHASES: Mapping[str, str] = {
    "forward": "events travel up, neurons update",
    "error": "the output error is formed, quantised and sent",
    "feedback": "error codes pass the feedback crossbars and become local signals",
    "update": "weights (and adaptive feedback) change",
}

ACTIONS: Mapping[str, str] = {
    "event": "one address with its payload of `bits`, delivered to one layer",
    "synaptic_event": "a spike at one synapse of `bits`, transmitted or blanked out",
    "mac": "multiply `bits` by `by` and accumulate",
    "multiply": "multiply `bits` by `by`",
    "add": "add or subtract at `bits`",
    "shift": "shift by a variable amount at `bits`",
    "compare": "compare at `bits`",
    "divide": "integer division at `bits`",
    "lut": "look up a table whose entries have `bits`",
    "neuron_update": "round and saturate one pre-activation of `bits`",
    "error_code": "one quantised error of `bits` put on the learning channel",
    "error_code_bit": "one bit of an error code put on the learning channel",
    "update_pair": "multiply a presynaptic code of `bits` by a local signal of `by`",
    "update_attempted": "a weight whose summed update is not 0",
    "weight_changed": "a weight whose code differs afterwards",
    "random_word": "one random word of `bits`",
    "read": "read one word of `bits` from `memory`",
    "write": "write one word of `bits` to `memory`",
}

MEMORIES: Mapping[str, str] = {
    "weight": "synaptic weights, in rows by presynaptic neuron",
    "weight_column": "the same weights read across the rows (backpropagation's transpose)",
    "feedback": "feedback crossbars, as they are held",
    "accumulator": "sums of synaptic input or of error, one a neuron",
    "activation": "activation codes kept for the update",
    "gradient": "update sums of a mini-batch, one a weight",
    "address": "pre-activation codes kept for the derivative, with the winner of each pooling window",
    "target": "where the synapses of sparse rows lead, and where rows begin",
    "state": "states, refractory counters and last spikes of spiking neurons",
    "tag": "eligibility of synapses, one a weight",
    "spike": "addresses of spikes that wait for their delay",
}


class Op(NamedTuple):
    """What is counted: where (layer, phase), what (action, memory) and how wide (bits, by)."""

    layer: int
    phase: str
    action: str
    bits: int
    by: int = 0
    memory: str = ""


class Held(NamedTuple):
    """What one layer occupies on a chip, in words of `bits`: `memory` is a key of `MEMORIES` or ``"table"``."""

    layer: int
    memory: str
    words: int
    bits: int


@dataclass(frozen=True)
class Geometry:
    """Where the windows of one convolution and of its pooling lie; all sizes in positions, maps as (height, width).

    inputs: (height, width, channels) of what arrives; map: of the convolution; out: of what it emits, the pooled map.
    top, left: positions that the first window of the convolution begins above and left of the map; pool, pool_stride (both
    1 without pooling), pool_top, pool_left: the same of the pooling windows.
    """

    inputs: tuple[int, int, int]
    channels: int
    kernel: int
    stride: int
    top: int
    left: int
    map: tuple[int, int]
    pool: int
    pool_stride: int
    pool_top: int
    pool_left: int
    out: tuple[int, int]

    @property
    def positions(self) -> int:
        """Positions of the map, before pooling."""
        return self.map[0] * self.map[1]

    @property
    def fan_in(self) -> int:
        """Weights of one channel, without the bias: kernel x kernel x channels of the input."""
        return self.kernel * self.kernel * self.inputs[2]


class Source(NamedTuple):
    """Where the events of a layer come from.

    layer: the one whose neurons send them, -1 for the chip's input port; units: how many send: a unit of `OpCounts.events` beyond
    these is the bias, which every core makes for itself. window: of a convolution, None where an event may reach every neuron.
    """

    layer: int
    units: int
    window: Geometry | None = None


@dataclass(frozen=True)
class Layout:
    """What a network occupies, whatever the chip: what area, leakage and capacity are reckoned from.

    neurons: neurons by layer; held: memories by layer; fan_in, fan_out by layer; code_bits: width of an error code.
    `receivers[h]` lists the layers that a code sent by layer h is delivered to (a broadcast has several).
    early_codes: what is sent is known with the sample (the target itself), so nobody waits for the output.
    `places[h]` is the layer on whose cores layer h stands, which stands on its own; empty: each on its own.
    `sources[h]` says where the events of layer h come from; empty: not known (`sent` says what is then taken for true).
    """

    neurons: tuple[int, ...]
    fan_in: tuple[int, ...]
    held: tuple[Held, ...]
    code_bits: int
    event_bits: tuple[int, ...]
    receivers: tuple[tuple[int, ...], ...]
    places: tuple[int, ...] = ()
    sources: tuple[Source, ...] = ()
    early_codes: bool = False

    def sent(self, layer: int) -> Source:
        """Where the events of a layer come from; where that is not known, a chain is assumed.

        Then events of layer 0, and of all layers of a layout with `places`, come from the input port, others from the layer below.
        """
        if self.sources:
            return self.sources[layer]
        if layer == 0 or self.places:
            return Source(-1, self.fan_in[layer])
        return Source(layer - 1, self.neurons[layer - 1])

    def bits(self, memory: str | None = None, layer: int | None = None) -> int:
        """Bits held in all, or in one memory, or in one layer."""
        return sum(
            h.words * h.bits
            for h in self.held
            if (memory is None or h.memory == memory) and (layer is None or h.layer == layer)
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "neurons": list(self.neurons),
            "fan_in": list(self.fan_in),
            "held": [h._asdict() for h in self.held],
            "code_bits": self.code_bits,
            "event_bits": list(self.event_bits),
            "receivers": [list(r) for r in self.receivers],
            **({"places": list(self.places)} if self.places else {}),
            **({"early_codes": True} if self.early_codes else {}),
            **({"sources": [_source_dict(s) for s in self.sources]} if self.sources else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Layout:
        """The reverse of `to_dict`."""
        return cls(
            neurons=tuple(data["neurons"]),
            fan_in=tuple(data["fan_in"]),
            held=tuple(Held(**h) for h in data["held"]),
            code_bits=data["code_bits"],
            event_bits=tuple(data["event_bits"]),
            receivers=tuple(tuple(r) for r in data["receivers"]),
            places=tuple(data.get("places", ())),
            early_codes=bool(data.get("early_codes", False)),
            sources=tuple(
                Source(s["layer"], s["units"], _geometry(s["window"]) if s.get("window") else None)
                for s in data.get("sources", ())
            ),
        )


def _source_dict(source: Source) -> dict[str, Any]:
    window = source.window and {k: list(v) if isinstance(v, tuple) else v for k, v in vars(source.window).items()}
    return {"layer": source.layer, "units": source.units, **({"window": window} if window else {})}


def _geometry(data: Mapping[str, Any]) -> Geometry:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return Geometry(**fields)


def _check(op: Op, count: int) -> None:
    if op.phase not in PHASES:
        msg = f"phase={op.phase!r}: must be one of {', '.join(PHASES)}"
        raise NeurosimError(msg)
    if op.action not in ACTIONS:
        msg = f"action={op.action!r}: must be one of {', '.join(ACTIONS)}"
        raise NeurosimError(msg)
    if (op.action in ("read", "write")) != (op.memory in MEMORIES):
        msg = f"memory={op.memory!r} with action={op.action!r}: read and write name one of {', '.join(MEMORIES)}"
        raise NeurosimError(msg)
    if count < 0 or op.bits < 0 or op.by < 0 or op.layer < 0:
        msg = f"count={count} for {op}: counts, widths and layers must not be negative"
        raise NeurosimError(msg)


@dataclass(frozen=True)
class OpCounts:
    """Exact counts of a run.

    samples: samples that were presented; steps: weight updates made; ops: count by `Op` (zeros are not kept).
    ticks: of a spiking network's time, all samples together (steps are then the ticks in which it learned); 0: no ticks.
    events[l]: int64[n_in], events by presynaptic unit of layer l (the bias unit last, where there is one).
    error_codes[l]: int64[n_out], codes sent on the channel by each unit of layer l.
    """

    samples: int = 0
    steps: int = 0
    ops: Mapping[Op, int] = field(default_factory=dict)
    events: tuple[NDArray[np.int64], ...] = ()
    error_codes: tuple[NDArray[np.int64], ...] = ()
    ticks: int = 0

    def __post_init__(self) -> None:
        for op, count in self.ops.items():
            _check(op, count)
        object.__setattr__(self, "ops", {op: int(n) for op, n in sorted(self.ops.items()) if n})

    def __add__(self, other: OpCounts) -> OpCounts:
        """Counts of two runs of one network together."""
        ops = dict(self.ops)
        for op, n in other.ops.items():
            ops[op] = ops.get(op, 0) + n
        return OpCounts(
            self.samples + other.samples,
            self.steps + other.steps,
            ops,
            _add_units(self.events, other.events),
            _add_units(self.error_codes, other.error_codes),
            self.ticks + other.ticks,
        )

    def since(self, earlier: OpCounts, samples: int | None = None) -> OpCounts:
        """What a run has counted since an earlier count of its own; samples: what to call it, by default the difference.

        Raises: NeurosimError if `earlier` holds more of anything.
        """
        ops = {op: self.ops.get(op, 0) - earlier.ops.get(op, 0) for op in {*self.ops, *earlier.ops}}
        return OpCounts(
            self.samples - earlier.samples if samples is None else samples,
            self.steps - earlier.steps,
            ops,
            _add_units(self.events, tuple(-u for u in earlier.events)),
            _add_units(self.error_codes, tuple(-u for u in earlier.error_codes)),
            self.ticks - earlier.ticks,
        )

    def total(
        self, action: str, *, phase: str | None = None, layer: int | None = None, memory: str | None = None
    ) -> int:
        """How often `action` happened, over everything that is not pinned."""
        return sum(
            n
            for op, n in self.ops.items()
            if op.action == action
            and (phase is None or op.phase == phase)
            and (layer is None or op.layer == layer)
            and (memory is None or op.memory == memory)
        )

    def by(self, key: Callable[[Op], Any]) -> dict[Any, int]:
        """Counts grouped by any function of the `Op`."""
        out: dict[Any, int] = {}
        for op, n in self.ops.items():
            out[key(op)] = out.get(key(op), 0) + n
        return out

    def rows(self) -> Iterator[dict[str, Any]]:
        """One flat row per count: the columns of the CSV form."""
        for op, n in self.ops.items():
            yield {**op._asdict(), "count": n}

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form; `from_dict` reads it back."""
        return {
            "schema": SCHEMA_VERSION,
            "samples": self.samples,
            "steps": self.steps,
            **({"ticks": self.ticks} if self.ticks else {}),
            "ops": list(self.rows()),
            "events": [u.tolist() for u in self.events],
            "error_codes": [u.tolist() for u in self.error_codes],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OpCounts:
        """The reverse of `to_dict`.

        Raises: NeurosimError on another schema version, an unknown name or a missing field.
        """
        if data.get("schema") not in READS:
            msg = f"counts.schema={data.get('schema')!r}: this version reads {', '.join(map(str, READS))}"
            raise NeurosimError(msg)
        try:
            ops: dict[Op, int] = {}
            for row in data["ops"]:
                op = Op(row["layer"], row["phase"], row["action"], row["bits"], row.get("by", 0), row.get("memory", ""))
                ops[op] = ops.get(op, 0) + row["count"]
            return cls(
                data["samples"],
                data.get("steps", 0),
                ops,
                tuple(np.asarray(u, np.int64) for u in data.get("events", ())),
                tuple(np.asarray(u, np.int64) for u in data.get("error_codes", ())),
                data.get("ticks", 0),
            )
        except KeyError as missing:
            msg = f"counts: field {missing} is missing"
            raise NeurosimError(msg) from None


def _add_units(a: Iterable[NDArray[np.int64]], b: Iterable[NDArray[np.int64]]) -> tuple[NDArray[np.int64], ...]:
    left, right = tuple(a), tuple(b)
    if not left or not right:
        return left or right
    return tuple(x + y for x, y in zip(left, right, strict=True))
