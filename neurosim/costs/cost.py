"""The result of pricing: parts, and everything else as sums of parts.

Energies are pJ a sample, latencies ns a sample, areas um2. Every number that varies between sources comes as a band
(low, nominal, high). Energies and areas are `math.fsum` of parts, so parts sum to totals by construction; a latency is the end
of the last stage, since stages overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from neurosim.costs.routing import Routing
from neurosim.errors import NeurosimError
from neurosim.ops import PHASES

SCHEMA_VERSION = 2
"""Of the JSON form of a `Cost`."""


class Band(NamedTuple):
    """What the optimistic sources say, the middle, and the pessimistic ones."""

    low: float
    nominal: float
    high: float


class Part(NamedTuple):
    """Energy of one layer, phase and component: pJ a sample."""

    layer: int
    phase: str
    component: str
    low: float
    nominal: float
    high: float


class Stage(NamedTuple):
    """Time of one layer and phase: ns a sample; `unit` is the busiest, the one that sets the pace.

    low, nominal, high: how long it works. start: when it begins, of the same sources: the optimistic path, the middle one, the
    pessimistic one.
    """

    layer: int
    phase: str
    unit: str
    low: float
    nominal: float
    high: float
    start: Band

    @property
    def end(self) -> Band:
        """When it ends: ns after the sample began."""
        return Band(self.start.low + self.low, self.start.nominal + self.nominal, self.start.high + self.high)


class Plot(NamedTuple):
    """Area of one layer and component: um2."""

    layer: int
    component: str
    low: float
    nominal: float
    high: float


class Grade(NamedTuple):
    """The weakest basis and the weakest tag among the constants that cost something."""

    basis: str
    tag: str


Row = Part | Stage | Plot
R = TypeVar("R", Part, Stage, Plot)
K = TypeVar("K")

COMPONENTS = (
    "arithmetic", "weight memory", "feedback memory", "state memory", "gradient memory",
    "lookup", "random", "synapse", "neuron", "learning", "memory", "sample", "core", "chip", "communication", "clock", "static",
)  # fmt: skip
KINDS = ("operations", "clock", "static")
_LEARNING = ("errors", "feedback", "updates", "random")
"""Activities that inference does without."""
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "time": ("latency_ns_per_sample", "inference_latency_ns_per_sample"),
    "area": ("area_um2",),
}
"""What is not known of some chips, and the totals that are not known without it."""
CHANNEL = ("event_payload", "event_packets", "event_bit_hops", "error_code", "error_packets", "error_bit_hops")


def total(rows: Iterable[Row]) -> Band:
    """The sum of rows, correctly rounded."""
    kept = list(rows)
    return Band(
        math.fsum(r.low for r in kept),
        math.fsum(r.nominal for r in kept),
        math.fsum(r.high for r in kept),
    )


def grouped(rows: Iterable[R], key: Callable[[R], K], order: Iterable[K] = ()) -> dict[K, Band]:
    """The sums of rows that share a key: in the given order, else in that in which keys appear."""
    groups: dict[K, list[R]] = {k: [] for k in order}
    for r in rows:
        groups.setdefault(key(r), []).append(r)
    return {k: total(g) for k, g in groups.items() if g}


def span(stages: Iterable[Stage]) -> Band:
    """The end of the last stage: the time of the critical path."""
    ends = [s.end for s in stages] or [Band(0.0, 0.0, 0.0)]
    return Band(max(e.low for e in ends), max(e.nominal for e in ends), max(e.high for e in ends))


@dataclass(frozen=True)
class Cost:
    """What a run costs on one hardware model.

    model, digest: name and fingerprint of the model. grade: of all constants that were used. cores: cores by layer,
    0 for one that stands on another's.
    static_power_uw: of the whole chip, at all times. energy, latency: of one learning sample; stages overlap, so its time is the
    end of the last one, not their sum.
    inference_energy, inference_latency: of one sample that is only classified, reckoned from `inference_from`.
    area: of the chip, learning included. bits_moved: bits a learning sample reads and writes, by phase and memory.
    channel_bits: bits a learning sample sends: `event_payload` and `error_code` once for each layer that receives or
    sends them, `event_packets` and `error_packets` with header, once for each core that receives them, `event_bit_hops` and
    `error_bit_hops` once for each hop of those packets. routing: where the network stands and what travels; None where the model
    has no mesh. unpriced: what happened and is in none of the numbers, because nobody published what it costs on that chip, or because
    on an array only tallies of it were counted: activities of `neurosim.costs.activities`, and ``"static"``, ``"time"`` and ``"area"``.
    Totals of a cost with any are lower bounds.
    places: the layer on whose cores each layer stands; empty: each on its own. notes: what was assumed or left out.
    """

    model: str
    digest: str
    grade: Grade
    cores: tuple[int, ...]
    static_power_uw: Band
    energy: tuple[Part, ...]
    latency: tuple[Stage, ...]
    inference_energy: tuple[Part, ...]
    inference_latency: tuple[Stage, ...]
    inference_from: str
    area: tuple[Plot, ...]
    bits_moved: Mapping[str, Mapping[str, float]]
    channel_bits: Mapping[str, float]
    unpriced: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    routing: Routing | None = None

    @cached_property
    def band(self) -> dict[str, Band]:
        """Low, nominal and high of every total that is known.

        No time or area where nobody published one; powers and rates only where everything takes time, and no power where energy and
        time are both lower bounds. Power lies between the least energy in the longest time and the most in the shortest; rates
        are of samples one by one. Static power is left out where a chip's file has none of its own, or has it in its other numbers.
        """
        found = {
            "energy_pj_per_sample": total(self.energy),
            "latency_ns_per_sample": span(self.latency),
            "inference_energy_pj_per_sample": total(self.inference_energy),
            "inference_latency_ns_per_sample": span(self.inference_latency),
            "area_um2": total(self.area),
            "static_power_uw": self.static_power_uw,
        }
        for doing in ("", "inference_"):
            energy, time = found[f"{doing}energy_pj_per_sample"], found[f"{doing}latency_ns_per_sample"]
            if time.low > 0:  # pJ / ns is mW
                found[f"{doing}samples_per_second"] = Band(1e9 / time.high, 1e9 / time.nominal, 1e9 / time.low)
                if not self.is_least(f"{doing}latency_ns_per_sample"):
                    low, high = energy.low / time.high, energy.high / time.low
                    found[f"{doing}power_uw"] = Band(1e3 * low, 1e3 * (energy.nominal / time.nominal), 1e3 * high)
        unknown = {key for what, keys in _NEEDED.items() if what in self.unpriced for key in keys}
        if self.routing is None and not self.static_power_uw.high:
            unknown.add("static_power_uw")
        return {key: band for key, band in found.items() if key not in unknown}

    def is_least(self, key: str) -> bool:
        """Whether a total of `band` is a lower bound: nobody published the price of something that contributes to it.

        Energies and powers lack what is unpriced but for area and time; times lack the activities alone.
        """
        without = {"area", "time", *(_LEARNING if key.startswith("inference") else ())}
        if "latency" in key:
            without.add("static")
        timed = any(word in key for word in ("energy_pj_per_sample", "latency_ns", "power_uw"))
        return timed and key != "static_power_uw" and bool(set(self.unpriced) - without)

    def is_most(self, key: str) -> bool:
        """Whether a total of `band` is an upper bound: a rate, of a time that is a lower one."""
        return "samples_per_second" in key and self.is_least(key.replace("samples_per_second", "latency_ns_per_sample"))

    def known(self, key: str) -> Band:
        """A total of `band`. Raises: NeurosimError where it is not known."""
        if key not in self.band:
            lacks = ", ".join(self.unpriced)
            raise NeurosimError(
                f"{key}: is not known of {self.model!r}, where nobody published {lacks} (`Cost.unpriced`)"
            )
        return self.band[key]

    @property
    def energy_pj_per_sample(self) -> float:
        """Energy of one learning sample, nominal."""
        return self.known("energy_pj_per_sample").nominal

    @property
    def latency_ns_per_sample(self) -> float:
        """Time of one learning sample, nominal. Raises: NeurosimError where it is not known."""
        return self.known("latency_ns_per_sample").nominal

    @property
    def inference_energy_pj_per_sample(self) -> float:
        """Energy of classifying one sample, nominal."""
        return self.known("inference_energy_pj_per_sample").nominal

    @property
    def inference_latency_ns_per_sample(self) -> float:
        """Time of classifying one sample, nominal. Raises: NeurosimError where it is not known."""
        return self.known("inference_latency_ns_per_sample").nominal

    @property
    def area_um2(self) -> float:
        """Area of the cores that are used, nominal. Raises: NeurosimError where it is not known."""
        return self.known("area_um2").nominal

    @property
    def energy_by_phase(self) -> dict[str, Band]:
        """Energy of a learning sample by phase."""
        return grouped(self.energy, lambda r: r.phase, PHASES)

    @property
    def energy_by_layer(self) -> dict[int, Band]:
        """Energy of a learning sample by layer."""
        return grouped(self.energy, lambda r: r.layer)

    @property
    def energy_by_component(self) -> dict[str, Band]:
        """Energy of a learning sample by component."""
        return grouped(self.energy, lambda r: r.component, COMPONENTS)

    @property
    def energy_by_kind(self) -> dict[str, Band]:
        """Energy of a learning sample by what it is paid for: `operations` and `clock`, which are dynamic, and `static`."""
        return grouped(self.energy, lambda r: r.component if r.component in KINDS else KINDS[0], KINDS)

    @property
    def busy_by_phase(self) -> dict[str, Band]:
        """How long the stages of each phase work in a learning sample, all layers together; they overlap (ns)."""
        return grouped(self.latency, lambda r: r.phase, PHASES)

    @property
    def area_by_component(self) -> dict[str, Band]:
        """Area by component."""
        return grouped(self.area, lambda r: r.component, COMPONENTS)

    @property
    def energy_by_core(self) -> dict[tuple[int, int], Band]:
        """Energy of a learning sample by core (x, y): that of a layer goes to its cores by the neurons that they hold."""
        out: dict[tuple[int, int], Band] = {}
        cores = self.routing.cores if self.routing else ()
        for layer, energy in self.energy_by_layer.items():
            here = [c for c in cores if c.layer == self._standing(layer)]
            sizes = [(c.last - c.first) * (c.high - c.low) for c in here]
            for c, n in zip(here, sizes, strict=True):
                share = n / sum(sizes) if sum(sizes) else 1 / len(here)
                old = out.get((c.x, c.y), Band(0.0, 0.0, 0.0))
                out[c.x, c.y] = Band(*(a + b * share for a, b in zip(old, energy, strict=True)))
        return out

    def _standing(self, layer: int) -> int:
        return self.routing.places[layer] if self.routing else layer

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form: the parts, from which `from_dict` makes the same object, and the sums for a reader."""
        sums = {
            "energy_by_phase": self.energy_by_phase,
            "energy_by_layer": {str(k): v for k, v in self.energy_by_layer.items()},
            "energy_by_component": self.energy_by_component,
            "energy_by_kind": self.energy_by_kind,
            "energy_by_core": {f"{x},{y}": v for (x, y), v in self.energy_by_core.items()},
            "busy_by_phase": self.busy_by_phase,
            "area_by_component": self.area_by_component,
            "band": self.band,
        }
        return {
            "schema": SCHEMA_VERSION,
            "model": self.model,
            "digest": self.digest,
            "grade": self.grade._asdict(),
            "cores": list(self.cores),
            "places": list(self.places),
            **{key: band.nominal for key, band in self.band.items() if key != "static_power_uw"},
            **{name: {k: v._asdict() for k, v in table.items()} for name, table in sums.items()},
            "inference_from": self.inference_from,
            **{key: [r._asdict() for r in getattr(self, key)] for key in _PARTS},
            "bits_moved": {phase: dict(bits) for phase, bits in self.bits_moved.items()},
            "channel_bits": dict(self.channel_bits),
            "unpriced": list(self.unpriced),
            "notes": list(self.notes),
            **({"routing": self.routing.to_dict()} if self.routing else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cost:
        """The reverse of `to_dict`; the sums are worked out anew. `data` has this `SCHEMA_VERSION`."""
        rows: dict[str, Any] = {key: tuple(kind(**r) for r in data[key]) for key, kind in _PARTS.items()}
        for key in ("latency", "inference_latency"):
            rows[key] = tuple(s._replace(start=Band(*s.start)) for s in rows[key])
        return cls(
            model=data["model"],
            digest=data["digest"],
            grade=Grade(**data["grade"]),
            cores=tuple(data["cores"]),
            static_power_uw=Band(**data["band"].get("static_power_uw", {"low": 0.0, "nominal": 0.0, "high": 0.0})),
            inference_from=data["inference_from"],
            bits_moved={phase: dict(bits) for phase, bits in data["bits_moved"].items()},
            channel_bits=dict(data["channel_bits"]),
            unpriced=tuple(data.get("unpriced", ())),
            places=tuple(data["places"]),
            notes=tuple(data["notes"]),
            routing=Routing.from_dict(data["routing"]) if data.get("routing") else None,
            **rows,
        )


_PARTS: Mapping[str, type[Row]] = {
    "energy": Part,
    "latency": Stage,
    "inference_energy": Part,
    "inference_latency": Stage,
    "area": Plot,
}
