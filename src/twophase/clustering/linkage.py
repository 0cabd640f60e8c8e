"""Average linkage (UPGMA) of a condensed distance vector, cut at a distance or a number of clusters."""

from __future__ import annotations

import numpy as np


def average_linkage(distances: np.ndarray, n: int, threshold: float, n_clusters: int | None = None) -> np.ndarray:
    """Number of each model's cluster, as scikit-learn's AgglomerativeClustering without its n x n matrices.

    Args:
        distances: n * (n - 1) / 2 of them, as `scipy.spatial.distance.pdist` orders pairs.
        n: models.
        threshold: only groups that are nearer than this are merged; not used with `n_clusters`.
        n_clusters: how many are left.

    Returns:
        (n,) integers from 0; O(n²) time, and memory for one copy of `distances`.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if n == 1:
        return np.zeros(1, dtype=int)
    merges = linkage(distances, "average")  # (n - 1, 4): two groups, their distance, the size of what they make
    kept = n - n_clusters if n_clusters else int((merges[:, 2] < threshold).sum())
    pairs = merges[:kept, :2].astype(int)
    made = np.repeat(np.arange(n, n + kept), 2)
    graph = coo_array((np.ones(2 * kept), (pairs.ravel(), made)), shape=(n + kept, n + kept))
    return connected_components(graph, directed=False)[1][:n]
