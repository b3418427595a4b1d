"""Published silicon against our prices: every point of the model files, asked for through `price` like anything else.

A point (`[[validation]]` of a chip's file) states a published number and the workload it is of: counts as they were
published, or a network that we ran (`hardware_models/validation/networks.json`, which names the command that made
it). Nothing here computes a price by itself. `report` is what `docs/validation.md` holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from neurosim.costs.chip_schema import Validation
from neurosim.costs.cost import Band, Cost, Grade, Part, total
from neurosim.costs.hardware import AnyModel, ChipModel, folder, load, names
from neurosim.costs.pricing import price
from neurosim.errors import NeurosimError
from neurosim.ops import Layout, Op, OpCounts

UNITS = {"power_uw": "uW", "energy_pj": "pJ", "learning_energy_pj": "pJ", "energy_pj_per_synaptic_operation": "pJ"}
_PRODUCTS = ("mac", "multiply", "update_pair")
_LEARNING_MEMORIES = frozenset({"feedback", "gradient", "tag", "activation", "address"})
"""What a network that only classifies does not hold: feedback, sums of updates, and codes that are kept for the update."""


@dataclass(frozen=True)
class Row:
    """One point on one model.

    published, ours: in the unit of the quantity (`UNITS`; ratios and shares have none); error_percent: of the nominal value.
    use: ``test``, ``cross-check``, ``fitted`` or ``bound``. verdict: ``pass``, ``miss``, ``reported`` where no tolerance is set, or
    ``other supply`` where the model's constants are of another supply than the published number.
    basis, tag: grade of the constants that were used; unpriced: what our number leaves out. marginal: for a ratio of
    learning, what it would be without clocking and leakage; 0 elsewhere.
    """

    id: str
    model: str
    what: str
    quantity: str
    published: float
    ours: Band
    error_percent: float
    tolerance_percent: float
    use: str
    bound: str
    verdict: str
    basis: str
    tag: str
    unpriced: tuple[str, ...]
    note: str
    source: str
    marginal: float


def rows() -> Iterator[Row]:
    """Every point of every shipped model, in the order of files.

    Raises: NeurosimError on a point that names a network or model that there is not, or a workload that cannot be priced.
    """
    for name in names(kind="chip"):
        model = load(name)
        assert isinstance(model, ChipModel)
        for point in model.spec.validation:
            for on in [load(other) for other in point.on] or [_at(model, point)]:
                yield _row(point, on)


def _at(model: ChipModel, point: Validation) -> ChipModel:
    """The model at the clock of the point."""
    if not point.clock_mhz:
        return model
    operating = msgspec.structs.replace(model.spec.operating, clock_mhz=point.clock_mhz)
    return ChipModel(model.name, model.path, msgspec.structs.replace(model.spec, operating=operating))


def _row(point: Validation, model: AnyModel) -> Row:
    train, test, layout = _counts(point, model)
    name, unpriced, marginal = model.name, tuple[str, ...](), 0.0
    grade = Grade("counts", "computed")
    if point.against:  # nothing is priced: counts against counts
        amount = _products if point.quantity == "operations_ratio" else _error_bits
        name, ratio = "counts", amount(train) / amount(network(point.against)[0])
        ours = Band(ratio, ratio, ratio)
    elif point.quantity == "learning_area_ratio":
        cost = price(train, test, layout, model)
        ours, grade = _learning_area(cost, train if test is None else test, layout, model), cost.grade
    else:
        cost = price(train, test, layout, model)
        ours, grade, unpriced = _quantity(point, cost, train), cost.grade, cost.unpriced
        if point.quantity == "learning_ratio":
            marginal = _marginal(cost.energy) / _marginal(cost.inference_energy)
    error = 100 * (ours.nominal / point.expected - 1)
    return Row(
        point.id, name, point.what, point.quantity, point.expected, ours, error, point.tolerance_percent, point.use,
        point.bound, _verdict(point, model, ours, error), *grade, unpriced, point.note, point.source, marginal,
    )  # fmt: skip


def _marginal(parts: Iterable[Part]) -> float:
    return total(p for p in parts if p.component not in ("clock", "static")).nominal


def _learning_area(cost: Cost, classified: OpCounts, layout: Layout, model: AnyModel) -> Band:
    """The area of the chip over that of one which only classifies."""
    whole = cost.band["area_um2"]
    if isinstance(model, ChipModel):
        learning = total(p for p in cost.area if p.component == "learning")
        rest = Band(*(a - b for a, b in zip(whole, learning, strict=True)))
    else:
        kept = tuple(h for h in layout.held if h.memory not in _LEARNING_MEMORIES)
        forward = {op: n for op, n in classified.ops.items() if op.memory not in _LEARNING_MEMORIES}
        bare = price(replace(classified, ops=forward), None, replace(layout, held=kept), model)
        rest = bare.band["area_um2"]
    ends = [a / b for a, b in zip(whole, rest, strict=True)]
    return Band(min(ends), ends[1], max(ends))


def _verdict(point: Validation, model: AnyModel, ours: Band, error: float) -> str:
    technology = model.spec.technology
    if point.supply_v and (technology is None or point.supply_v != technology.supply_v):
        return "other supply"
    if point.bound == "at_least":
        return "pass" if point.expected >= ours.low else "miss"
    if point.bound == "at_most":
        return "pass" if point.expected <= ours.high else "miss"
    if not point.tolerance_percent:
        return "reported"
    return "pass" if abs(error) <= point.tolerance_percent else "miss"


def _counts(point: Validation, model: AnyModel) -> tuple[OpCounts, OpCounts | None, Layout]:
    """What the point says happened, in counts: a network that was run, or one population and what it was published to do."""
    if point.network:
        learned, tested, layout = network(point.network)
        return (tested, None, layout) if point.quantity in ("energy_pj", "power_uw") else (learned, tested, layout)
    did = point.workload
    if did is None:
        msg = f"validation {point.id!r}: needs a workload or a network ({model.path})"
        raise NeurosimError(msg)
    ops = {Op(0, "forward", "synaptic_event", 8): round(did.synaptic_operations)}
    if did.neurons and did.ticks:
        ops[Op(0, "forward", "neuron_update", 16)] = did.neurons * did.ticks
    if did.synaptic_updates:
        ops[Op(0, "update", "update_attempted", 8)] = round(did.synaptic_updates)
    plan = Layout((did.neurons,), (1,), (), 1, (0,), ((),))
    return OpCounts(1, 0, ops, ticks=did.ticks), None, plan


@lru_cache(maxsize=1)
def _networks() -> dict[str, Any]:
    path = folder() / "validation" / "networks.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def network(name: str) -> tuple[OpCounts, OpCounts, Layout]:
    """Counts of training and of testing, and the layout, of a network that was run for this.

    Raises: NeurosimError if there is none of that name.
    """
    found = _networks()["networks"]
    if name not in found:
        msg = f"network={name!r}: must be one of {', '.join(found)}"
        raise NeurosimError(msg)
    one = found[name]
    return OpCounts.from_dict(one["train"]), OpCounts.from_dict(one["test"]), Layout.from_dict(one["layout"])


def _quantity(point: Validation, cost: Cost, counts: OpCounts) -> Band:
    """The band of what is compared."""
    energy = cost.band["energy_pj_per_sample"]
    if point.quantity in ("energy_pj", "learning_energy_pj"):
        return energy
    if point.quantity == "power_uw":
        return Band(*(1e3 * e / t for e, t in zip(energy, cost.band["latency_ns_per_sample"], strict=True)))
    if point.quantity == "energy_pj_per_synaptic_operation":
        return Band(*(e / counts.total("synaptic_event") for e in energy))
    if point.quantity == "learning_ratio":
        classifying = cost.band["inference_energy_pj_per_sample"]
        ends = [a / b for a, b in zip(energy, classifying, strict=True)]
        return Band(min(ends), ends[1], max(ends))
    part = total(p for p in cost.area if p.component == point.component)
    return Band(*(a / b for a, b in zip(part, cost.band["area_um2"], strict=True)))


def _products(counts: OpCounts) -> float:
    return sum(counts.total(action) for action in _PRODUCTS) / counts.samples


def _error_bits(counts: OpCounts) -> float:
    """Bits that the way back of the error moves in a sample: to and from memory, and on the channel."""
    moved = [n * op.bits for op, n in counts.ops.items() if op.phase in ("error", "feedback") and op.memory]
    return (sum(moved) + counts.total("error_code_bit")) / counts.samples


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:.4g}"


def _shown(quantity: str, *values: float) -> str:
    """One number, or a nominal value with its ends (low, nominal, high), with the unit that suits it."""
    unit, scale = UNITS.get(quantity, ""), 1.0
    for step, larger in {"pJ": ((1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ")), "uW": ((1e3, "mW"),)}.get(unit, ()):
        if values[len(values) // 2] >= step:
            unit, scale = larger, step
            break
    told = [_number(v / scale) for v in values]
    if len(told) == 3:
        told = [told[1] if told[0] == told[2] else f"{told[1]} ({told[0]} … {told[2]})"]
    return f"{told[0]} {unit}".strip()


def table() -> tuple[list[str], list[list[str]]]:
    """Header and rows of text: what `neurosim validate` prints and `docs/validation.md` holds."""
    header = ["point", "model", "published", "ours (band)", "error", "tolerance", "use", "verdict", "grade"]
    out = []
    for row in rows():
        tolerance = {"at_least": "at least ours", "at_most": "at most ours"}.get(
            row.bound, f"{row.tolerance_percent:g} %"
        )
        out.append([
            row.id, row.model, _shown(row.quantity, row.published), _shown(row.quantity, *row.ours),
            "-" if row.bound else f"{row.error_percent:+.2f} %", "-" if tolerance == "0 %" else tolerance,
            row.use, row.verdict, f"{row.basis}, {row.tag}",
        ])  # fmt: skip
    return header, out


def summary() -> str:
    """How many points pass, apart by use."""
    found = list(rows())
    judged = [r for r in found if r.verdict in ("pass", "miss")]
    parts = []
    for use in ("test", "cross-check", "bound", "fitted"):
        mine = [r for r in judged if r.use == use]
        parts.append(f"{use} {sum(r.verdict == 'pass' for r in mine)} of {len(mine)}")
    return f"Within tolerance: {', '.join(parts)}; {len(found) - len(judged)} reported without a verdict."


def to_dict() -> dict[str, Any]:
    """All rows, JSON-ready."""
    return {"made_from": _networks()["made_by"], "rows": [{**asdict(r), "ours": r.ours._asdict()} for r in rows()]}


_INTRO = """# Validation

Made by `neurosim validate --write docs/validation.md`; a test holds that it is up to date. Every number of ours comes out of
`price`, from a model file and counts; points and their sources stand in the model files (`[[validation]]`).

**test**: no constant of the model comes from the number. **cross-check**: none does, but they are the same measurement in other
numbers (power from energy and time), so the row shows that sources agree and predicts nothing. **fitted**: some do, so the row shows
that the law is applied and predicts nothing. **bound**: what was published does not fix the answer; the row says whether it can be at
all. **other supply**: the published number is at another supply than the model's constants, so nothing is judged. Rows that miss stay.
"""


def _remarks(found: list[Row]) -> str:
    """What is to be said of one point: what it is, its note, and what its rows leave out."""
    first = found[0]
    said = [f"{first.what}.", f"{first.note[:1].upper()}{first.note[1:]}."]
    said += [f"On {r.model} without {', '.join(r.unpriced)}." for r in found if r.unpriced]
    bare = [
        f"{r.marginal:.3f} on {r.model}" for r in found if r.marginal and not math.isclose(r.marginal, r.ours.nominal)
    ]
    said += [f"Without clocking and leakage ours would be {', '.join(bare)}."] if bare else []
    return " ".join([*said, f"Source: {first.source}."])


def report() -> str:
    """The Markdown page."""
    header, body = table()
    lines = [_INTRO, summary(), "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cells) + " |" for cells in body]
    lines += ["", "## Notes", ""]
    by_point: dict[str, list[Row]] = {}
    for row in rows():
        by_point.setdefault(row.id, []).append(row)
    for name, found in by_point.items():
        lines.append(f"- **{name}**: {_remarks(found)}")
    made = _networks()["made_by"]
    lines += ["", "## Networks of ours", "", f"Made by {made}."]
    return "\n".join(lines) + "\n"
