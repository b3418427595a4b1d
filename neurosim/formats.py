"""Number formats: words in Q-format and symmetric error quantisers, as frozen descriptions without arrays.

docs/substrate.md 1 and 3 is the specification. Everything here is exact: thresholds and decoded values are found in
rational and integer arithmetic, so that no machine's floating point can change a bit.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError
from neurosim.fields import settle, shown

Rounding: TypeAlias = Literal["floor", "nearest", "zero", "stochastic"]
ROUNDINGS = ("floor", "nearest", "zero", "stochastic")


def check(field: str, value: object, allowed: tuple[object, ...]) -> None:
    """Raise a NeurosimError that names field, value and the allowed values unless `value` is one of them."""
    if value not in allowed:
        msg = f"{field}={shown(value)}: must be one of {', '.join(map(str, allowed))}"
        raise NeurosimError(msg)


def check_whole(field: str, value: object, low: int, high: int) -> None:
    """The same for whole numbers from low to high; a bool or a float is refused."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        msg = f"{field}={shown(value)}: must be a whole number {low}..{high}"
        raise NeurosimError(msg)


def check_number(field: str, value: object, least: float, *, above: bool = False) -> None:
    """The same for a finite number, at least a bound (above: more than it)."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not least <= value < math.inf or (above and value == least):  # type: ignore[operator]
        raise NeurosimError(f"{field}={shown(value)}: must be a number {'above' if above else 'of at least'} {least:g}")


def check_factor(field: str, value: int, most: int) -> None:
    """The same for a whole number of either sign, up to a magnitude and not 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= abs(value) <= most:
        raise NeurosimError(f"{field}={shown(value)}: must be a whole number 1..{most} or -{most}..-1")


def check_all_whole(field: str, values: Any, low: int, high: int) -> None:
    """The same for all elements of an array, a list or one number; the message shows the least and the largest."""
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):  # lists of different lengths; a number beyond 64 bits
        array = np.array(None)
    if array.size and (array.dtype.kind not in "iu" or array.min() < low or array.max() > high):
        many = array.ndim and array.dtype.kind in "iuf"
        found = f"{array.min()}..{array.max()}" if many else shown(values)
        raise NeurosimError(f"{field}={found}: must be whole numbers {low}..{high}")


@dataclass(frozen=True)
class Fixed:
    """A Q-format word: a code c stands for c * 2**-frac (docs/substrate.md 1).

    >>> Fixed(8, 7).encode(0.5), Fixed(8, 7).high, Fixed(8, 7, range="full").low
    (64, 127, -128)
    """

    bits: int
    frac: int
    signed: bool = True
    rounding: Rounding = "nearest"
    overflow: Literal["saturate", "wrap"] = "saturate"
    range: Literal["symmetric", "full"] = "symmetric"

    def __post_init__(self) -> None:
        settle(self, "word")
        check_whole("bits", self.bits, 1, 63)
        check_whole("frac", self.frac, -64, 128)
        check("rounding", self.rounding, ROUNDINGS)
        check("overflow", self.overflow, ("saturate", "wrap"))
        check("range", self.range, ("symmetric", "full"))

    @property
    def high(self) -> int:
        """The highest code."""
        if self.bits == 1:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def low(self) -> int:
        """The lowest code."""
        if not self.signed:
            return 0
        if self.bits == 1:
            return -1
        return -(1 << (self.bits - 1)) if self.range == "full" else -self.high

    @property
    def max_abs(self) -> int:
        """The largest magnitude of a code."""
        return max(self.high, -self.low)

    @property
    def lsb(self) -> float:
        """What one code stands for."""
        return 2.0**-self.frac

    @property
    def one(self) -> int:
        """The code nearest to 1: what a bias unit emits."""
        return min(1 << self.frac, self.high) if self.frac >= 0 else 1

    def fit(self, code: int) -> int:
        """Saturate or wrap an integer into the word."""
        if self.low <= code <= self.high:
            return code
        if self.overflow == "saturate":
            return min(max(code, self.low), self.high)
        span = 1 << self.bits
        code %= span
        return code - span if self.signed and code >= span >> 1 else code

    def encode(self, value: float) -> int:
        """The code nearest to a real value, ties to even, saturated."""
        if not math.isfinite(value):
            msg = f"value={value!r}: only finite numbers have a code"
            raise NeurosimError(msg)
        return self.fit(round(Fraction(value) * Fraction(2) ** self.frac))

    def encode_array(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """`encode` of every element: int64 of the same shape."""
        if not np.isfinite(values).all():
            msg = f"values: {int((~np.isfinite(values)).sum())} of them are NaN or infinite; only finite numbers have a code"
            raise NeurosimError(msg)
        codes = np.rint(np.ldexp(np.asarray(values, np.float64), self.frac))
        clipped: NDArray[np.int64] = np.clip(codes, self.low, self.high).astype(np.int64)
        return clipped

    def replace(self, **changes: Any) -> Fixed:
        """A copy with some fields changed."""
        return replace(self, **changes)


def round_shift(x: int, shift: int, rounding: Rounding, u: int = 0) -> int:
    """Drop `shift` places of x with one of the roundings; a negative shift is exact (docs/substrate.md 1)."""
    if shift <= 0:
        return x << -shift
    if rounding == "floor":
        return x >> shift
    if rounding == "nearest":
        return (x + (1 << (shift - 1)) - 1 + ((x >> shift) & 1)) >> shift
    if rounding == "zero":
        return x >> shift if x >= 0 else -((-x) >> shift)
    return (x + u) >> shift


MOST_ERROR_BITS = 10
"""Of a quantiser; a chip's wires carry 8 at most."""


@dataclass(frozen=True)
class Quantiser:
    """A symmetric quantiser of errors or updates: sign and magnitude, zero stays zero (docs/substrate.md 3).

    kind: ``log`` has magnitudes alpha * base**-k, ``linear`` evenly spaced ones. bits: 1-10, on the chip 1-8.
    alpha: the largest magnitude, None for the place's default. base: 2**(2**-m), m = 0..7, or ``"auto"``.
    zero: ``silent`` sends nothing below the smallest magnitude, ``none`` sends every non-zero value, ``code`` spends a
    code on zero. thresholds: ``geometric``, ``midpoint`` or ``floor``.
    """

    bits: int = 4
    kind: Literal["log", "linear"] = "log"
    alpha: float | None = None
    base: float | Literal["auto"] = 2.0
    zero: Literal["silent", "none", "code"] = "silent"
    thresholds: Literal["geometric", "midpoint", "floor"] | None = None

    def __post_init__(self) -> None:
        settle(self, "error")
        check_whole("error.bits", self.bits, 1, MOST_ERROR_BITS)
        check("error.kind", self.kind, ("log", "linear"))
        check("error.zero", self.zero, ("silent", "none", "code"))
        if self.thresholds is None:
            object.__setattr__(self, "thresholds", "geometric" if self.kind == "log" else "midpoint")
        check(
            "error.thresholds",
            self.thresholds,
            ("geometric", "midpoint", "floor") if self.kind == "log" else ("midpoint",),
        )
        if self.zero == "code" and self.bits < 2:
            msg = f"error.bits={self.bits}: zero='code' needs at least 2 bits, one code being spent on zero"
            raise NeurosimError(msg)
        if self.alpha is not None and not (math.isfinite(self.alpha) and self.alpha > 0):
            msg = f"error.alpha={self.alpha!r}: must be a number above 0"
            raise NeurosimError(msg)
        if self.base != "auto":
            check("error.base", self.base, tuple(2.0 ** (2.0**-m) for m in range(8)))

    @property
    def n_levels(self) -> int:
        """How many magnitudes there are."""
        return (1 << (self.bits - 1)) - (self.zero == "code")

    @property
    def base_exponent(self) -> int:
        """M of base = 2**(2**-m)."""
        if self.base == "auto":
            msg = "error.base='auto': only known for a received word; use `resolve`"
            raise NeurosimError(msg)
        return round(-math.log2(math.log2(self.base)))

    def resolve(self, alpha: float | Fraction, decoded_frac: int) -> Quantiser:
        """Fill in alpha and base="auto" for a word with `decoded_frac` fractional bits that receives the magnitudes."""
        known = replace(self, alpha=float(self.alpha if self.alpha is not None else alpha))
        if self.base != "auto" or self.kind == "linear":
            return known if self.base != "auto" else replace(known, base=2.0)
        candidates = [replace(known, base=2.0 ** (2.0**-m)) for m in range(8)]
        distinct = [c.n_distinct(decoded_frac) for c in candidates]
        return candidates[distinct.index(max(distinct))]

    def thresholds_in(self, frac: int) -> list[int]:
        """The smallest integer magnitudes, in units of 2**-frac, that reach each level; falling with the level."""
        return _thresholds(self, frac)

    def decoded_in(self, frac: int) -> list[int]:
        """The magnitudes as integers in units of 2**-frac, to the nearest, ties to even."""
        return _decoded(self, frac)

    def n_distinct(self, frac: int) -> int:
        """How many different non-zero magnitudes remain in a word with `frac` fractional bits."""
        return len(set(self.decoded_in(frac)) - {0})

    def alpha_in(self, frac: int) -> int:
        """The largest integer, in units of 2**-frac, that does not saturate."""
        return math.floor(Fraction(self._alpha) * Fraction(2) ** frac)

    @property
    def _alpha(self) -> float:
        if self.alpha is None:
            msg = "error.alpha=None: only known for a network; use `resolve`"
            raise NeurosimError(msg)
        return self.alpha


def _at_least(scale: Fraction, numerator: int, root: int) -> int:
    """The smallest integer x >= 1 with x >= scale * 2**(-numerator / root), exactly: x**root * 2**numerator >= scale**root."""

    def reaches(x: int) -> bool:
        return bool((x * scale.denominator) ** root << numerator >= scale.numerator**root)

    # The estimate may be off by a unit in the last place of a float; the integers decide.
    x = max(1, math.floor(scale * Fraction(2.0 ** (-(numerator % root) / root)) / (1 << (numerator // root))))
    while x > 1 and reaches(x - 1):
        x -= 1
    while not reaches(x):
        x += 1
    return x


@functools.lru_cache(maxsize=256)
def _thresholds(q: Quantiser, frac: int) -> list[int]:
    scale, n = Fraction(q._alpha) * Fraction(2) ** frac, q.n_levels  # noqa: SLF001
    if q.kind == "linear":
        found = [math.ceil((_linear(q, k) + _linear(q, k + 1)) / 2 * scale) for k in range(n)]
    elif q.thresholds == "midpoint":
        found = [_midpoint(scale, k, 1 << q.base_exponent) for k in range(n)]
    else:
        half = q.thresholds == "geometric"
        root = 1 << (q.base_exponent + 1)
        found = [_at_least(scale, 2 * k + half, root) for k in range(n)]
    if q.zero == "none":
        found[-1] = 1
    return [max(1, t) for t in found]


def _midpoint(scale: Fraction, k: int, root: int) -> int:
    """The smallest integer x with 2x >= m_k + m_(k+1), m_k = scale * 2**(-k/root)."""
    # (m_k + m_(k+1)) / 2 = m_k * (1 + 2**(-1/root)) / 2; irrational unless root is 1: decide with 256 spare bits.
    spare = 256
    upper, lower = _scaled_root(scale, k, root, spare), _scaled_root(scale, k + 1, root, spare)
    return -(-(upper + lower) // (2 << spare))


def _scaled_root(scale: Fraction, numerator: int, root: int, spare: int) -> int:
    """floor(scale * 2**(-numerator / root) * 2**spare), by an integer root."""
    inside: int = (scale.numerator**root << (root * spare)) // (scale.denominator**root << numerator)
    x = inside
    for _ in range(root.bit_length() - 1):
        x = math.isqrt(x)
    return x


@functools.lru_cache(maxsize=256)
def _decoded(q: Quantiser, frac: int) -> list[int]:
    scale = Fraction(q._alpha) * Fraction(2) ** frac  # noqa: SLF001
    if q.kind == "linear":
        return [round(_linear(q, k) * scale) for k in range(q.n_levels)]
    spare = 256
    return [round(Fraction(_scaled_root(scale, k, 1 << q.base_exponent, spare), 1 << spare)) for k in range(q.n_levels)]


def _linear(q: Quantiser, k: int) -> Fraction:
    """The k-th magnitude of a linear quantiser over alpha; 0 past the last."""
    n = q.n_levels
    if k >= n:
        return Fraction(0)
    return Fraction(n - k, n) if q.zero == "code" else Fraction(2 * (n - 1 - k) + 1, 2 * n - 1)
