"""Loihi's neurons and synapses: a count by hand, the chip's ranges, the kernels, and an emulator of the chip spike for spike."""

import importlib
import random
import warnings

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.spiking.loihi import SIGNS, loihi_neurons, loihi_synapses
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Population
from neurosim.spiking.projection import Pairs
from neurosim.spiking.spec import SpikingSpec
from tests.spiking_twin import Case, compare


def a_source(ticks, neurons, n=1):
    return Population("inp", n, spikes=Events(ticks, neurons))


def by_tick(spec, ticks, *states):
    net, found = SpikingNetwork(spec), []
    for _ in range(ticks):
        net.run(1)
        found.append(tuple(int(net.state("cells", name)[0]) for name in states))
    return found


def test_a_count_by_hand():
    """A weight of 10 * 64 arrives in tick 1; u loses a quarter a tick, v a sixteenth, both rounded away from zero."""
    cells = loihi_neurons("cells", 1, threshold=20, decay_v=256, decay_u=1024, refractory=2)
    spec = SpikingSpec((a_source([0], [0]), cells), (loihi_synapses("inp", "cells", 10),))
    found = by_tick(spec, 7, "u", "v")
    # v = 640; 640 - 40 + 480; 1080 - 68 (67.5 away from zero) + 360 = 1372 is above 1280: a spike; held in one tick; then u alone.
    assert found == [(0, 0), (640, 640), (480, 1080), (360, 0), (270, 0), (202, 202), (151, 340)]
    assert SpikingNetwork(spec).run(7)["cells"][0].tolist() == [3]


@pytest.mark.parametrize(
    ("mantissa", "more", "arrives"),
    [
        (7, {}, 6 * 64),  # 8 bits with a sign hold even mantissas
        (-7, {}, -6 * 64),
        (7, {"sign": "excitatory"}, 7 * 64),
        (7, {"sign": "excitatory", "exponent": -2}, 64),  # floor(7 / 4)
        (-7, {"sign": "inhibitory", "exponent": -2}, -2 * 64),
        (-6, {"exponent": -1, "bits": 8}, -3 * 64),
        (100, {"bits": 4}, 96 * 64),  # multiples of 32
        (254, {"exponent": 7}, 254 << 13),
        (192, {"sign": "excitatory", "bits": 1, "exponent": 7}, 128 << 13),  # beyond the largest gain
    ],
)
def test_what_a_weight_adds(mantissa, more, arrives):
    spec = SpikingSpec(
        (a_source([0], [0]), loihi_neurons("cells", 1, threshold=131071)),
        (loihi_synapses("inp", "cells", mantissa, **more),),
    )
    assert by_tick(spec, 2, "u")[1] == (arrives,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: loihi_neurons("a", 1, threshold=1 << 17),
            r"population a: threshold=131072: must be a whole number 0\.\.131071",
        ),
        (
            lambda: loihi_neurons("a", 1, threshold=1, decay_u=4097),
            r"population a: decay_u=4097: must be a whole number 0\.\.4096",
        ),
        (
            lambda: loihi_neurons("a", 1, threshold=1, refractory=0),
            r"population a: refractory=0: must be a whole number 1\.\.64",
        ),
        (lambda: loihi_synapses("a", "b", 255), r"projection a->b: mantissa=255: must be whole numbers -256\.\.254"),
        (
            lambda: loihi_synapses("a", "b", 1, exponent=8),
            r"projection a->b: exponent=8: must be a whole number -8\.\.7",
        ),
        (lambda: loihi_synapses("a", "b", 1, sign="both"), "sign='both': must be one of mixed, excitatory, inhibitory"),
        (lambda: loihi_synapses("a", "b", 1, delay=63), r"delay=63: must be whole numbers 0\.\.62"),
        (lambda: loihi_synapses("a", "b", -256, exponent=7), "mantissa=-256: with exponent=7"),
    ],
)
def test_parameters_of_no_chip_are_refused(make, message):
    with pytest.raises(NeurosimError, match=message):
        make()


# ---------------------------------------------------------------- random networks


def synapse_settings(r, n_source, n_target):
    """Parameters of one group of synapses: pairs, mantissas and the rest by the names of `loihi_synapses`."""
    pairs = [(i, j) for i in range(n_source) for j in range(n_target) if r.random() < 0.7] or [(0, 0)]
    sign = r.choice(tuple(SIGNS))
    low, high = SIGNS[sign]
    exponent = r.randint(-8, 7)
    most = max(1, 254 >> max(0, exponent - 2))  # seldom so large that a state would leave its word
    mantissas = [r.randint(max(low, -most), min(high, most)) for _ in pairs]
    bits = r.randint(2 if sign == "mixed" else 1, 8) if r.random() < 0.4 else 8
    return (
        pairs,
        mantissas,
        {"exponent": exponent, "sign": sign, "bits": bits, "delay": r.choice((0, 0, 1, r.randint(2, 62)))},
    )


def random_settings(r):
    """Two populations of neurons, what drives them, and how they are joined, as plain numbers."""
    ticks, n_in, sizes = 120, r.randint(1, 4), (r.randint(1, 6), r.randint(1, 6))
    events = sorted((t, i) for t in range(ticks) for i in range(n_in) if r.random() < 0.3)

    def decay():
        return r.choice((0, 4096, r.randint(1, 4095), r.randint(1, 200)))

    cells = [
        {"threshold": r.choice((0, r.randint(1, 300), r.randint(1, 131071))), "decay_v": decay(), "decay_u": r.choice((4096, r.randint(30, 4096))), "refractory": r.randint(1, 9)}
        for _ in sizes
    ]  # fmt: skip
    ends = [("inp", "a"), ("a", "b"), ("b", "a"), ("a", "a"), ("inp", "b")][: r.randint(1, 5)]
    n = {"inp": n_in, "a": sizes[0], "b": sizes[1]}
    return ticks, events, n, cells, [(one, other, *synapse_settings(r, n[one], n[other])) for one, other in ends]


def described(case):
    _, events, n, cells, joined = case
    populations = [
        a_source([t for t, _ in events], [i for _, i in events], n["inp"]),
        *(loihi_neurons(name, n[name], **more) for name, more in zip("ab", cells, strict=True)),
    ]
    projections = [
        loihi_synapses(
            one, other, mantissas, connect=Pairs(*(list(x) for x in zip(*pairs, strict=True))), name=f"s{k}", **more
        )
        for k, (one, other, pairs, mantissas, more) in enumerate(joined)
    ]
    return SpikingSpec(tuple(populations), tuple(projections))


def cases(count, seed=0):
    found, number = [], 0
    while len(found) < count:
        number += 1
        case = random_settings(random.Random(f"loihi-{seed}-{number}"))
        try:
            found.append((case, described(case)))
        except NeurosimError:  # -256 with the largest exponent
            continue
    return found


def test_the_kernels_equal_the_slow_twin():
    for case, spec in cases(4):
        assert compare(Case(spec, case[0], True), SpikingNetwork) > 100


def emulated(emulator, case):
    """Spikes of both populations in the emulator: (ticks, neurons) each, and the largest magnitude of any state."""
    ticks, events, n, cells, joined = case
    at = (
        np.array([t for t, _ in events], int) + 1
    )  # what the generator sends acts in the same tick, a source's spike in the next
    groups = {"inp": emulator.LoihiSpikeGeneratorGroup(n["inp"], [i for _, i in events], at)}
    for name, more in zip("ab", cells, strict=True):
        groups[name] = emulator.LoihiNeuronGroup(
            n[name], more["refractory"], more["threshold"], more["decay_v"], more["decay_u"]
        )
    synapses = []
    for one, other, pairs, mantissas, more in joined:
        sign = 1 + tuple(SIGNS).index(more["sign"])
        synapses.append(
            emulator.LoihiSynapses(groups[one], groups[other], more["delay"], w_exp=more["exponent"], sign_mode=sign, num_weight_bits=more["bits"])
        )  # fmt: skip
        synapses[-1].connect(i=[i for i, _ in pairs], j=[j for _, j in pairs])
        synapses[-1].w = mantissas
    spikes = [emulator.LoihiSpikeMonitor(groups[name]) for name in "ab"]
    states = [emulator.LoihiStateMonitor(groups[name], ("v", "I")) for name in "ab"]
    emulator.LoihiNetwork(*groups.values(), *synapses, *spikes, *states).run(ticks)
    largest = max(float(np.abs(values).max(initial=0)) for one in states for values in (one.v, one.I))
    found = [sorted(zip(np.rint(one.t_ * 1000).astype(int).tolist(), one.i[:].tolist(), strict=True)) for one in spikes]
    return found, largest


@pytest.mark.slow
def test_spikes_equal_those_of_an_emulator_of_the_chip():
    """brian2-loihi, where it is installed: random parameters of neurons and synapses, loops and delays among them."""
    brian = pytest.importorskip("neurosim.bridges.brian")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if importlib.util.find_spec("brian2_loihi") is None:
            pytest.skip("brian2-loihi is not installed (pip install brian2-loihi==0.5.2)")
        with brian.settings("numpy") as module:
            kept, module.prefs.core.default_integer_dtype = module.defaultclock.dt, np.int32
            try:
                equal = spikes = 0
                emulator = importlib.import_module("brian2_loihi")
                for case, spec in cases(40):
                    expected, largest = emulated(emulator, case)
                    if largest >= (1 << 23) - 1:  # the emulator has no words
                        continue
                    raster = SpikingNetwork(spec).run(case[0])
                    for name, pairs in zip("ab", expected, strict=True):
                        assert sorted(zip(*(x.tolist() for x in raster[name]), strict=True)) == pairs, (name, case)
                        spikes += len(pairs)
                    equal += 1
            finally:
                module.defaultclock.dt = kept
    assert equal >= 20
    assert spikes > 1000
