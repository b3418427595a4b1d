"""The set-up of a study in words: what a page says is what its cells are."""

from dataclasses import replace

import pytest

from neurosim.studies.described import set_up
from neurosim.studies.papers import cifar10, dfa, drtp, lillicrap, on_chip, rules, sparse_dfa, spiking
from neurosim.studies.papers.protocol import PAPER, mnist
from neurosim.studies.reproduction import STUDIES, module_of


def of(module):
    return set_up([cell.setting for cell in module.cells()])


def test_the_papers_mnist():
    assert set_up([mnist("srbp")]) == (
        "Set-up: mnist; 784-4x100-10; tanh units; softmax outputs; normal weights of Glorot's spread and biases; C dense, normal, Glorot's "
        "spread; gradient steps, batches of 100, the mean; eta 0.1 / (1 + 1e-6 t) at step t; 100 epochs."
    )


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (rules, "eta 0.1 / (1 + 1e-6 t) at step t or eta 0.02 / (1 + 1e-6 t) at step t"),
        (cifar10, "32x32x3-3x[conv 5x5x64, max-pool 3/2]-1024-10"),
        (cifar10, "momentum 0.9; images moved by up to 10 % each way, mirrored every other time; 20 epochs"),
        (dfa, "RMSprop, batches of 64, the mean; eta 0.0001; 30 epochs"),
        (dfa, "C dense, uniform, standard deviation 0.0204"),
        (drtp, "Nesterov momentum 0.9; 40 epochs"),
        (sparse_dfa, "weights from zero and biases"),
        (sparse_dfa, "Adam, batches of 32, the mean; eta 0.01; epsilon 1; each sample standardised"),
        (lillicrap, "weight decay 1e-06"),
    ],
)
def test_what_is_told_is_what_is_set(module, said):
    assert said in of(module)


def test_what_was_left_out_is_told():
    quick = mnist("bp").replace(train_samples=10_000, training=replace(PAPER, epochs=5))
    assert "mnist, the first 10,000 samples" in set_up([quick])
    assert "C " not in set_up([mnist("bp")]), "backpropagation has no C"


def test_chip_and_spikes_tell_theirs_in_notes():
    assert set_up([on_chip.chip("srbp")]) == of(spiking) == set_up([]) == ""


@pytest.mark.parametrize("name", [name for name in STUDIES if name not in ("theory", "spiking")])
def test_every_study_in_floats_has_one(name):
    assert of(module_of(name)).startswith("Set-up: ")
