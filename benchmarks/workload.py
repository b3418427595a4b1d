"""The network that is timed: 784-100-100-10, SRBP, 4-bit error, 8-bit weights, 25 % single-bit feedback, MNIST."""

import numpy as np

from neurosim import data
from neurosim.chip.channel import RULES
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.errors import NeurosimError

RATE = 7


def samples(n):
    """(pixels uint8[n, 784], labels int64[n], name): MNIST, or random sparse images where it is not at hand."""
    try:
        found = data.load("mnist").head(n, 1)
        return found.train_inputs.reshape(n, -1), found.train_labels.astype(np.int64), "MNIST"
    except NeurosimError:
        rng = np.random.default_rng(0)
        pixels = rng.integers(1, 256, (n, 784)) * (rng.random((n, 784)) < 0.19)
        return pixels.astype(np.uint8), rng.integers(0, 10, n), "random images, 19 % of pixels on"


def network(hidden=(100, 100), inputs=784, seed=1):
    layers = [*(Dense(n) for n in hidden), Dense(10, "softmax")]
    return Network(inputs, layers, RULES["srbp"], seed=seed)


def convolutional(rule):
    """32 x 32 x 3, three times [5 x 5 to 64 channels, tanh, max-pool 3/2], 1024 tanh, 10 softmax; 8-bit dense feedback."""
    layers = [*[Conv2d(64, 5, pool=3, pool_stride=2)] * 3, Dense(1024), Dense(10, "softmax")]
    return Network((32, 32, 3), layers, RULES[rule].replace(feedback=FeedbackCrossbar(bits=8, density=1.0)), seed=1)
