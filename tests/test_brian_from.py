"""Users' own Brian2 networks: counts by hand, against this package's networks, refusals."""

import shutil

import numpy as np
import pytest

from neurosim.bridges.brian_arithmetic import NUMBER, Reader, Value, Work
from neurosim.costs import names
from neurosim.errors import NeurosimError
from neurosim.spiking.network import SpikingNetwork
from tests.brian_objects import (
    cable,
    clock_and_cells,
    group,
    inactive,
    onto_synapses,
    space,
    spiking_pair,
    summed,
    synapses,
    two_clocks,
)

brian = pytest.importorskip("neurosim.bridges.brian")


@pytest.fixture
def b2():
    """Brian2 in NumPy, its preferences put back."""
    with brian.settings("numpy") as module:
        module.start_scope()
        yield module


def test_counts_by_hand(b2):
    net = b2.Network(*clock_and_cells(b2))
    watch = brian.watch(net)
    net.run(5 * b2.ms)
    # Spikes 0, 1, 2, 0: neuron 2 has no synapse. 4 + 2 + 0 + 4 events; 50 steps of 4 cells.
    assert watch.counted().tallies == {
        "syn": {"arrivals": 3, "events": 10, "evaluated_pre": 0, "evaluated_post": 0},
        "cells": {"ticks": 50, "spikes": 0},
        "src": {"ticks": 50, "spikes": 4},
    }
    counts = watch.counts
    assert watch.names == ("syn", "cells", "src")
    assert counts.samples == 1
    assert counts.ticks == 50
    assert counts.total("event") == 3
    assert counts.total("synaptic_event") == 10
    assert counts.total("read", memory="weight") == 10
    # What is added to v is summed in an accumulator: by 10 events, and taken in 200 steps.
    assert counts.total("read", memory="accumulator") == counts.total("write", memory="accumulator") == 210
    assert counts.total("read", memory="target") == 10 + 2 * 3
    assert counts.total("multiply", layer=1) == counts.total("neuron_update", layer=1) == 200
    assert counts.total("compare", layer=1) == 200
    assert counts.total("read", memory="state") == counts.total("write", memory="state") == 200
    assert counts.total("add") == 10 + 200 + 200
    assert counts.events[0].tolist() == [2, 1, 0]
    layout = watch.layout
    assert layout.neurons == (0, 4, 0)
    assert layout.fan_in == (2, 0, 0)
    assert layout.bits("weight") == 6 * 8
    assert layout.bits("target") == 6 * 2 + 4 * 3  # addresses of four cells; four row starts of three bits
    assert layout.bits("accumulator") == layout.bits("state") == 4 * 16
    assert layout.places == (1, 1, 2)


def test_every_model_has_a_row(b2):
    net = b2.Network(*clock_and_cells(b2))
    watch = brian.watch(net)
    net.run(5 * b2.ms)
    header, *rows = watch.table(*names()).splitlines()
    assert header.split()[0] == "energy,"
    assert sorted(row.split()[0] for row in rows if not row.startswith(" ")) == names()
    # Only a model of one network alone refuses so small a one, and says so in its row.
    refusals = {row.split()[0]: row for row in rows if "alone" in row}
    assert sorted(refusals) == ["park2019", "spoon"]
    assert refusals["spoon"].startswith("spoon               network ")
    with pytest.raises(NeurosimError, match=r"the numbers of 'spoon' are of one network alone"):
        watch.price("spoon")


def test_words_are_the_users(b2):
    net = b2.Network(*clock_and_cells(b2))
    watch = brian.watch(net, bits={"syn.w": 4, "cells.v": 12, "number": 6})
    net.run(1 * b2.ms)
    assert watch.layout.bits("weight") == 6 * 4
    assert {(op.bits, op.by) for op in watch.counts.ops if op.action == "multiply"} == {(12, 6)}
    assert "4" not in watch.notes[0]
    assert brian.watch(net, bits=3).layout.bits("weight") == 6 * 3
    with pytest.raises(
        NeurosimError, match=r"bits: 'syn.q': must be weight, state, synaptic, number, or OBJECT.VARIABLE"
    ):
        brian.watch(net, bits={"syn.q": 3})


def test_delays_and_what_is_still_on_its_way(b2):
    """Delays of 1, 2, 3 and 100 ms in one row, and 1 ms in another: three arrivals for each spike of neuron 0 within the run."""
    src, cells, syn = clock_and_cells(b2)
    syn.delay = np.array([1, 2, 3, 100, 1, 1]) * b2.ms
    net = b2.Network(src, cells, syn)
    watch = brian.watch(net)
    net.run(4 * b2.ms)  # neuron 0 spikes at 0 and 2 ms, neuron 1 at 1 ms
    row = watch.counted().tallies["syn"]
    assert row == {"arrivals": 3 + 1 + 1, "events": 3 + 2 + 1, "evaluated_pre": 0, "evaluated_post": 0}
    net.run(200 * b2.ms)
    assert watch.counted().tallies["syn"] == row | {"arrivals": 4 + 1 + 4, "events": 4 + 2 + 4}
    assert watch.counts.total("read", memory="spike") == 9
    assert watch.counts.total("write", memory="spike") == 3
    # A watch from here on sees nothing more; one that begins while spikes wait counts those that arrive.
    late = brian.watch(net)
    net.run(1 * b2.ms)
    assert late.counted().tallies["syn"]["events"] == 0


def test_recorded_spikes_tell_the_same_as_the_queue(b2):
    src, cells, syn = clock_and_cells(b2)
    syn.delay = np.array([1, 2, 3, 100, 1, 1]) * b2.ms
    net = b2.Network(src, cells, syn)
    watch, spikes = brian.watch(net), b2.SpikeMonitor(src)
    net.add(spikes)
    from neurosim.bridges.brian_network import Rows, queued

    for _ in range(6):
        net.run(0.7 * b2.ms)
        rows, steps = Rows(syn.pre, 3), np.rint(np.asarray(spikes.t_) / 1e-4).astype(int)
        end = watch._steps(1e-4)
        assert rows.late(np.array(spikes.i[:]), steps, end) == rows.waiting(*queued(syn.pre))


def test_a_watch_begins_when_it_is_made(b2):
    src, cells, syn = clock_and_cells(b2)
    syn.delay = 1 * b2.ms
    net = b2.Network(src, cells, syn)
    net.run(1.5 * b2.ms)  # the first spike has arrived, the one of 1 ms waits
    watch = brian.watch(net)
    net.run(2 * b2.ms)
    assert watch.counted().tallies["syn"]["events"] == 2 + 4
    assert watch.counts.ticks == 20


def test_store_and_restore_take_counts_back(b2):
    net = b2.Network(*clock_and_cells(b2))
    watch = brian.watch(net)
    net.store()
    net.run(5 * b2.ms)
    first = watch.counts
    net.restore()
    assert not watch.counts.ops
    net.run(5 * b2.ms)
    assert watch.counts.ops == first.ops
    watch.close()
    assert not [one for one in net["cells"].contained_objects if "watched" in one.name]


def test_plastic_updates_by_hand(b2):
    src = b2.SpikeGeneratorGroup(2, [0, 1, 0], [0, 1, 3] * b2.ms, name="src")
    out = b2.SpikeGeneratorGroup(3, [0, 1, 1], [2, 2, 4] * b2.ms, name="out")
    cells = b2.NeuronGroup(3, "v : 1\ny : 1", threshold="v > 0.5", reset="v = 0", name="cells")
    drive = b2.Synapses(out, cells, on_pre="v_post = 1", name="drive")
    drive.connect(j="i")
    stdp = b2.Synapses(
        src, cells, "w : 1\ndx/dt = -x/(10*ms) : 1 (event-driven)",
        on_pre={"pre": "y_post += w", "learn": "x += 1\nw = clip(w - 0.1*y_post, 0, 1)"}, on_post="w = clip(w + 0.1*x, 0, 1)", name="stdp",
    )  # fmt: skip
    stdp.connect()
    net = b2.Network(src, out, cells, drive, stdp)
    watch = brian.watch(net)
    net.run(6 * b2.ms)
    # 3 spikes x 3 synapses, met by both pathways; 3 spikes of cells x 2 synapses.
    # y is 0, so what arrives changes nothing; x is not, where a cell spikes.
    row = {"arrivals": 6, "events": 18, "evaluated_pre": 9, "evaluated_post": 6, "changed": 6}
    assert watch.counted().tallies["stdp"] == row
    counts, layer = watch.counts, watch.names.index("stdp")
    assert counts.total("event", layer=layer) == 3
    assert counts.total("synaptic_event", layer=layer) == 9
    assert counts.total("update_attempted") == 9 + 6
    assert counts.total("weight_changed") == counts.total("write", memory="weight") == 6
    assert counts.total("read", memory="weight_column") == 6
    assert counts.total("lut") == 9 + 9 + 6  # x decays wherever its synapse is met
    assert counts.total("read", phase="forward", memory="weight") == 9
    assert counts.total("read", layer=layer, phase="update", memory="accumulator") == 9
    assert counts.steps == counts.ticks == 60
    drives = watch.names.index("drive")
    assert counts.total("read", layer=drives, memory="target") == 0  # each with its own: no addresses
    assert watch.layout.bits("weight") == 6 * 8
    assert watch.price("digital_45nm").energy_by_phase["update"].nominal > 0


def test_this_packages_networks_count_the_same_through_this_door():
    spec, ticks = spiking_pair(), 80
    mine = SpikingNetwork(spec)
    mine.run(ticks)
    twin = brian.twin(spec)
    watch = brian.watch(twin.network)
    twin.run(ticks)
    found, expected = watch.counted(), mine.counters()
    for name, row in zip(("forward", "back"), expected["projections"], strict=True):
        assert {key: row[key] for key in found.tallies[name]} == found.tallies[name], name
        assert row["arrivals"] > 50
    assert expected["projections"][0]["evaluated_post"] > 20
    assert found.tallies["forward"]["changed"] > 50
    for name, row in zip(("inp", "out"), expected["populations"], strict=True):
        assert found.tallies[name] == {"ticks": ticks, "spikes": int(row["spikes"].sum())}
    counts, layers = mine.counts(), (mine.layer_names.index(n) for n in ("forward", "back"))
    for mine_at, name in zip(layers, ("forward", "back"), strict=True):
        at = found.names.index(name)
        for action, memory in (
            ("event", None), ("synaptic_event", None), ("read", "target"), ("read", "spike"), ("write", "spike"),
        ):  # fmt: skip
            want = counts.total(action, layer=mine_at, phase="forward", memory=memory)
            assert found.counts.total(action, layer=at, phase="forward", memory=memory) == want, (name, action, memory)
        for memory in ("weight", "target"):
            assert found.layout.bits(memory, at) == mine.layout().bits(memory, mine_at)


def test_subgroups_and_poisson_inputs(b2):
    src = b2.PoissonGroup(6, 200 * b2.Hz, name="src")
    cells = b2.NeuronGroup(
        5, "dv/dt = -v/taum : 1", threshold="v > 1", reset="v = 0", method="euler", name="cells", namespace=space(b2)
    )
    syn = b2.Synapses(src[2:5], cells[1:4], "w : 1", on_pre="v_post += w", name="syn")
    syn.connect()
    syn.w = 0.1
    back = b2.Synapses(cells[:2], cells[3:], "w : 1", on_pre="v_post -= w", name="back")
    back.connect(j="i")
    poisson = b2.PoissonInput(cells[1:3], "v", 20, 100 * b2.Hz, 0.3)
    recorded = b2.SpikeMonitor(src), b2.SpikeMonitor(cells), b2.StateMonitor(cells, "v", record=True)
    net = b2.Network(src, cells, syn, back, poisson, *recorded)
    b2.seed(4)
    net.store()
    net.run(50 * b2.ms)
    before = recorded[2].v[:].copy()
    net.restore()
    b2.seed(4)
    for one in (*recorded, src, cells, syn, back, poisson):
        assert one is not None
    watch = brian.watch(net)
    net._stored_state.clear()
    net.run(50 * b2.ms)
    assert np.array_equal(recorded[2].v, before)  # listening to a PoissonInput changes nothing
    sources, spiking = np.bincount(recorded[0].i, minlength=6), np.bincount(recorded[1].i, minlength=5)
    tallies = watch.counted().tallies
    assert tallies["syn"]["events"] == 3 * sources[2:5].sum() > 0
    assert tallies["back"]["events"] == spiking[:2].sum() > 0
    drawn = tallies[poisson.name]["spikes"]
    assert drawn == sum(cells.variables[f"_neurosim_heard_{poisson.name}"].get_value()[[1, 2]])
    assert 100 < drawn < 320  # 2 neurons x 20 inputs x 100 Hz x 50 ms = 200
    assert watch.counts.events[watch.names.index("syn")].tolist() == [0, 0, *sources[2:5], 0]
    code = poisson.abstract_code
    watch.close()
    assert poisson.abstract_code != code
    assert watch.layout.bits("target", watch.names.index("back")) == 0


def test_the_magic_network_and_monitors_that_are_there(b2):
    src, cells, _syn = clock_and_cells(b2)
    monitors = [b2.SpikeMonitor(src), b2.SpikeMonitor(cells)]
    watch = brian.watch()
    b2.run(3 * b2.ms)
    assert watch.counted().tallies["syn"]["events"] == 10
    assert brian.count().counts.ops == watch.counts.ops
    assert watch.counts.ticks == 30
    assert brian.price(None, "digital_45nm")["digital_45nm"].to_dict() == watch.price("digital_45nm").to_dict()
    assert set(watch.counted().prices()) == set(names(default_only=True))
    assert "digital_45nm" in watch.table("digital_45nm")
    assert len(monitors) == 2
    other = b2.NeuronGroup(1, "v : 1", threshold="v > 1", reset="", name="other")
    with pytest.raises(NeurosimError, match=r"other: needs a SpikeMonitor: give it one, or call brian.watch"):
        brian.count([other])
    with pytest.raises(NeurosimError, match=r"PoissonInput poissoninput.*: counts nothing by itself"):
        brian.count([other, b2.SpikeMonitor(other), b2.PoissonInput(other, "v", 1, 1 * b2.Hz, 1)])


def test_what_runs_regularly_and_what_a_group_does_beside(b2):
    """Of 4 cells: 100 steps of a subexpression and a refractory counter; code of a subgroup every 2 steps, of synapses every 5."""
    model = "dv/dt = (drive - v)/taum : 1 (unless refractory)\ndrive = a*b : 1\na : 1\nb : 1 (constant)\nk : 1 (shared)"
    cells = b2.NeuronGroup(
        4,
        model,
        threshold="v > k",
        reset="v -= k",
        refractory=0.7 * b2.ms,
        method="euler",
        name="cells",
        namespace=space(b2),
    )
    cells.b = cells.a = cells.k = 1
    cells[1:3].run_regularly("a = clip(a + 1, 0, 9)", dt=0.2 * b2.ms)
    syn = b2.Synapses(cells, cells, "w : 1", on_pre="v_post += w", name="syn")
    syn.connect(i=[0, 1, 2], j=[1, 2, 3])
    syn.run_regularly("w *= 0.5", dt=0.5 * b2.ms)
    net = b2.Network(cells, syn)
    watch = brian.watch(net)
    net.run(10 * b2.ms)
    counts, spikes = watch.counts, watch.counted().tallies["cells"]["spikes"]
    assert spikes > 0
    assert counts.total("multiply", layer=1) == 4 * 100 * 2  # a times b, and dt / taum
    assert counts.total("compare", layer=1) == 4 * 100 * 2 + 2 * 2 * 50  # threshold and counter; clip
    assert counts.total("neuron_update", layer=1) == 4 * 100 + spikes
    assert (
        sum(n for op, n in counts.ops.items() if (op.action, op.bits, op.memory) == ("write", 3, "state"))
        == 400 + spikes
    )
    assert counts.total("write", layer=1, memory="state") == 2 * (400 + spikes) + 2 * 50
    assert counts.total("write", memory="weight") == counts.total("weight_changed") == 0  # half of 0
    assert counts.total("multiply", layer=0) == 3 * 20
    assert watch.layout.bits("state") == 4 * (3 * 16 + 3)


def plastic(b2):
    """Weights that both sides and a regular halving change, from a source with random spikes; and one that an equation moves."""
    b2.seed(5)
    src = b2.PoissonGroup(4, 300 * b2.Hz, name="src")
    cells = b2.NeuronGroup(
        5, "dv/dt = -v/(5*ms) : 1\ny : 1", threshold="v > 1", reset="v = 0\ny += 1", method="euler", name="cells"
    )
    syn = b2.Synapses(src, cells[1:4], "w : 1\nu : 1", on_pre="v_post += w\nw = clip(w - 0.01*y_post, 0, 1)", on_post="w = clip(w + 0.25, 0, 1)", name="syn")  # fmt: skip
    syn.connect()
    syn.w = 0.5
    syn.run_regularly("w = w*int(w < 0.9)", dt=5 * b2.ms)
    moved = b2.Synapses(src, cells, "dw/dt = -w/(10*ms) : 1 (clock-driven)", on_pre="v_post += w\nw += 0.1", method="exact", name="moved")  # fmt: skip
    moved.connect(j="i")
    return src, cells, syn, moved


def test_changes_of_weights_are_those_that_a_monitor_sees(b2):
    """A look at all weights after each of the code's slots: pathways, of which each meets a synapse once a step, and what runs regularly."""
    net = b2.Network(*plastic(b2))
    watch = brian.watch(net)
    seen, last = [0], np.array(net["syn"].w[:])

    def look():
        now = np.array(net["syn"].w[:])
        seen[0] += int((now != last).sum())
        last[:] = now

    for slot, order in (("start", 9), ("synapses", -9), ("synapses", 0), ("synapses", 9)):
        net.add(b2.NetworkOperation(look, when=slot, order=order, name=f"look_{slot}_{order + 9}"))
    net["syn"].pre.order, net["syn"].post.order = -1, 1
    net.run(40 * b2.ms)
    row, counts = watch.counted().tallies["syn"], watch.counts
    assert row["changed"] == seen[0] == counts.total("weight_changed") > 50
    assert row["changed"] < row["evaluated_pre"] + row["evaluated_post"]
    assert "changed" not in watch.counted().tallies["moved"]
    assert any("moved.w: an equation moves it" in note for note in watch.notes)


def test_counting_changes_leaves_a_run_as_it_was_and_goes_when_closed(b2):
    runs = []
    for watched in (0, 2):
        net = b2.Network(*plastic(b2))
        code = net["syn"].pre.code
        watches = [brian.watch(net) for _ in range(watched)]
        net.run(20 * b2.ms)
        runs.append((np.array(net["syn"].w[:]), np.array(net["cells"].v[:])))
        if watches:
            assert watches[0].counted().tallies == watches[1].counted().tallies
            watches[0].close()
            net.run(20 * b2.ms)
            assert watches[1].counted().tallies["syn"]["changed"] > watches[0].counted().tallies["syn"]["changed"] - 1
            watches[1].close()
            assert net["syn"].pre.code.split() == code.split()
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one, other)


def test_two_watches_share_a_poisson_input(b2):
    cells = b2.NeuronGroup(10, "dv/dt = -v/(10*ms) : 1", method="exact", name="cells")
    poisson = b2.PoissonInput(cells, "v", 100, 10 * b2.Hz, 0.1)
    net, code = b2.Network(cells, poisson), poisson.abstract_code
    one, other = brian.watch(net), brian.watch(net)
    net.run(20 * b2.ms)
    drawn = one.counted().tallies[poisson.name]["spikes"]
    assert drawn == other.counted().tallies[poisson.name]["spikes"] > 100
    one.close()
    net.run(20 * b2.ms)
    assert other.counted().tallies[poisson.name]["spikes"] > drawn
    other.close()
    assert poisson.abstract_code == code


def test_a_network_that_has_changed_is_refused(b2):
    net = b2.Network(*clock_and_cells(b2))
    watch = brian.watch(net)
    net.add(group(b2, name="more"))
    with pytest.raises(NeurosimError, match="more: was added after the watch began; watch anew"):
        watch.counted()
    watch = brian.watch(net)
    net["cells"].active = False
    with pytest.raises(NeurosimError, match=r"NeuronGroup cells: is not active \(active=False\)"):
        watch.counted()
    net["cells"].active = True
    watch, kept = brian.watch(net), b2.defaultclock.dt
    b2.defaultclock.dt = 0.05 * b2.ms
    try:
        with pytest.raises(NeurosimError, match=r"its time step was 0\.1 ms when the watch began and is 0\.05 ms"):
            watch.counted()
    finally:
        b2.defaultclock.dt = kept


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (onto_synapses, "Synapses onto: what it does with the variables of other synapses, syn, cannot be counted"),
        (inactive, r"NeuronGroup cells: its cells_spike_thresholder is not active \(active=False\)"),
        (cable, "SpatialNeuron cable: a neuron of many compartments cannot be counted; supported are NeuronGroup"),
        (summed, "Synapses syn: its variable s_post, summed over synapses in every step, cannot be counted"),
        (two_clocks, r"different time steps \(cells 0.1 ms, slow 1 ms\)"),
        (
            lambda b2: synapses(b2, "w : 1\nu : 1", "v_post += w*u"),
            r"syn: u, w all reach a neuron: .*weights=\{'syn': 'w'\}",
        ),
        (
            lambda b2: synapses(b2, "w : 1\ndx/dt = (1 - x)/(200*ms) : 1 (event-driven)", "x -= 0.1*x\nv_post += w*x"),
            r"syn: w, x all reach a neuron: .*weights=\{'syn': 'w'\}",
        ),
        (
            lambda b2: synapses(b2, "a : 1\nz : 1", "v_post += a*z\nz *= 0.5"),
            r"syn: a, z all reach a neuron: .*weights=\{'syn': 'a'\}",
        ),
        (lambda b2: synapses(b2)[1:], "syn: cells is no group of this network"),
        (lambda _: 3, "network=3: must be a Brian2 Network"),
        (lambda _: [], "has no objects"),
    ],
    ids=[
        "onto",
        "inactive",
        "cable",
        "summed",
        "clocks",
        "ambiguous",
        "moved",
        "assigned",
        "missing",
        "number",
        "none",
    ],
)
def test_refusals_name_the_object(b2, make, message):
    things = make(b2)
    with pytest.raises(NeurosimError, match=message):
        brian.watch(things)


def test_a_weight_that_nothing_moves_is_said_to_be_moved_by_nothing(b2):
    """Short-term depression: the weight stays, what it is multiplied by does not."""
    things = synapses(b2, "w : 1\ndx/dt = (1 - x)/(200*ms) : 1 (event-driven)", "x -= 0.1*x\nv_post += w*x")
    watch = brian.watch(things, weights={"syn": "w"})
    assert not [note for note in watch.notes if "an equation moves it" in note]
    watch = brian.watch(things, weights={"syn": ("w", "x")})
    assert [note for note in watch.notes if "syn.x: an equation moves it" in note]
    assert not [note for note in watch.notes if "syn.w: an equation" in note]


def test_nothing_is_priced_before_something_ran(b2):
    watch = brian.watch(b2.Network(*clock_and_cells(b2)))
    for ask in (lambda: watch.price("digital_45nm"), watch.table):
        with pytest.raises(NeurosimError, match="network: has not run since its counting began"):
            ask()


def test_weights_can_be_told(b2):
    things = synapses(b2, "w : 1\nu : 1", "v_post += w*u\nu *= 0.5")
    watch = brian.watch(things, weights={"syn": "w"})
    assert watch.layout.bits("weight") == 4 * 8
    assert watch.layout.bits("tag") == 4 * 16
    assert brian.watch(things, weights={"syn": ("u", "w")}).layout.bits("weight") == 4 * 16
    for told, message in (
        ({"syn": "v"}, "'v' is no variable of the synapses syn"),
        ({"s": "w"}, "'s': must be one of syn"),
    ):
        with pytest.raises(NeurosimError, match=message):
            brian.watch(things, weights=told)


def test_python_beside_the_network_is_noted(b2):
    @b2.network_operation(name="beside")
    def beside():
        pass

    assert any("beside" in note for note in brian.watch([group(b2), beside]).notes)


def word(name):
    return Value("word", 16, key=("own", "g", name)) if name in ("a", "b", "v") else NUMBER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a + b - (v - El))/tau", {"add": 4, "multiply": 1, "shift": 1}),
        ("-v/tau", {"add": 1, "multiply": 1, "shift": 1}),
        ("-v/tau + a/taug", {"add": 2, "multiply": 2, "shift": 2}),
        ("a*b*k/tau", {"add": 1, "multiply": 2, "shift": 1}),
        ("int(v > El + 5)*a/tau", {"add": 1, "compare": 1, "multiply": 1, "shift": 1}),
        ("exp(-v/k)/tau", {"add": 1, "lut": 1, "multiply": 2, "shift": 2}),
        ("a/b", {"add": 1, "divide": 1, "multiply": 1, "shift": 1}),
        ("k/tau", {"add": 1}),
        ("(El - v)/tau + s*xi*tau**-0.5", {"add": 3, "multiply": 2, "shift": 2, "random_word": 1, "lut": 1}),
    ],
)
def test_what_an_equation_takes(text, expected):
    work = Work(8)
    Reader(work, word, "g").step(text, 16)
    found = {}
    for (action, _, _), n in work.ops.items():
        found[action] = found.get(action, 0) + n
    assert found == {**expected, "neuron_update": 1}


# ---------------------------------------------------------------------- other targets


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler g++")
def test_a_compiled_program_counts_the_same(b2, tmp_path):
    def network():
        src, cells, syn = clock_and_cells(b2)
        syn.delay = np.array([1, 2, 3, 100, 1, 1]) * b2.ms
        taught = b2.Synapses(src, cells, "w : 1", on_pre="v_post += w\nw = clip(w + 0.4, 0, 1)", name="taught")
        taught.connect(j="i")
        taught.run_regularly("w *= 0.5", dt=1 * b2.ms)
        return b2.Network(src, cells, syn, taught)

    net = network()
    watch = brian.watch(net)
    net.run(4 * b2.ms)
    with brian.settings("cpp_standalone"):
        other = network()
        compiled = brian.watch(other)
        other.run(4 * b2.ms)
        with pytest.raises(NeurosimError, match="nothing is known before its program"):
            compiled.counted()
        b2.device.build(directory=str(tmp_path), compile=True, run=True, debug=False, with_output=False)
        assert compiled.counts.ops == watch.counts.ops
        assert compiled.counted().tallies == watch.counted().tallies
        # Weights 0, halved in steps 0 to 30: neuron 0 spikes in steps 0 and 20, 1 and 2 in step 10; halves are different from step 10 on.
        assert compiled.counts.total("weight_changed") == 4 + 3 + 2 + 2
