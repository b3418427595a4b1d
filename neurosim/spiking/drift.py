"""How far fewer bits move a network: its description with narrower weights, and what two runs' spikes have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.fields import shown
from neurosim.formats import check_whole
from neurosim.spiking.events import Sample
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events
from neurosim.spiking.plasticity import Plasticity, Term
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.recorded import Spikes, in_turn
from neurosim.spiking.spec import SpikingSpec, check_spec

Raster = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ticks and neurons of spikes: int64[spikes] each."""


def narrowed(spec: SpikingSpec, bits: int) -> SpikingSpec:
    """The network with weights of so many bits where they have more: an LSB as many times larger, and all that counts in LSBs.

    A term's or eligibility's shift grows, and so does the gain; first weights are rounded to the nearest. Synapses, delays and random words
    stay the same.
    """
    check_spec("network", spec)
    check_whole("bits", bits, 2, 16)
    return spec.replace(projections=tuple(_narrowed(spec, k, p, bits) for k, p in enumerate(spec.projections)))


def check_widths(bits: Any, most: int) -> None:
    """Refuse what is no list of widths 2..most."""
    if isinstance(bits, str) or not isinstance(bits, Sequence | np.ndarray):
        raise NeurosimError(f"bits={shown(bits)}: must be a list of whole numbers 2..{most}")
    for one in bits:
        check_whole("bits", one, 2, most)


def _narrowed(spec: SpikingSpec, number: int, p: Projection, bits: int) -> Projection:
    less = p.weight.bits - bits
    if less <= 0:
        return p
    n_source = spec.population(p.source).n
    drawn = p.draw(spec.seed, number, n_source, spec.population(p.target).n)
    word = p.weight.replace(bits=bits, frac=p.weight.frac - less)
    codes = np.clip(np.rint(drawn.weight * 2.0**-less).astype(np.int64), word.low, word.high)
    rule = p.plasticity
    if rule is not None:
        if rule.eligibility is not None:
            eligibility = rule.eligibility
            rule = rule.replace(eligibility=_coarser(eligibility, less, p))
        else:
            rule = Plasticity(_term(rule.on_pre, less, p), _term(rule.on_post, less, p))
    assert p.low is not None
    assert p.high is not None
    sources = np.repeat(np.arange(n_source), np.diff(drawn.start))
    # What is joined in full stays so, and needs no list of targets.
    whole = isinstance(p.connect, Connect) and p.connect.kind == "all"
    connect = p.connect if whole else Pairs(sources, drawn.target.astype(np.int64))
    return p.replace(
        weight=word, initial=codes, connect=connect, delay=drawn.delay.astype(np.int64),
        gain=p.gain + less, plasticity=rule, low=max(word.low, -(-p.low >> less)), high=min(word.high, p.high >> less),
    )  # fmt: skip


def _term(term: Term | None, less: int, p: Projection) -> Term | None:
    return None if term is None else _coarser(term, less, p)


def _coarser(rule: Any, less: int, p: Projection) -> Any:
    """The same change in units of an LSB 2**less as large."""
    from dataclasses import replace

    try:
        return replace(rule, shift=rule.shift + less)
    except NeurosimError as error:
        raise NeurosimError(f"{p.title}: weights of {p.weight.bits - less} bits: {error}") from error


@dataclass(frozen=True)
class Drift:
    """How spikes of neurons with a threshold differ from those of the network in real numbers, by case.

    coincide: share of spikes of both with a spike of the same neuron in the other within some ticks; rate: mean difference of
    spikes a neuron and tick, with sign; distance: van Rossum's, root mean square over neurons (1 is about a spike that the other has not).
    """

    ticks: int
    within: int
    tau: float
    spikes: int
    rows: tuple[tuple[str, int, float, float, float], ...]

    def __str__(self) -> str:
        most = max([self.spikes, *(row[1] for row in self.rows)])
        if not most:
            return f"nothing spiked in {self.ticks} ticks, so there is nothing to compare"
        lines = [
            f"{self.spikes} spikes in {self.ticks} ticks in real numbers; coincidence within {self.within} ticks, tau {self.tau:g} ticks"
        ]
        lines += [f"{'':16}{'spikes':>8}{'coincide':>10}{'rate a tick':>13}{'distance':>10}"]
        lines += [f"{name:16}{n:8}{share:10.1%}{rate:+13.5f}{far:10.3f}" for name, n, share, rate, far in self.rows]
        return "\n".join(lines)


def drift_of_rasters(real: Raster, cases: Mapping[str, Raster], n: int, ticks: int, within: int, tau: float) -> Drift:
    """`Drift` of the spikes of n neurons: those of the original, and of each case."""
    rows = []
    for name, found in cases.items():
        both = len(real[0]) + len(found[0])
        near = _near(real, found, within, ticks) + _near(found, real, within, ticks)
        rate = (len(found[0]) - len(real[0])) / max(1, n * ticks)
        rows.append((name, len(found[0]), near / both if both else 1.0, rate, van_rossum(real, found, n, ticks, tau)))
    return Drift(ticks, within, tau, len(real[0]), tuple(rows))


def rounded(spec: SpikingSpec, trained: SpikingNetwork, bits: int) -> SpikingSpec:
    """The description with the plastic weights that a network has learned, rounded to the nearest, in words of at most so many bits.

    trained: of the same description, in integers or real numbers.
    """
    projections = [
        p if p.plasticity is None else p.replace(initial=np.rint(trained.weights(k)).astype(np.int64))
        for k, p in enumerate(spec.projections)
    ]
    return narrowed(spec.replace(projections=tuple(projections)), bits)


def replayed(spec: SpikingSpec, samples: Sequence[Sample], ticks: int) -> SpikingSpec:
    """The network with lists of events as its one input, one after the other, so many ticks each, and with labels silent."""
    shown = Events(
        np.concatenate([at + ticks * k for k, (at, _) in enumerate(samples)]),
        np.concatenate([who for _, who in samples]),
    )
    by_role = {"input": shown, "label": Events()}
    populations = [p.replace(spikes=by_role.get(getattr(p.spikes, "role", ""), p.spikes)) for p in spec.populations]
    return spec.replace(populations=tuple(populations))


def presented(
    spec: SpikingSpec, inputs: Any, labels: Any = None, *, ticks: int, classes: Mapping[str, NDArray[Any]] | None = None
) -> tuple[SpikingSpec, int]:
    """The network with sources that do by themselves what they do in presentations of samples, one after the other.

    inputs, labels, ticks, classes: as of `SpikingNetwork.present`. Sources whose role is input or label become lists of the spikes that
    they make there, so that any run of the network from its start is shown the same. Returns also the ticks of all samples together.
    """
    parts: list[Spikes] = []
    alone = SpikingNetwork(spec.replace(projections=()))
    output = spec.populations[0].name
    alone.present(inputs, labels, ticks=ticks, output=output, classes=classes, learn=False, spikes=parts)
    if not parts:
        raise NeurosimError("inputs: no samples: must be at least one")
    spikes = in_turn(parts, ticks)
    populations = [
        p.replace(spikes=Events(*spikes[p.name])) if getattr(p.spikes, "role", "") in ("input", "label") else p
        for p in spec.populations
    ]
    return spec.replace(populations=tuple(populations)), ticks * len(parts)


def joined(spec: SpikingSpec, spikes: Mapping[str, Raster]) -> Raster:
    """Spikes of all neurons with a threshold, numbered through."""
    first, ticks, neurons = 0, [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for p in spec.populations:
        if not p.is_source:
            ticks.append(spikes[p.name][0])
            neurons.append(spikes[p.name][1] + first)
            first += p.n
    return np.concatenate(ticks), np.concatenate(neurons)


def _near(one: Raster, other: Raster, within: int, ticks: int) -> int:
    """Spikes of one that have a spike of the same neuron in the other within some ticks."""
    span = ticks + 2 * within + 1
    keys, others = one[1] * span + one[0], np.sort(other[1] * span + other[0])
    low, high = np.searchsorted(others, keys - within), np.searchsorted(others, keys + within, side="right")
    return int((high > low).sum())


def van_rossum(one: Raster, other: Raster, n: int, ticks: int, tau: float) -> float:
    """The distance of van Rossum (2001), trains filtered by exp(-t / tau): root mean square over n neurons, 1 for one spike alone."""
    decay = float(np.exp(-1 / tau))
    kicks = np.concatenate([np.ones(len(one[0])), -np.ones(len(other[0]))])
    at, who = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
    order = np.argsort(at, kind="stable")
    at, who, kicks = at[order], who[order], kicks[order]
    edges = np.searchsorted(at, np.arange(ticks + 1))
    trace, total = np.zeros(n), 0.0
    for tick in range(ticks):
        trace *= decay
        np.add.at(trace, who[edges[tick] : edges[tick + 1]], kicks[edges[tick] : edges[tick + 1]])
        total += float(trace @ trace)
    total += float(trace @ trace) * decay**2 / (1 - decay**2)  # what is left to decay after the end
    return float(np.sqrt(total * (1 - decay**2) / max(1, n)))
