"""What a network occupies and leaks on a hardware model: memories by the bits they hold, units by the widest operation.

A lane has one unit of each kind that its layer uses, as wide as the widest operation counted there. Routers, control
and wiring between cores are not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.costs.cost import Plot
from neurosim.costs.laws import COMPONENT_OF, Laws, Quantity, quantity, together
from neurosim.costs.schema import CellMemory, RegisterMemory, SramMemory
from neurosim.ops import Layout

_Pair = tuple[Quantity, Quantity]  # area (um2), leakage (uW)


class Floor:
    """Area by layer and component, and static power, of one layout on one model; prices of units are kept."""

    def __init__(
        self, layout: Layout, laws: Laws, cores: tuple[int, ...], copies: Mapping[tuple[int, str], int]
    ) -> None:
        self.laws, self.cores = laws, cores
        self._units: dict[tuple[str, int], _Pair] = {}
        self._bits: dict[str, tuple[_Pair, int]] = {}
        self._arrays: dict[object, _Pair] = {}
        self._leaks = [quantity(laws.spec.static, "power_uw_per_core").times(sum(cores))]
        self._plots: dict[tuple[int, str], Quantity] = {}
        bits: dict[tuple[int, str], int] = {}
        for h in layout.held:
            bits[h.layer, h.memory] = bits.get((h.layer, h.memory), 0) + h.words * h.bits * copies.get(
                (h.layer, h.memory), 1
            )
        for (layer, memory), n in bits.items():
            component, how = COMPONENT_OF[memory], laws.built(memory)
            area, leak = self._scaled("register", n) if isinstance(how, RegisterMemory) else self._array(how, n)
            _add(self._plots, (layer, component), area)
            self._leaks.append(leak)

    def built(self, sizes: Mapping[tuple[int, str], int]) -> tuple[tuple[Plot, ...], Quantity, Quantity]:
        """All plots, their sum, and the static power (uW), with the units of `sizes`: width by (layer, unit)."""
        plots, leaks = dict(self._plots), list(self._leaks)
        for (layer, unit), width in sizes.items():
            area, leak = self._unit(unit, width)
            number = self.cores[layer] * (1 if unit in ("divide", "mixer") else self.laws.spec.core.lanes)
            _add(plots, (layer, "random" if unit in ("mixer", "random lane") else "arithmetic"), area.times(number))
            leaks.append(leak.times(number))
        rows = tuple(Plot(*key, *plots[key][:3]) for key in sorted(plots))
        return rows, together(*plots.values()), together(*leaks)

    def _array(self, how: SramMemory | CellMemory, bits: int) -> _Pair:
        name: object = "sram" if isinstance(how, SramMemory) else id(how)
        if name not in self._arrays:
            of = how if isinstance(how, CellMemory) else self.laws.spec.sram
            self._arrays[name] = quantity(of.area, "area_um2_per_bit"), quantity(of.leakage, "power_uw_per_kb")
        area, leak = self._arrays[name]
        return area.times(bits), leak.times(bits / 8192)

    def _scaled(self, unit: str, width: int) -> _Pair:
        """One unit in proportion to its width (bits, or bits x by)."""
        if unit not in self._bits:
            found: Any = getattr(self.laws.spec.unit, unit)
            if found is None:
                self.laws.refuse(f"unit={unit!r}", f"has no unit.{unit}")
            pair = quantity(found, "area_um2"), quantity(found, "leakage_uw")
            self._bits[unit] = pair, found.bits * getattr(found, "by", 1)
        (area, leak), bits = self._bits[unit]
        return area.times(width / bits), leak.times(width / bits)

    def _unit(self, unit: str, width: int) -> _Pair:
        if (unit, width) not in self._units:
            parts = self._parts(unit, width)
            both = parts[0] if len(parts) == 1 else (together(*(a for a, _ in parts)), together(*(b for _, b in parts)))
            self._units[unit, width] = both
        return self._units[unit, width]

    def _parts(self, unit: str, width: int) -> list[_Pair]:
        r = self.laws.spec.random
        if unit == "divide":  # a restoring divider: one subtractor, and registers for remainder, divisor and quotient
            return [self._scaled("add", width), self._scaled("register", 3 * width)]
        if unit == "mixer":  # one multiplier and one xor, used in turn
            count, bits = 1, r.mixer_bits
        elif unit == "random lane":  # `width` lanes of lane_bits side by side
            count, bits = width, r.lane_bits
        else:
            return [self._scaled(unit, width)]
        uses = (("multiply", bits * bits, r.mixer_multiplies if unit == "mixer" else r.lane_multiplies),
                ("logic", bits, r.mixer_xors if unit == "mixer" else 0),
                ("add", bits, r.lane_adds if unit == "random lane" else 0))  # fmt: skip
        return [self._scaled(name, count * size) for name, size, used in uses if used]


def _add(plots: dict[tuple[int, str], Quantity], key: tuple[int, str], area: Quantity) -> None:
    old = plots.get(key)
    plots[key] = area if old is None else together(old, area)
