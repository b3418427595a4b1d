"""Data sets: named ones read from their standard public files, and the user's own arrays.

`load("digits")` needs no files: the set is part of the package. The others are looked for in the folder that the
environment variable NEUROSIM_DATA names, then in the user's cache folder, and are fetched into the latter where a
checksum is known. Files keep the names and folders they are published under (`REGISTRY`), gzipped or not. Whatever
is read is checked in full, and what is wrong is one line: file or field, what was found, what is allowed.

Images are channel first, (channels, height, width). Values stay raw: `full_scale` names the one that stands for 1.0.
Nothing is shuffled, augmented or turned into spikes here.
"""

import hashlib
import math
import os
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.data.files import (
    CIFAR_FILES,
    HIGGS_TEST_ROWS,
    IDX_MD5,
    Array,
    Recording,
    cache_folder,
    check_finite,
    check_values,
    locate,
    missing_files,
    read_npz,
    read_recording,
    recordings,
    refuse,
    search_roots,
)
from neurosim.data.registry import REGISTRY
from neurosim.errors import NeurosimError

__all__ = [
    "CIFAR_FILES",
    "HIGGS_TEST_ROWS",
    "IDX_MD5",
    "REGISTRY",
    "DataSet",
    "Description",
    "Recording",
    "cache_folder",
    "describe",
    "from_arrays",
    "from_npz",
    "load",
    "load_events",
    "names",
]

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
    return _dataset(key, entry.read(locate(key, entry)), entry.full_scale, entry.classes, entry.source)


def describe() -> tuple[Description, ...]:
    """All named sets and where each is; looks for files but reads none."""
    rows = []
    for name, entry in REGISTRY.items():
        root = next((root for root in search_roots() if not missing_files(root, entry)), None)
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
    arrays = read_npz(path, required=FIELDS, optional=("full_scale", "classes"))
    scale, classes = arrays.get("full_scale"), arrays.get("classes")
    if scale is not None and (scale.shape != () or scale.dtype.kind not in "iu"):
        refuse(f"{path}: full_scale", f"{scale.dtype} {scale.shape}", "one integer")
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind != "U"):
        refuse(f"{path}: classes", f"{classes.dtype} {classes.shape}", "a 1-D array of str")
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
    folder = locate("n-mnist", REGISTRY["n-mnist"]) / "N-MNIST" if root is None else Path(root).expanduser()
    paths, labels = recordings(folder, part)
    return tuple(read_recording(path) for path in paths[:limit]), labels[:limit]


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
    check_finite(name, array)
    return array


def _checked_labels(name: str, array: Array) -> Array:
    if array.dtype.kind not in "iu":
        raise NeurosimError(f"{name}.dtype={array.dtype}: must be an integer type")
    if array.ndim != 1 or array.size == 0:
        raise NeurosimError(f"{name}.shape={array.shape}: must be (examples,), at least one")
    check_values(name, array, (array < 0) | (array >= LABEL_LIMIT), f"0..{LABEL_LIMIT - 1}")
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
        check_values(name, array, array >= len(words), f"0..{len(words) - 1} ({len(words)} classes)")


def _check_full_scale(full_scale: int | None, dtype: np.dtype[Any]) -> None:
    top = {"uint8": 255, "bool": 1}.get(dtype.name)
    if top is None and full_scale is not None:
        raise NeurosimError(f"full_scale={full_scale!r}: must be None for float inputs, which are used as they are")
    if top is not None and (type(full_scale) is not int or not 1 <= full_scale <= top):
        raise NeurosimError(f"full_scale={full_scale!r}: must be an integer 1..{top} for {dtype} inputs")
