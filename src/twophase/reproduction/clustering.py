"""Notebook 02: similarity, clusters and silhouettes (Tables I, II, III and X)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from ..clustering import Clusters, silhouette
from ..similarity import cosine_similarity
from . import paper
from .evidence import Evidence, save_table, tidy


def clusters(evidence: Evidence, **options) -> Clusters:
    """Clusters of all models on all benchmark datasets."""
    return evidence.clusters(evidence.targets[0], **options)


def by_cards(evidence: Evidence, method: str = "hierarchical", target: str | None = None) -> Clusters | None:
    """Clusters by the cosine of the model cards' embeddings, as many as performance gives; None without cards."""
    if evidence.cards.empty:
        return None
    target = target or evidence.targets[0]
    alike = cosine_similarity(evidence.cards.loc[evidence.models])
    number = evidence.clusters(target).labels.nunique()
    return evidence.clusters(target, method=method, similarity=alike, n_clusters=number)


def table_1(evidence: Evidence) -> pd.DataFrame:
    """Table I: silhouettes by similarity and clustering, standard and as released, beside the paper's.

    Silhouettes are measured in the similarity that the clusters were made from, as the paper does; "in Eq. 1" measures
    all four groupings in the same distances.
    """
    rows = {}
    for kind, name in (("performance", "performance-based"), ("text", "text-based")):
        for method in ("hierarchical", "kmeans"):
            found = clusters(evidence, method=method) if kind == "performance" else by_cards(evidence, method)
            rows[name, method] = {"paper": paper.TABLE_1[evidence.domain][kind, method]}
            if found is not None:
                rows[name, method] |= {
                    "clusters": found.labels.nunique(),
                    "standard": silhouette(found),
                    "released": silhouette(found, variant="released"),
                    "in Eq. 1": silhouette(replace(found, similarity=clusters(evidence).similarity)),
                }
    table = pd.DataFrame(rows).T.rename_axis(["similarity", "clustering"])
    columns = ["clusters", "standard", "released", "in Eq. 1", "paper"]
    return save_table(table.reindex(columns=columns), "table_1", evidence.domain)


def table_1_verdict(evidence: Evidence) -> str:
    """Whether hierarchical clustering beats k-means, and performance beats text, with jackknife intervals."""
    said = []
    for variant in ("standard", "released"):
        value, low, high = jackknife(evidence, lambda target, v=variant: over_kmeans(evidence, target, v))
        said.append(f"by the {variant} silhouette the difference is {value:+.3f} [{low:+.3f}, {high:+.3f}]")
    printed = paper.TABLE_1[evidence.domain]
    return (
        "The paper finds hierarchical clustering clearly better than k-means "
        f"({printed['performance', 'hierarchical'] - printed['performance', 'kmeans']:+.3f}). Here {' and '.join(said)}. "
        "The two definitions are not comparable with each other: the released one measures the distance to *all* models "
        "outside a cluster and leaves singletons out. Intervals: jackknife, a benchmark dataset left out at a time."
    )


def text_verdict(evidence: Evidence) -> str:
    """Performance against text, in each one's own distances and in the same; what encoded the cards."""
    if evidence.cards.empty:
        return "No encoder of model cards is configured, so the text-based rows are empty."
    own, same = (jackknife(evidence, lambda target, s=s: over_text(evidence, target, s)) for s in (False, True))
    encoder = json.loads((evidence.results / evidence.domain / "cards.json").read_text())
    return (
        f"Cards are encoded by {encoder['name']}. Performance-based minus text-based silhouette, hierarchical: "
        f"{own[0]:+.3f} [{own[1]:+.3f}, {own[2]:+.3f}], each in its own distances, which says little: a cosine of texts and "
        f"Eq. 1 are different scales. In the distances of Eq. 1, for the same number of clusters: {same[0]:+.3f} "
        f"[{same[1]:+.3f}, {same[2]:+.3f}]."
    )


def over_kmeans(evidence: Evidence, target: str, variant: str = "standard") -> float:
    """Silhouette of hierarchical clusters minus that of as many k-means clusters, without the target."""
    first, second = (silhouette(evidence.clusters(target, method=m), variant) for m in ("hierarchical", "kmeans"))
    return first - second


def over_text(evidence: Evidence, target: str, same_distances: bool = False) -> float:
    """Silhouette of performance-based minus text-based clusters (hierarchical), without the target."""
    performance, text = evidence.clusters(target, method="hierarchical"), by_cards(evidence, target=target)
    if same_distances:
        text = replace(text, similarity=performance.similarity)
    return silhouette(performance) - silhouette(text)


def jackknife(evidence: Evidence, statistic: Callable[[str], float]) -> tuple[float, float, float]:
    """A statistic of the whole benchmark and its 95 % jackknife interval, a benchmark dataset left out at a time.

    Args:
        evidence: of a domain.
        statistic: target -> value; computed without that target.
    """
    value = statistic(evidence.targets[0])
    left_out = np.array([statistic(dataset) for dataset in evidence.benchmarks])
    n = len(left_out)
    deviation = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    return value, value - 1.96 * deviation, value + 1.96 * deviation


def table_10(evidence: Evidence) -> pd.DataFrame:
    """Table X: silhouette and number of clusters for each k of Eq. 1, at the configured cut."""
    rows = {}
    for k in range(1, len(evidence.benchmarks) + 1):
        found = clusters(evidence, k=k)
        rows[k] = {
            "clusters": found.labels.nunique(),
            "non-singleton": len(found.non_singletons),
            "standard": silhouette(found),
            "released": silhouette(found, variant="released"),
            "paper": paper.TABLE_10[evidence.domain].get(k),
        }
    return save_table(pd.DataFrame(rows).T.rename_axis("k"), "table_10", evidence.domain)


def choice_of_cut(evidence: Evidence) -> pd.DataFrame:
    """What each cut of the dendrogram gives, on the benchmark datasets alone."""
    rows = {}
    for cut in (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3):
        found = clusters(evidence, threshold=cut)
        clustered = found.labels.isin(found.non_singletons).sum()
        rows[cut] = {
            "clusters": found.labels.nunique(), "non-singleton": len(found.non_singletons), "clustered models": clustered,
            "standard": silhouette(found), "released": silhouette(found, variant="released"),
        }  # fmt: skip
    return tidy(pd.DataFrame(rows).T).rename(index="{:.2f}".format).rename_axis("cut")


def figure_dendrogram(evidence: Evidence):
    """Average linkage of all models over Eq. 1, with the cut drawn in."""
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    from .. import plots

    alike = clusters(evidence).similarity
    distance = squareform(1 - alike.to_numpy(), checks=False)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=4.6, width=plots.PAGE)
        dendrogram(linkage(distance, "average"), labels=list(alike.index), orientation="left", ax=axis,
                   color_threshold=evidence.settings.cut, above_threshold_color=plots.GREY)  # fmt: skip
        axis.axvline(evidence.settings.cut, color=plots.RED, ls="--", lw=1)
        axis.set(xlabel="distance (1 - similarity of Eq. 1); dashed: the cut")
        axis.grid(False)
        axis.tick_params(axis="y", labelsize=6.5)
        return plots.save(figure, "figure_dendrogram", evidence.domain)


def table_2(evidence: Evidence) -> pd.DataFrame:
    """Table II: members of the non-singleton hierarchical clusters, the representative first."""
    return save_table(_members(clusters(evidence, method="hierarchical")), "table_2", evidence.domain)


def table_11(evidence: Evidence) -> pd.DataFrame:
    """Table XI: members of the non-singleton k-means clusters, the representative first."""
    return save_table(_members(clusters(evidence, method="kmeans")), "table_11", evidence.domain)


def _members(found: Clusters) -> pd.DataFrame:
    rows = {}
    for number, label in enumerate(found.non_singletons, 1):
        first = found.representatives[label]
        others = sorted(set(found.members(label)) - {first})
        rows[f"C{number}"] = {
            "size": 1 + len(others),
            "representative": first,
            "other members": ", ".join(others),
        }
    return pd.DataFrame(rows).T.rename_axis("cluster")


def table_2_verdict(evidence: Evidence) -> str:
    """Counts beside the paper's, and whether clusters follow what models were trained on."""
    found = clusters(evidence, method="hierarchical")
    clustered = int(found.labels.isin(found.non_singletons).sum())
    sizes = paper.TABLE_2[evidence.domain]
    return (
        f"Here {len(found.non_singletons)} non-singleton clusters hold {clustered} of {len(found.labels)} models "
        f"(the paper's largest holds {sizes[0]} of {paper.TABLE_2_MODELS[evidence.domain]}, ours {len(found.members(0))}). "
        f"The paper reads its clusters as shared training data; the agreement of ours with the models' upstreams is "
        f"an adjusted Rand index of {upstream_agreement(found, evidence):.2f} (0: chance, 1: the same groups); that of the "
        f"k-means clusters, Table XI, is {upstream_agreement(clusters(evidence, method='kmeans'), evidence):.2f} (the paper "
        f"finds those less coherent; it prints {len(paper.TABLE_11[evidence.domain])} non-singleton ones)."
    )


def upstream_agreement(found: Clusters, evidence: Evidence) -> float:
    """Adjusted Rand index of clusters and what the models learned last."""
    from sklearn.metrics import adjusted_rand_score

    recipes = evidence.settings.zoo.recipes
    return float(adjusted_rand_score([recipes[name].upstream or "none" for name in found.labels.index], found.labels))


def table_3(evidence: Evidence) -> pd.DataFrame:
    """Table III: average accuracy, and on how many datasets the best model is clustered or a singleton."""
    found, matrix = clusters(evidence), evidence.records.matrix(role=None)
    clustered = found.labels.isin(found.non_singletons)
    best = matrix.idxmax(axis=1)
    rows = {}
    for kind, these in (("non-singleton", clustered), ("singleton", ~clustered)):
        names = list(these.index[these])
        average, count = paper.TABLE_3[evidence.domain][kind]
        rows[kind] = {
            "models": len(names), "average accuracy": matrix[names].mean().mean(), "best on": int(best.isin(names).sum()),
            "paper: average accuracy": average, "paper: best on": count,
        }  # fmt: skip
    return save_table(pd.DataFrame(rows).T.rename_axis("cluster type"), "table_3", evidence.domain)


def table_3_verdict(table: pd.DataFrame) -> str:
    """Whether clustered models are the better ones here too."""
    inside, outside = table.loc["non-singleton"], table.loc["singleton"]
    if not outside["models"]:
        return "There are no singletons at this cut, so the comparison cannot be made."
    better = inside["average accuracy"] > outside["average accuracy"]
    most = inside["best on"] / (inside["best on"] + outside["best on"])
    return (
        f"The paper's claim that clustered models are the better ones **{'holds' if better else 'does not hold'}** for the "
        f"average accuracy ({inside['average accuracy']:.3f} against {outside['average accuracy']:.3f}). The best model is a "
        f"clustered one on {most:.0%} of the datasets, where {inside['models'] / (inside['models'] + outside['models']):.0%} "
        "of the models are clustered."
    )
