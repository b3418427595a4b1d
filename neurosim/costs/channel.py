"""What the learning channel takes: as the papers' complexity analysis counts it, and as a chip pays for it.

Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018), section 6, compares the work of the ways back: Theta(W) from layer
to layer, W' = N_L times the sum of the hidden layers' units from the output to each of them; sparse feedback takes its share. The
paper gives no table of bits and wires; `analysis` works them out from the same sums for any dense network, with every unit
active. Units are worked out, not measured: operations, words, wires, and lengths in distances between neighbouring layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from neurosim.costs.cost import Band, Cost, total
from neurosim.costs.hardware import HardwareModel
from neurosim.costs.pricing import price
from neurosim.errors import NeurosimError
from neurosim.ops import Held, Layout, Op, OpCounts

ROUTES: Mapping[str, str] = {"bp": "layered", "rbp": "layered", "srbp": "skipped", "drtp": "target"}
"""Rules whose channels differ; adaptive ones send what their fixed ones send."""


class Analysis(NamedTuple):
    """What one sample's way back takes, by the papers' sums.

    operations: products or additions that bring the error to the hidden layers. stored: entries of C. values: errors put on the
    channel. broadcasts: pairs of a value and a layer that hears it. bits: of the values. wires: pairs of units that
    are joined. wire_length: of all wires, a wire between neighbouring layers being 1 long. updates: weights of the network, each
    of which learns.
    """

    operations: float
    stored: float
    values: float
    broadcasts: float
    bits: float
    wires: float
    wire_length: float
    updates: int


def analysis(rule: str, sizes: Sequence[int], *, bits: int, density: float = 1.0) -> Analysis:
    """The papers' sums for a dense network without biases.

    sizes: inputs, hidden layers, outputs. bits: of an error. density: the share of C's entries that are not 0; sums are then
    expectations. Of DRTP's one-hot target only the 1 is sent.

    Raises: NeurosimError for an unknown rule, fewer than three sizes, or a density outside 0..1.
    """
    _check(rule, sizes, density)
    hidden, n_out = list(enumerate(sizes))[1:-1], sizes[-1]
    if ROUTES[rule] == "layered":
        pairs = {h: n * sizes[h + 1] for h, n in hidden}
        values, heard, distance = sum(sizes[2:]), sum(sizes[2:]), dict.fromkeys(pairs, 1)
    else:
        pairs = {h: n * n_out for h, n in hidden}
        values = 1 if rule == "drtp" else n_out
        heard, distance = values * len(hidden), {h: len(sizes) - 1 - h for h in pairs}
    share = 1.0 if rule == "bp" else density
    wires = share * sum(pairs.values())
    return Analysis(
        operations=wires * (values / n_out if rule == "drtp" else 1),
        stored=0.0 if rule == "bp" else wires,
        values=values,
        broadcasts=heard,
        bits=values * bits,
        wires=wires,
        wire_length=share * sum(n * distance[h] for h, n in pairs.items()),
        updates=sum(a * b for a, b in pairwise(sizes)),
    )


def _check(rule: str, sizes: Sequence[int], density: float) -> None:
    if rule not in ROUTES:
        raise NeurosimError(f"rule={rule!r}: must be one of {', '.join(ROUTES)}")
    if len(sizes) < 3 or min(sizes) < 1:
        raise NeurosimError(
            f"sizes={list(sizes)}: must be inputs, at least one hidden layer and outputs, each at least 1"
        )
    if not 0 <= density <= 1:
        raise NeurosimError(f"density={density!r}: must be from 0 to 1")


class Paid(NamedTuple):
    """What a chip pays for a sample's error codes.

    codes: sent. packets: codes and cores that receive them. payload_bits: of the codes; packet_bits: with header, in every packet.
    bit_hops: packet bits times routers passed. bit_mm: the same in wire, a hop being as long as a core is wide (the root of the
    mean area of a core, of the parts that have an area). energy_pj: of the packets. share: of the energy of a learning sample.
    None: of a published chip, whose packets' bits and wires no file tells, and whose numbers may not hold the codes, or not apart.
    """

    codes: float
    packets: float
    payload_bits: float
    packet_bits: float | None
    bit_hops: float | None
    bit_mm: float | None
    energy_pj: Band | None
    share: float | None


def paid(cost: Cost, counts: OpCounts, layout: Layout) -> Paid:
    """What a priced run pays for its learning channel, a sample.

    cost: of `counts` on `layout`.
    """
    sent = {op: n / counts.samples for op, n in counts.ops.items() if op.action == "error_code"}
    place = cost.places or tuple(range(len(layout.neurons)))
    cores = {op.layer: sum(cost.cores[place[r]] for r in layout.receivers[op.layer]) for op in sent}
    energy = total(p for p in cost.energy if p.phase == "error" and p.component == "communication")
    packet_bits, bit_hops, bit_mm = _travelled(cost) if cost.routing else (None, None, None)
    apart = energy.high > 0 or not sent
    return Paid(
        codes=math.fsum(sent.values()),
        packets=math.fsum(n * cores[op.layer] for op, n in sent.items()),
        payload_bits=cost.channel_bits["error_code"],
        packet_bits=packet_bits,
        bit_hops=bit_hops,
        bit_mm=bit_mm,
        energy_pj=energy if apart else None,
        share=energy.nominal / (cost.energy_pj_per_sample or 1.0) if apart else None,
    )


def _travelled(cost: Cost) -> tuple[float, float, float]:
    """Bits of packets, the same times hops, and times mm."""
    bits, hops = cost.channel_bits["error_packets"], cost.channel_bits["error_bit_hops"]
    return bits, hops, hops * math.sqrt(cost.area_um2 / sum(cost.cores)) / 1e3


def example(rule: str, sizes: Sequence[int], *, bits: int, weight_bits: int = 8) -> tuple[OpCounts, Layout]:
    """A dense network's error codes of one sample, every unit active, and the least layout: what `analysis` counts, to be priced."""
    _check(rule, sizes, 1.0)
    last = len(sizes) - 2
    if ROUTES[rule] == "layered":
        codes = {h: sizes[h + 1] for h in range(1, last + 1)}
        receivers = [tuple(range(h - 1, h)) if h else () for h in range(last + 1)]
    else:
        codes = {last: 1 if rule == "drtp" else sizes[-1]}
        receivers = [tuple(range(last)) if h == last else () for h in range(last + 1)]
    layout = Layout(
        neurons=tuple(sizes[1:]),
        fan_in=tuple(sizes[:-1]),
        held=tuple(Held(h, "weight", a * b, weight_bits) for h, (a, b) in enumerate(pairwise(sizes))),
        code_bits=bits,
        event_bits=(0,) * (last + 1),
        receivers=tuple(receivers),
        early_codes=rule == "drtp",
    )
    return OpCounts(1, 1, {Op(h, "error", "error_code", bits): n for h, n in codes.items()}), layout


def page(
    sizes: Sequence[int], models: Sequence[HardwareModel], *, bits: int = 4, receivers: Sequence[int] = (1, 2, 8)
) -> str:
    """A page of tables: every rule by the papers' sums, then as each model pays; receivers: n of sparse feedback."""
    name = "-".join(map(str, sizes))
    rows = [(rule.upper(), analysis(rule, sizes, bits=bits)) for rule in ROUTES]
    width = max(sizes[1:-1])
    rows += [(f"SRBP, n = {n}", analysis("srbp", sizes, bits=bits, density=n / width)) for n in receivers if n < width]
    keys = [key.replace("_", " ") for key in Analysis._fields]
    lines = [
        _TITLE.format(name=name, bits=bits, width=width),
        *_table(["rule", *keys], [[r, *map(_number, a)] for r, a in rows]),
    ]
    for model in models:
        lines += ["", f"## As {model.name} pays", "", _PAID.format(cast=model.spec.fabric.cast), ""]
        lines += _table(_PAID_COLUMNS, list(_paid_rows(sizes, model, bits)))
    return "\n".join(lines) + "\n"


def _paid_rows(sizes: Sequence[int], model: HardwareModel, bits: int) -> Iterator[list[str]]:
    for rule in ROUTES:
        counts, layout = example(rule, sizes, bits=bits)
        found = paid(price(counts, None, layout, model), counts, layout)
        assert found.energy_pj is not None  # models with a mesh tell all of it
        low, nominal, high = found.energy_pj
        numbers = [n for n in found[:6] if n is not None]
        yield [rule.upper(), *map(_number, numbers), f"{nominal:,.0f} ({low:,.0f} … {high:,.0f})"]


def _number(n: float) -> str:
    return f"{n:,.0f}" if n == int(n) else f"{n:,.1f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] + ["---:"] * (len(header) - 1), *rows)]


_PAID_COLUMNS = (
    "rule",
    "codes",
    "packets",
    "payload bits",
    "bits with headers",
    "bits x hops",
    "bits x mm",
    "energy, pJ",
)
_TITLE = """# What the learning channel takes: {name}

Made by `neurosim channel`. One sample, every unit active, errors of {bits} bits.

## As the papers count

Baldi, Sadowski and Lu (Artificial Intelligence 260, 2018, section 6) compare the work of the ways back. From layer to layer it is the
sum of N(h) x N(h + 1) over hidden layers h; from the output, the outputs times all hidden units; where an output reaches n of {width}
units of a layer, that share of it, in expectation, and with single bits additions in the place of products. The other columns are
worked out from the same sums: values put on the channel; broadcasts, a value and a layer that hears it; wires, one for each entry of
C that is not 0 (for BP, of the weights); their length, if neighbouring layers are 1 apart: skipped wires are fewer and longer. Of a
one-hot target only the 1 is sent. Every weight learns (`updates`), so delivery to synapses is of the order of all weights under
every rule.
"""
_PAID = """A code is one packet, {cast}, to each core of each layer that hears it, on the routes of the placed network
([mapping.md](mapping.md)). A hop is as long as a core is wide, reckoned from the weights that it holds."""
