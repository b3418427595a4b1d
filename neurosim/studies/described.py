"""The set-up of a study in words, read off the settings of its cells: a page says what was run, not what was meant to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import Conv2d
from neurosim.chip.spec import NetworkSpec
from neurosim.floats.training import Training

_OUTPUTS = {"softmax-e": "softmax", "softmax": "softmax of base 2"}
_OPTIMISERS = {"sgd": "gradient steps", "rmsprop": "RMSprop", "adam": "Adam"}
_MOST = 4
"""Different values of one thing that are listed; of more the rows of the table tell."""


def set_up(settings: Sequence[Any]) -> str:
    """One paragraph; empty where not all are float settings that start from real numbers: the others say theirs in notes."""
    for one in settings:
        plain = isinstance(getattr(one, "network", None), NetworkSpec) and isinstance(one.training, Training)
        if not plain or one.engine != "float" or one.start != "real":
            return ""
    if not settings:
        return ""
    nets, protocols = [one.network for one in settings], [one.training for one in settings]
    said = [
        _values(settings, lambda one: f"{one.data}{_of(one)}"),
        _values(nets, _sizes),
        _values(nets, lambda net: net.layers[0].activation) + " units",
        _values(nets, _output) + " outputs",
        _values(nets, _start),
        "C " + _crossbars(nets),
        _values(
            protocols,
            lambda t: f"{_OPTIMISERS[t.optimiser]}, batches of {t.batch_size}, the {'mean' if t.mean else 'sum'}",
        ),
        _values(protocols, _rate),
        *(_values(protocols, extra) for extra in (_momentum, _augmentation)),
        _values(protocols, lambda t: f"{t.epochs} epochs"),
    ]
    return "Set-up: " + "; ".join(text for text in said if text and text != "C ") + "."


def _values(ones: Iterable[Any], told: Callable[[Any], str]) -> str:
    """What is told of all of them, the most frequent first."""
    found = [text for text, _ in Counter(map(told, ones)).most_common() if text]
    return " or ".join(found) if len(found) <= _MOST else f"{found[0]}, where a row does not say otherwise"


def _of(setting: Any) -> str:
    return f", the first {setting.train_samples:,} samples" if setting.train_samples else ""


def _sizes(net: NetworkSpec) -> str:
    """784-4x100-10, convolutions as they are."""
    maps = [f"conv {at.kernel}x{at.kernel}x{at.channels}" + _pooled(at) for at in net.layers if isinstance(at, Conv2d)]
    sizes = [*maps, *(str(layer.n) for layer in net.layers if not isinstance(layer, Conv2d))]
    together = [(text, len(list(same))) for text, same in groupby(sizes)]
    inputs = "x".join(map(str, net.inputs)) if isinstance(net.inputs, tuple) else str(net.inputs)
    times = [f"{n}x[{text}]" if " " in text else f"{n}x{text}" if n > 1 else text for text, n in together]
    return "-".join([inputs, *times])


def _pooled(layer: Conv2d) -> str:
    return f", max-pool {layer.pool}/{layer.pool_stride or layer.pool}" if layer.pool else ""


def _output(net: NetworkSpec) -> str:
    kind = net.layers[-1].activation
    return _OUTPUTS.get(kind, kind)


def _start(net: NetworkSpec) -> str:
    first = net.layers[0]
    kind = f"{first.initial} weights"
    if any(layer.init_gain != 1 for layer in net.layers):
        gains = {f"{layer.init_gain:.3g}" for layer in net.layers}
        times = f"{gains.pop()} times Glorot's spread" if len(gains) == 1 else "a spread of their own"
        kind = "weights from zero" if times.startswith("0 ") else f"{kind} of {times}"
    else:
        kind += " of Glorot's spread"
    return kind + (" and biases" if first.bias else ", no biases")


def _crossbars(nets: Sequence[NetworkSpec]) -> str:
    """The random C of most cells that have one."""
    drawn = [net.channel.feedback for net in nets if net.channel.matrix == "random" and net.channel.route != "none"]
    if not drawn:
        return ""
    told = [text for text, _ in Counter(map(_crossbar, drawn)).most_common()]
    return told[0] + (", where a row does not say otherwise" if len(told) > 1 else "")


def _crossbar(c: FeedbackCrossbar) -> str:
    reach = f"{c.fan_in} senders a neuron" if c.fan_in is not None else "dense" if c.density == 1 else "sparse"
    if c.bits == 1:
        return f"{reach}, entries of {c.values}" + (f" times {c.scale:.3g}" if c.scale != 1 else "")
    spread = f"standard deviation {c.spread:.3g}" if c.spread is not None else "Glorot's spread"
    times = f" times {c.scale:g}" if c.scale != 1 and c.spread is None else ""
    return f"{reach}, {c.distribution}, {spread}{times}"


def _rate(t: Training) -> str:
    halved = f", halved every {t.halve_every} epochs" if t.halve_every else ""
    decay = f"{t.decay:g}".replace("e-0", "e-")
    return f"eta {t.rate:g}" + (f" / (1 + {decay} t) at step t" if t.decay else "") + halved


def _momentum(t: Training) -> str:
    kept = [f"{'Nesterov ' if t.nesterov else ''}momentum {t.momentum:g}"] if t.momentum else []
    kept += [f"weight decay {t.weight_decay:g}"] if t.weight_decay else []
    return ", ".join([*kept, *([f"epsilon {t.epsilon:g}"] if t.epsilon != Training.epsilon else [])])


def _augmentation(t: Training) -> str:
    done = [f"images moved by up to {100 * t.shift:g} % each way"] if t.shift else []
    done += ["mirrored every other time"] if t.flip else []
    return ", ".join([*done, *(["each sample standardised"] if t.standardise else [])])
