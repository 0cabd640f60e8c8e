"""Groups of models that perform alike, their representatives, and how well the groups hold together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from twophase.errors import UserError
from twophase.inputs import as_matrix, as_similarity, check_choice, few, not_negative, shown, up_to
from twophase.similarity import top_k_similarity

METHODS = ("hierarchical", "kmeans")
ADAPTIVE = 0.5  # of the median distance between two models: where average linkage stops if no threshold is given


@dataclass(frozen=True, repr=False)
class Clusters:
    """What `cluster_models` returns.

    Attributes:
        labels: model -> label; labels count from 0 in order of falling size, equal sizes by their first model's name.
        representatives: label -> the member with the highest average score (Section III-A).
        similarity: (n, n) frame, what the clusters were made from.
        method: how they were made, for example "hierarchical".
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

    @property
    def to_score(self) -> list[str]:
        """The models that coarse recall wants a proxy score of: the representatives of the clusters of several models."""
        return list(self.representatives.loc[self.non_singletons])

    def members(self, label: int) -> list[str]:
        """Models of a cluster."""
        return list(self.labels.index[self.labels == label])

    def alike(self, models, others) -> pd.DataFrame:
        """Similarity of `models` (rows) to `others` (columns)."""
        return self.similarity.loc[models, others]

    def among(self, models: list[str], representatives: pd.Series) -> Clusters:
        """The same clusters as if there were no other models, with given representatives (label -> model)."""
        labels = self.labels.loc[models]
        return Clusters(labels, representatives[representatives.index.isin(labels)], self.similarity, self.method)

    @property
    def degenerate(self) -> str:
        """In words, that these clusters tell models hardly apart, or not at all together; empty where they do."""
        n, largest = len(self.labels), int(self.labels.value_counts().iloc[0])
        if largest == 1:
            return f"each of the {n} models is a cluster of its own"
        return f"one cluster holds {largest} of the {n} models" if largest > n / 2 else ""

    def __repr__(self) -> str:
        clusters, groups = self.labels.nunique(), len(self.non_singletons)
        of = f"{clusters} clusters, {clusters - groups} of them singletons ({self.method})"
        return f"{len(self.labels)} models in {of}; the models are {few(self.labels.index)}"


def cluster_models(
    matrix: pd.DataFrame,
    k: int | None = None,
    similarity: pd.DataFrame | None = None,
    method: str = "hierarchical",
    threshold: float | None = 0.09,
    n_clusters: int | None = None,
    seed: int = 0,
    random_state: int | None = None,
) -> Clusters:
    """Cluster models by their performance on the benchmark datasets (Section III-A).

    Args:
        matrix: performance matrix, m datasets (rows) x n models (columns), scores in [0, 1].
        k: of Eq. 1, see `top_k_similarity`; not used where `similarity` is given.
        similarity: (n, n) frame to use instead of Eq. 1, for instance of model cards; an array has the matrix's order.
        method: "hierarchical" (average linkage over 1 - similarity) or "kmeans" (on the performance vectors, or on
            the rows of `similarity` where one is given).
        threshold: distance (1 - similarity) at which average linkage stops; None: `ADAPTIVE` times the median distance
            between two models, since distances differ from zoo to zoo; not used with `n_clusters`.
        n_clusters: number of clusters; k-means without it takes as many as average linkage finds at `threshold`.
        seed: of k-means; `random_state` is scikit-learn's name for it.

    Raises:
        UserError: a malformed matrix, an unknown method, a similarity of other models, an impossible threshold or
            n_clusters.
    """
    matrix = check_options(matrix, method, n_clusters, threshold)
    models = matrix.columns
    if similarity is None:
        similarity, vectors = top_k_similarity(matrix, k), matrix.T
    else:
        similarity = vectors = as_similarity(similarity, models)
    order = sorted(models)  # what a clustering gives must not depend on the order of the columns
    distances = 1 - similarity.loc[order, order].to_numpy()[np.triu_indices(len(order), 1)]
    found = average_linkage(distances, threshold, n_clusters)
    if method == "kmeans":
        found = k_means(vectors, len(set(found)), seed if random_state is None else random_state)
    return Clusters(*numbered(found, matrix), similarity, method)


def check_options(matrix: pd.DataFrame, method: str, n_clusters: int | None, threshold: float | None) -> pd.DataFrame:
    """The matrix; raises UserError: a malformed one, an unknown method, an impossible n_clusters or threshold."""
    matrix = as_matrix(matrix)
    check_choice("method", method, METHODS)
    up_to("n_clusters", n_clusters, matrix.shape[1], "models")
    if threshold is not None and not not_negative(threshold):
        raise UserError(
            f"threshold is {shown(threshold)}; allowed is a distance of at least 0, or None for the adaptive one."
        )
    return matrix


def average_linkage(distances: np.ndarray, threshold: float | None, n_clusters: int | None = None) -> np.ndarray:
    """Average linkage (UPGMA), cut at a distance or a number of clusters.

    Args:
        distances: n * (n - 1) / 2 of them, as `scipy.spatial.distance.pdist` orders pairs.
        threshold: only groups that are nearer than this are merged; None: see `cluster_models`; not used with `n_clusters`.
        n_clusters: how many are left, exactly, whatever the ties.

    Returns:
        (n,) cluster of each model, from 0 in order of appearance; O(n²) time, memory for one copy of `distances`.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(distances) == 0:  # one model
        return np.zeros(1, dtype=np.int64)
    merges = linkage(distances, "average")  # (n - 1, 4): two groups, their distance, the size of what they make
    n = len(merges) + 1
    limit = max(ADAPTIVE * np.median(distances), np.finfo(float).eps) if threshold is None else threshold
    # scores are shares of a few hundred examples: distances are often exactly the limit, and rounding must not decide
    kept = n - n_clusters if n_clusters else int((merges[:, 2] < limit * (1 - 1e-9)).sum())
    # counted in merges, because scipy's own cuts merge what is exactly at the threshold, too, and leave fewer clusters
    # than asked for where distances tie
    return pd.factorize(fcluster(merges, kept - 1, "monocrit", monocrit=np.arange(n - 1.0)))[0]


def k_means(vectors: pd.DataFrame, n_clusters: int, seed: int) -> np.ndarray:
    """(n,) cluster of each model, models in order of their names; `vectors` is (n, d)."""
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(vectors.loc[sorted(vectors.index)].to_numpy())


def numbered(found: np.ndarray, matrix: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Labels and representatives as `Clusters` has them; `found` (n,) is by the models' names in order."""
    order = sorted(matrix.columns)
    appeared = pd.factorize(found)[0]
    place = np.argsort(np.argsort(-np.bincount(appeared), kind="stable"))  # by falling size
    labels = pd.Series(place[appeared], index=order)
    representatives = matrix.mean().loc[order].groupby(labels).idxmax()  # of equal averages the first name
    return labels.loc[matrix.columns].rename("cluster"), representatives.rename("representative")


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
    check_choice("variant", variant, ("standard", "released"))
    check_choice("models", models, ("all", "clustered"))
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
