"""The knobs of a run: one flat table that the command line, configuration files and Python share.

This module imports nothing heavy: it is what `neurosim --help` is made of. Names are the flags' with underscores.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from neurosim.errors import NeurosimError


def _knob(default: Any, text: str, *, group: str, kind: type | None = None, many: bool = False, show: str = "") -> Any:
    """A field: its default, its help, the section it stands under, the type of a value, whether there are several."""
    info = {"help": text, "group": group, "kind": kind or type(default), "many": many, "show": show}
    return field(default=default, metadata=info)


RESULTS = 1
"""Version of results: raised when an engine's answers change. A finished run's name holds it."""

NETWORK, CHANNEL, WORDS, TRAINING, COSTS = "network", "learning channel", "words", "training", "costs"


@dataclass(frozen=True)
class Config:
    """Everything that decides a run.

    Raises NeurosimError that names the field, the value and what is allowed.
    """

    data: str = _knob("digits", "a data set's name, or the path of an .npz file", group=TRAINING)
    hidden: tuple[int, ...] = _knob(
        (100,), "neurons of the hidden layers, comma-separated", group=NETWORK, kind=int, many=True
    )
    conv: tuple[int, ...] = _knob(
        (),
        "channels of convolutions below the hidden layers, comma-separated",
        group=NETWORK,
        kind=int,
        many=True,
        show="none",
    )
    kernel: int = _knob(5, "side of the convolutions' windows", group=NETWORK)
    padding: str = _knob("same", "of convolutions and pooling: same or valid", group=NETWORK)
    pool: int = _knob(0, "side of the max-pooling windows above each convolution", group=NETWORK, show="none")
    pool_stride: int = _knob(0, "their distance", group=NETWORK, show="their side")
    activation: str = _knob("tanh", "hidden activation: tanh, logistic, relu, hard-tanh, linear", group=NETWORK)
    output: str = _knob("softmax", "output layer: softmax, logistic, linear, tanh", group=NETWORK)
    bias: bool = _knob(True, "neurons have a bias", group=NETWORK)
    initial: str = _knob("uniform", "distribution of the initial weights: uniform or normal", group=NETWORK)
    init_gain: float = _knob(1.0, "scale of the initial weights", group=NETWORK)
    rule: str = _knob("srbp", "learning rule: bp, sbp, rbp, srbp, arbp, asrbp, drtp, top-only", group=CHANNEL)
    error_bits: int = _knob(4, "bits of an error code, 1-8; 0 sends whole words", group=CHANNEL)
    error_kind: str = _knob("log", "log or linear", group=CHANNEL)
    error_alpha: float = _knob(0.0, "largest magnitude of an error code", group=CHANNEL, show="the largest error")
    error_zero: str = _knob("silent", "silent, none or code: what becomes of errors too small", group=CHANNEL)
    error_base: str = _knob("2", "base of the log quantiser: 2**(2**-m) as a number, or auto", group=CHANNEL)
    error_thresholds: str = _knob("", "geometric, midpoint or floor", group=CHANNEL, show="by kind")
    place: tuple[str, ...] = _knob(
        ("source",), "where errors are quantised: source, received, local", group=CHANNEL, kind=str, many=True
    )
    feedback_density: float = _knob(
        -1.0, "share of connections in the feedback crossbar", group=CHANNEL, show="the rule's"
    )
    feedback_fan_in: int = _knob(
        -1, "exact connections of each receiver, instead of a density", group=CHANNEL, show="none"
    )
    feedback_values: str = _knob(
        "", "single-bit entries: 01 or +-1", group=CHANNEL, show="the rule's, with convolutions +-1"
    )
    feedback_bits: int = _knob(0, "bits of an entry of C", group=CHANNEL, show="the rule's")
    feedback_distribution: str = _knob("uniform", "of entries of several bits: uniform or normal", group=CHANNEL)
    feedback_scale: float = _knob(1.0, "their standard deviation over sqrt(2 / (senders + receivers))", group=CHANNEL)
    feedback_mean: float = _knob(0.0, "their mean, in standard deviations", group=CHANNEL)
    feedback_rank: int = _knob(0, "rank of C, of entries of several bits", group=CHANNEL, show="full")
    feedback_storage: str = _knob("bitmap", "bitmap, addresses or regenerated", group=CHANNEL)
    feedback_gain: tuple[int, ...] = _knob(
        (),
        "powers of two of the feedback into each hidden layer",
        group=CHANNEL,
        kind=int,
        many=True,
        show="by connections",
    )
    derivative: str = _knob("exact", "exact, shift, boxcar or none", group=CHANNEL)
    window: float = _knob(2.0, "half-width of the boxcar derivative", group=CHANNEL)
    update_bits: int = _knob(0, "bits of each sample's weight update, 1-8; 0: whole", group=CHANNEL, show="whole")
    update_alpha: float = _knob(2.0**-6, "largest magnitude of such an update", group=CHANNEL, show="2^-6")
    top: str = _knob("exact", "what the top layer learns from: exact or quantised", group=CHANNEL)
    weight_bits: int = _knob(8, "bits of a weight, 2-16", group=WORDS)
    weight_range: tuple[float, ...] = _knob(
        (0.5,), "largest weight, a power of two; one for all layers or one each", group=WORDS, kind=float, many=True
    )
    weight_rounding: str = _knob("stochastic", "of updates: stochastic, nearest, floor, zero", group=WORDS)
    activation_bits: int = _knob(8, "bits of an activation, 2-16", group=WORDS)
    input_bits: int = _knob(7, "bits of an input, 2-16", group=WORDS)
    received_bits: int = _knob(10, "bits of a received error, 2-16", group=WORDS)
    learning_rate: float = _knob(2.0**-6, "a power of two, as a number or as 2^-6", group=TRAINING)
    halve_every: int = _knob(2, "halve the learning rate after this many epochs; 0: never", group=TRAINING)
    halve_at: tuple[int, ...] = _knob(
        (), "halve it at the start of these epochs (from 0), instead", group=TRAINING, kind=int, many=True, show="none"
    )
    epochs: int = _knob(5, "passes over the training set", group=TRAINING)
    batch_size: int = _knob(1, "samples in a step; 1 is on-chip learning", group=TRAINING)
    blank_out: float = _knob(0.0, "probability that an event between layers is lost in training", group=TRAINING)
    input_blank_out: float = _knob(0.0, "the same for input events", group=TRAINING)
    train_samples: int = _knob(0, "use only the first so many; 0: all", group=TRAINING)
    test_samples: int = _knob(0, "use only the first so many; 0: all", group=TRAINING)
    execution: str = _knob("auto", "auto, event or blas; equal bits", group=TRAINING)
    strict: tuple[str, ...] = _knob(
        (),
        "kinds of loss that stop the run: weight, preactivation, update, error, received",
        group=TRAINING,
        kind=str,
        many=True,
        show="none",
    )
    seed: int = _knob(0, "of weights, crossbars, order and rounding", group=TRAINING)
    hardware: tuple[str, ...] = _knob(
        (), "hardware models to price", group=COSTS, kind=str, many=True, show="digital_45nm,digital_28nm"
    )

    def __post_init__(self) -> None:
        for knob in fields(self):
            object.__setattr__(self, knob.name, _converted(knob, getattr(self, knob.name)))
        for name in ("epochs", "halve_every", "train_samples", "test_samples", "seed"):
            _at_least(name, getattr(self, name), 0)
        _at_least("batch_size", self.batch_size, 1)
        for name in ("blank_out", "input_blank_out"):
            if not 0 <= getattr(self, name) <= 0.99:
                raise NeurosimError(f"{name}={getattr(self, name)!r}: must be a probability 0..0.99")
        for name in ("learning_rate", "weight_range"):
            for value in _several(getattr(self, name)):
                exponent_of(name, value)
        layers = len(self.conv) + len(self.hidden) + 1
        if len(self.weight_range) not in (1, layers):
            raise NeurosimError(f"weight_range={list(self.weight_range)}: must be 1 value or {layers}, one a layer")

    @property
    def rate(self) -> int:
        """K of the first learning rate 2**-k."""
        return -exponent_of("learning_rate", self.learning_rate)

    def rate_in(self, epoch: int) -> int:
        """K of the learning rate in an epoch."""
        if self.halve_at:
            return self.rate + sum(epoch >= at for at in self.halve_at)
        return self.rate + (epoch // self.halve_every if self.halve_every else 0)

    def replace(self, **changes: Any) -> Config:
        """A copy with some knobs changed. Raises NeurosimError for a name that does not exist."""
        check_names(changes, "")
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """All knobs, JSON-ready."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def to_toml(self) -> str:
        """A configuration file that makes this run again."""
        return "".join(f"{name} = {_toml(value)}\n" for name, value in self.to_dict().items())


def exponent_of(name: str, value: float) -> int:
    """E of a value 2**e."""
    mantissa, exponent = math.frexp(value) if value > 0 and math.isfinite(value) else (0.0, 0)
    if mantissa != 0.5:
        raise NeurosimError(f"{name}={value!r}: must be a power of two, like 0.015625 or 2^-6")
    return exponent - 1


def check_names(given: Iterable[str], where: str) -> None:
    """Refuse names that are no knobs, and say which one may be meant."""
    known = [knob.name for knob in fields(Config)]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"must be one of {', '.join(known)}"
            raise NeurosimError(f"{name}: no such setting; {hint}{where}")


def converted(name: str, value: Any) -> Any:
    """A value in the type of the knob of that name. Raises NeurosimError for another type and for a name that does not exist."""
    check_names([name], "")
    return _converted(next(knob for knob in fields(Config) if knob.name == name), value)


def read(path: str | Path) -> dict[str, Any]:
    """The settings of a TOML file. Raises NeurosimError that names the file."""
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NeurosimError(f"config={str(path)!r}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NeurosimError(f"config={str(path)!r}: not valid TOML: {error}") from None
    check_names(given, f" ({path})")
    return given


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise NeurosimError(f"{name}={value}: must be a whole number from {least} up")


def _converted(knob: Any, value: Any) -> Any:
    """A value in the type of its knob, from a flag's text, TOML or Python."""
    if knob.metadata["many"]:
        parts = value.split(",") if isinstance(value, str) else _several(value)
        return tuple(_one(knob, part) for part in parts if part != "")
    return _one(knob, value)


def _one(knob: Any, value: Any) -> Any:
    kind, name = knob.metadata["kind"], knob.name
    text = str(value).strip()
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if kind is int:
            if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
                raise ValueError
            return int(value)
        if kind is float:
            number = 2.0 ** int(text[2:]) if text.startswith("2^") else float(text)
            if not math.isfinite(number):
                raise ValueError
            return number
    except (ValueError, TypeError, KeyError, OverflowError):
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise NeurosimError(f"{name}={value!r}: must be {wanted}") from None
    return text


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
