"""The command line from end to end: results, resume, and every mistake a user can make."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neurosim.cli import main
from neurosim.studies import experiment
from neurosim.studies.config import Config
from neurosim.studies.experiment import run
from neurosim.studies.record import Record

SMALL = ["--hidden", "20", "--epochs", "2", "--train-samples", "400", "--test-samples", "100", "--quiet"]


def call(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return (code, *capsys.readouterr())


def test_json_on_standard_output_is_alone_and_whole(capsys):
    code, out, err = call(capsys, "train", "digits", *SMALL, "--json", "-")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert {"config", "versions", "seed", "epochs", "test_accuracy", "counts", "health", "cost"} <= set(found)
    assert set(found["cost"]) == {"digital_45nm", "digital_28nm"}
    for cost in found["cost"].values():
        for key in ("energy_pj_per_sample", "latency_ns_per_sample", "inference_energy_pj_per_sample",
                    "inference_latency_ns_per_sample", "area_um2"):  # fmt: skip
            assert cost[key] > 0
        assert cost["inference_energy_pj_per_sample"] < cost["energy_pj_per_sample"]
        assert set(cost["grade"]) == {"basis", "tag"}
    assert found["counts"]["train"]["samples"] == 800
    assert found["counts"]["test"]["samples"] == 100
    assert [set(epoch) for epoch in found["epochs"]] == [
        {"train_accuracy", "test_accuracy", "seconds", "samples_per_second"}
    ] * 2
    assert found["test_accuracy"] == found["epochs"][-1]["test_accuracy"]


def test_out_holds_what_price_and_config_need(capsys, tmp_path):
    out = tmp_path / "run"
    assert call(capsys, "train", "digits", *SMALL, "--out", out)[0] == 0
    assert {p.name for p in out.iterdir()} == {
        "record.json", "checkpoint.npz", "config.toml", *(f"{n}.{k}" for n in
        ("learning_curve", "energy_by_component", "channel_traffic") for k in ("png", "svg")),
    }  # fmt: skip
    code, text, _ = call(capsys, "price", out, "--hardware", "digital_28nm", "--json", "-")
    record = Record.load(out)
    assert code == 0
    assert json.loads(text)["cost"]["digital_28nm"] == json.loads(json.dumps(record.cost["digital_28nm"].to_dict()))
    again = json.loads(call(capsys, "train", "--config", out / "config.toml", "--json", "-")[1])
    mine = record.to_dict()
    assert (again["counts"], again["health"]) == (json.loads(json.dumps(mine["counts"])), mine["health"])


def test_flags_win_over_the_file(capsys, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('epochs = 1\nhidden = [12]\nlearning_rate = "2^-7"\ntrain_samples = 200\n')
    found = json.loads(call(capsys, "train", "digits", "--config", path, "--hidden", "9,8", "--json", "-")[1])
    assert found["config"]["hidden"] == [9, 8]
    assert found["config"]["epochs"] == 1
    assert found["config"]["learning_rate"] == 2**-7


def bits(record, folder):
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as arrays:
        return {k: arrays[k] for k in arrays.files if k != "meta"}, [
            (e["train_accuracy"], e["test_accuracy"]) for e in record.epochs
        ]


@pytest.mark.parametrize("batch_size", [1, 16])
def test_a_resumed_run_ends_in_the_same_bits(tmp_path, monkeypatch, batch_size):
    monkeypatch.setattr(experiment, "_PIECE_S", 0.0)
    config = Config(hidden=(15,), epochs=2, train_samples=90, test_samples=50, batch_size=batch_size)
    whole = run(config, out=tmp_path / "whole")
    calls = 0

    def interrupt(*_):
        nonlocal calls
        calls += 1
        if calls in (3, 7):
            raise KeyboardInterrupt

    for attempt in range(3):
        try:
            parts = run(config, out=tmp_path / "parts", resume=attempt > 0, progress=interrupt)
        except KeyboardInterrupt:
            continue
    expected, got = bits(whole, tmp_path / "whole"), bits(parts, tmp_path / "parts")
    assert expected[1] == got[1]
    assert all(np.array_equal(expected[0][k], got[0][k]) for k in expected[0])
    assert whole.train_counts.ops == parts.train_counts.ops


def test_ctrl_c_leaves_a_checkpoint(tmp_path):
    out = tmp_path / "run"
    train = ["train", "digits", "--epochs", "100000", "--halve-every", "0", "--out", str(out), "--quiet"]
    command = [sys.executable, "-m", "neurosim", *train]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (out / "checkpoint.npz").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert not (out / "record.json").exists()


def bad_npz(path, **arrays):
    good = {"train_inputs": np.zeros((4, 3), np.float32), "train_labels": np.array([0, 1, 0, 1]),
            "test_inputs": np.zeros((2, 3), np.float32), "test_labels": np.array([0, 1])}  # fmt: skip
    np.savez(path, **{**good, **arrays})
    return path


MISTAKES = {
    "data set": (["train", "mnisst"], "mnisst"),
    "rule": (["train", "digits", "--rule", "bprop"], "rule='bprop'"),
    "flag": (["train", "digits", "--hiden", "3"], "hiden"),
    "command": (["trian"], "trian"),
    "0-bit word": (["train", "digits", "--weight-bits", "0"], "weight_bits=0"),
    "40-bit word": (["train", "digits", "--weight-bits", "40"], "weight_bits=40"),
    "error bits": (["train", "digits", "--error-bits", "9"], "error_bits=9"),
    "density": (["train", "digits", "--feedback-density", "1.5"], "feedback"),
    "activation": (["train", "digits", "--activation", "swish"], "swish"),
    "rate": (["train", "digits", "--learning-rate", "0.3"], "learning_rate=0.3"),
    "schedule": (["train", "digits", "--epochs", "300"], "halve_every=2: in epoch 300 of 300, rate=155"),
    "first rate": (["train", "digits", "--learning-rate", "2^-60"], "learning_rate="),
    "number": (["train", "digits", "--epochs", "many"], "epochs='many'"),
    "negative": (["train", "digits", "--epochs", "-3"], "epochs=-3"),
    "hidden": (["train", "digits", "--hidden", "0"], "layer.n=0"),
    "pool": (["train", "digits", "--pool", "2"], "pool=2: is of convolutions"),
    "hardware": (["train", "digits", "--hardware", "tpu"], "tpu"),
    "model": (["hardware", "tpu"], "tpu"),
    "run": (["price", "nowhere", "--hardware", "digital_45nm"], "nowhere"),
    "config file": (["train", "--config", "nowhere.toml"], "nowhere.toml"),
    "single-bit drtp": (["train", "digits", "--rule", "drtp", "--feedback-values", "01"], "learns nothing"),
    "strict": (["train", "digits", "--strict", "everything"], "strict='everything'"),
    "resume without out": (["train", "digits", "--resume"], "resume"),
    "missing npz": (["train", "nowhere.npz"], "nowhere.npz"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, named = MISTAKES[name]
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert err.startswith("neurosim: error: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_bad_data_and_files(capsys, tmp_path):
    cases = {
        "NaN": bad_npz(tmp_path / "nan.npz", train_inputs=np.full((4, 3), np.nan, np.float32)),
        "label": bad_npz(tmp_path / "label.npz", train_labels=np.array([0, -1, 0, 1])),
        "test_labels": bad_npz(tmp_path / "length.npz", test_labels=np.array([0])),
    }
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 nothing")
    cases["broken.npz"] = broken
    unknown = tmp_path / "c.toml"
    unknown.write_text("epoch = 3\n")
    for named, path in cases.items():
        code, out, err = call(capsys, "train", path, "--out", tmp_path / "never")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert named.lower() in err.lower()
    code, _, err = call(capsys, "train", "--config", unknown)
    assert code == 2
    assert "did you mean epochs?" in err
    unknown.write_text("epochs = \n")
    assert "not valid TOML" in call(capsys, "train", "--config", unknown)[2]


def test_an_accumulator_that_cannot_hold_the_sum_names_the_width():
    import neurosim as ns

    with pytest.raises(ns.NeurosimError, match=r"layer 0 accumulator=16: .* needs 21 bits"):
        ns.NetworkSpec(64, (ns.Dense(5, accumulator=16), ns.Dense(3, "softmax")))


def test_checkpoints_of_others_are_refused(capsys, tmp_path):
    out = tmp_path / "run"
    assert call(capsys, "train", "digits", *SMALL, "--out", out)[0] == 0
    code, _, err = call(capsys, "train", "digits", *SMALL, "--out", out)
    assert code == 2
    assert "holds a run already" in err
    code, _, err = call(capsys, "train", "digits", *SMALL, "--out", out, "--resume", "--hidden", "21")
    assert code == 2
    assert "hidden=[21]" in err
    (out / "checkpoint.npz").write_bytes(b"not a checkpoint")
    code, _, err = call(capsys, "train", "digits", *SMALL, "--out", out, "--resume")
    assert code == 2
    assert "checkpoint.npz" in err


def test_an_unwritable_folder_is_found_before_training(capsys, tmp_path):
    tmp_path.chmod(0o500)
    folder = tmp_path if os.geteuid() else Path("/proc")  # root may write anywhere but there
    code, _, err = call(capsys, "train", "digits", *SMALL, "--out", folder / "run")
    assert code == 2
    assert "cannot be written" in err


def test_a_file_where_the_folder_should_be(capsys, tmp_path):
    (tmp_path / "run").write_text("a file")
    code, _, err = call(capsys, "train", "digits", *SMALL, "--out", tmp_path / "run")
    assert code == 2
    assert "run" in err


@pytest.mark.parametrize("command", [["hardware"], ["hardware", "digital_45nm"], ["datasets"], ["rules"]])
def test_listings(command, capsys):
    code, out, err = call(capsys, *command)
    assert (code, err) == (0, "")
    assert out.count("\n") > 3


def test_strict_stops_a_lossy_run(capsys):
    code, _, err = call(capsys, "train", "digits", *SMALL, "--strict", "update")
    assert code == 2
    assert "dead_updates" in err


def test_imports_are_light():
    heavy = ("numba", "scipy", "matplotlib", "rich", "numpy", "brian2")
    for code in ("import neurosim", "from neurosim.cli import parser; parser().format_help()"):
        out = subprocess.run(
            [sys.executable, "-c", f"{code}\nimport sys; print([m for m in {heavy!r} if m in sys.modules])"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert out.stdout.strip() == "[]"


def test_pricing_starts_without_kernels(tmp_path):
    """What prices an earlier run or counts needs no compiler and, without figures, no plots."""
    run(Config(hidden=(5,), epochs=1, train_samples=40, test_samples=20), out=tmp_path / "run")
    (tmp_path / "counts.csv").write_text("# samples = 1\nlayer,phase,action,bits,count\n0,forward,add,8,3\n")
    heavy = ("numba", "scipy", "matplotlib", "brian2", "neurosim.kernels", "neurosim.chip")
    for arguments in (["run"], ["--counts", "counts.csv", "--sizes", "2,2"]):
        code = (
            "from neurosim.cli import main\nimport sys\n"
            f"code = main(['price', *{arguments!r}, '--hardware', 'digital_45nm', '--csv', 'rows.csv'])\n"
            f"print(code, [m for m in {heavy!r} if m in sys.modules])"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert out.stdout.splitlines()[-1] == "0 []"


def test_costs_of_an_earlier_form_are_priced_anew(capsys, tmp_path):
    out = tmp_path / "run"
    run(Config(hidden=(5,), epochs=1, train_samples=40, test_samples=20), out=out)
    found = json.loads((out / "record.json").read_text())
    for cost in found["cost"].values():
        del cost["schema"], cost["latency"]
    (out / "record.json").write_text(json.dumps(found))
    assert Record.load(out).cost == {}
    assert call(capsys, "price", out, "--hardware", "digital_45nm", "--json", "-")[0] == 0


def test_kernels_leave_the_users_numba_cache_alone(tmp_path):
    code = "import numba; numba.config.CACHE_DIR = 'mine'; import neurosim.kernels; print(numba.config.CACHE_DIR)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == "mine"
    assert Path(tmp_path).exists()
