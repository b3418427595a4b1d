"""The constants of one array in a table, and what of the model is no constant: its choices.

Laws are forms over rows of the table, and forms hang on the choices alone: models of a sweep that differ in constants share them
(`neurosim.costs.laws`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.schema import BASES, TAGS, CellMemory, ModelFile
from neurosim.ops import MEMORIES

CURVES = ("add", "multiply", "shift", "compare", "logic")
UNITS = (*CURVES, "register")
_HELD = (*(m for m in MEMORIES if m != "weight_column"), "table")
_TAG = {name: i for i, name in enumerate(TAGS)}
_BASIS = {name: i for i, name in enumerate(BASES)}
Name = tuple[str, ...]
"""What a row of the table is of."""


class Choices(NamedTuple):
    """What decides how a model's constants are put together: equal choices, equal forms.

    How many lanes there are and how fast they are clocked decides no form; where layers stand is a plan's (`mapping.Plan`).
    """

    core: tuple[int, str]
    random: Any
    sram: tuple[float, ...]
    memory: tuple[Any, ...]
    curves: tuple[tuple[int, ...], ...]
    units: tuple[int, ...]
    wire: bool


def choices(spec: ModelFile) -> Choices:
    """The choices of a model; a curve is told by the widths of its points, a unit by the width that its size is of."""
    sram = spec.sram
    return Choices(
        (spec.core.max_bits, spec.core.column_read),
        spec.random,
        (sram.word_bits, sram.min_kb, sram.max_kb),
        tuple(m.row_bits if isinstance(m, CellMemory) else m for m in (getattr(spec.memory, name) for name in _HELD)),
        tuple(tuple(p.bits * getattr(p, "by", 1) for p in getattr(spec.energy, name)) for name in CURVES),
        tuple(u.bits * getattr(u, "by", 1) if u else 0 for u in (getattr(spec.unit, name) for name in UNITS)),
        spec.fabric.wire is not None,
    )


def _walk(spec: ModelFile) -> Iterator[tuple[Name, Any, str]]:
    """(name, constant, key) of every constant, in an order that the choices alone decide."""
    energy, unit, sram, fabric = spec.energy, spec.unit, spec.sram, spec.fabric
    for name in CURVES:
        for i, point in enumerate(getattr(energy, name)):
            yield (name, str(i)), point, "energy_pj"
    for name in UNITS:
        size = getattr(unit, name)
        if size is not None:
            yield ("area", name), size, "area_um2"
            yield ("leakage", name), size, "leakage_uw"
    yield ("register",), spec.register, "energy_pj_per_bit"
    for name, law in (("read", sram.read), ("write", sram.write)):
        yield (name, "offset"), law, "offset_pj"
        yield (name, "slope"), law, "slope_pj_per_sqrt_kb"
    yield ("area", "sram"), sram.area, "area_um2_per_bit"
    yield ("leakage", "sram"), sram.leakage, "power_uw_per_kb"
    for name in _HELD:
        cells = getattr(spec.memory, name)
        if isinstance(cells, CellMemory):
            yield ("read", name), cells.read, "energy_pj_per_bit"
            yield ("write", name), cells.write, "energy_pj_per_bit"
            yield ("area", name), cells.area, "area_um2_per_bit"
            yield ("leakage", name), cells.leakage, "power_uw_per_kb"
    for name, way in (("east_west", fabric.east_west), ("north_south", fabric.north_south), ("tile", fabric.tile)):
        yield ("hop", name), way.energy, "energy_pj_per_bit"
        yield ("delay", name), way.latency, "latency_ns"
    if fabric.wire is not None:
        yield ("wire",), fabric.wire, "energy_pj_per_bit_mm"
    yield ("pace",), fabric.link, "time_ns_per_flit"
    yield ("clock",), spec.clock, "energy_pj_per_cycle"
    yield ("static",), spec.static, "power_uw_per_core"


def rows(spec: ModelFile) -> dict[Name, int]:
    """The row of every constant; row 0 is nothing at all."""
    return {name: i for i, (name, _, _) in enumerate(_walk(spec), 1)}


def ends(constant: Any, key: str) -> tuple[float, float, float, int, int]:
    """low, nominal and high of one constant, an end that is not given is the nominal; and the weakest tag and basis of them."""
    nominal, low, high = getattr(constant, key), getattr(constant, "low", None), getattr(constant, "high", None)
    tag, basis = _TAG[constant.tag], _BASIS[constant.basis]
    for end in (low, high):
        if end is not None:
            tag, basis = max(tag, _TAG[end.tag]), max(basis, _BASIS[end.basis])
    return (
        nominal if low is None else getattr(low, key),
        nominal,
        nominal if high is None else getattr(high, key),
        tag,
        basis,
    )


class Constants:
    """values: float64[rows, 3], low, nominal and high; tag, basis: int64[rows], the weakest of the ends (`schema.TAGS`, `BASES`)."""

    def __init__(self, spec: ModelFile) -> None:
        found = [(0.0, 0.0, 0.0, 0, 0), *(ends(constant, key) for _, constant, key in _walk(spec))]
        self.values: NDArray[np.float64] = np.array([f[:3] for f in found])
        self.tag: NDArray[np.int64] = np.array([f[3] for f in found])
        self.basis: NDArray[np.int64] = np.array([f[4] for f in found])
