"""Runs that really train."""

import math
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from datasets import DatasetDict
from tqdm.auto import tqdm

from twophase.errors import UserError
from twophase.infra.compute import Failure, imap, spreads, width
from twophase.runs.base import Runs
from twophase.training.config import TrainingConfig
from twophase.training.encoding import Encoded
from twophase.training.finetuning import FineTuning
from twophase.training.hardware import PLAIN, Hardware
from twophase.training.resumable import ResumableTraining, Step, step


class LiveRuns(Runs):
    """Really trains, keeps a checkpoint of every model after every stage, and goes on where it was stopped.

    A model that cannot be loaded or diverges goes to `failures`, the others go on.

    Args:
        models: name -> folder of a `save_pretrained` model.
        task: the target, or what `encoding.encode` made of it (then for all models alike).
        training: how to fine-tune; its epochs are the length of a full run.
        seed: of heads, order and dropout.
        checkpoints: folder for states, for one process at a time; without one they end with this object. Workers on
            other machines need it on a path that they share.
        progress: whether to show a bar a stage.
        dataset: the target's name.
        metric: what validation and test are judged by (`metrics.scorer`).
        trust_remote_code: whether a metric of a hub may be executed.
        side_by_side: whether the models of a stage train at the same time, on the engine of `compute` (a cluster trains the
            last one, too); otherwise one after the other in this process, with as many threads as it has.
        hardware: where and in which precision.
        before: called before epochs are trained, with their number; what it raises ends the stage.

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
        side_by_side: bool = False,
        before: Callable[[int], None] | None = None,
        hardware: Hardware = PLAIN,
    ):
        super().__init__()
        if not models:
            raise UserError("no models to train; give a mapping of names to folders.")
        if checkpoints is None:
            checkpoints = tempfile.mkdtemp(prefix="twophase-")
            weakref.finalize(self, shutil.rmtree, checkpoints, ignore_errors=True)
        folders = {name: Path(folder) for name, folder in models.items()}
        self.epochs, self.dataset, self._bar = training.epochs, dataset, progress
        self._training = ResumableTraining(
            folders, task, training, seed, Path(checkpoints), metric, trust_remote_code, hardware.resolved()
        )
        self._side_by_side, self._before = side_by_side, before
        self._accuracy: dict[str, float] = {}

    def _stage(self, jobs: dict[str, int], stage: int) -> Iterator[tuple[str, float, float]]:
        kept = {model: len(self._training.kept(model)) for model in jobs}
        missing = {model: epoch for model, epoch in jobs.items() if epoch > kept[model]}
        together = self._side_by_side and spreads(len(missing))
        bar = tqdm(total=len(jobs), desc=f"stage {stage} of {self.epochs}", unit="model", disable=not self._bar)
        with bar:
            for model, epoch in jobs.items():
                if together and model in missing:
                    continue
                if model in missing and self._before:
                    self._before(1)
                yield model, *self._train(model, epoch)
                bar.update()
            for model, result in self._together(missing) if together else ():
                yield model, *self._enter(model, result)
                bar.update()

    def _together(self, missing: dict[str, int]) -> Iterator[tuple[str, Step]]:
        if self._before:
            self._before(math.ceil(len(missing) / width()))
        self._training.forget()
        names = list(missing)
        for number, result in imap(step, [(self._training, model, missing[model]) for model in names]):
            failed = isinstance(result, Failure)
            yield names[number], Step(math.nan, math.nan, 0.0, result.reason) if failed else result

    def _train(self, model: str, epoch: int) -> tuple[float, float]:
        return self._enter(model, self._training.step(model, epoch))

    def _enter(self, model: str, done: Step) -> tuple[float, float]:
        if math.isnan(done.score):
            self.failures[model] = done.failure
        self._accuracy[model] = done.accuracy
        return done.score, done.seconds

    def accuracy(self, model: str) -> float:
        """Validation accuracy after a model's last epoch, whatever metric the runs are judged by."""
        return self._accuracy[model]

    def trained(self, model: str) -> FineTuning:
        """The run of a model advanced to the end, to predict with or to save; UserError for another."""
        self._finished(model)
        return self._training.run(model)

    def validation(self, model: str, epoch: int) -> float:
        """Validation of a model after an epoch (from 1) that it has been trained; NaN if there is none."""
        kept = self._training.kept(model)
        return kept[epoch - 1].score if epoch <= len(kept) else math.nan

    @property
    def models(self) -> list[str]:
        """Names, in the order given."""
        return list(self._training.folders)

    def kept_seconds(self) -> float:
        """What the epochs that are kept already took, of all models together."""
        return sum(done.seconds for model in self._training.folders for done in self._training.kept(model))

    def so_far(self) -> tuple[str, FineTuning]:
        """The model that did best in the latest stage that any has finished, and its run as it stands.

        Epochs that are kept but were not entered in the ledger (an earlier process trained them, or a worker that was
        stopped before it handed them over) are entered first: they were paid for.

        Raises:
            UserError: no model has finished an epoch.
        """
        kept = {model: self._training.kept(model) for model in self._training.folders if self._training.alive(model)}
        if not kept:
            raise UserError("no model has finished an epoch yet, so there is no best one; let the run go on longer.")
        for model, epochs in kept.items():
            for epoch in range(self._done.get(model, 0) + 1, len(epochs) + 1):
                self._record(model, epoch, epochs[epoch - 1].score, epochs[epoch - 1].seconds)
        best = min(kept, key=lambda name: (-len(kept[name]), -kept[name][-1].score, name))
        return best, self._training.run(best)

    def test(self, model: str) -> float:
        """Score on the test split; UserError for a model that was not advanced to the end."""
        return self.trained(model).test()
