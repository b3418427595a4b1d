"""From the knobs of a run to a network's description and its data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurosim import data
from neurosim.chip.channel import Channel, rule
from neurosim.chip.layers import Conv2d, Dense, Layer, activation_word
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser, check, check_whole
from neurosim.studies.config import Config, exponent_of


def data_set(config: Config, found: data.DataSet | None = None) -> data.DataSet:
    """The data of a run, cut to the samples asked for; found: the whole set, where it has been loaded already."""
    found = found or data.load(config.data)
    return found.head(config.train_samples or None, config.test_samples or None)


def channel(config: Config) -> Channel:
    """The learning channel of a run: the rule's preset with the knobs that were turned."""
    preset = rule(config.rule)
    changes: dict[str, Any] = {}
    if config.feedback_density >= 0:
        changes["density"] = config.feedback_density
    elif config.feedback_density != -1.0:
        raise NeurosimError(f"feedback_density={config.feedback_density}: must be a number 0..1")
    if config.feedback_fan_in != -1:
        changes["fan_in"] = config.feedback_fan_in
    if config.feedback_values or config.conv:  # {0, 1} under shared weights: one sign at all places adds up
        changes["values"] = config.feedback_values or "+-1"
    if config.feedback_bits:
        changes["bits"] = config.feedback_bits
    if config.feedback_rank:
        changes["rank"] = config.feedback_rank
    feedback = preset.feedback.replace(
        storage=config.feedback_storage,
        distribution=config.feedback_distribution,
        scale=config.feedback_scale,
        mean=config.feedback_mean,
        **changes,
    )
    return preset.replace(
        feedback=feedback,
        error=_quantiser(config),
        place=config.place,
        derivative=config.derivative,
        window=config.window,
        top=config.top,
        update=_update(config),
        gain=_gain(config),
    )


_OF_CONVOLUTIONS = ("kernel", "padding", "pool", "pool_stride")


def _gain(config: Config) -> int | tuple[int, ...] | None:
    if not config.feedback_gain:
        return None
    if len(config.feedback_gain) == 1:
        return config.feedback_gain[0]
    hidden = len(config.conv) + len(config.hidden)
    if len(config.feedback_gain) != hidden:
        raise NeurosimError(
            f"feedback_gain={list(config.feedback_gain)}: must be 1 value or {hidden}, one a hidden layer"
        )
    return config.feedback_gain


def _update(config: Config) -> Quantiser | None:
    check_whole("update_bits", config.update_bits, 0, 8)
    return Quantiser(config.update_bits, alpha=config.update_alpha, zero="none") if config.update_bits else None


def _quantiser(config: Config) -> Quantiser | None:
    check_whole("error_bits", config.error_bits, 0, 8)
    if config.error_bits == 0:
        return None
    try:
        base: Any = "auto" if config.error_base == "auto" else float(config.error_base)
    except ValueError:
        raise NeurosimError(f"error_base={config.error_base!r}: must be a number 2**(2**-m), or auto") from None
    return Quantiser(
        config.error_bits,
        config.error_kind,  # type: ignore[arg-type]  # checked by Quantiser
        alpha=config.error_alpha or None,
        base=base,
        zero=config.error_zero,  # type: ignore[arg-type]
        thresholds=config.error_thresholds or None,  # type: ignore[arg-type]
    )


def network(config: Config, found: data.DataSet) -> NetworkSpec:
    """The network's description for a data set."""
    for name in ("weight_bits", "activation_bits", "input_bits", "received_bits"):
        check_whole(name, getattr(config, name), 2, 16)
    check("weight_rounding", config.weight_rounding, ("stochastic", "nearest", "floor", "zero"))
    real = found.full_scale is None and str(found.train_inputs.dtype).startswith("float")
    signed = real and (found.train_inputs.min() < 0 or found.train_inputs.max() > 1)
    bits = config.input_bits
    word = Fixed(bits + 1, bits - 2) if signed else Fixed(bits, bits, signed=False)
    return NetworkSpec(
        inputs=_map_of(config, found),
        layers=_layers(config, found.n_classes),
        channel=channel(config),
        input=word,
        received=Fixed(config.received_bits, config.received_bits - 2),
        seed=config.seed,
    )


def _layers(config: Config, classes: int) -> tuple[Layer, ...]:
    for name in _OF_CONVOLUTIONS if not config.conv else ():
        if getattr(config, name) != getattr(Config, name):
            raise NeurosimError(f"{name}={getattr(config, name)!r}: is of convolutions, and conv names none")
    sizes = [*config.conv, *config.hidden, classes]
    ranges = config.weight_range * len(sizes) if len(config.weight_range) == 1 else config.weight_range
    layers: list[Layer] = []
    for i, n in enumerate(sizes):
        last = i == len(sizes) - 1
        frac = config.weight_bits - 1 - exponent_of("weight_range", ranges[i])
        described: dict[str, Any] = {
            "activation": config.output if last else config.activation,
            "weight": Fixed(config.weight_bits, frac, rounding=config.weight_rounding),  # type: ignore[arg-type]
            "output": None if last else activation_word(config.activation, config.activation_bits),
            "accumulator": 63,
            "bias": config.bias,
            "blank_out": round(256 * (config.blank_out if i else config.input_blank_out)),
            "initial": config.initial,
            "init_gain": config.init_gain,
        }
        layers.append(Dense(n, **described) if i >= len(config.conv) else _convolution(config, n, described))
    return tuple(layers)


def _convolution(config: Config, channels: int, described: dict[str, Any]) -> Conv2d:
    check("padding", config.padding, ("same", "valid"))
    return Conv2d(
        channels,
        config.kernel,
        pool=config.pool or None,
        pool_stride=config.pool_stride or None,
        padding=config.padding,  # type: ignore[arg-type]
        **described,
    )


def inputs(config: Config, raw: NDArray[Any]) -> NDArray[Any]:
    """Raw inputs as the network takes them: images channels last where it has convolutions."""
    return np.moveaxis(raw, 1, -1) if config.conv else raw


def _map_of(config: Config, found: data.DataSet) -> int | tuple[int, int, int]:
    if not config.conv:
        return found.n_inputs
    if len(found.shape) != 3:
        raise NeurosimError(
            f"conv={list(config.conv)}: {found.name} has samples of shape {list(found.shape)}, and convolutions need images"
        )
    channels, height, width = found.shape
    return height, width, channels
