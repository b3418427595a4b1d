"""The slow twin of the engine: plain Python integers and loops, written from docs/substrate.md. Imports nothing of ours."""

import math
from fractions import Fraction

from tests.naive_tables import (
    Quantiser,
    activation,
    derivative,
    encode,
    fold,
    highest,
    key,
    lane,
    lowest,
    round_by,
    sat,
    softmax,
    uniform,
)

TALLIES = (
    "quantised", "received", "signalled", "local", "update_pairs", "update_active", "update_attempted", "update_rows",
    "weight_changed", "feedback_pairs", "feedback_active", "feedback_attempted", "feedback_rows", "feedback_changed",
)  # fmt: skip
LOSSES = (
    "preactivation_saturated", "weight_saturated", "feedback_saturated", "error_saturated", "error_underflow",
    "decode_underflow", "received_saturated", "received_underflow",
)  # fmt: skip
PRODUCT = {"bits": 16, "frac": 12, "signed": True, "rounding": "nearest", "range": "symmetric"}


class NaiveNetwork:
    """A network from a plain description (see `tests/twin.py` for how one is made)."""

    def __init__(self, spec):
        self.spec, self.layers, self.channel = spec, spec["layers"], spec["channel"]
        self.last = len(self.layers) - 1
        self.listens = self.last > 0 and self.channel["route"] != "none"
        self.learning_shift, self.step = spec["learning_shift"], 0
        self.weights = [self.initial_weights(h) for h in range(self.last + 1)]
        self.feedback = [self.draw(h) if self.has_c(h) else None for h in range(self.last + 1)]
        self.tally, self.test_tally = self.new_tally(), self.new_tally()
        self.health = [dict.fromkeys(LOSSES, 0) for _ in self.layers]
        out = self.layers[-1]["output"]
        self.t_high = highest(out)
        self.t_low = lowest(out) if self.layers[-1]["activation"] == "tanh" else 0
        r = spec["received"]["frac"]
        largest = Fraction(self.t_high - self.t_low) / Fraction(2) ** out["frac"]
        q = self.channel["error"]
        self.source = Quantiser(q, largest, r) if q and "source" in self.channel["place"] else None
        self.at_received = Quantiser(self.channel["received_quantiser"], Fraction(1, 8), r)
        self.at_local = Quantiser(self.channel["local_quantiser"], Fraction(1, 8), r)

    def new_tally(self):
        return [
            {
                **dict.fromkeys(TALLIES, 0),
                "events": [0] * (layer["n_in"] + layer["bias"]),
                "codes": [0] * layer["n_out"],
            }
            for layer in self.layers
        ]

    def has_c(self, h):
        return self.listens and h < self.last and self.channel["matrix"] == "random"

    def sender(self, h):
        return h + 1 if self.channel["route"] == "layered" else self.last

    # ------------------------------------------------------------ section 6: birth

    def initial_weights(self, h):
        layer, w = self.layers[h], self.layers[h]["weight"]
        n_in, n_out = layer["n_in"], layer["n_out"]
        reach = round(layer["init_gain"] * math.sqrt(6 / (n_in + n_out)) * 2.0 ** w["frac"])
        reach = min(highest(w), max(1, reach))
        root = key(self.spec["seed"], 0, h, 0)
        rows = [
            [(fold(root, i * n_out + j) >> 32) % (2 * reach + 1) - reach for j in range(n_out)] for i in range(n_in)
        ]
        return [*rows, [0] * n_out] if layer["bias"] else rows

    def draw(self, h):
        c, n, n_src = self.channel, self.layers[h]["n_out"], self.layers[self.sender(h)]["n_out"]
        connect, value = key(self.spec["seed"], 1, h, 0), key(self.spec["seed"], 2, h, 0)
        words = [[fold(connect, k * n + i) for i in range(n)] for k in range(n_src)]
        matrix = [[0] * n for _ in range(n_src)]
        frac = c["word"]["frac"]
        for i in range(n):
            ranked = sorted(range(n_src), key=lambda k, i=i: (words[k][i], k))
            for k in range(n_src):
                if c["fan_in"] is not None:
                    joined = k in ranked[: c["fan_in"]]
                else:
                    joined = (words[k][i] >> 32) < math.floor(Fraction(c["density"]) * 2**32)
                drawn = fold(value, k * n + i)
                if not joined:
                    continue
                if c["bits"] == 1:
                    matrix[k][i] = -1 if c["values"] == "+-1" and drawn >> 63 else 1
                else:
                    reach = min(highest(c["word"]), max(1, round(math.sqrt(6 / (n_src + n)) * 2.0**frac)))
                    matrix[k][i] = (drawn >> 32) % (2 * reach + 1) - reach
        return matrix

    # ------------------------------------------------------------ section 2: forward

    def one(self, word):
        return min(2 ** word["frac"], highest(word)) if word["frac"] >= 0 else 1

    def blanked(self, h, b, i):
        p = self.layers[h]["blank_out"]
        word = fold(key(self.spec["seed"], 6, h, self.step), b)
        return p > 0 and lane(word, 0, i) < 256 * p

    def forward(self, inputs, b, tally, *, learning):
        """One sample: lists by layer of presynaptic codes, addresses and output codes."""
        before, addresses, codes = [], [], []
        arriving = list(inputs)
        for h, layer in enumerate(self.layers):
            presynaptic = [0 if learning and self.blanked(h, b, i) else c for i, c in enumerate(arriving)]
            if layer["bias"]:
                presynaptic.append(self.one(layer["presynaptic"]))
            for i, c in enumerate(presynaptic):
                tally[h]["events"][i] += c != 0
            a = [self.address(h, presynaptic, j, learning=learning) for j in range(layer["n_out"])]
            lsb = Fraction(1) / Fraction(2) ** layer["address"]["frac"]
            if layer["activation"] == "softmax":
                o = softmax(layer["address"], a, layer["output"]["bits"])
            else:
                o = [encode(layer["output"], activation(layer["activation"], float(x * lsb))) for x in a]
            before.append(presynaptic)
            addresses.append(a)
            codes.append(o)
            arriving = o
        return before, addresses, codes

    def address(self, h, presynaptic, j, *, learning):
        layer = self.layers[h]
        total = sum(self.weights[h][i][j] * c for i, c in enumerate(presynaptic))
        if not learning and layer["blank_out"]:
            total = (total * (256 - layer["blank_out"])) >> 8
        shift = layer["weight"]["frac"] + layer["presynaptic"]["frac"] - layer["address"]["frac"]
        exact = round_by(total, shift, layer["address"]["rounding"])
        kept = sat(layer["address"], exact)
        self.counted_health(h)["preactivation_saturated"] += kept != exact
        return kept

    def counted_health(self, h):
        return self.health[h] if self.learning else dict.fromkeys(LOSSES, 0)

    # ------------------------------------------------------------ section 3: the channel

    def send(self, h, values, frac):
        """What the values of layer h become on the wire."""
        tally, health, received = self.tally[h], self.health[h], self.spec["received"]
        sent = []
        for j, x in enumerate(values):
            if self.source is None:
                d = x
                if h == self.last:
                    exact = round_by(x, frac - received["frac"], "nearest")
                    d = sat(received, exact)
                    health["error_saturated"] += d != exact
                    health["error_underflow"] += x != 0 and d == 0
                on_wire = d != 0
            else:
                d, on_wire = 0, self.channel["error"]["zero"] == "code"
                if x != 0:
                    tally["quantised"] += 1
                    health["error_saturated"] += self.source.saturates(x, frac)
                    k = self.source.level(x, frac)
                    if k is None:
                        health["error_underflow"] += 1
                    else:
                        d, on_wire = self.source_decoded[k] * (1 if x > 0 else -1), True
                        health["decode_underflow"] += d == 0
            tally["codes"][j] += on_wire and self.listens
            sent.append(d)
        return sent

    def matrix(self, h):
        """C of layer h as [sender][receiver] and its fractional bits, from the weights before the step."""
        kind = self.channel["matrix"]
        if kind == "random":
            return self.feedback[h], self.channel["word"]["frac"]
        if kind == "transpose":
            above, n = self.weights[h + 1], self.layers[h]["n_out"]
            return [[above[i][k] for i in range(n)] for k in range(len(above[0]))], self.layers[h + 1]["weight"]["frac"]
        product = self.weights[self.last][: self.layers[self.last]["n_in"]]
        frac = self.layers[self.last]["weight"]["frac"]
        for between in range(self.last - 1, h, -1):
            w = self.weights[between][: self.layers[between]["n_in"]]
            product = [
                [sum(x * row[k] for x, row in zip(left, product, strict=True)) for k in range(len(product[0]))]
                for left in w
            ]
            frac += self.layers[between]["weight"]["frac"]
        n_out = len(product[0])
        return [[sat(PRODUCT, round_by(row[k], frac - 12, "nearest")) for row in product] for k in range(n_out)], 12

    def gain(self, h):
        gain, c = self.channel["gain"], self.channel
        if isinstance(gain, (list, tuple)):
            return gain[h]
        if gain is not None:
            return gain
        if c["matrix"] != "random" or c["bits"] > 1:
            return 0
        n_src = self.layers[self.sender(h)]["n_out"]
        expected = c["fan_in"] if c["fan_in"] is not None else c["density"] * n_src
        return -round(math.log2(math.sqrt(max(1, expected))))

    def receive(self, h, sent, addresses):
        """The local signals R of layer h."""
        layer, word, health, tally = self.layers[h], self.spec["received"], self.health[h], self.tally[h]
        matrix, frac = self.matrix(h)
        signals = []
        for i in range(layer["n_out"]):
            total = sum(matrix[k][i] * d for k, d in enumerate(sent))
            exact = round_by(total, frac - self.gain(h), word["rounding"])
            j = sat(word, exact)
            health["received_saturated"] += j != exact
            tally["received"] += j != 0
            if "received" in self.channel["place"]:
                j = self.requantise(self.at_received, j, health)
            x = addresses[i] * 2.0 ** -layer["address"]["frac"]
            d = derivative(self.channel["derivative"], layer["activation"], self.channel["window"], x)
            r = round_by(d * j, 7, "nearest")
            health["received_underflow"] += j != 0 and d != 0 and r == 0
            tally["local"] += r != 0
            if "local" in self.channel["place"]:
                r = self.requantise(self.at_local, r, health)
            signals.append(r)
        return signals

    def requantise(self, quantiser, x, health):
        if x == 0:
            return 0
        frac = self.spec["received"]["frac"]
        health["received_saturated"] += quantiser.saturates(x, frac)
        k = quantiser.level(x, frac)
        d = 0 if k is None else quantiser.decoded(frac)[k]
        health["received_underflow"] += d == 0
        return d if x > 0 else -d

    def signals(self, addresses, codes, label):
        """Local signals of all layers, and the values that were sent by each."""
        out, route = self.layers[self.last], self.channel["route"]
        error = [(self.t_high if j == label else self.t_low) - o for j, o in enumerate(codes[self.last])]
        local, sent = [[0] * layer["n_out"] for layer in self.layers], {}
        local[self.last] = error
        if self.listens or self.channel["top"] == "quantised":
            values = [self.t_high if j == label else 0 for j in range(out["n_out"])] if route == "target" else error
            sent[self.last] = self.send(self.last, values, out["output"]["frac"])
        if self.listens:
            for h in range(self.last - 1, -1, -1):
                local[h] = self.receive(h, sent[self.sender(h)], addresses[h])
                if route == "layered" and h > 0:
                    sent[h] = self.send(h, local[h], self.spec["received"]["frac"])
        if self.channel["top"] == "quantised":
            local[self.last] = sent[self.last]
        return local, sent

    # ------------------------------------------------------------ section 5: update

    def train_step(self, inputs, labels):
        """One step on a mini-batch of code rows; returns how many were classified right."""
        self.learning, correct = True, 0
        r = self.spec["received"]["frac"]
        self.source_decoded = self.source.decoded(r) if self.source else []
        samples = []
        for b, (row, label) in enumerate(zip(inputs, labels, strict=True)):
            before, addresses, codes = self.forward(row, b, self.tally, learning=True)
            correct += addresses[-1].index(max(addresses[-1])) == label
            samples.append((before, codes, *self.signals(addresses, codes, label)))
        changes = [self.changed_weights(h, samples) for h in range(self.last + 1)]
        crossbars = [self.changed_feedback(h, samples) for h in range(self.last + 1)]
        self.weights, self.feedback = changes, crossbars
        self.step += 1
        return correct

    def changed_weights(self, h, samples):
        layer, tally = self.layers[h], self.tally[h]
        tally["signalled"] += sum(y != 0 for s in samples for y in s[2][h])
        if layer["frozen"]:
            return self.weights[h]
        exact_top = h == self.last and self.channel["top"] == "exact"
        f_y = layer["output"]["frac"] if exact_top else self.spec["received"]["frac"]
        lsb = self.learning_shift + layer["presynaptic"]["frac"] + f_y
        pairs = [(s[0][h], s[2][h]) for s in samples]
        q = self.channel["update_quantiser"]
        quantiser = Quantiser(q, Fraction(1, 64), 62) if q else None
        names = (
            "update_pairs",
            "update_active",
            "update_attempted",
            "update_rows",
            "weight_changed",
            "weight_saturated",
        )
        return self.learn(h, self.weights[h], layer["weight"], pairs, lsb, quantiser, 4, names)

    def changed_feedback(self, h, samples):
        if not (self.channel["adaptive"] and self.has_c(h)):
            return self.feedback[h]
        pairs = [(s[3][self.sender(h)], s[1][h]) for s in samples]
        lsb = self.learning_shift + self.spec["received"]["frac"] + self.layers[h]["output"]["frac"]
        names = (
            "feedback_pairs",
            "feedback_active",
            "feedback_attempted",
            "feedback_rows",
            "feedback_changed",
            "feedback_saturated",
        )
        return self.learn(h, self.feedback[h], self.channel["word"], pairs, lsb, None, 5, names)

    def learn(self, h, memory, word, pairs, lsb, quantiser, stream, names):
        """W' = sat(W + round(sum, s)) for every entry, counted."""
        tally, health = self.tally[h], self.health[h]
        for o, y in pairs:
            some = sum(x != 0 for x in y)
            tally[names[0]] += sum(c != 0 for c in o) * some
            tally[names[1]] += sum(c != 0 for c in o) if some else 0
        s = lsb - word["frac"]
        decoded = quantiser.decoded(lsb) if quantiser else []
        result = []
        for i, row in enumerate(memory):
            drawn = fold(key(self.spec["seed"], stream, h, self.step), i)
            new_row, attempted = [], 0
            for j, w in enumerate(row):
                total = 0
                for o, y in pairs:
                    p = o[i] * y[j]
                    if quantiser and p != 0:
                        k = quantiser.level(p, lsb)
                        p = 0 if k is None else decoded[k] * (1 if p > 0 else -1)
                    total += p
                new = w
                if total != 0:
                    attempted += 1
                    u = uniform(drawn, j, s) if word["rounding"] == "stochastic" else 0
                    exact = w + round_by(total, s, word["rounding"], u)
                    new = sat(word, exact)
                    health[names[5]] += new != exact
                tally[names[4]] += new != w
                new_row.append(new)
            tally[names[2]] += attempted
            tally[names[3]] += attempted > 0
            result.append(new_row)
        return result

    def evaluate(self, inputs):
        """Predicted classes; counts into `test_tally`."""
        self.learning, found = False, []
        for row in inputs:
            _, addresses, _ = self.forward(row, 0, self.test_tally, learning=False)
            found.append(addresses[-1].index(max(addresses[-1])))
        return found
