"""A SANA-FE architecture file (YAML) as a hardware model of the kind `chip`.

SANA-FE describes tiles on a mesh, cores in tiles and, in each core, units along the path of a spike: axon in, synapse,
dendrite, soma, axon out, each with energies in joules and latencies in seconds. What stands for one of our amounts is
carried over; where units differ (several synapses, hops in four directions) the first is nominal and the smallest and
largest are the ends. A cost of 0 is left out, so that what it is of is named as unpriced and not taken for free.
Everything else is listed as not carried. Only the format is known here, no code or file of SANA-FE.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from neurosim.errors import NeurosimError

_UNITS = ("axon_in", "synapse", "dendrite", "soma", "axon_out")
_CARRIED: Mapping[tuple[str, str], str] = {
    ("synapse", "process_spike"): "synaptic_operation",
    ("soma", "access_neuron"): "neuron_access",
    ("soma", "update_neuron"): "neuron_active",
    ("soma", "spike_out"): "spike",
    ("axon_out", "message_out"): "packet",
    ("axon_in", "message_in"): "packet",
    ("tile", "east_hop"): "hop_east_west",
    ("tile", "west_hop"): "hop_east_west",
    ("tile", "north_hop"): "hop_north_south",
    ("tile", "south_hop"): "hop_north_south",
}
"""(unit, action) of their `energy_ACTION` and `latency_ACTION`: the amount that it is of."""
_LARGEST = {"energy": (1e-6, "joules", "pJ"), "latency": (1e-2, "seconds", "ns")}
"""What one action may cost at most, a million pJ and ten ms: more is a slip of the unit."""
UNTOLD = "technology: node and supply do not stand in an architecture; add [technology] to the model if you know them"
_SILENT = frozenset({"name", "width", "height", "max_neurons_supported"})


def converted(path: Path, name: str, source: str | None) -> tuple[str, list[str]]:
    """The text of a hardware model, and what could not be carried.

    path: the YAML file; name: of the model; source: where its numbers come from, None: the file alone, unverified.

    Raises: NeurosimError if there is no such file, it is no architecture, or a number in it is none.
    """
    architecture = _read(path)
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    left: list[str] = []
    cores, neurons = 0, 0
    mesh = _attributes(architecture)
    left += [f"{key} = {value}" for key, value in mesh.items() if key not in (*_SILENT, "latency_sync")]
    waits = mesh.get("latency_sync", 0.0)  # one, or a table by the number of tiles
    waits = [
        _number(w, "latency_sync", "latency", path)
        for w in (list(waits.values()) or [0.0] if isinstance(waits, dict) else [waits])
    ]
    if any(waits):
        found["latency", "tick"] = {"sync": waits}
    for unit, owner, attributes, many in _walk(architecture):
        cores += many if unit == "core" else 0
        for key, value in attributes.items():
            if unit == "core" and key == "max_neurons_supported":
                neurons = min(neurons or int(value), int(value))
                continue
            quantity, _, action = key.partition("_")
            per = _CARRIED.get((unit, action)) if quantity in ("energy", "latency") else None
            number = _number(value, f"{owner}.{key}", quantity, path) if quantity in ("energy", "latency") else None
            if number == 0:  # a latency of 0 and a part that costs nothing lose nothing; a price of 0 would be a gift
                left += [f"{owner}.{key} = {value} (nothing is free: left out)"] if per and quantity == "energy" else []
            elif per is None or number is None:
                left.append(f"{owner}.{key} = {value}")
            else:
                found.setdefault((quantity, per), {}).setdefault(action, []).append(number)
    energies = [per for quantity, per in found if quantity == "energy"]
    if not energies:
        msg = f"{path}: has no energy above 0 that could be carried"
        raise NeurosimError(msg)
    width, height = (int(mesh.get(key, 1)) for key in ("width", "height"))
    return _text(name, path, source, found, (width, height), (cores, neurons)), [*sorted(set(left)), UNTOLD]


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"file={str(path)!r}: {error.strerror}"
        raise NeurosimError(msg) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise NeurosimError(msg) from None
    architecture = raw.get("architecture") if isinstance(raw, dict) else None
    if not isinstance(architecture, dict) or not isinstance(architecture.get("tile"), list):
        msg = f"{path}: architecture.tile: is missing; a SANA-FE architecture has a list of tiles"
        raise NeurosimError(msg)
    return architecture


def _attributes(table: Any) -> dict[str, Any]:
    found = table.get("attributes") if isinstance(table, dict) else None
    return found if isinstance(found, dict) else {}


def _many(table: Any) -> int:
    """How many a name stands for: ``tile[0..31]`` is 32 of them."""
    span = re.search(r"\[(\d+)\.\.(\d+)\]$", str(table.get("name", "")))
    return int(span[2]) - int(span[1]) + 1 if span else 1


def _walk(architecture: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], int]]:
    """Every tile, core and unit: its kind, name, attributes, and how many there are of it."""
    for tile in architecture["tile"]:
        yield "tile", str(tile.get("name", "tile")), _attributes(tile), _many(tile)
        for core in tile.get("core") or ():
            many = _many(tile) * _many(core)
            yield "core", str(core.get("name", "core")), _attributes(core), many
            for kind in _UNITS:
                for unit in core.get(kind) or ():
                    yield kind, str(unit.get("name", kind)), _attributes(unit), many


def _number(value: Any, where: str, quantity: str, path: Path) -> float:
    largest, unit, ours = _LARGEST[quantity]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= largest:
        msg = f"{where}={value!r}: must be a number of {unit}, 0 … {largest:g}; is it in {ours}? ({path})"
        raise NeurosimError(msg)
    return number


def _text(
    name: str,
    path: Path,
    source: str | None,
    found: Mapping[tuple[str, str], Mapping[str, list[float]]],
    mesh: tuple[int, int],
    holds: tuple[int, int],
) -> str:
    told = f"{source} | " if source else ""
    where = f"{told}{path.name}, a SANA-FE architecture file"
    tag = "verified-secondary" if source else "memory-unverified"
    sure = f'source = {json.dumps(where)}\ntag = {json.dumps(tag)}\nbasis = "not stated"\n'
    hops = [f"{(k - 1 / k) / 3:.6g}" for k in mesh]
    lines = [
        f'schema = 1\nkind = "chip"\nname = {json.dumps(name)}\npriced_by_default = false',
        f"summary = {json.dumps(f'converted from {path.name}, a SANA-FE architecture')}\n",
        f"[operating]\nhops_east_west = {float(hops[0])}\nhops_north_south = {float(hops[1])}",
        f'reason = "mean between two random tiles of a {mesh[0]} x {mesh[1]} mesh, (k - 1/k) / 3 each way; no clock is told"\n',
    ]
    for (quantity, per), actions in found.items():
        key, scale = ("energy_pj", 1e12) if quantity == "energy" else ("latency_ns", 1e9)
        ends = _ends(actions)
        low, nominal, high = (float(f"{scale * end:.9g}") for end in ends)
        lines.append(f"[[{quantity}]]\nper = {json.dumps(per)}\n{key} = {nominal}\n{sure}")
        for end, value in (("low", low), ("high", high)):
            if value != nominal:
                lines.append(f"[{quantity}.{end}]\n{key} = {value}\n{sure}")
    if holds[0]:
        neurons = f"neurons = {holds[1]}\n" if holds[1] else ""
        lines.append(f"[capacity]\ncores = {holds[0]}\n{neurons}{sure}")
    return "\n".join(lines)


def _ends(actions: Mapping[str, list[float]]) -> tuple[float, float, float]:
    """Low, nominal, high. Directions are alternatives; a message out and a message in are both paid."""
    if any(action.startswith("message") for action in actions):
        low, nominal, high = (math.fsum(pick(v) for v in actions.values()) for pick in (min, lambda v: v[0], max))
        return low, nominal, high
    numbers = [n for v in actions.values() for n in v]
    return min(numbers), numbers[0], max(numbers)
