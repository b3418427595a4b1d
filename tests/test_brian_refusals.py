"""What the bridge refuses, in one line that names field, value and what is allowed; and what it says where nothing spiked."""

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Population, State, Threshold
from neurosim.spiking.projection import Projection
from neurosim.spiking.spec import SpikingSpec
from tests.brian_objects import space

brian = pytest.importorskip("neurosim.bridges.brian")

SPEC = SpikingSpec(
    (Population("data", 3, (), Events(role="input")), Population("out", 2, (State("v", reset=0),), Threshold(9))),
    (Projection("data", "out", initial=10),),
)
DRAWN = SpikingNetwork(SPEC).synapses(0)
NO_LIST = "bits={}: must be a list of whole numbers"

OURS = {
    "spec=Erbp(n_in=784": lambda: brian.twin(Erbp()),
    "must be a SpikingSpec (Erbp.network() makes one)": lambda: brian.compare(Erbp(), 5),
    "spec=3: must be a SpikingSpec": lambda: brian.drift(3, 5),
    "dt_ms='1': must be a number above 0": lambda: brian.twin(SPEC, dt_ms="1"),
    "dt_ms=nan: must be a number above 0": lambda: brian.twin(SPEC, dt_ms=float("nan")),
    "dt_ms=inf: must be a number above 0": lambda: brian.twin(SPEC, dt_ms=float("inf")),
    "dt_ms=0: must be a number above 0": lambda: brian.simulate([SPEC], 5, dt_ms=0),
    "synapses=3: must be a list of Synapses": lambda: brian.twin(SPEC, synapses=3),
    "synapses: 2 of them: must be 1, as many as projections": lambda: brian.twin(SPEC, synapses=[DRAWN, DRAWN]),
    "synapses of projection data->out=1: must be Synapses": lambda: brian.twin(SPEC, synapses=[1]),
    "projection='x': must be one of data->out": lambda: brian.twin(SPEC, synapses={"x": DRAWN}),
    "start has 3 numbers: must be 4": lambda: brian.twin(SPEC, synapses=[DRAWN._replace(start=DRAWN.start[:3])]),
    "target=2..3: must be whole numbers 0..1": lambda: brian.twin(
        SPEC, synapses=[DRAWN._replace(target=np.arange(6) % 2 + 2)]
    ),
    "specs=SpikingSpec(": lambda: brian.simulate(SPEC, 5),
    "ticks=-1: must be a whole number 0..": lambda: brian.compare(SPEC, -1),
    "ticks=1.5: must be a whole number 0..": lambda: brian.simulate([SPEC], 1.5),
    NO_LIST.format("'4'"): lambda: brian.drift(SPEC, 5, bits="4"),
    NO_LIST.format("4"): lambda: brian.drift(SPEC, 5, bits=4),
    "bits=1: must be a whole number 2..16": lambda: brian.drift(SPEC, 5, bits=(8, 1)),
    "within=-1: must be a whole number": lambda: brian.drift(SPEC, 5, within=-1),
    "tau=0: must be a number above 0": lambda: brian.drift(SPEC, 5, tau=0),
    "inputs of data, sample 0: ticks=-1..-1": lambda: brian.compare(SPEC, 5, inputs=[([-1], [0])]),
    "path='/nowhere/to/be/found.py': cannot be written": lambda: brian.twin(SPEC).save("/nowhere/to/be/found.py"),
}


@pytest.mark.parametrize("message", OURS)
def test_what_cannot_be_made_of_a_network_of_ours(message):
    with pytest.raises(NeurosimError) as raised:
        OURS[message]()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def theirs():
    """Brian2, and a network of a group G that Synapses S join with itself."""
    with brian.settings("numpy") as module:
        module.start_scope()
        model = "dv/dt = -v/taum : volt"
        cells = module.NeuronGroup(
            3, model, threshold="v > 1*mV", reset="v = 0*mV", method="euler", name="G", namespace=space(module)
        )
        joined = module.Synapses(cells, cells, "w : volt", on_pre="v += w", name="S")
        joined.connect()
        joined.w = 1 * module.mV
        network = module.Network(cells, joined)
        network.run(1 * module.ms)
        yield module, network


THEIRS = {
    "network='x': must be a Brian2 Network": lambda _b, _n: brian.watch("x"),
    "network=['x']: must be a Brian2 Network": lambda _b, _n: brian.watch(["x"]),
    "network=5: must be a Brian2 Network": lambda _b, _n: brian.count(5),
    "network=NeuronGroup(": lambda _b, n: brian.quantise(n["G"], 4),
    "bits of weight='4': must be a whole number 1..32": lambda _b, n: brian.watch(n, bits="4"),
    "bits of weight=4.5: must be a whole number 1..32": lambda _b, n: brian.watch(n, bits={"weight": 4.5}),
    "weights='w': must be by the names of Synapses, such as {'S': …}": lambda _b, n: brian.watch(n, weights="w"),
    "weights: 'Q': must be one of S": lambda _b, n: brian.watch(n, weights={"Q": "w"}),
    "weights: 3 is no variable of the synapses S": lambda _b, n: brian.watch(n, weights={"S": 3}),
    "bits of S='4': must be a whole number 2..32": lambda _b, n: brian.quantise(n, "4"),
    "scale of S.w=-1. * mvolt: must be one number above 0 in units of V": lambda b, n: brian.quantise(n, scale=-b.mV),
    "scale of S.w=2. * nsiemens: must be": lambda b, n: brian.quantise(n, scale=2 * b.nS),
    "scale of S.w='x': must be": lambda _b, n: brian.quantise(n, scale="x"),
    "scale of S.w=nan: must be": lambda _b, n: brian.quantise(n, scale={"S": float("nan")}),
    "scale of S.w=array([1., 2.]) * mvolt: must be": lambda b, n: brian.quantise(n, scale=[1, 2] * b.mV),
    "scale: 'Q': must be one of S": lambda _b, n: brian.quantise(n, scale={"Q": 1}),
    "duration=50: must be a time, such as 1*second": lambda _b, n: brian.compare_bits(n, 50),
    "duration=-5. * msecond: must be one number above 0 in units of s": lambda b, n: brian.compare_bits(n, -5 * b.ms),
    "duration=5. * mvolt: must be": lambda b, n: brian.compare_bits(n, 5 * b.mV),
    NO_LIST.format("'4'"): lambda b, n: brian.compare_bits(n, b.ms, bits="4"),
    NO_LIST.format("4"): lambda b, n: brian.compare_bits(n, b.ms, bits=4),
    "within_ms=2. * msecond: must be a number of at least 0": lambda b, n: brian.compare_bits(
        n, b.ms, within_ms=2 * b.ms
    ),
    "tau_ms=0: must be a number above 0": lambda b, n: brian.compare_bits(n, b.ms, tau_ms=0),
}


@pytest.mark.parametrize("message", THEIRS)
def test_what_cannot_be_done_with_a_network_of_the_users(message, theirs):
    module, network = theirs
    first = np.array(network["S"].w[:])
    with pytest.raises(NeurosimError) as raised:
        THEIRS[message](module, network)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert np.array_equal(network["S"].w[:], first)


def test_what_never_spikes_is_said():
    still = brian.compare(SPEC, 5)
    assert still.equal
    assert (still.spikes, still.silent) == (0, ("data", "out"))
    assert str(still).startswith("nothing spiked in 5 ticks, so that little was compared")
    shown = brian.compare(SPEC, 5, inputs=[([0, 1], [0, 1]), ([], []), ([2], [2])])
    assert shown.equal, str(shown)
    assert (shown.ticks, shown.silent, shown.spikes) == (15, (), 3 + 3 * 2)
    half = brian.compare(SPEC.replace(projections=()), 5, inputs=[([0], [0])])
    assert str(half) == "equal: 4 integers of 1 spikes, states, weights and tags over 5 ticks; out never spiked"
    assert str(brian.drift(SPEC, 5, bits=(4,))) == "nothing spiked in 5 ticks, so there is nothing to compare"


def test_samples_of_erbp_are_compared_and_drift():
    spec = Erbp(n_in=5, hidden=(8,), classes=2, rate=5, gains=(4, 7), threshold=100).network()
    inputs, labels = np.array([[40000, 0, 30000, 0, 9000], [0, 50000, 0, 20000, 0]]), [0, 1]
    found = brian.compare(spec, 60, inputs=inputs, labels=labels)
    assert found.equal, str(found)
    assert not {"data", "hidden0", "out", "label"} & set(found.silent)
    assert brian.drift(spec, 60, bits=(4,), inputs=inputs, labels=labels).spikes > 10
