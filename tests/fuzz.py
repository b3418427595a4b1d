"""Many random networks: the engine against its slow twin. `python -m tests.fuzz --cases 2000 --seed 0`; `--spiking`: spiking ones.

`--brian [--target cpp] --count N`: spiking ones and those of the named learning rules, the engine against Brian2.
"""

import argparse
import random
import sys
import time

from tests.twin import NeurosimError, a_case, compare


def run(cases, seed, *, keep_going=False):
    """Returns (cases equal, refused, integers compared, differences)."""
    equal = refused = integers = number = 0
    differences = []
    start = time.monotonic()
    while equal + len(differences) < cases:
        number += 1
        rnd = random.Random(f"{seed}-{number}")
        try:
            case = a_case(rnd)
        except NeurosimError:
            refused += 1
            continue
        try:
            integers += compare(case, ("auto", "event", "blas")[number % 3])
            equal += 1
        except NeurosimError:
            refused += 1
        except AssertionError as difference:
            differences.append(number)
            print(f"case {seed}-{number}: {difference}\n  {case[0]}\n  rate {case[2]} batch {case[3]}", file=sys.stderr)
            if not keep_going:
                break
        if sys.stderr.isatty() and number % 50 == 0:
            print(f"\r{equal}/{cases}", end="", file=sys.stderr)
    print(
        f"{equal} random networks equal on {integers:,} integers, {len(differences)} different, {refused} descriptions "
        f"refused, {time.monotonic() - start:.0f} s"
    )
    return equal, refused, integers, differences


def run_spiking(cases, seed, *, keep_going=False):
    """The same for spiking networks, each run in 1 to 3 pieces."""
    from neurosim.spiking.network import SpikingNetwork
    from tests import spiking_twin

    equal = refused = integers = number = 0
    differences = []
    start = time.monotonic()
    while equal + len(differences) < cases:
        number += 1
        try:
            case = spiking_twin.random_case(random.Random(f"{seed}-{number}"))
        except NeurosimError:
            refused += 1
            continue
        try:
            integers += spiking_twin.compare(case, SpikingNetwork, 1 + number % 3)
            equal += 1
        except AssertionError as difference:
            differences.append(number)
            print(f"spiking case {seed}-{number}: {difference}\n  {case}", file=sys.stderr)
            if not keep_going:
                break
        if sys.stderr.isatty() and number % 50 == 0:
            print(f"\r{equal}/{cases}", end="", file=sys.stderr)
    print(
        f"{equal} random spiking networks equal on {integers:,} integers, {len(differences)} different, {refused} descriptions "
        f"refused, {time.monotonic() - start:.0f} s"
    )
    return equal, refused, integers, differences


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--spiking", action="store_true", help="spiking networks")
    parser.add_argument("--brian", action="store_true", help="spiking networks in Brian2")
    parser.add_argument("--target", choices=("numpy", "cython", "cpp"), default="numpy", help="of Brian2")
    parser.add_argument("--count", type=int, default=60, help="networks in Brian2")
    parser.add_argument("--minutes", type=float, help="stop Brian2 after so many")
    given = parser.parse_args()
    if given.brian:
        from tests.brian_fuzz import run_brian

        target = "cpp_standalone" if given.target == "cpp" else given.target
        sys.exit(bool(run_brian(given.count, given.seed, target, minutes=given.minutes)))
    fuzz = run_spiking if given.spiking else run
    sys.exit(bool(fuzz(given.cases, given.seed, keep_going=given.keep_going)[3]))
