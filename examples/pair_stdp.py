"""Pair STDP with Poisson inputs: weights of one neuron compete (Song, Miller, Abbott, Nature Neuroscience 3:919, 2000).

python examples/pair_stdp.py [--quick] [--ticks 400000] [--figure FILE.png]

A thousand Poisson inputs of 10 Hz drive one neuron through weights of 8 bits (a tick is 1 ms, currents, no conductances). What leads to a
spike is strengthened, depression is 5 % larger in all: the neuron's rate falls, and weights move towards their bounds, with pairs worth
two codes only in part: after 400 s two in three lie in the outer quarters, of one in two at first.
"""

import argparse

import numpy as np

from neurosim.formats import Fixed
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import EVERY_TICK, Events, Leak, Poisson, Population, State, lif, trace
from neurosim.spiking.plasticity import pair_stdp
from neurosim.spiking.projection import Connect, Projection
from neurosim.spiking.spec import SpikingSpec

DECAY = Leak.of(1 / 20)  # traces and membrane: 20 ms
JUMP, SHIFT = 2048, 10  # a spike just before another is worth two codes of the 127
X, Y = trace("x", DECAY, JUMP), trace("y", DECAY, round(1.05 * JUMP))
RULE = pair_stdp("x", "y", SHIFT, SHIFT)


def window(lags: range) -> np.ndarray:
    """The change by one pair of spikes at each lag, in codes, the mean over 400 pairs: random rounding shows what lies between codes."""
    n, at = 400 * len(lags), np.repeat(lags, 400)
    pre = Population("pre", n, (X,), Events([100] * n, range(n)))
    post = Population("post", n, (State("v"), Y), Events(100 + at, range(n)))
    joined = Projection("pre", "post", "v", Fixed(8, 0, rounding="stochastic"), 0, Connect("one"), plasticity=RULE)
    net = SpikingNetwork(SpikingSpec((pre, post), (joined,)))
    net.run(200, record=False)
    return net.weights(0).reshape(len(lags), 400).mean(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20,000 ticks")
    parser.add_argument("--ticks", type=int, default=400_000)
    parser.add_argument("--figure", help="draw the window, the weights and the rate there")
    given = parser.parse_args()
    ticks = 20_000 if given.quick else given.ticks
    inputs = Population("inputs", 1000, (X,), Poisson(EVERY_TICK // 100))
    neuron = lif("neuron", 1, threshold=10_000, leak=DECAY, traces=(Y,))
    joined = Projection("inputs", "neuron", "v", Fixed(8, 0, rounding="stochastic"), (0, 127), low=0, plasticity=RULE)
    net = SpikingNetwork(SpikingSpec((inputs, neuron), (joined,)))
    first, rates = net.weights(0), []
    for _ in range(20):
        spikes, _ = net.run(ticks // 20)["neuron"]
        rates.append(1000 * len(spikes) / (ticks // 20))
    last = net.weights(0)
    print(f"{ticks / 1000:g} s: the neuron's rate went from {rates[0]:.1f} to {rates[-1]:.1f} Hz")
    for name, w in (("before", first), ("after", last)):
        low, high = (w < 32).mean(), (w >= 96).mean()
        print(f"weights {name:6}: mean {w.mean():5.1f}, {low:4.0%} in the lowest quarter, {high:4.0%} in the highest")

    if given.figure:
        from matplotlib.figure import Figure

        figure = Figure((10, 3.4), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        lags = range(-80, 81, 4)
        left.plot(lags, window(lags), ".")
        for sign, state in ((1, X), (-1, Y)):
            t = np.arange(1, 81)
            left.plot(sign * t, sign * state.jump * (1 - DECAY.share) ** t / 2**SHIFT, "k-", lw=0.8)
        left.set(title="window: dots run, lines theory", xlabel="target's spike after the source's, ms", ylabel="codes")
        middle.hist([first, last], np.arange(0, 129, 8), label=["before", "after"])
        middle.set(title="weights", xlabel="code", ylabel="synapses")
        middle.legend()
        right.plot((np.arange(20) + 0.5) * ticks / 20_000, rates)
        right.set(title="the neuron's rate", xlabel="s", ylabel="Hz", ylim=(0, None))
        figure.savefig(given.figure, dpi=120)


if __name__ == "__main__":
    main()
