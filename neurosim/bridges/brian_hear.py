"""Counters that a watch writes into a user's Brian2 code: what Poisson inputs draw, and weights that are different afterwards.

The lines change nothing that a model computes and draw no random numbers. Several watches share them; the last to close takes them
away. Counters are variables of the group that receives, so they are on every target, and go back in time with Brian2's `restore`.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurosim.bridges.brian_arithmetic import OURS, statements
from neurosim.bridges.brian_code import SynapsesCode, base

DRAWN = f"{OURS}drawn"
_USERS: weakref.WeakKeyDictionary[Any, Counter[tuple[str, ...]]] = weakref.WeakKeyDictionary()
_KEPT: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
"""By the object whose code counts: how many watches read which of its lines, and of PoissonInputs the code that was theirs."""


def assigning(synapses: Any, name: str, regular: Mapping[str, list[Any]]) -> list[tuple[Any, str]]:
    """What changes a variable of synapses: pathways, and code that runs regularly, each with the name of its code's attribute."""
    found = [(p, "code") for p in synapses._pathways]  # noqa: SLF001
    found += [(r, "abstract_code") for r in regular.get(synapses.name, [])]
    return [(t, f) for t, f in found if any(s.target == name for s in statements(getattr(t, f), t.name))]


def before_counters(code: str, line: str) -> str:
    """Code with a line more, ahead of the lines that count what has changed."""
    lines = code.rstrip().splitlines()
    at = next((k for k, one in enumerate(lines) if one.strip().startswith(f"{OURS}changed")), len(lines))
    return "\n".join([*lines[:at], line, *lines[at:]])


class Hearing:
    """What one watch hears, since it began. compiled: the target is a program, whose counters begin at 0."""

    def __init__(self, *, compiled: bool) -> None:
        self._compiled = compiled
        self._counters: dict[str, tuple[Any, float]] = {}
        self._things: list[tuple[Any, str, tuple[str, ...]]] = []

    def poisson(self, one: Any) -> None:
        """Let a PoissonInput add up what it draws, at each neuron, from the same random numbers."""
        group, name = one._group, f"{OURS}heard_{one.name}"  # noqa: SLF001
        whole = base(group)
        self._count(one.name, whole, name)
        if name not in group.variables:
            group.variables.add_reference(name, whole)
            group.variables.indices[name] = "_sub_idx"
        if not one.abstract_code.startswith(DRAWN):
            drawn = next(v for v in one.variables if "binomial" in v)
            _KEPT[one] = one.abstract_code
            rest = one.abstract_code.split(f"{drawn}()", 1)[1]
            one.abstract_code = f"{DRAWN} = {drawn}()\n{one.target_var} += {DRAWN}{rest}\n{name} += {DRAWN}"
        self._use(one, "abstract_code", ())

    def weights(self, one: SynapsesCode, regular: Mapping[str, list[Any]]) -> None:
        """Let code that assigns a weight compare it with what it was. A weight that an equation moves in every step is not heard."""
        synapses = one.synapses
        for weight in one.compared:
            name, before = f"{OURS}changed_{one.name}_{weight}", f"{OURS}before_{weight}"
            whole = base(synapses.target)
            self._count(f"{one.name}.{weight}", whole, name)
            if name not in synapses.variables:
                synapses.variables.add_reference(name, whole, index="_postsynaptic_idx")
            # A plain copy would be a view in NumPy's code for all synapses at once, and follow what is assigned.
            first, last = f"{before} = -(-{weight})", f"{name} += int({weight} != {before})"
            for thing, field in assigning(synapses, weight, regular):
                code = getattr(thing, field)
                if last not in code:
                    setattr(thing, field, f"{first}\n{code.rstrip()}\n{last}")
                self._use(thing, field, (first, last))

    def _count(self, key: str, whole: Any, name: str) -> None:
        if name not in whole.variables:
            whole.variables.add_array(name, size=len(whole))  # whole numbers, which Brian2 draws and adds as real ones
        variable = whole.variables[name]
        self._counters[key] = variable, 0.0 if self._compiled else float(np.sum(variable.get_value()))

    def _use(self, thing: Any, field: str, lines: tuple[str, ...]) -> None:
        _USERS.setdefault(thing, Counter())[lines] += 1
        self._things.append((thing, field, lines))

    def heard(self, key: str) -> int | None:
        """Since the watch began: what a PoissonInput (its name) has drawn, how often a weight (`SYNAPSES.VARIABLE`) has changed."""
        if key not in self._counters:
            return None
        variable, began = self._counters[key]
        return int(np.sum(variable.get_value()) - began)

    def close(self) -> None:
        """Give objects their code back that no other watch reads."""
        for thing, field, lines in self._things:
            _USERS[thing][lines] -= 1
            if _USERS[thing][lines]:
                continue
            code = _KEPT.pop(thing, getattr(thing, field))
            setattr(thing, field, "\n".join(line for line in code.splitlines() if line not in lines))
        self._things = []
