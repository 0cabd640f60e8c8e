"""Coarse recall: rank all models by prior and proxy, scoring one representative a cluster (Eq. 2-4)."""

import numpy as np
import pandas as pd

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.similarity import check_matrix, cosine_similarity

NORMALIZATIONS = ("exp", "minmax", "none")
SMALLEST = 1e-9  # of a normalised score: at 0 the product of Eq. 2 would forget the prior


def normalize(scores: pd.Series, method: str = "exp") -> pd.Series:
    """Bring proxy scores to (0, 1] (the paper says that it does, not how).

    Args:
        scores: proxy scores of the models that were scored.
        method: "exp", exp(score - best score): the released code's exp(LEEP) up to a factor, on which no rank of Eq. 2-4
            depends; "minmax" over the given scores; "none" for scores that are in [0, 1] already.

    Returns:
        Scores of at least `SMALLEST`, so that models of equal proxy score are ranked by their prior.

    Raises:
        UserError: an unknown method; scores that are missing, or that "none" leaves outside [0, 1].
    """
    if method not in NORMALIZATIONS:
        raise UserError(f"unknown normalisation {method!r}; allowed: {', '.join(NORMALIZATIONS)}.")
    if scores.isna().any():
        raise UserError(f"{scores.index[scores.isna()][0]} has no proxy score; leave out models without one.")
    if method == "minmax":
        spread = scores.max() - scores.min()
        scores = (scores - scores.min()) / spread if spread > 0 else scores * 0 + 1.0
    elif method == "exp":
        scores = np.exp(scores - scores.max())
    elif not scores.between(0, 1).all():
        raise UserError(
            f"normalisation 'none' leaves scores from {scores.min():g} to {scores.max():g}, not in [0, 1]; use 'minmax' or 'exp'."
        )
    return scores.clip(lower=SMALLEST)


def coarse_recall(
    matrix: pd.DataFrame,
    clusters: Clusters,
    proxy_scores: pd.Series,
    top: int = 10,
    proxy: str = "representative",
    singleton_similarity: str = "eq1",
    singletons: int = 0,
) -> pd.DataFrame:
    """Recall score of every model on a new task.

    A representative without a score is replaced by the next best member of its cluster that has one.

    Args:
        matrix: performance matrix on the benchmark datasets, m datasets x n models; the target is not among them.
        clusters: of these models.
        proxy_scores: representative of each non-singleton cluster -> proxy score in [0, 1].
        top: number of models to recall, at most n.
        proxy: "representative" (Eq. 3), or "own" (released code: `proxy_scores` name every clustered model).
        singleton_similarity: what decays the score for singletons (Eq. 4): "eq1" (paper: the clusters' similarity) or
            "cosine" (released code: of the accuracy vectors).
        singletons: of the singletons that have a score, so many of the highest prior are ranked by their own, which Eq. 4
            does not do: it gives every singleton an average, so none is ever first by its merit.

    Returns:
        A frame indexed by model, best first (equal recall scores by prior, then by name): prior, proxy, recall_score,
        rank (from 1), recalled (rank <= top).

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
    prior, known = matrix.mean(), proxy_scores.dropna()  # acc(m_j)
    members = to_score(prior, clusters)
    if not members:
        raise UserError("every model is a cluster of its own, so no proxy score can be shared; raise the threshold.")
    models = matrix.columns
    group = pd.Index(list(members)).get_indexer(clusters.labels.loc[models])  # -1: a singleton
    clustered, alone = models[group >= 0], models[group < 0]
    representatives = [next((one for one in names if one in known.index), names[0]) for names in members.values()]
    scores = complete(known, list(clustered) if proxy == "own" else representatives)
    shared = scores.loc[representatives].to_numpy()

    match = np.empty(len(models))
    match[group >= 0] = (
        scores.loc[clustered] if proxy == "own" else shared[group[group >= 0]]
    )  # released code, or Eq. 3
    if len(alone):
        if singleton_similarity == "eq1":
            alike = clusters.alike(alone, representatives)
        else:
            alike = cosine_similarity(matrix.T).loc[alone, representatives]  # released code
        match[group < 0] = (alike * shared).mean(axis=1)  # Eq. 4
        merit = best_singletons(prior[prior.index.isin(known.index)], clusters, singletons)
        match[models.get_indexer(merit)] = complete(known, merit)

    found = prior.to_numpy() * match  # Eq. 2
    table = pd.DataFrame({"prior": prior.to_numpy(), "proxy": match, "recall_score": found}, index=models)
    table = table.rename_axis("model").reset_index()
    table = table.sort_values(["recall_score", "prior", "model"], ascending=[False, False, True]).set_index("model")
    table["rank"] = np.arange(1, len(table) + 1)
    table["recalled"] = table["rank"] <= top
    return table


def matched(group: np.ndarray, shared: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """What stands for a model's own proxy score (Eq. 3, Eq. 4).

    Args:
        group: (n,) which of the C representatives is that of the model's cluster; -1 for a singleton.
        shared: (C,) proxy scores of the representatives.
        alike: (singletons, C) similarity of the singletons, in the models' order, to the representatives.

    Returns:
        (n,) scores.
    """
    match = shared[group]  # Eq. 3
    match[group < 0] = (alike * shared).mean(axis=1)  # Eq. 4
    return match


def to_score(prior: pd.Series, clusters: Clusters) -> dict[int, list[str]]:
    """Non-singleton cluster -> its members in the order in which they are asked for a score, the representative first."""
    first, values = clusters.representatives.to_dict(), prior.to_dict()
    groups = {label: clusters.members(label) for label in clusters.non_singletons}
    return {
        label: sorted(names, key=lambda name: (name != first[label], -values[name], name))
        for label, names in groups.items()
    }


def best_singletons(prior: pd.Series, clusters: Clusters, n: int) -> list[str]:
    """The n singletons of the highest prior, or fewer where there are not so many."""
    if not n:
        return []
    alone = clusters.labels.index[~clusters.labels.isin(clusters.non_singletons)]
    return sorted(prior.index.intersection(alone), key=lambda name: (-prior[name], name))[:n]


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
