"""Not in the paper: what simpler methods do in place of its clusters, trends and recall, on the same datasets."""

from collections.abc import Callable

import pandas as pd

from reproduction.alternatives import nested
from reproduction.evidence import Evidence
from reproduction.leave_one_out import NESTED, NESTED_SINGLETONS, of, turns_of
from reproduction.n04_convergence import figure_6_cells, ranking
from reproduction.n05_fine_selection import one_trend
from reproduction.verdicts import Claim, Measured, above, same, untested

HERE = "not in the paper"


def _minus_two_phase(method: str, variant: str = "") -> Callable[[Evidence], Measured]:
    """Accuracy of a method's model minus that of the two phases as configured."""

    def measure(evidence: Evidence) -> Measured:
        turns = turns_of(evidence)
        return above(of(turns, method, variant=variant)["accuracy"] - of(turns, "two-phase")["accuracy"])

    return measure


def _nested_minus_two_phase(method: str) -> Callable[[Evidence], Measured]:
    """The same of a method with a proxy, the proxy chosen on the other benchmark datasets."""

    def measure(evidence: Evidence) -> Measured:
        turns = turns_of(evidence)
        return above(nested(turns, method)["accuracy"] - of(turns, "two-phase")["accuracy"])

    return measure


def _without_model(evidence: Evidence) -> Measured:
    turns = turns_of(evidence)
    names = turns.loc[turns["method"] == "no model", "variant"].unique()
    if not len(names):
        return untested("no classifier without a model was fitted")
    return _minus_two_phase("no model", names[0])(evidence)


def _ranking(evidence: Evidence) -> Measured:
    table = ranking(evidence).fillna(0)
    return above((table["validation"] - table["prediction"]).groupby("dataset").mean())


def _line(evidence: Evidence) -> Measured:
    cells = figure_6_cells(evidence)
    return above((cells["error: trend"] - cells["error: line"]).groupby("dataset").mean())


def _change(variant: str, plain: str = "") -> Callable[[Evidence], pd.Series]:
    """Accuracy of a variant of the two phases minus that of another one."""

    def difference(evidence: Evidence) -> pd.Series:
        turns = turns_of(evidence)
        first, second = (of(turns, "two-phase", variant=name)["accuracy"] for name in (variant, plain))
        return first - second

    return difference


SIMPLER = [
    Claim(HERE, "validation itself ranks models better than the trends' predictions do",
          "Spearman with the final test, mean of the stages: validation minus prediction", _ranking),
    Claim(HERE, "a line fitted on first validations predicts the final test better than the trends do",
          "relative error of the trend minus that of the line", _line),
    Claim(HERE, "fine-selection with one trend in place of four picks better models",
          "accuracy with one trend minus as configured, among the recalled",
          one_trend),
    Claim(HERE, "the favourite of one proxy run on every model is better than the two phases' model",
          "difference of accuracies, the proxy chosen on the other benchmark datasets",
          _nested_minus_two_phase("best proxy")),
    Claim(HERE, "one proxy run on every model, then fine-selection of its best, is better than the two phases",
          "difference of accuracies, the proxy chosen on the other benchmark datasets",
          _nested_minus_two_phase("proxy, then fine-selection")),
    Claim(HERE, "fine-selection of the models best on average is better than the two phases",
          "difference of accuracies; no proxy is run", _minus_two_phase("prior, then fine-selection")),
    Claim(HERE, "the largest model is better than the two phases' model", "difference of accuracies",
          _minus_two_phase("best size")),
    Claim(HERE, "the model whose card tells the highest accuracy is better than the two phases' model",
          "difference of accuracies", _minus_two_phase("best card accuracy")),
    Claim(HERE, "a linear probe of every model, the best by validation, is better than the two phases' fine-tuned model",
          "difference of accuracies", _minus_two_phase("linear probe")),
    Claim(HERE, "a linear classifier without any pre-trained model is better than the two phases' fine-tuned model",
          "difference of accuracies", _without_model),
    Claim(HERE, "cut and normalisation chosen in each fold give the accuracy of those chosen on all benchmark datasets",
          "difference of accuracies, nested minus configured", lambda e: same(_change(NESTED)(e))),
    Claim("Eq. 4", "scoring five singletons by themselves picks better models than Eq. 4",
          "difference of accuracies, cut and normalisation chosen in each fold",
          lambda e: above(_change(NESTED_SINGLETONS, NESTED)(e))),
    Claim("Section III-A", "an adaptive cut (half the median distance of two models) gives the accuracy of the chosen one",
          "difference of accuracies, adaptive minus configured", lambda e: same(_change("adaptive cut")(e))),
]  # fmt: skip
