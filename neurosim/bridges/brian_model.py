"""A SpikingSpec as Brian2 code: equations, updates, thresholds, resets and what synapses do, as text (docs/spiking.md 1 to 6).

The phases of a tick fall into Brian2's slots: update in `groups`, spikes in `thresholds`, delivery and consolidation in
`synapses`, in the order of the projections, and what follows a spike in `resets`. Brian2's refractory machinery is not used: a
neuron counts its own `wait`. `brian_build` makes objects of this, and `brian_listing` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.bridges import brian_words as words
from neurosim.bridges.brian_device import allows
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed
from neurosim.spiking.neurons import Events, Poisson, Population, Regular, State, Threshold
from neurosim.spiking.plasticity import Kernel, Term
from neurosim.spiking.projection import Projection, Synapses
from neurosim.spiking.spec import SpikingSpec

Values = dict[str, Any]
NEVER = -(1 << 40)
"""The tick of the last spike of a neuron that has not spiked: before the end of any kernel."""

_OWN = """
wait held last due probability period phase w c learn seed since kernel_value error_code change heard
i j N t dt t_in_timesteps delay lastspike not_refractory xi random_bits
"""
_CPP = """
auto break case catch char class const delete do double enum explicit export extern float goto inline int long mutable
namespace new operator private protected public register short signed sizeof static struct switch template this throw
typedef typename union unsigned using virtual void volatile and or not xor bool
"""
_TAKEN = frozenset(_OWN.split()) | frozenset(_CPP.split())
_PARTS = ("_events", "_schedule", "_spikes", "_update", "_consolidation", "_pre", "_post", "_resetter", "_thresholder")
"""Endings of the names that belong to parts of objects."""


@dataclass(frozen=True)
class GroupCode:
    """A NeuronGroup, or with events alone a SpikeGeneratorGroup: Brian2's arguments by their names.

    update: what `run_regularly` does in the slot `groups`. values: first values of variables. names: Brian2's name of each state.
    events: (ticks, neurons) of a SpikeGeneratorGroup.
    """

    name: str
    n: int
    model: tuple[str, ...] = ()
    threshold: str = ""
    reset: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    order: int = 0
    events: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None


@dataclass(frozen=True)
class SynapsesCode:
    """A Synapses object. consolidation: what `run_regularly` does after all deliveries; delays: ticks, one or one a synapse."""

    name: str
    source: str
    target: str
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    model: tuple[str, ...] = ()
    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    consolidation: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)
    delays: int | NDArray[np.int64] = 0
    order: int = 0
    last: int = 0


@dataclass(frozen=True)
class Model:
    """All of it. groups, synapses: by population and projection; feeders, schedules: of listed spikes for neurons that may be held."""

    seed: int
    real: bool
    groups: tuple[GroupCode, ...]
    synapses: tuple[SynapsesCode, ...]
    feeders: tuple[GroupCode, ...]
    schedules: tuple[SynapsesCode, ...]


def model(
    spec: SpikingSpec,
    synapses: Sequence[Synapses] | Mapping[str, Synapses] | None = None,
    *,
    real: bool = False,
    prefix: str = "",
) -> Model:
    """The code of a network. synapses: of all projections, or of some by name, in the place of drawn ones; prefix: of objects' names."""
    return _Writer(spec, real=real, prefix=prefix).model(synapses)


def variable(state: str) -> str:
    """Brian2's name of a state: its own, or NAME_state where Brian2, C++ or this bridge have another use for that."""
    taken = state in _TAKEN or state.startswith("input_") or state.endswith(("_pre", "_post")) or not allows(state)
    plain = re.sub(r"\W", "_", state, flags=re.ASCII).strip("_") or "x"
    return f"{plain}_state" if taken else state


class _Writer:
    def __init__(self, spec: SpikingSpec, *, real: bool, prefix: str) -> None:
        self.spec, self.real, self.prefix = spec, real, prefix
        self.kind = "1" if real else "integer"
        self.names = [self._names(p) for p in spec.populations]
        self.receiving: set[tuple[int, str]] = set()
        self.timed: set[int] = set()
        self.read: set[int] = set()
        for p in spec.projections:
            source, target = spec.number(p.source), spec.number(p.target)
            self.receiving.add((target, p.state))
            rule = p.plasticity
            if rule is not None and rule.on_pre is not None and isinstance(rule.on_pre.of, Kernel):
                self.timed.add(target)
            if rule is not None and rule.on_post is not None and isinstance(rule.on_post.of, Kernel):
                self.timed.add(source)

    def _names(self, population: Population) -> dict[str, str]:
        found = {state.name: variable(state.name) for state in population.states}
        if len(set(found.values())) < len(found):
            raise NeurosimError(
                f"population {population.name}: states {sorted(found)}: Brian2 has no different names for them ({sorted(found.values())})"
            )
        return found

    def model(self, synapses: Sequence[Synapses] | Mapping[str, Synapses] | None) -> Model:
        groups, feeders, schedules = [], [], []
        objects = self._object_names()
        titles = objects[len(self.spec.populations) :]
        for number, population in enumerate(self.spec.populations):
            group = self._group(number, population, objects[number])
            groups.append(group)
            if isinstance(population.spikes, Events) and group.events is None:
                feeder = GroupCode(f"{group.name}_events", group.n, events=ahead(population.spikes)[:2])
                feeders.append(feeder)
                every = np.arange(group.n)
                schedules.append(
                    SynapsesCode(
                        f"{group.name}_schedule", feeder.name, group.name, every, every,
                        on_pre=("due_post = t_in_timesteps + 1",),
                    )
                )  # fmt: skip
        given = dict(synapses) if isinstance(synapses, Mapping) else dict(enumerate(synapses or ()))
        found = {self.spec.projection(k) if isinstance(k, str) else k: v for k, v in given.items()}
        made = []
        for number, p in enumerate(self.spec.projections):
            n_source, n_target = self.spec.population(p.source).n, self.spec.population(p.target).n
            drawn = found.get(number) or p.draw(self.spec.seed, number, n_source, n_target)
            made.append(self._synapses(number, p, drawn, titles[number], objects))
        return Model(self.spec.seed, self.real, tuple(groups), tuple(made), tuple(feeders), tuple(schedules))

    def _object_names(self) -> list[str]:
        """Names of the populations' objects, then of the projections', each once."""
        found: list[str] = []
        projections = [p.name or f"{p.source}_to_{p.target}" for p in self.spec.projections]
        for number, wish in enumerate([*(p.name for p in self.spec.populations), *projections]):
            plain = re.sub(r"\W+", "_to_", wish, flags=re.ASCII).strip("_")
            plain = plain if plain[:1].isalpha() else f"object_{plain}"
            name = self.prefix + (f"{plain}_object" if plain.endswith(_PARTS) else plain)
            found.append(f"{name}_{number}" if name in found else name)
        return found

    # ------------------------------------------------------------------ neurons

    def _group(self, number: int, population: Population, name: str) -> GroupCode:
        spikes, names = population.spikes, self.names[number]
        held, timed = population.refractory > 0, number in self.timed
        if isinstance(spikes, Events) and not (population.states or held or timed):
            return GroupCode(name, population.n, events=listed(spikes))
        variables = [f"{names[state.name]} : {self.kind}" for state in population.states]
        variables += [f"{self._input(number, s)} : {self.kind}" for s in population.states if self._receives(number, s)]
        variables += ["wait : integer", "held : integer"] if held else []
        variables += ["last : integer"] if timed else []
        values: Values = {names[state.name]: state.start for state in population.states if state.start}
        values |= {"last": NEVER} if timed else {}
        condition, parameters, given = self._condition(number, population)
        update = ["held = int(wait > 0)", "wait -= held"] if held else []
        first = sum(len(p.states) for p in self.spec.populations[:number])
        for k, state in enumerate(population.states):
            update += self._update(number, state, first + k, held=held)
        reset = [line for state in population.states for line in self._after(names[state.name], state)]
        reset += [f"wait = {population.refractory}"] if held else []
        reset += ["last = t_in_timesteps"] if timed else []
        return GroupCode(
            name, population.n, (*variables, *parameters), f"held == 0 and {condition}" if held else condition,
            tuple(reset), tuple(update), values | given, names, number,
        )  # fmt: skip

    def _receives(self, number: int, state: State) -> bool:
        return (number, state.name) in self.receiving

    def _input(self, number: int, state: State) -> str:
        return f"input_{self.names[number][state.name]}"

    def _condition(self, number: int, population: Population) -> tuple[str, list[str], Values]:
        """When it spikes; the parameters that this needs, and their values."""
        spikes = population.spikes
        if isinstance(spikes, Threshold):
            return f"{self.names[number][spikes.state]} >= {spikes.value}", [], {}
        if isinstance(spikes, Poisson):
            drawn = f"{words.BITS}(seed, 20, {number}, t_in_timesteps, i, -1, 16)"
            chance = np.asarray(spikes.probability, np.int64)
            if chance.ndim == 0 and spikes.role == "fixed":
                return f"{drawn} < {int(chance)}", [], {}
            return f"{drawn} < probability", ["probability : integer"], {"probability": _one(chance)}
        if isinstance(spikes, Regular):
            period = np.broadcast_to(np.asarray(spikes.period, np.int64), (population.n,))
            phase = np.broadcast_to(np.asarray(spikes.phase, np.int64), (population.n,))
            given = {
                "period": _one(np.where(period == 0, 1, period)),
                "phase": _one(np.where(period == 0, -NEVER, phase)),
            }
            parameters = ["period : integer (constant)", "phase : integer (constant)"]
            return "t_in_timesteps >= phase and (t_in_timesteps - phase) % period == 0", parameters, given
        due = np.full(population.n, -1, np.int64)
        due[ahead(spikes)[2]] = 0
        return "due == t_in_timesteps", ["due : integer"], {"due": due}

    def _update(self, number: int, state: State, row: int, *, held: bool) -> list[str]:
        names = self.names[number]
        x, real = names[state.name], self.real
        text = x if state.leak is None else f"{x} - {words.shared(state.leak, x, real=real)}"
        text += "".join(f" + {words.shared(flow, names[flow.state], real=real)}" for flow in state.flows)
        text += words.signed(state.bias)
        arrives = self._receives(number, state)
        text += f" + {self._input(number, state)}" if arrives else ""
        text += f" + {words.noise(state, 'seed', row)}" if state.noise else ""
        if text == x and not arrives:
            return []
        text = f"clip({text}, {state.low}, {state.high})"
        lines = [f"{x} = held*{x} + (1 - held)*{text}" if held and state.holds else f"{x} = {text}"]
        return [*lines, f"{self._input(number, state)} = 0"] if arrives else lines

    def _after(self, x: str, state: State) -> list[str]:
        if state.reset is not None:
            return [f"{x} = {state.reset}"]
        return [f"{x} = clip({x}{words.signed(state.jump)}, {state.low}, {state.high})"] if state.jump else []

    # ------------------------------------------------------------------ synapses

    def _synapses(self, number: int, p: Projection, drawn: Synapses, title: str, objects: list[str]) -> SynapsesCode:
        source, target = self.spec.number(p.source), self.spec.number(p.target)
        sources = np.repeat(np.arange(self.spec.populations[source].n), np.diff(drawn.start))
        weights = np.asarray(drawn.weight, np.float64 if self.real else np.int64)
        # A weight that starts outside its bounds stays there until a term acts on it.
        strays = bool(len(weights) and (weights.min() < p.low or weights.max() > p.high))
        blank = f"{words.BITS}(seed, 16, {number}, t_in_timesteps, i, j, 8)"
        heard = [f"heard = int({blank} >= {p.blank_out})"] if p.blank_out else []
        onto = f"input_{self.names[target][p.state]}_post"
        weight = words.scaled("w", p.gain, real=self.real)
        arrives = f"{onto} += " + ((f"heard*({weight})" if p.gain else f"heard*{weight}") if heard else weight)
        rule, learns, tagged = p.plasticity, p.plasticity is not None, False
        on_pre, on_post, consolidation = [*heard], [], []
        if rule is not None:
            tagged = rule.eligibility is not None
            if rule.on_pre is not None:
                factors = ["learn", *(["heard"] if heard else [])]
                on_pre += self._change(number, p, rule.on_pre, 17, factors, strays=strays)
            if rule.on_post is not None:
                on_post = self._change(number, p, rule.on_post, 18, ["learn"], strays=strays)
            consolidation = self._consolidation(number, p, strays=strays)
        variables = [f"w : {self.kind}", *([f"c : {self.kind}"] if tagged else [])]
        delays = np.asarray(drawn.delay, np.int64)
        same = len(delays) == 0 or bool((delays == delays[0]).all())
        return SynapsesCode(
            title, objects[source], objects[target], sources, np.asarray(drawn.target, np.int64),
            (*variables, *(["learn : integer (shared)"] if learns else [])),
            (*on_pre, arrives), tuple(on_post), tuple(consolidation),
            {"w": weights, **({"learn": 1} if learns else {})},
            (int(delays[0]) if len(delays) else 0) if same else delays, 2 * number, 2 * len(self.spec.projections) + number,
        )  # fmt: skip

    def _change(
        self, number: int, p: Projection, term: Term, stream: int, factors: list[str], *, strays: bool
    ) -> list[str]:
        """What a term does: docs/spiking.md 5. `change` is m * a * b, 0 where a gate is closed."""
        assert p.plasticity is not None
        lines = []
        parts = [
            *factors,
            *([str(term.numerator) if term.numerator > 0 else f"({term.numerator})"] if term.numerator != 1 else []),
        ]
        parts += [f"int({words.gate_open(gate, self._side(p, gate.state))})" for gate in term.gates]
        if isinstance(term.of, Kernel):
            lines.append(f"since = t_in_timesteps - {'last_post' if stream == 17 else 'last_pre'}")
            lines.append(f"kernel_value = {words.kernel_value(term.of, 'since')}")
            parts.append("kernel_value")
        elif term.error is not None:
            population, k = self.spec.side(p, term.of)
            name, reach = self._side(p, term.of), population.states[k].reach
            lines.append(f"error_code = {words.quantised(term.error, name, reach, p.title, real=self.real)}")
            parts.append("error_code")
        elif term.of != "1":
            parts.append(self._side(p, term.of))
        if term.times != "1":
            parts.append(self._side(p, term.times))
        lines.append("change = " + "*".join(parts))
        place = "i, j" if stream == 17 else "j, i"
        drawn = f"{words.BITS}(seed, {stream}, {number}, t_in_timesteps, {place}, {term.shift})"
        if p.plasticity.eligibility is None:
            return [*lines, self._weight(p, term.shift, drawn, strays=strays)]
        word: Fixed = p.plasticity.eligibility.word
        value = words.rounded("change", term.shift, word.rounding, drawn, real=self.real)
        return [*lines, f"c = clip(c + {value}, {word.low}, {word.high})"]

    def _weight(self, p: Projection, shift: int, drawn: str, *, strays: bool) -> str:
        value = words.rounded("change", shift, p.weight.rounding, drawn, real=self.real)
        clipped = f"clip(w + {value}, {p.low}, {p.high})"
        return f"w += int(change != 0)*({clipped} - w)" if strays else f"w = {clipped}"

    def _consolidation(self, number: int, p: Projection, *, strays: bool) -> list[str]:
        rule = p.plasticity.eligibility if p.plasticity is not None else None
        if rule is None:
            return []
        m = "" if rule.numerator == 1 else f"{rule.numerator}*" if rule.numerator > 0 else f"({rule.numerator})*"
        drawn = f"{words.BITS}(seed, 21, {number}, t_in_timesteps, i, j, {rule.shift})"
        lines = [f"change = learn*{m}c*{self._side(p, rule.factor)}", self._weight(p, rule.shift, drawn, strays=strays)]
        if rule.leak is not None:
            leak = words.shared(rule.leak, "c", real=self.real)
            lines.append(f"c = clip(c - learn*({leak}), {rule.word.low}, {rule.word.high})")
        return lines

    def _side(self, p: Projection, name: str) -> str:
        side, _, state = name.partition(".")
        number = self.spec.number(p.source if side == "pre" else p.target)
        return f"{self.names[number][state]}_{side}"


def listed(events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The events without repetitions, by tick, then neuron."""
    pairs = np.stack([np.asarray(events.ticks, np.int64), np.asarray(events.neurons, np.int64)])
    unique = np.unique(pairs, axis=1)
    return unique[0], unique[1]


def ahead(events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The events of tick 1 on, a tick earlier, as a schedule needs them; and the neurons of tick 0."""
    ticks, neurons = listed(events)
    return ticks[ticks > 0] - 1, neurons[ticks > 0], neurons[ticks == 0]


def _one(values: NDArray[Any]) -> Any:
    """A number where all are equal."""
    return int(values.flat[0]) if values.size and (values == values.flat[0]).all() else values
