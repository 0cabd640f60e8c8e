"""Claims about similarity and clusters (Sections III-A and V-B; Tables I, II, III, X, XI)."""

import numpy as np

from reproduction.claims.verdicts import UNTESTED, Claim, Measured, above, given
from reproduction.evidence import Evidence
from reproduction.n02_clustering.clustering import best_is_clustered, clustered_ahead, upstream_agreement
from reproduction.n02_clustering.silhouettes import jackknife, over_kmeans, over_text
from twophase.clustering import silhouette

JACKKNIFE = "jackknife over benchmark datasets"


def _jackknife(evidence: Evidence, statistic, line: float = 0.0) -> Measured:
    return given(*jackknife(evidence, statistic), line, JACKKNIFE)


def _text(evidence: Evidence, same_distances: bool) -> Measured:
    if evidence.cards.empty:
        return Measured(np.nan, None, None, UNTESTED, "no encoder of model cards is configured")
    return _jackknife(evidence, lambda target: over_text(evidence, target, same_distances))


def _clustered_share(evidence: Evidence) -> Measured:
    def share(target: str) -> float:
        found = evidence.clusters(target)
        return float(found.labels.isin(found.non_singletons).mean())

    return _jackknife(evidence, share, 0.5)


def _upstreams(evidence: Evidence) -> Measured:
    return _jackknife(evidence, lambda target: upstream_agreement(evidence.clusters(target), evidence))


def _coherence(evidence: Evidence) -> Measured:
    def difference(target: str) -> float:
        return upstream_agreement(evidence.clusters(target, method="hierarchical"), evidence) - upstream_agreement(
            evidence.clusters(target, method="kmeans"), evidence
        )

    return _jackknife(evidence, difference)


def _clustered_are_better(evidence: Evidence) -> Measured:
    gaps = clustered_ahead(evidence)
    return above(gaps) if gaps else Measured(np.nan, None, None, UNTESTED, "there are no singletons at this cut")


def _alike_here_alike_there(evidence: Evidence) -> Measured:
    rhos = []
    for target in evidence.everything:
        distance = 1 - evidence.clusters(target).similarity
        final = evidence.final(target).loc[distance.index].to_numpy()
        pairs = np.triu_indices(len(distance), 1)
        gap = np.abs(final[:, None] - final[None])[pairs]
        rhos.append(np.corrcoef(_ranks(distance.to_numpy()[pairs]), _ranks(gap))[0, 1])
    return above(rhos)


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)


def _k(evidence: Evidence) -> Measured:
    printed = [k for k in {"cv": (3, 4), "nlp": (10, 15)}[evidence.domain] if k < len(evidence.benchmarks)]

    def ahead(target: str) -> float:
        five, *others = (silhouette(evidence.clusters(target, k=k), "released") for k in (5, *printed))
        return five - max(others)

    if len(evidence.benchmarks) <= 5 or not printed:
        return Measured(np.nan, None, None, UNTESTED, "too few benchmark datasets for these k")
    return _jackknife(evidence, ahead)


CLAIMS = [
    Claim("Section III-A", "models alike on benchmark datasets are alike on a new task",
          "Spearman of Eq. 1 distance and accuracy gap on the left-out dataset", _alike_here_alike_there),
    Claim("Section III-A", "a subset of the training data is enough for the performance matrix",
          "", None, why="every dataset here already is a subset of 400 or 500 examples; there is no whole to compare with"),
    Claim("Section V-B, Table I", "hierarchical clustering beats k-means (performance-based similarity)",
          "difference of standard silhouettes", lambda e: _jackknife(e, lambda t: over_kmeans(e, t)),
          {"cv": "+0.104", "nlp": "+0.039"}),
    Claim("Section V-B, Table I", "performance-based similarity beats text-based, each in its own distances",
          "difference of standard silhouettes, hierarchical", lambda e: _text(e, False), {"cv": "+0.110", "nlp": "+0.029"}),
    Claim("Section V-B, Table I", "performance-based similarity beats text-based, both in the distances of Eq. 1",
          "difference of standard silhouettes, hierarchical", lambda e: _text(e, True)),
    Claim("Section V-B, Table II", "most models are in non-singleton clusters",
          "share of models", _clustered_share, {"cv": "almost all", "nlp": "0.75"}),
    Claim("Section V-B, Table II", "models fine-tuned on the same data are grouped together",
          "adjusted Rand index of clusters and last upstream", _upstreams),
    Claim("Section V-B, Table XI", "hierarchical clusters follow training data better than k-means clusters",
          "difference of adjusted Rand indices", _coherence),
    Claim("Section V-B, Table III", "clustered models are more accurate than singletons",
          "difference of mean accuracies on the left-out dataset", _clustered_are_better, {"cv": "+0.11", "nlp": "+0.06"}),
    Claim("Section V-B, Table III", "the best model of a dataset is a clustered one, more often than chance has it",
          "share of datasets minus share of clustered models", lambda e: above(best_is_clustered(e)), {"cv": "10 of 10", "nlp": "22 of 24"}),
    Claim("Appendix D, Table X", "k = 5 gives the best silhouette of the k tried (3, 4, 5 or 5, 10, 15)",
          "released silhouette at 5 minus the best other", _k, {"cv": "-0.029", "nlp": "+0.008"}),
]  # fmt: skip
