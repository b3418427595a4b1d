"""What callers give to a network in motion, checked before anything moves: values, samples, labels (docs/spiking.md 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.fields import shown
from neurosim.formats import check_all_whole
from neurosim.spiking.neurons import EVERY_TICK, Events, Poisson, check_events
from neurosim.spiking.spec import SpikingSpec


def check_values(name: str, values: Any, n: int, low: int, high: int, *, real: bool, each: bool) -> NDArray[Any]:
    """Numbers of n places, as an array: whole ones, in real numbers any, low..high. each: one number for all of them will not do.

    Raises NeurosimError for another number of them, numbers that are not whole (not finite in real numbers), and numbers out of range.
    """
    array, many = _array(values), f"{n}" if each else f"{n}, or one for all"
    if array.dtype.kind not in "iuf":
        raise NeurosimError(f"{name}={shown(values)}: must be {'' if real else 'whole '}numbers {low}..{high}, {many}")
    if array.shape != (n,) and (each or array.ndim):
        raise NeurosimError(f"{name}: {list(array.shape)} numbers: must be {many}")
    if not real:
        check_all_whole(name, values, low, high)
    elif array.size and not (array.min() >= low and array.max() <= high):  # so NaN is out of range
        raise NeurosimError(f"{name}={array.min()}..{array.max()}: must be numbers {low}..{high}")
    return array


def inputs_of(spec: SpikingSpec, inputs: Any) -> dict[int, Any]:
    """What samples give to sources, by the number of the population: probabilities int64[samples, n], or lists of events as they are.

    Raises NeurosimError for populations that take none, and for what is no such thing; of lists of events, `check_samples` does.
    """
    if not isinstance(inputs, Mapping):
        named = [p.name for p in spec.populations if getattr(p.spikes, "role", "") == "input"]
        if len(named) != 1:
            raise NeurosimError(
                f"inputs: needs one population whose source has role='input'; there is {', '.join(named) or 'none'}"
            )
        inputs = {named[0]: inputs}
    found = {spec.number(name): values for name, values in inputs.items()}
    for number, values in found.items():
        population = spec.populations[number]
        if isinstance(population.spikes, Poisson):
            found[number] = _probabilities(f"inputs of {population.name}", values, population.n)
        elif not isinstance(population.spikes, Events):
            raise NeurosimError(f"inputs: {population.name} is no Poisson source and none of events")
        elif not isinstance(values, list | tuple) and getattr(values, "ndim", 0) == 0:
            raise NeurosimError(
                f"inputs of {population.name}={shown(values)}: must be a list of pairs (ticks, neurons), one a sample"
            )
    if len({len(values) for values in found.values()}) > 1:
        raise NeurosimError("inputs: all populations need as many samples")
    return found


def check_samples(spec: SpikingSpec, inputs: Mapping[int, Any], chosen: NDArray[np.int64]) -> None:
    """Refuse samples that are no events of their population. inputs: of `inputs_of`; chosen: int[shown], the samples that are shown."""
    for number, samples in inputs.items():
        population = spec.populations[number]
        if not isinstance(population.spikes, Events):
            continue
        for k in np.unique(chosen):
            where, sample = f"inputs of {population.name}, sample {k}", samples[k]
            if not isinstance(sample, list | tuple | np.ndarray) or len(sample) != 2:
                raise NeurosimError(f"{where}={shown(sample)}: must be a pair (ticks, neurons)")
            check_events(f"{where}: ", sample[0], sample[1], population.n - 1)


def tables_of(spec: SpikingSpec, classes: Mapping[str, NDArray[Any]] | None) -> dict[int, NDArray[np.int64]]:
    """Probabilities of label populations by class, by the number of the population: int64[classes, n]."""
    found = {}
    for number, population in enumerate(spec.populations):
        if isinstance(population.spikes, Poisson) and population.spikes.role == "label":
            own = np.asarray(population.spikes.probability, np.int64)
            found[number] = np.diag(np.broadcast_to(own, (population.n,)))
    if not isinstance(classes, Mapping | None):
        raise NeurosimError(f"classes={shown(classes)}: must be tables by the names of populations")
    for name, table in (classes or {}).items():
        population = spec.population(name)
        if not isinstance(population.spikes, Poisson):
            raise NeurosimError(f"classes: {name} is no Poisson source")
        found[spec.number(name)] = _probabilities(f"classes of {name}", table, population.n)
    return found


def check_labels(labels: Any, n_samples: int, tables: Mapping[int, NDArray[np.int64]]) -> None:
    """Refuse labels that are not one class a sample. tables: of `tables_of`."""
    array, n = _array(labels), min((len(table) for table in tables.values()), default=1 << 62)
    whole = array.dtype.kind in "iu" or not array.size
    if array.shape != (n_samples,) or not whole or (array.size and (array.min() < 0 or array.max() >= n)):
        raise NeurosimError(f"labels={shown(labels)}: must be {n_samples} whole numbers 0..{n - 1}")


def order_of(order: Any, n_samples: int) -> NDArray[np.int64]:
    """The samples that are shown, int64[shown]: all of them, or those of an order."""
    if order is None:
        return np.arange(n_samples)
    chosen = _array(order)
    if chosen.ndim != 1:
        raise NeurosimError(f"order={shown(order)}: must be a list of whole numbers 0..{n_samples - 1}")
    check_all_whole("order", chosen, 0, n_samples - 1)
    return chosen.astype(np.int64)


def _probabilities(name: str, values: Any, n: int) -> NDArray[np.int64]:
    array = _array(values)
    if array.ndim != 2 or array.shape[1] != n or array.dtype.kind not in "iu":
        raise NeurosimError(f"{name}: {array.dtype}{list(array.shape)}: must be whole numbers [rows, {n}]")
    if array.size and (array.min() < 0 or array.max() > EVERY_TICK):
        raise NeurosimError(f"{name}: {array.min()}..{array.max()}: probabilities must be 0..{EVERY_TICK}")
    return array.astype(np.int64)


def _array(values: Any) -> NDArray[Any]:
    """As an array; where lists have different lengths or numbers leave 64 bits, one of nothing."""
    try:
        return np.asarray(values)
    except (ValueError, OverflowError):
        return np.array(None)
