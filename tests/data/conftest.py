"""Folders of their own for every test; the published sets, or a skip that says what is missing."""

import functools
import gzip
import sys
from hashlib import md5

import numpy as np
import pytest

from neurosim import data
from tests.data.helpers import REAL, pooch_that


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path):
    """No test looks into, or writes to, the user's own cache folder."""
    monkeypatch.delenv("NEUROSIM_DATA", raising=False)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))


@functools.cache
def _load_once(name):
    return data.load(name)


@pytest.fixture
def real(monkeypatch):
    """The named set as published, or a skip that says what is missing."""

    def get(name):
        if REAL is not None:
            monkeypatch.setenv("NEUROSIM_DATA", REAL)
        entry = {row.name: row for row in data.describe()}[name]
        if not entry.found:
            pytest.skip(f"{name}: not in NEUROSIM_DATA={REAL}")
        return _load_once(name)

    return get


@pytest.fixture
def root(monkeypatch, tmp_path):
    """An empty NEUROSIM_DATA; whatever is not in it cannot be fetched."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("NEUROSIM_DATA", str(folder))
    monkeypatch.setitem(sys.modules, "pooch", pooch_that(ConnectionError("Name or service not known")))
    return folder


def _write_idx(folder, packed, magic=None):
    """Tiny MNIST files of random pixels; returns the arrays and patches nothing."""
    rng = np.random.default_rng(2)
    folder.mkdir(parents=True)
    written = []
    for n, stem in ((7, "train"), (3, "t10k")):
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (n, 28, 28), np.uint8)),
            ("labels-idx1", rng.integers(0, 10, n, np.uint8)),
        ):
            head = magic or bytes((0, 0, 8, array.ndim))
            content = head + np.array(array.shape, ">u4").tobytes() + array.tobytes()
            name = f"{stem}-{kind}-ubyte"
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
            written.append((name, content, array))
    return written


@pytest.fixture
def idx(root, monkeypatch):
    """Writes tiny MNIST files that pass for the published ones."""

    def write(*, packed=False, magic=None):
        written = _write_idx(root / "MNIST" / "raw", packed, magic)
        for name, content, _ in written:
            monkeypatch.setitem(data.IDX_MD5["MNIST/raw"], name, ("", md5(content).hexdigest()))
        return [array for _, _, array in written]

    return write
