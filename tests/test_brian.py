"""The twin in Brian2 against a count by hand and the slow reference, on its targets; settings, listing, comparison, drift."""

import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Leak, Poisson, Population, Regular, State, Threshold, lif, trace
from neurosim.spiking.plasticity import Eligibility, Kernel, Plasticity, Term, erbp, kernel_stdp, modulated, pair_stdp
from neurosim.spiking.projection import Connect, Projection
from neurosim.spiking.spec import SpikingSpec

brian = pytest.importorskip("neurosim.bridges.brian")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler g++")

WORD = Fixed(8, 0, rounding="stochastic")


def source(n=12, chance=9000, **more):
    return Population("inp", n, (trace("x", Leak(3), 100),), Poisson(chance), **more)


def neurons(n=6, **more):
    states = (trace("y", Leak(3, 1, "least"), 80), State("e", Leak(4, 1, "zero"), noise=90))
    return lif("out", n, threshold=90, leak=Leak(4, 3, "away"), current=Leak(2), refractory=2, traces=states, **more)


def one_rule(rule, rounding="stochastic", **more):
    word = WORD.replace(rounding=rounding)
    forward = Projection(
        "inp", "out", "g", word, (10, 50), delay=(0, 4), blank_out=40, plasticity=rule, name="forward", **more
    )
    back = Projection("out", "out", "v", word, -9, Connect("random", probability=0.5, itself=False), delay=1, gain=-1)
    return SpikingSpec((source(), neurons()), (forward, back), seed=(1 << 63) - 25)


UP, DOWN = Kernel(((4, 9, 1), (12, 7, 1))), Kernel(((6, 8, -1), (7, 3, 1), (20, 6, -1)))
RULES = {
    "pair STDP": pair_stdp("x", "y", 2, 3),
    "kernel STDP": kernel_stdp(UP, DOWN, shift=5),
    "modulated STDP": modulated(kernel_stdp(UP, DOWN, shift=4), "e", shift=7, dead=5),
    "eRBP": erbp("e", "g", -300, 900, shift=4, numerator=3),
    "eRBP of a quantised error": erbp("e", "v", -300, 900, shift=5, channel=Quantiser(4, alpha=300.0)),
    "linear quantiser": erbp("e", "v", -300, 900, shift=5, channel=Quantiser(6, "linear", alpha=300.0, zero="code")),
    "eligibility": Plasticity(
        Term("post.y", numerator=-1, shift=4), Term("pre.x", "post.y", shift=8),
        Eligibility("post.e", Leak(3, 1, "least"), 5, 12, Fixed(10, 0, rounding="nearest")),
    ),
    "many bits": Plasticity(Term("post.y", "post.g", 50000, 34), Term("pre.x", "post.e", -60001, 32)),
}  # fmt: skip


def reference(spec, ticks, *, learn=True, real=False):
    """The slow twin's run as a Trace."""
    twin = pytest.importorskip("tests.spiking_twin")
    naive = twin.NaiveSpiking(twin.as_dict(spec), real=real)
    found = naive.run(ticks, learn=learn)
    spikes = {
        p.name: tuple(np.array([s[k] for s in found if s[1] == number], np.int64) for k in (0, 2))
        for number, p in enumerate(spec.populations)
    }
    states = {
        (p.name, s.name): np.array(naive.states[number][k])
        for number, p in enumerate(spec.populations)
        for k, s in enumerate(p.states)
    }
    tagged = [k for k, p in enumerate(spec.projections) if p.plasticity and p.plasticity.eligibility]
    weights = [np.array(w) for w in naive.weights]
    return brian.Trace(spikes, states, weights, {k: np.array(naive.tags[k]) for k in tagged})


def agreement(spec, ticks, found, *, learn=True):
    return brian.first_difference(spec, ticks, reference(spec, ticks, learn=learn), found)


def same_trace(one, other):
    assert one.spikes.keys() == other.spikes.keys()
    for name, (ticks, who) in one.spikes.items():
        assert np.array_equal(ticks, other.spikes[name][0]), name
        assert np.array_equal(who, other.spikes[name][1]), name
    for key, values in one.states.items():
        assert np.array_equal(values, other.states[key]), key
    for weights, others in zip(one.weights, other.weights, strict=True):
        assert np.array_equal(weights, others)


def test_a_count_by_hand():
    """A source spikes in ticks 1, 4, 7, …; its spike arrives 2 ticks later and acts in the tick after that."""
    spec = SpikingSpec(
        (
            Population("clock", 1, (), Regular(3, 1)),
            lif("cell", 1, threshold=20, leak=Leak(2), refractory=2),
        ),
        (Projection("clock", "cell", initial=16, delay=2, plasticity=kernel_stdp(Kernel(((9, 2, 1),)), DOWN)),),
    )
    twin = brian.twin(spec)
    twin.run(5)
    assert twin.spikes("clock")[0].tolist() == [1, 4]
    assert twin.states("cell", "v").tolist() == [16]
    # v = 16, 12, 9 in ticks 4 to 6; then 9 - 2 + 16 = 23 in tick 7: a spike. The source spiked last in tick 4, 3 ticks before: w + 4.
    twin.run(2)
    assert twin.states("cell", "v").tolist() == [9]
    twin.run(1)
    assert twin.spikes("cell")[0].tolist() == [7]
    assert twin.weights("clock->cell").tolist() == [20]
    # Held in ticks 8 and 9: what arrived in tick 6 was used; the arrival of tick 9, two after the spike, takes 256 from the weight.
    twin.run(2)
    assert twin.weights(0).tolist() == [-127]
    assert twin.states("cell", "v").tolist() == [0]
    twin.run(1)
    assert twin.states("cell", "v").tolist() == [-127]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_equals_the_slow_twin(name):
    spec = one_rule(RULES[name])
    found = brian.simulate([spec], 60)[0]
    assert len(found.spikes["out"][0]) > 5
    assert not np.array_equal(found.weights[0], brian.simulate([spec], 60, learn=False)[0].weights[0])
    same = agreement(spec, 60, found)
    assert same.equal, str(same)


@pytest.mark.parametrize("rounding", ["floor", "nearest", "zero"])
def test_every_rounding_equals_the_slow_twin(rounding):
    spec = one_rule(RULES["eRBP"], rounding, gain=-2, low=-60, high=35)  # some weights start above their highest
    same = agreement(spec, 60, brian.simulate([spec], 60)[0])
    assert same.equal, str(same)
    assert same.spikes


def random_cases(first, count):
    twin = pytest.importorskip("tests.spiking_twin")
    found = []
    while len(found) < count:
        first += 1
        try:
            found.append(twin.random_case(random.Random(f"brian-{first}")))
        except NeurosimError:  # a description that is refused
            continue
    return found


def test_random_networks_equal_the_slow_twin():
    lively = 0
    for case in random_cases(0, 10):
        found = brian.simulate([case.spec], case.ticks, learn=case.learn)[0]
        same = agreement(case.spec, case.ticks, found, learn=case.learn)
        assert same.equal, str(same)
        lively += same.spikes > 0
    assert lively >= 8


def test_named_learning_rules_equal_the_kernels(capsys):
    """One network of each kind of the fuzz; `python -m tests.fuzz --brian` runs more."""
    fuzz = pytest.importorskip("tests.brian_fuzz")
    assert not fuzz.run_brian(len(fuzz.KINDS), 3)
    assert f"numpy: {len(fuzz.KINDS)} networks equal, 0 different" in capsys.readouterr().out


@pytest.mark.slow
@needs_compiler
def test_compiled_networks_equal_those_in_numpy():
    """One program with two small networks: stochastic rounding of 5 and 34 bits, quantiser, delays, blank-out, listed events."""
    several = one_rule(RULES["eRBP of a quantised error"])
    at = np.repeat(np.arange(0, 60, 3), 2)
    due = Population("due", 12, (trace("x", Leak(3), 100),), Events(at, np.arange(len(at)) * 5 % 12), refractory=4)
    many = Projection("due", "out", "g", WORD, 60, delay=(0, 3), gain=4, plasticity=RULES["many bits"], name="many")
    listed = SpikingSpec((due, neurons()), (many,), seed=5)
    slow = brian.simulate([several, listed], 60)
    assert all(len(trace.spikes["out"][0]) > 5 and len(set(trace.weights[0].tolist())) > 8 for trace in slow)
    for one, other in zip(brian.simulate([several, listed], 60, target="cpp_standalone"), slow, strict=True):
        same_trace(one, other)


def test_listed_events_are_held_and_counted_once():
    events = Events([0, 0, 2, 3, 3, 9], [1, 1, 1, 1, 0, 0])
    for more in ({}, {"refractory": 2}, {"states": (trace("x", Leak(1), 10),)}):
        spec = SpikingSpec((Population("inp", 2, spikes=events, **more), neurons()), ())
        twin = brian.twin(spec)
        twin.run(6)
        twin.run(6)
        held = [0] if "refractory" in more else [0, 2]
        expected = [(0, 1), *([(2, 1)] if 2 in held else []), (3, 0), (3, 1), (9, 0)]
        assert list(zip(*(a.tolist() for a in twin.spikes("inp")), strict=True)) == expected


def test_names_that_others_use_are_changed():
    states = [State(name, Leak(2), bias=5) for name in ("e", "int", "mV", "kernel_value", "double", "input_x", "x_pre")]
    spec = SpikingSpec(
        (Population("a_pre", 2, tuple(states), Threshold(9, "e")), Population("é", 1, (State("v"),))), ()
    )
    twin = brian.twin(spec)
    twin.run(3)
    assert twin.states("a_pre", "double").tolist() == [12, 12]
    assert "e_state : integer" in twin.code()


def test_runs_can_be_split_and_learning_switched():
    spec = one_rule(RULES["pair STDP"])
    whole, split = brian.twin(spec), brian.twin(spec, dt_ms=0.1)
    whole.run(40)
    split.run(13)
    split.run(27)
    same_trace(whole.trace, split.trace)
    before = whole.weights("forward")
    whole.run(20, learn=False)
    assert np.array_equal(whole.weights("forward"), before)


def test_given_synapses_take_the_place_of_drawn_ones():
    spec = one_rule(None)
    drawn = spec.projections[0].draw(spec.seed, 0, 12, 6)
    twin = brian.twin(spec, synapses={"forward": drawn._replace(weight=drawn.weight + 1)})
    twin.run(1)
    assert np.array_equal(twin.weights("forward"), drawn.weight + 1)


def test_a_network_that_has_learned_goes_on_in_brian2():
    spec = one_rule(RULES["eligibility"])
    network = SpikingNetwork(spec)
    network.run(60)
    learned = network.synapses("forward")._replace(weight=network.weights("forward"))
    assert (learned.weight != network.synapses("forward").weight).any()
    twin = brian.twin(spec, synapses={"forward": learned})
    twin.run(10, learn=False)
    assert np.array_equal(twin.weights("forward"), network.weights("forward"))


def test_the_listing_is_a_program_with_the_same_spikes(tmp_path):
    spec = one_rule(RULES["eligibility"])
    twin = brian.twin(spec)
    twin.run(100)
    file = twin.save(tmp_path / "model.py")
    assert twin.code().replace("twin.npz", "model.npz") == file.read_text()
    names = {"__file__": str(file)}  # run from another folder
    with brian.settings("numpy") as module:
        kept = module.defaultclock.dt
        exec(compile(file.read_text(), file, "exec"), names)
        module.defaultclock.dt = kept
    for name in ("inp", "out"):
        monitor = names[f"{name}_spikes"]
        assert len(monitor.i) == len(twin.spikes(name)[0]) > 0
    assert np.array_equal(names["forward"].w[:], twin.weights("forward"))


def test_settings_come_back_and_nothing_is_logged():
    with brian.settings("numpy") as module:
        pass
    from brian2.devices.device import get_device

    module.prefs.codegen.target = "auto"
    before = get_device()
    brian.simulate([one_rule(None)], 5)
    assert module.prefs.codegen.target == "auto"
    assert module.prefs.core.default_integer_dtype == np.int32
    assert get_device() is before
    code = (
        "import sys, logging, warnings; hook, show = sys.excepthook, warnings.showwarning\n"
        "import neurosim; assert 'brian2' not in sys.modules\n"
        "from neurosim.bridges.brian import brian2; assert 'brian2' not in sys.modules\n"
        "module = brian2(); assert module.BrianLogger.file_handler is None\n"
        "assert sys.excepthook is hook; assert warnings.showwarning is show"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_random_bits_are_those_of_the_specification():
    naive = pytest.importorskip("tests.naive_tables")
    rows, columns = np.array([0, 5, 900]), np.array([3, 0, 70000])
    for bits in (1, 8, 16, 17, 32, 33, 62):
        found = brian.random_bits(9, 17, 2, 1 << 33, rows, columns, bits)
        words = [naive.fold(naive.key(9, 17, 2, 1 << 33), int(row)) for row in rows]
        assert found.tolist() == [naive.uniform(w, int(c), bits) for w, c in zip(words, columns, strict=True)]
        assert brian.random_bits(9, 17, 2, 1 << 33, rows, -1, bits).tolist() == [w >> (64 - bits) for w in words]


def test_in_real_numbers():
    for name in ("pair STDP", "eRBP of a quantised error", "eligibility"):
        spec = one_rule(RULES[name])
        found, expected = brian.simulate([spec], 60, real=True)[0], reference(spec, 60, real=True)
        assert np.array_equal(found.spikes["out"][0], expected.spikes["out"][0])
        assert np.allclose(found.weights[0], expected.weights[0])
        assert np.allclose(found.states["out", "v"], expected.states["out", "v"])


def test_drift_and_narrow_words():
    spec = one_rule(RULES["pair STDP"])
    report = brian.drift(spec, 200, bits=(16, 8, 6, 4))
    assert [row[0] for row in report.rows] == ["as described", "6-bit weights", "4-bit weights"]
    assert all(0 <= row[2] <= 1 and row[4] >= 0 for row in report.rows)
    assert "coincide" in str(report)
    narrow = brian.narrowed(spec, 5).projections[0]
    assert (narrow.weight.bits, narrow.gain, narrow.plasticity.on_pre.shift) == (5, 3, 6)
    one = (np.array([3]), np.array([0]))
    nothing = (np.zeros(0, int), np.zeros(0, int))
    assert brian.van_rossum(one, nothing, 1, 50, 7.0) == pytest.approx(1)
    assert brian.van_rossum(one, one, 1, 50, 7.0) == 0


def test_differences_are_named():
    spec = one_rule(RULES["pair STDP"])
    found = brian.simulate([spec], 40)[0]
    ticks, who = found.spikes["out"]
    other = brian.Trace(found.spikes | {"out": (ticks[1:], who[1:])}, found.states, found.weights, {})
    first = brian.first_difference(spec, 40, found, other)
    assert str(first) == f"first difference at tick {ticks[0]}: neuron {who[0]} of out spikes here alone"
    moved = [found.weights[0] + (np.arange(len(found.weights[0])) == 7), found.weights[1]]
    first = brian.first_difference(spec, 40, found, brian.Trace(found.spikes, found.states, moved, {}))
    assert first.place == ("weight of projection forward", 7)
    assert first.brian == first.here + 1
    assert "[7]" in str(first)


def test_compare_with_the_network():
    pytest.importorskip("neurosim.spiking.network")
    found = brian.compare(one_rule(RULES["eligibility"]), 60)
    assert found.equal, str(found)


def test_what_cannot_be_said_is_refused():
    with pytest.raises(NeurosimError, match="target='opencl': must be one of numpy, cython, cpp_standalone"):
        brian.twin(one_rule(None), target="opencl")
    far = erbp("e", "v", -300, 900, shift=5, channel=Quantiser(4, alpha=1e10))
    with pytest.raises(NeurosimError, match=r"projection forward: error\.alpha"):
        brian.twin(one_rule(far))
    with pytest.raises(NeurosimError, match="nothing is known before"):
        brian.twin(one_rule(None), target="cpp_standalone").spikes("inp")
    with pytest.raises(NeurosimError, match="Brian2 has no different names"):
        brian.twin(SpikingSpec((Population("a", 1, (State("e"), State("e_state"))),)))
    with pytest.raises(NeurosimError, match="has no eligibility"):
        brian.twin(one_rule(None)).tags("forward")
