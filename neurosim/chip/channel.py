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
from neurosim.fields import settle
from neurosim.formats import Quantiser, check, check_whole

MOST_WIRES = 8
"""Bits of an error code on the chip."""
DROPOUT_BITS = 16
"""Bits of the comparator that decides whether a signal is lost."""
PLACES = ("source", "received", "local")
ROUTES = ("layered", "skip", "target", "none", "cascade", "relay", "recirculate", "local")
MATRICES = ("random", "transpose", "product", "sign", "sign-random")
UNITS = ("linear", "tanh", "logistic", "relu", "hard-tanh")
_OF_WEIGHTS = {
    "transpose": ("layered", "local"),
    "product": ("skip",),
    "sign": ("layered",),
    "sign-random": ("layered",),
}


@dataclass(frozen=True)
class Channel:
    """How hidden layers learn of the output's error. docs/learning_channel.md has the formulas.

    route: ``layered`` (layer by layer), ``skip`` (from the output to each layer), ``target`` (the label, no error),
    ``none`` (only the top layer learns), ``cascade`` (every layer sends to all layers below it), ``relay`` (through layers of
    the channel's own, of the sizes in relays), ``recirculate`` (the output enters the network again) or ``local`` (each
    layer has a fixed random classifier of its own). matrix: ``random``, ``transpose`` of the weights above (of the
    classifier, where errors are local), their ``product``, or the ``sign`` of the transpose, times one magnitude or random
    ones (``sign-random``).
    adaptive: C learns too, from activity or (``"stdp"``) from its change between presentations.
    feedback: how a random C is made. units: what the channel's own neurons do to a sum.
    error: the quantiser of codes on the wires, None for whole words; place: where errors are quantised, a subset of
    source, received, local (these two by `received_error` and `local_error`). dropout: probability that a received signal
    is lost. derivative: f' in the local signal; window: half-width of the boxcar; upper_derivatives: layered rules hand on
    signals with f' (False: without). top: what the top layer uses. update: a quantiser of each sample's update, or None;
    update_part: ``value``, the ``magnitude`` alone, or the ``sign`` of a step's whole update. gain: the power of two of each
    layer's feedback, None for the default by connections.
    """

    route: Literal["layered", "skip", "target", "none", "cascade", "relay", "recirculate", "local"] = "skip"
    matrix: Literal["random", "transpose", "product", "sign", "sign-random"] = "random"
    adaptive: bool | Literal["stdp"] = False
    feedback: FeedbackCrossbar = field(default_factory=FeedbackCrossbar)
    relays: tuple[int, ...] = ()
    units: Literal["linear", "tanh", "logistic", "relu", "hard-tanh"] = "linear"
    error: Quantiser | None = field(default_factory=Quantiser)
    place: tuple[str, ...] = ("source",)
    received_error: Quantiser = field(default_factory=lambda: Quantiser(alpha=2.0**-3))
    local_error: Quantiser = field(default_factory=lambda: Quantiser(alpha=2.0**-3))
    dropout: float = 0.0
    derivative: Literal["exact", "shift", "boxcar", "none"] = "exact"
    window: float = 2.0
    upper_derivatives: bool = True
    top: Literal["exact", "quantised", "random"] = "exact"
    update: Quantiser | None = None
    update_part: Literal["value", "magnitude", "sign"] = "value"
    gain: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        settle(self, "channel")
        check("channel.route", self.route, ROUTES)
        check("channel.matrix", self.matrix, MATRICES)
        check("channel.units", self.units, UNITS)
        check("channel.adaptive", self.adaptive, (False, True, "stdp"))
        check("channel.derivative", self.derivative, ("exact", "shift", "boxcar", "none"))
        check("channel.top", self.top, ("exact", "quantised", "random"))
        check("channel.update_part", self.update_part, ("value", "magnitude", "sign"))
        for place in self.place:
            check("channel.place", place, PLACES)
        for relay in self.relays:
            check_whole("channel.relays", relay, 1, 1 << 20)
        if not (math.isfinite(self.window) and self.window > 0):
            msg = f"channel.window={self.window!r}: must be a number above 0"
            raise NeurosimError(msg)
        if not 0 <= self.dropout < 1:
            raise NeurosimError(f"channel.dropout={self.dropout!r}: must be a probability, 0 to below 1")
        if "source" in self.place and self.error is None:
            object.__setattr__(self, "place", tuple(p for p in self.place if p != "source"))
        for gain in self.gain if isinstance(self.gain, tuple) else () if self.gain is None else (self.gain,):
            check_whole("channel.gain", gain, -31, 31)
        self._check_together()

    def _check_together(self) -> None:
        def refuse(what: str) -> None:
            msg = f"channel: {what}"
            raise NeurosimError(msg)

        routes = _OF_WEIGHTS.get(self.matrix, ROUTES)
        if self.route not in routes:
            refuse(f"matrix={self.matrix!r} needs route={' or '.join(map(repr, routes))}, not {self.route!r}")
        if bool(self.relays) != (self.route == "relay"):
            refuse(
                f"relays={self.relays} with route={self.route!r}: the sizes of a relaying channel's layers, and only of its"
            )
        if self.adaptive and (
            self.matrix != "random" or self.feedback.bits == 1 or self.route not in ("layered", "skip")
        ):
            refuse("adaptive feedback needs matrix='random', route 'layered' or 'skip', and feedback.bits of 2..16")
        if self.adaptive and (self.feedback.density != 1.0 or self.feedback.redraw or self.feedback.per == "synapse"):
            refuse(
                "adaptive feedback is dense, every entry of C learns and stays: feedback.density must be 1, without redraw, "
                "per neuron"
            )
        if self.feedback.per == "synapse" and (self.route != "skip" or self.matrix != "random"):
            refuse("feedback.per='synapse' needs route='skip' and matrix='random'")
        if self.feedback.per == "synapse" and (
            self.dropout or self.units != "linear" or self.update is not None or {"received", "local"} & set(self.place)
        ):
            refuse(
                "feedback.per='synapse' has no signal per neuron to quantise, lose or bend: no dropout, units, place or update"
            )
        if self.update is not None and self.update_part != "value":
            refuse("update_part={self.update_part!r} with update: give one of the two")
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
        return -half_log2(self.feedback.expected_fan_in(n_senders))

    @property
    def dropout_limit(self) -> int:
        """What the comparator of lost signals holds: dropout in units of 2**-DROPOUT_BITS."""
        return min(round(self.dropout * (1 << DROPOUT_BITS)), (1 << DROPOUT_BITS) - 1)

    def replace(self, **changes: Any) -> Channel:
        """A copy with some fields changed."""
        return replace(self, **changes)


def half_log2(x: float) -> int:
    """The exponent of the power of two nearest to the root of x, on the log scale; 0 below 1, ties to even."""
    # log2 of a power of two is exact in floats, so a tie is seen as one; a square root first would hide it.
    return round(math.log2(max(1.0, x)) / 2)


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


def refuse_off_chip(channel: Channel) -> None:
    """Raise NeurosimError for a setting that only the float engine has: no circuit is described for it."""
    plain = Channel(feedback=FeedbackCrossbar())
    for name, allowed in (
        ("route", ("layered", "skip", "target", "none")),
        ("matrix", ("random", "transpose", "product", "sign")),
        ("adaptive", (False, True)),
        ("top", ("exact", "quantised")),
        *((name, (getattr(plain, name),)) for name in ("units", "update_part")),
    ):
        _only("channel", channel, name, allowed)
    _only("channel.feedback", channel.feedback, "per", (plain.feedback.per,))
    if channel.feedback.bits == 1 or channel.matrix == "sign":
        _only("channel.feedback", channel.feedback, "scale", (1.0,))
    if channel.feedback.redraw and channel.matrix == "random" and not channel.feedback.is_streamed:
        raise NeurosimError(
            "channel.feedback.redraw=True: on the chip a generator makes C entry by entry, so it needs a density and uniform entries "
            "without scale, spread, mean, rank, sets or fan_in; the float engine has the others"
        )
    for name in ("error", "received_error", "local_error", "update"):
        quantiser = getattr(channel, name)
        if quantiser is not None and quantiser.bits > MOST_WIRES:
            raise NeurosimError(f"channel.{name}.bits={quantiser.bits}: must be 1..{MOST_WIRES} on the chip")


def _only(where: str, described: Any, name: str, allowed: tuple[Any, ...]) -> None:
    value = getattr(described, name)
    if value not in allowed:
        listed = ", ".join(map(str, allowed))
        raise NeurosimError(
            f"{where}.{name}={value!r}: must be one of {listed} on the chip; the float engine has the others"
        )
