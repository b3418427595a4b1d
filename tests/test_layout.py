"""What a layout says of where events come from: filled by every engine, kept in JSON, assumed only where nobody knows."""

from __future__ import annotations

import json

import numpy as np

from neurosim.chip.channel import RULES
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.ops import Held, Layout, Source
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.network import SpikingNetwork


def test_a_network_says_who_sends_its_events():
    net = Network(20, [Dense(7), Dense(5), Dense(3, "softmax")], RULES["srbp"])
    layout = net.layout()
    assert layout.sources == (Source(-1, 20), Source(0, 7), Source(1, 5))
    net.train(net.encode(np.full((2, 20), 200.0), 255), np.array([0, 1]), rate=4)
    for source, events in zip(layout.sources, net.counts().events, strict=True):
        assert len(events) == source.units + 1  # the bias


def test_a_convolution_says_which_windows_hear_a_position():
    net = Network((6, 6, 2), [Conv2d(3, 3, pool=2), Dense(4, "softmax")], RULES["bp"])
    first, second = net.layout().sources
    assert first == Source(-1, 72, net.spec.geometry(0))
    assert second == Source(0, 27)
    assert Layout.from_dict(json.loads(json.dumps(net.layout().to_dict()))) == net.layout()


def test_spiking_sources_without_states_are_the_input_port():
    net = SpikingNetwork(Erbp(16, (12,), 4, threshold=200, reach=(60, 60)).network())
    layout, spec = net.layout(), net.spec
    for p, projection in enumerate(spec.projections):
        source = spec.population(projection.source)
        place = len(spec.projections) + spec.number(projection.source)
        assert layout.sources[p] == Source(place if source.states else -1, source.n)
    assert {s.layer for s in layout.sources[: len(spec.projections)]} > {-1}


def test_a_layout_that_does_not_say_is_taken_for_a_chain():
    held = (Held(0, "weight", 5, 8),)
    old = Layout((4, 3), (6, 4), held, 4, (8, 8), ((), (0,)))
    assert [old.sent(layer) for layer in (0, 1)] == [Source(-1, 6), Source(0, 4)]
    assert "sources" not in old.to_dict()
    assert Layout.from_dict(old.to_dict()) == old
    standing = Layout((0, 4), (6, 0), held, 4, (0, 0), ((), ()), (1, 1))
    assert standing.sent(0) == Source(-1, 6)
