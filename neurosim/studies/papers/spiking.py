"""Event-driven random backpropagation in spikes (Neftci et al. 2017; NSAT: Detorakis et al. 2018): real numbers, integers, few bits.

MNIST 784-200-10 and 784-100-10 with the defaults of `Erbp`, one pass; the published parameters of both papers as they stand;
a sample of N-MNIST, 1,000 recordings, 12 passes, whose setting was chosen on the training recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.chip.layers import Dense
from neurosim.chip.spec import NetworkSpec
from neurosim.floats.training import Training
from neurosim.formats import Fixed
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.neurons import Events, Leak
from neurosim.spiking.training import Lesson
from neurosim.studies.papers.protocol import channel, network
from neurosim.studies.plots import bars
from neurosim.studies.reproduction import Cell, Findings, Results, Task, Verdict, findings_of, run_cells
from neurosim.studies.setting import Setting
from neurosim.studies.spikes import TAU_TICKS, WITHIN_TICKS, SpikingSetting
from neurosim.studies.tasks import EVENT_COUNTS, IN_PARTS, PARTS, PIXELS

ENGINES = ("float",)
BITS = (8, 6, 4)
_CONSTANT = (0,) * 5
"""The published rates do not fall."""
_FEW = (6, 4)
_ALL, _FIRST = 50_000, 10_000
_BP_SAMPLES = (1000, 2000, 5000, 10_000, 20_000)
_BP = Training(epochs=1, batch_size=100, rate=0.4, mean=True)
MNIST, MNIST_REAL = "784-200-10, integers", "784-200-10, real numbers"
WHOLE, WHOLE_REAL = f"{MNIST}, {_ALL:,} samples", f"{MNIST_REAL}, {_ALL:,} samples"
SMALL, SMALL_REAL = "784-100-10, integers", "784-100-10, real numbers"
NEAREST = "784-100-10, integers, rounded to the nearest"
LOSSY, NOISY, DEEP = "eRBPx 784-200-10", "eRBP+ 784-200-10", "eRBPx 784-200-200-10"
FASTER, LONGER = f"{LOSSY}, four times the rate", f"{LOSSY}, {_ALL:,} samples, five passes"
NSAT = "NSAT 784-100-10"
EVENTS, EVENTS_REAL, READ_OUT = "N-MNIST, integers", "N-MNIST, real numbers", "N-MNIST, linear read-out of counts"
EVENTS_IN_PARTS, READ_OUT_IN_PARTS = f"{EVENTS}, 1,000 in four parts", f"{READ_OUT}, 1,000 in four parts"
BP = "BP 784-200-10, 10 passes"
_MEASURES = {
    "test_accuracy": "test accuracy, %",
    "train_accuracy": "as it learned, %",
    "synops": "synaptic events a learning sample",
    "learning_nj": "nJ a learning sample",
}
_TRIED = (
    "Why the published settings stay behind after 10,000 samples: their rate is slow, and samples are few; backpropagation in one pass "
    "knows little more after as many (below). So one network is shown 50,000 samples five times, at the published, constant rate. "
    "Beside it four times the rate was tried, which is ahead early on; falling after that, it knew 94.0 % of the first 1,000 test "
    "samples after 45,000, where the published rate had 93.6 after 50,000. What else was tried, with refractory times that were a tick "
    "longer than published (which costs one to two points): with 3,000 samples and rates that fall, where the published parameters had "
    "67.0 %, eight times the rate 85.5, no refractory time of data neurons 77.5, no blank-out 72.6 (in both, more spikes are a higher "
    "rate), pixels as rates in place of escape rates 66.8, gates of 4 nA 62.3, error neurons with a threshold of 1 V 11.4. With 3,000, "
    "four times the rate, constant, 84.6: membranes that stay 84.4, that subtract the threshold 84.5, a threshold four times as high "
    "84.1, single-bit feedback 84.7, no blank-out 79.0, and our own coding, pixels as rates without a refractory time, 86.6: more spikes "
    "of the inputs, so less noise. Tests of 500 ticks differ by at most half a point. One of three seeds of "
    "eRBP+ ends 12 points below the others, which is most of "
    "what it is behind eRBPx.",
    "NSAT as shipped learns slowly, too. Tried with 3,000 samples, after which it knows 65.9 %: rates that fall 53.7, twice the rate "
    "71.1, half of it 57.5, membranes that subtract the threshold 73.9, three times the spikes of the inputs 70.3.",
    "N-MNIST has little to win above the read-out: of its 1,000 recordings in four parts, each judged after learning from the other "
    "three, logistic regression on the counts knows 83.5 % with as much regularisation as is best, 85.3 of their square roots. "
    "Prediction neurons inhibit one another because the outputs' delta rule is content as soon as the right one spikes: judged by those "
    "four parts, all with seed 0, without inhibition 82.2, with 8 and 16 83.8 each, with 24 82.2; with rates that go on falling 12 "
    "83.3 and 16 84.6, with 18 passes 84.8 (with a seed a part 83.1, so a seed matters as much as the setting). "
    "By that the setting was chosen, so "
    "the verdict in parts is kind to it. The test recordings were not used to choose among these; their standard error is 3.6 points. "
    "Both verdicts pass by less than chance: as good as the read-out is what they show, not better. "
    "Nothing more was gained, with 16, by 400 hidden neurons 82.9, a wider gate at the output "
    "82.7, inputs that are refractory for 3 ms 83.5. Before there was inhibition, learning from 750 and judged by the other 250: "
    "recordings moved by up to a pixel (nine copies, each shown once) 77.6 to 80.4 at three rates, ticks of 2 ms, 20 passes 83.6, "
    "membranes that subtract the threshold 83.6, gates open 62.8, a blank-out of a half 78.8, noise of half the threshold 84.0, where "
    "the best was 84.8 and regression 85.6.",
)
"""What was tried of the claims that fail."""
_NOTES = (
    "MNIST: 110 ticks a sample, of which 30 neither teach nor count, a pixel of 1 spikes with 0.3 a tick, one pass over the first "
    f"{_FIRST:,} samples, where it is not {_ALL:,}, in five equal parts, each at half the rate of the one before; weights of 8 bits, "
    "states of 16. The same descriptions in real numbers. N-MNIST: the first 1,000 training and 100 test recordings, "
    f"{PIXELS.n} inputs (2 x 2 pixels share one), 300 ticks of 1 ms, 12 passes in six such parts, prediction neurons that inhibit one "
    "another; 100 test recordings are few: one is a point, so that the training recordings are judged in four parts, too, each after "
    "learning from the other three (a seed a part; every other recording is hard, so parts differ much). The "
    "read-out is softmax regression on how often each input spoke. eRBPx, eRBP+ and NSAT have the published "
    "parameters, with the departures that `Erbp.neftci` and `Erbp.nsat` state, and samples of 250 and 1,500 ticks; rates are constant, "
    "as published; eRBP+ and eRBPx are in real numbers.",
    f"Spikes of two runs coincide that are within {WITHIN_TICKS} ticks; distance: van Rossum's with {TAU_TICKS:g} ticks, a spike alone "
    "is 1. Both are of 20 test samples, after the weights that real numbers have learned were rounded to the nearest, with integer "
    "states.",
    "Energy: `digital_45nm`. Synaptic events: every synapse that a spike reached, errors and labels included. Narrower weights can "
    "cost more: on MNIST the hidden layer fills 3 cores with 8 bits and 2 with 6 or 4, on N-MNIST 2 with 8 or 6 and 1 with 4. Fewer "
    "cores have fewer ports and lanes, so a sample takes longer (the first ten samples: MNIST 0.55 and 0.82 ms, N-MNIST 1.24 and 2.44 "
    "ms), and clock and static energy grow by more than the weight memory saves. Hidden neurons do spike more as weights get coarser "
    "(the first 40 samples: 4 and 8 % with 6 bits, 17 and 16 % with 4), but each such spike reaches ten synapses only.",
    *_TRIED,
)


def cells() -> list[Cell]:
    """Ours on MNIST and N-MNIST, the published settings, few bits, BP."""
    # Errors in smaller steps that stay for longer, and a boxcar that closes: few samples are to be learned well, not fast.
    finer = {
        "error_threshold": 256,
        "error_output": 32,
        "dendrite": Leak(5, rounding="least"),
        "gates": (1500, 1500),
        "inhibition": 16,
    }
    events = Erbp(n_in=PIXELS.n, source=Events(role="input"), gains=(3, 3), **finer)  # type: ignore[arg-type]
    recordings = SpikingSetting(events, Lesson(300, 0, 12, (0, 1, 2, 3, 4, 5)), "n-mnist", "events")
    mnist = SpikingSetting(Erbp(), train_samples=_FIRST)
    whole, small = mnist.replace(train_samples=_ALL), mnist.replace(network=Erbp(hidden=(100,)))
    published = mnist.replace(
        network=Erbp.neftci(),
        lesson=Lesson(250, 50, 1, _CONSTANT),
        encoding="escape",
        engine="float",
        test_samples=5000,
    )
    faster = published.replace(network=Erbp.neftci(rate=8))
    longer = published.replace(lesson=Lesson(250, 50, 5, (0,) * 10), train_samples=_ALL, test_samples=0)
    nsat = mnist.replace(network=Erbp.nsat(), lesson=Lesson(1500, 375, 1, _CONSTANT), brightest=0.03, test_samples=5000)
    nearest = small.network.replace(weight=Fixed(8, 0, rounding="nearest"))
    found = [
        Cell(MNIST, mnist, 5, "MNIST"),
        Cell(MNIST_REAL, mnist.replace(engine="float", rounded=BITS), 5, "MNIST", beside=MNIST),
        Cell(WHOLE, whole, 5, "MNIST"),
        Cell(WHOLE_REAL, whole.replace(engine="float"), 3, "MNIST", beside=WHOLE),
        Cell(SMALL, small, 5, "MNIST"),
        Cell(SMALL_REAL, small.replace(engine="float"), 5, "MNIST", beside=SMALL),
        Cell(NEAREST, small.replace(network=nearest), 5, "MNIST", beside=SMALL),
        Cell(LOSSY, published, 3, "published parameters"),
        Cell(NOISY, published.replace(network=Erbp.neftci(additive=True)), 3, "published parameters", beside=LOSSY),
        Cell(DEEP, published.replace(network=Erbp.neftci(hidden=(200, 200))), 3, "published parameters", beside=LOSSY),
        Cell(FASTER, faster, 3, "published parameters", beside=LOSSY),
        Cell(LONGER, longer, 1, "published parameters", beside=LOSSY),
        Cell(NSAT, nsat, 2, "published parameters"),
        Cell(EVENTS, recordings, 5, "N-MNIST"),
        Cell(EVENTS_REAL, recordings.replace(engine="float", rounded=BITS), 5, "N-MNIST", beside=EVENTS),
        Cell(READ_OUT, _read_out(), 5, "N-MNIST", beside=EVENTS),
        Cell(EVENTS_IN_PARTS, recordings.replace(data=recordings.data + IN_PARTS), PARTS, "N-MNIST"),
        Cell(READ_OUT_IN_PARTS, _read_out(EVENT_COUNTS + IN_PARTS), PARTS, "N-MNIST", beside=EVENTS_IN_PARTS),
    ]
    for bits in _FEW:
        found += [
            Cell(_few(EVENTS, bits), recordings.replace(weight_bits=bits), 5, "fewer bits", beside=EVENTS),
            Cell(_few(MNIST, bits), mnist.replace(weight_bits=bits), 5, "fewer bits", beside=MNIST),
        ]
    return found + _bp()


def _few(name: str, bits: int) -> str:
    return f"{name}, learned with {bits} bits"


def _read_out(data: str = EVENT_COUNTS) -> Setting:
    """Softmax regression: a network without hidden layers, trained until its accuracy stands still."""
    layers = (Dense(10, "softmax-e", initial="normal", accumulator=63),)
    training = Training(epochs=40, batch_size=20, rate=0.1, halve_every=8, mean=True)
    return Setting(NetworkSpec(PIXELS.n, layers, channel("bp")), training, data)


def _bp() -> list[Cell]:
    """Backpropagation in floats, stopped after so many samples: what accuracy costs in multiplications and additions."""
    setting = Setting(network(channel("bp"), hidden=(200,)), _BP)
    stopped = [
        Cell(f"BP 784-200-10, {n:,} samples", setting.replace(train_samples=n), 3, "BP in floats") for n in _BP_SAMPLES
    ]
    whole = setting.replace(train_samples=_ALL, training=replace(_BP, epochs=10))
    return [*stopped, Cell(BP, whole, 3, "BP in floats")]


def _for_task(task: Task) -> list[Cell]:
    """The cells; in a quick run one seed, few samples and one pass."""
    if not task.quick:
        return cells()
    found = []
    for cell in cells():
        n = 100 if cell.setting.data.startswith("n-mnist") else 300
        changes: dict[str, Any] = {"train_samples": n, "test_samples": 100}
        if isinstance(cell.setting, SpikingSetting):
            changes["lesson"] = cell.setting.lesson.replace(epochs=1, slower=(0,))
        found.append(replace(cell, seeds=1, setting=cell.setting.replace(**changes)))
    names: dict[str, Cell] = {cell.setting.key(0): cell for cell in reversed(found)}
    return [cell for cell in found if names[cell.setting.key(0)] is cell]


def study(task: Task) -> Findings:
    """Run, judge and draw."""
    results = run_cells(task, _for_task(task))
    return findings_of(
        "Learning in spikes: eRBP on MNIST and N-MNIST",
        results,
        _verdicts(results),
        lambda path: _draw(results, path, quick=task.quick),
        measures=_MEASURES,
        notes=_NOTES,
    )


def _draw(r: Results, path: Path, *, quick: bool) -> None:
    kept = [cell for cell in r.cells if cell.series != "BP in floats"]
    bars(replace(r, cells=kept), path, "eRBP in spikes", left=0 if quick else 60)


# ---------------------------------------------------------------------- what was said


def _verdicts(r: Results) -> list[Verdict]:
    return [*_ours(r), *_published(r), *_fixed_point(r), *_operations(r), *_events(r), *_bits(r)]


def _ours(r: Results) -> list[Verdict]:
    found = [
        r.judge(
            f"MNIST {WHOLE}, one pass",
            "no published value",
            "own",
            f"{r.text(WHOLE)} %",
            "at least 93 %",
            [WHOLE],
            r.mean(WHOLE) >= 93,
        )
    ]
    for whole, real in ((WHOLE, WHOLE_REAL), (MNIST, MNIST_REAL)):
        gap = r.mean(real) - r.mean(whole)
        found.append(
            r.judge(
                f"MNIST {whole}: as in real numbers", "no published value", "own", f"{r.text(whole)} and {r.text(real)} %, {gap:+.2f}",
                "within 2 points", [whole, real], abs(gap) <= 2,
            )
        )  # fmt: skip
    return found


def _error(r: Results, name: str) -> str:
    """Mean test error in per cent, with its standard deviation where there is one."""
    spread = f" ({r.spread(name):.2f})" if len(r.values(name)) > 1 else ""
    return f"{100 - r.mean(name):.2f}{spread} %"


def _published(r: Results) -> list[Verdict]:
    first = f"published parameters in real numbers, {_FIRST:,} samples"
    said = ((LOSSY, first, 2.69), (DEEP, first, 2.29), (NOISY, first, 3.53), (LONGER, "in real numbers", 2.69))
    found = [
        r.judge(
            f"{name}, {how}", f"{value:g} % error after 50,000", "M-med", _error(r, name),
            "at most 5 % error", [name], 100 - r.mean(name) <= 5,
        )
        for name, how, value in said
    ]  # fmt: skip
    gap = r.mean(LOSSY) - r.mean(NOISY)
    return [
        *found,
        r.judge(
            f"{LONGER}, in real numbers, as a full run", "2.69 % error after 50,000", "M-med", _error(r, LONGER),
            "at most 3.5 % error", [LONGER], 100 - r.mean(LONGER) <= 3.5,
        ),
        r.judge(
            "eRBPx, multiplicative noise, is better than eRBP+, additive", "0.8 points better", "M-med",
            f"{r.text(LOSSY)} and {r.text(NOISY)} %, {gap:+.2f}", "order", [LOSSY, NOISY], gap > 0,
        ),
        r.judge(
            f"NSAT 784-100-10 as shipped, {_FIRST:,} samples", "close to floats; the final error was not recovered", "V",
            f"{r.text(NSAT)} %", "at least 90 %", [NSAT], r.mean(NSAT) >= 90,
        ),
    ]  # fmt: skip


def _fixed_point(r: Results) -> list[Verdict]:
    gap, lost = r.mean(SMALL_REAL) - r.mean(SMALL), r.mean(SMALL) - r.mean(NEAREST)
    return [
        r.judge(
            "784-100-10, 8-bit weights, 16-bit states, stochastic rounding: close to floats", "close", "V",
            f"{r.text(SMALL)} and {r.text(SMALL_REAL)} %, {gap:+.2f}", "within 2 points", [SMALL, SMALL_REAL], gap <= 2,
        ),
        r.judge(
            "without stochastic rounding clearly worse", "no published value", "own", f"{r.text(NEAREST)} %, {lost:.2f} points below",
            "at least 2 points below", [SMALL, NEAREST], lost >= 2,
        ),
    ]  # fmt: skip


def samples_needed(r: Results, accuracy: float) -> float:
    """Samples after which backpropagation has an accuracy in per cent, between runs by the logarithm; NaN where it never has."""
    at = [(n, r.mean(f"BP 784-200-10, {n:,} samples")) for n in _BP_SAMPLES]
    curves = [[float(x) for x in str(run["curve"]).split()] for run in r.runs.get(BP, ())]
    if curves:
        at += [(_ALL * (epoch + 1), float(value)) for epoch, value in enumerate(np.mean(curves, axis=0))]
    return crossing(at, accuracy)


def crossing(at: Sequence[tuple[int, float]], accuracy: float) -> float:
    """Where a rising curve of (samples, accuracy) first reaches an accuracy, linear in the logarithm of samples; NaN if never."""
    before: tuple[int, float] | None = None
    for n, value in at:
        if value >= accuracy:
            if before is None or value == before[1]:
                return float(n)
            share = (accuracy - before[1]) / (value - before[1])
            return float(np.exp(np.log(before[0]) + share * (np.log(n) - np.log(before[0]))))
        before = n, value
    return float("nan")


def _operations(r: Results) -> list[Verdict]:
    macs = 2 * (784 * 200 + 200 * 10)
    found = []
    for name in (MNIST, WHOLE):
        samples, events, formula = (r.mean(name, measure) for measure in ("samples", "synops", "synops_formula"))
        needed = samples_needed(r, r.mean(name))
        ratio = samples * events / (needed * macs)
        by_formula = samples * formula / (needed * macs)
        found.append(
            r.judge(
                f"{name}: no more synaptic operations than backpropagation needs multiply-adds for the same accuracy", "at most 1", "V",
                f"{samples * events:.3g} counted, {samples * formula:.3g} by the paper's formula, BP {needed * macs:.3g} for "
                f"{r.mean(name):.2f} %: {ratio:.2f} and {by_formula:.2f}", "factor 2",
                [name, BP, *(f"BP 784-200-10, {n:,} samples" for n in _BP_SAMPLES)],
                ratio <= 2,
            )
        )  # fmt: skip
    return found


def _events(r: Results) -> list[Verdict]:
    gap = r.mean(EVENTS_REAL) - r.mean(EVENTS)
    found = [
        r.judge(
            "N-MNIST in integers", "no published value of 1,000 recordings", "own",
            f"{r.text(EVENTS)} and {r.text(EVENTS_REAL)} %, {gap:+.2f}",
            "within 3 points of real numbers", [EVENTS, EVENTS_REAL], abs(gap) <= 3,
        )
    ]  # fmt: skip
    for spiking, read_out, of in (
        (EVENTS, READ_OUT, "100 test recordings"),
        (EVENTS_IN_PARTS, READ_OUT_IN_PARTS, "1,000 recordings in four parts"),
    ):
        ahead = r.mean(spiking) - r.mean(read_out)
        found.append(
            r.judge(
                f"N-MNIST in integers is above a linear read-out of counts, {of}", "no published value", "own",
                f"{r.text(spiking)} and {r.text(read_out)} %, {ahead:+.2f}", "above", [spiking, read_out], ahead > 0,
            )
        )  # fmt: skip
    return found


def _bits(r: Results) -> list[Verdict]:
    """What weights of fewer bits cost, rounded after learning and learned with."""
    found = []
    for name, real in ((MNIST, MNIST_REAL), (EVENTS, EVENTS_REAL)):
        for bits in BITS:
            learned = name if bits == 8 else _few(name, bits)
            after, coincide, far = (r.mean(real, f"{x}_{bits}_bits") for x in ("accuracy", "coincide", "distance"))
            found.append(
                r.judge(
                    f"{name.partition(',')[0]}, weights of {bits} bits", "8 bits learn, fewer degrade", "M-med",
                    f"rounded after learning {after:.2f} % ({coincide:.0f} % of spikes coincide, distance {far:.2f}), learned with "
                    f"{r.text(learned)} %; real numbers {r.text(real)} %",
                    "learned with 8 bits within 3 points of real numbers, with fewer at most half a point above 8", [real, learned, name],
                    r.mean(real) - r.mean(name) <= 3 if bits == 8 else r.mean(learned) <= r.mean(name) + 0.5,
                )
            )  # fmt: skip
    return found
