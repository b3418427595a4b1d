"""Every data set of the registry, and what is known of the published ones.

These are read from the folder that NEUROSIM_DATA names; without it their tests are skipped.
"""

import doctest
import subprocess
import sys

import numpy as np
import pytest

from neurosim import data
from tests.data.helpers import REAL

FINGERPRINTS = {
    "digits": "cfd7a7c194a0a627e7c8014e478b80c5122121e3081a68aa0cc6cbdfb7499ba6",
    "mnist": "d23a68669ea36b9e327bfa7726b7f5557f006d0c2450e5a158ff0e5c61734673",
    "fashion-mnist": "3bc4ca86df6d474c041488558970ac78c5ba8532e9197222af86213cc1632bda",
    "cifar-10": "131e25b7f54bc921767ccc907c37cacf762696a054b7466bd1408bfdea733171",
}


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


# --- The module ---


def test_import_is_light():
    heavy = ("matplotlib", "pooch", "scipy", "sklearn", "numba", "pandas")
    code = f"import sys, neurosim.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_docstring_examples():
    assert doctest.testmod(data).failed == 0
