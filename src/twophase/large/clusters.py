"""Clusters of many thousands of models, without their n x n similarities in memory, and clusters that grow.

Average linkage sees the pairs of as many models as fit in memory, a sample where there are more, which the others then
join: time and memory grow with the number of models times that of clusters, not with the pairs of models. How well that
agrees with average linkage of all models is measured, not assumed (`reproduction.bench.agreement`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from twophase.clustering import Clusters, average_linkage, check_options, cluster_models, k_means, numbered
from twophase.errors import UserError
from twophase.inputs import as_clustered, as_matrix, up_to
from twophase.large.assignment import join, lead, nearest, prototypes
from twophase.large.similarity import TopKSimilarity, pair_distances
from twophase.similarity import K


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
        labels = self.labels.loc[models]
        return LazyClusters(labels, representatives[representatives.index.isin(labels)], self._source, self.method)


def cluster_many(
    matrix: pd.DataFrame,
    k: int | None = None,
    threshold: float | None = 0.09,
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
            join what it found (`sampled_clusters`). The result's `method` then is "sampled".
        members: of a cluster, that one of these others is compared with.
        similarity: see `cluster_models`, which then does all of it.

    Raises:
        UserError: as `cluster_models`; exact_up_to or members below 1, n_clusters with more models than exact_up_to.
    """
    matrix = check_options(matrix, method, n_clusters, threshold)
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
            "raise it (n * n * 8 bytes of memory), or give a threshold instead."
        )
    eq_1, order = TopKSimilarity(matrix, k), sorted(matrix.columns)
    values, k = eq_1.values[:, matrix.columns.get_indexer(order)], eq_1.k

    def linked():
        if exact:
            return average_linkage(pair_distances(values, k), threshold, n_clusters)
        return sampled_clusters(values, matrix.mean().loc[order].to_numpy(), k, threshold, exact_up_to, members)

    if method == "kmeans":
        found = k_means(matrix.T, n_clusters or len(set(linked())), seed)
    else:
        found, method = linked(), method if exact else "sampled"
    return LazyClusters(*numbered(found, matrix), eq_1, method)


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
        self, matrix: pd.DataFrame, clusters: Clusters, k: int | None = None, threshold: float = 0.09, members: int = 32
    ):
        matrix = as_clustered(matrix, clusters)
        k = up_to("k", k, len(matrix), "datasets", K)
        if members < 1:
            raise UserError(f"members is {members}; allowed is at least 1.")
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
        new = as_matrix(new)
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
