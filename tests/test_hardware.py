"""Hardware models: every shipped file, the rules of the format, and what a mistake is answered with."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from neurosim.costs import HardwareModel, explain, load, names, price
from neurosim.costs.activities import activity_table, per_table
from neurosim.costs.cost import Band
from neurosim.costs.describe import chip_schema_table, schema_table, unit_of
from neurosim.costs.hardware import folder, models_table
from neurosim.costs.laws import Forms, Laws, laws_table
from neurosim.costs.scaling import area_factor, equations, scaled, scaling_table, tables
from neurosim.costs.schema import BASES, TAGS
from neurosim.errors import NeurosimError
from neurosim.ops import Held, Layout, Op, OpCounts

ROOT = Path(__file__).parents[1]
BARE = {
    "neurons", "lanes", "pipeline", "axons_in", "axons_out", "width", "height", "input_x", "input_y",
    "mixer_multiplies", "mixer_xors", "lane_multiplies", "lane_adds", "hops",
}  # fmt: skip


def constants(name: str) -> dict[str, tuple[float, float, float]]:
    return {r["constant"]: (r["low"], r["nominal"], r["high"]) for r in explain(load(name))}


def table(name: str) -> dict[str, dict[str, object]]:
    return {str(r["constant"]): r for r in explain(load(name))}


# ------------------------------------------------------------------------------------------ every shipped file


def test_the_shipped_models() -> None:
    arrays = ["digital_22nm", "digital_28nm", "digital_45nm", "digital_7nm"]
    assert names(kind="array") == [*arrays, "example_minimal", "feedback_rram_22nm", "feedback_sram_22nm"]
    assert names(default_only=True) == arrays
    chips = ["cortex_m4", "loihi_davies", "loihi_sanafe", "odin", "park2019", "reckon", "spoon", "truenorth"]
    assert names(kind="chip") == chips


@pytest.mark.parametrize("name", names(kind="array"))
def test_every_constant_has_unit_source_tag_and_basis(name: str) -> None:
    rows = explain(load(name))
    assert len(rows) > 40
    for row in rows:
        assert len(row["source"]) >= 8, row
        key = row["constant"].rsplit(".", 1)[1]
        if row["basis"] == "choice":
            assert row["tag"] == ""
            assert row["unit"] or key in BARE or isinstance(row["nominal"], str), row
            continue
        assert row["unit"] == unit_of(key) != "", row
        assert row["tag"] in TAGS
        assert row["basis"] in BASES
        assert row["low"] == row["nominal"] or row["low_source"], row
        assert row["high"] == row["nominal"] or row["high_source"], row
        assert all(math.isfinite(row[end]) for end in ("low", "nominal", "high"))
        if "sram.read" not in row["constant"] and "sram.write" not in row["constant"]:
            assert 0 <= row["low"] <= row["nominal"] <= row["high"], row


@pytest.mark.parametrize("name", names(kind="array"))
def test_nothing_unverified_is_used(name: str) -> None:
    if load(name).spec.priced_by_default:
        assert "memory-unverified" not in (folder() / f"{name}.toml").read_text()


def test_45nm_is_what_the_sources_say() -> None:
    c = constants("digital_45nm")
    expected = {
        "energy.add[8 bits].energy_pj": (0.00967 / 2, 0.03, 0.21 / 4),
        "energy.add[16 bits].energy_pj": (0.00967, 0.05, 0.21 / 2),
        "energy.add[32 bits].energy_pj": (0.00967 * 2, 0.1, 0.21),
        "energy.multiply[8x8 bits].energy_pj": (0.239 / 4, 0.2, 12.7 / 16),
        "energy.multiply[32x32 bits].energy_pj": (0.239 * 4, 3.1, 12.7),
        "energy.shift[32 bits].energy_pj": (0.0121, math.sqrt(0.0121 * 0.417), 0.417),
        "energy.compare[32 bits].energy_pj": (0.00618, math.sqrt(0.00618 * 0.02947), 0.02947),
        "energy.logic[32 bits].energy_pj": (0.001588, math.sqrt(0.001588 * 0.0181), 0.0181),
        "register.energy_pj_per_bit": (0.0301 / 16, math.sqrt(0.0301 / 16 * 0.009), 0.009),
        "unit.add[32 bits].area_um2": (278, 278, 278),
        "unit.multiply[32x32 bits].area_um2": (6350, 6350, 6350),
        "unit.multiply[32x32 bits].leakage_uw": (77.9, 77.9, 77.9),
        "unit.shift[32 bits].area_um2": (250, 250, 250),
        "unit.compare[32 bits].area_um2": (71, 71, 71),
        "unit.logic[32 bits].area_um2": (50.4, 50.4, 50.4),
        "unit.register[1 bits].area_um2": (5.98, 5.98, 5.98),
        "sram.read.slope_pj_per_sqrt_kb": (1.111, 1.848, 3.1519),
        "sram.write.slope_pj_per_sqrt_kb": (1.002, 1.936, 3.1519),
        "sram.read.offset_pj": (-0.582, -0.884, 1.2849),
        "sram.write.offset_pj": (1.0, 2.307, 1.2849),
        "sram.leakage.power_uw_per_kb": (10, 10, 79.6),
        "sram.area.area_um2_per_bit": (3280 / 8192,) * 3,
        "fabric.east_west.energy.energy_pj_per_bit": (3.19 / 32, 4.375 / 32, 0.596),
        "fabric.north_south.energy.energy_pj_per_bit": (3.19 / 32, 4.375 / 32, 0.596),
        "fabric.tile.energy.energy_pj_per_bit": (1.627 / 32, 1.7 / 32, 4.375 / 32),
        "fabric.east_west.latency.latency_ns": (1.0, 4.1, 6.5),
        "fabric.north_south.latency.latency_ns": (1.0, 6.5, 6.5),
        "fabric.tile.latency.latency_ns": (1.0, 2.1, 2.1),
        "fabric.link.time_ns_per_flit": (1 / 3.44, 1.0, 6.5),
        "static.power_uw_per_core": (0, 64430 / 4096, 27.3),
    }
    for key, value in expected.items():
        assert c[key] == pytest.approx(value, rel=1e-4), key


@pytest.mark.parametrize(
    ("constant", "tag", "basis"),
    [
        ("energy.add[32 bits].energy_pj", "verified-secondary", "model"),
        ("unit.add[32 bits].area_um2", "verified-secondary", "synthesis"),
        ("sram.read.slope_pj_per_sqrt_kb", "computed", "model"),
        ("fabric.east_west.latency.latency_ns", "verified-secondary", "pre-silicon"),
    ],
)
def test_tags_and_bases_are_those_of_the_sources(constant: str, tag: str, basis: str) -> None:
    row = table("digital_45nm")[constant]
    assert (row["tag"], row["basis"]) == (tag, basis)


def test_the_fit_to_horowitz_is_a_fit() -> None:
    _, _, a = constants("digital_45nm")["sram.read.offset_pj"]
    _, _, b = constants("digital_45nm")["sram.read.slope_pj_per_sqrt_kb"]
    for kb, pj in ((8, 10), (32, 20), (1024, 100)):
        assert a + b * math.sqrt(kb) == pytest.approx(pj, rel=0.045)


HP = {
    45: (1.018, -0.3107, 0.1539),
    32: (0.8367, -0.4341, 0.1701),
    20: (0.373, -0.1582, 0.04104),
    7: (0.1776, -0.09097, 0.02447),
}
NODES = {28: 0.9, 22: 0.8, 7: 0.7}


def divisors(node: int) -> dict[str, float]:
    """The scaling from 45 nm, worked out from Stillmaker & Baas (HP) and Horowitz to Jouppi."""

    def factor(at: int, volts: float) -> float:
        a, b, c = HP[at]
        return a * volts**2 + b * volts + c

    volts = NODES[node]
    share = math.log(32 / node) / math.log(32 / 20)
    there = factor(7, volts) if node == 7 else factor(32, volts) ** (1 - share) * factor(20, volts) ** share
    exponent = math.log(45 / node) / math.log(45 / 7)
    ratios = {"add": 3.33, "multiply": 2.86, "sram": 2.35, "rest": 2.37}
    return {"low": factor(45, 0.9) / there, **{k: r**exponent for k, r in ratios.items()}}


@pytest.mark.parametrize(("node", "kept"), [(28, 13), (22, 9), (7, 13)])
def test_scaled_nodes_are_the_bands_they_say_they_are(node: int, kept: int) -> None:
    small, large, by = constants(f"digital_{node}nm"), constants("digital_45nm"), divisors(node)
    seen = 0
    for key, (low, nominal, high) in large.items():
        own_sram = key.startswith("sram.") and node == 22  # CACTI's own
        if not key.startswith(("energy.", "register.", "sram.read.", "sram.write.")) or own_sram:
            continue
        kind = key.split(".")[1].split("[")[0]
        kind = "sram" if key.startswith("sram") else kind if kind in by else "rest"
        divided = [low / by["low"], nominal / math.sqrt(by["low"] * by[kind]), high / by[kind]]
        if node == 7 and key.startswith("sram.read."):  # Jouppi's own
            divided[2] = small[key][2]
        assert small[key] == pytest.approx(divided, rel=2e-4), key
        assert scaled(Band(low, nominal, high), kind, node, NODES[node])[:2] == pytest.approx(divided[:2], rel=1e-9)
        seen += 1
    assert seen == kept


def test_7nm_holds_what_jouppi_prints() -> None:
    c = constants("digital_7nm")
    for kb, pj in ((8, 7.5), (32, 8.5), (1024, 14)):
        read = c["sram.read.offset_pj"][2] + c["sram.read.slope_pj_per_sqrt_kb"][2] * math.sqrt(kb)
        assert read == pytest.approx(pj, rel=0.03)
    for key, pj in (("add[8", 0.007), ("add[32", 0.03), ("multiply[8x8", 0.07)):
        low, _, high = c[f"energy.{key} bits].energy_pj"]
        assert low < pj < high, key


def test_22nm_sram_is_cactis_and_horowitzs() -> None:
    c, by = constants("digital_22nm"), divisors(22)
    assert c["sram.read.slope_pj_per_sqrt_kb"] == pytest.approx((0.427, 0.590, 3.1519 / by["sram"]), rel=2e-4)
    assert c["sram.write.slope_pj_per_sqrt_kb"] == pytest.approx((0.304, 0.476, 3.1519 / by["sram"]), rel=2e-4)
    assert c["sram.area.area_um2_per_bit"] == pytest.approx((160 * 0.022**2, 810 / 8192, 0.17), rel=1e-3)


def test_scaling_covers_its_columns_and_no_more() -> None:
    assert equations(45, 0.9) == tables("add", 45) == area_factor(45) == 1
    assert equations(7, 0.7) == pytest.approx(14.6, rel=0.01)
    assert tables("add", 7) == pytest.approx(3.33)
    for node in (5, 65):
        with pytest.raises(NeurosimError, match=rf"node_nm={node}: scaling covers 7\.\.45 nm"):
            equations(node, 0.9)


def test_cells_are_priced_by_the_bit() -> None:
    """NVSim's RRAM and SRAM of 1 MB at 22 nm, 64 bits a word."""
    read = Op(0, "feedback", "read", 1, memory="feedback")
    plan = Layout((10,), (10,), (Held(0, "feedback", 8192, 1),), 4, (8,), ((),))
    for name, word, mm2 in (("feedback_rram_22nm", 4.028, 0.2467), ("feedback_sram_22nm", 1.031, 0.6543)):
        model = load(name)
        cost = price(OpCounts(1, 0, {read: 640}), None, plan, model)
        assert cost.energy_by_component["feedback memory"].nominal == pytest.approx(10 * word, rel=1e-3)
        assert cost.area_by_component["feedback memory"].nominal == pytest.approx(mm2 * 1e6 / 1024, rel=1e-3)
        assert cost.latency_ns_per_sample == pytest.approx((10 + model.spec.core.pipeline) * 5)


def test_28nm_areas_scale_as_they_say() -> None:
    small, large = constants("digital_28nm"), constants("digital_45nm")
    a28 = 0.46 * (0.21 / 0.46) ** (math.log(32 / 28) / math.log(32 / 20))
    low = a28 / 0.46 ** (math.log(45 / 40) / math.log(45 / 32))
    high = low * (0.17 / (3280 / 8192)) / a28
    for key in (k for k in large if k.startswith("unit.") and k.endswith("area_um2")):
        area = large[key][1]
        assert small[key] == pytest.approx((area * low, area * math.sqrt(low * high), area * high), rel=3e-4), key


def test_28nm_holds_silicon_and_cacti_in_its_band() -> None:
    c = constants("digital_28nm")

    def read(kb: float) -> list[float]:
        pairs = zip(c["sram.read.offset_pj"], c["sram.read.slope_pj_per_sqrt_kb"], strict=True)
        return [a + b * math.sqrt(kb) for a, b in pairs]

    truenorth = 64 * 0.047  # pJ a 64-bit word at 0.775 V, from a crossbar of 256 x 256 bits
    assert read(8)[0] < truenorth < read(8)[2]
    assert read(8)[0] < truenorth * (0.9 / 0.775) ** 2 < read(8)[2]
    hp = 1.848 * (0.590 / 1.848) ** (math.log(45 / 28) / math.log(45 / 22))  # CACTI HP, 45 and 22 nm
    assert read(64)[0] < -0.6 + hp * 8 < read(64)[2]
    assert c["sram.area.area_um2_per_bit"][:2] == (0.152, 0.17)
    assert c["clock.energy_pj_per_cycle"][:2] == pytest.approx((1.78, 1.78 * (0.9 / 0.55) ** 2), rel=1e-4)
    assert c["sram.leakage.power_uw_per_kb"][0] == pytest.approx(27.3 / 36, rel=1e-4)


def test_28nm_is_nowhere_dearer_than_45nm() -> None:
    small, large = constants("digital_28nm"), constants("digital_45nm")
    for key, band in large.items():
        if key.startswith(
            ("energy.", "register.", "clock.", "fabric.east_west.", "fabric.tile.", "sram.area", "unit.")
        ):
            assert all(a <= b for a, b in zip(small[key], band, strict=True)), key


# ------------------------------------------------------------------------------------------ composing and finding


def variant(tmp_path: Path, body: str, name: str = "mine") -> Path:
    head = f'schema = 1\nname = "{name}"\nsummary = "a model for this test"\n'
    path = tmp_path / f"{name}.toml"
    path.write_text(head + body)
    return path


def test_inheriting_replaces_constants_whole_and_choices_by_key(tmp_path: Path) -> None:
    body = """inherits = "digital_45nm"
[core]
lanes = 2
reason = "two are enough here"
[sram.leakage]
power_uw_per_kb = 1.5
source = "a measurement of our own"
tag = "verified-primary"
basis = "silicon"
"""
    mine, base = load(variant(tmp_path, body)), load("digital_45nm")
    assert (mine.spec.core.lanes, mine.spec.core.neurons) == (2, base.spec.core.neurons)
    assert mine.spec.sram.leakage.high is None
    assert mine.spec.sram.read == base.spec.sram.read
    assert constants("digital_45nm")["core.lanes"][1] == 8


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = variant(tmp_path, 'inherits = "digital_45nm"\n[core]\nlanes = 2\nreason = "first thoughts"\n')
    assert load(path) is load(path)
    assert load("digital_45nm") is load("digital_45nm")
    first = load(path)
    variant(tmp_path, 'inherits = "digital_45nm"\n[core]\nlanes = 16\nreason = "second thoughts"\n')
    assert first.spec.core.lanes == 2
    assert load(str(path)).spec.core.lanes == 16
    assert load(str(path)).digest != first.digest


def test_a_parent_is_found_beside_the_file_that_inherits(tmp_path: Path) -> None:
    variant(tmp_path, 'inherits = "digital_28nm"\n', "mother")
    for parent in ("mother", "mother.toml"):
        assert load(variant(tmp_path, f'inherits = "{parent}"\n', "child")).spec.technology.node_nm == 28


# ------------------------------------------------------------------------------------------ mistakes

SURE = "source = 'a book we read'\nbasis = 'model'\n"
HIGHER = "[energy.shift.high]\nenergy_pj = 3.0\nSRC[[energy.shift]]\nbits = 32"
SHIFTS = "[[energy.shift]]\nbits = {}\nenergy_pj = {}\nSRC[[energy.shift]]\nbits = {}\nenergy_pj = {}\nSRC"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("[core]\nlane = 2\nreason = 'a slip of the pen'\n", "core.lane: is not a known key; allowed are reason"),
        ("[core]\nlanes = 2\n", "core: reason is missing"),
        ("[core]\nlanes = 0\nreason = 'none are needed'\n", "core.lanes=0: expected `int` >= 1"),
        ("[core]\nlanes = 2.5\nreason = 'half of five'\n", "core.lanes=2.5: expected `int`"),
        ("[core]\nclock_mhz = nan\nreason = 'nobody knows'\n", "core.clock_mhz=nan"),
        ("[core]\nclock_mhz = inf\nreason = 'as fast as can be'\n", "core.clock_mhz=inf"),
        ("[core]\ncolumn_read = 'both'\nreason = 'why not both'\n", "core.column_read='both': must be one of `packed`"),
        ("[clock]\nenergy_pj_per_cycle = 1.0\n", "clock.source: is missing"),
        ("[clock]\nenergy_pj_per_cycle = -1.0\nSRC", "clock.energy_pj_per_cycle=-1.0: expected `float` >= 0.0"),
        ("[clock]\nenergy_pj_per_cycle = nan\nSRC", "clock.energy_pj_per_cycle=nan"),
        ("[clock]\nenergy_uj_per_cycle = 1.0\nSRC", "clock.energy_uj_per_cycle: is not a known key"),
        ("[clock]\nenergy_pj_per_cycle = 1.0\nsource = 'x'\ntag = 'computed'\nbasis = 'model'\n", "clock.source='x'"),
        ("[clock]\nenergy_pj_per_cycle = 1.0\ntag = 'sure'\n" + SURE, "clock.tag='sure': must be one of `veri"),
        ("[clock]\nenergy_pj_per_cycle = 1.0\nSRC[clock.low]\nenergy_pj_per_cycle = 2.0\nSRC", "between its low=2.0"),
        ("[sram.read]\noffset_pj = -9.0\nslope_pj_per_sqrt_kb = 1.0\nSRC", "sram.read at 2.0 KB: needs 0 < low"),
        ("[sram.read]\noffset_pj = inf\nslope_pj_per_sqrt_kb = 1.0\nSRC", "sram.read.offset_pj=inf: must be finite"),
        (SHIFTS.format(32, 2.0, 16, 3.0), "widths must rise"),
        (SHIFTS.format(16, 2.0, 32, 1.0), "energy.shift.energy_pj=1.0: a wider operation must not be cheaper, 2.0"),
        (
            SHIFTS.format(16, 1.0, 32, 2.0).replace("[[energy.shift]]\nbits = 32", HIGHER),
            "energy.shift.energy_pj=2.0 (high): a wider operation must not be cheaper, 3.0",
        ),
        ("[memory.gradient]\nkind = 'drum'\nreason = 'a heavy one'\n", "memory.gradient.kind='drum': must be one of `sram`, `reg"),
        ("[clock]\nenergy_pj_per_cycle = 2e-12\nSRC", "clock.energy_pj_per_cycle=2e-12: must be from 1e-09 to 1e+30; is it in joules?"),
        ("[fabric.link]\ntime_ns_per_flit = 1e-9\nSRC", "fabric.link.time_ns_per_flit=1e-09: must be from 1e-06"),
        ("[core]\nclock_mhz = 2e8\nreason = 'as fast as can be'\n", "core.clock_mhz=200000000.0: must be from"),
        ("[technology]\nnode_nm = 45.0\nsupply_v = 900.0\nreason = 'a slip of the unit'\n", "technology.supply_v=900.0: must be from 0.01 to 100"),
        ("[core]\nlanes = 99999999999999999999\nreason = 'all at once'\n", "core.lanes=99999999999999999999: must be at most"),
        ("[memories]\n", "memories: is not a known key"),
        ("[network]\nhops = 2.0\n", "network: is not a known key"),
        ("[fabric]\nwidth = 0\nreason = 'no room at all'\n", "fabric.width=0: expected `int` >= 1"),
        ("[fabric]\ninput_x = 64\nreason = 'off the mesh'\n", "fabric.input_x=64: must be on the mesh, 0..63"),
        ("[fabric]\ncast = 'broadcast'\nreason = 'to everybody'\n", "fabric.cast='broadcast': must be one of `unicast`"),
        ("[fabric]\nhop_mm = 1.0\nreason = 'long wires'\n", "fabric.hop_mm=1.0: must be above 0 with fabric.wire"),
        ("[fabric.wire]\nenergy_pj_per_bit_mm = 0.1\nSRC", "fabric.hop_mm=0.0: must be above 0 with fabric.wire"),
        ("[fabric.east_west.energy]\nenergy_pj_per_bit = -1.0\nSRC", "fabric.east_west.energy.energy_pj_per_bit=-1.0"),
        ("[fabric.link]\ntime_us_per_flit = 1.0\nSRC", "fabric.link.time_us_per_flit: is not a known key"),
        ("schema = 2\n", "not valid TOML"),
        ("[core\n", "not valid TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_field_value_and_file(tmp_path: Path, body: str, says: str) -> None:
    body = body.replace("SRC", "source = 'a book we read'\ntag = 'computed'\nbasis = 'model'\n")
    path = variant(tmp_path, 'inherits = "digital_45nm"\n' + body)
    with pytest.raises(NeurosimError, match=re.escape(says)) as error:
        load(path)
    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value).strip()


def test_a_model_of_its_own_must_hold_everything(tmp_path: Path) -> None:
    with pytest.raises(NeurosimError, match=r"technology: is missing .*mine\.toml"):
        load(variant(tmp_path, ""))


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('schema = 2\nname = "mine"\nsummary = "from the future"\ninherits = "digital_45nm"\n')
    with pytest.raises(NeurosimError, match=r"schema=2: .*1"):
        load(path)


def test_the_name_is_the_file_name(tmp_path: Path) -> None:
    path = variant(tmp_path, 'inherits = "digital_45nm"\n')
    with pytest.raises(NeurosimError, match="name='mine': must be the file's name, 'yours'"):
        load(path.rename(tmp_path / "yours.toml"))


@pytest.mark.parametrize("parent", ["mine", "mine.toml"])
def test_a_model_cannot_inherit_from_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NeurosimError, match=r"inherits='mine': a model must not inherit from itself \(mine -> mine\)"):
        load(variant(tmp_path, f'inherits = "{parent}"\n'))


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    variant(tmp_path, 'inherits = "b"\n', "a")
    with pytest.raises(NeurosimError, match="b -> a -> b"):
        load(variant(tmp_path, 'inherits = "a"\n', "b"))


@pytest.mark.parametrize("value", ['"nobody"', '"nobody.toml"', "3"])
def test_a_parent_that_is_not_there(tmp_path: Path, value: str) -> None:
    with pytest.raises(NeurosimError, match=r"inherits=.*mine\.toml"):
        load(variant(tmp_path, f"inherits = {value}\n"))


def test_an_heir_states_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('schema = 1\ninherits = "digital_45nm"\n')
    with pytest.raises(NeurosimError, match=r"name: is missing.*mine\.toml"):
        load(path)


@pytest.mark.parametrize("name", ["digital_3nm", "", "../digital_45nm", "nobody.toml"])
def test_a_missing_model_says_what_there_is(name: str) -> None:
    with pytest.raises(NeurosimError, match="digital_28nm, digital_45nm, digital_7nm, example_minimal"):
        load(name)


# ------------------------------------------------------------------------------------------ laws


def test_packed_columns_cost_what_rows_cost(tmp_path: Path) -> None:
    core = '[core]\ncolumn_read = "packed"\nreason = "a memory that is read both ways"\n'
    laws = Laws(load(variant(tmp_path, 'inherits = "digital_28nm"\n' + core)))
    row, column = (laws.price("read", 8, 0, m, 0) for m in ("weight", "weight_column"))
    assert row == column


def test_a_point_between_the_sources_is_computed() -> None:
    laws = Laws(load("digital_45nm"))
    energy, tag, basis = laws.energies(Forms([laws.price("add", w, 0, "", 0) for w in (32, 20, 64)]))
    assert TAGS[tag[1]] == TAGS[tag[2]] == "computed"
    assert BASES[basis[0]] == "model"
    assert energy[:, 1] == pytest.approx([0.1, 0.05 + 4 / 16 * 0.05, 0.1 + 2 * 0.05])


@pytest.mark.parametrize("name", names(kind="array"))
@pytest.mark.parametrize(
    ("action", "bits", "by", "says"),
    [
        ("add", 65, 0, "action='add' with bits=65"),
        ("mac", 8, 65, "action='mac' with bits=8, by=65"),
        ("mac", 8, 0, "widths of at least 1 bit"),
        ("shift", 0, 0, "widths of at least 1 bit"),
        ("read", 0, 0, "widths of at least 1 bit"),
        ("teleport", 8, 0, "action='teleport'"),
    ],
)
def test_what_a_law_does_not_cover(name: str, action: str, bits: int, by: int, says: str) -> None:
    with pytest.raises(NeurosimError, match=rf"{says}.*{name}\.toml"):
        Laws(load(name)).price(action, bits, by, "weight" if action == "read" else "", 0)


def lacking(without: str) -> HardwareModel:
    """The 45 nm model without one arithmetic unit, unit size or memory."""
    base = load("digital_45nm")
    section, name = without.split(".")
    poorer = msgspec.structs.replace(getattr(base.spec, section), **{name: [] if section == "energy" else None})
    return HardwareModel("poor", "poor.toml", msgspec.structs.replace(base.spec, **{section: poorer}))


@pytest.mark.parametrize(
    ("without", "op"),
    [
        ("energy.shift", Op(0, "update", "shift", 8)),
        ("energy.multiply", Op(0, "update", "update_pair", 8, 8)),
        ("energy.logic", Op(0, "update", "random_word", 64)),
        ("unit.add", Op(0, "update", "add", 8)),
        ("memory.gradient", Op(0, "update", "write", 24, 0, "gradient")),
        ("memory.weight", Op(0, "feedback", "read", 8, 0, "weight_column")),
        ("memory.table", Op(0, "forward", "lut", 8)),
    ],
)
def test_what_the_model_lacks_is_an_error_never_a_zero(without: str, op: Op) -> None:
    bare = Layout((10,), (10,), (), 4, (8,), ((),))
    with pytest.raises(NeurosimError, match=rf"'poor' has no {without} \(poor\.toml\)"):
        price(OpCounts(1, 0, {op: 1}), None, bare, lacking(without))


# ------------------------------------------------------------------------------------------ documents


TABLES = {"schema": schema_table, "chip": chip_schema_table, "laws": laws_table, "per": per_table,
          "activities": activity_table, "models": models_table, "scaling": scaling_table}  # fmt: skip


@pytest.mark.parametrize("mark", TABLES)
def test_the_docs_hold_the_generated_tables(mark: str) -> None:
    text = (ROOT / "docs" / "hardware_models.md").read_text()
    held = re.search(rf"<!-- {mark}:begin [^>]*-->\n(.*?)<!-- {mark}:end -->", text, re.DOTALL)
    assert held is not None
    assert held[1] == TABLES[mark]()


def test_pricing_imports_nothing_heavy() -> None:
    heavy = "numba", "scipy", "matplotlib", "neurosim.chip", "neurosim.kernels"
    code = f"import sys, neurosim.costs; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
