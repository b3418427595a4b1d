"""Small Brian2 networks for tests of the bridge from Brian2, and one of this package's own. b2: the module brian2."""

from neurosim.formats import Fixed
from neurosim.spiking.neurons import Leak, Poisson, Population, State, lif, trace
from neurosim.spiking.plasticity import pair_stdp
from neurosim.spiking.projection import Connect, Projection
from neurosim.spiking.spec import SpikingSpec


def space(b2):
    return {"taum": 10 * b2.ms, "taug": 5 * b2.ms}


def clock_and_cells(b2, times=(0, 1, 1, 2), sources=(0, 1, 2, 0), **more):
    """Three sources with listed spikes (ms), onto four cells that never spike unless driven; fan-outs 4, 2 and 0."""
    src = b2.SpikeGeneratorGroup(3, list(sources), list(times) * b2.ms, name="src")
    cells = b2.NeuronGroup(
        4, "dv/dt = -v/taum : 1", threshold="v > 9", reset="v = 0", method="euler", name="cells", namespace=space(b2)
    )
    syn = b2.Synapses(src, cells, "w : 1", on_pre="v_post += w", name="syn", **more)
    syn.connect(i=[0, 0, 0, 0, 1, 1], j=[0, 1, 2, 3, 0, 2])
    syn.w = 0.5
    return src, cells, syn


def group(b2, model="v : 1", name="cells", **more):
    return b2.NeuronGroup(2, model, **{"threshold": "v > 1", "reset": "v = 0", "name": name, **more})


def synapses(b2, model="w : 1", on_pre="v_post += w", cells=None, **more):
    cells = group(b2) if cells is None else cells
    made = b2.Synapses(cells, cells, model, on_pre=on_pre, name="syn", **more)
    made.connect()
    return [cells, made]


def two_clocks(b2):
    return [group(b2), group(b2, name="slow", dt=1 * b2.ms)]


def summed(b2):
    cells = group(b2, "v : 1\ns : 1")
    return synapses(b2, "w : 1\ns_post = w : 1 (summed)", cells=cells)


def cable(b2):
    kinds = {"morphology": b2.Soma(diameter=30 * b2.um), "model": "Im = 0*amp/meter**2 : amp/meter**2", "name": "cable"}
    return [b2.SpatialNeuron(Cm=1 * b2.uF / b2.cm**2, Ri=100 * b2.ohm * b2.cm, **kinds)]


def onto_synapses(b2):
    cells, syn = synapses(b2)
    return [cells, syn, b2.Synapses(cells, syn, on_pre="w_post += 0.1", name="onto")]


def inactive(b2):
    cells = group(b2)
    cells.thresholder["spike"].active = False
    return [cells]


def spiking_pair():
    states = (trace("y", Leak(3), 80), State("e", Leak(4), noise=90))
    source = Population("inp", 12, (trace("x", Leak(3), 100),), Poisson(9000))
    cells = lif("out", 6, threshold=90, leak=Leak(4), current=Leak(2), refractory=2, traces=states)
    word = Fixed(8, 0, rounding="stochastic")
    forward = Projection(
        "inp", "out", "g", word, (10, 50), delay=(0, 4), plasticity=pair_stdp("x", "y", 2, 3), name="forward"
    )
    back = Projection(
        "out", "out", "v", word, -9, Connect("random", probability=0.5, itself=False), delay=1, name="back"
    )
    return SpikingSpec((source, cells), (forward, back), seed=11)
