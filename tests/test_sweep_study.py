"""Study files: what they may say, and one clear line for each mistake."""

import datetime
import math
from pathlib import Path

import numpy as np
import pytest

from neurosim.costs import load, names, read_counts
from neurosim.errors import NeurosimError
from neurosim.studies.config import Config
from neurosim.studies.sweep import plan
from neurosim.studies.sweep.factors import factor_of
from neurosim.studies.sweep.measures import MEASURES, PRICED, priced
from neurosim.studies.sweep.pruning import Curves, threshold
from neurosim.studies.sweep.status import Status
from neurosim.studies.sweep.study import METHODS, Pruning, Study

SMALL = {"base": {"data": "digits"}, "factors": {"error_bits": [1, 2, 4]}}


def labels(name, given):
    return [level.label for level in factor_of(name, given).levels]


@pytest.mark.parametrize(("name", "given", "wanted"), [
    ("error_bits", [1, 2, 8], [1, 2, 8]),
    ("error_bits", {"from": 1, "to": 8, "step": 3}, [1, 4, 7]),
    ("error_bits", {"from": 1, "to": 8, "factor": 2}, [1, 2, 4, 8]),
    ("epochs", {"from": 1, "to": 100, "count": 3, "log": True}, [1, 10, 100]),
    ("feedback_density", {"from": 0.1, "to": 0.3, "step": 0.1}, [0.1, 0.2, pytest.approx(0.3)]),
    ("feedback_density", {"from": 0.0, "to": 1.0, "count": 5}, [0, 0.25, 0.5, 0.75, 1]),
    ("learning_rate", {"from": "2^-8", "to": "2^-6", "factor": 2}, [2**-8, 2**-7, 2**-6]),
    ("learning_rate", ["2^-8", 0.5], [2**-8, 0.5]),
    ("hidden", [[50], 100, [100, 100]], [50, 100, "100,100"]),
    ("bias", [True, False], [True, False]),
    ("depth", [{"hidden": [9]}, {"label": "two", "hidden": [9, 9], "epochs": 3}], ["hidden=9", "two"]),
])  # fmt: skip
def test_values_of_factors(name, given, wanted):
    assert labels(name, given) == wanted


def test_levels_of_several_knobs_reach_the_configuration():
    study = Study.of(
        factors={"depth": [{"hidden": [9], "epochs": 2}, {"hidden": [9, 8], "weight_range": [0.5, 0.25, 0.25]}]}
    )
    configs = [study.config(one.levels, 3) for one in plan.candidates(study)]
    assert configs == [
        Config(hidden=(9,), epochs=2, seed=3),
        Config(hidden=(9, 8), weight_range=(0.5, 0.25, 0.25), seed=3),
    ]


def test_a_grid_has_first_seeds_first_and_numbers_that_are_all_different():
    study = Study.of(**SMALL | {"seeds": 2, "factors": {"error_bits": [1, 2], "hidden": [[5], [6], [7]]}})
    found = list(plan.candidates(study))
    assert [one.seeds for one in found] == [(0,)] * 6 + [(1,)] * 6
    numbers = [plan.position(study, one.number, one.seeds[0]) for one in found]
    assert sorted(numbers) == list(range(12))
    assert plan.size(study) == 12


def test_random_points_are_drawn_by_their_number_and_between_the_ends():
    given = SMALL | {
        "search": {"method": "random"},
        "factors": {"feedback_density": {"from": 0.01, "to": 1, "log": True}},
    }
    many, few = (list(plan.candidates(Study.of(**given, budget={"points": n}))) for n in (200, 20))
    assert many[:20] == few
    drawn = [one.levels[0].label for one in many]
    assert all(0.01 <= value <= 1 for value in drawn)
    assert 0.35 < sum(value < 0.1 for value in drawn) / 200 < 0.65  # even in the logarithm


def test_keys_hold_what_decides_bits_and_nothing_else():
    base = plan.key_of(Config(), "a")
    assert base == plan.key_of(Config(hardware=("digital_28nm",), execution="event", data="digits"), "a")
    others = [
        plan.key_of(Config(**change), "a")
        for change in ({"seed": 1}, {"epochs": 4}, {"error_bits": 3}, {"train_samples": 9}, {"strict": ("weight",)})
    ]
    assert len({base, plan.key_of(Config(), "b"), *others}) == 7


def test_a_file_and_python_are_the_same(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        'seeds = 2\n[base]\ndata = "digits"\n[factors]\nerror_bits = [1, 2, 4]\nhardware = ["digital_45nm", "digital_28nm"]\n'
        '[objectives]\ntest_accuracy = "max"\n[constraints]\ntest_accuracy = { min = 0.5 }\n[budget]\npoints = 2\n'
    )
    read = Study.load(path)
    said = Study.of(name="s", base={"data": "digits"}, factors={"error_bits": [1, 2, 4], "hardware": ["digital_45nm", "digital_28nm"]},
                    seeds=2, objectives={"test_accuracy": "max"}, constraints={"test_accuracy": {"min": 0.5}}, budget={"points": 2})  # fmt: skip
    assert (read.factors, read.hardware, read.seeds) == (said.factors, said.hardware, said.seeds)
    assert sorted(read.given) == sorted(said.given)
    assert read.total == 2
    assert read.allows({"test_accuracy": 0.5})
    assert not read.allows({"test_accuracy": 0.49})


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_may_be_objective_and_constraint(name):
    study = Study.of(**SMALL, objectives={name: MEASURES[name].better}, constraints={name: {"max": 1.0}})
    assert study.violation(name, 2.0) > 0 >= study.violation(name, 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_accepted(method):
    assert Study.of(**SMALL, search={"method": method}, budget={"points": 5}).method == method


@pytest.mark.parametrize(("change", "message"), [
    ({"factor": {}}, "factor: no such table; did you mean factors?"),
    ({"hardware": ["odin"]}, "hardware: no such table; it is a setting of [base]"),
    ({"factors": {"error_bit": [1]}}, "error_bit: no such setting; did you mean error_bits?"),
    ({"factors": {"error_bits": []}}, "factors.error_bits=[]: must have at least one value"),
    ({"factors": {"core": {"lanez": [1]}}}, "factors.core.lanez: no such choice of a hardware model; did you mean core.lanes?"),
    ({"factors": {"core.voltage_v": [1]}}, "factors.core.voltage_v: no such choice of a hardware model; constants of models cannot be varied"),
    ({"factors": {"core.lanes": []}}, "factors.core.lanes=[]: must be a list of values"),
    ({"factors": {"core.lanes": ["many"]}}, "factors.core.lanes: 'many' must be of the type int"),
    ({"factors": {"core.lanes": [0]}}, "factors.core.lanes: core.lanes=0: expected `int` >= 1"),
    ({"factors": {"core.lanes": {"from": 1, "to": 8}}}, "factors.core.lanes: must have values"),
    ({"factors": {"core.lanes": [1], "hardware": ["odin"]}}, "'odin' is a published chip, whose file has no choices"),
    ({"factors": {"core.lanes": {"from": 1, "to": 200, "step": 1}, "core.pipeline": {"from": 1, "to": 200, "step": 1}}},
     "factors: make more than 10000 variants"),
    ({"factors": {"error_bits": 3}}, "factors.error_bits=3: must be a list of values"),
    ({"factors": {"error_bits": [1, 1]}}, "factors.error_bits: 1 is there twice"),
    ({"factors": {"error_bits": ["x"]}}, "factors.error_bits='x': must be a whole number"),
    ({"factors": {"error_bits": {"from": 1}}}, "factors.error_bits.to: is missing"),
    ({"factors": {"error_bits": {"from": 8, "to": 1}}}, "factors.error_bits.to=1: must be above from=8"),
    ({"factors": {"error_bits": {"from": 1, "to": 8}}}, "factors.error_bits: a grid needs its values"),
    ({"factors": {"error_bits": {"from": 1, "to": 8, "count": 2, "step": 2}}}, "count and step contradict each other"),
    ({"factors": {"error_bits": {"from": 0, "to": 8, "factor": 2}}}, "factors.error_bits.from=0: must be above 0"),
    ({"factors": {"error_bits": {"from": 1.5, "to": 8, "count": 3}}}, "factors.error_bits.from=1.5: must be a whole number"),
    ({"factors": {"rule": {"from": 1, "to": 2}}}, "factors.rule: has no range"),
    ({"factors": {"feedback_density": {"from": 0, "to": 1, "step": 1e-9}}}, "makes more than 100000 values"),
    ({"factors": {"seed": [1, 2]}}, "factors.seed: seeds are no factor"),
    ({"factors": {"hardware": ["nowhere"]}}, "hardware='nowhere': must be one of"),
    ({"factors": {"a": [{"hidden": [3]}, 4]}}, "factors.a: 4 stands among tables"),
    ({"factors": {"a": [{"hidden": [3]}], "hidden": [[3]]}}, "factors.hidden: sets hidden, which factors.a sets too"),
    ({"base": {"error_bits": 2}}, "factors.error_bits: sets error_bits, which base sets too"),
    ({"base": {"epoch": 2}}, "epoch: no such setting; did you mean epochs?"),
    ({"base": {"seed": 2}}, "base.seed=2: write it as seeds"),
    ({"base": {"epochs": 0}}, "the first point: epochs=0: must be from 1 up in a sweep"),
    ({"base": {"epochs": -1}}, "the first point: epochs=-1: must be a whole number from 0 up"),
    ({"seeds": 0}, "seeds=0: must be how many"),
    ({"seeds": 1_000_000_000}, "seeds=1000000000: must be how many, 1..100000"),
    ({"seeds": [1, 1]}, "seeds=[1, 1]: must be"),
    ({"objectives": {"accuracy": "max"}}, "objectives='accuracy': must be one of"),
    ({"objectives": {"test_accuracy": "up"}}, "objectives.test_accuracy='up': must be one of"),
    ({"constraints": {"test_accuracy": {"min": 0.9, "max": 0.8}}}, "min=0.9 and max=0.8 contradict each other"),
    ({"constraints": {"test_accuracy": {"min": 97}}}, "constraints.test_accuracy.min=97: no point can keep it"),
    ({"constraints": {"area_um2": {"max": -1}}}, "constraints.area_um2.max=-1: no point can keep it"),
    ({"constraints": {"area_um2": {"most": 1}}}, "must be a table with min, max or both"),
    ({"search": {"method": "best"}}, "search.method='best': must be one of"),
    ({"search": {"method": "tpe"}}, "budget.points: is missing"),
    ({"search": {"seeds": 1}}, "search.seeds: no such key; allowed are method, seed, population"),
    ({"budget": {"hours": -1}}, "budget.hours=-1: must be a number"),
    ({"budget": {"hours": math.inf}}, "budget.hours=inf: must be a number"),
    ({"constraints": {"area_um2": {"max": math.inf}}}, "constraints.area_um2.max=inf: must be a number"),
    ({"base": {"data": datetime.date(2026, 1, 1)}}, "base.data=datetime.date(2026, 1, 1): must be a number, a word"),
    ({"base": {"epochs": {"a": 1}}}, "epochs={'a': 1}: must be a whole number"),
    ({"factors": {"core.lanes": {}}}, "factors.core.lanes.from: is missing"),
    ({"factors": {"core": {}}}, "core: no such setting"),
    ({"factors": {"Config": [{"hidden": [3]}]}}, "factors.Config: must be a name of letters, digits and _ that is no column"),
    ({"factors": {"ab": [{"hidden": [3]}], "AB": [{"rule": "bp"}]}}, "factors.AB: differs from factors.ab in capitals only"),
    ({"pruning": {"percentile": 101}}, "pruning.percentile=101: must be a number 0..100"),
])  # fmt: skip
def test_mistakes_are_one_line_that_says_where(change, message):
    with pytest.raises(NeurosimError) as found:
        Study.of(**SMALL | change)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_numbers_of_numpy_are_numbers():
    assert Study.of(**SMALL | {"factors": {"error_bits": list(np.arange(1, 3))}}).given["factors"] == {
        "error_bits": [1, 2]
    }


def test_mistakes_in_a_file_name_it(tmp_path):
    for text, message in (
        ("seeds = ", "not valid TOML"),
        ("seeds = 0", "seeds=0"),
        ('name = "x"', "name: no such table"),
    ):
        path = tmp_path / "bad.toml"
        path.write_text(text)
        with pytest.raises(NeurosimError, match=message) as found:
            Study.load(path)
        assert "bad.toml" in str(found.value)
    with pytest.raises(NeurosimError, match="cannot be read"):
        Study.load(tmp_path / "none.toml")


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbfseeds = 2\n[factors]\nerror_bits = [1, 2]\n")
    assert Study.load(path).seeds == (0, 1)


def test_thresholds_of_pruning():
    assert threshold([], 50) == -math.inf
    assert threshold([0.1, 0.2, 0.3, 0.4], 25) == 0.2
    assert threshold([0.1, 0.2, 0.3, 0.4], 0) == 0.1


def test_curves_are_compared_on_the_same_test_samples_and_count_once():
    curves = Curves(Pruning(50.0, 2, 2))
    curves.learn([("a", "digits", 40, "[0.1, 0.2]"), ("b", "digits", 40, "[0.3, 0.4, 0.5]"), ("b", "digits", 40, "[0, 0]"),
                  ("c", "digits", 0, "[1, 1]"), ("d", "mnist", 40, "[1, 1]")])  # fmt: skip
    assert curves.stop_below("digits", 40) == (-math.inf, 0.4, -math.inf)
    assert curves.stop_below("mnist", 40) == (-math.inf, -math.inf)
    assert curves.stop_below("mnist", 0) == ()
    assert Curves(None).stop_below("digits", 40) == ()


READY = sorted((Path(__file__).parent.parent / "examples" / "studies").glob("*.toml"))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_studies_are_whole_and_each_has_a_large_variant(path):
    study = Study.load(path)
    assert study.total
    other = path.with_name(path.name.replace("_large", "") if "_large" in path.stem else f"{path.stem}_large.toml")
    assert other in READY
    if "_large" in path.stem:
        assert study.total * len(study.seeds) > 2 * Study.load(other).total * len(Study.load(other).seeds)


@pytest.mark.parametrize("path", [path for path in READY if "mnist" not in path.read_text()] + [None], ids=str)
def test_keys_are_those_of_the_configurations(path):
    factors = {"error_bits": [1, 4], "rule": ["bp", "srbp"], "bias": [True, False], "hidden": [[5], [100]], "hardware": ["digital_28nm"],
               "rate": [{"learning_rate": "2^-6", "data": "digits"}, {"learning_rate": 0.5, "weight_range": [1]}]}  # fmt: skip
    study = Study.load(path) if path else Study.of(base={"execution": "event", "epochs": 5.0}, factors=factors, seeds=2)
    keys = plan.Keys(study)
    for one in plan.candidates(study):
        config = study.config(one.levels, one.seeds[0])
        assert keys.of(one.levels, config.seed) == plan.key_of(config, plan.fingerprint(config.data))


def test_what_is_not_known_does_not_compete() -> None:
    wanted = {"test_accuracy": "max", "latency_ns_per_sample": "min"}
    study = Study.of(
        base={"data": "digits", "hardware": ["reckon", "digital_28nm"]},
        factors={"error_bits": [1, 2]},
        objectives=wanted,
    )
    status = Status(study, 2)
    status.look_at(
        {"test_accuracy": 0.9, "energy_pj_per_sample": 5.0, "latency_ns_per_sample": None, "hardware": "reckon"}
    )
    status.look_at(
        {"test_accuracy": 0.5, "energy_pj_per_sample": 9.0, "latency_ns_per_sample": 7.0, "hardware": "digital_28nm"}
    )
    status.look_at(
        {"test_accuracy": 0.5, "latency_ns_per_sample": None, "hardware": "odin", "unpriced": "too few cores"}
    )
    assert [row["hardware"] for row in status.front] == ["digital_28nm"]
    assert status.lacking == {("latency_ns_per_sample", "reckon")}


@pytest.mark.parametrize("name", [n for n in names(kind="chip") if load(n).spec.applies is None])
def test_lower_bounds_are_no_measures(name: str) -> None:
    event = {"layer": 0, "phase": "forward", "bits": 8, "count": 50}
    ops = [
        {**event, "action": "event"},
        {**event, "action": "mac", "by": 8},
        {**event, "phase": "update", "action": "update_attempted"},
    ]
    counted = read_counts({"samples": 5, "ops": ops}, sizes=(10, 10))
    cost = counted.price(name)[name]
    found = priced(cost, 5)
    assert all(value > 0 for value in found.values())
    assert {key for key in cost.band if key in PRICED and not cost.is_least(key)} == set(found) - {
        "learning_energy_uj",
        "learning_time_ms",
    }
    assert ("learning_time_ms" in found) == ("latency_ns_per_sample" in found)
