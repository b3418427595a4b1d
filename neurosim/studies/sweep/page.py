"""The page of a report: data and charting library in one HTML file, which opens from a disk and offline.

Charts are Plotly's. The page holds every run as columns; grouping over seeds, fronts and filters are worked out in it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import neurosim
from neurosim.errors import NeurosimError
from neurosim.studies.config import Config, converted
from neurosim.studies.sweep.measures import MEASURES, title
from neurosim.studies.sweep.sensitivity import sensitivity
from neurosim.studies.sweep.store import Store
from neurosim.studies.sweep.study import Study

_BREAKDOWNS = 5000


def page(study: Study, store: Store, columns: Mapping[str, Sequence[Any]]) -> str:
    """The page as text. columns: of the view `results`. Raises NeurosimError where Plotly is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise NeurosimError("report: needs Plotly; install the extra `report`") from None
    data = content(study, store, columns)
    parts = {
        name: files("neurosim.studies.sweep").joinpath(f"html/{name}").read_text(encoding="utf-8")
        for name in ("page.html", "page.css", "page.js")
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    filled = {
        "TITLE": _escaped(study.name),
        "STYLE": parts["page.css"],
        "PLOTLY": get_plotlyjs(),
        "DATA": text,
        "SCRIPT": parts["page.js"],
    }
    found = parts["page.html"]
    for name, value in filled.items():
        before, _, after = found.partition(f"@@{name}@@")
        found = before + value + after
    return found


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def content(study: Study, store: Store, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """All that the page knows, JSON-ready."""
    kept = [
        i
        for i, state in enumerate(columns["state"])
        if state == "finished" and columns["hardware"][i] is not None and columns["unpriced"][i] is None
    ]
    factors = [one.name for one in study.factors]
    measures = [name for name in MEASURES if any(columns[name][i] is not None for i in kept)]
    shown = dict.fromkeys(["number", "seed", "hardware", *factors, *study.priced_factors, *measures])
    chosen = {name: [columns[name][i] for i in kept] for name in shown}
    rows = [dict(zip(chosen, row, strict=True)) for row in zip(*chosen.values(), strict=True)]
    return {
        "name": study.name,
        "made": f"neurosim {neurosim.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "states": {state: columns["state"].count(state) for state in dict.fromkeys(columns["state"])},
        "factors": factors,
        "hardware": list(study.hardware),
        "priced_factors": list(study.priced_factors),
        "unpriced": sum(one is not None for one in columns["unpriced"]),
        "seeds": list(study.seeds),
        "objectives": dict(study.objectives),
        "constraints": {name: [_finite(bound) for bound in bounds] for name, bounds in study.constraints.items()},
        "measures": {
            name: {"unit": MEASURES[name].unit, "better": MEASURES[name].better, "title": title(name)}
            for name in measures
        },
        "columns": {name: _packed(values, exact=name not in MEASURES) for name, values in chosen.items()},
        "breakdowns": _breakdowns(store, [columns["run"][i] for i in kept], chosen["hardware"]),
        "sensitivity": {name: [vars(one) for one in sensitivity(study, rows, name)] for name in study.objectives},
        "command": _command(study),
    }


def _finite(bound: float) -> float | None:
    return bound if abs(bound) != float("inf") else None


def _packed(values: Sequence[Any], *, exact: bool) -> dict[str, Any]:
    """A column: numbers, in seven figures unless exact, or names and which of them each row has."""
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return {"numbers": [v if exact or v is None or isinstance(v, int) else float(f"{v:.7g}") for v in values]}
    names = sorted({str(value) for value in values})
    place = {name: i for i, name in enumerate(names)}
    return {"names": names, "which": [place[str(value)] for value in values]}


def _breakdowns(store: Store, runs: Sequence[str], hardware: Sequence[str]) -> dict[str, Any]:
    """Energy by component, of as many rows as keep the page small: place in the columns to pJ."""
    if len(runs) > _BREAKDOWNS:
        return {}
    found = {(run, name): text for run, name, text in store.query("SELECT run, hardware, breakdown FROM costs")[1]}
    rows = [json.loads(found[key])["component"] for key in zip(runs, hardware, strict=True)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {"names": names, "rows": [[float(f"{row.get(name, 0.0):.5g}") for name in names] for row in rows]}


def _command(study: Study) -> dict[str, Any]:
    """What re-runs a point: flags of the base, and of each level of each factor."""
    base = {name: converted(name, value) for name, value in study.base.items() if name != "hardware"}
    if not any("data" in one.knobs for one in study.factors):
        base = {"data": Config.data} | base
    flags = sorted(base.items(), key=lambda item: item[0] != "data")
    return {
        "base": " ".join(["neurosim train", *(_flag(name, value) for name, value in flags)]),
        "levels": {
            one.name: {
                _key(level.label): " ".join(_flag(name, value) for name, value in level.sets) for level in one.levels
            }
            for one in study.factors
        },
    }


def _key(label: Any) -> str:
    """A label as the page spells it: SQLite gives true and false as 1 and 0."""
    return str(int(label)) if isinstance(label, bool) else str(label)


def _flag(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    text = shlex.quote(",".join(map(str, value)) if isinstance(value, tuple) else str(value))
    if name == "data":
        return text
    return f"--{flag}={text}" if text.startswith("-") else f"--{flag} {text}"  # -3,-2 would be read as a flag
