"""neurosim."""
