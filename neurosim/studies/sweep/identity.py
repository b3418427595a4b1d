"""Which study a results file belongs to: refused are results of another one, and of one that has changed since it began."""

from __future__ import annotations

import json
from pathlib import Path

from neurosim.errors import NeurosimError
from neurosim.studies.sweep.store import Store
from neurosim.studies.sweep.study import Study


def results_path(study: Study, results: str | Path | None = None) -> Path:
    """The results file of a study: as named, or beside the study's file."""
    if results is not None:
        return Path(results)
    if study.path is None:
        raise NeurosimError("results: must name a file, for a study that comes from none")
    return study.path.with_suffix(".sqlite")


def identify(store: Store, study: Study, *, resume: bool, changed: bool) -> None:
    """Refuse results of another study, and of this one unless they are to be gone on with."""
    known, path = store.definition(), store.path
    mine = {"name": study.name, "definition": study.definition, "path": str(study.path.resolve()) if study.path else ""}
    if known.get("definition") == mine["definition"]:
        n = len(store.numbers())
        if n and not resume:
            raise NeurosimError(
                f"{path}: holds {n} finished points of this study; go on with --resume, or name another with --results"
            )
        return
    if known and not changed:
        what = differences(known["definition"], mine["definition"])
        raise NeurosimError(
            f"{path}: its study has changed since ({what}); finished points are kept: go on with --changed, or name another with --results"
        )
    if known and store.others():
        raise NeurosimError(f"{path}: another sweep runs on it; end that first, or name another with --results")
    store.define(mine, anew=bool(known))


def differences(old: str, new: str) -> str:
    """Which fields of two definitions differ."""
    flat = []
    for text in (old, new):
        tables = json.loads(text)
        flat.append(
            {
                f"{k}.{f}" if f else k: v
                for k, t in tables.items()
                for f, v in (t if isinstance(t, dict) else {"": t}).items()
            }
        )
    names = [name for name in {**flat[0], **flat[1]} if flat[0].get(name) != flat[1].get(name)]
    return ", ".join(names) or "order of factors"
