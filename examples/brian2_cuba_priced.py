"""A network written in Brian2, counted and priced on every shipped hardware model, or why one refuses it: two lines more.

The CUBA network of Vogels and Abbott (2005) as Brian2's documentation has it: 4,000 integrate-and-fire neurons, 80 % of them
excitatory, joined with a probability of 2 % by currents that decay.

python examples/brian2_cuba_priced.py [--quick]
"""

import argparse

from brian2 import NeuronGroup, Synapses, ms, mV, prefs, run, seed

from neurosim import costs
from neurosim.bridges import brian

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="30 ms instead of a second")
duration = (30 if parser.parse_args().quick else 1000) * ms

prefs.codegen.target = "numpy"
seed(1)
taum, taue, taui = 20 * ms, 5 * ms, 10 * ms
Vt, Vr, El = -50 * mV, -60 * mV, -49 * mV
we, wi = 60 * 0.27 / 10 * mV, -20 * 4.5 / 10 * mV
equations = """
dv/dt  = (ge + gi - (v - El)) / taum : volt (unless refractory)
dge/dt = -ge / taue : volt
dgi/dt = -gi / taui : volt
"""
neurons = NeuronGroup(
    4000, equations, threshold="v > Vt", reset="v = Vr", refractory=5 * ms, method="exact", name="neurons"
)
neurons.v = "Vr + rand() * (Vt - Vr)"
excitatory = Synapses(neurons, neurons, on_pre="ge += we", name="excitatory")
excitatory.connect("i < 3200", p=0.02)
inhibitory = Synapses(neurons, neurons, on_pre="gi += wi", name="inhibitory")
inhibitory.connect("i >= 3200", p=0.02)

watch = brian.watch()  # the first line: count what runs from here on
run(duration)
print(watch.table(*costs.names()))  # the second: price it

found = watch.counted()
for name, row in found.tallies.items():
    print(f"{name}: " + ", ".join(f"{n:,} {what}" for what, n in row.items() if n))
for note in found.notes:
    print("note:", note)
by_layer = found.price("digital_45nm").energy_by_layer
print("energy, uJ:", {found.names[k]: round(band.nominal / 1e6, 3) for k, band in by_layer.items()})
