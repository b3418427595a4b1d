"""Words, tables and random words in plain Python, from docs/substrate.md 1-3 and 6. Slow and obvious; imports nothing of ours."""

import math
from fractions import Fraction

MASK = (1 << 64) - 1


# ---------------------------------------------------------------- section 1


def highest(word):
    if word["bits"] == 1:
        return 1
    return 2 ** (word["bits"] - 1) - 1 if word["signed"] else 2 ** word["bits"] - 1


def lowest(word):
    if not word["signed"]:
        return 0
    if word["bits"] == 1:
        return -1
    return -(2 ** (word["bits"] - 1)) if word["range"] == "full" else -highest(word)


def sat(word, x):
    if x > highest(word):
        return highest(word)
    if x < lowest(word):
        return lowest(word)
    return x


def round_by(x, s, how, u=0):
    if s <= 0:
        return x * 2 ** (-s)
    real = Fraction(x, 2**s)
    if how == "floor":
        return math.floor(real)
    if how == "nearest":
        return round(real)
    if how == "zero":
        return math.trunc(real)
    return math.floor(Fraction(x + u, 2**s))


def encode(word, real):
    return sat(word, round(Fraction(real) * Fraction(2) ** word["frac"]))


# ---------------------------------------------------------------- section 2 and 3: tables by formula


def logistic(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def activation(name, x):
    if name == "tanh":
        return math.tanh(x)
    if name == "logistic":
        return logistic(x)
    if name == "relu":
        return x if x > 0 else 0.0
    if name == "hard-tanh":
        return -1.0 if x < -1 else 1.0 if x > 1 else x
    return x


def slope(name, x):
    if name == "tanh":
        return 1 - math.tanh(x) ** 2
    if name == "logistic":
        return logistic(x) * (1 - logistic(x))
    if name == "relu":
        return 1.0 if x > 0 else 0.0
    if name == "hard-tanh":
        return 1.0 if -1 < x < 1 else 0.0
    return 1.0


def derivative(kind, name, window, x):
    if kind == "none":
        return 128
    if kind == "boxcar":
        inside = 0 < x < window if name == "relu" else -window < x < window
        return 128 if inside else 0
    f = slope(name, x)
    if kind == "exact":
        return round(128 * f)
    return 0 if f < 2**-7.5 else round(128 * 2.0 ** round(math.log2(f)))


def softmax(address, codes, bits):
    """Output codes from addresses; `address` is the address word."""
    frac, top = address["frac"], max(codes)
    powers = []
    for a in codes:
        d = top - a
        if frac > 0:
            value, shift = round(2.0 ** (16 - (d % 2**frac) / 2**frac)), d // 2**frac
        else:
            value, shift = 2**16, d * 2 ** (-frac)
        powers.append(value >> shift if shift < 63 else 0)
    return [min(p * 2**bits // sum(powers), 2**bits - 1) for p in powers]


# ---------------------------------------------------------------- section 3: quantisers


class Quantiser:
    """Magnitudes alpha * 2**-(k / r) (log) or alpha * a rational (linear); all comparisons exact."""

    def __init__(self, q, alpha, decoded_frac):
        self.q = q
        self.alpha = Fraction(alpha if q["alpha"] is None else q["alpha"])
        self.n = 2 ** (q["bits"] - 1) - (1 if q["zero"] == "code" else 0)
        self.m = q["m"]
        if self.m == "auto" and q["kind"] == "log":
            best = -1
            for m in range(8):
                self.m = m
                distinct = len({d for d in self.decoded(decoded_frac) if d})
                if distinct > best:
                    best, winner = distinct, m
            self.m = winner

    def linear(self, k):
        if k >= self.n:
            return Fraction(0)
        if self.q["zero"] == "code":
            return Fraction(self.n - k, self.n)
        return Fraction(2 * (self.n - 1 - k) + 1, 2 * self.n - 1)

    def reaches(self, x, k, frac):
        """Whether an integer magnitude x, in units of 2**-frac, reaches the threshold of level k."""
        if self.q["zero"] == "none" and k == self.n - 1:
            return x >= 1
        scaled = Fraction(x) / Fraction(2) ** frac / self.alpha
        if self.q["kind"] == "linear":
            return scaled >= (self.linear(k) + self.linear(k + 1)) / 2
        r = 2**self.m
        if self.q["thresholds"] == "floor":
            return scaled**r >= Fraction(1, 2**k)
        if self.q["thresholds"] == "geometric":
            return scaled ** (2 * r) >= Fraction(1, 2 ** (2 * k + 1))
        if r == 1:
            return scaled >= (Fraction(1, 2**k) + Fraction(1, 2 ** (k + 1))) / 2
        return scaled >= (self.power(k) + self.power(k + 1)) / 2

    def power(self, k):
        """2**-(k / r) to 200 bits."""
        r, digits = 2**self.m, 200
        low, high = 0, 2**digits
        while low < high:
            middle = (low + high + 1) // 2
            if middle**r <= 2 ** (digits * r - k):
                low = middle
            else:
                high = middle - 1
        return Fraction(low, 2**digits)

    def decoded(self, frac):
        found = []
        for k in range(self.n):
            magnitude = self.linear(k) if self.q["kind"] == "linear" else self.power(k)
            found.append(round(self.alpha * magnitude * Fraction(2) ** frac))
        return found

    def level(self, x, frac):
        """The level of x != 0, or None where it becomes 0."""
        for k in range(self.n):
            if self.reaches(abs(x), k, frac):
                return k
        return None

    def saturates(self, x, frac):
        return Fraction(abs(x)) / Fraction(2) ** frac > self.alpha


# ---------------------------------------------------------------- section 6


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fold(h, x):
    return mix((h + 0x9E3779B97F4A7C15 * (x + 1)) & MASK)


def key(seed, stream, a, b):
    return fold(fold(fold(fold(0, seed), stream), a), b)


def lane(word, a, column):
    part = (word >> (16 * a)) & 0xFFFF
    c = fold(fold(0x636F6C756D6E, column), a)
    x, m = c & 0xFFFF, ((c >> 16) & 0xFFFF) | 1
    return ((part ^ x) * m) & 0xFFFF


def uniform(word, column, s):
    """The s random bits of a row word at a column."""
    if s <= 0:
        return 0
    n = -(-s // 16)
    joined = 0
    for a in range(n):
        joined = joined * 65536 + lane(word, a, column)
    return joined >> (16 * n - s)
