"""What is given to be priced, checked before anything is reckoned: layouts and counts."""

from __future__ import annotations

from collections.abc import Iterable

from neurosim.costs.flows import PORT
from neurosim.costs.laws import FREE
from neurosim.errors import NeurosimError
from neurosim.ops import MEMORIES, Layout, Op, OpCounts

_WORK = frozenset({"mac", "multiply", "add", "update_pair", "read", "write"})
"""What tallies of synapses and weights stand for; that of bits stands for `error_code`."""
_HELD = (*MEMORIES, "table")
UNCLASSIFIED = "no forward operation was counted, so what classifying costs is not in the numbers"


def countable(counts: OpCounts, name: str) -> OpCounts:
    """Give the counts back if there is something to price in them; name: of the counts, for errors.

    Raises: NeurosimError on counts without samples or without operations.
    """
    if counts.samples < 1:
        raise NeurosimError(f"{name}.samples={counts.samples}: must be at least 1, costs are given a sample")
    if not counts.ops:
        raise NeurosimError(
            f"{name}.ops: are all 0, and nothing that was counted is nothing to price; must hold an operation"
        )
    return counts


def classified(train: OpCounts, test: OpCounts | None) -> tuple[str, ...]:
    """What is to be told where nothing says what classifying takes."""
    told = test is not None or any(op.phase == "forward" for op in train.ops)
    return () if told else (UNCLASSIFIED,)


def tallied(ops: Iterable[Op]) -> tuple[Op, ...]:
    """Tallies, which arrays take for free, where nothing that they stand for was counted in their layer and phase."""
    kept = tuple(ops)
    work = {(op.layer, op.phase) for op in kept if op.action in _WORK}
    sent = {(op.layer, op.phase) for op in kept if op.action == "error_code"}
    return tuple(
        op
        for op in kept
        if op.action in FREE and (op.layer, op.phase) not in (sent if op.action == "error_code_bit" else work)
    )


def sound(layout: Layout) -> Layout:
    """Give the layout back if its layers exist.

    Raises: NeurosimError, naming the field.
    """
    layers = range(len(layout.neurons))
    for sender, receivers in enumerate(layout.receivers):
        if any(r not in layers for r in receivers):
            raise NeurosimError(f"layout.receivers[{sender}]={receivers}: must be layers 0..{len(layers) - 1}")
    for h in layout.held:
        if h.memory not in _HELD:
            raise NeurosimError(f"layout.held={h}: memory must be one of {', '.join(_HELD)}")
        if h.layer not in layers or h.words < 0 or h.bits < 0:
            raise NeurosimError(
                f"layout.held={h}: layer must be 0..{len(layers) - 1}, words and bits must not be negative"
            )
    places = layout.places
    if places and (len(places) != len(layers) or any(p not in layers or places[p] != p for p in places)):
        raise NeurosimError(
            f"layout.places={places}: must be one of {len(layers)} layers for each, and that one its own"
        )
    for layer, s in enumerate(layout.sources):
        if len(layout.sources) != len(layers) or s.layer not in (PORT, *layers) or s.units < 0:
            msg = f"layout.sources[{layer}]={s}: must be one a layer, from -1 or a layer 0..{len(layers) - 1}"
            raise NeurosimError(msg)
    return layout
