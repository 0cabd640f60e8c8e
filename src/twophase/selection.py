"""Brute force, successive halving and fine-selection (Algorithm 1).

They see only a `Runs`, live or replayed, and write down what they did: for every stage and model the
validation, the predicted final score, whether it was kept and why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from .errors import UserError
from .records import TrainingRecords
from .runs import Runs
from .trends import TrendPredictor

HISTORY = ["stage", "model", "val", "predicted", "kept", "reason"]
THRESHOLDS = ("relative", "absolute")


@dataclass(frozen=True)
class Selection:
    """What a selection returns.

    Attributes:
        winner: the selected model, trained to the end.
        test: its score on the test split.
        epochs: model-epochs trained (the paper's accounting).
        seconds: measured wall-clock of the training (NaN where records have none).
        history: a row a stage and model: stage (from 1), model, val, predicted, kept, reason.
    """

    winner: str
    test: float
    epochs: float
    seconds: float
    history: pd.DataFrame


# A rule takes the stage (from 1) and the validations of the models trained in it, and gives the predicted finals
# (or None) and, for each model that goes, the reason.
Rule = Callable[[int, pd.Series], tuple[pd.Series | None, dict[str, str]]]


def brute_force(runs: Runs, models: Iterable[str]) -> Selection:
    """Train every model to the end; the best last validation wins."""
    return _select(runs, models, lambda stage, val: (None, {}))


def successive_halving(runs: Runs, models: Iterable[str]) -> Selection:
    """After every epoch keep the better half by validation, at least one (Section IV-B)."""
    return _select(runs, models, lambda stage, val: (None, halve(val, len(val))))


def fine_selection(
    runs: Runs,
    models: Iterable[str],
    records: TrainingRecords,
    threshold: float = 0.0,
    n_trends: int = 4,
    threshold_kind: str = "relative",
    seed: int = 0,
) -> Selection:
    """Algorithm 1: halving that also removes models predicted to end below a better one.

    Args:
        runs: of the target.
        models: the recalled models, M_0.
        records: of these models on the benchmark datasets; rows of role target and of the run's own dataset are
            never seen.
        threshold: how much better the prediction of a better model must be for another to go.
        n_trends: convergence trends a stage.
        threshold_kind: "relative" to the better prediction (paper) or "absolute" (released code).
        seed: of the trends' k-means.

    Raises:
        UserError: an unknown threshold kind, a negative threshold, models without benchmark records, no curves.
    """
    if threshold_kind not in THRESHOLDS:
        raise UserError(f"unknown threshold_kind {threshold_kind!r}; allowed: {', '.join(THRESHOLDS)}.")
    if not threshold >= 0:
        raise UserError(f"threshold is {threshold}; allowed: 0 or more (0.05 is five per cent).")
    models = list(models)
    known = records.frame[(records.frame["role"] == "benchmark") & records.frame["model"].isin(models)]
    known = known[known["dataset"] != runs.dataset]
    if strangers := sorted(set(models) - set(known["model"])):
        raise UserError(f"no benchmark records of {strangers[:5]}; fine-selection predicts from a model's own runs.")
    predictor = TrendPredictor(TrainingRecords(known), n_trends, seed)

    def rule(stage: int, val: pd.Series) -> tuple[pd.Series | None, dict[str, str]]:  # val: line 4
        if len(val) == 1:  # line 3
            return None, {}
        pred = pd.Series({model: predictor.predict(model, stage, val[model]) for model in val.index})  # lines 5, 6
        gone = dominated(val, pred, threshold, threshold_kind)  # line 7
        left = val.drop(list(gone))
        return pred, gone | halve(left, len(val))  # lines 8-10

    return _select(runs, models, rule)


def dominated(val: pd.Series, pred: pd.Series, threshold: float = 0.0, kind: str = "relative") -> dict[str, str]:
    """Algorithm 1, line 7: the models to remove, each with the reason.

    Model i goes if some j has val_j > val_i and pred_j - pred_i > threshold * pred_j ("absolute": > threshold). All
    comparisons are against the models as they stood, so the order of removal does not matter.
    """
    gone = {}
    for i in val.index:
        margin = threshold * pred if kind == "relative" else threshold
        better = (val > val[i]) & (pred - pred[i] > margin)
        if better.any():
            j = pred[better].sort_index().idxmax()
            gone[i] = (
                f"filtered: {j} has a better validation ({val[j]:.3f} > {val[i]:.3f}) "
                f"and a better predicted final ({pred[j]:.3f} > {pred[i]:.3f})"
            )
    return gone


def halve(val: pd.Series, n: int) -> dict[str, str]:
    """Algorithm 1, lines 8-10: the models to remove so that max(1, floor(n / 2)) stay, the worst validation first.

    Args:
        val: validation of the models still there.
        n: number of models at the start of the stage.
    """
    room = max(1, n // 2)
    ranked = sorted(val.index, key=lambda model: (-val[model], model))
    return {
        model: f"halved: validation {val[model]:.3f} is not among the best {room} of {n}" for model in ranked[room:]
    }


def _select(runs: Runs, models: Iterable[str], rule: Rule) -> Selection:
    alive = sorted(models)
    if not alive:
        raise UserError("no models to select from; give at least one.")
    if len(set(alive)) < len(alive):
        raise UserError("a model is named twice; each stands once.")
    history: list[dict] = []
    for stage in range(1, runs.epochs + 1):
        val = runs.advance(alive)  # line 2
        failed = {model: f"failed: {runs.failures.get(model, 'no score')}" for model in val.index[val.isna()]}
        val = val.drop(list(failed))
        if val.empty:
            raise UserError(f"every model failed on this task; the last reasons: {failed}")
        pred, gone = rule(stage, val)
        for model in alive:
            reason = failed.get(model) or gone.get(model) or "kept"
            predicted = math.nan if pred is None else pred.get(model, math.nan)
            kept = model not in failed and model not in gone
            history.append(dict(zip(HISTORY, (stage, model, val.get(model, math.nan), predicted, kept, reason), strict=True)))
        alive = [model for model in val.index if model not in gone]  # line 12
    winner = min(alive, key=lambda model: (-val[model], model))  # line 14
    test = runs.test(winner)
    spent = runs.ledger
    return Selection(winner, test, float(spent["epochs"].sum()), float(spent["seconds"].sum(skipna=False)),
                     pd.DataFrame(history, columns=HISTORY))  # fmt: skip
