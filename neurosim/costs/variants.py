"""Variants of an array: its file with some choices changed, written into its name.

``digital_28nm:core.lanes=64:fabric.cast=unicast`` is `digital_28nm` with 64 lanes and without multicast. A designer's choices (tables with
a ``reason``) of core, fabric and memories can be changed so; constants cannot, since another number needs another source: that is a
file that inherits. Nor can the technology, which every constant of the file is of.
"""

from __future__ import annotations

import copy
import difflib
import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from neurosim.costs.describe import Field, fields_of
from neurosim.costs.schema import Choice, ModelFile, Table
from neurosim.errors import NeurosimError

Settings = tuple[tuple[str, str], ...]
_TABLES = ("core", "fabric", "memory")
_SETTING = re.compile(r":([a-z_]+(?:\.[a-z_]+)+)=([^:]*)")


def split(text: str) -> tuple[str, Settings]:
    """A name or path, and the settings behind it.

    >>> split("digital_28nm:core.lanes=64")
    ('digital_28nm', (('core.lanes', '64'),))
    """
    found = _SETTING.search(text)
    if found is None:
        return text, ()
    name, rest = text[: found.start()], text[found.start() :]
    settings = tuple((m[1], m[2].strip()) for m in _SETTING.finditer(rest))
    if _SETTING.sub("", rest):
        raise NeurosimError(f"hardware={text!r}: settings must be written as NAME:table.key=value:table.key=value")
    if len({key for key, _ in settings}) < len(settings):
        raise NeurosimError(f"hardware={text!r}: sets one key twice")
    return name, settings


def named(name: str, settings: Mapping[str, Any]) -> str:
    """The name of a variant; values as TOML spells them, words without quotes."""
    return name + "".join(f":{key}={_spelled(value)}" for key, value in settings.items())


def varied(raw: Mapping[str, Any], settings: Settings, where: str) -> dict[str, Any]:
    """A model file's tables with choices changed, its reasons saying so. Raises NeurosimError for a key that is no choice of the file."""
    if not settings:
        return dict(raw)
    found = copy.deepcopy(dict(raw))
    kind = found.get("kind", "array")
    for key, text in settings:
        if kind != "array":
            raise NeurosimError(
                f"hardware: {key}={text}: {found.get('name')!r} is a published chip, whose file has no choices ({where})"
            )
        known = choices()
        *steps, last = key.split(".")
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            told = ", ".join(k for k in known if not k.startswith("memory."))
            allowed = (
                f"did you mean {close[0]}?" if close else f"allowed are {told}, and keys of memory.weight and the like"
            )
            raise NeurosimError(f"hardware: {key}={text}: no such choice; {allowed} ({where})")
        table = found
        for step in steps:
            table = table.get(step, {})
        built = last in table or steps[0] != "memory"
        if not table or not built or isinstance(table.get(last), (dict, list)):
            raise NeurosimError(f"hardware: {key}={text}: the model has no such {'.'.join(steps)} ({where})")
        table[last] = _value(text)
        table["reason"] = f"varied: {last} = {text}; {table.get('reason', '')}"
    return found


@functools.cache
def choices() -> dict[str, Field]:
    """All that a variant may change: dotted key, as in a model file, and field."""
    return dict(_all_choices())


def _all_choices() -> Iterator[tuple[str, Field]]:
    for field in fields_of(ModelFile):
        if field.name in _TABLES:
            for table in field.tables:
                yield from _choices(table, f"{field.name}.")


def _choices(table: type[Table], where: str) -> Iterator[tuple[str, Field]]:
    seen = set()
    for field in fields_of(table):
        here = f"{where}{field.name}"
        if field.many or field.name == "reason":
            continue
        for inner in field.tables:
            for key, found in _choices(inner, f"{here}."):
                if key not in seen:
                    seen.add(key)
                    yield key, found
        if issubclass(table, Choice) and not field.tables:
            yield here, field


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
