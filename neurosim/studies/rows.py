"""The table of a study: rows of finished runs, read back and written."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurosim.errors import NeurosimError


def finished(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of earlier, perhaps interrupted, runs in all tables of a folder, by key: what two studies share is run once."""
    found: dict[str, dict[str, Any]] = {}
    for table in sorted(folder.glob("*.csv")):
        try:
            with table.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except (OSError, ValueError, csv.Error) as error:
            raise NeurosimError(f"{table}: not the table of a study ({error}); name another folder") from None
        for row in rows:
            if row.get("id"):
                found[row["id"]] = _checked(table, row)
    return found


def _checked(table: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its empty cells. Raises NeurosimError for a number that is none."""
    kept = {name: value for name, value in row.items() if value != "" and name is not None}
    for name, value in kept.items():
        if name not in _TEXT:
            try:
                float(value)
            except (TypeError, ValueError):
                raise NeurosimError(
                    f"{table}: {name}={value!r} in row {row['id']}: must be a number; delete the row"
                ) from None
    if "curve" not in kept:
        raise NeurosimError(f"{table}: row {row['id']} has no curve; delete the row")
    return kept


_TEXT = ("cell", "id", "angle_signal_curve", "angle_update_curve", "symmetry_curve", "curve")
_FIRST, _LAST = (
    ("cell", "seed", "test_accuracy", "test_error", "train_accuracy"),
    ("seconds", "id", "angle_signal_curve", "angle_update_curve", "symmetry_curve", "curve"),
)


def header_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of rows: what they have, the most important first, long ones last."""
    names = list(dict.fromkeys(name for row in rows for name in row if name is not None))
    middle = [name for name in names if name not in _FIRST + _LAST]
    return [n for n in _FIRST if n in names] + middle + [n for n in _LAST if n in names]


def cell_text(value: Any) -> Any:
    """A value as it stands in a table: real numbers with six digits."""
    return f"{value:.6g}" if isinstance(value, float) else value


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, under the columns of `header_of`."""
    text, header = io.StringIO(), header_of(rows)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[cell_text(row.get(name, "")) for name in header] for row in rows])
    return text.getvalue()
