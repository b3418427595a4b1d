"""A run in slices, each priced; the figures of spiking runs; the public names."""

import subprocess
import sys

import numpy as np
import pytest

import neurosim
from neurosim.costs import load, names, price, price_each
from neurosim.costs.cost import COMPONENTS
from neurosim.errors import NeurosimError
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Poisson, Population, Regular, lif
from neurosim.spiking.projection import Projection
from neurosim.spiking.spec import SpikingSpec
from neurosim.studies import spike_figures
from neurosim.studies.spike_energy import run_in_slices

MODELS = {name: load(name) for name in ("digital_28nm", "digital_45nm")}
SPIKING = "SpikingNetwork SpikingSpec Population State Leak Flow Threshold Poisson Regular Events Projection Connect Pairs Plasticity Term Gate Kernel Eligibility Erbp"


def network():
    return SpikingNetwork(Erbp(16, (12,), 4, threshold=200, reach=(60, 60), source=Poisson(4000)).network())


def busy(parts):
    return sum(v.sum() for name, v in parts.items() if name not in ("clock", "static"))


def test_slices_are_the_run():
    net, whole = network(), network()
    run = run_in_slices(net, 95, 20, MODELS)
    spikes = whole.run(95)
    assert run.ticks.tolist() == [0, 20, 40, 60, 80, 95]
    for name in spikes.by_name:
        for mine, its in zip(run.spikes[name], spikes[name], strict=True):
            assert np.array_equal(mine, its)
    assert run.synaptic_events.sum() == whole.counts().total("synaptic_event")
    for name, model in MODELS.items():
        cost = price(whole.counts(), None, whole.layout(), model)
        parts = {k: np.array([b.nominal]) for k, b in cost.energy_by_component.items()}
        assert busy(run.by_component(name)) == pytest.approx(busy(parts), rel=1e-12)
        assert run.energy_pj(name).shape == run.latency_ns(name).shape == (5, 3)
        # Not equal: another unit can be the busiest in the next slice (longer), and in a slice with fewer packets than ticks they travel
        # less often than the mean tick of the whole run says (shorter).
        assert run.latency_ns(name)[:, 1].sum() == pytest.approx(cost.latency_ns_per_sample, rel=0.05)
        assert sum(run.by_component(name).values()) == pytest.approx(run.energy_pj(name)[:, 1], rel=1e-12)
        of_events = [p for p in cost.energy if p.layer < run.projections and p.component not in ("clock", "static")]
        assert sum(v.sum() for v in run.by_projection(name).values()) == pytest.approx(
            sum(p.nominal for p in of_events)
        )


def test_slices_go_on_where_a_run_was_and_can_leave_learning_out():
    net = network()
    net.run(30)
    before = net.counts().to_dict()
    run = run_in_slices(net, 20, 10, MODELS, learn=False)
    assert run.ticks.tolist() == [30, 40, 50]
    assert net.counts().to_dict() == before
    assert {p.phase for cost in run.costs["digital_28nm"] for p in cost.energy} == {"forward"}


@pytest.mark.parametrize(
    ("given", "says"), [((0, 5, MODELS), "ticks=0"), ((5, 0, MODELS), "every=0"), ((5, 5, {}), "models")]
)
def test_what_slices_refuse(given, says):
    with pytest.raises(NeurosimError, match=says):
        run_in_slices(network(), *given)


def test_figures_are_drawn_twice_alike(tmp_path):
    net = network()
    run = run_in_slices(net, 60, 10, MODELS)
    sizes = {p.name: p.n for p in net.spec.populations}
    drawn = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        spike_figures.raster(run.spikes, folder / "raster", "r", sizes=sizes, tick_ms=1.0, shown=6)
        spike_figures.rates(run.spikes, folder / "rates", "r", sizes=sizes, end=60, every=7)
        spike_figures.weights(net, folder / "weights", "w")
        spike_figures.energy(run, folder / "energy", "e")
        spike_figures.energy_of_events(run, folder / "events", "e", tick_ms=0.1)
        drawn.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert len(drawn[0]) == 10
    assert drawn[0] == drawn[1]
    assert all(len(content) > 5000 for content in drawn[0].values())


def test_figures_of_silence(tmp_path):
    net = SpikingNetwork(Erbp(4, (3,), 2).network())
    spikes = net.run(0)
    sizes = {p.name: p.n for p in net.spec.populations}
    spike_figures.raster(spikes, tmp_path / "raster", "r", sizes=sizes)
    spike_figures.rates(spikes, tmp_path / "rates", "r", sizes=sizes, end=10, every=3)


def test_energy_is_drawn_of_every_model(tmp_path):
    net, models = network(), {name: load(name) for name in names()}
    net.run(20)
    _, refused = price_each(net.counts(), None, net.layout(), models)
    taken = {name: model for name, model in models.items() if name not in refused}
    assert {"digital_45nm", "loihi_davies"} <= set(taken)
    run = run_in_slices(net, 20, 10, taken)
    spike_figures.energy(run, str(tmp_path / "energy"), "e")  # a path may be text
    assert (tmp_path / "energy.png").stat().st_size > 5000


def test_every_component_has_a_colour_of_its_own():
    colours = spike_figures._COMPONENT_COLOURS
    assert set(colours) == set(COMPONENTS)
    assert len(set(colours.values())) == len(colours)


def test_what_figures_refuse(tmp_path):
    still = SpikingNetwork(
        SpikingSpec((Population("a", 3, (), Regular(2)), lif("b", 2, threshold=9, leak=None)), (Projection("a", "b"),))
    )
    still.run(10)
    spikes = still.run(10)
    for says, make in (
        (r"sizes=\{\}: must be neurons by population, of a, b", lambda: spike_figures.raster(spikes, tmp_path / "r", "r", sizes={})),
        (r"sizes: population='c': must be one of a, b", lambda: spike_figures.raster(spikes, tmp_path / "r", "r", sizes={"c": 3})),
        (r"sizes: neurons of a=0", lambda: spike_figures.rates(spikes, tmp_path / "r", "r", sizes={"a": 0}, end=20, every=5)),
        (r"end=0: must be a whole number 1", lambda: spike_figures.rates(spikes, tmp_path / "r", "r", sizes={"a": 3}, end=0, every=5)),
        (r"every=0", lambda: spike_figures.rates(spikes, tmp_path / "r", "r", sizes={"a": 3}, end=20, every=0)),
        (r"spikes of a at ticks 10\.\.18: must be 0\.\.9", lambda: spike_figures.rates(spikes, tmp_path / "r", "r", sizes={"a": 3}, end=10, every=5)),
        (r"none of the network learns; name some of a->b", lambda: spike_figures.weights(still, tmp_path / "w", "w")),
    ):  # fmt: skip
        with pytest.raises(NeurosimError, match=says):
            make()
    assert not list(tmp_path.iterdir())
    spike_figures.rates(spikes, tmp_path / "rates", "r", sizes={"a": 3}, start=10, end=20, every=5)
    spike_figures.weights(still, tmp_path / "weights", "w", projections=("a->b",))


def test_public_names_are_loaded_when_they_are_used():
    code = f"import sys, neurosim\nassert not [m for m in sys.modules if m.startswith('neurosim.spiking') or m == 'numba']\nfor n in {SPIKING!r}.split(): getattr(neurosim, n)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(SPIKING.split()) <= set(neurosim.__all__)
