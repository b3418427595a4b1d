"""A Model printed as a Python program of Brian2 calls, to read, paste and edit; arrays beyond a few numbers go into a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.bridges.brian_model import GroupCode, Model, SynapsesCode

_SHOWN = 24
"""Numbers of an array that a listing shows."""


def listing(model: Model, dt_ms: float, arrays_file: str) -> tuple[str, dict[str, NDArray[Any]]]:
    """The program, and the arrays that it loads from `arrays_file`."""
    return _Printer(model, dt_ms, arrays_file).program()


class _Printer:
    def __init__(self, model: Model, dt_ms: float, arrays_file: str) -> None:
        self.model, self.dt_ms, self.file = model, dt_ms, arrays_file
        self.arrays: dict[str, NDArray[Any]] = {}

    def program(self) -> tuple[str, dict[str, NDArray[Any]]]:
        model = self.model
        groups = [*model.groups, *model.feeders]
        body = [line for code in groups for line in self._group(code)]
        body += [line for code in (*model.schedules, *model.synapses) for line in self._synapses(code)]
        monitors = [f"{code.name}_spikes" for code in model.groups]
        body += [f"{m} = SpikeMonitor({c.name}, name={m!r})" for m, c in zip(monitors, model.groups, strict=True)]
        names = [code.name for code in groups] + [code.name for code in (*model.schedules, *model.synapses)]
        body += ["", f"network = Network({', '.join([*names, *monitors])})", "network.run(100*ms, namespace={})"]
        head = [
            *(["from pathlib import Path", ""] if self.arrays else []),
            "import numpy as np",
            "from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, defaultclock, ms, prefs",
            "from neurosim.bridges.brian import bits_function",
            "",
            'prefs.codegen.target = "numpy"',
            "prefs.core.default_integer_dtype = np.int64  # products of words need more than 32 bits",
            f"defaultclock.dt = {self.dt_ms!r}*ms  # one tick",
            f'names = {{"seed": {model.seed}, "random_bits": bits_function()}}',
            *([f"arrays = np.load(Path(__file__).with_name({self.file!r}))"] if self.arrays else []),
            "",
        ]
        return "\n".join([*head, *body, ""]), self.arrays

    def _array(self, name: str, values: Any) -> str:
        array = np.asarray(values)
        if array.ndim == 0:
            return repr(array.item())
        if array.size <= _SHOWN:
            return f"np.array({array.tolist()})"
        self.arrays[name] = array
        return f"arrays[{name!r}]"

    def _group(self, code: GroupCode) -> list[str]:
        if code.events is not None:
            ticks, neurons = (
                self._array(f"{code.name}_{n}", v) for n, v in zip(("ticks", "neurons"), code.events, strict=True)
            )
            return [
                f"{code.name} = SpikeGeneratorGroup({code.n}, {neurons}, {ticks}*defaultclock.dt, name={code.name!r})", "",
            ]  # fmt: skip
        lines = [f"{code.name} = NeuronGroup({code.n}, {_block(code.model)}, threshold={code.threshold!r},"]
        lines += [f"    reset={_block(code.reset)},"]
        lines += [f"    namespace=names, name={code.name!r})"]
        lines += [f"{code.name}.{n} = {self._array(f'{code.name}_{n}', v)}" for n, v in code.values.items()]
        if code.update:
            where = f'when="groups", order={code.order}, name="{code.name}_update"'
            lines += [f"{code.name}.run_regularly({_block(code.update)}, {where})"]
        return [*lines, ""]

    def _synapses(self, code: SynapsesCode) -> list[str]:
        name, n = code.name, len(code.sources)
        delayed = isinstance(code.delays, int) and code.delays > 0
        lines = [f"{name} = Synapses({code.source}, {code.target}, {_block(code.model)},"]
        lines += [f"    on_pre={_block(code.on_pre)},"]
        lines += [f"    on_post={_block(code.on_post)},"] if code.on_post else []
        lines += [f"    delay={code.delays}*defaultclock.dt,"] if delayed else []
        lines += [f"    namespace=names, name={name!r})", f"{name}.pre.order = {code.order}"]
        lines += [f"{name}.post.order = {code.order + 1}"] if code.on_post else []
        i, j = self._array(f"{name}_i", code.sources), self._array(f"{name}_j", code.targets)
        lines += [f"{name}.connect(i={i}, j={j})" if n else f"{name}.connect(False)"]
        given = {k: v for k, v in code.values.items() if n or np.ndim(v) == 0}
        lines += [f"{name}.{k} = {self._array(f'{name}_{k}', v)}" for k, v in given.items()]
        if n and not isinstance(code.delays, int):
            lines += [f"{name}.pre.delay = {self._array(f'{name}_delay', code.delays)}*defaultclock.dt"]
        if code.consolidation:
            where = f'when="synapses", order={code.last}, name="{name}_consolidation"'
            lines += [f"{name}.run_regularly({_block(code.consolidation)}, {where})"]
        return [*lines, ""]


def _block(lines: Sequence[str]) -> str:
    if len(lines) < 2:
        return repr(lines[0] if lines else "")
    return '"""\n' + "\n".join(f"        {line}" for line in lines) + '\n    """'
