"""The terminal report of a run: accuracy, what it cost (`cost_report`), what was lost."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from neurosim.studies.cost_report import show_cost, table_of
from neurosim.studies.record import Record


def accuracy_table(record: Record) -> Table:
    """Accuracy and speed, epoch by epoch (the middle of long runs is left out)."""
    table = table_of(
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


def health_table(record: Record) -> Table | None:
    """Losses, by layer, where there are any."""
    layers = len(record.layout.neurons)
    table = table_of(
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


def show(record: Record, console: Console) -> None:
    """Print the whole report of a run."""
    console.print(accuracy_table(record))
    console.print()
    show_cost(record.cost, record.train_counts, record.layout, console, brief=True)
    losses = health_table(record)
    if losses:
        console.print(losses)
        console.print()
