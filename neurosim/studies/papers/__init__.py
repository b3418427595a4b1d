"""The published studies, one module a name."""
