"""H-score: how much of the features' variance lies between the classes.

Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas: An information-theoretic approach to transferability in
task transfer learning. ICIP 2019. https://arxiv.org/abs/2212.10082
"""

import numpy as np

from twophase.proxies._checks import check_choice, check_features, to_unit
from twophase.proxies._proxy import proxy

# Single-precision models resolve their features to about seven digits; what is below is rounding.
RANK_TOLERANCE = 1e-6
# Squares of singular values, relative to the largest: below these bounds certainly rounding, above certainly none.
UNCLEAR = 1e-13, 1e-8


@proxy(label="H-score", reads="features")
def h_score(features, labels, *, shrinkage="none"):
    r"""Trace of the between-class covariance, measured in the features' own covariance.

    .. math::
        H = \mathrm{tr}\left(\mathrm{cov}(f)^{+} \, \mathrm{cov}(E[f | y])\right)

    The inverse is the pseudo-inverse: directions without variance count for nothing. With fewer
    examples than dimensions every class is then perfectly separable and H = C - 1 whatever the
    features; `shrinkage="ledoit-wolf"` (Ibrahim, Ponomareva, Mazumder: Newer is not always better,
    ECML 2022) stays informative there: cov(f) is shrunk by Ledoit and Wolf's weight a, and the trace
    is multiplied by 1 - a.

    Args:
        features: a model's features of each example.
        labels: target label of each example, integers from 0; classes that do not occur are ignored.
        shrinkage: "none" (the paper) or "ledoit-wolf".

    Returns:
        float from 0 (class means coincide) to min(C - 1, D).

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only, an unknown shrinkage.

    Shape:
        - features: (N, D), labels: (N,), for N examples of D features and C classes
    """
    features, labels = check_features(features, labels)
    check_choice("shrinkage", shrinkage, ("none", "ledoit-wolf"))
    # The score does not depend on the scale; bringing it near one keeps the squares within range.
    unit = to_unit(features)
    centred = unit - unit.mean(axis=0)
    if not centred.any():
        return 0.0
    onehot = np.eye(labels.max() + 1)[labels]  # (N, C)
    return float((_shrunk if shrinkage == "ledoit-wolf" else _plain)(centred, onehot, onehot.sum(axis=0)))


def _plain(centred, onehot, counts):
    """With f = U S V', the trace is |E[U | y]|^2 summed over the examples."""
    sums = _class_sums_by_squares(centred, onehot)
    if sums is None:
        left, singular, _ = np.linalg.svd(centred, full_matrices=False)
        sums = left[:, singular > RANK_TOLERANCE * max(singular[0], RANK_TOLERANCE)].T @ onehot  # (rank, C)
    return (sums**2 / counts).sum()


def _class_sums_by_squares(centred, onehot):
    """U summed over each class (rank, C), from the squares of S, faster; None where they do not tell the rank."""
    tall = centred.shape[0] >= centred.shape[1]
    values, vectors = np.linalg.eigh(centred.T @ centred if tall else centred @ centred.T)
    share = values / values[-1]
    if values[-1] < RANK_TOLERANCE**2 or ((share > UNCLEAR[0]) & (share < UNCLEAR[1])).any():
        return None
    kept = share >= UNCLEAR[1]
    if not tall:
        return vectors[:, kept].T @ onehot
    return vectors[:, kept].T @ (centred.T @ onehot) / np.sqrt(values[kept])[:, None]


def _shrunk(centred, onehot, counts):
    n, dimensions = centred.shape
    covariance = centred.T @ centred / n
    # Ledoit and Wolf's weight: scikit-learn's `ledoit_wolf`, which takes the sum of fourth moments from a product of
    # matrices as large as the covariance.
    scale, size = np.trace(covariance) / dimensions, (covariance**2).sum()
    spread = (np.einsum("nd,nd->n", centred, centred) ** 2).sum() / n
    noise, distance = (spread - size) / n, size - dimensions * scale**2
    weight = min(noise / distance, 1.0) if noise > 0 and distance > 0 else float(distance <= 0 < noise)
    covariance *= 1 - weight
    covariance.flat[:: dimensions + 1] += weight * scale
    sums = centred.T @ onehot  # (D, C): n_c E[f | y]
    return (1 - weight) * (sums * np.linalg.solve(covariance, sums) / counts).sum() / n
