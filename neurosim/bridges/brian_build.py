"""Brian2 objects from a Model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from neurosim.bridges.brian_device import brian2
from neurosim.bridges.brian_model import GroupCode, Model, SynapsesCode
from neurosim.bridges.brian_random import bits_function
from neurosim.bridges.brian_words import BITS


@dataclass
class Objects:
    """What a model became: a network of Brian2 objects, in the order of populations and projections."""

    network: Any
    clock: Any
    groups: list[Any] = field(default_factory=list)
    synapses: list[Any] = field(default_factory=list)
    monitors: list[Any] = field(default_factory=list)


def build(model: Model, dt_ms: float, clock: Any = None) -> Objects:
    """The objects of a model and a network of them. clock: one for several models that run together."""
    module = brian2()
    clock = clock or module.Clock(dt=dt_ms * module.ms)
    names = {"seed": model.seed, BITS: bits_function()}
    made = Objects(module.Network(), clock)
    by_name = {}
    for code in (*model.groups, *model.feeders):
        by_name[code.name] = _group(module, code, clock, names)
    made.groups = [by_name[code.name] for code in model.groups]
    made.monitors = [module.SpikeMonitor(group, name=f"{group.name}_spikes") for group in made.groups]
    schedules = [_synapses(module, code, by_name, clock, names) for code in model.schedules]
    made.synapses = [_synapses(module, code, by_name, clock, names) for code in model.synapses]
    for one in (*by_name.values(), *schedules, *made.synapses, *made.monitors):
        one.add_to_magic_network = False  # a user's own run() leaves them alone
        made.network.add(one)
    return made


def text(lines: Sequence[str]) -> str | None:
    """Lines as one block of code; None without any."""
    return "\n".join(lines) or None


def _group(module: ModuleType, code: GroupCode, clock: Any, names: dict[str, Any]) -> Any:
    if code.events is not None:
        ticks, neurons = code.events
        return module.SpikeGeneratorGroup(code.n, neurons, ticks * clock.dt, clock=clock, name=code.name)
    group = module.NeuronGroup(
        code.n, "\n".join(code.model), threshold=code.threshold, reset=text(code.reset) or "", clock=clock, namespace=names, name=code.name
    )  # fmt: skip
    for name, value in code.values.items():
        setattr(group, name, value)
    if code.update:
        group.run_regularly(text(code.update), when="groups", order=code.order, clock=clock, name=f"{code.name}_update")
    return group


def _synapses(module: ModuleType, code: SynapsesCode, groups: dict[str, Any], clock: Any, names: dict[str, Any]) -> Any:
    same = isinstance(code.delays, int)
    made = module.Synapses(
        groups[code.source], groups[code.target], text(code.model), on_pre=text(code.on_pre), on_post=text(code.on_post),
        delay=code.delays * clock.dt if same and code.delays else None,
        clock=clock, namespace=names, name=code.name,
    )  # fmt: skip
    made.pre.order = code.order
    if code.on_post:
        made.post.order = code.order + 1
    if len(code.sources):
        made.connect(i=code.sources, j=code.targets)
    else:
        made.connect(False)
    for name, value in code.values.items():
        if len(code.sources) or np.ndim(value) == 0:
            setattr(made, name, value)
    if not same and len(code.sources):
        made.pre.delay = code.delays * clock.dt
    if code.consolidation:
        made.run_regularly(
            text(code.consolidation), when="synapses", order=code.last, clock=clock, name=f"{code.name}_consolidation"
        )
    return made
