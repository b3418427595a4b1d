"""How far weights of 8, 6 and 4 bits move spikes, and what they cost in accuracy, against the same network in real numbers.

python examples/few_bits.py [--data mnist] [--seed 0] [--quick]

A network learns in real numbers. Its weights are then rounded, its states are integers, and the same samples are shown: spikes move. And
it learns anew with weights of so few bits, rounded at random. `neurosim reproduce spiking` has the whole of it.
"""

import argparse

import neurosim as ns
from neurosim.studies.papers import spiking
from neurosim.studies.setting import run
from neurosim.studies.spikes import TAU_TICKS, WITHIN_TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=("mnist", "n-mnist", "digits"), default="mnist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="the embedded digits, 500 of them")
    given = parser.parse_args()
    cells = {cell.name: cell.setting for cell in spiking.cells()}
    setting = cells[spiking.EVENTS if given.data == "n-mnist" else spiking.MNIST]
    if given.quick or given.data == "digits":
        setting = setting.replace(network=ns.Erbp(n_in=64, gains=(3, 3)), data="digits", train_samples=500)
    try:
        real = run(setting.replace(engine="float", rounded=spiking.BITS), given.seed)
    except ns.NeurosimError as error:
        return print(f"skipped: {error}")
    print(f"in real numbers {real['test_accuracy']:.1f} %")
    print(
        f"coincidence within {WITHIN_TICKS} ticks, distance with {TAU_TICKS:g}: of spikes after rounding what was learned"
    )
    for bits in spiking.BITS:
        learned = run(setting.replace(weight_bits=bits), given.seed)
        after, same, far = (real[f"{name}_{bits}_bits"] for name in ("accuracy", "coincide", "distance"))
        print(
            f"{bits} bits: {same:.1f} % of spikes coincide, distance {far:.2f}; rounded {after:.1f} %, "
            f"learned with them {learned['test_accuracy']:.1f} %",
            flush=True,
        )
    return None


if __name__ == "__main__":
    main()
