"""The accounting plane: from counts to joules, seconds and square micrometres."""

from neurosim.costs.capacity import CapacityError
from neurosim.costs.cost import Band, Cost
from neurosim.costs.counted import Counted, read_counts
from neurosim.costs.hardware import AnyModel, ChipModel, HardwareModel, explain, load, names
from neurosim.costs.mapping import Plan, place
from neurosim.costs.noc import Traffic, traffic
from neurosim.costs.pricing import price, price_each

__all__ = [
    "AnyModel", "Band", "CapacityError", "ChipModel", "Cost", "Counted", "HardwareModel", "Plan", "Traffic",
    "explain", "load", "names", "place", "price", "price_each", "read_counts", "traffic",
]  # fmt: skip
