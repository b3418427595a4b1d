"""The user's own arrays, in memory and as .npz."""

import numpy as np
import pytest

from neurosim import data
from neurosim.errors import NeurosimError
from tests.data.helpers import arrays, assert_one_line

# --- The user's own arrays ---


@pytest.mark.parametrize(
    ("dtype", "kept", "full_scale"),
    [(np.uint8, "uint8", 255), (bool, "bool", 1), (np.float64, "float32", None), (">f4", "float32", None)],
)
def test_own_arrays_are_copied_and_typed(dtype, kept, full_scale):
    given = arrays(dtype=dtype)
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
        data.from_arrays(**(arrays() | change))
    assert_one_line(raised, message)


def test_float_inputs_have_no_full_scale():
    with pytest.raises(NeurosimError, match="full_scale=255: must be None for float inputs"):
        data.from_arrays(**arrays(dtype=np.float32), full_scale=255)


def test_fingerprint_tells_every_difference_and_nothing_else():
    base = arrays()
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
        assert_one_line(raised, f"n_test={n}: must be an integer 1..297 (digits)")


# --- .npz ---


def test_npz_round_trip(tmp_path):
    path = tmp_path / "mine.npz"
    given = arrays()
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
    np.savez(path, **{key: value for key, value in (arrays() | change).items() if value is not None})
    with pytest.raises(NeurosimError) as raised:
        data.load(path)
    assert_one_line(raised, str(path), message)


def test_files_that_are_no_npz_are_one_line(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(NeurosimError) as raised:
        data.load(path)
    assert_one_line(raised, f"{path}: No such file or directory")
    np.savez(path, **arrays())
    good = path.read_bytes()
    for content in (b"", b"junk", good[:-40], good[: len(good) // 2]):
        path.write_bytes(content)
        with pytest.raises(NeurosimError) as raised:
            data.load(path)
        assert_one_line(raised, f"{path}: no complete zip archive: must be an .npz file")


def test_damaged_npz_is_refused_or_equal(tmp_path):
    """Whichever byte is damaged: an error of one line, or the very same data."""
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **arrays())
    good, fingerprint = path.read_bytes(), data.load(path).fingerprint
    for place in range(0, len(good), 3):
        path.write_bytes(good[:place] + bytes((good[place] ^ 0x55,)) + good[place + 1 :])
        try:
            assert data.load(path).fingerprint == fingerprint
        except NeurosimError as error:
            assert "\n" not in str(error)
