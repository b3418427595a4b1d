"""The page of a report: data and charting library in one HTML file, which opens from a disk and offline.

Charts are Plotly's. The page holds every run as columns; grouping over seeds, fronts and filters are worked out in it.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurosim
from neurosim.errors import NeurosimError
from neurosim.studies.config import Config, converted
from neurosim.studies.sweep.measures import MEASURES, title
from neurosim.studies.sweep.sensitivity import sensitivity
from neurosim.studies.sweep.store import Store
from neurosim.studies.sweep.study import Study
from neurosim.studies.sweep.tables import Columns, Results

_BREAKDOWNS = 5000


def page(study: Study, store: Store, results: Results) -> str:
    """The page as text. Raises NeurosimError where Plotly is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise NeurosimError("report: needs Plotly; install the extra `report`") from None
    parts = {
        name: files("neurosim.studies.sweep").joinpath(f"html/{name}").read_text(encoding="utf-8")
        for name in ("page.html", "page.css", "page.js")
    }
    filled = {
        "TITLE": _escaped(study.name),
        "STYLE": parts["page.css"],
        "PLOTLY": get_plotlyjs(),
        "DATA": _data(content(study, store, results), results.columns),
        "SCRIPT": parts["page.js"],
    }
    found = parts["page.html"]
    for name, value in filled.items():
        before, _, after = found.partition(f"@@{name}@@")
        found = before + value + after
    return found


def _data(known: dict[str, Any], columns: Columns) -> str:
    """All that the page knows as JSON, column by column, since the numbers of all at once take ten times the room of their text."""
    shown = ",".join(
        f"{_json(name)}:{_json(_packed(columns[name], exact=name not in MEASURES))}" for name in known.pop("columns")
    )
    return f'{_json(known)[:-1]},"columns":{{{shown}}}}}'.replace("</", "<\\/")


def _json(given: Any) -> str:
    return json.dumps(given, separators=(",", ":"), allow_nan=False)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def content(study: Study, store: Store, results: Results) -> dict[str, Any]:
    """All that the page knows, JSON-ready, and the names of the columns that it shows."""
    columns, factors = results.columns, [one.name for one in study.factors]
    measures = [name for name in MEASURES if name in study.objectives or not np.isnan(columns[name]).all()]
    shown = dict.fromkeys(["number", "seed", "hardware", *factors, *study.priced_factors, *measures])
    return {
        "name": study.name,
        "made": f"neurosim {neurosim.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "states": results.states,
        "factors": factors,
        "hardware": list(study.hardware),
        "priced_factors": list(study.priced_factors),
        "unpriced": results.unpriced,
        "seeds": list(study.seeds),
        "objectives": dict(study.objectives),
        "constraints": {name: [_finite(bound) for bound in bounds] for name, bounds in study.constraints.items()},
        "measures": {
            name: {"unit": MEASURES[name].unit, "better": MEASURES[name].better, "title": title(name)}
            for name in measures
        },
        "columns": list(shown),
        "breakdowns": _breakdowns(store, columns["run"].tolist(), columns["hardware"].tolist()),
        "sensitivity": {name: [vars(one) for one in sensitivity(study, columns, name)] for name in study.objectives},
        "command": _command(study),
    }


def _finite(bound: float) -> float | None:
    return bound if abs(bound) != float("inf") else None


def _packed(values: NDArray[Any], *, exact: bool) -> dict[str, Any]:
    """A column: numbers, in seven figures unless exact, or names and which of them each row has."""
    given = values.tolist()
    if values.dtype.kind == "i":
        return {"numbers": given}
    if values.dtype.kind == "f":
        return {"numbers": [None if math.isnan(v) else v if exact else float(f"{v:.7g}") for v in given]}
    names = sorted(set(given))
    place = {name: i for i, name in enumerate(names)}
    return {"names": names, "which": [place[value] for value in given]}


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
