"""The map of a placed network: drawn for any cost with a mesh, refused without."""

from __future__ import annotations

import dataclasses

import pytest

from neurosim.costs import price
from neurosim.errors import NeurosimError
from neurosim.studies.mesh_figures import mesh_map
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
