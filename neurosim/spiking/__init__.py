"""Spiking networks in integers: populations, projections, local plasticity (docs/spiking.md)."""
