"""A rival that simulates chips: SANA-FE, in a Python of its own that NEUROSIM_SANAFE_PYTHON names.

It is under the GPL and no part of this project: `_RIVAL` runs in a process of its own. Its "spikes" are synaptic events, which it
prices on its model of Loihi with 4 cores of 1,000 neurons.
"""

import json
import os
import subprocess
import tempfile
import time

import numpy as np

import neurosim as ns
from benchmarks.harness import Row
from benchmarks.spikes import regular

N, FAN_OUT, PYTHON = 4000, 80, "NEUROSIM_SANAFE_PYTHON"
_RIVAL = """
import json, sys, time
from importlib.metadata import version
import numpy as np, sanafe
n, ticks, given = int(sys.argv[1]), int(sys.argv[2]), np.load(sys.argv[3])
chip = sanafe.load_loihi()
net = sanafe.Network()
neurons = {"threshold": 999, "bias": 100, "leak_decay": 1.0, "reset": 0, "force_update": True}
group = net.create_neuron_group("p", n, neurons, "loihi_sparse_synapse", "loihi_dendrites", soma_hw_name="loihi_lif")
group.connect_neurons_sparse(group, {"weight": [0.0] * len(given)}, [tuple(pair) for pair in given.tolist()])
cores = chip.cores()
for i in range(n):
    group[i].map_to_core(cores[i * 4 // n])
chip = sanafe.SpikingChip(chip)
chip.load(net)
start = time.process_time()
found = chip.sim(ticks, timing_model=sys.argv[4], processing_threads=1, scheduler_threads=0)
print(json.dumps([time.process_time() - start, found["spikes"], version("sanafe")]))
"""


def sanafe(smoke):
    """4,000 neurons of out-degree 80, each of which spikes every tenth tick: simulated, counted and priced by both."""
    python, ticks = os.environ.get(PYTHON), 20 if smoke else 1000
    if not python:
        print(f"SANA-FE: skipped, {PYTHON} names no Python that has it")
        return []
    net, model = regular(N, FAN_OUT), ns.load_hardware("digital_45nm")
    net.set_state("p", "v", np.zeros(N, int))
    net.run(10, record=False)
    ours, rows = _ours(net, ticks, model), []
    for timing in ("simple", "detailed"):
        theirs = _rival(python, net.synapses(0), max(10, ticks // 10), timing)
        if theirs is None:
            return []
        seconds, events, version = theirs
        note = (
            f"{version}: {1e9 * seconds / events:,.0f} ns a synaptic event, ours {1e9 * ours:.2f}, counted and priced"
        )
        rows.append(Row(f"spikes: ours / SANA-FE, timing {timing}", seconds / events / ours, "x", 50, note=note))
    return rows


def _ours(net, ticks, model):
    """Seconds a synaptic event, with what it costs at the end."""
    before, start = net.counters()["projections"][0]["events"], time.process_time()
    net.run(ticks, record=False)
    ns.price(net.counts(), None, net.layout(), model)
    return (time.process_time() - start) / (net.counters()["projections"][0]["events"] - before)


def _rival(python, synapses, ticks, timing):
    """(seconds, synaptic events, version) of its run, or None where it cannot."""
    sources = np.repeat(np.arange(N), np.diff(synapses.start))
    with tempfile.NamedTemporaryFile(suffix=".npy") as pairs:
        np.save(pairs.name, np.stack([sources, synapses.target], 1))
        command = [python, "-c", _RIVAL, str(N), str(ticks), pairs.name, timing]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"SANA-FE: not here ({(done.stderr.strip().splitlines() or ['?'])[-1][:120]})")
        return None
    return json.loads(done.stdout.splitlines()[-1])
