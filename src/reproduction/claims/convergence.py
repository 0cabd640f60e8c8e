"""Claims about curves and convergence trends (Sections IV-A, IV-C and V-C; Figs. 3, 6 and 8)."""

import numpy as np
import pandas as pd

from reproduction.claims.verdicts import Claim, Measured, above, always, same
from reproduction.evidence import Evidence
from reproduction.leave_one_out import of
from reproduction.n04_convergence import figure_6_table, two_rates


def _trend_table(evidence: Evidence) -> pd.DataFrame:
    return evidence.once("figure_6", None, lambda: figure_6_table(evidence))


def _trends_group(evidence: Evidence) -> Measured:
    table = _trend_table(evidence).dropna()
    return above(table["silhouette: trends"] - table["silhouette: random"], what="models")


def _trends_predict(evidence: Evidence) -> pd.Series:
    table = _trend_table(evidence)
    return table["error: mean"] - table["error: trend"]


def _one_filtering(evidence: Evidence) -> Measured:
    floor = evidence.top + evidence.records.epochs - 1
    return above(of(evidence.turns, "fine-selection", "recalled")["epochs"] == floor, 0.5)


def _same_winner(evidence: Evidence) -> Measured:
    table = two_rates(evidence)
    return always(table["winner", "first"] == table["winner", "second"])


def _same_regret(evidence: Evidence) -> Measured:
    table = two_rates(evidence)
    return same(table["regret", "second"] - table["regret", "first"])


def _same_cost(evidence: Evidence) -> Measured:
    table = two_rates(evidence)
    return same((table["epochs", "second"] - table["epochs", "first"]).astype(float), 1.0)


CLAIMS = [
    Claim("Section IV-A, Fig. 3", "validation after the first epoch tells the final order",
          "Spearman of first validation and final test, line at .5",
          lambda e: above(np.nan_to_num([e.first_epoch(t) for t in e.everything]), 0.5)),
    Claim("Section V-C, Fig. 6 (blue)", "trends group datasets better than chance",
          "silhouette of trends minus that of random groups", _trends_group),
    Claim("Section V-C, Fig. 6 (red)", "the matched trend predicts better than the mean, on average",
          "relative error of the mean minus that of the trend", lambda e: above(_trends_predict(e), what="models")),
    Claim("Section V-C, Fig. 6 (red)", "the matched trend predicts better than the mean for every model",
          "share of models", lambda e: always(_trends_predict(e) > 0)),
    Claim("Section V-C", "usually one filtering is enough to leave a single model", "share of datasets", _one_filtering),
    Claim("Section IV-A, Fig. 8", "with another learning rate the selected model is the same", "share of targets",
          _same_winner, {"nlp": "1 of 1"}),
    Claim("Section IV-A, Fig. 8", "with another learning rate the selection is as good",
          "regret with the second rate minus that with the first", _same_regret),
    Claim("Section IV-A, Fig. 8", "with another learning rate fine-selection costs the same",
          "epochs with the second rate minus those with the first, margin 1", _same_cost, {"nlp": "0"}),
]  # fmt: skip
