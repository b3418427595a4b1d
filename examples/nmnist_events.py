"""A spiking network learns N-MNIST on chip, from the camera's events as they come: integers or real numbers, beside a linear read-out.

python examples/nmnist_events.py [--seed 0] [--real] [--quick]

The setting is that of `neurosim reproduce spiking`, which has five seeds. The read-out is softmax regression on how often each input
spoke: it sees what the network sees, but for time. Needs the data set (`neurosim datasets` says where it is looked for).
"""

import argparse

import neurosim as ns
from neurosim.studies.papers import spiking
from neurosim.studies.setting import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true", help="the same network in real numbers")
    parser.add_argument("--quick", action="store_true", help="one pass")
    given = parser.parse_args()
    cells = {cell.name: cell.setting for cell in spiking.cells()}
    setting, read_out = cells[spiking.EVENTS], cells[spiking.READ_OUT]
    setting = setting.replace(engine="float" if given.real else "fixed")
    if given.quick:
        setting = setting.replace(lesson=setting.lesson.replace(epochs=1))
    try:
        linear = run(read_out, given.seed)
    except ns.NeurosimError as error:
        return print(f"skipped: {error}")
    print(f"linear read-out of counts: {linear['test_accuracy']:.1f} %")
    found = run(setting, given.seed, progress=print)
    print(f"spikes: {found['test_accuracy']:.1f} %, {found['synops']:,.0f} synaptic events a learning sample")
    return None


if __name__ == "__main__":
    main()
