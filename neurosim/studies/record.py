"""The record of a run: what was learned, counted and lost, and what it costs on any model. Imports no kernels."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurosim import costs
from neurosim.costs.cost import SCHEMA_VERSION as COST_VERSION
from neurosim.errors import NeurosimError
from neurosim.ops import Layout, OpCounts
from neurosim.studies import files
from neurosim.studies.config import Config

DEFAULT_HARDWARE = ("digital_45nm", "digital_28nm")


@dataclass
class Record:
    """All results of a run. `cost` maps a hardware model's name to its `Cost`."""

    config: Config
    versions: dict[str, str]
    epochs: list[dict[str, float]]
    train_counts: OpCounts
    test_counts: OpCounts
    health: dict[str, list[int]]
    layout: Layout
    network: str = ""
    cost: dict[str, costs.Cost] = field(default_factory=dict)

    @property
    def test_accuracy(self) -> float | None:
        """Accuracy of the last evaluation."""
        return self.epochs[-1]["test_accuracy"] if self.epochs else None

    def price(self, hardware: Iterable[str]) -> dict[str, costs.Cost]:
        """Price the counts on any models, without simulating again."""
        models = [costs.load(name) for name in hardware]
        return {m.name: costs.price(self.train_counts, self.test_counts, self.layout, m) for m in models}

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; `from_dict` reads it back."""
        return {
            "config": self.config.to_dict(),
            "versions": self.versions,
            "seed": self.config.seed,
            "network": self.network,
            "epochs": self.epochs,
            "test_accuracy": self.test_accuracy,
            "counts": {"train": self.train_counts.to_dict(), "test": self.test_counts.to_dict()},
            "health": self.health,
            "layout": self.layout.to_dict(),
            "cost": {name: cost.to_dict() for name, cost in self.cost.items()},
        }

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Record:
        """The reverse of `to_dict`; costs of another version are left out, counts can always be priced anew.

        Raises: NeurosimError for a missing field.
        """
        try:
            return cls(
                Config(**found["config"]),
                found["versions"],
                found["epochs"],
                OpCounts.from_dict(found["counts"]["train"]),
                OpCounts.from_dict(found["counts"]["test"]),
                found["health"],
                Layout.from_dict(found["layout"]),
                found.get("network", ""),
                {
                    name: costs.Cost.from_dict(cost)
                    for name, cost in found["cost"].items()
                    if cost.get("schema") == COST_VERSION
                },
            )
        except (KeyError, TypeError) as error:
            raise NeurosimError(f"record: a field is missing or unknown: {error}") from None

    @classmethod
    def load(cls, run: str | Path) -> Record:
        """The record of an earlier run, from its folder or its JSON file."""
        path = Path(run)
        path = path / "record.json" if path.is_dir() else path
        if not path.exists():
            raise NeurosimError(f"run={str(run)!r}: there is no record.json; give the folder that --out made")
        try:
            return cls.from_dict(files.read_json(path))
        except NeurosimError as error:
            raise NeurosimError(f"{error} ({path})") from None


def versions() -> dict[str, str]:
    """What took part in a result."""
    import numba
    import numpy as np

    import neurosim

    return {
        "neurosim": neurosim.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
