"""Put a network on a mesh of cores, and see what backpropagation and a skipped broadcast send over it.

python examples/placed_network.py [--quick] [--out DIR]      (a map of cores and links, their loads, and the traffic for Noxim)
"""

import argparse
from pathlib import Path

import neurosim as ns
from neurosim.studies.mesh_figures import mesh_files

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="a tenth of an epoch")
parser.add_argument("--out", type=Path, help="write map and traffic of the last network there")
given = parser.parse_args()

digits, hardware = ns.data.load("digits"), ns.load_hardware("digital_28nm")
for rule in ("bp", "srbp"):
    net = ns.Network(64, [*[ns.Dense(300)] * 3, ns.Dense(10, "softmax")], ns.RULES[rule], seed=1)
    codes = net.encode(digits.train_inputs, digits.full_scale)
    n = len(codes) // 10 if given.quick else len(codes)
    net.train(codes[:n], digits.train_labels[:n].astype(int), rate=7)

    plan = ns.place(net.layout(), hardware, counts=net.counts())
    moved = ns.traffic(plan, net.counts())
    cost = ns.price(net.counts(), None, net.layout(), hardware, plan)
    link, flits = moved.hottest
    print(f"{rule}: {len(plan.at)} cores, {plan.method}, {plan.cost_packet_hops:.0f} packets x hops", end=" ")
    print(f"(along a snake {plan.snake_packet_hops:.0f})")
    for phase, packets in moved.packets().items():
        hops = sum(s.east_west + s.north_south for s in moved.streams if s.phase == phase)
        print(f"  {phase:8} {packets:7.1f} packets a sample, {hops:8.1f} links crossed")
    print(f"  busiest link ({link.x}, {link.y}) {link.direction}: {flits:.1f} flits a sample")
    print(f"  communication {cost.energy_by_component['communication'].nominal:.0f} pJ a learning sample")
if given.out:
    mesh_files(cost, plan, net.counts(), given.out)
