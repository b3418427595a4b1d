"""What is given to a network, checked: input codes, labels, targets, orders of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed


def code_type(word: Fixed) -> type[np.integer[Any]]:
    """The narrowest type that holds a word's codes: uint8, int16 or int32."""
    kinds: tuple[type[np.integer[Any]], ...] = (np.uint8, np.int16, np.int32)
    return next(k for k in kinds if np.iinfo(k).min <= word.low and word.high <= np.iinfo(k).max)


def checked_codes(spec: NetworkSpec, codes: NDArray[Any]) -> NDArray[Any]:
    """Input codes as the kernels read them. Raises NeurosimError for what `encode` cannot have made."""
    codes, word = np.ascontiguousarray(codes), spec.input
    if codes.ndim != 2 or codes.shape[1] != spec.n_inputs:
        msg = f"codes: {list(codes.shape)}, and the network has {spec.n_inputs} inputs, so [samples, {spec.n_inputs}]"
        raise NeurosimError(msg)
    if codes.dtype.kind not in "iu":
        msg = f"codes: {codes.dtype}; they are integers, made by `encode`"
        raise NeurosimError(msg)
    kind = code_type(word)
    if codes.size and not word.low <= int(codes.min()) <= int(codes.max()) <= word.high:
        msg = f"codes: {int(codes.min())}..{int(codes.max())}, and the input word holds {word.low}..{word.high}: use `encode`"
        raise NeurosimError(msg)
    return codes.astype(kind, copy=False)


def checked_wanted(
    spec: NetworkSpec, wanted: NDArray[np.integer[Any]], n: int, classes: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """(the table of targets int32[rows, n_out], each sample's row in it int64[n], each sample's class int64[n]).

    wanted: labels int[n], whose table is `classes`, or output codes int[n, n_out]. Raises NeurosimError for what does not fit.
    """
    if wanted.ndim != 2:
        labels = checked_labels(spec, wanted, n)
        return classes, labels, labels
    word, outputs = spec.output(spec.last), spec.n_out(spec.last)
    if wanted.shape != (n, outputs) or wanted.dtype.kind not in "iu":
        msg = f"targets: {wanted.dtype}{list(wanted.shape)}, and there are {n} samples and {outputs} outputs: one code for each"
        raise NeurosimError(msg)
    if wanted.size and not word.low <= int(wanted.min()) <= int(wanted.max()) <= word.high:
        msg = f"targets: {int(wanted.min())}..{int(wanted.max())}, and the output word holds {word.low}..{word.high}: "
        msg += "use `encode_targets`"
        raise NeurosimError(msg)
    if spec.channel.route == "target":
        msg = "targets: channel.route='target' sends a label, so it learns from labels alone"
        raise NeurosimError(msg)
    table = np.ascontiguousarray(wanted, np.int32)
    return table, np.arange(n), table.argmax(axis=1)


def checked_labels(spec: NetworkSpec, labels: NDArray[Any], n: int) -> NDArray[np.int64]:
    """One class for each of n samples: int64[n]. Raises NeurosimError for other numbers."""
    labels, classes = np.asarray(labels), spec.n_out(spec.last)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        msg = f"labels: {labels.dtype}{list(labels.shape)}, and there are {n} samples: one whole number for each"
        raise NeurosimError(msg)
    if n and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        wrong = int(labels.min()) if labels.min() < 0 else int(labels.max())
        msg = f"labels: {wrong} is out of range: the network has {classes} outputs, so 0..{classes - 1}"
        raise NeurosimError(msg)
    return labels.astype(np.int64, copy=False)


def checked_order(order: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Numbers of samples, below n: int64[shown]. Raises NeurosimError for others."""
    order = np.asarray(order)
    if order.ndim != 1 or (order.size and not 0 <= int(order.min()) <= int(order.max()) < n):
        msg = f"order: must list samples by number, 0..{n - 1}"
        raise NeurosimError(msg)
    return order.astype(np.int64, copy=False)
