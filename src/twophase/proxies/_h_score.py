"""H-score: how much of the features' variance lies between the classes.

Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas: An information-theoretic approach to transferability in
task transfer learning. ICIP 2019. https://arxiv.org/abs/2212.10082
"""

import numpy as np

from twophase.proxies._checks import check_choice, check_features
from twophase.proxies._threads import single_threaded

# Single-precision models resolve their features to about seven digits; what is below is rounding.
RANK_TOLERANCE = 1e-6


@single_threaded
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
    scaled = features / (np.abs(features).max() or 1.0)
    centred = scaled - scaled.mean(axis=0)
    counts = np.bincount(labels)  # (C,)
    onehot = np.eye(len(counts))[labels]  # (N, C)

    if shrinkage == "ledoit-wolf":
        from sklearn.covariance import ledoit_wolf

        means = onehot.T @ centred / counts[:, None]  # (C, D): E[f | y]
        between = (means.T * (counts / len(labels))) @ means  # (D, D)
        if not centred.any():
            return 0.0
        covariance, weight = ledoit_wolf(centred, assume_centered=True)
        return float((1 - weight) * np.trace(np.linalg.solve(covariance, between)))

    # With centred f = U S V', the trace is |E[U | y]|^2 summed over the examples: no inverse is formed.
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    left = left[:, singular > RANK_TOLERANCE * max(singular[0], RANK_TOLERANCE)]
    sums = onehot.T @ left  # (C, rank)
    return float((sums**2 / counts[:, None]).sum())
