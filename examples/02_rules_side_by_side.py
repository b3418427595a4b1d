"""Every rule on the same chip: MNIST 784-100-100-10, online, 8-bit weights, 4-bit error, 5 epochs, 3 seeds.

python examples/02_rules_side_by_side.py [--out FILE.md] [--quick]
"""

import argparse
import statistics
from pathlib import Path

import neurosim as ns

CASES = {
    **{name: {"rule": name} for name in ns.RULES},
    "srbp, 1-bit error": {"rule": "srbp", "error_bits": 1},
    "srbp, 1-bit error, eta 2^-9": {"rule": "srbp", "error_bits": 1, "learning_rate": 2**-9},
    "srbp, 1-bit error, alpha 2^-3": {"rule": "srbp", "error_bits": 1, "error_alpha": 2**-3},
    "srbp, density 0": {"rule": "srbp", "feedback_density": 0.0},
    "drtp, eta 2^-8": {"rule": "drtp", "learning_rate": 2**-8},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the table here too")
    parser.add_argument("--quick", action="store_true", help="digits, one epoch, one seed")
    given = parser.parse_args()
    fixed = {"data": "mnist", "hidden": (100, 100), "epochs": 5}
    if given.quick:
        fixed |= {"data": "digits", "epochs": 1, "hidden": (12, 12), "train_samples": 300}
    lines = [
        "| rule | test accuracy, mean | sd | error codes a sample | learning nJ, 45 nm |",
        "| --- | --- | --- | --- | --- |",
    ]
    print("\n".join(lines))
    for name, knobs in CASES.items():
        records = [ns.run(**fixed, **knobs, seed=seed) for seed in range(1 if given.quick else 3)]
        found = [100 * (record.test_accuracy or 0.0) for record in records]
        codes = records[0].train_counts.total("error_code") / records[0].train_counts.samples
        nj = records[0].cost["digital_45nm"].energy_pj_per_sample / 1e3
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        lines.append(f"| {name} | {statistics.mean(found):.2f} % | {spread:.2f} | {codes:.1f} | {nj:.0f} |")
        print(lines[-1], flush=True)
    if given.out:
        given.out.write_text(
            "# Rules side by side\n\nMNIST, 784-100-100-10, online, 8-bit weights, 4-bit log error, 5 epochs, eta 2^-6 halved every "
            "2 epochs (unless stated), 3 seeds.\nMade by `python examples/02_rules_side_by_side.py --out docs/rules_study.md`. The same "
            "rules in floats are not in this table yet.\n\n" + "\n".join(lines) + "\n"
        )


if __name__ == "__main__":
    main()
