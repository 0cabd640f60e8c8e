"""The only thing a selection sees: models that can be trained one more epoch, live or replayed."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from .checkpoints import Checkpoints, task_digest
from .errors import UserError
from .records import TrainingRecords
from .store import file_digest

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

    def restart(self) -> None:
        """Begin anew: no model is advanced and nothing is spent. What live runs have kept is not trained again."""
        self.failures, self._done, self._ledger = {}, {}, []

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
            UserError: a model that is already trained to the end, or that these runs do not know.
        """
        models, scores = list(models), {}
        stage = 1 + max((self._done.get(model, 0) for model in models), default=0)
        for model in self._progress(models, stage):
            epoch = self._done.get(model, 0) + 1
            if epoch > self.epochs:
                raise UserError(f"model {model!r} is trained to the end ({self.epochs} epochs), no further.")
            if model in self.failures:
                scores[model] = math.nan
                continue
            scores[model], seconds = self._train(model, epoch)
            failed = math.isnan(scores[model])
            self._done[model] = epoch - failed
            self._ledger.append((epoch, model, int(not failed), seconds))
        return pd.Series(scores, index=models, dtype=float, name="val")

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
        seeds = sorted(rows["seed"].unique().tolist())
        wanted = rows.groupby("model")["seed"].transform("min") if seed is None else seed
        rows = rows[rows["seed"] == wanted]
        if rows.empty:
            raise UserError(f"no records of dataset {dataset!r} with seed {seed}; seeds: {seeds}.")
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
            raise UserError(
                f"no records of model {model!r} on {self.dataset!r}; models: {', '.join(sorted(self._models))}."
            )
        if (model, epoch) not in self._rows.index:
            self.failures[model] = f"its records end before epoch {epoch}"
            return math.nan, 0.0
        row = self._rows.loc[(model, epoch)]
        return float(row["val"]), float(row["seconds"])

    def test(self, model: str) -> float:
        """Recorded final test score. Raises UserError for a model that was not advanced to the end."""
        self._finished(model)
        return float(self._rows.loc[(model, self.epochs), "test"])


class LiveRuns(Runs):
    """Really trains, keeps a checkpoint of every model after every stage, and goes on where it was stopped.

    One model is in memory at a time. One that cannot be loaded or diverges goes to `failures`, the others go on.

    Args:
        models: name -> folder of a `save_pretrained` model.
        task: the target, or what `encoding.encode` made of it (then for all models alike).
        training: how to fine-tune; its epochs are the length of a full run.
        seed: of heads, order and dropout.
        checkpoints: folder for states, for one process at a time; without one they end with this object.
        progress: whether to show a bar a stage.
        dataset: the target's name.
        metric: what validation and test are judged by (`metrics.scorer`).
        trust_remote_code: whether a metric of a hub may be executed.

    Raises:
        UserError: an unknown metric; no models; `checkpoints` belongs to another task, configuration, seed or (on the way) model.
    """

    def __init__(
        self,
        models: Mapping[str, str | Path],
        task: DatasetDict | Encoded,
        training: TrainingConfig,
        seed: int = 0,
        checkpoints: str | Path | None = None,
        progress: bool = True,
        dataset: str | None = None,
        metric: str = "accuracy",
        trust_remote_code: bool = False,
    ):
        from .metrics import scorer
        from .training import TRAINING_VERSION

        super().__init__()
        if not models:
            raise UserError("no models to train; give a mapping of names to folders.")
        self._folders = {name: Path(folder) for name, folder in models.items()}
        self._task, self._training, self._seed, self._bar = task, training, seed, progress
        self.epochs, self.dataset = training.epochs, dataset
        self._current: tuple[str, FineTuning] | None = None  # the last model trained
        self._encoded: tuple[str, Encoded] | None = None  # by the last model's processor
        self._digests: dict[str, str] = {}
        if checkpoints is None:
            checkpoints = tempfile.mkdtemp(prefix="twophase-")
            weakref.finalize(self, shutil.rmtree, checkpoints, ignore_errors=True)
        self._score = None if metric == "accuracy" else scorer(metric, trust_remote_code)
        judged = {} if metric == "accuracy" else {"metric": metric}
        code = judged | {"training version": TRAINING_VERSION, "training": asdict(training), "seed": seed}
        self._kept = Checkpoints(checkpoints, code | {"task": task_digest(task)})

    def _progress(self, models: list[str], stage: int) -> Iterable[str]:
        from tqdm.auto import tqdm

        return tqdm(models, desc=f"stage {stage} of {self.epochs}", unit="model", disable=not self._bar)

    def _train(self, model: str, epoch: int) -> tuple[float, float]:
        from .training import Diverged

        if model not in self._folders:
            raise UserError(f"unknown model {model!r}; models: {', '.join(self._folders)}.")
        kept = self._read(model)
        if epoch <= len(kept["val"]):
            if math.isnan(kept["val"][epoch - 1]):
                self.failures[model] = kept["failure"]
            return kept["val"][epoch - 1], kept["seconds"][epoch - 1]
        start, run = time.perf_counter(), None
        try:
            run = self._resumed(model, kept["state"])
            self._current = None  # an epoch that is interrupted leaves nothing half-trained to go on from
            score, seconds = run.epoch(), run.seconds[-1]
            kept |= {"state": run.state()}
        except Exception as error:  # whatever is wrong with one model must not end the others' run
            score, seconds, run = math.nan, time.perf_counter() - start, None
            known = isinstance(error, UserError | Diverged)
            self.failures[model] = str(error) if known else f"{type(error).__name__}: {error}"
            if not isinstance(error, Diverged):
                return score, seconds  # not kept: once mended, the model may load
            kept |= {"state": None, "failure": self.failures[model]}
        self._kept.write(model, kept | {"val": [*kept["val"], score], "seconds": [*kept["seconds"], seconds]})
        self._current = (model, run) if run else None
        return score, seconds

    def _read(self, model: str) -> dict:
        if model not in self._digests:
            files = [path for path in self._folders[model].glob("*") if path.suffix in (".json", ".safetensors")]
            self._digests[model] = file_digest(*sorted(files))
        new = {"source": self._digests[model], "val": [], "seconds": [], "state": None}
        return self._kept.read(model, new["source"]) or new

    def _resumed(self, model: str, state: dict | None) -> FineTuning:
        from .training import FineTuning

        if self._current and self._current[0] == model:
            return self._current[1]
        self._current = None  # freed before the next is loaded
        folder = self._folders[model]
        run = FineTuning(folder, self._task_for(folder), self._training, self._seed, self._score)
        return run.restore(state) if state else run

    def _task_for(self, folder: Path) -> Encoded:
        from .encoding import Encoded, encode
        from .loading import processor_digest

        if isinstance(self._task, Encoded):
            return self._task
        processor = processor_digest(folder)
        if self._encoded is None or self._encoded[0] != processor:
            self._encoded = None
            self._encoded = (processor, encode(self._task, folder))
        return self._encoded[1]

    def trained(self, model: str) -> FineTuning:
        """The run of a model advanced to the end, to predict with or to save; UserError for another."""
        self._finished(model)
        self._current = (model, self._resumed(model, self._read(model)["state"]))
        return self._current[1]

    def validation(self, model: str, epoch: int) -> float:
        """Validation of a model after an epoch (from 1) that it has been trained; NaN if there is none."""
        kept = self._read(model)["val"]
        return kept[epoch - 1] if epoch <= len(kept) else math.nan

    def so_far(self) -> tuple[str, FineTuning]:
        """The model that did best in the latest stage that any has finished, and its run as it stands.

        Raises:
            UserError: no model has finished an epoch.
        """
        scores = {}
        for model in self._folders:
            kept = self._read(model)
            if kept["state"] is not None and kept["val"]:
                scores[model] = (len(kept["val"]), kept["val"][-1])
        if not scores:
            raise UserError("no model has finished an epoch yet, so there is no best one; let the run go on longer.")
        best = min(scores, key=lambda name: (-scores[name][0], -scores[name][1], name))
        return best, self._resumed(best, self._read(best)["state"])

    def test(self, model: str) -> float:
        """Score on the test split; UserError for a model that was not advanced to the end."""
        return self.trained(model).test()
