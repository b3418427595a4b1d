"""Event-driven random backpropagation in integers on MNIST (Neftci et al. 2017), and what it costs.

784-200-10 in spikes: weights of 8 bits, states of 16, single-bit feedback from error neurons to dendrites, stochastic rounding. Learning
slows down by half every fifth of the pass. Answers as it learned are of ticks in which the sample's own label taught already. Without MNIST
the embedded digits take its place.

python examples/erbp_mnist.py [--quick] [--epochs N] [--seed N] [--real] [--out FOLDER]
"""

import argparse
from pathlib import Path
from typing import Any

import neurosim as ns
from neurosim.spiking.erbp import probabilities
from neurosim.spiking.recorded import Spikes, in_turn
from neurosim.spiking.training import Lesson, accuracy, train

BRIGHTEST, SAMPLES = 0.3, 3


def load(name: str) -> tuple[Any, ...]:
    """(training images, labels, test images, labels, full scale)."""
    try:
        found = ns.data.load(name)
    except ns.NeurosimError as error:
        print(f"{error}\nlearning the embedded digits instead")
        found = ns.data.load("digits")
    n = min(len(found.train_labels), 50000)
    return (
        found.train_inputs[:n].reshape(n, -1), found.train_labels[:n].astype(int), found.test_inputs.reshape(len(found.test_labels), -1),
        found.test_labels.astype(int), found.full_scale,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the embedded digits, one pass")
    parser.add_argument("--epochs", type=int, default=1, help="passes over 50,000 samples")
    parser.add_argument("--real", action="store_true", help="the same network in real numbers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a folder for figures: spikes of some samples, weights")
    given = parser.parse_args()
    images, labels, test, wanted, full_scale = load("digits" if given.quick else "mnist")
    settings = ns.Erbp(n_in=images.shape[1], gains=(2, 3) if images.shape[1] > 100 else (3, 3), seed=given.seed)
    net = ns.SpikingNetwork(settings.network(), real=given.real)
    shown, tested = (probabilities(x, full_scale, BRIGHTEST) for x in (images, test))
    lesson = Lesson(epochs=given.epochs, shuffled=False)
    for slower, learned in train(net, shown, labels, lesson):
        right = accuracy(net, tested[:1000], wanted[:1000], lesson)
        print(f"eta 2^-{settings.rate + slower}: as it learned {learned:.2%}, tested {right:.2%}", flush=True)
    print(f"test: {accuracy(net, tested, wanted, lesson):.2%} of {len(wanted):,}")
    if given.real:
        return
    cost = ns.price(net.counts(), net.test_counts(), net.layout(), ns.load_hardware("digital_45nm"))
    events = net.counts().total("synaptic_event") / max(1, net.counts().samples)
    print(
        f"a learning sample: {events:,.0f} synaptic events, {cost.energy_pj_per_sample / 1e6:.2f} uJ; {cost.grade.basis}, {cost.grade.tag}"
    )
    if given.out:
        from neurosim.studies import spike_figures

        given.out.mkdir(parents=True, exist_ok=True)
        samples: list[Spikes] = []
        net.present(shown[:SAMPLES], labels[:SAMPLES], ticks=lesson.ticks, output="out", learn=False, spikes=samples)
        title = f"eRBP, {SAMPLES} samples of {lesson.ticks} ticks, classes {', '.join(map(str, labels[:SAMPLES]))}"
        sizes = {p.name: p.n for p in net.spec.populations}
        spike_figures.raster(in_turn(samples, lesson.ticks), given.out / "raster", title, sizes=sizes, shown=300)
        spike_figures.weights(net, given.out / "weights", "eRBP, weights before and after learning")


if __name__ == "__main__":
    main()
