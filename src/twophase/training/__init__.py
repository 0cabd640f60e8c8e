"""Fine-tuning and feature extraction: models and tasks as tensors, epochs that can be resumed, cells of a matrix."""
