"""Random spiking networks: the slow twin by itself, and the kernels against it (docs/spiking.md)."""

import random

import numpy as np
import pytest

from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Leak, Poisson, Population, State, Threshold, lif, trace
from neurosim.spiking.projection import Connect, Projection
from neurosim.spiking.spec import SpikingSpec
from tests.naive_spiking import NaiveSpiking
from tests.spiking_twin import (
    Case,
    a_sample,
    a_table,
    as_dict,
    cases,
    compare,
    liveliness,
    same,
    same_network,
    same_raster,
)


def test_random_networks_are_lively():
    found = liveliness(100, "lively")
    assert found["refused"] < 20
    assert found["neurons spike"] > 70
    assert found["weights change"] > 0.6 * found["plastic"]
    assert found["consolidated"] > 20


def test_the_twin_does_not_depend_on_how_a_run_is_split():
    for case in cases(10, "split"):
        whole, parts = (NaiveSpiking(as_dict(case.spec)) for _ in range(2))
        at_once = whole.run(case.ticks, learn=case.learn)
        assert at_once == [spike for _ in range(case.ticks) for spike in parts.run(1, learn=case.learn)]
        assert (whole.states, whole.weights, whole.tags, whole.counts) == (
            parts.states,
            parts.weights,
            parts.tags,
            parts.counts,
        )


def test_without_learning_no_weight_changes():
    for case in cases(20, "frozen"):
        twin = NaiveSpiking(as_dict(case.spec))
        before = [list(w) for w in twin.weights]
        twin.run(case.ticks, learn=False)
        assert twin.weights == before
        assert not any(any(tags) for tags in twin.tags)


@pytest.mark.parametrize("real", [False, True])
def test_random_networks_run_in_both_numbers(real):
    for case in cases(20, "numbers"):
        twin = NaiveSpiking(as_dict(case.spec), real=real)
        twin.run(case.ticks, learn=case.learn)
        for p, population in enumerate(case.spec.populations):
            for state, values in zip(population.states, twin.states[p], strict=True):
                assert all(state.low <= x <= state.high for x in values)


def test_kernels_equal_the_twin():
    assert sum(compare(case, SpikingNetwork, pieces=1) for case in cases(150, "kernels")) > 60_000


def test_kernels_equal_the_twin_in_real_numbers():
    assert sum(compare(case, SpikingNetwork, real=True) for case in cases(150, "reals")) > 60_000


@pytest.mark.parametrize("real", [False, True])
def test_rows_of_a_large_projection_equal_the_twin(real):
    """More than 2**17 synapses, which are asked for ahead of time: many spikes a tick, and a few."""
    rows = Connect("random", probability=0.9)
    one, other = (
        Projection("pre", "post", "v", initial=(-5, 5), connect=rows, delay=1),
        Projection("post", "pre", "x", initial=1),
    )
    many = Population("pre", 400, (trace("x", Leak(3), 9),), Poisson([12000] * 380 + [0] * 20))
    few = Population("post", 400, (State("v", Leak(2), reset=0),), Threshold(14))
    spec = SpikingSpec((many, few), (one, other.replace(connect=rows, gain=1)), 5)
    assert compare(Case(spec, 8, learn=False), SpikingNetwork, real=real)
    spikes = SpikingNetwork(spec).run(8)
    for name in ("pre", "post"):
        assert np.bincount(spikes[name][0]).max() > 8


def test_kernels_equal_the_twin_in_pieces():
    for number, case in enumerate(cases(40, "pieces")):
        compare(case, SpikingNetwork, pieces=(2, 3, 7, case.ticks)[number % 4])


def test_kernels_go_on_from_what_was_saved():
    for case in cases(30, "saved"):
        half = case.ticks // 2
        whole, part, other = SpikingNetwork(case.spec), SpikingNetwork(case.spec), SpikingNetwork(case.spec)
        whole.run(half, learn=case.learn)
        part.run(half, learn=case.learn)
        saved = {name: np.copy(array) for name, array in part.save().items()}
        part.run(3)  # what goes on afterwards must not reach into what was saved
        other.run(5)  # and nothing of what was before must remain
        other.restore(saved)
        rest = case.ticks - half
        expected, found = whole.run(rest, learn=case.learn), other.run(rest, learn=case.learn)
        for p in case.spec.populations:
            for mine, its in zip(found[p.name], expected[p.name], strict=True):
                same(f"spikes of {p.name}", mine, its)
        twin = NaiveSpiking(as_dict(case.spec))
        twin.run(case.ticks, learn=case.learn)
        same_network(case.spec, other, twin)


def test_kernels_change_no_weight_without_learning():
    for case in cases(20, "frozen"):
        net = SpikingNetwork(case.spec)
        before = [np.copy(net.weights(k)) for k in range(len(case.spec.projections))]
        net.run(case.ticks, learn=False)
        for k, weights in enumerate(before):
            same("weights", net.weights(k), weights)


def test_kernels_answer_in_the_words_of_the_interface():
    case = cases(1, "types")[0]
    net = SpikingNetwork(case.spec)
    for ticks, neurons in net.run(case.ticks, learn=True).values():
        assert ticks.dtype == neurons.dtype == np.int64
    for p in case.spec.populations:
        assert all(net.state(p.name, s.name).dtype == np.int32 for s in p.states)
    assert all(net.weights(k).dtype == np.int16 for k in range(len(case.spec.projections)))


def a_list(given):
    """What a sample gives to a source, as arrays: probabilities, or ticks and neurons of events."""
    events = not given or isinstance(given[0], tuple)
    return tuple(np.array(given, np.int64).reshape(-1, 2).T) if events else np.array(given)


def test_kernels_present_as_the_twin():
    for number, (spec, _, _) in enumerate(cases(40, "shown")):
        r = random.Random(number)
        ticks, classes = r.randint(5, 15), 3
        samples, labels = [a_sample(r, spec, ticks) for _ in range(4)], [r.randrange(classes) for _ in range(4)]
        table = a_table(r, spec, classes)
        output, rest, learn = r.choice(spec.populations).name, r.random() < 0.5, r.random() < 0.8
        how = {"ticks": ticks, "burn_in": r.randint(0, ticks), "rest": rest, "learn": learn}
        net, twin = SpikingNetwork(spec), NaiveSpiking(as_dict(spec))
        shown = {name: [a_list(sample[name]) for sample in samples] for name in samples[0]}
        found = net.present(shown, labels, output=output, classes=table, **how)
        by_number = [{spec.number(name): given for name, given in sample.items()} for sample in samples]
        its = {spec.number(name): rows for name, rows in table.items()}
        same(
            "spikes of the output",
            found,
            twin.present(by_number, labels, output=spec.number(output), classes=its, **how),
        )
        same_raster(spec, net.run(5), twin.run(5))
        same_network(spec, net, twin)


def test_presets_run():
    populations = (
        Population("pre", 20, (), Poisson(1 << 13)),
        lif("post", 10, threshold=300, leak=Leak(5, rounding="least"), current=Leak(2, rounding="least"), refractory=3),
    )
    compare(Case(SpikingSpec(populations, (Projection("pre", "post", initial=(20, 60)),)), 100, True), SpikingNetwork)
