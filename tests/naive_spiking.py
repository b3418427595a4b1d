"""The slow twin of spiking networks: plain Python numbers, lists and loops, from docs/spiking.md and nothing else.

`NaiveSpiking(spec)` with a plain dict (tests/spiking_twin.py makes one of a description). Populations, states and projections go
by their numbers. Imports nothing of neurosim.

A factor of a term is `["one"]`, `["pre", state]`, `["post", state]` or `["kernel", segments]`. Initial weights and delays are a number,
`{"low", "high"}`, or a list in the order of the synapses (of given pairs: in the order of the pairs).
"""

import math
from fractions import Fraction

from tests.naive_tables import Quantiser, fold, highest, initial_feedback, key, lowest, round_shift, uniform

BLANK, ON_PRE, ON_POST, NOISE, POISSON, CONSOLIDATE, CONNECT, WEIGHT, DELAY = range(16, 25)
COUNTS = (
    "arrivals", "events", "blanked", "evaluated_pre", "evaluated_post", "attempted_pre", "attempted_post", "gates",
    "changed", "tags_changed", "consolidated", "random_words", "random_lanes",
)  # fmt: skip


def clip(x: float, low: int, high: int) -> float:
    """x, or the end that it lies beyond."""
    return max(low, min(high, x))


def divided(v: int, s: int, rounding: str) -> int:
    """q(v, s) of section 2."""
    if s < 0:
        return v * 2**-s
    size, left = divmod(abs(v), 2**s)
    sign = 1 if v > 0 else -1
    if rounding == "floor":
        return v >> s
    if rounding == "zero":
        return sign * size
    if rounding == "away":
        return sign * (size + (left > 0))
    if rounding == "least":
        return sign * max(1, size) if v else 0
    raise ValueError(rounding)


# ---------------------------------------------------------------- 7. birth of synapses


def joined(seed: int, number: int, connect: dict, n_source: int, n_target: int, same: bool) -> "list[tuple]":
    """(source, target, entry, place) of each synapse in order; entry is a crossbar's, place where a pair was given."""
    kind, root = connect["kind"], key(seed, CONNECT, number, 0)
    every = [(i, j) for i in range(n_source) for j in range(n_target)]
    if kind == "pairs":
        given = connect["pairs"]
        return [(*given[place], 1, place) for place in sorted(range(len(given)), key=lambda m: (given[m], m))]
    if kind == "crossbar":
        matrix = initial_feedback(seed, number, n_source, n_target, connect, n_source + n_target)
        found = [(i, j, matrix[i][j]) for i, j in every if matrix[i][j] != 0]
        return [(*synapse, m) for m, synapse in enumerate(found)]
    if kind == "one":
        pairs = [(i, i) for i in range(n_source)]
    elif kind == "all":
        pairs = every
    elif connect["probability"] is not None:
        limit = math.floor(Fraction(connect["probability"]) * 2**32)
        pairs = [(i, j) for i, j in every if fold(root, i * n_target + j) >> 32 < limit]
    else:
        k = connect["fan_out"]
        edge = [m * n_target // k for m in range(k + 1)] if k else [0]
        pairs = [
            (i, edge[m] + (fold(root, i * k + m) >> 32) % (edge[m + 1] - edge[m]))
            for i in range(n_source)
            for m in range(k)
        ]
    if kind != "one" and same and not connect["itself"]:
        pairs = [(i, j) for i, j in pairs if i != j]
    return [(i, j, 1, m) for m, (i, j) in enumerate(pairs)]


def drawn(given: "int | dict | list", root: int, number: int, place: int) -> int:
    """The weight or delay of synapse `number`."""
    if isinstance(given, dict):
        return given["low"] + (fold(root, number) >> 32) % (given["high"] - given["low"] + 1)
    return given[place] if isinstance(given, list) else given


def synapses(seed: int, number: int, projection: dict, n_source: int, n_target: int) -> "list[tuple]":
    """(source, target, weight, delay) of every synapse of a projection."""
    same = projection["source"] == projection["target"]
    pairs = joined(seed, number, projection["connect"], n_source, n_target, same)
    weight, delay = key(seed, WEIGHT, number, 0), key(seed, DELAY, number, 0)
    return [
        (i, j, entry * drawn(projection["initial"], weight, m, place), drawn(projection["delay"], delay, m, place))
        for m, (i, j, entry, place) in enumerate(pairs)
    ]


# ---------------------------------------------------------------- the network


class NaiveSpiking:
    """A network and its counters. states[population][state][neuron]; weights, tags[projection][synapse]."""

    def __init__(self, spec: dict, *, real: bool = False) -> None:
        self.seed, self.populations, self.projections = spec["seed"], spec["populations"], spec["projections"]
        self.real, self.t = real, 0
        self.synapses = [self.born(number, p) for number, p in enumerate(self.projections)]
        self.weights = [[float(w) if real else w for _, _, w, _ in found] for found in self.synapses]
        self.tags = [[0] * len(found) for found in self.synapses]
        self.counts = [dict.fromkeys(COUNTS, 0) for _ in self.projections]
        self.population_counts = [{"ticks": 0, "spikes": [0] * p["n"]} for p in self.populations]
        self.quantisers: dict = {}
        self.rest()

    def born(self, number: int, p: dict) -> "list[tuple]":
        """Synapses of a projection: as given, or drawn."""
        if "synapses" in p:
            return [tuple(synapse) for synapse in p["synapses"]]
        sizes = (self.populations[p["source"]]["n"], self.populations[p["target"]]["n"])
        return synapses(self.seed, number, p, *sizes)

    def rest(self) -> None:
        """All neurons as at the beginning; weights, tags, counters and the tick stay."""
        self.states = [[[x["start"]] * p["n"] for x in p["states"]] for p in self.populations]
        self.inputs = [[[0] * p["n"] for _ in p["states"]] for p in self.populations]
        self.waits = [[0] * p["n"] for p in self.populations]
        self.lasts = [[None] * p["n"] for p in self.populations]
        self.flying: dict = {}  # spikes by tick, population and neuron

    def counters(self) -> dict:
        """All of section 10."""
        return {"projections": self.counts, "populations": self.population_counts}

    # ---------------------------------------------------------------- 1. a tick

    def run(self, ticks: int, *, learn: bool = True) -> "list[tuple]":
        """So many ticks; the spikes as (tick, population, neuron)."""
        return [(self.t - 1, p, i) for _ in range(ticks) for p, i in self.tick(learn, self.t, {})]

    def present(
        self,
        samples: "list[dict]",
        labels: "list[int] | None" = None,
        *,
        ticks: int,
        burn_in: int = 0,
        rest: bool = False,
        output: int = 0,
        learn: bool = True,
        classes: "dict | None" = None,
    ) -> "list[list[int]]":
        """Spikes of each output neuron for each sample (section 8).

        sample: by population, probabilities or (tick, neuron) pairs; classes: by population, probabilities by class.
        """
        found = []
        for number, sample in enumerate(samples):
            if rest:
                self.rest()
            given = dict(sample)
            for p, table in (classes or {}).items():
                given[p] = table[labels[number]] if labels is not None else [0] * self.populations[p]["n"]
            spikes = [0] * self.populations[output]["n"]
            for tick in range(ticks):
                for p, i in self.tick(learn and tick >= burn_in, tick, given):
                    if p == output and tick >= burn_in:
                        spikes[i] += 1
            found.append(spikes)
        return found

    @staticmethod
    def answer(spikes: "list[int]") -> int:
        """The class: the neuron with the most spikes, the lowest among equals."""
        return spikes.index(max(spikes))

    def tick(self, learn: bool, shown: int, given: dict) -> "list[tuple]":
        """One tick; the spikes as (population, neuron). shown: what events count; given: what a sample gives to sources."""
        self.words: set = set()
        held = [[wait > 0 for wait in waits] for waits in self.waits]
        for p in range(len(self.populations)):
            self.update(p, held[p])
        spiking = []
        for p, population in enumerate(self.populations):
            self.waits[p] = [max(wait - 1, 0) for wait in self.waits[p]]
            spiking += [
                (p, i) for i in range(population["n"]) if not held[p][i] and self.spikes(p, i, shown, given.get(p))
            ]
        for p, i in spiking:
            self.waits[p][i] = self.populations[p]["refractory"]
            self.flying[self.t, p, i] = True
        for number in range(len(self.projections)):
            self.deliver(number, spiking, learn)
        for number in range(len(self.projections)):
            if learn:
                self.consolidate(number)
        self.after(spiking)
        for number, *_ in self.words:
            self.counts[number]["random_words"] += 1
        for count in self.population_counts:
            count["ticks"] += 1
        self.t += 1
        return spiking

    # ---------------------------------------------------------------- 2. states and spikes

    def q(self, v: float, by: dict) -> float:
        """What a leak or a flow takes of v."""
        v *= by["m"]
        return v * 2.0 ** -by["s"] if self.real else divided(v, by["s"], by["rounding"])

    def update(self, p: int, held: "list[bool]") -> None:
        """Step 1 of a population: its states, one after the other."""
        now = self.states[p]
        first = sum(len(other["states"]) for other in self.populations[:p])
        for number, state in enumerate(self.populations[p]["states"]):
            words = key(self.seed, NOISE, first + number, self.t)
            for i, x in enumerate(now[number]):
                arrived, self.inputs[p][number][i] = self.inputs[p][number][i], 0
                if state["holds"] and held[i]:
                    continue
                leak = self.q(x, state["leak"]) if state["leak"] else 0
                flows = sum(self.q(now[flow["state"]][i], flow) for flow in state["flows"])
                a = state["noise"]
                noise = ((fold(words, i) >> 32) * (2 * a + 1) >> 32) - a if a else 0
                total = x - leak + flows + state["bias"] + arrived + noise
                now[number][i] = clip(total, state["low"], state["high"])

    def spikes(self, p: int, i: int, shown: int, given: "list | None") -> bool:
        """Step 2: whether a neuron that is not held spikes (sections 2 and 3)."""
        by = self.populations[p]["spikes"]
        if by["kind"] == "threshold":
            return self.states[p][by["state"]][i] >= by["value"]
        if by["kind"] == "poisson":
            probability = by["probability"] if given is None else given
            return fold(key(self.seed, POISSON, p, self.t), i) >> 48 < probability[i]
        if by["kind"] == "regular":
            period, since = by["period"][i], self.t - by["phase"][i]
            return period > 0 and since >= 0 and since % period == 0
        return (shown, i) in [tuple(pair) for pair in (by["events"] if given is None else given)]

    def after(self, spiking: "list[tuple]") -> None:
        """Step 5: what a spike does to its neuron."""
        for p, i in spiking:
            for number, state in enumerate(self.populations[p]["states"]):
                x = self.states[p][number]
                if state["reset"] is not None:
                    x[i] = state["reset"]
                if state["jump"] is not None:
                    x[i] = clip(x[i] + state["jump"], state["low"], state["high"])
            self.lasts[p][i] = self.t
            self.population_counts[p]["spikes"][i] += 1

    # ---------------------------------------------------------------- 4. delivery

    def bits(self, number: int, stream: int, row: int, column: int, s: int) -> int:
        """Random bits of a synapse, counted."""
        self.words.add((number, stream, row, self.delay))
        self.counts[number]["random_lanes"] += 1
        return uniform(fold(key(self.seed, stream, number, self.t), row), column, s)

    def deliver(self, number: int, spiking: "list[tuple]", learn: bool) -> None:
        """Step 3 of a projection: arrivals, then spikes of the target."""
        p, count, arrived = self.projections[number], self.counts[number], set()
        rule = (p["plasticity"] or {"on_pre": None, "on_post": None}) if learn else {"on_pre": None, "on_post": None}
        inputs = self.inputs[p["target"]][p["state"]]
        for s, (i, j, _, delay) in enumerate(self.synapses[number]):
            if (self.t - delay, p["source"], i) not in self.flying:
                continue
            arrived.add((i, delay))
            self.delay = delay
            count["events"] += 1
            if p["blank_out"] and self.bits(number, BLANK, i, j, 8) < p["blank_out"]:
                count["blanked"] += 1
                continue
            if rule["on_pre"]:
                self.change(number, s, "on_pre")
            inputs[j] += self.arriving(self.weights[number][s], p["gain"])
        count["arrivals"] += len(arrived)
        self.delay = None  # the target's spikes reach all synapses at once
        for s, (_, j, _, _) in enumerate(self.synapses[number]):
            if rule["on_post"] and (p["target"], j) in spiking:
                self.change(number, s, "on_post")

    def arriving(self, w: float, gain: int) -> float:
        """What a weight adds to the input."""
        return w * 2.0**gain if self.real else round_shift(w, -gain, "floor")

    # ---------------------------------------------------------------- 5. plasticity

    def state_of(self, number: int, factor: list, s: int) -> float:
        """The state that a factor or a gate names, at a synapse."""
        side, state = factor
        i, j, *_ = self.synapses[number][s]
        p = self.projections[number]
        return self.states[p["source"]][state][i] if side == "pre" else self.states[p["target"]][state][j]

    def factor(self, number: int, factor: list, s: int, event: str) -> float:
        """a or b of a term at a synapse."""
        if factor[0] == "one":
            return 1
        if factor[0] != "kernel":
            return self.state_of(number, factor, s)
        i, j, *_ = self.synapses[number][s]
        p = self.projections[number]
        last = self.lasts[p["target"]][j] if event == "on_pre" else self.lasts[p["source"]][i]
        for until, exponent, sign in factor[1]:
            if last is not None and self.t - last <= until:
                return sign * 2**exponent
        return 0

    def quantised(self, number: int, event: str, x: float) -> float:
        """x through the quantiser of a term, in units of the state."""
        q = self.projections[number]["plasticity"][event]["error"]
        if (number, event) not in self.quantisers:
            self.quantisers[number, event] = Quantiser(q, q["alpha"], 0)
        quantiser = self.quantisers[number, event]
        if self.real:
            magnitude = real_magnitude(quantiser, abs(x))
        else:
            level = quantiser.level(x, 0)
            magnitude = 0 if level is None else quantiser.decoded(0)[level]
        return magnitude if x > 0 else -magnitude

    def is_open(self, number: int, gate: dict, s: int) -> bool:
        """Whether a gate lets the term act."""
        inside = gate["low"] < self.state_of(number, gate["state"], s) < gate["high"]
        return inside != gate["outside"]

    def change(self, number: int, s: int, event: str) -> None:
        """One term at one synapse."""
        p, count = self.projections[number], self.counts[number]
        rule, side = p["plasticity"], event.removeprefix("on_")
        term, eligibility = rule[event], rule["eligibility"]
        count[f"evaluated_{side}"] += 1
        count["gates"] += len(term["gates"])
        a = self.factor(number, term["of"], s, event)
        if term["error"]:
            a = self.quantised(number, event, a)
        value = term["m"] * a * self.factor(number, term["times"], s, event)
        if value == 0 or not all(self.is_open(number, gate, s) for gate in term["gates"]):
            return
        count[f"attempted_{side}"] += 1
        i, j, *_ = self.synapses[number][s]
        place = (ON_PRE, i, j) if event == "on_pre" else (ON_POST, j, i)
        if eligibility:
            word, c = eligibility["word"], self.tags[number]
            before = c[s]
            change = self.rounded(number, value, term["s"], word["rounding"], place)
            c[s] = clip(c[s] + change, lowest(word), highest(word))
            count["tags_changed"] += c[s] != before
        else:
            self.add(number, s, self.rounded(number, value, term["s"], p["weight"]["rounding"], place))

    def rounded(self, number: int, value: float, s: int, rounding: str, place: tuple) -> float:
        """A change of a weight or tag from its product; place: stream, row, column of its random bits."""
        if self.real:
            return value * 2.0**-s
        u = self.bits(number, *place, s) if rounding == "stochastic" and s > 0 else 0
        return round_shift(value, s, rounding, u)

    def add(self, number: int, s: int, change: float) -> None:
        """w <- clip(w + change)."""
        p, w = self.projections[number], self.weights[number]
        before = w[s]
        w[s] = clip(before + change, p["low"], p["high"])
        self.counts[number]["changed"] += w[s] != before

    # ---------------------------------------------------------------- 6. eligibility

    def consolidate(self, number: int) -> None:
        """Step 4 of a projection."""
        p, c = self.projections[number], self.tags[number]
        eligibility = (p["plasticity"] or {"eligibility": None})["eligibility"]
        if not eligibility:
            return
        word = eligibility["word"]
        for s, (i, j, _, delay) in enumerate(self.synapses[number]):
            self.delay = delay
            value = eligibility["m"] * c[s] * self.state_of(number, ["post", eligibility["factor"]], s)
            if value != 0:
                self.counts[number]["consolidated"] += 1
                place = (CONSOLIDATE, i, j)
                self.add(number, s, self.rounded(number, value, eligibility["s"], p["weight"]["rounding"], place))
            if eligibility["leak"]:
                c[s] = clip(c[s] - self.q(c[s], eligibility["leak"]), lowest(word), highest(word))


# ---------------------------------------------------------------- 9. in real numbers


def real_magnitude(quantiser: Quantiser, x: float) -> float:
    """The magnitude of |x|, chosen by the thresholds before they are rounded; 0 where it is silent."""
    alpha, n, root = float(quantiser.alpha), quantiser.n, 2.0**-quantiser.m

    def m(k: int) -> float:
        return alpha * 2.0 ** (-k * root) if quantiser.log else float(quantiser.linear(k))

    for k in range(n):
        below = m(k + 1)
        at = {"geometric": math.sqrt(m(k) * below), "midpoint": (m(k) + below) / 2, "floor": m(k)}
        last = quantiser.zero == "none" and k == n - 1
        if x >= at[quantiser.thresholds_at] or (last and x > 0):
            return m(k)
    return 0.0
