"""The accounting plane: from counts to joules, seconds and square micrometres."""

from neurosim.costs.cost import Band, Cost
from neurosim.costs.counted import Counted, read_counts
from neurosim.costs.hardware import HardwareModel, explain, load, names
from neurosim.costs.pricing import price

__all__ = ["Band", "Cost", "Counted", "HardwareModel", "explain", "load", "names", "price", "read_counts"]
