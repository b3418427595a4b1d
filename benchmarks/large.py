"""A spiking network of 10^8 synapses: memory and time to make it, and to run it."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import Row

_RUN = """
import json, resource, sys, time
from benchmarks.spikes import lively

def resident():
    with open('/proc/self/statm') as f: return int(f.read().split()[1]) * resource.getpagesize()

neurons, fan_out, ticks = map(int, sys.argv[1:])
lively(100, 10).run(10, record=False)
before = resident()
start = time.process_time()
net = lively(neurons, fan_out)
made = time.process_time() - start
held = resident() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
net.run(1, record=False)
first = net.counters()['projections'][0]['events']
start = time.process_time()
net.run(ticks, record=False)
ran = time.process_time() - start
start = time.process_time()
net.counts()
counted = time.process_time() - start
events = net.counters()['projections'][0]['events'] - first
print(json.dumps([made, held, peak, ran, events, counted]))
"""


def large(smoke):
    """100,000 neurons that reach 1,000 others each with 8-bit weights, in a process of its own."""
    neurons, fan_out, ticks = (1000, 1000, 10) if smoke else (100_000, 1000, 10)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(neurons), str(fan_out), str(ticks)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    made, held, peak, ran, events, counted = json.loads(done.stdout)
    synapses = neurons * fan_out
    what = f"spikes: {synapses:,} synapses"
    return [
        Row(f"{what}, bytes a synapse", held / synapses, "bytes", 12, least=False, note="resident, less that before"),
        Row(f"{what}, memory while they are made", peak / 2**30, "GiB", 24, least=False),
        Row(f"{what}, time to make them", made, "s"),
        Row(f"{what}, a synaptic event", 1e9 * ran / events, "ns", note=f"{events / 1e6:,.0f} million in {ran:.2f} s"),
        Row(f"{what}, counts()", counted, "s"),
    ]
