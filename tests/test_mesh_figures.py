"""The map of a placed network, drawn for any cost with a mesh, refused without; and the files of `neurosim price --mesh`."""

from __future__ import annotations

import csv
import dataclasses
import json

import pytest

from neurosim.cli import main
from neurosim.costs import price
from neurosim.errors import NeurosimError
from neurosim.studies.mesh_figures import FILES, mesh_map
from tests.mapping_cases import LAYOUTS, drawn, model


@pytest.mark.parametrize("name", ["dense", "convolutional"])
def test_a_map_is_drawn(name: str, tmp_path) -> None:
    layout = LAYOUTS[name]()
    cost = price(drawn(layout), None, layout, model(core={"neurons": 8}))
    mesh_map(cost, tmp_path / "mesh")
    assert (tmp_path / "mesh.png").read_bytes()[:4] == b"\x89PNG"
    text = (tmp_path / "mesh.svg").read_text()
    assert "<svg" in text
    with pytest.raises(NeurosimError, match="has no mesh to draw"):
        mesh_map(dataclasses.replace(cost, routing=None), tmp_path / "none")


def test_the_command_writes_everything_and_places_by_hand(tmp_path, capsys) -> None:
    layout = LAYOUTS["dense"]()
    counts = tmp_path / "counts.json"
    counts.write_text(json.dumps({**drawn(layout).to_dict(), "layout": layout.to_dict()}))
    place = tmp_path / "by_hand.toml"
    place.write_text("0 = [[3, 0]]\n1 = [[3, 2]]\n2 = [[0, 2]]\n")
    asked = ["price", "--counts", str(counts), "--hardware", "digital_45nm,digital_28nm", "--json", "-"]
    assert main([*asked, "--placement", str(place), "--mesh", str(tmp_path / "mesh")]) == 0
    told = json.loads(capsys.readouterr().out)["cost"]
    assert set(told) == {"digital_45nm", "digital_28nm"}
    for name, cost in told.items():
        folder = tmp_path / "mesh" / name
        assert {p.name for p in folder.iterdir()} == set(FILES)
        assert cost["routing"]["method"] == "manual"
        rows = list(csv.DictReader((folder / "links.csv").read_text().splitlines()))
        assert [(int(r["x"]), int(r["y"]), r["direction"], float(r["flits_per_sample"])) for r in rows] == [
            (row["x"], row["y"], row["direction"], row["flits"]) for row in cost["routing"]["links"]
        ]
        assert "3 = " not in (folder / "placement.toml").read_text()
        assert "[[3, 2]]" in (folder / "placement.toml").read_text()
    for wrong, says in (
        ("0 = [[3, 0]]\n", "must place"),
        ("0 = 3\n", "whole numbers"),
        ("0 = [[99, 0]]\n1 = [[3, 2]]\n2 = [[0, 2]]", "the mesh is"),
    ):
        place.write_text(wrong)
        assert main([*asked, "--placement", str(place)]) == 2
        assert says in (said := capsys.readouterr().err)
        assert "by_hand.toml" in said
    chip = ["price", "--counts", str(counts), "--hardware", "truenorth", "--mesh", str(tmp_path / "none")]
    assert main(chip) == 2
    assert "a published chip has no mesh" in capsys.readouterr().err
