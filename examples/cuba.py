"""The CUBA benchmark (Vogels & Abbott 2005; Brette et al. 2007) in integers, and what it costs on every hardware model.

4,000 leaky neurons with exponential currents, joined at random with a probability of 2 %, a fifth of them inhibitory, as in Brian2's
documented example: no input, the rest potential is above the threshold.

python examples/cuba.py [--quick] [--out FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import neurosim as ns
from neurosim import costs

DT_MS = 0.1
MV = 1 << 12  # units of a state in a millivolt: the floor of a leak shifts a membrane by about half a unit * tau / dt
REST, THRESHOLD, RESET = -49, -50, -60  # mV; states count from the rest
SIZES = {"exc": 3200, "inh": 800}


def leak(tau_ms: float) -> ns.Leak:
    """Loses dt / tau of a state in a tick."""
    return ns.Leak.of(DT_MS / tau_ms, bits=14)


def network(seed: int = 1) -> ns.SpikingSpec:
    """Two populations of the same neurons, and four projections with weights of 8 bits."""
    membrane, bits = leak(20), {"bits": 20}
    flows = tuple(ns.Flow(name, membrane.shift, membrane.numerator) for name in ("ge", "gi"))
    states = (
        ns.State("ge", leak(5), **bits),
        ns.State("gi", leak(10), **bits),
        ns.State("v", membrane, flows, reset=(RESET - REST) * MV, holds=True, **bits),
    )
    limit = ns.Threshold((THRESHOLD - REST) * MV + 1, "v")
    populations = [ns.Population(name, n, states, limit, refractory=round(5 / DT_MS) - 1) for name, n in SIZES.items()]
    weights = {"exc": ("ge", 104, 6), "inh": ("gi", -72, 9)}  # 104 << 6 is 1.625 mV (of 1.62), -72 << 9 is -9 mV
    projections = [
        ns.Projection(source, target, state, ns.Fixed(8, 0), code, ns.Connect("random", probability=0.02), gain=gain)
        for source, (state, code, gain) in weights.items()
        for target in SIZES
    ]
    return ns.SpikingSpec(tuple(populations), tuple(projections), seed)


def begin(net: ns.SpikingNetwork, seed: int = 1) -> None:
    """Membranes anywhere between reset and threshold."""
    draw = np.random.default_rng(seed)
    for name, n in SIZES.items():
        net.set_state(name, "v", draw.integers((RESET - REST) * MV, (THRESHOLD - REST) * MV, n))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="0.1 s of the network's time instead of 1 s")
    parser.add_argument("--out", type=Path, help="a folder for figures")
    given = parser.parse_args()
    seconds = 0.1 if given.quick else 1.0
    ticks = round(seconds * 1000 / DT_MS)
    from neurosim.studies import spike_energy, spike_figures

    net, models = ns.SpikingNetwork(network()), {name: costs.load(name) for name in costs.names()}
    begin(net)
    drawn = {name: models[name] for name in costs.names(default_only=True)}  # those of the figures over time
    run = spike_energy.run_in_slices(net, ticks, ticks // 50, drawn)
    for name, n in SIZES.items():
        print(f"{name}: {len(run.spikes[name][0]) / n / seconds:.1f} spikes a neuron and second")
    counts, layout = net.counts(), net.layout()
    events = counts.total("synaptic_event")
    rate = run.spikes.total / sum(SIZES.values()) / seconds
    print(f"all: {rate:.1f}; {run.spikes.total:,} spikes, {events:,} synaptic events in {seconds:g} s")
    table = Table(
        "model", "cores", "energy, uJ (low to high)", "computing, ms", "pJ a synaptic event", "synapses alone"
    )
    priced, refused = costs.price_each(counts, None, layout, models)
    for name, cost in priced.items():
        low, nominal, high = (e / 1e6 for e in cost.band["energy_pj_per_sample"])
        each = (
            e / events for e in (cost.energy_pj_per_sample, spike_energy.by_projection(cost, run.projections).sum())
        )
        table.add_row(
            name, str(sum(cost.cores)), f"{nominal:,.0f} ({low:,.0f} to {high:,.0f})",
            f"{cost.latency_ns_per_sample / 1e6:,.1f}", *(f"{e:,.1f}" for e in each),
        )  # fmt: skip
    for name in refused:
        table.add_row(name, "", "refused, see below")
    console = Console(width=120, highlight=False)
    console.print(table)
    for name, why in refused.items():
        console.print(f"{name}: {why}")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        title = f"CUBA, {sum(SIZES.values()):,} neurons"
        spike_figures.raster(run.spikes, given.out / "raster", title, sizes=SIZES, tick_ms=DT_MS, shown=400)
        spike_figures.rates(
            run.spikes, given.out / "rates", title, sizes=SIZES, end=ticks, every=ticks // 50, tick_ms=DT_MS
        )
        spike_figures.energy(run, given.out / "energy", title, tick_ms=DT_MS)
        spike_figures.energy_of_events(run, given.out / "energy_of_events", title, tick_ms=DT_MS)


if __name__ == "__main__":
    main()
