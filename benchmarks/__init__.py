"""Goals and rates. `python -m benchmarks [--smoke] [--write] [NAME ...]`."""
