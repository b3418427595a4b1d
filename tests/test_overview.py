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
