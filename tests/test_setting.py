"""Cells of studies: what names them, that they resume to the bit, and what is measured."""

from dataclasses import replace

import numpy as np
import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.layers import Dense
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.floats.network import FloatNetwork
from neurosim.floats.training import Training
from neurosim.studies import setting as module
from neurosim.studies import tasks
from neurosim.studies.fixed import exponent
from neurosim.studies.measures import degrees, roc_area, update_angles
from neurosim.studies.setting import Setting, run
from neurosim.studies.tasks import load, unexplained

FLOAT = Training(epochs=3, batch_size=20, rate=0.1, mean=True)
CHIP = Training(epochs=2, batch_size=1, rate=2.0**-6, halve_every=1)


def setting(rule="srbp", training=FLOAT, **changes):
    channel = RULES[rule] if changes.get("engine") == "fixed" else RULES[rule].replace(error=None)
    net = NetworkSpec(64, (Dense(20), Dense(10, "softmax")), channel)
    return Setting(net, training, **{"data": "digits", "train_samples": 400, **changes})


def test_keys_name_what_decides_a_result():
    one = setting()
    assert one.key(0) == setting().key(0)
    others = [
        setting("bp"),
        setting(engine="fixed"),
        setting(probes=True),
        setting(training=replace(FLOAT, rate=0.2)),
        setting(train_samples=300),
    ]
    assert len({one.key(0), one.key(1), *(other.key(0) for other in others)}) == 2 + len(others)


def test_fields_at_their_defaults_leave_keys_alone():
    # Rows that are kept for years must be found again when a description gains a field.
    text = str(module._plain(setting()))
    assert "dropout" not in text
    assert "relays" not in text
    assert "'seed'" not in text


class StopError(Exception):
    pass


@pytest.mark.parametrize("kind", ["plain", "probes", "adam"])
def test_a_run_goes_on_from_its_checkpoint_to_the_bit(kind, tmp_path, monkeypatch):
    training = replace(FLOAT, optimiser="adam", rate=0.01) if kind == "adam" else FLOAT
    one = setting("asrbp", training, probes=kind == "probes")
    whole = run(one, 1)
    monkeypatch.setattr(
        module.time, "monotonic", iter(range(0, 10_000, 100)).__next__
    )  # every epoch is worth a checkpoint

    def stop(text):
        if text.startswith("epoch 2/3, test"):
            raise StopError

    path = tmp_path / "at.npz"
    with pytest.raises(StopError):
        run(one, 1, checkpoint=path, progress=stop)
    assert path.exists()
    seen = []
    again = run(one, 1, checkpoint=path, progress=seen.append)
    assert not any(text.startswith("epoch 1/3") for text in seen)
    assert not path.exists()
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: v for k, v in whole.items() if k != "seconds"}


def test_a_damaged_checkpoint_costs_one_run_and_is_told(tmp_path):
    path, seen = tmp_path / "at.npz", []
    path.write_bytes(b"no archive")
    found = run(setting(), 0, checkpoint=path, progress=seen.append)
    assert seen[0].startswith("starts anew: ")
    assert found["curve"] == run(setting(), 0)["curve"]


def test_the_chip_learns_and_is_priced():
    found = run(setting("srbp", CHIP, engine="fixed"), 0)
    assert found["test_accuracy"] > 40
    assert found["learning_nj"] > 1
    assert 0 < found["channel_bits"] <= 40
    assert len(found["curve"].split()) == 2


def test_floats_from_codes_start_where_the_chip_starts():
    one = setting("srbp", replace(CHIP, batch_size=20), engine="float", start="codes")
    assert abs(run(one, 0)["test_accuracy"] - run(one.replace(engine="fixed"), 0)["test_accuracy"]) < 8


@pytest.mark.parametrize(
    "change", [{"momentum": 0.9}, {"mean": True}, {"decay": 1e-6}, {"rate": 0.1}, {"optimiser": "adam"}]
)
def test_protocols_the_chip_does_not_have(change):
    with pytest.raises(NeurosimError, match=f"training.{next(iter(change))}.*on the chip"):
        exponent(replace(CHIP, **change))


def test_the_chip_follows_a_teacher():
    layers = (Dense(20, "linear"), Dense(10, "linear"))
    one = Setting(
        NetworkSpec(30, layers, RULES["srbp"]),
        CHIP,
        data="teacher-30-10",
        engine="fixed",
        train_samples=400,
        test_samples=50,
    )
    found = run(one, 0)
    assert 0 < found["test_error"] < 150
    assert "train_accuracy" not in found


def test_networks_of_other_sizes_are_refused():
    with pytest.raises(NeurosimError, match=r"network\.inputs=64: teacher-30-10 has 30"):
        run(setting(data="teacher-30-10").replace(train_samples=10), 0)


def test_teachers():
    task = load("teacher-30-20-10", "label", 3, 0, 0)
    assert task.train_inputs.shape == (5000, 30)
    assert task.test_wanted.shape == (1000, 10)
    assert task.n_classes == 0
    assert np.array_equal(task.train_inputs, load("teacher-30-20-10", "label", 3, 0, 0).train_inputs)
    assert not np.array_equal(task.train_inputs, load("teacher-30-20-10", "label", 4, 0, 0).train_inputs)
    linear = load("teacher-6-4", "label", 0, 100, 50)
    solved, *_ = np.linalg.lstsq(linear.train_inputs, linear.train_wanted, rcond=None)
    assert np.abs(solved).max() <= 1 + 1e-5
    assert unexplained(linear.test_inputs @ solved, linear.test_wanted) < 1e-10
    assert unexplained(
        np.zeros_like(linear.test_wanted) + linear.test_wanted.mean(axis=0), linear.test_wanted
    ) == pytest.approx(1)
    for name in ("teacher-", "teacher-30", "teacher-a-b", "teacher-0-3"):
        with pytest.raises(NeurosimError, match="teacher"):
            load(name, "label", 0, 10, 10)


def test_area_under_the_roc_curve_counts_pairs():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 6, 60).astype(float), rng.integers(0, 2, 60)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels == 1] for b in scores[labels == 0]]
    assert roc_area(scores, labels) == pytest.approx(np.mean(pairs))
    assert np.isnan(roc_area(scores, np.ones(60, int)))


def test_angles():
    assert degrees(np.array([1.0, 0]), np.array([1.0, 1])) == pytest.approx(45)
    assert degrees(np.zeros(2), np.ones(2)) == 90
    rng = np.random.default_rng(1)
    inputs, labels = rng.random((30, 64)), rng.integers(0, 10, 30)
    found = {
        rule: update_angles(FloatNetwork(setting(rule).network, np.float64), inputs, labels)
        for rule in ("bp", "srbp", "top-only")
    }
    assert found["bp"]["angle_update"] == pytest.approx(0, abs=1e-5)
    assert found["bp"]["ratio"] == pytest.approx(1)
    assert 45 < found["srbp"]["angle_signal"] < 135
    assert found["top-only"] == {}


def test_recordings_in_parts_learn_all_but_every_fourth(monkeypatch):
    def nmnist(part, limit=None, *, pixels):
        n = {"train": 10, "test": 3}[part]
        samples = [(np.array([i]), np.array([i])) for i in range(n)][:limit]
        return samples, np.arange(n, dtype=np.uint8)[:limit] % 3

    monkeypatch.setattr(tasks.events, "nmnist", nmnist)

    def who(samples):
        return [int(at[0]) for at, _ in samples]

    learned, labels, judged, judged_labels = tasks.recordings("n-mnist", 5)
    assert (who(learned), who(judged)) == (list(range(10)), [0, 1, 2])
    seen = []
    for seed in range(4):
        learned, labels, judged, judged_labels = tasks.recordings("n-mnist-in-parts", seed)
        assert who(judged) == list(range(seed, 10, 4)) == who(tasks.recordings("n-mnist-in-parts", seed + 4)[2])
        assert sorted(who(learned) + who(judged)) == list(range(10))
        assert labels.tolist() == [i % 3 for i in who(learned)]
        assert judged_labels.tolist() == [i % 3 for i in who(judged)]
        problem = load("n-mnist-counts-in-parts", "label", seed, 0, 0)
        assert problem.test_inputs.argmax(axis=1).tolist() == who(judged)
        seen += who(judged)
    assert sorted(seen) == list(range(10))
    assert [len(x) for x in tasks.recordings("n-mnist-in-parts", 1, 8, 1)] == [6, 6, 1, 1]
