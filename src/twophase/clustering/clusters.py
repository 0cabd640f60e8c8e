"""What a clustering is: labels, representatives, and the similarity that it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from twophase.similarity import TopKSimilarity


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
