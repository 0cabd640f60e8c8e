"""Groups of models that perform alike, their representatives, and how well the groups hold together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .errors import UserError
from .linkage import average_linkage
from .sampled import sampled_clusters
from .similarity import TopKSimilarity, check_matrix, pair_distances

METHODS = ("hierarchical", "kmeans")


class _OnDemand:
    """A frame, or what makes it when it is asked for: at 20,000 models it takes 3.2 GB."""

    def __get__(self, clusters: Clusters | None, owner: type) -> pd.DataFrame:
        if clusters is None:
            raise AttributeError("similarity has no default")
        if isinstance(clusters._similarity, TopKSimilarity):
            self.__set__(clusters, clusters._similarity.frame())
        return clusters._similarity

    def __set__(self, clusters: Clusters, value: pd.DataFrame | TopKSimilarity) -> None:
        object.__setattr__(clusters, "_similarity", value)


@dataclass(frozen=True, repr=False)
class Clusters:
    """What `cluster_models` returns.

    Attributes:
        labels: model -> label; labels count from 0 in order of falling size.
        representatives: label -> the member with the highest average score (Section III-A).
        similarity: models x models, what the clusters were made from; a frame whenever it is read, but made only then where a
            `TopKSimilarity` was given. `alike` gives a part of it.
        method: "hierarchical", "kmeans", or "sampled" (average linkage of a sample, see `sampled.sampled_clusters`).
    """

    labels: pd.Series
    representatives: pd.Series
    similarity: pd.DataFrame = _OnDemand()
    method: str

    @property
    def non_singletons(self) -> list[int]:
        """Labels of the clusters with more than one member."""
        sizes = self.labels.value_counts()
        return sorted(int(label) for label in sizes.index[sizes > 1])

    def members(self, label: int) -> list[str]:
        """Models of a cluster."""
        return list(self.labels.index[self.labels == label])

    def alike(self, models, others) -> pd.DataFrame:
        """Similarity of `models` (rows) to `others` (columns), without the rest of it."""
        if isinstance(self._similarity, TopKSimilarity):
            return self._similarity.between(models, others)
        return self._similarity.loc[models, others]

    def among(self, models: list[str], representatives: pd.Series) -> Clusters:
        """The same clusters as if there were no other models, with given representatives."""
        labels = self.labels.loc[models]
        return Clusters(labels, representatives[representatives.index.isin(labels)], self._similarity, self.method)

    def __repr__(self) -> str:
        clusters, groups = self.labels.nunique(), len(self.non_singletons)
        return (
            f"{len(self.labels)} models in {clusters} clusters, {clusters - groups} of them singletons ({self.method})"
        )


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
