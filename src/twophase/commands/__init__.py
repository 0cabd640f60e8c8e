"""The command line: `select`, `matrix`, and the smaller verbs."""
