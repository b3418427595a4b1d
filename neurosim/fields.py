"""What the fields of a description may hold, by their annotations: the one check of types for all frozen descriptions.

Descriptions are written by hand, read from files and computed with NumPy. Here numbers of NumPy become Python's, whose width never ends,
lists become tuples where a tuple is meant, and everything else of a wrong type is refused by its field. Ranges (and that a number is
whole), names and what must fit together are for the description itself.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Sequence
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal

import numpy as np

from neurosim.errors import NeurosimError

_SHOWN = 60
"""Characters of a value in a message."""
_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "text", NoneType: "None"}


def settle(described: Any, where: str) -> None:
    """Bring the fields of a frozen dataclass to the types of their annotations, first thing in its `__post_init__`.

    where: what messages call it. Raises NeurosimError that names field, value and what it may be.
    """
    kind: Any = type(described)  # hashable, which mypy will not believe
    for name, hint in _hints(kind):
        value = getattr(described, name, None)
        try:
            settled = _settled(hint, value)
        except TypeError:
            raise NeurosimError(f"{where}.{name}={shown(value)}: must be {_named(hint)}") from None
        if settled is not value:
            object.__setattr__(described, name, settled)


def shown(value: object) -> str:
    """A value in a message: on one line, and not too long."""
    line = " ".join(repr(value).split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + " …"


@functools.cache
def _hints(kind: Any) -> tuple[tuple[str, Any], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind) if field.init)


def _settled(hint: Any, value: Any) -> Any:
    """The value as its annotation has it; TypeError where it cannot be."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    origin = typing.get_origin(hint)
    if origin in (UnionType, typing.Union):
        return _first(typing.get_args(hint), value)
    if origin is tuple:
        return _tuple(typing.get_args(hint), value)
    if not _is_one(hint, origin, value):
        raise TypeError
    return value


def _is_one(hint: Any, origin: Any, value: Any) -> bool:
    if hint is Any:
        return True
    if origin is Literal:  # which ones is for the description, whose message lists them
        return isinstance(value, str | bool | int)
    if origin in (Sequence, np.ndarray):
        return isinstance(value, list | tuple | range | np.ndarray)
    if hint in (int, float):  # whole numbers are told from others by the check of their range
        return isinstance(value, int | float) and (hint is int or not isinstance(value, bool))
    return isinstance(value, hint)


def _first(hints: tuple[Any, ...], value: Any) -> Any:
    """The value as the first of several annotations that takes it; a list is an array where it may be one, rather than a tuple."""
    if isinstance(value, list) and any(typing.get_origin(hint) in (Sequence, np.ndarray) for hint in hints):
        return value
    for hint in hints:
        try:
            return _settled(hint, value)
        except TypeError:
            continue
    raise TypeError


def _tuple(hints: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise TypeError
    settled = tuple(_settled(hint, item) for hint, item in zip(hints, value, strict=True))
    same = isinstance(value, tuple) and all(one is other for one, other in zip(settled, value, strict=True))
    return value if same else settled  # type: ignore[return-value]


def _named(hint: Any) -> str:
    """An annotation in words."""
    origin, several = typing.get_origin(hint), typing.get_args(hint)
    if origin in (UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_named(one) for one in several))
    if origin is Literal:
        return "one of " + ", ".join(map(str, several))
    if origin is tuple:
        inner = several[:1] if several[-1] is Ellipsis else several
        return f"({', '.join(map(_named, inner))}{', …' if several[-1] is Ellipsis else ''})"
    if origin in (Sequence, np.ndarray):
        return "a list or array"
    return _NAMES.get(hint) or f"a {hint.__name__}"
