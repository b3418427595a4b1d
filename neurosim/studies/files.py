"""Files appear whole or not at all: everything is written under another name first and then moved into place."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from neurosim.errors import NeurosimError

FORMAT = 1
"""Version of checkpoints."""


def write(path: Path, fill: Callable[[IO[bytes]], Any]) -> None:
    """Write one file whole. Raises NeurosimError that names it where it cannot be written."""
    name = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
            name = part.name
            fill(part)
            part.flush()
            os.fsync(part.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        if name:
            Path(name).unlink(missing_ok=True)
        raise NeurosimError(f"{path}: cannot be written: {error.strerror or error}") from None
    except BaseException:
        if name:
            Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write(path, lambda part: part.write(text.encode()))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises NeurosimError that names the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NeurosimError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise NeurosimError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise NeurosimError(f"{path}: holds no record of a run")
    return content


def prepare(folder: Path, flag: str = "out") -> None:
    """Make an output folder, given under that flag, and make sure that it can be written, before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NeurosimError(
            f"{flag}={str(folder)!r}: cannot be written: {error.strerror}; name another folder"
        ) from None


def save_checkpoint(path: Path, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """A checkpoint: arrays, and their meaning as JSON beside them; no pickles."""
    text = np.frombuffer(json.dumps({"format": FORMAT, **meta}).encode(), np.uint8)
    write(path, lambda part: np.savez(part, allow_pickle=False, meta=text, **arrays))


def load_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The reverse. Raises NeurosimError for what is no checkpoint, is damaged or of another format."""
    if not path.is_file():
        raise NeurosimError(f"{path}: there is no checkpoint to resume; start without --resume")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {key: found[key] for key in found.files}
        meta = json.loads(arrays.pop("meta").tobytes())
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zip_error()) as error:
        raise NeurosimError(f"{path}: damaged or no checkpoint ({error}); start anew in another folder") from None
    if meta.get("format") != FORMAT:
        raise NeurosimError(
            f"{path}: checkpoint.format={meta.get('format')!r}: this version reads {FORMAT}; start anew"
        )
    return meta, arrays


def zip_error() -> type[Exception]:
    """What a damaged archive raises."""
    import zipfile

    return zipfile.BadZipFile
