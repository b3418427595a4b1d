"""Time: the critical path against closed forms by hand, a slow twin written from docs/hardware_models.md, and its bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.costs import Cost, load, price
from neurosim.costs.cost import Stage, span, total
from neurosim.costs.timing import Stop, Work, schedule_of, stages
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout, Op, OpCounts
from tests.test_pricing import layout, srbp, variant
from tests.test_theory_counts import stepped

TOP = 4  # 784-4x100-10: layers 0 to 3 and the output
RULES = {"layered": tuple(tuple({h - 1} - {-1}) for h in range(5)), "skipped": ((), (), (), (), (0, 1, 2, 3))}


def network(receivers: tuple[tuple[int, ...], ...], *, early: bool = False) -> Layout:
    n = len(receivers)
    return Layout((10,) * n, (10,) * n, (), 4, (8,) * n, receivers, early_codes=early)


def timed(
    work: Mapping[Stop, float], plan: Layout, crossed: tuple[tuple[int, str], ...] = (), *, ticked: bool = False
) -> dict[Stop, tuple[float, float]]:
    """Start and end of every stage."""
    place = plan.places or tuple(range(len(plan.neurons)))
    order = schedule_of(plan, place, frozenset(crossed), ticked=ticked)
    found = stages({key: Work("adder", (ns, ns, ns)) for key, ns in work.items()}, order)
    return {(s.layer, s.phase): (s.start.nominal, s.end.nominal) for s in found}


def whole(route: str) -> dict[Stop, float]:
    """Durations of all stages that a rule has, all different."""
    found: dict[Stop, float] = {(h, "forward"): 100.0 + h for h in range(5)}
    found |= {(h, "update"): 300.0 + 7 * h for h in range(5)}
    found |= {(h, "feedback"): 40.0 + 3 * h for h in range(4)}
    return found | {(h, "error"): 11.0 + h for h in (range(1, 5) if route == "layered" else (4,))}


# ------------------------------------------------------------------------------------------ closed forms


def test_skipped_rules_learn_in_all_layers_at_once() -> None:
    work = whole("skipped")
    found = timed(work, network(RULES["skipped"]))
    output = sum(work[h, "forward"] for h in range(5))
    codes = output + work[TOP, "error"]
    assert found[TOP, "error"] == (output, codes)
    assert {found[h, "feedback"][0] for h in range(4)} == {codes}
    expected = codes + max(work[TOP, "update"], *(work[h, "feedback"] + work[h, "update"] for h in range(4)))
    assert max(end for _, end in found.values()) == expected


@pytest.mark.parametrize("memory", [None, "weight_column"])
def test_layered_rules_learn_layer_by_layer(memory: str | None) -> None:
    work = whole("layered")
    crossed = tuple((h, memory) for h in range(4)) if memory else ()
    found = timed(work, network(RULES["layered"]), crossed)
    at = sum(work[h, "forward"] for h in range(5))
    ends = {}
    for h in reversed(range(5)):
        at += work[h, "feedback"] if h < TOP else 0.0
        at += work[h, "error"] if h else 0.0
        ends[h] = at  # layer h has its signal, and has sent its codes
        begins = at + (work[h - 1, "feedback"] if memory and h else 0.0)  # until the layer below has read its columns
        assert found[h, "update"] == (begins, begins + work[h, "update"])
    assert found[0, "update"][0] == ends[0]


def test_targets_do_not_wait_for_the_output() -> None:
    work = whole("skipped")
    found = timed(work, network(RULES["skipped"], early=True))
    for h in range(4):
        ready = sum(work[g, "forward"] for g in range(h + 1))
        assert found[h, "feedback"][0] == ready
        assert found[h, "update"][0] == ready + work[h, "feedback"]


def test_ticks_keep_all_cores_at_work() -> None:
    plan = replace(network(((), (), (), (), ())), places=(3, 3, 4, 3, 4))
    work = {(h, phase): 10.0 * (h + 1) + i for h in range(5) for i, phase in enumerate(("forward", "update"))}
    found = timed(work, plan, ticked=True)
    by_place = {p: sum(n for (h, _), n in work.items() if plan.places[h] == p) for p in (3, 4)}
    assert max(end for _, end in found.values()) == max(by_place.values())
    assert sorted(start for start, _ in found.values())[:2] == [0.0, 0.0]


def test_layers_on_one_core_take_turns() -> None:
    work = whole("skipped")
    found = timed(work, replace(network(RULES["skipped"]), places=(0, 0, 0, 0, 0)))
    assert max(end for _, end in found.values()) == pytest.approx(sum(work.values()))


def test_layers_that_wait_for_each_other_are_an_error() -> None:
    circle = network(((1,), (0,), (), (), ()))
    with pytest.raises(NeurosimError, match=r"layout\.receivers=.*: layers .* wait for each other's error codes"):
        timed(whole("layered"), circle)
    assert timed(whole("layered"), circle, ticked=True)  # in ticks nobody waits


# ------------------------------------------------------------------------------------------ the slow twin


def twin(work: Mapping[Stop, float], plan: Layout, crossed: frozenset[tuple[int, str]]) -> dict[Stop, float]:
    """Starts, from the text of docs/hardware_models.md: each stage asks when all that it waits for has ended."""
    last = len(plan.neurons) - 1

    def waits(h: int, phase: str) -> list[Stop]:
        if phase == "forward":
            return [(g, "forward") for g in range(h)]
        senders = [s for s, hears in enumerate(plan.receivers) if h in hears]
        if phase == "feedback":
            heard = [] if plan.early_codes or h == last else [(s, "error") for s in senders or [last]]
            return [(h, "forward"), *heard]
        if phase == "error":
            output = [] if plan.early_codes and h != last else [(last, "forward")]
            return [(h, "forward"), (h, "feedback"), *output]
        reads = [g for g, memory in crossed if g < h and (memory == "weight" or g in plan.receivers[h])]
        return [(h, "forward"), (h, "feedback"), (h, "error"), *((g, "feedback") for g in reads)]

    @cache
    def start(h: int, phase: str) -> float:
        return max((start(*key) + work.get(key, 0.0) for key in waits(h, phase)), default=0.0)

    return {key: start(*key) for key in work}


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_the_twin_agrees(data: st.DataObject) -> None:
    layers = data.draw(st.integers(1, 6))
    layered, early = data.draw(st.booleans()), data.draw(st.booleans())
    hears = [tuple({h - 1} - {-1}) if layered else (tuple(range(h)) if h == layers - 1 else ()) for h in range(layers)]
    keys = [(h, phase) for h in range(layers) for phase in PHASES]
    kept = data.draw(st.lists(st.sampled_from(keys), min_size=1, unique=True))
    work = {key: float(data.draw(st.integers(0, 50))) for key in kept}
    crossed = frozenset(
        data.draw(st.lists(st.tuples(st.integers(0, layers - 1), st.sampled_from(["weight", "weight_column"]))))
    )
    plan = network(tuple(hears), early=early)
    found = timed(work, plan, tuple(crossed))
    assert {key: start for key, (start, _) in found.items()} == twin(work, plan, crossed)
    ends = max(end for _, end in found.values())
    assert max(work.values()) <= ends <= sum(work.values())


# ------------------------------------------------------------------------------------------ of networks


def backpropagation(samples: int = 100) -> OpCounts:
    """The counts of `srbp` with the way back of backpropagation, by hand: 10 x 100 and 100 x 100 weights read by columns."""
    ops = {op: n for op, n in srbp(samples).ops.items() if op.phase != "feedback"}
    for layer, above in ((1, 10), (0, 100)):
        pairs = above * 100
        for action, n, bits, by, memory in (
            ("shift", above, 10, 0, ""), ("read", pairs, 8, 0, "weight_column"), ("mac", pairs, 8, 10, ""),
            ("read", pairs, 20, 0, "accumulator"), ("write", pairs, 20, 0, "accumulator"),
            ("read", 100, 12, 0, "address"), ("multiply", 100, 10, 8, ""),
        ):  # fmt: skip
            ops[Op(layer, "feedback", action, bits, by, memory)] = n * samples
    for action, bits in (("shift", 10), ("compare", 10), ("error_code", 4), ("error_code_bit", 4)):
        ops[Op(1, "error", action, bits)] = 100 * samples
    return OpCounts(samples, samples, ops)


def test_the_ratios_of_the_document(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "hardware_models.md").read_text()
    whole_words, plan = load("digital_28nm"), layout(receivers=((), (0,), (1,)))
    packed = variant(tmp_path, '[core]\ncolumn_read = "packed"\nreason = "for this test"\n')
    skipped = price(srbp(), None, layout(), whole_words)
    dear, cheap = (price(backpropagation(), None, plan, m) for m in (whole_words, packed))
    for cost, said in ((dear, "costs 2.24 times that"), (cheap, "and 1.18 times with")):
        assert f"{cost.energy_pj_per_sample / skipped.energy_pj_per_sample:.2f}" in said
        assert said in text
    assert f"takes {dear.latency_ns_per_sample / skipped.latency_ns_per_sample:.2f} times as long" in text


def stage(cost: Cost) -> dict[Stop, Stage]:
    return {(s.layer, s.phase): s for s in cost.latency}


def of_rule(rule: str) -> Cost:
    net = stepped(rule, derivative="exact" if rule == "bp" else "none")
    return price(net.counts(), None, net.layout(), load("digital_28nm"))


@pytest.fixture(scope="module")
def rules() -> dict[str, Cost]:
    return {rule: of_rule(rule) for rule in ("bp", "rbp", "srbp", "drtp")}


def test_backpropagation_against_skipped_feedback(rules: dict[str, Cost]) -> None:
    for rule in ("bp", "srbp"):
        at, cost = stage(rules[rule]), rules[rule]
        busy = {key: s.nominal for key, s in at.items()}
        output = math.fsum(busy[h, "forward"] for h in range(5)) + busy[TOP, "error"]
        if rule == "srbp":
            late = [busy[h, "feedback"] + busy[h, "update"] for h in range(4)]
            expected = output + max(busy[TOP, "update"], *late)
        else:
            ends, ready = [], output
            for h in reversed(range(4)):
                ends.append(ready + busy[h, "feedback"] + busy.get((h + 1, "update"), 0.0))
                ready += busy[h, "feedback"] + busy.get((h, "error"), 0.0)
            expected = max(*ends, ready + busy.get((0, "update"), 0.0))
        assert cost.latency_ns_per_sample == pytest.approx(expected, rel=1e-12)
    assert rules["srbp"].latency_ns_per_sample < rules["rbp"].latency_ns_per_sample
    assert rules["srbp"].latency_ns_per_sample < rules["bp"].latency_ns_per_sample


def test_targets_start_learning_first(rules: dict[str, Cost]) -> None:
    drtp, srbp_ = stage(rules["drtp"]), stage(rules["srbp"])
    assert drtp[0, "update"].start.nominal < drtp[1, "forward"].end.nominal
    assert srbp_[0, "update"].start.nominal > srbp_[4, "forward"].end.nominal


@pytest.mark.parametrize("rule", ["bp", "rbp", "srbp", "drtp"])
def test_bounds_and_idle_energy(rules: dict[str, Cost], rule: str) -> None:
    cost = rules[rule]
    for line, energy in ((cost.latency, cost.energy), (cost.inference_latency, cost.inference_energy)):
        for end, path in enumerate(span(line)):
            longest, together = max(s[3 + end] for s in line), total(line)[end]
            assert longest <= path <= together * (1 + 1e-12)
            clock, leak = (math.fsum(p[3 + end] for p in energy if p.component == c) for c in ("clock", "static"))
            assert leak == pytest.approx(cost.static_power_uw[end] * path / 1e3, rel=1e-12)
            assert clock > 0
    assert cost.band["samples_per_second"].nominal == pytest.approx(1e9 / cost.latency_ns_per_sample)
    power = cost.band["power_uw"]
    assert power.nominal == pytest.approx(1e3 * cost.energy_pj_per_sample / cost.latency_ns_per_sample)
    assert power.low <= power.nominal <= power.high


def test_what_takes_no_time_has_no_power() -> None:
    counts = OpCounts(1, 0, {Op(2, "forward", "read", 8, 0, "accumulator"): 3})
    model = load("digital_45nm")
    spec = replace_pipeline(model.spec)
    cost = price(counts, None, layout(), replace(model, spec=spec))
    assert cost.latency_ns_per_sample == 0
    assert "power_uw" not in cost.band
    json.dumps(cost.to_dict(), allow_nan=False)


def replace_pipeline(spec: object) -> object:
    import msgspec

    return msgspec.structs.replace(spec, core=msgspec.structs.replace(spec.core, pipeline=0))  # type: ignore[attr-defined, type-var]


@pytest.mark.parametrize("depth", [0, 1, 7])
def test_a_pipeline_fills_once_a_stage(tmp_path: Path, depth: int) -> None:
    shallow, deep = (
        variant(tmp_path, f'[core]\npipeline = {d}\nreason = "for this test"\n', name=f"deep{d}")
        for d in (0, 100 + depth)
    )
    flat, filled = (price(srbp(), None, layout(), m) for m in (shallow, deep))
    period = 1000 / deep.spec.core.clock_mhz
    for a, b in zip(flat.latency, filled.latency, strict=True):
        assert b.nominal - a.nominal == pytest.approx((100 + depth) * period)
    rare = OpCounts(100, 1, {Op(0, "update", "add", 8): 25})
    late = [price(rare, None, layout(), m).latency_ns_per_sample for m in (shallow, deep)]
    assert late[1] - late[0] == pytest.approx(0.25 * (100 + depth) * period)  # a quarter of an addition a sample


def test_a_dict_of_a_cost_keeps_starts(rules: dict[str, Cost]) -> None:
    for cost in rules.values():
        assert Cost.from_dict(json.loads(json.dumps(cost.to_dict()))) == cost


def test_layout_says_that_codes_are_early() -> None:
    for rule in ("srbp", "drtp"):
        plan = stepped(rule).layout()
        assert plan.early_codes == (rule == "drtp") == ("early_codes" in plan.to_dict())
        assert Layout.from_dict(plan.to_dict()) == plan
