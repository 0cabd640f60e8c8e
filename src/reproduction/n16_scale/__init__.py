"""Notebook 16: speed, memory, and the cost of a hub."""
