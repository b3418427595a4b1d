"""What a hardware model file may hold, as typed structs: the one truth behind the reader, the checks and the docs.

Two kinds of table. A *constant* is a fact: it carries `source`, `tag` and `basis`, its unit is the suffix of its key,
and it may have a `low` and a `high` end of its own where sources disagree, each with its own source. A *choice* is a
designer's decision (lanes, clock, capacity): it carries a `reason` instead.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

Tag = Literal["verified-primary", "verified-secondary", "computed", "memory-unverified"]
Basis = Literal["silicon", "post-layout", "synthesis", "pre-silicon", "model", "spec", "not stated"]
TAGS: tuple[str, ...] = get_args(Tag)  # strongest first: a grade is the largest index met
BASES: tuple[str, ...] = get_args(Basis)

Text = Annotated[str, Meta(min_length=8, description="free text, at least 8 characters")]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, gc=False):
    """Any table of the file: unknown keys are errors."""


class Sourced(Table, frozen=True, kw_only=True):
    """A constant: how it was obtained and where it was read."""

    source: Annotated[str, Meta(min_length=8, description="where the number was read; how it was computed from what")]
    tag: Annotated[Tag, Meta(description="how the number was checked")]
    basis: Annotated[Basis, Meta(description="how the original number was obtained")]


class Choice(Table, frozen=True, kw_only=True):
    """A designer's decision: no source, a reason."""

    reason: Annotated[str, Meta(min_length=8, description="why this choice")]


class EnergyEnd(Sourced, frozen=True, kw_only=True):
    """Energy of one operation."""

    energy_pj: Annotated[float, Meta(ge=0, description="energy of one operation")]


class Energy(EnergyEnd, frozen=True, kw_only=True):
    """Energy of one operation on a word of `bits`."""

    bits: Annotated[int, Meta(ge=1, le=1024, description="operand width at which the number holds")]
    low: EnergyEnd | None = None
    high: EnergyEnd | None = None


class ProductEnergy(EnergyEnd, frozen=True, kw_only=True):
    """Energy of one multiplication `bits` x `by`."""

    bits: Annotated[int, Meta(ge=1, le=1024, description="width of one operand at which the number holds")]
    by: Annotated[int, Meta(ge=1, le=1024, description="width of the other operand")]
    low: EnergyEnd | None = None
    high: EnergyEnd | None = None


class Energies(Table, frozen=True, kw_only=True):
    """Arithmetic: lists of points, interpolated between."""

    add: Annotated[list[Energy], Meta(description="add or subtract")] = []
    multiply: Annotated[list[ProductEnergy], Meta(description="multiply, interpolated on bits x by")] = []
    shift: Annotated[list[Energy], Meta(description="shift by a variable amount")] = []
    compare: Annotated[list[Energy], Meta(description="compare")] = []
    logic: Annotated[list[Energy], Meta(description="bitwise logic")] = []


class SizeEnd(Sourced, frozen=True, kw_only=True):
    """Area and leakage of one unit."""

    area_um2: Annotated[float, Meta(ge=0, description="area of one unit")]
    leakage_uw: Annotated[float, Meta(ge=0, description="leakage of one unit")]


class Size(SizeEnd, frozen=True, kw_only=True):
    """Area and leakage of one unit of `bits`, taken as proportional to the width."""

    bits: Annotated[int, Meta(ge=1, le=1024, description="width of the unit")]
    low: SizeEnd | None = None
    high: SizeEnd | None = None


class ProductSize(SizeEnd, frozen=True, kw_only=True):
    """Area and leakage of one multiplier, taken as proportional to `bits` x `by`."""

    bits: Annotated[int, Meta(ge=1, le=1024, description="width of one operand")]
    by: Annotated[int, Meta(ge=1, le=1024, description="width of the other operand")]
    low: SizeEnd | None = None
    high: SizeEnd | None = None


class Units(Table, frozen=True, kw_only=True):
    """What the units of a lane, and a register bit, occupy and leak."""

    add: Size | None = None
    multiply: ProductSize | None = None
    shift: Size | None = None
    compare: Size | None = None
    logic: Size | None = None
    register: Size | None = None


class PerBitEnd(Sourced, frozen=True, kw_only=True):
    """Energy of one bit."""

    energy_pj_per_bit: Annotated[float, Meta(ge=0, description="energy of one bit")]


class PerBit(PerBitEnd, frozen=True, kw_only=True):
    """Energy of one bit, with its ends."""

    low: PerBitEnd | None = None
    high: PerBitEnd | None = None


class LawEnd(Sourced, frozen=True, kw_only=True):
    """E = offset + slope * sqrt(KB): only the sum must be positive, so the offset may be negative."""

    offset_pj: Annotated[float, Meta(description="a in E = a + b sqrt(KB); may be negative, E may not")]
    slope_pj_per_sqrt_kb: Annotated[float, Meta(ge=0, description="b in E = a + b sqrt(KB)")]


class Law(LawEnd, frozen=True, kw_only=True):
    """The law of one access, with its ends."""

    low: LawEnd | None = None
    high: LawEnd | None = None


class LeakageEnd(Sourced, frozen=True, kw_only=True):
    """Leakage of memory."""

    power_uw_per_kb: Annotated[float, Meta(ge=0, description="leakage of the memory that is held")]


class Leakage(LeakageEnd, frozen=True, kw_only=True):
    """Leakage of memory, with its ends."""

    low: LeakageEnd | None = None
    high: LeakageEnd | None = None


class DensityEnd(Sourced, frozen=True, kw_only=True):
    """Area of memory."""

    area_um2_per_bit: Annotated[float, Meta(ge=0, description="area of one bit with its share of the periphery")]


class Density(DensityEnd, frozen=True, kw_only=True):
    """Area of memory, with its ends."""

    low: DensityEnd | None = None
    high: DensityEnd | None = None


class Sram(Choice, frozen=True, kw_only=True):
    """The SRAM generator: laws by capacity, for words of `word_bits`."""

    word_bits: Annotated[int, Meta(ge=1, le=1024, description="word of the laws; other words cost x sqrt(w / word)")]
    min_kb: Annotated[float, Meta(gt=0, description="smallest macro: what is smaller is priced as this")]
    max_kb: Annotated[float, Meta(gt=0, description="largest macro: what is larger is an error")]
    read: Law
    write: Law
    leakage: Leakage
    area: Density


class SramMemory(Choice, frozen=True, kw_only=True, tag_field="kind", tag="sram"):
    """A memory of SRAM macros."""

    macro_kb: Annotated[float, Meta(gt=0, description="macro an access is priced at, unless a core holds more")]
    word_bits: Annotated[int, Meta(ge=1, le=1024, description="width of a macro's word")]
    read: Annotated[Literal["packed", "word"], Meta(description="`packed`: a share of a word; `word`: whole words")]
    write: Annotated[
        Literal["packed", "masked", "word"],
        Meta(description="`masked`: part of a word, between the other two"),
    ]


class RegisterMemory(Choice, frozen=True, kw_only=True, tag_field="kind", tag="register"):
    """A memory of flip-flops."""


class Endurance(Sourced, frozen=True, kw_only=True):
    """How often a cell may be written: for the reader, no law uses it."""

    writes: Annotated[float, Meta(gt=0, description="writes that a cell of the weakest survives")]


class CellMemory(Choice, frozen=True, kw_only=True, tag_field="kind", tag="cells"):
    """A memory of single-bit cells (SRAM, RRAM ...) in an array of its own, priced by the bit, whatever its size."""

    row_bits: Annotated[int, Meta(ge=1, description="bits that the array gives or takes in a cycle")]
    read: Annotated[PerBit, Meta(description="reading a bit, with its share of the circuit around the cells")]
    write: Annotated[PerBit, Meta(description="writing a bit, likewise")]
    area: Density
    leakage: Leakage
    endurance: Endurance | None = None


AnyMemory = SramMemory | RegisterMemory | CellMemory


class Memories(Table, frozen=True, kw_only=True):
    """How each memory is built; one that is left out cannot be priced."""

    weight: Annotated[AnyMemory | None, Meta(description="synaptic weights")] = None
    feedback: Annotated[AnyMemory | None, Meta(description="feedback crossbars")] = None
    accumulator: Annotated[AnyMemory | None, Meta(description="sums, one a neuron")] = None
    activation: Annotated[AnyMemory | None, Meta(description="activation codes kept for the update")] = None
    gradient: Annotated[AnyMemory | None, Meta(description="update sums of a mini-batch")] = None
    address: Annotated[AnyMemory | None, Meta(description="pre-activation codes kept for the derivative")] = None
    table: Annotated[AnyMemory | None, Meta(description="look-up tables")] = None
    target: Annotated[AnyMemory | None, Meta(description="where synapses of sparse rows lead")] = None
    state: Annotated[AnyMemory | None, Meta(description="states of spiking neurons")] = None
    tag: Annotated[AnyMemory | None, Meta(description="eligibility of synapses, one a weight")] = None
    spike: Annotated[AnyMemory | None, Meta(description="spikes that wait for their delay")] = None


class Core(Choice, frozen=True, kw_only=True):
    """The core of the array."""

    neurons: Annotated[int, Meta(ge=1, description="neurons a core holds")]
    synapse_bits: Annotated[int, Meta(ge=1, description="bits of weights a core holds")]
    lanes: Annotated[int, Meta(ge=1, description="synaptic operations a core does in a cycle")]
    clock_mhz: Annotated[float, Meta(gt=0, description="clock")]
    max_bits: Annotated[int, Meta(ge=1, le=1024, description="widest operand; a wider one is an error")]
    column_read: Annotated[
        Literal["packed", "word"],
        Meta(description="reads of weights across the rows: a whole word each, or a share as along the rows"),
    ]
    pipeline: Annotated[int, Meta(ge=0, description="cycles from a stage's first operand to its first result")] = 0
    feedback_bits: Annotated[int, Meta(ge=0, description="bits of feedback memory a core holds; 0: no limit")] = 0
    axons_in: Annotated[int, Meta(ge=0, description="senders a core can hear; 0: no limit")] = 0
    axons_out: Annotated[
        int, Meta(ge=0, description="destinations of a core's neurons, each core one without multicast; 0: no limit")
    ] = 0


class Random(Choice, frozen=True, kw_only=True):
    """The random generator: a mixer a row; in each lane a narrow multiply and an addition."""

    mixer_bits: Annotated[int, Meta(ge=1, le=1024, description="a random word this wide is one run of the mixer")]
    mixer_multiplies: Annotated[int, Meta(ge=0, description="multiplications of mixer_bits squared in a run")]
    mixer_xors: Annotated[int, Meta(ge=0, description="xors of mixer_bits in a run; fixed shifts are wires")]
    lane_bits: Annotated[
        int, Meta(ge=1, le=1024, description="a narrower word is made of as many of these as it needs")
    ]
    lane_multiplies: Annotated[int, Meta(ge=0, description="multiplications of lane_bits squared for each of them")]
    lane_adds: Annotated[int, Meta(ge=0, description="additions of lane_bits for each of them")]


class DelayEnd(Sourced, frozen=True, kw_only=True):
    """Time of one."""

    latency_ns: Annotated[float, Meta(ge=0, description="time of one")]


class Delay(DelayEnd, frozen=True, kw_only=True):
    """Time of one, with its ends."""

    low: DelayEnd | None = None
    high: DelayEnd | None = None


class Hops(Table, frozen=True, kw_only=True):
    """Hops of one direction."""

    energy: Annotated[PerBit, Meta(description="one bit of a flit over one hop")]
    latency: Annotated[Delay, Meta(description="one hop of a packet's first flit, on free links")]


class PaceEnd(Sourced, frozen=True, kw_only=True):
    """How long a flit keeps a link busy."""

    time_ns_per_flit: Annotated[float, Meta(ge=0, description="from one flit on a link to the next")]


class Pace(PaceEnd, frozen=True, kw_only=True):
    """How long a flit keeps a link busy, with its ends."""

    low: PaceEnd | None = None
    high: PaceEnd | None = None


class WireEnd(Sourced, frozen=True, kw_only=True):
    """Energy of the wire between two cores."""

    energy_pj_per_bit_mm: Annotated[float, Meta(ge=0, description="one bit over one mm")]


class Wire(WireEnd, frozen=True, kw_only=True):
    """Energy of the wire between two cores, with its ends."""

    low: WireEnd | None = None
    high: WireEnd | None = None


class Fabric(Choice, frozen=True, kw_only=True):
    """The mesh that carries events and error codes."""

    width: Annotated[int, Meta(ge=1, le=1024, description="columns of cores")]
    height: Annotated[int, Meta(ge=1, le=1024, description="rows of cores")]
    cast: Annotated[
        Literal["unicast", "multicast"],
        Meta(description="a copy of a packet for each core that receives it, or one that branches on its way"),
    ]
    flit_bits: Annotated[int, Meta(ge=1, le=1024, description="width of a link; packets are whole flits")]
    header_bits: Annotated[int, Meta(ge=0, le=1024, description="address bits of a packet")]
    input_x: Annotated[int, Meta(ge=0, description="column at which inputs enter")]
    input_y: Annotated[int, Meta(ge=0, description="row at which inputs enter")]
    hop_mm: Annotated[
        float, Meta(ge=0, description="length of a link, with `wire`; 0: the wire is in the hop's energy")
    ] = 0.0
    east_west: Annotated[Hops, Meta(description="a router and the link to the east or west of it")]
    north_south: Annotated[Hops, Meta(description="a router and the link to the north or south of it")]
    tile: Annotated[Hops, Meta(description="the router at which a packet leaves the mesh, and the way into the core")]
    link: Pace
    wire: Annotated[Wire | None, Meta(description="wires of links, where they are not in the hop's energy")] = None


class IdleEnd(Sourced, frozen=True, kw_only=True):
    """Clocking."""

    energy_pj_per_cycle: Annotated[float, Meta(ge=0, description="energy of a cycle, busy or not")]


class Idle(IdleEnd, frozen=True, kw_only=True):
    """Clocking, with its ends."""

    low: IdleEnd | None = None
    high: IdleEnd | None = None


class StaticEnd(Sourced, frozen=True, kw_only=True):
    """Static power of a core."""

    power_uw_per_core: Annotated[float, Meta(ge=0, description="what a core leaks besides memories and units")]


class Static(StaticEnd, frozen=True, kw_only=True):
    """Static power of a core, with its ends."""

    low: StaticEnd | None = None
    high: StaticEnd | None = None


class Technology(Choice, frozen=True, kw_only=True):
    """For the reader and for reports; no law uses it."""

    node_nm: Annotated[float, Meta(gt=0, description="technology node")]
    supply_v: Annotated[float, Meta(gt=0, description="supply")]


class ModelFile(Table, frozen=True, kw_only=True):
    """One file: one technology and one organisation of cores."""

    schema: Annotated[Literal[1], Meta(description="version of this schema")]
    kind: Annotated[Literal["array"], Meta(description="an array of cores, from the bottom up")] = "array"
    name: Annotated[str, Meta(pattern="^[a-z0-9_]+$", description="the file's name without .toml")]
    summary: Text
    inherits: Annotated[str, Meta(description="a model to start from; what is given here replaces it")] = ""
    priced_by_default: Annotated[bool, Meta(description="false: listed, but priced only when asked for")] = True
    technology: Technology
    core: Core
    energy: Energies
    unit: Units
    register: Annotated[PerBit, Meta(description="reading or writing a bit of a register")]
    sram: Sram
    memory: Memories
    random: Random
    fabric: Fabric
    clock: Annotated[Idle, Meta(description="clocking of one core")]
    static: Static
