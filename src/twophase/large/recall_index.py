"""Coarse recall among many models for many targets: what does not depend on the target is computed once.

Eq. 3 is a look-up. Eq. 4 is a mean over all C representatives, for each singleton s: with similarities a and proxy
scores p, the mean of a * p, which is mean(a) mean(p) + the mean of (a - mean(a)) (p - mean(p)). By Cauchy and Schwarz
it lies within sd(a) sd(p) of mean(a) mean(p). Mean and standard deviation of a are kept of each singleton, two numbers
in place of C; Eq. 4 itself is computed only for singletons that this interval does not exclude from those recalled.
"""

import numpy as np
import pandas as pd

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.inputs import as_clustered, as_scores, up_to
from twophase.recall import TOP, complete, ranked

CELLS = 20_000_000  # similarities of singletons to representatives in memory at once: 160 MB
ROUNDING = 1e-9  # far above that of a mean, far below any difference that matters
FIRST = 64  # singletons that Eq. 4 is computed for at first; then twice as many, and so on


class RecallIndex:
    """The models of `coarse_recall`'s table that it recalls, without the table of all others.

    Args:
        matrix: performance matrix on the benchmark datasets, m datasets x n models; no target is among them.
        clusters: of these models.

    Raises:
        UserError: a malformed matrix, clusters of other models, no non-singleton cluster.
    """

    def __init__(self, matrix: pd.DataFrame, clusters: Clusters):
        matrix = as_clustered(matrix, clusters)
        groups = clusters.non_singletons
        if not groups:
            raise UserError(
                "every model is a cluster of its own, so no proxy score can be shared; raise the threshold."
            )
        self.clusters, self.models = clusters, matrix.columns
        self.representatives = clusters.representatives.loc[groups]
        self.prior = matrix.mean().to_numpy()  # acc(m_j)
        group = pd.Index(groups).get_indexer(clusters.labels.loc[matrix.columns])
        self.clustered, self.alone = np.flatnonzero(group >= 0), np.flatnonzero(group < 0)
        self.group = group[self.clustered]
        # of each singleton's similarity to the representatives
        self.mean, self.deviation = np.empty(len(self.alone)), np.empty(len(self.alone))
        size = max(1, CELLS // len(self.representatives))
        for first in range(0, len(self.alone), size):
            part = slice(first, first + size)
            block = clusters.alike(self.models[self.alone[part]], self.representatives).to_numpy()
            self.mean[part], self.deviation[part] = block.mean(axis=1), block.std(axis=1)

    def recall(self, proxy_scores: pd.Series, top: int | None = None) -> pd.DataFrame:
        """The first `top` rows of `coarse_recall`, bit for bit.

        Args:
            proxy_scores, top: see `coarse_recall`.

        Raises:
            UserError: fewer models than `top`, scores missing or outside [0, 1].
        """
        top = up_to("top", top, len(self.models), "models", TOP)
        scores = complete(as_scores(proxy_scores, self.representatives, self.models), list(self.representatives))
        match = np.full(len(self.models), np.nan)
        match[self.clustered] = scores.to_numpy()[self.group]  # Eq. 3
        found = self.prior[self.clustered] * match[self.clustered]  # Eq. 2
        floor = _largest(found, top)
        most = self._at_most(scores.to_numpy())
        waiting, size = np.argsort(-most, kind="stable"), FIRST
        while len(waiting) and most[waiting[0]] >= floor:
            here, waiting = waiting[:size], waiting[size:]
            at = self.alone[here[most[here] >= floor]]
            match[at] = self._eq_4(at, scores)
            found = np.concatenate([found, self.prior[at] * match[at]])
            floor, size = _largest(found, top), 2 * size
        score = self.prior * match  # not a number where it is known to be below the floor
        at = np.flatnonzero(score >= floor)
        table = pd.DataFrame(
            {"model": self.models[at], "prior": self.prior[at], "proxy": match[at], "recall_score": score[at]}
        )
        table = table.sort_values(["recall_score", "prior", "model"], ascending=[False, False, True])
        return ranked(table.head(top).set_index("model"), top)

    def _at_most(self, scores: np.ndarray) -> np.ndarray:
        """What no singleton's recall score exceeds."""
        middle, width = self.mean * scores.mean(), self.deviation * scores.std() + ROUNDING
        prior = self.prior[self.alone]
        return np.maximum(prior * (middle - width), prior * (middle + width))  # a prior of correlations may be negative

    def _eq_4(self, at: np.ndarray, scores: pd.Series) -> np.ndarray:
        """Eq. 4 as `coarse_recall` has it, of the models at some places; some of their similarities at a time."""
        if len(at) == 1 < len(self.alone):  # a single row is summed in another order than one of many
            return self._eq_4(np.repeat(at, 2), scores)[:1]
        parts = np.array_split(at, max(1, len(at) * len(scores) // CELLS))
        alike = (self.clusters.alike(self.models[part], scores.index) for part in parts)
        return np.concatenate([(block * scores.to_numpy()).mean(axis=1) for block in alike])


def _largest(values: np.ndarray, top: int) -> float:
    """The one of rank `top`; minus infinity where there are fewer."""
    return -np.inf if len(values) < top else np.partition(values, len(values) - top)[-top]
