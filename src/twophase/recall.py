"""Coarse recall: rank all models by prior and proxy, scoring one representative a cluster (Eq. 2-4)."""

import numpy as np
import pandas as pd

from twophase.clustering import Clusters
from twophase.errors import UserError
from twophase.inputs import as_clustered, as_scores, check_choice, few, transposed, up_to
from twophase.similarity import cosine_similarity

TOP = 10  # models recalled, where there are as many
NORMALIZATIONS = ("exp", "minmax", "none")
SMALLEST = 1e-9  # of a normalised score: at 0 the product of Eq. 2 would forget the prior


def normalize(scores: pd.Series, method: str = "exp") -> pd.Series:
    """Bring proxy scores to (0, 1] (the paper says that it does, not how).

    Args:
        scores: proxy scores of the models that were scored, by model; or an array, of which an array is made.
        method: "exp", exp(score - best score): the released code's exp(LEEP) up to a factor, on which no rank of Eq. 2-4
            depends; "minmax" over the given scores; "none" for scores that are in [0, 1] already.

    Returns:
        Scores of at least `SMALLEST`, so that models of equal proxy score are ranked by their prior.

    Raises:
        UserError: an unknown method; scores that are not finite, or that "none" leaves outside [0, 1].
    """
    check_choice("method", method, NORMALIZATIONS)
    named, scores = hasattr(scores, "keys"), as_scores(scores)
    if len(bad := scores.index[~np.isfinite(scores)]):
        raise UserError(
            f"{len(bad)} of {len(scores)} proxy scores are NaN or infinite, of {few(bad)}; leave these models out: another "
            "member of their cluster stands in."
        )
    if method == "minmax":
        spread = scores.max() - scores.min()
        scores = (scores - scores.min()) / spread if spread > 0 else scores * 0 + 1.0
    elif method == "exp":
        scores = np.exp(scores - scores.max())
    elif not scores.between(0, 1).all():
        raise UserError(
            f"normalisation 'none' leaves scores from {scores.min():g} to {scores.max():g}, not in [0, 1]; use 'minmax' or 'exp'."
        )
    scores = scores.clip(lower=SMALLEST)
    return scores if named else scores.to_numpy()


def coarse_recall(
    matrix: pd.DataFrame,
    clusters: Clusters,
    proxy_scores: pd.Series,
    top: int | None = None,
    proxy: str = "representative",
    singleton_similarity: str = "eq1",
    singletons: int = 0,
) -> pd.DataFrame:
    """Recall score of every model on a new task.

    A representative without a score is replaced by the next best member of its cluster that has one.

    Args:
        matrix: performance matrix on the benchmark datasets, m datasets x n models; the target is not among them.
        clusters: of these models.
        proxy_scores: representative of each non-singleton cluster -> proxy score in [0, 1]; or an array, in the order of
            `clusters.to_score` or of all models.
        top: number of models to recall, at most n; None: `TOP`, or n with a warning if that is less.
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
    matrix = as_clustered(matrix, clusters)
    check_choice("proxy", proxy, ("representative", "own"))
    check_choice("singleton_similarity", singleton_similarity, ("eq1", "cosine"))
    top = up_to("top", top, matrix.shape[1], "models", TOP)
    prior, known = matrix.mean(), as_scores(proxy_scores, clusters.to_score, matrix.columns).dropna()  # acc(m_j)
    if known.index.isin(matrix.index).any() and not known.index.isin(matrix.columns).any():
        raise transposed(matrix)
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
    return ranked(table, top)


def ranked(table: pd.DataFrame, top: int) -> pd.DataFrame:
    """The table with rank (from 1) and recalled (rank <= top), which its order gives."""
    rank = np.arange(1, len(table) + 1)
    return table.assign(rank=rank, recalled=rank <= top)


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
