"""Counts from elsewhere: every door gives the same price, what is reckoned follows its rules, and mistakes are named."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.cli import main
from neurosim.costs import load, price, read_counts
from neurosim.costs.counted import COLUMNS, TABLE_WORDS, columns_table
from neurosim.costs.pricing import SPILL, UNPRICED
from neurosim.errors import NeurosimError
from neurosim.ops import MEMORIES, Held, Layout, Op, OpCounts
from tests.test_pricing import classified, layout, srbp

ROOT = Path(__file__).parents[1]
SIZES = (784, 100, 100, 10)
GOOD = "# samples = 10\nlayer,phase,action,bits,by,memory,count\n0,forward,mac,8,8,,5\n1,forward,read,8,,weight,7\n"


def as_csv(counts: OpCounts) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, list(COLUMNS))
    table.writeheader()
    table.writerows(counts.rows())
    return f"# samples = {counts.samples}\n# ticks = {counts.ticks}\n{out.getvalue()}"


def file(folder: Path, text: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


# ------------------------------------------------------------------------------------------ doors


def test_every_door_gives_the_same_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts, plan = srbp(), layout()
    expected = price(counts, classified(), plan, load("digital_28nm"))
    data = {**counts.to_dict(), "layout": plan.to_dict(), "test": classified().to_dict()}
    path = file(tmp_path, json.dumps(data), "mine.json")
    doors = [read_counts(data), read_counts(path), read_counts(str(path))]
    assert main(["price", "--counts", str(path), "--hardware", "digital_28nm", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"counts", "cost"}
    for cost in [
        *(d.price("digital_28nm")["digital_28nm"] for d in doors),
        ns.Cost.from_dict(found["cost"]["digital_28nm"]),
    ]:
        assert (cost.energy, cost.latency, cost.area) == (expected.energy, expected.latency, expected.area)
        assert cost.inference_energy == expected.inference_energy


def test_a_table_and_its_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, as_csv(srbp()))
    plan = file(tmp_path, json.dumps(layout().to_dict()), "layout.json")
    expected = price(srbp(), None, layout(), load("digital_45nm"))
    for given_ in (layout(), layout().to_dict(), plan, str(plan)):
        counted = read_counts(path, layout=given_)
        assert counted.train.ops == srbp().ops
        assert counted.price("digital_45nm")["digital_45nm"].energy == expected.energy
    assert main(["price", "--counts", str(path), "--layout", str(plan), "--hardware", "digital_45nm"]) == 0
    text = capsys.readouterr().out
    assert "Note: uniform traffic assumed" in text
    assert "reckoned" not in text


def test_counts_of_a_network_of_ours_pass(tmp_path: Path) -> None:
    net = ns.Network(12, [ns.Dense(9), ns.Dense(3, "softmax")], ns.RULES["arbp"].replace(error=ns.Quantiser(4)), seed=1)
    codes = np.random.default_rng(1).integers(0, 128, (8, 12)).astype(np.uint8)
    net.train(codes, np.arange(8) % 3, rate=6, batch_size=4)
    data = {**net.counts().to_dict(), "layout": net.layout().to_dict()}
    counted = read_counts(file(tmp_path, json.dumps(data), "mine.json"))
    assert counted.notes == ()
    assert counted.train.ops == net.counts().ops
    expected = price(net.counts(), None, net.layout(), load("digital_28nm"))
    assert counted.price("digital_28nm")["digital_28nm"] == expected


def test_flags_win_and_rows_add_up(tmp_path: Path) -> None:
    path = file(tmp_path, GOOD + "0,forward,mac,8,8,,5\n# a remark, and nothing else\n\n")
    counted = read_counts(path, samples=4, ticks=40, sizes=(3, 2, 2))
    assert (counted.train.samples, counted.train.ticks) == (4, 40)
    assert counted.train.total("mac") == 10


def test_sizes_may_stand_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare, sized = file(tmp_path, GOOD), file(tmp_path, "# sizes = 3, 2, 2\n" + GOOD, "sized.csv")
    wanted = read_counts(bare, sizes=(3, 2, 2))
    assert (
        read_counts(sized)
        == wanted
        == read_counts({"sizes": [3, 2, 2], "samples": 10, "ops": list(wanted.train.rows())})
    )
    assert read_counts(sized, sizes=(4, 2, 2)) == read_counts(bare, sizes=(4, 2, 2))
    assert read_counts(sized, layout=wanted.layout).layout == wanted.layout
    assert main(["price", "--counts", str(sized), "--hardware", "digital_45nm", "--json", "-"]) == 0
    assert list(json.loads(capsys.readouterr().out)["cost"]) == ["digital_45nm"]


def test_models_are_told_apart(tmp_path: Path) -> None:
    counted = read_counts(file(tmp_path, GOOD), sizes=(3, 2, 2))
    assert list(counted.price("digital_45nm", "digital_45nm")) == ["digital_45nm"]
    head = 'schema = 1\nname = "mine"\nsummary = "one of two models"\ninherits = '
    for parent in ("digital_45nm", "digital_28nm"):
        (tmp_path / parent).mkdir()
        file(tmp_path / parent, f'{head}"{parent}"\n', "mine.toml")
    one, other = (str(tmp_path / parent / "mine.toml") for parent in ("digital_45nm", "digital_28nm"))
    with pytest.raises(NeurosimError, match=rf"hardware={re.escape(repr(other))}: another model is named 'mine'"):
        counted.price(one, other)


def test_the_documents_example(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "counts.md").read_text()
    block = re.search(r"```csv\n(.*?)```", text, re.DOTALL)
    assert block is not None
    cost = read_counts(file(tmp_path, block[1]), sizes=(784, 100, 10)).price("digital_45nm")["digital_45nm"]
    assert (
        cost.energy_by_component["arithmetic"].nominal
        == pytest.approx(16_000 * 0.25 + 500 * 0.04)
        == pytest.approx(4020)
    )
    assert "4,020 pJ" in text
    assert cost.cores == (2, 1)
    begin, end = "(neurosim.costs.counted.columns_table) -->\n", "<!-- columns:end -->"
    assert text[text.index(begin) + len(begin) : text.index(end)] == columns_table()


# ------------------------------------------------------------------------------------------ layouts


def test_a_reckoned_layout_is_the_one_by_hand() -> None:
    counted = read_counts({"samples": 100, "ops": list(srbp().rows())}, sizes=SIZES)
    assert counted.layout.neurons == SIZES[1:]
    assert counted.layout.receivers == ((), (), (0, 1))
    assert (counted.layout.code_bits, counted.layout.event_bits) == (4, (8, 8, 8))
    held = set(counted.layout.held)
    assert {Held(0, "weight", 78_400, 8), Held(1, "feedback", 1000, 1), Held(2, "accumulator", 10, 20)} <= held
    assert {Held(0, "table", TABLE_WORDS, 8), Held(1, "activation", 100, 8)} <= held
    assert not any(h.memory in ("gradient", "state") or (h.layer, h.memory) == (2, "feedback") for h in held)
    assert counted.notes[0] == "layout reckoned from the counts and the sizes 784-100-100-10"
    assert counted.price("digital_45nm")["digital_45nm"].notes == (*counted.notes, *UNPRICED, SPILL)


def test_codes_of_several_layers_go_down_one_by_one() -> None:
    codes = [{"layer": h, "phase": "error", "action": "error_code", "bits": 4, "count": 1} for h in (1, 2)]
    crossbar = [{"layer": 0, "phase": "feedback", "action": "read", "memory": "feedback", "bits": 2, "count": 1}]
    found = read_counts({"samples": 1, "ops": codes + crossbar}, sizes=(5, 7, 6, 3)).layout
    assert found.receivers == ((), (0,), (1,))
    assert found.held == (Held(0, "feedback", 6 * 7, 2),)
    alone = read_counts({"samples": 1, "ops": codes[1:]}, sizes=(5, 7, 6, 3)).layout
    assert alone.receivers == ((), (), (0, 1))


@settings(deadline=None)
@given(memory=st.sampled_from(sorted(MEMORIES)), bits=st.integers(1, 32))
def test_every_memory_can_be_reckoned(memory: str, bits: int) -> None:
    row = {"layer": 0, "phase": "forward", "action": "read", "memory": memory, "bits": bits, "count": 3}
    counted = read_counts({"samples": 1, "ops": [row]}, sizes=(4, 5))
    (held,) = counted.layout.held
    assert held.memory == ("weight" if memory == "weight_column" else memory)
    assert held.bits == bits
    assert counted.price("digital_45nm")["digital_45nm"].energy_pj_per_sample > 0


# ------------------------------------------------------------------------------------------ mistakes


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


TABLES = {
    "action": (changed("mac,8", "maac,8"), r"action='maac': must be one of event, .* \(FILE, line 3\)"),
    "phase": (changed("0,forward", "0,forwards"), r"phase='forwards': must be one of forward, error"),
    "memory": (changed("weight", "wieght"), r"memory='wieght': action='read' names one of weight.* \(FILE, line 4\)"),
    "memory of a product": (changed("8,8,,5", "8,8,weight,5"), r"memory='weight': must be empty with action='mac'"),
    "no other width": (changed("8,8,,5", "8,,,5"), r"by='': must be at least 1 with action='mac', a product"),
    "width 0": (changed("read,8", "read,0"), r"bits='0': must be at least 1 with action='read'"),
    "half an operation": (changed(",,5", ",,5.5"), r"count='5\.5': must be a whole number, at least 0 \(FILE, line 3\)"),
    "negative": (changed(",,5", ",,-5"), r"count='-5': must be a whole number"),
    "text": (changed("0,forward", "in,forward"), r"layer='in': must be a whole number"),
    "cell too many": (changed(",,5", ",,5,6"), r"8 cells: must be 7, as many as columns \(FILE, line 3\)"),
    "unknown column": (changed("bits,by", "width,by"), r"column 'width': must be one of layer, .* \(FILE, line 2\)"),
    "column twice": (changed("bits,by", "bits,bits"), r"column 'bits': must be one of .*, each once"),
    "no column": (changed(",count\n", "\n"), r"column 'count': is missing \(FILE, line 2\)"),
    "comment": (changed("samples =", "smaples ="), r"smaples='10': a comment may set samples, ticks, steps, sizes \(FILE, line 1\)"),
    "no samples": (changed("# samples = 10\n", ""), r"samples: is missing; .* \(FILE\)"),
    "0 samples": (changed("= 10", "= 0"), r"samples=0: must be at least 1, costs are given a sample \(FILE\)"),
    "comment twice": (changed("# samples = 10", "# samples = 10\n# samples = 20"), r"samples=20: stands here twice, 10 came before \(FILE, line 2\)"),
    "too many": (changed(",,5", f",,{2**63}"), r"count='9223372036854775808': must be at most 9223372036854775807"),
    "empty": ("", r"there is no header: the first line names the columns layer, .* \(FILE\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_mistakes_in_a_table(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, said = TABLES[name]
    path = file(tmp_path, text)
    assert main(["price", "--counts", str(path), "--sizes", "3,2,2", "--hardware", "digital_45nm"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert re.search(said.replace("FILE", re.escape(str(path))), err), err


ROW = {"layer": 0, "phase": "forward", "action": "add", "bits": 8, "count": 2}
DICTS = {
    "key": ({"samples": 1, "ops": [{**ROW, "width": 8}]}, r"ops\[0\]\.width: is not a known key; allowed are layer"),
    "missing": ({"samples": 1, "ops": [ROW, {"layer": 0}]}, r"ops\[1\]\.phase: is missing"),
    "truth": ({"samples": 1, "ops": [{**ROW, "count": True}]}, r"ops\[0\]\.count=True: must be a whole number"),
    "no product": ({"samples": 1, "ops": [{**ROW, "by": 8}]}, r"ops\[0\]\.by=8: must be 0 or empty with action='add'"),
    "unknown": ({"samples": 1, "ops": [ROW], "tiks": 3}, r"tiks: is not a known key; allowed are schema, samples, ticks"),
    "unknown in test": ({"samples": 1, "ops": [ROW], "test": {"layout": {}}}, r"test\.layout: is not a known key"),
    "by unit": (
        {"samples": 1, "ops": [{**ROW, "action": "event", "count": 6}], "events": [[3, 4]]},
        r"events\[0\]: comes to 7, and action='event' of layer 0 to 6: must be equal",
    ),
    "list": ({"samples": 1, "ops": "many"}, r"ops='many': must be a list of rows"),
    "row": ({"samples": 1, "ops": [3]}, r"ops\[0\]=3: must hold layer, phase"),
    "schema": ({"schema": 9, "samples": 1, "ops": []}, r"schema=9: must be one of 1, 2"),
    "test": ({"samples": 1, "ops": [ROW], "test": {"ops": []}}, r"test\.samples: is missing"),
    "events": ({"samples": 1, "ops": [ROW], "events": [["x"]]}, r"events, error_codes: must be a list of whole numbers"),
    "layout": ({"samples": 1, "ops": [ROW], "layout": {"neurons": [1]}}, r"layout: field 'fan_in' is missing"),
    "layout's words": (
        {"samples": 1, "ops": [ROW], "layout": {**layout().to_dict(), "neurons": ["a", 1, 1]}},
        r"layout\.neurons\[0\]='a': must be a whole number",
    ),
    "layout's layers": (
        {"samples": 1, "ops": [ROW], "layout": {**layout().to_dict(), "fan_in": [1]}},
        r"layout\.fan_in: has 1 layers, must have 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DICTS)
def test_mistakes_in_a_dict(name: str, tmp_path: Path) -> None:
    data, said = DICTS[name]
    with pytest.raises(NeurosimError, match=said + r".* \(counts\)"):
        read_counts(data, sizes=() if "layout" in data else (2, 2))
    path = file(tmp_path, json.dumps(data), "mine.json")
    with pytest.raises(NeurosimError, match=said + rf".* \({re.escape(str(path))}\)"):
        read_counts(path, sizes=() if "layout" in data else (2, 2))


@pytest.mark.parametrize("source", [None, 3, [ROW]])
def test_counts_are_a_file_or_a_dict(source: Any) -> None:
    with pytest.raises(NeurosimError, match=r"counts=.*: must be the path of a \.json or \.csv file, or a dict"):
        read_counts(source, sizes=(2, 2))


def test_numbers_of_numpy_are_numbers() -> None:
    given = {key: np.int64(value) if isinstance(value, int) else value for key, value in ROW.items()}
    found = read_counts({"samples": np.int32(1), "ops": [{**given, "count": np.float64(2)}]}, sizes=np.array([2, 2]))  # type: ignore[arg-type]
    assert found == read_counts({"samples": 1, "ops": [ROW]}, sizes=(2, 2))


@pytest.mark.parametrize("sizes", [(), (3, 2), (3, 2, 2, 2), (3, 0, 2)])
def test_sizes_must_fit(sizes: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(NeurosimError, match=r"sizes=.*layers 0\.\.1 and no layout, so give 3 sizes"):
        read_counts(file(tmp_path, GOOD), sizes=sizes)
    with pytest.raises(NeurosimError, match=r"sizes=\[1, 2, 3\]: there is a layout already"):
        read_counts(file(tmp_path, GOOD), sizes=(1, 2, 3), layout=layout())


COMMANDS = {
    "neither": ([], "give the folder of a run, or --counts FILE"),
    "both": (["run", "--counts", "x.csv"], "give the folder of a run, or --counts FILE"),
    "nowhere": (["--counts", "nowhere.csv"], "counts='nowhere.csv': cannot be read"),
    "kind": (["--counts", "mine.txt"], "counts='mine.txt': must end in .json or .csv"),
    "number": (["--counts", "mine.csv", "--samples", "ten"], "samples='ten': must be a whole number"),
    "sizes of a run": (["run", "--sizes", "3,2"], "sizes='3,2': is of --counts"),
    "no layout": (["--counts", "mine.csv", "--layout", "none.json"], "layout='none.json': cannot be read"),
    "folder": (["--counts", "mine.csv", "--json", "no/where.json"], "json='no/where.json': its folder does not exist"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_mistakes_on_the_command_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file(tmp_path, GOOD)
    flags, said = COMMANDS[name]
    assert main(["price", *flags, "--hardware", "digital_45nm"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("phase", "action", "lacks"),
    [
        ("forward", "synaptic_event", "synapses"), ("update", "update_attempted", "updates"), ("update", "weight_changed", "updates"),
        ("error", "error_code_bit", "messages"),
    ],
)  # fmt: skip
def test_a_tally_alone_is_not_free_of_charge(
    phase: str, action: str, lacks: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"layer": 0, "phase": "forward", "action": "event", "bits": 8, "count": 10}
    alone = {"layer": 0, "phase": phase, "action": action, "bits": 8, "count": 1000}
    cost = read_counts({"samples": 1, "ops": [event, alone]}, sizes=(10, 100)).price("digital_45nm")["digital_45nm"]
    assert cost.unpriced == (lacks,)
    assert cost.is_least("energy_pj_per_sample") and cost.is_least("latency_ns_per_sample")
    assert any(f"({action} of layer 0, {phase})" in note for note in cost.notes)
    path = tmp_path / "c.csv"
    path.write_text(f"layer,phase,action,bits,count\n0,forward,event,8,10\n0,{phase},{action},8,1000\n")
    assert (
        main(["price", "--counts", str(path), "--samples", "1", "--sizes", "10,100", "--hardware", "digital_45nm"]) == 0
    )
    assert "learning energy" in (text := capsys.readouterr().out) and ">=" in text and lacks in text


def test_a_layer_without_synaptic_operations_is_not_free_on_a_chip() -> None:
    read = {"phase": "forward", "action": "read", "memory": "weight", "bits": 8, "count": 100}
    event = {"phase": "forward", "action": "synaptic_event", "bits": 8, "count": 100}
    both = [{**row, "layer": layer} for row in (read, event) for layer in (0, 1)]
    unpriced = [
        read_counts({"samples": 1, "ops": ops}, sizes=(10, 10, 10)).price("loihi_davies")["loihi_davies"].unpriced
        for ops in (both, both[:3])
    ]
    assert unpriced == [("static",), ("synapses", "static")]


def test_a_tally_beside_its_work_is_free() -> None:
    row = {"layer": 0, "phase": "forward", "bits": 8, "count": 1000}
    ops = [{**row, "action": "synaptic_event"}, {**row, "action": "read", "memory": "weight"}, {**row, "action": "add"}]
    costs = [read_counts({"samples": 1, "ops": some}, sizes=(10, 100)).price("digital_45nm") for some in (ops, ops[1:])]
    tallied, bare = (cost["digital_45nm"] for cost in costs)
    assert not tallied.unpriced and tallied.energy == bare.energy


def test_a_layout_that_lacks_a_layer_of_the_counts() -> None:
    with pytest.raises(NeurosimError, match=r"layer=5: the layout has layers"):
        data = {"samples": 1, "ops": [{**ROW, "layer": 5}]}
        read_counts(data, layout=Layout((1,), (1,), (), 0, (0,), ((),))).price("digital_45nm")
    assert Op(0, "forward", "add", 8) in read_counts({"samples": 1, "ops": [ROW]}, sizes=(1, 1)).train.ops
