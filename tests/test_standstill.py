"""Where quantised learning stands still: the chip against the closed form of its band."""

import numpy as np
import pytest

from neurosim.studies.papers.chains import SYSTEMS, Case, ends_of
from neurosim.studies.standstill import descend

CHAIN = SYSTEMS[0]


@pytest.mark.parametrize("bits", [6, 9, 12])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_rounded_to_the_nearest_it_stops_nowhere_but_inside_the_band(system, bits):
    ends = ends_of(Case(system, bits, "nearest"), system.starts(3), time=16)
    standing = [end for end in ends if end.stopped and not end.clipped]
    assert standing
    assert all(end.inside for end in standing)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_it_stands_still_exactly_where_the_band_says(system):
    """States about the limit, some inside the band and some outside: the chip moves if and only if the closed form lets it."""
    case, rng = Case(system, 10, "nearest"), np.random.default_rng(3)
    band, moves = case.standstill, []
    for start in system.starts(2):
        limit = system.limit(system.net, start)
        for far in (0.002, 0.02, 0.2):
            near = limit + rng.uniform(-far, far, system.n_weights)
            steps, at_rest, clipped = case.path(near, time=1.5 * band.rate)
            state, slack = steps[0], band.allowed(steps[0]) - 0.5
            update = np.abs(band.updates(state))
            changes = len(steps) > 1 and not np.array_equal(steps[0], steps[1])
            if (update <= 0.5 - slack).all():
                assert not changes
                assert at_rest
            elif (update > 0.5 + slack).any() and not clipped:
                assert changes
            moves.append(changes)
    assert True in moves


def test_the_band_of_a_chain_is_the_product_form():
    """|alpha - beta P| max |c_i a_1 … a_(i-1)| <= LSB / (2 eta), for each weight."""
    for system in SYSTEMS[:4]:
        band, beta = Case(system, 8, "nearest").standstill, float(system.net.s_ii[0, 0])
        alpha = float(system.net.s_ti[0, 0])
        for a in system.starts(5):
            c = np.array([*(float(one[0, 0]) for one in system.feedback), 1.0])
            below = np.concatenate([[1.0], np.cumprod(a)[:-1]])
            flow = c * below * (alpha - beta * np.prod(a))
            np.testing.assert_allclose(band.updates(a), flow * band.rate / band.lsb, rtol=1e-12, atol=1e-12)
            assert band.distance(a) == pytest.approx(abs(np.prod(a) - alpha / beta))
        assert band.reach == pytest.approx(band.lsb / (2 * band.rate * beta))


def test_the_slack_bounds_what_the_forward_pass_rounds():
    """Against a forward pass in plain Python that rounds as the chip does, from states far from any limit."""
    rng = np.random.default_rng(7)
    for system in SYSTEMS:
        band, n = Case(system, 8, "nearest").standstill, len(system.inputs)
        for _ in range(20):
            state = rng.uniform(-2, 2, system.n_weights)
            outputs = [system.inputs]
            for a in system.net.split(state):
                outputs.append(np.rint(outputs[-1] @ a.T / band.unit) * band.unit)
            error = system.samples.targets - outputs[-1]
            found = [(error @ c.T).T @ outputs[i] / n for i, c in enumerate(system.net.channel)]
            signal = np.concatenate([part.ravel() for part in found])
            off = np.abs(signal - system.net.flow(state))
            assert (off <= band.slack(state) + 1e-12).all()
            assert off.max() > 0


@pytest.mark.parametrize("error_bits", [1, 4])
def test_errors_of_few_bits_leave_the_band_of_the_top_layer(error_bits):
    ends = ends_of(Case(CHAIN, 10, "nearest", error_bits), CHAIN.starts(4), time=16)
    assert any(end.stopped for end in ends)
    assert all(end.inside for end in ends if end.stopped)


def test_stochastic_rounding_comes_nearer_to_the_fixed_points():
    starts = CHAIN.starts(6)
    off = {r: np.median([end.off for end in ends_of(Case(CHAIN, 8, r), starts)]) for r in ("nearest", "stochastic")}
    assert off["stochastic"] < 0.2 * off["nearest"]


def test_paths_are_the_same_each_time():
    first, again = (Case(CHAIN, 8, "stochastic").path(CHAIN.starts(1)[0], time=4)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_steps_in_real_numbers_end_at_the_limit_as_they_shrink():
    start = CHAIN.starts(1)[0]
    limit = CHAIN.limit(CHAIN.net, start)
    off = [np.abs(descend(CHAIN.net, start, 2.0**-k) - limit).max() for k in (4, 7, 10)]
    assert off[2] < off[1] / 4 < off[0] / 16
    assert off[2] < 1e-3
