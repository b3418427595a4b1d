"""What one model charges for the operations of ledgers, whatever was counted of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.costs.area import Floor
from neurosim.costs.books import Books, Ledger, Speeds
from neurosim.costs.cost import Grade, Plot
from neurosim.costs.laws import Laws, Quantity
from neurosim.costs.schema import BASES, TAGS

Floats = NDArray[np.float64]
_HOPS = ("east_west", "north_south", "tile")


class _Weakest(NamedTuple):
    """The weakest tag and basis of some constants."""

    tag: int = 0
    basis: int = 0

    @classmethod
    def of(cls, used: Iterable[tuple[int, int]]) -> _Weakest:
        """The weakest of some."""
        kept = list(used)
        return cls(max((tag for tag, _ in kept), default=0), max((basis for _, basis in kept), default=0))


class Tariff(NamedTuple):
    """What a model charges.

    each: by ledger, float64[prices, 3] of an operation (pJ); flit: float64[3, 3], over a hop east or west, one north or south, and
    into a core (pJ). plots: area; static: power (uW); idle: pJ a ns of the whole chip. always: the weakest grade of all this but for
    flits, by_hop: that of the flits of each hop, moving: that of their times.
    """

    each: tuple[Floats, ...]
    flit: Floats
    plots: tuple[Plot, ...]
    static: Quantity
    idle: Quantity
    speeds: Speeds
    always: _Weakest
    by_hop: tuple[_Weakest, ...]
    moving: _Weakest

    def energy(self, number: int, books: Books) -> Floats:
        """Energy of the operations and flits of books in the ledger of that number: float64[groups, 3], pJ."""
        # Not matrix products: their last bits would hang on the machine's BLAS.
        done = np.einsum("gk,ke->ge", books.done, self.each[number])
        return np.asarray(done + np.einsum("gk,ke->ge", books.sent, self.flit))

    def grade(self, books: Iterable[Books]) -> Grade:
        """The weakest basis and tag among all constants that cost energy, time or area."""
        used = [self.always]
        for b in books:
            used += [grade for grade, travels in zip(self.by_hop, b.travels, strict=True) if travels]
            if b.sheet.traffic.bursts:
                used.append(self.moving)
        tag, basis = _Weakest.of(used)
        return Grade(BASES[basis], TAGS[tag])


@lru_cache(maxsize=512)
def tariff(laws: Laws, ledgers: tuple[Ledger, ...], floor: Floor) -> Tariff:
    """What a model charges for the operations of these ledgers, which are of one plan, on a chip with the units of `floor`; kept."""
    each = [laws.energies(ledger.forms) for ledger in ledgers]
    plots, area, static = floor.built(laws)
    idle = laws.constant("clock").times(sum(ledgers[0].plan.own) / laws.period_ns)
    flit, tags, bases = laws.flit()
    grades = zip((flit[:, 2] > 0).tolist(), tags.tolist(), bases.tolist(), strict=True)
    return Tariff(
        tuple(e.energy for e in each),
        flit,
        plots,
        static,
        idle,
        Speeds.of(laws),
        _Weakest.of(
            [*((int(e.tag.max(initial=0)), int(e.basis.max(initial=0))) for e in each), *_paid(idle, area, static)]
        ),
        tuple(_Weakest(tag, basis) if paid else _Weakest() for paid, tag, basis in grades),
        _Weakest.of(_paid(laws.constant("pace"), *(laws.constant("delay", way) for way in _HOPS))),
    )


def _paid(*some: Quantity) -> list[tuple[int, int]]:
    return [(q.tag, q.basis) for q in some if q.high > 0]
