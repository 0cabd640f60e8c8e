"""NCE: negative conditional entropy.

Tran, Nguyen, Hassner: Transferability and hardness of supervised classification tasks. ICCV 2019.
https://arxiv.org/abs/1908.08142
"""

import numpy as np

from twophase.proxies._checks import check_probabilities
from twophase.proxies._proxy import proxy


@proxy(label="NCE", reads="probabilities")
def nce(probabilities, labels):
    r"""Minus the entropy of the target labels given the source label that each example is predicted to have.

    .. math::
        z_i = \mathrm{argmax}_z \, \theta(x_i)_z, \qquad
        T = -H(Y | Z) = \sum_{y, z} \hat P(y, z) \log \frac{\hat P(y, z)}{\hat P(z)}

    Args:
        probabilities: (N, Z), of Z source labels for each of N examples: theta, the softmax of the source head; of equal
            ones the first is predicted.
        labels: (N,), target label of each example.

    Returns:
        float <= 0 in nats; 0 when each source label betrays the target label, and at least minus the entropy of the
        target labels.

    Raises:
        UserError: a wrong shape, NaN, rows that are no probabilities, wrong labels, one class only.
    """
    theta, labels = check_probabilities(probabilities, labels)
    counts = np.zeros((labels.max() + 1, theta.shape[1]))  # (C, Z)
    np.add.at(counts, (labels, theta.argmax(axis=1)), 1)
    share = counts / np.maximum(counts.sum(axis=0), 1)  # (C, Z): P(y | z)
    return float((counts * np.log(np.where(counts > 0, share, 1))).sum() / len(labels))
