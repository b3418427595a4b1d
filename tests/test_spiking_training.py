"""Lessons, the published settings of eRBP, fewer bits, and cells of studies that answer by spikes."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from neurosim import costs
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed
from neurosim.spiking.drift import narrowed, replayed, rounded
from neurosim.spiking.erbp import Erbp, escape_probabilities
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import EVERY_TICK, Poisson
from neurosim.spiking.training import Lesson, accuracy, train
from neurosim.studies.papers import spiking
from neurosim.studies.papers.spiking import crossing
from neurosim.studies.setting import run
from neurosim.studies.spikes import SpikingRun, SpikingSetting
from tests.spiking_twin import Case, compare

SMALL = Erbp(n_in=16, hidden=(12,), classes=4, threshold=200, reach=(60, 60), gains=(3, 3))


def patterns(samples, n_in=16, classes=4, seed=0):
    """Inputs as probabilities of a spike, about a prototype a class, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    shown = (rng.random((classes, n_in)) < 0.4)[labels] ^ (rng.random((samples, n_in)) < 0.05)
    return shown * (EVERY_TICK // 8), labels


# ---------------------------------------------------------------- prediction neurons


def test_prediction_neurons_that_compete_leave_the_spikes_to_the_one_that_is_driven_most():
    def spikes(inhibition, gains=(0, 3)):
        spec = Erbp(
            n_in=1, hidden=(4,), classes=4, threshold=50, gains=gains, inhibition=inhibition, refractory=2
        ).network()
        net = SpikingNetwork(spec)
        net.set_weights("forward1", np.diag([30, 20, 10, 5]).ravel())
        net.set_state("hidden0", "v", 32000)  # spikes as often as it can, until this has leaked away
        return np.bincount(net.run(60, learn=False)["out"][1], minlength=4)

    free, competing = spikes(0), spikes(4)
    lost = 1 - competing / free
    assert all(np.diff(lost) > 0), (free, competing)
    rows = SpikingNetwork(SMALL.replace(inhibition=6).network()).synapses("competition")
    assert set(rows.weight.tolist()) == {-6}
    assert not any(i in rows.target[a:b] for i, (a, b) in enumerate(pairwise(rows.start)))
    assert [p.name for p in SMALL.network().projections if p.source == p.target] == []


# ---------------------------------------------------------------- lessons


@pytest.mark.parametrize(("epochs", "parts"), [(1, 1), (1, 5), (3, 2), (2, 7)])
def test_a_lesson_shows_every_sample_once_an_epoch(epochs, parts):
    lesson = Lesson(epochs=epochs, slower=(0,) * parts)
    found = lesson.parts(3, 11)
    assert len(found) == parts
    assert max(map(len, found)) - min(map(len, found)) <= 1
    shown = np.concatenate(found).reshape(epochs, 11)
    assert all(sorted(order) == list(range(11)) for order in shown)
    assert not np.array_equal(shown[0], np.arange(11))
    assert not np.array_equal(shown[0], np.concatenate(lesson.parts(4, 11))[:11])
    given = np.concatenate(lesson.replace(shuffled=False).parts(3, 11))
    assert np.array_equal(given, np.tile(np.arange(11), epochs))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ticks": 0}, r"lesson\.ticks=0: must be"),
        ({"burn_in": 110}, r"lesson\.burn_in=110: must be"),
        ({"epochs": 0}, r"lesson\.epochs=0: must be"),
        ({"slower": ()}, r"lesson\.slower=\(\): must have"),
        ({"slower": (9,)}, r"lesson\.slower=9: must be"),
    ],
)
def test_lessons_that_cannot_be(changes, says):
    with pytest.raises(NeurosimError, match=says):
        Lesson(**changes)


@pytest.mark.parametrize("real", [False, True])
def test_training_is_presenting_its_parts(real):
    inputs, labels = patterns(120)
    lesson = Lesson(60, 10, 2, (0, 1))
    net, by_hand = (SpikingNetwork(SMALL.network(), real=real) for _ in range(2))
    right = [(slower, share) for slower, share in train(net, inputs, labels, lesson)]
    for (slower, share), part in zip(right, lesson.parts(0, 120), strict=True):
        by_hand.slow(slower)
        counts = by_hand.present(inputs, labels, ticks=60, burn_in=10, output="out", order=part)
        assert share == np.mean(counts.argmax(axis=1) == labels[part])
    assert [slower for slower, _ in right] == [0, 1]
    assert np.array_equal(net.weights("forward0"), by_hand.weights("forward0"))
    before = net.weights("forward0")
    test, wanted = patterns(120)
    assert accuracy(net, test, wanted, lesson) > 0.5  # a quarter by chance
    assert np.array_equal(net.weights("forward0"), before)


# ---------------------------------------------------------------- the published settings


def test_the_published_parameters_of_erbp():
    for additive in (False, True):
        settings = Erbp.neftci(additive=additive, hidden=(200, 200))
        spec, na = settings.network(), 8192
        hidden, out = spec.population("hidden0"), spec.population("out")
        by_name = {state.name: state for state in hidden.states}
        assert by_name["g"].leak.share == pytest.approx(1 - math.exp(-1 / 4), abs=2e-4)
        assert by_name["u"].leak.share == pytest.approx(1 - math.exp(-1 / 5), abs=2e-4)
        assert hidden.spikes.value == pytest.approx(0.1 * na, abs=1)
        # At 1 ms a tick: spikes that are 4 ms apart have three ticks between them.
        assert (hidden.refractory, spec.population("data").refractory) == (3, 3)
        assert by_name["v"].reset == 0
        gates = [p.plasticity.on_pre.gates[0].high for p in spec.projections if p.name.startswith("forward")]
        assert gates == [round(1.15 * na), 25 * na, round(1.15 * na)]
        eta = settings.numerator * 2.0**-settings.rate
        assert eta == pytest.approx(6e-4 if additive else 10e-4, rel=0.03)
        assert (settings.blank_out == 0) == additive
        assert 1 - Erbp.neftci().blank_out / 256 == pytest.approx(0.45, abs=2e-3)
        assert (by_name["g"].noise > 0) == additive == (out.states[0].noise > 0)
        assert settings.reach[0] == pytest.approx(na * math.sqrt(7 / 984), abs=1)


def test_published_weights_are_drawn_for_the_sizes_given():
    settings = Erbp.neftci(n_in=64, hidden=(30,), classes=4)
    assert settings.reach == (round(8192 * math.sqrt(7 / 94)), round(8192 * math.sqrt(7 / 34)))
    net = SpikingNetwork(settings.network(), real=True)
    assert np.abs(net.weights("forward0")).max() > 0.95 * settings.reach[0]


def test_data_neurons_of_the_published_parameters_spike_4_ms_apart():
    net = SpikingNetwork(Erbp.neftci(n_in=3, hidden=(2,)).network(), real=True)
    spikes = []
    net.present(np.full((1, 3), 65536), [0], ticks=40, output="out", spikes=spikes)
    assert np.bincount(spikes[0]["data"][1]).tolist() == [10, 10, 10]


def test_the_shipped_configuration_of_nsat():
    spec = Erbp.nsat().network()
    hidden, error = spec.population("hidden0"), spec.population("positive")
    assert (hidden.n, hidden.spikes.value, hidden.refractory) == (100, 500, 39)
    assert [(state.leak.shift, state.leak.rounding) for state in hidden.states] == [(7, "least"), (6, "least")]
    assert all(state.reset is None and state.jump is None for state in hidden.states)
    assert (error.spikes.value, error.states[0].jump, error.states[0].low) == (1025, -1025, 0)
    forward = spec.projections[0]
    assert (forward.gain, forward.plasticity.on_pre.shift, forward.plasticity.on_pre.gates[0].high) == (3, 17, 2560)
    assert 1 - forward.blank_out / 256 == pytest.approx(9 / 15, abs=2e-3)
    back = SpikingNetwork(spec).weights("positive->hidden0")
    assert back.std() == pytest.approx(35, rel=0.1)


@pytest.mark.parametrize("settings", [Erbp.nsat(), Erbp.neftci()])
def test_the_mean_over_classes_is_taken_from_feedback(settings):
    net = SpikingNetwork(settings.network(), real=True)
    start, target = net.synapses("positive->hidden0")[:2]
    matrix = np.zeros((10, settings.hidden[0]))
    matrix[np.repeat(np.arange(10), np.diff(start)), target] = net.weights("positive->hidden0")
    assert np.abs(matrix.sum(axis=0)).max() <= 5  # the mean is rounded to an entry's LSB
    assert np.abs(matrix).max() > 20


@pytest.mark.parametrize(
    ("settings", "real"),
    [
        (Erbp.nsat(n_in=9, hidden=(7,), classes=3, source=Poisson(9000)), False),
        (Erbp.nsat(n_in=9, hidden=(7, 5), classes=3, source=Poisson(9000), gates=(2560, 900, 2560)), False),
        (replace(Erbp.neftci(hidden=(7,)), n_in=9, classes=3, source=Poisson(20000)), True),
        (replace(Erbp.neftci(hidden=(7,), additive=True), n_in=9, classes=3, source=Poisson(20000)), True),
        (SMALL.replace(source=Poisson(9000), after="subtracts", noise=40), False),
        (SMALL.replace(source=Poisson(9000), adaptive=True, numerator=3, dendrite_gain=1), False),
        (SMALL.replace(source=Poisson(9000), weight=Fixed(8, 0, rounding="nearest")), False),
        (SMALL.replace(source=Poisson(9000), inhibition=9), False),
        (SMALL.replace(source=Poisson(9000), inhibition=9), True),
    ],
)
def test_settings_equal_the_slow_twin(settings, real):
    assert compare(Case(settings.network(), 150, True), SpikingNetwork, real=real) > 500


def test_settings_that_cannot_be():
    for name in ("gains", "reach", "gates"):
        with pytest.raises(NeurosimError, match=rf"erbp\.{name}=\(1, 2, 3\): must be 2 numbers$"):
            Erbp(**{name: (1, 2, 3)})
    with pytest.raises(NeurosimError, match=r"erbp\.after='leaves'"):
        Erbp(after="leaves")


def test_escape_is_steep_about_the_threshold():
    found = escape_probabilities(np.array([[[0, 43], [63, 100]]]), 100) / EVERY_TICK
    assert found.shape == (1, 4)
    # V = 0 at pixel 0.43: 100 Hz * exp(-2) for 1 ms; at 0.63 V is the threshold: 100 Hz.
    assert found[0, 1] == pytest.approx(-math.expm1(-0.1 * math.exp(-2)), abs=1e-4)
    assert found[0, 2] == pytest.approx(-math.expm1(-0.1), abs=1e-4)
    assert found[0, 0] < 1e-3
    assert found[0, 3] > 0.95


# ---------------------------------------------------------------- fewer bits


def test_dense_projections_stay_dense_with_fewer_bits():
    spec = SMALL.network()
    narrow = narrowed(spec, 5)
    for wide, few in zip(spec.projections[:2], narrow.projections[:2], strict=True):
        assert few.connect == wide.connect
        assert few.gain == wide.gain + 3
    net, its = SpikingNetwork(spec), SpikingNetwork(narrow)
    assert np.array_equal(its.weights(0), np.clip(np.rint(net.weights(0) / 8), -16, 15))


def test_what_was_learned_is_rounded():
    inputs, labels = patterns(40)
    net = SpikingNetwork(SMALL.network(), real=True)
    net.present(inputs, labels, ticks=60, output="out")
    for bits in (8, 4):
        found = SpikingNetwork(rounded(SMALL.network(), net, bits))
        expected = np.clip(np.rint(np.rint(net.weights(1)) / 2 ** (8 - bits)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        assert np.array_equal(found.weights(1), expected)


def test_samples_follow_one_another():
    samples = [(np.array([0, 4]), np.array([1, 2])), (np.array([3]), np.array([15]))]
    net = SpikingNetwork(replayed(SMALL.network(), samples, 10))
    raster = net.run(20, learn=False)
    assert [x.tolist() for x in raster["data"]] == [[0, 4, 13], [1, 2, 15]]
    assert len(raster["label"][0]) == 0


# ---------------------------------------------------------------- cells of studies


DIGITS = SpikingSetting(
    Erbp(n_in=64, hidden=(20,), gains=(3, 3)), Lesson(40, 10, 1, (0, 1)), "digits", train_samples=60, test_samples=30
)


@pytest.mark.parametrize("engine", ["fixed", "float"])
def test_a_cell_is_run_measured_and_goes_on(engine, tmp_path):
    setting = DIGITS.replace(engine=engine, rounded=(4,))
    found = run(setting, 3)
    assert found["samples"] == 60
    assert len(found["curve"].split()) == 2
    assert {"accuracy_4_bits", "coincide_4_bits", "distance_4_bits"} <= set(found)
    assert ("learning_nj" in found) == (engine == "fixed")
    assert 0.5 < found["synops"] / found["synops_formula"] < 2
    first = SpikingRun(setting, 3)
    first.train_epoch(lambda _: None)
    first.score()
    second = SpikingRun(setting, 3)
    second.load(first.notes(), {name: array.copy() for name, array in first.state().items()})
    second.train_epoch(lambda _: None)
    assert second.score() == found["test_accuracy"]
    again = second.measures()
    assert all(again[name] == found[name] for name in again)


def test_synaptic_operations_are_those_of_learning_alone():
    one = SpikingRun(DIGITS, 0)
    one.train_epoch(lambda _: None)
    before = one.events
    one.score()
    assert one.events == before == one.net.counts().total("synaptic_event")


def test_cells_of_fewer_bits_are_narrower():
    assert {p.weight.bits for p in DIGITS.replace(weight_bits=4).spec(0).projections if p.plasticity} == {4}
    assert DIGITS.key(0) != DIGITS.replace(weight_bits=4).key(0) != DIGITS.key(1)
    with pytest.raises(NeurosimError, match=r"setting\.encoding='spikes': must be"):
        DIGITS.replace(encoding="spikes")


def test_samples_needed():
    curve = [(1000, 80.0), (4000, 90.0), (16000, 90.0), (64000, 96.0)]
    assert crossing(curve, 85.0) == pytest.approx(2000)
    assert crossing(curve, 70.0) == 1000
    assert crossing(curve, 93.0) == pytest.approx(32000)
    assert math.isnan(crossing(curve, 97.0))


def test_narrower_weights_fill_fewer_cores():
    """Why the study's narrow weights cost more there: fewer cores, so more time, clock and static energy (its page says so)."""
    settings = {cell.name: cell.setting for cell in spiking.cells()}
    model = costs.load("digital_45nm")
    for name, cores in ((spiking.MNIST, {8: 3, 6: 2, 4: 2}), (spiking.EVENTS, {8: 2, 6: 2, 4: 1})):
        for bits, wanted in cores.items():
            net = SpikingNetwork(settings[name].replace(weight_bits=bits).spec(0))
            plan = costs.place(net.layout(), model)
            assert plan.cores[net.layer_names.index("hidden0")] == wanted, (name, bits)
