"""Every field of every description refuses what it cannot hold by its name, and takes NumPy's numbers for Python's."""

import importlib
import inspect
import pkgutil
import typing
from dataclasses import fields, is_dataclass, replace
from types import NoneType

import numpy as np
import pytest

import neurosim.chip
import neurosim.spiking
from neurosim.chip.channel import Channel
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import HIDDEN, Conv2d, Dense
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.events import Pixels
from neurosim.spiking.network import SpikingNetwork
from neurosim.spiking.neurons import Events, Flow, Leak, Poisson, Population, Regular, State, Threshold
from neurosim.spiking.plasticity import Eligibility, Gate, Kernel, Plasticity, Term
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec
from neurosim.spiking.training import Lesson

CELLS = Population("cells", 2, (State("v", Leak(2), (Flow("u"),)), State("u")), Threshold(9))
EXAMPLES = (
    Fixed(8, 2),
    Quantiser(4, alpha=2.0),
    Leak(2),
    Flow("u", 1),
    State("v", Leak(2), noise=3),
    Threshold(5, "v"),
    Poisson(20),
    Regular(5, 1),
    Events([1, 2], [0, 0]),
    CELLS,
    Connect("random", fan_out=1),
    Connect("random", probability=0.5),
    Pairs([0], [1]),
    Projection("cells", "cells", "v", initial=3, delay=2, plasticity=Plasticity(Term("post.v", shift=2))),
    Kernel(((3, 1, 1), (5, 0, -1))),
    Gate("post.v", -3, 5),
    Term("pre.v", "post.u", 2, 3, (Gate("post.v", 0, 1),), Quantiser(alpha=4.0)),
    Eligibility("post.v", Leak(1)),
    Plasticity(Term()),
    SpikingSpec((CELLS,), (Projection("cells", "cells"),), 3),
    Erbp(n_in=4, hidden=(3,), classes=2, feedback_rate=3),
    Erbp.neftci(additive=True, hidden=(5, 4)),
    Lesson(slower=(0, 2)),
    Pixels(),
    Channel(gain=1),
    Channel(route="relay", relays=(3,)),
    FeedbackCrossbar(),
    FeedbackCrossbar(4, spread=0.5, rank=2),
    FeedbackCrossbar(fan_in=1),
    Dense(4, output=Fixed(8, 7)),
    Conv2d(2, pool=2, pool_stride=1),
    NetworkSpec(5, (Dense(4), Dense(2, "softmax"))),
)
NOT_WRITTEN = {"Geometry", "Tallies", "Step", "Sizes", "_Sizes", "Spikes", "_Stretch", "Drift"}
"""Dataclasses that the package makes for itself."""
BAD = ("ten", "", 3.5, float("nan"), float("inf"), True, None, -(10**30), 10**30, (), (1, 2), [], [[1], [2, 3]], [None], {}, b"x", object(),
       np.array(["a"]), np.zeros((2, 2)), np.float64("nan"), 1j, int, CELLS, Leak(1), Fixed(8, 0))  # fmt: skip


def each_field():
    for number, example in enumerate(EXAMPLES):
        for field in fields(example):
            if field.init:
                yield pytest.param(example, field.name, id=f"{number}-{type(example).__name__}.{field.name}")


def hints_of(example, name):
    """The annotation of a field, then those of which it is a union."""
    hint = typing.get_type_hints(type(example))[name]
    return hint, *typing.get_args(hint)


def test_every_description_has_an_example():
    described = {type(example) for example in EXAMPLES}
    for package in (neurosim.spiking, neurosim.chip):
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for name, kind in inspect.getmembers(importlib.import_module(found.name), inspect.isclass):
                if is_dataclass(kind) and kind.__module__ == found.name and name not in NOT_WRITTEN:
                    assert kind in described, f"{found.name}.{name} has no example here"


@pytest.mark.parametrize(("example", "name"), tuple(each_field()))
def test_a_field_refuses_what_it_cannot_hold(example, name):
    several = hints_of(example, name)
    for bad in BAD:
        try:
            made = replace(example, **{name: bad})
        except NeurosimError as error:
            assert "\n" not in str(error)
            if not isinstance(
                bad, bool | NoneType | tuple | list
            ):  # these may fit, and be refused for what does not fit together
                assert name.split("_")[-1] in str(error) or type(example).__name__.lower() in str(error), (
                    f"{bad!r}: {error}"
                )
            continue
        if getattr(made, name) is not bad:  # a fan-in leaves no density
            continue
        scalar = isinstance(bad, int | float | complex | str | bytes)
        real = isinstance(bad, int | float) and not isinstance(bad, bool) and not np.isnan(float(bad))
        if int in several and not {str, bool} & set(several):
            assert not scalar, f"{name}={bad!r} is taken for a whole number"
        elif float in several:
            assert real or not scalar, f"{name}={bad!r} is taken for a number"


@pytest.mark.parametrize(("example", "name"), tuple(each_field()))
def test_numpy_scalars_are_numbers(example, name):
    value = getattr(example, name)
    kinds = {bool: (np.bool_,), int: (np.int8, np.int64, np.uint16, np.array), float: (np.float64, np.float32)}
    for kind in kinds.get(type(value), ()):
        if kind in (np.int8, np.uint16) and not np.iinfo(kind).min <= value <= np.iinfo(kind).max:
            continue
        made = replace(example, **{name: kind(value)})
        assert type(getattr(made, name)) is type(value)
        assert getattr(made, name) == value


def test_tuples_may_be_lists_of_numpy_numbers():
    states = [State("v", bits=np.int8(24)), State("u")]
    assert Population("a", np.int64(3), states, Threshold(np.int16(300))) == Population(
        "a", 3, (State("v", bits=24), State("u")), Threshold(300, "u")
    )
    assert Kernel([list(np.array([3, 1, 1]))]) == Kernel(((3, 1, 1),))
    assert Erbp(hidden=list(np.array([7, 8]))).hidden == (7, 8)
    assert Projection("a", "b", initial=(np.int8(-5), np.int8(5))).initial == (-5, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Population("a", "ten"), "population.n='ten': must be a whole number"),
        (lambda: State("v", bits=3.5), r"state v: bits=3.5: must be a whole number 2\.\.32"),
        (lambda: Projection("a", "b", initial="x"), "projection.initial='x': must be a whole number or"),
        (lambda: Projection("a", "b", delay=-1), r"projection a->b: delay=-1: must be whole numbers 0\.\.4095"),
        (lambda: Projection("a", "b", initial=200), r"projection a->b: initial=200: must be whole numbers -127\.\.127"),
        (lambda: Projection("a", "b", initial=np.array([1.0, np.nan])), "initial=nan..nan: must be whole numbers"),
        (lambda: Population("a", 1, (5,)), r"population.states=\(5,\): must be \(a State, …\)"),
        (
            lambda: Population("a", 1, spikes=3),
            "population.spikes=3: must be a Threshold or a Poisson or a Regular or a Events",
        ),
        (lambda: Leak.of("x"), "leak share='x'"),
        (lambda: Erbp(hidden=(), gates=(9,)), r"erbp.gates=\(9,\): must be 2 numbers$"),
        (
            lambda: Erbp(hidden=(3, 4, 5), reach=(1, 2, 3)),
            r"erbp.reach=\(1, 2, 3\): must be 2 numbers, or 4, one a layer",
        ),
        (lambda: Erbp(hidden=(3, 4), gains=(1, 2, 17)), r"erbp.gains=17: must be a whole number -15..16"),
        (lambda: Erbp(noise=-1), "erbp.noise=-1: must be a whole number 0"),
        (lambda: Erbp(centred=1), "erbp.centred=1: must be True or False"),
        (lambda: Dense("ten"), "layer.n='ten': must be a whole number"),
        (lambda: NetworkSpec(5, (Dense(4),), channel="rbp"), "network.channel='rbp': must be a Channel"),
    ],
)
def test_messages_name_field_value_and_what_is_allowed(make, message):
    with pytest.raises(NeurosimError, match=message):
        make()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"rates": [[1, 2], [3]]}, r"inputs of data: object\[\]: must be whole numbers \[rows, 2\]"),
        ({"rates": np.full((1, 2), np.nan)}, r"inputs of data: float64\[1, 2\]: must be whole numbers \[rows, 2\]"),
        ({"rates": np.array([[70000, 0]])}, "inputs of data: 0..70000: probabilities must be 0..65536"),
        ({"labels": [0.5]}, r"labels=.*: must be 1 whole numbers 0\.\.1"),
        ({"labels": [2]}, r"labels=.*: must be 1 whole numbers 0\.\.1"),
        ({"ticks": "ten"}, "ticks='ten': must be a whole number"),
        ({"ticks": 5, "burn_in": 6}, r"burn_in=6: must be a whole number 0\.\.5"),
        ({"output": "gone"}, "population='gone': must be one of data, hidden0, out"),
    ],
)
def test_presentations_refuse_what_they_cannot_show(more, message):
    net = SpikingNetwork(Erbp(n_in=2, hidden=(2,), classes=2).network())
    given = {"rates": np.array([[200, 300]]), "labels": [1], "ticks": 5, "output": "out", **more}
    rates, labels = given.pop("rates"), given.pop("labels")
    with pytest.raises(NeurosimError, match=message):
        net.present(rates, labels, **given)


def test_a_network_of_something_else_is_refused():
    with pytest.raises(NeurosimError, match="network='x': must be a SpikingSpec"):
        SpikingNetwork("x")


@pytest.mark.parametrize(
    "make", [lambda kind: Dense(4, kind), lambda kind: Conv2d(4, 3, kind)], ids=["Dense", "Conv2d"]
)
@pytest.mark.parametrize("new", HIDDEN)
@pytest.mark.parametrize("old", HIDDEN)
def test_another_activation_has_its_own_word(make, old, new):
    resolved = make(old).resolved(is_output=False)
    assert resolved.replace(activation=new).resolved(is_output=False) == make(new).resolved(is_output=False)
    own = Fixed(6, 3)
    assert resolved.replace(output=own).replace(activation=new).output == own
    assert resolved.replace(activation=new, output=own).output == own
