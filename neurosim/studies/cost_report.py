"""What counts cost, in tables: models side by side, learning and inference apart, by phase, layer, core and component."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from neurosim.costs import Band, Cost
from neurosim.costs.channel import paid
from neurosim.costs.cost import COMPONENTS, grouped
from neurosim.costs.routing import BETWEEN
from neurosim.ops import PHASES, Layout, OpCounts

Costs = Mapping[str, Cost]

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SIZES = (*_PREFIXES[1:], (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


def quantity(value: float, unit: str, scale: float = 1.0) -> str:
    """A number with three digits and the prefix that suits it: quantity(1200, "J", 1e-12) is 1.20 nJ."""
    real = value * scale
    if real == 0:
        return f"0 {unit}"
    size, prefix = next(((s, p) for s, p in _SIZES if real >= s), (1.0, ""))
    return f"{real / size:.3g} {prefix}{unit}"


def energy(pj: float) -> str:
    """Energy from pJ."""
    return quantity(pj, "J", 1e-12)


def duration(ns: float) -> str:
    """Time from ns."""
    return quantity(ns, "s", 1e-9)


def count(n: float) -> str:
    """A count with a prefix."""
    for step, prefix in _PREFIXES:
        if n >= step:
            return f"{n / step:.3g} {prefix}"
    return f"{n:.3g}"


def table_of(title: str, *columns: str) -> Table:
    """An empty table of the report; its first column is of words."""
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", title_style="bold cyan"
    )
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
    return table


def power(uw: float) -> str:
    """Power from uW."""
    return quantity(uw, "W", 1e-6)


def area(um2: float) -> str:
    """Area from um2."""
    return f"{um2 / 1e6:.3g} mm²"


def _band(band: Band, show: Callable[[float], str]) -> str:
    if band.low == band.high:
        return show(band.nominal)
    return f"{show(band.nominal)} ({show(band.low)} … {show(band.high)})"


TOTALS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("learning energy", "energy_pj_per_sample", energy),
    ("inference energy", "inference_energy_pj_per_sample", energy),
    ("learning time", "latency_ns_per_sample", duration),
    ("inference time", "inference_latency_ns_per_sample", duration),
    ("learning samples/s", "samples_per_second", count),
    ("inference samples/s", "inference_samples_per_second", count),
    ("learning power", "power_uw", power),
    ("inference power", "inference_power_uw", power),
    ("of it static", "static_power_uw", power),
    ("area", "area_um2", area),
)
"""Name, key in `Cost.band` and how it is written."""


def cost_table(cost: Costs) -> Table:
    """The totals of every model, with their bands."""
    table = table_of("Cost", "per sample", *cost)
    for name, key, show in TOTALS:
        table.add_row(name, *(_total(c, key, show) for c in cost.values()))
        if key == "inference_energy_pj_per_sample":
            known = (not c.is_least("energy_pj_per_sample") for c in cost.values())
            ratios = (
                _ratio(c.energy_pj_per_sample, c.inference_energy_pj_per_sample) if complete else "-"
                for c, complete in zip(cost.values(), known, strict=True)
            )
            table.add_row("learning / inference", *ratios)
    table.add_row("grade", *(f"{c.grade.basis}, {c.grade.tag}" for c in cost.values()))
    table.add_row("cores", *(" + ".join(map(str, c.cores)) for c in cost.values()))
    if any(c.unpriced for c in cost.values()):
        table.add_row("without (no price)", *(", ".join(c.unpriced) or "-" for c in cost.values()))
    return table


def _total(cost: Cost, key: str, show: Callable[[float], str]) -> str:
    """A total with its band, and whether it is a bound; - where it is not known."""
    if key not in cost.band or (key == "static_power_uw" and "static" in cost.unpriced):
        return "-"
    bound = ">= " if cost.is_least(key) else "<= " if cost.is_most(key) else ""
    return bound + _band(cost.band[key], show)


def _ratio(a: float, b: float) -> str:
    return f"{a / b:.3g}" if b else "-"


_PART, _SHARE = 5, 3
"""Digits of the total of a column, and of its 100 %, to which its parts are rounded."""


def _whole(values: Sequence[float], steps: int) -> list[int]:
    """Values that are not negative in whole steps of their sum, which add up to `steps`: rounded down, the largest remainders up."""
    exact = [v * steps / sum(values) if sum(values) else 0.0 for v in values]
    down = [int(e) for e in exact]
    first = sorted(range(len(exact)), key=lambda i: down[i] - exact[i])
    for i in first[: round(sum(exact)) - sum(down)]:
        down[i] += 1
    return down


def _column(values: Mapping[Any, float], unit: str, scale: float) -> dict[Any, str]:
    """Every value with its share, in the unit of their sum and with as many digits as add up to it as printed; under None the sum.

    scale: what one of the values is in `unit`, which takes a prefix unless it is an area.
    """
    total = sum(values.values()) * scale
    if not total:
        return dict.fromkeys((*values, None), f"0 {unit}") if values else {}
    size, prefix = next(((s, p) for s, p in _SIZES if total >= s), _SIZES[-1]) if unit != "mm²" else (1.0, "")
    decimals = max(0, _PART - 1 - math.floor(math.log10(total / size)))
    steps, shares = round(total / size * 10**decimals), 10**_SHARE
    out = {None: f"{steps / 10**decimals:.{decimals}f} {prefix}{unit} {100:>5.1f}%"}
    rows = zip(values.items(), _whole(list(values.values()), steps), _whole(list(values.values()), shares), strict=True)
    for (key, value), n, share in rows:
        least = f"<{10**-decimals:.{decimals}f}" if value and not n else f"{n / 10**decimals:.{decimals}f}"
        out[key] = f"{least} {prefix}{unit} {100 * share / shares:>5.1f}%"
    return out


def _shares(
    title: str,
    cost: Costs,
    groups: Mapping[str, Mapping[Any, Band]],
    names: Mapping[Any, str],
    unit: str = "J",
    scale: float = 1e-12,
) -> Table:
    """Nominal values by group and their share of the model's sum, which is the last row; groups in the order in which `names` has them."""
    table = table_of(title, title.rsplit(" ", 1)[-1], *cost)
    columns = [_column({k: band.nominal for k, band in group.items()}, unit, scale) for group in groups.values()]
    for key, name in (*names.items(), (None, "total")) if names else ():
        table.add_row(name, *(column.get(key, "-") for column in columns))
    return table


def energy_tables(cost: Costs, *, brief: bool) -> Iterator[Table]:
    """Learning and inference energy by what it is paid for, by phase, layer and component, and of a learning sample in each core."""
    layers = {r.layer: f"layer {r.layer}" for c in cost.values() for r in c.energy}
    by: tuple[tuple[str, Callable[[Any], Any], Mapping[Any, str]], ...] = (
        ("phase", lambda r: r.phase, {name: name for name in PHASES}),
        ("layer", lambda r: r.layer, dict(sorted(layers.items()))),
        ("component", lambda r: r.component, {name: name for name in COMPONENTS}),
    )
    kinds = {"operations": "operations (dynamic)", "clock": "clock (dynamic)", "static": "leakage (static)"}
    if not brief:
        yield _shares("Learning energy by kind", cost, {m: c.energy_by_kind for m, c in cost.items()}, kinds)
    for doing, key in (("Learning", "energy"), ("Inference", "inference_energy")):
        for title, of, names in by:
            if doing == "Inference" and (brief or title == "phase"):
                continue
            groups = {m: grouped(getattr(c, key), of) for m, c in cost.items()}
            known = {k: name for k, name in names.items() if any(k in g for g in groups.values())}
            yield _shares(f"{doing} energy by {title}", cost, groups, known)
    if not brief:
        yield _cores(cost)


def _cores(cost: Costs) -> Table:
    table = table_of("Learning energy of each core", "cores of", *cost)
    standing = {m: c.places or tuple(range(len(c.cores))) for m, c in cost.items()}
    by_place = {m: grouped(c.energy, lambda r, place=standing[m]: place[r.layer]) for m, c in cost.items()}  # type: ignore[misc]
    for layer in sorted({place for group in by_place.values() for place in group}):
        cells = (
            f"{n} x {energy(group[layer].nominal / n)}" if layer in group and (n := cost[m].cores[layer]) else "-"
            for m, group in by_place.items()
        )
        table.add_row(f"layer {layer}", *cells)
    return table


def time_table(cost: Costs) -> Table:
    """When each stage of a learning sample begins and ends, and the unit that sets its pace."""
    table = table_of("A learning sample in time: start … end, and the busiest unit", "stage", *cost)
    lines = {model: {(s.layer, s.phase): s for s in c.latency} for model, c in cost.items()}
    keys = {
        key: min(line[key].start.nominal for line in lines.values() if key in line)
        for line in lines.values()
        for key in line
    }
    for key in sorted(keys, key=lambda k: (keys[k], k[0])):
        cells = []
        for line in lines.values():
            s = line.get(key)
            cells.append(f"{duration(s.start.nominal)} … {duration(s.end.nominal)}  {s.unit or 'none'}" if s else "-")
        table.add_row(f"layer {key[0]} {key[1]}", *cells)
    return table


def area_table(cost: Costs) -> Table:
    """Area by component."""
    groups = {model: c.area_by_component for model, c in cost.items()}
    known = {name: name for name in COMPONENTS if any(name in g for g in groups.values())}
    return _shares("Area by component", cost, groups, known, "mm²", 1e-6)


def channel_table(cost: Costs, counts: OpCounts, layout: Layout) -> Table | None:
    """What a learning sample's error codes take, where there are any."""
    found = {model: paid(c, counts, layout) for model, c in cost.items()}
    if not any(p.codes for p in found.values()):
        return None
    table = table_of("The learning channel, a learning sample", "", *cost)
    for name in ("codes", "packets", "payload_bits", "packet_bits", "bit_hops", "bit_mm"):
        amounts = (getattr(p, name) for p in found.values())
        shown = ("-" if n is None else count(n) for n in amounts)
        table.add_row(name.replace("_", " ").replace("bit ", "bits x "), *shown)
    table.add_row("energy", *("-" if p.energy_pj is None else _band(p.energy_pj, energy) for p in found.values()))
    table.add_row("of the learning energy", *("-" if p.share is None else f"{p.share:.2%}" for p in found.values()))
    return table


def mesh_table(cost: Costs) -> Table:
    """Where the network stands and its busiest link, of models with a mesh."""
    table = table_of("On the mesh, a learning sample", "", *cost)
    found = [c.routing for c in cost.values()]
    hot = [
        r and max((load for load in r.links if load.direction in BETWEEN), key=lambda load: load.flits, default=None)
        for r in found
    ]
    rows: tuple[tuple[str, list[str]], ...] = (
        ("placed by", [r.method if r else "-" for r in found]),
        ("packets x hops, planned", [count(r.packet_hops) if r else "-" for r in found]),
        ("the same along a snake", [count(r.snake_packet_hops) if r else "-" for r in found]),
        ("busiest link", [f"({h.x}, {h.y}) {h.direction}" if h else "-" for h in hot]),
        ("flits on it", [count(h.flits) if h else "-" for h in hot]),
    )
    for name, cells in rows if any(found) else ():
        table.add_row(name, *cells)
    return table


def traffic_table(counts: OpCounts, cost: Costs) -> Table:
    """What a learning sample moves and does, by phase."""
    per = max(1, counts.samples)
    table = table_of("Per learning sample", "", *PHASES)
    rows: list[tuple[str, list[float]]] = []
    for name, action in (
        ("events", "event"),
        ("MACs", "mac"),
        ("adds", "add"),
        ("error codes", "error_code"),
        ("weights attempted", "update_attempted"),
        ("weights changed", "weight_changed"),
    ):
        rows.append((name, [counts.total(action, phase=phase) / per for phase in PHASES]))
    bits: Mapping[str, Mapping[str, float]] = next((c.bits_moved for c in cost.values() if c.bits_moved), {})
    rows.append(("bits to and from memory", [sum(bits.get(phase, {}).values()) for phase in PHASES]))
    for name, values in rows:
        if any(values):
            table.add_row(name, *(count(v) if v else "-" for v in values))
    return table


def show_cost(cost: Costs, counts: OpCounts, layout: Layout, console: Console, *, brief: bool = False) -> None:
    """Print what counts cost, and what was assumed or left out; brief: totals and what learning energy goes into."""
    tables: list[Table | None] = [cost_table(cost), *energy_tables(cost, brief=brief)]
    if not brief:
        tables += [time_table(cost), area_table(cost), mesh_table(cost), channel_table(cost, counts, layout)]
    for part in (*tables, traffic_table(counts, cost)):
        if part is not None and part.row_count:
            console.print(part)
            console.print()
    notes = dict.fromkeys(note for c in cost.values() for note in c.notes)
    for note in notes:
        console.print(f"Note: {note}.", markup=False)
    if notes:
        console.print()
