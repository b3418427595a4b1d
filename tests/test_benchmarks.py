"""The rival in C is a third implementation: it must learn the same bits."""

import numpy as np
import pytest

from benchmarks.c_peer import Peer, library
from benchmarks.harness import Row, table
from benchmarks.workload import network, samples
from neurosim.kernels.registers import TALLY


@pytest.mark.parametrize("rate", [6, 9])
def test_the_c_peer_learns_the_same_bits(rate):
    if library() is None:
        pytest.skip("no C compiler on this machine")
    pixels, labels, _ = samples(200)
    net = network()
    peer, codes = Peer(net), net.encode(pixels, 255)
    assert peer.train(codes, labels, rate) == net.train(codes, labels, rate=rate)
    assert np.array_equal(peer.memory, net._memory.narrow)
    for h, (events, sent) in enumerate(peer.kept):
        tallies = net.tallies()
        assert np.array_equal(events, tallies.events[h])
        assert np.array_equal(sent, tallies.codes[h])
        names = ("update_pairs", "update_attempted", "weight_changed")
        assert [net.train_tally.counts[h, TALLY[name]] for name in names] == peer.counts[h, :3].tolist()


def test_a_row_says_whether_its_goal_is_met():
    rows = [Row("a", 2.0, "x", 1.5), Row("b", 2.0, "s", 1.5, least=False), Row("c", 2.0, "ns")]
    assert [row.verdict for row in rows] == ["met", "missed", ""]
    assert table(rows).count("\n") == 4
