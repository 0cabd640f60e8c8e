"""What every vision task shares: the side of a picture, balanced labels, noise and rounding."""

import numpy as np

SIDE = 16


def balanced_labels(n: int, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) labels in random order whose class counts differ by at most one."""
    return rng.permutation(np.arange(n) % n_classes)


def finish(pictures: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Add grey noise to (n, 16, 16, 3) pictures in [0, 1] and round to uint8."""
    pictures = pictures + rng.normal(0, noise, (*pictures.shape[:-1], 1))
    return np.round(np.clip(pictures, 0, 1) * 255).astype(np.uint8)
