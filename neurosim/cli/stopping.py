"""Being asked to stop: what a scheduler sends is taken as Ctrl-C is, so that what is finished is kept."""

from __future__ import annotations

import signal
from typing import Any, NoReturn


def stop_as_interrupted() -> None:
    """Take SIGTERM for Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
