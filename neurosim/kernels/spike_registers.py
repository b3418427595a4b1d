"""The registers of a spiking network: populations, states, flows, projections and terms as plain integers (docs/spiking.md)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurosim.kernels.registers import Registers

POPULATION = Registers(
    "n first states state_end kind threshold spiking in_lanes refractory ring depth counts table event_end poisson_key"
)
"""Of a population: int64[populations, :]. first: of its neurons among all, padded to whole vectors; states … state_end: its rows
of `STATE`; spiking: where its spiking state begins in memory; in_lanes: whether that is a narrow one; ring, depth: its last
spikes, `depth` lists of n from `ring` on, their lengths from `counts` on; table: where probabilities, or periods and then phases,
begin; event_end: where its events end."""

STATE = Registers(
    """at input leak_numerator leak_shift leak_round bias low high holds reset reset_to jump jump_by noise noise_key flow
    flow_end narrow plain stays spiking limit"""
)
"""Of a state: `at` and `input` are where it and what arrives begin in memory (input -1: nothing can). narrow: everything fits 32
bits; plain: all roundings are floors; stays: no step leaves low … high; spiking: the neuron spikes where the state is above the
limit. A leak of numerator 0 is none."""

FLOW = Registers("at numerator shift round")

PART = Registers(
    """projection source target source_number target_number input delay gain blank blank_key dense row stride columns
    weight pre post eligibility low high round lanes lanes_post column rows pre_key post_key tag_low tag_high tag_round consolidate_key"""
)
"""Of the synapses of one projection with one delay: row: where the starts of its rows begin in `start`; dense: rows of `stride`
weights from `weight` on, of which `columns` are synapses, and no list of targets; rows: neurons of the source; lanes, lanes_post:
arrivals and spikes of the target can be worked out in 32-bit lanes (in sparse parts what they learn); pre, post, eligibility: rows
of `TERM` and `ELIGIBILITY`, -1 for none; column: where the starts of its columns begin."""

TERM = Registers(
    """of of_at times times_at numerator shift gates side_0 gate_0 low_0 high_0 outside_0 side_1 gate_1 low_1 high_1 outside_1
    levels threshold decode kernel"""
)
"""Of a term. of, times: `FACTOR`, with where the state begins in memory; levels: of its quantiser, 0 for none; kernel: where its
segments begin, `levels` of them."""

ELIGIBILITY = Registers("factor_at numerator shift leak_numerator leak_shift leak_round")

FACTOR = Registers("one pre post kernel")
KIND = Registers("threshold poisson regular events")
SHIFTING = Registers("floor zero away least")

SPIKE_TALLY = Registers(
    """arrivals events blanked evaluated_pre evaluated_post attempted_pre attempted_post changed tags_changed consolidated
    random_words random_lanes"""
)
"""Counters of a projection (docs/spiking.md 10)."""


class SpikeProgram(NamedTuple):
    """What does not change while a network runs.

    start: int64[:], where rows begin among the synapses; target: int32[:]; column_start: int64[:], column_synapse: uint32[:] and
    column_source: int32[:], the same by target, of projections that change when it spikes; levels: int64[:] (float64 in real
    numbers), of quantisers and kernels.
    """

    populations: NDArray[np.int64]
    states: NDArray[np.int64]
    flows: NDArray[np.int64]
    parts: NDArray[np.int64]
    terms: NDArray[np.int64]
    eligibility: NDArray[np.int64]
    start: NDArray[np.int64]
    target: NDArray[np.int32]
    column_start: NDArray[np.int64]
    column_synapse: NDArray[np.uint32]
    column_source: NDArray[np.int32]
    levels: NDArray[Any]


class SpikeMemory(NamedTuple):
    """What changes: states and inputs int32[:] (float64 in real numbers), weights and tags int16[:] (float64).

    held: uint16[neurons / 16], bit i of a word for its neuron i, which is refractory; queue: int32[neurons], those of each
    population by the tick of their spike, in a ring as long as its neurons; in_queue: int64[populations, 2], where that begins and
    how many it holds; over: uint16[neurons / 16], as held, the neurons that the update of a narrow spiking state found to spike;
    last: int64[neurons], ticks of last spikes, -1 for never; spikes, n_spikes: int32[:], the last spikes of each population;
    tables: int64[:], of sources; event_tick int64[:], event_neuron int32[:], event_at: int64[populations]; gathered, moved:
    int32[longest sparse row or column, in whole vectors], room for what one reads from all over.
    """

    x: NDArray[Any]
    inputs: NDArray[Any]
    weight: NDArray[Any]
    tag: NDArray[Any]
    held: NDArray[np.uint16]
    queue: NDArray[np.int32]
    in_queue: NDArray[np.int64]
    over: NDArray[np.uint16]
    last: NDArray[np.int64]
    spikes: NDArray[np.int32]
    n_spikes: NDArray[np.int32]
    tables: NDArray[np.int64]
    event_tick: NDArray[np.int64]
    event_neuron: NDArray[np.int32]
    event_at: NDArray[np.int64]
    gathered: NDArray[np.int32]
    moved: NDArray[np.int32]


class SpikeTally(NamedTuple):
    """Counters: projections int64[projections, len(SPIKE_TALLY)], spikes int64[neurons]."""

    projections: NDArray[np.int64]
    spikes: NDArray[np.int64]


class Raster(NamedTuple):
    """Room for recorded spikes: tick int64[room], neuron int32[room] (among all), used int64[1]."""

    tick: NDArray[np.int64]
    neuron: NDArray[np.int32]
    used: NDArray[np.int64]
