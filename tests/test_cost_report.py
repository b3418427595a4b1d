"""The report of a price: every table, rows for spreadsheets, figures, and that nothing is simulated for them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from neurosim.cli import main
from neurosim.costs import Cost, HardwareModel, load, names, price, read_counts
from neurosim.costs.cost import COMPONENTS, KINDS, Band
from neurosim.costs.pricing import UNPRICED
from neurosim.costs.table import COLUMNS, as_csv
from neurosim.costs.table import rows as flat
from neurosim.costs.validation import network
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout, OpCounts
from neurosim.studies.cost_figures import FIGURES, draw_costs
from neurosim.studies.cost_report import TOTALS, area_table, energy_tables, show_cost
from tests.test_pricing import classified, layout, srbp

ARRAYS = [name for name in names() if isinstance(load(name), HardwareModel)]


@pytest.fixture(scope="module")
def cost() -> dict[str, Cost]:
    return {name: price(srbp(), classified(), layout(), load(name)) for name in ARRAYS}


def shown(cost: Mapping[str, Cost], width: int = 200) -> str:
    out = io.StringIO()
    show_cost(cost, srbp(), layout(), Console(file=out, width=width))
    return out.getvalue()


def counts_file(folder: Path) -> Path:
    path = folder / "counts.json"
    path.write_text(json.dumps({**srbp().to_dict(), "layout": layout().to_dict(), "test": classified().to_dict()}))
    return path


# ------------------------------------------------------------------------------------------ tables


def test_what_nobody_published_is_a_dash() -> None:
    text = shown({"reckon": price(srbp(), classified(), layout(), load("reckon"))})
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    assert rows["learning time"].split() == ["learning", "time", "-"]
    assert rows["learning samples/s"].split()[-1] == "-"
    assert "time" in rows["without (no price)"]
    assert rows["of it static"].split()[-1] == "-"  # it is in the energy of synaptic operations
    assert ">=" not in rows["learning energy"]  # whatever takes part is contained in its numbers
    text = shown({"loihi_davies": price(srbp(), classified(), layout(), load("loihi_davies"))})
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    for name in ("learning energy", "learning time", "inference power"):
        assert ">=" in rows[name], name
    assert "<=" in rows["learning samples/s"]
    assert rows["learning power"].split()[-1] == "-"  # at least so much energy, in at least so much time
    assert ">=" not in rows["inference time"]
    assert rows["learning / inference"].split()[-1] == "-"


def small() -> tuple[OpCounts, Layout]:
    """A network that fits every chip."""
    forward = {"layer": 0, "phase": "forward", "bits": 8}
    ops = [{**forward, "action": "event", "count": 5}, {**forward, "action": "mac", "by": 8, "count": 50}]
    counted = read_counts({"samples": 1, "ops": ops}, sizes=(10, 10))
    return counted.train, counted.layout


@pytest.mark.parametrize("name", names(kind="chip"))
def test_what_is_not_known_has_no_number(name: str) -> None:
    of_one_network = {"park2019": "park_srbp", "spoon": "spoon_drtp"}
    counts, plan = network(of_one_network[name])[::2] if name in of_one_network else small()
    cost = price(counts, None, plan, load(name))
    data = json.loads(json.dumps(cost.to_dict()))
    assert Cost.from_dict(data) == cost
    for lack, key in (("time", "latency_ns_per_sample"), ("area", "area_um2")):
        assert (lack in cost.unpriced) == (key not in cost.band) == (key not in data)
        assert any(row["what"] == key for row in flat(cost)) == (key in cost.band)
        if key not in cost.band:
            with pytest.raises(NeurosimError, match=f"{key}: is not known of '{name}', where nobody published"):
                getattr(cost, key)
    assert all(band.high > 0 for band in cost.band.values())


def test_the_report_says_all_there_is(cost: dict[str, Cost]) -> None:
    text = shown(cost)
    for name, key, _ in TOTALS:
        assert name in text
        assert all(key in c.band for c in cost.values())
    assert {key for _, key, _ in TOTALS} == set(next(iter(cost.values())).band)
    for heading in (
        "Learning energy by kind", "Learning energy by phase", "Learning energy by layer", "Learning energy by component",
        "Inference energy by layer", "Inference energy by component", "Learning energy of each core",
        "A learning sample in time", "Area by component", "On the mesh", "The learning channel", "Per learning sample",
    ):  # fmt: skip
        assert text.count(heading) == 1, heading
    for word in (*PHASES, *cost, "leakage (static)", "learning / inference", "model, computed", "2 + 1 + 1"):
        assert word in text
    assert all(f"Note: {note}." in text for note in UNPRICED)
    assert "…" in text  # bands


def test_parts_add_up_to_the_total_as_they_are_printed(cost: dict[str, Cost]) -> None:
    chips = {name: price(srbp(), classified(), layout(), load(name)) for name in ("loihi_davies", "cortex_m4")}
    found = 0
    for table in (t for costs in (cost, chips) for t in (*energy_tables(costs, brief=False), area_table(costs))):
        for column in table.columns[1:] if "of each core" not in str(table.title) else ():
            cells = [str(cell) for cell in column.cells if str(cell) != "-"]
            if not cells:  # a chip of which nothing of the kind was published
                continue
            *parts, total = [(Decimal("0" if cell[0] == "<" else cell.split()[0]), *cell.split()[1:]) for cell in cells]
            assert sum(number for number, *_ in parts) == total[0] > 0
            assert {unit for _, unit, _ in (*parts, total)} == {total[1]}
            assert sum(Decimal(share.rstrip("%")) for *_, share in parts) == Decimal(total[2].rstrip("%")) == 100
            found += 1
    assert found > 50


def test_a_narrow_terminal_cuts_nothing(cost: dict[str, Cost]) -> None:
    wide, narrow = shown(cost), shown(cost, width=90)
    digits = [w for w in wide.split() if w[0].isdigit()]
    assert sorted(w for w in narrow.split() if w[0].isdigit()) == sorted(digits)


def test_without_error_codes_there_is_no_channel() -> None:
    only = {name: price(classified(), None, layout(), load(name)) for name in ("digital_28nm",)}
    out = io.StringIO()
    show_cost(only, classified(), layout(), Console(file=out, width=120))
    assert "The learning channel" not in out.getvalue()


# ------------------------------------------------------------------------------------------ rows


def test_rows_hold_every_part_and_total(cost: dict[str, Cost]) -> None:
    found = list(csv.DictReader(io.StringIO(as_csv(cost.values()))))
    assert tuple(found[0]) == COLUMNS
    for name, c in cost.items():
        mine = [r for r in found if r["model"] == name]
        for doing, key in (("learning", "energy_pj_per_sample"), ("inference", "inference_energy_pj_per_sample")):
            parts = [float(r["nominal"]) for r in mine if (r["doing"], r["what"]) == (doing, "energy")]
            (total,) = [float(r["nominal"]) for r in mine if r["what"] == key]
            assert math.fsum(parts) == total == c.band[key].nominal
        assert math.fsum(float(r["high"]) for r in mine if r["what"] == "area") == c.band["area_um2"].high
        ends = [float(r["nominal"]) for r in mine if r["what"] == "start" and r["doing"] == "learning"]
        assert ends == [s.start.nominal for s in c.latency]
        assert {r["component"] for r in mine if r["what"] == "energy"} <= set(COMPONENTS)
    units = {r["what"]: r["unit"] for r in found}
    assert units == {
        "energy": "pJ", "busy": "ns", "start": "ns", "area": "um2", "energy_pj_per_sample": "pJ", "latency_ns_per_sample": "ns",
        "inference_energy_pj_per_sample": "pJ", "inference_latency_ns_per_sample": "ns", "area_um2": "um2",
        "static_power_uw": "uW", "power_uw": "uW", "inference_power_uw": "uW", "samples_per_second": "1/s",
        "inference_samples_per_second": "1/s",
    }  # fmt: skip


def test_kinds_are_all_components(cost: dict[str, Cost]) -> None:
    for c in cost.values():
        assert list(c.energy_by_kind) == list(KINDS)
        idle = sum(c.energy_by_component[k].nominal for k in ("clock", "static"))
        assert c.energy_by_kind["operations"].nominal == pytest.approx(c.energy_pj_per_sample - idle)


# ------------------------------------------------------------------------------------------ area by hand


def test_area_is_memories_and_units(cost: dict[str, Cost]) -> None:
    """digital_45nm: weights and feedback by their bits; of each of 8 lanes a multiplier and an adder as wide as the widest use."""
    c, um2 = cost["digital_45nm"], 3280 / 8192
    by = {(p.layer, p.component): p.nominal for p in c.area}
    for layer, rows, n in ((0, 785, 100), (1, 101, 100), (2, 101, 10)):
        assert by[layer, "weight memory"] == pytest.approx(rows * n * 8 * um2, rel=1e-5)
    assert by[0, "feedback memory"] == pytest.approx(10 * 100 * um2, rel=1e-5)
    assert (2, "feedback memory") not in by
    adder, multiplier, compare, shift = (u / 32 for u in (278, 6350 / 32, 71, 250))
    lane = adder * 20 + multiplier * 80 + compare * 20 + shift * 10  # 8 x 10 bits in the update, sums of 20 bits
    assert by[0, "arithmetic"] == pytest.approx(2 * 8 * lane, rel=1e-3)
    assert c.area_by_component["random"].nominal > 0
    assert math.fsum(b.nominal for b in c.area_by_component.values()) == pytest.approx(c.area_um2, rel=1e-15)


# ------------------------------------------------------------------------------------------ figures


def test_figures_of_any_number_of_models(cost: dict[str, Cost], tmp_path: Path) -> None:
    silent = replace(cost["digital_28nm"], energy=(), latency=(), inference_energy=(), inference_latency=(), area=())
    for i, some in enumerate(({"digital_28nm": cost["digital_28nm"]}, cost, {**cost, "more": silent})):
        folder = tmp_path / str(i)
        folder.mkdir()
        made = draw_costs(some, folder)
        assert [p.stem for p in made] == list(FIGURES)
        assert {p.name for p in folder.iterdir()} == {f"{n}.{kind}" for n in FIGURES for kind in ("png", "svg")}
        assert all(p.stat().st_size > 5000 for p in made)


def test_the_command_writes_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--figure",
        str(tmp_path / "drawn"),
        "--csv",
        str(tmp_path / "rows.csv"),
        "--json",
        str(tmp_path / "cost.json"),
    ]
    command = ["price", "--counts", str(counts_file(tmp_path)), "--hardware", "digital_28nm,digital_45nm", *flags]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "Learning energy by kind" in out
    assert err.startswith("wrote ")
    assert len(list((tmp_path / "drawn").iterdir())) == 2 * len(FIGURES)
    found = json.loads((tmp_path / "cost.json").read_text())
    costs = [Cost.from_dict(c) for c in found["cost"].values()]
    assert [c.model for c in costs] == ["digital_28nm", "digital_45nm"]
    assert (tmp_path / "rows.csv").read_text() == as_csv(costs)
    assert all(isinstance(b, Band) for c in costs for b in c.band.values())


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--csv", "-"], "csv='-': must be a file"),
        (["--csv", "no/where.csv"], "csv='no/where.csv': its folder does not exist"),
        (["--figure", "counts.json"], "figure='counts.json': cannot be written"),
    ],
)
def test_mistakes(
    flags: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    counts_file(tmp_path)
    assert main(["price", "--counts", "counts.json", "--hardware", "digital_28nm", *flags]) == 2
    assert said in capsys.readouterr().err
