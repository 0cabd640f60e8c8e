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
GRID = 241  # fine enough to tell the greatest maximum from a minor one
STEPS = 30  # of the golden section, down to a millionth of the grid's step
GOLDEN = (5**0.5 - 1) / 2


@proxy(label="LogME", reads="features")
def logme(features, labels):
    r"""Evidence of the labels under Bayesian linear regression on the features, maximised, per example.

    For the 0/1 indicator y of each class, w ~ N(0, I / alpha) and y ~ N(F w, I / beta):

    .. math::
        T = \frac{1}{C} \sum_c \frac{1}{N} \max_{\alpha, \beta} \log p(y_c | F, \alpha, \beta)

    With F = U diag(s) V', k = min(N, D), z = U' y and t = alpha / beta, the determinant of alpha I + beta F'F is
    alpha^(D - k) times that of the k singular directions, so D/2 log alpha of the prior leaves k/2 log alpha, whatever
    D is. The best beta follows from t, and one number remains:

    .. math::
        \log p = \tfrac N2 \log \tfrac{N}{2 \pi q(t)} - \tfrac N2
            + \tfrac12 \sum_{i \le k} \log \tfrac{t}{t + s_i^2}, \qquad
        q(t) = \|y\|^2 - \|z\|^2 + \sum_{i \le k} z_i^2 \tfrac{t}{t + s_i^2}

    which is maximised over log t by a grid and a golden section around its best point. That is exact for N < D and
    N >= D, and it cannot stop at a minor maximum as the customary fixed point can.

    Args:
        features: (N, D), a model's D features of each of N examples; their scale and rotation do not matter.
        labels: (N,), target label of each example; C classes occur.

    Returns:
        float, in nats an example; unbounded on either side, but finite.

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only.
    """
    features, labels = check_features(features, labels)
    onehot = np.eye(labels.max() + 1)[labels]  # (N, C)
    left, singular, _ = np.linalg.svd(to_unit(features), full_matrices=False)  # (N, k), (k,)
    rotated = left.T @ onehot  # (k, C): z
    # Not |y|^2 - |z|^2, which would lose the digits of a small residual.
    outside = ((onehot - left @ rotated) ** 2).sum(axis=0)  # (C,)
    squares = (singular / (singular[0] or 1.0)) ** 2
    return float(_max_evidence(squares, rotated.T**2, outside, len(labels)).mean() / len(labels))


def _max_evidence(squares, energy, outside, n):
    """Max over t of log p for each class (C,), from s^2 (k,), z^2 (C, k) and |y|^2 - |z|^2 (C,)."""

    def evidence(log_t):  # (C,), or (T, 1) where the classes share t
        shrink = 1 / (1 + squares * np.exp(-log_t)[..., None])  # (..., k): t / (t + s^2)
        q = outside + np.einsum("...k,...k->...", shrink, energy)
        return n / 2 * (np.log(n / (2 * np.pi * q)) - 1) + np.log(shrink).sum(axis=-1) / 2

    grid = np.linspace(*np.log(RATIO_BOUNDS), GRID)
    on_grid = evidence(grid[:, None])  # (T, C)
    best = on_grid.argmax(axis=0)
    low, high = grid[np.clip([best - 1, best + 1], 0, GRID - 1)]
    for _ in range(STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        falls = evidence(left) > evidence(right)
        low, high = np.where(falls, low, left), np.where(falls, right, high)
    # At either bound the grid's own point is the best.
    return np.maximum(on_grid.max(axis=0), evidence((low + high) / 2))
