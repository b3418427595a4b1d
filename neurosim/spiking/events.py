"""Recordings of event cameras, and lists of events in files, as samples of sources of `Events` (docs/spiking.md 8).

A sample is what `SpikingNetwork.present` takes of a population whose source is `Events(role="input")`: its ticks and the neurons that
spike in them. Times become ticks by a whole number of their units a tick; events of one pixel in one tick are one spike, as a source
can spike only once a tick. Nothing here is random, and nothing is shuffled.

N-MNIST: Orchard, Jayawant, Cohen, Thakor, Frontiers in Neuroscience 9:437, 2015: 34 x 34 pixels, two polarities, three saccades in 0.3 s.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.data import Recording, load_events
from neurosim.data.files import NMNIST_SIDE, read_npz, refuse
from neurosim.errors import NeurosimError
from neurosim.fields import settle
from neurosim.formats import check, check_whole
from neurosim.spiking.neurons import LAST_TICK

Sample = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ticks int64[events], rising, and neurons int64[events], rising within a tick; no pair twice."""

_TEXT = "rows of two whole numbers: time, address"


@dataclass(frozen=True)
class Pixels:
    """How a recording of side x side pixels and two polarities becomes spikes of neurons.

    ticks: those from `ticks` on are left out; tick_us: microseconds a tick; pool: pixels a side that share a neuron (an edge that does
    not fill it has its own); polarities: ``both``, each with neurons of its own, OFF first, or ``merged``.
    Neuron (polarity * rows + y // pool) * rows + x // pool.
    """

    ticks: int = 300
    tick_us: int = 1000
    pool: int = 1
    polarities: Literal["both", "merged"] = "both"
    side: int = NMNIST_SIDE

    def __post_init__(self) -> None:
        settle(self, "pixels")
        for name in ("ticks", "tick_us"):
            check_whole(f"pixels.{name}", getattr(self, name), 1, 1 << 30)
        check_whole("pixels.side", self.side, 1, 1 << 12)
        check_whole("pixels.pool", self.pool, 1, self.side)
        check("pixels.polarities", self.polarities, ("both", "merged"))

    @property
    def rows(self) -> int:
        """Neurons a side."""
        return -(-self.side // self.pool)

    @property
    def n(self) -> int:
        """Neurons."""
        return self.rows**2 * (2 if self.polarities == "both" else 1)

    def sample(self, recording: Recording) -> Sample:
        """The spikes of one recording. Raises NeurosimError for pixels outside the side and times that fall."""
        for axis in ("x", "y"):
            values = getattr(recording, axis)
            if len(values) and int(values.max()) >= self.side:
                raise NeurosimError(f"{recording.name}: {axis}={values.max()}: must be 0..{self.side - 1}")
        y, x = (np.asarray(axis, np.int64) // self.pool for axis in (recording.y, recording.x))
        polarity = np.asarray(recording.polarity, np.int64) if self.polarities == "both" else 0
        address = (polarity * self.rows + y) * self.rows + x
        return binned(recording.time_us, address, self.n, units=self.tick_us, ticks=self.ticks, name=recording.name)


def binned(
    times: NDArray[Any],
    addresses: NDArray[Any],
    n: int,
    *,
    units: int = 1,
    ticks: int | None = None,
    name: str = "events",
) -> Sample:
    """A sample from times, so many units a tick, and addresses below n; ticks: what comes from there on is left out.

    times, addresses: int[events]. Raises NeurosimError that names the first event that is no whole number, negative or out of range,
    or whose time falls.
    """
    check_whole(f"{name}: n", n, 1, 1 << 24)
    check_whole(f"{name}: units", units, 1, 1 << 40)
    if ticks is not None:
        check_whole(f"{name}: ticks", ticks, 0, LAST_TICK)
    try:
        times, addresses = np.asarray(times), np.asarray(addresses)
    except (ValueError, OverflowError) as error:
        raise NeurosimError(f"{name}: times and addresses: must be lists of whole numbers") from error
    if times.shape != addresses.shape or times.ndim != 1:
        raise NeurosimError(
            f"{name}: {list(times.shape)} times and {list(addresses.shape)} addresses: must be lists of one length"
        )
    most_time = min(1 << 62, min(LAST_TICK, (1 << 62) // n - 1) * units)  # a tick and an address fit one word
    for what, values, most in (("time", times, most_time), ("address", addresses, n - 1)):
        if values.size and values.dtype.kind not in "iu":
            raise NeurosimError(f"{name}: {what}: {values.dtype}: must be whole numbers")
        _refuse_first(name, what, values, (values < 0) | (values > most), f"0..{most}")
    times = times.astype(np.int64)
    falls = np.concatenate([[False], np.diff(times) < 0]) if times.size else np.zeros(0, bool)
    before = times[max(0, int(falls.argmax()) - 1)] if falls.any() else 0
    _refuse_first(name, "time", times, falls, f"at least {before}, the time before it")
    key = np.unique(times // units * n + addresses.astype(np.int64))
    at, who = key // n, key % n
    kept = slice(None) if ticks is None else at < ticks
    return at[kept], who[kept]


def _refuse_first(name: str, what: str, values: NDArray[Any], bad: NDArray[Any], allowed: str) -> None:
    if bad.any():
        place = int(bad.argmax())
        raise NeurosimError(f"{name}: {what} of event {place}={values[place]}: must be {allowed}")


def nmnist(
    part: str, limit: int | None = None, *, pixels: Pixels | None = None, root: str | os.PathLike[str] | None = None
) -> tuple[list[Sample], NDArray[np.uint8]]:
    """The first `limit` samples of N-MNIST's ``train`` or ``test`` part and their labels uint8[samples].

    root: the folder of Train and Test; None: found as `neurosim.data.load("n-mnist")` finds it. Raises NeurosimError for
    missing or broken files.
    """
    pixels = pixels or Pixels()
    recordings, labels = load_events(root, part, limit)
    return [pixels.sample(one) for one in recordings], labels


def counts(samples: Sequence[Sample], n: int) -> NDArray[np.int64]:
    """Spikes of each neuron in each sample: int64[samples, n]; what a read-out that is blind to time sees."""
    return np.array([np.bincount(neurons, minlength=n) for _, neurons in samples], np.int64).reshape(len(samples), n)


def load(path: str | os.PathLike[str], n: int, *, units: int = 1, ticks: int | None = None) -> Sample:
    """A sample from a file of events (time, address), times in whole units, so many a tick, that do not fall.

    .npz: arrays `times` and `addresses`; .csv and .txt: rows of two whole numbers with a comma or blanks between them, text
    after # left out.
    Raises NeurosimError that names the file, and the line or event: another suffix, a missing, truncated or empty file, rows that
    are not two whole numbers, times that fall, addresses outside 0..n-1.
    """
    path = Path(path).expanduser()
    check(f"{path}: suffix", path.suffix, (".npz", ".csv", ".txt"))
    if not path.is_file():
        refuse(path, "no such file", "a file of events")
    if path.suffix == ".npz":
        arrays = read_npz(path, required=("times", "addresses"))
        times, addresses = arrays["times"], arrays["addresses"]
    else:
        times, addresses = _text(path)
    return binned(times, addresses, n, units=units, ticks=ticks, name=str(path))


def _text(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two columns of a text file: int64[rows] each."""
    rows = []
    try:
        lines = path.read_text(
            encoding="utf-8-sig"
        ).splitlines()  # with or without the mark that spreadsheets put first
    except UnicodeDecodeError:
        refuse(path, "no text", _TEXT)
    if not any(line.strip() for line in lines):
        refuse(path, "empty", f"{_TEXT} (a recording without events is a file with a comment alone)")
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        # isdecimal takes neither signs nor points nor the underscores that int() would.
        if len(words) != 2 or not all(word.removeprefix("-").isdecimal() and len(word) < 19 for word in words):
            refuse(f"{path}, line {number}", repr(line.strip()[:40]), _TEXT)
        rows.append((int(words[0]), int(words[1])))
    table = np.array(rows, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
