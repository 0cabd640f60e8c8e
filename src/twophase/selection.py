"""Brute force, successive halving and fine-selection (Algorithm 1).

They see only a `Runs`, live or replayed, and write down what they did: for every stage and model the
validation, the predicted final score, whether it was kept and why.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from twophase.errors import UserError, unknown
from twophase.inputs import as_models, not_negative, shown
from twophase.records import TrainingRecords
from twophase.runs import Runs
from twophase.trends import TrendPredictor

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
    history: pd.DataFrame = field(repr=False)


def brute_force(runs: Runs, models: Iterable[str]) -> Selection:
    """Train every model to the end; the best last validation wins."""
    journal = _Journal(runs, models)
    for _ in journal.stages:
        journal.train()
        journal.cut({})
    return journal.selection()


def successive_halving(runs: Runs, models: Iterable[str]) -> Selection:
    """After every epoch keep the better half by validation, at least one (Section IV-B)."""
    journal = _Journal(runs, models)
    for _ in journal.stages:
        val = journal.train()
        journal.cut(halve(val, len(val)))
    return journal.selection()


def fine_selection(
    runs: Runs,
    models: Iterable[str],
    records: TrainingRecords,
    threshold: float = 0.0,
    n_trends: int | None = None,
    threshold_kind: str = "relative",
) -> Selection:
    """Algorithm 1: halving that also removes models predicted to end below a better one.

    Args:
        runs: of the target.
        models: the recalled models, M_0.
        records: of these models on the benchmark datasets; rows of role target and of the run's own dataset
            are never seen.
        threshold: how much better the prediction of a better model must be for another to go.
        n_trends: convergence trends a stage, see `trends.mine`.
        threshold_kind: "relative" to the better prediction (paper) or "absolute" (released code).

    Raises:
        UserError: before any training, an unknown threshold kind, a negative threshold, and benchmark records
            that lack a model, curves, a stage or enough datasets; later, that every model failed.
    """
    check_threshold(threshold, threshold_kind)
    journal = _Journal(runs, models)
    predictor = _predictor(runs, journal.alive, TrainingRecords.from_frame(records), n_trends)
    for stage in journal.stages:  # line 1
        val = journal.train()  # lines 2, 4: M' is val.index
        pred, gone = None, {}
        if len(val) != 1:  # line 3
            pred = pd.Series(
                {i: predictor.predict(i, stage, runs.accuracy(i)) for i in val.index}
            )  # lines 5, 6: Eq. 5, 6
            gone = dominated(val, pred, threshold, threshold_kind)  # line 7
            gone |= halve(val.drop(list(gone)), len(val))  # lines 8-10
        journal.cut(gone, pred)  # line 12
    return journal.selection()  # line 14


def halving_epochs(models: int, epochs: int) -> int:
    """Model-epochs of successive halving: every survivor trains an epoch a stage (Section V-C)."""
    return sum(max(1, models >> stage) for stage in range(epochs))


def check_threshold(threshold: float, kind: str, where: str = "") -> None:
    """Raise UserError unless `fine_selection` takes this threshold and kind; `where` stands before their names."""
    if kind not in THRESHOLDS:
        raise unknown(f"{where}threshold_kind {kind!r}", kind, THRESHOLDS)
    if not not_negative(threshold):
        raise UserError(f"{where}threshold: got {shown(threshold)}; allowed is at least 0 (0.05 is five per cent).")


def dominated(val: pd.Series, pred: pd.Series, threshold: float = 0.0, kind: str = "relative") -> dict[str, str]:
    """Algorithm 1, line 7: the models to remove, each with the reason.

    Model i goes if some j has val_j > val_i and pred_j - pred_i > threshold * pred_j ("absolute": > threshold).
    All comparisons are against the models as they stood, so the order of removal does not matter.
    """
    gone = {}
    for i in val.index:
        margin = threshold * pred if kind == "relative" else threshold
        better = (val > val[i]) & (pred - pred[i] > margin)
        if better.any():
            j = pred[better].sort_index().idxmax()
            gone[i] = (
                f"filtered: {j} has a better validation ({val[j]:.3f} > {val[i]:.3f}) "
                f"and a higher predicted final ({pred[j]:.3f} > {pred[i]:.3f})"
            )
    return gone


def halve(val: pd.Series, n: int) -> dict[str, str]:
    """Algorithm 1, lines 8-10: the models to remove so that max(1, floor(n / 2)) stay, worst validation first.

    Args:
        val: validation of the models still there.
        n: number of models at the start of the stage.
    """
    room = max(1, n // 2)
    ranked = sorted(val.index, key=lambda i: (-val[i], i))
    return {i: f"halved: validation {val[i]:.3f} is below the best {room} of {n}" for i in ranked[room:]}


def _predictor(runs: Runs, models: list[str], records: TrainingRecords, n_trends: int | None) -> TrendPredictor:
    """A predictor that never saw the target, checked for all that these models can ask of it."""
    frame = records.frame
    own = (frame["role"] == "benchmark") & frame["model"].isin(models) & (frame["dataset"] != runs.dataset)
    if strangers := sorted(set(models) - set(frame["model"][own])):
        raise UserError(f"no benchmark records of {strangers[:5]}; fine-selection predicts from a model's own runs.")
    predictor = TrendPredictor(records.where(own), n_trends)
    shared = len(models).bit_length() - 1  # stages that begin with more than one model, if nothing is filtered
    predictor.check(models, min(shared, runs.epochs))
    return predictor


class _Journal:
    """The models still alive, and what a selection did to them stage by stage; raises UserError as `as_models`."""

    def __init__(self, runs: Runs, models: Iterable[str]):
        self.alive = as_models(runs, models)  # by name, so that no result depends on the order given
        runs.restart()  # each selection counts its own cost, also where several use the same runs
        self.stages = range(1, runs.epochs + 1)
        self._runs, self._rows, self._stage = runs, [], 0

    def train(self) -> pd.Series:
        """One more epoch for each model alive; the validations of those that did not fail."""
        self._stage += 1
        scores = self._runs.advance(self.alive)
        reasons = {i: self._runs.failures.get(i, "no validation score") for i in scores.index[scores.isna()]}
        self._val, self._failed = scores.dropna(), {i: f"failed: {reason}" for i, reason in reasons.items()}
        if self._val.empty:
            said = "; ".join(f"{model}: {reason}" for model, reason in reasons.items())
            raise UserError(f"every model failed. Mend the models, the task or how they are trained. The last: {said}")
        return self._val

    def cut(self, gone: dict[str, str], pred: pd.Series | None = None) -> None:
        """Write the stage down and go on with the models that are neither gone nor failed."""
        removed, val, predicted = gone | self._failed, self._val, {} if pred is None else pred
        self._rows += [
            (self._stage, i, val.get(i, math.nan), predicted.get(i, math.nan), i not in removed, removed.get(i, "kept"))
            for i in self.alive
        ]
        self.alive = [i for i in self.alive if i not in removed]

    def selection(self) -> Selection:
        """The best of those alive by their last validation, and what finding it cost."""
        winner = min(self.alive, key=lambda i: (-self._val[i], i))
        test, ledger = self._runs.test(winner), self._runs.ledger
        seconds = float(ledger["seconds"].sum(skipna=False))
        history = pd.DataFrame(self._rows, columns=HISTORY)
        return Selection(winner, test, float(ledger["epochs"].sum()), seconds, history)
