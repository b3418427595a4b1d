"""What a network occupies and leaks on a hardware model: memories by the bits they hold, units by the widest operation.

A lane has one unit of each kind that its layer uses, as wide as the widest operation counted there. Routers, control
and wiring between cores are not modelled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from neurosim.costs.constants import UNITS
from neurosim.costs.cost import Plot
from neurosim.costs.laws import COMPONENT_OF, Laws, Quantity
from neurosim.costs.mapping import Plan
from neurosim.costs.schema import CellMemory, RegisterMemory

_Piece = tuple[str, float]
"""Of what constant of area and leakage, how many times."""
_SINGLE = ("divide", "mixer")
"""Units that a core has one of, however many lanes."""


class Floor:
    """Area by layer and component, and static power, of one plan with units of given widths, as forms over constants.

    sizes: width by (layer, unit). Forms hang on the model's choices alone; how many lanes there are is asked for when all is built.

    Raises: NeurosimError if the model lacks a memory or the size of a unit.
    """

    def __init__(self, plan: Plan, laws: Laws, sizes: Mapping[tuple[int, str], int]) -> None:
        pieces: list[tuple[tuple[int, str], str, float]] = []
        cores: list[int] = []
        laned: list[bool] = []
        for (layer, memory), bits in _held(plan).items():
            how, component = laws.built(memory), COMPONENT_OF[memory]
            if isinstance(how, RegisterMemory):
                pieces += [((layer, component), *_scaled(laws, "register", bits))]
            else:
                pieces += [((layer, component), memory if isinstance(how, CellMemory) else "sram", float(bits))]
        cores += [1] * len(pieces)
        laned += [False] * len(pieces)
        for (layer, unit), width in sizes.items():
            component = "random" if unit in ("mixer", "random lane") else "arithmetic"
            parts = [((layer, component), name, n) for name, n in _parts(laws, unit, width)]
            pieces += parts
            cores += [plan.own[layer]] * len(parts)
            laned += [unit not in _SINGLE] * len(parts)
        self.keys = tuple(sorted({key for key, _, _ in pieces}))
        at = {key: i for i, key in enumerate(self.keys)}
        self._into = np.array([at[key] for key, _, _ in pieces], np.int64), np.arange(len(pieces))
        self._sizes, self._cores = np.array([n for _, _, n in pieces]), np.array(cores, np.int64)
        self._laned = np.array(laned, np.bool_)
        self._areas = np.array([laws.rows["area", name] for _, name, _ in pieces], np.int64)
        # Static power of cores first; leakage of memories is by the KB.
        leaks = [("static",), *(("leakage", name) for _, name, _ in pieces)]
        self._leaks = np.array([laws.rows[name] for name in leaks], np.int64)
        self._by = np.array([1.0, *(1.0 if name in UNITS else 1 / 8192 for _, name, _ in pieces)])
        self._all_cores = float(sum(plan.own))

    def built(self, laws: Laws) -> tuple[tuple[Plot, ...], Quantity, Quantity]:
        """All plots, their sum, and the static power (uW)."""
        table = laws.constants
        times = self._sizes * (self._cores * np.where(self._laned, laws.spec.core.lanes, 1))
        into = np.zeros((len(self.keys), len(times)))
        into[self._into] = times
        areas = table.values[self._areas]
        leaks = table.values[self._leaks] * (np.append(self._all_cores, times) * self._by)[:, None]
        plots = np.einsum("pk,ke->pe", into, areas)
        rows = tuple(Plot(*key, *band) for key, band in zip(self.keys, plots.tolist(), strict=True))
        sums = [_summed(values, laws, at) for values, at in ((plots, self._areas), (leaks, self._leaks))]
        return rows, sums[0], sums[1]


def _summed(values: np.ndarray, laws: Laws, rows: np.ndarray) -> Quantity:
    """The sum over rows, and the weakest grade of the constants in it that are not 0."""
    table = laws.constants
    paid = table.values[rows, 2] > 0
    low, nominal, high = (math.fsum(end) for end in values.T.tolist())
    return Quantity(
        low, nominal, high, int((table.tag[rows] * paid).max(initial=0)), int((table.basis[rows] * paid).max(initial=0))
    )


def _held(plan: Plan) -> dict[tuple[int, str], int]:
    bits: dict[tuple[int, str], int] = {}
    for h in plan.layout.held:
        here = h.layer, h.memory
        bits[here] = bits.get(here, 0) + h.words * h.bits * plan.copies.get(here, 1)
    return bits


def _scaled(laws: Laws, unit: str, width: float) -> _Piece:
    """One unit in proportion to its width (bits, or bits x by)."""
    told = laws.choices.units[UNITS.index(unit)]
    if not told:
        laws.refuse(f"unit={unit!r}", f"has no unit.{unit}")
    return unit, width / told


def _parts(laws: Laws, unit: str, width: int) -> Sequence[_Piece] | Iterator[_Piece]:
    r = laws.spec.random
    if unit == "divide":  # a restoring divider: one subtractor, and registers for remainder, divisor and quotient
        return [_scaled(laws, "add", width), _scaled(laws, "register", 3 * width)]
    if unit == "mixer":  # one multiplier and one xor, used in turn
        count, bits = 1, r.mixer_bits
    elif unit == "random lane":  # `width` lanes of lane_bits side by side
        count, bits = width, r.lane_bits
    else:
        return [_scaled(laws, unit, width)]
    uses = (("multiply", bits * bits, r.mixer_multiplies if unit == "mixer" else r.lane_multiplies),
            ("logic", bits, r.mixer_xors if unit == "mixer" else 0),
            ("add", bits, r.lane_adds if unit == "random lane" else 0))  # fmt: skip
    return [_scaled(laws, name, count * size) for name, size, used in uses if used]
