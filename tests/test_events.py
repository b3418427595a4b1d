"""Recordings and files of events as samples: ticks, pools, polarities, merged duplicates; broken files are named."""

import numpy as np
import pytest

from neurosim.data import Recording
from neurosim.errors import NeurosimError
from neurosim.spiking.events import Pixels, binned, counts, load, nmnist
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Population, State, Threshold
from neurosim.spiking.projection import Projection
from neurosim.spiking.spec import SpikingSpec


def recording(*events):
    """(x, y, polarity, microseconds) each."""
    x, y, polarity, time_us = np.array(events, np.int64).reshape(-1, 4).T
    return Recording(x.astype(np.uint8), y.astype(np.uint8), polarity.astype(np.uint8), time_us)


EVENTS = (3, 0, 0, 0), (2, 1, 0, 999), (2, 1, 0, 999), (33, 33, 1, 1000), (3, 0, 1, 1999), (0, 0, 0, 5000)


@pytest.mark.parametrize(
    ("pixels", "ticks", "neurons"),
    [
        (Pixels(), [0, 0, 1, 1, 5], [3, 36, 34 * 34 + 3, 2 * 34 * 34 - 1, 0]),
        (Pixels(pool=2), [0, 1, 1, 5], [1, 17 * 17 + 1, 2 * 17 * 17 - 1, 0]),
        (Pixels(pool=2, polarities="merged"), [0, 1, 1, 5], [1, 1, 17 * 17 - 1, 0]),
        (Pixels(pool=34, polarities="merged", tick_us=2000), [0, 2], [0, 0]),
        (Pixels(pool=33, ticks=5), [0, 1, 1], [0, 4, 7]),
    ],
)
def test_pixels(pixels, ticks, neurons):
    found = pixels.sample(recording(*EVENTS))
    assert [x.tolist() for x in found] == [ticks, neurons]
    assert max(neurons) < pixels.n
    assert counts([found, found], pixels.n).tolist() == [np.bincount(neurons, minlength=pixels.n).tolist()] * 2


def test_every_event_is_in_its_tick_and_no_pair_is_there_twice():
    rng = np.random.default_rng(1)
    times, addresses = np.sort(rng.integers(0, 10_000, 5000)), rng.integers(0, 40, 5000)
    ticks, neurons = binned(times, addresses, 40, units=100)
    assert set(zip(ticks, neurons, strict=True)) == set(zip(times // 100, addresses, strict=True))
    assert len(set(zip(ticks, neurons, strict=True))) == len(ticks)
    assert (np.diff(ticks * 40 + neurons) > 0).all()


def test_a_network_is_shown_samples():
    spec = SpikingSpec(
        (Population("data", 4, (), Events(role="input")), Population("out", 4, (State("v", reset=0),), Threshold(1))),
        (Projection("data", "out", initial=1),),
    )
    samples = [binned([0, 0, 3], [1, 1, 2], 4), binned([], np.zeros(0, int), 4), binned([5], [0], 4, ticks=5)]
    found = SpikingNetwork(spec).present(samples, ticks=6, output="out")
    assert found.tolist() == [[2] * 4, [0] * 4, [0] * 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pool": 0}, r"pixels\.pool"),
        ({"tick_us": 0}, r"pixels\.tick_us"),
        ({"polarities": "on"}, r"pixels\.polarities='on'"),
        ({"side": 33}, r"recording: x=33: must be 0\.\.32"),
    ],
)
def test_wrong_pixels(changes, message):
    with pytest.raises(NeurosimError, match=message):
        Pixels(**changes).sample(recording(*EVENTS))


def test_recordings_whose_times_fall():
    with pytest.raises(NeurosimError, match=r"recording: time of event 2=4: must be at least 5, the time before it"):
        Pixels().sample(recording((0, 0, 0, 1), (0, 0, 0, 5), (0, 0, 0, 4)))


def test_nmnist_of_files(tmp_path):
    for part in ("Train", "Test"):
        for digit in range(10):
            (tmp_path / part / str(digit)).mkdir(parents=True)
    # x=5, y=6, polarity 1 and 3,000 us; and the same pixel 100 us later
    event = bytes([5, 6, 0x80, 3000 >> 8, 3000 & 255]) + bytes([5, 6, 0x80, 3100 >> 8, 3100 & 255])
    (tmp_path / "Train" / "7" / "00002.bin").write_bytes(event)
    (tmp_path / "Train" / "4" / "00001.bin").write_bytes(event[:5])
    samples, labels = nmnist("train", root=tmp_path)
    assert labels.tolist() == [4, 7]
    assert [[x.tolist() for x in sample] for sample in samples] == [[[3], [34 * 34 + 6 * 34 + 5]]] * 2
    assert len(nmnist("train", 1, root=tmp_path)[0]) == 1
    (tmp_path / "Train" / "7" / "00002.bin").write_bytes(event[:8])
    with pytest.raises(NeurosimError, match=r"00002\.bin: 8 bytes: must be 5 per event"):
        nmnist("train", root=tmp_path)
    (tmp_path / "Train" / "7" / "00002.bin").write_bytes(event[5:] + event[:5])
    with pytest.raises(NeurosimError, match=r"00002\.bin: time of event 1=3000: must be at least 3100"):
        nmnist("train", root=tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "0,3\n# a line\n10, 1\n\n10,1 # again\n25,0\n"),
        ("a.txt", "0 3\n10\t1\n25 0"),
        ("a.csv", "\ufeff0,3\n10,1\n25,0"),
        ("a.csv", "# silent\n"),
    ],
)
def test_text_files(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    ticks, neurons = load(tmp_path / name, 4, units=10)
    assert (ticks.tolist(), neurons.tolist()) == (([0, 1, 2], [3, 1, 0]) if "3" in text else ([], []))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv: empty: must be rows of two whole numbers: time, address \(a recording without events is a file"),
        ("\n \n", r"a\.csv: empty"),
        ("0,3\n5", r"a\.csv, line 2: '5': must be rows of two whole numbers"),
        ("0,3\n5,", r"a\.csv, line 2"),
        ("0,3\n5,1,1", r"a\.csv, line 2"),
        ("t,address\n0,3", r"a\.csv, line 1: 't,address'"),
        ("0,3\n5.5,1", r"a\.csv, line 2"),
        ("0,3\n5,4", r"a\.csv: address of event 1=4: must be 0\.\.3"),
        ("0,3\n5,-1", r"a\.csv: address of event 1=-1: must be 0\.\.3"),
        ("-1,3", r"a\.csv: time of event 0=-1"),
        ("0,3\n5,1\n4,1", r"a\.csv: time of event 2=4: must be at least 5"),
        ("0,99999999999999999999", r"a\.csv, line 1"),
    ],
)
def test_broken_text_files(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(NeurosimError, match=message):
        load(tmp_path / "a.csv", 4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n": 4.5}, r"events: n=4\.5: must be a whole number 1\.\.16777216"),
        ({"n": 0}, "events: n=0"),
        ({"units": 0.5}, r"events: units=0\.5: must be a whole number 1"),
        ({"ticks": -1}, r"events: ticks=-1: must be a whole number 0"),
        ({"times": [[1], [2, 3]]}, "events: times and addresses: must be lists of whole numbers"),
        ({"times": [0.5]}, "events: time: float64: must be whole numbers"),
        ({"times": ["a"]}, r"events: time: <U1: must be whole numbers"),
        ({"times": [(1 << 40) * 3 + 1], "units": 3}, r"time of event 0=3298534883329: must be 0\.\.3298534883328"),
        ({"times": [1 << 40], "n": 1 << 24}, r"time of event 0=1099511627776: must be 0\.\.274877906943"),
    ],
)
def test_wrong_lists(given, message):
    with pytest.raises(NeurosimError, match=message):
        binned(**{"times": [1], "addresses": [0], "n": 3, **given})


def test_array_files(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, times=[1, 4, 4], addresses=np.array([2, 0, 0], np.uint8))
    assert [x.tolist() for x in load(path, 3)] == [[1, 4], [2, 0]]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NeurosimError, match=r"a\.npz: no complete zip archive"):
        load(path, 3)
    for arrays, message in (
        ({"times": [1]}, "array addresses is missing"),
        ({"times": [1.5], "addresses": [0]}, "time: float64: must be whole numbers"),
        ({"times": [1, 2], "addresses": [0]}, r"\[2\] times and \[1\] addresses"),
        ({"times": [2, 1], "addresses": [0, 0]}, "time of event 1=1: must be at least 2"),
        ({"times": [2], "addresses": [3]}, r"address of event 0=3: must be 0\.\.2"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(NeurosimError, match=message):
            load(path, 3)


def test_files_that_are_none(tmp_path):
    with pytest.raises(NeurosimError, match=r"a\.npz: no such file"):
        load(tmp_path / "a.npz", 3)
    with pytest.raises(NeurosimError, match=r"suffix='\.aedat': must be"):
        load(tmp_path / "a.aedat", 3)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NeurosimError, match=r"a\.txt: no text"):
        load(tmp_path / "a.txt", 3)
