"""From counts to cost: what a run of a network costs on one hardware model.

    energy = static power x time + idle energy x cycles x cores + sum(count x marginal energy)

A phase of a layer, a stage, takes as long as the busiest of its units, over the cores that hold the layer, or its busiest
link; stages overlap where nothing forbids it (`neurosim.costs.timing`), and the whole chip leaks and is clocked until the last
has ended. Where cores stand is a `mapping.Plan`, what travels between them `noc.traffic`: neither depends on what anything
costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from neurosim.costs.area import Floor
from neurosim.costs.books import Books, Speeds
from neurosim.costs.chips import price_chip
from neurosim.costs.constants import Choices
from neurosim.costs.cost import Band, Cost, Grade, Load, Placed, Routing
from neurosim.costs.flows import Grid
from neurosim.costs.given import classified, sound
from neurosim.costs.hardware import AnyModel, ChipModel, HardwareModel
from neurosim.costs.laws import Graded, Laws, Quantity
from neurosim.costs.mapping import Plan, place
from neurosim.costs.noc import Traffic
from neurosim.costs.schema import BASES, TAGS
from neurosim.costs.sheets import Sheet, memories, sheet
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES, Layout, OpCounts

UNPRICED = ("no area is known for routers, control, event queues, wiring and pads",)
"""What every price leaves out."""
SPILL = (
    "a layer on several cores has the lanes of all of them and smaller memories in each, so a wider network that spills onto one core "
    "more can take less time and idle energy: more is never cheaper on the same cores alone, so compare networks in one placement"
)
"""Told with every price of such a layer."""
SPARSE = "events of sparse projections go to all cores of their layer, also to those that hold no synapse of the sender: an upper bound"
"""Told where such a layer stands on several cores: a layout does not say which synapses there are."""
COPIES = "the cores that hold copies of a kernel are not charged for the packets that would keep the copies equal while it learns"
"""Told where a kernel that learns stands on several cores."""
_ALL, _FORWARD = frozenset(PHASES), frozenset({"forward"})
_KEPT = 64
"""Books that a frame keeps: as many as there are sheets."""


class _Frame:
    """What a plan comes to under a model's choices: the books of counts, and floors of their units, found so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._books: dict[Sheet, Books] = {}
        self._floors: dict[tuple[Books, ...], Floor] = {}

    def books(self, counts: OpCounts, name: str, laws: Laws) -> Books:
        """The books of counts; name: of the counts, for errors."""
        found = sheet(self.plan, counts, name)
        if found not in self._books:
            if len(self._books) >= _KEPT:
                self._books.clear()
                self._floors.clear()
            self._books[found] = Books(self.plan, found, laws)
        return self._books[found]

    def floor(self, books: tuple[Books, ...], laws: Laws) -> Floor:
        """The area of a chip that has the units of all these books."""
        if books not in self._floors:
            sizes = dict(books[0].sizes)
            for place, width in books[-1].sizes.items():
                sizes[place] = max(width, sizes.get(place, 0))
            self._floors[books] = Floor(self.plan, laws, sizes)
        return self._floors[books]


@lru_cache(maxsize=64)
def _frame(plan: Plan, _: Choices) -> _Frame:
    memories(plan)  # what it holds must be known before it is priced
    return _Frame(plan)


class _Bill:
    """Marginal energy of one set of counts, a sample: float64[groups of the books, 3]; the weakest tag and basis behind it."""

    def __init__(self, books: Books, laws: Laws, flits: Graded) -> None:
        each, tags, bases = laws.energies(books.forms)
        flit, flit_tags, flit_bases = flits
        # Not matrix products: their last bits would hang on the machine's BLAS.
        self.energy = np.einsum("gk,ke->ge", books.done, each) + np.einsum("gk,ke->ge", books.sent, flit)
        sent = books.sent.any(axis=0) & (flit[:, 2] > 0)
        self.tag = max(int(tags.max(initial=0)), int((flit_tags * sent).max()))
        self.basis = max(int(bases.max(initial=0)), int((flit_bases * sent).max()))
        self.books = books


def price_each(
    train: OpCounts, test: OpCounts | None, layout: Layout, models: Mapping[str, AnyModel]
) -> tuple[dict[str, Cost], dict[str, str]]:
    """What a run costs on each of several models, by their names, as of `price`; and of those that refuse it, why."""
    priced, refused = {}, {}
    for name, model in models.items():
        try:
            priced[name] = price(train, test, layout, model)
        except NeurosimError as error:
            refused[name] = str(error).removesuffix(f" ({model.path})")
    return priced, refused


def _plan(layout: Layout, model: HardwareModel, plan: Plan | None) -> Plan:
    if plan is None:
        return place(layout, model)
    grid = Grid.of(model.spec.fabric)
    if plan.layout != layout or plan.grid != grid:
        what = "layout" if plan.layout != layout else f"mesh, {plan.grid}"
        msg = f"plan: was made for another {what}; make one for this layout and model ({model.path})"
        raise NeurosimError(msg)
    return plan


def price(train: OpCounts, test: OpCounts | None, layout: Layout, model: AnyModel, plan: Plan | None = None) -> Cost:
    """What a run costs, a sample.

    train: counts of the run that learned. test: counts of classifying alone (phase ``forward``); None takes the
    forward phase of `train` for that. layout: what the network occupies. plan: where it stands, from `mapping.place`; None: placed
    automatically, as if every sender sent once a sample, so that runs of one network stand alike.

    Raises: NeurosimError on counts without samples or operations, a layer that the layout lacks, test counts of learning phases, an
    error code that nobody receives, an action, width or memory that the model lacks, or a plan for another mesh;
    CapacityError if the layout does not fit.
    """
    if isinstance(model, ChipModel):
        if plan is not None:
            msg = f"plan: {model.name!r} is a published chip, whose packets travel the mean hops of its file ({model.path})"
            raise NeurosimError(msg)
        return price_chip(train, test, sound(layout), model)
    where, laws = _plan(layout, model, plan), _laws(model)
    frame = _frame(where, laws.choices)
    books: tuple[Books, ...] = (frame.books(train, "counts of training", laws),)
    if test is not None:
        books += (frame.books(_tested(test), "counts of testing", laws),)
    flits = laws.flit()
    bills = [_Bill(b, laws, flits) for b in books]
    plots, area, static = frame.floor(books, laws).built(laws)
    idle, speeds = laws.constant("clock").times(sum(where.own) / laws.period_ns), Speeds.of(laws)
    lines = books[0].line(speeds, _ALL), books[-1].line(speeds, _FORWARD)
    parts = [
        b.books.parts(line, b.energy, idle[:3], static) for b, line in zip((bills[0], bills[-1]), lines, strict=True)
    ]
    return Cost(
        model=model.name,
        digest=model.digest,
        grade=_grade(bills, laws, idle, area, static),
        cores=where.own,
        static_power_uw=Band(*static[:3]),
        energy=parts[0],
        latency=lines[0].stages,
        inference_energy=parts[1],
        inference_latency=lines[1].stages,
        inference_from="forward phase of the training counts" if test is None else "test counts",
        area=plots,
        bits_moved=books[0].sheet.moved,
        channel_bits=dict(books[0].channel),
        places=where.place,
        notes=(*classified(train, test), *_notes(where, train)),
        routing=_routing(books[0].sheet.traffic),
    )


@lru_cache(maxsize=64)
def _laws(model: HardwareModel) -> Laws:
    return Laws(model)


@lru_cache(maxsize=64)
def _routing(moved: Traffic) -> Routing:
    plan = moved.plan
    cores = tuple(Placed(s.layer, s.first, s.last, s.low, s.high, *plan.at[s.core]) for s in plan.slices)
    loads = tuple(Load(*link, flits) for link, flits in moved.loads().items())
    hops = (plan.cost_packet_hops, plan.snake_packet_hops)
    return Routing(
        plan.method,
        *hops,
        (plan.grid.width, plan.grid.height),
        plan.homes.place,
        cores,
        loads,
        moved.streams,
        moved.assumed,
    )


def _notes(plan: Plan, train: OpCounts) -> tuple[str, ...]:
    """What was assumed or left out."""
    sparse = {plan.place[h.layer] for h in plan.layout.held if h.memory == "target"}
    learns = {op.layer for op in train.ops if op.phase == "update"}
    told = (
        (SPILL, max(plan.own, default=0) > 1),
        (SPARSE, any(plan.own[layer] > 1 for layer in sparse)),
        (COPIES, any(n > 1 and layer in learns for (layer, memory), n in plan.copies.items() if memory == "weight")),
    )
    return (*UNPRICED, *(note for note, so in told if so))


def _tested(test: OpCounts) -> OpCounts:
    other = sorted({op.phase for op in test.ops} - {"forward"})
    if other:
        msg = f"counts of testing: phase={other[0]!r}: must be 'forward', testing does not learn"
        raise NeurosimError(msg)
    return test


def _grade(bills: Sequence[_Bill], laws: Laws, *others: Quantity) -> Grade:
    """The weakest basis and tag among all constants that cost energy, time or area."""
    used = list(others)
    if any(b.books.sheet.traffic.bursts for b in bills):
        used += [laws.constant("pace"), *(laws.constant("delay", way) for way in ("east_west", "north_south", "tile"))]
    paid = [q for q in used if q.high > 0]
    tag = max([b.tag for b in bills] + [q.tag for q in paid])
    basis = max([b.basis for b in bills] + [q.basis for q in paid])
    return Grade(BASES[basis], TAGS[tag])
