"""Groups of models that perform alike, and their representatives."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twophase.clustering.clusters import Clusters
from twophase.clustering.linkage import average_linkage
from twophase.errors import UserError
from twophase.large.sampled import sampled_clusters
from twophase.similarity import TopKSimilarity, check_matrix, pair_distances

METHODS = ("hierarchical", "kmeans")


def cluster_models(
    matrix: pd.DataFrame,
    k: int = 5,
    similarity: pd.DataFrame | None = None,
    method: str = "hierarchical",
    threshold: float = 0.09,
    n_clusters: int | None = None,
    seed: int = 0,
    *,
    exact_up_to: int = 20_000,
    members: int = 32,
) -> Clusters:
    """Cluster models by their performance on the benchmark datasets (Section III-A).

    Args:
        matrix: performance matrix, m datasets x n models, scores in [0, 1].
        k: of Eq. 1; not used where `similarity` is given.
        similarity: (n, n) frame to use instead of Eq. 1, for instance of model cards.
        method: "hierarchical" (average linkage over 1 - similarity) or "kmeans" (on the performance vectors, or on
            the rows of `similarity` where one is given).
        threshold: distance at which average linkage stops; not used with `n_clusters`.
        n_clusters: number of clusters; k-means without it takes as many as average linkage finds at `threshold`.
        seed: of k-means.
        exact_up_to: average linkage takes n * n * 8 bytes; above so many models it sees only as many, and the others
            join what it found (`sampled.sampled_clusters`). The result's `method` then is "sampled".
        members: of a cluster, that one of these others is compared with.

    Raises:
        UserError: a malformed matrix, an unknown method, a similarity of other models, an impossible n_clusters.
    """
    check_matrix(matrix)
    if method not in METHODS:
        raise UserError(f"unknown clustering method {method!r}; allowed: {', '.join(METHODS)}.")
    models = matrix.columns
    if n_clusters is not None and not 1 <= n_clusters <= len(models):
        raise UserError(f"n_clusters is {n_clusters}; allowed: 1 to {len(models)}, the number of models.")
    for name, got in (("exact_up_to", exact_up_to), ("members", members)):
        if got < 1:
            raise UserError(f"{name} is {got}; allowed is at least 1.")
    exact = similarity is not None or len(models) <= exact_up_to
    if method == "hierarchical" and n_clusters is not None and not exact:
        raise UserError(
            f"n_clusters needs average linkage of all {len(models)} models, and exact_up_to is {exact_up_to}; "
            f"raise it (n * n * 8 bytes of memory), or give a threshold instead."
        )
    if similarity is None:
        alike = TopKSimilarity(matrix, k)
        vectors = matrix.T
    else:
        if set(similarity.index) != set(models) or set(similarity.columns) != set(models):
            strangers = sorted(set(similarity.index) ^ set(models), key=str)[:5]
            raise UserError(f"similarity and matrix do not name the same models; they differ in {strangers}.")
        alike = vectors = similarity.loc[models, models]
    order = sorted(models)  # what a clustering gives must not depend on the order of the columns
    average = matrix.mean().loc[order]

    def linked(n_clusters: int | None = None) -> np.ndarray:
        if similarity is not None:
            upper = np.triu_indices(len(order), 1)
            return average_linkage(1 - alike.loc[order, order].to_numpy()[upper], len(order), threshold, n_clusters)
        values = alike.values[:, models.get_indexer(order)]
        if not exact:
            return sampled_clusters(values, average.to_numpy(), k, threshold, exact_up_to, members)
        return average_linkage(pair_distances(values, k), len(order), threshold, n_clusters)

    if method == "hierarchical":
        found, method = linked(n_clusters), method if exact else "sampled"
    else:
        found = _k_means(vectors.loc[order].to_numpy(), n_clusters or len(set(linked())), seed)
    labels = pd.Series(_numbered_by_size(found), index=order).loc[models]
    representatives = average.groupby(labels.loc[order]).idxmax().rename("representative")
    return Clusters(labels.rename("cluster"), representatives, alike, method)


def _k_means(vectors: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(vectors)


def _numbered_by_size(found: np.ndarray) -> np.ndarray:
    """Labels by falling size, those of equal size by their first model."""
    _, first, dense, sizes = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    number = np.empty(len(sizes), dtype=np.int64)
    number[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return number[dense]
