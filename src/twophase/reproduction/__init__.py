"""What the notebooks call: one module a notebook, and the evidence that all of them read."""
