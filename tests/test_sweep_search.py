"""Searches that learn: they find, they resume, they keep to constraints, they open in Optuna."""

import json

import pytest

from neurosim.cli import main
from neurosim.errors import NeurosimError
from neurosim.studies.sweep.search import Search
from neurosim.studies.sweep.store import Store
from neurosim.studies.sweep.study import ADAPTIVE, Study
from neurosim.studies.sweep.sweep import sweep
from tests import sweeps

FACTORS = {
    "error_bits": {"from": 1, "to": 8},
    "feedback_density": {"from": 0.05, "to": 1.0, "log": True},
    "weight_rounding": ["stochastic", "nearest"],
    "hardware": ["digital_45nm", "digital_28nm"],
}


def searched(method, points, **tables):
    return Study.of(
        name="s",
        base=sweeps.TINY,
        factors=FACTORS,
        search={"method": method, "population": 4},
        budget={"points": points},
        **tables,
    )


@pytest.fixture(scope="module")
def optuna():
    found = pytest.importorskip("optuna", reason="optuna is not installed")
    found.logging.set_verbosity(found.logging.WARNING)
    return found


def _again(trial, trials):
    """Whether a point was asked for before."""
    return any(one.params == trial.params for one in trials[: trial.number])


@pytest.mark.parametrize("method", ADAPTIVE)
def test_a_search_of_few_points_asks_for_each_once_and_ends(tmp_path, method, optuna):
    path = tmp_path / "r.sqlite"
    factors = {"error_bits": [1, 2], "hardware": ["digital_45nm", "digital_28nm"], "core.lanes": [8, 16]}
    study = Study.of(
        name="s",
        base=sweeps.TINY,
        factors=factors,
        search={"method": method, "population": 4},
        budget={"points": 20},
    )
    status = sweep(study, path, workers=1)
    assert 4 <= status.done <= 8
    assert status.run_here == 2
    trials = optuna.load_study(study_name="s", storage=f"sqlite:///{path}").trials
    told = {json.dumps(trial.params, sort_keys=True): trial.values for trial in trials if not _again(trial, trials)}
    assert len(told) == status.done
    for trial in trials:
        assert trial.state.name == "COMPLETE"
        assert trial.values == told[json.dumps(trial.params, sort_keys=True)]
    resumed = sweep(study, path, workers=1, resume=True)
    assert resumed.run_here == 0
    assert resumed.done >= status.done


@pytest.mark.parametrize("method", ADAPTIVE)
def test_searches_run_resume_and_open_in_optuna(tmp_path, method, optuna):
    path = tmp_path / "r.sqlite"
    assert sweep(searched(method, 6), path, workers=1).done == 6
    assert sweep(searched(method, 6), path, workers=1, resume=True).run_here == 0
    status = sweep(searched(method, 10), path, workers=1, resume=True, changed=True)
    assert status.done == 10
    assert status.run_here <= 4  # points that differ in their hardware alone share a run
    trials = optuna.load_study(study_name="s", storage=f"sqlite:///{path}").trials
    assert len({json.dumps(trial.params, sort_keys=True) for trial in trials}) == 10
    trials = [trial for trial in trials if not _again(trial, trials)]
    assert all(trial.state.name == "COMPLETE" for trial in trials)
    store = Store(path)
    for trial in trials:
        row = store.rows(
            "SELECT * FROM results WHERE number = ? AND hardware = ?", (trial.number, trial.params["hardware"])
        )[0]
        assert trial.values == [row["test_accuracy"], row["energy_pj_per_sample"]]
        assert 1 <= row["error_bits"] <= 8
        assert 0.05 <= row["feedback_density"] <= 1
    store.close()


def test_a_point_that_was_under_way_is_asked_for_again(tmp_path, optuna):
    path = tmp_path / "r.sqlite"
    sweep(searched("nsga2", 3), path, workers=1)
    trials = optuna.load_study(study_name="s", storage=f"sqlite:///{path}", sampler=optuna.samplers.RandomSampler())
    lost = trials.ask()
    lost.suggest_int("error_bits", 1, 8)
    lost.suggest_float("feedback_density", 0.05, 1.0, log=True)
    lost.suggest_categorical("weight_rounding", ["stochastic", "nearest"])
    lost.suggest_categorical("hardware", ("digital_45nm", "digital_28nm"))
    status = sweep(searched("nsga2", 4), path, workers=1, resume=True, changed=True)
    assert (status.done, status.run_here) == (4, 1)
    assert [trial.state.name for trial in trials.trials] == ["COMPLETE"] * 4


def test_constraints_reach_the_search(tmp_path, optuna):
    path = tmp_path / "r.sqlite"
    study = searched(
        "nsga2", 8, constraints={"test_accuracy": {"min": 0.15}}, objectives={"energy_pj_per_sample": "min"}, seeds=2
    )
    status = sweep(study, path, workers=1)
    assert status.done == 16
    assert all(row["test_accuracy"] >= 0.15 for row in status.front)
    trials = optuna.load_study(study_name="s", storage=f"sqlite:///{path}").trials
    for trial in (trial for trial in trials if not _again(trial, trials)):
        store = Store(path)
        found = store.query(
            "SELECT avg(test_accuracy) FROM results WHERE number / 2 = ? AND hardware = ?",
            (trial.number, trial.params["hardware"]),
        )
        store.close()
        assert trial.constraints == {"test_accuracy": pytest.approx((0.15 - found[1][0][0]) / 0.15)}


def test_an_address_where_nobody_answers(tmp_path, capsys):
    pytest.importorskip("distributed", reason="Dask, the extra `cluster`, is not installed")
    study = sweeps.write(tmp_path / "study.toml", {"error_bits": [1, 2]})
    assert main(["sweep", str(study), "--cluster", "nonsense://x"]) == 2
    assert "no Dask scheduler answers there" in capsys.readouterr().err
    with pytest.raises(NeurosimError, match="not beside cluster"):
        sweep(Study.load(study), cluster="tcp://127.0.0.1:1", workers=2)


def test_values_may_change_and_trials_that_fit_still_count(tmp_path, optuna):
    path = tmp_path / "r.sqlite"
    constraints = {"test_accuracy": {"min": 0.0}}
    sweep(searched("nsga2", 5, constraints=constraints), path, workers=1)
    study = Study.of(
        name="s",
        base=sweeps.TINY,
        factors=FACTORS | {"error_bits": [4, 8]},
        search={"method": "nsga2", "population": 4},
        budget={"points": 7},
        constraints=constraints,
    )
    status = sweep(study, path, workers=1, changed=True)
    assert status.done == 7
    old, new = (optuna.load_study(study_name=name, storage=f"sqlite:///{path}").get_trials() for name in ("s", "s 2"))
    kept = [trial for trial in old if trial.params["error_bits"] in (4, 8)]
    assert [trial.params for trial in new[: len(kept)]] == [trial.params for trial in kept]
    assert all(trial.constraints for trial in new)


def test_two_searches_at_once_keep_the_budget(tmp_path, optuna):
    path = tmp_path / "r.sqlite"
    study = searched("tpe", 6)
    Store(path).close()
    first, second = Search(study, path), Search(study, path)
    asked = [search.next() for _ in range(8) for search in (first, second)]
    assert [one and one.number for one in asked] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, None, None, None, None]
