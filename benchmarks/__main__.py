"""Run the benchmarks: `python -m benchmarks [--smoke] [--write] [NAME ...]`; the names stand in `BY_NAME`."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Row, interleaved, machine, one_core, table

one_core()

import numpy as np

from benchmarks.large import large
from benchmarks.pricing import noc, pricing
from benchmarks.sanafe_peer import sanafe
from benchmarks.spikes import cuba, events, neurons
from benchmarks.sweeps import sweeps
from benchmarks.workload import RATE, convolutional, network, samples

HERE = Path(__file__).parent


def online(smoke):
    """Batch 1 against PyTorch with fake quantisation and against C."""
    from benchmarks.c_peer import Peer, library

    n, rounds = (500, 3) if smoke else (6000, 9)
    pixels, labels, name = samples(n)
    net = network()
    codes = net.encode(pixels, 255)
    rivals = {"neurosim": lambda: net.train(codes, labels, rate=RATE)}
    if library():
        peer = Peer(network())
        rivals["C"] = lambda: peer.train(codes, labels, RATE)
    few = max(50, n // 40)
    torch = _torch()
    if torch:
        from benchmarks.peers import FakeQuantised

        fake, inputs = FakeQuantised(net), torch.tensor(pixels[:few], dtype=torch.float32)
        rivals["torch"] = lambda: [fake.step(x, int(y)) for x, y in zip(inputs, labels[:few], strict=True)]
    seconds = interleaved(rivals, rounds)
    ours = n / seconds["neurosim"]
    rows = [Row("online, samples a second", ours, "/s", 100_000, note=f"{name}, counters on")]
    if torch:
        other = few / seconds["torch"]
        rows.append(Row("online / PyTorch, fake quantisation", ours / other, "x", 60, note=f"PyTorch {other:,.0f} /s"))
    if library():
        other = n / seconds["C"]
        rows.append(Row("online / C -O3 -march=native", ours / other, "x", 1, note=f"C {other:,.0f} /s, equal bits"))
    return rows


def batch(smoke):
    """Batch 100 against float32 backpropagation by hand in PyTorch."""
    n, rounds = (1000, 3) if smoke else (12000, 9)
    pixels, labels, _ = samples(n)
    net = network()
    codes = net.encode(pixels, 255)
    rivals = {"neurosim": lambda: net.train(codes, labels, rate=RATE, batch_size=100)}
    torch = _torch()
    if torch:
        from benchmarks.peers import FloatBackprop

        other, inputs = FloatBackprop(net), torch.tensor(pixels / 255, dtype=torch.float32)
        targets = torch.eye(10)[torch.tensor(labels)]
        rivals["torch"] = lambda: [other.step(inputs[i : i + 100], targets[i : i + 100]) for i in range(0, n, 100)]
    seconds = interleaved(rivals, rounds)
    ours = n / seconds["neurosim"]
    rows = [Row("batch 100, samples a second", ours, "/s")]
    if torch:
        peer = n / seconds["torch"]
        rows.append(
            Row("batch 100 / PyTorch float32 backpropagation", ours / peer, "x", 1.5, note=f"PyTorch {peer:,.0f} /s")
        )
    return rows


def convolution(smoke):
    """A step of a convolutional network in float32, mini-batch of 128, against PyTorch in its faster layout."""
    from benchmarks.convolution import BATCH, Step, TorchStep
    from neurosim.chip.channel import RULES
    from neurosim.floats.network import FloatNetwork
    from neurosim.studies.papers.cifar10 import network as cifar10

    ours, engine = Step(), FloatNetwork(cifar10(RULES["bp"].replace(error=None)), from_codes=False)
    flat = ours.x.reshape(BATCH, -1)
    rivals = {"neurosim": ours, "engine": lambda: engine.step(flat, ours.labels, eta=1e-5)}
    if _torch():
        rivals |= {name: TorchStep(ours, channels_last=name == "last") for name in ("first", "last")}
    ours()
    ours.seconds.clear()
    rounds = 3 if smoke else 9
    seconds = interleaved(rivals, rounds)
    pieces = ", ".join(f"{piece} {total * 1e3 / (rounds + 1):.1f}" for piece, total in ours.seconds.items())
    rows = [Row("convolutional step, float32", seconds["neurosim"] * 1e3, "ms", note=pieces)]
    rows.append(Row("the float engine's whole step", seconds["engine"] * 1e3, "ms"))
    if "first" in seconds:
        peer = min(seconds["first"], seconds["last"])
        ratio = peer / seconds["neurosim"]
        rows.append(Row("the float engine's whole step / PyTorch float32", peer / seconds["engine"], "x", 0.7))
        rows.append(Row("convolutional step / PyTorch float32", ratio, "x", 0.7, note=f"PyTorch {peer * 1e3:.0f} ms"))
    return rows


def maps(smoke):
    """A convolutional network on the chip, learning online: nanoseconds a synaptic operation, edges and all counted exactly.

    Beside it PyTorch in float32, in the mini-batches of 128 that suit it best.
    """
    from benchmarks.convolution import BATCH, Step, TorchStep

    n, rounds = (3, 2) if smoke else (40, 7)
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 128, (n, 3072)).astype(np.uint8), rng.integers(0, 10, n)
    nets = {rule: convolutional(rule) for rule in ("srbp", "bp")}
    rivals = {rule: lambda net=net: net.train(codes, labels, rate=RATE + 3) for rule, net in nets.items()}
    rivals["test"] = lambda: nets["bp"].evaluate(codes, labels, execution="event")
    if _torch():
        rivals["torch"] = TorchStep(Step(), channels_last=True)
    seconds = {name: s * 1e9 / (BATCH if name == "torch" else n) for name, s in interleaved(rivals, rounds).items()}
    tested = nets["bp"].test_counts()
    forward = tested.total("mac") / tested.samples
    rows = [Row("maps, forward, a synaptic operation", seconds["test"] / forward, "ns")]
    for rule, net in nets.items():
        pairs = net.counts().total("update_pair") / net.counts().samples
        ms, each = seconds[rule] / 1e6, seconds[rule] / (forward + pairs)
        note = f"{forward / 1e6:.1f} million multiplications, {pairs / 1e6:.1f} million update pairs"
        rows.append(Row(f"maps, learning online, {rule}", ms, "ms a sample", note=note))
        rows.append(Row(f"maps, a synaptic operation, {rule}", each, "ns"))
        if "torch" in seconds:
            note = f"PyTorch {seconds['torch'] / 1e6:.2f} ms a sample of 128"
            rows.append(Row(f"maps, {rule} online / PyTorch float32", seconds["torch"] / seconds[rule], "x", note=note))
    return rows


def _torch():
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def synapse(smoke):
    """Nanoseconds a synaptic operation, beside the floor of the same memory traffic."""
    n, rounds = (500, 3) if smoke else (6000, 7)
    pixels, labels, _ = samples(n)
    net = network()
    codes = net.encode(pixels, 255)
    net.train(codes, labels, rate=RATE)
    before = net.counts()
    done = {}
    weights = np.zeros(1 << 17, np.int8)

    def touch():
        np.add(weights, 1, out=weights)

    seconds = interleaved(
        {
            "train": lambda: net.train(codes, labels, rate=RATE),
            "test": lambda: net.predict(codes, execution="event"),
            "floor": lambda: [touch() for _ in range(100)],
            "read": lambda: [weights.max() for _ in range(100)],
        },
        rounds,
    )
    counts = net.counts()
    steps = (counts.samples - before.samples) / n
    for action in ("mac", "update_pair"):
        done[action] = (counts.total(action) - before.total(action)) / steps
    per = seconds["train"] * 1e9 / (done["mac"] + done["update_pair"])
    forward = seconds["test"] * 1e9 / done["mac"]
    update = (seconds["train"] - seconds["test"]) * 1e9 / done["update_pair"]
    write, read = (seconds[k] * 1e9 / 100 / weights.size for k in ("floor", "read"))
    return [
        Row("synaptic operation, learning, all in all", per, "ns"),
        Row("forward, a synaptic operation", forward, "ns", note=f"floor, reading the same byte: {read:.3f} ns"),
        Row("channel and update, an update pair", update, "ns", note=f"floor, read, add, write: {write:.3f} ns"),
    ]


def scaling(smoke):
    """Nanoseconds a synaptic operation from 10^4 to 10^7 synapses, every input active, and memory at the largest."""
    rows, found = [], []
    for exponent in (4, 5, 6) if smoke else (4, 5, 6, 7):
        side = 32 * round((10**exponent) ** 0.5 / 32)
        net = network((side,), inputs=side)
        rng = np.random.default_rng(0)
        n = 64 * max(1, 10**6 // 10**exponent)
        codes, labels = net.encode(rng.integers(2, 256, (n, side)).astype(np.uint8), 255), rng.integers(0, 10, n)

        def work(net=net, codes=codes, labels=labels):
            net.train(codes, labels, rate=RATE)

        before = net.counts()
        seconds = interleaved({"train": work}, 5)["train"]
        counts = net.counts()
        share = n / (counts.samples - before.samples)
        operations = sum(counts.total(a) - before.total(a) for a in ("mac", "update_pair")) * share
        found.append(seconds * 1e9 / operations)
        rows.append(Row(f"{side}-{side}-10, 10^{exponent} synapses", found[-1], "ns a synaptic operation"))
    rows.append(Row("slowest / fastest size", max(found) / min(found), "x", 2, least=False))
    rows.append(
        Row("memory at 10^7 synapses / weights", _memory(), "x", 1.5, least=False, note="resident, less that before")
    )
    return rows


_MEMORY = """
import resource, sys, numpy as np
from benchmarks.workload import network
def resident():
    with open('/proc/self/statm') as f: return int(f.read().split()[1]) * resource.getpagesize()
def run(side):
    net = network((side,), inputs=side)
    codes = np.full((16, side), 40, np.uint8); codes[:, ::2] = 0
    net.train(codes, np.arange(16) % 10, rate=7)
    return net
run(64); before = resident()
net = run(3162)
print((resident() - before) / (net.weights(0).size + net.weights(1).size))
"""


def _memory():
    out = subprocess.run([sys.executable, "-c", _MEMORY], capture_output=True, text=True, check=True, cwd=HERE.parent)
    return float(out.stdout)


def start(smoke):
    """Start-up against `import numpy`, files warm; the first compilation."""
    python = sys.executable
    commands = {
        "numpy": [python, "-c", "import numpy"],
        "help": [str(Path(python).with_name("neurosim")), "--help"],
        "import": [python, "-c", "import neurosim"],
    }
    rivals = {k: lambda c=c: subprocess.run(c, capture_output=True, check=True) for k, c in commands.items()}
    seconds = interleaved(rivals, 5 if smoke else 11)
    rows = [
        Row("neurosim --help / import numpy", seconds["help"] / seconds["numpy"], "x", 1, least=False),
        Row("import neurosim / import numpy", seconds["import"] / seconds["numpy"], "x", 1.5, least=False),
    ]
    if not smoke:
        code = "from benchmarks.workload import *; n = network((20,), 30); c = np.zeros((4, 30), np.uint8); n.train(c, np.zeros(4, int), rate=7); n.predict(c)"
        with tempfile.TemporaryDirectory() as folder:
            took = []
            for _ in range(2):
                begin = time.perf_counter()
                subprocess.run(
                    [python, "-c", code], env={**os.environ, "NUMBA_CACHE_DIR": folder}, check=True, cwd=HERE.parent
                )
                took.append(time.perf_counter() - begin)
        rows.append(Row("first compilation, process and all", took[0], "s", 30, least=False))
        rows.append(Row("the same with a warm cache", took[1], "s"))
    return rows


ALL = {
    "online": online,
    "batch": batch,
    "convolution": convolution,
    "maps": maps,
    "synapse": synapse,
    "scaling": scaling,
    "start": start,
    "cuba": cuba,
    "events": events,
    "neurons": neurons,
    "pricing": pricing,
    "noc": noc,
    "sanafe": sanafe,
    "sweeps": sweeps,
}
BY_NAME = ALL | {"large": large}
"""Also those that run only where they are named."""


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BY_NAME))
    parser.add_argument("--smoke", action="store_true", help="seconds only; numbers mean little")
    parser.add_argument(
        "--write", action="store_true", help="write benchmarks/results.md; with names, their rows alone"
    )
    given = parser.parse_args()
    rows = []
    for name in given.names or ALL:
        if name not in BY_NAME:
            parser.error(f"{name}: must be one of {', '.join(BY_NAME)}")
        rows += BY_NAME[name](given.smoke)
    print(table(rows))
    if given.write:
        page = HERE / "results.md"
        listed = _merged(page.read_text() if given.names and page.exists() else "", table(rows))
        page.write_text(
            f"# Benchmarks\n\n{machine()}, one core. Made by `python -m benchmarks [NAME ...] --write`.\n\n{listed}\n"
        )


def _merged(before, now):
    """The rows of a page, those of the same name replaced by new ones, others kept."""
    found = {line.split("|")[1].strip(): line for line in before.splitlines() if line.startswith("|")}
    return "\n".join((found | {line.split("|")[1].strip(): line for line in now.splitlines()}).values())


if __name__ == "__main__":
    main()
