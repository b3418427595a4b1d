"""A rival that simulates chips: SANA-FE, in a Python of its own that NEUROSIM_SANAFE_PYTHON names.

It is under the GPL and no part of this project: `_RIVAL` runs in a process of its own. Both simulate one network: the same synapses with
the same weights, and neurons of whole numbers, so that the spikes must be as many, and are compared. Its "spikes" are synaptic events, which
it prices on its model of Loihi with 4 cores of 1,000 neurons.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np

import neurosim as ns
from benchmarks.harness import Row
from benchmarks.spikes import BIAS, LIMIT, lively

N, FAN_OUT, PYTHON = 4000, 80, "NEUROSIM_SANAFE_PYTHON"
_RIVAL = """
import json, sys, time
from importlib.metadata import version
import numpy as np, sanafe
given, ticks, timing, bias, limit = np.load(sys.argv[1]), *sys.argv[2:]
n = int(given["n"])
chip = sanafe.load_loihi()
net = sanafe.Network()
# It spikes above its threshold, and this network at it.
neurons = {"threshold": int(limit) - 0.5, "bias": int(bias), "leak_decay": 1.0, "reset": 0, "force_update": True}
group = net.create_neuron_group("p", n, neurons, "loihi_sparse_synapse", "loihi_dendrites", soma_hw_name="loihi_lif")
group.connect_neurons_sparse(group, {"weight": given["weights"].tolist()}, [tuple(pair) for pair in given["pairs"].tolist()])
cores = chip.cores()
for i in range(n):
    group[i].map_to_core(cores[i * 4 // n])
chip = sanafe.SpikingChip(chip)
chip.load(net)
start = time.process_time()
found = chip.sim(int(ticks), timing_model=timing, processing_threads=1, scheduler_threads=0)
print(json.dumps([time.process_time() - start, found["spikes"], found["neurons_fired"], version("sanafe")]))
"""


def sanafe(smoke):
    """4,000 neurons of out-degree 80 that spike about every tenth tick: simulated, counted and priced by both."""
    python, ticks = os.environ.get(PYTHON), 20 if smoke else 1000
    if not python:
        print(f"SANA-FE: skipped, {PYTHON} names no Python that has it")
        return []
    model, its_ticks, rounds = ns.load_hardware("digital_45nm"), max(20, ticks // 5), 1 if smoke else 3
    net, same, rows = _network(), _network(), []
    _ours(net, 10, model)  # places the network, too
    fired = len(same.run(its_ticks)["p"][0])
    for timing in ("simple", "detailed"):
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(_ours(net, ticks, model))
            found = _rival(python, same.synapses(0), its_ticks, timing)
            if found is None:
                return []
            seconds, events, its_fired, version = found
            theirs.append(seconds / events)
            if (events, its_fired) != (fired * FAN_OUT, fired):
                print(f"SANA-FE: another network: {its_fired:,} spikes in {its_ticks} ticks, and here {fired:,}")
                return []
        mine, its = 1e9 * statistics.median(ours), 1e9 * statistics.median(theirs)
        note = f"{version}: {its:,.0f} ns a synaptic event, ours {mine:.2f}; counted and priced; the same {fired:,} spikes in {its_ticks} ticks"
        rows.append(Row(f"spikes: ours / SANA-FE, timing {timing}", its / mine, "x", 50, note=note))
    return rows


def _network():
    """Spikes act on membranes, and all neurons begin at 0: what SANA-FE's neurons can do, too."""
    return lively(N, FAN_OUT, current=False, spread=False)


def _ours(net, ticks, model):
    """Seconds a synaptic event, with what it costs at the end."""
    before, start = net.counters()["projections"][0]["events"], time.process_time()
    net.run(ticks, record=False)
    ns.price(net.counts(), None, net.layout(), model)
    return (time.process_time() - start) / (net.counters()["projections"][0]["events"] - before)


def _rival(python, synapses, ticks, timing):
    """(seconds, synaptic events, spikes, version) of its run, or None where it cannot."""
    sources = np.repeat(np.arange(N), np.diff(synapses.start))
    with tempfile.NamedTemporaryFile(suffix=".npz") as given:
        np.savez(given.name, n=N, pairs=np.stack([sources, synapses.target], 1), weights=synapses.weight.astype(float))
        command = [python, "-c", _RIVAL, given.name, str(ticks), timing, str(BIAS), str(LIMIT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"SANA-FE: not here ({(done.stderr.strip().splitlines() or ['?'])[-1][:120]})")
        return None
    return json.loads(done.stdout.splitlines()[-1])
