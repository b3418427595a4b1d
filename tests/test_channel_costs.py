"""The learning channel's communication: the papers' sums, what networks really count, and what chips pay for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.cli import main
from neurosim.costs import HardwareModel, load, names, price
from neurosim.costs.channel import ROUTES, analysis, example, page, paid
from neurosim.errors import NeurosimError
from neurosim.formats import Quantiser
from tests.test_theory_counts import SAMPLES, a_sample, stepped

ROOT = Path(__file__).parents[1]
SIZES = (784, 100, 100, 100, 100, 10)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("bp", (31_000, 0, 310, 310, 1240, 31_000, 31_000)),
        ("rbp", (31_000, 31_000, 310, 310, 1240, 31_000, 31_000)),
        ("srbp", (4_000, 4_000, 10, 40, 40, 4_000, 1000 * (1 + 2 + 3 + 4))),
        ("drtp", (400, 4_000, 1, 4, 4, 4_000, 10_000)),
    ],
)
def test_the_papers_network(rule: str, expected: tuple[int, ...]) -> None:
    assert analysis(rule, SIZES, bits=4) == (*expected, 109_400)


@pytest.mark.parametrize("n", [1, 2, 8, 40])
def test_sparse_feedback_is_40_n(n: int) -> None:
    found = analysis("srbp", SIZES, bits=4, density=n / 100)
    assert found.operations == found.stored == found.wires == pytest.approx(40 * n)
    assert found.wire_length == pytest.approx(100 * n)
    assert found.bits == 40  # what is sent does not get less


@pytest.mark.parametrize("rule", sorted(ROUTES))
def test_networks_count_what_the_papers_do(rule: str) -> None:
    values = "+-1" if rule == "drtp" else "01"
    silent = Quantiser(4, zero="silent" if rule == "drtp" else "code")  # of the target, zeros are not sent
    net = stepped(rule, feedback=FeedbackCrossbar(density=1.0, values=values), error=silent)
    said, counts, layout = analysis(rule, SIZES, bits=4), net.counts(), net.layout()
    assert a_sample(net, "mac", phase="feedback") + a_sample(net, "add", phase="feedback") == said.operations
    assert a_sample(net, "error_code") == said.values
    assert layout.bits("feedback") == said.stored
    heard = sum(n * len(layout.receivers[op.layer]) for op, n in counts.ops.items() if op.action == "error_code")
    assert heard == SAMPLES * said.broadcasts
    if rule != "drtp":  # which sends the target in the received word
        assert a_sample(net, "error_code_bit") == said.bits


@given(
    hidden=st.lists(st.integers(1, 60), min_size=1, max_size=5), ends=st.tuples(st.integers(1, 60), st.integers(1, 20)),
    rule=st.sampled_from(sorted(ROUTES)), bits=st.integers(1, 8),
)  # fmt: skip
def test_wire_by_wire(hidden: list[int], ends: tuple[int, int], rule: str, bits: int) -> None:
    """The same sums by walking over every unit."""
    sizes = (ends[0], *hidden, ends[1])
    last, skipped = len(sizes) - 1, ROUTES[rule] != "layered"
    wires = length = 0
    for h in range(1, last):
        sender = last if skipped else h + 1
        for _ in range(sizes[h] * sizes[sender]):
            wires, length = wires + 1, length + sender - h
    values = [ends[1]] if skipped else list(sizes[2:])
    values = [1] if rule == "drtp" else values
    found = analysis(rule, sizes, bits=bits)
    assert (found.wires, found.wire_length) == (wires, length)
    assert (found.values, found.bits) == (sum(values), bits * sum(values))
    assert found.operations == pytest.approx(wires / ends[1] if rule == "drtp" else wires)
    assert found.updates == sum(a * b for a, b in pairwise(sizes))
    counts, layout = example(rule, sizes, bits=bits)
    assert counts.total("error_code") == found.values
    assert sum(n * len(layout.receivers[op.layer]) for op, n in counts.ops.items()) == found.broadcasts


def test_one_hidden_layer_makes_rules_equal() -> None:
    assert analysis("rbp", (20, 30, 5), bits=3) == analysis("srbp", (20, 30, 5), bits=3)


# ------------------------------------------------------------------------------------------ as chips pay


@pytest.mark.parametrize("name", [n for n in names() if isinstance(load(n), HardwareModel)])
def test_a_chip_pays_by_hand(name: str) -> None:
    model = load(name)
    assert isinstance(model, HardwareModel)
    counts, layout = example("srbp", SIZES, bits=4)
    cost = price(counts, None, layout, model)
    found = paid(cost, counts, layout)
    assert cost.cores == (2, 1, 1, 1, 1)
    packet = model.spec.fabric.header_bits + 4
    assert (found.codes, found.packets) == (10, 10 * 5)
    assert (found.payload_bits, found.packet_bits) == (40, 50 * packet)
    assert cost.routing is not None
    (stream,) = (s for s in cost.routing.streams if s.action == "error_code")
    assert found.bit_hops == (stream.east_west + stream.north_south) * packet >= 40 * packet
    width_mm = math.sqrt(cost.area_um2 / 6) / 1000
    assert found.bit_mm == pytest.approx(found.bit_hops * width_mm)
    ways = (("east_west", stream.east_west), ("north_south", stream.north_south), ("tile", stream.deliveries))
    pj = sum(n * getattr(model.spec.fabric, way).energy.energy_pj_per_bit for way, n in ways)
    assert found.energy_pj.nominal == pytest.approx(pj * model.spec.fabric.flit_bits)
    assert found.share == pytest.approx(found.energy_pj.nominal / cost.energy_pj_per_sample)


def test_layered_feedback_sends_more_packets() -> None:
    model = load("digital_28nm")
    found = {}
    for rule in ROUTES:
        counts, layout = example(rule, SIZES, bits=4)
        found[rule] = paid(price(counts, None, layout, model), counts, layout)
    assert found["bp"] == found["rbp"]
    assert found["drtp"].bit_hops < found["srbp"].bit_hops < found["rbp"].bit_hops


# ------------------------------------------------------------------------------------------ the page


def test_the_docs_hold_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    assert main(["channel", "--report", str(path)]) == 0
    assert path.read_text() == (ROOT / "docs" / "channel_costs.md").read_text()
    assert path.read_text() == page(SIZES, [load("digital_45nm"), load("digital_28nm")])


def test_the_page_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["channel", "--sizes", "20,7,3", "--error-bits", "2", "--hardware", "digital_28nm"]) == 0
    assert "20-7-3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rule", "sizes", "density", "said"),
    [
        ("bpp", (3, 2, 1), 1.0, r"rule='bpp': must be one of bp, rbp, srbp, drtp"),
        ("bp", (3, 2), 1.0, r"sizes=\[3, 2\]: must be inputs, at least one hidden layer"),
        ("bp", (3, 0, 2), 1.0, r"sizes=\[3, 0, 2\]"),
        ("bp", (3, 1, 2), 1.5, r"density=1\.5: must be from 0 to 1"),
    ],
)
def test_mistakes(rule: str, sizes: Sequence[int], density: float, said: str) -> None:
    with pytest.raises(NeurosimError, match=said):
        analysis(rule, sizes, bits=4, density=density)


def test_mistakes_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["channel", "--sizes", "3,x,2"]) == 2
    assert "sizes='x': must be a whole number" in capsys.readouterr().err
