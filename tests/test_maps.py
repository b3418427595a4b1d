"""Convolutions as descriptions: windows, shapes, and what is refused (docs/substrate.md 9)."""

import pytest

from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import Quantiser


def spec(*layers, inputs=(32, 32, 3), channel=RULES["srbp"]):
    return NetworkSpec(inputs, tuple(layers), channel)


def test_the_papers_convolutional_network():
    three = [Conv2d(64, 5, pool=3, pool_stride=2)] * 3
    found = spec(*three, Dense(1024), Dense(10, "softmax"))
    assert [found.geometry(h).map for h in range(3)] == [(32, 32), (16, 16), (8, 8)]
    assert [found.geometry(h).out for h in range(3)] == [(16, 16), (8, 8), (4, 4)]
    assert [found.n_out(h) for h in range(5)] == [16 * 16 * 64, 8 * 8 * 64, 1024, 1024, 10]
    assert [found.n_neurons(h) for h in range(3)] == [65_536, 16_384, 4_096]
    assert [found.rows(h) for h in range(5)] == [76, 1601, 1601, 1025, 1025]
    assert [found.fans(h) for h in range(3)] == [25 * 67, 25 * 128, 25 * 128]
    assert found.n_inputs == 3072
    assert found.units(0) == 3073


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_windows_by_hand(padding, n, size, stride):
    layer = Conv2d(1, size, padding=padding, stride=stride)
    if padding == "valid" and size > n:
        with pytest.raises(NeurosimError, match="kernel"):
            layer.geometry((n, n, 1))
        return
    found = layer.geometry((n, n, 1))
    starts = [stride * y - found.top for y in range(found.map[0])]
    if padding == "valid":
        assert starts == [s for s in range(0, n, stride) if s + size <= n]
    else:
        assert len(starts) == -(-n // stride)
        below = max(0, starts[-1] + size - n)
        assert 0 <= below - found.top <= 1 or (found.top == 0 and below == 0)
        assert all(s < n and s + size > 0 for s in starts)


@pytest.mark.parametrize(
    ("layers", "changes", "said"),
    [
        ([Dense(4), Conv2d(4), Dense(2, "softmax")], {}, "below all Dense"),
        ([Conv2d(4)], {}, "output layer must be Dense"),
        ([Conv2d(4), Dense(2, "softmax")], {"inputs": 48}, "height, width, channels"),
        ([Conv2d(4), Dense(2, "softmax")], {"inputs": (4, 4)}, "network.inputs"),
        ([Conv2d(4, padding="valid"), Dense(2, "softmax")], {"inputs": (4, 4, 3)}, "layer.kernel=5"),
        ([Conv2d(4), Dense(2, "softmax")], {"channel": RULES["sbp"]}, "product"),
        ([Conv2d(4), Dense(2, "softmax")], {"channel": RULES["bp"].replace(update=Quantiser(4))}, "channel.update"),
        ([Conv2d(4), Conv2d(4), Dense(2, "softmax")], {"channel": RULES["arbp"]}, "adaptive"),
        (
            [Conv2d(4), Conv2d(4), Dense(2, "softmax")],
            {"channel": RULES["rbp"].replace(feedback=FeedbackCrossbar(fan_in=2))},
            "fan_in",
        ),
    ],
)
def test_what_is_refused_says_why(layers, changes, said):
    with pytest.raises(NeurosimError, match=said):
        spec(*layers, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"blank_out": 3}, "blank_out=3: must be 0"),
        ({"pool_stride": 2}, "layer.pool"),
        ({"kernel": 0}, "layer.kernel=0"),
        ({"padding": "full"}, "same, valid"),
        ({"activation": "softmax"}, "layer.activation='softmax'"),
        ({"channels": 0}, "layer.channels=0"),
    ],
)
def test_a_wrong_field_is_named(changes, said):
    with pytest.raises(NeurosimError, match=said):
        Conv2d(**{"channels": 4, **changes})
