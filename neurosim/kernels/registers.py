"""The registers of the simulated chip: what a network is, as plain integers that kernels read.

A network is compiled into one row of registers per layer and one row for the chip; tables and memories are flat arrays
that registers point into. So one compiled engine runs every network, as one chip does.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LANES = 32
"""Rows of weights are padded to a multiple of this many columns, one vector (`lanes`)."""


class Registers(ModuleType):
    """The names of a register file, each with its index: `LAYER.n_out` in kernels, a mapping elsewhere.

    A module, because Numba takes a module's attributes as the constants that they are.
    """

    def __init__(self, names: str) -> None:
        super().__init__("registers")
        self.indices = {name: i for i, name in enumerate(names.split())}
        vars(self).update(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, name: str) -> int:
        return self.indices[name]


LAYER = Registers(
    """n_in rows n_out stride weight wide_weight weight_low weight_high sum_wide bias_code blank_out blank_out_key frozen
    event unit_event code code_event unit_code code_max address_shift address_round address_low address_high
    table softmax softmax_bits output_high output_bits update_shift update_round
    address_narrow received_narrow update_levels update_threshold update_decode source_threshold source_alpha
    matrix feedback feedback_rows feedback_stride feedback_wide feedback_sum_wide received_shift product_shift
    product_narrow product_widens
    update_key dropout_key adaptive feedback_key feedback_update_shift feedback_round feedback_low feedback_high"""
)
"""Registers of a layer, by name: int64[n_layers, len(LAYER)]. `weight`, `feedback`, `table` and the
thresholds are first indices in the flat memories and tables; `event`, `code`, `code_event` those of a sample's row in the
scratch arrays; `unit_event` and `unit_code` those of the counters by unit. Keys of randomness lack the step (`rng.step_key`)."""

MAP = Registers(
    """height width depth channels kernel step top left map_height map_width pool pool_step pool_top pool_left out_height
    out_width winner reach padded_height padded_width turned gradient_stride"""
)
"""Further registers of a convolution: int64[n_convolutions, len(MAP)]. height, width, depth: of what arrives; step: the
stride of its windows; `winner` and `reach` are first indices in a sample's rows of those arrays (`Maps`), `turned` that of
its turned kernel. In `LAYER` a convolution's n_in and n_out are units that arrive and units that it emits, its stride
belongs to a row of its kernel."""

CHIP = Registers(
    """layers route error_shift received_low received_high received_max received_round target_high
    source always_sent levels decode received received_threshold received_decode received_levels received_alpha
    local local_threshold local_decode local_levels local_alpha top_quantised execution dropout upper_derivatives"""
)
"""Registers of the whole chip, by name: int64[len(CHIP)]."""

TALLY = Registers(
    """quantised received routed signalled local
    dropout_words dropout_draws dropout_lost redrawn_connections
    update_pairs update_active update_attempted update_rows weight_changed
    update_row_words update_words_16 update_words_32 update_words_64
    feedback_pairs feedback_active feedback_attempted feedback_rows feedback_changed
    feedback_row_words feedback_words_16 feedback_words_32 feedback_words_64"""
)
"""Counters of a layer (docs/substrate.md 8), beside the counters by unit."""

HEALTH = Registers(
    """preactivation_saturated weight_saturated feedback_saturated error_saturated error_underflow decode_underflow
    received_saturated received_underflow"""
)
"""Loss counters of a layer."""

ROUNDING = Registers("floor nearest zero stochastic")
ROUTE = Registers("none layered skip target")
EXECUTION = Registers("auto event blas")
MATRIX = Registers("none random transpose product sign")


class Program(NamedTuple):
    """What does not change while a network runs.

    chip: int64[len(CHIP)]; layers: int64[n_layers, len(LAYER)]; tables: int32[:], activations and derivatives by address;
    levels: int64[:], thresholds and decoded values of quantisers; targets: int32[rows, outputs], T by label.
    """

    chip: NDArray[np.int64]
    layers: NDArray[np.int64]
    tables: NDArray[np.int32]
    levels: NDArray[np.int64]
    targets: NDArray[np.int32]


class Memory(NamedTuple):
    """What learns: weights and crossbars, narrow (int8[:]) and wide (int16[:]), rows padded to `LANES` columns.

    A network without wide words has an int8 array there too, so that the kernels of wide memories need not be compiled.
    """

    narrow: NDArray[np.int8]
    wide: NDArray[np.int8] | NDArray[np.int16]


class Scratch(NamedTuple):
    """Room for one step of up to `samples` samples.

    event_unit, event_code: int32[samples, event_size] and event_count: int32[n_layers, samples], events by layer;
    sent_unit, sent_code, sent_count: the same for values on the learning channel, by sending layer;
    code, slope, address, signal: int32[samples, code_size], output codes, derivatives, addresses and local signals by
    neuron, 0 in padded columns; arrived: int32[code_size], J of one sample, for layers that hand it on;
    narrow_signal: int16[widest], sums: int32[widest], wide_sums: int64[widest];
    product: int32[2, widest hidden layer x stride of the outputs], wide_product: int64 of that shape;
    block: int32[samples x widest], narrow_block: int16 of the same size;
    tile_a, tile_b, tile_c: float32[matmul.TILE], room for BLAS;
    row_start: int32[most rows + 2], row_sample, row_code: int32[events of a step], events sorted by row.
    """

    event_unit: NDArray[np.int32]
    event_code: NDArray[np.int32]
    event_count: NDArray[np.int32]
    sent_unit: NDArray[np.int32]
    sent_code: NDArray[np.int32]
    sent_count: NDArray[np.int32]
    code: NDArray[np.int32]
    slope: NDArray[np.int32]
    address: NDArray[np.int32]
    signal: NDArray[np.int32]
    arrived: NDArray[np.int32]
    narrow_signal: NDArray[np.int16]
    sums: NDArray[np.int32]
    wide_sums: NDArray[np.int64]
    product: NDArray[np.int32]
    wide_product: NDArray[np.int64]
    block: NDArray[np.int32]
    narrow_block: NDArray[np.int16]
    tile_a: NDArray[np.float32]
    tile_b: NDArray[np.float32]
    tile_c: NDArray[np.float32]
    row_start: NDArray[np.int32]
    row_sample: NDArray[np.int32]
    row_code: NDArray[np.int32]


class Maps(NamedTuple):
    """What convolutions need besides: registers and room.

    registers: int64[n_convolutions, len(MAP)]; winner: int32[samples, :], the position that won each emitted unit; reach:
    int32[samples, :], how many events the window of each position holds; starts: int32[most positions + 1], where the
    events of a position begin; pieces: int64[most pieces, 3], stretches of events; entries: int32[widest map], table
    entries by neuron, rows of a position padded; field: int32[most neurons], always 0 between uses; received: int32[most
    emitted units], J; turned: int8 or int16[:], kernels turned for the way back; padded, wide_padded: int16, int32[widest],
    codes with a margin of zeros; offset: int32[most positions], where a window begins in these; listed_at, listed_code:
    int32[most emitted units] and listed: int32[most channels], signals by channel; part: int32[longest kernel] and gradient,
    wide_gradient: int32, int64[largest kernel], sums of updates, a row a channel; rows: int32[16 x widest], some of their
    columns.
    """

    registers: NDArray[np.int64]
    winner: NDArray[np.int32]
    reach: NDArray[np.int32]
    starts: NDArray[np.int32]
    pieces: NDArray[np.int64]
    entries: NDArray[np.int32]
    field: NDArray[np.int32]
    received: NDArray[np.int32]
    turned: NDArray[np.int8] | NDArray[np.int16]
    padded: NDArray[np.int16]
    wide_padded: NDArray[np.int32]
    offset: NDArray[np.int32]
    listed_at: NDArray[np.int32]
    listed_code: NDArray[np.int32]
    listed: NDArray[np.int32]
    part: NDArray[np.int32]
    gradient: NDArray[np.int32]
    wide_gradient: NDArray[np.int64]
    rows: NDArray[np.int32]


class Tally(NamedTuple):
    """Counters: counts int64[n_layers, len(TALLY)], health int64[n_layers, len(HEALTH)], events and codes by unit."""

    counts: NDArray[np.int64]
    health: NDArray[np.int64]
    events: NDArray[np.int64]
    codes: NDArray[np.int64]
