"""The execution plane: what the simulated chip does, bit for bit."""
