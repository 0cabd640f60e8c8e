"""Claims about proxies and coarse recall (Sections I, II, III-B and V-B; Figs. 1 and 5)."""

import numpy as np

from reproduction.claims.verdicts import Claim, Measured, above, always, below
from reproduction.evidence import Evidence
from reproduction.leave_one_out import of
from reproduction.n03_recall import average_of_recalled


def _minority(evidence: Evidence) -> Measured:
    shares = []
    for target in evidence.everything:
        final = evidence.final(target)
        shares.append((final > final.max() - 0.05).mean())
    return below(shares, 0.5)


def _gain(evidence: Evidence) -> list[float]:
    gains = []
    for target in evidence.everything:
        final = evidence.final(target)
        gains.append(final[evidence.recalled(target)].mean() - final.mean())
    return gains


def _falls_with_k(evidence: Evidence) -> Measured:
    few, more = max(1, evidence.top // 2), min(2 * evidence.top, len(evidence.models))
    curves = [average_of_recalled(evidence, target) for target in evidence.everything]
    return above([curve[few] - curve[more] for curve in curves])


def _found(evidence: Evidence, k: int) -> list[bool]:
    tables = {target: evidence.recall(target)["rank"] for target in evidence.everything}
    return [bool(rank[evidence.final(target).idxmax()] <= k) for target, rank in tables.items()]


def _proxy_alone(evidence: Evidence) -> Measured:
    alone = of(evidence.turns, "best proxy", variant=evidence.params.proxy.name)
    return above(of(evidence.turns, "two-phase")["accuracy"] - alone["accuracy"])


def _transferability(evidence: Evidence) -> Measured:
    table = evidence.proxies[evidence.proxies["proxy"] == "leep"].pivot(
        index="model", columns="dataset", values="score"
    )
    rhos = [table[target].dropna().corr(evidence.final(target), method="spearman") for target in evidence.everything]
    return above(np.nan_to_num(rhos))


def _cheaper_than_knn(evidence: Evidence) -> Measured:
    seconds = evidence.proxies.pivot_table(index="dataset", columns="proxy", values="seconds")
    return above(seconds["knn"] / seconds["leep"], 1.0)


def _fewer_scored(evidence: Evidence) -> Measured:
    return below([len(evidence.scored(target)) / len(evidence.models) for target in evidence.everything], 1.0)


def _regret_of_random(evidence: Evidence) -> Measured:
    table = of(evidence.turns, "one at random")
    return above(table["best"] - table["accuracy"], 0.05)


CLAIMS = [
    Claim("Section I, Fig. 1", "only a minority of models suits a given task",
          "share of models within five points of the best", _minority),
    Claim("Section I, Fig. 1", "the choice matters: a model at random loses more than five points",
          "regret of a random model", _regret_of_random),
    Claim("Section I", "a proxy score alone picks worse models than recall and fine-selection",
          "accuracy of two-phase minus that of the configured proxy's favourite", _proxy_alone),
    Claim("Section II-A", "LEEP needs less time than the kNN proxy", "ratio of measured seconds, kNN / LEEP",
          _cheaper_than_knn, proxies=("leep", "knn")),
    Claim("Sections II-A, V-E", "LEEP measures transferability across label spaces",
          "Spearman of LEEP and final accuracy, models with a source head", _transferability, proxies=("leep",)),
    Claim("Section III-A", "clusters spare proxy scores", "scored models / all models", _fewer_scored,
          {"cv": "10 of 30 booked", "nlp": "10 of 40 booked"}),
    Claim("Section V-B, Fig. 5", "coarse recall beats random recall", "accuracy of the top K minus that of all models",
          lambda e: above(_gain(e)), {"cv": "4 of 4 targets", "nlp": "4 of 4 targets"}),
    Claim("Section V-B, Fig. 5", "coarse recall beats random recall on every dataset", "share of datasets",
          lambda e: always(np.array(_gain(e)) > 0), {"cv": "4 of 4", "nlp": "4 of 4"}),
    Claim("Section V-B, Fig. 5", "fewer recalled models are more accurate on average than more",
          "mean accuracy of the top K/2 minus that of the top 2K", _falls_with_k),
    Claim("Section V-B", "the top five contain the best model on most datasets", "share of datasets",
          lambda e: above(_found(e, 5), 0.5), {"cv": "2 of 4", "nlp": "3 of 4"}),
    Claim("Section V-B", "the top ten contain the best model on most datasets", "share of datasets",
          lambda e: above(_found(e, 10), 0.5), {"cv": "3 of 4", "nlp": "4 of 4"}),
    Claim("Section V-B", "the top fifteen always contain the best model", "share of datasets",
          lambda e: always(_found(e, 15)), {"cv": "4 of 4", "nlp": "4 of 4"}),
]  # fmt: skip
