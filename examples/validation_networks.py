"""Run the networks that `neurosim validate` prices, and keep their counts: MNIST, one sample a step, 8-bit weights.

python examples/validation_networks.py [--out FILE.json] [--quick]

Each network learns 50,000 samples; counted are the next 2,000, and 1,000 tests. Sizes of convolutions are
ours; in emstdp_dfa they are frozen, as the rule does not learn through two of them here.
"""

import argparse
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import neurosim as ns

TOP = ns.Dense(10, "softmax", weight=ns.Fixed(8, 9, rounding="stochastic"))
FROZEN = partial(ns.Conv2d, kernel=5, pool=2, frozen=True)
NETWORKS = {  # name: inputs (a crop of the 28 x 28), layers, rule
    "park_srbp": ((28, 28), [ns.Dense(200), ns.Dense(200), TOP], "srbp"),
    "park_bp": ((28, 28), [ns.Dense(200), ns.Dense(200), TOP], "bp"),
    "nbp_bp": ((20, 20), [ns.Dense(400), TOP], "bp"),
    "spoon_drtp": ((28, 28, 1), [ns.Conv2d(10, 5, pool=2), ns.Dense(128), TOP], "drtp"),
    "emstdp_dfa": ((28, 28, 1), [FROZEN(8), FROZEN(16), ns.Dense(100), TOP], "srbp"),
}


def cropped(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The middle of the images, in the shape that a network takes."""
    edge = (28 - shape[0]) // 2
    images = images.reshape(-1, 28, 28)[:, edge : 28 - edge, edge : 28 - edge]
    return images.reshape(len(images), *shape) if len(shape) == 3 else images.reshape(len(images), -1)


def counted(name: str, data: tuple[np.ndarray, ...], full: float, learn: int, count: int) -> dict[str, object]:
    """Counts of the last `count` samples of training and of all tests, without those by unit; and the layout."""
    images, labels, tests, test_labels = data
    shape, layers, rule = NETWORKS[name]
    net = ns.Network(shape if len(shape) == 3 else shape[0] * shape[1], layers, ns.RULES[rule], seed=1)
    codes = net.encode(cropped(images, shape), full)
    net.train(codes[:learn], labels[:learn], rate=7)
    before = net.counts()
    net.train(codes[learn : learn + count], labels[learn : learn + count], rate=7)
    accuracy = net.evaluate(net.encode(cropped(tests, shape), full), test_labels)
    train, test = (replace(c, events=(), error_codes=()) for c in (net.counts().since(before), net.test_counts()))
    print(f"{name:12} {rule:5} accuracy {accuracy:.1%}")
    return {"rule": rule, "train": train.to_dict(), "test": test.to_dict(), "layout": net.layout().to_dict()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="random images, few of them")
    given = parser.parse_args()
    learn, count, tests = (20, 10, 10) if given.quick else (50_000, 2_000, 1_000)
    if given.quick:
        random = np.random.default_rng(1)
        images, labels = random.integers(0, 256, (40, 28, 28), np.uint8), random.integers(0, 10, 40)
        data, full = (images[:30], labels[:30], images[30:], labels[30:]), 255.0
    else:
        mnist = ns.data.load("mnist")
        data = (
            mnist.train_inputs,
            mnist.train_labels.astype(int),
            mnist.test_inputs[:tests],
            mnist.test_labels[:tests].astype(int),
        )
        full = mnist.full_scale
    found = {name: counted(name, data, full, learn, count) for name in NETWORKS}
    if given.out:
        made = f"examples/validation_networks.py, neurosim {ns.__version__}: {learn} samples learned, {count} and {tests} counted"
        text = json.dumps({"made_by": made, "networks": found}, separators=(",", ":"))
        given.out.write_text(text.replace('},"', '},\n"').replace('{"layer"', '\n{"layer"') + "\n")
        print(f"wrote {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
