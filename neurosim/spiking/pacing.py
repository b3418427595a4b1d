"""Long runs in pieces, between which they can be stopped, and which nothing breaks.

A kernel does not look for Ctrl-C: Python raises it when the call returns, before anybody has noted how far the call came. So no call takes
long, and interrupts wait until what it did is noted. Results do not depend on where a run is cut (docs/spiking.md 7).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, Self

FIRST = 64
"""Ticks of the first piece."""
_MOST = 1 << 20
_SHORT_S, _LONG_S = 0.05, 0.2
_HELD = (signal.SIGINT, signal.SIGTERM)


def paced(ticks: int, seconds: float) -> int:
    """How many ticks the next piece may have, after one of so many took so long."""
    if seconds > _LONG_S:
        return max(1, ticks // 2)
    return min(2 * ticks, _MOST) if seconds < _SHORT_S else ticks


class Stops:
    """While it is entered, signals that Python code handles wait for `check`, or for the end of the block.

    In other threads than the main one there are none.
    """

    def __init__(self) -> None:
        self._handlers: dict[signal.Signals, Callable[[int, Any], Any]] = {}
        self._waiting: list[tuple[int, Any]] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _HELD:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, lambda *found: self._waiting.append(found))
        return self

    def check(self) -> None:
        """Handle what waits, as if it came now."""
        if self._waiting:
            number, frame = self._waiting[0]
            handler = self._handlers[signal.Signals(number)]
            self._waiting.clear()
            handler(number, frame)

    def __exit__(self, *error: object) -> None:
        try:
            self.check()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers.clear()
