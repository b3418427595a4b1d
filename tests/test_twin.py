"""The engine equals the slow reference on every weight, code and counter (docs/substrate.md; long form: `make fuzz`)."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from neurosim.chip.channel import RULES
from neurosim.chip.layers import Dense
from neurosim.chip.network import Network
from neurosim.errors import NeurosimError
from neurosim.formats import Quantiser
from tests.fuzz import run
from tests.twin import a_case, compare


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_networks(rnd):
    try:
        compare(a_case(rnd))
    except NeurosimError:  # what no chip could hold, found in the description or when the network is built
        assume(False)


def test_many_more_by_number():
    equal, refused, integers, differences = run(100, 7)
    assert not differences
    assert refused < equal
    assert integers > 10_000


@pytest.mark.parametrize("execution", ["event", "blas"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule(rule, execution):
    compared = 0
    for number in range(12):
        rnd = random.Random(f"{rule}-{number}")
        try:
            compared += compare(a_case(rnd, rule), execution)
        except NeurosimError:
            continue
    assert compared > 500


def digits_like(n=400, width=30, seed=5):
    rng = np.random.default_rng(seed)
    return rng.random((n, width)) * (rng.random((n, width)) < 0.4), rng.integers(0, 4, n)


def trained(batch_size, *, pieces=1, execution="auto", rule="srbp"):
    inputs, labels = digits_like()
    net = Network(30, [Dense(40), Dense(35), Dense(4, "softmax")], RULES[rule].replace(error=Quantiser(3)), seed=2)
    codes = net.encode(inputs)
    cut = np.linspace(0, len(codes) // batch_size, pieces + 1).astype(int) * batch_size
    for start, stop in zip(cut[:-1], [*cut[1:-1], len(codes)], strict=True):
        if pieces > 1:
            again = Network(net.spec)
            again.load_state(net.state())
            net = again
        net.train(codes[start:stop], labels[start:stop], rate=6, batch_size=batch_size, execution=execution)
    net.evaluate(codes, labels, execution=execution)
    return net.state()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch_size", [1, 20])
def test_same_bits_by_events_or_blas_in_one_piece_or_resumed(rule, batch_size):
    reference = trained(batch_size, execution="event", rule=rule)
    for other in (
        trained(batch_size, execution="blas", rule=rule),
        trained(batch_size, execution="auto", rule=rule),
        trained(batch_size, pieces=4, rule=rule),
    ):
        for name, array in reference.items():
            assert np.array_equal(array, other[name]), name


_DIGEST = """
import hashlib
from tests.test_twin import trained
found = hashlib.sha256()
for batch_size, execution in ((1, "event"), (20, "event"), (20, "blas")):
    for array in trained(batch_size, execution=execution).values():
        found.update(array.tobytes())
print(found.hexdigest())
"""


def test_same_bits_with_one_thread_and_two():
    digests = set()
    for threads in ("1", "2"):
        names = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(names, threads)}
        root = Path(__file__).parent.parent
        out = subprocess.run(
            [sys.executable, "-c", _DIGEST], env=env, cwd=root, capture_output=True, text=True, check=True
        )
        digests.add(out.stdout)
    assert len(digests) == 1
