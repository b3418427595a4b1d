"""The synapses of a spiking network, as the description and the slow twin draw them."""

import numpy as np
import pytest

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.spiking.neurons import Population, State
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec
from tests.naive_spiking import synapses
from tests.spiking_twin import (
    as_dict,
    cases,
    same,
)


def born(spec):
    """Compared integers of all projections, drawn by the description and by the twin."""
    described, compared = as_dict(spec), 0
    for number, p in enumerate(spec.projections):
        sizes = spec.population(p.source).n, spec.population(p.target).n
        found = p.draw(spec.seed, number, *sizes)
        expected = synapses(spec.seed, number, described["projections"][number], *sizes)
        rows = np.repeat(np.arange(sizes[0]), np.diff(found.start))
        for mine, k in ((rows, 0), (found.target, 1), (found.weight, 2), (found.delay, 3)):
            compared += same(f"{p.title}, {k}", mine, [synapse[k] for synapse in expected])
    return compared


CONNECTIONS = (
    Connect(),
    Connect(itself=False),
    Connect("one"),
    *(Connect("random", p, itself=itself) for p in (0.0, 0.1, 0.5, 1.0) for itself in (True, False)),
    *(Connect("random", fan_out=k, itself=itself) for k in (0, 1, 3, 7, 13) for itself in (True, False)),
    Pairs([3, 0, 3, 0, 12, 3], [1, 2, 0, 2, 12, 1]),
    Pairs([], []),
    FeedbackCrossbar(),
    FeedbackCrossbar(values="+-1", density=0.7),
    FeedbackCrossbar(values="+-1", fan_in=4),
    FeedbackCrossbar(4, density=0.5),
    FeedbackCrossbar(5, fan_in=13),
)


@pytest.mark.parametrize("connect", CONNECTIONS, ids=str)
def test_synapses_are_the_twins(connect):
    for seed in range(3):
        for initial, delay in ((2, 0), ((-3, 4), (0, 9)), (-1, (5, 5)), ((1, 1), 4095)):
            joined = Projection("a", "a", initial=initial, delay=delay, connect=connect)
            other = joined if connect == Connect("one") else joined.replace(target="b")
            populations = (Population("a", 13, (State("v"),)), Population("b", 29, (State("v"),)))
            born(SpikingSpec(populations, (joined, other), seed))


def test_lists_of_weights_go_by_the_pairs_as_given():
    joined = Projection(
        "a", "a", initial=np.arange(5), delay=np.arange(5) * 2, connect=Pairs([1, 0, 1, 0, 1], [0, 1, 0, 0, 1])
    )
    spec = SpikingSpec((Population("a", 2, (State("v"),)),), (joined,))
    assert born(spec) == 20
    assert joined.draw(0, 0, 2, 2).weight.tolist() == [3, 1, 0, 2, 4]


def test_synapses_of_random_networks_are_the_twins():
    compared = sum(born(spec) for spec, _, _ in cases(150, "born"))
    assert compared > 20_000
