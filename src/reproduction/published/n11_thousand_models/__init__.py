"""Notebook 11: coarse recall among a thousand real models, and how many benchmark datasets it needs."""
