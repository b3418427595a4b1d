"""What a study judges points by: the names that objectives and constraints may use, with unit and direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurosim.costs import Cost


@dataclass(frozen=True)
class Measure:
    """A number that a point has: its unit, whether more or less is better, whether it depends on the hardware, what it is."""

    unit: str
    better: str
    priced: bool
    what: str


MEASURES: Mapping[str, Measure] = {
    "test_accuracy": Measure("share", "max", False, "of the test samples, after the last epoch"),
    "train_accuracy": Measure("share", "max", False, "of the last epoch's samples, as they came"),
    "held_bits": Measure("bit", "min", False, "all that the network keeps on chip"),
    "channel_bits_per_sample": Measure("bit", "min", False, "error codes sent for a learning sample, one sending each"),
    "energy_pj_per_sample": Measure("pJ", "min", True, "of one learning sample"),
    "latency_ns_per_sample": Measure("ns", "min", True, "of one learning sample"),
    "inference_energy_pj_per_sample": Measure("pJ", "min", True, "of classifying one sample"),
    "inference_latency_ns_per_sample": Measure("ns", "min", True, "of classifying one sample"),
    "area_um2": Measure("um2", "min", True, "of the chip, learning included"),
    "static_power_uw": Measure("uW", "min", True, "of the whole chip, at all times"),
    "learning_energy_uj": Measure("uJ", "min", True, "of all samples that were learned"),
    "learning_time_ms": Measure("ms", "min", True, "of the chip, for all samples that were learned"),
}
"""All measures by name; the nominal values of bands."""

SIMULATED = tuple(name for name, measure in MEASURES.items() if not measure.priced)
PRICED = tuple(name for name, measure in MEASURES.items() if measure.priced)


def title(name: str) -> str:
    """A measure as an axis names it: words, then the unit."""
    unit = MEASURES[name].unit
    words = [word for word in name.split("_") if word != unit.lower()]
    return f"{' '.join(words)}, {'%' if unit == 'share' else unit}"


def priced(cost: Cost, samples: int) -> dict[str, float]:
    """The measures that depend on the hardware; samples: how many were learned.

    Those alone that are known: of some chips nobody published a time, an area or what learning costs, and a lower bound would win
    against what is priced whole.
    """
    found = {name: cost.band[name].nominal for name in PRICED if name in cost.band and not cost.is_least(name)}
    for name, key in (("learning_energy_uj", "energy_pj_per_sample"), ("learning_time_ms", "latency_ns_per_sample")):
        if key in found:
            found[name] = found[key] * samples * 1e-6
    return found


def breakdown(cost: Cost) -> dict[str, Any]:
    """Energy of a learning sample by phase and by component, pJ, nominal."""
    return {
        "phase": {name: band.nominal for name, band in cost.energy_by_phase.items()},
        "component": {name: band.nominal for name, band in cost.energy_by_component.items()},
    }
