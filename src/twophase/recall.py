"""Coarse recall: rank all models by prior and proxy, scoring one representative a cluster (Eq. 2-4)."""

import numpy as np
import pandas as pd

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.similarity import check_matrix, cosine_similarity

NORMALIZATIONS = ("exp", "minmax", "none")


def normalize(scores: pd.Series, method: str = "exp") -> pd.Series:
    """Bring proxy scores to [0, 1] (the paper says that it does, not how).

    Args:
        scores: proxy scores of representatives.
        method: "exp" (as the released code, for log-likelihoods <= 0 such as LEEP), "minmax" over the given scores,
            or "none" for scores that are there already.

    Raises:
        UserError: an unknown method; scores that the method does not bring to [0, 1].
    """
    if method not in NORMALIZATIONS:
        raise UserError(f"unknown normalisation {method!r}; allowed: {', '.join(NORMALIZATIONS)}.")
    if method == "minmax":
        spread = scores.max() - scores.min()
        return (scores - scores.min()) / spread if spread > 0 else scores * 0 + 1.0
    normal = np.exp(scores) if method == "exp" else scores
    if not normal.between(0, 1).all():
        hint = "exp is for log-likelihoods, which are not positive" if method == "exp" else "'none' changes nothing"
        raise UserError(
            f"normalisation {method!r} leaves scores from {normal.min():g} to {normal.max():g}, not in [0, 1] "
            f"({hint}); use 'minmax'."
        )
    return normal


def coarse_recall(
    matrix: pd.DataFrame,
    clusters: Clusters,
    proxy_scores: pd.Series,
    top: int = 10,
    proxy: str = "representative",
    singleton_similarity: str = "eq1",
) -> pd.DataFrame:
    """Recall score of every model on a new task.

    Args:
        matrix: performance matrix on the benchmark datasets, m datasets x n models; the target is not among them.
        clusters: of these models.
        proxy_scores: representative of each non-singleton cluster -> proxy score in [0, 1].
        top: number of models to recall, at most n.
        proxy: "representative" (Eq. 3), or "own" (released code: `proxy_scores` name every clustered model).
        singleton_similarity: what decays the score for singletons (Eq. 4): "eq1" (paper: the clusters' similarity) or
            "cosine" (released code: of the accuracy vectors).

    Returns:
        A frame indexed by model, best first: prior, proxy, recall_score, rank (from 1), recalled (rank <= top).

    Raises:
        UserError: fewer models than `top`, no non-singleton cluster, scores missing or outside [0, 1], an unknown
            option.
    """
    check_matrix(matrix)
    for name, got, allowed in (
        ("proxy", proxy, ("representative", "own")),
        ("singleton_similarity", singleton_similarity, ("eq1", "cosine")),
    ):
        if got not in allowed:
            raise UserError(f"{name}={got!r}; allowed: {', '.join(allowed)}.")
    if set(clusters.labels.index) != set(matrix.columns):
        raise UserError("clusters and matrix do not name the same models; cluster the columns of this matrix.")
    if not 1 <= top <= matrix.shape[1]:
        raise UserError(f"top is {top}; allowed: 1 to {matrix.shape[1]}, the number of models.")
    groups = clusters.non_singletons
    if not groups:
        raise UserError("every model is a cluster of its own, so no proxy score can be shared; raise the threshold.")
    representatives = clusters.representatives.loc[groups]
    labels = clusters.labels.loc[matrix.columns]
    clustered = labels.isin(groups)
    needed = list(labels.index[clustered]) if proxy == "own" else list(representatives)
    scores = complete(proxy_scores, needed)

    match = pd.Series(index=matrix.columns, dtype=float)
    if proxy == "own":
        match[clustered] = scores.loc[labels.index[clustered]]  # released code
    else:
        match[clustered] = labels[clustered].map(representatives).map(scores)  # Eq. 3
    if not clustered.all():
        alone = labels.index[~clustered]
        if singleton_similarity == "eq1":
            alike = clusters.alike(alone, representatives)
        else:
            alike = cosine_similarity(matrix.T).loc[alone, representatives]  # released code
        match[~clustered] = (alike * scores.loc[representatives].to_numpy()).mean(axis=1)  # Eq. 4

    prior = matrix.mean()  # acc(m_j)
    table = pd.DataFrame({"prior": prior, "proxy": match, "recall_score": prior * match})  # Eq. 2
    table = table.rename_axis("model").reset_index()
    table = table.sort_values(["recall_score", "model"], ascending=[False, True]).set_index("model")
    table["rank"] = np.arange(1, len(table) + 1)
    table["recalled"] = table["rank"] <= top
    return table


def complete(scores: pd.Series, needed: list[str]) -> pd.Series:
    """The scores of the models `needed`.

    Raises:
        UserError: one is missing or outside [0, 1].
    """
    if missing := list(scores.reindex(needed).pipe(lambda found: found.index[found.isna()])):
        raise UserError(
            f"proxy scores of {missing[:5]} are missing; they are needed for {len(needed)} models: {needed[:5]}…"
        )
    outside = scores.loc[needed][~scores.loc[needed].between(0, 1)]
    if len(outside):
        raise UserError(
            f"the proxy score of {outside.index[0]} is {outside.iloc[0]:g}; Eq. 2 takes scores in [0, 1]: "
            "use recall.normalize first."
        )
    return scores.loc[needed]
