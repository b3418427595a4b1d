"""What an expression or statement of Brian2 takes on a chip of integers: operations and words read, from its text alone.

Numbers known before a run are folded: however many of them stand in a product, they are one factor. A product of a word
with a number is a multiplication and a shift, as a leak or flow is in docs/spiking.md 2; with a literal power of two a shift
alone. A sum of k words takes k - 1 additions, a comparison one `compare`, a logical value selects and costs nothing, and
functions without a circuit are looked up in a table.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from neurosim.errors import NeurosimError

TICK_BITS = 32
OURS = "_neurosim_"
"""What names begin with that this package adds to a user's code."""
_RANDOM_BITS = 64
_FREE = frozenset({"int", "bool", "floor", "ceil", "rint"})
_DRAWN = frozenset({"rand", "randn", "poisson", "binomial"})
_TABLES = frozenset((
    "exp", "expm1", "log", "log10", "log1p", "exprel", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
))  # fmt: skip


Key = tuple[str, str, str]
"""Where a word is: the side (`own`, `pre`, `post` or `synapse`), the Brian2 object and the variable."""


class Value(NamedTuple):
    """What an expression comes to: a `number` known before the run, a logical `flag`, or a `word` of bits.

    fixed: a word that nothing changes, whose reciprocal can be kept; scaled: a product with a number, which takes another for nothing;
    key: of the word in memory that must be read for it.
    """

    kind: str
    bits: int = 1
    fixed: bool = False
    scaled: bool = False
    key: Key | None = None


class Inner(NamedTuple):
    """A name that stands for an expression, whose names mean what `resolve` says."""

    expression: str
    resolve: Resolve


Resolve = Callable[[str], Value | Inner]
NUMBER = Value("number")
FLAG = Value("flag")


@dataclass
class Work:
    """Operations, and bits of the words read by their keys. notes: functions that were counted as tables.

    numbers: bits of a number in a product; product: the action that multiplies two words; tables: whether any is looked up in.
    """

    numbers: int
    product: str = "multiply"
    ops: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    reads: dict[Key, int] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    tables: bool = False

    def add(self, action: str, bits: int, by: int = 0, times: int = 1) -> None:
        """Count an action."""
        if times:
            self.ops[action, bits, by] += times


class Reader:
    """Evaluates expressions into `Work`. named: for messages, whose code it is."""

    def __init__(self, work: Work, resolve: Resolve, named: str) -> None:
        self.work, self.resolve, self.named = work, resolve, named
        self._inner: dict[str, Value] = {}

    def expression(self, text: str) -> Value:
        """Count what an expression takes."""
        return self.value(parsed(text, self.named)[0])

    def step(self, text: str, bits: int) -> None:
        """Count x <- x + dt * expression, of a state of so many bits, rounded and saturated; dt joins numbers that are factors."""
        tree = parsed(text, self.named)[0]
        found = self.value(tree)
        if found.kind != "number" and not self._scales(tree, found):
            self._by_number(max(bits, found.bits))
        self.work.add("add", max(bits, found.bits))
        self.work.add("neuron_update", max(bits, found.bits))

    def _scales(self, tree: ast.expr, found: Value) -> bool:
        if found.scaled or found.kind == "flag":
            return True
        terms = _terms(tree)
        quiet = Reader(Work(self.work.numbers), self.resolve, self.named)
        return len(terms) > 1 and all(v.scaled or v.kind != "word" for v in map(quiet.value, terms))

    def value(self, node: ast.expr) -> Value:  # noqa: PLR0911
        """Count what a parsed expression takes."""
        match node:
            case ast.Constant():
                return NUMBER
            case ast.Name():
                return self._name(node.id)
            case ast.UnaryOp():
                found = self.value(node.operand)
                return FLAG if isinstance(node.op, ast.Not) and found.kind != "number" else found
            case ast.BoolOp():
                return _together([self.value(v) for v in node.values], "flag")
            case ast.Compare():
                return self._compare(node)
            case ast.Call():
                return self._call(node)
            case ast.BinOp():
                return self._binary(node)
        raise NeurosimError(f"{self.named}: {ast.unparse(node)!r}: is no expression of Brian2 that can be counted")

    def _name(self, name: str) -> Value:
        if name in ("True", "False"):
            return NUMBER
        if name == "xi" or name.startswith("xi_"):
            self._draw("randn")
            return Value("word", 16)
        found = self.resolve(name)
        if isinstance(found, Inner):
            if name not in self._inner:
                other = Reader(self.work, found.resolve, self.named)
                other._inner = self._inner if found.resolve is self.resolve else {}
                self._inner[name] = other.expression(found.expression)
            return self._inner[name]
        if found.key is not None:
            self.work.reads[found.key] = found.bits
        return found

    def _binary(self, node: ast.BinOp) -> Value:
        if isinstance(node.op, ast.Add | ast.Sub):
            values = [self.value(term) for term in _terms(node)]
            moving = [v for v in values if v.kind != "number"]
            if not moving:
                return NUMBER
            bits = max(v.bits for v in moving)
            self.work.add("add", bits, times=len(moving) - (len(moving) == len(values)))
            return Value("word", bits)
        if isinstance(node.op, ast.Mult | ast.Div):
            return self._product(node)
        left, right = self.value(node.left), self.value(node.right)
        if left.kind == right.kind == "number":
            return NUMBER
        bits = max(left.bits, right.bits)
        if isinstance(node.op, ast.Pow):
            power = node.right.value if isinstance(node.right, ast.Constant) else None
            if isinstance(power, int) and power > 0:
                self.work.add("multiply", left.bits, left.bits, power - 1)
            else:
                self._table(bits, "**")
        elif isinstance(node.op, ast.FloorDiv | ast.Mod):
            if _power_of_two(node.right):
                self.work.add("shift", bits, times=isinstance(node.op, ast.FloorDiv))
            else:
                self.work.add("divide", bits)
        else:
            self.work.add("add", bits)
        return Value("word", bits)

    def _product(self, node: ast.BinOp) -> Value:
        above, below = _factors(node)
        values = [self.value(f) for f in above]
        divisors = [self.value(f) for f in below]
        numbers = [f for f, v in zip((*above, *below), (*values, *divisors), strict=True) if v.kind == "number"]
        words = [v for v in values if v.kind == "word"] + [v for v in divisors if v.kind == "word" and v.fixed]
        divided = [v for v in divisors if v.kind == "word" and not v.fixed]
        flags = [v for v in values if v.kind == "flag"]
        if not words and not divided:
            if len(flags) == 1 and all(map(_is_one, numbers)):
                return FLAG
            return Value("word", self.work.numbers, scaled=True) if flags else NUMBER
        bits = max(v.bits for v in (*words, *divided))
        for one, other in pairwise(words):
            self.work.add(self.work.product, max(one.bits, other.bits), min(one.bits, other.bits))
        for _ in divided:
            self.work.add("divide", bits)
        factors = [f for f in numbers if not _is_one(f)]
        if factors and all(map(_power_of_two, factors)):
            self.work.add("shift", bits)
        elif factors and words:
            self._by_number(bits)
        scaled = bool(factors) and not all(map(_power_of_two, factors))
        only = len(words) == 1 and not divided and not factors
        return Value("word", bits, fixed=only and words[0].fixed, scaled=scaled or (only and words[0].scaled))

    def _by_number(self, bits: int) -> None:
        self.work.add("multiply", bits, self.work.numbers)
        self.work.add("shift", bits + self.work.numbers)

    def _compare(self, node: ast.Compare) -> Value:
        values = [self.value(v) for v in (node.left, *node.comparators)]
        found = _together(values, "flag")
        if any(v.kind == "word" for v in values):
            self.work.add("compare", max(v.bits for v in values), times=len(node.ops))
        return found

    def _call(self, node: ast.Call) -> Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        values = [self.value(a) for a in node.args]
        if name in _DRAWN:
            self._draw(name)
            return Value("word", 16)
        found = _together(values, "word")
        if values and found.kind == "number":
            return NUMBER
        if name in _FREE:
            return FLAG if len(values) == 1 and values[0].kind == "flag" else found
        if name in ("clip", "abs", "sign"):
            self.work.add("compare", found.bits, times=2 if name == "clip" else 1)
            return found
        if name == "timestep":
            return Value("word", TICK_BITS)
        self._table(found.bits if values else self.work.numbers, name)
        return Value("word", max(found.bits, 2))

    def _draw(self, name: str) -> None:
        self.work.add("random_word", _RANDOM_BITS)
        if name != "rand":
            self._table(16, name)

    def _table(self, bits: int, name: str) -> None:
        self.work.add("lut", bits)
        self.work.tables = True
        if name not in _TABLES:
            self.work.notes.add(f"{self.named}: {name} is counted as a look-up in a table")


class Statement(NamedTuple):
    """One line of code. operation: of an augmented assignment, + or - or *; "" of a plain one."""

    target: str
    operation: str
    expression: ast.expr
    names: frozenset[str]


_SYMBOLS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.FloorDiv: "//", ast.Mod: "%"}


def statements(code: str, named: str) -> list[Statement]:
    """The lines of a block of code but for this package's own. Raises NeurosimError for what is no assignment to a name."""
    found = []
    lines = "\n".join(line.strip() for line in code.splitlines())
    for node in _tree(lines, named).body:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            target, operation = node.target.id, _SYMBOLS.get(type(node.op), "?")
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            target, operation = node.targets[0].id, ""
        else:
            raise NeurosimError(f"{named}: {ast.unparse(node)!r}: is no assignment to one variable")
        if not target.startswith(OURS):
            found.append(Statement(target, operation, node.value, names_in(node.value)))
    return found


def names_in(tree: ast.AST) -> frozenset[str]:
    """The names in an expression, those of functions left out."""
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name)) - called


def parsed(text: str, named: str) -> tuple[ast.expr, frozenset[str]]:
    """An expression and the names in it."""
    body = _tree(f"({text.strip()}\n)", named).body
    assert isinstance(body[0], ast.Expr)
    return body[0].value, names_in(body[0])


def _tree(text: str, named: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise NeurosimError(f"{named}: {text.strip()!r}: cannot be read ({error.msg})") from None


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return _terms(node.left) + _terms(node.right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _terms(node.operand)
    return [node]


def _factors(node: ast.expr) -> tuple[list[ast.expr], list[ast.expr]]:
    """What a product multiplies, and what it divides by."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _factors(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        (a, b), (c, d) = _factors(node.left), _factors(node.right)
        return (a + c, b + d) if isinstance(node.op, ast.Mult) else (a + d, b + c)
    return [node], []


def _is_one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (1, 1.0)


def _power_of_two(node: ast.expr) -> bool:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, int | float) or node.value <= 0:
        return False
    return float(node.value).hex().split("p")[0] == "0x1.0000000000000"


def _together(values: list[Value], kind: str) -> Value:
    if all(v.kind == "number" for v in values):
        return NUMBER
    bits = max(v.bits for v in values)
    return FLAG if kind == "flag" else Value("word", bits)
