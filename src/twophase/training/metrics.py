"""What a classifier is judged by: metrics of the `evaluate` library, ours backed by scikit-learn so that they work offline."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from twophase.errors import UserError, unknown

if TYPE_CHECKING:
    import evaluate
    import numpy as np

OWN = {  # name -> function of scikit-learn and its options; higher is better
    "accuracy": ("accuracy_score", {}),
    "balanced_accuracy": ("balanced_accuracy_score", {}),
    "macro_f1": ("f1_score", {"average": "macro", "zero_division": 0}),
    "weighted_f1": ("f1_score", {"average": "weighted", "zero_division": 0}),
    "matthews": ("matthews_corrcoef", {}),
}


def check(name: str, trust_remote_code: bool = False) -> None:
    """Whether `metric` finds it; what needs no `evaluate`, whose import takes seconds, is told without.

    Raises:
        UserError: see `metric`.
    """
    if name in OWN:
        return
    if "/" not in name:
        raise unknown(f"metric {name!r}", name, OWN)
    metric(name, trust_remote_code)


@cache
def metric(name: str, trust_remote_code: bool = False) -> evaluate.Metric:
    """A metric by name: one of `OWN`, or an id of the hub's ("org/name"), which is a program that `evaluate` executes.

    Raises:
        UserError: no such name, a hub id without `trust_remote_code`, or one that cannot be had.
    """
    if name in OWN:
        return _own(name)
    if "/" not in name:
        check(name)
    if not trust_remote_code:
        raise UserError(
            f"the metric {name!r} is a program from a hub; give trust_remote_code=true to execute it, or take one of "
            f"{', '.join(OWN)}."
        )
    import evaluate

    try:
        return evaluate.load(name)
    except Exception as error:  # evaluate's loading errors share no parent
        raise UserError(
            f"the metric {name!r} cannot be loaded ({type(error).__name__}: {str(error).splitlines()[0]}); without a network "
            f"take one of {', '.join(OWN)}."
        ) from error


def scorer(name: str, trust_remote_code: bool = False) -> Callable[[np.ndarray, np.ndarray], float]:
    """labels (N,), predicted classes (N,) -> the metric's value."""
    found = metric(name, trust_remote_code)

    def score(labels: np.ndarray, predicted: np.ndarray) -> float:
        values = found.compute(predictions=predicted.tolist(), references=labels.tolist())
        return float(values[name] if name in values else next(iter(values.values())))

    return score


def _own(name: str) -> evaluate.Metric:
    import datasets
    import evaluate
    from sklearn import metrics

    function, options = OWN[name]

    class Own(evaluate.Metric):
        def _info(self) -> evaluate.MetricInfo:
            return evaluate.MetricInfo(
                description=f"{function} of scikit-learn", citation="", inputs_description="integer classes",
                features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
            )  # fmt: skip

        def _compute(self, predictions, references):
            return {name: float(getattr(metrics, function)(references, predictions, **options))}

    return Own(keep_in_memory=True)
