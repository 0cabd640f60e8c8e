"""H-score: how much of the features' variance lies between the classes.

Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas: An information-theoretic approach to transferability in
task transfer learning. ICIP 2019. https://arxiv.org/abs/2212.10082
"""

import numpy as np

from twophase.inputs import check_choice
from twophase.proxies._checks import check_features, to_unit
from twophase.proxies._proxy import proxy

# Single-precision models resolve their features to about seven digits; what is below is rounding.
RANK_TOLERANCE = 1e-6


@proxy(label="H-score", reads="features")
def h_score(features, labels, *, shrinkage="none"):
    r"""Trace of the between-class covariance, measured in the features' own covariance.

    .. math::
        H = \mathrm{tr}\left(\mathrm{cov}(f)^{+} \, \mathrm{cov}(E[f | y])\right)

    The inverse is the pseudo-inverse: directions without variance count for nothing. With fewer examples than
    dimensions every class is then perfectly separable and H = C - 1 whatever the features; `shrinkage="ledoit-wolf"`
    (Ibrahim, Ponomareva, Mazumder: Newer is not always better, ECML 2022) stays informative there: cov(f) is shrunk by
    Ledoit and Wolf's weight a, and the trace is multiplied by 1 - a.

    Args:
        features: (N, D), a model's D features of each of N examples.
        labels: (N,), target label of each example; C classes occur.
        shrinkage: "none" (the paper) or "ledoit-wolf".

    Returns:
        float from 0 (class means coincide) to min(C - 1, D).

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only, an unknown shrinkage.
    """
    features, labels = check_features(features, labels)
    check_choice("shrinkage", shrinkage, ("none", "ledoit-wolf"))
    # The score does not depend on the scale; bringing it near one keeps the squares within range.
    unit = to_unit(features)
    centred = unit - unit.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    kept = singular > RANK_TOLERANCE * max(singular[0], RANK_TOLERANCE)
    # With f = U S V', the trace is |E[U | y]|^2 summed over the examples.
    sums = left[:, kept].T @ np.eye(labels.max() + 1)[labels]  # (rank, C)
    between = (sums**2 / np.bincount(labels)).sum(axis=1)  # (rank,): share of each direction's variance
    if shrinkage == "none":
        return float(between.sum())

    from sklearn.covariance import ledoit_wolf_shrinkage

    weight = ledoit_wolf_shrinkage(centred, assume_centered=True)
    # In these directions cov(f) is diagonal, and shrinking takes it to (1 - a) cov(f) + a tr(cov(f)) / D.
    own, added = (1 - weight) * singular[kept] ** 2, weight * (singular**2).sum() / features.shape[1]
    return float((between * own / (own + added)).sum())
