"""How models are scored, grouped, selected and fine-tuned, one schema for the live zoos, `select` and `matrix`; and what
they are judged by.

Metrics are those of the `evaluate` library, ours backed by scikit-learn so that they work offline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from twophase.clustering import METHODS
from twophase.errors import UserError, unknown
from twophase.infra.schema import AtLeastOne, Field, NotNegative, OneOf, settings
from twophase.recall import NORMALIZATIONS

if TYPE_CHECKING:
    import evaluate
    import numpy as np

METRICS = {  # name -> function of scikit-learn and its options; higher is better
    "accuracy": ("accuracy_score", {}),
    "balanced_accuracy": ("balanced_accuracy_score", {}),
    "macro_f1": ("f1_score", {"average": "macro", "zero_division": 0}),
    "weighted_f1": ("f1_score", {"average": "weighted", "zero_division": 0}),
    "matthews": ("matthews_corrcoef", {}),
}


@settings("training")
class TrainingConfig:
    """How a model is fine-tuned.

    Args:
        epochs: the full run; the learning rate falls to zero over it even if the run is cut.
        batch_size: examples a step.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's.
        warmup: share of all steps in which the learning rate rises.

    Raises:
        UserError: a value outside its range.
    """

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 4
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=1e6)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=1e3)] = 0.01
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.1

    def changed(self, values: Mapping[str, Any]) -> TrainingConfig:
        """The same but for the values that are given; None is not. Raises UserError as above."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})


@settings("proxy")
class Proxy:
    """Which proxy scores a model; `headless` scores those without a source head. `normalization` None: the domain's."""

    name: str
    normalization: OneOf(NORMALIZATIONS) | None
    headless: str


@settings("clustering")
class Clustering:
    """How models are grouped; `n_clusters` None: by a cut of the dendrogram. `exact_up_to`: see `large.cluster_many`."""

    method: OneOf(METHODS)
    k: AtLeastOne
    n_clusters: AtLeastOne | None
    exact_up_to: AtLeastOne


@settings("recall")
class Recall:
    """How many models coarse recall hands on, how many singletons it scores too, and what a proxy costs in epochs."""

    top: AtLeastOne
    singletons: Annotated[int, Field(ge=0)]
    epochs_per_proxy: NotNegative


@settings("selection")
class Selection:
    """Fine-selection (Algorithm 1); see `selection.check_threshold`."""

    threshold: float
    threshold_kind: str
    n_trends: AtLeastOne


@settings("leader")
class Leader:
    """The method beyond the paper; see `twophase.leader_pipeline` and, for the last three, `twophase.belief`."""

    price: NotNegative
    proxies: tuple[str, ...]
    examples: AtLeastOne
    shrink: Annotated[float, Field(ge=0, le=1)]
    own: Annotated[float, Field(ge=0, le=1)]
    distrust: NotNegative

    @property
    def learned(self) -> dict[str, float]:
        """What `belief` is told."""
        return {"shrink": self.shrink, "own": self.own, "distrust": self.distrust}


def check_metric(name: str, trust_remote_code: bool = False) -> None:
    """Whether there is a metric; of ours it is told without `evaluate`, whose import takes seconds.

    Raises:
        UserError: see `scorer`.
    """
    if name in METRICS:
        return
    if "/" not in name:
        raise unknown(f"metric {name!r}", name, METRICS)
    if not trust_remote_code:
        raise UserError(
            f"the metric {name!r} is a program from a hub; give trust_remote_code=true to execute it, or take one of "
            f"{', '.join(METRICS)}."
        )
    _of_hub(name)


def scorer(name: str, trust_remote_code: bool = False) -> Callable[[np.ndarray, np.ndarray], float]:
    """labels (N,), predicted classes (N,) -> the value of a metric.

    Args:
        name: one of `METRICS`, or an id of the hub's ("org/name"), which is a program that `evaluate` executes.

    Raises:
        UserError: no such name, a hub id without `trust_remote_code`, or one that cannot be had.
    """
    check_metric(name, trust_remote_code)
    found = _own(name) if name in METRICS else _of_hub(name)

    def score(labels: np.ndarray, predicted: np.ndarray) -> float:
        values = found.compute(predictions=predicted.tolist(), references=labels.tolist())
        return float(values[name] if name in values else next(iter(values.values())))

    return score


@cache
def _of_hub(name: str) -> evaluate.Metric:
    import evaluate

    try:
        return evaluate.load(name)
    except Exception as error:  # evaluate's loading errors share no parent
        raise UserError(
            f"the metric {name!r} cannot be loaded ({type(error).__name__}: {str(error).splitlines()[0]}); without a network "
            f"take one of {', '.join(METRICS)}."
        ) from error


@cache
def _own(name: str) -> evaluate.Metric:
    import datasets
    import evaluate
    from sklearn import metrics

    function, options = METRICS[name]
    columns = {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}

    class Own(evaluate.Metric):
        def _info(self) -> evaluate.MetricInfo:
            said = {
                "description": f"{function} of scikit-learn",
                "citation": "",
                "inputs_description": "integer classes",
            }
            return evaluate.MetricInfo(**said, features=datasets.Features(columns))

        def _compute(self, predictions, references):
            return {name: float(getattr(metrics, function)(references, predictions, **options))}

    return Own(keep_in_memory=True)
