"""Words, tables and random words of the slow twin, exact, in plain Python (docs/substrate.md 1, 2, 3 and 6).

A word is a dict `bits, frac, signed, rounding, range`; a quantiser is a dict `kind, bits, alpha, m, zero, thresholds`.
Imports nothing of neurosim.
"""

import math
from fractions import Fraction
from functools import cache

Word = dict
MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15

# ---------------------------------------------------------------- 1. words


def lowest(word: Word) -> int:
    """The lowest code."""
    if not word["signed"]:
        return 0
    if word["bits"] == 1:
        return -1
    return -(2 ** (word["bits"] - 1)) + (word["range"] == "symmetric")


def highest(word: Word) -> int:
    """The highest code."""
    if not word["signed"]:
        return 2 ** word["bits"] - 1
    return 1 if word["bits"] == 1 else 2 ** (word["bits"] - 1) - 1


def sat(word: Word, x: int) -> int:
    """x clipped to the range of codes."""
    return max(lowest(word), min(highest(word), x))


def round_shift(x: int, s: int, rounding: str, u: int = 0) -> int:
    """x / 2**s as an integer, by one of the four rules; u are the random bits of `stochastic`."""
    if s <= 0:
        return x << -s
    if rounding == "floor":
        return x >> s
    if rounding == "nearest":
        return (x + 2 ** (s - 1) - 1 + ((x >> s) & 1)) >> s
    if rounding == "zero":
        return x >> s if x >= 0 else -((-x) >> s)
    if rounding == "stochastic":
        return (x + u) >> s
    raise ValueError(rounding)


round_by = round_shift


def real(code: int, frac: int) -> Fraction:
    """What a code stands for."""
    return Fraction(code) / Fraction(2) ** frac


def encode(word: Word, value: "Fraction | float") -> int:
    """The code nearest to a real number, ties to even, clipped."""
    return sat(word, round(Fraction(value) * Fraction(2) ** word["frac"]))


# ---------------------------------------------------------------- exact roots of order 2**n


def floor_root(x: int, n: int) -> int:
    """The largest integer r with r**(2**n) <= x."""
    for _ in range(n):
        x = math.isqrt(x)
    return x


def ceil_root(x: Fraction, n: int) -> int:
    """The smallest integer r with r**(2**n) >= x, for x > 0."""
    return floor_root(math.ceil(x) - 1, n) + 1


def nearest_root(x: Fraction, n: int) -> int:
    """The integer nearest to the root of order 2**n, ties to even."""
    doubled = x * 2 ** (2**n)
    h = floor_root(math.floor(doubled), n)
    exact_tie = h % 2 == 1 and h ** (2**n) == doubled
    return round(Fraction(h, 2)) if exact_tie else (h + 1) // 2


# ---------------------------------------------------------------- 2. activations, softmax


def logistic(x: float) -> float:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def activation(name: str, x: float) -> float:
    """f of section 2."""
    if name == "tanh":
        return math.tanh(x)
    if name == "logistic":
        return logistic(x)
    if name == "relu":
        return max(x, 0.0)
    if name == "hard-tanh":
        return max(-1.0, min(1.0, x))
    if name == "linear":
        return x
    raise ValueError(name)


@cache
def power_table(f: int, frac: int) -> int:
    """P[f], the nearest integer to 2**16 * 2**(-f * 2**-frac)."""
    return round(2.0 ** (16 - f / 2**frac))


def softmax(address: Word, codes: "list[int]", bits: int) -> "list[int]":
    """Output codes from the addresses of one sample (section 2, step 5)."""
    frac, exponentials = address["frac"], []
    for a in codes:
        d = max(codes) - a
        shift = d >> frac if frac > 0 else d << -frac
        mantissa = power_table(d & (2**frac - 1), frac) if frac > 0 else 2**16
        exponentials.append(0 if shift >= 63 else mantissa >> shift)
    return [min(e * 2**bits // sum(exponentials), 2**bits - 1) for e in exponentials]


# ---------------------------------------------------------------- 3. derivatives


def slope(name: str, x: float) -> float:
    """f' of section 3."""
    if name in ("tanh", "logistic"):
        t = math.exp(-abs(x) * (2 if name == "tanh" else 1))
        return (4 if name == "tanh" else 1) * t / (1 + t) ** 2
    if name == "relu":
        return 1.0 if x > 0 else 0.0
    if name == "hard-tanh":
        return 1.0 if -1 < x < 1 else 0.0
    return 1.0


def derivative(kind: str, name: str, window: float, x: float) -> int:
    """D at the pre-activation x, in units of 1/128."""
    if kind == "none":
        return 128
    if kind == "boxcar":
        return 128 if (0 if name == "relu" else -window) < x < window else 0
    f = slope(name, x)
    if kind == "exact":
        return round(128 * f)
    return 0 if f < 2**-7.5 else round(128 * 2.0 ** round(math.log2(f)))


# ---------------------------------------------------------------- 3. quantisers


class Quantiser:
    """One quantiser with alpha filled in; `decoded_frac` is where base="auto" asks how many magnitudes differ."""

    def __init__(self, q: dict, alpha: "Fraction | float", decoded_frac: int) -> None:
        self.log, self.zero, self.thresholds_at = q["kind"] == "log", q["zero"], q["thresholds"]
        self.alpha = Fraction(alpha if q["alpha"] is None else q["alpha"])
        self.n = 2 ** (q["bits"] - 1) - (self.zero == "code")
        self.m = 0 if q["m"] == "auto" else q["m"]
        if self.log and q["m"] == "auto":  # the largest base among those with the most different magnitudes
            self.m = max(range(8), key=lambda m: (len({d for d in self.decode_with(m, decoded_frac) if d}), -m))
        self.tables: dict = {}

    def linear(self, k: int) -> Fraction:
        """Magnitude k of the linear quantiser; 0 below the last."""
        if k >= self.n:
            return Fraction(0)
        if self.zero == "code":
            return self.alpha * Fraction(self.n - k, self.n)
        return self.alpha * Fraction(2 * (self.n - 1 - k) + 1, 2 * self.n - 1)

    def decode_with(self, m: int, frac: int) -> "list[int]":
        """The integers nearest to the magnitudes in units of 2**-frac, for base 2**(2**-m)."""
        unit = Fraction(2) ** frac
        if not self.log:
            return [round(self.linear(k) * unit) for k in range(self.n)]
        return [nearest_root((self.alpha * unit) ** (2**m) / 2**k, m) for k in range(self.n)]

    def threshold(self, k: int, frac: int) -> int:
        """The smallest integer that reaches magnitude k, in units of 2**-frac."""
        if self.zero == "none" and k == self.n - 1:
            return 1
        unit, m = Fraction(2) ** frac, self.m
        top = self.alpha * unit
        if not self.log:
            t = math.ceil((self.linear(k) + self.linear(k + 1)) / 2 * unit)
        elif self.thresholds_at == "floor":
            t = ceil_root(top ** (2**m) / 2**k, m)
        elif self.thresholds_at == "geometric":
            t = ceil_root(top ** (2 ** (m + 1)) / 2 ** (2 * k + 1), m + 1)
        else:
            t = self.midpoint(k, top)
        return max(1, t)

    def midpoint(self, k: int, top: Fraction) -> int:
        """ceil of the mean of two neighbouring magnitudes of the log grid, with as many bits as it takes."""
        if self.m == 0:
            return math.ceil(top * Fraction(3, 2 ** (k + 2)))
        order, more = 2**self.m, 32
        while True:
            scaled = (top * 2**more) ** order
            low = floor_root(math.floor(scaled / 2**k), self.m) + floor_root(math.floor(scaled / 2 ** (k + 1)), self.m)
            below, above = (math.ceil(Fraction(v, 2 ** (more + 1))) for v in (low, low + 2))
            if below == above:
                return below
            more *= 2

    def thresholds(self, frac: int) -> "list[int]":
        """t_0 >= t_1 >= ... for values of `frac` fractional bits."""
        key_ = ("t", frac)
        if key_ not in self.tables:
            self.tables[key_] = [self.threshold(k, frac) for k in range(self.n)]
        return self.tables[key_]

    def decoded(self, frac: int) -> "list[int]":
        """What the magnitudes decode to in units of 2**-frac."""
        key_ = ("d", frac)
        if key_ not in self.tables:
            self.tables[key_] = self.decode_with(self.m, frac)
        return self.tables[key_]

    def level(self, x: int, frac: int) -> "int | None":
        """The number of the magnitude of x, or None where it is silent."""
        for k, t in enumerate(self.thresholds(frac)):
            if x != 0 and abs(x) >= t:
                return k
        return None

    def saturates(self, x: int, frac: int) -> bool:
        """Whether |x| lies above the largest magnitude."""
        return real(abs(x), frac) > self.alpha


# ---------------------------------------------------------------- 6. random words


def mix(z: int) -> int:
    """The SplitMix64 finaliser."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fold(h: int, x: int) -> int:
    """h with x folded in."""
    return mix((h + GOLDEN * (x + 1)) & MASK)


def key(seed: int, stream: int, a: int, b: int) -> int:
    """The key of a stream; the word of item i is `fold(key, i)`."""
    return fold(fold(fold(fold(0, seed), stream), a), b)


def column_value(word: int, column: int, width: int) -> int:
    """(start + step * column) modulo 2**width, both taken from a row word."""
    start, step = (word, mix(word)) if width == 64 else (word, word >> 32)
    return (start + step * column) % 2**width


def uniform(word: int, column: int, s: int) -> int:
    """The s random bits of a row word at a column."""
    if s <= 0:
        return 0
    width = 16 if s <= 16 else 32 if s <= 32 else 64
    return column_value(word, column, width) >> (width - s)


def sample_order(seed: int, epoch: int, n: int) -> "list[int]":
    """The samples of an epoch sorted by their words, ties by index."""
    root = key(seed, 3, epoch, 0)
    return sorted(range(n), key=lambda i: (fold(root, i), i))


# ---------------------------------------------------------------- 6. birth of weights and C


def reach(word: Word, gain: float, n: int) -> int:
    """A: the nearest integer to gain * sqrt(6 / n) * 2**frac, at least 1, at most the highest code."""
    unit = Fraction(gain) * Fraction(2) ** word["frac"]
    return min(highest(word), max(1, nearest_root(unit**2 * Fraction(6, n), 1)))


def initial_weights(
    seed: int, layer: int, n_in: int, n_out: int, bias: bool, word: Word, gain: float, fans: int
) -> "list[list[int]]":
    """W[i][j], the bias row last and 0. One-bit weights have no 0: they are signs, drawn as those of C."""
    root, a = key(seed, 0, layer, 0), reach(word, gain, fans)

    def entry(item: int) -> int:
        drawn = fold(root, item)
        if word["bits"] == 1:
            return -1 if drawn >> 63 else 1
        return (drawn >> 32) % (2 * a + 1) - a

    rows = [[entry(i * n_out + j) for j in range(n_out)] for i in range(n_in)]
    return [*rows, [0] * n_out] if bias else rows


def connected(
    seed: int, layer: int, n_src: int, n_h: int, density: "float | None", fan_in: "int | None", b: int = 0
) -> "list[list[bool]]":
    """Which sender k reaches which receiver i (neither density nor fan-in given: all)."""
    root = key(seed, 1, layer, b)
    words = [[fold(root, k * n_h + i) for i in range(n_h)] for k in range(n_src)]
    if fan_in is None:
        limit = math.floor(Fraction(1 if density is None else density) * 2**32)
        return [[w >> 32 < limit for w in row] for row in words]
    chosen = [sorted(range(n_src), key=lambda k: (words[k][i], k))[:fan_in] for i in range(n_h)]
    return [[k in chosen[i] for i in range(n_h)] for k in range(n_src)]


def initial_feedback(
    seed: int, layer: int, n_src: int, n_h: int, channel: dict, fans: int, b: int = 0
) -> "list[list[int]]":
    """C[k][i] of a random matrix, 0 where not connected. b: 0 at birth, 256 (t + 1) of one redrawn for step t."""
    joined = connected(seed, layer, n_src, n_h, channel["density"], channel["fan_in"], b)
    root, a = key(seed, 2, layer, b), reach(channel["word"], 1, fans)

    def entry(k: int, i: int) -> int:
        drawn = fold(root, k * n_h + i)
        if channel["bits"] > 1:
            return (drawn >> 32) % (2 * a + 1) - a
        return -1 if channel["values"] == "+-1" and drawn >> 63 else 1

    return [[entry(k, i) if joined[k][i] else 0 for i in range(n_h)] for k in range(n_src)]


def default_gain(expected: Fraction) -> int:
    """-round_half_even(log2(sqrt(max(1, expected)))), without a logarithm."""
    g = 0  # g is the answer's size while expected lies below 2**(2 g + 1), where log2(sqrt) is half-way to g + 1
    while expected > 2 ** (2 * g + 1) or (expected == 2 ** (2 * g + 1) and g % 2 == 1):
        g += 1
    return -g
