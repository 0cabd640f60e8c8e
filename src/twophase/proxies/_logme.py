"""LogME: logarithm of maximum evidence.

You, Liu, Wang, Long: LogME: practical assessment of pre-trained models for transfer learning.
ICML 2021. https://arxiv.org/abs/2102.11005
"""

import numpy as np

from twophase.proxies._checks import check_features
from twophase.proxies._threads import single_threaded

# Bounds of alpha / beta relative to the largest squared singular value. Where the evidence grows for
# ever towards 0 (labels an exact linear function of fewer than N features), the lower one ends it.
RATIO_BOUNDS = (1e-12, 1e12)
GRID = 241


@single_threaded
def logme(features, labels):
    r"""Evidence of the labels under Bayesian linear regression on the features, maximised, per example.

    For the 0/1 indicator y of each class, w ~ N(0, I / alpha) and y ~ N(F w, I / beta):

    .. math::
        T = \frac{1}{C} \sum_c \frac{1}{N} \max_{\alpha, \beta} \log p(y_c | F, \alpha, \beta)

    With F = U diag(s) V', k = min(N, D), z = U' y and t = alpha / beta, the determinant of
    alpha I + beta F'F is alpha^(D - k) times that of the k singular directions, so D/2 log alpha of
    the prior leaves k/2 log alpha, whatever D is. The best beta follows from t, and one number remains:

    .. math::
        \log p = \tfrac N2 \log \tfrac{N}{2 \pi q(t)} - \tfrac N2
            + \tfrac12 \sum_{i \le k} \log \tfrac{t}{t + s_i^2}, \qquad
        q(t) = \|y\|^2 - \|z\|^2 + \sum_{i \le k} z_i^2 \tfrac{t}{t + s_i^2}

    which is maximised over log t by a grid and a bounded search around its best point. That is exact
    for N < D and N >= D, and it cannot stop at a minor maximum as the customary fixed point can.

    Args:
        features: a model's features of each example; their scale and rotation do not matter.
        labels: target label of each example, integers from 0; classes that do not occur are ignored.

    Returns:
        float, in nats an example; unbounded on either side, but finite.

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only.

    Shape:
        - features: (N, D), labels: (N,), for N examples of D features
    """
    features, labels = check_features(features, labels)
    n = len(labels)
    onehot = np.eye(labels.max() + 1)[labels]  # (N, C)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)  # (N, k), (k,)
    if singular[0] == 0:
        singular = np.ones_like(singular)
        left = np.zeros_like(left)
    sigma = (singular / singular[0]) ** 2  # (k,)
    rotated = left.T @ onehot  # (k, C)
    # Not |y|^2 - |z|^2, which would lose the digits of a small residual.
    outside = ((onehot - left @ rotated) ** 2).sum(axis=0)  # (C,)
    return float(np.mean([_max_evidence(sigma, z**2, rest, n) for z, rest in zip(rotated.T, outside, strict=True)]) / n)


def _max_evidence(sigma, energy, outside, n):
    """Max over t of log p, from s^2 (k,), z^2 (k,) and the residual that no weights can reach."""
    from scipy.optimize import minimize_scalar

    def evidence(log_t):
        shrink = 1 / (1 + sigma * np.exp(-np.atleast_1d(log_t))[:, None])  # (T, k): t / (t + s^2)
        q = outside + shrink @ energy
        return n / 2 * (np.log(n / (2 * np.pi * q)) - 1) + np.log(shrink).sum(axis=1) / 2

    low, high = np.log(RATIO_BOUNDS)
    grid = np.linspace(low, high, GRID)
    values = evidence(grid)
    best = int(values.argmax())
    around = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    found = minimize_scalar(lambda log_t: -evidence(log_t)[0], bounds=around, method="bounded")
    return max(values[best], -found.fun)
