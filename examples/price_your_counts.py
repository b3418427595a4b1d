"""Price counts that were made elsewhere: by hand, by a script, by another simulator. Nothing is simulated here.

A layer of 256 inputs and 256 neurons receives so many spikes a sample; what does a synaptic operation cost on each model, and
how does its price fall when more spikes share the chip's idle power?

    python examples/price_your_counts.py
"""

import argparse
from typing import Any

import neurosim as ns
from neurosim.costs import names

WEIGHT, SUM, ADDRESS = 8, 16, 8  # bits


def counts(spikes: int, samples: int = 1000) -> dict[str, Any]:
    """Integrate and fire, one layer: each spike reads a row of 256 weights and adds them to 256 sums."""
    operations = 256 * spikes * samples
    row = {"layer": 0, "phase": "forward"}
    return {
        "samples": samples,
        "ops": [
            {**row, "action": "event", "bits": ADDRESS, "count": spikes * samples},
            {**row, "action": "read", "memory": "weight", "bits": WEIGHT, "count": operations},
            {**row, "action": "read", "memory": "accumulator", "bits": SUM, "count": operations},
            {**row, "action": "add", "bits": SUM, "count": operations},
            {**row, "action": "write", "memory": "accumulator", "bits": SUM, "count": operations},
            {**row, "action": "neuron_update", "bits": SUM, "count": 256 * samples},
        ],
    }


def main() -> None:
    quick = argparse.ArgumentParser(description=__doc__)
    quick.add_argument("--quick", action="store_true", help="fewer points")
    points = (16, 256) if quick.parse_args().quick else (1, 4, 16, 64, 256, 1024)
    print(f"{'spikes a sample':>16}{'model':>18}{'pJ a synaptic operation':>32}{'us a sample':>14}")
    notes = set()
    for spikes in points:
        counted = ns.read_counts(counts(spikes), sizes=(256, 256))
        for name, cost in counted.price(*names(default_only=True)).items():
            low, nominal, high = (e / (256 * spikes) for e in cost.band["energy_pj_per_sample"])
            shown = f"{nominal:.3g} ({low:.3g} to {high:.3g})"
            print(f"{spikes:>16}{name:>18}{shown:>32}{cost.latency_ns_per_sample / 1e3:>14.3g}")
            notes.update(cost.notes)
    for note in sorted(notes):
        print("Note:", note)


if __name__ == "__main__":
    main()
