"""Where the released code differs from the paper: does the difference change the figures?"""

import numpy as np

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.leave_one_out import of, turns_of
from reproduction.n02_clustering.silhouettes import over_kmeans
from reproduction.n05_fine_selection import by_threshold, compare
from reproduction.verdicts import SAME, Claim, Measured, above, counted, differs, stable
from twophase.clustering import silhouette
from twophase.similarity import top_k_similarity

CODE = "released code"
REINITIALISED = ("leep_reinitialised",)


def _recall(evidence: Evidence, variant: str, quantity: str, margin: float = SAME, plain: str = "") -> Measured:
    changed, usual = (of(turns_of(evidence), "two-phase", variant=name)[quantity] for name in (variant, plain))
    return differs(changed - usual, margin)


def _constant(evidence: Evidence) -> Measured:
    table = evidence.proxies.pivot_table(index="model", columns=["proxy", "dataset"], values="score")
    scores = table["leep_reinitialised"]
    return above((scores - scores.median()).abs().lt(0.001).mean(), 0.5)


def _order_says_something(evidence: Evidence) -> Measured:
    rhos = []
    for target in evidence.everything:
        scores = evidence.raw_scores(target, "leep_reinitialised")
        rhos.append(scores.corr(evidence.final(target), method="spearman"))
    return above(np.nan_to_num(rhos))


def _prior_decides(evidence: Evidence) -> Measured:
    rhos = []
    for target in evidence.everything:
        table = evidence.recall(target, "leep_reinitialised", normalization="exp", proxy="own")
        inside = table.loc[evidence.scored(target, "own")]
        rhos.append(inside["recall_score"].corr(inside["prior"], method="spearman"))
    return above(np.nan_to_num(rhos), 0.9)


def _silhouettes(evidence: Evidence, target: str) -> float:
    found = evidence.clusters(target)
    return silhouette(found, "released") - silhouette(found)


def _threshold(evidence: Evidence, quantity: str, margin: float) -> Measured:
    relative, absolute = (by_threshold(evidence, 0.05, kind) for kind in ("relative", "absolute"))
    return differs(absolute[quantity] - relative[quantity], margin)


def _oracle(evidence: Evidence, quantity: str, margin: float) -> Measured:
    oracle, recalled = (compare(evidence, candidates) for candidates in ("oracle", "recalled"))
    return differs(oracle[quantity] - recalled[quantity], margin)


def _booked(evidence: Evidence) -> Measured:
    """The paper's totals book ten proxy scores whatever the clusters."""
    half = evidence.params.recall.epochs_per_proxy
    return differs([half * (10 - len(evidence.scored(target))) for target in evidence.everything], 0.5)


def _positive_only(evidence: Evidence) -> Measured:
    matrix, k = evidence.matrix(evidence.outside), min(evidence.params.clustering.k, len(evidence.benchmarks))
    changes = top_k_similarity(matrix, k, positive_only=True) - top_k_similarity(matrix, k)
    change, none = float(changes.abs().to_numpy().max()), int((matrix <= 0).to_numpy().sum())
    return counted(change, change > 0, f"{none} cells of the matrix are not positive")


def _printed_total(evidence: Evidence) -> Measured:
    fine, whole = paper.TABLE_5[evidence.domain]["10"][2], paper.TABLE_6[evidence.domain]
    extra = {whole[target][0] - cost for target, cost in fine.items()}
    return counted(float(max(extra)), extra == {5}, "arithmetic on the printed tables")


DIFFERENCES = [
    Claim(f"Eq. 3, {CODE}", "scoring each clustered model by itself changes the accuracy",
          "accuracy with own proxies minus with representatives'",
          lambda e: _recall(e, "each model's own proxy", "accuracy")),
    Claim(f"Eq. 3, {CODE}", "scoring each clustered model by itself changes the cost",
          "epochs with own proxies minus with representatives'",
          lambda e: _recall(e, "each model's own proxy", "epochs", 0.5)),
    Claim(f"Eq. 4, {CODE}", "cosine instead of Eq. 1 for singletons changes the accuracy", "difference of accuracies",
          lambda e: _recall(e, "cosine for singletons", "accuracy")),
    Claim(f"LEEP, {CODE}", "with a re-initialised head LEEP is almost constant",
          "share of models within .001 nats of the median", _constant, {"nlp": "36 of 39 (MultiRC)"},
          proxies=REINITIALISED),
    Claim(f"LEEP, {CODE}", "with a re-initialised head the prior decides the recall",
          "Spearman of recall score and prior, clustered models, line at .9", _prior_decides, proxies=REINITIALISED),
    Claim(f"LEEP, {CODE}", "with a re-initialised head the accuracy is another", "difference of accuracies",
          lambda e: _recall(e, "re-initialised head", "accuracy"), proxies=REINITIALISED),
    Claim(f"Eq. 3, Eq. 4, LEEP, {CODE}", "all three together change the accuracy", "difference of accuracies",
          lambda e: _recall(e, "all three", "accuracy"), proxies=REINITIALISED),
    Claim(f"Section III-B, {CODE}", "exp(LEEP) instead of a minimum-maximum normalisation changes the accuracy",
          "accuracy with exp minus with minimum-maximum",
          lambda e: _recall(e, "exp normalisation", "accuracy", plain="minimum-maximum normalisation")),
    Claim(f"Table I, {CODE}", "the released silhouette is higher than Rousseeuw's", "difference of silhouettes",
          lambda e: stable(e, lambda t: _silhouettes(e, t)),
          {"cv": "+0.292 (released matrix)", "nlp": "+0.367 (released matrix)"}),
    Claim(f"Table I, {CODE}", "by the released silhouette too, hierarchical clustering beats k-means",
          "difference of released silhouettes", lambda e: stable(e, lambda t: over_kmeans(e, t, "released")),
          {"cv": "+0.104", "nlp": "+0.039"}),
    Claim(f"Eq. 1, {CODE}", "leaving out accuracies that are not positive changes the similarity",
          "largest change of a similarity", _positive_only),
    Claim(f"Table IV, {CODE}", "an absolute threshold of 5 % instead of a relative one changes the cost",
          "difference in epochs, margin .5", lambda e: _threshold(e, "epochs", 0.5)),
    Claim(f"Table IV, {CODE}", "an absolute threshold of 5 % instead of a relative one changes the accuracy",
          "difference of accuracies", lambda e: _threshold(e, "accuracy", 0.01)),
    Claim(f"Table V, {CODE}", "taking the truly best ten as candidates flatters the accuracy",
          "accuracy of fine-selection among the best by test minus among the recalled",
          lambda e: _oracle(e, "FS accuracy", 0.01)),
    Claim(f"Table V, {CODE}", "taking the truly best ten as candidates changes the cost",
          "epochs among the best by test minus among the recalled", lambda e: _oracle(e, "FS epochs", 0.5)),
    Claim(f"Table VI, {CODE}", "booking ten proxy scores instead of one per cluster changes the cost",
          "epochs booked too many, margin .5", _booked),
    Claim("Tables V and VI", "every printed total is that of fine-selection plus five epochs", "epochs", _printed_total,
          {"cv": "5", "nlp": "5"}),
    Claim(f"LEEP, {CODE}", "with a re-initialised head LEEP's order still says which models will be accurate",
          "Spearman of the score and the final accuracy, all models", _order_says_something, proxies=REINITIALISED),
]  # fmt: skip
