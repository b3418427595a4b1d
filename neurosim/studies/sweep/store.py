"""Results of a sweep: one SQLite file beside the study, durable at every finished point.

runs: one row a simulation, named by what decided its bits; counts: what pricing needs of it, packed; costs: its price on each
hardware model; points: which runs a study is made of; the view `results` joins them, one row a point and model. Several sweeps may
write one file at once: a run is claimed before it is simulated, and a claim holds while its sweep lives.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import platform
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from neurosim.errors import NeurosimError
from neurosim.studies.sweep.measures import PRICED, SIMULATED

APPLICATION, SCHEMA = 0x6E73696D, 2
_BEAT_LASTS_S = 60.0
_WAITS_S = 60.0
_RUN_COLUMNS = (
    "state", "config", "seed", "data", "network", *SIMULATED, "samples", "curve", "seconds", "wall_s", "started", "host", "versions",
    "error",
)  # fmt: skip
DONE = ("finished", "refused", "stopped")
_TABLES = f"""
CREATE TABLE IF NOT EXISTS study (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, state TEXT NOT NULL, config TEXT, seed INTEGER, data TEXT, network TEXT,
 {", ".join(f"{name} REAL" for name in SIMULATED)}, samples INTEGER, curve TEXT, seconds REAL, wall_s REAL, started TEXT, host TEXT,
 versions TEXT, error TEXT);
CREATE TABLE IF NOT EXISTS counts (run TEXT PRIMARY KEY, packed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS costs (run TEXT NOT NULL, hardware TEXT NOT NULL, priced_by TEXT NOT NULL,
 {", ".join(f"{name} REAL" for name in PRICED)}, grade TEXT, breakdown TEXT, unpriced TEXT,
 PRIMARY KEY (run, hardware));
CREATE INDEX IF NOT EXISTS costs_by_price ON costs (run, hardware, priced_by);
CREATE TABLE IF NOT EXISTS models (hardware TEXT PRIMARY KEY, levels TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS points (number INTEGER PRIMARY KEY, run TEXT NOT NULL, seed INTEGER NOT NULL, levels TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS points_by_run ON points (run);
CREATE TABLE IF NOT EXISTS sweeps (sweep TEXT PRIMARY KEY, host TEXT, pid INTEGER, beat REAL);
CREATE TABLE IF NOT EXISTS claims (run TEXT PRIMARY KEY, sweep TEXT NOT NULL);
"""

P = ParamSpec("P")
T = TypeVar("T")


def _told(method: Callable[P, T]) -> Callable[P, T]:
    """What SQLite complains of, in one line that names the file."""

    @functools.wraps(method)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except sqlite3.Error as error:
            raise args[0]._complaint(error) from None  # type: ignore[attr-defined]  # noqa: SLF001  # a Store's method

    return inner


class Store:
    """The results file of a study.

    Raises NeurosimError that names the file where it cannot be read or written, is damaged, or is none.
    """

    @_told
    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self.sweep, self.read_only = path, uuid.uuid4().hex, read_only
        if read_only and not path.is_file():
            raise NeurosimError(f"{path}: there are no results; run neurosim sweep first")
        if not path.parent.is_dir():
            raise NeurosimError(f"{path}: its folder does not exist")
        self.db = _reader(path) if read_only else sqlite3.connect(path, timeout=_WAITS_S, isolation_level=None)
        application, version = (
            self.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        empty = application == 0 and not self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty and not read_only:
            self.db.execute(f"PRAGMA application_id = {APPLICATION}")
            self.db.execute(f"PRAGMA user_version = {SCHEMA}")
        elif application != APPLICATION:
            raise NeurosimError(f"{path}: is no results file of a sweep; name another with --results")
        elif version != SCHEMA:
            raise NeurosimError(f"{path}: results.schema={version}: this version reads {SCHEMA}")
        if not read_only:
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.executescript(_TABLES)

    def _complaint(self, error: sqlite3.Error) -> NeurosimError:
        """What SQLite complains of, in one line that names the file."""
        text = str(error)
        if self.read_only and ("readonly" in text or "unable to open" in text):
            return NeurosimError(
                f"{self.path}: cannot be read where it lies: {text}; copy it into a folder of your own"
            )
        kept = "finished points are kept, go on with --resume"
        if "full" in text or "I/O" in text or "readonly" in text or "unable to open" in text:
            return NeurosimError(f"{self.path}: cannot be written: {text}; {kept}")
        if "locked" in text:
            return NeurosimError(f"{self.path}: another program keeps it locked; {kept}")
        return NeurosimError(
            f"{self.path}: damaged, or no results of a sweep ({text}); move it away, or name another with --results"
        )

    def close(self) -> None:
        """Let go of what this sweep has claimed, and of the file."""
        if self.read_only:
            self.db.close()
            return
        try:
            with self._written():
                self.db.execute("DELETE FROM claims WHERE sweep = ?", (self.sweep,))
                self.db.execute("DELETE FROM sweeps WHERE sweep = ?", (self.sweep,))
        except sqlite3.Error:  # a dead sweep's claims lapse by themselves
            pass
        self.db.close()

    @contextmanager
    def _written(self, *, durable: bool = True) -> Iterator[None]:
        """A transaction; durable: on the disk when it ends. What is not may be lost with the machine, never with the process."""
        self.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    # ------------------------------------------------------------------ the study

    @_told
    def definition(self) -> dict[str, str]:
        """What is known of the study: name, definition (JSON), path."""
        return dict(self.db.execute("SELECT key, value FROM study"))

    @_told
    def define(self, known: Mapping[str, str], *, anew: bool = False) -> None:
        """Say which study this is; anew: forget which points there were, their runs stay."""
        with self._written():
            if anew:
                self.db.execute("DELETE FROM points")
            self.db.executemany("INSERT OR REPLACE INTO study VALUES (?, ?)", known.items())

    @_told
    def show(
        self, factors: Sequence[str], priced_factors: Sequence[str], hardware: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Make the view `results` of these factors, and of the hardware models with their levels of factors of hardware."""
        columns = [f"json_extract(p.levels, '$.{name}') AS \"{name}\"" for name in factors]
        columns += [
            f'json_extract(m.levels, \'$."{name}"\') AS "{name}"' for name in priced_factors if name != "hardware"
        ]
        columns += [f"r.{name}" for name in ("state", *SIMULATED)] + [f"c.{name}" for name in PRICED]
        columns += [f"r.{name}" for name in ("seconds", "wall_s", "started", "host", "versions", "error", "config")] + [
            "c.unpriced"
        ]
        text = (
            f"CREATE VIEW results AS SELECT p.number, p.run, p.seed, c.hardware, {', '.join(columns)}"
            " FROM points p JOIN runs r ON r.run = p.run"
            " LEFT JOIN costs c ON c.run = p.run AND c.hardware IN (SELECT hardware FROM models)"
            " LEFT JOIN models m ON m.hardware = c.hardware"
        )
        rows = [(name, json.dumps(levels)) for name, levels in hardware.items()]
        if sorted(self.db.execute("SELECT hardware, levels FROM models")) != sorted(rows):
            with self._written():
                self.db.execute("DELETE FROM models")
                self.db.executemany("INSERT INTO models VALUES (?, ?)", rows)
        old = self.db.execute("SELECT sql FROM sqlite_master WHERE name = 'results'").fetchone()
        if old is None or old[0] != text:
            with self._written():
                self.db.execute("DROP VIEW IF EXISTS results")
                self.db.execute(text)

    # ------------------------------------------------------------------ runs

    @_told
    def claim(self, run: str, states: Sequence[str] = DONE) -> Literal["mine", "done", "elsewhere"]:
        """Claim a run, unless it is done (in one of the states) or a sweep that lives has claimed it."""
        with self._written(durable=False):
            row = self.db.execute("SELECT state FROM runs WHERE run = ?", (run,)).fetchone()
            if row is not None and row[0] in states:
                return "done"
            row = self.db.execute(
                "SELECT s.sweep, host, pid, beat FROM claims c LEFT JOIN sweeps s USING (sweep) WHERE run = ?", (run,)
            ).fetchone()
            if row is not None and row[0] not in (None, self.sweep) and _lives(*row[1:]):
                return "elsewhere"
            self.db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", (run, self.sweep))
            return "mine"

    @_told
    def beat(self) -> None:
        """Say that this sweep lives."""
        with self._written(durable=False):
            row = (self.sweep, platform.node(), os.getpid(), time.time())
            self.db.execute("INSERT OR REPLACE INTO sweeps VALUES (?, ?, ?, ?)", row)

    @_told
    def others(self) -> bool:
        """Whether another sweep that lives writes this file."""
        rows = self.db.execute("SELECT host, pid, beat FROM sweeps WHERE sweep != ?", (self.sweep,))
        return any(_lives(*row) for row in rows)

    @_told
    def add(
        self, run: str, found: Mapping[str, Any], costs: Iterable[Mapping[str, Any]], points: Iterable[Sequence[Any]]
    ) -> None:
        """Write a run with its counts, costs and points (number, seed, levels): all of it or nothing, durable when this returns."""
        values = [found.get(name) for name in _RUN_COLUMNS]
        with self._written():
            kept = self.db.execute("SELECT state FROM runs WHERE run = ?", (run,)).fetchone()
            if kept is None or kept[0] != "finished":
                marks = ", ".join("?" for _ in range(len(_RUN_COLUMNS) + 1))
                self.db.execute(
                    f"INSERT OR REPLACE INTO runs (run, {', '.join(_RUN_COLUMNS)}) VALUES ({marks})", (run, *values)
                )
                if found.get("counts") is not None:
                    self.db.execute("INSERT OR REPLACE INTO counts VALUES (?, ?)", (run, found["counts"]))
                self._price(run, costs)
            self._point(run, points)
            self.db.execute("DELETE FROM claims WHERE run = ?", (run,))

    def _price(self, run: str, costs: Iterable[Mapping[str, Any]]) -> None:
        names = ("hardware", "priced_by", *PRICED, "grade", "breakdown", "unpriced")
        marks = ", ".join("?" for _ in range(len(names) + 1))
        rows = [(run, *(cost.get(name) for name in names)) for cost in costs]
        self.db.executemany(f"INSERT OR REPLACE INTO costs (run, {', '.join(names)}) VALUES ({marks})", rows)

    def _point(self, run: str, points: Iterable[Sequence[Any]]) -> None:
        rows = [(number, run, seed, json.dumps(levels)) for number, seed, levels in points]
        self.db.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?)", rows)

    @_told
    def price(self, priced: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> None:
        """Write costs of runs that have finished."""
        with self._written():
            for run, costs in priced:
                self._price(run, costs)

    @_told
    def point(self, points: Iterable[tuple[str, Sequence[Any]]]) -> None:
        """Say that runs which have finished are points of this study."""
        with self._written():
            for run, point in points:
                self._point(run, [point])

    @_told
    def known(self, states: Sequence[str] = DONE) -> dict[str, str]:
        """All runs that are done, each with its state."""
        marks = ", ".join("?" for _ in states)
        return dict(self.db.execute(f"SELECT run, state FROM runs WHERE state IN ({marks})", states))

    @_told
    def outcome(self, run: str) -> tuple[str, str]:
        """The state of a run that is done, and what was wrong with it."""
        state, error = self.db.execute("SELECT state, error FROM runs WHERE run = ?", (run,)).fetchone()
        return state, error or ""

    @_told
    def refusals(self) -> tuple[int, str]:
        """Rows of the study that a hardware model cannot price, and why not one of them."""
        n, why = self.db.execute("SELECT count(unpriced), max(unpriced) FROM results").fetchone()
        return n, why or ""

    @_told
    def curves(self, numbers: Sequence[int] | None = None) -> list[tuple[str, str, int, str]]:
        """Runs of the study's points, or of those of some numbers, that have a curve: `pruning.Curve`."""
        text = (
            "SELECT DISTINCT r.run, r.data, json_extract(r.config, '$.test_samples'), r.curve"
            " FROM points p JOIN runs r ON r.run = p.run WHERE r.curve IS NOT NULL"
        )
        return self.db.execute(f"{text}{_of(numbers, 'AND')}").fetchall()

    @_told
    def numbers(self) -> set[int]:
        """Numbers of the points that are written."""
        return {number for (number,) in self.db.execute("SELECT number FROM points")}

    @_told
    def unpriced(self, wanted: Mapping[str, str], numbers: Sequence[int] | None = None) -> dict[str, list[str]]:
        """Runs of the study, or of points of some numbers, with the models on which they have no price, or one of an older model or law.

        wanted: each model with what decides its prices.
        """
        text = (
            "SELECT p.run, c.hardware, c.priced_by FROM points p JOIN counts USING (run) LEFT JOIN costs c ON c.run = p.run"
            f" WHERE TRUE{_of(numbers, 'AND')} ORDER BY p.run"
        )
        found = {}
        for run, rows in itertools.groupby(self.db.execute(text), key=lambda row: row[0]):
            good = {hardware for _, hardware, priced_by in rows if wanted.get(hardware) == priced_by}
            if len(good) < len(wanted):
                found[run] = [name for name in wanted if name not in good]
        return found

    @_told
    def packed(self, run: str) -> bytes:
        """The counts of a run, as `simulate.counts_of` reads them."""
        return bytes(self.db.execute("SELECT packed FROM counts WHERE run = ?", (run,)).fetchone()[0])

    @_told
    def query(self, text: str, values: Sequence[Any] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and rows of any SELECT."""
        cursor = self.db.execute(text, values)
        return [column[0] for column in cursor.description], cursor.fetchall()

    def stream(self, text: str, together: int) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        """Column names and so many rows at a time of any SELECT."""
        try:
            cursor = self.db.execute(text)
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(together):
                yield names, rows
        except sqlite3.Error as error:
            raise self._complaint(error) from None

    def rows(self, text: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Rows of any SELECT, by column."""
        names, rows = self.query(text, values)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def results(self, names: Sequence[str], numbers: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """Some columns of the view `results`, of all points or of those of some numbers."""
        columns = ", ".join(f'"{name}"' for name in names)
        return self.rows(f"SELECT {columns} FROM results{_of(numbers, 'WHERE')}")


def _reader(path: Path) -> sqlite3.Connection:
    """A connection for reading, also where nothing can be written.

    What is in write-ahead mode needs files beside it for as long as it is read; where none can be made, nobody writes the results, and
    they may be read as what does not change, unless a log that nobody has taken up lies beside them.
    """
    address, log = path.resolve().as_uri(), path.with_name(f"{path.name}-wal")
    try:
        found = sqlite3.connect(f"{address}?mode=rw", uri=True, timeout=_WAITS_S, isolation_level=None)
        found.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or (log.exists() and log.stat().st_size):
            raise
        return sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None)
    return found


def _of(numbers: Sequence[int] | None, word: str) -> str:
    """The condition that a point has one of some numbers; none where they are None."""
    return "" if numbers is None else f" {word} number IN ({', '.join(map(str, numbers))})"


def _lives(host: str | None, pid: int | None, beat: float | None) -> bool:
    """Whether a sweep that has claimed a run still lives: its process does, or, on another machine, it was heard of lately."""
    if host is None or pid is None or beat is None:
        return False
    if host == platform.node():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return time.time() - beat < _BEAT_LASTS_S
