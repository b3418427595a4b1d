"""Random spiking networks, and the comparison of the kernels with their slow twin on every spike, state, weight and counter."""

import random
from typing import NamedTuple

import numpy as np

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.spiking.neurons import (
    ROUNDINGS,
    Events,
    Flow,
    Leak,
    Poisson,
    Population,
    Regular,
    State,
    Threshold,
    lif,
    trace,
)
from neurosim.spiking.plasticity import (
    Eligibility,
    Gate,
    Kernel,
    Plasticity,
    Term,
    erbp,
    kernel_stdp,
    modulated,
    pair_stdp,
)
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec
from tests.naive_spiking import NaiveSpiking
from tests.twin import quantiser_dict, word_dict

WEIGHT_ROUNDINGS = ("stochastic", "stochastic", "nearest", "floor", "zero")


# ---------------------------------------------------------------- descriptions as plain dicts


def numbers(values, n):
    """One whole number a neuron."""
    return [int(v) for v in np.broadcast_to(np.asarray(values), n)]


def shift_dict(by):
    return None if by is None else {"m": int(by.numerator), "s": int(by.shift), "rounding": by.rounding}


def spikes_dict(population):
    by, n = population.spikes, population.n
    if isinstance(by, Threshold):
        return {"kind": "threshold", "state": population.state(by.state), "value": by.value}
    if isinstance(by, Poisson):
        return {"kind": "poisson", "probability": numbers(by.probability, n)}
    if isinstance(by, Regular):
        return {"kind": "regular", "period": numbers(by.period, n), "phase": numbers(by.phase, n)}
    pairs = zip(np.asarray(by.ticks).tolist(), np.asarray(by.neurons).tolist(), strict=True)
    return {"kind": "events", "events": [(int(t), int(i)) for t, i in pairs]}


def population_dict(population):
    return {
        "n": population.n,
        "refractory": population.refractory,
        "spikes": spikes_dict(population),
        "states": [
            {
                "leak": shift_dict(state.leak),
                "flows": [{"state": population.state(flow.state), **shift_dict(flow)} for flow in state.flows],
                **{
                    name: getattr(state, name)
                    for name in ("bias", "reset", "jump", "holds", "noise", "start", "low", "high")
                },
            }
            for state in population.states
        ],
    }


def connect_dict(connect):
    if isinstance(connect, Pairs):
        sources, targets = np.asarray(connect.sources).tolist(), np.asarray(connect.targets).tolist()
        return {"kind": "pairs", "pairs": [(int(i), int(j)) for i, j in zip(sources, targets, strict=True)]}
    if isinstance(connect, FeedbackCrossbar):
        names = ("bits", "values", "density", "fan_in")
        return {"kind": "crossbar", "word": word_dict(connect.word), **{name: getattr(connect, name) for name in names}}
    return {name: getattr(connect, name) for name in ("kind", "probability", "fan_out", "itself")}


def values_dict(values):
    if isinstance(values, tuple):
        return {"low": int(values[0]), "high": int(values[1])}
    return np.asarray(values).tolist()


def factor_list(spec, projection, name):
    if isinstance(name, Kernel):
        return ["kernel", [list(segment) for segment in name.segments]]
    if name == "1":
        return ["one"]
    return [name.partition(".")[0], spec.side(projection, name)[1]]


def term_dict(spec, projection, term):
    if term is None:
        return None
    return {
        "of": factor_list(spec, projection, term.of),
        "times": factor_list(spec, projection, term.times),
        "m": term.numerator,
        "s": term.shift,
        "error": quantiser_dict(term.error),
        "gates": [
            {
                "state": factor_list(spec, projection, gate.state),
                "low": gate.low,
                "high": gate.high,
                "outside": gate.outside,
            }
            for gate in term.gates
        ],
    }


def rule_dict(spec, projection, rule):
    if rule is None:
        return None
    e = rule.eligibility
    return {
        "on_pre": term_dict(spec, projection, rule.on_pre),
        "on_post": term_dict(spec, projection, rule.on_post),
        "eligibility": None
        if e is None
        else {
            "factor": spec.side(projection, e.factor)[1],
            "leak": shift_dict(e.leak),
            "m": e.numerator,
            "s": e.shift,
            "word": word_dict(e.word),
        },
    }


def as_dict(spec):
    """The twin's plain description."""
    return {
        "seed": spec.seed,
        "populations": [population_dict(population) for population in spec.populations],
        "projections": [
            {
                "source": spec.number(p.source),
                "target": spec.number(p.target),
                "state": spec.population(p.target).state(p.state),
                "weight": word_dict(p.weight),
                "initial": values_dict(p.initial),
                "delay": values_dict(p.delay),
                "connect": connect_dict(p.connect),
                **{name: getattr(p, name) for name in ("gain", "blank_out", "low", "high")},
                "plasticity": rule_dict(spec, p, p.plasticity),
            }
            for p in spec.projections
        ],
    }


# ---------------------------------------------------------------- random cases


class Case(NamedTuple):
    """A network, how long it runs, and whether it learns."""

    spec: SpikingSpec
    ticks: int
    learn: bool


def chance(r, p):
    return r.random() < p


def a_leak(r, longest=6):
    if chance(r, 0.04):  # takes more than there is
        return Leak(r.randint(0, 2), r.randint(1, 9), r.choice(ROUNDINGS))
    shift = r.randint(1, longest)
    numerator = 1 if chance(r, 0.6) else r.randint(1, (1 << shift) - 1)
    if chance(r, 0.2):
        return Leak.of(numerator * 2.0**-shift, rounding=r.choice(ROUNDINGS))
    return Leak(shift, numerator, r.choice(ROUNDINGS))


def a_flow(r, state):
    if chance(r, 0.3):
        return Flow(state, -r.randint(0, 3), r.choice((-1, 1, 1)), r.choice(ROUNDINGS))
    shift = r.randint(0, 12)
    return Flow(state, shift, r.choice((-1, 1, 1)) * r.randint(1, max(1, 1 << shift)), r.choice(ROUNDINGS))


def a_trace(r, name, unit):
    return trace(name, a_leak(r), r.choice((1, 1, 1, -1)) * r.randint(1, 4 * unit), bits=wide(r, unit))


def wide(r, unit):
    """Bits that hold some units, sometimes hardly one."""
    return min(32, unit.bit_length() + (r.randint(4, 8) if chance(r, 0.9) else 1))


def a_state(r, name, others, unit, membrane):
    bits = wide(r, unit) if not chance(r, 0.05) else 32
    reach = (1 << (bits - 1)) - 1
    low = r.choice((None, None, None, 0, -min(reach, unit)))
    least = -reach if low is None else low
    after = {}
    if chance(r, 0.8 if membrane else 0.3):
        if chance(r, 0.6):
            after["reset"] = r.choice((0, r.randint(least, max(least, min(reach, unit)))))
        else:
            after["jump"] = r.choice((-1, -1, 1)) * r.randint(1, 2 * unit)
    return State(
        name,
        a_leak(r) if chance(r, 0.85) else None,
        tuple(a_flow(r, other) for other in others if chance(r, 0.8 if membrane else 0.4)),
        bias=r.choice((0, 0, r.randint(-unit, unit), r.randint(0, unit))),
        holds=chance(r, 0.5 if membrane else 0.15),
        noise=r.choice((0, 0, 0, r.randint(1, unit))),
        start=r.choice((0, 0, r.randint(least, min(reach, 2 * unit)))),
        bits=bits,
        low=low,
        **after,
    )


def a_source(r, name, n, ticks, unit):
    def each(draw):
        return draw() if chance(r, 0.4) else [draw() for _ in range(n)]

    kind = r.choice(("poisson", "poisson", "regular", "events"))
    if kind == "poisson":
        spikes = Poisson(
            each(lambda: r.choice((r.randint(4000, 1 << 16), r.randint(4000, 30000), r.randint(0, 30000)))),
            r.choice(("fixed", "input", "label")),
        )
    elif kind == "regular":
        spikes = Regular(
            each(lambda: r.choice((1, *(r.randint(2, 9) for _ in range(8)), 0))), each(lambda: r.randint(0, 9))
        )
    else:
        count = r.randint(0 if chance(r, 0.1) else ticks * n // 8, ticks * n // 2)
        spikes = Events(
            sorted(r.randrange(ticks) for _ in range(count)),
            [r.randrange(n) for _ in range(count)],
            r.choice(("fixed", "input")),
        )
    states = [a_trace(r, f"a{k}", unit) for k in range(r.choice((0, 1, 1, 2)))]
    if chance(r, 0.2):
        states.append(a_state(r, "u", [s.name for s in states], unit, membrane=False))
    return Population(name, n, tuple(states), spikes, r.choice((0, 0, 0, r.randint(1, 6))))


def a_population(r, name, n, unit):
    traces = [a_trace(r, f"a{k}", unit) for k in range(r.choice((0, 1, 1, 2)))]
    refractory = r.choice((0, 0, 1, 2, r.randint(3, 9)))
    threshold = r.randint(max(1, unit // 2), unit + unit // 2)
    if chance(r, 0.45):
        return lif(
            name,
            n,
            threshold=threshold,
            leak=a_leak(r) if chance(r, 0.9) else None,
            current=a_leak(r, 3) if chance(r, 0.5) else None,
            refractory=refractory,
            bits=wide(r, unit),
            reset=r.choice((0, 0, None)),
            traces=traces,
        )
    names = ["x", "y", "z", "v"][-r.randint(1, 4) :]
    states = list(traces)
    for one in names:
        others = [other for other in (*names, *(s.name for s in traces)) if other != one]
        states.append(a_state(r, one, r.sample(others, min(len(others), r.randint(0, 2))), unit, one == "v"))
    r.shuffle(states)
    if not any(s.bias or s.noise for s in states) and chance(r, 0.3):
        states[0] = states[0].replace(bias=max(1, unit // 3))
    state = r.choice(("v", "v", "v", states[-1].name))
    return Population(name, n, tuple(states), Threshold(r.choice((threshold, threshold, 1)), state), refractory)


def a_connection(r, n_source, n_target):
    kind = r.choice(("all", "all", "one", "random", "fan_out", "crossbar", "crossbar", "pairs"))
    itself = chance(r, 0.5)
    if kind in ("all", "one"):
        return Connect("all" if n_source != n_target else kind, itself=itself)
    if kind == "random":
        return Connect("random", r.choice((0.0, 0.3, 0.6, 0.6, 1.0)), itself=itself)
    if kind == "fan_out":
        return Connect("random", fan_out=r.randint(0 if chance(r, 0.1) else 1, n_target), itself=itself)
    if kind == "crossbar":
        bits, values = r.choice((1, 1, 1, 3, 5)), r.choice(("01", "+-1"))
        if chance(r, 0.4):
            return FeedbackCrossbar(bits, values, fan_in=r.randint(1, n_source))
        return FeedbackCrossbar(bits, values, density=r.choice((0.25, 0.5, 1.0)))
    count = r.randint(1, 2 * max(n_source, n_target))
    return Pairs([r.randrange(n_source) for _ in range(count)], [r.randrange(n_target) for _ in range(count)])


def n_synapses(projection, seed, number, n_source, n_target):
    return len(projection.draw(seed, number, n_source, n_target).target)


def factors(source, target):
    """States of both sides that a term can name, and how large they are."""
    return [f"pre.{s.name}" for s in source.states] + [f"post.{s.name}" for s in target.states]


def a_gate(r, names, unit):
    name, outside = r.choice(names), chance(r, 0.4)
    if chance(r, 0.1):
        return Gate(name, 0, 0, outside)
    low = r.choice((-1, -r.randint(0, 4 * unit), r.randint(-unit, unit)))
    return Gate(name, low, low + r.randint(1, 8 * unit), outside)


def a_kernel(r):
    segments, until = [], 0
    for _ in range(r.randint(1, 4)):
        until += r.randint(1, 12)
        segments.append((until, r.randint(0, 6), r.choice((-1, 1, 1))))
    return Kernel(tuple(segments))


def a_term(r, names, unit, weight):
    of = r.choice(("1", a_kernel(r), *names, *names)) if names else r.choice(("1", a_kernel(r)))
    times = r.choice(("1", "1", *names))
    m = r.choice((-1, 1)) * r.choice((1, 1, 1, r.randint(2, 200)))
    size = abs(m) * (unit if times != "1" else 1)
    size *= 8 if isinstance(of, Kernel) else 1 if of == "1" else unit
    error = None
    if isinstance(of, str) and of != "1" and chance(r, 0.4):
        bits = r.randint(1, 5)
        kind = r.choice(("log", "linear"))
        error = Quantiser(
            bits,
            kind,
            alpha=r.choice((unit, 2.0 * unit, unit * 0.7)),
            base=r.choice((2.0, 2.0**0.5, 2.0**0.25)) if kind == "log" else 2.0,
            zero=r.choice(("silent", "none", "code")) if bits > 1 else r.choice(("silent", "none")),
            thresholds=r.choice(("geometric", "midpoint", "floor")) if kind == "log" else None,
        )
    gates = tuple(a_gate(r, names, unit) for _ in range(r.choice((0, 0, 1, 2)))) if names else ()
    return Term(of, times, m, a_shift(r, size, weight), gates, error)


def a_shift(r, size, weight):
    """A shift that leaves changes of a share of an LSB up to an eighth of the word."""
    return max(0, min(46, size.bit_length() + r.randint(-max(0, weight.bits - 4), 1)))


def a_rule(r, source, target, unit, weight):
    names, kind = factors(source, target), r.randrange(7)
    pre, post = [s.name for s in source.states], [s.name for s in target.states]
    if kind == 0 and pre and post:
        return pair_stdp(r.choice(pre), r.choice(post), *(a_shift(r, unit, weight) for _ in range(2)))
    if kind == 1:
        return kernel_stdp(a_kernel(r), a_kernel(r), r.randint(0, 4))
    if kind == 2:
        base = kernel_stdp(a_kernel(r), a_kernel(r), r.randint(0, 3))
        return modulated(base, r.choice(post), a_shift(r, unit, weight), r.choice((0, r.randint(1, unit))))
    if kind == 3:
        channel = Quantiser(r.randint(1, 4), alpha=float(2 * unit)) if chance(r, 0.6) else None
        low = -r.randint(1, 4 * unit)
        return erbp(
            r.choice(post), r.choice(post), low, low + r.randint(2, 8 * unit), a_shift(r, unit, weight), channel=channel
        )
    on_pre, on_post = a_term(r, names, unit, weight), a_term(r, names, unit, weight)
    which = r.choice(("both", "both", "pre", "post"))
    return Plasticity(on_pre if which != "post" else None, on_post if which != "pre" else None)


def an_eligibility(r, target, unit, weight):
    bits = r.randint(4, 16)
    word = Fixed(bits, 0, rounding=r.choice(WEIGHT_ROUNDINGS), range=r.choice(("symmetric", "full")))
    m = r.choice((-1, 1, 1)) * r.choice((1, 1, r.randint(2, 50)))
    size = unit * abs(m) << (bits // 2)
    factor = f"post.{r.choice(target.states).name}"
    return Eligibility(factor, a_leak(r) if chance(r, 0.8) else None, m, a_shift(r, size, weight), word)


def a_receiver(r, target):
    """The state that receives: the one that spikes or a current before it, more often than a trace; "" is the first."""
    driven = [s for s in target.states if s.name in ("g", "v", "z")] or target.states
    return r.choice(
        (r.choice(driven).name, r.choice(driven).name, r.choice(driven).name, "", r.choice(target.states).name)
    )


def a_projection(r, source, target, unit, seed, number):
    word = Fixed(r.randint(2, 16), 0, rounding=r.choice(WEIGHT_ROUNDINGS), range=r.choice(("symmetric", "full")))
    connect = a_connection(r, source.n, target.n)
    entry = connect.word.high if isinstance(connect, FeedbackCrossbar) else 1
    most = max(1, word.high // entry // r.choice((1, 1, 2, 4)))
    if entry > word.high:
        word = word.replace(bits=8)
        most = 8
    # A weight arrives as about a unit, of either sign, more often above 0.
    gain = max(-15, min(16, round(np.log2(unit / max(1, most / 2))) + r.choice((-1, 0, 0, 0, 1, 1))))
    initial = r.choice((most, (max(1, most // 2), most), (-most // 2, most), r.choice((-most, most))))
    bounds = {}
    if chance(r, 0.3):
        bounds = {"low": r.choice((0, -most)), "high": r.choice((most, word.high))}
    rule = a_rule(r, source, target, unit, word) if chance(r, 0.75) else None
    if rule is not None and chance(r, 0.3):
        eligibility = an_eligibility(r, target, unit, word)
        rule = rule.replace(eligibility=eligibility)
    projection = Projection(
        source.name,
        target.name,
        a_receiver(r, target),
        word,
        initial,
        connect,
        r.choice((0, 0, 1, r.randint(2, 9), (0, 4), (1, 15), (3, 3))),
        gain,
        r.choice((0, 0, 0, r.randint(1, 255), r.randint(1, 60))),
        rule,
        name=f"p{number}",
        **bounds,
    )
    if chance(r, 0.2):
        n = n_synapses(projection, seed, number, source.n, target.n)
        lists = {"delay": np.array([r.randint(0, 8) for _ in range(n)], np.int64)}
        lists["initial"] = np.array([r.randint(-most // 3, most) for _ in range(n)], np.int64)
        projection = projection.replace(**lists)
    return projection


def driven(r, population, unit):
    """A population that starts a network: one with a threshold gets a bias or noise that takes it there, mostly."""
    if population.is_source or chance(r, 0.1):
        return population
    push = r.choice(({"bias": unit}, {"noise": 2 * unit}, {"bias": unit // 2 + 1, "leak": None}))
    states = [s.replace(**push) if s.name == population.spikes.state else s for s in population.states]
    return population.replace(states=tuple(states))


def random_case(r):
    """A small network that covers what descriptions can say. May raise NeurosimError: a description that is refused."""
    seed, ticks, unit = r.randrange(1 << 63), r.randint(30, 80), 1 << r.randint(1, 12)
    count = r.choice((1, 2, 2, 3, 3, 4))
    populations = []
    for k in range(count):
        n = r.choice((1, 2, 3, 4, 5, 6, 8, 11))
        source = chance(r, 0.8 if k == 0 and count > 1 else 0.2)
        name = f"p{k}"
        population = a_source(r, name, n, ticks, unit) if source else a_population(r, name, n, unit)
        populations.append(driven(r, population, unit) if k == 0 else population)
    if all(p.is_source for p in populations):
        populations.append(a_population(r, f"p{count}", r.randint(1, 6), unit))
    receivers = [p for p in populations if p.states]
    projections = []
    for number in range(r.randint(1, 6)):
        targets = [p for p in receivers if not p.is_source] if chance(r, 0.85) else receivers
        target = targets[number % len(targets)] if number < len(targets) else r.choice(targets)
        source = target if chance(r, 0.15) else r.choice((populations[0], populations[0], r.choice(populations)))
        projections.append(a_projection(r, source, target, unit, seed, number))
    return Case(SpikingSpec(tuple(populations), tuple(projections), seed), ticks, chance(r, 0.93))


def a_sample(r, spec, ticks):
    """What a sample gives to each source whose role is input, by name."""
    given = {}
    for p in spec.populations:
        if isinstance(p.spikes, Poisson) and p.spikes.role == "input":
            given[p.name] = [r.choice((0, r.randint(0, 1 << 16))) for _ in range(p.n)]
        elif isinstance(p.spikes, Events) and p.spikes.role == "input":
            given[p.name] = [(t, i) for t in range(ticks) for i in range(p.n) if chance(r, 0.3)]
    return given


def a_table(r, spec, classes):
    """Probabilities of each class for each source whose role is label, by name."""
    return {
        p.name: [[r.choice((0, r.randint(0, 1 << 16))) for _ in range(p.n)] for _ in range(classes)]
        for p in spec.populations
        if isinstance(p.spikes, Poisson) and p.spikes.role == "label"
    }


# ---------------------------------------------------------------- comparison


def same(name, found, expected):
    """Raises AssertionError that shows the first difference; returns how many numbers were compared: integers exactly.

    Real numbers up to the order of their sums, which the document leaves open.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, f"{name}: shape {found.shape}, not {expected.shape}"
    real = found.dtype.kind == "f"
    different = np.argwhere(~np.isclose(found, expected, rtol=1e-9, atol=1e-9) if real else found != expected)
    assert not len(different), (
        f"{name}: {len(different)} of {expected.size} differ, the first at {different[0].tolist()}: "
        f"{found[tuple(different[0])]}, not {expected[tuple(different[0])]}"
    )
    return expected.size


def same_raster(spec, raster, spikes):
    """Spikes of one run, by population."""
    compared = 0
    for number, p in enumerate(spec.populations):
        expected = [(t, i) for t, q, i in spikes if q == number]
        ticks, neurons = raster[p.name]
        compared += same(f"ticks of spikes of {p.name}", ticks, [t for t, _ in expected])
        compared += same(f"spikes of {p.name}", neurons, [i for _, i in expected])
    return compared


def same_network(spec, net, naive):
    """All states, weights, tags and counters."""
    compared = 0
    for number, p in enumerate(spec.populations):
        for k, state in enumerate(p.states):
            compared += same(f"state {p.name}.{state.name}", net.state(p.name, state.name), naive.states[number][k])
    for number, p in enumerate(spec.projections):
        compared += same(f"weights of {p.title}", net.weights(number), naive.weights[number])
        if p.plasticity is not None and p.plasticity.eligibility is not None:
            compared += same(f"tags of {p.title}", net.tags(number), naive.tags[number])
    found, expected = net.counters(), naive.counters()
    for kind, titles in (
        ("projections", [p.title for p in spec.projections]),
        ("populations", [p.name for p in spec.populations]),
    ):
        for title, mine, its in zip(titles, found[kind], expected[kind], strict=True):
            assert set(its) <= set(mine), f"counters of {title}: {sorted(set(its) - set(mine))} are missing"
            for name, value in its.items():
                compared += same(f"{name} of {title}", mine[name], value)
    return compared


def compare(case, make, pieces=1, *, real=False):
    """A network against its slow twin. make: SpikingNetwork; pieces: runs that the ticks are split into. Returns numbers compared."""
    net, naive = make(case.spec, real=real), NaiveSpiking(as_dict(case.spec), real=real)
    compared, left = 0, case.ticks
    for piece in range(pieces, 0, -1):
        ticks = left // piece
        left -= ticks
        compared += same_raster(case.spec, net.run(ticks, learn=case.learn), naive.run(ticks, learn=case.learn))
    return compared + same_network(case.spec, net, naive)


# ---------------------------------------------------------------- how lively the cases are


def liveliness(cases=200, seed=0):
    """Of so many cases, how many spike, deliver, learn and so on: a dict of counts."""
    from neurosim.errors import NeurosimError

    found = dict.fromkeys(
        ("cases", "refused", "neurons spike", "synapses are reached", "plastic", "attempted", "weights change",
         "eligible", "tags change", "consolidated", "blanked", "refractory", "all silent"), 0)  # fmt: skip
    number = 0
    while found["cases"] < cases:
        number += 1
        try:
            case = random_case(random.Random(f"{seed}-{number}"))
        except NeurosimError:
            found["refused"] += 1
            continue
        naive = NaiveSpiking(as_dict(case.spec))
        spikes = naive.run(case.ticks, learn=case.learn)
        counts = naive.counts
        plastic = case.learn and any(p.plasticity for p in case.spec.projections)
        found["cases"] += 1
        found["neurons spike"] += any(not case.spec.populations[p].is_source for _, p, _ in spikes)
        found["synapses are reached"] += any(c["events"] for c in counts)
        found["plastic"] += plastic
        found["attempted"] += any(c["attempted_pre"] + c["attempted_post"] for c in counts)
        found["weights change"] += any(c["changed"] for c in counts)
        found["eligible"] += plastic and any(p.plasticity and p.plasticity.eligibility for p in case.spec.projections)
        found["tags change"] += any(c["tags_changed"] for c in counts)
        found["consolidated"] += any(c["consolidated"] for c in counts)
        found["blanked"] += any(c["blanked"] for c in counts)
        found["refractory"] += any(p.refractory for p in case.spec.populations)
        found["all silent"] += not spikes
    return found


if __name__ == "__main__":
    for name, count in liveliness().items():
        print(f"{count:6} {name}")


def cases(count, seed):
    """So many random networks."""
    found, number = [], 0
    while len(found) < count:
        number += 1
        try:
            found.append(random_case(random.Random(f"{seed}-{number}")))
        except NeurosimError:
            continue
    return found
