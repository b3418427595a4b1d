"""Published points: the page is up to date, and what must be met is met."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from neurosim.cli import main
from neurosim.costs import load, names
from neurosim.costs.validation import network, report, rows, to_dict
from neurosim.errors import NeurosimError

ROOT = Path(__file__).parents[1]
ROWS = {(r.id, r.model): r for r in rows()}


def test_the_page_is_up_to_date() -> None:
    """Made by `neurosim validate --write docs/validation.md`."""
    assert (ROOT / "docs" / "validation.md").read_text(encoding="utf-8") == report()


def test_every_published_point_has_its_row() -> None:
    ids = {r.id for r in ROWS.values()}
    assert ids >= {
        "odin_accelerated", "odin_biological", "odin_mnist", "odin_area", "truenorth_sweep_middle", "truenorth_headline",
        "truenorth_area", "loihi_knn_query_667", "loihi_knn_query_750", "loihi_kws", "loihi_nbp", "loihi_emstdp_dfa",
        "loihi_nbp_learning", "spoon_training_ratio", "spoon_area", "spoon_area_ours", "park_training_ratio", "park_power",
        "park_learned_image", "crafton_sparse_dfa", "crafton_data_movement",
    }  # fmt: skip
    said = [point.id for name in names(kind="chip") for point in load(name).spec.validation]
    assert len(said) == len(set(said))
    assert ids == set(said)


@pytest.mark.parametrize(
    ("point", "model", "percent"),
    [
        ("odin_accelerated", "odin", 0.05),
        ("odin_biological", "odin", 0.3),
        ("truenorth_sweep_middle", "truenorth", 0.6),
        ("park_power", "park2019", 0.3),
        ("park_learned_image", "park2019", 1.6),
        ("spoon_area", "spoon", 0.1),
        ("loihi_knn_query_667", "loihi_davies", 9.1),
        ("loihi_knn_query_750", "loihi_davies", 20.3),
        ("odin_area", "odin", 0.1),
        ("truenorth_area", "truenorth", 0.1),
        ("spoon_training_ratio", "spoon", 0.1),
        ("park_training_ratio", "park2019", 0.1),
    ],
)
def test_silicon_is_met(point: str, model: str, percent: float) -> None:
    row = ROWS[point, model]
    assert abs(row.error_percent) <= percent
    assert row.verdict == "pass"


def test_by_hand() -> None:
    """The formulas of the sources, written out."""
    assert ROWS["odin_accelerated", "odin"].ours.nominal == pytest.approx(27.3 + 1.78 * 75 + 8.43 * 37.5)
    assert ROWS["odin_biological", "odin"].ours.nominal == pytest.approx(27.3 + 1.78 * 1.3 + 8.43 * 0.65)
    events = 1048576 * 20.07 * 128
    assert ROWS["truenorth_sweep_middle", "truenorth"].ours.nominal == pytest.approx(64430 + 2.297e-6 * events)
    query = ROWS["loihi_knn_query_667", "loihi_davies"].ours
    assert query.nominal == pytest.approx(667 * 76800 * 23.6 + 76800 * 60 * 52)
    assert query.high == pytest.approx(667 * 76800 * 23.6 + 76800 * 60 * 81)


def test_a_point_at_another_supply_is_not_judged() -> None:
    row = ROWS["truenorth_headline", "truenorth"]
    assert row.verdict == "other supply"
    assert load("truenorth").spec.technology.supply_v == 0.8


def test_data_movement_by_hand() -> None:
    """Bits of memory and of error codes in error and feedback, from the counts of the two networks."""
    bits = []
    for name in ("park_bp", "park_srbp"):
        counts = network(name)[0]
        back = [(op, n) for op, n in counts.ops.items() if op.phase in ("error", "feedback")]
        bits.append(sum(n * op.bits for op, n in back if op.action in ("read", "write")))
        bits[-1] += sum(n * op.bits for op, n in back if op.action == "error_code")
    assert ROWS["crafton_data_movement", "counts"].ours.nominal == pytest.approx(bits[0] / bits[1])


def test_rows_that_miss_are_explained() -> None:
    for row in ROWS.values():
        assert row.use in ("test", "cross-check", "fitted", "bound")
        assert row.ours.low <= row.ours.nominal <= row.ours.high
        if row.verdict != "pass" or row.use != "test":
            assert len(row.note) > 20, row.id


def test_networks_are_named_and_made_by_a_command() -> None:
    made = to_dict()["made_from"]
    script = re.match(r"(examples/\w+\.py)", made)
    assert script is not None
    assert (ROOT / script[1]).is_file()
    with pytest.raises(NeurosimError, match="network='nobody': must be one of park_srbp"):
        network("nobody")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["rows"]) == len(ROWS)
    page = tmp_path / "page.md"
    assert main(["validate", "--write", str(page)]) == 0
    assert "Within tolerance" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8") == report()
