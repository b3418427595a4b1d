"""The random matrices of a learning channel in real numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurosim.chip.crossbar import redrawn
from neurosim.chip.spec import NetworkSpec
from neurosim.floats.activations import Floats

CLASSIFIER, BACK = 128, 129
"""Variants of the two matrices of a layer that has its errors from a classifier of its own."""


class Feedback:
    """Every random C of a network, by (receiver, variant); drawn when it is first asked for.

    from_codes: the values that the chip's codes stand for; otherwise real numbers of the same distribution. With
    `feedback.redraw` every step has its own.
    """

    def __init__(self, spec: NetworkSpec, dtype: type[np.floating[Any]], *, from_codes: bool) -> None:
        self.spec, self.dtype, self.from_codes = spec, dtype, from_codes
        self.drawn: dict[tuple[int, int], Floats] = {}

    def next_step(self, step: int) -> None:
        """Forget what the step before used, where C is redrawn."""
        self.step = step
        if self.spec.channel.feedback.redraw:
            self.drawn.clear()

    step = 0

    def matrix(self, receiver: int, shape: tuple[int, int], variant: int = 0, fans: int | None = None) -> Floats:
        """C of a receiver: [senders, receivers]. variant: which of several; fans: None for senders plus receivers."""
        key = receiver, variant
        if key not in self.drawn:
            recipe, at = self.spec.channel.feedback, variant
            if recipe.redraw:
                at += redrawn(self.step)
            if self.from_codes:
                found = recipe.draw(self.spec.seed, receiver, *shape, variant=at, fans=fans) * recipe.word.lsb
            else:
                found = recipe.draw_real(self.spec.seed, receiver, *shape, variant=at, fans=fans)
            self.drawn[key] = found.astype(self.dtype)
        return self.drawn[key]

    def classifier(self, layer: int, shape: tuple[int, int]) -> Floats:
        """The fixed random classifier of a layer, dense whatever the crossbar is: [n, classes]."""
        key = layer, CLASSIFIER
        if key not in self.drawn:
            dense = replace(self.spec.channel.feedback, bits=16, density=1.0, fan_in=None, redraw=False)
            self.drawn[key] = dense.draw_real(self.spec.seed, layer, *shape, variant=CLASSIFIER).astype(self.dtype)
        return self.drawn[key]
