"""What is read from a standard file equals what was written to it; every mistake is one clear line."""

import gzip
import os

import numpy as np
import pytest

from neurosim import data
from neurosim.errors import NeurosimError
from tests.data.helpers import assert_one_line

# --- Round trips through the standard files ---


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
    assert_one_line(raised, str(path), message)


@pytest.mark.parametrize("harm", [lambda raw: raw[:-20], lambda raw: b"junk" + raw, lambda raw: raw[:-8] + b"00000000"])
def test_bad_gzip_is_one_line(idx, root, harm):
    idx(packed=True)
    path = root / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(NeurosimError) as raised:
        data.load("mnist")
    assert_one_line(raised, str(path), "must be")


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
    assert_one_line(raised, f"{path}: label[4]=10: must be 0..9")
    for size, message in ((9_999 * 3073, "30726927 bytes"), (10_001 * 3073, "more bytes"), (0, "0 bytes")):
        os.truncate(path, size)
        with pytest.raises(NeurosimError) as raised:
            data.load("cifar-10")
        assert_one_line(raised, f"{path}: {message}: must be 30730000: 10000 images")
    path.unlink()
    with pytest.raises(NeurosimError) as raised:
        data.load("cifar-10")
    assert_one_line(raised, f"cifar-10: {data.CIFAR_FILES[2]} is missing in {root}", "could not be fetched")


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

    def full_disk(stream, **arrays):
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
    assert_one_line(raised, f"{path}{message}")


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
        assert_one_line(raised, str(path), message)
    path.unlink()
    packed = write(table, "HIGGS.csv.gz")
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(NeurosimError) as raised:
        data.load("higgs")
    assert_one_line(raised, str(packed), "must be rows of 29 numbers")


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
    assert [array.tolist() for array in second[:4]] == [[0], [33], [0], [65_536]]
    assert [array.dtype for array in first[:4]] == [np.uint8, np.uint8, np.uint8, np.int64]
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
        assert_one_line(raised, f"{path}: {message}")


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
        assert_one_line(raised, message)
