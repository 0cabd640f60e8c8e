"""N-LEEP: LEEP for models without a source head.

Li, Jia, Sang, Zhu, Green, Wang, Gong: Ranking neural checkpoints. CVPR 2021. https://arxiv.org/abs/2011.11200
"""

import warnings

import numpy as np

from twophase.errors import UserError
from twophase.inputs import check_choice
from twophase.proxies._checks import check_features, check_positive, check_whole, to_unit
from twophase.proxies._leep import expected_log_prediction
from twophase.proxies._proxy import proxy


@proxy(label="NLEEP", reads="features")
def nleep(
    features, labels, *, energy=0.8, components_per_class=5, examples_per_component=10, covariance="diag", seed=0
):
    r"""LEEP with the components of a Gaussian mixture over the features in place of source labels.

    PCA keeps `energy` of the variance, a mixture of V Gaussians is fitted to the projections s, and the posterior
    P(v | s_i) is what LEEP takes as source-label probabilities:

    .. math::
        T = \frac{1}{N} \sum_i \log \sum_v \hat P(y_i | v) \, P(v | s_i)

    V = `components_per_class` x C, but no more than one component for `examples_per_component` examples (and at least
    2): with a component an example any features at all would score 0. V depends on the dataset alone, so the scores of
    two models on one dataset compare.

    Args:
        features: (N, D), a model's D features of each of N examples; their scale and rotation do not matter.
        labels: (N,), target label of each example.
        energy: share of the variance that PCA keeps, above 0 and below 1.
        covariance: "diag" or "full", of each component. Diagonal by default: ten examples do not determine a full
            matrix, and PCA has removed the features' overall correlations.
        seed: of the mixture's initial means (k-means++).

    Returns:
        float <= 0 in nats. Features without variance give minus the entropy of the labels.

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only, an option out of range.
    """
    features, labels = check_features(features, labels)
    check_positive("energy", energy)
    if energy >= 1:
        raise UserError(f"energy: got {energy!r}; allowed: a share of the variance above 0 and below 1")
    check_whole("components_per_class", components_per_class, 1)
    check_whole("examples_per_component", examples_per_component, 1)
    check_choice("covariance", covariance, ("diag", "full"))
    check_whole("seed", seed, 0)

    projected = _project(to_unit(features), energy)  # (N, P)
    wanted = min(components_per_class * (labels.max() + 1), len(labels) // examples_per_component)
    distinct = len(np.unique(projected, axis=0))
    return expected_log_prediction(_posterior(projected, min(max(2, wanted), distinct), covariance, seed), labels)


def _project(features, energy):
    """Principal components (N, P) holding `energy` of the variance, scaled to the first; a column of zeros if flat."""
    left, singular, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    if singular[0] <= np.finfo(np.float64).eps * np.sqrt(features.size):
        return np.zeros((len(features), 1))
    share = np.cumsum(singular**2) / np.sum(singular**2)
    keep = int(np.searchsorted(share, energy)) + 1
    # The mixture adds a fixed amount to every variance: in these units it is the same for all models.
    return left[:, :keep] * (singular[:keep] / singular[0] * np.sqrt(len(features)))


def _posterior(projected, components, covariance, seed):
    """P(component | example), (N, V)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        components, covariance_type=covariance, init_params="k-means++", reg_covar=1e-3, random_state=seed
    )
    with warnings.catch_warnings():
        # A posterior serves whether or not the likelihood would still creep up.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(projected).predict_proba(projected)
