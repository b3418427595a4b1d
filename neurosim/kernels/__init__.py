"""Compiled kernels: arrays and scalars in, arrays out; integers only, no objects, no files, no units.

Numba's disk cache does not notice an edit in a function that another file calls: a caller in the cache goes on with the
old callee and gives wrong numbers without a word (numba issues 8359, 8851, 9304). So the cache lives in a folder named
after the text of these files and numba's version, which is chosen here, while the kernels are being imported, and the
user's own setting is put back afterwards. Where no cache can be written the kernels compile in memory, and say so once.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numba


def _fingerprint() -> str:
    text = hashlib.sha256(f"{numba.__version__} {sys.version_info[:2]}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text.update(path.name.encode() + path.read_bytes())
    return text.hexdigest()[:16]


def _cache_folder() -> str | None:
    base = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "neurosim" / "kernels" / _fingerprint()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return None
    return str(folder)


CACHE_FOLDER = _cache_folder()
if CACHE_FOLDER is None:
    warnings.warn("no folder for compiled kernels can be written; they compile anew in every process", stacklevel=2)

_users_folder = numba.config.CACHE_DIR
try:
    numba.config.CACHE_DIR = CACHE_FOLDER or _users_folder
    for _name in (
        "registers", "lanes", "words", "rng", "dense", "matmul", "channel", "update", "forward", "backward", "engine",
        "conv", "conv_update", "conv_engine", "tiles", "maps", "real", "spike_registers", "spike_states", "spike_synapses",
        "spike_fetch", "spike_lanes", "spike_delivery", "spike_engine",
    ):  # fmt: skip
        importlib.import_module(f"{__name__}.{_name}")
finally:
    numba.config.CACHE_DIR = _users_folder
