"""What a selection may ask of fine-tuning runs, and the ledger of what they cost."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from twophase.errors import UserError

LEDGER = ["stage", "model", "epochs", "seconds"]


class Runs(ABC):
    """Fine-tuning runs on one target.

    Attributes:
        epochs: length of a full run, in stages (an epoch each, unless `costs` says otherwise).
        costs: model-epochs of each stage; None: one each.
        dataset: the target's name, None if it has none; what mines trends leaves it out.
        failures: model -> why it can no longer be trained.
    """

    epochs: int
    dataset: str | None
    costs: Sequence[float] | None = None

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew: no model is advanced and nothing is spent. What live runs have kept is not trained again."""
        self.failures: dict[str, str] = {}
        self._done: dict[str, int] = {}
        self._last: dict[str, float] = {}
        self._ledger: list[tuple[int, str, float, float]] = []

    @abstractmethod
    def test(self, model: str) -> float:
        """Test score of a model trained to the end."""

    @abstractmethod
    def _train(self, model: str, epoch: int) -> tuple[float, float]:
        """Train a model's given epoch (from 1); returns its validation (NaN if it failed) and seconds."""

    def _stage(self, jobs: dict[str, int], stage: int) -> Iterator[tuple[str, float, float]]:
        """Train each model's given epoch; yields (model, validation, seconds) as they come, in any order."""
        for model, epoch in jobs.items():
            yield model, *self._train(model, epoch)

    def advance(self, models: Iterable[str]) -> pd.Series:
        """Train each model one more epoch; returns validation scores by model, NaN for one that failed.

        Raises:
            UserError: a model that is already trained to the end, or that these runs do not know.
        """
        models = list(models)
        scores = dict.fromkeys(models, math.nan)
        stage = 1 + max((self._done.get(model, 0) for model in models), default=0)
        jobs = {model: self._done.get(model, 0) + 1 for model in models if model not in self.failures}
        if ended := [model for model, epoch in jobs.items() if epoch > self.epochs]:
            raise UserError(f"model {ended[0]!r} is trained to the end ({self.epochs} epochs), no further.")
        found = {}
        try:
            for model, score, seconds in self._stage(jobs, stage):
                found[model] = score, seconds
        finally:  # an interrupted stage's epochs were paid for; entered in the order asked, whatever order they came in
            for model in [model for model in jobs if model in found]:
                scores[model], seconds = found[model]
                self._record(model, jobs[model], scores[model], seconds)
        return pd.Series(scores, index=models, dtype=float, name="val")

    def _record(self, model: str, epoch: int, score: float, seconds: float) -> None:
        failed = math.isnan(score)
        self._done[model], self._last[model] = epoch - failed, score
        cost = 1 if self.costs is None else self.costs[epoch - 1]
        self._ledger.append((epoch, model, 0 if failed else cost, seconds))

    def accuracy(self, model: str) -> float:
        """Validation accuracy after a model's last epoch: what records know, whatever the runs are judged by."""
        return self._last[model]

    def _finished(self, model: str) -> None:
        if (done := self._done.get(model, 0)) < self.epochs:
            raise UserError(
                f"model {model!r} is trained for {done} of {self.epochs} epochs; "
                "only a model trained to the end has a test score."
            )

    @property
    def ledger(self) -> pd.DataFrame:
        """What was trained, a row a model and stage: stage, model, epochs (0 if it failed), seconds (measured)."""
        return pd.DataFrame(self._ledger, columns=LEDGER)
