"""The report of a sweep: one self-contained HTML page, the front as PNG and SVG, all points as CSV and Parquet."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from neurosim.errors import NeurosimError
from neurosim.studies.files import prepare, write, write_text
from neurosim.studies.sweep.measures import MEASURES, title
from neurosim.studies.sweep.store import Store
from neurosim.studies.sweep.study import Study
from neurosim.studies.sweep.tables import Columns, write_tables

_UNDATED = {"Date": None}


def open_results(given: str | Path) -> tuple[Study, Store]:
    """A study and its results, from the path of either file. Raises NeurosimError that names the file."""
    path = Path(given)
    store = Store(path.with_suffix(".sqlite") if path.suffix == ".toml" else path, read_only=True)
    known = store.definition()
    if "definition" not in known:
        store.close()
        raise NeurosimError(f"{store.path}: holds no study yet; run neurosim sweep first")
    study = Study.of(name=known["name"], **json.loads(known["definition"]))
    return study, store


def report(given: str | Path, out: str | Path | None = None) -> list[Path]:
    """Write NAME.html, .png, .svg, .csv and, with pyarrow, .parquet into a folder, by default that of the results.

    Returns the files. Raises NeurosimError where there are no results, or the page's library is missing.
    """
    from neurosim.studies.sweep.page import page

    study, store = open_results(given)
    try:
        folder = store.path.parent if out is None else Path(out)
        prepare(folder)
        if not store.numbers():
            raise NeurosimError(f"{store.path}: holds no finished points yet")
        stem = folder / study.name
        html = stem.with_name(f"{study.name}.html")
        tables, results = write_tables(study, store, stem)
        write_text(html, page(study, store, results))
        written = [html, *tables, *draw_front(study, results.columns, stem)]
    finally:
        store.close()
    return written


def draw_front(study: Study, columns: Columns, stem: Path) -> list[Path]:
    """The first two objectives of all configurations, means over seeds, and the front of those that keep all constraints.

    Writes STEM.png and STEM.svg; nothing where no point has finished.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    others = [name for name in ("test_accuracy", "energy_pj_per_sample") if name not in study.objectives]
    y, x = sorted([*study.objectives, *others][:2], key=lambda name: MEASURES[name].unit != "share")
    means = means_over_seeds(study, columns, {x, y, *study.constraints})
    known = [row for row in means if not (math.isnan(row[x]) or math.isnan(row[y]))]
    points = sorted({(row[x], row[y]) for row in known})
    if not points:
        return []
    way = {name: study.objectives.get(name, MEASURES[name].better) for name in (x, y)}
    edge = front_of([(row[x], row[y]) for row in known if study.allows(row)], way[x], way[y])
    with mpl.rc_context({"svg.hashsalt": study.name, "font.size": 9}):
        figure = Figure(figsize=(6.4, 4), layout="constrained")
        axes = figure.subplots()
        scale_x, scale_y = (100 if MEASURES[name].unit == "share" else 1 for name in (x, y))
        axes.scatter(
            [scale_x * a for a, _ in points],
            [scale_y * b for _, b in points],
            s=9,
            color="#9aa4b2",
            linewidths=0,
            label="configurations",
            rasterized=len(points) > 5000,
        )
        axes.plot(
            [scale_x * a for a, _ in edge],
            [scale_y * b for _, b in edge],
            "o-",
            color="#c2410c",
            ms=4,
            lw=1.2,
            label="Pareto front",
        )
        if points[0][0] > 0 and points[-1][0] > 10 * points[0][0]:
            axes.set_xscale("log")
        else:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel(title(x))
        axes.set_ylabel(title(y))
        axes.set_title(study.name, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e5e7eb", lw=0.6)
        axes.set_axisbelow(True)
        axes.legend(frameon=False)
        files = [stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg")]
        for file in files:
            kind = file.suffix[1:]
            save = functools.partial(figure.savefig, dpi=160, format=kind, metadata=_UNDATED if kind == "svg" else None)
            write(file, save)
    return files


def means_over_seeds(study: Study, columns: Columns, names: Iterable[str]) -> list[dict[str, float]]:
    """Measures of each configuration on each hardware, over the seeds that have finished; nan where one is not known."""
    place = {name: i for i, name in enumerate(dict.fromkeys(columns["hardware"].tolist()))}
    models = np.array([place[name] for name in columns["hardware"].tolist()], np.int64)
    groups = columns["number"] // len(study.seeds) * len(place) + models
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    means = {name: (np.bincount(which, columns[name]) / sizes).tolist() for name in names}
    return [dict(zip(means, row, strict=True)) for row in zip(*means.values(), strict=True)]


def front_of(points: Sequence[tuple[float, float]], way_x: str, way_y: str) -> list[tuple[float, float]]:
    """The points than which none is better in both, from the best x on; each way is ``min`` or ``max``."""
    sign_x, sign_y = (1 if way == "min" else -1 for way in (way_x, way_y))
    found: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: (sign_x * p[0], sign_y * p[1])):
        if not found or sign_y * point[1] < sign_y * found[-1][1]:
            found.append(point)
    return found
