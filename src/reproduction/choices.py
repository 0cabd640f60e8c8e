"""What the paper leaves open for a new zoo, chosen on the benchmark datasets alone by one rule.

The rule: each benchmark dataset is the target in turn, with prior and clusters made without it. Of the cuts that put at least
half of the models into clusters, as the paper's do (with fewer, Eq. 4 decides and clusters hardly matter), the choice of the
largest mean gain (average accuracy of the K recalled minus that of all models) is taken. Ties go to the choice whose
recalled hold the best model more often, then to the one that stands first in the grid. Targets are not read.

A choice made on all benchmark datasets has seen each of them, so what it gives there flatters. `chosen_for` repeats the
rule within a fold: for a benchmark dataset that is treated as target, on the other benchmark datasets alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from reproduction.evidence import Evidence, loaded
from twophase.clustering import Clusters, cluster_models
from twophase.errors import UserError
from twophase.infra.compute import Failure, parallel_map
from twophase.recall import best_singletons, matched, normalize, to_score
from twophase.selection import brute_force
from twophase.similarity import top_k_similarity

CUTS = (0.03, 0.06, 0.08, 0.09, 0.1, 0.12, 0.15, 0.2)
MOST = 0.5  # share of the models that must be in clusters of two or more
COLUMNS = ["cut", "normalization", "singletons", "dataset", "clustered", "gain", "best"]
SINGLETONS = 5  # of the highest prior, scored by themselves in the variant of Eq. 4


@dataclass(frozen=True)
class Choice:
    """A cut of the dendrogram, a normalisation of proxy scores, and how many singletons are scored (the paper: none)."""

    cut: float
    normalization: str
    singletons: int = 0


def grid(evidence: Evidence, singletons: int = 0) -> list[Choice]:
    """All choices with so many singletons, the configured cut among them; LEEP's normalisation is tried, that of other proxies stays as configured."""
    ways = ("exp", "minmax") if evidence.params.proxy.normalization is None else (evidence.normalization,)
    return [Choice(cut, way, singletons) for way, cut in product(ways, sorted({*CUTS, evidence.cut}))]


def gains(evidence: Evidence, choices: list[Choice], outside: str = "") -> pd.DataFrame:
    """Each choice on each benchmark dataset as target, but the one named `outside`, which nothing here sees.

    Returns:
        A row a choice that leaves clusters of more than one model and a dataset: cut, normalization, singletons, dataset,
        clustered (share of models in such clusters), gain, best (whether the best model is among the recalled).
    """
    rows, whole = [], evidence.matrix(evidence.outside)
    ways = dict.fromkeys((choice.normalization, choice.singletons) for choice in choices)
    for target in whole.index.drop(outside, errors="ignore"):
        matrix = whole.drop(index=[name for name in (target, outside) if name in whole.index])
        similarity = top_k_similarity(matrix, min(evidence.params.clustering.k, len(matrix)))
        final, favourite = evidence.final(target), evidence.final(target).idxmax()
        known: dict[tuple, dict] = {}  # neighbouring cuts often give the same clusters
        for cut in sorted({choice.cut for choice in choices}):
            clusters = cluster_models(matrix, similarity=similarity, threshold=cut)
            if not (groups := clusters.non_singletons):
                continue
            if (key := tuple(clusters.labels)) not in known:
                found = recalled(evidence, target, matrix, clusters, list(ways))
                known[key] = {
                    way: (final[names].mean() - final.mean(), favourite in names) for way, names in found.items()
                }
            clustered = clusters.labels.isin(groups).mean()
            for choice in (one for one in choices if one.cut == cut):
                gain, best = known[key][choice.normalization, choice.singletons]
                rows.append({**asdict(choice), "dataset": target, "clustered": clustered, "gain": gain, "best": best})
    return pd.DataFrame(rows, columns=COLUMNS)


def recalled(
    evidence: Evidence, target: str, matrix: pd.DataFrame, clusters: Clusters, ways: list[tuple[str, int]]
) -> dict[tuple[str, int], list[str]]:
    """Way (normalisation, singletons) -> who is recalled from a matrix and its clusters.

    It is the head of `coarse_recall`'s table, several times as fast: what the ways share is computed once.
    """
    prior, models = matrix.mean(), matrix.columns
    representatives = [names[0] for names in to_score(prior, clusters).values()]
    group = pd.Index(clusters.non_singletons).get_indexer(clusters.labels.to_numpy())
    places = models.get_indexer(representatives)
    alike, values, found = clusters.similarity.to_numpy()[np.ix_(group < 0, places)], prior.to_numpy(), {}
    for singletons in dict.fromkeys(number for _, number in ways):
        merit = best_singletons(prior, clusters, singletons)
        raw, own = evidence.raw_scores(target, models=[*representatives, *merit]), models.get_indexer(merit)
        for normalization in (name for name, number in ways if number == singletons):
            scores = normalize(raw, normalization).to_numpy()
            match = matched(group, scores[: len(places)], alike)
            match[own] = scores[len(places) :]
            found[normalization, singletons] = list(
                models[np.lexsort((models, -values, -values * match))[: evidence.top]]
            )
    return found


def best(found: pd.DataFrame, choices: list[Choice]) -> Choice:
    """The rule, applied to the rows of `gains` that are of these choices.

    Raises:
        UserError: none of them leaves a cluster of two models on any dataset.
    """
    means = found.groupby(list(asdict(choices[0])))[["clustered", "gain", "best"]].mean().round(9)
    known = {choice: means.loc[key] for choice in choices if (key := tuple(asdict(choice).values())) in means.index}
    if not known:
        raise UserError(
            f"no cut up to {max(choice.cut for choice in choices):g} puts two models into a cluster; try higher ones."
        )
    enough = [choice for choice, row in known.items() if row["clustered"] >= MOST]
    return max(enough or known, key=lambda choice: tuple(known[choice][["gain", "best"]]))


def chosen_for(evidence: Evidence, target: str) -> dict[int, Choice]:
    """Number of singletons scored -> the choice that the rule makes for a target without having seen it."""
    found = gains(evidence, _both(evidence), target)
    return {singletons: best(found, grid(evidence, singletons)) for singletons in (0, SINGLETONS)}


def folds(domain: str, targets: list[str]) -> pd.DataFrame:
    """A row a dataset and number of singletons: what is chosen for it, on the benchmark datasets without it.

    Raises:
        UserError: nothing can be chosen for a dataset, with the reason.
    """
    # what is chosen for a target is chosen on all benchmark datasets: once is enough
    benchmarks = set(loaded(domain).benchmarks)
    found = _each(fold, domain, list(dict.fromkeys(name if name in benchmarks else "" for name in targets)), "choices")
    rows = [{"dataset": t, **row} for t in targets for row in found[t if t in benchmarks else ""]]
    return pd.DataFrame(rows)


def fold(item: tuple[str, str]) -> list[dict]:
    """The choices for a domain's dataset."""
    return [asdict(choice) for choice in chosen_for(loaded(item[0]), item[1]).values()]


def _each(function: Callable[[tuple[str, str]], Any], domain: str, datasets: list[str], what: str) -> dict[str, Any]:
    """Dataset -> what the function gives for (domain, dataset), side by side."""
    found = parallel_map(function, [(domain, name) for name in datasets], description=f"{domain} {what}")
    if failed := [result for result in found if isinstance(result, Failure)]:
        raise UserError(
            f"{domain} {what}: {len(failed)} of {len(found)} datasets fail, the first by {failed[0].reason}"
        )
    return dict(zip(datasets, found, strict=True))


def table(domain: str) -> pd.DataFrame:
    """What each choice is worth on the benchmark datasets, and which one is taken.

    Returns:
        A row a choice: cut, normalization, singletons; clustered, gain and best (means); regret (accuracy of brute force's
        pick minus that of the model selected in the end, mean); chosen.
    """
    evidence = loaded(domain)
    rows, taken, choices = [], chosen_for(evidence, ""), _both(evidence)
    found = gains(evidence, choices)
    lost = pd.DataFrame(_each(regrets, domain, evidence.benchmarks, "choices' regrets"), index=choices).mean(axis=1)
    for choice, means in found.groupby(list(asdict(choices[0])))[["clustered", "gain", "best"]].mean().iterrows():
        made = Choice(*choice)
        rows.append({**asdict(made), **means, "regret": lost[made], "chosen": made in taken.values()})
    return pd.DataFrame(rows).sort_values(["singletons", "normalization", "cut"], ignore_index=True)


def regrets(item: tuple[str, str]) -> list[float]:
    """Accuracy of brute force's pick minus that of the model selected in the end, for each choice, on a domain's dataset."""
    evidence, target = loaded(item[0]), item[1]
    picked = brute_force(evidence.runs(target), evidence.models).test
    return [picked - evidence.two_phase(target, **asdict(choice)).test for choice in _both(evidence)]


def _both(evidence: Evidence) -> list[Choice]:
    return grid(evidence) + grid(evidence, SINGLETONS)
