"""Notebook 02: similarity, clusters and silhouettes."""
