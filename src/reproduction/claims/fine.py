"""Claims about the second phase and the whole: trends (Figs. 3, 6, 8), fine-selection and both phases (Tables IV to VII)."""

import numpy as np
import pandas as pd

from reproduction import paper
from reproduction.evidence import Evidence
from reproduction.leave_one_out import of, turns_of
from reproduction.n01_models import first_epoch
from reproduction.n04_convergence import figure_6_cells, two_rates
from reproduction.n05_fine_selection import by_threshold, compare
from reproduction.n06_end_to_end import all_datasets, as_accurate, as_fast_as_printed
from reproduction.verdicts import Claim, Measured, above, always, below, designed, same


def _by(evidence: Evidence, unit: str, first: str, second: str) -> pd.Series:
    """First minus second of Fig. 6's quantities, mean of a dataset's models or of a model's datasets."""
    cells = figure_6_cells(evidence)
    return (cells[first] - cells[second]).groupby(unit).mean().dropna()


def _one_filtering(evidence: Evidence) -> Measured:
    floor = evidence.top + evidence.records.epochs - 1
    return above(of(turns_of(evidence), "fine-selection", "recalled")["epochs"] == floor, 0.5)


def _same_winner(evidence: Evidence) -> Measured:
    table = two_rates(evidence)
    return always(table["winner", "first"] == table["winner", "second"], "targets")


def _change_with_rate(evidence: Evidence, quantity: str) -> pd.Series:
    table = two_rates(evidence)
    return (table[quantity, "second"] - table[quantity, "first"]).astype(float)


def _threshold(evidence: Evidence, quantity: str) -> pd.Series:
    return by_threshold(evidence, 0.1)[quantity] - by_threshold(evidence, 0.0)[quantity]


def _fine(evidence: Evidence, candidates: str) -> pd.Series:
    """Epochs of brute force over those of fine-selection among the same candidates."""
    n = evidence.top if candidates == "recalled" else len(evidence.models)
    return n * evidence.records.epochs / of(turns_of(evidence), "fine-selection", candidates)["epochs"]


def _behind(evidence: Evidence, candidates: str, other: str) -> pd.Series:
    """Accuracy of another choice among the same candidates minus that of fine-selection."""
    table = compare(evidence, candidates)
    return table[other] - table["FS accuracy"]


def _cheaper(evidence: Evidence, candidates: str) -> Measured:
    table = compare(evidence, candidates)
    return above(table["SH epochs"] / table["FS epochs"], 1.0)


def _never_dearer(evidence: Evidence) -> Measured:
    table = pd.concat([compare(evidence, candidates) for candidates in ("recalled", "all", "oracle")])
    return designed(
        always(table["FS epochs"] <= table["SH epochs"], "selections"),
        "fine-selection removes what halving removes, and more: it cannot cost more",
    )


def _speed(evidence: Evidence, short: str, unit: str = "epochs") -> pd.Series:
    table = all_datasets(evidence)
    return table[f"{short} {unit}"] / table[f"2PH {unit}"]


def _printed(domain: str, place: int) -> list[float]:
    return [row[place] for row in paper.TABLE_6[domain].values()]


def _at_least_printed(evidence: Evidence, short: str, place: int) -> Measured:
    """The printed values round to two decimals, so the line is a hundredth below the least of them."""
    return above(_speed(evidence, short), min(_printed(evidence.domain, place)) - 0.01)


def _above_the_recalled(evidence: Evidence) -> list[float]:
    two = of(turns_of(evidence), "two-phase")
    return [two.loc[t, "accuracy"] - evidence.final(t)[evidence.recalled(t)].mean() for t in two.index]


def _rank_of_winner(evidence: Evidence) -> Measured:
    winners = of(turns_of(evidence), "two-phase")["winner"]
    ranks = [int(evidence.recall(t).loc[winner, "rank"]) - 1 for t, winner in winners.items()]
    return below(ranks, (evidence.top - 1) / 2)


def _ranges(place: int) -> dict[str, str]:
    return {d: f"{min(_printed(d, place)):.2f} to {max(_printed(d, place)):.2f}" for d in ("cv", "nlp")}


TRENDS = [
    Claim("Section IV-A, Fig. 3", "validation after the first epoch tells the final order",
          "Spearman of first validation and final test, line at .5",
          lambda e: above(np.nan_to_num([first_epoch(e, t) for t in e.everything]), 0.5)),
    Claim("Section V-C, Fig. 6 (blue)", "trends group datasets better than chance",
          "silhouette of trends minus that of random groups",
          lambda e: above(_by(e, "dataset", "silhouette: trends", "silhouette: random"))),
    Claim("Section V-C, Fig. 6 (red)", "the matched trend predicts better than the mean, on average",
          "relative error of the mean minus that of the trend", lambda e: above(_by(e, "dataset", "error: mean", "error: trend"))),
    Claim("Section V-C, Fig. 6 (red)", "the matched trend predicts better than the mean for every model",
          "share of models", lambda e: always(_by(e, "model", "error: mean", "error: trend") > 0, "models")),
    Claim("Section V-C", "usually one filtering is enough to leave a single model", "share of datasets",
          _one_filtering),
    Claim("Section IV-A, Fig. 8", "with another learning rate the selected model is the same", "share of targets",
          _same_winner, {"nlp": "1 of 1"}),
    Claim("Section IV-A, Fig. 8", "with another learning rate the selection is as good",
          "regret with the second rate minus that with the first", lambda e: same(_change_with_rate(e, "regret"), what="targets")),
    Claim("Section IV-A, Fig. 8", "with another learning rate fine-selection costs the same",
          "epochs with the second rate minus those with the first, margin 1",
          lambda e: same(_change_with_rate(e, "epochs"), 1.0, "targets"), {"nlp": "0"}),
]  # fmt: skip
SELECTION = [
    Claim("Section V-C, Table IV", "a higher threshold costs epochs", "epochs at 10 % minus epochs at 0 %",
          lambda e: above(_threshold(e, "epochs")), {"cv": "+3.5", "nlp": "+2.5"}),
    Claim("Section V-C, Table IV", "a higher threshold keeps better models", "accuracy at 10 % minus accuracy at 0 %",
          lambda e: above(_threshold(e, "accuracy")), {"cv": "+0.002", "nlp": "0.000"}),
    Claim("Section V-C, Fig. 7", "fine-selection among the recalled picks the best of them, or nearly",
          "regret against the best candidate, margin of a point", lambda e: same(_behind(e, "recalled", "best"))),
    Claim("Section V-C, Fig. 7", "fine-selection among all models picks the best of them, or nearly",
          "regret against the best model, margin of a point", lambda e: same(_behind(e, "all", "best"))),
    Claim("Section V-C, Fig. 7", "fine-selection is as accurate as halving, among the recalled",
          "accuracy minus that of halving, margin of a point", lambda e: same(-_behind(e, "recalled", "SH accuracy"))),
    Claim("Section V-C, Fig. 7", "fine-selection is as accurate as halving, among all models",
          "accuracy minus that of halving, margin of a point", lambda e: same(-_behind(e, "all", "SH accuracy"))),
    Claim("Section IV-C", "fine-selection never costs more than halving", "share of datasets and candidate sets",
          _never_dearer),
    Claim("Section V-C, Table V", "fine-selection is cheaper than halving, among the recalled", "ratio of epochs",
          lambda e: _cheaper(e, "recalled"), {"cv": "1.06 to 1.38", "nlp": "1.19 to 1.36"}),
    Claim("Section V-C, Table V", "fine-selection is cheaper than halving, among all models", "ratio of epochs",
          lambda e: _cheaper(e, "all"), {"cv": "1.34 to 1.53", "nlp": "1.60 to 1.75"}),
    Claim("Section V-C, Table V", "fine-selection among ten is at least as fast against brute force as printed",
          "ratio of epochs, line at the least printed",
          lambda e: above(_fine(e, "recalled"), {"cv": 2.34, "nlp": 3.12}[e.domain]),
          {"cv": "2.35 to 3.08", "nlp": "3.13 to 3.57"}),
    Claim("Section V-C, Table V", "fine-selection among all is at least as fast against brute force as printed",
          "ratio of epochs, line at the least printed",
          lambda e: above(_fine(e, "all"), {"cv": 2.92, "nlp": 4.16}[e.domain]),
          {"cv": "2.93 to 3.33", "nlp": "4.17 to 4.55"}),
    Claim("Section V-C", "the more models, the larger the saving of fine-selection",
          "speed-up among all minus that among the recalled", lambda e: above(_fine(e, "all") - _fine(e, "recalled")),
          {"cv": "+0.08 to +0.66", "nlp": "+0.98 to +1.04"}),
    Claim("Section V-D, Table VI", "two-phase is at least as fast against brute force as printed",
          "ratio of epochs, line at the least printed", as_fast_as_printed, _ranges(1)),
    Claim("Section V-D, Table VI", "two-phase is at least as fast against halving as printed",
          "ratio of epochs, line at the least printed", lambda e: _at_least_printed(e, "SH", 2), _ranges(2)),
    Claim("Section I, contributions", "five times faster than brute force", "ratio of epochs", lambda e: above(_speed(e, "BF"), 5.0),
          {"cv": "about 5", "nlp": "about 5"}),
    Claim("Section I, contributions", "three times faster than halving", "ratio of epochs", lambda e: above(_speed(e, "SH"), 3.0),
          {"cv": "about 3", "nlp": "about 3"}),
    Claim("Section V-C", "epochs stand for time", "log of the speed-up in seconds over that in epochs, margin .22 (a quarter)",
          lambda e: same(np.log(_speed(e, "BF", "seconds") / _speed(e, "BF")), np.log(1.25))),
    Claim("Section V-D, Table VI", "two-phase is as accurate as brute force",
          "accuracy of brute force's pick minus ours, margin of a point", as_accurate,
          {"cv": "0.001 to 0.007", "nlp": "0.000 to 0.010"}),
    Claim("Section V-D, Table VI", "halving is as accurate as brute force",
          "accuracy of brute force's pick minus halving's, margin of a point",
          lambda e: same(all_datasets(e)["SH regret against brute force"]),
          {"cv": "0.000 to 0.007", "nlp": "0.000 to 0.050"}),
    Claim("Section V-E, Table VII", "the selected model beats the average of the recalled", "difference of accuracies",
          lambda e: designed(above(_above_the_recalled(e)), "the best by validation of a set is above the set's average"), {"cv": "+0.005 to +0.094", "nlp": "+0.056 to +0.085"}),
    Claim("Section V-E, Table VII", "the selected model ranks high in the recall",
          "rank from 0, line at the middle of the recalled", _rank_of_winner, {"cv": "1 and 9", "nlp": "0 and 5"}),
]  # fmt: skip
