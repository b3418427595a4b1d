"""One page of all studies: from their tables, without running anything."""

import pytest

from neurosim.cli import main
from neurosim.errors import NeurosimError
from neurosim.studies.overview import overview
from neurosim.studies.reproduction import STUDIES, reproduce
from tests.test_reproduction import invented


def test_the_page_says_what_was_found_and_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("neurosim.studies.setting.run", invented)
    reproduce("dropout", tmp_path / "found")
    table = tmp_path / "found" / "dropout.csv"
    whole = overview(tmp_path / "found.md")
    assert all(name in whole for name in STUDIES)
    assert "| missing |" not in whole
    rows = table.read_text().splitlines()
    table.write_text("\n".join(rows[:-6]) + "\n")

    def runs(*_, **__):
        raise AssertionError("nothing is run")

    monkeypatch.setattr("neurosim.studies.setting.run", runs)
    assert main(["reproduce", "--report", str(tmp_path / "found.md")]) == 0
    assert "wrote" in capsys.readouterr().err
    text = (tmp_path / "found.md").read_text()
    assert "| missing |" in text
    assert "| not judged |" in text
    assert "0 of 5" in (tmp_path / "found" / "dropout.md").read_text()
    assert (tmp_path / "found" / "dropout.svg").exists()
    with pytest.raises(NeurosimError, match="there is no folder"):
        overview(tmp_path / "elsewhere.md")


def test_claims_of_papers_and_questions_of_our_own_are_counted_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("neurosim.studies.setting.run", invented)
    for engine in ("float", "fixed"):
        reproduce("dropout", tmp_path / "found", engine=engine)
    text = overview(tmp_path / "found.md")
    rows = {row.split("|")[1].strip(): row.split("|")[2:8] for row in text.splitlines() if row.startswith("| [")}
    papers, own = (
        next(row for name, row in rows.items() if f"(found/{stem}.md)" in name) for stem in ("dropout", "dropout-fixed")
    )
    assert sum(int(n) for n in papers[:3] if n.strip()) == sum(int(n) for n in own[3:] if n.strip()) == 9
    assert not any(n.strip() for n in [*papers[3:], *own[:3]])
    said = [line for line in text.splitlines() if line.startswith("**Claims of the papers: ")]
    assert len(said) == 1
    assert "Questions of our own: " in said[0]
    note = "A chance is rounded to 16 bits"
    assert text.count(note) == 1


def test_a_paragraph_that_many_studies_share_stands_once(tmp_path, monkeypatch):
    monkeypatch.setattr("neurosim.studies.setting.run", invented)
    for name in ("dropout", "rank"):
        reproduce(name, tmp_path / "found", engine="fixed")
    assert overview(tmp_path / "found.md").count("On the chip: 784-4x100-10 tanh") == 1
    for name in ("dropout", "rank"):
        assert "On the chip: 784-4x100-10 tanh" in (tmp_path / "found" / f"{name}-fixed.md").read_text()
