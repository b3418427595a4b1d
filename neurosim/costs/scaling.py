"""From 45 nm to other nodes: two sources that disagree, and the band between them.

*Equations*: Stillmaker & Baas (Integration 58, 2017), fits to circuit simulation: energy by a quadratic in the supply at each
node, area by a factor. *Tables*: what Horowitz (ISSCC 2014, 45 nm) and Jouppi et al. (ISCA 2021, 7 nm) print for the
same operation. From 45 nm 0.9 V to 7 nm 0.7 V equations divide energy by 14.6, tables by 1.3 to 7.1. So a scaled energy is a
band: its low end is the 45 nm low end over the equations' divisor, its high end the 45 nm high end over the
tables', its nominal value the 45 nm nominal over the geometric mean of the two. Between nodes both are interpolated in
the logarithm of the node; neither has a column for 28 or 22 nm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from neurosim.costs.cost import Band
from neurosim.errors import NeurosimError

SOURCE = (
    "Stillmaker & Baas, Integration 58 (2017) 74-81, doi 10.1016/j.vlsi.2017.02.002 | coefficients as transcribed in "
    "wromaszkan/nodeScale nodeScale.py (MIT)"
)
ENERGY: Mapping[int, tuple[float, float, float]] = {
    45: (1.018, -0.3107, 0.1539),
    32: (0.8367, -0.4341, 0.1701),
    20: (0.373, -0.1582, 0.04104),
    16: (0.2958, -0.1241, 0.03024),
    14: (0.2363, -0.09675, 0.02239),
    10: (0.2068, -0.09311, 0.02375),
    7: (0.1776, -0.09097, 0.02447),
}
"""e2, e1, e0 of e2 V^2 + e1 V + e0 by node, high-performance transistors."""
AREA: Mapping[int, float] = {45: 1.0, 32: 0.46, 20: 0.21, 16: 0.19, 14: 0.17, 10: 0.10, 7: 0.059}
"""Area relative to 45 nm, by node."""
TABLES: Mapping[str, float] = {"add": 3.33, "multiply": 2.86, "sram": 2.35, "rest": 2.37}
"""Horowitz at 45 nm over Jouppi at 7 nm: int32 add, int8 multiply, 32 KB of SRAM; for all else fp32 add, the weakest verified."""
_FROM_NM, _FROM_V = 45.0, 0.9


class Divisors(NamedTuple):
    """What the low, nominal and high ends of a 45 nm energy are divided by."""

    low: float
    nominal: float
    high: float


def _between(values: Mapping[int, float], node_nm: float) -> float:
    """Log-interpolated in the node between the columns.

    Raises: NeurosimError outside them.
    """
    nodes = sorted(values)
    if not nodes[0] <= node_nm <= nodes[-1]:
        msg = f"node_nm={node_nm}: scaling covers {nodes[0]}..{nodes[-1]} nm"
        raise NeurosimError(msg)
    small, large = next((a, b) for a, b in pairwise(nodes) if a <= node_nm <= b)
    share = math.log(large / node_nm) / math.log(large / small)
    return math.exp((1 - share) * math.log(values[large]) + share * math.log(values[small]))


def equations(node_nm: float, supply_v: float) -> float:
    """Energy at 45 nm 0.9 V over that at the node and supply, by the equations.

    >>> round(equations(7, 0.7), 1), round(equations(28, 0.9), 4)
    (14.6, 1.9313)
    """

    def factors(volts: float) -> dict[int, float]:
        return {node: a * volts * volts + b * volts + c for node, (a, b, c) in ENERGY.items()}

    return factors(_FROM_V)[45] / _between(factors(supply_v), node_nm)


def tables(kind: str, node_nm: float) -> float:
    """Energy at 45 nm over that at the node, by the tables. kind: a key of `TABLES`; another counts as ``"rest"``."""
    return float(TABLES.get(kind, TABLES["rest"]) ** (math.log(_FROM_NM / node_nm) / math.log(_FROM_NM / 7)))


def divisors(kind: str, node_nm: float, supply_v: float) -> Divisors:
    """What energies of 45 nm 0.9 V are divided by, with the end that each gives."""
    low, high = equations(node_nm, supply_v), tables(kind, node_nm)
    return Divisors(low, math.sqrt(low * high), high)


def scaled(energy: Band, kind: str, node_nm: float, supply_v: float) -> Band:
    """An energy of 45 nm 0.9 V at another node and supply: the band."""
    return Band(*(e / d for e, d in zip(energy, divisors(kind, node_nm, supply_v), strict=True)))


def area_factor(node_nm: float, from_nm: float = 45.0) -> float:
    """Area at the node over that at `from_nm`, by Stillmaker & Baas."""
    return _between(AREA, node_nm) / _between(AREA, from_nm)


def scaling_table() -> str:
    """The divisors of the shipped nodes, as a Markdown table; `docs/hardware_models.md` holds it word for word."""
    lines = ["| to | low end, equations | high end, tables: add | multiply | SRAM | all else | area, from 40 nm |"]
    lines.append("|---|---|---|---|---|---|---|")
    for node, supply in ((28, 0.9), (22, 0.8), (7, 0.7)):
        highs = " | ".join(f"{tables(kind, node):.4f}" for kind in TABLES)
        lines.append(
            f"| {node} nm {supply} V | {equations(node, supply):.4f} | {highs} | x {area_factor(node, 40):.4f} |"
        )
    return "\n".join(lines) + "\n"
