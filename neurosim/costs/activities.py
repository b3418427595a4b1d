"""From counts to what published chips are measured in: synaptic operations, neuron accesses, packets, hops, samples.

Two tables. `activity` says of every counted operation which of seven activities it belongs to, so that nothing is free
by oversight: an activity that happened and that no number of a chip contains is named in `Cost.unpriced`. `PER` says
how each amount that a chip's number may be of follows from the counts; `tests/naive_chips.py` says it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from neurosim.ops import Layout, Op, OpCounts

ACTIVITIES: Mapping[str, str] = {
    "synapses": "events meet weights and are summed",
    "neurons": "neurons update: states, tables and codes are worked on, read and written",
    "messages": "events and error codes travel",
    "errors": "the output error is formed and quantised",
    "feedback": "error codes pass feedback crossbars and become local signals",
    "updates": "weights change, but for the random words that this takes",
    "random": "random words are drawn",
}


class Per(NamedTuple):
    """One amount: the activity that its price pays for, the component that it is shown under, and how it is counted."""

    activities: tuple[str, ...]
    component: str
    counted: str


_ALL = ("synapses", "neurons", "messages")
_LEARNING = ("errors", "feedback", "updates", "random")
PER: Mapping[str, Per] = {
    "synaptic_operation": Per(
        ("synapses",),
        "synapse",
        "`synaptic_event` of any phase, and `mac` of the forward phase, with ticks of any but `update`",
    ),
    "neuron_access": Per(
        ("neurons",), "neuron", "neurons x ticks of every layer that has a `neuron_update`; without ticks those updates"
    ),
    "neuron_active": Per(
        ("neurons",),
        "neuron",
        "neuron accesses, but not more than synaptic operations of the layers that stand there: an upper bound",
    ),
    "spike": Per(("messages",), "communication", "`event`; and `error_code`, once for every layer that receives it"),
    "packet": Per(("messages",), "communication", "as `spike`, once for every core of the layer that receives it"),
    "hop_east_west": Per(("messages",), "communication", "packets x mean hops east or west"),
    "hop_north_south": Per(("messages",), "communication", "packets x mean hops north or south"),
    "feedback_operation": Per(
        ("feedback",), "learning", "`mac` and `add` of the feedback phase, in networks without ticks"
    ),
    "synaptic_update": Per(("updates",), "learning", "`update_attempted`"),
    "weight_change": Per(("updates",), "learning", "`weight_changed`"),
    "learning_synaptic_operation": Per(
        _LEARNING, "learning", "synaptic operations of counts that hold an error, feedback or update phase"
    ),
    "random_word": Per(("random",), "random", "`random_word`"),
    "mac": Per((), "arithmetic", "`mac`"),
    "arithmetic": Per(
        (),
        "arithmetic",
        "`multiply`, `add`, `shift`, `compare`, `lut`, `update_pair`; two for an `event`, three for a `neuron_update`",
    ),
    "division": Per((), "arithmetic", "`divide`"),
    "memory_access": Per(
        (), "memory", "`read` and `write` outside the forward sums (those of weights and accumulators there)"
    ),
    "tick": Per((), "clock", "ticks"),
    "sample": Per(_ALL, "sample", "samples"),
    "learning_sample": Per(_LEARNING, "learning", "samples of counts that hold an error, feedback or update phase"),
}

Place = tuple[int, str]  # layer, phase
_SUMS = frozenset({"weight", "target", "accumulator", "feedback"})
_SIMPLE: Mapping[str, int] = {
    "multiply": 1, "add": 1, "shift": 1, "compare": 1, "lut": 1, "update_pair": 1, "event": 2, "neuron_update": 3,
}  # fmt: skip


def activity(op: Op, *, ticking: bool) -> str:
    """The activity that an operation is part of. ticking: in a spiking network, where errors and feedback are spikes too."""
    if op.action == "random_word":
        return "random"
    if op.action in ("event", "error_code", "error_code_bit") or op.memory == "spike":
        return "messages"
    if op.phase == "update":
        return "updates"
    if not ticking and op.phase in ("error", "feedback"):
        return "errors" if op.phase == "error" else "feedback"
    if op.action in ("mac", "synaptic_event") or op.memory in _SUMS:
        return "synapses"
    return "neurons"


def learns(counts: OpCounts) -> bool:
    """Whether the counts are of a run that learned."""
    if counts.ticks:
        return any(op.phase == "update" for op in counts.ops)
    return any(op.phase != "forward" for op in counts.ops)


def _tally(op: Op, *, ticking: bool) -> tuple[tuple[str, int], ...]:
    """The amounts that one operation adds to by itself."""
    if op.action == "synaptic_event":
        return (("synaptic_operation", 1),)
    if op.action == "mac":
        by = {"forward": "synaptic_operation", "feedback": "feedback_operation"}.get(op.phase)
        if ticking:  # errors and feedback are spikes at synapses, too
            by = "synaptic_operation" if op.phase != "update" else None
        return (("mac", 1), (by, 1)) if by else (("mac", 1),)
    if op.action in _SIMPLE:
        feedback = op.action == "add" and op.phase == "feedback" and not ticking
        return (("arithmetic", _SIMPLE[op.action]), *((("feedback_operation", 1),) if feedback else ()))
    if op.action in ("read", "write"):
        summing = op.phase == "forward" and op.memory in ("weight", "accumulator")
        return () if summing else (("memory_access", 1),)
    one = {"update_attempted": "synaptic_update", "weight_changed": "weight_change", "divide": "division",
           "random_word": "random_word"}.get(op.action)  # fmt: skip
    return ((one, 1),) if one else ()


def amounts(
    counts: OpCounts, layout: Layout, cores: Sequence[int], hops: tuple[float, float]
) -> dict[str, dict[Place, float]]:
    """Every amount of `PER` by layer and phase, all samples together.

    cores: by layer; hops: mean hops of a packet east or west, and north or south.
    """
    out: dict[str, dict[Place, float]] = {name: {} for name in PER}
    ticking = counts.ticks > 0

    def add(name: str, place: Place, n: float) -> None:
        out[name][place] = out[name].get(place, 0.0) + n

    for op, n in counts.ops.items():
        for name, each in _tally(op, ticking=ticking):
            add(name, (op.layer, op.phase), each * n)
        if op.action == "neuron_update" and not (ticking and (op.layer, op.phase) in out["neuron_access"]):
            add("neuron_access", (op.layer, op.phase), layout.neurons[op.layer] * counts.ticks if ticking else n)
        if op.action in ("event", "error_code"):
            ends = (op.layer,) if op.action == "event" else layout.receivers[op.layer]
            add("spike", (op.layer, op.phase), n * len(ends))
            add("packet", (op.layer, op.phase), n * sum(cores[end] for end in ends))
    _active(out, layout, add)
    for place, packets in out["packet"].items():
        add("hop_east_west", place, packets * hops[0])
        add("hop_north_south", place, packets * hops[1])
    add("tick", (0, "forward"), counts.ticks)
    add("sample", (0, "forward"), counts.samples)
    if learns(counts):
        add("learning_sample", (0, "update"), counts.samples)
        for (layer, _), operations in out["synaptic_operation"].items():
            add("learning_synaptic_operation", (layer, "update"), operations)
    return {name: {place: n for place, n in found.items() if n} for name, found in out.items()}


def _active(out: dict[str, dict[Place, float]], layout: Layout, add: Callable[[str, Place, float], None]) -> None:
    """Neurons that took in something: as many as were accessed, unless there were fewer synaptic operations."""
    where = layout.places or tuple(range(len(layout.neurons)))
    met: dict[int, float] = {}
    for (layer, _), n in out["synaptic_operation"].items():
        met[where[layer]] = met.get(where[layer], 0.0) + n
    for (layer, phase), n in out["neuron_access"].items():
        add("neuron_active", (layer, phase), min(n, met.get(where[layer], 0.0)))


def per_table() -> str:
    """What a chip's number may be of, as a Markdown table; `docs/hardware_models.md` holds it word for word."""
    rows = [
        f"| `{name}` | {p.counted} | {', '.join(p.activities) or 'those it says it covers'} | {p.component} |"
        for name, p in PER.items()
    ]
    return "\n".join(["| `per` | counted as | pays for | shown as |", "|---|---|---|---|", *rows]) + "\n"


def activity_table() -> str:
    """The activities, likewise."""
    return (
        "\n".join(["| activity | what it is |", "|---|---|", *(f"| {k} | {v} |" for k, v in ACTIVITIES.items())]) + "\n"
    )
