"""Where a network stands and what travels between its cores: the part of a `Cost` that has no price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Stream(NamedTuple):
    """Packets of one action and payload into one layer of counts, in one phase, a sample.

    packets: sent; local: of the bias, which do not travel; deliveries: copies that arrive; flits: of one packet; east_west,
    north_south: links that all copies crossed.
    """

    layer: int
    phase: str
    action: str
    bits: int
    packets: float
    local: float
    deliveries: float
    flits: int
    east_west: float
    north_south: float


class Placed(NamedTuple):
    """Part of a layer on the core at (x, y): neurons first … last - 1; of a convolution those positions, channels low … high - 1."""

    layer: int
    first: int
    last: int
    low: int
    high: int
    x: int
    y: int


BETWEEN = ("east", "west", "south", "north")
"""Directions of the links between routers; south is +y."""


class Load(NamedTuple):
    """Flits a learning sample on one link: that of the router at (x, y) in a direction (`neurosim.costs.routes.DIRECTIONS`)."""

    x: int
    y: int
    direction: str
    flits: float


class Routing(NamedTuple):
    """Where a network stands and what a learning sample sends: method of placement, its packets x hops and the snake's; (width, height).

    places: the layer on whose cores each layer stands. assumed: the actions whose senders were taken to send alike, since the
    counts are totals without units.
    """

    method: str
    packet_hops: float
    snake_packet_hops: float
    mesh: tuple[int, int]
    places: tuple[int, ...]
    cores: tuple[Placed, ...]
    links: tuple[Load, ...]
    streams: tuple[Stream, ...]
    assumed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready form, from which `from_dict` makes the same object."""
        rows = {name: [r._asdict() for r in getattr(self, name)] for name in _ROWS}
        return {**{k: list(v) if isinstance(v, tuple) else v for k, v in self._asdict().items()}, **rows}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Routing:
        """The reverse of `to_dict`."""
        rows: dict[str, Any] = {name: tuple(kind(**r) for r in data[name]) for name, kind in _ROWS.items()}
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**{**plain, **rows})


_ROWS: Mapping[str, Any] = {"cores": Placed, "links": Load, "streams": Stream}
