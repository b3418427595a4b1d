"""Studies of tiny points, for tests, and what of their results must be equal whatever happened on the way."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing, suppress
from pathlib import Path

TINY = {"data": "digits", "epochs": 1, "train_samples": 60, "test_samples": 40, "hidden": [5]}
MEASURES = "r.state, r.test_accuracy, r.train_accuracy, r.held_bits, r.channel_bits_per_sample, r.samples, r.curve, r.config, r.data"


def write(path, factors, *, seeds=1, base=(), **tables):
    """A study file of tiny points; None in `base` leaves a setting out."""
    lines = [f"seeds = {json.dumps(seeds)}"]
    for name, table in {"base": TINY | dict(base), "factors": factors, **tables}.items():
        lines += [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in table.items() if value is not None)]
    path.write_text("\n".join(lines) + "\n")
    return path


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def contents(path):
    """All that a sweep found, without times and hosts."""
    with closing(sqlite3.connect(path)) as db:
        runs = db.execute(
            f"SELECT p.number, p.seed, p.levels, p.run, {MEASURES} FROM points p JOIN runs r USING (run) ORDER BY 1"
        ).fetchall()
        counts = {
            run: json.loads(zlib.decompress(packed)) for run, packed in db.execute("SELECT run, packed FROM counts")
        }
        costs = db.execute("SELECT * FROM costs ORDER BY run, hardware").fetchall()
    return runs, counts, costs


def started(path):
    """When each finished run began: it stays if the run is not repeated."""
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as db:
        try:
            return dict(db.execute("SELECT run, started FROM runs WHERE state = 'finished'").fetchall())
        except sqlite3.OperationalError:  # not made yet
            return {}


def start(*arguments):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "neurosim", "sweep", *map(str, arguments), "--quiet"]
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in a shell's background job, and then in all its children
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def workers_of(pid):
    """Worker processes of a sweep."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    except OSError:
        return []


def kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, 9)


def alive(pid):
    """Whether a process runs; one that is dead but not fetched does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def finish(process, seconds=900):
    """Wait for a sweep that must end well."""
    _, mistakes = process.communicate(timeout=seconds)
    assert process.returncode == 0, mistakes
