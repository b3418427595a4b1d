"""Delivery of spikes, and plasticity, in integers and in real numbers (docs/spiking.md 4 to 6)."""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import overload

from neurosim.kernels.jit import inlined, inner
from neurosim.kernels.registers import ROUNDING
from neurosim.kernels.rng import column_bits, fold, step_key
from neurosim.kernels.spike_registers import ELIGIBILITY, FACTOR, PART, SHIFTING, SPIKE_TALLY, TERM
from neurosim.kernels.spike_states import divided, is_real
from neurosim.kernels.words import rounded

BLANK_BITS = 8


def change_of(v, shift, mode, u):
    """round(v, shift), of an int64 with its random bits, or of a real number, which is not rounded."""
    raise NotImplementedError


@overload(change_of)
def _change_of(v, shift, mode, u):
    def integer(v, shift, mode, u):
        return rounded(v, shift, mode, u)

    def real(v, shift, mode, u):
        return divided(v, shift, mode)

    return real if isinstance(v, types.Float) else integer


@inlined
def _levels_between(v, term, levels):
    """A value as its quantiser's nearest magnitude (docs/substrate.md 3): thresholds fall with the level."""
    size = abs(v)
    for k in range(term[TERM.levels]):
        if size >= levels[term[TERM.threshold] + k]:
            found = levels[term[TERM.decode] + k]
            return found if v > 0 else -found
    return levels[0] * 0


@inner
def value(term, x, i, j, elapsed, levels):
    """M * a * b of a term at synapse i -> j, 0 where a gate is closed. elapsed: since the other side's last spike, -1 for never."""
    for g in range(term[TERM.gates]):
        at = term[TERM.gate_0 + 5 * g] + (j if term[TERM.side_0 + 5 * g] == FACTOR.post else i)
        inside = term[TERM.low_0 + 5 * g] < x[at] < term[TERM.high_0 + 5 * g]
        if inside == (term[TERM.outside_0 + 5 * g] != 0):
            return x[0] * 0
    found = x[0] * 0 + term[TERM.numerator]
    of = term[TERM.of]
    if of == FACTOR.kernel:
        if elapsed < 0:
            return x[0] * 0
        at, factor = term[TERM.kernel], levels[0] * 0
        for k in range(term[TERM.levels]):
            if elapsed <= levels[at + 2 * k]:
                factor = levels[at + 2 * k + 1]
                break
        found = found * factor
    elif of != FACTOR.one:
        v = x[term[TERM.of_at] + (j if of == FACTOR.post else i)]
        if term[TERM.levels]:
            found = found * _levels_between(v, term, levels)
        else:
            found = found * v
    if term[TERM.times] != FACTOR.one:
        found = found * x[term[TERM.times_at] + (j if term[TERM.times] == FACTOR.post else i)]
    return found


@inner
def _tagged(memory, part, k, v, shift, u):
    """Change the tag of synapse k by round(v, shift). Returns whether it is another afterwards."""
    before = memory.tag[k]
    change = change_of(v, shift, part[PART.tag_round], u)
    memory.tag[k] = min(max(before + change, part[PART.tag_low]), part[PART.tag_high])
    return memory.tag[k] != before


@inlined
def _is_plain(term):
    """Whether a term is a state times its numerator and nothing else."""
    return (
        term[TERM.gates] == 0
        and term[TERM.levels] == 0
        and term[TERM.times] == FACTOR.one
        and (term[TERM.of] == FACTOR.pre or term[TERM.of] == FACTOR.post)
    )


@inner
def arrive(program, memory, part, i, tick, learn, counts):
    """One spike of neuron i of the source arrives at its row."""
    x, inputs, weight = memory.x, memory.inputs, memory.weight
    if part[PART.dense]:
        first = part[PART.weight] + i * part[PART.stride]
        last = first + part[PART.columns]
    else:
        at = part[PART.row] + i
        first, last = program.start[at], program.start[at + 1]
    target, to, gain, blank = program.target, part[PART.input], part[PART.gain], part[PART.blank]
    dense, rule, tagged = part[PART.dense] != 0, part[PART.pre], part[PART.eligibility] >= 0
    blank_word = fold(step_key(part[PART.blank_key], tick), i) if blank else np.uint64(0)
    word, term = np.uint64(0), program.terms[max(0, rule)]
    learns, low, high = learn and rule >= 0, part[PART.low], part[PART.high]
    mode, shift = part[PART.tag_round] if tagged else part[PART.round], term[TERM.shift]
    takes = not is_real(x) and learns and mode == ROUNDING.stochastic and shift > 0
    plain, numerator, of, hears = _is_plain(term), term[TERM.numerator], term[TERM.of_at], term[TERM.of] == FACTOR.post
    blanked, attempted, changed, tags = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    if takes:
        word = fold(step_key(part[PART.pre_key], tick), i)
    for k in range(first, last):
        j = k - first if dense else np.int64(target[k])
        if blank and column_bits(blank_word, j, BLANK_BITS) < blank:
            blanked += 1
            continue
        if learns:
            if plain:
                v = x[of + (j if hears else i)] * numerator
            else:
                elapsed = np.int64(-1)
                if term[TERM.of] == FACTOR.kernel and memory.last[part[PART.target] + j] >= 0:
                    elapsed = tick - memory.last[part[PART.target] + j]
                v = value(term, x, i, j, elapsed, program.levels)
            if v != 0:
                attempted += 1
                u = column_bits(word, j, shift) if takes else np.int64(0)
                if tagged:
                    tags += _tagged(memory, part, k, v, shift, u)
                else:
                    before = weight[k]
                    after = min(max(before + change_of(v, shift, mode, u), low), high)
                    weight[k] = after
                    changed += after != before
        inputs[to + j] += divided(weight[k] * np.int64(1), -gain, SHIFTING.floor)
    met = last - first
    if met:
        counts[SPIKE_TALLY.arrivals] += 1
        counts[SPIKE_TALLY.events] += met
        counts[SPIKE_TALLY.random_words] += (blank != 0) + (takes and attempted > 0)
        counts[SPIKE_TALLY.random_lanes] += (met if blank else 0) + (attempted if takes else 0)
        counts[SPIKE_TALLY.blanked] += blanked
        counts[SPIKE_TALLY.evaluated_pre] += met - blanked if learns else 0
        counts[SPIKE_TALLY.attempted_pre] += attempted
        counts[SPIKE_TALLY.changed] += changed
        counts[SPIKE_TALLY.tags_changed] += tags


@inner
def depart(program, memory, part, j, tick, counts):
    """Neuron j of the target spikes: its synapses change."""
    x, weight, synapse, source = memory.x, memory.weight, program.column_synapse, program.column_source
    term, tagged = program.terms[part[PART.post]], part[PART.eligibility] >= 0
    first, last = program.column_start[part[PART.column] + j], program.column_start[part[PART.column] + j + 1]
    mode, shift, low, high = (
        part[PART.tag_round] if tagged else part[PART.round],
        term[TERM.shift],
        part[PART.low],
        part[PART.high],
    )
    takes = not is_real(x) and mode == ROUNDING.stochastic and shift > 0
    plain, numerator, of, hears = _is_plain(term), term[TERM.numerator], term[TERM.of_at], term[TERM.of] == FACTOR.post
    attempted, changed, tags = np.int64(0), np.int64(0), np.int64(0)
    word = fold(step_key(part[PART.post_key], tick), j) if takes else np.uint64(0)
    for c in range(first, last):
        k, i = synapse[c], np.int64(source[c])
        if plain:
            v = x[of + (j if hears else i)] * numerator
        else:
            elapsed = np.int64(-1)
            if term[TERM.of] == FACTOR.kernel and memory.last[part[PART.source] + i] >= 0:
                elapsed = tick - memory.last[part[PART.source] + i]
            v = value(term, x, i, j, elapsed, program.levels)
        if v != 0:
            attempted += 1
            u = column_bits(word, i, shift) if takes else np.int64(0)
            if tagged:
                tags += _tagged(memory, part, k, v, shift, u)
            else:
                before = weight[k]
                after = min(max(before + change_of(v, shift, mode, u), low), high)
                weight[k] = after
                changed += after != before
    counts[SPIKE_TALLY.evaluated_post] += last - first
    counts[SPIKE_TALLY.attempted_post] += attempted
    counts[SPIKE_TALLY.changed] += changed
    counts[SPIKE_TALLY.tags_changed] += tags
    counts[SPIKE_TALLY.random_words] += takes and attempted > 0
    counts[SPIKE_TALLY.random_lanes] += attempted if takes else 0


@inner
def consolidate(program, memory, part, tick, counts):
    """Tags become changes of weights, and leak."""
    rule, x = program.eligibility[part[PART.eligibility]], memory.x
    shift, mode = rule[ELIGIBILITY.shift], part[PART.round]
    takes = not is_real(x) and mode == ROUNDING.stochastic and shift > 0
    dense = part[PART.dense] != 0
    for i in range(part[PART.rows]):
        if dense:
            first = part[PART.weight] + i * part[PART.stride]
            last = first + part[PART.columns]
        else:
            first, last = program.start[part[PART.row] + i], program.start[part[PART.row] + i + 1]
        word, drawn = np.uint64(0), False
        if takes:
            word = fold(step_key(part[PART.consolidate_key], tick), i)
        for k in range(first, last):
            c = memory.tag[k]
            if c == 0:
                continue
            j = k - first if dense else np.int64(program.target[k])
            v = x[rule[ELIGIBILITY.factor_at] + j] * c
            v *= rule[ELIGIBILITY.numerator]
            if v != 0:
                u = np.int64(0)
                if takes:
                    u = column_bits(word, j, shift)
                    drawn = True
                    counts[SPIKE_TALLY.random_lanes] += 1
                before = memory.weight[k]
                after = min(max(before + change_of(v, shift, mode, u), part[PART.low]), part[PART.high])
                memory.weight[k] = after
                counts[SPIKE_TALLY.consolidated] += 1
                counts[SPIKE_TALLY.changed] += after != before
            if rule[ELIGIBILITY.leak_numerator]:
                lost = divided(
                    c * rule[ELIGIBILITY.leak_numerator], rule[ELIGIBILITY.leak_shift], rule[ELIGIBILITY.leak_round]
                )
                memory.tag[k] = min(max(c - lost, part[PART.tag_low]), part[PART.tag_high])
        counts[SPIKE_TALLY.random_words] += drawn
