"""Fine-tunings of one task that can stop and go on after every epoch, in this process or in another."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from datasets import DatasetDict

from twophase.errors import UserError
from twophase.infra.files import digest_each
from twophase.training.checkpoints import Checkpoints, task_digest
from twophase.training.config import TrainingConfig
from twophase.training.encoding import Encoded, encode
from twophase.training.finetuning import TRAINING_VERSION, Diverged, FineTuning
from twophase.training.hardware import PLAIN, Hardware
from twophase.training.loading import processor_digest
from twophase.training.metrics import scorer

VERSION = 2  # of what a checkpoint holds


@dataclass(frozen=True)
class Step:
    """What one epoch of one model gave.

    Attributes:
        score: validation by the metric of the runs; NaN if the model failed.
        accuracy: validation accuracy.
        seconds: wall-clock of training and validation.
        failure: why it failed, else "".
    """

    score: float
    accuracy: float
    seconds: float
    failure: str = ""


@dataclass
class ResumableTraining:
    """Trains models an epoch at a time; one model is in memory at once, its state is on the disk after every epoch.

    It travels to other processes without what it holds in memory.

    Args:
        folders: name -> folder of a `save_pretrained` model.
        task, training, seed, metric, trust_remote_code: see `LiveRuns`.
        checkpoints: folder for states.
        hardware: where and in which precision; see `FineTuning`.
        digest: of the task, where it is known already.

    Raises:
        UserError: an unknown metric; `checkpoints` belongs to another task, configuration or seed.
    """

    folders: Mapping[str, Path]
    task: DatasetDict | Encoded
    training: TrainingConfig
    seed: int
    checkpoints: Path
    metric: str = "accuracy"
    trust_remote_code: bool = False
    hardware: Hardware = PLAIN
    digest: str | None = None
    _facts: dict = field(init=False)

    def __post_init__(self) -> None:
        judged = {} if self.metric == "accuracy" else {"metric": self.metric}
        self._facts = judged | self.hardware.key() | {
            "training version": TRAINING_VERSION, "checkpoint version": VERSION, "training": asdict(self.training),
            "seed": self.seed, "task": self.digest or task_digest(self.task),
        }  # fmt: skip
        self._begin()

    def _begin(self) -> None:
        self._score = None if self.metric == "accuracy" else scorer(self.metric, self.trust_remote_code)
        self._kept = Checkpoints(self.checkpoints, self._facts)
        self._current: tuple[str, FineTuning] | None = None  # the last model trained
        self._digests: dict[str, str] = {}

    def __getstate__(self) -> dict[str, Any]:
        held = ("_score", "_kept", "_current", "_digests")
        return {name: value for name, value in self.__dict__.items() if name not in held}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def forget(self) -> None:
        """Drop the model held in memory: another process has trained it further."""
        self._current = None

    def kept(self, model: str) -> list[Step]:
        """The epochs that a model was trained, from its checkpoint.

        Raises:
            UserError: an unknown model; a checkpoint that is damaged or of other weights.
        """
        state = self._read(model)
        failures = [state.get("failure", "") if math.isnan(score) else "" for score in state["val"]]
        return [Step(*each) for each in zip(state["val"], state["accuracy"], state["seconds"], failures, strict=True)]

    def step(self, model: str, epoch: int) -> Step:
        """A model's given epoch (from 1): from its checkpoint, or trained and kept. Failures are returned, not raised."""
        state = self._read(model)
        if epoch <= len(state["val"]):
            return self.kept(model)[epoch - 1]
        start, run = time.perf_counter(), None
        try:
            run = self._resumed(model, state["state"])
            self._current = None  # an epoch that is interrupted leaves nothing half-trained to go on from
            score, seconds = run.epoch(), run.seconds[-1]
            done, state = Step(score, run.accuracy, seconds), state | {"state": run.state()}
        except Exception as error:  # whatever is wrong with one model must not end the others' run
            reason = str(error) if isinstance(error, UserError | Diverged) else f"{type(error).__name__}: {error}"
            done, run = Step(math.nan, math.nan, time.perf_counter() - start, reason), None
            if not isinstance(error, Diverged):
                return done  # not kept: once mended, the model may load
            state |= {"state": None, "failure": reason}
        lists = {"val": done.score, "accuracy": done.accuracy, "seconds": done.seconds}
        self._kept.write(model, state | {name: [*state[name], value] for name, value in lists.items()})
        self._current = (model, run) if run else None
        return done

    def run(self, model: str) -> FineTuning:
        """A model's fine-tuning as its checkpoint has it, to predict with or to save."""
        self._current = (model, self._resumed(model, self._read(model)["state"]))
        return self._current[1]

    def alive(self, model: str) -> bool:
        """Whether a model has finished an epoch and has not diverged."""
        state = self._read(model)
        return bool(state["val"]) and state["state"] is not None

    def _read(self, model: str) -> dict:
        if model not in self.folders:
            raise UserError(f"unknown model {model!r}; models: {', '.join(self.folders)}.")
        if model not in self._digests:
            files = [path for path in self.folders[model].glob("*") if path.suffix in (".json", ".safetensors")]
            self._digests[model] = digest_each(*sorted(files))
        new = {"source": self._digests[model], "val": [], "accuracy": [], "seconds": [], "state": None}
        return self._kept.read(model, new["source"]) or new

    def _resumed(self, model: str, state: dict | None) -> FineTuning:
        if self._current and self._current[0] == model:
            return self._current[1]
        self._current = None  # freed before the next is loaded
        folder = self.folders[model]
        run = FineTuning(folder, self._task_for(folder), self.training, self.seed, self._score, self.hardware)
        return run.restore(state) if state else run

    def _task_for(self, folder: Path) -> Encoded:
        if isinstance(self.task, Encoded):
            return self.task
        key = (self._facts["task"], processor_digest(folder))
        if key not in _ENCODED:
            _ENCODED.clear()
            _ENCODED[key] = encode(self.task, folder)
        return _ENCODED[key]


_ENCODED: dict[tuple[str, str], Encoded] = {}  # the last task by the last processor, for the next model of this process


def step(job: tuple[ResumableTraining, str, int]) -> Step:
    """`ResumableTraining.step` as a function of one argument, for `compute.parallel_map`."""
    training, model, epoch = job
    return training.step(model, epoch)
