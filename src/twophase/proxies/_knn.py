"""kNN: do the nearest neighbours of an example share its class?

Renggli, Pinto, Rimanic, Puigcerver, Riquelme, Zhang, Lucic: Which model to transfer? Finding the
needle in the growing haystack. CVPR 2022. https://arxiv.org/abs/2010.06402
"""

import numpy as np

from twophase.errors import UserError
from twophase.proxies._checks import check_choice, check_features, check_whole, to_unit
from twophase.proxies._proxy import proxy


@proxy(label="nearest neighbours", reads="features")
def knn(features, labels, *, k=5, metric="cosine"):
    r"""Leave-one-out accuracy of the k-nearest-neighbour classifier.

    .. math::
        T = \frac{1}{N} \sum_i [y_i = \mathrm{vote}(y_j : j \in \mathrm{kNN}(i), j \ne i)]

    Where classes tie, that of the nearest neighbour wins if it is among them, else the lowest number.

    Args:
        features: (N, D), a model's D features of each of N examples.
        labels: (N,), target label of each example, integers from 0.
        k: number of neighbours, fewer than there are examples.
        metric: "cosine" or "euclidean".

    Returns:
        float in [0, 1].

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only, k >= N, an unknown metric.
    """
    features, labels = check_features(features, labels)
    check_whole("k", k, 1)
    check_choice("metric", metric, ("cosine", "euclidean"))
    if k >= len(labels):
        raise UserError(f"k: got {k} for {len(labels)} examples; needs fewer neighbours than examples")

    neighbours = labels[_nearest(to_unit(features), k, metric)]  # (N, k), nearest first
    votes = np.eye(labels.max() + 1)[neighbours].sum(axis=1)  # (N, C)
    votes[np.arange(len(labels)), neighbours[:, 0]] += 0.5
    return float((votes.argmax(axis=1) == labels).mean())


def _nearest(features, k, metric):
    """Indices of each example's k nearest others (N, k), nearest first."""
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    if metric == "euclidean":
        # Distances come from |x|^2 - 2x'y + |y|^2, where a large mean would drown them.
        features = features - features.mean(axis=0)
    with config_context(working_memory=64):  # MiB of distances at a time
        search = NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(features)
        # Without an argument it leaves each example out of its own neighbours, by its index: copies stay in.
        return search.kneighbors(return_distance=False)
