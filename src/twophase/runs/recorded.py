"""Runs that were trained before, replayed from their records."""

import math
from collections.abc import Sequence
from itertools import pairwise

from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.runs.base import Runs


class RecordedRuns(Runs):
    """Replays records: what a selection would have seen, had it trained.

    Args:
        records: with curves on `dataset`.
        dataset: the target to replay.
        seed: whose runs to replay; None takes each model's lowest.
        costs: model-epochs of each stage, one for each rung of the records; None: the epochs between rungs.

    Raises:
        UserError: no records of that dataset or seed; records without curves; costs that are not one a rung.
    """

    def __init__(
        self, records: TrainingRecords, dataset: str, seed: int | None = None, costs: Sequence[float] | None = None
    ):
        super().__init__()
        records = TrainingRecords.from_frame(records)
        rows = records.frame[records.frame["dataset"] == dataset]
        if rows.empty:
            raise UserError(f"no records of dataset {dataset!r}; datasets: {', '.join(records.datasets())}.")
        seeds = sorted(rows["seed"].unique().tolist())
        rows = records.first_seed(dataset) if seed is None else rows[rows["seed"] == seed]
        if rows.empty:
            raise UserError(f"no records of dataset {dataset!r} with seed {seed}; seeds: {seeds}.")
        if rows["val"].isna().any():
            model = rows.loc[rows["val"].isna(), "model"].iloc[0]
            raise UserError(
                f"the records of {model!r} on {dataset!r} have no validation curve (final scores only); "
                "a selection that trains in stages cannot be replayed from them."
            )
        rungs = sorted(rows["epoch"].unique().tolist())
        self.dataset, self.epochs = dataset, len(rungs)
        if costs is not None and (len(costs) != len(rungs) or not all(cost >= 0 for cost in costs)):
            raise UserError(
                f"costs are {list(costs)}; allowed is a number of at least 0 for each of {len(rungs)} rungs."
            )
        if costs is not None or rungs != list(range(1, len(rungs) + 1)):
            self.costs = [b - a for a, b in pairwise([0, *rungs])] if costs is None else list(costs)
        stage = {epoch: number for number, epoch in enumerate(rungs, 1)}
        values = rows[["val", "seconds", "test"]].itertuples(index=False, name=None)
        self._cells = dict(zip(zip(rows["model"], rows["epoch"].map(stage), strict=True), values, strict=True))
        self._models = set(rows["model"])

    def __repr__(self) -> str:
        return f"RecordedRuns of {len(self._models)} models on {self.dataset!r}, {self.epochs} stages each"

    def _train(self, model: str, epoch: int) -> tuple[float, float]:
        if model not in self._models:
            raise UserError(
                f"no records of model {model!r} on {self.dataset!r}; models: {', '.join(sorted(self._models))}."
            )
        if (model, epoch) not in self._cells:
            self.failures[model] = f"its records end before stage {epoch}"
            return math.nan, 0.0
        val, seconds, _ = self._cells[model, epoch]
        return val, seconds

    def test(self, model: str) -> float:
        """Recorded final test score. Raises UserError for a model that was not advanced to the end."""
        self._finished(model)
        return self._cells[model, self.epochs][2]
