"""Weights of users' Brian2 networks in words of few bits."""

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from tests.brian_objects import group, space, synapses

brian = pytest.importorskip("neurosim.bridges.brian")


@pytest.fixture
def b2():
    """Brian2 in NumPy, its preferences put back."""
    with brian.settings("numpy") as module:
        module.start_scope()
        yield module


def lively(b2, plastic):
    b2.seed(3)
    src = b2.PoissonGroup(30, 60 * b2.Hz, name="src")
    cells = b2.NeuronGroup(
        20, "dv/dt = (g - v)/taum : volt\ndg/dt = -g/taug : volt", threshold="v > 10*mV", reset="v = 0*mV", refractory=2 * b2.ms,
        method="euler", name="cells", namespace=space(b2),
    )  # fmt: skip
    rule = {"on_pre": "g += w\nw = clip(w - 0.1*mV, 0*mV, 20*mV)", "on_post": "w = clip(w + 0.3*mV, 0*mV, 20*mV)"}
    syn = b2.Synapses(src, cells, "w : volt", name="syn", **(rule if plastic else {"on_pre": "g += w"}))
    syn.connect(p=0.5)
    syn.w = "rand()*12*mV"
    return b2.Network(src, cells, syn), syn


@pytest.mark.parametrize("plastic", [False, True])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_quantised_weights_stay_words(b2, plastic, rounding):
    net, syn = lively(b2, plastic)
    first, code = np.array(syn.w[:]), syn.pre.code
    with brian.quantise(syn, 5, scale=20e-3, rounding=rounding) as words:
        step = words.steps["syn.w"]
        assert step == 20e-3 / 15
        start = np.array(syn.w[:])
        assert np.abs(start - first).max() <= step * (0.5 + 1e-9 if rounding == "nearest" else 1)
        net.run(60 * b2.ms)
        after = np.array(syn.w[:])
        assert np.allclose(after / step, np.rint(after / step), atol=1e-9)
        # Steps of 0.1 and 0.3 mV are below half an LSB of 1.3 mV: to the nearest, nothing ever changes.
        assert np.array_equal(start, after) == (not plastic or rounding == "nearest")
    assert np.array_equal(syn.w[:], first)
    assert syn.pre.code == code
    assert "_neurosim_lsb_w" not in syn.variables


def test_the_same_start_with_fewer_bits(b2):
    net, syn = lively(b2, plastic=False)
    net.run(5 * b2.ms)
    start = np.array(syn.w[:])
    found = brian.compare_bits(net, 150 * b2.ms, (16, 6, 3))
    again = brian.compare_bits(net, 150 * b2.ms, (16, 6, 3))
    assert str(found) == str(again)
    assert float(net.t / b2.ms) == pytest.approx(5)
    assert np.array_equal(syn.w[:], start)
    rows = found.groups["cells"].rows
    assert [row[0] for row in rows] == ["16 bits", "6 bits", "3 bits"]
    assert rows[0][2] > 0.99 >= rows[2][2]
    assert rows[0][4] < rows[1][4] < rows[2][4]
    assert found.groups["cells"].spikes > 100
    assert not [one for one in net["cells"].contained_objects if "compared" in one.name]


def test_what_cannot_be_rounded(b2):
    cells = group(b2)
    for things, message, more in (
        (synapses(b2, "", "v_post += 0.2", cells), "syn: the weight is no variable of the synapses", {}),
        (synapses(b2, "w : integer", cells=cells), r"syn\.w: is of whole numbers already", {}),
        (synapses(b2, cells=cells), r"syn\.w: all are 0: say what the largest word stands for, scale=\{'syn'", {}),
        (
            synapses(b2, "dw/dt = -w/second : 1 (clock-driven)", cells=cells),
            "changes in every time step by its equation",
            {},
        ),
        (synapses(b2, cells=cells), "bits of syn=1: must be", {"bits": 1}),
        (synapses(b2, cells=cells), "bits: 'other': must be one of syn", {"bits": {"other": 4}}),
        (synapses(b2, cells=cells), "rounding='up'", {"rounding": "up"}),
        ([cells], "has no Synapses", {}),
    ):
        with pytest.raises(NeurosimError, match=message):
            brian.quantise(things, **more)
    with pytest.raises(NeurosimError, match="it must be a Network"):
        brian.compare_bits([cells], 1 * b2.ms)


def test_what_cannot_be_counted_can_be_quantised(b2):
    """Gap junctions beside synapses with a weight: no chip of ours sums over synapses in every step."""
    b2.seed(3)
    src = b2.PoissonGroup(20, 80 * b2.Hz, name="src")
    cells = b2.NeuronGroup(
        10, "dv/dt = (gap - v)/(5*ms) : 1\ngap : 1", threshold="v > 1", reset="v = 0", method="euler", name="cells"
    )
    syn = b2.Synapses(src, cells, "w : 1", on_pre="v_post += w", name="syn")
    syn.connect()
    syn.w = "rand()"
    gaps = b2.Synapses(cells, cells, "gap_post = 0.1*(v_pre - v_post) : 1 (summed)", name="gaps")
    gaps.connect("i != j")
    net = b2.Network(src, cells, syn, gaps)
    with pytest.raises(NeurosimError, match="Synapses gaps: its variable gap_post, summed"):
        brian.watch(net)
    with brian.quantise(net, 3) as words:
        assert (words.left, list(words.steps)) == (("gaps",), ["syn.w"])
        assert len(np.unique(syn.w[:])) <= 4
    compared = brian.compare_bits(net, 30 * b2.ms, bits=(8,))
    assert compared.groups["cells"].spikes > 0
