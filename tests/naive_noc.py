"""The mesh, slowly: routes walked link by link, and routers cycle by cycle (docs/mapping.md 2, 4 and 5).

Written from the document. Nothing here imports the package.
"""

from collections import deque

STEPS = {"east": (1, 0), "west": (-1, 0), "south": (0, 1), "north": (0, -1)}
FACING = {"east": "west", "west": "east", "south": "north", "north": "south"}
INPUTS = ("west", "east", "north", "south", "from core", "from port")


def way(here, target):
    """The output of the router at `here` towards a target: along x first, then along y, then into the core."""
    (x, y), (u, v) = here, target
    if x != u:
        return "east" if u > x else "west"
    if y != v:
        return "south" if v > y else "north"
    return "into core"


def walk(source, target, *, port=False):
    """All links of the route, the way in and the way out among them: [(x, y, direction)]."""
    links = [(*source, "from port" if port else "from core")]
    here = source
    while (out := way(here, target)) != "into core":
        links.append((*here, out))
        here = here[0] + STEPS[out][0], here[1] + STEPS[out][1]
    return [*links, (*here, "into core")]


def loads(packets, multicast):
    """Flits by link of packets (source, port, targets, flits, how many): with multicast no link twice for one packet."""
    found = {}
    for source, port, targets, flits, n in packets:
        crossed = [link for t in targets for link in walk(source, t, port=port)]
        for link in dict.fromkeys(crossed) if multicast else crossed:
            found[link] = found.get(link, 0) + flits * n
    return found


class Mesh:
    """Routers with a FIFO at every input; one flit a cycle over every link.

    depth: flits that a FIFO holds, None for any number. An output goes to the inputs that ask for it in turn, and stays with a
    packet from its first flit to its last. A flit that branches leaves its FIFO when all its branches have gone.
    """

    def __init__(self, width, height, depth=None):
        self.width, self.height, self.depth = width, height, depth
        self.fifo = {(x, y, i): deque() for y in range(height) for x in range(width) for i in INPUTS}
        self.left = {}  # by input: branches of its first flit that have not gone
        self.owner = {}  # by router and output: the input that holds it
        self.last = {}  # by router and output: the input that had it last
        self.crossed = {}
        self.arrived = []

    def free(self, x, y, out):
        if out == "into core" or self.depth is None:
            return True
        dx, dy = STEPS[out]
        return len(self.fifo[x + dx, y + dy, FACING[out]]) < self.depth

    def branches(self, key):
        """{output: targets} of the first flit of a FIFO that are still to go."""
        if key not in self.left:
            (x, y, _), (_, _, _, targets) = key, self.fifo[key][0]
            split = {}
            for t in targets:
                split.setdefault(way((x, y), t), []).append(t)
            self.left[key] = split
        return self.left[key]

    def cycle(self, now):
        """One cycle: all routers decide on what they see, then all flits move."""
        asked = {}
        for (x, y, i), fifo in self.fifo.items():
            if fifo:
                for out in self.branches((x, y, i)):
                    asked.setdefault((x, y, out), []).append(i)
        moves = []
        for (x, y, out), inputs in asked.items():
            if not self.free(x, y, out):
                continue
            owner = self.owner.get((x, y, out))
            if owner is None:
                starts = [i for i in inputs if self.fifo[x, y, i][0][1] == 0]
                if not starts:
                    continue
                begin = INPUTS.index(self.last[x, y, out]) + 1 if (x, y, out) in self.last else 0
                owner = min(starts, key=lambda i: (INPUTS.index(i) - begin) % len(INPUTS))
            elif owner not in inputs:
                continue
            moves.append((x, y, owner, out))
        for x, y, i, out in moves:
            self.move(x, y, i, out, now)
        for key in [k for k, split in self.left.items() if not split]:
            self.fifo[key].popleft()
            del self.left[key]

    def move(self, x, y, i, out, now):
        packet, index, flits, _ = self.fifo[x, y, i][0]
        targets = self.left[x, y, i].pop(out)
        self.crossed[x, y, out] = self.crossed.get((x, y, out), 0) + 1
        self.last[x, y, out] = i
        self.owner[x, y, out] = i if index < flits - 1 else None
        if out == "into core":
            self.arrived.append((packet, index, (x, y), now + 1))
        else:
            dx, dy = STEPS[out]
            self.fifo[x + dx, y + dy, FACING[out]].append((packet, index, flits, targets))


def simulate(width, height, packets, *, multicast, depth=None):
    """Packets (cycle, source, port, targets, flits) through a mesh: (arrivals [(packet, flit, core, cycle)], flits by link).

    A packet waits at its source for those before it; a source passes one flit a cycle. Without multicast it is sent once for
    each target.
    """
    mesh, sources, order = Mesh(width, height, depth), {}, sorted(range(len(packets)), key=lambda p: packets[p][0])
    for p in order:
        cycle, source, port, targets, flits = packets[p]
        for group in [targets] if multicast else [[t] for t in targets]:
            queue = sources.setdefault((*source, "from port" if port else "from core"), deque())
            queue.extend((cycle, (p, index, flits, group)) for index in range(flits))
    now = 0
    while any(sources.values()) or any(mesh.fifo.values()):
        for key, queue in sources.items():
            if queue and queue[0][0] <= now and (depth is None or len(mesh.fifo[key]) < depth):
                mesh.fifo[key].append(queue.popleft()[1])
                mesh.crossed[key] = mesh.crossed.get(key, 0) + 1
        mesh.cycle(now)
        now += 1
    return mesh.arrived, mesh.crossed


# ------------------------------------------------------------------------------------------ who sends to whom


def inside(g, map_y, map_x):
    """Positions below in the window of a position of the map."""
    for dy in range(g["kernel"]):
        for dx in range(g["kernel"]):
            y, x = map_y * g["stride"] - g["top"] + dy, map_x * g["stride"] - g["left"] + dx
            if 0 <= y < g["inputs"][0] and 0 <= x < g["inputs"][1]:
                yield y, x


def neuron_core(slices, layer, neuron, channels):
    """The core of a neuron; of a map, channels > 1, it is position * channels + channel."""
    position, channel = divmod(neuron, channels)
    return next(
        s["core"]
        for s in slices
        if s["layer"] == layer and s["first"] <= position < s["last"] and s["low"] <= channel < s["high"]
    )


def emitted_core(slices, layer, unit, g):
    """The core that sends for a unit that a layer emits: that of the first position of its pooling window."""
    if g is None:
        return neuron_core(slices, layer, unit, 1)
    position, channel = divmod(unit, g["channels"])
    y, x = divmod(position, g["out"][1])
    y, x = max(0, y * g["pool_stride"] - g["pool_top"]), max(0, x * g["pool_stride"] - g["pool_left"])
    return neuron_core(slices, layer, (y * g["map"][1] + x) * g["channels"] + channel, g["channels"])


def event_targets(slices, layer, unit, g):
    """The cores that an event of a unit goes to: all of the layer, or those with a position that hears it."""
    if g is None:
        return sorted({s["core"] for s in slices if s["layer"] == layer})
    y, x = divmod(unit // g["inputs"][2], g["inputs"][1])
    found = set()
    for map_y in range(g["map"][0]):
        for map_x in range(g["map"][1]):
            if (y, x) in inside(g, map_y, map_x):
                position = map_y * g["map"][1] + map_x
                found |= {s["core"] for s in slices if s["layer"] == layer and s["first"] <= position < s["last"]}
    return sorted(found)


def code_targets(slices, receiver, neuron, g, below):
    """The cores that a code of a neuron of a map goes to in the map below: those of the units in its window."""
    map_y, map_x = divmod(neuron // g["channels"], g["map"][1])
    return sorted(
        {
            emitted_core(slices, receiver, (y * g["inputs"][1] + x) * g["inputs"][2] + c, below)
            for y, x in inside(g, map_y, map_x)
            for c in range(g["inputs"][2])
        }
    )
