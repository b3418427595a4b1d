"""A stand-in for pooch, small arrays, and what a clear error is."""

import logging
import os
import types
from pathlib import Path

import numpy as np

REAL = os.environ.get("NEUROSIM_DATA")
"""Where the published sets lie, or None."""


def pooch_that(outcome):
    """A stand-in for pooch: raises the outcome, or writes the bytes that it returns for the url."""

    def retrieve(url, known_hash, fname, path, downloader):
        assert known_hash.startswith("md5:")
        assert downloader["timeout"]
        if isinstance(outcome, Exception):
            raise outcome
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes(outcome(url))

    return types.SimpleNamespace(retrieve=retrieve, HTTPDownloader=dict, get_logger=logging.getLogger)


def arrays(n=6, m=4, dtype=np.uint8):
    rng = np.random.default_rng(1)
    inputs = [rng.integers(0, 2, (k, 2, 3)).astype(dtype) for k in (n, m)]
    labels = [np.arange(k) % 3 for k in (n, m)]
    return {
        "train_inputs": inputs[0],
        "train_labels": labels[0],
        "test_inputs": inputs[1],
        "test_labels": labels[1],
    }


def assert_one_line(raised, *parts):
    text = str(raised.value)
    assert "\n" not in text
    for part in parts:
        assert part in text, text
