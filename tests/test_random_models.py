"""Invariants of pricing over random arrays and random counts: every constant of every shipped array moved by chance."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.costs import HardwareModel, load, names, price
from neurosim.costs.laws import CHARGED
from neurosim.costs.schema import ModelFile
from neurosim.ops import MEMORIES, PHASES, Held, Layout, Op, OpCounts

ARRAYS = names(kind="array")
HELD = (("weight", 1800, 8), ("accumulator", 60, 20), ("activation", 31, 8), ("table", 256, 8))
PLAN = Layout(
    (60, 10),
    (31, 61),
    (*(Held(layer, *h) for layer in (0, 1) for h in HELD), Held(0, "feedback", 600, 1), Held(0, "address", 60, 12)),
    4,
    (8, 8),
    ((), (0,)),
)


def moved(table: dict[str, Any], factors: list[float], at: int = 0) -> tuple[dict[str, Any], int]:
    """The tables of a model with every constant times a factor of its own: ends keep their order, laws their sign."""
    out: dict[str, Any] = {}
    for key, value in table.items():
        if key == "energy" and all(isinstance(points, list) for points in value.values()):
            by = factors[at % len(factors)]  # one for all arithmetic: points must rise with the width
            out[key] = {unit: [times(point, by) for point in points] for unit, points in value.items()}
            at += 1
        elif isinstance(value, dict) and "source" in value:
            out[key] = times(value, factors[at % len(factors)])
            at += 1
        elif isinstance(value, dict):
            out[key], at = moved(value, factors, at)
        else:
            out[key] = value
    return out, at


def times(constant: dict[str, Any], by: float) -> dict[str, Any]:
    return {
        k: times(v, by) if isinstance(v, dict) else v * by if isinstance(v, float) and k != "writes" else v
        for k, v in constant.items()
    }


def models() -> st.SearchStrategy[HardwareModel]:
    def build(name: str, factors: list[float]) -> HardwareModel:
        raw, _ = moved(msgspec.to_builtins(load(name).spec), factors)
        return HardwareModel("moved", "moved.toml", msgspec.convert(raw, ModelFile))

    return st.builds(build, st.sampled_from(ARRAYS), st.lists(st.floats(0.01, 100), min_size=1, max_size=25))


def counts() -> st.SearchStrategy[OpCounts]:
    def build(layer: int, phase: str, action: str, bits: int, by: int, memory: str) -> Op:
        product = action in ("mac", "multiply", "update_pair")
        if action == "error_code":
            layer, phase = 1, "error"
        return Op(layer, phase, action, bits, by if product else 0, memory if action in ("read", "write") else "")

    op = st.builds(
        build,
        st.integers(0, 1),
        st.sampled_from(list(PHASES)),
        st.sampled_from(sorted(CHARGED)),
        st.integers(1, 60),
        st.integers(1, 60),
        st.sampled_from(list(MEMORIES)),
    )
    return st.builds(
        lambda ops, samples: OpCounts(samples, 0, ops),
        st.dictionaries(op, st.integers(1, 10**7), min_size=1, max_size=15),
        st.integers(1, 100),
    )


@settings(deadline=None, max_examples=150)
@given(model=models(), run=counts())
def test_parts_sum_and_nothing_is_negative_nan_or_zero(model: HardwareModel, run: OpCounts) -> None:
    cost = price(run, None, PLAN, model)
    for end, total in enumerate(cost.band["energy_pj_per_sample"]):
        assert math.fsum(p[3 + end] for p in cost.energy) == total
        for groups in (cost.energy_by_phase, cost.energy_by_layer, cost.energy_by_component):
            assert math.isclose(math.fsum(b[end] for b in groups.values()), total, rel_tol=1e-12)
        assert 0 < total < math.inf
    for row in (*cost.energy, *cost.latency, *cost.area):
        assert 0 <= row.low <= row.nominal <= row.high < math.inf, row
    assert {(op.layer, op.phase) for op in run.ops} == {(p.layer, p.phase) for p in cost.energy}


@settings(deadline=None, max_examples=100)
@given(model=models(), run=counts(), data=st.data())
def test_more_is_never_cheaper(model: HardwareModel, run: OpCounts, data: st.DataObject) -> None:
    more = {op: n + data.draw(st.integers(0, 1000)) for op, n in run.ops.items()}
    few, many = price(run, None, PLAN, model), price(OpCounts(run.samples, 0, more), None, PLAN, model)
    for key in (k for k in few.band if k.endswith(("_per_sample", "area_um2"))):
        assert all(a <= b * (1 + 1e-12) for a, b in zip(few.band[key], many.band[key], strict=True)), key


@settings(deadline=None, max_examples=60)
@given(model=models(), run=counts(), by=st.floats(1, 10))
def test_a_dearer_model_is_never_cheaper(model: HardwareModel, run: OpCounts, by: float) -> None:
    raw, _ = moved(msgspec.to_builtins(model.spec), [by])
    dearer = HardwareModel("dearer", "dearer.toml", msgspec.convert(raw, ModelFile))
    cheap, dear = (price(run, None, PLAN, m).band["energy_pj_per_sample"] for m in (model, dearer))
    assert all(a <= b * (1 + 1e-12) for a, b in zip(cheap, dear, strict=True))
