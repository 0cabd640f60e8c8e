"""Notebook 02: the clusters and what they hold (Tables II, III and XI)."""

import pandas as pd

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.tables import interval, save_figure, save_table, with_interval
from twophase.clustering import Clusters
from twophase.infra import plots


def clusters(evidence: Evidence, **options) -> Clusters:
    """Clusters of all models on all benchmark datasets."""
    return evidence.clusters(evidence.outside, **options)


def figure_dendrogram(evidence: Evidence):
    """Average linkage of all models over Eq. 1, with the cut drawn in."""
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    alike = clusters(evidence).similarity
    distance = squareform(1 - alike.to_numpy(), checks=False)
    with plots.style():
        figure, (axis,) = plots.panels(1, height=4.6, width=plots.PAGE)
        colours = {"color_threshold": evidence.cut, "above_threshold_color": plots.GREY}
        dendrogram(linkage(distance, "average"), labels=list(alike.index), orientation="left", ax=axis, **colours)
        axis.axvline(evidence.cut, color=plots.RED, ls="--", lw=1)
        axis.set(xlabel="distance (1 - similarity of Eq. 1); dashed: the cut")
        axis.grid(False)
        axis.tick_params(axis="y", labelsize=6.5)
        return save_figure(figure, "figure_dendrogram", evidence.name)


def inside(found: Clusters) -> pd.Series:
    """Whether each model is in a non-singleton cluster."""
    return found.labels.isin(found.non_singletons)


def table_2(evidence: Evidence) -> pd.DataFrame:
    """Table II: members of the non-singleton hierarchical clusters, the representative first."""
    return save_table(_members(clusters(evidence, method="hierarchical")), "table_2", evidence.name)


def table_11(evidence: Evidence) -> pd.DataFrame:
    """Table XI: members of the non-singleton k-means clusters, the representative first."""
    return save_table(_members(clusters(evidence, method="kmeans")), "table_11", evidence.name)


def _members(found: Clusters) -> pd.DataFrame:
    rows = {}
    for number, label in enumerate(found.non_singletons, 1):
        first = found.representatives[label]
        others = sorted(set(found.members(label)) - {first})
        rows[f"C{number}"] = {"size": 1 + len(others), "representative": first, "other members": ", ".join(others)}
    return pd.DataFrame(rows).T.rename_axis("cluster")


def table_2_verdict(evidence: Evidence) -> str:
    """Counts beside the paper's, and whether clusters follow what models were trained on."""
    found = clusters(evidence, method="hierarchical")
    clustered = int(inside(found).sum())
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

    return float(adjusted_rand_score(evidence.zoo["upstream"].loc[found.labels.index], found.labels))


def table_3(evidence: Evidence) -> pd.DataFrame:
    """Table III: average accuracy, and on how many datasets the best model is clustered or a singleton."""
    found, matrix = clusters(evidence), evidence.records.matrix(role=None)
    clustered, best = inside(found), matrix.idxmax(axis=1)
    rows = {}
    for kind, these in (("non-singleton", clustered), ("singleton", ~clustered)):
        names = list(these.index[these])
        average, count = paper.TABLE_3[evidence.domain][kind]
        rows[kind] = {"models": len(names), "average accuracy": matrix[names].mean().mean()}
        rows[kind] |= {"best on": int(best.isin(names).sum())}
        rows[kind] |= {"paper: average accuracy": average, "paper: best on": count}
    return save_table(pd.DataFrame(rows).T.rename_axis("cluster type"), "table_3", evidence.name)


def table_3_verdict(evidence: Evidence) -> str:
    """Whether clustered models are the better ones here too, on datasets that the clusters have not seen."""
    gaps, excess = clustered_ahead(evidence), best_is_clustered(evidence)
    if not gaps:
        return "There are no singletons at this cut, so the comparison cannot be made."
    (low, high), (least, most) = interval(gaps), interval(excess)
    return (
        f"With each dataset left out of the clustering in turn, clustered models are {with_interval(gaps)} more accurate on "
        f"it than singletons: the paper's claim **{'holds' if low > 0 else 'does not hold' if high <= 0 else 'is not settled'}** "
        f"here. The share of datasets whose best model is a clustered one differs from the share of clustered models by "
        f"{with_interval(excess)} "
        f"({'more often than chance' if least > 0 else 'less often than chance' if most < 0 else 'as chance has it'}). "
        "Intervals: 95 % bootstrap over datasets."
    )


def clustered_ahead(evidence: Evidence) -> list[float]:
    """Mean accuracy of clustered models minus that of singletons on each dataset, clustered without it."""
    gaps = []
    for target in evidence.everything:
        clustered, final = inside(evidence.clusters(target)), evidence.final(target)
        if not clustered.all():
            gaps.append(float(final[clustered.index[clustered]].mean() - final[clustered.index[~clustered]].mean()))
    return gaps


def best_is_clustered(evidence: Evidence) -> list[float]:
    """For each dataset, 1 if its best model is a clustered one, else 0; minus the share of clustered models."""
    clustered = {target: inside(evidence.clusters(target)) for target in evidence.everything}
    return [float(here[evidence.final(target).idxmax()]) - float(here.mean()) for target, here in clustered.items()]
