"""From tallies to operations: what spikes and ticks made the hardware do (docs/spiking.md 10).

Kernels count only what differs from run to run; how many additions, reads and bits follow is arithmetic on the description.
Layers are the projections and after them the populations (`Holding.names`). Sources are not on the chip: what is
counted of them is the delivery of their spikes, and the states that they have as traces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.program import quantiser_steps
from neurosim.ops import Op, OpCounts
from neurosim.spiking.held import TICK_BITS, Holding, address_bits, state_bits, waits
from neurosim.spiking.neurons import Leak, State, Threshold
from neurosim.spiking.plasticity import Eligibility, Kernel, Plasticity, Term
from neurosim.spiking.projection import Projection
from neurosim.spiking.tallies import Run

_BLANK_BITS, _LANE, _WORD, _NOISE_BITS = 8, 16, 64, 32
Add = Callable[..., None]


def operations(holding: Holding, run: Run, learning: Run | None, samples: int) -> OpCounts:
    """All operations of a run.

    run: all its ticks; learning: those in which it learned, None for a run that was to classify alone: then only the
    forward phase is counted. samples: presentations that the counts are of.
    """
    ops: dict[Op, int] = {}

    def adder(layer: int, phase: str) -> Add:
        def add(count: int, action: str, bits: int, by: int = 0, memory: str = "") -> None:
            if count:
                op = Op(layer, phase, action, int(bits), int(by), memory)
                ops[op] = ops.get(op, 0) + int(count)

        return add

    spec, phases = holding.spec, ("forward",) if learning is None else None
    for p, projection in enumerate(spec.projections):
        if phases is None or projection.phase in phases:
            _deliver(adder(p, projection.phase), holding, p, run)
        if learning is not None and projection.plasticity is not None:
            _learn(adder(p, "update"), holding, p, learning)
    for q in range(len(spec.populations)):
        phase = holding.phase(q)
        if phases is None or phase in phases:
            _update(adder(holding.layer(q), phase), holding, q, run)
    empty = tuple(np.zeros(0, np.int64) for _ in spec.populations)
    sent = [_sent(holding, p, run) for p in range(len(spec.projections))]
    by_phase: list[tuple[NDArray[np.int64], ...]] = []
    for wanted in (True, False):
        kept = ((p.phase == "error") != wanted and (phases is None or p.phase in phases) for p in spec.projections)
        by_phase.append(tuple(s if keep else np.zeros_like(s) for s, keep in zip(sent, kept, strict=True)) + empty)
    steps = learning.ticks if learning is not None else 0
    return OpCounts(samples, steps, ops, by_phase[0], by_phase[1], run.ticks)


def _sent(holding: Holding, p: int, run: Run) -> NDArray[np.int64]:
    """Spikes that the neurons of a projection's source sent into it: int64[n_source]."""
    source = holding.spec.number(holding.spec.projections[p].source)
    found: NDArray[np.int64] = run.spikes[source] * holding.senders(p)
    return found


# ---------------------------------------------------------------------- delivery


def _deliver(add: Add, holding: Holding, p: int, run: Run) -> None:
    """Packets, waiting spikes, rows that are read and sums that are kept."""
    projection, rows, counts = holding.spec.projections[p], holding.rows[p], run.counts[p]
    n_target = holding.spec.population(projection.target).n
    arrivals, events = counts["arrivals"], counts["events"]
    sent = _sent(holding, p, run)
    if projection.phase == "error":
        add(sent.sum(), "error_code", 1)
        add(sent.sum(), "error_code_bit", 1)
    else:
        add(sent.sum(), "event", 0)
    if max(rows.delays):
        address = address_bits(len(sent))
        add(sent.sum(), "write", address, memory="spike")
        add(arrivals - _at_once(holding, p, run), "read", address, memory="spike")
    if rows.start:
        add(2 * arrivals, "read", rows.start, memory=rows.lists)
    add(events, "synaptic_event", projection.weight.bits)
    if rows.address:
        add(events, "read", rows.address, memory=rows.lists)
    if projection.blank_out:
        add(arrivals, "random_word", _WORD)
        add(events, "random_word", _BLANK_BITS)
        add(events, "compare", _BLANK_BITS)
    met = events - counts["blanked"]
    add(rows.planes * n_target * arrivals, "read", 1, memory=rows.memory)
    if rows.regenerated:
        add(n_target * arrivals, "random_word", _LANE)
    if rows.weight:
        add(met, "read", rows.weight, memory=rows.memory)
    width = holding.accumulator[holding.spec.number(projection.target), projection.state]
    if projection.gain:
        add(met, "shift", width)
    add(met, "add", width)
    add(met, "read", width, memory="accumulator")
    add(met, "write", width, memory="accumulator")


def _at_once(holding: Holding, p: int, run: Run) -> int:
    """Arrivals in the tick of the spike itself, which need not wait."""
    synapses, source = holding.synapses[p], holding.spec.number(holding.spec.projections[p].source)
    row = np.repeat(np.arange(len(synapses.start) - 1), np.diff(synapses.start))
    none = np.zeros(len(synapses.start) - 1, np.bool_)
    none[row[synapses.delay == 0]] = True
    return int(run.spikes[source] @ none)


# ---------------------------------------------------------------------- neurons


def _update(add: Add, holding: Holding, q: int, run: Run) -> None:
    """Every state of every neuron in every tick, held or not; then what its spikes do."""
    population, spikes = holding.spec.populations[q], int(run.spikes[q].sum())
    n = population.n * run.ticks
    for state in population.states:
        _step(add, holding, q, state, n)
        bits = state_bits(state)
        if state.jump is not None:
            add(spikes, "read", bits, memory="state")
            add(spikes, "add", bits + 1)
            add(spikes, "neuron_update", bits + 1)
        if state.jump is not None or state.reset is not None:
            add(spikes, "write", bits, memory="state")
    if isinstance(population.spikes, Threshold):
        add(n, "compare", state_bits(population.states[population.state(population.spikes.state)]))
    if waits(population):
        bits = population.refractory.bit_length()
        for action in ("compare", "add"):
            add(n, action, bits)
        add(n, "read", bits, memory="state")
        add(n + spikes, "write", bits, memory="state")
    if holding.remembers(q):
        add(spikes, "write", TICK_BITS, memory="state")


def _step(add: Add, holding: Holding, q: int, state: State, n: int) -> None:
    """One state's step, n times: leak, flows, bias, input and noise, rounded and clipped."""
    population, bits, width = holding.spec.populations[q], state_bits(state), holding.sum_bits(q, state)
    add(n, "read", bits, memory="state")
    if state.leak is not None:
        _leak(add, n, state.leak, bits)
        add(n, "add", width)
    for flow in state.flows:
        of = state_bits(population.states[population.state(flow.state)])
        factor = abs(flow.numerator)
        if factor > 1:
            add(n, "multiply", of, factor.bit_length())
        if flow.shift:
            add(n, "shift", min(_WORD, of + (factor.bit_length() if factor > 1 else 0) + max(0, -flow.shift)))
        add(n, "add", width)
    if state.bias:
        add(n, "add", width)
    if (q, state.name) in holding.accumulator:
        for action in ("read", "write"):
            add(n, action, holding.accumulator[q, state.name], memory="accumulator")
        add(n, "add", width)
    if state.noise:
        add(n, "random_word", _WORD)
        add(n, "multiply", _NOISE_BITS, (2 * state.noise + 1).bit_length())
        add(n, "add", width)
    add(n, "neuron_update", width)
    add(n, "write", bits, memory="state")


def _leak(add: Add, n: int, leak: Leak, bits: int) -> None:
    """What a leak takes but for its subtraction."""
    if leak.numerator > 1:
        add(n, "multiply", bits, leak.numerator.bit_length())
    if leak.shift:
        add(n, "shift", bits + (leak.numerator.bit_length() if leak.numerator > 1 else 0))


# ---------------------------------------------------------------------- plasticity


def _learn(add: Add, holding: Holding, p: int, run: Run) -> None:
    projection, rows, counts = holding.spec.projections[p], holding.rows[p], run.counts[p]
    rule = projection.plasticity
    assert rule is not None
    for side, term in (("pre", rule.on_pre), ("post", rule.on_post)):
        if term is not None:
            _evaluate(add, holding, p, side, term, run)
    blanks = counts["arrivals"] if projection.blank_out else 0
    add(counts["random_words"] - blanks, "random_word", _WORD)
    if rule.eligibility is not None:
        add(counts["tags_changed"], "write", rule.eligibility.word.bits, memory="tag")
        _consolidate(add, holding, p, rule.eligibility, run)
    add(counts["changed"], "weight_changed", projection.weight.bits)
    add(counts["changed"], "write", rows.weight, memory=rows.memory)


def _evaluate(add: Add, holding: Holding, p: int, side: str, term: Term, run: Run) -> None:
    """One term: the states that it reads, its gates and factors, and what it adds to a weight or tag."""
    projection, counts = holding.spec.projections[p], run.counts[p]
    evaluated, attempted = counts[f"evaluated_{side}"], counts[f"attempted_{side}"]
    bits = {name: _bits_of(holding, projection, name) for name in _named(term)}
    for name, width in bits.items():  # the own side's is read once for the whole row or column
        once = _rows_met(holding, p, side, run) if name.partition(".")[0] == side else evaluated
        add(once, "read", width, memory="state")
    for gate in term.gates:
        add(2 * evaluated, "compare", bits[gate.state])
    product = bits.get(term.times, 0)
    if isinstance(term.of, Kernel):
        segments = term.of.segments
        add(evaluated, "read", TICK_BITS, memory="state")
        add(evaluated, "add", TICK_BITS)
        add(len(segments) * evaluated, "compare", TICK_BITS)
        most = max(exponent for _, exponent, _ in segments)
        product = min(_WORD, max(1, product) + most)
        add(attempted, "shift", product)
    elif term.of != "1":
        if term.error is not None:
            shifts, compares = quantiser_steps(term.error)
            add(shifts * evaluated, "shift", bits[term.of])
            add(compares * evaluated, "compare", bits[term.of])
        if product:
            add(attempted, "update_pair", bits[term.of], product)
        product += bits[term.of]
    factor = abs(term.numerator)
    if factor > 1:
        if product:
            add(attempted, "multiply", product, factor.bit_length())
        product = min(_WORD, product + factor.bit_length())
    rule = projection.plasticity
    assert rule is not None
    word, memory = _changed(holding, p, rule, side)
    add(attempted, "update_attempted", word.bits)
    add(attempted, "add", word.bits)
    if memory:  # an arrival has its weight in hand
        add(attempted, "read", word.bits, memory=memory)
    if word.rounding == "stochastic" and term.shift:
        _round(add, attempted, term.shift, max(1, product))


def _changed(holding: Holding, p: int, rule: Plasticity, side: str) -> tuple[Any, str]:
    """The word that a term changes, and the memory that it must be read from first."""
    if rule.eligibility is not None:
        return rule.eligibility.word, "tag"
    memory = holding.rows[p].memory
    column = "weight_column" if memory == "weight" else memory
    return holding.spec.projections[p].weight, column if side == "post" else ""


def _round(add: Add, n: int, shift: int, width: int) -> None:
    """Stochastic rounding of so many bits, n times: a lane of the row's word (docs/substrate.md 6) and its addition."""
    add(n, "random_word", next(lane for lane in (16, 32, 64) if shift <= lane))
    add(n, "add", width)


def _named(term: Term) -> list[str]:
    """The states that a term reads, each once."""
    names = [term.of, term.times, *(gate.state for gate in term.gates)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name != "1"))


def _bits_of(holding: Holding, projection: Projection, name: str) -> int:
    population, number = holding.spec.side(projection, name)
    return state_bits(population.states[number])


def _rows_met(holding: Holding, p: int, side: str, run: Run) -> int:
    """Arrivals, or spikes of targets that have a synapse, in the ticks of a run."""
    if side == "pre":
        return run.counts[p]["arrivals"]
    target, synapses = holding.spec.number(holding.spec.projections[p].target), holding.synapses[p]
    joined = np.bincount(synapses.target, minlength=holding.spec.populations[target].n) > 0
    return int(run.spikes[target] @ joined)


def _consolidate(add: Add, holding: Holding, p: int, rule: Eligibility, run: Run) -> None:
    """Tags are read in every tick that learns, and leak; where the factor is not 0 they change their weight."""
    projection, rows, done = holding.spec.projections[p], holding.rows[p], run.counts[p]["consolidated"]
    tags, bits = len(holding.synapses[p].target) * run.ticks, rule.word.bits
    add(tags, "read", bits, memory="tag")
    add(tags, "compare", bits)
    if rule.leak is not None:
        _leak(add, tags, rule.leak, bits)
        add(tags, "add", bits)
        add(tags, "write", bits, memory="tag")
    factor = _bits_of(holding, projection, rule.factor)
    add(done, "read", factor, memory="state")
    add(done, "update_pair", bits, factor)
    product, numerator = bits + factor, abs(rule.numerator)
    if numerator > 1:
        add(done, "multiply", product, numerator.bit_length())
        product = min(_WORD, product + numerator.bit_length())
    if projection.weight.rounding == "stochastic" and rule.shift:
        _round(add, done, rule.shift, product)
    add(done, "update_attempted", projection.weight.bits)
    add(done, "read", rows.weight, memory=rows.memory)
    add(done, "add", projection.weight.bits)
