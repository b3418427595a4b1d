"""Studies: each gives one table, one figure and verdicts, and they are written whole."""

import csv

import pytest

from neurosim.cli import main
from neurosim.errors import NeurosimError
from neurosim.studies.reproduction import GRADES, STUDIES, Verdict, reproduce


@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_run_of_every_study(name, tmp_path):
    doing = []
    found = reproduce(name, tmp_path / "out", quick=True, progress=doing.append)
    assert doing
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.{k}" for k in ("csv", "md", "png", "svg")
    ]
    with (tmp_path / "out" / f"{name}.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == list(found.header)
    assert len(rows) == len(found.rows) > 0
    assert all(len(row) == len(header) for row in rows)
    text = (tmp_path / "out" / f"{name}.md").read_text()
    assert "quick run" in text
    assert all(verdict.line() in text for verdict in found.verdicts)


def test_the_theory_holds():
    assert [v.line() for v in reproduce("theory", quick=True).verdicts if not v.passed] == []


def test_verdicts_say_how_they_are_known():
    for grade, words in GRADES.items():
        line = Verdict("x learns", "97 %", grade, "96 %", "+-0.5", passed=False).line()
        assert line.startswith("FAIL: x learns. Said: 97 % (")
        assert words in line
    with pytest.raises(NeurosimError, match=r"verdict\.grade"):
        Verdict("x", "1", "surely", "1", "0", passed=True)


def test_command_line(capsys, tmp_path):
    assert main(["reproduce", "--list"]) == 0
    assert all(name in capsys.readouterr().out for name in STUDIES)
    assert main(["reproduce", "theroy"]) == 2
    assert capsys.readouterr().err == f"neurosim: error: study='theroy': must be one of {', '.join(STUDIES)}\n"
    (tmp_path / "file").write_text("")
    assert main(["reproduce", "theory", "--quick", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be made" in capsys.readouterr().err
