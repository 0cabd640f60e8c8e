"""LEEP and N-LEEP written down as the papers say, step by step: what ours are compared with."""

import math

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture


def leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """LEEP (Nguyen et al. 2020, Section 3): probabilities (N, Z), labels (N,)."""
    n, source = probabilities.shape
    joint = np.zeros((int(labels.max()) + 1, source))
    for theta, label in zip(probabilities, labels, strict=True):
        joint[label] += theta / n
    marginal = joint.sum(axis=0)
    conditional = joint / marginal
    total = 0.0
    for theta, label in zip(probabilities, labels, strict=True):
        total += math.log(float(conditional[label] @ theta))
    return total / n


def nleep(
    features: np.ndarray, labels: np.ndarray, energy: float, components: int, covariance: str, seed: int
) -> float:
    """N-LEEP (Li et al. 2021, Section 3.2): PCA that keeps `energy`, a mixture of `components`, LEEP of its posteriors.

    Features are (N, D), brought to a first component of variance one: what scikit-learn adds to variances is absolute.
    """
    projected = PCA(energy, svd_solver="full").fit_transform(features.astype(np.float64))
    projected /= projected[:, 0].std()
    mixture = GaussianMixture(
        components, covariance_type=covariance, init_params="k-means++", reg_covar=1e-3, random_state=seed
    )
    return leep(mixture.fit(projected).predict_proba(projected), labels)
