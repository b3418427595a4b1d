"""What a published chip's numbers are multiplied with, in plain Python, from the table in docs/hardware_models.md alone.

It imports nothing of the package. ops: [(layer, phase, action, bits, by, memory, count)]; places: the layer on whose
cores each layer stands. Everything comes as {amount: total over layers and phases, all samples together}.
"""

from __future__ import annotations


def amounts(ops, samples, ticks, neurons, receivers, places, cores, hops):
    """The amounts of docs/hardware_models.md, "What a chip's number may be of"."""

    def sum_of(*actions, phases=None):
        return sum(n for _, phase, action, *_, n in ops if action in actions and (phases is None or phase in phases))

    learning = sum_of(*{o[2] for o in ops}, phases=("update",) if ticks else ("error", "feedback", "update")) > 0
    synaptic = {}
    for layer, phase, action, *_, n in ops:
        summed = phase != "update" if ticks else phase == "forward"
        if action == "synaptic_event" or (action == "mac" and summed):
            synaptic[places[layer]] = synaptic.get(places[layer], 0) + n
    updates = {}
    for layer, phase, action, *_, n in ops:
        if action == "neuron_update":
            if ticks:
                updates[layer, phase] = neurons[layer] * ticks
            else:
                updates[layer, phase] = updates.get((layer, phase), 0) + n
    spikes = packets = 0
    for layer, _, action, *_, n in ops:
        if action == "event":
            spikes, packets = spikes + n, packets + n * cores[layer]
        elif action == "error_code":
            for receiver in receivers[layer]:
                spikes, packets = spikes + n, packets + n * cores[receiver]
    accesses = 0
    for _, phase, action, _, _, memory, n in ops:
        if action in ("read", "write") and not (phase == "forward" and memory in ("weight", "accumulator")):
            accesses += n
    return {
        "synaptic_operation": sum(synaptic.values()),
        "neuron_access": sum(updates.values()),
        "neuron_active": sum(min(n, synaptic.get(places[layer], 0)) for (layer, _), n in updates.items()),
        "spike": spikes,
        "packet": packets,
        "hop_east_west": packets * hops[0],
        "hop_north_south": packets * hops[1],
        "feedback_operation": 0 if ticks else sum_of("mac", "add", phases=("feedback",)),
        "synaptic_update": sum_of("update_attempted"),
        "weight_change": sum_of("weight_changed"),
        "learning_synaptic_operation": sum(synaptic.values()) if learning else 0,
        "random_word": sum_of("random_word"),
        "mac": sum_of("mac"),
        "arithmetic": sum_of("multiply", "add", "shift", "compare", "lut", "update_pair")
        + 2 * sum_of("event")
        + 3 * sum_of("neuron_update"),
        "division": sum_of("divide"),
        "memory_access": accesses,
        "tick": ticks,
        "sample": samples,
        "learning_sample": samples if learning else 0,
    }
