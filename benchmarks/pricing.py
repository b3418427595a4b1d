"""Pricing without simulating: one run on one model, a sweep over models, a placement; and the mesh's model of time against routers."""

import time
from dataclasses import replace
from itertools import product

import msgspec
import numpy as np

from benchmarks.harness import Row
from neurosim.chip.channel import RULES
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.costs import HardwareModel, load, place, price, traffic
from neurosim.costs.noc import latency_ns
from neurosim.costs.variants import named
from neurosim.ops import Op, OpCounts


def _counts():
    """784-100-100-10 with SRBP after 20 random samples, and after testing as many."""
    from benchmarks.workload import RATE, network

    net, rng = network(), np.random.default_rng(0)
    pixels = (rng.integers(1, 256, (20, 784)) * (rng.random((20, 784)) < 0.19)).astype(np.uint8)
    codes, labels = net.encode(pixels, 255), rng.integers(0, 10, 20)
    net.train(codes, labels, rate=RATE)
    net.evaluate(codes, labels)
    return net.counts(), net.test_counts(), net.layout()


def _scaled(table, factor):
    """A table of a model with every constant of energy, power and area that it holds times a factor."""
    changed = {}
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if isinstance(value, list):
            changed[name] = [_scaled(v, factor) for v in value]
        elif isinstance(value, msgspec.Struct):
            changed[name] = _scaled(value, factor)
        elif isinstance(value, float) and name.startswith(
            ("energy_", "offset_", "slope_", "power_", "leakage_", "area_")
        ):
            changed[name] = value * factor
    return msgspec.structs.replace(table, **changed)


def _varied():
    """Settings of variants: what a core holds, lanes, clock, casting and the words of weights."""
    named_values = {
        "core.synapse_bits": (262144, 524288),
        "core.lanes": (1, 4, 16, 64, 256),
        "core.clock_mhz": (50, 200, 500),
        "fabric.cast": ("unicast", "multicast"),
        "memory.weight.word_bits": (32, 64),
    }
    return [dict(zip(named_values, values, strict=True)) for values in product(*named_values.values())]


def pricing(smoke):
    """Milliseconds of this process (not of the clock: other work does not count)."""
    train, test, layout = _counts()
    model = load("digital_28nm")
    price(train, test, layout, model)

    def each(work, n):
        start = time.process_time()
        for i in range(n):
            work(i)
        return (time.process_time() - start) / n

    n = 200 if smoke else 10_000
    sweep = [HardwareModel(f"m{i}", "-", _scaled(model.spec, 1 + i / n)) for i in range(n)]
    again = min(each(lambda _: price(train, test, layout, model), n // 10) for _ in range(5))
    swept = each(lambda i: price(train, test, layout, sweep[i]), n)
    runs = [(replace(train), replace(test)) for _ in range(n // 10)]  # equal numbers, but nothing known of them
    fresh = each(lambda i: price(*runs[i], layout, model), len(runs))
    variants = [load(named("digital_28nm", settings)) for settings in _varied()]
    for variant in variants:
        price(train, test, layout, variant)  # placed, where a mesh or what a core holds differs
    others = [(replace(train), replace(test)) for _ in range(2 if smoke else 10)]
    varied = each(
        lambda i: price(*others[i // len(variants)], layout, variants[i % len(variants)]), len(others) * len(variants)
    )
    placed = each(
        lambda _: place(layout, model, counts=OpCounts(1, 0, dict(train.ops), train.events, train.error_codes)), 5
    )
    large = Network(
        (32, 32, 3), [*[Conv2d(64, 5, pool=3, pool_stride=2)] * 3, Dense(1024), Dense(10, "softmax")], RULES["bp"]
    )
    start = time.process_time()
    plan = place(large.layout(), model)
    took = time.process_time() - start
    note = f"{len(plan.at)} cores, {plan.method}: {plan.cost_packet_hops / plan.snake_packet_hops:.2f} of the snake's packets x hops"
    return [
        Row("one run on one model", again * 1e3, "ms", 1, least=False, note="784-100-100-10, training and test"),
        Row(
            "a sweep of models, each",
            swept * 1e3,
            "ms",
            1,
            least=False,
            note=f"{n} models of which every energy differs: {swept * n:.1f} s",
        ),
        Row(
            "fresh counts on a model", fresh * 1e3, "ms", 1, least=False, note="counts of a new run of the same network"
        ),
        Row(
            "one run on variants of a model, each",
            varied * 1e3,
            "ms",
            1,
            least=False,
            note=f"fresh counts on {len(variants)} variants of core, mesh and memory, placed before",
        ),
        Row("placing 784-100-100-10", placed * 1e3, "ms", note="for its own counts"),
        Row("placing a convolutional network", took, "s", note=note),
    ]


def _burst_rows(rule, cast):
    """784-4x100-10: what every unit sends, 19 % of the inputs and all else, in bursts."""
    from tests.mapping_cases import model
    from tests.noc_cases import UNIT, simulated

    chip = model(fabric={"width": 4, "height": 4, "cast": cast}, core={"neurons": 64})
    layout = Network(784, [*[Dense(100)] * 4, Dense(10, "softmax")], RULES[rule]).layout()
    rng, ops, events, codes = np.random.default_rng(0), {}, [], []
    for layer in range(5):
        source = layout.sent(layer)
        events.append((rng.random(source.units + 1) < (0.19 if layer == 0 else 0.9)).astype(np.int64))
        own = layout.neurons[layer] if layout.receivers[layer] else 0
        codes.append((rng.random(own) < 0.7).astype(np.int64))
        ops[Op(layer, "forward", "event", layout.event_bits[layer])] = int(events[-1].sum())
        if codes[-1].any():
            ops[Op(layer, "error", "error_code", layout.code_bits)] = int(codes[-1].sum())
    counts = OpCounts(1, 0, ops, tuple(events), tuple(codes))
    plan = place(layout, chip)
    moved = traffic(plan, counts)
    for phase in ("forward", "error"):
        bursts = [b for b in moved.bursts if b.phase == phase]
        took = sum(simulated(plan, counts, b)[0] for b in bursts)
        said = sum(latency_ns(b, UNIT) for b in bursts)
        packets = sum(s.packets for s in moved.streams if s.phase == phase)
        hops = sum(s.east_west + s.north_south for s in moved.streams if s.phase == phase)
        what = f"784-4x100-10 {rule}, {cast}, {'events' if phase == 'forward' else 'error codes'}"
        note = f"{packets:.0f} packets, {hops:.0f} hops, {len(plan.at)} cores; {took} cycles"
        yield Row(what, said / took, "x", note=note)


def noc(smoke):
    """The model of time divided by the cycles that routers took, on the same packets."""
    from tests import naive_noc
    from tests.noc_cases import random_packets, waited

    rng, rows = np.random.default_rng(0), []
    for flits in (1, 2, 3):
        found = []
        for _ in range(5 if smoke else 60):
            packets = random_packets(rng, 4, 4, int(rng.integers(20, 300)), flits, most=1)
            arrived, crossed = naive_noc.simulate(4, 4, packets, multicast=False)
            longest = max(abs(s[0] - t[0]) + abs(s[1] - t[1]) for _, s, _, targets, _ in packets for t in targets)
            found.append((longest + max(crossed.values())) / max(t for *_, t in arrived))
        note = f"{min(found):.2f} to {max(found):.2f}; 20 to 300 packets between any of 4 x 4 cores at once"
        rows.append(Row(f"random packets of {flits} flit{'s' * (flits > 1)}", np.mean(found), "x", note=note))
    for rate in (0.1, 0.3, 0.5):
        load, wait, said = waited(rng, rate, 200 if smoke else 4000)
        note = f"busiest link {load:.2f}; {wait:.2f} cycles waited, M/D/1 at every link {said:.2f}"
        rows.append(
            Row(f"random packets at a steady rate of {rate} a core and cycle, waits", said / wait, "x", note=note)
        )
    for rule in ("srbp", "bp"):
        for cast in ("unicast", "multicast"):
            rows += _burst_rows(rule, cast)
    return rows
