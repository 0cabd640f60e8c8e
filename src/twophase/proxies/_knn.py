"""kNN: do the nearest neighbours of an example share its class?

Renggli, Pinto, Rimanic, Puigcerver, Riquelme, Zhang, Lucic: Which model to transfer? Finding the
needle in the growing haystack. CVPR 2022. https://arxiv.org/abs/2010.06402
"""

import numpy as np

from twophase.errors import UserError
from twophase.inputs import check_choice
from twophase.proxies._checks import check_features, check_whole, to_unit
from twophase.proxies._proxy import proxy

BLOCK = 2**22  # similarities in memory at a time


@proxy(label="nearest neighbours", reads="features")
def knn(features, labels, *, k=5, metric="cosine"):
    r"""Leave-one-out accuracy of the k-nearest-neighbour classifier.

    .. math::
        T = \frac{1}{N} \sum_i [y_i = \mathrm{vote}(y_j : j \in \mathrm{kNN}(i), j \ne i)]

    Where classes tie, that of the nearest neighbour wins if it is among them, else the lowest number.

    Args:
        features: (N, D), a model's D features of each of N examples.
        labels: (N,), target label of each example.
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
    """Indices of each example's k nearest others (N, k), nearest first; of equally near ones the first.

    scikit-learn's neighbours come in no particular order where they are equally near, as copies of a text are.
    """
    if metric == "euclidean":  # x'y - |y|^2 / 2 has the order of nearness to x; a large mean would drown it
        vectors = features - features.mean(axis=0)
        offset = (vectors**2).sum(axis=1) / 2
    else:
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        vectors, offset = features / np.where(norms > 0, norms, 1), 0
    found = np.empty((len(vectors), k), dtype=np.intp)
    size = max(1, BLOCK // len(vectors))
    for start in range(0, len(vectors), size):
        near = vectors[start : start + size] @ vectors.T - offset  # (B, N)
        own = np.arange(len(near))
        near[own, start + own] = -np.inf
        least = np.partition(near, -k, axis=1)[:, -k]
        for place, row in enumerate(near):
            among = np.flatnonzero(row >= least[place])
            found[start + place] = among[np.argsort(-row[among], kind="stable")][:k]
    return found
