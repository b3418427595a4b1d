"""The rival in C: compiles `peer.c` into a temporary folder and runs it on a copy of a network's memories."""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np


@functools.cache
def library():
    """The compiled loops, or None where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        return None
    target = Path(tempfile.mkdtemp()) / "peer.so"
    source = Path(__file__).with_name("peer.c")
    subprocess.run([compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", target, source], check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.train.restype = ctypes.c_int64
    return loaded


class Layer(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "n_in", "n_out", "stride", "bias_code", "address_shift", "address_low", "address_high", "table",
            "update_shift", "received_shift", "weight_high", "is_output",
        )),
        *((name, ctypes.c_void_p) for name in ("weights", "feedback", "events", "codes", "counts")),
    ]  # fmt: skip


class Peer:
    """A copy of a network (narrow weights, SRBP, tanh, softmax) that learns in C."""

    def __init__(self, net):
        compiler, spec = net._compiler, net.spec
        self.memory, self.kept = net._memory.narrow.copy(), []
        self.layers = (Layer * len(spec.layers))()
        self.counts = np.zeros((len(spec.layers), 6), np.int64)
        for h, layer in enumerate(self.layers):
            get = functools.partial(compiler.register, h)
            for name in ("n_in", "n_out", "stride", "bias_code", "address_shift", "address_low", "address_high", "table",
                         "update_shift", "received_shift", "weight_high"):  # fmt: skip
                setattr(layer, name, get(name))
            layer.is_output = h == spec.last
            layer.weights = self.memory.ctypes.data + get("weight")
            layer.feedback = self.memory.ctypes.data + get("feedback")
            events, codes = np.zeros(get("rows"), np.int64), np.zeros(get("n_out"), np.int64)
            self.kept.append((events, codes))
            layer.events, layer.codes, layer.counts = events.ctypes.data, codes.ctypes.data, self.counts[h].ctypes.data
        error = spec.channel.error
        self.thresholds = np.array(error.thresholds_in(spec.output(spec.last).frac), np.int64)
        self.decoded = np.array(error.decoded_in(spec.received.frac), np.int64)
        self.tables, self.seed = compiler.tables, spec.seed
        self.step = 0

    def train(self, codes, labels, rate):
        """One pass, online. codes: uint8[samples, n_in]; labels: int64[samples]."""
        pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)  # noqa: E731
        right = library().train(
            self.layers, len(self.layers), pointer(codes), pointer(labels), ctypes.c_int64(len(codes)), pointer(self.tables),
            pointer(self.thresholds), pointer(self.decoded), len(self.thresholds), ctypes.c_uint64(self.seed), rate, ctypes.c_int64(self.step),
        )  # fmt: skip
        self.step += len(codes)
        return right
