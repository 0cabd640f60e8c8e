"""LEEP: log expected empirical prediction.

Nguyen, Hassner, Seeger, Archambeau: LEEP: a new measure to evaluate transferability of learned
representations. ICML 2020. https://arxiv.org/abs/2002.12462
"""

import numpy as np

from twophase.proxies._checks import check_features, check_probabilities
from twophase.proxies._proxy import proxy

INITIAL_SPREAD = 0.02  # standard deviation with which transformers initialises a new head


@proxy(label="LEEP", reads="probabilities")
def leep(probabilities, labels):
    r"""Average log-likelihood of the target labels, predicted through the source labels alone.

    .. math::
        \hat P(y, z) = \frac{1}{N} \sum_{i: y_i = y} \theta(x_i)_z, \qquad
        T = \frac{1}{N} \sum_i \log \sum_z \hat P(y_i | z) \, \theta(x_i)_z

    Args:
        probabilities: (N, Z), of Z source labels for each of N examples: theta, the softmax of the source head.
        labels: (N,), target label of each example.

    Returns:
        float <= 0 in nats; 0 when each source label betrays the target label, and at least minus the entropy of the
        target labels, which is reached where the source labels say nothing.

    Raises:
        UserError: a wrong shape, NaN, rows that are no probabilities, wrong labels, one class only.
    """
    return expected_log_prediction(*check_probabilities(probabilities, labels))


@proxy(label="LEEP of a new head", reads="features", released=True)
def leep_reinitialised(features, labels, *, seed=0):
    r"""LEEP as the paper's released code comes to compute it: through a new, random head of as many labels as the target.

    The code loads each model with the target's number of labels, which replaces the source head; theta is then nearly
    uniform, and the score nearly minus the entropy of the target labels, whatever the model.

    Args:
        features: (N, D), input of the head, of each of N examples.
        labels: (N,), target label of each example.
        seed: of the head, a linear layer drawn from N(0, 0.02^2) without bias.

    Returns:
        float <= 0 in nats.

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only.
    """
    features, labels = check_features(features, labels)
    head = np.random.default_rng(seed).normal(0, INITIAL_SPREAD, (features.shape[1], labels.max() + 1))
    logits = features @ head  # (N, C)
    theta = np.exp(logits - logits.max(axis=1, keepdims=True))
    return expected_log_prediction(theta / theta.sum(axis=1, keepdims=True), labels)


def expected_log_prediction(theta, labels):
    """LEEP of checked input: theta (N, Z) with rows summing to one, labels (N,) integers 0..C-1."""
    joint = np.eye(labels.max() + 1)[labels].T @ theta / len(labels)  # (C, Z): P(y, z)
    marginal = joint.sum(axis=0)  # (Z,): P(z)
    # A source label that is never predicted has no conditional, and no weight in the sum below either.
    conditional = np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)  # (C, Z): P(y | z)
    predicted = (theta @ conditional.T)[np.arange(len(labels)), labels]  # (N,)
    # min: rounding can carry a certain prediction above one.
    return float(np.log(np.minimum(predicted, 1.0)).mean())
