"""What only the exact twin offers: roots, the default gain, orders, the step's trace (docs/substrate.md 2, 3 and 6)."""

import math
from fractions import Fraction

from tests.naive import one
from tests.naive_tables import ceil_root, default_gain, floor_root, nearest_root, sample_order
from tests.test_naive import network, trained, word


def test_roots_by_their_definition():
    for n in range(5):
        order = 2**n
        for x in (1, 2, 3, 255, 256, 257, 10**30, 2**120):
            r = floor_root(x, n)
            assert r**order <= x < (r + 1) ** order
            real = Fraction(x, 7)
            up = ceil_root(real, n)
            assert up**order >= real > (up - 1) ** order
            near = nearest_root(real, n)
            assert max(Fraction(0), Fraction(2 * near - 1, 2)) ** order <= real <= Fraction(2 * near + 1, 2) ** order
    assert [nearest_root(Fraction(h * h, 4), 1) for h in (1, 3, 5, 7)] == [0, 2, 2, 4]


def test_default_gain_is_the_logarithm_rounded_half_to_even():
    for expected in (Fraction(1, 3), *range(1, 2000)):
        g = default_gain(Fraction(expected))
        odd = max(1, int(expected)).bit_length() - 1
        if expected == 2**odd and odd % 2 == 1:  # half-way: log2(sqrt(2)) is 0.5 and goes to 0, not to 1
            assert g == -round(Fraction(odd, 2))
        else:
            assert g == -round(math.log2(max(1, expected)) / 2)
    assert [default_gain(Fraction(2**n)) for n in range(8)] == [0, 0, -1, -2, -2, -2, -3, -4]


def test_orders_are_permutations():
    orders = [sample_order(seed, epoch, 50) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_one_is_the_code_nearest_to_one():
    assert [one(word(8, frac)) for frac in (-2, 0, 3, 7, 9)] == [1, 1, 8, 127, 127]


def test_trace_of_a_step():
    net = trained(network(5, 6, 6, 3, route="layered"), batch=2)
    assert set(net.trace) == {"presynaptic", "addresses", "O", "e", "d", "J", "R", "Y"}
    assert all(len(values) == 2 for values in net.trace.values())
    assert [len(layer) for layer in net.trace["O"][0]] == [6, 6, 3]
    assert net.trace["Y"][1][2] == net.trace["e"][1]
    assert net.trace["Y"][1][0] == net.trace["R"][1][0]
    assert net.trace["d"][0][0] is None


def test_evaluate_with_labels():
    net = trained(network(5, 6, 3))
    rows = [[1, 2, 3, 4, 5]] * 2
    predicted = net.evaluate(rows)
    assert net.evaluate(rows, [predicted[0], (predicted[1] + 1) % 3]) == (1, predicted)
