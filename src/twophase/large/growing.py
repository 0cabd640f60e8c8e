"""A clustered zoo to which models are added, each at the cost of the clusters there are, not of the models."""

import numpy as np
import pandas as pd

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.large.assignment import lead, nearest, prototypes
from twophase.large.many import LazyClusters
from twophase.large.similarity import TopKSimilarity
from twophase.similarity import check_matrix


class GrowingClusters:
    """Clusters that new models join, or found.

    A new model joins the cluster whose members are nearest on average, if that is below the threshold; models that
    join none are clustered among themselves by leaders (`assignment.lead`). Old models stay where they are, labels
    too, so a zoo that has grown much is better clustered anew. The members that models are compared with stay those of
    the clustering: joining moves no cluster. A cluster's representative is its model of highest prior, new or old.

    Args:
        matrix: performance matrix, m datasets x n models.
        clusters: of these models, made from Eq. 1.
        k: of Eq. 1.
        threshold: the one that the clusters were made with.
        members: of a cluster, at most, that a new model is compared with, evenly spaced by prior; 1 is the
            representative.

    Raises:
        UserError: a malformed matrix, clusters of other models, k or members out of range.
    """

    def __init__(
        self, matrix: pd.DataFrame, clusters: Clusters, k: int = 5, threshold: float = 0.09, members: int = 32
    ):
        check_matrix(matrix, k)
        if members < 1:
            raise UserError(f"members is {members}; allowed is at least 1.")
        if set(clusters.labels.index) != set(matrix.columns):
            raise UserError("clusters and matrix do not name the same models; cluster the columns of this matrix.")
        prior = matrix.mean()
        order = _by_prior(prior)
        values = matrix[order].to_numpy(dtype=np.float64)
        labels, numbers = np.unique(clusters.labels.loc[order], return_inverse=True)
        self._k, self._threshold, self._method = k, threshold, clusters.method
        self._frames, self._joined, self._names = [matrix], [clusters.labels], set(order)
        self._labels = labels.tolist()
        self._represent = {
            label: (prior[model], model) for label, model in clusters.representatives.loc[labels].items()
        }
        self._widest = np.argsort(-values.std(axis=1), kind="stable")
        self._known = prototypes(np.ascontiguousarray(values[self._widest].T), numbers, members)
        self._founders = np.empty((0, len(matrix)))  # of clusters that new models founded

    def add(self, new: pd.DataFrame) -> pd.Series:
        """Label of each new model; O(clusters) a model.

        Args:
            new: the same datasets x new models. All are compared with the clusters that there were before the call,
                by falling prior (ties by name), so the order of the columns changes nothing.

        Raises:
            UserError: malformed scores, other datasets, a model that is there already.
        """
        check_matrix(new)
        datasets = self._frames[0].index
        if set(new.index) != set(datasets):
            strangers = sorted(set(new.index) ^ set(datasets), key=str)[:5]
            raise UserError(f"the new models' datasets are not those of the zoo; they differ in {strangers}.")
        if twice := [model for model in new.columns if model in self._names]:
            raise UserError(f"models {twice[:5]} are in the zoo already; a new model has a new name.")
        new = new.loc[datasets]
        prior = new.mean()
        order = _by_prior(prior)
        found = self._find(np.ascontiguousarray(new[order].to_numpy(dtype=np.float64)[self._widest].T))
        labels = pd.Series([self._labels[number] for number in found], index=order, name="cluster")
        for model, label in labels.items():
            strongest, name = self._represent.get(label, (-np.inf, model))
            if (-prior[model], model) < (-strongest, name):
                self._represent[label] = prior[model], model
        self._frames.append(new)
        self._joined.append(labels.loc[new.columns])
        self._names.update(order)
        return self._joined[-1]

    @property
    def matrix(self) -> pd.DataFrame:
        """Of all models, old and new."""
        return pd.concat(self._frames, axis=1)

    @property
    def clusters(self) -> Clusters:
        """Of all models; new clusters have the labels after those that there were, whatever their size."""
        represent = pd.Series({label: model for label, (_, model) in self._represent.items()}, name="representative")
        alike = TopKSimilarity(self.matrix, self._k)
        return LazyClusters(pd.concat(self._joined), represent.rename_axis("cluster"), alike, self._method)

    def _find(self, models: np.ndarray) -> np.ndarray:
        """Number of each model's cluster, new ones after the known ones; `models` (n, m) by falling prior."""
        found, distance = nearest(models, self._known, self._k, self._threshold)
        known = self._known.centres.shape[1]
        if len(self._founders):
            alone = prototypes(self._founders, np.arange(len(self._founders)), 1)
            other, nearer = nearest(models, alone, self._k, self._threshold)
            found = np.where((other >= 0) & (nearer < distance), known + other, found)
        left = models[found < 0]
        leading = lead(left, self._k, self._threshold)
        found[found < 0] = len(self._labels) + leading
        leaders = np.unique(leading, return_index=True)[1]
        self._founders = np.concatenate([self._founders, left[leaders]])
        self._labels += range(max(self._labels) + 1, max(self._labels) + 1 + len(leaders))
        return found


def _by_prior(prior: pd.Series) -> list[str]:
    """Models by falling prior, ties by name."""
    names = sorted(prior.index)
    return [names[place] for place in np.argsort(-prior.loc[names].to_numpy(), kind="stable")]
