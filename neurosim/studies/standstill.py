"""Where the learning equations stand still in words of finite width: closed forms, without a chip.

A step of a chip adds to each weight its update, the rate times the mean signal, rounded to the weight's LSB. Rounded to the nearest,
a weight keeps its code where |update| <= LSB / 2 (a tie goes to the even code, here 0), so a state stands still if and only if that
holds for all its weights: the **band**. In the learning equations of `theory` the mean signal is the flow, but for what the
forward pass rounds: states have an LSB too, and hidden layers pass the rounding on. This **slack** is bounded here for each weight:

    |flow| <= LSB / (2 rate) + slack

holds at every standstill at which nothing is clipped. In a chain of single units that is
|alpha - beta P| max_i |c_i a_1 … a_(i-1)| <= LSB / (2 rate) + slack. The forms are ours; there is no published value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurosim.studies.theory import Floats, LinearNetwork, Numbers


@dataclass(frozen=True)
class Samples:
    """A finite set of inputs [n, N_0] and targets [n, N_L], learnt as one mini-batch: the learning equations' moments are exact."""

    inputs: Floats
    targets: Floats

    def network(self, sizes: tuple[int, ...], feedback: tuple[Floats, ...]) -> LinearNetwork:
        """The learning equations (SRBP) on these samples. feedback: C_i [N_i, N_L]."""
        n = len(self.inputs)
        return LinearNetwork(sizes, feedback, self.targets.T @ self.inputs / n, self.inputs.T @ self.inputs / n)


@dataclass(frozen=True)
class Standstill:
    """The band of one network: its learning equations, the samples of a step, the words.

    lsb: of a weight; rate: of the mean over the samples; unit: the LSB of states, to which every layer rounds to the nearest.
    """

    net: LinearNetwork
    samples: Samples
    lsb: float
    rate: float
    unit: float

    def updates(self, state: Floats) -> Floats:
        """The updates of all weights in LSB, in real numbers: [weights], in the order of the state."""
        found: Floats = self.rate / self.lsb * self.net.flow(state)
        return found

    def allowed(self, state: Floats) -> Floats:
        """The largest |update| in LSB at which each weight may stand still: a half and the slack, [weights]."""
        found: Floats = 0.5 + self.rate / self.lsb * self.slack(state)
        return found

    def slack(self, state: Floats) -> Floats:
        """How far the mean signal of each weight may be from the flow, because every layer rounds its states: [weights].

        With eps_0 = 0 and eps_l = |A_l| eps_(l-1) + unit / 2 the output of layer l is within eps_l, the error within eps_L, a local
        signal within |C_l| eps_L; the signal of a weight is the mean of local signal times presynaptic output.
        """
        weights, outputs = self.net.split(state), [self.samples.inputs]
        eps: list[Floats] = [np.zeros(self.net.sizes[0])]
        for a in weights:
            outputs.append(outputs[-1] @ a.T)
            eps.append(np.abs(a) @ eps[-1] + self.unit / 2)
        error, n = self.samples.targets - outputs[-1], len(self.samples.inputs)
        found = []
        for layer, c in enumerate(self.net.channel):
            mean_output = np.abs(outputs[layer]).sum(axis=0) / n + eps[layer]
            mean_signal = np.abs(error @ c.T).sum(axis=0) / n
            found.append(np.outer(np.abs(c) @ eps[-1], mean_output) + np.outer(mean_signal, eps[layer]))
        return np.concatenate([part.ravel() for part in found])

    def distance(self, state: Floats) -> float:
        """From the fixed points, as the lowest layer sees it: the largest |C_1 (P - S_TI S_II^-1)|; of [1,1,1] |P - alpha/beta|."""
        off = self.net.product(state) - self.net.s_ti @ self._inverse
        return float(np.abs(self.net.channel[0] @ off).max())

    @property
    def reach(self) -> float:
        """The farthest `distance` in the band, whatever the state: LSB / (2 rate) times the 1-norm of S_II^-1, without the slack.

        |C_1 M|, of all entries, is at most LSB / (2 rate), and C_1 (P - S_TI S_II^-1) is -C_1 M S_II^-1. 1 / beta in a chain.
        """
        return self.lsb / (2 * self.rate) * float(np.abs(self._inverse).sum(axis=0).max())

    @cached_property
    def _inverse(self) -> Floats:
        return np.asarray(np.linalg.inv(self.net.s_ii), np.float64)


def descend(net: LinearNetwork, start: Numbers, rate: float, most: int = 20000) -> Floats:
    """Where the flow in steps of a rate comes to rest in real numbers: what is left of a chip with words of any width."""
    state: Floats = np.asarray(start, float).ravel()
    for _ in range(most):
        step = rate * net.flow(state)
        state = state + step
        if np.abs(step).max() <= 1e-12 or not np.isfinite(state).all():
            break
    return state
