"""The arithmetic of docs/spiking.md as Brian2 expressions: text from descriptions, without Brian2 itself.

Every expression is of integers and stays so on all of Brian2's targets. Three of its habits decide the forms used here: C++ and
Cython compute `int(condition)` in 32 bits, so a product starts with a 64-bit variable; `**` and `/` are floating-point; and a
literal beyond 32 bits is a Python object in Cython, so large powers of two are divided away in two steps.

With `real` the same places hold the real numbers of docs/spiking.md 9.
"""

from __future__ import annotations

import math

from neurosim.errors import NeurosimError
from neurosim.formats import Quantiser
from neurosim.spiking.neurons import MOST, Flow, Leak, State
from neurosim.spiking.plasticity import Gate, Kernel

BITS = "random_bits"
"""The name under which code calls the random bits of docs/substrate.md 6."""
_STEP = 30


def over(value: str, shift: int) -> str:
    """The floor of value / 2**shift."""
    steps = [_STEP] * (shift // _STEP) + ([shift % _STEP] if shift % _STEP else [])
    return value + "".join(f"//{1 << step}" for step in steps)


def product(factor: int, name: str) -> str:
    """The text of factor * name."""
    return {1: name, -1: f"(-{name})"}.get(factor, f"{factor}*{name}" if factor > 0 else f"(-{-factor}*{name})")


def shared(rule: Leak | Flow, name: str, *, real: bool) -> str:
    """A leak's or flow's q(m * x, s) of docs/spiking.md 2, x being a variable."""
    m, s = rule.numerator, rule.shift
    if real:
        share = math.ldexp(m, -s)
        return name if share == 1 else f"{share!r}*{name}" if m > 0 else f"({share!r}*{name})"
    if s <= 0:
        return product(m << -s, name)
    value, d = product(m, name), 1 << s
    if rule.rounding == "floor":
        return over(value, s)
    falls, rises = ("<", ">") if m > 0 else (">", "<")
    if rule.rounding == "away":
        return over(f"({value} + {d - 1}*int({name} {rises} 0))", s)
    towards = over(f"({value} + {d - 1}*int({name} {falls} 0))", s)
    if rule.rounding == "zero":
        return towards
    return f"({towards} + int(0 < {value} and {value} < {d}) - int(-{d} < {value} and {value} < 0))"


def rounded(value: str, shift: int, rounding: str, drawn: str, *, real: bool) -> str:
    """`round(value, shift)` of a variable; drawn: the call of random bits that stochastic rounding makes."""
    if real:
        return value if shift == 0 else f"{math.ldexp(1, -shift)!r}*{value}"
    if shift == 0:
        return value
    if rounding == "floor":
        return over(value, shift)
    if rounding == "nearest":
        half = (1 << (shift - 1)) - 1
        odd = f"({over(value, shift)}) % 2"
        return over(f"({value} + {half} + {odd})" if half else f"({value} + {odd})", shift)
    if rounding == "zero":
        return over(f"({value} + {(1 << shift) - 1}*int({value} < 0))", shift)
    return over(f"({value} + {drawn})", shift)


def scaled(name: str, gain: int, *, real: bool) -> str:
    """A weight times 2**gain, as it arrives."""
    if gain == 0:
        return name
    if real:
        return f"{math.ldexp(1, gain)!r}*{name}"
    return f"{name}*{1 << gain}" if gain > 0 else over(name, -gain)


def signed(value: int) -> str:
    """` + value` or ` - value`, and nothing for 0."""
    return "" if value == 0 else f" + {value}" if value > 0 else f" - {-value}"


def kernel_value(kernel: Kernel, since: str) -> str:
    """The kernel's value as a sum of which at most one term is not 0. `since` is never 0 or below."""
    parts, before = [], None
    for until, exponent, sign in kernel.segments:
        here = f"{since} <= {until}" if before is None else f"{before} < {since} and {since} <= {until}"
        parts.append((sign, f"{1 << exponent}*int({here})"))
        before = until
    return _sum(parts)


def quantised(quantiser: Quantiser, name: str, reach: int, title: str, *, real: bool) -> str:
    """The decoded magnitude with the sign, as a sum of steps: each threshold that |x| reaches adds the step to its magnitude."""
    magnitudes: list[float] = list(_magnitudes(quantiser) if real else quantiser.decoded_in(0))
    thresholds: list[float] = list(_thresholds(quantiser) if real else quantiser.thresholds_in(0))
    if magnitudes[0] > MOST:
        raise NeurosimError(f"{title}: error.alpha={quantiser.alpha}: its magnitudes must stay within {MOST}")
    parts = []
    below = [*magnitudes[1:], 0]
    for magnitude, lower, threshold in zip(magnitudes, below, thresholds, strict=True):
        step = magnitude - lower
        if step and threshold <= reach:
            least = f"{name} > 0" if threshold == 0 else f"{name} >= {threshold!r}"
            most = f"{name} < 0" if threshold == 0 else f"{name} <= -{threshold!r}"
            parts.append((1, f"{step!r}*(int({least}) - int({most}))"))
    return _balanced([text for _, text in parts]) if parts else "0*" + name


def gate_open(gate: Gate, name: str) -> str:
    """The condition under which a gate lets a term act."""
    if gate.outside:
        return f"({name} <= {gate.low} or {name} >= {gate.high})"
    return f"({gate.low} < {name} and {name} < {gate.high})"


def noise(state: State, seed: str, number: int) -> str:
    """Uniform on -a … a, from the upper half of a random word."""
    drawn = f"{BITS}({seed}, 19, {number}, t_in_timesteps, i, -1, 32)"
    return f"{drawn}*{2 * state.noise + 1}//65536//65536 - {state.noise}"


def _sum(parts: list[tuple[int, str]]) -> str:
    text = "".join(f" {'+' if sign > 0 else '-'} {part}" for sign, part in parts)
    return text[3:] if text.startswith(" + ") else "-" + text[3:]


def _balanced(parts: list[str]) -> str:
    """A sum in brackets of at most 16 terms: a flat sum of hundreds is deeper than Brian2's recursion goes."""
    while len(parts) > 16:
        parts = ["(" + " + ".join(parts[k : k + 16]) + ")" for k in range(0, len(parts), 16)]
    return " + ".join(parts)


def _magnitudes(q: Quantiser) -> list[float]:
    alpha, n = float(q.alpha or 0), q.n_levels
    if q.kind == "log":
        return [alpha * 2.0 ** (-k / (1 << q.base_exponent)) for k in range(n)]
    return [alpha * _share(q, k) for k in range(n)]


def _share(q: Quantiser, k: int) -> float:
    n = q.n_levels
    return 0.0 if k >= n else (n - k) / n if q.zero == "code" else (2 * (n - 1 - k) + 1) / (2 * n - 1)


def _thresholds(q: Quantiser) -> list[float]:
    found = _magnitudes(q)
    if q.kind == "linear":
        upper = [_share(q, k) for k in range(q.n_levels)]
        lower = [_share(q, k + 1) for k in range(q.n_levels)]
        found = [float(q.alpha or 0) * (a + b) / 2 for a, b in zip(upper, lower, strict=True)]
    else:
        ratio = 2.0 ** (-1 / (1 << q.base_exponent))
        part = {"geometric": ratio**0.5, "midpoint": (1 + ratio) / 2, "floor": 1.0}[str(q.thresholds)]
        found = [part * magnitude for magnitude in found]
    return [*found[:-1], 0.0] if q.zero == "none" else found
