"""What a worker does: simulate one point, and say all that came of it. No prices: those are the coordinator's, for any hardware.

Workers live long. They keep the last data sets and their codes, so that a point costs little more than its epochs.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from neurosim.errors import NeurosimError
from neurosim.ops import Layout, OpCounts
from neurosim.studies.config import Config
from neurosim.studies.record import versions

_mine = threading.local()


def _shelf() -> Any:
    """The shelf of this thread: a cluster's worker may have several."""
    from neurosim.studies.experiment import Shelf

    if not hasattr(_mine, "shelf"):
        _mine.shelf = Shelf()
    return _mine.shelf


def prepare(settings: Mapping[str, Any]) -> str:
    """Load the data and the kernels that a point needs, compiling what is not in the cache. Returns a mistake, or nothing."""
    from neurosim.studies import experiment

    try:
        experiment.prepare(Config(**settings), _shelf())
    except NeurosimError as error:
        return str(error)
    return ""


def simulate(settings: Mapping[str, Any], stop_below: Sequence[float] = (), fingerprint: str = "") -> dict[str, Any]:
    """Simulate a point: the columns of its run, and `counts`, which `counts_of` reads.

    fingerprint: of the data set that the sweep has. state: ``finished``; ``stopped`` early, as hopeless; ``refused``, where the
    settings contradict one another or a loss that they name happened; ``failed``, where memory was too small or the data set is not
    on this machine, or another one.
    """
    from neurosim.studies import experiment

    begun, start = datetime.now(UTC), time.perf_counter()
    try:
        config = Config(**settings)
        _check_data(config.data, fingerprint)
        record, stopped = experiment.simulate(config, _shelf(), stop_below)
    except _NotHereError as error:
        found: dict[str, Any] = {"state": "failed", "error": str(error)}
    except NeurosimError as error:
        found = {"state": "refused", "error": str(error)}
    except MemoryError:
        found = {"state": "failed", "error": "not enough memory"}
    else:
        found = {"state": "stopped" if stopped else "finished", **_results(record)}
    return found | {
        "wall_s": time.perf_counter() - start,
        "started": begun.isoformat(timespec="milliseconds"),
        "host": platform.node(),
        "pid": os.getpid(),
        "versions": json.dumps(versions(), sort_keys=True),
    }


class _NotHereError(NeurosimError):
    """It is the machine's fault and not the point's."""


def _check_data(name: str, fingerprint: str) -> None:
    try:
        found = _shelf().data(name)
    except NeurosimError as error:
        raise _NotHereError(f"{error} (on {platform.node()})") from None
    if fingerprint and found.fingerprint != fingerprint:
        raise _NotHereError(f"data={name!r}: is another data set on {platform.node()} than where the sweep runs")


def _results(record: Any) -> dict[str, Any]:
    counts: OpCounts = record.train_counts
    sent = sum(n * op.bits for op, n in counts.ops.items() if op.action == "error_code")
    content = {
        "train": counts.to_dict(),
        "test": record.test_counts.to_dict(),
        "layout": record.layout.to_dict(),
        "health": record.health,
    }
    last = record.epochs[-1]
    return {
        "network": record.network,
        "test_accuracy": last["test_accuracy"],
        "train_accuracy": last["train_accuracy"],
        "held_bits": record.layout.bits(),
        "channel_bits_per_sample": sent / counts.samples,
        "samples": counts.samples,
        "curve": json.dumps([epoch["test_accuracy"] for epoch in record.epochs]),
        "seconds": sum(epoch["seconds"] for epoch in record.epochs),
        "counts": zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6),
    }


def counts_of(packed: bytes) -> tuple[OpCounts, OpCounts, Layout]:
    """Counts of training, counts of testing and the layout, as `simulate` packed them."""
    content = json.loads(zlib.decompress(packed))
    return (
        OpCounts.from_dict(content["train"]),
        OpCounts.from_dict(content["test"]),
        Layout.from_dict(content["layout"]),
    )
