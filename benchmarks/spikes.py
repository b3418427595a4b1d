"""Spiking networks: CUBA against Brian2's C++, synaptic events against a bare loop, growth with the number of neurons."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np

import neurosim as ns
from benchmarks.harness import Row, interleaved
from neurosim.spiking.neurons import trace
from neurosim.spiking.plasticity import pair_stdp

DT_MS, MV = 0.1, 1 << 12
BIAS, LIMIT = 104, 1040  # of `lively`
SIZES = {"exc": 3200, "inh": 800}
_BRIAN = """
import sys
from brian2 import *
set_device("cpp_standalone", build_on_run=False)
prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
defaultclock.dt = 0.1*ms
seed(1)
eqs = '''dv/dt = (ge + gi - (v - El)) / (20*ms) : volt (unless refractory)
dge/dt = -ge / (5*ms) : volt
dgi/dt = -gi / (10*ms) : volt'''
El = -49*mV
P = NeuronGroup(4000, eqs, threshold="v > -50*mV", reset="v = -60*mV", refractory=5*ms, method="exact")
P.v = "-60*mV + rand() * 10*mV"
stdp = bool(int(sys.argv[2]))
if stdp:
    model = '''w : volt
    dx/dt = -x / (20*ms) : 1 (event-driven)
    dy/dt = -y / (20*ms) : 1 (event-driven)'''
    Ce = Synapses(P, P, model, on_pre="ge += w; x += 1; w = clip(w - 0.01*mV*y, 0*mV, 3*mV)",
                  on_post="y += 1; w = clip(w + 0.01*mV*x, 0*mV, 3*mV)")
else:
    Ce = Synapses(P, P, "w : volt", on_pre="ge += w")
Ci = Synapses(P, P, on_pre="gi -= 9*mV")
Ce.connect("i < 3200", p=0.02)
Ci.connect("i >= 3200", p=0.02)
Ce.w = 1.62*mV
M = SpikeMonitor(P)
run(float(sys.argv[3])*second)
device.build(directory=sys.argv[1], compile=True, run=False)
"""


def _leak(tau_ms):
    return ns.Leak.of(DT_MS / tau_ms, bits=14)


def cuba_network(*, stdp=False, seed=1):
    """CUBA (Brette et al. 2007) in words of 20 bits; stdp: excitatory weights learn by pair STDP of their spikes' traces."""
    membrane, bits = _leak(20), {"bits": 20}
    flows = tuple(ns.Flow(name, membrane.shift, membrane.numerator) for name in ("ge", "gi"))
    traces = (trace("x", _leak(20), 1 << 10),) if stdp else ()  # with equal time constants one serves both sides
    states = (
        ns.State("ge", _leak(5), **bits), ns.State("gi", _leak(10), **bits),
        ns.State("v", membrane, flows, reset=-11 * MV, holds=True, **bits),
    )  # fmt: skip
    limit = ns.Threshold(-MV + 1, "v")
    populations = [ns.Population(name, n, (*traces, *states), limit, refractory=49) for name, n in SIZES.items()]
    rule = pair_stdp("x", "x", 10, 10) if stdp else None
    joined = ns.Connect("random", probability=0.02)
    word = ns.Fixed(8, 0, rounding="stochastic")
    projections = [
        ns.Projection("exc", target, "ge", word, 104, joined, gain=6, plasticity=rule, low=0) for target in SIZES
    ] + [ns.Projection("inh", target, "gi", word, -72, joined, gain=9) for target in SIZES]
    net = ns.SpikingNetwork(ns.SpikingSpec(tuple(populations), tuple(projections), seed))
    draw = np.random.default_rng(seed)
    for name, n in SIZES.items():
        net.set_state(name, "v", draw.integers(-11 * MV, -MV, n))
    return net


def _brian(folder, *, stdp, seconds):
    """A compiled standalone program of the same network, or None without Brian2 or a compiler; the program and its text."""
    done = subprocess.run(
        [sys.executable, "-c", _BRIAN, folder, str(int(stdp)), str(seconds)],
        capture_output=True,
        text=True,
        check=False,
    )
    main = Path(folder) / "main"
    if done.returncode or not main.exists():
        print(f"Brian2 C++ standalone: not here ({(done.stderr.strip().splitlines() or ['?'])[-1][:120]})")
        return None
    return main


def _loop_seconds(main):
    """One run of the program: the seconds of its loop alone, which it writes itself."""
    subprocess.run([f"./{main.name}"], cwd=main.parent, capture_output=True, check=True)
    return float((main.parent / "results" / "last_run_info.txt").read_text().split()[0])


def cuba(smoke):
    """One second of CUBA, alone and with pair STDP, against Brian2's C++ standalone without its compiling.

    Brian2 measures its loop with `std::clock`, processor time; so does this.
    """
    seconds, rounds = (0.05, 1) if smoke else (1.0, 7)
    rows = []
    for stdp, goal in ((False, 3), (True, 4)):
        what = "CUBA with pair STDP" if stdp else "CUBA"
        cuba_network(stdp=stdp).run(10)  # compiles
        with tempfile.TemporaryDirectory() as folder:
            rival = None if smoke else _brian(folder, stdp=stdp, seconds=seconds)
            ours, theirs = [], []
            for _ in range(rounds):
                net = cuba_network(stdp=stdp)
                start = time.process_time()
                spikes = net.run(round(seconds * 1000 / DT_MS))
                ours.append(time.process_time() - start)
                if rival:
                    theirs.append(_loop_seconds(rival))
        mine = statistics.median(ours)
        rows.append(
            Row(
                f"{what}, a second of it",
                mine / seconds,
                "s",
                note=f"{spikes.total / 4000 / seconds:.1f} spikes a neuron",
            )
        )
        if theirs:
            other = statistics.median(theirs)
            rows.append(
                Row(
                    f"{what} / Brian2 C++ standalone",
                    other / mine,
                    "x",
                    goal,
                    note=f"Brian2 {other:.3f} s, its loop alone",
                )
            )
    return rows


@numba.njit
def _bare(start, target, weight, spikes, inputs):
    for i in spikes:
        for k in range(start[i], start[i + 1]):
            inputs[target[k]] += weight[k]


def lively(n, fan_out, seed=1, *, current=True, spread=True):
    """A network whose neurons a bias makes spike about every tenth tick, joined at random by weights of both signs that disperse them.

    current: spikes act on a current that decays into the membrane, else on the membrane; spread: they begin anywhere below the threshold.
    """
    drives = (ns.Flow("g", 2),) if current else ()
    membrane = ns.State("v", None, drives, bias=BIAS, reset=0, bits=24)
    population = ns.Population(
        "p", n, (*((ns.State("g", ns.Leak(2)),) if current else ()), membrane), ns.Threshold(LIMIT, "v")
    )
    joined = ns.Connect("random", fan_out=fan_out)
    projection = ns.Projection("p", "p", "g" if current else "v", initial=(-60, 60), connect=joined)
    net = ns.SpikingNetwork(ns.SpikingSpec((population,), (projection,), seed))
    if spread:
        net.set_state("p", "v", np.random.default_rng(seed).integers(0, LIMIT, n))
    return net


def events(smoke):
    """Synaptic events a second with all counts, against a bare loop without any over the same synapses and the same spikes."""
    n, fan_out, ticks, rounds = 4000, 80, 20 if smoke else 1000, 3 if smoke else 7
    net = lively(n, fan_out)
    drawn = net.synapses(0)
    inputs = np.zeros(n, np.int32)
    at, who = net.run(ticks)["p"]
    lists = np.split(who, np.searchsorted(at, np.arange(1, ticks)))

    def bare():
        for spikes in lists:
            _bare(drawn.start, drawn.target, drawn.weight, spikes, inputs)

    done = net.counts().total("synaptic_event")
    seconds = interleaved({"neurosim": lambda: net.run(ticks, record=False), "bare": bare}, rounds)
    each = (net.counts().total("synaptic_event") - done) / (rounds + 1)
    rate, other = each / seconds["neurosim"], len(who) * fan_out / seconds["bare"]
    return [
        Row(
            "spikes: synaptic events a second, 4,000 neurons, fan-out 80",
            rate / 1e6,
            "million /s",
            150,
            note=f"all counts, {len(who) / n / ticks:.3f} spikes a neuron and tick",
        ),
        Row(
            "spikes: the same / a bare loop without counts",
            rate / other,
            "x",
            note=f"{other / 1e6:,.0f} million /s, no neurons",
        ),
    ]


def neurons(smoke):
    """Time a synaptic event from 10^3 to 10^6 neurons, fan-out 20: sizes take turns, medians."""
    sizes, rounds, spikes = (
        ((1000, 10_000), 1, 200_000) if smoke else ((1000, 10_000, 100_000, 1_000_000), 9, 2_000_000)
    )
    nets, found = {n: lively(n, 20) for n in sizes}, {n: [] for n in sizes}
    for net in nets.values():
        net.run(10, record=False)
    for _ in range(rounds):
        for n, net in nets.items():
            before, start = net.counters()["projections"][0]["events"], time.process_time()
            net.run(max(10, spikes // n), record=False)
            spent = time.process_time() - start
            found[n].append(1e9 * spent / (net.counters()["projections"][0]["events"] - before))
    bare = {n: _bare_ns(nets[n], max(10, spikes // n)) for n in (min(sizes), max(sizes))}
    each = {n: statistics.median(times) for n, times in found.items()}
    rows = [
        Row(
            f"spikes: {n:,} neurons, a synaptic event, all in all",
            each[n],
            "ns",
            note=f"{min(times):.2f} to {max(times):.2f}",
        )
        for n, times in found.items()
    ]
    largest, smallest = max(sizes), min(sizes)
    what = f"spikes: a synaptic event of {largest:,} neurons / of {smallest:,}"
    note = f"linear in events would be 1; a bare loop over the same synapses and spikes: {bare[largest] / bare[smallest]:.1f}"
    return [*rows, Row(what, each[largest] / each[smallest], "x", 2, least=False, note=note)]


def _bare_ns(net, ticks):
    """Nanoseconds a synaptic event of a loop without neurons and counts over what a network does in so many ticks."""
    drawn, (at, who) = net.synapses(0), net.run(ticks)["p"]
    inputs, lists = (
        np.zeros(len(drawn.start) - 1, np.int32),
        np.split(who, np.searchsorted(at, at[0] + np.arange(1, ticks))),
    )
    seconds = []
    for _ in range(3):
        start = time.process_time()
        for spikes in lists:
            _bare(drawn.start, drawn.target, drawn.weight, spikes, inputs)
        seconds.append(time.process_time() - start)
    return 1e9 * min(seconds) / np.diff(drawn.start)[who].sum()
