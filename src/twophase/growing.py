"""A clustered zoo to which models are added, each at the cost of the clusters there are, not of the models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .clustering import Clusters
from .errors import UserError
from .joining import Prototypes, join, prototypes
from .similarity import TopKSimilarity, check_matrix


class GrowingClusters:
    """Clusters that new models join, or found.

    A new model joins the cluster whose members are nearest on average, if that is below the threshold; models that join none
    are clustered among themselves by leaders (`joining.lead`) and become clusters of their own. Old models stay where they
    are, labels too, so a zoo that has grown much is better clustered anew. The members that models are compared with stay
    those of the clustering: joining moves no cluster. A cluster's representative is its model of highest prior, new or old.

    Args:
        matrix: performance matrix, m datasets x n models.
        clusters: of these models, made from Eq. 1.
        k: of Eq. 1.
        threshold: the one that the clusters were made with.
        members: of a cluster, at most, that a new model is compared with, evenly spaced by prior; 1 is the representative.

    Raises:
        UserError: a malformed matrix, clusters of other models, k or members out of range.
    """

    def __init__(
        self, matrix: pd.DataFrame, clusters: Clusters, k: int = 5, threshold: float = 0.09, members: int = 32
    ):
        TopKSimilarity(matrix, k)
        if members < 1:
            raise UserError(f"members is {members}; allowed is at least 1.")
        if set(clusters.labels.index) != set(matrix.columns):
            raise UserError("clusters and matrix do not name the same models; cluster the columns of this matrix.")
        prior = matrix.mean()
        order = _by_prior(prior)
        values = matrix[order].to_numpy(dtype=np.float64)
        self.k, self.threshold = k, threshold
        self._frames, self._labels, self._method = [matrix], [clusters.labels], clusters.method
        self._representatives = clusters.representatives.copy()
        self._best = prior.loc[clusters.representatives].to_numpy(copy=True)
        self._widest = np.argsort(-values.std(axis=1), kind="stable")
        self._known = prototypes(
            np.ascontiguousarray(values[self._widest].T), clusters.labels.loc[order].to_numpy(), members
        )

    def add(self, new: pd.DataFrame) -> pd.Series:
        """Label of each new model; O(clusters) a model.

        Args:
            new: the same datasets x new models. All are compared with the clusters that there were before the call, by falling
                prior (ties by name), so the order of the columns changes nothing.

        Raises:
            UserError: malformed scores, other datasets, a model that is there already.
        """
        check_matrix(new)
        datasets = self._frames[0].index
        if set(new.index) != set(datasets):
            strangers = sorted(set(new.index) ^ set(datasets), key=str)[:5]
            raise UserError(f"the new models' datasets are not those of the zoo; they differ in {strangers}.")
        if twice := [model for frame in self._frames for model in new.columns[new.columns.isin(frame.columns)]]:
            raise UserError(f"models {twice[:5]} are in the zoo already; a new model has a new name.")
        new = new.loc[datasets]
        prior = new.mean()
        order = _by_prior(prior)
        values = np.ascontiguousarray(new[order].to_numpy(dtype=np.float64)[self._widest].T)
        before = self._known.centres.shape[1]
        found = join(values, self._known, self.k, self.threshold)
        leaders = [int(np.argmax(found == label)) for label in range(before, found.max() + 1)]
        self._know(values[leaders])
        for model, label in zip(order, found, strict=True):
            self._represent(model, int(label), prior[model])
        labels = pd.Series(found, index=order, name="cluster").loc[new.columns]
        self._frames.append(new)
        self._labels.append(labels)
        return labels

    @property
    def matrix(self) -> pd.DataFrame:
        """Of all models, old and new."""
        return pd.concat(self._frames, axis=1)

    @property
    def clusters(self) -> Clusters:
        """Of all models; new clusters have the labels after those that there were, whatever their size."""
        alike = TopKSimilarity(self.matrix, self.k)
        return Clusters(pd.concat(self._labels), self._representatives.copy(), alike, self._method)

    def _know(self, leaders: np.ndarray) -> None:
        known = self._known
        self._known = Prototypes(
            np.ascontiguousarray(np.concatenate([known.centres, leaders.T], axis=1)),
            np.concatenate([known.members, leaders]),
            np.concatenate([known.starts, known.starts[-1] + 1 + np.arange(len(leaders))]),
        )

    def _represent(self, model: str, label: int, prior: float) -> None:
        if label == len(self._best):
            self._representatives.loc[label], self._best = model, np.append(self._best, prior)
        elif (prior, self._representatives[label]) > (self._best[label], model):
            self._representatives.loc[label], self._best[label] = model, prior


def _by_prior(prior: pd.Series) -> list[str]:
    """Models by falling prior, ties by name."""
    names = sorted(prior.index)
    return [names[place] for place in np.argsort(-prior.loc[names].to_numpy(), kind="stable")]
