"""SANA-FE architectures: a hand-written file of the documented form, carried over and priced."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurosim.cli import main
from neurosim.costs import ChipModel, load, price
from neurosim.costs.sanafe import UNTOLD, converted
from neurosim.errors import NeurosimError
from neurosim.ops import Layout, Op, OpCounts

pytest.importorskip("yaml")

# Written by hand for this test: two kinds of synapse, unequal hops, a dendrite and a buffer that we have no place for.
ARCHITECTURE = """
architecture:
  name: pond
  attributes: {width: 4, height: 2, link_buffer_size: 8, latency_sync: {1: 0.5e-6, 4: 1.0e-6}}
  tile:
    - name: lily[0..7]
      attributes:
        energy_east_hop: 2.0e-12
        latency_east_hop: 3.0e-9
        energy_west_hop: 1.0e-12
        energy_north_hop: 4e-12
        energy_south_hop: 4e-12
      core:
        - name: frog[0..1]
          attributes: {buffer_position: soma, max_neurons_supported: 64}
          axon_in: [{name: ear, attributes: {energy_message_in: 5.0e-12, latency_message_in: 1.0e-9}}]
          synapse:
            - {name: thick, attributes: {model: current_based, energy_process_spike: 20.0e-12, latency_process_spike: 2.0e-9}}
            - {name: thin, attributes: {energy_process_spike: 10.0e-12}}
          dendrite: [{name: stalk, attributes: {energy_update: 1.0e-12, latency_update: 0.0}}]
          soma:
            - name: heart
              attributes: {energy_access_neuron: 30.0e-12, energy_update_neuron: 0.0, energy_spike_out: 40.0e-12}
          axon_out: [{name: tongue, attributes: {energy_message_out: 50.0e-12}}]
"""


@pytest.fixture
def pond(tmp_path: Path) -> Path:
    path = tmp_path / "pond.yaml"
    path.write_text(ARCHITECTURE)
    return path


def model(pond: Path, source: str | None = None) -> ChipModel:
    text, _ = converted(pond, pond.stem, source)
    out = pond.with_suffix(".toml")
    out.write_text(text)
    found = load(out)
    assert isinstance(found, ChipModel)
    return found


def test_energies_latencies_mesh_and_cores_are_carried(pond: Path) -> None:
    spec = model(pond).spec
    energy = {
        t.per: (t.low.energy_pj if t.low else None, t.energy_pj, t.high.energy_pj if t.high else None)
        for t in spec.energy
    }
    assert energy == {
        "hop_east_west": (1.0, 2.0, None),
        "hop_north_south": (None, 4.0, None),
        "packet": (None, 55.0, None),
        "synaptic_operation": (10.0, 20.0, None),
        "neuron_access": (None, 30.0, None),
        "spike": (None, 40.0, None),
    }
    assert {t.per: t.latency_ns for t in spec.latency} == {
        "hop_east_west": 3.0,
        "packet": 1.0,
        "synaptic_operation": 2.0,
        "tick": 500.0,
    }
    assert [t.high.latency_ns for t in spec.latency if t.high] == [1000.0]
    assert (spec.capacity.cores, spec.capacity.neurons) == (16, 64)
    assert spec.operating.hops_east_west == pytest.approx((4 - 1 / 4) / 3)
    assert spec.operating.hops_north_south == pytest.approx(0.5)
    assert {t.tag for t in spec.energy} == {"memory-unverified"}
    assert not spec.priced_by_default


def test_a_source_that_is_told_is_kept(pond: Path) -> None:
    spec = model(pond, "The Pond Book, table 3").spec
    assert {(t.tag, t.source) for t in spec.energy} == {
        ("verified-secondary", "The Pond Book, table 3 | pond.yaml, a SANA-FE architecture file")
    }


def test_what_has_no_place_is_listed(pond: Path) -> None:
    _, left = converted(pond, "pond", None)
    assert left == [
        "frog[0..1].buffer_position = soma",
        "heart.energy_update_neuron = 0.0 (nothing is free: left out)",
        "link_buffer_size = 8",
        "stalk.energy_update = 1e-12",
        "thick.model = current_based",
        UNTOLD,
    ]
    assert model(pond).spec.technology is None


def test_it_prices(pond: Path) -> None:
    counts = OpCounts(1, 0, {Op(0, "forward", "event", 0): 3, Op(0, "forward", "synaptic_event", 8): 60})
    plan = Layout((10,), (3,), (), 1, (0,), ((),))
    cost = price(counts, None, plan, model(pond))
    assert cost.energy_pj_per_sample == pytest.approx(60 * 20 + 3 * (40 + 55 + 1.25 * 2 + 0.5 * 4))
    assert cost.unpriced == ("static", "area")


def test_the_command(pond: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = pond.parent / "lake.toml"
    assert main(["convert", str(pond), "--out", str(out)]) == 0
    assert "not carried: link_buffer_size = 8" in capsys.readouterr().err
    assert load(out).name == "lake"
    assert main(["convert", str(pond), "--out", str(pond.parent / "lake.json")]) == 2
    assert main(["convert", "nowhere.yaml", "--out", str(out)]) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "not valid YAML"),
        ("architecture: 3", "architecture.tile: is missing"),
        ("snn: {}", "architecture.tile: is missing"),
        (ARCHITECTURE.replace("30.0e-12", "many"), "heart.energy_access_neuron='many': must be a number of joules"),
        (ARCHITECTURE.replace("30.0e-12", "-1.0"), "heart.energy_access_neuron=-1.0: must be a number of joules"),
        (
            ARCHITECTURE.replace("30.0e-12", "30.0"),
            "heart.energy_access_neuron=30.0: must be a number of joules, 0 … 1e-06; is it in pJ?",
        ),
        (
            ARCHITECTURE.replace("1.0e-9", "1.0"),
            "ear.latency_message_in=1.0: must be a number of seconds, 0 … 0.01; is it in ns?",
        ),
        ("architecture: {tile: [{name: t}]}", "has no energy above 0"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(NeurosimError, match=says) as error:
        converted(path, "bad", None)
    assert "\n" not in str(error.value)
    assert "bad.yaml" in str(error.value)


def test_the_refitted_loihi_comes_back(tmp_path: Path) -> None:
    """The numbers of loihi_sanafe, told in an architecture file of one kind of synapse, convert to the same prices."""
    shipped = load("loihi_sanafe")
    energy = {t.per: t.energy_pj * 1e-12 for t in shipped.spec.energy}
    text = f"""
architecture:
  attributes: {{width: 8, height: 4}}
  tile:
    - name: tile[0..31]
      attributes: {{energy_east_hop: {energy["hop_east_west"]}, energy_north_hop: {energy["hop_north_south"]}}}
      core:
        - name: core[0..3]
          attributes: {{max_neurons_supported: 1024}}
          synapse: [{{attributes: {{energy_process_spike: {energy["synaptic_operation"]}}}}}]
          soma:
            - attributes:
                energy_access_neuron: {energy["neuron_access"]}
                energy_update_neuron: {energy["neuron_active"]}
                energy_spike_out: {energy["spike"]}
          axon_out: [{{attributes: {{energy_message_out: {energy["packet"]}}}}}]
"""
    path = tmp_path / "again.yaml"
    path.write_text(text)
    ops = {
        Op(0, "forward", "event", 0): 3,
        Op(0, "forward", "synaptic_event", 8): 60,
        Op(1, "forward", "neuron_update", 16): 40,
    }
    plan = Layout((0, 2000), (3, 0), (), 1, (0, 0), ((), ()), places=(1, 1))
    ours, theirs = (price(OpCounts(1, 0, ops, ticks=2), None, plan, m) for m in (shipped, model(path)))
    assert theirs.energy_pj_per_sample == pytest.approx(ours.energy_pj_per_sample, rel=1e-5)
    assert theirs.cores == ours.cores == (0, 2)
