"""kNN: do the nearest neighbours of an example share its class?

Renggli, Pinto, Rimanic, Puigcerver, Riquelme, Zhang, Lucic: Which model to transfer? Finding the
needle in the growing haystack. CVPR 2022. https://arxiv.org/abs/2010.06402
"""

import numpy as np

from twophase.errors import UserError
from twophase.proxies._checks import check_choice, check_features, check_whole, to_unit
from twophase.proxies._proxy import proxy

BLOCK = 2**22  # similarities in memory at a time
FEW = 32  # neighbours up to which looking for the largest one again and again is the fastest way to sort them out
MANY = 512  # dimensions from which on a product costs more than a second look at it
# Of a product of vectors of D numbers in single precision, relative to their lengths and to sqrt(D): several times what
# random rounding adds up to.
ROUNDING = 4 * 2.0**-24


@proxy(label="nearest neighbours", reads="features")
def knn(features, labels, *, k=5, metric="cosine"):
    r"""Leave-one-out accuracy of the k-nearest-neighbour classifier.

    .. math::
        T = \frac{1}{N} \sum_i [y_i = \mathrm{vote}(y_j : j \in \mathrm{kNN}(i), j \ne i)]

    Where classes tie, that of the nearest neighbour wins if it is among them, else the lowest number.

    Args:
        features: a model's features of each example.
        labels: target label of each example, integers from 0.
        k: number of neighbours, fewer than there are examples.
        metric: "cosine" or "euclidean".

    Returns:
        float in [0, 1].

    Raises:
        UserError: a wrong shape, NaN, wrong labels, one class only, k >= N, an unknown metric.

    Shape:
        - features: (N, D), labels: (N,), for N examples of D features
    """
    features, labels = check_features(features, labels)
    check_whole("k", k, 1)
    check_choice("metric", metric, ("cosine", "euclidean"))
    if k >= len(labels):
        raise UserError(f"k: got {k} for {len(labels)} examples; needs fewer neighbours than examples")

    neighbours = labels[_nearest(_unit(to_unit(features), metric), k, metric)]  # (N, k), nearest first
    votes = np.eye(labels.max() + 1)[neighbours].sum(axis=1)  # (N, C)
    votes[np.arange(len(labels)), neighbours[:, 0]] += 0.5
    return float((votes.argmax(axis=1) == labels).mean())


def _unit(features, metric):
    """Vectors, in place, whose order of nearness to x is that of x'y (cosine), or of x'y - |y|^2 / 2 (euclidean)."""
    if metric == "euclidean":
        features -= features.mean(axis=0)
        return features
    norms = np.sqrt(np.einsum("nd,nd->n", features, features))[:, None]
    features /= np.where(norms > 0, norms, 1)
    return features


def _nearest(vectors, k, metric):
    """Indices of each example's k nearest others (N, k), nearest first.

    In single precision, twice as fast; where its rounding could exchange the k-th neighbour for the next one, or the
    first for the second, in double.
    """
    n, dimensions = vectors.shape
    norms = np.einsum("nd,nd->n", vectors, vectors)
    half = norms / 2 if metric == "euclidean" else np.zeros(n)
    error = ROUNDING * np.sqrt(dimensions) * (np.sqrt(norms * norms.max()) + half.max())  # (N,)
    single, single_half = vectors.astype(np.float32), half.astype(np.float32)
    block, wanted = min(n, max(1, BLOCK // n)), min(k + 1, n - 1)
    found = np.empty((n, wanted), dtype=np.intp)
    nearness = np.full((n, wanted), -np.inf, dtype=np.float32)
    for start in range(0, n, block):
        stop = min(start + block, n)
        first = start if dimensions >= MANY else 0  # products of a block with those before it are known from there
        near = single[start:stop] @ single[first:].T
        near[np.arange(stop - start), np.arange(start, stop) - first] = -np.inf
        if dimensions >= MANY and stop < n:
            later = near[:, stop - start :].T - single_half[start:stop]
            _merge(found[stop:], nearness[stop:], later, start)
        near -= single_half[first:]
        _merge(found[start:stop], nearness[start:stop], near, first)
    gaps = nearness[:, :-1] - nearness[:, 1:]
    unsure = np.flatnonzero((gaps[:, [0, -1]] < 2 * error[:, None]).any(axis=1)) if wanted > 1 else np.arange(n)
    for some in np.array_split(unsure, -(-len(unsure) // block) or 1):
        near = vectors[some] @ vectors.T - half
        near[np.arange(len(some)), some] = -np.inf
        found[some, :k] = _best(near, k)[0]
    return found[:, :k]


def _merge(found, nearness, near, first):
    """Bring what is nearer into each row's nearest, in place; the columns of `near` (spoilt) are examples from `first` on."""
    best, values = _best(near, min(near.shape[1], nearness.shape[1]))
    best += first
    if nearness[0, 0] > -np.inf:
        best, values = np.hstack([found, best]), np.hstack([nearness, values])
        order = np.argsort(-values, axis=1, kind="stable")[:, : nearness.shape[1]]
        best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
    found[:, : best.shape[1]], nearness[:, : best.shape[1]] = best, values


def _best(near, count):
    """Columns of the `count` largest values of each row, largest first, and these."""
    each = np.arange(len(near))
    if count > FEW:
        best = np.argpartition(near, near.shape[1] - count, axis=1)[:, -count:]
        values = np.take_along_axis(near, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
    best, values = np.empty((len(near), count), dtype=np.intp), np.empty((len(near), count), dtype=near.dtype)
    for place in range(count):
        best[:, place] = near.argmax(axis=1)
        values[:, place] = near[each, best[:, place]]
        near[each, best[:, place]] = -np.inf
    return best, values
