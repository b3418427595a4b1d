"""Bridges to other simulators: a described network in their words, to run, read and compare there."""
