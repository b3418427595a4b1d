"""Networks, meshes and counts for the tests of mapping and traffic."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from neurosim.chip.channel import RULES
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.costs import HardwareModel, load
from neurosim.ops import Layout, Op, OpCounts
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.network import SpikingNetwork

HERE = Path(__file__).parent


def model(*, fabric: dict | None = None, core: dict | None = None) -> HardwareModel:
    """The 45 nm model with another mesh or other capacities."""
    spec = load("digital_45nm").spec
    fabric = msgspec.structs.replace(spec.fabric, **(fabric or {}))
    spec = msgspec.structs.replace(spec, fabric=fabric, core=msgspec.structs.replace(spec.core, **(core or {})))
    return HardwareModel("case", "case.toml", spec)


def dense(*sizes: int, rule: str = "srbp") -> Layout:
    return Network(sizes[0], [*(Dense(n) for n in sizes[1:-1]), Dense(sizes[-1], "softmax")], RULES[rule]).layout()


def convolutional(rule: str = "bp", **first: int) -> Layout:
    layers = [
        Conv2d(4, 3, **{"pool": 3, "pool_stride": 2, **first}),
        Conv2d(6, 3, pool=2),
        Dense(20),
        Dense(5, "softmax"),
    ]
    return Network((9, 8, 2), layers, RULES[rule]).layout()


def spiking() -> Layout:
    return SpikingNetwork(Erbp(16, (12,), 4, threshold=200, reach=(60, 60)).network()).layout()


LAYOUTS = {
    "dense": lambda: dense(30, 12, 9, 4),
    "dense bp": lambda: dense(30, 12, 9, 4, rule="bp"),
    "convolutional": convolutional,
    "convolutional srbp": lambda: convolutional("srbp"),
    "strided": lambda: convolutional("rbp", stride=2, pool=2, pool_stride=2),
    "spiking": spiking,
}


def drawn(layout: Layout, seed: int = 0, samples: int = 1) -> OpCounts:
    """Counts of what travels alone: every unit sends so many times, the bias too."""
    rng = np.random.default_rng(seed)
    ops: dict[Op, int] = {}
    events, codes = [], []
    projections = bool(layout.places)
    for layer in range(len(layout.neurons)):
        source = layout.sent(layer)
        hears = not projections or source.units > 0
        sent = rng.integers(0, 5, source.units + (not projections) if hears else 0)
        own = layout.neurons[layer] or source.units
        errors = rng.integers(0, 4, own if layout.receivers[layer] else 0)
        events.append(sent * (not (projections and len(errors))))
        codes.append(errors)
        for action, phase, units, bits in (
            ("event", "forward", events[-1], layout.event_bits[layer]),
            ("error_code", "error", codes[-1], layout.code_bits),
        ):
            if units.sum():
                ops[Op(layer, phase, action, bits)] = int(units.sum())
    return OpCounts(samples, 0, ops, tuple(events), tuple(codes))
