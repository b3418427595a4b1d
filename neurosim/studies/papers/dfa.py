"""Direct feedback alignment (Nøkland, arXiv 1609.01596, 2016): 784-2x800-10 tanh, logistic outputs, RMSprop.

B uniform on +-1/sqrt(width of the receiving layer), rate 1e-4, batches of 64, inputs in [0, 1]. The authors train for 300 epochs;
here 30.
"""

from __future__ import annotations

import math

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.floats.training import Training
from neurosim.studies.papers.protocol import channel, for_task, network
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float",)
_TRAINING = Training(epochs=30, batch_size=64, rate=1e-4, optimiser="rmsprop", mean=True)
_SAID = {"BP": 1.60, "FA": 1.64, "DFA": 1.74}
_WIDTH = 800


def cells() -> list[Cell]:
    """BP, FA, DFA."""
    uniform = FeedbackCrossbar(bits=16, density=1.0, spread=1 / math.sqrt(3 * _WIDTH))
    rules = {
        "DFA": channel("srbp", feedback=uniform),
        "BP": channel("bp"),
        "FA": channel("rbp", feedback=uniform),
    }
    net = {"hidden": (_WIDTH,) * 2, "output": "logistic", "initial": "uniform"}
    return [
        Cell(name, Setting(network(rule, **net), _TRAINING), 5 if name == "DFA" else 2)  # type: ignore[arg-type]
        for name, rule in rules.items()
    ]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    return findings_of(
        "Direct feedback alignment, MNIST 784-2x800-10 tanh, 30 epochs",
        results,
        _verdicts(results),
        lambda path: bars(
            results,
            path,
            "MNIST 784-2x800-10 tanh, RMSprop",
            left=0 if task.quick else 97,
            said={k: 100 - v for k, v in _SAID.items()},
        ),
        notes=["30 epochs; the published runs have 300."],
    )


def _verdicts(r: Results) -> list[Verdict]:
    return [
        r.judge(
            f"{name} on MNIST, 784-2x800-10 tanh", f"{said:.2f} % error", "M-hi", r.error(name),
            "1.5 to 2.2 %", [name], 1.5 <= 100 - r.mean(name) <= 2.2,
        )
        for name, said in _SAID.items()
    ]  # fmt: skip
