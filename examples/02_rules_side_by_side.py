"""Every rule on the chip and in floats: MNIST 784-100-100-10, batches of 20, 8-bit weights, 4-bit error, 5 epochs, 3 seeds.

python examples/02_rules_side_by_side.py [--out FILE.md] [--quick]
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim.floats.network import FloatNetwork
from neurosim.rng import sample_order

BATCH = 20
HEAD = "| rule | eta | chip, % | floats, % | difference | within 1.0 | codes a sample | nJ a sample |"
ONE_BIT = ns.RULES["srbp"].replace(error=ns.Quantiser(1))  # alpha 1/4 by default
NO_FEEDBACK = ns.RULES["srbp"].replace(feedback=ns.FeedbackCrossbar(density=0.0))
RATES = {"rbp": 6, "srbp": 6, "top-only": 6}  # k of eta = 2**-k; 7 for the others
CASES = {  # channel, k, binary places of the 8-bit output weights: 8 is a range of +-0.5, 6 of +-2
    **{name: (channel, RATES.get(name, 7), 8) for name, channel in ns.RULES.items()},
    "top-only, output weights to 2": (ns.RULES["top-only"], 6, 6),
    "srbp, 1-bit error": (ONE_BIT, 6, 8),
    "srbp, 1-bit error, alpha 1": (ONE_BIT.replace(error=ns.Quantiser(1, alpha=1.0)), 7, 8),
    "srbp, density 0": (NO_FEEDBACK, 6, 8),
}


def learn(spec: ns.NetworkSpec, rate: int, data: ns.data.DataSet, epochs: int) -> tuple[float, float, ns.Network]:
    """Accuracies in %, chip and floats, after the same steps in the same order; the chip's network too."""
    chip, floats = ns.Network(spec), FloatNetwork(spec.replace(channel=spec.channel.replace(error=None)))
    full, labels, tests = data.full_scale, data.train_labels.astype(int), data.test_labels.astype(int)
    codes, test_codes = (chip.encode(x, full) for x in (data.train_inputs, data.test_inputs))
    real, test_real = ((x.reshape(len(x), -1) / full).astype(np.float32) for x in (data.train_inputs, data.test_inputs))
    for epoch in range(epochs):
        k, given = rate + epoch // 2, {"batch_size": BATCH, "order": sample_order(spec.seed, epoch, len(labels))}
        chip.train(codes, labels, rate=k, **given)
        floats.train(real, labels, eta=2.0**-k, **given)
    return 100 * chip.evaluate(test_codes, tests), 100 * floats.evaluate(test_real, tests), chip


def case(name: str, data: ns.data.DataSet, seeds: int, epochs: int) -> tuple[str, float, list[ns.Network]]:
    """One row of the table; the chip's mean accuracy and its networks."""
    channel, rate, places = CASES[name]
    top = ns.Dense(10, "softmax", weight=ns.Fixed(8, places, rounding="stochastic"))
    found = []
    for seed in range(seeds):
        if sys.stderr.isatty():
            print(f"{name}: seed {seed + 1} of {seeds} ...", end="\r", file=sys.stderr, flush=True)
        spec = ns.NetworkSpec(data.n_inputs, (ns.Dense(100), ns.Dense(100), top), channel, seed=seed)
        found.append(learn(spec, rate, data, epochs))
    (chip, floats), spread = np.mean([f[:2] for f in found], 0), np.std([f[:2] for f in found], 0, ddof=seeds > 1)
    net = found[0][2]
    codes = net.counts().total("error_code") / net.counts().samples
    nj = ns.price(net.counts(), None, net.layout(), ns.load_hardware("digital_45nm")).energy_pj_per_sample / 1e3
    verdict = "yes" if abs(chip - floats) <= 1 else "**no**"
    row = f"| {name} | 2^-{rate} | {chip:.2f} ± {spread[0]:.2f} | {floats:.2f} ± {spread[1]:.2f} | {chip - floats:+.2f} | {verdict} |"
    return f"{row} {codes:.1f} | {nj:.0f} |", chip, [f[2] for f in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="end this file with the table; prose above it is kept")
    parser.add_argument("--quick", action="store_true", help="digits (no files needed), one epoch, one seed")
    given = parser.parse_args()
    data, seeds, epochs = ns.data.load("digits" if given.quick else "mnist"), *((1, 1) if given.quick else (3, 5))
    lines, chip, nets = [HEAD, "| --- " * HEAD.count(" |") + "|"], {}, {}
    print("\n".join(lines))
    for name in CASES:
        row, chip[name], nets[name] = case(name, data, seeds, epochs)
        lines.append(row)
        print(row, flush=True)
    pairs = zip(nets["srbp, density 0"], nets["top-only"], strict=True)
    equal = all(np.array_equal(a.weights(h), b.weights(h)) for a, b in pairs for h in range(3))
    above = [chip["srbp, 1-bit error"] - chip[name] for name in ("top-only", "top-only, output weights to 2")]
    lines += [
        "",
        f"SRBP with a 1-bit error is {above[0]:.1f} points above top-only, {above[1]:.1f} above top-only at its best.",
    ]
    lines += [f"SRBP of density 0 equals top-only in every bit of every weight: {'yes' if equal else 'NO'}."]
    print("\n".join(lines[-3:]))
    if given.out:
        prose = given.out.read_text().partition(HEAD)[0] if given.out.exists() else ""
        given.out.write_text(prose + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
