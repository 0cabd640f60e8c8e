"""Notebook 02: the clusters and what they hold (Tables II, III and XI)."""

import pandas as pd

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.leave_one_out import of, turns_of
from reproduction.tables import against_zero, save_figure, save_table, with_interval
from reproduction.verdicts import above
from twophase.clustering import Clusters, silhouette
from twophase.infra import plots


def clusters(evidence: Evidence, **options) -> Clusters:
    """Clusters of all models on all benchmark datasets."""
    return evidence.clusters(evidence.outside, **options)


def answer(evidence: Evidence) -> str:
    """What clusters save, in cost, and what sharing a proxy score loses."""
    found, turns = clusters(evidence), turns_of(evidence)
    two, own = of(turns, "two-phase"), of(turns, "two-phase", variant="each model's own proxy")
    paid = (two["epochs"] - of(turns, "fine-selection", "recalled")["epochs"]).mean()
    whole = evidence.params.recall.epochs_per_proxy * len(evidence.models)
    lost = own["accuracy"] - two["accuracy"]
    word = against_zero(lost, "costs accuracy", "even helps", "costs no accuracy that these datasets could show")
    return (
        f"**Answer.** Largely. {len(found.non_singletons)} clusters of two or more hold {int(inside(found).sum())} of the "
        f"{len(found.labels)} models. Scoring their representatives costs {paid:.1f} model-epochs, scoring every model "
        f"{whole:.0f}; trying every model takes {len(found.labels) * evidence.records.epochs}. Sharing a score {word}: with one of "
        f"its own for each clustered model, the accuracy of the model selected changes by {with_interval(lost)}. But clusters blur into "
        f"each other: their silhouette is {silhouette(found):.2f}, where 1 is perfect separation."
    )


def figure_dendrogram(evidence: Evidence):
    """Average linkage of all models over Eq. 1, with the cut drawn in."""
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    alike = clusters(evidence).similarity
    joins = linkage(squareform(1 - alike.to_numpy(), checks=False), "average")

    def colour(node: int) -> str:  # scipy numbers the joins after the models
        return plots.BLUE if joins[node - len(alike), 2] <= evidence.cut else plots.GREY

    with plots.style():
        figure, (axis,) = plots.panels(1, height=0.7 + 0.125 * len(alike), width=plots.PAGE)
        dendrogram(joins, labels=list(alike.index), orientation="left", ax=axis, link_color_func=colour)
        axis.axvline(evidence.cut, color=plots.RED, ls="--", lw=1)
        axis.set(xlabel="distance (1 - similarity of Eq. 1); dashed: the cut; blue: joined below it")
        axis.grid(False)
        axis.tick_params(axis="y", labelsize=7)  # scipy chooses by the number of models
        return save_figure(figure, "figure_dendrogram", evidence.name)


def inside(found: Clusters) -> pd.Series:
    """Whether each model is in a non-singleton cluster."""
    return found.labels.isin(found.non_singletons)


def table_2(evidence: Evidence) -> pd.DataFrame:
    """Table II: members of the non-singleton hierarchical clusters, the representative first."""
    return _members(evidence, "hierarchical", "table_2")


def table_11(evidence: Evidence) -> pd.DataFrame:
    """Table XI: members of the non-singleton k-means clusters, the representative first."""
    return _members(evidence, "kmeans", "table_11")


def _members(evidence: Evidence, method: str, name: str) -> pd.DataFrame:
    found, rows = clusters(evidence, method=method), {}
    for number, label in enumerate(found.non_singletons, 1):
        first = found.representatives[label]
        others = sorted(set(found.members(label)) - {first})
        rows[f"C{number}"] = {"size": 1 + len(others), "representative": first, "other members": ", ".join(others)}
    return save_table(pd.DataFrame(rows).T.rename_axis("cluster"), name, evidence.name)


def table_2_verdict(evidence: Evidence) -> str:
    """Counts beside the paper's, and whether clusters follow what models were trained on."""
    found = clusters(evidence, method="hierarchical")
    clustered = int(inside(found).sum())
    printed, largest = paper.TABLE_2_CLUSTERS[evidence.domain], paper.TABLE_2[evidence.domain][0]
    return (
        f"Here {len(found.non_singletons)} non-singleton clusters hold {clustered} of {len(found.labels)} models; the "
        f"largest has {len(found.members(0))}. The paper counts {printed} (Section V-B), the largest with "
        f"{largest} of its {paper.TABLE_2_MODELS[evidence.domain]} models. "
        f"The paper reads its clusters as shared training data; the agreement of ours with the models' upstreams is "
        f"an adjusted Rand index of {upstream_agreement(found, evidence):.2f} (0: chance, 1: the same groups); that of the "
        f"k-means clusters, Table XI, is {upstream_agreement(clusters(evidence, method='kmeans'), evidence):.2f} (the paper "
        f"finds those less coherent, and prints {len(paper.TABLE_11[evidence.domain])} non-singleton ones)."
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
        rows[kind] |= {"best on": best.isin(names).sum(), "paper: average accuracy": average, "paper: best on": count}
    return save_table(pd.DataFrame(rows).T.rename_axis("cluster type"), "table_3", evidence.name)


def table_3_verdict(evidence: Evidence) -> str:
    """Whether clustered models are the better ones here too, on datasets that the clusters have not seen."""
    gaps, excess = clustered_ahead(evidence), best_is_clustered(evidence)
    if not gaps:
        return "There are no singletons at this cut, so the comparison cannot be made."
    ahead = above(gaps)
    return (
        f"With each dataset left out of the clustering in turn, clustered models are {ahead.said()} more accurate on it than "
        f"singletons. That they are the better ones: **{ahead.verdict}** (claim C9). The best model of a dataset is a clustered one "
        f"{against_zero(excess, 'more often than by chance', 'less often than by chance', 'about as often as by chance')}: that "
        f"share of datasets minus the share of clustered models is {with_interval(excess)}. "
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
