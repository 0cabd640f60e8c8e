"""Features and source-label probabilities of a given size, with classes in them."""

import numpy as np

SIGNAL = 0.3  # standard deviation of the class means, that of the noise being one
DECAY = 0.5  # the i-th direction has a standard deviation of i^-DECAY, as features of trained models have long tails


def features(n: int, dimensions: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Single-precision features (n, dimensions), as models give them, and labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    values = rng.normal(size=(n, dimensions)) + SIGNAL * rng.normal(size=(classes, dimensions))[labels]
    values *= np.arange(1, dimensions + 1) ** -DECAY
    return values.astype(np.float32), labels


def probabilities(n: int, source: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Softmax (n, source) of a source head, and labels (n,)."""
    logits, labels = features(n, source, classes, seed)
    logits = 3 * logits.astype(np.float64)
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True), labels
