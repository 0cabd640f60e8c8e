"""Notebook 02: similarity, clusters and silhouettes (Tables I, II, III and X)."""

from __future__ import annotations

import pandas as pd

from ..clustering import Clusters, cluster_models, silhouette
from . import paper
from .evidence import Evidence, save_table, tidy


def clusters(evidence: Evidence, **options) -> Clusters:
    """Clusters of all models on all benchmark datasets."""
    return evidence.clusters(evidence.targets[0], **options)


def table_1(evidence: Evidence) -> pd.DataFrame:
    """Table I, performance-based row: silhouettes of both clusterings, standard and as released, beside the paper's."""
    rows = {}
    for method in ("hierarchical", "kmeans"):
        found = clusters(evidence, method=method)
        rows["performance-based", method] = {
            "clusters": found.labels.nunique(),
            "standard": silhouette(found),
            "released": silhouette(found, variant="released"),
            "paper": paper.TABLE_1[evidence.domain]["performance", method],
        }
    return save_table(pd.DataFrame(rows).T.rename_axis(["similarity", "clustering"]), "table_1", evidence.domain)


def table_1_verdict(table: pd.DataFrame) -> str:
    """Whether hierarchical clustering beats k-means here, by either definition."""
    said = []
    for variant in ("standard", "released"):
        difference = table[variant].iloc[0] - table[variant].iloc[1]
        said.append(
            f"by the {variant} silhouette it is {'higher' if difference > 0 else 'not higher'} ({difference:+.3f})"
        )
    return (
        "The paper finds hierarchical clustering clearly better than k-means "
        f"({table['paper'].iloc[0] - table['paper'].iloc[1]:+.3f}). Here, {' and '.join(said)}. "
        "The two definitions are not comparable with each other: the released one measures the distance to *all* models "
        "outside a cluster and leaves singletons out."
    )


def choice_of_k(evidence: Evidence) -> pd.DataFrame:
    """Table X: silhouette and number of clusters for each k of Eq. 1, at the configured cut."""
    matrix = evidence.matrix(evidence.targets[0])
    rows = {}
    for k in range(1, len(matrix) + 1):
        found = cluster_models(matrix, k=k, threshold=evidence.settings.cut)
        rows[k] = {
            "clusters": found.labels.nunique(),
            "non-singleton": len(found.non_singletons),
            "standard": silhouette(found),
            "released": silhouette(found, variant="released"),
            "paper": paper.TABLE_10[evidence.domain].get(k),
        }
    return tidy(pd.DataFrame(rows).T.rename_axis("k"))


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
    """Table II: members of the non-singleton clusters, the representative first."""
    found = clusters(evidence)
    rows = {}
    for number, label in enumerate(found.non_singletons, 1):
        first = found.representatives[label]
        others = sorted(set(found.members(label)) - {first})
        rows[f"C{number}"] = {
            "size": 1 + len(others),
            "representative": first,
            "other members": ", ".join(others),
        }
    return save_table(pd.DataFrame(rows).T.rename_axis("cluster"), "table_2", evidence.domain)


def table_2_verdict(evidence: Evidence) -> str:
    """Counts beside the paper's, and whether clusters follow what models were trained on."""
    found = clusters(evidence)
    clustered = int(found.labels.isin(found.non_singletons).sum())
    sizes = paper.TABLE_2[evidence.domain]
    upstream = pd.Series({name: _origin(evidence, name) for name in found.labels.index})
    from sklearn.metrics import adjusted_rand_score

    agreement = adjusted_rand_score(upstream, found.labels.loc[upstream.index])
    return (
        f"Here {len(found.non_singletons)} non-singleton clusters hold {clustered} of {len(found.labels)} models "
        f"(the paper's largest holds {sizes[0]} of {paper.TABLE_2_MODELS[evidence.domain]}, ours {len(found.members(0))}). "
        f"The paper reads its clusters as shared training data; the agreement of ours with the models' upstreams is "
        f"an adjusted Rand index of {agreement:.2f} (0: chance, 1: the same groups)."
    )


def _origin(evidence: Evidence, model: str) -> str:
    recipe = evidence.settings.zoo.recipes[model]
    return recipe.upstream or "none"


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
