"""From the knobs of a run to a network's description and its data."""

from __future__ import annotations

from typing import Any

from neurosim import data
from neurosim.chip.channel import Channel, rule
from neurosim.chip.layers import Dense, activation_word
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser, check, check_whole
from neurosim.studies.config import Config, exponent_of


def data_set(config: Config) -> data.DataSet:
    """The data of a run, cut to the samples asked for."""
    found = data.load(config.data)
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
    if config.feedback_values:
        changes["values"] = config.feedback_values
    if config.feedback_bits:
        changes["bits"] = config.feedback_bits
    feedback = preset.feedback.replace(storage=config.feedback_storage, **changes)
    return preset.replace(
        feedback=feedback,
        error=_quantiser(config),
        place=config.place,
        derivative=config.derivative,
        window=config.window,
        top=config.top,
        gain=_gain(config),
    )


def _gain(config: Config) -> int | tuple[int, ...] | None:
    if not config.feedback_gain:
        return None
    if len(config.feedback_gain) == 1:
        return config.feedback_gain[0]
    if len(config.feedback_gain) != len(config.hidden):
        raise NeurosimError(
            f"feedback_gain={list(config.feedback_gain)}: must be 1 value or {len(config.hidden)}, one a hidden layer"
        )
    return config.feedback_gain


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
        inputs=found.n_inputs,
        layers=_layers(config, found.n_classes),
        channel=channel(config),
        input=word,
        received=Fixed(config.received_bits, config.received_bits - 2),
        seed=config.seed,
    )


def _layers(config: Config, classes: int) -> tuple[Dense, ...]:
    sizes = [*config.hidden, classes]
    ranges = config.weight_range * len(sizes) if len(config.weight_range) == 1 else config.weight_range
    layers = []
    for i, n in enumerate(sizes):
        last = i == len(config.hidden)
        frac = config.weight_bits - 1 - exponent_of("weight_range", ranges[i])
        layers.append(
            Dense(
                n,
                config.output if last else config.activation,
                weight=Fixed(config.weight_bits, frac, rounding=config.weight_rounding),  # type: ignore[arg-type]
                output=None if last else activation_word(config.activation, config.activation_bits),
                accumulator=63,
                bias=config.bias,
                blank_out=round(256 * (config.blank_out if i else config.input_blank_out)),
                init_gain=config.init_gain,
            )
        )
    return tuple(layers)
