"""neurosim: a bit-exact simulator of low-precision neuromorphic hardware that learns on chip, and what it costs.

Public names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Channel": "neurosim.chip.channel",
    "RULES": "neurosim.chip.channel",
    "rule": "neurosim.chip.channel",
    "FeedbackCrossbar": "neurosim.chip.crossbar",
    "Conv2d": "neurosim.chip.layers",
    "Dense": "neurosim.chip.layers",
    "Network": "neurosim.chip.network",
    "NetworkSpec": "neurosim.chip.spec",
    "Cost": "neurosim.costs",
    "load_hardware": "neurosim.costs:load",
    "place": "neurosim.costs",
    "price": "neurosim.costs",
    "read_counts": "neurosim.costs",
    "traffic": "neurosim.costs",
    "NeurosimError": "neurosim.errors",
    "FloatNetwork": "neurosim.floats.network",
    "Fixed": "neurosim.formats",
    "Quantiser": "neurosim.formats",
    "Layout": "neurosim.ops",
    "OpCounts": "neurosim.ops",
    "SpikingNetwork": "neurosim.spiking.network",
    "SpikingSpec": "neurosim.spiking.spec",
    "Population": "neurosim.spiking.neurons",
    "State": "neurosim.spiking.neurons",
    "Leak": "neurosim.spiking.neurons",
    "Flow": "neurosim.spiking.neurons",
    "Threshold": "neurosim.spiking.neurons",
    "Poisson": "neurosim.spiking.neurons",
    "Regular": "neurosim.spiking.neurons",
    "Events": "neurosim.spiking.neurons",
    "Projection": "neurosim.spiking.projection",
    "Connect": "neurosim.spiking.projection",
    "Pairs": "neurosim.spiking.projection",
    "Plasticity": "neurosim.spiking.plasticity",
    "Term": "neurosim.spiking.plasticity",
    "Gate": "neurosim.spiking.plasticity",
    "Kernel": "neurosim.spiking.plasticity",
    "Eligibility": "neurosim.spiking.plasticity",
    "Erbp": "neurosim.spiking.erbp",
    "Config": "neurosim.studies.config",
    "Record": "neurosim.studies.record",
    "run": "neurosim.studies.experiment",
    "Study": "neurosim.studies.sweep.study",
    "sweep": "neurosim.studies.sweep.sweep",
    "report": "neurosim.studies.sweep.report",
    "data": "neurosim.data:",
}

__all__ = [*_PUBLIC, "__version__"]

if TYPE_CHECKING:
    from neurosim import data as data
    from neurosim.chip.channel import RULES as RULES
    from neurosim.chip.channel import Channel as Channel
    from neurosim.chip.channel import rule as rule
    from neurosim.chip.crossbar import FeedbackCrossbar as FeedbackCrossbar
    from neurosim.chip.layers import Conv2d as Conv2d
    from neurosim.chip.layers import Dense as Dense
    from neurosim.chip.network import Network as Network
    from neurosim.chip.spec import NetworkSpec as NetworkSpec
    from neurosim.costs import Cost as Cost
    from neurosim.costs import load as load_hardware  # noqa: F401
    from neurosim.costs import place as place
    from neurosim.costs import price as price
    from neurosim.costs import read_counts as read_counts
    from neurosim.costs import traffic as traffic
    from neurosim.errors import NeurosimError as NeurosimError
    from neurosim.floats.network import FloatNetwork as FloatNetwork
    from neurosim.formats import Fixed as Fixed
    from neurosim.formats import Quantiser as Quantiser
    from neurosim.ops import Layout as Layout
    from neurosim.ops import OpCounts as OpCounts
    from neurosim.spiking.erbp import Erbp as Erbp
    from neurosim.spiking.network import SpikingNetwork as SpikingNetwork
    from neurosim.spiking.neurons import Events as Events
    from neurosim.spiking.neurons import Flow as Flow
    from neurosim.spiking.neurons import Leak as Leak
    from neurosim.spiking.neurons import Poisson as Poisson
    from neurosim.spiking.neurons import Population as Population
    from neurosim.spiking.neurons import Regular as Regular
    from neurosim.spiking.neurons import State as State
    from neurosim.spiking.neurons import Threshold as Threshold
    from neurosim.spiking.plasticity import Eligibility as Eligibility
    from neurosim.spiking.plasticity import Gate as Gate
    from neurosim.spiking.plasticity import Kernel as Kernel
    from neurosim.spiking.plasticity import Plasticity as Plasticity
    from neurosim.spiking.plasticity import Term as Term
    from neurosim.spiking.projection import Connect as Connect
    from neurosim.spiking.projection import Pairs as Pairs
    from neurosim.spiking.projection import Projection as Projection
    from neurosim.spiking.spec import SpikingSpec as SpikingSpec
    from neurosim.studies.config import Config as Config
    from neurosim.studies.experiment import run as run
    from neurosim.studies.record import Record as Record
    from neurosim.studies.sweep.report import report as report
    from neurosim.studies.sweep.study import Study as Study
    from neurosim.studies.sweep.sweep import sweep as sweep


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'neurosim' has no attribute {name!r}")
    module, colon, attribute = _PUBLIC[name].partition(":")
    found = importlib.import_module(module)
    value = found if colon and not attribute else getattr(found, attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
