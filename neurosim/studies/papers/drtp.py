"""Direct random target projection (Frenkel, Lefebvre, Bol, Frontiers in Neuroscience 15:629892, 2021) beside DFA, sDFA and BP.

784-500-10 tanh, logistic outputs, Nesterov momentum 0.9, rate 1e-4 of the batch's sum, batches of 100. DRTP sends the label instead of the
error; sDFA sends the error's sign. The authors train for 100 epochs; here 40.
"""

from __future__ import annotations

from dataclasses import replace

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.floats.training import Training
from neurosim.formats import Quantiser
from neurosim.studies.papers.protocol import channel, for_task, network
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float",)
_TRAINING = Training(epochs=40, batch_size=100, rate=1e-4, momentum=0.9, nesterov=True)
_UNIFORM = FeedbackCrossbar(bits=16, density=1.0)
_SAID = {"DRTP": (4.3, "M-lo"), "DFA": (1.9, "M-lo"), "BP": (1.7, "M-lo")}


def cells() -> list[Cell]:
    """The four rules, and DRTP with a single-bit crossbar."""
    sign = {"error": Quantiser(1, alpha=1.0, zero="none"), "place": ("source",), "feedback": _UNIFORM}
    rules = {
        "BP": channel("bp"),
        "DFA": channel("srbp", feedback=_UNIFORM),
        "sDFA": channel("srbp", **sign),
        "DRTP": channel("drtp", feedback=_UNIFORM),
        "DRTP, entries of +-1": channel(
            "drtp", feedback=FeedbackCrossbar(values="+-1", density=1.0, scale=(2 / 510) ** 0.5)
        ),
    }
    net = {"hidden": (500,), "output": "logistic", "initial": "uniform"}
    found = [Cell(name, Setting(network(rule, **net), _TRAINING), 3) for name, rule in rules.items()]  # type: ignore[arg-type]
    top = Setting(network(channel("top-only"), **net), _TRAINING)  # type: ignore[arg-type]
    return [*found, replace(found[0], name="top layer alone", setting=top, seeds=2)]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells()))
    said = {name: 100 - value for name, (value, _) in _SAID.items()}
    return findings_of(
        "Direct random target projection, MNIST 784-500-10 tanh",
        results,
        _verdicts(results),
        lambda path: bars(results, path, "MNIST 784-500-10 tanh", left=0 if task.quick else 90, said=said),
        notes=["40 epochs; the published runs have 100."],
    )


def _verdicts(r: Results) -> list[Verdict]:
    drtp, dfa = 100 - r.mean("DRTP"), 100 - r.mean("DFA")
    return [
        r.judge("DRTP on MNIST", "4 to 4.6 % error", "M-lo", f"{drtp:.2f} %", "3 to 6 %", ["DRTP"], 3 <= drtp <= 6),
        r.judge("DRTP is worse than DFA", "it is", "M-lo", f"{drtp:.2f} against {dfa:.2f} %", "order", ["DRTP", "DFA"], drtp > dfa),
        r.near("DFA on MNIST", "DFA", 98.1, "M-lo", 0.7),
        r.near("BP on MNIST", "BP", 98.3, "M-lo", 0.7),
    ]  # fmt: skip
