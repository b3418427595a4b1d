"""The files of the data sets: where they are, how they are fetched, what their bytes mean.

Every reader checks structure, exact length and values, and turns what is wrong into one line.
Formats: idx (MNIST), CIFAR-10's binary version, UCI's HIGGS table, N-MNIST's 40-bit events, .npz.
"""

import gzip
import hashlib
import importlib
import math
import os
import shutil
import struct
import sys
import tarfile
import tempfile
import textwrap
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError

Array: TypeAlias = NDArray[Any]
FOLDER_VARIABLE = "NEUROSIM_DATA"
TIMEOUT_S = (5, 60)  # to connect, to read
DIGITS_TRAIN = 1500  # of 1797
CIFAR_ROWS, CIFAR_ROW_BYTES = 10_000, 1 + 3 * 32 * 32  # Krizhevsky 2009, binary version: label, then R, G, B planes
HIGGS_TEST_ROWS = {11_000_000: 500_000, 51_233: 19_609}  # UCI: the last 500,000 are the test set; and a known subset
NMNIST_SIDE = 34  # pixels; Orchard et al. 2015
NMNIST_OVERFLOW_ROW, NMNIST_OVERFLOW_US = 240, 2**13  # the authors' reader: no event, but the clock moves on
IDX_LIMIT = 2**30  # far above the published sets' 47 MB: keeps a damaged header from claiming all memory
IDX_MD5 = {  # of each published .gz file, and of its content
    "MNIST/raw": {
        "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
        "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
        "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
        "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
    },
    "FashionMNIST/raw": {
        "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"),
        "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"),
        "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"),
    },
}
CIFAR_STEMS = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
CIFAR_FILES = tuple(f"cifar-10-batches-bin/{stem}.bin" for stem in CIFAR_STEMS)
BAD_FILE = (
    *(OSError, EOFError, ValueError, KeyError, MemoryError, RuntimeError, UserWarning),
    *(zlib.error, struct.error, zipfile.BadZipFile),
)
Arrays: TypeAlias = tuple[Array, Array, Array, Array]  # train inputs, train labels, test inputs, test labels


class Recording(NamedTuple):
    """One event-camera recording: x, y: uint8[n] 0..33; polarity: uint8[n], 1 = ON; time_us: int64[n]; name: its file, in messages."""

    x: Array
    y: Array
    polarity: Array
    time_us: Array
    name: str = "recording"


@dataclass(frozen=True)
class Entry:
    """A named set: facts, the files that make it up, and the functions that read and fetch them."""

    shape: tuple[int, ...]
    sizes: str
    classes: tuple[str, ...]
    full_scale: int | None
    source: str
    read: Callable[[Path], Arrays]  # given the folder that holds `files`
    files: tuple[str, ...] = ()  # relative paths; ".gz" may follow; none: part of the package
    fetch: Callable[[Path], None] | None = None  # puts `files` into the folder
    how: str = ""  # what the user would do to have it


def cache_folder() -> Path:
    """Where fetched and parsed files are kept for this user; not made until something is."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "neurosim"


def search_roots() -> list[Path]:
    """Folders to look in: the one NEUROSIM_DATA names, if any, then the cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named and not Path(named).expanduser().is_dir():
        raise NeurosimError(f"{FOLDER_VARIABLE}={named!r}: must be a folder")
    return [*([Path(named).expanduser()] if named else []), cache_folder()]


def _file(root: Path, relative: str) -> Path:
    gzipped = root / f"{relative}.gz"
    return gzipped if gzipped.exists() and not (root / relative).exists() else root / relative


def missing_files(root: Path, entry: Entry) -> list[str]:
    """Files of the entry that are not in the folder."""
    return [relative for relative in entry.files if not _file(root, relative).exists()]


def locate(name: str, entry: Entry) -> Path:
    """The folder that holds all files of the entry, fetching them if they are nowhere."""
    roots = search_roots() if entry.files else [Path()]
    for root in roots:
        if not missing_files(root, entry):
            return root
    problem = f"{name}: {missing_files(roots[0], entry)[0]} is missing in {' and in '.join(map(str, roots))}"
    if entry.fetch is None:
        raise NeurosimError(f"{problem}: {entry.how}")
    try:
        entry.fetch(roots[-1])
    except (OSError, ValueError, ImportError) as error:  # requests' errors are OSErrors, a wrong checksum a ValueError
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 120)
        raise NeurosimError(f"{problem} and could not be fetched ({reason}): {entry.how}") from error
    return roots[-1]


def _retrieve(url: str, md5: str, path: Path) -> None:
    pooch = importlib.import_module("pooch")  # 0.2 s, needed once
    if not sys.stderr.isatty():
        pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_S)
    pooch.retrieve(url, f"md5:{md5}", fname=path.name, path=path.parent, downloader=downloader)


def fetch_idx(base_url: str, folder: str, root: Path) -> None:
    """Fetch four idx files with known checksums."""
    for stem, (md5, _) in IDX_MD5[folder].items():
        _retrieve(f"{base_url}{stem}.gz", md5, root / folder / f"{stem}.gz")


def fetch_cifar(root: Path) -> None:
    """Fetch CIFAR-10's archive and keep its six batch files."""
    archive = root / "cifar-10-binary.tar.gz"
    _retrieve(f"https://www.cs.toronto.edu/~kriz/{archive.name}", "c32a1d4ab5d03f1284b67883e8d87530", archive)
    with tarfile.open(archive) as tar:
        for member in (member for member in tar if member.name in CIFAR_FILES):
            stream = tar.extractfile(member)
            if stream is not None:
                with _replacing(root / member.name) as target:
                    shutil.copyfileobj(stream, target)
    archive.unlink(missing_ok=True)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream that becomes `path` when it is complete, and nothing otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
        try:
            yield stream
            stream.close()
            Path(stream.name).replace(path)
        except BaseException:
            stream.close()
            Path(stream.name).unlink()
            raise


def refuse(path: object, found: str, allowed: str) -> NoReturn:
    """Raise the one-line error: where, what was found, what is allowed."""
    raise NeurosimError(f"{path}: {found}: must be {allowed}")


@contextmanager
def _reading(path: object, allowed: str) -> Iterator[None]:
    """Turns what the standard readers raise about a bad file into one line."""
    try:
        yield
    except NeurosimError:
        raise
    except BAD_FILE as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        refuse(path, textwrap.shorten(text, 160) or type(error).__name__, allowed)


def check_values(name: object, array: Array, bad: Array, allowed: str) -> None:
    """Refuse the first bad value, by its place."""
    if bad.any():
        place = np.argwhere(bad)[0]
        raise NeurosimError(f"{name}[{', '.join(map(str, place))}]={array[tuple(place)]}: must be {allowed}")


def check_finite(name: object, array: Array) -> None:
    """Refuse NaN and infinities."""
    if array.dtype.kind == "f" and not (np.isfinite(array.min()) and np.isfinite(array.max())):  # no temporary array
        check_values(name, array, ~np.isfinite(array), "a finite float32")


def read_npz(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Array]:
    """Named arrays of an .npz file, never anything pickled."""
    allowed = "an .npz file of plain arrays"
    if path.is_file() and not zipfile.is_zipfile(path):
        refuse(path, "no complete zip archive", allowed)
    # Opened here, since numpy does not close what turns out to be damaged.
    with _reading(path, allowed), path.open("rb") as stream, np.load(stream, allow_pickle=False) as loaded:
        missing = [f"array {name} is missing" for name in required if name not in loaded.files]
        unknown = [f"unknown array {name}" for name in loaded.files if name not in (*required, *optional)]
        if missing or unknown:
            refuse(path, (missing + unknown)[0], ", ".join((*required, *(f"{name} (optional)" for name in optional))))
        arrays = {}
        for name in loaded.files:
            with _reading(f"{path}: {name}", "a plain array, no Python objects"):
                arrays[name] = loaded[name]
    return arrays


def _read_at_most(path: Path, limit: int, allowed: str) -> bytes:
    """Up to limit + 1 bytes of the content, gzipped or not: enough to see that a file is too long, however long."""
    opened = gzip.open if path.suffix == ".gz" else open
    with _reading(path, allowed), opened(path, "rb") as stream:
        return bytes(stream.read(limit + 1))


def read_digits(_root: Path) -> Arrays:
    """The embedded digits."""
    arrays = read_npz(Path(__file__).with_name("digits.npz"), required=("inputs", "labels"))
    inputs, labels = arrays["inputs"].reshape(-1, 1, 8, 8), arrays["labels"]
    return inputs[:DIGITS_TRAIN], labels[:DIGITS_TRAIN], inputs[DIGITS_TRAIN:], labels[DIGITS_TRAIN:]


def _read_idx(path: Path, n_dimensions: int, md5: str | None = None) -> Array:
    """An idx file: bytes 0, 0, 8 (uint8), n_dimensions; each dimension as big-endian uint32; then the values.

    `md5`: of the published file, uncompressed. Source: LeCun, Cortes, Burges 1998.
    """
    size = 4 + 4 * n_dimensions
    head = _read_at_most(path, size, "an idx file")[:size]
    if len(head) < size or head[:4] != bytes((0, 0, 8, n_dimensions)):
        refuse(path, f"starts with {head[:4].hex() or 'nothing'}", f"an idx file, 0000080{n_dimensions}")
    shape = struct.unpack(f">{n_dimensions}I", head[4:])
    size += math.prod(shape)
    if size > IDX_LIMIT:
        refuse(path, f"shape {shape}", f"at most {IDX_LIMIT} bytes in all")
    content = _read_at_most(path, size, "a complete idx file")
    if len(content) != size:
        refuse(path, f"{'more' if len(content) > size else len(content)} bytes", f"{size} for its shape {shape}")
    if md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        refuse(path, "not the published content", f"md5 {md5} (uncompressed)")
    return np.frombuffer(content, np.uint8, offset=len(head)).reshape(shape)


def read_idx_set(folder: str, root: Path) -> Arrays:
    """Four idx files whose content is the published one."""
    train, train_labels, test, test_labels = (
        _read_idx(_file(root, f"{folder}/{stem}"), 3 if "images" in stem else 1, md5)
        for stem, (_, md5) in IDX_MD5[folder].items()
    )
    return train[:, None], train_labels, test[:, None], test_labels


def _read_cifar_batch(path: Path) -> Array:
    """uint8 [CIFAR_ROWS, 3073]: label, then 3 x 32 x 32 pixels."""
    size = CIFAR_ROWS * CIFAR_ROW_BYTES
    content = _read_at_most(path, size, "a CIFAR-10 binary batch")
    if len(content) != size:
        refuse(path, f"{'more' if len(content) > size else len(content)} bytes", f"{size}: {CIFAR_ROWS} images")
    rows = np.frombuffer(content, np.uint8).reshape(CIFAR_ROWS, CIFAR_ROW_BYTES)
    check_values(f"{path}: label", rows[:, 0], rows[:, 0] > 9, "0..9")
    return rows


def read_cifar(root: Path) -> Arrays:
    """Five training batches and the test batch."""
    *batches, test = (_read_cifar_batch(_file(root, relative)) for relative in CIFAR_FILES)
    train, shape = np.concatenate(batches), (-1, 3, 32, 32)
    return train[:, 1:].reshape(shape), train[:, 0], test[:, 1:].reshape(shape), test[:, 0]


def read_higgs(root: Path) -> Arrays:
    """UCI's columns: label, then 28 features, standardised by the training part's mean and deviation."""
    path = _file(root, "HIGGS/HIGGS.csv")
    table = _parsed_csv(path, n_columns=29)
    n_train = len(table) - HIGGS_TEST_ROWS.get(len(table), len(table))
    if n_train == 0:
        refuse(path, f"{len(table)} rows", f"{' or '.join(map(str, HIGGS_TEST_ROWS))}; others: use from_arrays")
    check_values(f"{path}: label", table[:, 0], (table[:, 0] != 0) & (table[:, 0] != 1), "0 or 1")
    labels, inputs = table[:, 0].astype(np.uint8), np.ascontiguousarray(table[:, 1:])
    _standardise(inputs, n_train)
    return inputs[:n_train], labels[:n_train], inputs[n_train:], labels[n_train:]


def _standardise(inputs: Array, n_train: int, block: int = 2**16) -> None:
    """In place, by column: minus mean, over standard deviation, both of the first n_train rows; constants become 0.

    Sums run row after row in float64, so that the result does not depend on the processor.
    """
    blocks = [inputs[start : min(start + block, n_train)] for start in range(0, n_train, block)]
    mean = sum(rows.sum(axis=0, dtype=np.float64) for rows in blocks) / n_train
    deviation = np.sqrt(sum(np.square(rows - mean).sum(axis=0) for rows in blocks) / n_train)
    np.subtract(inputs, mean, out=inputs, casting="same_kind")
    np.divide(inputs, np.where(deviation > 0, deviation, 1), out=inputs, casting="same_kind")


def _parsed_csv(path: Path, n_columns: int) -> Array:
    """float32 [rows, n_columns]; kept in the cache folder, since 11,000,000 rows take a minute to parse."""
    with _reading(path, "a readable file"):
        status = path.stat()
    stamp = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    store = cache_folder() / "parsed" / f"{path.name.partition('.')[0]}.npz"
    with suppress(NeurosimError):  # none yet, or damaged: parse
        kept = read_npz(store, required=("stamp", "table"))
        if str(kept["stamp"]) == stamp:
            return kept["table"]
    with _reading(path, f"rows of {n_columns} numbers"), warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy only warns of an empty file
        table = np.loadtxt(path, np.float32, comments=None, delimiter=",", ndmin=2)
    if table.shape[1] != n_columns:
        refuse(path, f"{table.shape[1]} columns", str(n_columns))
    check_finite(path, table)
    with suppress(OSError), _replacing(store) as stream:  # a folder that cannot be written to costs time only
        np.savez(stream, stamp=np.array(stamp), table=table)
    return table


def recordings(folder: Path, part: str) -> tuple[list[Path], Array]:
    """Files of one part in the order of their numbers, which is MNIST's, and their labels uint8[n]."""
    pairs = []
    for label in range(10):
        digit = folder / part.title() / str(label)
        if not digit.is_dir():
            refuse(digit, "missing", "a folder of recordings (*.bin)")
        pairs += [(path, label) for path in digit.glob("*.bin")]
    if not pairs:
        refuse(folder / part.title(), "no recordings", "*.bin files in one folder per digit")
    pairs.sort(key=lambda pair: (len(pair[0].stem), pair[0].stem))
    return [path for path, _ in pairs], np.array([label for _, label in pairs], np.uint8)


def read_recording(path: Path) -> Recording:
    """40 bits an event: x (8), y (8), polarity (1), microseconds (23), most significant bit first."""
    with _reading(path, "a recording"):
        content = path.read_bytes()
    if not content or len(content) % 5:
        refuse(path, f"{len(content)} bytes", "5 per event, at least one event")
    words = np.frombuffer(content, np.uint8).reshape(-1, 5)
    overflow = words[:, 1] == NMNIST_OVERFLOW_ROW
    high, middle, low = words[:, 2:].T.astype(np.int64)
    time_us = ((high & 127) << 16 | middle << 8 | low) + NMNIST_OVERFLOW_US * np.cumsum(overflow)
    events = words[~overflow]
    x, y, polarity = events[:, 0], events[:, 1], events[:, 2] >> 7
    for axis, values in (("x", x), ("y", y)):
        check_values(f"{path}: {axis}", values, values >= NMNIST_SIDE, f"0..{NMNIST_SIDE - 1}")
    return Recording(x, y, polarity, time_us[~overflow], str(path))


def read_nmnist(root: Path) -> Arrays:
    """Images of event counts, uint8 [n, 2, 34, 34]: channel 0 OFF, 1 ON; counts above 255 are 255."""
    arrays: dict[str, Array] = {}
    for part in ("train", "test"):
        paths, labels = recordings(root / "N-MNIST", part)
        images = np.empty((len(paths), 2, NMNIST_SIDE, NMNIST_SIDE), np.uint8)
        for image, path in zip(images, paths, strict=True):
            x, y, polarity, *_ = read_recording(path)
            cells = np.ravel_multi_index((polarity, y, x), image.shape)
            image[...] = np.minimum(np.bincount(cells, minlength=image.size), 255).reshape(image.shape)
        arrays |= {f"{part}_inputs": images, f"{part}_labels": labels}
    return arrays["train_inputs"], arrays["train_labels"], arrays["test_inputs"], arrays["test_labels"]
