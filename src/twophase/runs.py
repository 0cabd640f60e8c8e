"""The only thing a selection sees: models that can be trained one more epoch, live or replayed from records."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from .errors import UserError
from .records import TrainingRecords

if TYPE_CHECKING:
    from datasets import DatasetDict

    from .encoding import Encoded
    from .training import FineTuning, TrainingConfig

LEDGER = ["stage", "model", "epochs", "seconds"]


class Runs(ABC):
    """Fine-tuning runs on one target.

    Attributes:
        epochs: length of a full run.
        dataset: the target's name, None if it has none; what mines trends leaves it out.
        failures: model -> why it can no longer be trained.
    """

    epochs: int
    dataset: str | None

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self._done: dict[str, int] = {}
        self._ledger: list[tuple[int, str, int, float]] = []

    @abstractmethod
    def test(self, model: str) -> float:
        """Test score of a model trained to the end."""

    @abstractmethod
    def _train(self, model: str, epoch: int) -> tuple[float, float]:
        """Train a model's given epoch (from 1); returns its validation (NaN if it failed) and seconds."""

    def _progress(self, models: list[str], stage: int) -> Iterable[str]:
        return models

    def advance(self, models: Iterable[str]) -> pd.Series:
        """Train each model one more epoch; returns validation scores by model, NaN for one that failed.

        Raises:
            UserError: a model that is already trained to the end.
        """
        models, scores = list(models), {}
        stage = 1 + max((self._done.get(model, 0) for model in models), default=0)
        for model in self._progress(models, stage):
            epoch = self._done.get(model, 0) + 1
            if epoch > self.epochs:
                raise UserError(f"model {model!r} is trained to the end ({self.epochs} epochs); it cannot go on.")
            scores[model], seconds = self._train(model, epoch)
            self._done[model] = epoch
            self._ledger.append((epoch, model, 1, seconds))
        return pd.Series(scores, index=models, dtype=float, name="val")

    @property
    def ledger(self) -> pd.DataFrame:
        """What was trained, a row a model and stage: stage, model, epochs, seconds (measured)."""
        return pd.DataFrame(self._ledger, columns=LEDGER)


class RecordedRuns(Runs):
    """Replays records: what a selection would have seen, had it trained.

    Args:
        records: with curves on `dataset`.
        dataset: the target to replay.
        seed: whose runs to replay; None takes each model's lowest.

    Raises:
        UserError: no records of that dataset or seed; records without curves.
    """

    def __init__(self, records: TrainingRecords, dataset: str, seed: int | None = None):
        super().__init__()
        rows = records.frame[records.frame["dataset"] == dataset]
        if rows.empty:
            raise UserError(f"no records of dataset {dataset!r}; datasets: {', '.join(records.datasets())}.")
        wanted = rows.groupby("model")["seed"].transform("min") if seed is None else seed
        rows = rows[rows["seed"] == wanted]
        if rows.empty:
            raise UserError(f"no records of dataset {dataset!r} with seed {seed}.")
        if rows["val"].isna().any():
            model = rows.loc[rows["val"].isna(), "model"].iloc[0]
            raise UserError(
                f"the records of {model!r} on {dataset!r} have no validation curve (final scores only); "
                "a selection that trains in stages cannot be replayed from them."
            )
        self.dataset, self.epochs = dataset, int(rows["epoch"].max())
        self._rows = rows.set_index(["model", "epoch"])
        self._models = set(rows["model"])

    def _train(self, model: str, epoch: int) -> tuple[float, float]:
        if model not in self._models:
            raise UserError(f"no records of model {model!r} on {self.dataset!r}; models: {', '.join(sorted(self._models))}.")
        if (model, epoch) not in self._rows.index:
            self.failures[model] = f"its records end before epoch {epoch}"
            return math.nan, 0.0
        row = self._rows.loc[(model, epoch)]
        return float(row["val"]), float(row["seconds"])

    def test(self, model: str) -> float:
        """Recorded final test score. Raises UserError for a model that was not advanced to the end."""
        _finished(self, model)
        return float(self._rows.loc[(model, self.epochs), "test"])


class LiveRuns(Runs):
    """Really trains, one checkpoint a model and stage, and goes on where it was stopped.

    Args:
        models: name -> folder of a `save_pretrained` model.
        task: the target, or what `encoding.encode` made of it.
        training: how to fine-tune; its epochs are the length of a full run.
        seed: of heads, order and dropout.
        checkpoints: folder to keep states in; without one nothing survives the process. A folder that was begun with
            another task, configuration or model is refused.
        dataset: the target's name.
        progress: whether to show a bar a stage.

    Raises:
        UserError: no models, or `checkpoints` belongs to another run.
    """

    def __init__(
        self,
        models: Mapping[str, str | Path],
        task: DatasetDict | Encoded,
        training: TrainingConfig,
        seed: int = 0,
        checkpoints: str | Path | None = None,
        dataset: str | None = None,
        progress: bool = True,
    ):
        super().__init__()
        if not models:
            raise UserError("no models to train; give a mapping of names to folders.")
        self._folders = {name: Path(folder) for name, folder in models.items()}
        self._task, self._training, self._seed, self._bar = task, training, seed, progress
        self.epochs, self.dataset = training.epochs, dataset
        self._live: dict[str, FineTuning] = {}
        self._store = Checkpoints(checkpoints, task, training, seed) if checkpoints else None

    def _progress(self, models: list[str], stage: int) -> Iterable[str]:
        from tqdm.auto import tqdm

        return tqdm(models, desc=f"stage {stage} of {self.epochs}", unit="model", disable=not self._bar)

    def _train(self, model: str, epoch: int) -> tuple[float, float]:
        from .training import Diverged

        if model not in self._folders:
            raise UserError(f"unknown model {model!r}; models: {', '.join(self._folders)}.")
        try:
            kept = self._store.read(model, self._folders[model]) if self._store else None
            if kept and len(kept["val"]) >= epoch:
                return kept["val"][epoch - 1], kept["state"]["seconds"][epoch - 1]
            run = self._run(model, kept)
            score = run.epoch()
        except (UserError, Diverged) as error:
            self.failures[model] = str(error)
            return math.nan, 0.0
        if self._store:
            self._store.write(model, self._folders[model], (kept["val"] if kept else []) + [score], run.state())
        return score, run.seconds[-1]

    def _run(self, model: str, kept: dict | None) -> FineTuning:
        from .training import FineTuning

        if model not in self._live:
            run = FineTuning(self._folders[model], self._task, self._training, self._seed)
            self._live[model] = run.restore(kept["state"]) if kept else run
        return self._live[model]

    def trained(self, model: str) -> FineTuning:
        """The run of a model that was advanced to the end, to predict with or to save."""
        _finished(self, model)
        return self._run(model, self._store.read(model, self._folders[model]) if self._store else None)

    def test(self, model: str) -> float:
        """Score on the test split. Raises UserError for a model that was not advanced to the end."""
        return self.trained(model).test()


def _finished(runs: Runs, model: str) -> None:
    if runs._done.get(model, 0) < runs.epochs:
        raise UserError(
            f"model {model!r} is trained for {runs._done.get(model, 0)} of {runs.epochs} epochs; "
            "only a model trained to the end has a test score."
        )


class Checkpoints:
    """States of live runs in a folder, one file a model, written whole or not at all.

    Raises:
        UserError: a file that was written for another task, configuration, seed or model.
    """

    def __init__(self, folder: str | Path, task: DatasetDict | Encoded, training: TrainingConfig, seed: int):
        import hashlib
        import json
        from dataclasses import asdict

        self._folder = Path(folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder} cannot hold checkpoints ({error.strerror}); give a folder that can be written.") from error
        facts = json.dumps([asdict(training), seed, task_digest(task)], sort_keys=True)
        self._belongs_to = hashlib.sha256(facts.encode()).hexdigest()

    def _path(self, model: str) -> Path:
        return self._folder / f"{model.replace('/', '--')}.pt"

    def read(self, model: str, source: Path) -> dict | None:
        """{"val": list, "state": dict} of a model, None if there is none."""
        import torch

        path = self._path(model)
        if not path.is_file():
            return None
        kept = torch.load(path, weights_only=True)
        if kept["belongs_to"] != self._belongs_to or kept["model"] != str(source.resolve()):
            raise UserError(
                f"{path} is of another task, training configuration, seed or model; give another checkpoints folder, "
                "or delete this one."
            )
        return kept

    def write(self, model: str, source: Path, val: list[float], state: dict) -> None:
        """Replace a model's file in one step, so that a kill leaves the old one or the new one."""
        import torch

        temporary = self._path(model).with_suffix(".tmp")
        torch.save({"belongs_to": self._belongs_to, "model": str(source.resolve()), "val": val, "state": state}, temporary)
        temporary.replace(self._path(model))


def task_digest(task: DatasetDict | Encoded) -> str:
    """sha256 over a task's content."""
    import hashlib

    total = hashlib.sha256()
    splits = task.labels if hasattr(task, "labels") else task
    for split in splits:
        total.update(split.encode())
        if hasattr(task, "labels"):
            for values in (*task.inputs[split].values(), task.labels[split]):
                total.update(values.numpy().tobytes())
        else:
            for row in task[split].with_format("arrow").data.table.to_batches():
                for column in row.columns:
                    total.update(repr(column.to_pylist()).encode())
    return total.hexdigest()
