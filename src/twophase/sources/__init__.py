"""Where models, tasks and records come from."""
