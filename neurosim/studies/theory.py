"""The learning equations of linear networks under random backpropagation, their invariants and their limits.

In the limit of small rates learning is a flow of the weights. For linear networks under skipped random backpropagation
it is, with M = S_TI - A_L … A_1 S_II and C_L the identity,

    A_i' = C_i M (A_(i-1) … A_1)^T,

and for backpropagation C_i is (A_L … A_(i+1))^T. Layer-by-layer random backpropagation is the same with the products of the
C above. Chains, [1, N, 1], [N, 1, N] and [N0, N1, N2] are shapes of it; for these, limits follow from invariants.
Equations, invariants and limits: Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018), as derived anew there and here;
the closed forms that are ours alone are marked in the studies that check them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from neurosim.errors import NeurosimError

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = Sequence[float] | NDArray[np.float64]

_STILL = 1e-13
"""The speed, relative to the weights, at which a flow has arrived."""


@dataclass(frozen=True)
class Path:
    """A trajectory: times float64[n], states float64[n, number of weights], and whether it came to rest."""

    times: Floats
    states: Floats
    at_rest: bool

    @property
    def end(self) -> Floats:
        """The last state."""
        last: Floats = self.states[-1]
        return last


def follow(flow: Callable[[Floats], Floats], start: Numbers, *, until: float = 1e6) -> Path:
    """Integrate state' = flow(state) from a start until it rests, or until a time. LSODA, relative tolerance 1e-11.

    Raises NeurosimError if the integrator gives up.
    """
    from scipy.integrate import solve_ivp

    state = np.asarray(start, float).ravel()
    times, states, now, span = [np.zeros(1)], [state[None]], 0.0, 10.0
    while now < until:
        stop = min(now + span, until)
        found = solve_ivp(lambda _, x: flow(x), (now, stop), states[-1][-1], method="LSODA", rtol=1e-11, atol=1e-13)
        if not found.success:
            raise NeurosimError(f"theory: the integrator stopped at t = {found.t[-1]:g}: {found.message}")
        times.append(found.t[1:])
        states.append(found.y.T[1:])
        now, span = stop, 4 * span
        here = states[-1][-1]
        if np.abs(flow(here)).max() <= _STILL * max(1.0, float(np.abs(here).max())):
            return Path(np.concatenate(times), np.concatenate(states), at_rest=True)
    return Path(np.concatenate(times), np.concatenate(states), at_rest=False)


@dataclass(frozen=True)
class LinearNetwork:
    """A linear network under random backpropagation: sizes (N_0, …, N_L), C_i [N_i, N_L] for i < L, and second moments.

    s_ti: E(T I^T), [N_L, N_0]; s_ii: E(I I^T), [N_0, N_0], positive definite. rule: ``srbp``, ``rbp`` (C_i is then the
    product C_i … C_(L-1), matrices [N_i, N_(i+1)]) or ``bp``.
    """

    sizes: tuple[int, ...]
    feedback: tuple[Floats, ...]
    s_ti: Floats
    s_ii: Floats
    rule: str = "srbp"

    def __post_init__(self) -> None:
        if self.rule not in ("srbp", "rbp", "bp"):
            raise NeurosimError(f"rule={self.rule!r}: must be one of srbp, rbp, bp")
        if len(self.sizes) < 2 or (self.rule != "bp" and len(self.feedback) != len(self.sizes) - 2):
            raise NeurosimError(
                f"feedback: {len(self.feedback)} matrices, and {len(self.sizes) - 2} hidden layers need one each"
            )

    @cached_property
    def channel(self) -> list[Floats]:
        """What each layer's error passes, C_1 … C_L, in the skipped form."""
        c: list[Floats] = [np.eye(self.sizes[-1])]
        for i in range(len(self.feedback) - 1, -1, -1):
            own = np.asarray(self.feedback[i], float)
            c.insert(0, own @ c[0] if self.rule == "rbp" else own)
        return c

    def split(self, state: Floats) -> list[Floats]:
        """The matrices A_1 … A_L of a flat state."""
        shapes = list(zip(self.sizes[1:], self.sizes[:-1], strict=True))
        ends = np.cumsum([a * b for a, b in shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(state, ends), shapes, strict=True)]

    def product(self, state: Floats) -> Floats:
        """A_L … A_1: what the network computes."""
        found = np.eye(self.sizes[0])
        for a in self.split(state):
            found = a @ found
        return found

    def flow(self, state: Floats) -> Floats:
        """The speeds of all weights."""
        weights = self.split(state)
        below: list[Floats] = [np.eye(self.sizes[0])]
        for a in weights:
            below.append(a @ below[-1])
        error = self.s_ti - below[-1] @ self.s_ii
        speeds: list[Floats] = []
        above: Floats = np.eye(self.sizes[-1])
        for i in range(len(weights) - 1, -1, -1):
            c = above.T if self.rule == "bp" else self.channel[i]
            speeds.insert(0, (c @ error @ below[i].T).ravel())
            above = above @ weights[i]
        return np.concatenate(speeds)

    def loss(self, state: Floats) -> float:
        """E of half the squared error, without the constant E(|T|^2) / 2."""
        p = self.product(state)
        return float(0.5 * np.trace(p @ self.s_ii @ p.T) - np.trace(p @ self.s_ti.T))


def chain(c: Numbers, alpha: float, beta: float, rule: str = "srbp") -> LinearNetwork:
    """A chain of single units with len(c) hidden layers; alpha = E(T I), beta = E(I^2) > 0."""
    one = tuple(np.array([[float(x)]]) for x in c)
    return LinearNetwork((1,) * (len(c) + 2), one, np.array([[float(alpha)]]), np.array([[float(beta)]]), rule)


# ---------------------------------------------------------------------- limits in closed form


def chain_polynomials(c: Numbers, start: Numbers) -> list[Polynomial]:
    """Every a_i of a chain under SRBP as a polynomial of a_1, by the invariants a_(i+1) - c_(i+1) / (2 c_i) a_i^2."""
    factors = [*map(float, c), 1.0]
    found = [Polynomial([0.0, 1.0])]
    for i in range(len(start) - 1):
        share = factors[i + 1] / (2 * factors[i])
        found.append(share * found[i] ** 2 + (start[i + 1] - share * start[i] ** 2))
    return found


def next_root(q: Polynomial, x: float) -> float:
    """Where x' = q(x) goes: the nearest real root in the direction of q(x). Raises NeurosimError where there is none."""
    speed = float(q(x))
    if speed == 0:
        return x
    roots = q.roots()
    real = np.sort(roots[np.abs(roots.imag) <= 1e-7 * (1 + np.abs(roots))].real)
    ahead = real[real > x] if speed > 0 else real[real < x]
    if not len(ahead):
        raise NeurosimError(f"theory: the flow from {x:g} meets no fixed point")
    return float(_polished(q, ahead[0] if speed > 0 else ahead[-1]))


def _polished(q: Polynomial, x: float) -> float:
    """A root of a polynomial to the last digits, by Newton's steps."""
    slope = q.deriv()
    for _ in range(20):
        if slope(x) == 0:
            break
        x = float(x - q(x) / slope(x))
    return x


def chain_limit(c: Numbers, start: Numbers, alpha: float, beta: float) -> Floats:
    """Where SRBP takes a chain: all a_i. a_1' = c_1 (alpha - beta P(a_1)) has degree 2^L - 1.

    The roots of so high a degree lose digits in its coefficients, so the one that is met is sharpened on the chain itself.
    """
    from scipy.optimize import brentq

    factors = np.append(np.asarray(c, float), 1.0)
    shares = factors[1:] / (2 * factors[:-1])
    kept = np.asarray(start[1:]) - shares * np.asarray(start[:-1]) ** 2

    def weights(first: float) -> Floats:
        found = [first]
        for share, constant in zip(shares, kept, strict=True):
            found.append(share * found[-1] ** 2 + constant)
        return np.array(found)

    def gap(first: float) -> float:
        return alpha - beta * float(np.prod(weights(first)))

    p = Polynomial([1.0])
    for part in chain_polynomials(c, start):
        p = p * part
    root = next_root(float(c[0]) * (alpha - beta * p), float(start[0]))
    for width in 2.0 ** np.arange(-40, -3):
        low, high = root - width, root + width
        if gap(low) * gap(high) < 0:
            return weights(brentq(gap, low, high, xtol=1e-15, rtol=1e-15))
    return weights(root)


def wide_limit(c: Numbers, a: Numbers, b: Numbers, alpha: float, beta: float) -> tuple[Floats, Floats]:
    """Where SRBP takes [1, N, 1]: (a, b), each [N]. All follow a_1, and a_1' is a cubic of it."""
    first = Polynomial([0.0, 1.0])
    ups = [(c[i] / c[0]) * first + (a[i] - c[i] / c[0] * a[0]) for i in range(len(c))]
    downs = [up**2 / (2 * c[i]) + (b[i] - a[i] ** 2 / (2 * c[i])) for i, up in enumerate(ups)]
    p = sum((up * down for up, down in zip(ups, downs, strict=True)), Polynomial([0.0]))
    end = next_root(float(c[0]) * (alpha - beta * p), float(a[0]))
    return np.array([float(up(end)) for up in ups]), np.array([float(down(end)) for down in downs])


def bottleneck_limit(c: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Where SRBP takes the autoencoder [N, 1, N] of white inputs: A -> b C, B -> C^T / (b |C|^2). c, a: [N]; b: [N].

    b is the positive root of |C|^2 b^3 / 2 + K b - 1, K = C B(0) - |A(0)|^2 / 2.
    """
    square = float(c @ c)
    k = float(c @ b - a @ a / 2)
    roots = Polynomial([-1.0, k, 0.0, square / 2]).roots()
    (scale,) = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)].real
    return scale * c, c / (scale * square)


# ---------------------------------------------------------------------- the power unit


@dataclass(frozen=True)
class PowerUnit:
    """O = a2 (a1 I)^mu: the non-linear chain whose derivative can be left out.

    alpha = E(T I^mu), beta = E(I^(2 mu)), gamma = E(T I), delta = E(I^(mu + 1)); slope: whether f' is in the local signal.
    """

    mu: float
    alpha: float
    beta: float
    gamma: float
    delta: float
    c: float = 1.0
    slope: bool = True

    def flow(self, state: Floats) -> Floats:
        """(a1', a2')."""
        a1, a2 = state
        top = a1**self.mu * (self.alpha - self.beta * a2 * a1**self.mu)
        if self.slope:
            return np.array([self.c * self.mu * a1 ** (self.mu - 1) * (self.alpha - self.beta * a2 * a1**self.mu), top])
        return np.array([self.c * (self.gamma - self.delta * a2 * a1**self.mu), top])

    def limit(self, start: Numbers) -> Floats:
        """With f': the positive root of alpha = beta t^mu (t^2 / (2 c mu) + K), and its a2."""
        from scipy.optimize import brentq

        k = start[1] - start[0] ** 2 / (2 * self.c * self.mu)

        def second(t: float) -> float:
            return t**2 / (2 * self.c * self.mu) + k

        def gap(t: float) -> float:
            return float(self.beta * t**self.mu * second(t) - self.alpha)

        high = 1.0
        while gap(high) < 0:
            high *= 2
        low = float(np.sqrt(max(0.0, -2 * self.c * self.mu * k)))
        t = brentq(gap, low, high, xtol=1e-14, rtol=1e-14)
        return np.array([t, second(t)])


CUBE_ROOT_OF_UNIFORM: dict[str, Any] = {"mu": 1 / 3, "alpha": 3 / 7, "beta": 3 / 5, "gamma": 1 / 3, "delta": 3 / 7}
"""T = I uniform on [0, 1] and mu = 1/3."""
