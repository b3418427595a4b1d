"""The figures of a run: learning curve, energy by component (`cost_figures`), traffic of the learning channel. PNG and SVG."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurosim.studies.files import write
from neurosim.studies.record import Record

AnyPath = str | os.PathLike[str]
"""Where figures go, with or without a suffix: .png and .svg take its place."""
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "neurosim",
    "figure.dpi": 110,
}
PHASE_COLOURS = {"forward": "#4477aa", "error": "#ccbb44", "feedback": "#ee6677", "update": "#228833"}


@contextmanager
def figure(path: AnyPath, title: str, size: tuple[float, float] = (7.0, 4.0)) -> Iterator[Any]:
    """One axis to draw on; both files appear whole when the block ends."""
    with figures(path, title, 1, size) as axes:
        yield axes[0]


@contextmanager
def figures(path: AnyPath, title: str, panels: int, size: tuple[float, float], rows: int = 1) -> Iterator[Any]:
    """Axes side by side, in so many rows, to draw on, the title above the first; both files appear whole when the block ends."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        drawing = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(drawing)
        axes = [drawing.add_subplot(rows, -(-panels // rows), i + 1) for i in range(panels)]
        axes[0].set_title(title)
        yield axes
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
            drawn = io.BytesIO()
            drawing.savefig(drawn, format=kind, metadata=metadata)
            write(Path(path).with_suffix(f".{kind}"), lambda part, drawn=drawn: part.write(drawn.getvalue()))  # type: ignore[misc]


def learning_curve(record: Record, path: Path) -> None:
    """Accuracy against epoch, training (as presented) and test."""
    with figure(path, f"{record.config.data}, {record.network}, {record.config.rule}") as axis:
        at = range(1, len(record.epochs) + 1)
        for key, label, colour in (
            ("train_accuracy", "training, as presented", "#bbbbbb"),
            ("test_accuracy", "test", "#4477aa"),
        ):
            values = [100 * epoch[key] for epoch in record.epochs]
            axis.plot(at, values, marker="o", markersize=4, color=colour, label=label)
        if record.epochs:
            last = 100 * record.epochs[-1]["test_accuracy"]
            axis.annotate(
                f"{last:.2f} %", (len(record.epochs), last), xytext=(6, -3), textcoords="offset points", color="#4477aa"
            )
        axis.set_xlabel("epoch")
        axis.set_ylabel("accuracy, %")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.margins(x=0.08)
        axis.grid(axis="y", alpha=0.25)
        axis.legend(loc="lower right")


def channel_traffic(record: Record, path: Path) -> None:
    """Bits a learning sample sends: events into each layer, error codes out of each."""
    counts, layout = record.train_counts, record.layout
    per = max(1, counts.samples)
    layers = range(len(layout.neurons))
    with figure(path, "Bits sent per learning sample", (7.0, 1.9 + 0.55 * len(layout.neurons))) as axis:
        events = [counts.total("event", layer=i) * layout.event_bits[i] / per for i in layers]
        codes = [counts.total("error_code_bit", layer=i) / per for i in layers]
        for values, offset, colour, label in (
            (events, -0.2, PHASE_COLOURS["forward"], "events into the layer"),
            (codes, 0.2, PHASE_COLOURS["feedback"], "error codes out of the layer"),
        ):
            bars = axis.barh([i + offset for i in layers], values, 0.38, color=colour, label=label)
            axis.bar_label(bars, [f"{v:,.1f}" if v else "" for v in values], padding=3, fontsize=8)
        axis.set_yticks(list(layers), [f"layer {i}\n{layout.fan_in[i]}→{layout.neurons[i]}" for i in layers])
        axis.invert_yaxis()
        axis.set_xscale("symlog", linthresh=1)
        axis.set_xlabel("bits per sample")
        axis.margins(x=0.15)
        axis.get_figure().legend(loc="outside lower center", ncols=2)


def draw(record: Record, folder: Path) -> list[Path]:
    """All figures of a run into a folder; returns the PNG files."""
    from neurosim.studies.cost_figures import energy_by_component

    made: dict[str, Callable[[Path], None]] = {
        "learning_curve": lambda path: learning_curve(record, path),
        "energy_by_component": lambda path: energy_by_component(record.cost, path),
        "channel_traffic": lambda path: channel_traffic(record, path),
    }
    for name, make in made.items():
        make(folder / name)
    return [folder / f"{name}.png" for name in made]
