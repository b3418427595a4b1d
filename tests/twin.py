"""Random networks, and the comparison of the engine with its slow twin on every bit and counter."""

import numpy as np

from neurosim.chip.channel import RULES, Channel
from neurosim.chip.crossbar import FeedbackCrossbar
from neurosim.chip.layers import HIDDEN, OUTPUT, Conv2d, Dense
from neurosim.chip.network import Network
from neurosim.chip.spec import NetworkSpec
from neurosim.errors import NeurosimError
from neurosim.formats import Fixed, Quantiser
from tests.naive import LOSSES, TALLIES
from tests.naive_conv import NaiveConvNetwork

ROUND = ("nearest", "nearest", "floor", "zero")


def word_dict(word):
    return {"bits": word.bits, "frac": word.frac, "signed": word.signed, "rounding": word.rounding, "range": word.range}


def quantiser_dict(q):
    if q is None:
        return None
    return {
        "kind": q.kind,
        "bits": q.bits,
        "alpha": q.alpha,
        "m": "auto" if q.base == "auto" else q.base_exponent,
        "zero": q.zero,
        "thresholds": q.thresholds,
    }


def map_dict(spec, i):
    if i >= spec.convolutions:
        return None
    layer = spec.layers[i]
    names = ("channels", "kernel", "stride", "pool", "pool_stride", "padding")
    return {"inputs": spec.geometry(i).inputs, **{name: getattr(layer, name) for name in names}}


def describe(spec, channel, rate):
    """The twin's plain description. channel: as it was before the engine filled anything in."""
    return {
        "seed": spec.seed,
        "learning_shift": rate,
        "received": word_dict(spec.received),
        "layers": [
            {
                "n_in": spec.n_in(i),
                "n_out": spec.n_out(i),
                "map": map_dict(spec, i),
                "bias": layer.bias,
                "activation": layer.activation,
                "weight": word_dict(layer.weight),
                "presynaptic": word_dict(spec.presynaptic(i)),
                "address": word_dict(layer.address),
                "output": word_dict(layer.output),
                "frozen": layer.frozen,
                "blank_out": layer.blank_out,
                "init_gain": layer.init_gain,
            }
            for i, layer in enumerate(spec.layers)
        ],
        "channel": {
            "route": channel.route,
            "matrix": channel.matrix,
            "adaptive": channel.adaptive,
            "bits": channel.feedback.bits,
            "values": channel.feedback.values,
            "density": channel.feedback.density,
            "fan_in": channel.feedback.fan_in,
            "word": word_dict(channel.feedback.word),
            "gain": channel.gain,
            "place": list(channel.place),
            "error": quantiser_dict(channel.error),
            "received_quantiser": quantiser_dict(channel.received_error),
            "local_quantiser": quantiser_dict(channel.local_error),
            "update_quantiser": quantiser_dict(channel.update),
            "derivative": channel.derivative,
            "window": channel.window,
            "top": channel.top,
            "dropout": channel.dropout,
            "upper_derivatives": channel.upper_derivatives,
            "redraw": channel.feedback.redraw,
        },
    }


def a_word(r, low, high, *, signed=None, roundings=ROUND):
    bits = r.randint(low, high)
    return Fixed(
        bits,
        r.randint(bits - 4, bits + 2),
        signed=r.random() < 0.7 if signed is None else signed,
        rounding=r.choice(roundings),
        range=r.choice(("symmetric", "symmetric", "full")),
    )


def a_quantiser(r, alphas=(None,), bases=(2.0, 2.0, 2**0.5, 2**0.25, "auto")):
    kind = r.choice(("log", "log", "linear"))
    bits = r.randint(1, 6) if r.random() < 0.9 else r.randint(7, 8)
    return Quantiser(
        bits,
        kind,
        alpha=r.choice(alphas),
        base=r.choice(bases) if kind == "log" else 2.0,
        zero=r.choice(("silent", "none", "code")) if bits > 1 else r.choice(("silent", "none")),
        thresholds=r.choice(("geometric", "midpoint", "floor")) if kind == "log" else None,
    )


def a_channel(r, hidden, rule=None):
    channel = RULES[rule or r.choice(list(RULES))]
    feedback = channel.feedback
    if channel.matrix == "random":
        bits = r.choice((8, 8, 4, 12)) if channel.adaptive else r.choice((1, 1, 1, 3, 8, 12))
        values = "+-1" if channel.route == "target" else r.choice(("01", "+-1"))
        if channel.adaptive:
            feedback = FeedbackCrossbar(bits, density=1.0)
        elif r.random() < 0.3:
            feedback = FeedbackCrossbar(bits, values, fan_in=r.randint(0, 2))
        else:
            feedback = FeedbackCrossbar(bits, values, density=r.choice((0.0, 0.25, 0.5, 1.0)))
        if not channel.adaptive and feedback.fan_in is None and r.random() < 0.25:
            feedback = feedback.replace(redraw=True)
    elif channel.matrix == "transpose" and r.random() < 0.35:
        channel = channel.replace(matrix="sign")
    place = tuple(p for p, chance in (("source", 0.8), ("received", 0.25), ("local", 0.25)) if r.random() < chance)
    gain = r.choice((None, None, r.randint(-3, 3), tuple(r.randint(-3, 2) for _ in range(max(1, hidden)))))
    return channel.replace(
        feedback=feedback,
        error=a_quantiser(r, (None, None, 0.5)),
        place=place,
        received_error=a_quantiser(r, (2.0**-3, 0.4)),
        local_error=a_quantiser(r, (2.0**-3, 0.3)),
        derivative=r.choice(("exact", "exact", "shift", "boxcar", "none")),
        window=r.choice((2.0, 0.7)),
        top=r.choice(("exact", "exact", "quantised")) if channel.route != "target" else "exact",
        dropout=r.choice((0.0, 0.0, 0.0, 0.0, 0.1, 0.5, 1 - 2.0**-20, 2.0**-20)),
        upper_derivatives=r.random() < 0.75,
        update=a_quantiser(r, (None, 2.0**-4), (2.0, 2**0.5, 2**0.25)) if r.random() < 0.15 else None,
        gain=gain,
    )


def a_convolution(r):
    pool = r.choice((None, None, 1, 2, 2, 3, 3))
    dense = a_layer(r, r.choice((1, 2, 3, 3, 4, 4, 5, 5, r.randint(31, 40), r.randint(64, 70))), HIDDEN)
    same = ("activation", "weight", "output", "address", "accumulator", "bias", "frozen", "init_gain")
    return Conv2d(
        dense.n,
        r.choice((1, 2, 3, 3, 4, 5)),
        pool=pool,
        pool_stride=r.choice((None, 1, 2)) if pool else None,
        padding=r.choice(("same", "same", "valid")),
        stride=r.choice((1, 1, 1, 2, 3)),
        **{name: getattr(dense, name) for name in same},
    )


def a_layer(r, n, activations):
    roundings = ("stochastic",) * 3 + ROUND
    weight = a_word(r, *r.choice(((2, 8),) * 8 + ((8, 12), (9, 16))), signed=True, roundings=roundings)
    bias, frozen = r.random() < 0.7, r.random() < 0.08
    if r.random() < 0.04:
        weight, bias, frozen = Fixed(1, r.randint(-1, 3)), False, True
    activation = r.choice(activations)
    own_output = None
    if r.random() < 0.4 and activation != "softmax":
        own_output = a_word(r, 2, 10)
    return Dense(
        n,
        activation,
        weight=weight,
        output=own_output,
        address=a_word(r, 4, 10, signed=True) if r.random() < 0.5 else None,
        accumulator=63,
        bias=bias,
        frozen=frozen,
        blank_out=r.choice((0, 0, 0, 60)),
        init_gain=r.choice((1.0, 1.0, 3.0)),
    )


def a_case(r, rule=None, maps=None):
    """(spec, channel, rate, batch size, codes, labels): everything of one comparison. NeurosimError where refused.

    maps: how many convolutions, None for any number.
    """
    if maps is None:
        maps = r.choice((0, 0, 0, 1, 2, 3)) if rule != "sbp" else 0
    if maps:
        return a_case_of_maps(r, maps, rule)
    hidden = r.randint(0, 3)
    sizes = [r.randint(1, 9) if r.random() < 0.9 else r.randint(33, 40) for _ in range(hidden)]
    layers = [a_layer(r, n, HIDDEN) for n in sizes] + [a_layer(r, r.randint(2, 5), OUTPUT)]
    channel = a_channel(r, hidden, rule)
    spec = NetworkSpec(
        inputs=r.randint(1, 12),
        layers=tuple(layers),
        channel=channel,
        **words_and_seed(r),
    )
    return with_samples(r, spec, channel, r.randint(1, 9))


def a_case_of_maps(r, maps, rule=None):
    """The same with convolutions."""
    dense = r.choice((0, 0, 1))
    inputs = (r.randint(1, 6), r.randint(1, 6), r.randint(1, 3))
    layers, arriving = [], inputs
    for _ in range(maps):
        layer = a_convolution(r)
        if min(arriving[:2]) < layer.kernel + (layer.pool or 0) * layer.stride:
            layer = layer.replace(padding="same")
        layers.append(layer)
        arriving = (*layer.geometry(arriving).out, layer.channels)
    layers += [a_layer(r, r.randint(1, 9), HIDDEN) for _ in range(dense)] + [a_layer(r, r.randint(2, 5), OUTPUT)]
    channel = a_channel(r, maps + dense, rule or r.choice(("bp", "rbp", "srbp", "asrbp", "drtp", "top-only", "arbp")))
    if maps > 1 and channel.route == "layered" and channel.feedback.fan_in is not None:
        channel = channel.replace(feedback=channel.feedback.replace(fan_in=None, density=0.5))
    channel = channel.replace(update=None)
    spec = NetworkSpec(inputs=inputs, layers=tuple(layers), channel=channel, **words_and_seed(r))
    return with_samples(r, spec, channel, r.randint(1, 4))


def words_and_seed(r):
    return {
        "input": a_word(r, 2, 9),
        "received": Fixed(
            r.randint(6, 14), r.randint(3, 9), rounding=r.choice(ROUND), range=r.choice(("symmetric", "full"))
        ),
        "seed": r.randint(0, 2**40),
    }


def with_samples(r, spec, channel, n):
    density = r.choice((0.3, 1.0))
    word = spec.input
    codes = [
        [r.randint(word.low, word.high) if r.random() < density else 0 for _ in range(spec.n_inputs)] for _ in range(n)
    ]
    top, word = spec.layers[-1].n, spec.output(spec.last)
    if r.random() < 0.2 and channel.route != "target":
        labels = [[r.randint(word.low, word.high) for _ in range(top)] for _ in range(n)]
    else:
        labels = [r.randrange(top) for _ in range(n)]
    return (
        spec,
        channel,
        r.randint(-6, 14) if r.random() < 0.85 else r.randint(-8, 34),
        r.choice((1, 1, 2, 3, 5)),
        codes,
        labels,
    )


def compare(case, execution="auto"):
    """Run both; return how many integers were compared. AssertionError with the first difference."""
    spec, channel, rate, batch, rows, labels = case
    engine, naive = Network(spec), NaiveConvNetwork(describe(spec, channel, rate))
    codes = np.array(rows, np.uint8 if not spec.input.signed and spec.input.bits <= 8 else np.int16)
    seen = Seen()
    seen.weights(engine, naive, "at birth")
    right = engine.train(codes, np.array(labels, np.int64), rate=rate, batch_size=batch, execution=execution)
    expected = sum(naive.train_step(rows[i : i + batch], labels[i : i + batch]) for i in range(0, len(rows), batch))
    seen.equal("correct", right, expected)
    seen.weights(engine, naive, "after training")
    seen.tallies(engine.tallies("train"), naive.tally, "train")
    health = engine.health()
    for name in LOSSES:
        for h, losses in enumerate(naive.health):
            seen.equal(f"health {name} of layer {h}", health[name][h], losses[name])
    seen.equal("predictions", engine.predict(codes, execution=execution).tolist(), naive.evaluate(rows))
    seen.tallies(engine.tallies("test"), naive.test_tally, "test")
    return seen.n


class Seen:
    """Counts what was found equal."""

    def __init__(self):
        self.n = 0

    def equal(self, what, got, expected):
        assert got == expected, f"{what}: the engine has {got}, the reference {expected}"
        self.n += len(expected) if isinstance(expected, list) else 1

    def weights(self, engine, naive, when):
        for h in range(len(naive.layers)):
            for i, row in enumerate(naive.weights[h]):
                self.equal(f"weights {when}, layer {h}, row {i}", engine.weights(h)[i].tolist(), row)
            if naive.feedback[h] is not None:
                for i, row in enumerate(naive.feedback[h]):
                    self.equal(f"C {when}, layer {h}, row {i}", engine.feedback(h)[i].tolist(), row)

    def tallies(self, got, expected, which):
        for h, one in enumerate(expected):
            for name in TALLIES:
                self.equal(f"{which} {name} of layer {h}", got.counts[h][name], one[name])
            self.equal(f"{which} events of layer {h}", got.events[h].tolist(), one["events"])
            self.equal(f"{which} codes of layer {h}", got.codes[h].tolist(), one["codes"])


__all__ = ["Channel", "NeurosimError", "a_case", "compare"]
