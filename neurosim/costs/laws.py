"""What one operation costs on one hardware model: the laws, and nothing about any network.

A law is a form: which rows of the model's constants (`neurosim.costs.constants`) are put together, and how. Forms hang on the
model's choices alone, and are kept; `Laws.energies` reckons all that were asked for at once. `CHARGED` and `FREE` together name every
action of `neurosim.ops`, so that nothing is free by oversight; `tests/test_pricing.py` holds that.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.constants import CURVES, Choices, Constants, Name, choices, ends, rows
from neurosim.costs.hardware import HardwareModel
from neurosim.costs.schema import TAGS, AnyMemory, CellMemory, RegisterMemory, SramMemory
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
_COMPUTED = TAGS.index("computed")


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


@lru_cache(maxsize=4096)
def quantity(constant: Any, key: str) -> Quantity:
    """One constant of a chip's file, with its ends; an end that is not given is the nominal."""
    return Quantity(*ends(constant, key))


class Term(NamedTuple):
    """(first + (second - minus x first) x at) x times, of two rows of constants; between: off the points that a source gives."""

    first: int
    second: int
    at: float
    times: float = 1.0
    minus: float = 1.0
    between: bool = False


class Price(NamedTuple):
    """What one operation costs: energy as a form (pJ), whose component it is, and how long it keeps which unit of a core busy.

    terms: up to two; the energy is their sum, times `times` (low, nominal, high). unit: the unit that is busy; `cycles` of it, low to
    high, on one core. A lane unit is there `lanes` times a core, any other once; the `port` of events takes one packet a cycle at
    every core. sizes: the (unit, width) it needs.
    """

    terms: tuple[Term, ...]
    times: tuple[float, float, float]
    component: str
    unit: str
    cycles: tuple[float, float, float]
    sizes: tuple[tuple[str, int], ...] = ()


ONE = (1.0, 1.0, 1.0)
LANE_UNITS = frozenset({"multiplier", "adder", "shifter", "comparator", "random lane"})
_NO_TERM = Term(0, 0, 0.0)


class Forms:
    """Forms of many prices, in arrays: [prices, 2 terms]."""

    def __init__(self, prices: Sequence[Price]) -> None:
        terms = [term for p in prices for term in (*p.terms, _NO_TERM, _NO_TERM)[:2]]
        table = np.array(terms, np.float64).reshape(-1, 2, len(Term._fields))  # rows of constants are few: exact
        self.first, self.second = table[:, :, 0].astype(np.int64), table[:, :, 1].astype(np.int64)
        self.at, self.by, self.minus = (np.ascontiguousarray(table[:, :, i, None]) for i in (2, 3, 4))
        self.between = table[:, :, 5].astype(np.int64) * _COMPUTED
        self.times = np.array([p.times for p in prices], np.float64).reshape(-1, 3)


class Graded(NamedTuple):
    """Energies, float64[n, 3] in pJ, and the weakest tag and basis behind each, int64[n]."""

    energy: NDArray[np.float64]
    tag: NDArray[np.int64]
    basis: NDArray[np.int64]


class Shape:
    """What models of equal choices share: rows of constants, and the forms found so far."""

    def __init__(self) -> None:
        self.rows: dict[Name, int] = {}
        self.prices: dict[tuple[str, int, int, str, int], Price] = {}


@lru_cache(maxsize=256)
def _shape(_: Choices) -> Shape:
    return Shape()


class Laws:
    """The laws of one model. rows: of its `constants`, by name. choices: all that forms hang on; shape: one object for equal choices."""

    def __init__(self, model: HardwareModel) -> None:
        self.model, self.spec = model, model.spec
        self.choices, self.constants = choices(model.spec), Constants(model.spec)
        self.shape = _shape(self.choices)
        if not self.shape.rows:
            self.shape.rows = rows(model.spec)
        self.rows: Mapping[Name, int] = self.shape.rows
        self.period_ns = 1000.0 / self.spec.core.clock_mhz

    def refuse(self, what: str, why: str) -> NoReturn:
        """Say what the model cannot price.

        Raises: NeurosimError, naming the model and its file.
        """
        msg = f"{what}: hardware model {self.model.name!r} {why} ({self.model.path})"
        raise NeurosimError(msg)

    def constant(self, *name: str) -> Quantity:
        """One constant of the model."""
        row = self.rows[name]
        table = self.constants
        low, nominal, high = table.values[row].tolist()
        return Quantity(low, nominal, high, int(table.tag[row]), int(table.basis[row]))

    def energies(self, forms: Forms) -> Graded:
        """Energy of one operation of each price; constants that cost it nothing have no say in its grade."""
        values, tag, basis = self.constants.values, self.constants.tag, self.constants.basis
        a, b = values[forms.first], values[forms.second]
        terms = (a + (b - forms.minus * a) * forms.at) * forms.by
        energy = (terms[:, 0] + terms[:, 1]) * forms.times
        paid = (terms[:, :, 2] > 0) & (energy[:, 2:] > 0)
        weak = np.maximum(np.maximum(tag[forms.first], tag[forms.second]), forms.between) * paid
        base = np.maximum(basis[forms.first], basis[forms.second]) * paid
        return Graded(energy, weak.max(axis=1), base.max(axis=1))

    def flit(self) -> Graded:
        """Energy of a flit over one hop east or west, one north or south, and at the last router."""
        fabric, table = self.spec.fabric, self.constants
        at = [self.rows["hop", way] for way in ("east_west", "north_south", "tile")]
        energy, tag, basis = table.values[at] * fabric.flit_bits, table.tag[at], table.basis[at]
        wire = self.rows.get(("wire",), 0)
        if wire:
            energy[:2] += table.values[wire] * (fabric.flit_bits * fabric.hop_mm)
            tag[:2], basis[:2] = np.maximum(tag[:2], table.tag[wire]), np.maximum(basis[:2], table.basis[wire])
        return Graded(energy, tag, basis)

    def arithmetic(self, unit: str, width: int, times: float = 1.0) -> Term:
        """Energy of so many `unit` operations; width is bits, or bits x by for a multiplication.

        Linear from the origin through the points of the curve; beyond the last its slope goes on. Off the points the tag is at best
        `computed`.
        """
        points = self.choices.curves[CURVES.index(unit)]
        if not points:
            self.refuse(f"action={unit!r}", f"has no energy.{unit}")
        xs = (0, *points)
        i = bisect_left(xs, width, 1, len(xs) - 1)
        first, second = self.rows[unit, "0"] + i - 2, self.rows[unit, "0"] + i - 1
        share = (width - xs[i - 1]) / (xs[i] - xs[i - 1])
        if share == 1:
            return Term(0, second, 1.0, times)
        return Term(first if i > 1 else 0, second, share, times, between=True)

    def price(self, action: str, bits: int, by: int, memory: str, context: int) -> Price:
        """What one such operation costs, of those in `CHARGED`. For packets the cycle at a port alone: `flit` prices their way.

        context: bits of the layer's accumulator (mac), bits of `memory` or of the table that a core of the layer holds.
        """
        key = action, bits, by, memory, context
        found = self.shape.prices.get(key)
        if found is None:
            found = self.shape.prices[key] = self._price(*key)
        return found

    def _price(self, action: str, bits: int, by: int, memory: str, context: int) -> Price:
        if action not in CHARGED:
            self.refuse(f"action={action!r}", "has no price for it")
        self._check(action, bits, by)
        if action in ("read", "write"):
            return self._access(action, bits, memory, context)
        if action in ("event", "error_code"):
            return Price((), ONE, "communication", "port", ONE)
        if action == "lut":
            return self._access("read", bits, "table", context)
        if action == "random_word":
            return self._random(bits)
        return self._arithmetic(action, bits, by, context)

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
            terms = self.arithmetic("multiply", bits * by), self.arithmetic("add", width)
            return Price(terms, ONE, "arithmetic", "multiplier", ONE, (("multiply", bits * by), ("add", width)))
        if action in ("multiply", "update_pair"):
            sizes = (("multiply", bits * by),)
            return Price((self.arithmetic("multiply", bits * by),), ONE, "arithmetic", "multiplier", ONE, sizes)
        if action == "divide":
            step, steps = (self.arithmetic("add", bits), self._register(2 * bits)), (float(bits),) * 3
            return Price(step, steps, "arithmetic", "divider", steps, (("divide", bits),))
        if action == "neuron_update":
            terms = self.arithmetic("add", bits), self.arithmetic("compare", bits, 2.0)
            return Price(terms, ONE, "arithmetic", "adder", ONE, (("add", bits), ("compare", bits)))
        unit = {"add": "adder", "shift": "shifter", "compare": "comparator"}[action]
        return Price((self.arithmetic(action, bits),), ONE, "arithmetic", unit, ONE, ((action, bits),))

    def _random(self, bits: int) -> Price:
        r = self.spec.random
        if bits >= r.mixer_bits:
            multiply = self.arithmetic("multiply", r.mixer_bits**2, r.mixer_multiplies)
            terms = multiply, self.arithmetic("logic", r.mixer_bits, r.mixer_xors)
            return Price(terms, ONE, "random", "mixer", ONE, (("mixer", r.mixer_bits),))
        lanes = math.ceil(bits / r.lane_bits)
        multiply = self.arithmetic("multiply", r.lane_bits**2, r.lane_multiplies)
        terms = multiply, self.arithmetic("add", r.lane_bits, r.lane_adds)
        return Price(terms, (float(lanes),) * 3, "random", "random lane", ONE, (("random lane", lanes),))

    def _register(self, bits: int) -> Term:
        return Term(0, self.rows["register",], 1.0, bits)

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
        component, row = COMPONENT_OF[memory], "weight" if memory == "weight_column" else memory
        if isinstance(how, RegisterMemory):
            # Read and written within the cycle of the operation that needs them.
            return Price((self._register(bits),), ONE, component, "register", (0.0, 0.0, 0.0))
        if isinstance(how, CellMemory):
            share = bits / how.row_bits
            terms = (Term(0, self.rows[action, row], 1.0, bits),)
            return Price(terms, ONE, component, f"{memory} memory", (share, share, share))
        words = self._words(how, action, bits, memory)
        word = self._word(how, action, max(how.macro_kb, held_bits / 8192), memory)
        return Price((word,), words, component, f"{row} memory", words)

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

    def _word(self, how: SramMemory, action: str, kb: float, memory: str) -> Term:
        """Energy of one word of a macro of `kb` (pJ): E(KB) of the law, times sqrt(word width / the law's width)."""
        sram = self.spec.sram
        if kb > sram.max_kb:
            self.refuse(f"memory={memory!r} of {kb:g} KB a core", f"has sram.max_kb={sram.max_kb:g}")
        root, width = math.sqrt(max(kb, sram.min_kb)), math.sqrt(how.word_bits / sram.word_bits)
        return Term(self.rows[action, "offset"], self.rows[action, "slope"], root, width, minus=0.0)


def laws_table() -> str:
    """How every action is charged, as a Markdown table; `docs/hardware_models.md` holds it word for word."""
    rows = [f"| `{name}` | {law} |" for name, law in CHARGED.items()]
    rows += [f"| `{name}` | free: {why} |" for name, why in FREE.items()]
    return "\n".join(["| action | price |", "|---|---|", *rows]) + "\n"
