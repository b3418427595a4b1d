"""What a file of the kind `chip` may hold: a published chip, priced from its own data and not from the bottom up.

    energy = static power x time + idle energy x cycles + sum(count x marginal energy)

A chip's file says what was published and nothing more. `per` names what a number is of (`neurosim.costs.activities`),
`covers` what else is contained in it, so that what nobody published is known to be missing (`Cost.unpriced`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from neurosim.costs.schema import Basis, Choice, DelayEnd, EnergyEnd, Idle, Sourced, Table, Tag, Technology, Text

Per = Literal[
    "synaptic_operation", "neuron_access", "neuron_active", "spike", "packet", "hop_east_west", "hop_north_south",
    "feedback_operation", "synaptic_update", "weight_change", "learning_synaptic_operation", "random_word",
    "mac", "arithmetic", "division", "memory_access", "tick", "sample", "learning_sample",
]  # fmt: skip
Activity = Literal["synapses", "neurons", "messages", "errors", "feedback", "updates", "random", "static", "time"]


class Operating(Choice, frozen=True, kw_only=True):
    """How the chip runs."""

    clock_mhz: Annotated[float, Meta(ge=0, description="clock; 0: the chip has none, or it was not published")] = 0.0
    tick_us: Annotated[
        float, Meta(ge=0, description="a tick takes at least so long, as in real time; 0: as it needs")
    ] = 0.0
    hops_east_west: Annotated[float, Meta(ge=0, description="mean hops of a packet, where no placement is given")] = 0.0
    hops_north_south: Annotated[float, Meta(ge=0, description="mean hops of a packet, where no placement is given")] = (
        0.0
    )


class PowerEnd(Sourced, frozen=True, kw_only=True):
    """Static power of the whole chip."""

    power_uw: Annotated[float, Meta(ge=0, description="static power of the whole chip, used or not")]


class Power(PowerEnd, frozen=True, kw_only=True):
    """Static power of the whole chip, with its ends."""

    low: PowerEnd | None = None
    high: PowerEnd | None = None


class Term(EnergyEnd, frozen=True, kw_only=True):
    """Marginal energy of one of what `per` names, with its ends."""

    per: Annotated[Per, Meta(description="what the number is of")]
    covers: Annotated[
        tuple[Activity, ...], Meta(description="activities that the number contains besides its own")
    ] = ()
    low: EnergyEnd | None = None
    high: EnergyEnd | None = None


class Latency(DelayEnd, frozen=True, kw_only=True):
    """Time that one of what `per` names takes a core, with its ends."""

    per: Annotated[Per, Meta(description="what the number is of")]
    low: DelayEnd | None = None
    high: DelayEnd | None = None


class CyclesEnd(Sourced, frozen=True, kw_only=True):
    """Cycles that one of what `per` names takes a core."""

    latency_cycles: Annotated[float, Meta(ge=0, description="cycles of one on one core, at operating.clock_mhz")]


class Cycles(CyclesEnd, frozen=True, kw_only=True):
    """Cycles that one of what `per` names takes a core, with its ends."""

    per: Annotated[Per, Meta(description="what the number is of")]
    low: CyclesEnd | None = None
    high: CyclesEnd | None = None


class Plan(Sourced, frozen=True, kw_only=True):
    """Area of one component of the chip."""

    component: Annotated[
        Literal["synapse", "neuron", "core", "learning", "chip"], Meta(description="`chip`: all that the others leave")
    ]
    area_um2: Annotated[float, Meta(ge=0, description="area of the component, used or not")]


class Capacity(Sourced, frozen=True, kw_only=True):
    """What the chip holds, where it was published; 0: not known, and not checked."""

    cores: Annotated[int, Meta(ge=1, description="cores of the chip")] = 1
    neurons: Annotated[int, Meta(ge=0, description="neurons a core holds")] = 0
    synapse_bits: Annotated[int, Meta(ge=0, description="bits of weights a core holds")] = 0
    weight_bits: Annotated[
        int, Meta(ge=0, description="widest weight; of wider ones a cost says so, its numbers are not of them")
    ] = 0
    axons_in: Annotated[int, Meta(ge=0, description="axons a core listens to")] = 0
    axons_out: Annotated[int, Meta(ge=0, description="axons a core sends to")] = 0


class Applies(Choice, frozen=True, kw_only=True):
    """The only networks that the numbers are of: another is refused."""

    inputs: Annotated[
        int, Meta(ge=0, description="inputs, of a network whose first layer is dense; 0: not checked")
    ] = 0
    neurons: Annotated[list[int], Meta(description="neurons of the last layers, from the first of those to the output")]


class Workload(Table, frozen=True, kw_only=True):
    """What a published point did, in counts of docs/hardware_models.md; what is 0 did not happen."""

    neurons: Annotated[int, Meta(ge=0, description="neurons, all on chip")] = 0
    ticks: Annotated[int, Meta(ge=0, description="time steps")] = 0
    synaptic_operations: Annotated[float, Meta(ge=0, description="events at synapses, all together")] = 0.0
    synaptic_updates: Annotated[float, Meta(ge=0, description="weights updated, all together")] = 0.0


class Validation(Table, frozen=True, kw_only=True):
    """A published number, and how a model is asked for it (docs/validation.md)."""

    id: Annotated[str, Meta(pattern="^[a-z0-9_]+$", description="name of the point")]
    what: Annotated[str, Meta(min_length=8, description="what was published, in words")]
    quantity: Annotated[
        Literal[
            "power_uw",
            "energy_pj",
            "learning_energy_pj",
            "energy_pj_per_synaptic_operation",
            "learning_ratio",
            "area_share",
            "learning_area_ratio",
            "operations_ratio",
            "error_movement_ratio",
        ],
        Meta(description="what is compared, in the unit of its name; ratios and shares have none"),
    ]
    component: Annotated[
        Literal["", "synapse", "neuron", "core", "learning"], Meta(description="whose share, for `area_share`")
    ] = ""
    expected: Annotated[float, Meta(gt=0, description="the published number")]
    tolerance_percent: Annotated[
        float, Meta(ge=0, description="largest error that passes; 0: reported, not judged")
    ] = 0
    use: Annotated[
        Literal["test", "cross-check", "fitted", "bound"],
        Meta(
            description="`fitted`: the model's constants come from this number; `cross-check`: they are the same measurement in "
            "other numbers; `bound`: only whether it can be at all"
        ),
    ]
    bound: Annotated[Literal["", "at_least", "at_most"], Meta(description="the published number against ours")] = ""
    clock_mhz: Annotated[float, Meta(ge=0, description="clock of this point; 0: the model's")] = 0.0
    supply_v: Annotated[
        float,
        Meta(ge=0, description="supply of this point; where the model's is another, nothing is judged; 0: the model's"),
    ] = 0.0
    workload: Workload | None = None
    network: Annotated[str, Meta(description="counts of a network of ours, by name, instead of a workload")] = ""
    against: Annotated[str, Meta(description="second network, for ratios of operations")] = ""
    on: Annotated[list[str], Meta(description="models to price it on; none: the file's own")] = field(
        default_factory=list
    )
    note: Annotated[str, Meta(description="why it misses, or what it cannot show")] = ""
    source: Annotated[str, Meta(min_length=8, description="where the number was read")]
    tag: Annotated[Tag, Meta(description="how the number was checked")]
    basis: Annotated[Basis, Meta(description="how the original number was obtained")]


class ChipFile(Table, frozen=True, kw_only=True):
    """One published chip."""

    schema: Annotated[Literal[1], Meta(description="version of this schema")]
    kind: Annotated[Literal["chip"], Meta(description="a published chip, from its own data")]
    name: Annotated[str, Meta(pattern="^[a-z0-9_]+$", description="the file's name without .toml")]
    summary: Text
    inherits: Annotated[str, Meta(description="a model to start from; what is given here replaces it")] = ""
    priced_by_default: Annotated[bool, Meta(description="false: listed, but priced only when asked for")] = True
    technology: Annotated[Technology | None, Meta(description="for the reader; left out where it was not told")] = None
    operating: Operating
    static: Power | None = None
    idle: Annotated[Idle | None, Meta(description="clocking of the whole chip")] = None
    energy: Annotated[list[Term], Meta(description="marginal energies; at most one for each `per`")] = field(
        default_factory=list
    )
    latency: Annotated[list[Latency], Meta(description="times; at most one for each `per`")] = field(
        default_factory=list
    )
    cycles: Annotated[list[Cycles], Meta(description="times in cycles; at most one for each `per`")] = field(
        default_factory=list
    )
    area: Annotated[list[Plan], Meta(description="areas; at most one for each component")] = field(default_factory=list)
    learns_by: Annotated[
        str, Meta(description="the rule whose cost its learning terms are, told with every cost of another")
    ] = ""
    capacity: Capacity | None = None
    applies: Applies | None = None
    validation: Annotated[list[Validation], Meta(description="published points; never inherited")] = field(
        default_factory=list
    )
