"""All points of a study in one pass over the view `results`: CSV and Parquet as they come, arrays for the page and the figure."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from neurosim.studies.files import write
from neurosim.studies.sweep.measures import MEASURES
from neurosim.studies.sweep.store import Store
from neurosim.studies.sweep.study import Study

Columns = Mapping[str, NDArray[Any]]
Part = dict[str, Sequence[Any]]
_TOGETHER = 5000  # rows in memory at once
_LEFT_OUT_OF_CSV = ("config",)
_WHOLE, _REAL = ("number", "seed"), (*MEASURES, "seconds", "wall_s")


@dataclass(frozen=True)
class Results:
    """Points that have finished and have a price, one row a point and model, and how many of all are in which state.

    columns: int64 or float64[n] (nan: none), or object[n] of words: number, seed, hardware, run, factors and measures;
    states: rows by state; unpriced: rows that a model could not price.
    """

    columns: Columns
    states: Mapping[str, int]
    unpriced: int


def write_tables(study: Study, store: Store, stem: Path) -> tuple[list[Path], Results]:
    """Write STEM.csv and, with pyarrow, STEM.parquet; returns them, and the results."""
    files = [stem.with_name(f"{stem.name}.csv")]
    found = _Gathered(study)
    if find_spec("pyarrow") is None:
        write(files[0], lambda part: _pass(store, [found.take, _csv(part)]))
        return files, found.results()
    files.append(stem.with_name(f"{stem.name}.parquet"))

    def both(one: IO[bytes], other: IO[bytes]) -> None:
        with _Parquet(study, other) as parquet:
            _pass(store, [found.take, _csv(one), parquet.take])

    write(files[0], lambda one: write(files[1], lambda other: both(one, other)))
    return files, found.results()


def _pass(store: Store, takers: Sequence[Callable[[Part], None]]) -> None:
    for names, rows in store.stream("SELECT * FROM results ORDER BY number, hardware", _TOGETHER):
        part: Part = dict(zip(names, zip(*rows, strict=True), strict=True))
        for take in takers:
            take(part)


def _csv(file: IO[bytes]) -> Callable[[Part], None]:
    first = True

    def take(part: Part) -> None:
        nonlocal first
        shown = {name: values for name, values in part.items() if name not in _LEFT_OUT_OF_CSV}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if first:
            writer.writerow(shown)
        writer.writerows(zip(*shown.values(), strict=True))
        file.write(text.getvalue().encode())
        first = False

    return take


class _Parquet:
    """Rows as Parquet. Columns have the types that the study gives them; a factor of several types becomes text."""

    def __init__(self, study: Study, file: IO[bytes]) -> None:
        self.kinds, self.file = _kinds(study), file
        self.writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def take(self, part: Part) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
        schema = pa.schema([(name, types[self.kinds.get(name, str)]) for name in part])
        arrays = [
            pa.array([None if v is None else self.kinds.get(name, str)(v) for v in values], schema.field(name).type)
            for name, values in part.items()
        ]
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.file, schema)
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _kinds(study: Study) -> dict[str, type]:
    """The types of columns that hold no words."""
    found: dict[str, type] = dict.fromkeys(_WHOLE, int) | dict.fromkeys(_REAL, float)
    levels: dict[str, list[Any]] = {
        one.name: [level.label for level in one.levels] or [one.draw(0.0).label] for one in study.factors
    }
    levels |= {name: [own[name] for own in study.hardware.values()] for name in study.priced_factors}
    for name, labels in levels.items():
        kinds = {int if isinstance(label, bool) else type(label) for label in labels}  # SQLite's true is 1
        found[name] = str if str in kinds else float if float in kinds else int
    return found


class _Gathered:
    """The rows that have a price, packed as they come."""

    def __init__(self, study: Study) -> None:
        self.factors = [*(one.name for one in study.factors), *study.priced_factors]
        self.kinds = _kinds(study)
        self.names = list(dict.fromkeys(["number", "seed", "run", "hardware", *self.factors, *MEASURES]))
        self.parts: dict[str, list[NDArray[Any]]] = {name: [] for name in self.names}
        self.words: dict[Any, Any] = {}
        self.states: Counter[str] = Counter()
        self.unpriced = 0

    def take(self, part: Part) -> None:
        self.states.update(part["state"])
        self.unpriced += sum(why is not None for why in part["unpriced"])
        shown = zip(part["state"], part["hardware"], part["unpriced"], strict=True)
        kept = [i for i, (state, model, why) in enumerate(shown) if state == "finished" and model and why is None]
        for name in self.names:
            values = part[name]
            self.parts[name].append(self._packed(self.kinds.get(name, str), [values[i] for i in kept]))

    def _packed(self, kind: type, values: list[Any]) -> NDArray[Any]:
        if kind is str:
            return np.array([self.words.setdefault(str(value), str(value)) for value in values], object)
        return np.array(values, np.int64 if kind is int else np.float64)

    def results(self) -> Results:
        columns = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in self.parts.items()}
        return Results(columns, dict(self.states), self.unpriced)
