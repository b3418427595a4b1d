"""The learning equations against their theory (Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35, 2018).

Random starts are integrated; limits and invariants are compared with closed forms; the vector field of the smallest chain is drawn
with its hyperbolas of fixed points, the parabola that separates stable from unstable ones, and trajectories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from neurosim.studies.figures import figure
from neurosim.studies.papers import theory_on_chip
from neurosim.studies.reproduction import Findings, Task, Verdict
from neurosim.studies.theory import (
    CUBE_ROOT_OF_UNIFORM,
    Floats,
    LinearNetwork,
    PowerUnit,
    bottleneck_limit,
    chain,
    chain_limit,
    follow,
    wide_limit,
)

ENGINES = ("float", "fixed")
_TOLERANCE = 1e-6
_HEADER = ("system", "starts", "at rest", "largest distance from the closed form", "largest drift of an invariant")
_Case = tuple[bool, float, float]  # at rest, distance from the limit, drift


def _relative(found: Floats, expected: Floats) -> float:
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())


def _signed(rng: np.random.Generator, n: int) -> Floats:
    """Feedback weights away from 0, of both signs."""
    drawn: Floats = rng.uniform(0.5, 1.5, n) * rng.choice([-1.0, 1.0], n)
    return drawn


def _chains(hidden: int) -> Callable[[np.random.Generator], _Case]:
    def case(rng: np.random.Generator) -> _Case:
        c, start = _signed(rng, hidden), rng.uniform(-1, 1, hidden + 1)
        alpha, beta = rng.uniform(-1.5, 1.5), rng.uniform(0.5, 1.5)
        path = follow(chain(c, alpha, beta).flow, start)
        factors = np.append(c, 1.0)
        kept = path.states[:, 1:] - factors[1:] / (2 * factors[:-1]) * path.states[:, :-1] ** 2
        scale = np.maximum(1, np.abs(path.states).max()) ** 2
        drift = float(np.abs(kept - kept[0]).max() / scale)
        return path.at_rest, _relative(path.end, chain_limit(c, start, alpha, beta)), drift

    return case


def _wide(rng: np.random.Generator, n: int = 5) -> _Case:
    c, a, b = _signed(rng, n), rng.normal(size=n), rng.normal(size=n)
    net = LinearNetwork((1, n, 1), (c[:, None],), np.array([[0.8]]), np.array([[1.2]]))
    path = follow(net.flow, [*a, *b])
    kept = path.states[:, n:] - path.states[:, :n] ** 2 / (2 * c)
    scale = max(1.0, float(np.abs(path.states).max())) ** 2
    return (
        path.at_rest,
        _relative(path.end, np.concatenate(wide_limit(c, a, b, 0.8, 1.2))),
        float(np.abs(kept - kept[0]).max() / scale),
    )


def _bottleneck(rng: np.random.Generator, n: int = 4) -> _Case:
    c, a, b = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
    path = follow(LinearNetwork((n, 1, n), (c[None],), np.eye(n), np.eye(n)).flow, [*a, *b])
    kept = path.states[:, n:] @ c - (path.states[:, :n] ** 2).sum(axis=1) / 2
    return (
        path.at_rest,
        _relative(path.end, np.concatenate(bottleneck_limit(c, a, b))),
        float(np.abs(kept - kept[0]).max()),
    )


def _general(rng: np.random.Generator, sizes: tuple[int, int, int] = (5, 3, 4)) -> _Case:
    n0, n1, n2 = sizes
    c, mixing = rng.normal(size=(n1, n2)), rng.normal(size=(n0, n0))
    s_ii, s_ti = mixing @ mixing.T / n0 + np.eye(n0), rng.normal(size=(n2, n0))
    net = LinearNetwork(sizes, (c,), s_ti, s_ii)
    path = follow(net.flow, 0.3 * rng.normal(size=n1 * (n0 + n2)))

    def kept(state: Floats) -> Floats:
        a1, a2 = net.split(state)
        found: Floats = c @ a2 + a2.T @ c.T - a1 @ a1.T
        return found

    drift = max(float(np.abs(kept(state) - kept(path.states[0])).max()) for state in path.states)
    return path.at_rest, _relative(c @ net.product(path.end), c @ s_ti @ np.linalg.inv(s_ii)), drift


def _systems() -> Iterator[tuple[str, Callable[[np.random.Generator], _Case]]]:
    for length in range(2, 7):
        yield f"chain of {length} weights", _chains(length - 1)
    yield "[1, 5, 1]", _wide
    yield "[4, 1, 4] autoencoder", _bottleneck
    yield "[5, 3, 4], C of the product", _general


def study(task: Task) -> Findings:
    """All systems from random starts (200 each, or 10), the power unit, the sign map, the figure."""
    if task.engine == "fixed":
        return theory_on_chip.study(task)
    starts = 10 if task.quick else 200
    rows, verdicts = [], []
    for name, case in _systems():
        task.progress(f"{name}, {starts} starts")
        rng = np.random.default_rng(list(name.encode()))
        found = [case(rng) for _ in range(starts)]
        rest, distance, drift = sum(f[0] for f in found), max(f[1] for f in found), max(f[2] for f in found)
        rows.append((name, starts, rest, f"{distance:.1e}", f"{drift:.1e}"))
        grade = "V" if name == "chain of 2 weights" else "D"
        verdicts.append(
            Verdict(
                f"{name}: every start ends where the invariants say",
                "always",
                grade,
                f"{rest} of {starts} at rest, {distance:.1e} away, invariants within {drift:.1e}",
                f"{_TOLERANCE:g}",
                rest == starts and max(distance, drift) <= _TOLERANCE,
            )
        )
    return Findings(
        "Learning equations of linear networks",
        _HEADER,
        rows,
        [
            *verdicts,
            _rising(),
            _sign_map(200 if task.quick else 2000),
            _rate_of_product(200 if task.quick else 2000),
            *_power_unit(),
        ],
        _draw,
    )


def _rising() -> Verdict:
    net = chain([1.0], 1.0, 1.0)
    path = follow(net.flow, [0.1, -4.0])
    rises = bool(np.diff([net.loss(state) for state in path.states]).max() > 0)
    off = float(np.abs(path.end - [2.94763, 0.33926]).max())
    return Verdict(
        "[1,1,1] from (0.1, -4): the error may rise on the way",
        "ends at (2.94763, 0.33926)",
        "D",
        f"({path.end[0]:.5f}, {path.end[1]:.5f}), the error {'rises' if rises else 'never rises'} on the way",
        "1e-5",
        rises and off <= 1e-5,
    )


def _sign_map(points: int) -> Verdict:
    """A small push away from a fixed point of [1,1,1] dies out where a2 > -a1^2 / c, and grows where it is less."""
    rng = np.random.default_rng(5)
    net, agree = chain([1.0], 1.0, 1.0), 0
    for a1 in rng.uniform(-3, 3, points):
        at = np.array([a1, 1 / a1])
        across = np.array([at[1], at[0]]) / np.hypot(*at)
        pushed = (net.flow(at + 1e-6 * across) - net.flow(at - 1e-6 * across)) @ across
        agree += (pushed < 0) == (at[1] > -(a1**2))
    return Verdict(
        "[1,1,1]: fixed points are stable outside the parabola a2 = -a1^2 / c1 alone",
        "everywhere",
        "V",
        f"{agree} of {points} points of the hyperbola",
        "all",
        agree == points,
    )


def _rate_of_product(points: int) -> Verdict:
    """P = a1 a2 rises where (alpha - beta P)(a1^2 + c1 a2) is positive and falls where it is negative, over the whole plane."""
    rng = np.random.default_rng(6)
    agree = seen = 0
    for c1 in (1.0, -0.7, 2.0):
        net = chain([c1], 1.0, 1.0)
        for at in rng.uniform(-4, 4, (points // 2, 2)):
            step = 1e-6 * net.flow(at)
            moved = np.prod(at + step) - np.prod(at - step)
            expected = (1 - at[0] * at[1]) * (at[0] ** 2 + c1 * at[1])
            if abs(expected) > 1e-3:  # off the curves
                seen += 1
                agree += np.sign(moved) == np.sign(expected)
    return Verdict(
        "[1,1,1]: the sign of P' over the plane, c1 = 1, -0.7, 2",
        "that of (alpha - beta P)(a1^2 + c1 a2)",
        "V",
        f"{agree} of {seen} points off the curves",
        "all",
        agree == seen,
    )


def _power_unit() -> Iterator[Verdict]:
    with_slope = follow(PowerUnit(**CUBE_ROOT_OF_UNIFORM).flow, [0.5, 0.5]).end
    off = float(np.abs(with_slope - [0.677402, 0.813311]).max())
    yield Verdict(
        "power unit, mu = 1/3, with f'",
        "(0.677402, 0.813311)",
        "D",
        f"({with_slope[0]:.6f}, {with_slope[1]:.6f})",
        "1e-5",
        off <= 1e-5,
    )
    path = follow(PowerUnit(**CUBE_ROOT_OF_UNIFORM, slope=False).flow, [0.5, 0.5], until=1e4)
    yield Verdict(
        "the same without f' drifts and never stops",
        "a1 = 272.5 at t = 10^4",
        "D",
        f"a1 = {path.end[0]:.1f}, {'at rest' if path.at_rest else 'still moving'}",
        "1 %",
        not path.at_rest and abs(path.end[0] / 272.5 - 1) <= 0.01,
    )


def _draw(path: Path) -> None:
    """The vector field of [1,1,1] with alpha = beta = c1 = 1."""
    net, edge = chain([1.0], 1.0, 1.0), 4.0
    with figure(path, "Learning flow of the chain [1, 1, 1], c1 = alpha = beta = 1", (7.0, 6.0)) as axis:
        grid = np.linspace(-edge, edge, 25)
        a1, a2 = np.meshgrid(grid, grid)
        speed = 1 - a1 * a2
        u, v = speed, a1 * speed
        size = np.hypot(u, v) + 1e-9
        axis.quiver(a1, a2, u / size, v / size, color="#bbbbbb", width=0.0025, scale=38)
        for side in (-1, 1):
            x = side * np.linspace(1 / edge, edge, 400)
            stable = 1 / x > -(x**2)
            for part, style, label in ((stable, "-", "fixed points, stable"), (~stable, ":", "fixed points, unstable")):
                if part.any():
                    axis.plot(
                        x[part], 1 / x[part], style, color="#4477aa", linewidth=2.2, label=label if side < 0 else None
                    )
        x = np.linspace(-2, 2, 200)
        axis.plot(x, -(x**2), "--", color="#aa3377", linewidth=1.2, label="a2 = -a1²: stability changes")
        for i, start in enumerate(
            ((0.1, -4.0), (-3.5, 3.0), (-0.5, 3.5), (-2.5, -3.0), (3.0, 3.5), (0.5, 0.5), (-1.2, -3.5))
        ):
            states = follow(net.flow, start).states
            axis.plot(
                states[:, 0], states[:, 1], color="#228833", linewidth=1.1, label="trajectories" if i == 0 else None
            )
            axis.plot(*start, "o", color="#228833", markersize=4)
            axis.plot(*states[-1], "s", color="#228833", markersize=5)
        axis.set(xlim=(-edge, edge), ylim=(-edge, edge), xlabel="a1, first weight", ylabel="a2, second weight")
        axis.get_figure().legend(loc="outside lower center", ncols=2)
