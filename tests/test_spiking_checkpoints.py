"""What a checkpoint of a spiking network holds, what it refuses, and what runs and presentations leave behind when they fail or are stopped."""

import os
import signal
import threading

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Leak, Poisson, Population, lif
from neurosim.spiking.pacing import paced
from neurosim.spiking.projection import Projection
from neurosim.spiking.spec import SpikingSpec


def small(**changes):
    return SpikingNetwork(Erbp(**{"n_in": 12, "hidden": (8,), "classes": 3, "rate": 4, **changes}).network())


def events(n):
    source = Events(np.arange(n), np.zeros(n, np.int64))
    return SpikingNetwork(SpikingSpec((Population("data", 1, (), source),), ()))


INPUTS = np.full((6, 12), 1 << 14)
LABELS = np.arange(6) % 3


def test_a_checkpoint_of_other_events_is_refused():
    with pytest.raises(
        NeurosimError, match=r"checkpoint\.memory_event_tick: int64\[2\], and this network needs int64\[1001\]"
    ):
        events(1000).restore(events(1).save())


@pytest.mark.parametrize("other", [{"gains": (1, 1)}, {"rate": 6}, {"seed": 1}, {"threshold": 400}])
def test_a_checkpoint_of_another_description_is_refused(other):
    with pytest.raises(NeurosimError, match=r"checkpoint\.(description: is of a network with other parameters|memory)"):
        small(**other).restore(small().save())


def test_slower_learning_is_restored():
    first, second = small(), small()
    first.slow(3)
    second.restore(first.save())
    for net in (first, second):
        net.present(INPUTS, LABELS, ticks=40, output="out")
    for number in range(len(first.spec.projections)):
        np.testing.assert_array_equal(first.weights(number), second.weights(number))


@pytest.mark.parametrize("order", [[0, 99], [0, -1], [0.5]])
def test_an_order_that_makes_no_sense_is_refused(order):
    with pytest.raises(NeurosimError, match="order"):
        small().present(INPUTS, LABELS, ticks=5, output="out", order=order)


def test_a_presentation_that_is_stopped_leaves_the_sources_as_described():
    class Stopping(list):
        """Samples whose reader is stopped: the first may be read once more than it is checked."""

        left = 3

        def __getitem__(self, at):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().__getitem__(at)

    net = SpikingNetwork(SpikingSpec((Population("data", 2, (), Events(role="input")),), ()))
    with pytest.raises(KeyboardInterrupt):
        net.present(Stopping([([0, 1], [0, 1]), ([0], [1])]), ticks=4, output="data")
    assert net.tick == 4
    assert not len(net.run(20).by_name["data"][0])


def test_an_interrupt_stops_a_run_between_two_ticks():
    spec = SpikingSpec(
        (Population("inp", 300, (), Poisson(3000)), lif("out", 300, threshold=2600, leak=Leak(4))),
        (Projection("inp", "out", initial=(10, 60), delay=(0, 9)),),
    )
    net, other = SpikingNetwork(spec), SpikingNetwork(spec)
    net.run(10)
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # jobs in the background ignore it, and Brian2 has its own
    try:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            net.run(1 << 30, record=False)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert 10 < net.tick < 1 << 30
    other.run(net.tick, record=False)
    mine, its = net.save(), other.save()
    assert all(np.array_equal(mine[key], its[key]) for key in its)


def test_pieces_grow_and_shrink_with_the_time_they_take():
    assert [paced(64, seconds) for seconds in (0.01, 0.1, 0.5)] == [128, 64, 32]
    assert (paced(1, 9.0), paced(1 << 20, 0.0)) == (1, 1 << 20)


def test_runs_in_other_threads_leave_signals_alone():
    net, found = small(), []
    thread = threading.Thread(target=lambda: found.append(net.run(200).total))
    thread.start()
    thread.join()
    assert found == [small().run(200).total]
