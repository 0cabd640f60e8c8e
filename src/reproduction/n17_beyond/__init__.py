"""Notebook 17: the method beyond the paper. One belief decides whom to look at, whom to train and when to stop."""
