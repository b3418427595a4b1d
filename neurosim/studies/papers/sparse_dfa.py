"""Sparse direct feedback (Crafton et al., Frontiers in Neuroscience 13:525, 2019): each hidden neuron hears exactly one error.

784-400-10 tanh, natural softmax, weights from zero for DFA, Adam with rate 0.01 and epsilon 1, batches of 32, images standardised
one by one.
B uniform on +-1/sqrt(width / sqrt(10 k)) for k errors a neuron. The authors train for 300 epochs, and BP with
ReLU units; here 30, with tanh.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from neurosim.chip.channel import Channel
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.floats.training import Training
from neurosim.formats import Fixed
from neurosim.studies.papers.on_chip import FLOAT, WIDE, beside, chip, costs_little, findings, floats
from neurosim.studies.papers.protocol import channel, for_task, network
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting

ENGINES = ("float", "fixed")
_FAN_INS, _WHOLE = (1, 2, 10), "C of 8 bits, all 10 errors"
_WIDTH = 400
_DENSE, _ONE = "DFA, 10 errors a neuron", "DFA, 1 error a neuron"
_LONG = ", 120 epochs"
_SAID = {_DENSE: 98.0, _ONE: 98.0}
_WIDER = ", 12-bit weights to 2"
_FULL = (
    "Why one error a neuron collapses: neurons that hear one class move together, and output weights must be large to tell classes apart "
    "by them. In floats a quarter of those pass 0.5 within four epochs, the largest 2.6; on the chip a third are full after the second (a "
    "thirtieth with two errors a neuron), and errors never end. Half the rate, output weights to 2 of as many bits, errors of 8 bits or "
    "whole do not mend it (tried by hand, one seed); 12-bit weights to 2 in both layers do."
)
_COPIES = (
    "From zero weights all the neurons that hear the same error alone begin as copies of one another, but for the size and sign of what "
    "they hear: ten features, which drift apart only slowly. So one error a neuron is behind after 30 epochs, less so with more of them or "
    "from random weights."
)
_TRAINING = Training(epochs=30, batch_size=32, rate=0.01, optimiser="adam", epsilon=1.0, mean=True, standardise=True)


def _b(fan_in: int, **changes: Any) -> FeedbackCrossbar:
    reach = 1 / math.sqrt(_WIDTH / math.sqrt(10 * fan_in))
    return FeedbackCrossbar(bits=16, fan_in=fan_in, spread=reach / math.sqrt(3), **changes)


def _name(values: str, fan_in: int) -> str:
    return f"C of {values}, {fan_in} error{'s' if fan_in > 1 else ''} a neuron"


def _on_chip() -> list[Cell]:
    """Single bits of an exact fan-in, held as addresses, beside dense words, BP and floats."""
    hidden, found = (100,), []
    for values in ("+-1", "01"):
        for fan_in in _FAN_INS:
            feedback = FeedbackCrossbar(values=values, fan_in=fan_in, storage="addresses")
            setting = chip("srbp", hidden, feedback=feedback)
            found.append(Cell(_name(values, fan_in), setting, 3, "chip"))
            if fan_in == 1:
                found.append(Cell(_name(values, 1) + _WIDER, _wider(setting), 3, "chip"))
    whole = {
        _name("+-1", 1): found[0].setting,
        _WHOLE: chip("srbp", hidden, feedback=WIDE),
        "BP": chip("bp", hidden),
    }
    for name, setting in whole.items():
        found += [Cell(name, setting, 3, "chip")] if name != found[0].name else []
        found.append(Cell(f"{name}, {FLOAT}", floats(setting), 2, FLOAT))
    return beside([*found, Cell("top only", chip("top-only", hidden), 3, "chip")], lambda _: f"{_WHOLE}, {FLOAT}")


def _wider(setting: Setting) -> Setting:
    """The same with weights of 12 bits up to 2 in size."""
    weight = Fixed(12, 10, rounding="stochastic")
    layers = tuple(replace(layer, weight=weight) for layer in setting.network.layers)
    return setting.replace(network=setting.network.replace(layers=layers))


def cells(engine: str = "float") -> list[Cell]:
    """Dense and sparse DFA, BP, and a single-bit crossbar of the same fan-in."""
    if engine == "fixed":
        return _on_chip()
    zero: dict[str, Any] = {"hidden": (_WIDTH,), "init_gain": 0.0}
    rules: dict[str, tuple[Channel, dict[str, Any]]] = {
        _DENSE: (channel("srbp", feedback=_b(10)), zero),
        _ONE: (channel("srbp", feedback=_b(1)), zero),
        "DFA, 1 error a neuron, entries of +-1": (
            channel("srbp", feedback=FeedbackCrossbar(values="+-1", fan_in=1, scale=0.05)),
            zero,
        ),
        "BP": (channel("bp"), {"hidden": (_WIDTH,)}),
    }
    found = [
        Cell(name, Setting(network(rule, **net), _TRAINING), 5 if name in _SAID else 2)
        for name, (rule, net) in rules.items()
    ]
    for name, errors in ((_DENSE, 10), (_ONE, 1)):
        started = Setting(network(channel("srbp", feedback=_b(errors)), hidden=(_WIDTH,)), _TRAINING)
        found.append(Cell(f"{name}, from normal weights", started, 2))
    longer = replace(_TRAINING, epochs=120)
    return [*found, *(Cell(name + _LONG, Setting(network(rules[name][0], **zero), longer), 1) for name in _SAID)]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, for_task(task, cells(task.engine)))
    if task.engine == "fixed":
        note = (
            "One hidden layer of 100. Each neuron hears so many of the 10 errors, by an adder and, of +-1, a sign. With softmax the "
            "errors sum to 0: a neuron that adds all of them up hears nothing but rounding."
        )
        verdicts = [costs_little(results, _name("+-1", n), _WHOLE) for n in _FAN_INS]
        verdicts += [costs_little(results, _name("01", n), _WHOLE) for n in _FAN_INS[:2]]
        verdicts += [costs_little(results, _name(values, 1) + _WIDER, _WHOLE) for values in ("+-1", "01")]
        title = "Sparse direct feedback on the chip, MNIST"
        return findings(task, title, results, verdicts, left=0, notes=[note, _FULL], net="784-100-10")
    return findings_of(
        "Sparse direct feedback, MNIST 784-400-10 tanh, 30 epochs",
        results,
        _verdicts(results),
        lambda path: bars(results, path, "MNIST 784-400-10 tanh, Adam", left=0 if task.quick else 92),
        notes=["30 epochs; the published runs have 300, and BP's have ReLU units, where these have tanh.", _COPIES],
    )


def _verdicts(r: Results) -> list[Verdict]:
    gap, later = (r.mean(_DENSE + when) - r.mean(_ONE + when) for when in ("", _LONG))
    return [
        r.judge(
            "one error a neuron is enough", "a small loss, within about 0.5 points", "V", f"{r.text(_ONE)} %, {gap:+.2f} below dense",
            "at most 1 point", [_DENSE, _ONE], gap <= 1,
        ),
        r.judge(
            "one error a neuron is enough, given 120 epochs", "a small loss, within about 0.5 points, after 300", "V",
            f"{r.text(_ONE + _LONG)} %, {later:+.2f} below dense after as many", "at most 1 point",
            [_DENSE + _LONG, _ONE + _LONG], later <= 1,
        ),
        *(r.near(f"{name}, MNIST 784-400-10", name, said, "M-lo", 1.0) for name, said in _SAID.items()),
    ]  # fmt: skip
