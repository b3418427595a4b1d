"""Studies: each gives one table, one figure and verdicts, and they are written whole."""

import csv
import importlib

import numpy as np
import pytest

from neurosim.chip.network import Network
from neurosim.cli import main
from neurosim.errors import NeurosimError
from neurosim.floats.network import FloatNetwork
from neurosim.spiking.network import SpikingNetwork
from neurosim.studies.papers.protocol import mnist
from neurosim.studies.reproduction import (
    GRADES,
    STUDIES,
    Cell,
    Results,
    Task,
    Verdict,
    engines_of,
    reproduce,
    run_cells,
)
from neurosim.studies.spikes import SpikingSetting


def module(name):
    return importlib.import_module(f"neurosim.studies.papers.{name.replace('-', '_')}")


ALL = [(name, engine) for name in STUDIES for engine in module(name).ENGINES]


def test_a_study_that_compares_both_engines_says_so():
    assert [engines_of(name) for name in ("rules", "dfa", "spiking")] == ["float, fixed", "float", "float and fixed"]
    with pytest.raises(NeurosimError, match="engine of spiking='fixed': it compares both engines by itself"):
        reproduce("spiking", engine="fixed")
    with pytest.raises(NeurosimError, match="engine of dfa='fixed': must be one of float"):
        reproduce("dfa", engine="fixed")


def invented(setting, seed, *, checkpoint=None, progress=None):
    """Measures of a run that was never made: what a study does with results can be tested without making them."""
    rng = np.random.default_rng(int(setting.key(seed), 16))
    curve = " ".join(f"{value:.2f}" for value in np.sort(rng.uniform(50, 98, 3)))
    names = (
        "test_accuracy",
        "train_accuracy",
        "test_error",
        "auc",
        "angle_signal",
        "angle_update",
        "symmetry",
        "ratio",
    )
    progress("invented")
    measures = {name: float(rng.uniform(50, 98)) for name in names}
    costs = {
        "learning_nj": 100.0,
        "channel_bits": 20.0,
        "update_pairs": 9.0,
        "synops": 1e6,
        "synops_formula": 1e6,
        "samples": 1e4,
    }
    return {**measures, **costs, "angle_signal_curve": curve, "symmetry_curve": curve, "curve": curve}


@pytest.mark.parametrize(("name", "engine"), ALL)
@pytest.mark.parametrize("quick", [True, False])
def test_every_study_makes_its_table_text_and_figure(name, engine, quick, tmp_path, monkeypatch):
    if name == "theory" and not quick:
        pytest.skip("the whole of it takes a minute; the quick run has every part")
    monkeypatch.setattr("neurosim.studies.setting.run", invented)
    doing = []
    found = reproduce(name, tmp_path / "out", engine=engine, quick=quick, progress=doing.append)
    stem = Task(engine, quick, name=name).stem
    assert doing
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{stem}.{k}" for k in ("csv", "md", "png", "svg")
    )
    with (tmp_path / "out" / f"{stem}.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == list(found.header)
    assert len(rows) == len(found.rows) > 0
    assert all(len(row) == len(header) for row in rows)
    text = (tmp_path / "out" / f"{stem}.md").read_text()
    assert ("quick run" in text) == quick
    assert found.verdicts
    assert all(verdict.line() in text for verdict in found.verdicts)
    assert all((verdict.passed is None) == quick for verdict in found.verdicts)
    if name != "theory":
        assert quick or "missing" not in text
        done = len(doing)
        again = reproduce(name, tmp_path / "out", engine=engine, quick=quick, progress=doing.append)
        assert len(doing) == done, "finished runs are not run again"
        assert [list(map(str, row)) for row in again.rows] == [list(map(str, row)) for row in found.rows]
        assert again.table == found.table


@pytest.mark.parametrize(("name", "engine"), [pair for pair in ALL if pair[0] != "theory"])
def test_cells_have_names_and_settings_of_their_own(name, engine):
    cells = module(name).cells(engine) if "fixed" in module(name).ENGINES else module(name).cells()
    assert len({cell.name for cell in cells}) == len(cells)
    keys = {cell.setting.key(seed) for cell in cells for seed in range(cell.seeds)}
    assert len(keys) == sum(cell.seeds for cell in cells)
    for cell in cells:
        if name == "cifar10":
            continue  # a gigabyte of maps; its network is made in tests of maps
        if isinstance(cell.setting, SpikingSetting):
            SpikingNetwork(cell.setting.spec(0), real=cell.setting.engine == "float")
        elif cell.setting.engine == "float":
            FloatNetwork(cell.setting.network, from_codes=False)
        else:
            Network(cell.setting.network)


def test_what_is_missing_is_shown_as_missing(monkeypatch):
    def fails(setting, seed, **_):
        raise KeyboardInterrupt

    cell = Cell("x", mnist("bp"), 2)
    verdict = Results([cell], {"x": []}).near("x learns", "x", 97.0, "V", 1)
    assert verdict.passed is None
    assert "missing" in verdict.line()
    monkeypatch.setattr("neurosim.studies.setting.run", fails)
    with pytest.raises(KeyboardInterrupt):
        run_cells(Task(), [cell])


def test_a_study_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    seen = []

    def stops(setting, seed, **given):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(setting.key(seed))
        return invented(setting, seed, **given)

    monkeypatch.setattr("neurosim.studies.setting.run", stops)
    with pytest.raises(KeyboardInterrupt):
        reproduce("no-derivative", tmp_path, quick=True)
    with (tmp_path / "no-derivative-quick.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == seen
    monkeypatch.setattr("neurosim.studies.setting.run", invented)
    doing = []
    reproduce("no-derivative", tmp_path, quick=True, progress=doing.append)
    first = [text for text in doing if "invented" not in text]
    assert len(first) == len(module("no-derivative").cells()) - 3


def test_a_broken_table_is_named(tmp_path):
    (tmp_path / "rules-quick.csv").write_bytes(b"\xff\xfe,1\n")
    with pytest.raises(NeurosimError, match=r"rules-quick\.csv: not the table of a study"):
        reproduce("rules", tmp_path, quick=True)


def test_the_theory_holds():
    found = module("theory").study(Task(quick=True))
    assert [v.line() for v in found.verdicts if not v.passed] == []


def test_verdicts_say_how_they_are_known():
    for grade, words in GRADES.items():
        line = Verdict("x learns", "97 %", grade, "96 %", "+-0.5", passed=False).line()
        assert line.startswith("FAIL: x learns. Said: 97 % (")
        assert words in line
    with pytest.raises(NeurosimError, match=r"verdict\.grade"):
        Verdict("x", "1", "surely", "1", "0", passed=True)


def test_command_line(capsys, tmp_path):
    assert main(["reproduce", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in STUDIES)
    assert main(["reproduce", "theroy"]) == 2
    assert capsys.readouterr().err == f"neurosim: error: study='theroy': must be one of {', '.join(STUDIES)}\n"
    assert main(["reproduce", "--quick"]) == 2
    assert capsys.readouterr().err.startswith("neurosim: error: study: none is named")
    (tmp_path / "file").write_text("")
    assert main(["reproduce", "theory", "--quick", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_who_keeps_nothing_is_told_so(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("neurosim.studies.setting.run", invented)
    for flags, told in (([], True), (["--quick"], False), (["--out", str(tmp_path)], False)):
        assert main(["reproduce", "dfa", *flags]) == 0
        assert ("no run is kept; --out DIR" in capsys.readouterr().err) == told


def test_an_error_leaves_the_line_of_progress(capsys, monkeypatch):
    def fails(setting, seed, **_):
        raise NeurosimError("mnist: is missing")

    monkeypatch.setattr("neurosim.studies.setting.run", fails)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["reproduce", "dfa", "--quick"]) == 2
    assert capsys.readouterr().err.endswith("\r\033[Kneurosim: error: mnist: is missing\n")
