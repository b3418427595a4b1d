"""The learning rules in floating point, on the chip's own descriptions."""
