"""Claims about the first phase: clusters (Tables I, II, III, X, XI), proxies and coarse recall (Figs. 1 and 5)."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from reproduction.evidence import Evidence
from reproduction.fewer_examples import SIZES, agreement
from reproduction.leave_one_out import of, turns_of
from reproduction.n02_clustering.clustering import best_is_clustered, clustered_ahead, inside, upstream_agreement
from reproduction.n02_clustering.silhouettes import over_kmeans, over_text
from reproduction.n03_recall import average_of_recalled, beats_random, gains
from reproduction.verdicts import Claim, Measured, above, always, below, designed, stable, untested
from twophase.clustering import silhouette


def _text(evidence: Evidence, same_distances: bool) -> Measured:
    if evidence.cards.empty:
        return untested("no encoder of model cards is configured")
    return stable(evidence, lambda target: over_text(evidence, target, same_distances))


def _coherence(evidence: Evidence, target: str) -> float:
    pair = (evidence.clusters(target, method=method) for method in ("hierarchical", "kmeans"))
    hierarchical, kmeans = (upstream_agreement(found, evidence) for found in pair)
    return hierarchical - kmeans


def _clustered_are_better(evidence: Evidence) -> Measured:
    gaps = clustered_ahead(evidence)
    return above(gaps) if gaps else untested("there are no singletons at this cut")


def _alike_here_alike_there(evidence: Evidence) -> Measured:
    rhos = []
    for target in evidence.everything:
        distance = 1 - evidence.clusters(target).similarity
        final = evidence.final(target).loc[distance.index].to_numpy()
        pairs = np.triu_indices(len(distance), 1)
        gap = np.abs(final[:, None] - final[None])[pairs]
        rhos.append(np.corrcoef(rankdata(distance.to_numpy()[pairs]), rankdata(gap))[0, 1])
    return above(rhos)


def _part_of_the_data(evidence: Evidence) -> Measured:
    few, more = (agreement(evidence)[size].dropna() for size in SIZES)
    if not len(few):
        return untested(f"no dataset has more than {SIZES[0]} training examples")
    found = above(few, 0.9)
    return replace(found, why=f"{found.why}; after {SIZES[1]} examples {more.mean():.3f}" if len(more) else found.why)


def _k(evidence: Evidence) -> Measured:
    printed = [k for k in {"cv": (3, 4), "nlp": (10, 15)}[evidence.domain] if k < len(evidence.benchmarks)]

    def ahead(target: str) -> float:
        five, *others = (silhouette(evidence.clusters(target, k=k), "released") for k in (5, *printed))
        return five - max(others)

    if len(evidence.benchmarks) <= 5 or not printed:
        return untested("too few benchmark datasets for these k")
    return stable(evidence, ahead)


def _falls_with_k(evidence: Evidence) -> Measured:
    few, more = max(1, evidence.top // 2), min(2 * evidence.top, len(evidence.models))
    curves = [average_of_recalled(evidence, target) for target in evidence.everything]
    return above([curve[few] - curve[more] for curve in curves])


def _found(evidence: Evidence, k: int) -> list[bool]:
    tables = {target: evidence.recall(target)["rank"] for target in evidence.everything}
    return [bool(rank[evidence.final(target).idxmax()] <= k) for target, rank in tables.items()]


def _proxy_alone(evidence: Evidence) -> Measured:
    alone = of(turns_of(evidence), "best proxy", variant=evidence.params.proxy.name)
    return above(of(turns_of(evidence), "two-phase")["accuracy"] - alone["accuracy"])


def _transferability(evidence: Evidence) -> Measured:
    leep = evidence.proxies[evidence.proxies["proxy"] == "leep"]
    table = leep.pivot(index="model", columns="dataset", values="score")
    rhos = [table[target].dropna().corr(evidence.final(target), method="spearman") for target in evidence.everything]
    return above(np.nan_to_num(rhos))


def _cheaper_than_knn(evidence: Evidence) -> Measured:
    seconds = evidence.proxies.pivot_table(index="dataset", columns="proxy", values="seconds")
    return above(seconds["knn"] / seconds["leep"], 1.1)


def _random_regret(evidence: Evidence) -> pd.Series:
    table = of(turns_of(evidence), "one at random")
    return table["best"] - table["accuracy"]


CLUSTERS = [
    Claim("Section III-A", "models alike on benchmark datasets are alike on a new task",
          "Spearman of Eq. 1 distance and accuracy gap on the left-out dataset", _alike_here_alike_there),
    Claim("Section III-A", "a subset of the training data is enough for the performance matrix",
          "Spearman of the models' accuracies after 125 training examples and after all, line at .9", _part_of_the_data),
    Claim("Section V-B, Table I", "hierarchical clustering beats k-means (performance-based similarity)",
          "difference of standard silhouettes", lambda e: stable(e, lambda t: over_kmeans(e, t)),
          {"cv": "+0.104", "nlp": "+0.039"}),
    Claim("Section V-B, Table I", "performance-based similarity beats text-based, each in its own distances",
          "difference of standard silhouettes, hierarchical", lambda e: _text(e, False),
          {"cv": "+0.110", "nlp": "+0.029"}),
    Claim("Section V-B, Table I", "performance-based similarity beats text-based, both in the distances of Eq. 1",
          "difference of standard silhouettes, hierarchical", lambda e: _text(e, True)),
    Claim("Section V-B, Table II", "most models are in non-singleton clusters", "share of models",
          lambda e: stable(e, lambda t: float(inside(e.clusters(t)).mean()), 0.5),
          {"cv": "almost all", "nlp": "0.75"}),
    Claim("Section V-B, Table II", "models fine-tuned on the same data are grouped together",
          "adjusted Rand index of clusters and last upstream",
          lambda e: stable(e, lambda t: upstream_agreement(e.clusters(t), e))),
    Claim("Section V-B, Table XI", "hierarchical clusters follow training data better than k-means clusters",
          "difference of adjusted Rand indices", lambda e: stable(e, lambda t: _coherence(e, t))),
    Claim("Section V-B, Table III", "clustered models are more accurate than singletons",
          "difference of mean accuracies on the left-out dataset", _clustered_are_better,
          {"cv": "+0.11", "nlp": "+0.06"}),
    Claim("Section V-B, Table III", "the best model of a dataset is a clustered one, more often than chance has it",
          "share of datasets minus share of clustered models", lambda e: above(best_is_clustered(e)),
          {"cv": "10 of 10", "nlp": "22 of 24"}),
    Claim("Appendix D, Table X", "k = 5 gives the best silhouette of the k tried (3, 4, 5 or 5, 10, 15)",
          "released silhouette at 5 minus the best other", _k, {"cv": "-0.029", "nlp": "+0.008"}),
]  # fmt: skip
RECALL = [
    Claim("Section I, Fig. 1", "only a minority of models suits a given task",
          "share of models within five points of the best",
          lambda e: below([(e.final(t) > e.final(t).max() - 0.05).mean() for t in e.everything], 0.5)),
    Claim("Section I, Fig. 1", "the choice matters: a model at random loses more than five points",
          "regret of a random model", lambda e: above(_random_regret(e), 0.05)),
    Claim("Section I", "a proxy score alone picks worse models than recall and fine-selection",
          "accuracy of two-phase minus that of the configured proxy's favourite", _proxy_alone),
    Claim("Section II-A", "LEEP needs less time than the kNN proxy, by more than a tenth",
          "ratio of measured seconds (loading and pass included), kNN / LEEP, line at 1.1",
          _cheaper_than_knn, proxies=("leep", "knn")),
    Claim("Sections II-A, V-E", "LEEP measures transferability across label spaces",
          "Spearman of LEEP and final accuracy, models with a source head", _transferability, proxies=("leep",)),
    Claim("Section III-A", "clusters spare proxy scores", "scored models / all models",
          lambda e: designed(below([len(e.scored(target)) / len(e.models) for target in e.everything], 1.0),
                             "one of each cluster of two or more is scored, so it is fewer than all by construction"),
          {"cv": "10 of 30 booked", "nlp": "10 of 40 booked"}),
    Claim("Section V-B, Fig. 5", "coarse recall beats random recall", "accuracy of the top K minus that of all models",
          beats_random, {"cv": "4 of 4 targets", "nlp": "4 of 4 targets"}),
    Claim("Section V-B, Fig. 5", "coarse recall beats random recall on every dataset", "share of datasets",
          lambda e: always(np.array(gains(e)) > 0), {"cv": "4 of 4", "nlp": "4 of 4"}),
    Claim("Section V-B, Fig. 5", "fewer recalled models are more accurate on average than more",
          "mean accuracy of the top K/2 minus that of the top 2K", _falls_with_k),
    Claim("Section V-B", "the top five contain the best model on most datasets", "share of datasets",
          lambda e: above(_found(e, 5), 0.5), {"cv": "2 of 4", "nlp": "3 of 4"}),
    Claim("Section V-B", "the top ten contain the best model on most datasets", "share of datasets",
          lambda e: above(_found(e, 10), 0.5), {"cv": "3 of 4", "nlp": "4 of 4"}),
    Claim("Section V-B", "the top fifteen always contain the best model", "share of datasets",
          lambda e: always(_found(e, 15)), {"cv": "4 of 4", "nlp": "4 of 4"}),
]  # fmt: skip
