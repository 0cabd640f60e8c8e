import numpy as np
import pytest


@pytest.fixture
def blobs():
    """A maker of (features, labels): Gaussian classes, their means `separation` standard deviations out."""

    def make(separation, n=200, dimensions=16, classes=4, seed=0):
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % classes
        means = rng.normal(size=(classes, dimensions))
        return rng.normal(size=(n, dimensions)) + separation * means[labels], labels

    return make
