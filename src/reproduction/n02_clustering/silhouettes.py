"""Notebook 02: which similarity, clustering, k and cut hold together best (Tables I and X)."""

import json
from dataclasses import replace

import pandas as pd

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.n02_clustering.clustering import clusters, inside
from reproduction.tables import save_table, tidy
from reproduction.verdicts import left_out
from twophase.clustering import Clusters, silhouette
from twophase.similarity import cosine_similarity


def by_cards(evidence: Evidence, method: str = "hierarchical", target: str | None = None) -> Clusters | None:
    """Clusters by the cosine of the model cards' embeddings, as many as performance gives; None without cards."""
    if evidence.cards.empty:
        return None
    target = target or evidence.outside
    alike = cosine_similarity(evidence.cards.loc[evidence.models])
    number = evidence.clusters(target).labels.nunique()
    return evidence.clusters(target, method=method, similarity=alike, n_clusters=number)


def table_1(evidence: Evidence) -> pd.DataFrame:
    """Table I: silhouettes by similarity and clustering, standard and as released, beside the paper's.

    Silhouettes are measured in the similarity that the clusters were made from, as the paper does; "in Eq. 1" measures
    all four groupings in the same distances.
    """
    rows = {}
    for (kind, method), printed in paper.TABLE_1[evidence.domain].items():
        found = clusters(evidence, method=method) if kind == "performance" else by_cards(evidence, method)
        row = rows[f"{kind}-based", method] = {"paper": printed}
        if found is not None:
            in_eq_1 = replace(found, similarity=clusters(evidence).similarity)
            row |= {"clusters": found.labels.nunique(), "in Eq. 1": silhouette(in_eq_1), **_both(found)}
    table = pd.DataFrame(rows).T.rename_axis(["similarity", "clustering"])
    columns = ["clusters", "standard", "released", "in Eq. 1", "paper"]
    return save_table(table.reindex(columns=columns), "table_1", evidence.name)


def _both(found: Clusters) -> dict[str, float]:
    return {"standard": silhouette(found), "released": silhouette(found, variant="released")}


def table_1_verdict(evidence: Evidence) -> str:
    """By how much hierarchical clustering beats k-means, and what that is without each benchmark dataset."""
    said = []
    for variant in ("standard", "released"):
        found = left_out(evidence, lambda target, v=variant: over_kmeans(evidence, target, v))
        said.append(f"by the {variant} silhouette the difference is {_with_range(*found)}")
    printed = paper.TABLE_1[evidence.domain]
    return (
        "The paper finds hierarchical clustering clearly better than k-means "
        f"({printed['performance', 'hierarchical'] - printed['performance', 'kmeans']:+.3f}). Here {'; '.join(said)}. "
        "The two definitions are not comparable with each other: the released one measures the distance to *all* models "
        "outside a cluster and leaves singletons out."
    )


def text_verdict(evidence: Evidence) -> str:
    """Performance against text, in each one's own distances and in the same; what encoded the cards."""
    if evidence.cards.empty:
        return "No encoder of model cards is configured, so the text-based rows are empty."
    own, same = (left_out(evidence, lambda target, s=s: over_text(evidence, target, s)) for s in (False, True))
    encoder = json.loads((evidence.results / evidence.domain / "cards.json").read_text())
    return (
        f"Cards are encoded by {encoder['name']}. Performance-based minus text-based silhouette, hierarchical: "
        f"{_with_range(*own)}, each in its own distances, which says little: a cosine of texts and Eq. 1 are different "
        f"scales. In the distances of Eq. 1, for the same number of clusters: {_with_range(*same)}."
    )


def _with_range(value: float, lowest: float, highest: float) -> str:
    value, lowest, highest = (round(number, 3) + 0.0 for number in (value, lowest, highest))  # no "-0.000"
    return f"{value:+.3f} (between {lowest:+.3f} and {highest:+.3f} when one benchmark dataset is left out)"


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


def table_10(evidence: Evidence) -> pd.DataFrame:
    """Table X: silhouette and number of clusters for each k of Eq. 1, at the configured cut."""
    rows = {}
    for k in range(1, len(evidence.benchmarks) + 1):
        found = clusters(evidence, k=k)
        rows[k] = {"clusters": found.labels.nunique(), "non-singleton": len(found.non_singletons), **_both(found)}
        rows[k]["paper"] = paper.TABLE_10[evidence.domain].get(k)
    return save_table(pd.DataFrame(rows).T.rename_axis("k"), "table_10", evidence.name)


def choice_of_cut(evidence: Evidence) -> pd.DataFrame:
    """What each cut of the dendrogram gives, on the benchmark datasets alone."""
    rows = {}
    for cut in (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3):
        found = clusters(evidence, threshold=cut)
        rows[cut] = {"clusters": found.labels.nunique(), "non-singleton": len(found.non_singletons)}
        rows[cut] |= {"clustered models": inside(found).sum(), **_both(found)}
    return tidy(pd.DataFrame(rows).T).rename(index="{:.2f}".format).rename_axis("cut")
