"""Random networks in Brian2 against the kernels: any description, and the learning rules that have a name, each as often."""

import random
import time

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.neurons import Flow, Leak, Poisson, Population, State, Threshold, trace
from neurosim.spiking.plasticity import Kernel, kernel_stdp, modulated, pair_stdp, reward_stdp
from neurosim.spiking.projection import Connect, Projection
from neurosim.spiking.spec import SpikingSpec
from tests.spiking_twin import ROUNDINGS, WEIGHT_ROUNDINGS, random_case

TICKS = 60


def anything(r):
    return random_case(r).spec


def erbp_of(adaptive):
    def draw(r):
        return Erbp(
            n_in=r.randint(2, 5),
            hidden=tuple(r.randint(2, 5) for _ in range(r.choice((1, 1, 2)))),
            classes=r.randint(2, 3),
            weight=Fixed(r.randint(4, 12), 0, rounding=r.choice(WEIGHT_ROUNDINGS)),
            soma=Leak(r.randint(2, 5), rounding=r.choice(ROUNDINGS)),
            dendrite=Leak(r.randint(2, 5), rounding=r.choice(ROUNDINGS)),
            threshold=r.randint(20, 200),
            refractory=r.randint(0, 3),
            gates=(r.randint(100, 5000), 32767),
            after=r.choice(("stays", "subtracts", "resets")),
            current=r.choice((None, Leak(r.randint(1, 4), rounding=r.choice(ROUNDINGS)))),
            noise=r.choice((0, 0, r.randint(1, 20))),
            centred=r.random() < 0.3,
            dendrite_gain=r.choice((0, 0, 2)),
            numerator=r.choice((1, 1, 5)),
            rate=r.randint(3, 8),
            gains=(r.randint(1, 4), r.randint(1, 4)),
            reach=(7, 7),
            blank_out=r.choice((0, 0, r.randint(1, 200))),
            inhibition=r.choice((0, 0, r.randint(1, 15))),
            error_threshold=r.randint(100, 500),
            feedback=FeedbackCrossbar(values=r.choice(("01", "+-1")), density=r.choice((0.4, 1.0))),
            channel=Quantiser(r.randint(1, 4), alpha=float(r.choice((50, 200)))) if r.random() < 0.4 else None,
            label=r.choice((1 << 16, 20000)),
            source=Poisson(r.randint(8000, 40000), role="input"),
            seed=r.randrange(1 << 63),
            adaptive=adaptive,
            slow=r.randint(2, 6),
        ).network()

    return draw


def one_layer(r, rule):
    """A source with a trace onto neurons with a trace and a reward, which some of the neurons bring about."""
    source = Population(
        "inp", r.randint(2, 6), (trace("x", Leak(r.randint(2, 4)), 100),), Poisson(r.randint(6000, 30000))
    )
    states = (
        trace("y", Leak(r.randint(2, 4), rounding=r.choice(ROUNDINGS)), 80),
        State("reward", Leak(3, rounding="zero"), noise=r.randint(1, 90), bias=r.randint(-20, 20)),
        State("g", Leak(2)),
        State("v", Leak(r.randint(2, 5), rounding=r.choice(ROUNDINGS)), (Flow("g", 2),), holds=True, reset=0),
    )
    cells = Population("out", r.randint(2, 5), states, Threshold(r.randint(30, 150), "v"), r.randint(0, 3))
    word = Fixed(r.randint(6, 12), 0, rounding=r.choice(WEIGHT_ROUNDINGS))
    connect = r.choice((Connect(), Connect("random", probability=0.6)))
    forward = Projection(
        "inp", "out", "g", word, (5, 31), connect, r.choice((0, 1, (0, 5))), r.randint(0, 3), plasticity=rule
    )
    return SpikingSpec((source, cells), (forward,), r.randrange(1 << 63))


def stdp(r):
    return one_layer(r, pair_stdp("x", "y", r.randint(2, 6), r.randint(2, 6)))


def rewarded_stdp(r):
    if r.random() < 0.5:
        up, down = Kernel(((r.randint(1, 5), 6, 1), (12, 4, 1))), Kernel(((r.randint(1, 9), 5, -1),))
        return one_layer(
            r, modulated(kernel_stdp(up, down, r.randint(0, 3)), "reward", r.randint(3, 7), r.choice((0, 5)))
        )
    leak = Leak(r.randint(2, 5), rounding=r.choice(ROUNDINGS))
    up, down, shift = r.randint(1, 4), r.randint(1, 4), r.randint(5, 9)
    return one_layer(r, reward_stdp("x", "y", "reward", up, down, leak=leak, shift=shift))


KINDS = {
    "any": anything,
    "eRBP": erbp_of(False),
    "adaptive eRBP": erbp_of(True),
    "STDP-like eRBP": erbp_of("stdp"),
    "pair STDP": stdp,
    "rewarded STDP": rewarded_stdp,
}


def cases(count, seed):
    """So many (kind, name, description), kinds in turn."""
    found, number = [], 0
    while len(found) < count:
        kind = tuple(KINDS)[len(found) % len(KINDS)]
        number += 1
        try:
            found.append((kind, f"{seed}-{number}", KINDS[kind](random.Random(f"brian-{seed}-{number}"))))
        except NeurosimError:  # a description that is refused
            continue
    return found


def run_brian(count, seed, target="numpy", *, minutes=None, batch=None):
    """Returns the cases that differ. batch: networks in one program, where compiling takes most of the time."""
    from neurosim.bridges import brian

    batch = batch or (2 if target == "cpp_standalone" else 1)
    start, left, differences = time.monotonic(), cases(count, seed), []
    tally = {kind: [0, 0, 0] for kind in KINDS}
    while left and (minutes is None or time.monotonic() - start < 60 * minutes):
        these, left = left[:batch], left[batch:]
        traces = brian.simulate([spec for *_, spec in these], TICKS, target=target)
        for (kind, name, spec), found in zip(these, traces, strict=True):
            mine = brian.here(spec, TICKS)
            verdict = brian.first_difference(spec, TICKS, mine, found)
            tally[kind][0] += verdict.equal
            tally[kind][1] += verdict.integers
            tally[kind][2] += any(
                (mine.weights[k] != spec.projections[k].draw(spec.seed, k, *sizes(spec, k)).weight).any()
                for k in range(len(spec.projections))
            )
            print(f"{kind} {name}: {verdict}"[:140], flush=True)
            if not verdict.equal:
                differences.append(name)
                print(spec, flush=True)
    for kind, (equal, integers, learnt) in tally.items():
        print(f"{kind:16} {equal:5} equal on {integers:8,} integers, {learnt} with other weights than at first")
    print(
        f"{target}: {sum(t[0] for t in tally.values())} networks equal, {len(differences)} different, {time.monotonic() - start:.0f} s"
    )
    return differences


def sizes(spec, k):
    return (spec.population(name).n for name in (spec.projections[k].source, spec.projections[k].target))
