"""What is given to a network in motion: values, samples, labels; all of it checked before anything moves, recorded as it was shown."""

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.spiking.drift import presented
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Poisson, Population, State, Threshold
from neurosim.spiking.projection import Projection
from neurosim.spiking.recorded import Spikes
from neurosim.spiking.spec import SpikingSpec

SPEC = SpikingSpec(
    (
        Population("data", 3, (), Events(role="input")),
        Population("out", 2, (State("v", reset=0, low=0),), Threshold(9)),
    ),
    (Projection("data", "out", initial=5),),
)
SHOWN = [([0, 1, 2], [0, 1, 2]), ([], []), ([2, 2], [0, 1])]


@pytest.mark.parametrize(
    ("real", "values", "message"),
    [
        (False, [1.0, 2.0], r"population out, state v=1\.0\.\.2\.0: must be whole numbers 0\.\.32767"),
        (False, np.nan, r"population out, state v=nan: must be whole numbers"),
        (False, [0, -1], r"population out, state v=-1\.\.0: must be whole numbers 0\.\.32767"),
        (False, [1, 2, 3], r"population out, state v: \[3\] numbers: must be 2, or one for all"),
        (
            False,
            [[1], [2, 3]],
            r"population out, state v=\[\[1\], \[2, 3\]\]: must be whole numbers 0\.\.32767, 2, or one for all",
        ),
        (False, "x", r"population out, state v='x': must be whole numbers"),
        (False, 1 << 70, r"population out, state v=1180591620717411303424: must be whole numbers"),
        (True, [np.nan, 1], r"population out, state v=nan\.\.nan: must be numbers 0\.\.32767"),
        (True, np.inf, r"population out, state v=inf\.\.inf: must be numbers"),
        (True, None, r"population out, state v=None: must be numbers"),
    ],
)
def test_states_that_cannot_be(real, values, message):
    net = SpikingNetwork(SPEC, real=real)
    with pytest.raises(NeurosimError, match=message):
        net.set_state("out", "v", values)
    assert net.state("out", "v").tolist() == [0, 0]


@pytest.mark.parametrize(
    ("real", "values", "message"),
    [
        (False, np.full(6, 1.7), r"projection data->out: weights=1\.7\.\.1\.7: must be whole numbers -127\.\.127"),
        (False, np.full(6, np.nan), r"projection data->out: weights=nan\.\.nan: must be whole numbers"),
        (False, [128] * 6, r"projection data->out: weights=128\.\.128: must be whole numbers -127\.\.127"),
        (False, 3, r"projection data->out: weights: \[\] numbers: must be 6"),
        (False, [True] * 6, r"projection data->out: weights=\[True, .*: must be whole numbers -127\.\.127, 6"),
        (True, [np.nan] * 6, r"projection data->out: weights=nan\.\.nan: must be numbers -127\.\.127"),
        (True, ["a"] * 6, r"projection data->out: weights=\['a', .*: must be numbers"),
    ],
)
def test_weights_that_cannot_be(real, values, message):
    net = SpikingNetwork(SPEC, real=real)
    with pytest.raises(NeurosimError, match=message):
        net.set_weights(0, values)
    assert net.weights(0).tolist() == [5] * 6


def test_values_that_can_be():
    for real, values in ((False, np.arange(6, dtype=np.uint8)), (True, np.arange(6) / 4)):
        net = SpikingNetwork(SPEC, real=real)
        net.set_weights("data->out", values)
        assert net.weights(0).tolist() == values.tolist()
        net.set_state("out", "v", 7)
        assert net.state("out", "v").tolist() == [7, 7]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([0.5], r"inputs of data, sample 0=0\.5: must be a pair \(ticks, neurons\)"),
        ([([0.5], [0])], r"inputs of data, sample 0: ticks=0\.5\.\.0\.5: must be whole numbers"),
        ([([0], [0]), ([-1], [0])], r"inputs of data, sample 1: ticks=-1\.\.-1: must be whole numbers 0\.\."),
        ([([0], [3])], r"inputs of data, sample 0: neurons=3\.\.3: must be whole numbers 0\.\.2"),
        (
            [([0, 1], [0])],
            r"inputs of data, sample 0: ticks and neurons: \[2\] and \[1\] numbers: must be lists of one length",
        ),
        ([(0, 0)], r"inputs of data, sample 0: ticks and neurons: \[\] and \[\] numbers"),
        ([(["a"], [0])], r"inputs of data, sample 0: ticks=\['a'\]: must be whole numbers"),
        ([([0], [0], [0])], r"inputs of data, sample 0=\(\[0\], \[0\], \[0\]\): must be a pair"),
        (3, r"inputs of data=3: must be a list of pairs \(ticks, neurons\), one a sample"),
        ("data", r"inputs of data='data': must be a list of pairs"),
        ({"out": [[1]]}, "inputs: out is no Poisson source and none of events"),
    ],
)
def test_samples_of_events_that_cannot_be(samples, message):
    net = SpikingNetwork(SPEC)
    with pytest.raises(NeurosimError, match=message):
        net.present(samples, ticks=4, output="out")
    assert net.tick == 0  # none is shown before all are found to be right


def test_only_samples_that_are_shown_are_looked_at():
    assert SpikingNetwork(SPEC).present([SHOWN[0], 3], ticks=4, output="out", order=[0]).shape == (1, 2)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": [[0], [1, 2]]}, r"labels=\[\[0\], \[1, 2\]\]: must be 1 whole numbers 0\.\.2"),
        ({"order": 0}, r"order=0: must be a list of whole numbers 0\.\.0"),
        ({"order": [0.5]}, r"order=0\.5\.\.0\.5: must be whole numbers 0\.\.0"),
        ({"classes": [1]}, r"classes=\[1\]: must be tables by the names of populations"),
    ],
)
def test_presentations_that_cannot_be(more, message):
    net = SpikingNetwork(Erbp(n_in=2, hidden=(2,), classes=3).network())
    with pytest.raises(NeurosimError, match=message):
        net.present(np.array([[200, 300]]), **{"labels": [1], "ticks": 5, "output": "out", **more})


def in_order(spikes, name):
    return list(zip(*(x.tolist() for x in spikes[name]), strict=True))


def test_presentations_are_recorded_as_they_were_shown():
    found: list[Spikes] = []
    counts = SpikingNetwork(SPEC).present(SHOWN, ticks=4, burn_in=2, output="out", spikes=found)
    # 5 arrive in each of ticks 1, 2, 3: at least 9 in tick 2, and again with the 10 that two spikes leave for the third sample.
    assert [in_order(one, "data") for one in found] == [[(0, 0), (1, 1), (2, 2)], [], [(2, 0), (2, 1)]]
    assert [in_order(one, "out") for one in found] == [[(2, 0), (2, 1)], [], [(3, 0), (3, 1)]]
    assert counts.tolist() == [[1, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize("events", [True, False])
def test_a_network_of_what_was_presented_does_the_same(events):
    settings = Erbp(n_in=6, hidden=(9,), classes=3, rate=5, gains=(4, 7), threshold=100, data_refractory=1)
    inputs, labels = np.random.default_rng(0).integers(0, 1 << 15, (4, 6)), [0, 2, 1, 0]
    if events:
        settings = settings.replace(source=Events(role="input"))
        inputs = [(np.arange(40) // 2, np.arange(40) % 2 + k) for k in range(4)]
    spec, found = settings.network(), []
    net = SpikingNetwork(spec)
    net.present(inputs, labels, ticks=40, output="out", spikes=found)
    whole, ticks = presented(spec, inputs, labels, ticks=40)
    again = SpikingNetwork(whole)
    spikes = again.run(ticks)
    for p in spec.populations:
        shown = [(t + 40 * k, who) for k, one in enumerate(found) for t, who in in_order(one, p.name)]
        assert in_order(spikes, p.name) == shown, p.name
        assert shown, p.name
    for number in range(len(spec.projections)):
        np.testing.assert_array_equal(net.weights(number), again.weights(number))
    with pytest.raises(NeurosimError, match="inputs: no samples: must be at least one"):
        presented(spec, inputs[:0], ticks=3)


def test_other_sources_stay_as_they_are():
    fixed = Population("noise", 2, (), Poisson(1 << 14))
    spec = SpikingSpec((*SPEC.populations, fixed), SPEC.projections)
    whole, _ = presented(spec, SHOWN, ticks=4)
    assert whole.populations[2] is fixed
