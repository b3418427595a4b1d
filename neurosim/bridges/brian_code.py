"""Brian2's groups, synapses and their code, read into the work that a chip does in a tick, at a spike and at a synaptic event.

Nothing is run here. What cannot be counted is refused by the name of its object.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.bridges.brian_arithmetic import (
    FLAG,
    NUMBER,
    TICK_BITS,
    Inner,
    Key,
    Reader,
    Resolve,
    Statement,
    Value,
    Work,
    statements,
)
from neurosim.errors import NeurosimError
from neurosim.formats import check_whole
from neurosim.spiking.held import address_bits

DEFAULT_BITS: Mapping[str, int] = {"weight": 8, "state": 16, "synaptic": 16, "number": 8}
"""Bits of words where nothing else is said: weights, neurons' variables, other variables of synapses, and numbers in products."""


class Words:
    """Widths: of a kind (`DEFAULT_BITS`), or of `OBJECT.VARIABLE`. Raises NeurosimError for names that nothing has."""

    def __init__(self, bits: Mapping[str, int] | int | None, known: Iterable[str]) -> None:
        given = dict(bits or {}) if bits is None or isinstance(bits, Mapping) else {"weight": bits}
        names = frozenset(known)
        for key, value in given.items():
            if key not in DEFAULT_BITS and key not in names:
                kinds = ", ".join(DEFAULT_BITS)
                raise NeurosimError(
                    f"bits: {key!r}: must be {kinds}, or OBJECT.VARIABLE such as {min(names, default='neurons.v')}"
                )
            check_whole(f"bits of {key}", value, 1, 32)
        self.bits = {**DEFAULT_BITS, **given}

    def of(self, thing: str, variable: str, kind: str) -> int:
        """Bits of a variable of an object."""
        return self.bits.get(f"{thing}.{variable}", self.bits[kind])


@dataclass
class Block:
    """What some code does once: its work, and the words that it writes; of those, the ones that it adds to."""

    work: Work
    writes: dict[Key, int] = field(default_factory=dict)
    adds: set[Key] = field(default_factory=set)


@dataclass
class GroupCode:
    """A group: what a neuron does in a tick and at an event. tick: (clock's dt, neurons, block); outside: its spikes come from elsewhere.

    waits: bits of the refractory counter, 0 for none; refractory: its time steps, where they are known.
    """

    group: Any
    name: str
    n: int
    outside: bool
    tick: list[tuple[float, int, Block]] = field(default_factory=list)
    at: dict[str, Block] = field(default_factory=dict)
    waits: int = 0
    refractory: int = 0


@dataclass
class PathwayCode:
    """What spikes do at synapses that they reach: forward, to neurons; update, to the synapses themselves. assigns: whether it learns."""

    pathway: Any
    side: str
    forward: Block
    update: Block
    assigns: bool = False


@dataclass
class SynapsesCode:
    """A Synapses object. weights: variables held as weights; ages: whether variables decay from event to event.

    compared: weights that code alone assigns, so that a comparison there tells how often they change; moved: those that an equation moves.
    """

    synapses: Any
    name: str
    weights: tuple[str, ...]
    pathways: list[PathwayCode] = field(default_factory=list)
    tick: list[tuple[float, Block]] = field(default_factory=list)
    ages: bool = False
    compared: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    @property
    def plastic(self) -> bool:
        """Whether spikes or time change its variables."""
        return any(p.assigns for p in self.pathways) or bool(self.tick)


def base(group: Any) -> Any:
    """The whole group of a subgroup."""
    whole = group.__class__.__name__.endswith("Subgroup")  # through a weak reference too
    return group.source if whole else group


def _value(variable: Any, side: str, words: Words, resolve: Callable[[Any], Resolve]) -> Value | Inner:
    """What a variable of Brian2 is to an expression."""
    from brian2.core.variables import ArrayVariable, Subexpression

    if isinstance(variable, Subexpression):
        return Inner(variable.expr, resolve(variable.owner))
    if not isinstance(variable, ArrayVariable) or variable.scalar:
        return NUMBER
    if np.dtype(variable.dtype) == np.bool_:
        return FLAG
    thing, name = variable.owner.name, variable.name
    kind = "synaptic" if side == "synapse" else "state"
    bits = TICK_BITS if name in ("lastspike", "lastupdate") else words.of(thing, name, kind)
    return Value("word", bits, fixed=bool(variable.constant), key=(side, thing, name))


def of_group(group: Any, words: Words, side: str = "own") -> Resolve:
    """What names mean in the code of a group."""

    def resolve(name: str) -> Value | Inner:
        if name in ("t", "t_in_timesteps"):
            return Value("word", TICK_BITS)
        if name == "i":
            return Value("word", address_bits(len(group)))
        variable = group.variables.get(name)
        if variable is None:
            return NUMBER
        return _value(variable, side, words, lambda owner: of_group(owner, words, side))

    return resolve


def of_synapses(synapses: Any, words: Words, weights: tuple[str, ...]) -> Resolve:
    """What names mean in the code of synapses."""
    sides = {"_presynaptic_idx": "pre", "_postsynaptic_idx": "post"}

    def resolve(name: str) -> Value | Inner:
        if name in ("t", "t_in_timesteps"):
            return Value("word", TICK_BITS)
        if name in ("i", "j"):
            return Value("word", address_bits(len(synapses.source if name == "i" else synapses.target)))
        variable = synapses.variables.get(name)
        if variable is None:
            return NUMBER
        side = sides.get(synapses.variables.indices[name], "synapse")
        if side != "synapse" and variable.owner is not None and variable.owner.name == synapses.name:
            side = "synapse"
        found = _value(
            variable, side, words, lambda owner: resolve if side == "synapse" else of_group(owner, words, side)
        )
        if side == "synapse" and name in weights and isinstance(found, Value):
            return found._replace(bits=words.of(synapses.name, name, "weight"))
        return found

    return resolve


class _Runner:
    """Statements one after the other, with their local names."""

    def __init__(self, resolve: Resolve, numbers: int, named: str) -> None:
        self.outer, self.numbers, self.named = resolve, numbers, named
        self.local: dict[str, Value] = {}

    def resolve(self, name: str) -> Value | Inner:
        """Local names first."""
        return self.local[name] if name in self.local else self.outer(name)

    def run(self, statement: Statement, block: Block, known: Any, *, saturates: bool) -> None:
        """Count a statement into a block. known: the variables; saturates: whether the result is rounded and saturated."""
        work = block.work
        value = Reader(work, self.resolve, self.named).value(statement.expression)
        target = self.resolve(statement.target) if statement.target in known or statement.operation else NUMBER
        if isinstance(target, Inner):
            raise NeurosimError(f"{self.named}: assigns the subexpression {statement.target}")
        bits, operation = max(value.bits, target.bits), statement.operation
        if operation in ("+", "-"):
            work.add("add", bits)
        elif operation in ("*", "/") and value.kind == "number":
            work.add("multiply", bits, self.numbers)
            work.add("shift", bits + self.numbers)
        elif operation in ("/", "//", "%"):
            work.add("divide", bits)
        elif operation:
            work.add("multiply", bits, bits)
        tree = statement.expression
        clipped = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "clip"
        computed = value.kind == "word" and not clipped and not isinstance(tree, ast.Name)
        if saturates and (operation or computed):
            work.add("neuron_update", bits)
        if statement.target not in known:
            self.local[statement.target] = value._replace(key=None, fixed=False, scaled=False)
            return
        if target.key is not None:
            block.writes[target.key] = target.bits
            if operation:
                work.reads[target.key] = target.bits
            if operation in ("+", "-"):
                block.adds.add(target.key)


def read_group(group: Any, regular: Iterable[Any], words: Words, *, outside: bool) -> GroupCode:
    """A group's code. regular: what runs regularly on it; outside: a PoissonGroup or SpikeGeneratorGroup."""
    found = GroupCode(group, group.name, len(group), outside)
    numbers, resolve = words.bits["number"], of_group(group, words)
    if outside:
        return found
    block = Block(Work(numbers))
    reader = Reader(block.work, resolve, group.name)
    for equation in group.user_equations.values():
        kept = equation.type == "subexpression" and "constant over dt" in equation.flags
        if equation.type != "differential equation" and not kept:
            continue
        value = resolve(equation.varname)
        assert isinstance(value, Value)
        if kept:
            reader.expression(equation.expr.code)
        else:
            reader.step(equation.expr.code, value.bits)
        if value.key is not None:
            block.writes[value.key] = value.bits
            if not kept:
                block.work.reads[value.key] = value.bits
    for condition in group.events.values():
        reader.expression(condition)
    found.waits, found.refractory = _refractory(group, reader, words)
    found.tick = [(float(group.clock.dt_), found.n, block)]
    for one in regular:
        code = _code(one.abstract_code, one.group, of_group(one.group, words), numbers)
        found.tick.append((float(one.clock.dt_), len(one.group), code))
    for event, code in group.event_codes.items():
        found.at[event] = _code(code or "", group, resolve, numbers)
    return found


def _refractory(group: Any, reader: Reader, words: Words) -> tuple[int, int]:
    """Bits of the refractory counter and its time steps; an expression of time is kept in a state's word, a condition needs none."""
    refractory = group._refractory  # noqa: SLF001
    if refractory is False:
        return 0, 0
    if isinstance(refractory, str):
        return (0 if reader.expression(refractory).kind == "flag" else words.bits["state"]), 0
    ticks = round(float(refractory) / float(group.clock.dt_))
    return ticks.bit_length(), ticks


def _code(code: str, thing: Any, resolve: Resolve, numbers: int) -> Block:
    block = Block(Work(numbers))
    runner = _Runner(resolve, numbers, thing.name)
    for statement in statements(code, thing.name):
        runner.run(statement, block, thing.variables, saturates=True)
    return block


def read_synapses(synapses: Any, regular: Iterable[Any], words: Words, told: Any) -> SynapsesCode:
    """The code of synapses. told: names of the variables held as weights, if the user has said so."""
    weights = weights_of(synapses, words, told)
    found = SynapsesCode(synapses, synapses.name, weights)
    numbers, resolve = words.bits["number"], of_synapses(synapses, words, weights)
    aged = [e for e in (synapses.event_driven or {}).values() if e.type == "differential equation"]
    found.ages = bool(aged)
    for pathway in synapses._pathways:  # noqa: SLF001
        one = PathwayCode(pathway, pathway.prepost, Block(Work(numbers)), Block(Work(numbers, "update_pair")))
        for equation in aged:
            _age(equation, resolve, one.update)
        if aged:
            one.update.work.add("add", TICK_BITS)
            key: Key = ("synapse", synapses.name, "lastupdate")
            one.update.work.reads[key] = one.update.writes[key] = TICK_BITS
        runner, aging = _Runner(resolve, numbers, pathway.name), dict(one.update.writes)
        one.update.writes.clear()
        for statement, forward in zip(*_split(synapses, pathway), strict=True):
            runner.run(statement, one.forward if forward else one.update, synapses.variables, saturates=False)
        one.assigns = bool(one.update.writes)
        one.update.writes |= aging
        found.pathways.append(one)
    timed = [e for e in synapses.equations.values() if e.type == "differential equation"]
    if timed:
        block = Block(Work(numbers))
        for equation in timed:
            value = resolve(equation.varname)
            assert isinstance(value, Value)
            assert value.key is not None
            Reader(block.work, resolve, synapses.name).step(equation.expr.code, value.bits)
            block.work.reads[value.key] = block.writes[value.key] = value.bits
        found.tick.append((float(synapses.clock.dt_), block))
    for runner_of in regular:
        found.tick.append((float(runner_of.clock.dt_), _code(runner_of.abstract_code, synapses, resolve, numbers)))
    moved = {equation.varname for equation in (*aged, *timed)}
    blocks = [p.update for p in found.pathways] + [block for _, block in found.tick]
    assigned = {name for block in blocks for _, thing, name in block.writes if thing == synapses.name}
    found.compared = tuple(name for name in weights if name in assigned - moved)
    found.moved = tuple(name for name in weights if name in moved)
    return found


def _age(equation: Any, resolve: Resolve, block: Block) -> None:
    """A variable that decays from event to event: its factor is looked up by the time since the last."""
    value = resolve(equation.varname)
    assert isinstance(value, Value)
    assert value.key is not None
    block.work.add("lut", value.bits)
    block.work.tables = True
    block.work.add("multiply", value.bits, value.bits)
    block.work.reads[value.key] = block.writes[value.key] = value.bits


def _split(synapses: Any, pathway: Any) -> tuple[list[Statement], list[bool]]:
    """The statements of a pathway, and for each whether it is forward: what reaches neurons, with the local names that this takes."""
    found = statements(pathway.code, pathway.name)
    needed: set[str] = set()
    forward = []
    for statement in reversed(found):
        mine = _reaches(synapses, statement.target) or (
            statement.target in needed and statement.target not in synapses.variables
        )
        if mine:
            needed |= statement.names
        forward.append(mine)
    return found, forward[::-1]


def _reaches(synapses: Any, name: str) -> bool:
    variable = synapses.variables.get(name)
    owner = getattr(variable, "owner", None)
    return owner is not None and owner.name != synapses.name


def weights_of(synapses: Any, words: Words, told: Any) -> tuple[str, ...]:
    """The variables held as weights: what `on_pre` adds to a variable of neurons; none where that is a number for all synapses.

    Raises: NeurosimError where several variables of the synapses are added and nobody says which is the weight.
    """
    if told is not None:
        names = tuple(told) if isinstance(told, list | tuple) else (told,)
        for name in names:
            value = of_synapses(synapses, words, ())(name) if name in synapses.variables else NUMBER
            if not isinstance(value, Value) or value.key is None or value.key[0] != "synapse":
                raise NeurosimError(f"weights: {name!r} is no variable of the synapses {synapses.name}")
        return names
    found: list[str] = []
    for pathway in synapses._pathways:  # noqa: SLF001
        if pathway.prepost != "pre":
            continue
        work, resolve = Work(1), of_synapses(synapses, words, ())
        runner = _Runner(resolve, 1, pathway.name)
        for statement, forward in zip(*_split(synapses, pathway), strict=True):
            runner.run(statement, Block(work if forward else Work(1)), synapses.variables, saturates=False)
        found += [name for side, _, name in work.reads if side == "synapse" and name not in found]
    if len(found) > 1:
        raise NeurosimError(
            f"synapses {synapses.name}: {', '.join(sorted(found))} all reach a neuron: say which is the weight, "
            f"weights={{{synapses.name!r}: {_stillest(synapses, found)!r}}}, or several in a tuple"
        )
    return tuple(found)


def _stillest(synapses: Any, names: Iterable[str]) -> str:
    """The variable that is most likely meant as the weight: one that no equation moves and, if there is such, no code assigns."""
    aged = [e for e in (synapses.event_driven or {}).values() if e.type == "differential equation"]
    timed = [e for e in synapses.equations.values() if e.type == "differential equation"]
    moved = {equation.varname for equation in (*aged, *timed)}
    assigned = {s.target for p in synapses._pathways for s in statements(p.code, p.name)}  # noqa: SLF001
    return min(sorted(names, reverse=True), key=lambda name: (name in moved, name in assigned))
