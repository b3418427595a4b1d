"""The terminal report of a run: accuracy, what it cost, what moved, what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from neurosim.costs import Band, Cost
from neurosim.ops import PHASES, OpCounts
from neurosim.studies.record import Record

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def quantity(value: float, unit: str, scale: float = 1.0) -> str:
    """A number with three digits and the prefix that suits it: quantity(1200, "J", 1e-12) is 1.20 nJ."""
    real = value * scale
    if real == 0:
        return f"0 {unit}"
    for step, prefix in (
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
        (1, ""),
        (1e-3, "m"),
        (1e-6, "µ"),
        (1e-9, "n"),
        (1e-12, "p"),
        (1e-15, "f"),
    ):
        if real >= step:
            return f"{real / step:.3g} {prefix}{unit}"
    return f"{real:.3g} {unit}"


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


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", title_style="bold cyan"
    )
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=True)
    return table


def accuracy_table(record: Record) -> Table:
    """Accuracy and speed, epoch by epoch (the middle of long runs is left out)."""
    table = _table(
        f"{record.config.data}  {record.network}  {record.config.rule}", "epoch", "train", "test", "samples/s", "rate"
    )
    rows = list(enumerate(record.epochs))
    shown = rows if len(rows) <= 12 else [*rows[:4], *rows[-7:]]
    for i, epoch in shown:
        if i and i - 1 not in {j for j, _ in shown}:
            table.add_row("…")
        table.add_row(
            str(i + 1),
            f"{epoch['train_accuracy']:.2%}",
            f"{epoch['test_accuracy']:.2%}",
            f"{epoch['samples_per_second']:,.0f}",
            f"2^-{record.config.rate_in(i)}",
        )
    return table


def _band(band: Band, show: Any) -> str:
    if band.low == band.high:
        return str(show(band.nominal))
    return f"{show(band.nominal)} ({show(band.low)} … {show(band.high)})"


def cost_table(cost: Mapping[str, Cost]) -> Table:
    """The totals of every model, with their bands."""
    table = _table("Cost", "per sample", *cost)
    rows = (
        ("learning energy", "energy_pj_per_sample", energy),
        ("inference energy", "inference_energy_pj_per_sample", energy),
        ("learning latency", "latency_ns_per_sample", duration),
        ("inference latency", "inference_latency_ns_per_sample", duration),
        ("area", "area_um2", lambda um2: f"{um2 / 1e6:.3g} mm²"),
    )
    for name, key, show in rows:
        missing = {"latency": "time", "area": "area"}.get(name.split()[-1])
        table.add_row(name, *("-" if missing in c.unpriced else _band(c.band[key], show) for c in cost.values()))
    table.add_row("grade", *(f"{c.grade.basis}, {c.grade.tag}" for c in cost.values()))
    table.add_row("cores", *(" + ".join(map(str, c.cores)) for c in cost.values()))
    return table


def energy_tables(cost: Mapping[str, Cost]) -> list[Table]:
    """Learning energy by phase, by layer and by component, models side by side."""
    tables = []
    for title, key in (
        ("by phase", "energy_by_phase"),
        ("by layer", "energy_by_layer"),
        ("by component", "energy_by_component"),
    ):
        table = _table(f"Learning energy {title}", title[3:], *cost)
        groups = {k: getattr(c, key) for k, c in cost.items()}
        for name in dict.fromkeys(k for group in groups.values() for k in group):
            cells = []
            for model, group in groups.items():
                share = group[name].nominal / cost[model].energy_pj_per_sample if name in group else 0.0
                cells.append(f"{energy(group[name].nominal)} {share:>4.0%}" if name in group else "-")
            table.add_row(f"layer {name}" if isinstance(name, int) else str(name), *cells)
        tables.append(table)
    return tables


def traffic_table(counts: OpCounts, cost: Mapping[str, Cost]) -> Table:
    """What a learning sample moves and does, by phase."""
    per = max(1, counts.samples)
    table = _table("Per learning sample", "", *PHASES)
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
    bits = next(iter(cost.values())).bits_moved if cost else {}
    rows.append(("bits to and from memory", [sum(bits.get(phase, {}).values()) for phase in PHASES]))
    for name, values in rows:
        if any(values):
            table.add_row(name, *(count(v) if v else "-" for v in values))
    return table


def health_table(record: Record) -> Table | None:
    """Losses, by layer, where there are any."""
    layers = len(record.layout.neurons)
    table = _table(
        "Losses in training (share of what could have been lost)", "", *(f"layer {i}" for i in range(layers))
    )
    counts, samples = record.train_counts, max(1, record.train_counts.samples)
    found = False
    for name, values in record.health.items():
        if not any(values):
            continue
        found = True
        if name == "dead_updates" or name == "weight_saturated":
            of = [counts.total("update_attempted", layer=i) for i in range(layers)]
        else:
            of = [samples * n for n in record.layout.neurons]
        table.add_row(
            name.replace("_", " "), *(f"{v / n:.2%}" if v and n else "-" for v, n in zip(values, of, strict=True))
        )
    return table if found else None


def show_cost(cost: Mapping[str, Cost], counts: OpCounts, console: Console) -> None:
    """Print what counts cost, models side by side."""
    for part in (cost_table(cost), *energy_tables(cost), traffic_table(counts, cost)):
        console.print(part)
        console.print()
    for name, c in cost.items():
        if c.unpriced:
            console.print(
                f"{name} without {', '.join(c.unpriced)}, which nobody published: a lower bound.", markup=False
            )
    for note in dict.fromkeys(note for c in cost.values() for note in c.notes):
        console.print(f"Note: {note}.", markup=False)


def show(record: Record, console: Console) -> None:
    """Print the whole report of a run."""
    console.print(accuracy_table(record))
    console.print()
    show_cost(record.cost, record.train_counts, console)
    losses = health_table(record)
    if losses:
        console.print(losses)
        console.print()
