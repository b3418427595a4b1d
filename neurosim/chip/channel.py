"""The learning channel: a learning rule as data (docs/substrate.md 3 and 4).

A rule is five independent choices: the route of the error, the feedback matrix, whether it adapts, the derivative, and
the precision of what travels. Presets are rows of one table; the papers' control experiments are field values.
Baldi, Sadowski, Lu, Artificial Intelligence 260:1-35 (2018); Frenkel, Lefebvre, Bol 2021 for DRTP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.errors import NeurosimError
from neurosim.formats import Quantiser, check, check_whole

PLACES = ("source", "received", "local")


@dataclass(frozen=True)
class Channel:
    """How hidden layers learn of the output's error.

    route: ``layered`` (layer by layer), ``skip`` (from the output to each layer), ``target`` (the label, no error) or
    ``none`` (only the top layer learns). matrix: ``random``, ``transpose`` of the weights above, or their ``product``.
    adaptive: C learns too. feedback: how a random C is made. error: the quantiser of codes on the wires, None for whole
    words; place: where errors are quantised, a subset of source, received, local (these two by `received_error` and
    `local_error`). derivative: f' in the local signal; window: half-width of the boxcar. top: what the top layer uses.
    update: a quantiser of each sample's update, or None. gain: the power of two of each layer's feedback, None for the
    default by connections.
    """

    route: Literal["layered", "skip", "target", "none"] = "skip"
    matrix: Literal["random", "transpose", "product"] = "random"
    adaptive: bool = False
    feedback: FeedbackCrossbar = field(default_factory=FeedbackCrossbar)
    error: Quantiser | None = field(default_factory=Quantiser)
    place: tuple[str, ...] = ("source",)
    received_error: Quantiser = field(default_factory=lambda: Quantiser(alpha=2.0**-3))
    local_error: Quantiser = field(default_factory=lambda: Quantiser(alpha=2.0**-3))
    derivative: Literal["exact", "shift", "boxcar", "none"] = "exact"
    window: float = 2.0
    top: Literal["exact", "quantised"] = "exact"
    update: Quantiser | None = None
    gain: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check("channel.route", self.route, ("layered", "skip", "target", "none"))
        check("channel.matrix", self.matrix, ("random", "transpose", "product"))
        check("channel.derivative", self.derivative, ("exact", "shift", "boxcar", "none"))
        check("channel.top", self.top, ("exact", "quantised"))
        for place in self.place:
            check("channel.place", place, PLACES)
        if not (math.isfinite(self.window) and self.window > 0):
            msg = f"channel.window={self.window!r}: must be a number above 0"
            raise NeurosimError(msg)
        if "source" in self.place and self.error is None:
            object.__setattr__(self, "place", tuple(p for p in self.place if p != "source"))
        for gain in self.gain if isinstance(self.gain, tuple) else () if self.gain is None else (self.gain,):
            check_whole("channel.gain", gain, -31, 31)
        self._check_together()

    def _check_together(self) -> None:
        def refuse(what: str) -> None:
            msg = f"channel: {what}"
            raise NeurosimError(msg)

        if self.matrix == "transpose" and self.route != "layered":
            refuse(f"matrix='transpose' needs route='layered', not {self.route!r}")
        if self.matrix == "product" and self.route != "skip":
            refuse(f"matrix='product' needs route='skip', not {self.route!r}")
        if self.adaptive and (
            self.matrix != "random" or self.feedback.bits == 1 or self.route not in ("layered", "skip")
        ):
            refuse("adaptive feedback needs matrix='random', route 'layered' or 'skip', and feedback.bits of 2..16")
        if self.adaptive and self.feedback.density != 1.0:
            refuse("adaptive feedback is dense, every entry of C learns: feedback.density must be 1")
        if self.update is not None and self.update.base == "auto":
            refuse("update.base='auto' has no received word to fit: must be 2**(2**-m), m = 0..7")
        if self.route == "target" and self.feedback.bits == 1 and self.feedback.values == "01":
            refuse("feedback.values='01' with route='target' learns nothing, its signal is never negative: use '+-1'")
        if self.top == "quantised" and self.route == "target":
            refuse("top='quantised' has no error code to use with route='target'")

    @property
    def quantises_at_source(self) -> bool:
        """Whether codes rather than whole words travel."""
        return "source" in self.place

    def gain_of(self, layer: int, n_senders: int) -> int:
        """The exponent of one hidden layer's feedback."""
        if isinstance(self.gain, tuple):
            if layer >= len(self.gain):
                msg = f"channel.gain={self.gain}: has no entry for hidden layer {layer}"
                raise NeurosimError(msg)
            return self.gain[layer]
        if self.gain is not None:
            return self.gain
        if self.matrix != "random" or self.feedback.bits > 1:
            return 0
        # log2 of a power of two is exact in floats, so a tie is seen as one; a square root first would hide it.
        return -round(math.log2(max(1.0, self.feedback.expected_fan_in(n_senders))) / 2)

    def replace(self, **changes: Any) -> Channel:
        """A copy with some fields changed."""
        return replace(self, **changes)


_WIDE = FeedbackCrossbar(bits=8, density=1.0)

RULES: dict[str, Channel] = {
    "bp": Channel(route="layered", matrix="transpose"),
    "sbp": Channel(route="skip", matrix="product"),
    "rbp": Channel(route="layered"),
    "srbp": Channel(route="skip"),
    "arbp": Channel(route="layered", adaptive=True, feedback=_WIDE),
    "asrbp": Channel(route="skip", adaptive=True, feedback=_WIDE),
    "drtp": Channel(route="target", feedback=FeedbackCrossbar(values="+-1", density=1.0)),
    "top-only": Channel(route="none"),
}
"""The named rules."""


def rule(name: str) -> Channel:
    """The preset of a name. Raises NeurosimError that lists the names."""
    check("rule", name, tuple(RULES))
    return RULES[name]
