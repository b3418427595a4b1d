"""Descriptions of spiking networks that are refused, and what lies just inside (docs/spiking.md)."""

import numpy as np
import pytest

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from neurosim.spiking.erbp import Erbp
from neurosim.spiking.neurons import Events, Flow, Leak, Poisson, Population, Regular, State, Threshold, lif
from neurosim.spiking.plasticity import (
    Eligibility,
    Gate,
    Kernel,
    Plasticity,
    Term,
)
from neurosim.spiking.projection import Connect, Pairs, Projection
from neurosim.spiking.spec import SpikingSpec

V = State("v")
POST = Population("post", 3, (V,), Threshold(5))
PRE = Population("pre", 2, (State("x", jump=1),), Poisson(100))
JOINED = Projection("pre", "post")


def network(*projections, populations=(PRE, POST), **fields):
    return SpikingSpec(populations, projections, **fields)


def learns(**terms):
    return network(JOINED.replace(plasticity=Plasticity(**terms)))


def draws(n_source=2, n_target=3, **fields):
    return JOINED.replace(**fields).draw(0, 0, n_source, n_target)


def joined_all(connect):
    """More synapses than any memory holds: refused before they are drawn."""
    return Projection("a", "a", connect=connect).draw(0, 0, 1 << 17, 1 << 17)


WIDE = State("v", bits=32)
REFUSED = {
    # neurons
    "leak.shift=31": lambda: Leak(31),
    "leak.shift=-1": lambda: Leak(-1),
    "leak.shift=1.0": lambda: Leak(1.0),
    "leak.shift=True": lambda: Leak(True),
    "leak.numerator=0": lambda: Leak(1, 0),
    "leak.numerator=65536": lambda: Leak(1, 65536),
    "leak.rounding='nearest'": lambda: Leak(1, rounding="nearest"),
    "leak share=0": lambda: Leak.of(0),
    "leak share=1.5": lambda: Leak.of(1.5),
    "leak share=0.0001: must be above 2**-13, of 12 bits; give more bits": lambda: Leak.of(1e-4),
    "leak bits=31": lambda: Leak.of(0.5, 31),
    "population a: threshold=32768: must be a whole number -32767..32767": lambda: lif(
        "a", 1, threshold=1 << 15, leak=None
    ),
    "population a: threshold='8': must be a whole number": lambda: lif("a", 1, threshold="8", leak=None, reset=None),
    "population a: threshold=128: must be a whole number -127..127": lambda: lif(
        "a", 1, threshold=128, leak=None, bits=8
    ),
    "projection a->a: synapses=17179869184: must be a whole number 0..2147483647": lambda: joined_all(Connect()),
    "projection a->a: synapses=8589934592:": lambda: joined_all(Connect("random", probability=0.5)),
    "projection a->a: synapses=2147483648:": lambda: joined_all(Connect("random", fan_out=1 << 14)),
    "erbp.threshold=32768: must be a whole number 1..32767": lambda: Erbp(threshold=1 << 15),
    "erbp.error_threshold=128: must be a whole number 1..127": lambda: Erbp(bits=8, threshold=9, error_threshold=128),
    "term.error.alpha=0.001: no magnitude is above 0": lambda: Term("post.v", error=Quantiser(4, alpha=1e-3)),
    "flow.shift=-17": lambda: Flow("v", -17),
    "flow.shift=31": lambda: Flow("v", 31),
    "flow.numerator=0": lambda: Flow("v", numerator=0),
    "flow.numerator=-65536": lambda: Flow("v", numerator=-65536),
    "flow.rounding='up'": lambda: Flow("v", rounding="up"),
    "state.name='2v'": lambda: State("2v"),
    "state.name='dt'": lambda: State("dt"),
    "state v: bits=1": lambda: State("v", bits=1),
    "state v: bits=33": lambda: State("v", bits=33),
    "state v: low=-2147483648": lambda: State("v", low=-(1 << 31)),
    "state v: high=0.5": lambda: State("v", high=0.5),
    "state v: low=5 is above high=4": lambda: State("v", low=5, high=4),
    "state v: reset=1 and jump=2": lambda: State("v", reset=1, jump=2),
    "state v: reset=128": lambda: State("v", reset=128, bits=8),
    "state v: start=-6": lambda: State("v", start=-6, low=-5),
    "state v: bias=2147483648": lambda: State("v", bias=1 << 31),
    "state v: jump=-2147483648": lambda: State("v", jump=-(1 << 31)),
    "state v: noise=-1": lambda: State("v", noise=-1),
    "state v: noise=16777216": lambda: State("v", noise=1 << 24),
    "poisson.role='output'": lambda: Poisson(0, "output"),
    "poisson.probability=65537": lambda: Poisson(65537),
    "poisson.probability=-1..3": lambda: Poisson([3, -1]),
    "poisson.probability=0.5": lambda: Poisson(0.5),
    "regular.period=-1": lambda: Regular(-1),
    "regular.phase=-2..0": lambda: Regular(3, [0, -2]),
    "events.role='label'": lambda: Events(role="label"),
    "events.ticks and neurons: [2] and [1] numbers": lambda: Events([0, 1], [0]),
    "events.ticks and neurons: [1, 1] and [1, 1] numbers: must be lists": lambda: Events([[0]], [[0]]),
    "events.ticks=-1..0": lambda: Events([-1, 0], [0, 0]),
    "events.ticks=0.5": lambda: Events([0.5], [0]),
    "events.ticks: 3 after 4": lambda: Events([1, 4, 3], [0, 0, 0]),
    "population.name='a b'": lambda: Population("a b", 1, (V,)),
    "population a: n=0": lambda: Population("a", 0, (V,)),
    "population a: n=16777217": lambda: Population("a", (1 << 24) + 1, (V,)),
    "population a: refractory=-1": lambda: Population("a", 1, (V,), refractory=-1),
    "population a: states=['v', 'v']": lambda: Population("a", 1, (V, V)),
    "population a, state v: flow.state='v'": lambda: Population("a", 1, (State("v", flows=(Flow("v"),)),)),
    "population a, state v: flow.state='g'": lambda: Population("a", 1, (State("v", flows=(Flow("g"),)), State("u"))),
    "population a: states=()": lambda: Population("a", 1),
    "population a: threshold.state='u'": lambda: Population("a", 1, (V,), Threshold(1, "u")),
    "threshold.value=2147483648": lambda: Population("a", 1, (V,), Threshold(1 << 31)),
    "population a: probability has shape [3], and it has 2": lambda: Population("a", 2, (), Poisson([1, 2, 3])),
    "population a: period has shape [1], and it has 2": lambda: Population("a", 2, (), Regular([1])),
    "population a: phase has shape [3], and it has 2": lambda: Population("a", 2, (), Regular(1, [1, 2, 3])),
    "population a: events.neurons=0..2": lambda: Population("a", 2, (), Events([0, 1], [0, 2])),
    "events.neurons=-1..0": lambda: Population("a", 2, (), Events([0, 1], [-1, 0])),
    "population post: state='u'": lambda: POST.state("u"),
    # plasticity
    "kernel.segments: 0": lambda: Kernel(()),
    "kernel.segments: 9": lambda: Kernel(tuple((k, 0, 1) for k in range(9))),
    "kernel: until=3": lambda: Kernel(((3, 0, 1), (3, 0, 1))),
    "kernel: until=-1": lambda: Kernel(((-1, 0, 1),)),
    "kernel: exponent=31": lambda: Kernel(((1, 31, 1),)),
    "kernel: exponent=-1": lambda: Kernel(((1, -1, 1),)),
    "kernel: sign=0": lambda: Kernel(((1, 0, 0),)),
    "gate.low=-4294967297": lambda: Gate("post.v", -(1 << 32) - 1, 0),
    "gate.high=2": lambda: Gate("post.v", 3, 2),
    "term.numerator=0": lambda: Term(numerator=0),
    "term.numerator=-65536": lambda: Term(numerator=-65536),
    "term.shift=47": lambda: Term(shift=47),
    "term.shift=-1": lambda: Term(shift=-1),
    "term: 'v'": lambda: Term("v"),
    "term: 'target.v'": lambda: Term("1", "target.v"),
    "term: 'w'": lambda: Term(gates=(Gate("w", 0, 1),)),
    "term.gates: 3": lambda: Term(gates=(Gate("post.v", 0, 1),) * 3),
    "term.error: quantises a state": lambda: Term(Kernel(((1, 1, 1),)), error=Quantiser(3, alpha=1.0)),
    "term.error: quantises a state; give term.of": lambda: Term("1", error=Quantiser(3, alpha=1.0)),
    "term.error.alpha=None": lambda: Term("post.v", error=Quantiser(3)),
    "term.error.base='auto'": lambda: Term("post.v", error=Quantiser(3, alpha=1.0, base="auto")),
    "eligibility.numerator=0": lambda: Eligibility("post.v", numerator=0),
    "eligibility.shift=47": lambda: Eligibility("post.v", shift=47),
    "eligibility.word.bits=17": lambda: Eligibility("post.v", word=Fixed(17, 0)),
    "eligibility.word.bits=1": lambda: Eligibility("post.v", word=Fixed(1, 0)),
    "eligibility.word.signed=False": lambda: Eligibility("post.v", word=Fixed(16, 0, signed=False)),
    "eligibility.word.overflow='wrap'": lambda: Eligibility("post.v", word=Fixed(8, 0, overflow="wrap")),
    "eligibility.factor='pre.x'": lambda: Eligibility("pre.x"),
    "plasticity: on_pre and on_post are both None": lambda: Plasticity(),
    # projections
    "connect.kind='some'": lambda: Connect("some"),
    "connect.kind='random'": lambda: Connect("random"),
    "connect.kind='random': 'random' needs": lambda: Connect("random", 0.5, 3),
    "connect.kind='all'": lambda: Connect("all", 0.5),
    "connect.probability=1.5": lambda: Connect("random", 1.5),
    "connect.probability=nan": lambda: Connect("random", float("nan")),
    "connect.fan_out=-1": lambda: Connect("random", fan_out=-1),
    "pairs: [2] sources and [1] targets": lambda: Pairs([0, 1], [0]),
    "projection pre->post: weight=Fixed(bits=17": lambda: JOINED.replace(weight=Fixed(17, 0)),
    "projection pre->post: weight=Fixed(bits=1,": lambda: JOINED.replace(weight=Fixed(1, 0)),
    "projection pre->post: weight=Fixed(bits=8, frac=0, signed=False": lambda: JOINED.replace(
        weight=Fixed(8, 0, signed=False)
    ),
    "overflow='wrap'": lambda: JOINED.replace(weight=Fixed(8, 0, overflow="wrap")),
    "projection named: gain=17": lambda: JOINED.replace(gain=17, name="named"),
    "projection pre->post: gain=-16": lambda: JOINED.replace(gain=-16),
    "projection pre->post: blank_out=256": lambda: JOINED.replace(blank_out=256),
    "projection pre->post: phase='sideways'": lambda: JOINED.replace(phase="sideways"),
    "projection pre->post: low=-128": lambda: JOINED.replace(low=-128),
    "projection pre->post: high=128": lambda: JOINED.replace(high=128),
    "projection pre->post: low=3 is above high=2": lambda: JOINED.replace(low=3, high=2),
    "projection pre->post: initial=128": lambda: JOINED.replace(initial=128),
    "projection pre->post: initial=-128..0": lambda: JOINED.replace(initial=(-128, 0)),
    "projection pre->post: initial=0.5": lambda: JOINED.replace(initial=0.5),
    "projection pre->post: initial=(3, 2)": lambda: JOINED.replace(initial=(3, 2)),
    "projection pre->post: initial=(1, 2, 3)": lambda: JOINED.replace(initial=(1, 2, 3)),
    "projection pre->post: delay=4096": lambda: JOINED.replace(delay=4096),
    "projection pre->post: delay=-1": lambda: JOINED.replace(delay=-1),
    "projection pre->post: delay=0..4096": lambda: JOINED.replace(delay=(0, 4096)),
    "projection pre->post: delay=0.0..1.5": lambda: JOINED.replace(delay=np.array([0, 1.5])),
    "projection pre->post: entries of its crossbar times initial": lambda: draws(
        8, 8, connect=FeedbackCrossbar(8, density=1.0), initial=100
    ),
    "projection pre->post: pairs.sources=0..2": lambda: draws(connect=Pairs([0, 2], [0, 0])),
    "projection pre->post: pairs.targets=0..3": lambda: draws(connect=Pairs([0, 1], [0, 3])),
    "connect='one': 2 neurons cannot be joined one to one to 3": lambda: draws(connect=Connect("one")),
    "projection pre->post: connect.fan_out=4: the target has 3 neurons": lambda: draws(
        connect=Connect("random", fan_out=4)
    ),
    "projection pre->post: initial has shape [5], and it has 6": lambda: draws(initial=np.ones(5, int)),
    "projection pre->post: delay has shape [7], and it has 6": lambda: draws(delay=np.ones(7, int)),
    "feedback.fan_in=3": lambda: draws(connect=FeedbackCrossbar(fan_in=3)),
    # networks
    "seed=-1": lambda: network(seed=-1),
    "seed=9223372036854775808": lambda: network(seed=1 << 63),
    "populations=[]": lambda: network(populations=()),
    "populations=['post', 'post']": lambda: network(populations=(POST, POST)),
    "projection gone->post: source='gone'": lambda: network(JOINED.replace(source="gone")),
    "projection pre->gone: target='gone'": lambda: network(JOINED.replace(target="gone")),
    "projection pre->bare: bare has no state": lambda: network(
        JOINED.replace(target="bare"), populations=(PRE, Population("bare", 1, (), Poisson(1)))
    ),
    "population post: state='g'": lambda: network(JOINED.replace(state="g")),
    "population='x'": lambda: network().population("x"),
    "projection='x'": lambda: network(JOINED).projection("x"),
    "population pre: state='y'": lambda: learns(on_pre=Term("pre.y")),
    "population post: state='x'": lambda: learns(on_pre=Term("1", "post.x")),
    "population post: state='w'": lambda: learns(on_post=Term(gates=(Gate("post.w", 0, 1),))),
    "population post: state='reward'": lambda: learns(on_pre=Term(), eligibility=Eligibility("post.reward")),
    "projection pre->post: plasticity: its product needs": lambda: network(
        JOINED.replace(plasticity=Plasticity(Term("post.v", "post.v"))), populations=(PRE, POST.replace(states=(WIDE,)))
    ),
    "projection pre->post: plasticity: its product needs 64 bits": lambda: learns(
        on_pre=Term("post.v", "post.v", error=Quantiser(3, alpha=2.0**46))
    ),
    "projection pre->post: eligibility: its product needs": lambda: network(
        JOINED.replace(plasticity=Plasticity(Term(), eligibility=Eligibility("post.v", numerator=65535))),
        populations=(PRE, POST.replace(states=(WIDE,))),
    ),
    "population a, state v: its sum could leave": lambda: SpikingSpec(
        (Population("a", 1, (State("v", flows=(Flow("u", -16, 65535),)), State("u", bits=32))),)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_errors_name_field_and_value(message):
    with pytest.raises(NeurosimError) as raised:
        REFUSED[message]()
    assert message in str(raised.value)


def test_what_lies_just_inside_is_not_refused():
    Leak(30, 65535), Leak(0), Flow("v", -16, -65535), Flow("v", 30)
    State("v", bits=32, low=-(2**31) + 1, high=2**31 - 1, noise=(1 << 24) - 1, bias=-(2**31) + 1)
    Kernel(tuple((k, 30, -1) for k in range(8)))
    Poisson([0, 1 << 16]), Regular(0), Events(), Events([0, 0, 5], [1, 0, 0])
    (
        JOINED.replace(initial=-127, delay=(0, 4095), gain=16, blank_out=255),
        JOINED.replace(weight=Fixed(16, 0, range="full"), initial=-32768),
    )
    network(JOINED, seed=(1 << 63) - 1)
