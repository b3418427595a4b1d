"""Data sets: named ones read from their standard public files, and the user's own arrays.

`load("digits")` needs no files: the set is part of the package. The others are looked for in the folder that the
environment variable NEUROSIM_DATA names, then in the user's cache folder, and are fetched into the latter where a
checksum is known. Files keep the names and folders they are published under (`REGISTRY`), gzipped or not. Whatever
is read is checked in full, and what is wrong is one line: file or field, what was found, what is allowed.

Images are channel first, (channels, height, width). Values stay raw: `full_scale` names the one that stands for 1.0.
Nothing is shuffled, augmented or turned into spikes here.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError

Array: TypeAlias = NDArray[Any]
FIELDS = ("train_inputs", "train_labels", "test_inputs", "test_labels")
LABEL_LIMIT = 2**16  # keeps a stray number among the labels from becoming millions of output units


@dataclass(frozen=True, eq=False)
class DataSet:
    """A training and a test part, checked when made and read-only from then on.

    inputs: uint8, bool or float32 [n, *shape], finite; labels: uint8 or int64 [n], 0..n_classes-1.
    `full_scale` is the raw value that stands for 1.0 (255 for images, 1 for bool); None for float32, used as it is.
    """

    name: str
    train_inputs: Array = field(repr=False)
    train_labels: Array = field(repr=False)
    test_inputs: Array = field(repr=False)
    test_labels: Array = field(repr=False)
    classes: tuple[str, ...]
    full_scale: int | None
    source: str = field(repr=False)

    def __post_init__(self) -> None:
        """Check everything; freeze views of the arrays."""
        for name in FIELDS:
            array = np.ascontiguousarray(_checked(name, getattr(self, name))).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        _check_agreement(self)
        _check_classes(self)
        _check_full_scale(self.full_scale, self.train_inputs.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: (1, 28, 28) for MNIST."""
        return self.train_inputs.shape[1:]

    @property
    def n_inputs(self) -> int:
        """Values in one example."""
        return math.prod(self.shape)

    @property
    def n_classes(self) -> int:
        """Number of classes, whether or not each occurs."""
        return len(self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the arrays, their types and shapes, and `full_scale`: ties a checkpoint to its data."""
        digest = hashlib.sha256(f"full_scale={self.full_scale}".encode())
        for name in FIELDS:
            array = getattr(self, name)
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f";{name}:{little.dtype.name}{little.shape}:".encode())
            digest.update(little.data)
        return digest.hexdigest()

    def head(self, n_train: int | None = None, n_test: int | None = None) -> "DataSet":
        """The first `n_train` and `n_test` examples (None: all), for quick runs; shares memory with the whole set."""
        parts: dict[str, Any] = {}
        for part, n in (("train", n_train), ("test", n_test)):
            size = len(getattr(self, f"{part}_labels"))
            if n is not None and (type(n) is not int or not 1 <= n <= size):
                raise NeurosimError(f"n_{part}={n!r}: must be an integer 1..{size} ({self.name})")
            parts |= {key: getattr(self, key)[:n] for key in FIELDS if key.startswith(part)}
        return replace(self, **parts)


class Recording(NamedTuple):
    """One event-camera recording: x, y: uint8[n] 0..33; polarity: uint8[n], 1 = ON; time_us: int64[n]."""

    x: Array
    y: Array
    polarity: Array
    time_us: Array


@dataclass(frozen=True)
class Description:
    """One line of a listing; `where` is the folder it was found in, or how it would be had."""

    name: str
    shape: tuple[int, ...]
    sizes: str
    classes: tuple[str, ...]
    found: bool
    where: str
    source: str


def names() -> tuple[str, ...]:
    """Names that `load` knows.

    >>> names()
    ('digits', 'mnist', 'fashion-mnist', 'cifar-10', 'higgs', 'n-mnist')
    """
    return tuple(REGISTRY)


def load(name: str | os.PathLike[str]) -> DataSet:
    """The set of that name (`names()`), or the one in a file whose path ends in .npz (`from_npz`).

    >>> load("digits")
    DataSet(name='digits', classes=('0', '1', '2', '3', '4', '5', '6', '7', '8', '9'), full_scale=16)
    """
    key = str(name)
    if key.endswith(".npz"):
        return from_npz(key)
    if key not in REGISTRY:
        raise NeurosimError(f"data={key!r}: must be one of {', '.join(REGISTRY)}, or a path ending in .npz")
    entry = REGISTRY[key]
    return _dataset(key, entry.read(_locate(key, entry)), entry.full_scale, entry.classes, entry.source)


def describe() -> tuple[Description, ...]:
    """All named sets and where each is; looks for files but reads none."""
    rows = []
    for name, entry in REGISTRY.items():
        root = next((root for root in _roots() if not _missing(root, entry)), None)
        if root is None:
            where = f"fetched when first loaded, or {entry.how}" if entry.fetch else entry.how
        else:
            where = str(root) if entry.files else "part of the package"
        rows.append(Description(name, entry.shape, entry.sizes, entry.classes, root is not None, where, entry.source))
    return tuple(rows)


def from_arrays(
    train_inputs: Array,
    train_labels: Array,
    test_inputs: Array,
    test_labels: Array,
    *,
    name: str = "arrays",
    full_scale: int | None = None,
    classes: Sequence[str] | None = None,
) -> DataSet:
    """A set made of copies of the user's own arrays.

    inputs: uint8, bool or float [n, ...] (float becomes float32); labels: any integer type [n], from 0.
    `full_scale` defaults to 255 for uint8; `classes` to "0", "1", ... up to the largest label.

    >>> tiny = from_arrays(np.eye(4), np.arange(4), np.eye(4), np.arange(4))
    >>> tiny.shape, tiny.train_inputs.dtype.name, tiny.classes
    ((4,), 'float32', ('0', '1', '2', '3'))
    """
    given = (train_inputs, train_labels, test_inputs, test_labels)
    arrays = [np.array(_checked(key, value)) for key, value in zip(FIELDS, given, strict=True)]
    return _dataset(name, arrays, full_scale, classes, "arrays given by the user")


def from_npz(path: str | os.PathLike[str]) -> DataSet:
    """A set from an .npz file of arrays named as `from_arrays` names them; full_scale and classes are optional."""
    path = Path(path).expanduser()
    arrays = _read_npz(path, required=FIELDS, optional=("full_scale", "classes"))
    scale, classes = arrays.get("full_scale"), arrays.get("classes")
    if scale is not None and (scale.shape != () or scale.dtype.kind not in "iu"):
        _refuse(f"{path}: full_scale", f"{scale.dtype} {scale.shape}", "one integer")
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind != "U"):
        _refuse(f"{path}: classes", f"{classes.dtype} {classes.shape}", "a 1-D array of str")
    try:
        return _dataset(
            path.stem,
            [_checked(key, arrays[key]) for key in FIELDS],
            None if scale is None else int(scale),
            None if classes is None else classes.tolist(),
            str(path),
        )
    except NeurosimError as error:
        raise NeurosimError(f"{path}: {error}") from error


def load_events(
    root: str | os.PathLike[str] | None, part: str, limit: int | None = None
) -> tuple[tuple[Recording, ...], Array]:
    """The first `limit` recordings (None: all) of N-MNIST's "train" or "test" part in file order, and labels uint8[n].

    `root` is the folder that holds Train and Test; None: found as `load("n-mnist")` finds it.
    Times are as recorded, in microseconds. Source: Orchard et al. 2015.
    """
    if part not in ("train", "test"):
        raise NeurosimError(f"part={part!r}: must be train or test")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise NeurosimError(f"limit={limit!r}: must be None or an integer from 1")
    folder = _locate("n-mnist", REGISTRY["n-mnist"]) / "N-MNIST" if root is None else Path(root).expanduser()
    paths, labels = _recordings(folder, part)
    return tuple(_read_recording(path) for path in paths[:limit]), labels[:limit]


# What a set must be


def _dataset(
    name: str, arrays: Sequence[Array], full_scale: int | None, classes: Sequence[str] | None, source: str
) -> DataSet:
    if full_scale is None:
        full_scale = {"uint8": 255, "bool": 1}.get(arrays[0].dtype.name)
    if classes is None:
        classes = [str(label) for label in range(max(int(arrays[1].max()) + 1, int(arrays[3].max()) + 1, 2))]
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise NeurosimError(f"classes={classes!r}: must be a sequence of names")
    parts: dict[str, Any] = dict(zip(FIELDS, arrays, strict=True))
    return DataSet(name=name, **parts, classes=tuple(classes), full_scale=full_scale, source=source)


def _checked(name: str, value: object) -> Array:
    """The array itself where it may stay, float as float32, label types other than uint8 as int64."""
    if isinstance(value, np.ma.MaskedArray):
        raise NeurosimError(f"{name}: a masked array: must be a plain one; fill or drop what is masked")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise NeurosimError(f"{name}: {type(value).__name__}: must be a NumPy array") from error
    if array.dtype.hasobject:
        raise NeurosimError(f"{name}.dtype={array.dtype}: must be numbers, not Python objects")
    return _checked_inputs(name, array) if name.endswith("inputs") else _checked_labels(name, array)


def _checked_inputs(name: str, array: Array) -> Array:
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # becomes inf, refused below
            array = array.astype(np.float32, copy=False)
    if array.dtype not in (np.uint8, np.bool_, np.float32):
        raise NeurosimError(f"{name}.dtype={array.dtype}: must be uint8, bool or a float type")
    if array.ndim < 2 or array.size == 0:
        raise NeurosimError(f"{name}.shape={array.shape}: must be (examples, values of one, ...), none of them 0")
    _check_finite(name, array)
    return array


def _checked_labels(name: str, array: Array) -> Array:
    if array.dtype.kind not in "iu":
        raise NeurosimError(f"{name}.dtype={array.dtype}: must be an integer type")
    if array.ndim != 1 or array.size == 0:
        raise NeurosimError(f"{name}.shape={array.shape}: must be (examples,), at least one")
    _check_values(name, array, (array < 0) | (array >= LABEL_LIMIT), f"0..{LABEL_LIMIT - 1}")
    return array if array.dtype == np.uint8 else array.astype(np.int64, copy=False)


def _check_agreement(data: DataSet) -> None:
    for part in ("train", "test"):
        n, m = len(getattr(data, f"{part}_inputs")), len(getattr(data, f"{part}_labels"))
        if n != m:
            raise NeurosimError(f"{part}_labels: {m} labels for {n} {part}_inputs: must be one per example")
    test, train = (f"{array.dtype} {array.shape[1:]}" for array in (data.test_inputs, data.train_inputs))
    if test != train:
        raise NeurosimError(f"test_inputs: {test} per example: must be {train} as in train_inputs")


def _check_classes(data: DataSet) -> None:
    words = data.classes
    if not all(isinstance(word, str) and word for word in words) or not 2 <= len(words) == len(set(words)):
        raise NeurosimError(f"classes={textwrap.shorten(repr(words), 200)}: must be 2 or more different names")
    for name in ("train_labels", "test_labels"):
        array = getattr(data, name)
        _check_values(name, array, array >= len(words), f"0..{len(words) - 1} ({len(words)} classes)")


def _check_full_scale(full_scale: int | None, dtype: np.dtype[Any]) -> None:
    top = {"uint8": 255, "bool": 1}.get(dtype.name)
    if top is None and full_scale is not None:
        raise NeurosimError(f"full_scale={full_scale!r}: must be None for float inputs, which are used as they are")
    if top is not None and (type(full_scale) is not int or not 1 <= full_scale <= top):
        raise NeurosimError(f"full_scale={full_scale!r}: must be an integer 1..{top} for {dtype} inputs")


# --- Files: finding, fetching, reading -------------------------------------------------------------------------------

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
Arrays: TypeAlias = tuple[Array, Array, Array, Array]  # in the order of FIELDS


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


def _roots() -> list[Path]:
    named = os.environ.get(FOLDER_VARIABLE)
    if named and not Path(named).expanduser().is_dir():
        raise NeurosimError(f"{FOLDER_VARIABLE}={named!r}: must be a folder")
    return [*([Path(named).expanduser()] if named else []), cache_folder()]


def _file(root: Path, relative: str) -> Path:
    gzipped = root / f"{relative}.gz"
    return gzipped if gzipped.exists() and not (root / relative).exists() else root / relative


def _missing(root: Path, entry: Entry) -> list[str]:
    return [relative for relative in entry.files if not _file(root, relative).exists()]


def _locate(name: str, entry: Entry) -> Path:
    """The folder that holds all files of the entry, fetching them if they are nowhere."""
    roots = _roots() if entry.files else [Path()]
    for root in roots:
        if not _missing(root, entry):
            return root
    problem = f"{name}: {_missing(roots[0], entry)[0]} is missing in {' and in '.join(map(str, roots))}"
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
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT_S)
    pooch.retrieve(url, f"md5:{md5}", fname=path.name, path=path.parent, downloader=downloader)


def _fetch_idx(base_url: str, folder: str, root: Path) -> None:
    for stem, (md5, _) in IDX_MD5[folder].items():
        _retrieve(f"{base_url}{stem}.gz", md5, root / folder / f"{stem}.gz")


def _fetch_cifar(root: Path) -> None:
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


def _refuse(path: object, found: str, allowed: str) -> NoReturn:
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
        _refuse(path, textwrap.shorten(text, 160) or type(error).__name__, allowed)


def _check_values(name: object, array: Array, bad: Array, allowed: str) -> None:
    if bad.any():
        place = np.argwhere(bad)[0]
        raise NeurosimError(f"{name}[{', '.join(map(str, place))}]={array[tuple(place)]}: must be {allowed}")


def _check_finite(name: object, array: Array) -> None:
    if array.dtype.kind == "f" and not (np.isfinite(array.min()) and np.isfinite(array.max())):  # no temporary array
        _check_values(name, array, ~np.isfinite(array), "a finite float32")


def _read_npz(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Array]:
    allowed = "an .npz file of plain arrays"
    if path.is_file() and not zipfile.is_zipfile(path):
        _refuse(path, "no complete zip archive", allowed)
    # Opened here, since numpy does not close what turns out to be damaged.
    with _reading(path, allowed), path.open("rb") as stream, np.load(stream, allow_pickle=False) as loaded:
        missing = [f"array {name} is missing" for name in required if name not in loaded.files]
        unknown = [f"unknown array {name}" for name in loaded.files if name not in (*required, *optional)]
        if missing or unknown:
            _refuse(path, (missing + unknown)[0], ", ".join((*required, *(f"{name} (optional)" for name in optional))))
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


def _read_digits(_root: Path) -> Arrays:
    arrays = _read_npz(Path(__file__).with_name("digits.npz"), required=("inputs", "labels"))
    inputs, labels = arrays["inputs"].reshape(-1, 1, 8, 8), arrays["labels"]
    return inputs[:DIGITS_TRAIN], labels[:DIGITS_TRAIN], inputs[DIGITS_TRAIN:], labels[DIGITS_TRAIN:]


def _read_idx(path: Path, n_dimensions: int, md5: str | None = None) -> Array:
    """An idx file: bytes 0, 0, 8 (uint8), n_dimensions; each dimension as big-endian uint32; then the values.

    `md5`: of the published file, uncompressed. Source: LeCun, Cortes, Burges 1998.
    """
    size = 4 + 4 * n_dimensions
    head = _read_at_most(path, size, "an idx file")[:size]
    if len(head) < size or head[:4] != bytes((0, 0, 8, n_dimensions)):
        _refuse(path, f"starts with {head[:4].hex() or 'nothing'}", f"an idx file, 0000080{n_dimensions}")
    shape = struct.unpack(f">{n_dimensions}I", head[4:])
    size += math.prod(shape)
    if size > IDX_LIMIT:
        _refuse(path, f"shape {shape}", f"at most {IDX_LIMIT} bytes in all")
    content = _read_at_most(path, size, "a complete idx file")
    if len(content) != size:
        _refuse(path, f"{'more' if len(content) > size else len(content)} bytes", f"{size} for its shape {shape}")
    if md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        _refuse(path, "not the published content", f"md5 {md5} (uncompressed)")
    return np.frombuffer(content, np.uint8, offset=len(head)).reshape(shape)


def _read_idx_set(folder: str, root: Path) -> Arrays:
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
        _refuse(path, f"{'more' if len(content) > size else len(content)} bytes", f"{size}: {CIFAR_ROWS} images")
    rows = np.frombuffer(content, np.uint8).reshape(CIFAR_ROWS, CIFAR_ROW_BYTES)
    _check_values(f"{path}: label", rows[:, 0], rows[:, 0] > 9, "0..9")
    return rows


def _read_cifar(root: Path) -> Arrays:
    *batches, test = (_read_cifar_batch(_file(root, relative)) for relative in CIFAR_FILES)
    train, shape = np.concatenate(batches), (-1, 3, 32, 32)
    return train[:, 1:].reshape(shape), train[:, 0], test[:, 1:].reshape(shape), test[:, 0]


def _read_higgs(root: Path) -> Arrays:
    """UCI's columns: label, then 28 features, standardised by the training part's mean and deviation."""
    path = _file(root, "HIGGS/HIGGS.csv")
    table = _parsed_csv(path, n_columns=29)
    n_train = len(table) - HIGGS_TEST_ROWS.get(len(table), len(table))
    if n_train == 0:
        _refuse(path, f"{len(table)} rows", f"{' or '.join(map(str, HIGGS_TEST_ROWS))}; others: use from_arrays")
    _check_values(f"{path}: label", table[:, 0], (table[:, 0] != 0) & (table[:, 0] != 1), "0 or 1")
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
        kept = _read_npz(store, required=("stamp", "table"))
        if str(kept["stamp"]) == stamp:
            return kept["table"]
    with _reading(path, f"rows of {n_columns} numbers"), warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy only warns of an empty file
        table = np.loadtxt(path, np.float32, comments=None, delimiter=",", ndmin=2)
    if table.shape[1] != n_columns:
        _refuse(path, f"{table.shape[1]} columns", str(n_columns))
    _check_finite(path, table)
    with suppress(OSError), _replacing(store) as stream:  # a folder that cannot be written to costs time only
        np.savez(stream, stamp=np.array(stamp), table=table)
    return table


def _recordings(folder: Path, part: str) -> tuple[list[Path], Array]:
    """Files of one part in the order of their numbers, which is MNIST's, and their labels uint8[n]."""
    pairs = []
    for label in range(10):
        digit = folder / part.title() / str(label)
        if not digit.is_dir():
            _refuse(digit, "missing", "a folder of recordings (*.bin)")
        pairs += [(path, label) for path in digit.glob("*.bin")]
    if not pairs:
        _refuse(folder / part.title(), "no recordings", "*.bin files in one folder per digit")
    pairs.sort(key=lambda pair: (len(pair[0].stem), pair[0].stem))
    return [path for path, _ in pairs], np.array([label for _, label in pairs], np.uint8)


def _read_recording(path: Path) -> Recording:
    """40 bits an event: x (8), y (8), polarity (1), microseconds (23), most significant bit first."""
    with _reading(path, "a recording"):
        content = path.read_bytes()
    if not content or len(content) % 5:
        _refuse(path, f"{len(content)} bytes", "5 per event, at least one event")
    words = np.frombuffer(content, np.uint8).reshape(-1, 5)
    overflow = words[:, 1] == NMNIST_OVERFLOW_ROW
    high, middle, low = words[:, 2:].T.astype(np.int64)
    time_us = ((high & 127) << 16 | middle << 8 | low) + NMNIST_OVERFLOW_US * np.cumsum(overflow)
    events = words[~overflow]
    x, y, polarity = events[:, 0], events[:, 1], events[:, 2] >> 7
    for axis, values in (("x", x), ("y", y)):
        _check_values(f"{path}: {axis}", values, values >= NMNIST_SIDE, f"0..{NMNIST_SIDE - 1}")
    return Recording(x, y, polarity, time_us[~overflow])


def _read_nmnist(root: Path) -> Arrays:
    """Images of event counts, uint8 [n, 2, 34, 34]: channel 0 OFF, 1 ON; counts above 255 are 255."""
    arrays: dict[str, Array] = {}
    for part in ("train", "test"):
        paths, labels = _recordings(root / "N-MNIST", part)
        images = np.empty((len(paths), 2, NMNIST_SIDE, NMNIST_SIDE), np.uint8)
        for image, path in zip(images, paths, strict=True):
            x, y, polarity, _ = _read_recording(path)
            cells = np.ravel_multi_index((polarity, y, x), image.shape)
            image[...] = np.minimum(np.bincount(cells, minlength=image.size), 255).reshape(image.shape)
        arrays |= {f"{part}_inputs": images, f"{part}_labels": labels}
    return arrays["train_inputs"], arrays["train_labels"], arrays["test_inputs"], arrays["test_labels"]


# --- The registry ----------------------------------------------------------------------------------------------------

DIGIT_CLASSES = tuple("0123456789")
IN_FOLDER = f"in the folder that {FOLDER_VARIABLE} names"


def _idx_entry(folder: str, base_url: str, classes: tuple[str, ...], source: str) -> Entry:
    return Entry(
        shape=(1, 28, 28),
        sizes="60,000 + 10,000",
        classes=classes,
        full_scale=255,
        source=source,
        read=partial(_read_idx_set, folder),
        files=tuple(f"{folder}/{stem}" for stem in IDX_MD5[folder]),
        fetch=partial(_fetch_idx, base_url, folder),
        how=f"put the 4 files of {base_url} into {folder} {IN_FOLDER}",
    )


REGISTRY = {
    "digits": Entry(
        shape=(1, 8, 8),
        sizes="1,500 + 297",
        classes=DIGIT_CLASSES,
        full_scale=16,
        source="Alpaydin, Kaynak: Optical Recognition of Handwritten Digits, UCI 1998, doi 10.24432/C50P49; CC BY 4.0; "
        "its test part, as scikit-learn ships it, here split into the first 1,500 and the last 297",
        read=_read_digits,
    ),
    "mnist": _idx_entry(
        "MNIST/raw",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        DIGIT_CLASSES,
        "LeCun, Cortes, Burges: The MNIST database of handwritten digits, 1998; the authors give no licence",
    ),
    "fashion-mnist": _idx_entry(
        "FashionMNIST/raw",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        "Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv 1708.07747, 2017; MIT licence",
    ),
    "cifar-10": Entry(
        shape=(3, 32, 32),
        sizes="50,000 + 10,000",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        full_scale=255,
        source="Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009; the author gives no licence",
        read=_read_cifar,
        files=CIFAR_FILES,
        fetch=_fetch_cifar,
        how=f"unpack https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz {IN_FOLDER}",
    ),
    "higgs": Entry(
        shape=(28,),
        sizes="10,500,000 + 500,000, or a subset's 31,624 + 19,609",
        classes=("background", "signal"),
        full_scale=None,
        source="Whiteson: HIGGS, UCI 2014; Baldi, Sadowski, Whiteson, Nature Communications 5:4308, 2014; CC BY 4.0; "
        "standardised here by the training part's mean and deviation",
        read=_read_higgs,
        files=("HIGGS/HIGGS.csv",),
        how="put https://archive.ics.uci.edu/ml/machine-learning-databases/00280/HIGGS.csv.gz (2.6 GB) "
        f"into HIGGS {IN_FOLDER}",
    ),
    "n-mnist": Entry(
        shape=(2, NMNIST_SIDE, NMNIST_SIDE),
        sizes="60,000 + 10,000, or as many as there are",
        classes=DIGIT_CLASSES,
        full_scale=16,  # of a sample of 1,000 recordings, 0.007 % of the counts are larger, the largest is 25
        source="Orchard, Jayawant, Cohen, Thakor: Frontiers in Neuroscience 9:437, 2015; CC BY-SA 4.0; "
        "events counted per pixel and polarity",
        read=_read_nmnist,
        files=("N-MNIST/Train", "N-MNIST/Test"),
        how=f"unzip Train.zip and Test.zip of https://www.garrickorchard.com/datasets/n-mnist into N-MNIST {IN_FOLDER}",
    ),
}
