"""Groups of models that perform alike, their representatives, and how well the groups hold together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .errors import UserError
from .similarity import check_matrix, top_k_similarity

METHODS = ("hierarchical", "kmeans")


@dataclass(frozen=True)
class Clusters:
    """What `cluster_models` returns.

    Attributes:
        labels: model -> label; labels count from 0 in order of falling size.
        representatives: label -> the member with the highest average score (Section III-A).
        similarity: models x models, what the clusters were made from.
        method: "hierarchical" or "kmeans".
    """

    labels: pd.Series
    representatives: pd.Series
    similarity: pd.DataFrame
    method: str

    @property
    def non_singletons(self) -> list[int]:
        """Labels of the clusters with more than one member."""
        sizes = self.labels.value_counts()
        return sorted(int(label) for label in sizes.index[sizes > 1])

    def members(self, label: int) -> list[str]:
        """Models of a cluster."""
        return list(self.labels.index[self.labels == label])


def cluster_models(
    matrix: pd.DataFrame,
    k: int = 5,
    similarity: pd.DataFrame | None = None,
    method: str = "hierarchical",
    threshold: float = 0.09,
    n_clusters: int | None = None,
    seed: int = 0,
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

    Raises:
        UserError: a malformed matrix, an unknown method, a similarity of other models, an impossible n_clusters.
    """
    check_matrix(matrix)
    if method not in METHODS:
        raise UserError(f"unknown clustering method {method!r}; allowed: {', '.join(METHODS)}.")
    models = matrix.columns
    if n_clusters is not None and not 1 <= n_clusters <= len(models):
        raise UserError(f"n_clusters is {n_clusters}; allowed: 1 to {len(models)}, the number of models.")
    if similarity is None:
        alike, vectors = top_k_similarity(matrix, k), matrix.T
    else:
        if set(similarity.index) != set(models) or set(similarity.columns) != set(models):
            strangers = sorted(set(similarity.index) ^ set(models), key=str)[:5]
            raise UserError(f"similarity and matrix do not name the same models; they differ in {strangers}.")
        alike = vectors = similarity.loc[models, models]
    order = sorted(models)  # what a clustering gives must not depend on the order of the columns
    distances = 1 - alike.loc[order, order].to_numpy()
    if method == "hierarchical":
        found = _average_linkage(distances, threshold, n_clusters)
    else:
        number = n_clusters or len(set(_average_linkage(distances, threshold, None)))
        found = _k_means(vectors.loc[order].to_numpy(), number, seed)
    labels = _numbered_by_size(pd.Series(found, index=order)).loc[models]
    average = matrix.mean().loc[order]
    representatives = average.groupby(labels.loc[order]).idxmax().rename("representative")
    return Clusters(labels.rename("cluster"), representatives, alike, method)


def _average_linkage(distances: np.ndarray, threshold: float, n_clusters: int | None) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering

    if len(distances) == 1:
        return np.zeros(1, dtype=int)
    return AgglomerativeClustering(
        n_clusters=n_clusters,
        distance_threshold=None if n_clusters else threshold,
        metric="precomputed",
        linkage="average",
    ).fit_predict(distances)


def _k_means(vectors: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(vectors)


def _numbered_by_size(labels: pd.Series) -> pd.Series:
    groups = sorted(labels.groupby(labels).groups.values(), key=lambda names: (-len(names), min(names)))
    number = {name: label for label, names in enumerate(groups) for name in names}
    return labels.index.to_series().map(number)


def silhouette(clusters: Clusters, variant: str = "standard", models: str = "all") -> float:
    """Mean silhouette coefficient of a clustering.

    Args:
        clusters: what `cluster_models` returned.
        variant: "standard" (Rousseeuw 1987: b is the mean distance to the nearest other cluster; singletons have 0)
            or "released" (b is the mean distance to all models outside the cluster; singletons are left out).
        models: "all", or "clustered": as if there were no models but the members of non-singleton clusters.

    Returns:
        A number in [-1, 1]; NaN where it is not defined (one cluster, or singletons only).

    Raises:
        UserError: an unknown variant or selection of models.
    """
    if variant not in ("standard", "released"):
        raise UserError(f"unknown silhouette variant {variant!r}; allowed: standard, released.")
    if models not in ("all", "clustered"):
        raise UserError(f"models={models!r}; allowed: all, clustered.")
    labels = clusters.labels.to_numpy()
    distances = 1 - clusters.similarity.to_numpy()
    np.fill_diagonal(distances, 0)
    clustered = np.isin(labels, clusters.non_singletons)
    if len(set(labels)) < 2 or len(set(labels)) == len(labels):
        return float("nan")
    if variant == "standard":
        from sklearn.metrics import silhouette_samples

        kept = clustered if models == "clustered" else np.ones_like(clustered)
        if len(set(labels[kept])) < 2:
            return float("nan")
        return float(silhouette_samples(distances[np.ix_(kept, kept)], labels[kept], metric="precomputed").mean())
    scores = []
    for i in np.flatnonzero(clustered):
        own = labels == labels[i]
        within = distances[i, own].sum() / (own.sum() - 1)
        beyond = distances[i, ~own].mean()
        scores.append((beyond - within) / max(within, beyond, np.finfo(float).tiny))
    return float(np.mean(scores))
