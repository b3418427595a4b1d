"""Train the committed MNIST configurations over seeds; print mean test accuracy and what a sample costs.

python examples/03_accuracy.py [--seeds 3] [--quick] [CONFIG.toml ...]
"""

import argparse
import statistics
from pathlib import Path

import neurosim as ns
from neurosim.studies.config import read

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "configs", nargs="*", default=[HERE / "mnist_784_100_10.toml", HERE / "mnist_784_200_200_10.toml"]
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="embedded digits, one epoch, one seed")
    given = parser.parse_args()
    print("| configuration | test accuracy, mean | by seed | learning nJ at 45 nm | inference nJ |")
    print("| --- | --- | --- | --- | --- |")
    for path in given.configs:
        config = ns.Config(**read(path))
        if given.quick:
            config = config.replace(data="digits", epochs=1)
        records = [ns.run(config, seed=seed) for seed in range(1 if given.quick else given.seeds)]
        found = [100 * (record.test_accuracy or 0.0) for record in records]
        cost = records[0].cost["digital_45nm"]
        by_seed = ", ".join(f"{x:.2f}" for x in found)
        print(
            f"| {Path(path).stem} | {statistics.mean(found):.2f} % | {by_seed} | {cost.energy_pj_per_sample / 1e3:.0f} "
            f"| {cost.inference_energy_pj_per_sample / 1e3:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
