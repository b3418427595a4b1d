"""Populations and projections by the parameters of Loihi's neurons and synapses (docs/spiking.md 11).

The neuron, its decays and roundings, and the weight of mantissa and exponent are those of the emulator of Michaelis, Lehr, Oed,
Tetzlaff, Frontiers in Neuroinformatics 16:1015624, 2022 (brian2-loihi 0.5.2), which they report to be errorless beside the chip. Words of
23 bits and a sign are those of nengo-loihi (builder/discretize.py, U_BITS). Where a word overflows, the first has no words and the second
wraps; here it saturates. The chip's learning engine is not modelled: its traces, epochs and stochastic rounding to a weight's precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, check, check_all_whole, check_whole
from neurosim.spiking.neurons import Flow, Leak, Population, State, Threshold
from neurosim.spiking.projection import Connect, Pairs, Projection

STATE_BITS = 24
UNIT_EXPONENT = 6
"""Thresholds count 2**6, and weights do with exponent 0."""
MOST_ARRIVING = (1 << 21) - (1 << UNIT_EXPONENT)
SIGNS = {"mixed": (-256, 254), "excitatory": (0, 255), "inhibitory": (-256, 0)}
"""Mantissas by the sign mode of synapses: from, to."""
_MOST_GAIN = 16


def loihi_neurons(
    name: str, n: int, *, threshold: int, decay_v: int = 0, decay_u: int = 4096, refractory: int = 1, traces: Sequence[State] = ()
) -> Population:  # fmt: skip
    """Loihi's neurons: a current `u` that decays and a membrane `v` that decays and sums u; a spike where v is above threshold * 2**6.

    threshold: the mantissa, 0..131071; decay_v, decay_u: what is lost in a tick, of 4096, rounded away from zero; refractory: ticks from
    a spike to the next that is possible, 1..64, in which v stays 0 while u goes on. Projections arrive at `u`, the first state but traces.
    The chip adds 1 to the decay of u that its interface takes; here it is the decay itself.
    """
    where = f"population {name}"
    check_whole(f"{where}: threshold", threshold, 0, (1 << 17) - 1)
    check_whole(f"{where}: decay_v", decay_v, 0, 1 << 12)
    check_whole(f"{where}: decay_u", decay_u, 0, 1 << 12)
    check_whole(f"{where}: refractory", refractory, 1, 64)
    leaks = [Leak(12, decay, "away") if decay else None for decay in (decay_u, decay_v)]
    current = State("u", leaks[0], bits=STATE_BITS)
    membrane = State("v", leaks[1], (Flow("u"),), reset=0, holds=True, bits=STATE_BITS)
    above = (threshold << UNIT_EXPONENT) + 1  # the chip asks for more than the threshold, a population for as much
    return Population(name, n, (current, membrane, *traces), Threshold(above, "v"), refractory - 1)


def loihi_synapses(
    source: str,
    target: str,
    mantissa: int | Sequence[int] | NDArray[Any],
    *,
    exponent: int = 0,
    bits: int = 8,
    sign: Literal["mixed", "excitatory", "inhibitory"] = "mixed",
    connect: Connect | Pairs | None = None,
    delay: int | Sequence[int] | NDArray[Any] = 0,
    name: str = "",
) -> Projection:
    """Loihi's synapses: floor(mantissa * 2**exponent) * 2**6 arrives at the current `u`.

    mantissa: a number, or int[synapses], -256..254, 0..255 or -256..0 by the sign mode, made multiples of 2**(8 - bits), or of
    2**(9 - bits) where signs are mixed, towards zero; exponent: -8..7; bits: of a weight, 1..8; delay: ticks, 0..62. The word holds the
    sign of excitatory and inhibitory weights, too, which the chip keeps once for all of them. Raises NeurosimError for what the chip's
    words cannot hold.
    """
    where = f"projection {name or f'{source}->{target}'}"
    check(f"{where}: sign", sign, tuple(SIGNS))
    check_whole(f"{where}: exponent", exponent, -8, 7)
    check_whole(f"{where}: bits", bits, 2 if sign == "mixed" else 1, 8)
    check_all_whole(f"{where}: mantissa", mantissa, *SIGNS[sign])
    check_all_whole(f"{where}: delay", delay, 0, 62)
    lsb = 8 - bits + (sign == "mixed")
    mantissas = np.asarray(mantissa, np.int64)
    codes = np.sign(mantissas) * (np.abs(mantissas) >> lsb)
    # Shifts that the gain cannot take move the codes: down to the floor of what is no multiple of 2**6, up beyond the largest gain.
    gain = min(max(UNIT_EXPONENT + lsb + exponent, UNIT_EXPONENT), _MOST_GAIN)
    moved = UNIT_EXPONENT + lsb + exponent - gain
    codes = codes << moved if moved >= 0 else codes >> -moved
    if codes.size and int(np.abs(codes).max()) << gain > MOST_ARRIVING:
        raise NeurosimError(
            f"{where}: mantissa={mantissas.min()}: with exponent={exponent} it must be above {mantissas.min()}, to arrive within 21 bits"
        )
    word = Fixed(bits + (sign != "mixed") + max(0, moved), 0, rounding="zero", range="full")
    initial = int(codes) if codes.ndim == 0 else codes
    given = delay if isinstance(delay, int) else np.asarray(delay)
    return Projection(source, target, "u", word, initial, connect or Connect(), given, gain, name=name)
