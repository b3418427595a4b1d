"""Learn the digits on chip in a few lines, and see what one sample cost.

python examples/01_first_network.py [--quick]
"""

import argparse

import neurosim as ns

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="one epoch")
epochs = 1 if parser.parse_args().quick else 10

channel = ns.RULES["srbp"].replace(
    error=ns.Quantiser(bits=4),
    feedback=ns.FeedbackCrossbar(bits=1, values="01", density=0.25),
)
net = ns.Network(64, [ns.Dense(100, "tanh"), ns.Dense(10, "softmax")], channel, seed=1)
digits = ns.data.load("digits")
codes = net.encode(digits.train_inputs, digits.full_scale)
test_codes = net.encode(digits.test_inputs, digits.full_scale)
for epoch in range(epochs):
    net.train(codes, digits.train_labels.astype(int), rate=6 + epoch // 2)
    print(f"epoch {epoch + 1}: {net.evaluate(test_codes, digits.test_labels.astype(int)):.2%}")

cost = ns.price(net.counts(), net.test_counts(), net.layout(), ns.load_hardware("digital_45nm"))
print(f"{cost.energy_pj_per_sample / 1e3:.1f} nJ a learning sample; grade {cost.grade.basis}, {cost.grade.tag}")
print({name: f"{band.nominal / 1e3:.2f} nJ" for name, band in cost.energy_by_phase.items()})
print("losses by layer:", {name: lost for name, lost in net.health().items() if any(lost)})
