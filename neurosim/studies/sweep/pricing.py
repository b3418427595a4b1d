"""Simulate once, price many: the costs of finished runs on every hardware model of a study, kept until a model or a law changes."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from neurosim import costs, ops
from neurosim.errors import NeurosimError
from neurosim.ops import Layout, OpCounts
from neurosim.studies.sweep import measures
from neurosim.studies.sweep.simulate import counts_of
from neurosim.studies.sweep.store import Store

_TOGETHER = 500


@functools.lru_cache(maxsize=1)
def _laws() -> str:
    """A fingerprint of the text that prices: an edited law prices anew."""
    text = hashlib.sha256()
    for path in [*sorted(Path(costs.__file__).parent.glob("*.py")), Path(ops.__file__), Path(measures.__file__)]:
        text.update(path.read_bytes())
    return text.hexdigest()[:16]


def priced_by(hardware: str) -> str:
    """What decides a price, but for the counts: model and laws."""
    return _priced_by(costs.load(hardware))


def _priced_by(model: costs.AnyModel) -> str:
    return f"{model.digest}-{_laws()}"


def price(counts: tuple[OpCounts, OpCounts, Layout], hardware: Sequence[str]) -> list[dict[str, Any]]:
    """One row of costs a model; `unpriced` says why where a model cannot price the counts, which need more cores than it has, say."""
    train, test, layout = counts
    rows = []
    for name in hardware:
        model = costs.load(name)
        row: dict[str, Any] = {"hardware": name, "priced_by": _priced_by(model)}
        try:
            cost = costs.price(train, test, layout, model)
        except NeurosimError as error:
            rows.append(row | {"unpriced": str(error)})
            continue
        row["grade"] = ", ".join(cost.grade)
        rows.append(row | measures.priced(cost, train.samples) | {"breakdown": json.dumps(measures.breakdown(cost))})
    return rows


def bring_up_to_date(store: Store, hardware: Sequence[str], numbers: Sequence[int] | None = None) -> int:
    """Price the runs of a study, or of points of some numbers, that have no price yet on a model, or an old one.

    Returns how many prices were made.
    """
    wanted = store.unpriced({name: priced_by(name) for name in hardware}, numbers)
    runs = list(wanted.items())
    for start in range(0, len(runs), _TOGETHER):
        store.price(_rows(store, runs[start : start + _TOGETHER]))
    return sum(map(len, wanted.values()))


def _rows(store: Store, some: Sequence[tuple[str, list[str]]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for run, names in some:
        yield run, price(counts_of(store.packed(run)), names)
