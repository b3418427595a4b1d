"""What delivery will read is asked for ahead of time: where rows begin, then rows, then the weights of columns."""

from __future__ import annotations

from neurosim.kernels.jit import inlined, unsigned
from neurosim.kernels.lanes import prefetch
from neurosim.kernels.spike_registers import PART

AHEAD = 4
"""Spikes whose rows are asked for before delivery begins, and from then on between a row that arrives and one that is asked for."""
_LINE = 64
"""Bytes that a processor fetches at once."""
_NEAR = 1 << 17
"""Synapses, of 6 bytes, that a processor keeps near by."""
_MOST = 128
"""Synapses of a row that are asked for: of longer ones the processor itself sees that they go on."""


@inlined
def fetch_starts(memory, starts, at, ring, n):
    """Where the lists of n spikes, from `ring` on, begin is asked for, so that `fetch_lists` need not wait."""
    for s in range(n):
        prefetch(starts, at + memory.spikes[ring + s])


@inlined
def fetch_list(starts, row, names, others):
    """A list is asked for: names in 32 bits, and what goes with them."""
    first = starts[row]
    last = min(starts[row + 1], first + _MOST)
    for k in range(first, last, _LINE // 4):
        prefetch(names, k)
    for k in range(first, last, _LINE // others.itemsize):
        prefetch(others, k)


@inlined
def fetch_lists(memory, starts, at, ring, n, names, others):
    """The lists of n spikes are asked for."""
    for s in range(n):
        fetch_list(starts, at + memory.spikes[ring + s], names, others)


@inlined
def fetch_weights(program, memory, part, ring, n):
    """The weights of the columns of n spikes are asked for."""
    for s in range(n):
        at = part[PART.column] + memory.spikes[ring + s]
        for c in range(program.column_start[at], program.column_start[at + 1]):
            prefetch(memory.weight, program.column_synapse[unsigned(c)])


@inlined
def is_far(starts, at, rows):
    """Whether so many rows from `at` on are more than a processor keeps near by; asking for what is near takes a tenth longer."""
    return starts[at + rows] - starts[at] > _NEAR
