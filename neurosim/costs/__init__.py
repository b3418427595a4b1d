"""The accounting plane: from counts to joules, seconds and square micrometres."""

from neurosim.costs.cost import Band, Cost
from neurosim.costs.counted import Counted, read_counts
from neurosim.costs.hardware import AnyModel, ChipModel, HardwareModel, explain, load, names
from neurosim.costs.pricing import price

__all__ = [
    "AnyModel", "Band", "ChipModel", "Cost", "Counted", "HardwareModel", "explain", "load", "names", "price", "read_counts",
]  # fmt: skip
