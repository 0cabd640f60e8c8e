"""LogME: logarithm of maximum evidence.

You, Liu, Wang, Long: LogME: practical assessment of pre-trained models for transfer learning.
ICML 2021. https://arxiv.org/abs/2102.11005
"""

import numpy as np

from twophase.proxies._checks import check_features, to_unit
from twophase.proxies._proxy import proxy

# Bounds of alpha / beta relative to the largest squared singular value. Where the evidence grows for
# ever towards 0 (labels an exact linear function of fewer than N features), the lower one ends it.
RATIO_BOUNDS = (1e-12, 1e12)
GRID = 241
STEPS, PRECISE = 60, 1e-8  # of the search around the grid's best point, in log t
# What the squares of singular values, rounded to 1e-16 of the largest, can tell: t and the residual q above these.
LEAST_RATIO, LEAST_RESIDUAL = 1e-7, 1e-6
TINY = np.finfo(np.float64).tiny


@proxy(label="LogME", reads="features")
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

    which is maximised over log t by a grid and a Newton search around its best point. That is exact
    for N < D and N >= D, and it cannot stop at a minor maximum as the customary fixed point can.

    s and z come from the eigenvectors of the smaller of F'F and F F', several times faster than from F itself; where
    the maximum lies beyond the digits that squares keep, from the singular vectors of F.

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
    features, n = to_unit(features), len(labels)
    onehot = np.eye(labels.max() + 1)[labels]  # (N, C)
    found = _from_squares(features, onehot, n)
    return float((_from_singular(features, onehot, n) if found is None else found).mean() / n)


def _from_squares(features, onehot, n):
    """Maximal log p of each class (C,) from the squares of s; None where they keep too few digits of it."""
    tall, counts = n >= features.shape[1], onehot.sum(axis=0)
    values, vectors = np.linalg.eigh(features.T @ features if tall else features @ features.T)
    if values[-1] <= 0:
        return None
    inner = vectors.T @ (features.T @ onehot) if tall else vectors.T @ onehot  # (k, C): s z, or z
    energy = inner**2 / (values[-1] if tall else 1)
    rest = counts if tall else np.zeros_like(counts)
    found, log_t, q = _max_evidence(np.maximum(values, 0) / values[-1], energy, rest, n, tall)
    enough = log_t.min() > np.log(LEAST_RATIO) and (not tall or (q / counts).min() > LEAST_RESIDUAL)
    return found if enough else None


def _from_singular(features, onehot, n):
    """Maximal log p of each class (C,) from the singular vectors."""
    left, singular, _ = np.linalg.svd(features, full_matrices=False)  # (N, k), (k,)
    if singular[0] == 0:
        singular = np.ones_like(singular)
        left = np.zeros_like(left)
    rotated = left.T @ onehot  # (k, C)
    # Not |y|^2 - |z|^2, which would lose the digits of a small residual.
    outside = ((onehot - left @ rotated) ** 2).sum(axis=0)
    return _max_evidence((singular / singular[0]) ** 2, rotated**2, outside, n, False)[0]


def _max_evidence(sigma, energy, rest, n, tall):
    """Max over t of log p for each class; returns it (C,), log t and q there.

    From s^2 (k,) and either z^2 (k, C) with the residual that no weights can reach (C,), or, `tall`, (s z)^2 with |y|^2.
    """

    def evidence(q, shrink):
        return n / 2 * (np.log(n / (2 * np.pi * np.maximum(q, TINY))) - 1) + np.log(shrink).sum(axis=-1) / 2

    low, high = np.log(RATIO_BOUNDS)
    grid = np.linspace(low, high, GRID)
    t = np.exp(grid)[:, None]
    shrink = t / (t + sigma)  # (T, k)
    q = rest - (shrink / t) @ energy if tall else rest + shrink @ energy  # (T, C)
    values = evidence(q.T, shrink)  # (C, T)
    best = values.argmax(axis=1)
    classes = np.arange(len(best))
    low, high, log_t = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, GRID - 1)], grid[best]
    for _ in range(STEPS):
        t = np.exp(log_t)[:, None]
        shrink = t / (t + sigma)  # (C, k)
        given = energy.T * shrink
        at = rest - (given / t).sum(axis=1) if tall else rest + given.sum(axis=1)
        change = given * shrink / t if tall else given * (1 - shrink)  # of q by log t
        ratio = change.sum(axis=1) / np.maximum(at, TINY)
        slope = (1 - shrink).sum(axis=1) / 2 - n / 2 * ratio
        bend = (change * (1 - 2 * shrink)).sum(axis=1) / np.maximum(at, TINY) - ratio**2
        bend = -n / 2 * bend - (shrink * (1 - shrink)).sum(axis=1) / 2
        low, high = np.where(slope > 0, log_t, low), np.where(slope > 0, high, log_t)
        step = log_t - np.divide(slope, bend, out=np.full_like(bend, np.inf), where=bend < 0)
        found = np.where((step > low) & (step < high), step, (low + high) / 2)
        moved, log_t = np.abs(found - log_t).max(), found
        if moved < PRECISE:
            break
    found, on_grid = evidence(at, shrink), values[classes, best]
    better = found > on_grid
    return np.where(better, found, on_grid), np.where(better, log_t, grid[best]), np.where(better, at, q[best, classes])
