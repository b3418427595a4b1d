"""Words and quantisers: range, rounding, symmetry, exact thresholds (docs/substrate.md 1 and 3)."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.errors import NeurosimError
from neurosim.formats import ROUNDINGS, Fixed, Quantiser, round_shift

QUANTISERS = [
    Quantiser(bits, kind, alpha=1.0, base=base, zero=zero, thresholds=thresholds)
    for bits, kind, zero, base in product(range(1, 9), ("log", "linear"), ("silent", "none", "code"), (2.0, 2**0.5))
    for thresholds in (("geometric", "midpoint", "floor") if kind == "log" else ("midpoint",))
    if not (zero == "code" and bits == 1)
]


@given(st.integers(-(2**40), 2**40), st.integers(-5, 45), st.sampled_from(ROUNDINGS), st.data())
def test_rounding_is_what_it_says(x, shift, rounding, data):
    u = data.draw(st.integers(0, max(0, 2**shift - 1))) if shift > 0 else 0
    got, real = round_shift(x, shift, rounding, u), Fraction(x) / Fraction(2) ** shift
    expected = {
        "floor": real.__floor__(),
        "nearest": round(real),
        "zero": int(real),
        "stochastic": (real + Fraction(u, 2**shift if shift > 0 else 1)).__floor__(),
    }
    assert got == expected[rounding]


@given(st.integers(1, 63), st.integers(-8, 40), st.booleans(), st.sampled_from(("symmetric", "full")), st.integers())
def test_fitting_is_idempotent_and_stays_inside(bits, frac, signed, span, code):
    for overflow in ("saturate", "wrap"):
        word = Fixed(bits, frac, signed=signed, overflow=overflow, range=span)
        fitted = word.fit(code)
        assert word.fit(fitted) == fitted
        if overflow == "saturate":
            assert word.low <= fitted <= word.high


def test_encoding_arrays_equals_encoding_numbers():
    word = Fixed(8, 5)
    values = np.linspace(-6, 6, 997)
    assert word.encode_array(values).tolist() == [word.encode(v) for v in values]


@pytest.mark.parametrize("q", QUANTISERS, ids=str)
def test_quantisers_are_ordered_and_have_their_number_of_values(q):
    thresholds, magnitudes = q.thresholds_in(60), q.decoded_in(60 + 130)
    n = 2 ** (q.bits - 1) - (q.zero == "code")
    assert len(thresholds) == len(magnitudes) == q.n_levels == n
    assert all(a >= b >= 1 for a, b in pairwise(thresholds))
    assert all(a > b > 0 for a, b in pairwise(magnitudes))
    assert magnitudes[0] == 2**190
    assert thresholds[-1] == 1 or q.zero != "none"


@pytest.mark.parametrize("bits", range(1, 9))
def test_geometric_thresholds_against_their_definition(bits):
    for m in range(8):
        q = Quantiser(bits, alpha=1.0, base=2.0 ** (2.0**-m))
        root = 2 ** (m + 1)
        for k, t in enumerate(q.thresholds_in(16)):
            # t is the least integer with t >= 2**16 * 2**(-(2k+1)/root)
            reaches = [x**root << (2 * k + 1) >= (2**16) ** root for x in (t - 1, t)]
            assert reaches[1]
            assert t == 1 or not reaches[0]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Fixed(0, 0), "bits"),
        (lambda: Fixed(64, 0), "bits"),
        (lambda: Fixed(8.0, 0), "bits"),
        (lambda: Fixed(8, 7, rounding="up"), "rounding"),
        (lambda: Quantiser(11), "error.bits"),
        (lambda: Quantiser(0), "error.bits"),
        (lambda: Quantiser(1, zero="code"), "zero='code'"),
        (lambda: Quantiser(4, base=3.0), "error.base"),
        (lambda: Quantiser(4, alpha=float("nan")), "error.alpha"),
        (lambda: Quantiser(4, "linear", thresholds="floor"), "error.thresholds"),
        (lambda: Fixed(8, 7).encode(float("nan")), "value"),
        (lambda: Fixed(8, 7).encode_array(np.array([0.0, np.inf])), "values"),
    ],
)
def test_impossible_formats_are_refused_by_name(make, field):
    with pytest.raises(NeurosimError, match=field.replace("(", r"\(")):
        make()
