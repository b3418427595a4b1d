"""The rivals in PyTorch: the same rule with fake quantisation, and plain float32 backpropagation by hand."""

import numpy as np
import torch

from benchmarks.workload import RATE


def _weights(net):
    layers = range(len(net.spec.layers))
    return [torch.tensor(net.weights(h).astype(np.float32) / 256) for h in layers]


class FakeQuantised:
    """SRBP at batch 1: weights on the 8-bit grid, stochastic rounding, 4-bit log error, {0,1} feedback."""

    def __init__(self, net):
        self.w = _weights(net)
        self.c = [torch.tensor(net.feedback(h).astype(np.float32)) for h in range(len(self.w) - 1)]
        self.eta = 2.0**-RATE

    @staticmethod
    def round_to(x, lsb, limit):
        return torch.clamp(torch.round(x / lsb) * lsb, -limit, limit)

    def quantise(self, e):
        k = torch.clamp(torch.round(-torch.log2(e.abs().clamp_min(1e-9))), 0, 8)
        return torch.where(k < 8, torch.sign(e) * 2.0**-k, torch.zeros_like(e))

    @torch.no_grad()
    def step(self, x, label):
        one = torch.ones(1)
        before, sums = [torch.cat([torch.floor(x * 127 / 255) / 128, one])], []
        for h, w in enumerate(self.w):
            s = before[-1] @ w
            sums.append(self.round_to(s, 2**-7, 4.0))
            if h < len(self.w) - 1:
                before.append(torch.cat([self.round_to(torch.tanh(sums[-1]), 2**-7, 127 / 128), one]))
        o = torch.softmax(sums[-1] * 0.6931472, 0)
        e = -o
        e[label] += 1
        code = self.quantise(e)
        signals = []
        for h, c in enumerate(self.c):
            slope = 1 - before[h + 1][:-1] ** 2
            signals.append(self.round_to(slope * self.round_to(code @ c * 0.5, 2**-8, 2.0), 2**-8, 2.0))
        signals.append(e)
        for w, o, r in zip(self.w, before, signals, strict=True):
            w.copy_(
                torch.clamp(
                    torch.floor((w + self.eta * torch.outer(o, r)) * 256 + torch.rand_like(w)) / 256,
                    -127 / 256,
                    127 / 256,
                )
            )


class FloatBackprop:
    """Float32 backpropagation by hand, in place, mini-batches."""

    def __init__(self, net):
        self.w = [w[:-1].clone() for w in _weights(net)]
        self.b = [torch.zeros(w.shape[1]) for w in self.w]
        self.eta = 2.0**-RATE

    @torch.no_grad()
    def step(self, x, targets):
        outputs = [x]
        for h, (w, b) in enumerate(zip(self.w, self.b, strict=True)):
            s = torch.addmm(b, outputs[-1], w)
            outputs.append(torch.tanh_(s) if h < len(self.w) - 1 else torch.softmax(s, 1))
        delta = targets - outputs[-1]
        for h in range(len(self.w) - 1, -1, -1):
            below = (delta @ self.w[h].t()).mul_(1 - outputs[h] * outputs[h]) if h else None
            self.w[h].addmm_(outputs[h].t(), delta, alpha=self.eta)
            self.b[h].add_(delta.sum(0), alpha=self.eta)
            delta = below
