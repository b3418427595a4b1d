"""Data sets: what is read equals what was written, known sets hold known facts, and every mistake is one clear line.

The published sets are read from the folder that NEUROSIM_DATA names; without it those tests are skipped.
"""

import doctest
import functools
import gzip
import io
import logging
import os
import subprocess
import sys
import tarfile
import types
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest

from neurosim import data
from neurosim.errors import NeurosimError

REAL = os.environ.get("NEUROSIM_DATA")
FINGERPRINTS = {
    "digits": "cfd7a7c194a0a627e7c8014e478b80c5122121e3081a68aa0cc6cbdfb7499ba6",
    "mnist": "d23a68669ea36b9e327bfa7726b7f5557f006d0c2450e5a158ff0e5c61734673",
    "fashion-mnist": "3bc4ca86df6d474c041488558970ac78c5ba8532e9197222af86213cc1632bda",
    "cifar-10": "131e25b7f54bc921767ccc907c37cacf762696a054b7466bd1408bfdea733171",
}


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
    monkeypatch.setitem(sys.modules, "pooch", _pooch(ConnectionError("Name or service not known")))
    return folder


def _pooch(outcome):
    """A stand-in for pooch: raises the outcome, or writes the bytes that it returns for the url."""

    def retrieve(url, known_hash, fname, path, downloader):
        assert known_hash.startswith("md5:")
        assert downloader["timeout"]
        if isinstance(outcome, Exception):
            raise outcome
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes(outcome(url))

    return types.SimpleNamespace(retrieve=retrieve, HTTPDownloader=dict, get_logger=logging.getLogger)


def _arrays(n=6, m=4, dtype=np.uint8):
    rng = np.random.default_rng(1)
    inputs = [rng.integers(0, 2, (k, 2, 3)).astype(dtype) for k in (n, m)]
    labels = [np.arange(k) % 3 for k in (n, m)]
    return {
        "train_inputs": inputs[0],
        "train_labels": labels[0],
        "test_inputs": inputs[1],
        "test_labels": labels[1],
    }


def _assert_one_line(raised, *parts):
    text = str(raised.value)
    assert "\n" not in text
    for part in parts:
        assert part in text, text


# --- Every registry entry ---


@pytest.mark.parametrize("name", data.names())
def test_entry_loads_as_described(name, real):
    found = real(name)
    entry = data.REGISTRY[name]
    assert (found.name, found.shape, found.classes) == (name, entry.shape, entry.classes)
    assert (found.full_scale, found.source) == (entry.full_scale, entry.source)
    assert found.n_inputs == np.prod(entry.shape)
    assert found.train_inputs.dtype == (np.float32 if entry.full_scale is None else np.uint8)
    for part in ("train", "test"):
        inputs, labels = getattr(found, f"{part}_inputs"), getattr(found, f"{part}_labels")
        assert inputs.shape == (len(labels), *entry.shape)
        assert labels.dtype == np.uint8
        assert np.array_equal(np.unique(labels), np.arange(found.n_classes))
        assert not inputs.flags.writeable
        assert not labels.flags.writeable


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_published_arrays_never_change(name, real):
    assert real(name).fingerprint == FINGERPRINTS[name]


@pytest.mark.parametrize("name", data.names()[:4])
def test_sizes_are_those_stated(name, real):
    found = real(name)
    assert f"{len(found.train_labels):,} + {len(found.test_labels):,}" == data.REGISTRY[name].sizes


def test_digits_equal_those_of_scikit_learn():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.datasets import load_digits

    digits, theirs = data.load("digits"), load_digits()
    assert np.array_equal(np.concatenate([digits.train_inputs, digits.test_inputs]).reshape(-1, 64), theirs.data)
    assert np.array_equal(np.concatenate([digits.train_labels, digits.test_labels]), theirs.target)
    assert digits.train_inputs.max() == digits.full_scale == theirs.data.max()


def test_mnist_facts(real):
    mnist = real("mnist")
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.train_labels).tolist() == counts
    assert np.bincount(mnist.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert round(mnist.train_inputs.mean() / 255, 4) == 0.1307


def test_fashion_mnist_facts(real):
    fashion = real("fashion-mnist")
    assert np.bincount(fashion.train_labels).tolist() == [6000] * 10
    assert np.bincount(fashion.test_labels).tolist() == [1000] * 10
    assert fashion.classes[fashion.train_labels[0]] == "Ankle boot"
    assert round(fashion.train_inputs.mean() / 255, 4) == 0.2860


def test_cifar_facts(real):
    cifar = real("cifar-10")
    means = cifar.train_inputs.mean(axis=(0, 2, 3)) / 255
    assert [round(mean, 4) for mean in means] == [0.4914, 0.4822, 0.4465]
    assert np.bincount(cifar.train_labels).tolist() == [5000] * 10
    assert [cifar.classes[label] for label in cifar.train_labels[:4]] == ["frog", "truck", "truck", "deer"]
    assert [cifar.classes[label] for label in cifar.test_labels[:4]] == ["cat", "ship", "ship", "airplane"]


def test_higgs_facts(real):
    higgs = real("higgs")
    n = len(higgs.train_labels) + len(higgs.test_labels)
    assert data.HIGGS_TEST_ROWS[n] == len(higgs.test_labels)
    assert np.abs(higgs.train_inputs.mean(axis=0, dtype=np.float64)).max() < 1e-6
    assert np.abs(higgs.train_inputs.std(axis=0, dtype=np.float64) - 1).max() < 1e-6
    b_tags = [len(np.unique(higgs.train_inputs[:, column])) for column in (8, 12, 16, 20)]
    assert b_tags == [3] * 4
    share = np.concatenate([higgs.train_labels, higgs.test_labels]).mean()
    assert round(share, 3) == 0.530  # signal
    if n == 51_233:
        assert len(higgs.test_labels) == 19_609


def test_nmnist_facts(real, monkeypatch):
    events = real("n-mnist")
    if len(events.train_labels) != 1000:
        pytest.skip("n-mnist: NEUROSIM_DATA holds other recordings than the first 1,000 and 100")
    assert len(events.test_labels) == 100
    monkeypatch.setenv("NEUROSIM_DATA", REAL)
    for part, n_events in (("train", 4_133_231), ("test", 385_596)):
        recordings, labels = data.load_events(None, part)
        assert sum(len(recording.x) for recording in recordings) == n_events
        images = getattr(events, f"{part}_inputs")
        assert images.sum() == n_events
        assert np.array_equal(labels, getattr(events, f"{part}_labels"))
        assert all((np.diff(recording.time_us) >= 0).all() for recording in recordings)
    assert (events.train_inputs > events.full_scale).mean() < 1e-4


def test_nmnist_recordings_are_those_of_mnist_images(real):
    events, mnist = real("n-mnist"), real("mnist")
    n = len(events.train_labels)
    assert np.array_equal(events.train_labels, mnist.train_labels[:n])


# --- Round trips through the standard files ---


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


@pytest.mark.parametrize("packed", [False, True])
def test_idx_round_trip(idx, packed):
    images, labels, test_images, test_labels = idx(packed=packed)
    mnist = data.load("mnist")
    assert np.array_equal(mnist.train_inputs, images[:, None])
    assert np.array_equal(mnist.train_labels, labels)
    assert np.array_equal(mnist.test_inputs, test_images[:, None])
    assert np.array_equal(mnist.test_labels, test_labels)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda raw: raw[:-1], "bytes: must be 5504"),
        (lambda raw: raw + b"\0", "more bytes: must be 5504"),
        (lambda raw: raw[:9], "starts with 00000803"),
        (lambda _: b"", "starts with nothing"),
        (lambda raw: b"\0\0\x0d" + raw[3:], "starts with 00000d03: must be an idx file, 00000803"),
        (lambda raw: raw[:4] + b"\xff" * 12 + raw[16:], "shape (4294967295, 4294967295, 4294967295): must be"),
        (lambda raw: raw[:-1] + bytes((raw[-1] ^ 1,)), "not the published content: must be md5"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_bad_idx_is_one_line(idx, root, harm, message, packed):
    idx(packed=packed)
    path = root / "MNIST" / "raw" / f"train-images-idx3-ubyte{'.gz' if packed else ''}"
    raw = path.read_bytes()
    path.write_bytes(gzip.compress(harm(gzip.decompress(raw))) if packed else harm(raw))
    with pytest.raises(NeurosimError) as raised:
        data.load("mnist")
    _assert_one_line(raised, str(path), message)


@pytest.mark.parametrize("harm", [lambda raw: raw[:-20], lambda raw: b"junk" + raw, lambda raw: raw[:-8] + b"00000000"])
def test_bad_gzip_is_one_line(idx, root, harm):
    idx(packed=True)
    path = root / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(NeurosimError) as raised:
        data.load("mnist")
    _assert_one_line(raised, str(path), "must be")


@pytest.fixture
def cifar(root):
    """Sparse files of zeros, with the first and last rows of each batch random; returns those."""
    rng = np.random.default_rng(3)
    folder = root / "cifar-10-batches-bin"
    folder.mkdir()
    rows = rng.integers(0, 256, (6, 2, 3073), np.uint8)
    rows[:, :, 0] %= 10
    for (first, last), name in zip(rows, data.CIFAR_FILES, strict=True):
        with (root / name).open("wb") as stream:
            stream.write(first.tobytes())
            stream.seek(9_999 * 3073)
            stream.write(last.tobytes())
    return rows


def test_cifar_round_trip(cifar):
    found = data.load("cifar-10")
    ends = np.sort(np.concatenate([np.arange(5) * 10_000, np.arange(5) * 10_000 + 9_999]))
    assert np.array_equal(found.train_inputs[ends].reshape(10, -1), cifar[:5, :, 1:].reshape(10, -1))
    assert np.array_equal(found.train_labels[ends], cifar[:5, :, 0].ravel())
    assert np.array_equal(found.test_inputs[[0, -1]].reshape(2, -1), cifar[5, :, 1:])
    assert np.array_equal(found.test_labels[[0, -1]], cifar[5, :, 0])
    assert found.test_inputs[1:-1].max() == 0


def test_bad_cifar_is_one_line(cifar, root):
    del cifar
    path = root / data.CIFAR_FILES[2]
    with path.open("r+b") as stream:
        stream.seek(4 * 3073)
        stream.write(b"\x0a")
    with pytest.raises(NeurosimError) as raised:
        data.load("cifar-10")
    _assert_one_line(raised, f"{path}: label[4]=10: must be 0..9")
    for size, message in ((9_999 * 3073, "30726927 bytes"), (10_001 * 3073, "more bytes"), (0, "0 bytes")):
        os.truncate(path, size)
        with pytest.raises(NeurosimError) as raised:
            data.load("cifar-10")
        _assert_one_line(raised, f"{path}: {message}: must be 30730000: 10000 images")
    path.unlink()
    with pytest.raises(NeurosimError) as raised:
        data.load("cifar-10")
    _assert_one_line(raised, f"cifar-10: {data.CIFAR_FILES[2]} is missing in {root}", "could not be fetched")


@pytest.fixture
def higgs(root, monkeypatch):
    """A table of 5 rows, of which the last 2 are the test set, and a function that writes it."""
    monkeypatch.setitem(data.HIGGS_TEST_ROWS, 5, 2)
    table = np.random.default_rng(4).normal(size=(5, 29)).astype(np.float32)
    table[:, 0] = [1, 0, 1, 1, 0]
    table[:, 7] = 3  # a constant column
    (root / "HIGGS").mkdir()

    def write(rows, name="HIGGS.csv"):
        path = root / "HIGGS" / name
        text = "".join(",".join(f"{value:.18e}" for value in row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return path

    return table, write


@pytest.mark.parametrize("name", ["HIGGS.csv", "HIGGS.csv.gz"])
def test_higgs_round_trip(higgs, name):
    table, write = higgs
    write(table, name)
    found = data.load("higgs")
    assert np.array_equal(np.concatenate([found.train_labels, found.test_labels]), [1, 0, 1, 1, 0])
    train = table[:3, 1:].astype(np.float64)
    deviation = train.std(axis=0)
    expected = (table[:, 1:] - train.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    assert np.allclose(np.concatenate([found.train_inputs, found.test_inputs]), expected, rtol=1e-5, atol=1e-6)
    assert not found.train_inputs[:, 6].any()
    assert [path.name for path in (data.cache_folder() / "parsed").iterdir()] == ["HIGGS.npz"]


def test_higgs_is_parsed_once_and_anew_when_the_file_changes(higgs, monkeypatch):
    table, write = higgs
    path = write(table)
    first = data.load("higgs").fingerprint
    with monkeypatch.context() as context:
        context.setattr(np, "loadtxt", None)
        assert data.load("higgs").fingerprint == first
    store = data.cache_folder() / "parsed" / "HIGGS.npz"
    store.write_bytes(store.read_bytes()[:-500])  # damaged
    assert data.load("higgs").fingerprint == first
    write(table + np.float32(1) * (np.arange(29) == 4) * np.arange(5)[:, None])
    os.utime(path, ns=(1, 1))
    assert data.load("higgs").fingerprint != first


def test_nothing_half_written_is_left(higgs, monkeypatch):
    table, write = higgs
    write(table)

    def full_disk(stream, **_arrays):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    assert len(data.load("higgs").train_labels) == 3
    assert list((data.cache_folder() / "parsed").iterdir()) == []


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (1, 5, np.nan, "[1, 5]=nan: must be a finite float32"),
        (4, 28, -np.inf, "[4, 28]=-inf: must be a finite float32"),
        (3, 0, 2, ": label[3]=2.0: must be 0 or 1"),
        (0, 0, 0.5, ": label[0]=0.5: must be 0 or 1"),
    ],
)
def test_bad_higgs_values_are_one_line(higgs, row, column, value, message):
    table, write = higgs
    table[row, column] = value
    path = write(table)
    with pytest.raises(NeurosimError) as raised:
        data.load("higgs")
    _assert_one_line(raised, f"{path}{message}")


def test_bad_higgs_files_are_one_line(higgs):
    table, write = higgs
    path = write(table)
    good = path.read_text()
    cases = {
        "": "no data",
        "1,2\n" * 5: "2 columns: must be 29",
        good + good[:100] + "\n": "must be rows of 29 numbers",
        good.replace("e", "x", 1): "must be rows of 29 numbers",
        good + good: "10 rows: must be 11000000 or 51233",
        "# comment\n" + good: "must be rows of 29 numbers",
    }
    for text, message in cases.items():
        path.write_text(text)
        with pytest.raises(NeurosimError) as raised:
            data.load("higgs")
        _assert_one_line(raised, str(path), message)
    path.unlink()
    packed = write(table, "HIGGS.csv.gz")
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(NeurosimError) as raised:
        data.load("higgs")
    _assert_one_line(raised, str(packed), "must be rows of 29 numbers")


def _event(x, y, polarity, time_us):
    return bytes((x, y, polarity << 7 | time_us >> 16, time_us >> 8 & 255, time_us & 255))


@pytest.fixture
def recordings(root):
    """Two training recordings and one test recording; the folder that holds Train and Test."""
    folder = root / "N-MNIST"
    for part in ("Train", "Test"):
        for digit in range(10):
            (folder / part / str(digit)).mkdir(parents=True)
    overflow = _event(0, 240, 0, 0)
    first = _event(33, 0, 1, 2**23 - 1) + overflow + _event(1, 2, 0, 5) * 300 + overflow + _event(1, 2, 1, 7)
    (folder / "Train" / "8" / "00001.bin").write_bytes(first)
    (folder / "Train" / "3" / "00002.bin").write_bytes(_event(0, 33, 0, 65_536))
    (folder / "Test" / "0" / "00001.bin").write_bytes(_event(5, 6, 1, 256))
    return folder


def test_recordings_round_trip(recordings):
    (first, second), labels = data.load_events(recordings, "train")
    assert labels.tolist() == [8, 3]
    assert first.x.tolist() == [33] + [1] * 301
    assert first.y.tolist() == [0] + [2] * 301
    assert first.polarity.tolist() == [1] + [0] * 300 + [1]
    assert first.time_us.tolist() == [2**23 - 1] + [5 + 2**13] * 300 + [7 + 2**14]
    assert [array.tolist() for array in second] == [[0], [33], [0], [65_536]]
    assert [array.dtype for array in first] == [np.uint8, np.uint8, np.uint8, np.int64]
    limited, labels = data.load_events(None, "train", limit=1)
    assert len(limited) == len(labels) == 1
    images = data.load("n-mnist").train_inputs
    assert (images[0, 0, 2, 1], images[0, 1, 2, 1], images[0, 1, 0, 33], images[1, 0, 33, 0]) == (255, 1, 1, 1)
    assert images.sum() == 255 + 1 + 1 + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes: must be 5 per event"),
        (b"123456", "6 bytes: must be 5 per event"),
        (_event(1, 1, 0, 0) + _event(34, 1, 0, 0), "x[1]=34: must be 0..33"),
        (_event(1, 200, 0, 0), "y[0]=200: must be 0..33"),
    ],
)
def test_bad_recordings_are_one_line(recordings, content, message):
    path = recordings / "Train" / "3" / "00002.bin"
    path.write_bytes(content)
    for call in (lambda: data.load("n-mnist"), lambda: data.load_events(recordings, "train")):
        with pytest.raises(NeurosimError) as raised:
            call()
        _assert_one_line(raised, f"{path}: {message}")


def test_bad_event_requests_are_one_line(recordings, tmp_path):
    (recordings / "Test" / "0" / "00001.bin").unlink()
    cases = [
        ((recordings, "both"), "part='both': must be train or test"),
        ((recordings, "train", 0), "limit=0: must be"),
        ((recordings, "train", True), "limit=True: must be"),
        ((tmp_path / "none", "train"), "missing: must be a folder of recordings"),
        ((recordings, "test"), "no recordings: must be *.bin files"),
    ]
    for arguments, message in cases:
        with pytest.raises(NeurosimError) as raised:
            data.load_events(*arguments)
        _assert_one_line(raised, message)


# --- Finding and fetching ---


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(NeurosimError) as raised:
        data.load("mnits")
    _assert_one_line(raised, "data='mnits': must be one of digits, mnist, ", ".npz")


def test_named_folder_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path / "none"))
    with pytest.raises(NeurosimError) as raised:
        data.load("mnist")
    _assert_one_line(raised, "NEUROSIM_DATA=", "none", "must be a folder")
    assert data.load("digits").name == "digits"


@pytest.mark.parametrize("name", data.names()[1:])
def test_missing_files_say_what_to_do(name, root):
    with pytest.raises(NeurosimError) as raised:
        data.load(name)
    entry = data.REGISTRY[name]
    _assert_one_line(raised, name, entry.files[0], str(root), "cache", entry.how, "https://" if "f" not in name else "")
    assert ("could not be fetched" in str(raised.value)) == (entry.fetch is not None)


def test_cache_folder_is_searched_second(idx, root):
    images, *_ = idx()
    data.cache_folder().parent.mkdir(parents=True)
    root.rename(data.cache_folder())
    root.mkdir()
    assert np.array_equal(data.load("mnist").train_inputs, images[:, None])
    where = {row.name: row for row in data.describe()}["mnist"]
    assert where.found
    assert where.where == str(data.cache_folder())


def test_idx_files_are_fetched_into_the_standard_layout(idx, root, monkeypatch):
    images, *_ = idx(packed=True)
    kept = {path.name: path.read_bytes() for path in (root / "MNIST" / "raw").iterdir()}
    (root / "MNIST").rename(root / "gone")
    monkeypatch.setitem(sys.modules, "pooch", _pooch(lambda url: kept[url.rpartition("/")[2]]))
    assert np.array_equal(data.load("mnist").train_inputs, images[:, None])
    assert {path.name for path in (data.cache_folder() / "MNIST" / "raw").iterdir()} == set(kept)


def test_cifar_archive_is_unpacked_into_the_standard_layout(monkeypatch, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in (*data.CIFAR_FILES, "../evil.bin", "cifar-10-batches-bin/readme.html"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    monkeypatch.setitem(sys.modules, "pooch", _pooch(lambda _: packed.getvalue()))
    data.REGISTRY["cifar-10"].fetch(data.cache_folder())
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {data.cache_folder() / name for name in data.CIFAR_FILES}
    assert all(str(path).endswith(path.read_text()) for path in files)


@pytest.mark.parametrize("outcome", [ValueError("MD5 hash of downloaded file\n does not match"), ImportError("pooch")])
def test_failed_fetch_is_one_line(root, monkeypatch, outcome):
    monkeypatch.setitem(sys.modules, "pooch", _pooch(outcome))
    with pytest.raises(NeurosimError) as raised:
        data.load("fashion-mnist")
    _assert_one_line(raised, f"could not be fetched ({type(outcome).__name__}: ", str(root))


def test_description_reads_nothing(monkeypatch):
    monkeypatch.setattr(np, "load", None)
    rows = {row.name: row for row in data.describe()}
    assert tuple(rows) == data.names()
    assert rows["digits"].where == "part of the package"
    assert rows["mnist"].where.startswith("fetched when first loaded, or put ")
    assert not rows["higgs"].found
    assert all(row.source for row in rows.values())


# --- The user's own arrays ---


@pytest.mark.parametrize(
    ("dtype", "kept", "full_scale"),
    [(np.uint8, "uint8", 255), (bool, "bool", 1), (np.float64, "float32", None), (">f4", "float32", None)],
)
def test_own_arrays_are_copied_and_typed(dtype, kept, full_scale):
    given = _arrays(dtype=dtype)
    found = data.from_arrays(**given)
    assert (found.train_inputs.dtype.name, found.full_scale) == (kept, full_scale)
    assert found.train_labels.dtype == np.int64
    assert found.classes == ("0", "1", "2")
    before = found.train_inputs.copy()
    given["train_inputs"][:] = 1
    assert np.array_equal(found.train_inputs, before)
    with pytest.raises(ValueError, match="read-only"):
        found.train_inputs[0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_inputs": np.full((6, 2, 3), np.nan)}, "train_inputs[0, 0, 0]=nan: must be a finite float32"),
        ({"test_inputs": np.full((4, 2, 3), 1e300)}, "test_inputs[0, 0, 0]=inf: must be a finite float32"),
        ({"train_inputs": np.zeros((6, 2, 3), np.int64)}, "train_inputs.dtype=int64: must be uint8, bool or a float"),
        ({"train_inputs": np.zeros((6, 2, 3), object)}, "train_inputs.dtype=object: must be numbers"),
        ({"train_inputs": np.zeros((6, 2, 3), complex)}, "train_inputs.dtype=complex128"),
        ({"train_inputs": [[1.0], [1.0, 2.0]]}, "train_inputs: list: must be a NumPy array"),
        ({"train_inputs": None}, "train_inputs.dtype=object"),
        ({"train_inputs": np.ma.masked_array(np.zeros((6, 2, 3)))}, "train_inputs: a masked array"),
        ({"train_inputs": np.zeros(6)}, "train_inputs.shape=(6,): must be (examples, "),
        ({"train_inputs": np.zeros((0, 2, 3))}, "train_inputs.shape=(0, 2, 3)"),
        ({"test_inputs": np.zeros((4, 6), np.uint8)}, "test_inputs: uint8 (6,) per example: must be uint8 (2, 3)"),
        ({"test_inputs": np.zeros((4, 2, 3))}, "test_inputs: float32 (2, 3) per example: must be uint8 (2, 3)"),
        ({"train_labels": np.zeros(5, int)}, "train_labels: 5 labels for 6 train_inputs"),
        ({"test_labels": np.zeros(0, int)}, "test_labels.shape=(0,)"),
        ({"test_labels": np.zeros((4, 1), int)}, "test_labels.shape=(4, 1)"),
        ({"test_labels": np.zeros(4)}, "test_labels.dtype=float64: must be an integer type"),
        ({"test_labels": np.zeros(4, bool)}, "test_labels.dtype=bool: must be an integer type"),
        ({"test_labels": np.array(list("abcd"))}, "test_labels.dtype=<U1: must be an integer type"),
        ({"test_labels": np.array([0, 1, -1, 0])}, "test_labels[2]=-1: must be 0..65535"),
        ({"test_labels": np.array([0, 2**63, 1, 0], np.uint64)}, "test_labels[1]=9223372036854775808: must be"),
        ({"classes": ["a", "b"]}, "train_labels[2]=2: must be 0..1 (2 classes)"),
        ({"classes": ["a", "b", "a"]}, "classes=('a', 'b', 'a'): must be 2 or more different names"),
        ({"classes": ["a", "", "c"]}, "classes=('a', '', 'c')"),
        ({"classes": "abc"}, "classes='abc': must be a sequence of names"),
        ({"classes": 3}, "classes=3: must be a sequence of names"),
        ({"full_scale": 0}, "full_scale=0: must be an integer 1..255 for uint8 inputs"),
        ({"full_scale": 16.0}, "full_scale=16.0"),
        ({"full_scale": True}, "full_scale=True"),
    ],
)
def test_bad_arrays_are_one_line(change, message):
    with pytest.raises(NeurosimError) as raised:
        data.from_arrays(**(_arrays() | change))
    _assert_one_line(raised, message)


def test_float_inputs_have_no_full_scale():
    with pytest.raises(NeurosimError, match="full_scale=255: must be None for float inputs"):
        data.from_arrays(**_arrays(dtype=np.float32), full_scale=255)


def test_fingerprint_tells_every_difference_and_nothing_else():
    base = _arrays()
    changed = {key: value.copy() for key, value in base.items()}
    changed["test_inputs"][-1, -1, -1] ^= 1
    big_endian = base | {"train_labels": base["train_labels"].astype(">i2")}
    fingerprint = data.from_arrays(**base).fingerprint
    assert data.from_arrays(**base, name="other", classes=["a", "b", "c"]).fingerprint == fingerprint
    assert data.from_arrays(**big_endian).fingerprint == fingerprint
    others = [
        data.from_arrays(**changed),
        data.from_arrays(**base, full_scale=16),
        data.from_arrays(**base).head(n_train=5),
        data.from_arrays(**{key: v.reshape(-1, 6) if v.ndim > 1 else v for key, v in base.items()}),
        data.from_arrays(**(base | {"train_labels": base["train_labels"].astype(np.uint8)})),
    ]
    assert len({fingerprint, *(other.fingerprint for other in others)}) == 6


def test_head():
    digits = data.load("digits")
    short = digits.head(100, 20)
    assert np.array_equal(short.train_inputs, digits.train_inputs[:100])
    assert (len(short.train_labels), len(short.test_inputs), len(short.test_labels)) == (100, 20, 20)
    assert (short.classes, short.full_scale) == (digits.classes, 16)
    assert np.shares_memory(short.train_inputs, digits.train_inputs)
    assert len(digits.head(n_test=1).train_labels) == 1500
    for n in (0, 298, -1, 1.5, True):
        with pytest.raises(NeurosimError) as raised:
            digits.head(n_test=n)
        _assert_one_line(raised, f"n_test={n}: must be an integer 1..297 (digits)")


# --- .npz ---


def test_npz_round_trip(tmp_path):
    path = tmp_path / "mine.npz"
    given = _arrays()
    np.savez(path, **given)
    found = data.load(str(path))
    assert (found.name, found.full_scale, found.fingerprint) == ("mine", 255, data.from_arrays(**given).fingerprint)
    np.savez_compressed(path, **given, full_scale=3, classes=["a", "b", "c", "d"])
    found = data.load(path)
    assert (found.full_scale, found.classes, found.source) == (3, ("a", "b", "c", "d"), str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_labels": None}, "array test_labels is missing: must be train_inputs, train_labels, "),
        ({"full_scal": np.array(3)}, "unknown array full_scal"),
        ({"train_inputs": np.zeros((6, 2, 3), object)}, ": train_inputs: Object arrays cannot be loaded"),
        ({"train_inputs": np.full((6, 2, 3), np.inf)}, ": train_inputs[0, 0, 0]=inf"),
        ({"full_scale": np.array([1, 2])}, "full_scale: int64 (2,): must be one integer"),
        ({"classes": np.arange(3)}, "classes: int64 (3,): must be a 1-D array of str"),
    ],
)
def test_bad_npz_is_one_line(tmp_path, change, message):
    path = tmp_path / "mine.npz"
    np.savez(path, **{key: value for key, value in (_arrays() | change).items() if value is not None})
    with pytest.raises(NeurosimError) as raised:
        data.load(path)
    _assert_one_line(raised, str(path), message)


def test_files_that_are_no_npz_are_one_line(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(NeurosimError) as raised:
        data.load(path)
    _assert_one_line(raised, f"{path}: No such file or directory")
    np.savez(path, **_arrays())
    good = path.read_bytes()
    for content in (b"", b"junk", good[:-40], good[: len(good) // 2]):
        path.write_bytes(content)
        with pytest.raises(NeurosimError) as raised:
            data.load(path)
        _assert_one_line(raised, f"{path}: no complete zip archive: must be an .npz file")


def test_damaged_npz_is_refused_or_equal(tmp_path):
    """Whichever byte is damaged: an error of one line, or the very same data."""
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **_arrays())
    good, fingerprint = path.read_bytes(), data.load(path).fingerprint
    for place in range(0, len(good), 3):
        path.write_bytes(good[:place] + bytes((good[place] ^ 0x55,)) + good[place + 1 :])
        try:
            assert data.load(path).fingerprint == fingerprint
        except NeurosimError as error:
            assert "\n" not in str(error)


# --- The module ---


def test_import_is_light():
    heavy = ("matplotlib", "pooch", "scipy", "sklearn", "numba", "pandas")
    code = f"import sys, neurosim.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_docstring_examples():
    assert doctest.testmod(data).failed == 0
