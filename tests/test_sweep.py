"""Sweeps: what is run, what is shared, what is kept, and what is said of files and studies that are not as they should be."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing

import pytest

from neurosim.cli import main
from neurosim.costs.variants import named
from neurosim.errors import NeurosimError
from neurosim.studies.experiment import run as run_alone
from neurosim.studies.sweep import pricing
from neurosim.studies.sweep import sweep as sweep_module
from neurosim.studies.sweep.executors import Local
from neurosim.studies.sweep.measures import MEASURES, PRICED
from neurosim.studies.sweep.report import report
from neurosim.studies.sweep.simulate import prepare, simulate
from neurosim.studies.sweep.store import Store
from neurosim.studies.sweep.study import Study
from neurosim.studies.sweep.sweep import sweep
from tests import sweeps

FACTORS = {"error_bits": [1, 4], "hardware": ["digital_45nm", "digital_28nm"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished sweep of two points, two seeds, two chips."""
    path = sweeps.write(tmp_path_factory.mktemp("finished") / "study.toml", FACTORS, seeds=2)
    sweep(Study.load(path), workers=1)
    return path


@pytest.fixture
def copy(finished, tmp_path):
    for file in finished.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / "study.toml"


def rows(path, text="SELECT * FROM results ORDER BY number, hardware"):
    store = Store(path.with_suffix(".sqlite"), read_only=True)
    try:
        return store.rows(text)
    finally:
        store.close()


def test_results_are_those_of_single_runs(finished):
    found = rows(finished)
    assert len(found) == 8
    assert len({row["run"] for row in found}) == 4
    for row in found:
        alone = run_alone(**sweeps.TINY, error_bits=row["error_bits"], seed=row["seed"], hardware=(row["hardware"],))
        cost = alone.cost[row["hardware"]]
        assert row["state"] == "finished"
        assert row["test_accuracy"] == alone.test_accuracy
        assert row["train_accuracy"] == alone.epochs[-1]["train_accuracy"]
        assert row["held_bits"] == alone.layout.bits()
        assert {name: row[name] for name in PRICED if name in cost.band} == {
            n: cost.band[n].nominal for n in PRICED if n in cost.band
        }
        assert row["learning_energy_uj"] == pytest.approx(cost.energy_pj_per_sample * 60e-6)
        assert set(MEASURES) <= set(row)
        assert row["versions"]
        assert row["host"]
        assert row["wall_s"] >= row["seconds"] > 0


def test_what_differs_only_in_hardware_is_simulated_once_and_priced_later(copy):
    before = sweeps.started(copy.with_suffix(".sqlite"))
    sweeps.write(copy, {**FACTORS, "hardware": ["digital_28nm"]}, seeds=2)
    status = sweep(Study.load(copy), workers=1, resume=True, changed=True)
    assert (status.done, status.run_here) == (4, 0)
    assert sweeps.started(copy.with_suffix(".sqlite")) == before
    assert {row["hardware"] for row in rows(copy)} == {"digital_28nm"}


def test_a_study_that_grows_runs_only_what_is_new_and_numbers_anew(copy):
    sweeps.write(copy, {**FACTORS, "error_bits": [2, 1, 4]}, seeds=2)
    study = Study.load(copy)
    with pytest.raises(
        NeurosimError, match=r"its study has changed since \(factors.error_bits\); finished points are kept"
    ):
        sweep(study, workers=1, resume=True)
    status = sweep(study, workers=1, resume=True, changed=True)
    assert (status.done, status.run_here) == (6, 2)
    status = sweep(study, workers=1, resume=True)
    sweeps.write(copy, {**FACTORS, "error_bits": [4, 2, 1]}, seeds=2)
    again = sweep(Study.load(copy), workers=1, changed=True)
    assert again.run_here == 0
    assert sorted(row["test_accuracy"] for row in again.front) == sorted(row["test_accuracy"] for row in status.front)
    sweeps.write(copy, {**FACTORS, "error_bits": [2, 1, 4]}, seeds=2)
    other = Store(copy.with_suffix(".sqlite"))
    other.beat()
    with pytest.raises(NeurosimError, match="another sweep runs on it"):
        sweep(Study.load(copy), workers=1, changed=True)
    other.close()
    sweep(Study.load(copy), workers=1, changed=True)
    assert [
        row["error_bits"] for row in rows(copy, "SELECT * FROM results WHERE hardware = 'digital_45nm' ORDER BY number")
    ] == [2, 2, 1, 1, 4, 4]


def test_a_finished_sweep_is_not_begun_again(copy):
    with pytest.raises(NeurosimError, match="holds 4 finished points of this study; go on with --resume"):
        sweep(Study.load(copy), workers=1)
    assert sweep(Study.load(copy), workers=1, resume=True).run_here == 0


def test_an_old_price_is_made_anew(copy, monkeypatch):
    good = rows(copy)
    with closing(sqlite3.connect(copy.with_suffix(".sqlite"))) as db, db:
        db.execute("UPDATE costs SET energy_pj_per_sample = 1, priced_by = 'older' WHERE hardware = 'digital_45nm'")
    sweep(Study.load(copy), workers=1, resume=True)
    assert rows(copy) == good
    monkeypatch.setattr(pricing, "_laws", lambda: "other")
    store = Store(copy.with_suffix(".sqlite"))
    assert pricing.bring_up_to_date(store, ["digital_45nm", "digital_28nm"]) == 8
    store.close()


def test_points_that_contradict_themselves_are_refused_and_the_others_run(tmp_path):
    factors = {"hidden": [[5], [5, 5]], "weight_range": [[0.5], [0.5, 0.25], [0.5, 0.5, 0.25]]}
    base = {key: value for key, value in sweeps.TINY.items() if key != "hidden"}
    study = Study.of(base=base, factors=factors)
    status = sweep(study, tmp_path / "r.sqlite", workers=1)
    assert (status.done, status.finished, status.refused) == (6, 4, 2)
    store = Store(tmp_path / "r.sqlite")
    found = store.rows("SELECT * FROM results ORDER BY number")
    store.close()
    assert [row["state"] for row in found] == ["finished", "finished", "refused", "finished", "refused", "finished"]
    assert "weight_range" in found[2]["error"]
    again = sweep(study, tmp_path / "r.sqlite", workers=1, resume=True)
    assert (again.run_here, again.done, again.finished, again.refused) == (0, 6, 4, 2)


@pytest.mark.parametrize(("base", "factors", "message"), [
    ({"rule": "srpb"}, {"error_bits": [1, 4]}, "no point can run: rule='srpb': must be one of"),
    ({"data": "mnits"}, {"error_bits": [1, 4]}, "no point can run: data='mnits': must be one of"),
    ({"data": "nowhere.npz"}, {"error_bits": [1, 4]}, "no point can run: nowhere.npz: "),
    ({"train_samples": 10**9}, {"error_bits": [1, 4]}, "no point can run: n_train=1000000000: must be an integer 1..1500"),
    ({}, {"error_bits": [1, 9]}, "factors.error_bits: no point with 9 can run: error_bits=9: must be"),
    ({}, {"error_bits": [1, 4], "rule": ["bp", "sbr"]}, "factors.rule: no point with 'sbr' can run: rule='sbr': must be"),
    ({}, {"error_bits": {"from": 1, "to": 12}}, "factors.error_bits: no point with 12 can run: error_bits=12: must be"),
    ({}, {"data": ["digits", "cifra"]}, "factors.data: no point with 'cifra' can run: data='cifra': must be"),
    ({}, {"weight_bits": [4, 8], "g": [{"rule": "bp"}, {"label": "odd", "weight_rounding": "up"}]},
     "factors.g: no point with 'odd' can run: weight_rounding='up'"),
])  # fmt: skip
def test_what_can_never_run_is_told_before_anything_runs(tmp_path, base, factors, message):
    own = {key: value for key, value in (sweeps.TINY | base).items() if key not in factors}
    study = Study.of(base=own, factors=factors, search={"method": "random"}, budget={"points": 4})
    with pytest.raises(NeurosimError) as found:
        sweep(study, tmp_path / "r.sqlite", workers=1)
    assert message in str(found.value)
    assert not (tmp_path / "r.sqlite").exists()


def test_a_sweep_that_finishes_nothing_ends_badly(tmp_path, capsys):
    path = sweeps.write(tmp_path / "s.toml", {"error_bits": [1, 2]}, base={"learning_rate": 2.0**-62})
    for flags in (["--workers", "1"], ["--resume"]):
        assert main(["sweep", str(path), *flags]) == 2
        assert "neurosim: error: no point has finished: learning_rate=" in capsys.readouterr().err.splitlines()[-1]


class OnePoisons:
    """A pool of processes in which a run of 13 neurons kills its worker, and with it what else is under way."""

    room_of, together = 4, True

    def __init__(self, _workers):
        self.pending = []

    @property
    def room(self):
        dies = any(args[0]["hidden"] == [13] for _, _, args in self.pending)
        for future, function, args in self.pending:
            if dies:
                future.set_exception(BrokenProcessPool())
            else:
                future.set_result(function(*args))
        self.pending.clear()
        return self.room_of

    def submit(self, function, *args):
        future = Future()
        if function is simulate:
            self.pending.append((future, function, args))
        else:
            future.set_result(function(*args))
        return future

    result = Local.result

    def close(self, *, at_once):
        pass


def test_who_kills_workers_takes_no_other_point_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_module, "Local", OnePoisons)
    path = sweeps.write(tmp_path / "s.toml", {"hidden": [[5], [13], [6], [7], [8], [9]]}, base={"hidden": None})
    status = sweep(Study.load(path), workers=2)
    assert (status.done, status.failed) == (6, 1)
    assert {row["hidden"]: row["state"] for row in rows(path)}[13] == "failed"


def test_factors_may_be_called_as_sql_has_it(tmp_path):
    path = sweeps.write(tmp_path / "s.toml", {"order": [{"label": "a", "hidden": [3]}], "from": [{"label": "b", "rule": "bp"}]},
                        base={"hidden": None})  # fmt: skip
    assert sweep(Study.load(path), workers=1).run_here == 1
    assert [(row["order"], row["from"]) for row in rows(path)] == [("a", "b")]


def test_equal_points_are_one_run(tmp_path):
    factors = {"name": [{"label": "a", "error_bits": 4}, {"label": "b", "error_bits": 4, "error_kind": "log"}]}
    status = sweep(Study.of(base=sweeps.TINY, factors=factors), tmp_path / "r.sqlite", workers=1)
    assert (status.done, status.run_here) == (2, 1)
    store = Store(tmp_path / "r.sqlite")
    assert len({row["run"] for row in store.rows("SELECT * FROM results")}) == 1
    store.close()


def test_hopeless_runs_stop_early(tmp_path):
    study = Study.of(base=sweeps.TINY | {"epochs": 6}, factors={"error_bits": [1, 2, 3, 4]}, seeds=6,
                     pruning={"percentile": 60, "runs": 4, "epochs": 2})  # fmt: skip
    status = sweep(study, tmp_path / "r.sqlite", workers=1)
    assert status.done == 24
    assert 0 < status.stopped < 24
    store = Store(tmp_path / "r.sqlite")
    lengths = {state: {len(json.loads(curve)) for s, curve in store.query("SELECT state, curve FROM runs")[1] if s == state}
               for state in ("finished", "stopped")}  # fmt: skip
    store.close()
    assert lengths["finished"] == {6}
    assert lengths["stopped"] <= {2, 3, 4, 5}
    whole = Study.of(base=sweeps.TINY | {"epochs": 6}, factors={"error_bits": [1, 2, 3, 4]}, seeds=6)
    again = sweep(whole, tmp_path / "r.sqlite", workers=1, resume=True, changed=True)
    assert again.run_here == status.stopped  # without pruning, what was stopped runs to its end


def test_pruning_looks_at_the_runs_of_its_own_study(copy):
    with closing(sqlite3.connect(copy.with_suffix(".sqlite"))) as db, db:
        db.execute(
            "INSERT INTO runs (run, state, config, data, curve) SELECT 'other', state, config, data, curve FROM runs LIMIT 1"
        )
    store = Store(copy.with_suffix(".sqlite"))
    numbered = dict(store.query("SELECT number, run FROM points")[1])
    assert {run for run, *_ in store.curves()} == set(numbered.values())
    assert [(run, tested, len(json.loads(curve))) for run, _, tested, curve in store.curves([2])] == [
        (numbered[2], 40, 1)
    ]
    store.close()


def test_workers_that_cannot_start_are_told_once(tmp_path):
    path = sweeps.write(tmp_path / "s.toml", {"error_bits": [1, 2]})
    script = f"import neurosim as ns\nns.sweep(ns.Study.load({str(path)!r}), workers=1)\n"
    piped = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, check=False)
    assert piped.stderr.splitlines()[-1].startswith("neurosim.errors.NeurosimError: workers: must import the script")
    assert "FileNotFound" not in piped.stderr
    (tmp_path / "bare.py").write_text(script)
    bare = subprocess.run([sys.executable, tmp_path / "bare.py"], capture_output=True, text=True, check=False)
    assert "NeurosimError: workers: die as they start; a script that sweeps must" in bare.stderr.splitlines()[-1]
    assert bare.stderr.count("bootstrapping phase") <= 2
    assert sweeps.started(path.with_suffix(".sqlite")) == {}


class FirstDies(OnePoisons):
    """A pool in which preparing kills the worker."""

    def submit(self, function, *args):
        future = super().submit(function, *args) if function is not prepare else Future()
        if function is prepare:
            future.set_exception(BrokenProcessPool())
        return future


def test_a_worker_that_dies_while_it_prepares_blocks_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_module, "Local", FirstDies)
    status = sweep(Study.load(sweeps.write(tmp_path / "s.toml", {"error_bits": [1, 2]})), workers=1)
    assert (status.finished, status.failed) == (2, 0)


def test_budget_of_points(tmp_path):
    study = Study.of(base=sweeps.TINY, factors={"error_bits": [1, 2, 3, 4]}, budget={"points": 3})
    assert sweep(study, tmp_path / "r.sqlite", workers=1).done == 3


def test_a_claim_keeps_others_away_while_its_sweep_lives(tmp_path):
    one, two = Store(tmp_path / "r.sqlite"), Store(tmp_path / "r.sqlite")
    one.beat()
    two.beat()
    assert one.claim("a") == "mine"
    assert two.claim("a") == "elsewhere"
    one.add("a", {"state": "finished"}, [], [])
    assert two.claim("a") == "done"
    assert one.claim("b") == "mine"
    with closing(sqlite3.connect(tmp_path / "r.sqlite")) as db, db:
        db.execute("UPDATE sweeps SET pid = ? WHERE sweep = ?", (_dead_pid(), one.sweep))
    assert two.claim("b") == "mine"
    one.close()
    two.close()


def _dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def mistake(capsys, *arguments):
    assert main(["sweep", *map(str, arguments)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_files_that_are_no_results_are_left_alone(copy, capsys, tmp_path):
    results = tmp_path / "other.sqlite"
    results.write_bytes(b"no database at all, but long enough to look like one" * 100)
    assert "damaged, or no results of a sweep" in mistake(capsys, copy, "--results", results)
    assert results.read_bytes().startswith(b"no database")
    results.unlink()
    with closing(sqlite3.connect(results)) as db, db:
        db.execute("CREATE TABLE mine (x)")
    assert "is no results file of a sweep" in mistake(capsys, copy, "--results", results)
    assert "its folder does not exist" in mistake(capsys, copy, "--results", tmp_path / "none" / "r.sqlite")


def test_a_damaged_results_file_is_told(copy, capsys):
    results = copy.with_suffix(".sqlite")
    content = bytearray(results.read_bytes())
    for page in range(2, len(content) // 4096):  # the header stays
        content[4096 * page : 4096 * page + 200] = b"\xff" * 200
    results.write_bytes(content)
    assert "study.sqlite: damaged" in mistake(capsys, copy, "--resume")
    assert results.read_bytes() == content


def test_a_full_disk_keeps_what_was_finished(copy, monkeypatch):
    sweeps.write(copy, {**FACTORS, "error_bits": [1, 2, 3, 4, 5, 6, 7, 8]}, seeds=2)
    made = Store.__init__

    def small(self, *args, **kwargs):
        made(self, *args, **kwargs)
        pages = self.db.execute("PRAGMA page_count").fetchone()[0]
        self.db.execute(f"PRAGMA max_page_count = {pages + 6}")  # SQLite says then what it says of a full disk

    monkeypatch.setattr(Store, "__init__", small)
    with pytest.raises(
        NeurosimError, match=r"study.sqlite: cannot be written: database or disk is full; finished points are kept"
    ):
        sweep(Study.load(copy), workers=1, resume=True, changed=True)
    monkeypatch.undo()
    kept = len(sweeps.started(copy.with_suffix(".sqlite")))
    assert kept >= 4
    status = sweep(Study.load(copy), workers=1, resume=True)
    assert (status.done, status.run_here) == (16, 16 - kept)


def test_flags_that_contradict_each_other(copy, capsys):
    assert "workers='0': must be a whole number" in mistake(capsys, copy, "--workers", "0")
    assert "not beside cluster" in mistake(capsys, copy, "--workers", "1", "--cluster", "tcp://127.0.0.1:1")
    assert "study=" in mistake(capsys, copy.parent / "none.toml")


def test_the_command_prints_the_best_and_leaves_the_environment(copy, capsys):
    before = dict(os.environ)
    assert main(["sweep", str(copy), "--resume"]) == 0
    out, err = capsys.readouterr()
    assert "error_bits" in out
    assert "4/4 points done" in err
    assert dict(os.environ) == before


def test_what_is_the_machines_fault_fails_and_is_tried_again(tmp_path, monkeypatch):
    from neurosim.studies.sweep import plan

    assert simulate(sweeps.TINY, (), "another")["state"] == "failed"
    assert simulate(sweeps.TINY | {"data": "nowhere.npz"})["state"] == "failed"
    assert simulate(sweeps.TINY | {"train_samples": 10**9})["state"] == "refused"
    study, path = Study.of(base=sweeps.TINY, factors={"error_bits": [1, 2]}), tmp_path / "r.sqlite"
    right = plan.fingerprint("digits")
    monkeypatch.setattr(plan, "fingerprint", lambda _: "another")
    status = sweep(study, path, workers=1)
    assert (status.failed, "is another data set" in status.last_mistake) == (2, True)
    assert sweep(study, path, workers=1, resume=True).failed == 2
    monkeypatch.setattr(plan, "fingerprint", lambda _: right)
    assert sweep(study, path, workers=1, resume=True).failed == 0
    assert [row["state"] for row in sweeps_rows(path)] == ["finished"] * 2


def sweeps_rows(path):
    store = Store(path)
    found = store.rows("SELECT * FROM results ORDER BY number")
    store.close()
    return found


def test_choices_of_hardware_are_priced_and_not_simulated(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        f"[base]\n{''.join(f'{k} = {sweeps.toml(v)}{chr(10)}' for k, v in sweeps.TINY.items())}[factors]\nerror_bits = [1, 4]\n"
        'hardware = ["digital_45nm", "digital_28nm"]\ncore.lanes = [1, 8]\nfabric.width = { from = 1, to = 4, step = 3 }\n'
        "fabric.height = [1]\ncore.neurons = [8]\n"
    )
    study = Study.load(path)
    assert study.total == 2
    assert len(study.hardware) == 8
    status = sweep(study, workers=1)
    assert (status.run_here, status.unpriced) == (2, 8)
    assert "cores in all would do" in status.last_mistake
    found = rows(path)
    assert len(found) == 16
    for row in found:
        said = {
            "core.lanes": row["core.lanes"],
            "core.neurons": 8,
            "fabric.width": row["fabric.width"],
            "fabric.height": 1,
        }
        assert row["hardware"] == named(row["model"], said)
        if row["fabric.width"] == 1:  # layers of 5 and 10 neurons need three cores of 8
            assert "cores in all would do" in row["unpriced"]
            assert row["energy_pj_per_sample"] is None
        else:
            alone = run_alone(**sweeps.TINY, error_bits=row["error_bits"], hardware=(row["hardware"],))
            assert row["energy_pj_per_sample"] == alone.cost[row["hardware"]].band["energy_pj_per_sample"].nominal
    files = report(path)
    assert {file.suffix for file in files} >= {".html", ".csv", ".png"}
    path.write_text(path.read_text().replace("core.lanes = [1, 8]", "core.lanes = [1, 8, 64]"))
    again = sweep(Study.load(path), workers=1, resume=True, changed=True)
    assert again.run_here == 0
    assert len(rows(path)) == 24
