"""From counts to cost: what a run of a network costs on one hardware model.

    energy = static power x time + idle energy x cycles x cores + sum(count x marginal energy)

A phase of a layer, a stage, takes as long as the busiest of its units, over the cores that hold the layer, or its busiest
link; stages overlap where nothing forbids it (`neurosim.costs.timing`), and the whole chip leaks and is clocked until the last
has ended. Where cores stand is a `mapping.Plan`, what travels between them `noc.traffic`: neither depends on what anything
costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from neurosim.costs.activities import ACTIVITIES, activity
from neurosim.costs.area import Floor
from neurosim.costs.books import Books, Ledger, books_of
from neurosim.costs.chips import price_chip
from neurosim.costs.cost import Band, Cost
from neurosim.costs.flows import Grid
from neurosim.costs.given import classified, sound
from neurosim.costs.hardware import AnyModel, ChipModel, HardwareModel
from neurosim.costs.laws import Laws, Shape
from neurosim.costs.mapping import Plan, place
from neurosim.costs.noc import Traffic
from neurosim.costs.routing import Load, Placed, Routing
from neurosim.costs.sheets import Outline, sheet
from neurosim.costs.tariffs import tariff
from neurosim.costs.timing import Stop
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
TALLIED = "tallies are free, and what they stand for was not counted ({}): count its reads, writes and arithmetic"
"""Told where a total lacks what only tallies tell of."""
_ALL, _FORWARD = frozenset(PHASES), frozenset({"forward"})
_KEPT = 64
"""Ledgers that a frame keeps."""


class _Frame:
    """What a plan comes to under a model's choices: the ledgers of counted operations, and floors of their units, found so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._ledgers: dict[tuple[Outline, tuple[Stop, ...]], Ledger] = {}
        self._floors: dict[tuple[Ledger, ...], Floor] = {}

    def books(self, counts: OpCounts, name: str, laws: Laws) -> Books:
        """The books of counts; name: of the counts, for errors."""
        found = sheet(self.plan, counts, name)
        key = found.outline, found.wires
        if key not in self._ledgers:
            if len(self._ledgers) >= _KEPT:
                self._ledgers.clear()
                self._floors.clear()
            self._ledgers[key] = Ledger(self.plan, *key, laws)
        return books_of(self._ledgers[key], found)

    def floor(self, ledgers: tuple[Ledger, ...], laws: Laws) -> Floor:
        """The area of a chip that has the units of all these ledgers."""
        if ledgers not in self._floors:
            sizes = dict(ledgers[0].sizes)
            for place, width in ledgers[-1].sizes.items():
                sizes[place] = max(width, sizes.get(place, 0))
            self._floors[ledgers] = Floor(self.plan, laws, sizes)
        return self._floors[ledgers]


@lru_cache(maxsize=64)
def _frame(plan: Plan, _: Shape) -> _Frame:
    return _Frame(plan)


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
    frame = _frame(where, laws.shape)
    books: tuple[Books, ...] = (frame.books(train, "counts of training", laws),)
    if test is not None:
        books += (frame.books(_tested(test), "counts of testing", laws),)
    ledgers = tuple(b.ledger for b in books)
    charged = tariff(laws, ledgers, frame.floor(ledgers, laws))
    energy = [charged.energy(i, b) for i, b in enumerate(books)]
    taken = (0, _ALL), (len(books) - 1, _FORWARD)
    lines = [books[i].line(charged.speeds, phases) for i, phases in taken]
    parts = [
        books[i].parts(line, energy[i], charged.idle, charged.static) for (i, _), line in zip(taken, lines, strict=True)
    ]
    return Cost(
        model=model.name,
        digest=model.digest,
        grade=charged.grade(books),
        cores=where.own,
        static_power_uw=Band(*charged.static[:3]),
        energy=parts[0],
        latency=lines[0].stages,
        inference_energy=parts[1],
        inference_latency=lines[1].stages,
        inference_from="forward phase of the training counts" if test is None else "test counts",
        area=charged.plots,
        bits_moved=books[0].sheet.moved,
        channel_bits=dict(books[0].sheet.channel),
        unpriced=_unpriced(books),
        places=where.place,
        notes=(*classified(train, test), *_tallies(books), *_notes(where, books[0].sheet.outline)),
        routing=_routing(books[0].sheet.traffic),
    )


def _unpriced(books: Iterable[Books]) -> tuple[str, ...]:
    """Activities of which only tallies were counted."""
    found = {activity(op, ticking=b.sheet.ticked) for b in books for op in b.sheet.outline.tallied}
    return tuple(a for a in ACTIVITIES if a in found)


def _tallies(books: Iterable[Books]) -> tuple[str, ...]:
    found = sorted({(op.layer, op.phase, op.action) for b in books for op in b.sheet.outline.tallied})
    named = ", ".join(f"{action} of layer {layer}, {phase}" for layer, phase, action in found)
    return (TALLIED.format(named),) if found else ()


@lru_cache(maxsize=512)
def _laws(model: HardwareModel) -> Laws:
    return Laws(model)


@lru_cache(maxsize=64)
def _routing(moved: Traffic) -> Routing:
    plan = moved.plan
    loads = tuple([Load(*link, n) for link, n in zip(moved.links, moved.load.tolist(), strict=True) if n])
    hops = (plan.cost_packet_hops, plan.snake_packet_hops)
    return Routing(
        plan.method,
        *hops,
        (plan.grid.width, plan.grid.height),
        plan.homes.place,
        _cores(plan),
        loads,
        moved.streams,
        moved.assumed,
    )


@lru_cache(maxsize=64)
def _cores(plan: Plan) -> tuple[Placed, ...]:
    return tuple(Placed(s.layer, s.first, s.last, s.low, s.high, *plan.at[s.core]) for s in plan.slices)


@lru_cache(maxsize=64)
def _notes(plan: Plan, learned: Outline) -> tuple[str, ...]:
    """What was assumed or left out."""
    sparse = {plan.place[h.layer] for h in plan.layout.held if h.memory == "target"}
    told = (
        (SPILL, max(plan.own, default=0) > 1),
        (SPARSE, any(plan.own[layer] > 1 for layer in sparse)),
        (
            COPIES,
            any(n > 1 and layer in learned.learns for (layer, memory), n in plan.copies.items() if memory == "weight"),
        ),
    )
    return (*UNPRICED, *(note for note, so in told if so))


def _tested(test: OpCounts) -> OpCounts:
    other = sorted({op.phase for op in test.ops} - {"forward"})
    if other:
        msg = f"counts of testing: phase={other[0]!r}: must be 'forward', testing does not learn"
        raise NeurosimError(msg)
    return test
