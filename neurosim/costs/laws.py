"""What one operation costs on one hardware model: the laws, and nothing about any network.

Every law returns a `Quantity`: low, nominal and high, with the weakest tag and basis of the constants it used (as
indices into `schema.TAGS` and `schema.BASES`; larger is weaker). `CHARGED` and `FREE` together name every action of
`neurosim.ops`, so that nothing is free by oversight; `tests/test_pricing.py` holds that.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from neurosim.costs.hardware import HardwareModel
from neurosim.costs.schema import BASES, TAGS, AnyMemory, CellMemory, RegisterMemory, SramMemory
from neurosim.errors import NeurosimError

CHARGED: Mapping[str, str] = {
    "event": "whole flits of header and bits x energy of each hop on its way, and of the last router at every core it reaches",
    "mac": "multiply(bits x by) + add(the wider of the product and the layer's accumulator)",
    "multiply": "linear between the points on bits x by, through the origin; the last slope goes on",
    "add": "linear between the points on bits, through the origin; the last slope goes on",
    "shift": "as add",
    "compare": "as add",
    "divide": "bits steps of add(bits) and two register accesses of bits (restoring division)",
    "lut": "one read of `bits` from the layer's table",
    "neuron_update": "add(bits) to round and two compare(bits) to saturate",
    "error_code": "as event, to the cores of every layer that receives it",
    "update_pair": "as multiply",
    "random_word": "mixer_bits and wider: one run of the mixer; narrower: its lanes' multiplies and additions",
    "read": "SRAM: words x E(KB) x sqrt(word / 64); registers and cells: bits x energy per bit",
    "write": "as read, with the law of writes",
}
FREE: Mapping[str, str] = {
    "synaptic_event": "a tally; its reads, writes and addition are counted and paid as such",
    "error_code_bit": "these bits are the payload that error_code pays for",
    "update_attempted": "a tally; its read, add and random word are counted and paid as such",
    "weight_changed": "a tally; its write is counted and paid as such",
}

COMPONENT_OF: Mapping[str, str] = {
    "weight": "weight memory",
    "weight_column": "weight memory",
    "feedback": "feedback memory",
    "accumulator": "state memory",
    "activation": "state memory",
    "address": "state memory",
    "gradient": "gradient memory",
    "table": "lookup",
    "target": "weight memory",
    "state": "state memory",
    "tag": "gradient memory",
    "spike": "state memory",
}
_TAG = {name: i for i, name in enumerate(TAGS)}
_BASIS = {name: i for i, name in enumerate(BASES)}
_COMPUTED = _TAG["computed"]


class Quantity(NamedTuple):
    """low, nominal and high of a cost, and the weakest tag and basis behind it."""

    low: float
    nominal: float
    high: float
    tag: int = 0
    basis: int = 0

    def times(self, factor: float) -> Quantity:
        """The quantity `factor` times; nothing at all keeps no grade."""
        if factor == 0:
            return NOTHING
        low, nominal, high, tag, basis = self
        return Quantity(low * factor, nominal * factor, high * factor, tag, basis)


NOTHING = Quantity(0.0, 0.0, 0.0)


def together(*parts: Quantity) -> Quantity:
    """The sum of the parts; its grade is the weakest of those that cost anything."""
    tag = basis = 0
    for part in parts:
        if part.high > 0:
            tag = max(tag, part.tag)  # a comparison is twice as fast as a call of max
            basis = max(basis, part.basis)
    if len(parts) == 2:
        a, b = parts
        return Quantity(a.low + b.low, a.nominal + b.nominal, a.high + b.high, tag, basis)
    low, nominal, high = zip(*(part[:3] for part in parts), strict=True) if parts else ((), (), ())
    return Quantity(math.fsum(low), math.fsum(nominal), math.fsum(high), tag, basis)


@lru_cache(maxsize=4096)  # models of a sweep share most of their constants, which are immutable
def quantity(constant: Any, key: str) -> Quantity:
    """One constant of a model file, with its ends; an end that is not given is the nominal."""
    nominal = getattr(constant, key)
    tag, basis, ends = _TAG[constant.tag], _BASIS[constant.basis], [nominal, nominal]
    for i, side in enumerate(("low", "high")):
        end = getattr(constant, side, None)
        if end is not None:
            ends[i] = getattr(end, key)
            tag, basis = max(tag, _TAG[end.tag]), max(basis, _BASIS[end.basis])
    return Quantity(ends[0], nominal, ends[1], tag, basis)


class Price(NamedTuple):
    """What one operation costs: energy (pJ), whose component it is, and how long it keeps which unit of a core busy.

    unit: the unit that is busy; `cycles` of it, low to high, on one core. A lane unit is there `lanes` times a core,
    any other once; the `port` of events takes one packet a cycle at every core. sizes: the (unit, width) it needs.
    """

    energy: Quantity
    component: str
    unit: str
    cycles: tuple[float, float, float]
    sizes: tuple[tuple[str, int], ...] = ()


ONE = (1.0, 1.0, 1.0)
LANE_UNITS = frozenset({"multiplier", "adder", "shifter", "comparator", "random lane"})


class _Curve:
    """Energy by width: linear from the origin through the points; beyond the last its slope goes on. Answers are kept."""

    def __init__(self, points: Sequence[Any]) -> None:
        self._known: dict[int, Quantity] = {}
        self.xs = [0.0, *(float(p.bits * getattr(p, "by", 1)) for p in points)]
        self.ys = [NOTHING, *(quantity(p, "energy_pj") for p in points)]

    def at(self, x: int) -> Quantity:
        """Energy at width x; off the points the tag is at best `computed`."""
        if x not in self._known:
            self._known[x] = self._between(x)
        return self._known[x]

    def _between(self, x: int) -> Quantity:
        i = bisect_left(self.xs, x, 1, len(self.xs) - 1)
        a, b = self.ys[i - 1], self.ys[i]
        share = (x - self.xs[i - 1]) / (self.xs[i] - self.xs[i - 1])
        if share == 1:
            return b
        low, nominal = a.low + (b.low - a.low) * share, a.nominal + (b.nominal - a.nominal) * share
        high = a.high + (b.high - a.high) * share
        return Quantity(low, nominal, high, max(a.tag, b.tag, _COMPUTED), max(a.basis, b.basis))


@lru_cache(maxsize=256)
def _curve(points: tuple[Any, ...]) -> _Curve:
    return _Curve(points)


class Laws:
    """The laws of one model. `price` is pure; whoever calls it often keeps the answers."""

    def __init__(self, model: HardwareModel) -> None:
        self.model, self.spec = model, model.spec
        lists = {k: getattr(model.spec.energy, k) for k in ("add", "multiply", "shift", "compare", "logic")}
        self._curves = {name: _curve(tuple(points)) for name, points in lists.items() if points}
        self.period_ns = 1000.0 / self.spec.core.clock_mhz
        sram = self.spec.sram
        self._sram = {
            name: (quantity(law, "offset_pj"), quantity(law, "slope_pj_per_sqrt_kb"))
            for name, law in (("read", sram.read), ("write", sram.write))
        }

    def refuse(self, what: str, why: str) -> NoReturn:
        """Say what the model cannot price.

        Raises: NeurosimError, naming the model and its file.
        """
        msg = f"{what}: hardware model {self.model.name!r} {why} ({self.model.path})"
        raise NeurosimError(msg)

    def arithmetic(self, unit: str, width: int) -> Quantity:
        """Energy of one `unit` operation; width is bits, or bits x by for a multiplication."""
        curve = self._curves.get(unit)
        if curve is None:
            self.refuse(f"action={unit!r}", f"has no energy.{unit}")
        return curve.at(width)

    def price(self, action: str, bits: int, by: int, memory: str, context: int) -> Price:
        """What one such operation costs, of those in `CHARGED`. For packets the cycle at a port alone: `flit` prices their way.

        context: bits of the layer's accumulator (mac), bits of `memory` or of the table that a core of the layer holds.
        """
        if action not in CHARGED:
            self.refuse(f"action={action!r}", "has no price for it")
        self._check(action, bits, by)
        if action in ("read", "write"):
            return self._access(action, bits, memory, context)
        if action in ("event", "error_code"):
            return Price(NOTHING, "communication", "port", ONE)
        if action == "lut":
            return self._access("read", bits, "table", context)
        if action == "random_word":
            return self._random(bits)
        return self._arithmetic(action, bits, by, context)

    def flit(self) -> tuple[Quantity, Quantity, Quantity]:
        """Energy of a flit over one hop east or west, one north or south, and at the last router (pJ)."""
        fabric = self.spec.fabric
        bits = fabric.flit_bits
        east_west, north_south, tile = (
            quantity(way.energy, "energy_pj_per_bit").times(bits)
            for way in (fabric.east_west, fabric.north_south, fabric.tile)
        )
        if fabric.wire is not None:
            wire = quantity(fabric.wire, "energy_pj_per_bit_mm").times(bits * fabric.hop_mm)
            east_west, north_south = together(east_west, wire), together(north_south, wire)
        return east_west, north_south, tile

    def _check(self, action: str, bits: int, by: int) -> None:
        widest = self.spec.core.max_bits
        product = action in ("mac", "multiply", "update_pair")
        if (bits < 1 and action != "event") or (by < 1 and product):
            self.refuse(f"action={action!r} with bits={bits}, by={by}", "prices widths of at least 1 bit")
        if max(bits, by) > widest:
            self.refuse(f"action={action!r} with bits={bits}, by={by}", f"has core.max_bits={widest}")

    def _arithmetic(self, action: str, bits: int, by: int, accumulator: int) -> Price:
        if action == "mac":
            width = max(bits + by, accumulator)
            energy = together(self.arithmetic("multiply", bits * by), self.arithmetic("add", width))
            return Price(energy, "arithmetic", "multiplier", ONE, (("multiply", bits * by), ("add", width)))
        if action in ("multiply", "update_pair"):
            sizes = (("multiply", bits * by),)
            return Price(self.arithmetic("multiply", bits * by), "arithmetic", "multiplier", ONE, sizes)
        if action == "divide":
            step = together(self.arithmetic("add", bits), self._register(2 * bits))
            return Price(step.times(bits), "arithmetic", "divider", (bits, bits, bits), (("divide", bits),))
        if action == "neuron_update":
            energy = together(self.arithmetic("add", bits), self.arithmetic("compare", bits).times(2))
            return Price(energy, "arithmetic", "adder", ONE, (("add", bits), ("compare", bits)))
        unit = {"add": "adder", "shift": "shifter", "compare": "comparator"}[action]
        return Price(self.arithmetic(action, bits), "arithmetic", unit, ONE, ((action, bits),))

    def _random(self, bits: int) -> Price:
        r = self.spec.random
        if bits >= r.mixer_bits:
            multiply = self.arithmetic("multiply", r.mixer_bits**2).times(r.mixer_multiplies)
            energy = together(multiply, self.arithmetic("logic", r.mixer_bits).times(r.mixer_xors))
            return Price(energy, "random", "mixer", ONE, (("mixer", r.mixer_bits),))
        lanes = math.ceil(bits / r.lane_bits)
        multiply = self.arithmetic("multiply", r.lane_bits**2).times(r.lane_multiplies)
        energy = together(multiply, self.arithmetic("add", r.lane_bits).times(r.lane_adds)).times(lanes)
        return Price(energy, "random", "random lane", ONE, (("random lane", lanes),))

    def _register(self, bits: int) -> Quantity:
        return quantity(self.spec.register, "energy_pj_per_bit").times(bits)

    def built(self, memory: str) -> AnyMemory:
        """How the model builds a memory.

        Raises: NeurosimError if it does not.
        """
        row = "weight" if memory == "weight_column" else memory
        found: AnyMemory | None = getattr(self.spec.memory, row, None)
        if found is None:
            self.refuse(f"memory={memory!r}", f"has no memory.{row}")
        return found

    def _access(self, action: str, bits: int, memory: str, held_bits: int) -> Price:
        how = self.built(memory)
        component = COMPONENT_OF[memory]
        if isinstance(how, RegisterMemory):
            # Read and written within the cycle of the operation that needs them.
            return Price(self._register(bits), component, "register", (0.0, 0.0, 0.0))
        if isinstance(how, CellMemory):
            energy = quantity(how.read if action == "read" else how.write, "energy_pj_per_bit").times(bits)
            share = bits / how.row_bits
            return Price(energy, component, f"{memory} memory", (share, share, share))
        words = self._words(how, action, bits, memory)
        word = self.word_energy(how, action, max(how.macro_kb, held_bits / 8192), memory)
        energy = Quantity(word.low * words[0], word.nominal * words[1], word.high * words[2], word.tag, word.basis)
        return Price(energy, component, f"{'weight' if memory == 'weight_column' else memory} memory", words)

    def _words(self, how: SramMemory, action: str, bits: int, memory: str) -> tuple[float, float, float]:
        """How many words one access pays for: a share of one where neighbours share it, else whole ones."""
        whole = float(math.ceil(bits / how.word_bits))
        share = bits / how.word_bits
        mode = how.read if action == "read" else how.write
        if memory == "weight_column" and self.spec.core.column_read == "word":
            mode = "word"
        if mode == "packed":
            return share, share, share
        if mode == "masked" and share < 1:  # whether neighbours are written in the same cycle is not known
            return share, math.sqrt(share), whole
        return whole, whole, whole

    def word_energy(self, how: SramMemory, action: str, kb: float, memory: str) -> Quantity:
        """Energy of one word of a macro of `kb` (pJ): E(KB) of the law, times sqrt(word width / the law's width)."""
        sram = self.spec.sram
        if kb > sram.max_kb:
            self.refuse(f"memory={memory!r} of {kb:g} KB a core", f"has sram.max_kb={sram.max_kb:g}")
        a, b = self._sram[action]
        root, width = math.sqrt(max(kb, sram.min_kb)), math.sqrt(how.word_bits / sram.word_bits)
        low, nominal, high = a.low + b.low * root, a.nominal + b.nominal * root, a.high + b.high * root
        return Quantity(low * width, nominal * width, high * width, a.tag, a.basis)


def laws_table() -> str:
    """How every action is charged, as a Markdown table; `docs/hardware_models.md` holds it word for word."""
    rows = [f"| `{name}` | {law} |" for name, law in CHARGED.items()]
    rows += [f"| `{name}` | free: {why} |" for name, why in FREE.items()]
    return "\n".join(["| action | price |", "|---|---|", *rows]) + "\n"
