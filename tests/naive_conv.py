"""Convolutions of the slow twin: section 9 of docs/substrate.md in plain loops over neurons, windows and positions.

A layer that is one has `"map"`: a dict `inputs` (height, width, depth), `channels, kernel, stride, pool, pool_stride,
padding`; its n_out are the units that it emits. Imports nothing of neurosim.
"""

from tests.naive import WEIGHT_COUNTS, NaiveNetwork, magnitude, nnz, sign
from tests.naive_tables import initial_feedback, initial_weights, round_shift, sat


def windows(n: int, k: int, t: int, padding: str) -> "list[list[int | None]]":
    """The positions that each window holds, None where there is none."""
    if padding == "valid":
        return [[v * t + i for i in range(k)] for v in range((n - k) // t + 1)]
    count = -(-n // t)
    p = max(0, (count - 1) * t + k - n) // 2
    spans = [[v * t - p + i for i in range(k)] for v in range(count)]
    return [[i if 0 <= i < n else None for i in span] for span in spans]


class Plan:
    """One convolution: what each position hears through which row, and what each emitted position chooses from."""

    def __init__(self, m: dict) -> None:
        height, width, depth = m["inputs"]
        k, pool = m["kernel"], m["pool"] or 1
        ys, xs = (windows(n, k, m["stride"], m["padding"]) for n in (height, width))
        vs, ws = (windows(n, pool, m["pool_stride"] or pool, m["padding"]) for n in (len(ys), len(xs)))
        self.channels, self.rows = m["channels"], k * k * depth
        self.fans = k * k * (depth + m["channels"])
        self.heard = [  # by position of the map: {row of the kernel: presynaptic unit}
            {
                (dy * k + dx) * depth + ci: (y * width + x) * depth + ci
                for dy, y in enumerate(column)
                for dx, x in enumerate(row)
                for ci in range(depth)
                if y is not None and x is not None
            }
            for column in ys
            for row in xs
        ]
        self.choices = [  # by emitted position: positions of the map, in the order of scanning
            [y * len(xs) + x for y in v for x in w if y is not None and x is not None] for v in vs for w in ws
        ]
        self.n_neurons, self.n_out = len(self.heard) * self.channels, len(self.choices) * self.channels


class NaiveConvNetwork(NaiveNetwork):
    """A network whose lowest layers may be convolutions."""

    def __init__(self, spec: dict) -> None:
        self.plans = [Plan(x["map"]) if x["map"] else None for x in spec["layers"]]
        self.winners: dict = {}  # of the last sample, by layer
        super().__init__(spec)

    def no_counts(self) -> "list[dict]":
        """Codes by neuron of a map; multiplications and comparisons as they are made."""
        counts = super().no_counts()
        for tally, plan in zip(counts, self.plans, strict=True):
            tally.update(macs=0, comparisons=0)
            if plan:
                tally["codes"] = [0] * plan.n_neurons
        return counts

    def first_weights(self, h: int, x: dict) -> "list[list[int]]":
        """The kernel of layer h at birth."""
        plan = self.plans[h]
        if not plan:
            return super().first_weights(h, x)
        return initial_weights(
            self.seed, h, plan.rows, plan.channels, x["bias"], x["weight"], x["init_gain"], plan.fans
        )

    def below_map(self, h: int) -> "Plan | None":
        """The convolution that layer h listens to, if it does."""
        return self.plans[h + 1] if self.sender(h) == h + 1 and h < self.top else None

    def random_feedback(self, h: int, b: int) -> "list[list[int]] | None":
        """C of layer h; below a convolution it has the shape of the kernel."""
        above = self.below_map(h)
        if not above or self.channel["matrix"] != "random" or not self.learns_below:
            return super().random_feedback(h, b)
        return initial_feedback(self.seed, h, above.rows, above.channels, self.channel, above.fans, b)

    def heard(self, h: int) -> int:
        """Senders that a receiver of layer h may be connected to."""
        above = self.below_map(h)
        return self.layers[h + 1]["map"]["kernel"] ** 2 * above.channels if above else super().heard(h)

    # ---------------------------------------------------------------- forward

    def window(self, h: int, o: "list[int]", position: int) -> "list[int]":
        """What arrives at the rows of the kernel at one position: 0 where there is nothing, the bias last."""
        heard, bias = self.plans[h].heard[position], self.layers[h]["bias"]
        return [o[heard[i]] if i in heard else 0 for i in range(self.plans[h].rows)] + o[-1:] * bias

    def neurons(self, h: int, o: "list[int]", learning: bool) -> "tuple[list, list]":
        """(addresses of the map, codes that are emitted) of layer h."""
        plan, layer = self.plans[h], self.layers[h]
        if not plan:
            return super().neurons(h, o, learning)
        tally = (self.tally if learning else self.test_tally)[h]
        places = layer["weight"]["frac"] + layer["presynaptic"]["frac"] - layer["address"]["frac"]
        addresses = []
        for position in range(len(plan.heard)):
            here = self.window(h, o, position)
            for c in range(plan.channels):
                s = sum(w[c] * code for w, code in zip(self.weights[h], here, strict=True))
                tally["macs"] += nnz(here)
                rounded = round_shift(s, places, layer["address"]["rounding"])
                addresses.append(sat(layer["address"], rounded))
                if learning:
                    self.health[h]["preactivation_saturated"] += addresses[-1] != rounded
        codes = [self.activated(layer, a) for a in addresses]
        self.winners[h] = []
        for candidates in plan.choices:
            for c in range(plan.channels):
                winner = candidates[0] * plan.channels + c
                for position in candidates[1:]:
                    tally["comparisons"] += 1
                    if codes[position * plan.channels + c] > codes[winner]:
                        winner = position * plan.channels + c
                self.winners[h].append(winner)
        return addresses, [codes[j] for j in self.winners[h]]

    # ---------------------------------------------------------------- the learning channel

    def crossbar(self, h: int) -> "tuple[list[list[int]], int]":
        """C[k][i] of layer h; what a kernel joins is written out, neuron by neuron of the map above."""
        above = self.below_map(h)
        if not above:
            return super().crossbar(h)
        if self.channel["matrix"] == "transpose":
            kernel, frac = self.weights[h + 1], self.layers[h + 1]["weight"]["frac"]
        elif self.channel["matrix"] == "sign":
            kernel, frac = [[sign(w) for w in row] for row in self.weights[h + 1]], magnitude(above.fans)
        else:
            kernel, frac = self.feedback[h], self.channel["word"]["frac"] if self.channel["bits"] > 1 else 0
        matrix = [[0] * self.layers[h]["n_out"] for _ in range(above.n_neurons)]
        for position, heard in enumerate(above.heard):
            for row, unit in heard.items():
                for c in range(above.channels):
                    matrix[position * above.channels + c][unit] = kernel[row][c]
        return matrix, frac

    def receive(
        self, h: int, c: "tuple[list[list[int]], int]", d: "list[int]", a: "list[int]", b: int
    ) -> "tuple[list, list, list]":
        """(J of the emitted units, J and R of the neurons of the map) of layer h."""
        plan = self.plans[h]
        if not plan:
            return super().receive(h, c, d, a, b)
        arrived = self.arriving(h, c, d, plan.n_out, b)
        routed = [0] * plan.n_neurons
        for i, j in enumerate(arrived):
            routed[self.winners[h][i]] += self.requantised(self.at_received, j, self.health[h])
        for n, j in enumerate(routed):
            routed[n] = sat(self.received, j)
            self.health[h]["received_saturated"] += routed[n] != j
            self.tally[h]["routed"] += j != 0
        return arrived, routed, [self.local_signal(h, j, address) for j, address in zip(routed, a, strict=True)]

    # ---------------------------------------------------------------- update

    def new_weights(self, h: int, samples: "list[dict]") -> "list[list[int]]":
        """The kernel of layer h after the step: every position of every sample counts as a sample does elsewhere."""
        plan, layer = self.plans[h], self.layers[h]
        if not plan:
            return super().new_weights(h, samples)
        pairs, active, n = [], 0, plan.channels
        for s in samples:
            o, r = s["presynaptic"][h], s["Y"][h]
            self.tally[h]["signalled"] += nnz(r)
            active += nnz(o) if nnz(r) else 0
            if nnz(r):
                pairs += [(self.window(h, o, p), r[p * n : (p + 1) * n]) for p in range(len(plan.heard))]
        if layer["frozen"]:
            return self.weights[h]
        before = self.tally[h]["update_active"]
        lsb = self.learning_shift + layer["presynaptic"]["frac"] + self.received["frac"]
        kernel = self.updated(h, self.weights[h], layer["weight"], pairs, lsb, None, WEIGHT_COUNTS)
        self.tally[h]["update_active"] = before + active
        return kernel
