"""Find the pre-trained model worth fine-tuning for a new task: coarse recall, then fine-selection."""

__version__ = "0.1.0"
