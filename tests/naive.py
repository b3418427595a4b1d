"""The slow twin: plain Python integers, lists and loops, from docs/substrate.md and nothing else.

`NaiveNetwork(spec)` with a plain dict; `train_step` is one mini-batch. Imports nothing of neurosim.
"""

from fractions import Fraction

from tests.naive_tables import (
    Quantiser,
    activation,
    default_gain,
    derivative,
    encode,
    fold,
    highest,
    initial_feedback,
    initial_weights,
    key,
    lowest,
    round_shift,
    sat,
    softmax,
    uniform,
)

TALLIES = (
    "quantised", "received", "routed", "signalled", "local", "dropout_words", "dropout_draws", "dropout_lost",
    "redrawn_connections", "update_pairs", "update_active", "update_attempted", "update_rows", "weight_changed",
    "update_row_words", "update_words_16", "update_words_32", "update_words_64",
    "feedback_pairs", "feedback_active", "feedback_attempted", "feedback_rows", "feedback_changed",
    "feedback_row_words", "feedback_words_16", "feedback_words_32", "feedback_words_64",
)  # fmt: skip
LOSSES = (
    "preactivation_saturated", "weight_saturated", "feedback_saturated", "error_saturated", "error_underflow",
    "decode_underflow", "received_saturated", "received_underflow",
)  # fmt: skip
PRODUCT = {"bits": 16, "frac": 12, "signed": True, "rounding": "nearest", "range": "symmetric"}
WEIGHT_COUNTS = (
    4,
    "update_pairs",
    "update_active",
    "update_attempted",
    "update_rows",
    "weight_changed",
    "weight_saturated",
)
C_COUNTS = (
    5,
    "feedback_pairs",
    "feedback_active",
    "feedback_attempted",
    "feedback_rows",
    "feedback_changed",
    "feedback_saturated",
)


def nnz(values: "list[int]") -> int:
    """How many are not 0."""
    return sum(v != 0 for v in values)


def sign(x: int) -> int:
    """-1, 0 or +1."""
    return (x > 0) - (x < 0)


def magnitude(fans: int) -> int:
    """f_C of sign feedback: entries are worth 2**-f_C, the power of two nearest to sqrt(2 / fans)."""
    return -default_gain(Fraction(fans, 2))


def one(word: dict) -> int:
    """The code of a bias unit (section 2); 1 where the word has no code for 1.0 because its LSB is larger."""
    return 1 if word["frac"] < 0 else min(2 ** word["frac"], highest(word))


class NaiveNetwork:
    """A network, its counters, and the step. Lists are indexed [layer][sample][unit], weights [layer][i][j]."""

    def __init__(self, spec: dict) -> None:
        self.seed, self.layers, self.channel, self.received = (
            spec["seed"],
            spec["layers"],
            spec["channel"],
            spec["received"],
        )
        self.learning_shift, self.step = spec["learning_shift"], 0
        self.top = len(self.layers) - 1
        self.learns_below = self.top > 0 and self.channel["route"] != "none"
        self.weights = [self.first_weights(h, x) for h, x in enumerate(self.layers)]
        self.feedback = [self.random_feedback(h, 0) for h in range(self.top + 1)]
        self.tally, self.test_tally = self.no_counts(), self.no_counts()
        self.health = [dict.fromkeys((*LOSSES, "dead_updates"), 0) for _ in self.layers]
        self.memo: dict = {}
        self.trace: dict = {}
        output = self.layers[self.top]["output"]
        self.true_code = highest(output)
        self.false_code = lowest(output) if self.layers[self.top]["activation"] == "tanh" else 0
        largest = Fraction(self.true_code - self.false_code) / Fraction(2) ** output["frac"]
        f_r, c = self.received["frac"], self.channel
        if c["error"] and c["route"] != "target":
            largest /= {1: 4, 2: 2}.get(c["error"]["bits"], 1)
        self.source = Quantiser(c["error"], largest, f_r) if "source" in c["place"] else None
        self.at_received = Quantiser(c["received_quantiser"], Fraction(1, 8), f_r) if "received" in c["place"] else None
        self.at_local = Quantiser(c["local_quantiser"], Fraction(1, 8), f_r) if "local" in c["place"] else None

    def no_counts(self) -> "list[dict]":
        """Tallies of section 8, all 0."""
        return [
            {**dict.fromkeys(TALLIES, 0), "events": [0] * (x["n_in"] + x["bias"]), "codes": [0] * x["n_out"]}
            for x in self.layers
        ]

    def sender(self, h: int) -> int:
        """The layer that layer h listens to (section 3, routes)."""
        return h + 1 if self.channel["route"] == "layered" else self.top

    def first_weights(self, h: int, x: dict) -> "list[list[int]]":
        """W of layer h at birth."""
        n, m = x["n_in"], x["n_out"]
        return initial_weights(self.seed, h, n, m, x["bias"], x["weight"], x["init_gain"], n + m)

    def random_feedback(self, h: int, b: int) -> "list[list[int]] | None":
        """C of layer h, where it is random: at birth (b = 0) or redrawn."""
        if h == self.top or not self.learns_below or self.channel["matrix"] != "random":
            return None
        n, m = self.layers[self.sender(h)]["n_out"], self.layers[h]["n_out"]
        return initial_feedback(self.seed, h, n, m, self.channel, n + m, b)

    # ---------------------------------------------------------------- 2. forward

    def forward(self, row: "list[int]", b: int, tally: "list[dict]", learning: bool) -> "tuple[list, list, list]":
        """One sample, number b of its step: presynaptic codes, addresses and output codes by layer."""
        presynaptic, addresses, outputs = [], [], []
        arriving = row
        for h, layer in enumerate(self.layers):
            o = [0 if learning and self.blanked(h, b, i) else code for i, code in enumerate(arriving)]
            if layer["bias"]:
                o.append(one(layer["presynaptic"]))
            for i, code in enumerate(o):
                tally[h]["events"][i] += code != 0
            a, arriving = self.neurons(h, o, learning)
            presynaptic.append(o)
            addresses.append(a)
            outputs.append(arriving)
        return presynaptic, addresses, outputs

    def neurons(self, h: int, o: "list[int]", learning: bool) -> "tuple[list, list]":
        """(addresses, output codes) of layer h."""
        layer = self.layers[h]
        a = [self.address(h, o, j, learning) for j in range(layer["n_out"])]
        if layer["activation"] == "softmax":
            return a, softmax(layer["address"], a, layer["output"]["bits"])
        return a, [self.activated(layer, code) for code in a]

    def blanked(self, h: int, b: int, i: int) -> bool:
        """Whether the event of unit i in sample b is lost (section 7)."""
        p = self.layers[h]["blank_out"]
        return p > 0 and uniform(fold(key(self.seed, 6, h, self.step), b), i, 16) < 256 * p

    def address(self, h: int, o: "list[int]", j: int, learning: bool) -> int:
        """a_j of layer h (section 2, steps 2 and 3)."""
        layer = self.layers[h]
        word, p = layer["address"], 0 if learning else layer["blank_out"]
        share = [256 - p] * layer["n_in"] + [256] * layer["bias"]
        s = sum(w[j] * code * part for w, code, part in zip(self.weights[h], o, share, strict=True))
        places = layer["weight"]["frac"] + layer["presynaptic"]["frac"] - word["frac"]
        a = round_shift(s, places + 8, word["rounding"])
        if learning:
            self.health[h]["preactivation_saturated"] += sat(word, a) != a
        return sat(word, a)

    def activated(self, layer: dict, a: int) -> int:
        """A[a] (section 2, step 4)."""
        name, word, frac = layer["activation"], layer["output"], layer["address"]["frac"]
        entry = ("A", name, word["bits"], word["frac"], word["signed"], word["range"], frac, a)
        if entry not in self.memo:
            self.memo[entry] = encode(word, activation(name, a * 2.0**-frac))
        return self.memo[entry]

    def slope(self, layer: dict, a: int) -> int:
        """D[a] (section 3, local signal)."""
        name, frac, c = layer["activation"], layer["address"]["frac"], self.channel
        return derivative(c["derivative"], name, c["window"], a * 2.0**-frac)

    # ---------------------------------------------------------------- 3. the learning channel

    def send(self, h: int, values: "list[int]", frac: int) -> "list[int]":
        """d: what the values of layer h are on the wire; counted."""
        d = []
        for j, x in enumerate(values):
            sent, code_not_0 = self.on_wire(h, x, frac)
            every = self.source is not None and self.source.zero == "code"
            self.tally[h]["codes"][j] += self.learns_below and (every or code_not_0)
            d.append(sent)
        return d

    def on_wire(self, h: int, x: int, frac: int) -> "tuple[int, bool]":
        """(d, whether its code is not 0) of one value."""
        health, f_r = self.health[h], self.received["frac"]
        if self.source is None:
            if h != self.top:
                return x, x != 0
            rounded = round_shift(x, frac - f_r, "nearest")
            d = sat(self.received, rounded)
            health["error_saturated"] += d != rounded
            health["error_underflow"] += x != 0 and d == 0
            return d, d != 0
        if x == 0:
            return 0, False
        self.tally[h]["quantised"] += 1
        health["error_saturated"] += self.source.saturates(x, frac)
        k = self.source.level(x, frac)
        if k is None:
            health["error_underflow"] += 1
            return 0, False
        magnitude = self.source.decoded(f_r)[k]
        health["decode_underflow"] += magnitude == 0
        return magnitude if x > 0 else -magnitude, True

    def crossbar(self, h: int) -> "tuple[list[list[int]], int]":
        """C[k][i] of layer h and its fractional bits, from the weights before the step."""
        senders, units = range(self.layers[self.sender(h)]["n_out"]), range(self.layers[h]["n_out"])
        if self.channel["matrix"] == "random":
            return self.feedback[h], self.channel["word"]["frac"] if self.channel["bits"] > 1 else 0
        if self.channel["matrix"] == "transpose":
            above = self.weights[h + 1]
            return [[above[i][k] for i in units] for k in senders], self.layers[h + 1]["weight"]["frac"]
        if self.channel["matrix"] == "sign":
            above = self.weights[h + 1]
            return [[sign(above[i][k]) for i in units] for k in senders], magnitude(len(senders) + len(units))
        path = [[int(i == n) for n in units] for i in units]  # W^(h+1) ... W^(L-1), bias rows left out
        for up in range(h + 1, self.top + 1):
            w = self.weights[up]
            path = [[sum(p[n] * w[n][k] for n in range(len(p))) for k in range(len(w[0]))] for p in path]
        s = sum(self.layers[up]["weight"]["frac"] for up in range(h + 1, self.top + 1)) - PRODUCT["frac"]
        return [[sat(PRODUCT, round_shift(path[i][k], s, "nearest")) for i in units] for k in senders], PRODUCT["frac"]

    def gain(self, h: int) -> int:
        """The exponent of layer h: J is X times 2**gain."""
        given = self.layers[h].get("gain", self.channel.get("gain"))
        if isinstance(given, (list, tuple)):
            given = given[h]
        if given is not None:
            return given
        c = self.channel
        if c["matrix"] != "random" or c["bits"] > 1:
            return 0
        if c["fan_in"] is not None:
            return default_gain(Fraction(c["fan_in"]))
        density = 1 if c["density"] is None else c["density"]
        return default_gain(Fraction(density * self.heard(h)))  # 0.2 of 40 senders is 8

    def heard(self, h: int) -> int:
        """Senders that a receiver of layer h may be connected to."""
        return self.layers[self.sender(h)]["n_out"]

    def receive(
        self, h: int, c: "tuple[list[list[int]], int]", d: "list[int]", a: "list[int]", b: int
    ) -> "tuple[list, list, list]":
        """(J, the J that f' multiplies, R) of layer h in sample b of the step: crossbar, then the local signal."""
        j = self.arriving(h, c, d, len(a), b)
        quantised = [self.requantised(self.at_received, x, self.health[h]) for x in j]
        return j, quantised, [self.local_signal(h, x, address) for x, address in zip(quantised, a, strict=True)]

    def arriving(self, h: int, c: "tuple[list[list[int]], int]", d: "list[int]", n: int, b: int) -> "list[int]":
        """J of the n units of layer h: sums, of which some are lost, rounded."""
        matrix, frac = c
        sums = [sum(row[i] * sent for row, sent in zip(matrix, d, strict=True)) for i in range(n)]
        limit = min(round(Fraction(self.channel["dropout"]) * 2**16), 2**16 - 1)
        if limit > 0 and any(sums):
            drawn, tally = fold(key(self.seed, 7, h, self.step), b), self.tally[h]
            lost = [x != 0 and uniform(drawn, i, 16) < limit for i, x in enumerate(sums)]
            tally["dropout_words"] += 1
            tally["dropout_draws"] += nnz(sums)
            tally["dropout_lost"] += sum(lost)
            sums = [0 if gone else x for x, gone in zip(sums, lost, strict=True)]
        return [self.received_from(h, x, frac) for x in sums]

    def received_from(self, h: int, x: int, frac: int) -> int:
        """J of a sum at layer h."""
        word = self.received
        rounded = round_shift(x, frac - self.gain(h), word["rounding"])
        j = sat(word, rounded)
        self.health[h]["received_saturated"] += j != rounded
        self.tally[h]["received"] += j != 0
        return j

    def local_signal(self, h: int, j: int, address: int) -> int:
        """R of a neuron at an address."""
        slope, health = self.slope(self.layers[h], address), self.health[h]
        r = round_shift(slope * j, 7, "nearest")
        health["received_underflow"] += j != 0 and slope != 0 and r == 0
        self.tally[h]["local"] += r != 0
        return self.requantised(self.at_local, r, health)

    def requantised(self, quantiser: "Quantiser | None", x: int, health: dict) -> int:
        """x through the quantiser at `received` or `local`."""
        if quantiser is None or x == 0:
            return x
        frac = self.received["frac"]
        health["received_saturated"] += quantiser.saturates(x, frac)
        k = quantiser.level(x, frac)
        magnitude = 0 if k is None else quantiser.decoded(frac)[k]
        health["received_underflow"] += magnitude == 0
        return magnitude if x > 0 else -magnitude

    def learn(self, addresses: list, outputs: list, label: "int | list[int]", crossbars: list, b: int) -> dict:
        """e, and by layer d, J, R and Y (the signals that update) of sample b of a step. label: a class, or target codes."""
        n, route, top = len(self.layers), self.channel["route"], self.top
        frac = self.layers[top]["output"]["frac"]
        target = (
            label
            if isinstance(label, list)
            else [self.true_code if j == label else self.false_code for j in range(len(outputs[top]))]
        )
        e = [t - o for t, o in zip(target, outputs[top], strict=True)]
        found = {
            "e": e,
            "d": [None] * n,
            "J": [None] * n,
            "R": [None] * n,
            "Y": [[0] * x["n_out"] for x in self.layers],
        }
        if self.learns_below or self.channel["top"] == "quantised":
            positive = [self.true_code if j == label else 0 for j in range(len(e))]
            found["d"][top] = self.send(top, positive if route == "target" else e, frac)
        found["Y"][top] = e if self.channel["top"] == "exact" else found["d"][top]
        for h in reversed(range(top if self.learns_below else 0)):
            found["J"][h], j, r = self.receive(h, crossbars[h], found["d"][self.sender(h)], addresses[h], b)
            found["R"][h] = found["Y"][h] = r
            if route == "layered" and h > 0:
                found["d"][h] = self.send(h, r if self.channel["upper_derivatives"] else j, self.received["frac"])
        return found

    # ---------------------------------------------------------------- 5. update

    def train_step(self, inputs: "list[list[int]]", labels: "list[int] | list[list[int]]") -> int:
        """One step on a mini-batch of input codes; returns how many were classified right."""
        if self.channel["redraw"]:
            self.feedback = [self.random_feedback(h, 256 * (self.step + 1)) for h in range(self.top + 1)]
        before = [list(tally["codes"]) for tally in self.tally]
        crossbars = [self.crossbar(h) if self.learns_below and h < self.top else None for h in range(self.top + 1)]
        samples, correct = [], 0
        for b, (row, label) in enumerate(zip(inputs, labels, strict=True)):
            presynaptic, addresses, outputs = self.forward(row, b, self.tally, learning=True)
            true = label.index(max(label)) if isinstance(label, list) else label
            correct += addresses[-1].index(max(addresses[-1])) == true
            found = self.learn(addresses, outputs, label, crossbars, b)
            samples.append({"presynaptic": presynaptic, "addresses": addresses, "O": outputs, **found})
        if self.channel["redraw"]:
            self.count_connections(before, crossbars)
        weights = [self.new_weights(h, samples) for h in range(self.top + 1)]
        self.feedback = [self.new_feedback(h, samples) for h in range(self.top + 1)]
        self.weights = weights
        self.trace = {name: [s[name] for s in samples] for name in samples[0]} if samples else {}
        self.step += 1
        return correct

    def count_connections(self, before: "list[list[int]]", crossbars: list) -> None:
        """What the codes of a step met in the random C of that step."""
        for h, c in enumerate(crossbars):
            if c is not None and self.channel["matrix"] == "random":
                after, then = self.tally[self.sender(h)]["codes"], before[self.sender(h)]
                met = sum((n - m) * nnz(row) for n, m, row in zip(after, then, c[0], strict=True))
                self.tally[h]["redrawn_connections"] += met

    def new_weights(self, h: int, samples: "list[dict]") -> "list[list[int]]":
        """W of layer h after the step."""
        layer, c = self.layers[h], self.channel
        self.tally[h]["signalled"] += sum(nnz(s["Y"][h]) for s in samples)
        if layer["frozen"]:
            return self.weights[h]
        f_y = layer["output"]["frac"] if h == self.top and c["top"] == "exact" else self.received["frac"]
        lsb = self.learning_shift + layer["presynaptic"]["frac"] + f_y
        quantiser = None
        if c["update_quantiser"]:
            entry = ("U", lsb)
            if entry not in self.memo:
                self.memo[entry] = Quantiser(c["update_quantiser"], Fraction(1, 64), lsb)
            quantiser = self.memo[entry]
        pairs = [(s["presynaptic"][h], s["Y"][h]) for s in samples]
        return self.updated(h, self.weights[h], layer["weight"], pairs, lsb, quantiser, WEIGHT_COUNTS)

    def new_feedback(self, h: int, samples: "list[dict]") -> "list[list[int]] | None":
        """C of layer h after the step."""
        if self.feedback[h] is None or not self.channel["adaptive"]:
            return self.feedback[h]
        pairs = [(s["d"][self.sender(h)], s["O"][h]) for s in samples]
        lsb = self.learning_shift + self.received["frac"] + self.layers[h]["output"]["frac"]
        return self.updated(h, self.feedback[h], self.channel["word"], pairs, lsb, None, C_COUNTS)

    def updated(
        self, h: int, memory: list, word: dict, pairs: list, lsb: int, quantiser: "Quantiser | None", counts: tuple
    ) -> list:
        """One exact sum, one rounding, one saturation for every word of a memory; counted."""
        stream, n_pairs, n_active, n_attempted, n_rows, n_changed, n_saturated = counts
        tally, health, s = self.tally[h], self.health[h], lsb - word["frac"]
        if s > 62:
            raise ValueError(f"layer {h}: the update shifts by {s} places, more than 62")
        for o, y in pairs:
            tally[n_pairs] += nnz(o) * nnz(y)
            tally[n_active] += nnz(o) if nnz(y) else 0
        after = [list(row) for row in memory]
        for i, row in enumerate(memory):
            drawn = fold(key(self.seed, stream, h, self.step), i)
            attempted = 0
            for j, w in enumerate(row):
                total = sum(self.one_update(o[i] * y[j], lsb, quantiser) for o, y in pairs)
                if total == 0:
                    continue
                attempted += 1
                u = uniform(drawn, j, s) if word["rounding"] == "stochastic" else 0
                rounded = w + round_shift(total, s, word["rounding"], u)
                after[i][j] = sat(word, rounded)
                health[n_saturated] += after[i][j] != rounded
                tally[n_changed] += after[i][j] != w
                if stream == 4:
                    health["dead_updates"] += after[i][j] == w
            tally[n_attempted] += attempted
            tally[n_rows] += attempted > 0
            if word["rounding"] == "stochastic" and s > 0:
                kind = "update" if stream == 4 else "feedback"
                tally[f"{kind}_row_words"] += attempted > 0
                tally[f"{kind}_words_{16 if s <= 16 else 32 if s <= 32 else 64}"] += attempted
        return after

    @staticmethod
    def one_update(x: int, lsb: int, quantiser: "Quantiser | None") -> int:
        """q(x) of section 5."""
        if quantiser is None or x == 0:
            return x
        k = quantiser.level(x, lsb)
        magnitude = 0 if k is None else quantiser.decoded(lsb)[k]
        return magnitude if x > 0 else -magnitude

    # ---------------------------------------------------------------- evaluation

    def evaluate(
        self, inputs: "list[list[int]]", labels: "list[int] | None" = None
    ) -> "list[int] | tuple[int, list[int]]":
        """Predicted classes, and before them how many are right where labels are given; counts into `test_tally`."""
        found = []
        for b, row in enumerate(inputs):
            addresses = self.forward(row, b, self.test_tally, learning=False)[1]
            found.append(addresses[-1].index(max(addresses[-1])))
        if labels is None:
            return found
        return sum(p == t for p, t in zip(found, labels, strict=True)), found
