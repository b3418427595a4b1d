"""The slow twin against closed forms, brute force and hand-worked numbers (sections are those of docs/substrate.md)."""

import copy
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise, product

import pytest

from tests.naive import NaiveNetwork
from tests.naive_tables import (
    Quantiser,
    derivative,
    encode,
    fold,
    highest,
    key,
    lowest,
    mix,
    round_by,
    sat,
    softmax,
    uniform,
)


def word(bits, frac, *, signed=True, rounding="nearest", span="symmetric"):
    return {"bits": bits, "frac": frac, "signed": signed, "rounding": rounding, "range": span}


def quantiser(bits=4, kind="log", *, alpha=None, m=0, zero="silent", thresholds="geometric"):
    return {"kind": kind, "bits": bits, "alpha": alpha, "m": m, "zero": zero, "thresholds": thresholds}


# ---------------------------------------------------------------- 1. words


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [
        (word(8, 7), -127, 127),
        (word(8, 7, span="full"), -128, 127),
        (word(8, 7, signed=False), 0, 255),
        (word(1, 0), -1, 1),
        (word(2, 5), -1, 1),
    ],
)
def test_ranges(given, low, high):
    assert (lowest(given), highest(given)) == (low, high)
    assert [sat(given, x) for x in (low - 1, low, high, high + 1)] == [low, low, high, high]


def test_rounding_by_brute_force():
    for x, s in product(range(-100, 101), range(1, 6)):
        real = Fraction(x, 2**s)
        below = x // 2**s
        assert round_by(x, s, "floor") == max(n for n in range(-101, 101) if n <= real)
        assert round_by(x, s, "zero") == (below if x >= 0 else math.ceil(real))
        nearest = round_by(x, s, "nearest")
        assert abs(nearest - real) <= Fraction(1, 2)
        assert abs(nearest - real) < Fraction(1, 2) or nearest % 2 == 0


def test_stochastic_rounding_has_no_bias():
    for x, s in product(range(-40, 41), range(1, 6)):
        drawn = [round_by(x, s, "stochastic", u) for u in range(2**s)]
        assert sum(drawn) == x
        assert set(drawn) <= {x // 2**s, -(-x // 2**s)}


@pytest.mark.parametrize("rounding", ["floor", "nearest", "zero", "stochastic"])
def test_shifts_to_the_left_are_exact(rounding):
    assert [round_by(-3, -s, rounding) for s in range(4)] == [-3, -6, -12, -24]


def test_encoding_ties_to_even_and_clips():
    assert [encode(word(8, 1), x / 4) for x in (-3, -2, -1, 1, 2, 3, 5, 7)] == [-2, -1, 0, 0, 1, 2, 2, 4]
    assert encode(word(8, 7), 1.0) == 127
    assert encode(word(4, -2), 30) == 7
    assert encode(word(4, -2), 10) == 2


# ---------------------------------------------------------------- 2. softmax, 3. tables


@pytest.mark.parametrize("frac", [-1, 0, 3, 7])
def test_softmax_never_exceeds_one(frac):
    address = word(10, frac)
    for n in range(60):
        codes = [fold(n, j) % 1023 - 511 for j in range(2 + n % 6)]
        codes[-1] = codes[0]
        out = softmax(address, codes, 8)
        assert sum(out) <= 256
        assert all(0 <= o <= 255 for o in out)
        assert out[-1] == out[0]
        assert max(out) == out[codes.index(max(codes))]


def test_softmax_halves_with_every_octave():
    assert softmax(word(10, 2), [8, 8], 16) == [2**15, 2**15]
    # 4/7, 2/7 and 1/7 of 2**16, rounded down
    assert softmax(word(10, 2), [8, 4, 0], 16) == [37449, 18724, 9362]
    assert softmax(word(12, 2), [200, 0], 16) == [65535, 0]


def test_softmax_table_to_forty_digits():
    frac = 5
    with localcontext() as context:
        context.prec = 40
        for d in range(2**frac):
            real = Decimal(2) ** 16 * Decimal(2) ** (-Decimal(d) / 2**frac)
            e = int(real.to_integral_value())
            other = 65536 * 2**16 // (65536 + e)
            assert softmax(word(10, frac), [d, 0], 16) == [min(other, 65535), e * 2**16 // (65536 + e)]


def test_derivatives_by_hand():
    assert [derivative("exact", "tanh", 2, x) for x in (0, 0.5, -0.5, 3)] == [128, 101, 101, 1]
    assert [derivative("exact", "logistic", 2, x) for x in (0, 1, 20, -800)] == [32, 25, 0, 0]
    assert [derivative("exact", "relu", 2, x) for x in (-1, 0, 0.1)] == [0, 0, 128]
    assert [derivative("exact", "hard-tanh", 2, x) for x in (-1, -0.9, 1)] == [0, 128, 0]
    assert [derivative("boxcar", "tanh", 2, x) for x in (-2, -1.9, 1.9, 2)] == [0, 128, 128, 0]
    assert [derivative("boxcar", "relu", 2, x) for x in (-1, 0, 1, 2)] == [0, 0, 128, 0]
    assert derivative("none", "tanh", 2, 100) == 128
    # tanh' = 0.786 -> 2**0, 0.42 -> 2**-1, 0.0099 -> 2**-7, 0.0049 lies below 2**-7.5
    assert [derivative("shift", "tanh", 2, x) for x in (0.5, 1, 3, 3.5)] == [128, 64, 1, 0]


# ---------------------------------------------------------------- 3. quantisers


FORMS = [
    quantiser(bits, kind, m=m, zero=zero, thresholds=thresholds)
    for bits, (kind, thresholds), zero, m in product(
        (1, 2, 4),
        (("log", "geometric"), ("log", "midpoint"), ("log", "floor"), ("linear", "midpoint")),
        ("silent", "none", "code"),
        (0, 1, 2),
    )
    if not (zero == "code" and bits == 1) and not (kind == "linear" and m)
]


def magnitudes(q, alpha):
    """n + 1 magnitudes by the table of section 3; the last is the one below."""
    n = 2 ** (q["bits"] - 1) - (q["zero"] == "code")
    if q["kind"] == "linear" and q["zero"] == "code":
        return [alpha * (n - k) / n for k in range(n)] + [Decimal(0)]
    if q["kind"] == "linear":
        return [alpha * (2 * (n - 1 - k) + 1) / (2 * n - 1) for k in range(n)] + [Decimal(0)]
    root = Decimal(2)
    for _ in range(q["m"]):
        root = root.sqrt()
    return [alpha / 2 ** (k // 2 ** q["m"]) / root ** (k % 2 ** q["m"]) for k in range(n + 1)]


@pytest.mark.parametrize("q", FORMS, ids=lambda q: "-".join(map(str, q.values())))
@pytest.mark.parametrize(("alpha", "frac"), [(1.0, 10), (0.1, 12), (0.999, 3)])
def test_quantisers_against_forty_digits(q, alpha, frac):
    one = Quantiser(q, alpha, frac)
    with localcontext() as context:
        context.prec = 60
        m = magnitudes(q, Decimal(alpha))
        decoded = one.decoded(frac)
        assert len(decoded) == len(m) - 1
        for k in range(len(decoded)):
            assert decoded[k] == int((m[k] * 2**frac).to_integral_value())
            real = {"geometric": (m[k] * m[k + 1]).sqrt(), "midpoint": (m[k] + m[k + 1]) / 2, "floor": m[k]}
            # Ten digits are left for the roots' errors; no irrational threshold lies that close to an integer here.
            scaled = (real[q["thresholds"]] * 2**frac).quantize(Decimal(10) ** -50)
            t = max(1, math.ceil(scaled))
            if q["zero"] == "none" and k == len(decoded) - 1:
                t = 1
            assert one.level(t, frac) is not None
            assert one.level(t, frac) <= k
            assert one.level(-t, frac) == one.level(t, frac)
            assert t == 1 or one.level(t - 1, frac) is None or one.level(t - 1, frac) > k


@pytest.mark.parametrize("q", FORMS, ids=lambda q: "-".join(map(str, q.values())))
def test_quantisers_have_their_number_of_values(q):
    one = Quantiser(q, 1, 12)
    decoded = one.decoded(12)
    levels = [one.level(x, 12) for x in (*range(1, 100), *range(100, 5000, 67))]
    values = set(decoded) | {-d for d in decoded} | ({0} if q["zero"] == "code" else set())
    assert len(values) == 2 ** q["bits"] - (q["zero"] == "code")
    assert (None in levels) == (q["zero"] != "none")
    assert {k for k in levels if k is not None} == set(range(len(decoded)))


def test_saturation_is_beyond_alpha():
    one = Quantiser(quantiser(alpha=0.25), 1, 8)
    assert [one.saturates(x, 8) for x in (64, -64, 65, -65)] == [False, False, True, True]


def test_automatic_base_keeps_all_magnitudes_apart():
    # 4 magnitudes from 2**8: base 2. 16 from 2**8: base 2 ends below 1, its root at 2**0.5. 8 from 2**3: m = 0 ... 3
    # leave 4, 6, 7 and 5 different ones.
    for bits, frac, m in ((3, 8, 0), (5, 8, 1), (4, 3, 2)):
        auto, chosen = (Quantiser(quantiser(bits, m=given), 1, frac) for given in ("auto", m))
        assert auto.decoded(frac) == chosen.decoded(frac)


# ---------------------------------------------------------------- 6. randomness


def test_mixer_is_splitmix64():
    # The published generator with state 0 gives mix of the multiples of the golden constant.
    assert mix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    assert fold(0, 0) == 0xE220A8397B1DCDAF
    assert key(3, 4, 5, 6) == fold(fold(fold(fold(0, 3), 4), 5), 6)


def test_random_bits_are_exactly_uniform():
    counts = [0] * 8
    for r in range(65536):
        counts[uniform(r | 7 << 32, 5, 3)] += 1
    assert counts == [8192] * 8


def test_random_bits_are_the_top_of_start_plus_step_times_column():
    word_, column = 0x0123456789ABCDEF, 9
    assert uniform(word_, column, 16) == (0xCDEF + 0x4567 * 9) % 2**16
    assert uniform(word_, column, 10) == ((0xCDEF + 0x4567 * 9) % 2**16) >> 6
    assert uniform(word_, column, 20) == ((0x89ABCDEF + 0x01234567 * 9) % 2**32) >> 12
    assert uniform(word_, column, 62) == ((word_ + mix(word_) * 9) % 2**64) >> 2
    assert uniform(word_, column, 0) == uniform(word_, column, -4) == 0


# ---------------------------------------------------------------- networks


INPUT, ADDRESS, WIDE = word(7, 7, signed=False), word(10, 7), word(12, 7)


def layers(*sizes, rounding="stochastic", blank_out=0, bias=True, output="softmax"):
    made = []
    top = word(16, 16, signed=False) if output == "softmax" else word(16, 15)
    for n_in, n_out in pairwise(sizes):
        last = len(made) == len(sizes) - 2
        made.append(
            {
                "n_in": n_in,
                "n_out": n_out,
                "bias": bias,
                "activation": output if last else "tanh",
                "weight": word(8, 8, rounding=rounding),
                "presynaptic": made[-1]["output"] if made else INPUT,
                "address": WIDE if last else ADDRESS,
                "output": top if last else word(8, 7),
                "frozen": False,
                "blank_out": blank_out,
                "init_gain": 1.0,
            }
        )
    return made


def network(*sizes, shift=3, route="skip", matrix="random", change=None, **of_layers):
    spec = {
        "seed": 3,
        "learning_shift": shift,
        "received": word(10, 8),
        "layers": layers(*sizes, **of_layers),
        "channel": {
            "route": route,
            "matrix": matrix,
            "adaptive": False,
            "bits": 1,
            "values": "01",
            "density": 1.0,
            "fan_in": None,
            "word": word(1, 0),
            "gain": None,
            "place": ["source"],
            "error": quantiser(),
            "received_quantiser": quantiser(),
            "local_quantiser": quantiser(),
            "update_quantiser": None,
            "derivative": "exact",
            "window": 2.0,
            "top": "exact",
            "dropout": 0.0,
            "upper_derivatives": True,
            "redraw": False,
        },
    }
    for name, value in (change or {}).items():
        spec["channel"][name] = value
    return NaiveNetwork(spec)


def data(n, width, classes, seed=1):
    """Codes 1 ... 127, never 0, and labels."""
    return [[fold(seed + b, i) % 127 + 1 for i in range(width)] for b in range(n)], [b % classes for b in range(n)]


def trained(net, batch=2, n=8):
    rows, labels = data(n, net.layers[0]["n_in"], net.layers[-1]["n_out"])
    for i in range(0, n, batch):
        net.train_step(rows[i : i + batch], labels[i : i + batch])
    return net


def codes_of(weights):
    return [c for matrix in weights for row in matrix for c in row]


def changed(before, after):
    return sum(a != b for a, b in zip(codes_of(before), codes_of(after), strict=True))


def test_first_weights_are_within_reach_and_use_all_of_it():
    net = network(30, 20, 4)
    for w, n_in, n_out in zip(net.weights, (30, 20), (20, 4), strict=True):
        reach = min(127, round(math.sqrt(6 / (n_in + n_out)) * 256))
        assert len(w) == n_in + 1
        assert w[-1] == [0] * n_out
        codes = [c for row in w[:-1] for c in row]
        assert -reach <= min(codes) < -0.9 * reach
        assert 0.9 * reach < max(codes) <= reach


@pytest.mark.parametrize("values", ["01", "+-1"])
def test_fan_in_is_exact_and_density_near(values):
    exact = network(3, 40, 7, change={"fan_in": 3, "values": values}).feedback[0]
    assert [sum(row[i] != 0 for row in exact) for i in range(40)] == [3] * 40
    half = network(3, 40, 7, change={"density": 0.5, "values": values}).feedback[0]
    assert 100 < sum(c != 0 for row in half for c in row) < 180
    assert {c for row in exact + half for c in row} == ({0, 1} if values == "01" else {-1, 0, 1})


def test_with_one_hidden_layer_layered_is_skip():
    rbp, srbp = (trained(network(5, 6, 3, route=route)) for route in ("layered", "skip"))
    assert rbp.weights == srbp.weights
    assert rbp.tally == srbp.tally
    assert rbp.health == srbp.health
    assert changed(rbp.weights, network(5, 6, 3).weights) > 40


def test_with_one_hidden_layer_the_product_is_the_transpose():
    bp, sbp = (trained(network(5, 6, 3, matrix=m)) for m in ("transpose", "product"))
    assert bp.weights == sbp.weights
    assert bp.tally == sbp.tally


def test_with_two_hidden_layers_the_routes_differ():
    rbp, srbp = (trained(network(5, 6, 6, 3, route=route)) for route in ("layered", "skip"))
    assert rbp.weights != srbp.weights
    assert sum(rbp.tally[1]["codes"]) > 0
    assert sum(srbp.tally[1]["codes"]) == 0


def test_a_gain_is_a_power_of_two_on_what_arrives():
    nets = [
        trained(network(5, 6, 3, change={"gain": g, "error": quantiser(1, alpha=2**-6)}), n=1, batch=1) for g in (0, 2)
    ]
    assert nets[0].feedback == nets[1].feedback
    assert nets[0].tally[0]["received"] == nets[1].tally[0]["received"] == 6
    assert nets[0].weights[0] != nets[1].weights[0]


def test_no_blank_out_is_no_blank_out():
    none, some, most = (trained(network(5, 6, 3, blank_out=p)) for p in (0, 40, 255))
    assert [sum(net.tally[0]["events"][:-1]) for net in (none, most)] == [8 * 5, 0]
    assert 20 < sum(some.tally[0]["events"][:-1]) < 40
    assert all(net.tally[0]["events"][-1] == 8 for net in (none, some, most))
    rows, _ = data(8, 5, 3)
    some.evaluate(rows)
    assert some.test_tally[0]["events"] == [8] * 6


def test_counts_of_a_dense_network():
    net = trained(network(5, 6, 3, change={"derivative": "none", "values": "+-1"}), batch=2, n=8)
    first, last = net.tally
    assert first["events"] == [8] * 6
    assert last["signalled"] == last["quantised"] == 8 * 3
    assert first["signalled"] <= first["local"] == first["received"] <= 8 * 6
    assert first["update_pairs"] == 6 * first["signalled"]
    assert last["update_pairs"] == 3 * sum(last["events"])
    assert last["update_active"] == sum(last["events"])
    assert first["update_rows"] == 4 * 6
    assert first["update_attempted"] >= first["weight_changed"] > 0
    assert sum(last["codes"]) == last["quantised"] - net.health[1]["error_underflow"]
    assert first["codes"] == [0] * 6


def test_a_code_for_zero_is_sent_by_every_unit():
    net = trained(network(5, 6, 6, 3, route="layered", change={"error": quantiser(zero="code")}))
    assert [t["codes"] for t in net.tally] == [[0] * 6, [8] * 6, [8] * 3]


def test_without_listeners_nothing_is_sent():
    for net in (trained(network(5, 3)), trained(network(5, 6, 3, route="none"))):
        assert all(sum(t["codes"]) == t["received"] == 0 for t in net.tally)
        assert net.tally[-1]["signalled"] > 0
        assert net.tally[-1]["weight_changed"] > 0
    assert net.weights[0] == network(5, 6, 3).weights[0]


def test_no_error_no_update():
    net = network(3, 2, 2)
    net.weights = [[[127, 127]] * 4, [[127, -127]] * 3]
    net.weights[1][2] = [127, -127]
    net.layers[1]["address"] = word(16, 0)
    net.layers[1]["weight"] = word(8, 2, rounding="stochastic")
    before = copy.deepcopy(net.weights)
    assert net.train_step([[100, 100, 100]], [0]) == 1
    assert net.weights == before
    assert all(t["signalled"] == t["update_attempted"] == t["received"] == sum(t["codes"]) == 0 for t in net.tally)


def test_the_order_of_the_samples_in_a_step_does_not_matter():
    rows, labels = data(6, 5, 3)
    one, other = network(5, 6, 3), network(5, 6, 3)
    one.train_step(rows, labels)
    other.train_step(rows[::-1], labels[::-1])
    assert one.weights == other.weights
    assert one.tally == other.tally


def test_evaluation_changes_no_weight_and_counts_apart():
    net = trained(network(5, 6, 3))
    weights, tally = copy.deepcopy(net.weights), copy.deepcopy(net.tally)
    rows, _ = data(4, 5, 3)
    assert len(net.evaluate(rows)) == 4
    assert (net.weights, net.tally) == (weights, tally)
    assert net.test_tally[0]["events"] == [4] * 6


def test_frozen_layers_and_adaptive_feedback():
    multi_bit = {"bits": 8, "word": word(8, 7, rounding="stochastic"), "values": "+-1"}
    fixed, adaptive = (network(5, 6, 3, change={**multi_bit, "adaptive": a}) for a in (False, True))
    first = copy.deepcopy(adaptive.feedback[0])
    fixed.layers[0]["frozen"] = True
    frozen = copy.deepcopy(fixed.weights[0])
    trained(fixed)
    trained(adaptive)
    assert fixed.weights[0] == frozen
    assert fixed.feedback[0] == first
    assert adaptive.feedback[0] != first
    assert adaptive.tally[0]["feedback_changed"] > 0
    assert fixed.tally[0]["feedback_pairs"] == fixed.tally[0]["update_pairs"] == 0


@pytest.mark.parametrize(
    ("rounding", "once", "twice"),
    [("floor", [1, -2], [2, -3]), ("nearest", [1, -1], [3, -3]), ("zero", [1, -1], [2, -2])],
)
def test_one_update_by_hand(rounding, once, twice):
    # Weights 0, so S = 0 and O = 0 at a tanh output: e = 32767 for the true class, -32767 for the other.
    # sum = +-96 * 32767, s = 7 + 7 + 15 - 8 = 21: over 2**21 that is +-1.49995.
    # The sample twice in one step is one sum, +-2.9999, rounded once.
    for samples, after in ((1, once), (2, twice)):
        net = network(1, 2, shift=7, rounding=rounding, bias=False, output="tanh")
        net.weights = [[[0, 0]]]
        net.train_step([[96]] * samples, [0] * samples)
        assert net.weights == [[after]]


def test_updates_saturate_and_die():
    net = network(1, 2, shift=7, rounding="zero", bias=False, output="tanh")
    net.weights = [[[127, -127]]]
    net.layers[0]["address"] = word(16, -8)  # all addresses 0
    net.train_step([[96]], [0])
    assert net.weights == [[[127, -127]]]
    assert net.health[0]["weight_saturated"] == net.tally[0]["update_attempted"] == 2
    assert net.tally[0]["weight_changed"] == 0


def test_forward_by_hand():
    # S = 64 * 100 + 127 * 10 (the bias: one = min(2**7, 127)) = 7670; S / 2**(8 + 7 - 7) = 29.96, so a = 30 = 0.234.
    # tanh(0.234375) = 0.23018 = 29.46 / 128, so O = 29; the second layer has weights 0: all addresses are 0.
    net = network(1, 1, 2, change={"gain": 0})
    net.weights = [[[64], [10]], [[0, 0], [0, 0]]]
    assert net.evaluate([[100]]) == [0]
    presynaptic, addresses, codes = net.forward([100], 0, net.test_tally, learning=False)
    assert presynaptic == [[100, 127], [29, 127]]
    assert addresses == [[30], [0, 0]]
    assert codes == [[29], [32768, 32768]]


def test_feedback_by_hand():
    # The same network. e = (65535 - 32768, -32768) = (32767, -32768) at 2**-16: 0.49998 and -0.5 of alpha = 65535 / 2**16.
    # Thresholds of base 2 are alpha * 2**-(k + 1/2): both lie on k = 1 and decode to nearest(alpha / 2 * 2**8) = +-128.
    # C = (1, 1): X = 0. With C = (1, 0) from density 0 and by hand, X = J = 128; tanh'(0.234) = 0.947 = 121 / 128;
    # R = 128 * 121 / 128 = 121. Update: 100 * 121 = 12100 over 2**(3 + 7 + 8 - 8) is 11.8.
    net = network(1, 1, 2, rounding="nearest", change={"gain": 0})
    net.weights = [[[64], [10]], [[0, 0], [0, 0]]]
    net.feedback[0] = [[1], [0]]
    net.train_step([[100]], [0])
    assert net.weights[0] == [[64 + 12], [10 + 15]]
    # The top: 29 * 32767 over 2**(3 + 7 + 16 - 8) is 3.62, and 127 * 32767 is 15.87.
    assert net.weights[1] == [[4, -4], [16, -16]]
    assert net.tally[1]["codes"] == [1, 1]
    net.feedback[0] = [[1], [1]]
    net.weights = [[[64], [10]], [[0, 0], [0, 0]]]
    net.train_step([[100]], [0])
    assert net.weights[0] == [[64], [10]]
