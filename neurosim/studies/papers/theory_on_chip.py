"""The chain [1, 1, 1] on the fixed-point substrate, and where its quantised dynamics stall.

In real numbers every start ends on the hyperbola a1 a2 = alpha / beta. On the chip a step changes a weight only where its update, rounded,
is not 0. Rounded to the nearest, the path stops in the band where both updates are below half an LSB,
|alpha - beta P| eta max(|c1|, |a1|) < LSB / 2; rounded stochastically, it goes on and wanders about the hyperbola. A coarse
error channel that is silent below its smallest code stops the path where every error is below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.channel import Channel
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.chip.spec import NetworkSpec
from neurosim.formats import Fixed, Quantiser
from neurosim.studies.figures import figures
from neurosim.studies.reproduction import Findings, Task, Verdict
from neurosim.studies.theory import chain, chain_limit, follow

_SLOPE = 0.8  # T = 0.8 I: alpha / beta
_INPUTS = np.arange(1, 9) / 4
_BETA = float((_INPUTS**2).mean())
_RATE = 8  # of eta = 2**-8 a sample; eight samples a step
_ETA = len(_INPUTS) * 2.0**-_RATE
_WORD = Fixed(16, 12)
_RANGE_BITS = 2  # weights in +-4
_STEPS, _EVERY = 4000, 10
_HEADER = (
    "weights",
    "errors",
    "starts",
    "stopped",
    "|P - alpha/beta|, median",
    "largest",
    "half-LSB band, largest",
    "from the closed-form limit, median",
)


@dataclass(frozen=True)
class Case:
    """A chain on the chip: bits of a weight, how updates are rounded, bits of an error (0: whole words)."""

    bits: int
    rounding: Literal["nearest", "stochastic"]
    error_bits: int = 0

    @property
    def lsb(self) -> float:
        """Of a weight."""
        return 2.0 ** -(self.bits - 1 - _RANGE_BITS)

    def network(self, start: NDArray[np.float64], seed: int) -> Network:
        """The chip, its two weights set."""
        weight = Fixed(self.bits, self.bits - 1 - _RANGE_BITS, rounding=self.rounding)
        layer: dict[str, Any] = {"weight": weight, "output": _WORD, "address": _WORD, "accumulator": 63, "bias": False}
        error = Quantiser(self.error_bits, alpha=4.0) if self.error_bits else None
        channel = Channel(route="skip", feedback=FeedbackCrossbar(values="01", density=1.0), error=error, gain=0)
        spec = NetworkSpec(
            1, (Dense(1, "linear", **layer), Dense(1, "linear", **layer)), channel,
            input=Fixed(8, 5, signed=False), received=_WORD, seed=seed,
        )  # fmt: skip
        net = Network(spec, strict=set())
        for layer_number, value in enumerate(start):
            net.weights(layer_number)[0, 0] = weight.encode(value)
        return net

    def path(self, start: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
        """(a1, a2) every so many steps: float64[times, 2]."""
        net = self.network(start, seed)
        codes, targets = net.encode(_INPUTS[:, None]), net.encode_targets(_SLOPE * _INPUTS[:, None])
        order = np.tile(np.arange(len(_INPUTS)), _EVERY)
        seen = [_weights(net)]
        for _ in range(_STEPS // _EVERY):
            net.train(codes, targets, rate=_RATE, batch_size=len(_INPUTS), order=order)
            seen.append(_weights(net))
            if self.rounding == "nearest" and np.array_equal(seen[-1], seen[-2]):
                break
        return np.array(seen)


def _weights(net: Network) -> NDArray[np.float64]:
    return np.array([float(net.weights(i)[0, 0]) * net.spec.layers[i].weight.lsb for i in range(2)])


CASES = (
    *(Case(bits, rounding) for rounding in ("nearest", "stochastic") for bits in (6, 8, 10, 12, 14)),
    *(Case(14, "nearest", bits) for bits in (1, 2, 3, 4)),
    *(Case(8, "stochastic", bits) for bits in (1, 2, 3, 4)),
)


def study(task: Task) -> Findings:
    """All cases from random starts, judged by their closed forms, and the figure."""
    starts = 5 if task.quick else 25
    rows, ends = [], {}
    for case in CASES:
        task.progress(f"{case.bits}-bit weights, {case.rounding}, error bits {case.error_bits or 'whole'}")
        ends[case] = found = list(_ends(case, starts))
        off, limit = np.array([end.off for end in found]), np.array([end.from_limit for end in found])
        band = max(end.band for end in found)
        stopped = f"{sum(end.stopped for end in found)}" if case.rounding == "nearest" else "–"
        rows.append(
            (
                f"{case.bits} bits, {case.rounding}", f"{case.error_bits} bits" if case.error_bits else "whole", starts, stopped,
                f"{np.median(off):.4f}", f"{off.max():.4f}", f"{band:.4f}", f"{np.median(limit):.4f}",
            )
        )  # fmt: skip
    return Findings(
        "The chain [1, 1, 1] on the chip: where quantised dynamics stall",
        _HEADER,
        rows,
        list(_verdicts(ends)),
        _draw,
        notes=[
            f"T = {_SLOPE} I, eight inputs a step, eta = 2^-{_RATE} a sample, c1 = 1, weights in ±4, states of 16 bits. The band is "
            "where both updates are below half an LSB: |P - alpha/beta| < LSB / (2 eta beta max(1, |a1|)), eta of the step's mean."
        ],
    )


@dataclass(frozen=True)
class End:
    """Where a path ended: whether it stood still, how far P is from alpha / beta, how wide the band there is."""

    stopped: bool
    off: float
    band: float
    from_limit: float


def _ends(case: Case, starts: int) -> Iterator[End]:
    rng = np.random.default_rng(11)
    for seed in range(starts):
        start = rng.uniform(-1.5, 1.5, 2)
        path = case.path(start, seed)
        tail = path[-1:] if case.rounding == "nearest" else path[-len(path) // 4 :]
        a1 = tail[-1, 0]
        band = case.lsb / (2 * _ETA * _BETA * max(1.0, abs(a1)))
        limit = chain_limit(np.array([1.0]), path[0], _SLOPE * _BETA, _BETA)
        yield End(
            bool(len(path) > 1 and np.array_equal(path[-1], path[-2])),
            float(np.abs(tail[:, 0] * tail[:, 1] - _SLOPE).mean()),
            band,
            float(np.abs(tail.mean(axis=0) - limit).max()),
        )


def _verdicts(ends: dict[Case, list[End]]) -> Iterator[Verdict]:
    for case in CASES:
        if case.rounding != "nearest" or case.error_bits:
            continue
        found = ends[case]
        # The forward pass rounds too: outputs by half an LSB of 2**-12, a few of them in the mean error.
        slack = 4 * _WORD.lsb
        inside = sum(end.off <= end.band + slack for end in found if end.stopped)
        stopped = sum(end.stopped for end in found)
        yield Verdict(
            f"{case.bits}-bit weights, rounded to the nearest, stop inside the half-LSB band",
            "|P - alpha/beta| < LSB / (2 eta beta max(1, |a1|))",
            "own",
            f"{inside} of {stopped} stopped paths ({len(found)} starts)",
            "all",
            stopped == len(found) and inside == stopped,
        )
    for bits in (6, 8, 10):
        near, wander = (
            np.median([e.off for e in ends[Case(bits, rounding)]]) for rounding in ("nearest", "stochastic")
        )
        yield Verdict(
            f"{bits}-bit weights: stochastic rounding comes closer to the hyperbola",
            "no published value",
            "own",
            f"median |P - alpha/beta| {wander:.4f} against {near:.4f} to the nearest",
            "order",
            bool(wander < near),
        )
    wide = [e.from_limit for e in ends[Case(14, "nearest")]]
    yield Verdict(
        "wide words end where the closed form says",
        "the cubic's root",
        "own",
        f"14-bit weights: median distance {np.median(wide):.4f}",
        "0.1, for steps and words are finite",
        bool(np.median(wide) <= 0.1),
    )


def _draw(path: Path) -> None:
    """Paths of coarse and fine chains in the plane of the two weights, rounded to the nearest and stochastically."""
    starts = [np.array(s) for s in ((0.2, 0.2), (-1.2, 0.6), (0.3, -1.3), (1.4, 1.4), (-0.4, -1.2))]
    colours = {6: "#ee6677", 8: "#4477aa", 12: "#228833"}
    with figures(path, "[1, 1, 1] on the chip: rounded to the nearest", 2, (10.5, 5.2)) as axes:
        axes[1].set_title("rounded stochastically")
        for axis, rounding in zip(axes, ("nearest", "stochastic"), strict=True):
            for side in (-1, 1):
                x = side * np.linspace(0.25, 2.6, 200)
                axis.plot(
                    x, _SLOPE / x, color="#333333", linewidth=1.6, label="a1 a2 = alpha / beta" if side > 0 else None
                )
            for i, start in enumerate(starts):
                real = follow(chain([1.0], _SLOPE * _BETA, _BETA).flow, start).states
                axis.plot(
                    real[:, 0],
                    real[:, 1],
                    color="#bbbbbb",
                    linewidth=3,
                    label="real numbers" if i == 0 else None,
                    zorder=0,
                )
                for bits, colour in colours.items():
                    seen = Case(bits, rounding).path(start, i)  # type: ignore[arg-type]
                    label = f"{bits}-bit weights" if i == 0 else None
                    axis.plot(seen[:, 0], seen[:, 1], color=colour, linewidth=0.9, label=label)
                    axis.plot(*seen[-1], "s", color=colour, markersize=4)
                axis.plot(*start, "o", color="#888888", markersize=4)
            axis.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xlabel="a1, first weight", ylabel="a2, second weight")
        axes[0].get_figure().legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
