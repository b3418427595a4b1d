"""A training step of a convolutional network in float32 against PyTorch's: forward and backward, all gradients.

32 x 32 x 3, three times [5 x 5 to 64 channels "same", tanh, max-pool 3/2 "same"], 1024 tanh, 10 softmax; mini-batches of 128.
"""

import importlib
from collections import defaultdict
from time import perf_counter

import numpy as np

from neurosim.floats.convolution import convolve, max_pool, transposed, unpool, weight_gradient

BATCH, SIZE, CHANNELS, KERNEL, HIDDEN, CLASSES = 128, 32, 64, 5, 1024, 10


class Step:
    """The step with neurosim's functions. `seconds`: by piece, summed over steps."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.x = rng.standard_normal((BATCH, SIZE, SIZE, 3)).astype(np.float32)
        self.labels = rng.integers(0, CLASSES, BATCH)
        rows = [KERNEL * KERNEL * c for c in (3, CHANNELS, CHANNELS)] + [16 * CHANNELS, HIDDEN]
        columns = [CHANNELS] * 3 + [HIDDEN, CLASSES]
        drawn = [rng.standard_normal(shape) / np.sqrt(shape[0]) for shape in zip(rows, columns, strict=True)]
        self.w = [w.astype(np.float32) for w in drawn]
        self.b = [np.zeros(n, np.float32) for n in columns]
        maps = [(BATCH, side, side, CHANNELS) for side in (32, 16, 8, 4)]
        self.outputs, self.signals = ([np.empty(shape, np.float32) for shape in maps[:3]] for _ in range(2))
        self.pools = [(np.empty(shape, np.float32), np.empty(shape, np.int32)) for shape in maps[1:]]
        self.back = [np.empty(shape, np.float32) for shape in maps[1:]]
        self.gw, self.gb = [np.empty_like(w) for w in self.w], [np.empty_like(b) for b in self.b]
        self.ones = np.ones(BATCH * SIZE * SIZE, np.float32)
        self.seconds = defaultdict(float)

    def timed(self, piece, work, *arguments, **options):
        start = perf_counter()
        result = work(*arguments, **options)
        self.seconds[piece] += perf_counter() - start
        return result

    def __call__(self):
        flat = self.forward()
        self.backward(self.timed("dense", self.dense, flat))

    def forward(self):
        below = self.x
        for h, (o, pool) in enumerate(zip(self.outputs, self.pools, strict=True)):
            self.timed(f"convolution {h + 1}", convolve, below, self.w[h], KERNEL, "same", out=o)
            self.timed("bias", np.add, o, self.b[h], out=o)
            self.timed("tanh", np.tanh, o, out=o)
            below, _ = self.timed("pool", max_pool, o, 3, 2, "same", out=pool)
        return below.reshape(BATCH, -1)

    def dense(self, flat):
        """Both dense layers, forward and backward: the signal for the map that they look at."""
        hidden = np.tanh(flat @ self.w[3] + self.b[3])
        drive = hidden @ self.w[4] + self.b[4]
        e = np.exp(drive - drive.max(axis=1, keepdims=True))
        e /= e.sum(axis=1, keepdims=True)
        e[np.arange(BATCH), self.labels] -= 1
        e /= BATCH
        r = (e @ self.w[4].T) * (1 - hidden * hidden)
        np.matmul(hidden.T, e, out=self.gw[4])
        np.matmul(flat.T, r, out=self.gw[3])
        self.gb[3], self.gb[4] = r.sum(axis=0), e.sum(axis=0)
        return r @ self.w[3].T

    def backward(self, j):
        for h in (2, 1, 0):
            (largest, winners), r = self.pools[h], self.signals[h]
            j = j.reshape(largest.shape)
            self.timed("slope", self.slope, j, largest)
            self.timed("unpool", unpool, j, winners, r.shape, out=r)
            places = r.reshape(-1, CHANNELS)
            self.timed("bias", np.matmul, self.ones[: len(places)], places, out=self.gb[h])
            under = self.pools[h - 1][0] if h else self.x
            self.timed(f"gradient {h + 1}", weight_gradient, under, r, KERNEL, "same", out=self.gw[h])
            if h:
                j = self.back[h - 1]
                self.timed(f"transposed {h + 1}", transposed, r, self.w[h], KERNEL, "same", under.shape, out=j)

    @staticmethod
    def slope(j, largest):
        """The derivative of tanh for the winners, from what the pool kept of them: the others have no signal."""
        j *= 1 - largest * largest


class TorchStep:
    """The same step from the same weights by PyTorch and autograd, in either layout of maps."""

    def __init__(self, ours, *, channels_last):
        self.torch = torch = importlib.import_module("torch")
        kind = torch.channels_last if channels_last else torch.contiguous_format
        self.x = torch.tensor(ours.x).permute(0, 3, 1, 2).contiguous(memory_format=kind)
        self.labels = torch.tensor(ours.labels)
        maps = [torch.tensor(w).reshape(KERNEL, KERNEL, -1, CHANNELS).permute(3, 2, 0, 1) for w in ours.w[:3]]
        flat = torch.tensor(ours.w[3]).reshape(4, 4, CHANNELS, HIDDEN).permute(3, 2, 0, 1).reshape(HIDDEN, -1)
        self.w = [*(w.contiguous(memory_format=kind) for w in maps), flat, torch.tensor(ours.w[4]).t().contiguous()]
        self.b = [torch.tensor(b) for b in ours.b]
        for parameter in self.w + self.b:
            parameter.requires_grad_()

    def __call__(self):
        functions = self.torch.nn.functional
        for parameter in self.w + self.b:
            parameter.grad = None
        y = self.x
        for w, b in zip(self.w[:3], self.b[:3], strict=True):
            y = self.torch.tanh(functions.conv2d(y, w, b, padding=KERNEL // 2))
            y = functions.max_pool2d(y, 3, 2, ceil_mode=True)
        y = self.torch.tanh(functions.linear(y.flatten(1), self.w[3], self.b[3]))
        functions.cross_entropy(functions.linear(y, self.w[4], self.b[4]), self.labels).backward()

    def gradients(self):
        """Those of the weights, in neurosim's layout."""
        maps = [w.grad.permute(2, 3, 1, 0).reshape(-1, CHANNELS) for w in self.w[:3]]
        flat = self.w[3].grad.reshape(HIDDEN, CHANNELS, 4, 4).permute(2, 3, 1, 0).reshape(-1, HIDDEN)
        return [g.numpy() for g in (*maps, flat, self.w[4].grad.t())]
