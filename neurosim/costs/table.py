"""A cost as flat rows, for spreadsheets and other tools: one number with its band a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from neurosim.costs.cost import Cost
from neurosim.costs.describe import unit_of

COLUMNS = ("model", "doing", "what", "layer", "phase", "component", "low", "nominal", "high", "unit")
"""doing: `learning`, `inference` or `chip`. what: `energy`, `busy`, `start`, `area` (parts), or a total's key in `Cost.band`."""


def rows(cost: Cost) -> Iterator[dict[str, Any]]:
    """Totals first, then parts: energies in pJ, busy times and starts of stages in ns (`component` is the busiest unit), areas in um2.

    Energies of one model and `doing` sum to its total, areas too; stages overlap, so busy times do not.
    """
    for key, band in cost.band.items():
        doing = (
            "inference"
            if key.startswith("inference")
            else "chip"
            if key in ("area_um2", "static_power_uw")
            else "learning"
        )
        yield _row(cost, doing, key, band, unit_of(key.removesuffix("_per_sample")) or "1/s")
    for doing, energy, latency in (
        ("learning", cost.energy, cost.latency),
        ("inference", cost.inference_energy, cost.inference_latency),
    ):
        for p in energy:
            yield _row(cost, doing, "energy", p[3:], "pJ", p.layer, p.phase, p.component)
        for s in latency:
            yield _row(cost, doing, "busy", s[3:6], "ns", s.layer, s.phase, s.unit)
            yield _row(cost, doing, "start", s.start, "ns", s.layer, s.phase, s.unit)
    for plot in cost.area:
        yield _row(cost, "chip", "area", plot[2:], "um2", plot.layer, "", plot.component)


def _row(
    cost: Cost,
    doing: str,
    what: str,
    band: Iterable[float],
    unit: str,
    layer: int | str = "",
    phase: str = "",
    component: str = "",
) -> dict[str, Any]:
    return dict(zip(COLUMNS, (cost.model, doing, what, layer, phase, component, *band, unit), strict=True))


def as_csv(costs: Iterable[Cost]) -> str:
    """All rows of several costs as CSV, `COLUMNS` first; numbers keep all digits."""
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    table.writeheader()
    for cost in costs:
        table.writerows(rows(cost))
    return out.getvalue()
