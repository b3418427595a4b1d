"""Where data sets are looked for, and how they are fetched."""

import io
import sys
import tarfile

import numpy as np
import pytest

from neurosim import data
from neurosim.errors import NeurosimError
from tests.data.helpers import assert_one_line, pooch_that

# --- Finding and fetching ---


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(NeurosimError) as raised:
        data.load("mnits")
    assert_one_line(raised, "data='mnits': must be one of digits, mnist, ", ".npz")


def test_named_folder_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path / "none"))
    with pytest.raises(NeurosimError) as raised:
        data.load("mnist")
    assert_one_line(raised, "NEUROSIM_DATA=", "none", "must be a folder")
    assert data.load("digits").name == "digits"


@pytest.mark.parametrize("name", data.names()[1:])
def test_missing_files_say_what_to_do(name, root):
    with pytest.raises(NeurosimError) as raised:
        data.load(name)
    entry = data.REGISTRY[name]
    assert_one_line(raised, name, entry.files[0], str(root), "cache", entry.how, "https://" if "f" not in name else "")
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
    monkeypatch.setitem(sys.modules, "pooch", pooch_that(lambda url: kept[url.rpartition("/")[2]]))
    assert np.array_equal(data.load("mnist").train_inputs, images[:, None])
    assert {path.name for path in (data.cache_folder() / "MNIST" / "raw").iterdir()} == set(kept)


def test_cifar_archive_is_unpacked_into_the_standard_layout(monkeypatch, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in (*data.CIFAR_FILES, "../evil.bin", "cifar-10-batches-bin/readme.html"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    monkeypatch.setitem(sys.modules, "pooch", pooch_that(lambda _: packed.getvalue()))
    data.REGISTRY["cifar-10"].fetch(data.cache_folder())
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {data.cache_folder() / name for name in data.CIFAR_FILES}
    assert all(str(path).endswith(path.read_text()) for path in files)


@pytest.mark.parametrize("outcome", [ValueError("MD5 hash of downloaded file\n does not match"), ImportError("pooch")])
def test_failed_fetch_is_one_line(root, monkeypatch, outcome):
    monkeypatch.setitem(sys.modules, "pooch", pooch_that(outcome))
    with pytest.raises(NeurosimError) as raised:
        data.load("fashion-mnist")
    assert_one_line(raised, f"could not be fetched ({type(outcome).__name__}: ", str(root))


def test_description_reads_nothing(monkeypatch):
    monkeypatch.setattr(np, "load", None)
    rows = {row.name: row for row in data.describe()}
    assert tuple(rows) == data.names()
    assert rows["digits"].where == "part of the package"
    assert rows["mnist"].where.startswith("fetched when first loaded, or put ")
    assert not rows["higgs"].found
    assert all(row.source for row in rows.values())
