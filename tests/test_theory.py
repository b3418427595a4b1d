"""Learning flows against invariants, closed forms and each other (Baldi, Sadowski, Lu 2018)."""

import numpy as np
import pytest

from neurosim.errors import NeurosimError
from neurosim.studies.theory import (
    CUBE_ROOT_OF_UNIFORM,
    LinearNetwork,
    PowerUnit,
    bottleneck_limit,
    chain,
    chain_limit,
    chain_polynomials,
    follow,
    wide_limit,
)

CLOSE = 1e-6


def test_the_published_start_of_the_smallest_chain():
    net = chain([1.0], 1.0, 1.0)
    path = follow(net.flow, [0.1, -4.0])
    assert path.at_rest
    np.testing.assert_allclose(path.end, [2.94763, 0.33926], atol=1e-5)
    np.testing.assert_allclose(path.end, chain_limit([1.0], [0.1, -4.0], 1.0, 1.0), atol=CLOSE)
    losses = [net.loss(state) for state in path.states]
    assert max(np.diff(losses)) > 0  # the error rises for a while: this is no gradient


@pytest.mark.parametrize("hidden", [1, 2, 3, 4, 5])
def test_chains_of_any_length_end_where_the_polynomial_says(hidden):
    rng = np.random.default_rng(hidden)
    for _ in range(6):
        c, start = rng.uniform(0.5, 1.5, hidden) * rng.choice([-1, 1], hidden), rng.uniform(-1, 1, hidden + 1)
        alpha, beta = rng.uniform(-1.5, 1.5), rng.uniform(0.5, 1.5)
        path = follow(chain(c, alpha, beta).flow, start)
        assert path.at_rest
        assert np.prod(path.end) == pytest.approx(alpha / beta, abs=CLOSE)
        np.testing.assert_allclose(path.end, chain_limit(c, start, alpha, beta), rtol=CLOSE, atol=CLOSE)
        parts = chain_polynomials(c, start)
        for state in path.states[:: max(1, len(path.states) // 20)]:
            np.testing.assert_allclose(state, [p(state[0]) for p in parts], rtol=CLOSE, atol=CLOSE)


def test_degree_and_sign_of_the_chain_polynomial():
    # 2^L - 1 is odd and the leading coefficient negative: by the paper's theorem it always converges.
    for hidden in range(1, 4):
        c = [1.3, -0.7, 0.9][:hidden]
        p = np.prod(np.array(chain_polynomials(c, [0.3] * (hidden + 1)), object))
        q = c[0] * (1.0 - 2.0 * p)
        assert q.degree() == 2 ** (hidden + 1) - 1
        assert q.coef[-1] < 0


def test_rbp_in_a_chain_is_srbp_with_the_products():
    c, start = [0.8, -1.2, 0.6], [0.4, 0.3, -0.5, 0.7]
    products = [c[0] * c[1] * c[2], c[1] * c[2], c[2]]
    ends = [follow(net.flow, start).end for net in (chain(c, 0.7, 1.1, "rbp"), chain(products, 0.7, 1.1))]
    np.testing.assert_allclose(ends[0], ends[1], atol=CLOSE)


def test_backpropagation_keeps_the_difference_of_squares():
    path = follow(chain([], 0.7, 1.1, "bp").flow, [0.4])
    assert path.end[0] == pytest.approx(0.7 / 1.1, abs=CLOSE)
    net = LinearNetwork((1, 1, 1), (), np.array([[0.7]]), np.array([[1.1]]), "bp")
    path = follow(net.flow, [0.4, -0.9])
    np.testing.assert_allclose(path.states[:, 0] ** 2 - path.states[:, 1] ** 2, 0.4**2 - 0.9**2, atol=CLOSE)


def test_one_n_one():
    rng = np.random.default_rng(7)
    for n in (2, 5):
        c, a, b = rng.uniform(0.4, 1.4, n) * rng.choice([-1, 1], n), rng.normal(size=n), rng.normal(size=n)
        net = LinearNetwork((1, n, 1), (c[:, None],), np.array([[0.8]]), np.array([[1.2]]))
        path = follow(net.flow, [*a, *b])
        assert path.at_rest
        np.testing.assert_allclose(path.end, np.concatenate(wide_limit(c, a, b, 0.8, 1.2)), rtol=CLOSE, atol=CLOSE)


def test_the_autoencoder_with_one_hidden_unit_becomes_the_projector_on_c():
    rng = np.random.default_rng(3)
    for _ in range(8):
        n = 4
        c, a, b = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
        net = LinearNetwork((n, 1, n), (c[None],), np.eye(n), np.eye(n))
        path = follow(net.flow, [*a, *b])
        assert path.at_rest
        np.testing.assert_allclose(path.end, np.concatenate(bottleneck_limit(c, a, b)), rtol=CLOSE, atol=CLOSE)
        np.testing.assert_allclose(net.product(path.end), np.outer(c, c) / (c @ c), atol=CLOSE)


def test_any_sizes_with_one_hidden_layer():
    rng = np.random.default_rng(11)
    n0, n1, n2 = 5, 3, 4
    c, mixing = rng.normal(size=(n1, n2)), rng.normal(size=(n0, n0))
    s_ii, s_ti = mixing @ mixing.T / n0 + np.eye(n0), rng.normal(size=(n2, n0))
    net = LinearNetwork((n0, n1, n2), (c,), s_ti, s_ii)
    start = 0.3 * rng.normal(size=n1 * n0 + n2 * n1)
    path = follow(net.flow, start)
    assert path.at_rest

    def invariant(state):
        a1, a2 = net.split(state)
        return c @ a2 + a2.T @ c.T - a1 @ a1.T

    for state in path.states[:: max(1, len(path.states) // 10)]:
        np.testing.assert_allclose(invariant(state), invariant(start), atol=CLOSE)
    np.testing.assert_allclose(c @ net.product(path.end), c @ s_ti @ np.linalg.inv(s_ii), atol=CLOSE)


def test_the_power_unit_converges_with_its_derivative():
    unit = PowerUnit(**CUBE_ROOT_OF_UNIFORM)
    path = follow(unit.flow, [0.5, 0.5])
    np.testing.assert_allclose(path.end, [0.677402, 0.813311], atol=1e-5)
    np.testing.assert_allclose(path.end, unit.limit([0.5, 0.5]), atol=CLOSE)


def test_the_power_unit_without_its_derivative_drifts_for_ever():
    unit = PowerUnit(**CUBE_ROOT_OF_UNIFORM, slope=False)
    path = follow(unit.flow, [0.5, 0.5], until=1e4)
    assert not path.at_rest
    a1, a2 = path.end
    assert a1 == pytest.approx(272.5, rel=0.01)
    assert a2 * a1 ** (1 / 3) == pytest.approx(0.71429, abs=1e-3)


def test_mistakes_are_named():
    with pytest.raises(NeurosimError, match="feedback: 0 matrices, and 1 hidden layers"):
        LinearNetwork((1, 1, 1), (), np.eye(1), np.eye(1))
    with pytest.raises(NeurosimError, match="rule='dfa'"):
        chain([1.0], 1.0, 1.0, "dfa")
