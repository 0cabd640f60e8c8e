"""Notebook 10: the paper's own matrices, clustered again beside the printed tables."""

import pandas as pd

from reproduction import paper as printed
from reproduction.evidence import Evidence
from reproduction.n02_clustering.clustering import best_is_clustered, clustered_ahead, clusters, inside
from reproduction.published.sources import params
from reproduction.tables import save_table, with_interval
from twophase.clustering import cluster_models, silhouette
from twophase.recall import coarse_recall, normalize
from twophase.similarity import top_k_similarity
from twophase.sources.published import paper_matrices

SKIPPING = "Eq. 1 without scores <= 0"


def released(evidence: Evidence) -> pd.DataFrame:
    """Clusters and silhouettes of the released matrix as the released code makes them, beside the paper's print."""
    found, matrix = clusters(evidence), evidence.matrix(evidence.outside)
    skipping = top_k_similarity(matrix, evidence.params.clustering.k, positive_only=True)
    as_released = cluster_models(matrix, similarity=skipping, threshold=evidence.cut)
    size, several, among = {"nlp": ("40 x 24", 8, 30), "cv": ("30 x 10", 6, None)}[evidence.domain]
    reported = printed.TABLE_1[evidence.domain]["performance", "hierarchical"]
    rows = {
        "models x datasets": (f"{matrix.shape[1]} x {matrix.shape[0]}", size),
        "clusters": (found.labels.nunique(), None),
        "non-singleton clusters": (len(found.non_singletons), several),
        "models in them": (int(inside(found).sum()), among),
        "silhouette, standard, all models": (silhouette(found), None),
        "silhouette, standard, clustered models": (silhouette(found, models="clustered"), None),
        "silhouette, released definition": (silhouette(found, "released"), None),
        f"silhouette, released definition and {SKIPPING}": (silhouette(as_released, "released"), reported),
    }
    table = pd.DataFrame(rows, index=["released matrix", "paper"], dtype=object).T.rename_axis("quantity")
    return save_table(table, "table_released_matrix", evidence.name)


def membership(evidence: Evidence) -> pd.DataFrame:
    """Each cluster that Table II prints, beside the cluster here that shares most of its members.

    Columns: size (printed), found (of these, in that cluster here), jaccard, elsewhere (printed members in other clusters),
    also (members here that are not printed).
    """
    found = clusters(evidence)
    rows = {}
    for name, members in printed.TABLE_2_MEMBERS[evidence.domain].items():
        label = found.labels.reindex(members).mode().min()
        here, there = set(found.members(label)), set(members)
        rows[name] = {"size": len(there), "found": len(here & there), "jaccard": len(here & there) / len(here | there)}
        rows[name] |= {"elsewhere": ", ".join(sorted(there - here)), "also": ", ".join(sorted(here - there))}
    return save_table(pd.DataFrame(rows).T.rename_axis("Table II").infer_objects(), "table_2_membership", evidence.name)


def membership_verdict(evidence: Evidence, table: pd.DataFrame) -> str:
    """How much of Table II comes out of the released matrix."""
    whole, size, found = int((table["jaccard"] == 1).sum()), int(table["size"].sum()), int(table["found"].sum())
    return (
        f"{whole} of the {len(table)} printed clusters come out of the released matrix member by member; {found} of the "
        f"{size} printed members are in the matching cluster."
    )


def clustered_verdict(evidence: Evidence) -> str:
    """Table III with each dataset left out of the clustering in turn."""
    gaps, excess = clustered_ahead(evidence), best_is_clustered(evidence)
    return (
        f"Each dataset left out of the clustering in turn, clustered models are {with_interval(gaps)} more accurate on it than "
        f"singletons, and its best model is a clustered one {with_interval(excess)} more often than chance has it (95 % "
        "bootstrap over datasets)."
    )


def near_median(scores: pd.Series) -> int:
    """How many LEEP scores are within a thousandth of a nat of their median."""
    return int((scores - scores.median()).abs().le(0.001 + 1e-9).sum())


def released_leep(evidence: Evidence) -> pd.DataFrame:
    """The released LEEP scores: how many are the same, and what is left of Eq. 2 with them."""
    scores = paper_matrices.leep(evidence.domain, params().published.mirror)
    matrix, found = evidence.matrix(evidence.outside), clusters(evidence)
    table = coarse_recall(matrix, found, normalize(scores.reindex(matrix.columns), "exp"), evidence.top, proxy="own")
    clustered = table[inside(found).reindex(table.index)]
    rho = clustered["recall_score"].corr(clustered["prior"], method="spearman")
    prior = table["prior"].sort_values(ascending=False, kind="stable").index[: evidence.top]
    rows = {
        "target": paper_matrices.LEEP_TARGET[evidence.domain],
        "models": len(scores),
        "scores within .001 nats of the median": near_median(scores),
        "lowest score (nats)": scores.min(),
        "highest score (nats)": scores.max(),
        "Spearman of recall score and prior, clustered models": rho,
        f"of the top {evidence.top}, also the prior's": len(prior.intersection(table.index[: evidence.top])),
    }
    return pd.Series(rows, name="released LEEP").rename_axis("quantity").to_frame()
