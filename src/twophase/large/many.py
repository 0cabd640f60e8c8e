"""Clusters of many thousands of models, without their n x n similarities in memory."""

from __future__ import annotations

import pandas as pd

from twophase.clustering import Clusters, average_linkage, check_options, cluster_models, k_means, numbered
from twophase.errors import UserError
from twophase.large.sampled import sampled_clusters
from twophase.large.similarity import TopKSimilarity, pair_distances


class LazyClusters(Clusters):
    """Clusters whose `similarity` is made when it is first read, and then kept; `alike` gives a part without that.

    The field `similarity` is given as a `TopKSimilarity`, or as a frame.
    """

    @property
    def similarity(self) -> pd.DataFrame:
        """(n, n) frame; 3.2 GB for 20,000 models."""
        if isinstance(self._source, TopKSimilarity):
            self.__dict__["_source"] = self._source.frame()
        return self._source

    @similarity.setter  # what the frozen base's constructor calls, by object.__setattr__
    def similarity(self, source: TopKSimilarity | pd.DataFrame) -> None:
        self.__dict__["_source"] = source

    def alike(self, models, others) -> pd.DataFrame:
        """Similarity of `models` (rows) to `others` (columns), and nothing else in memory."""
        lazy = isinstance(self._source, TopKSimilarity)
        return self._source.between(models, others) if lazy else super().alike(models, others)

    def among(self, models: list[str], representatives: pd.Series) -> LazyClusters:
        """See `Clusters.among`."""
        fewer = Clusters(self.labels, self.representatives, self._source, self.method).among(models, representatives)
        return LazyClusters(fewer.labels, fewer.representatives, self._source, self.method)


def cluster_many(
    matrix: pd.DataFrame,
    k: int = 5,
    threshold: float = 0.09,
    exact_up_to: int = 20_000,
    members: int = 32,
    *,
    similarity: pd.DataFrame | None = None,
    method: str = "hierarchical",
    n_clusters: int | None = None,
    seed: int = 0,
) -> Clusters:
    """`cluster_models` for many models: the same clusters up to `exact_up_to` of them, above it clusters of a sample.

    Args:
        matrix, k, threshold, method, n_clusters, seed: see `cluster_models`.
        exact_up_to: average linkage takes n * n * 8 bytes; above so many models it sees only as many, and the others
            join what it found (`sampled.sampled_clusters`). The result's `method` then is "sampled".
        members: of a cluster, that one of these others is compared with.
        similarity: see `cluster_models`, which then does all of it.

    Raises:
        UserError: as `cluster_models`; exact_up_to or members below 1, n_clusters with more models than exact_up_to.
    """
    check_options(matrix, method, n_clusters)
    for name, got in (("exact_up_to", exact_up_to), ("members", members)):
        if got < 1:
            raise UserError(f"{name} is {got}; allowed is at least 1.")
    if similarity is not None:
        return cluster_models(matrix, k, similarity, method, threshold, n_clusters, seed)
    n = matrix.shape[1]
    exact = n <= exact_up_to
    if method == "hierarchical" and n_clusters is not None and not exact:
        raise UserError(
            f"n_clusters needs average linkage of all {n} models, and exact_up_to is {exact_up_to}; "
            f"raise it (n * n * 8 bytes of memory), or give a threshold instead."
        )
    eq_1, order = TopKSimilarity(matrix, k), sorted(matrix.columns)
    values = eq_1.values[:, matrix.columns.get_indexer(order)]

    def linked():
        if exact:
            return average_linkage(pair_distances(values, k), threshold, n_clusters)
        return sampled_clusters(values, matrix.mean().loc[order].to_numpy(), k, threshold, exact_up_to, members)

    if method == "kmeans":
        found = k_means(matrix.T, n_clusters or len(set(linked())), seed)
    else:
        found, method = linked(), method if exact else "sampled"
    return LazyClusters(*numbered(found, matrix), eq_1, method)
