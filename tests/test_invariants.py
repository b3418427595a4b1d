"""What holds for any model, any counts and any mapped network: sums, signs, order, and that more is never cheaper.

More is never cheaper on the same slices on the same cores (docs/hardware_models.md, "More is never cheaper").
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.costs import Cost, HardwareModel, load, names, place, price
from neurosim.costs.activities import activity
from neurosim.costs.cost import COMPONENTS, span, total
from neurosim.costs.laws import CHARGED, FREE
from neurosim.costs.pricing import SPILL
from neurosim.costs.schema import ModelFile
from neurosim.ops import MEMORIES, PHASES, Layout, Op, OpCounts
from tests.mapping_cases import LAYOUTS, drawn
from tests.test_pricing import layout, srbp

ENDS = ("low", "nominal", "high")
ARRAYS = [name for name in names() if isinstance(load(name), HardwareModel)]


@cache
def raw(name: str) -> bytes:
    return msgspec.json.encode(load(name).spec)


def scaled(table: Any, factor: Any) -> Any:
    """A model file with every constant times a factor of its own: a list of points and the ends of a constant keep one."""
    if isinstance(table, list):
        one = factor()
        return [scaled(item, lambda: one) for item in table]
    if not isinstance(table, dict):
        return table
    if "source" in table:
        one = factor()
        kept = {"bits", "by", "writes"}
        return {
            k: scaled(v, lambda: one)
            if isinstance(v, dict)
            else v * one
            if isinstance(v, float) and k not in kept
            else v
            for k, v in table.items()
        }
    return {k: scaled(v, factor) for k, v in table.items()}


@st.composite
def models(draw: st.DrawFn, factors: tuple[float, ...] = (0.0, 0.01, 0.3, 1.0, 7.0, 100.0)) -> HardwareModel:
    """A shipped model with other constants and another core."""
    name = draw(st.sampled_from(ARRAYS))
    table = scaled(json.loads(raw(name)), lambda: draw(st.sampled_from(factors)))
    for law in (table["sram"]["read"], table["sram"]["write"]):
        if not law["slope_pj_per_sqrt_kb"]:  # a law must cost something
            law.update({"offset_pj": 0.1, "slope_pj_per_sqrt_kb": 0.1, "low": None, "high": None})
    table["core"] |= {
        "lanes": draw(st.integers(1, 64)), "clock_mhz": draw(st.floats(1, 2000)), "neurons": draw(st.integers(8, 2000)),
        "pipeline": draw(st.integers(0, 9)), "synapse_bits": draw(st.integers(10_000, 1_000_000)),
    }  # fmt: skip
    return HardwareModel("random", "random.toml", msgspec.convert(table, ModelFile))


def operations() -> st.SearchStrategy[Op]:
    def build(layer: int, phase: str, action: str, bits: int, by: int, memory: str) -> Op:
        layer = 2 if action == "error_code" else layer
        product = action in ("mac", "multiply", "update_pair")
        return Op(layer, phase, action, bits, by if product else 0, memory if action in ("read", "write") else "")

    return st.builds(
        build, st.integers(0, 2), st.sampled_from(list(PHASES)), st.sampled_from(sorted(CHARGED)), st.integers(1, 60),
        st.integers(1, 60), st.sampled_from(list(MEMORIES)),
    )  # fmt: skip


@st.composite
def counted(draw: st.DrawFn) -> OpCounts:
    """Some of a network's counts, and some that make no sense together."""
    samples = draw(st.integers(1, 50))
    ops = draw(st.dictionaries(operations(), st.integers(1, 10**6), min_size=1, max_size=8))
    kept = draw(st.lists(st.sampled_from(sorted(srbp(samples).ops.items())), max_size=20))
    ticks = draw(st.sampled_from([0, 0, samples * 20]))
    return OpCounts(samples, samples, {**dict(kept), **ops}, ticks=ticks)


def rows(cost: Cost) -> list[tuple[float, float, float]]:
    found: list[tuple[float, float, float]] = [
        (p.low, p.nominal, p.high) for p in (*cost.energy, *cost.inference_energy)
    ]
    found += [(s.low, s.nominal, s.high) for s in (*cost.latency, *cost.inference_latency)]
    found += [tuple(s.start) for s in (*cost.latency, *cost.inference_latency)]
    return found + [(p.low, p.nominal, p.high) for p in cost.area]


@settings(deadline=None, max_examples=150)
@given(model=models(), counts=counted())
def test_sums_signs_and_order(model: HardwareModel, counts: OpCounts) -> None:
    cost = price(counts, None, layout(), model)
    for row in [*rows(cost), *cost.band.values()]:
        assert all(math.isfinite(v) and v >= 0 for v in row)
        assert row[0] <= row[1] * (1 + 1e-12) and row[1] <= row[2] * (1 + 1e-12), row
    for by in (cost.energy_by_phase, cost.energy_by_layer, cost.energy_by_component, cost.energy_by_kind):
        for end, name in enumerate(ENDS):
            assert math.isclose(
                math.fsum(b[end] for b in by.values()), cost.band["energy_pj_per_sample"][end], rel_tol=1e-13
            ), name
    assert total(cost.energy) == cost.band["energy_pj_per_sample"]
    assert total(cost.area) == cost.band["area_um2"]
    by_core = math.fsum(e.nominal for e in cost.energy_by_core.values())
    assert math.isclose(by_core, cost.energy_pj_per_sample, rel_tol=1e-13)
    assert list(cost.energy_by_component) == [c for c in COMPONENTS if c in cost.energy_by_component]
    assert len({p[:3] for p in cost.energy}) == len(cost.energy)
    assert len({p[:2] for p in cost.area}) == len(cost.area)
    for line in (cost.latency, cost.inference_latency):
        for end, path in enumerate(span(line)):
            assert max((s[3 + end] for s in line), default=0.0) <= path <= total(line)[end] * (1 + 1e-12)
    again = Cost.from_dict(json.loads(json.dumps(cost.to_dict(), allow_nan=False)))
    assert (again, again.band) == (cost, cost.band)


@settings(deadline=None, max_examples=100)
@given(model=models((0.01, 1.0, 7.0)), counts=counted())
def test_nothing_that_happened_is_free(model: HardwareModel, counts: OpCounts) -> None:
    cost = price(counts, None, layout(), model)
    charged = {(op.layer, op.phase) for op in counts.ops if op.action in CHARGED}
    assert charged <= {(p.layer, p.phase) for p in cost.energy if p.low > 0}
    tallied = [op for op in counts.ops if op.action in FREE and (op.layer, op.phase) not in charged]
    assert {activity(op, ticking=counts.ticks > 0) for op in tallied} <= set(cost.unpriced)
    assert cost.energy_pj_per_sample > 0 or cost.is_least("energy_pj_per_sample")


@settings(deadline=None, max_examples=100)
@given(model=models(), counts=counted(), by=st.floats(1, 100))
def test_a_dearer_model_is_never_cheaper(model: HardwareModel, counts: OpCounts, by: float) -> None:
    table = scaled(json.loads(msgspec.json.encode(model.spec)), lambda: by)
    dearer = HardwareModel("dearer", "dearer.toml", msgspec.convert(table, ModelFile))
    cheap, dear = (price(counts, None, layout(), m).band["energy_pj_per_sample"] for m in (model, dearer))
    assert all(a <= b * (1 + 1e-9) for a, b in zip(cheap, dear, strict=True))


@settings(deadline=None, max_examples=150)
@given(model=models(), counts=counted(), op=operations(), more=st.integers(1, 10**6))
def test_more_events_are_never_cheaper(model: HardwareModel, counts: OpCounts, op: Op, more: int) -> None:
    few, many = (price(c, None, layout(), model) for c in (counts, counts + OpCounts(0, 0, {op: more})))
    for key, band in few.band.items():
        if "power" not in key and "second" not in key:
            assert all(a <= b * (1 + 1e-9) for a, b in zip(band, many.band[key], strict=True)), key


@settings(deadline=None, max_examples=100)
@given(model=models(), counts=counted(), far=st.integers(2, 5))
def test_more_hops_are_never_cheaper(model: HardwareModel, counts: OpCounts, far: int) -> None:
    """The same cores, every way between them and from the port so many times as long."""
    near = place(layout(), model)
    far = min(far, 63 // max(1, *(max(at) for at in near.at)))
    manual: dict[int, list[tuple[int, int]]] = {}
    for s in near.slices:
        x, y = near.at[s.core]
        manual.setdefault(s.layer, []).append((x * far, y * far))
    costs = [price(counts, None, layout(), model, plan) for plan in (near, place(layout(), model, manual=manual))]
    for key in ("energy_pj_per_sample", "latency_ns_per_sample"):
        assert all(a <= b * (1 + 1e-9) for a, b in zip(costs[0].band[key], costs[1].band[key], strict=True))


# ------------------------------------------------------------------------------------------ mapped networks

_NETWORKS = {name: make() for name, make in LAYOUTS.items()}
_SPILLS = ("arithmetic", "random", "lookup")
"""Components that no number of cores changes."""


def dearer(few: Mapping[str, Any], many: Mapping[str, Any]) -> None:
    """No total and no component of the second is below that of the first, at any end."""
    for key, band in few.items():
        if "power" not in key and "second" not in key:  # ratios of the others
            assert all(a <= b * (1 + 1e-9) for a, b in zip(band, many[key], strict=True)), key


@st.composite
def chips(draw: st.DrawFn) -> HardwareModel:
    """A random model whose cores are small enough to spill."""
    spec = draw(models()).spec
    core = msgspec.structs.replace(
        spec.core, neurons=draw(st.integers(4, 400)), synapse_bits=draw(st.integers(3000, 20000))
    )
    fabric = msgspec.structs.replace(spec.fabric, cast=draw(st.sampled_from(["unicast", "multicast"])))
    return HardwareModel("random", "random.toml", msgspec.structs.replace(spec, core=core, fabric=fabric))


def works(draw: st.DrawFn, net: Layout) -> OpCounts:
    """What travels on a network, and operations of any kind on its layers."""
    counts = drawn(net, draw(st.integers(0, 9)), samples=draw(st.integers(1, 3)))
    busy = [layer for layer, n in enumerate(net.neurons) if n]
    found = draw(st.dictionaries(operations(), st.integers(1, 10**4), max_size=8))
    ops = {
        op._replace(layer=busy[op.layer % len(busy)]): n
        for op, n in found.items()
        if op.action not in ("event", "error_code")
    }
    return replace(counts, ops={**counts.ops, **ops}, ticks=20 * counts.samples if net.places else 0)


def widened(draw: st.DrawFn, net: Layout, counts: OpCounts) -> tuple[Layout, OpCounts]:
    """The same network with wider memories, wider operations and more of them."""
    held = tuple(h._replace(bits=h.bits + draw(st.integers(0, 8))) for h in net.held)
    ops: dict[Op, int] = {}
    for op, n in counts.ops.items():
        # A random word as wide as the mixer is another circuit, one a core and not one a lane.
        wide = op._replace(bits=min(max(op.bits, 63), op.bits + draw(st.integers(0, 8))))
        ops[wide] = ops.get(wide, 0) + n * draw(st.integers(1, 3))
    return replace(net, held=held), replace(counts, ops=ops)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), name=st.sampled_from(sorted(_NETWORKS)), model=chips())
def test_more_bits_and_events_are_never_cheaper_on_the_same_cores(
    data: st.DataObject, name: str, model: HardwareModel
) -> None:
    """Whatever holds the wider network holds the narrower, so the cheapest of all plans is never cheaper for more either."""
    thin = _NETWORKS[name]
    few = works(data.draw, thin)
    wide, many = widened(data.draw, thin, few)
    plan = place(wide, model)
    costs = price(few, None, thin, model, replace(plan, layout=thin)), price(many, None, wide, model, plan)
    for of in ("band", "energy_by_component", "area_by_component"):
        dearer(*(getattr(c, of) for c in costs))


@settings(deadline=None, max_examples=100)
@given(
    data=st.data(),
    name=st.sampled_from(sorted(n for n in _NETWORKS if "conv" not in n and n != "strided")),
    model=chips(),
)
def test_what_a_spill_cannot_make_cheaper(data: st.DataObject, name: str, model: HardwareModel) -> None:
    """On more cores time, and what is paid by time or by the size of a core's memory, may fall; nothing else does."""
    thin = _NETWORKS[name]
    few = works(data.draw, thin)
    wide, many = widened(data.draw, thin, few)
    a, b = price(few, None, thin, model), price(many, None, wide, model)
    assert all(x <= y for x, y in zip(a.cores, b.cores, strict=True))
    dearer({k: v for k, v in a.energy_by_component.items() if k in _SPILLS}, b.energy_by_component)
    dearer(a.area_by_component, b.area_by_component)
    assert all(a.channel_bits[key] <= b.channel_bits[key] for key in ("event_packets", "error_packets"))
    if max(b.cores) > 1:
        assert SPILL in b.notes
