"""Clusters of more models than pairs fit in memory: average linkage of a sample, which the others then join.

Time and memory grow with the number of models times that of clusters, not with the pairs of models. How well the result
agrees with average linkage of all models is measured, not assumed (`bench.agreement.agreement`).
"""

import numpy as np

from twophase.clustering import average_linkage
from twophase.large.assignment import join, prototypes
from twophase.large.similarity import pair_distances


def sampled_clusters(
    values: np.ndarray, prior: np.ndarray, k: int, threshold: float, sample: int, members: int
) -> np.ndarray:
    """Number of each model's cluster.

    1. `sample` models, evenly spaced by prior, are clustered by average linkage.
    2. Each other model joins the cluster whose members (up to `members`, evenly spaced by prior) are nearest on
       average, if that is below the threshold.
    3. What is left, by falling prior, joins the nearest leader below the threshold or becomes one.

    Args:
        values: (m datasets, n models) scores.
        prior: (n,) mean scores; ties keep the order of `values`.
        k: of Eq. 1.
        threshold: where average linkage stops.
        sample: models that average linkage sees: sample * sample * 8 bytes.
        members: of a cluster, that a model is compared with.

    Returns:
        (n,) integers from 0, in no particular order; threads change nothing.
    """
    order = np.argsort(-prior, kind="stable")
    widest = np.argsort(-values.std(axis=1), kind="stable")
    models = np.ascontiguousarray(values[np.ix_(widest, order)].T)
    n = len(models)
    drawn = evenly(n, sample)
    cluster = np.full(n, -1)
    chosen = models[drawn]
    cluster[drawn] = average_linkage(pair_distances(chosen.T, k), threshold)
    others = cluster < 0
    cluster[others] = join(models[others], prototypes(chosen, cluster[drawn], members), k, threshold)
    found = np.empty(n, dtype=np.int64)
    found[order] = cluster
    return found


def evenly(n: int, sample: int) -> np.ndarray:
    """Ranks by prior (from 0) of the models that are sampled of n: `sample` of them."""
    return np.arange(sample) * n // sample
