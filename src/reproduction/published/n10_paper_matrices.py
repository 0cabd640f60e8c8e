"""Notebook 10: the paper's own matrices, clustered again beside the printed tables."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from reproduction import paper as printed
from reproduction.choices import SINGLETONS
from reproduction.evidence import MODALITY, Evidence, load
from reproduction.n02_clustering.clustering import best_is_clustered, clustered_ahead, clusters, inside
from reproduction.published.sources import paper, params, recycling_evidence, transfer
from reproduction.tables import save_table, with_interval
from twophase.clustering import cluster_models, silhouette
from twophase.pipeline import recall
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


def answer(*sources: Evidence) -> str:
    """How much of Tables I and II comes out of the released matrices."""
    said = []
    for evidence in sources:
        table, found = membership(evidence), clusters(evidence)
        reported = printed.TABLE_1[evidence.domain]["performance", "hierarchical"]
        said.append(
            f"In {MODALITY[evidence.domain]}, {int(table['found'].sum())} of the {int(table['size'].sum())} printed members are in "
            f"the matching cluster; the silhouette is {silhouette(found, 'released'):.2f} by the released definition and "
            f"{silhouette(found):.2f} by the usual one, and {reported:.2f} in print"
        )
    return (
        f"**Answer.** Nearly. {'. '.join(said)}. So the printed clusters are what the method gives, and the printed silhouettes "
        "are by a definition of their own."
    )


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


FACTORS = (0.2, 0.35, 0.5, 0.65, 0.8)  # of the median distance between two models
MOST, TURNS = 400, 8  # models and targets of a source, evenly spaced: Eq. 1 of a thousand models takes seconds a target


def cut_sources() -> dict[str, tuple[Evidence, Callable[[str], Callable[[list[str]], pd.Series]]]]:
    """Records -> evidence, and target -> what scores models on it: a proxy, or the truth where no proxy is published.

    Of live zoos the targets are not asked.
    """

    def proxy(evidence: Evidence):
        return lambda target: lambda models: evidence.raw_scores(target, models=models)

    def truth(evidence: Evidence):
        return lambda target: lambda models: evidence.final(target).loc[models]

    live = {f"live {domain}": load(domain) for domain in params().domain}
    matrices = {f"paper {domain}": paper(domain) for domain in ("nlp", "cv")} | {
        "model-recycling": recycling_evidence()
    }
    found = {name: (evidence, proxy(evidence)) for name, evidence in (live | {"TransferGraph": transfer()}).items()}
    return found | {name: (evidence, truth(evidence)) for name, evidence in matrices.items()}


def adaptive_cuts() -> pd.DataFrame:
    """What cuts at a share of the median distance are worth on live and published records.

    Returns:
        A row per source and cut ("as configured" is the source's own, else the factor): groups (non-singleton clusters),
        largest (share of models in the largest cluster), singletons, regret (of the best of the ten recalled, test
        accuracy), regret with five singletons scored; means over targets, each left out of prior and clusters.
    """
    rows = []
    for source, (evidence, scored_on) in cut_sources().items():
        targets = evidence.benchmarks[:: max(1, len(evidence.benchmarks) // TURNS)]
        for target in targets:
            matrix = evidence.matrix(target)
            matrix = matrix.iloc[:, :: -(-matrix.shape[1] // MOST)]
            similarity = top_k_similarity(matrix, min(evidence.params.clustering.k, len(matrix)))
            middle = float(np.median(1 - similarity.to_numpy()[np.triu_indices(len(similarity), 1)]))
            final, normalization = evidence.final(target).loc[matrix.columns], evidence.normalization
            for cut in ("as configured", *FACTORS):
                threshold = evidence.cut if cut == "as configured" else cut * middle
                clusters = cluster_models(matrix, similarity=similarity, threshold=threshold)
                row = {"source": source, "cut": cut, "groups": len(clusters.non_singletons)}
                row["largest"] = clusters.labels.value_counts().iloc[0] / len(similarity)
                row["singletons"] = int((~inside(clusters)).sum())
                for name, singletons in (("regret", 0), ("regret, singletons scored", SINGLETONS)):
                    models = list(matrix.mean().nlargest(10).index)  # of singletons alone, the prior is all there is
                    if row["groups"]:
                        score, options = scored_on(target), {"singletons": singletons}
                        models = recall(matrix, clusters, lambda m, s=score: s(m), 10, normalization, **options).models
                    row[name] = final.max() - final[models].max()
                rows.append(row)
    table = pd.DataFrame(rows).groupby(["source", "cut"], sort=False).mean()
    return save_table(table, "table_cuts", "published")


def best_factor(table: pd.DataFrame) -> float:
    """The factor of the least regret, sources weighing the same."""
    means = table["regret"].unstack("cut").drop(columns="as configured").mean()
    return float(means.astype(float).idxmin())


def cuts_verdict(table: pd.DataFrame) -> str:
    """Which factor loses least over all sources, and what the sources' own cuts lose."""
    means = table.unstack("cut").mean().unstack(0)
    taken, own = best_factor(table), means.loc["as configured"]
    here = means.loc[taken]
    return (
        f"Over {table.index.unique('source').size} sources, each weighing the same, a cut at {taken:g} of the median distance "
        f"loses least: the best of the ten recalled is {here['regret']:.3f} below the best model on average, "
        f"{here['regret, singletons scored']:.3f} with five singletons scored by themselves. The sources' own cuts lose "
        f"{own['regret']:.3f} and {own['regret, singletons scored']:.3f}; they were chosen for these very records."
    )
