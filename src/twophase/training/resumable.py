"""Fine-tunings of one task that can stop and go on after every epoch, in this process or in another."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from pydantic import TypeAdapter

from twophase.errors import UserError
from twophase.infra import files
from twophase.training.config import TrainingConfig, scorer
from twophase.training.encoding import Encoded, encoded, task_digest
from twophase.training.finetuning import TRAINING_VERSION, Diverged, FineTuning
from twophase.training.hardware import PLAIN, Hardware

VERSION = 2  # of what a checkpoint holds
VERSIONS = ("training version", "checkpoint version")
ANOTHER = "give another folder, or delete this one."


class Checkpoints:
    """States of live runs: a file a model, and run.json that says whose they are; each replaced in one step.

    What another version of this package has kept of the same run cannot be read and is deleted: it is trained anew.

    Raises:
        UserError: the folder cannot be written, or holds the checkpoints of other `facts` (JSON).
    """

    def __init__(self, folder: str | Path, facts: dict):
        self._folder, note = Path(folder), Path(folder) / "run.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            known = files.read_json(note, dict[str, Any], ANOTHER[:-1]) if note.exists() else facts
            differ = [name for name in known | facts if known.get(name) != facts.get(name)]
            outdated = bool(differ) and set(differ) <= set(VERSIONS)
            if outdated:
                for old in self._folder.glob("*.pt"):
                    old.unlink()
            if outdated or not note.exists():
                files.write_text(note, json.dumps(facts, indent=1))
        except OSError as error:
            raise UserError(f"{folder} cannot hold checkpoints ({error}); {ANOTHER}") from error
        if differ and not outdated:
            raise UserError(f"{folder} holds another run's checkpoints ({', '.join(differ)} differ); {ANOTHER}")

    def _path(self, model: str) -> Path:
        # the hash keeps apart names that differ only in what a file name cannot hold
        name = re.sub(r"[^\w.-]+", "-", model)[-80:]
        return self._folder / f"{name}-{files.digest(model.encode())[:8]}.pt"

    def read(self, model: str, source: str) -> dict | None:
        """What was last written of a model; UserError if damaged, or if `source` (its digest) has changed."""
        path = self._path(model)
        if not path.is_file():
            return None
        try:
            # mapped, since most calls want the scores only; on the processor, since the next process may have no GPU
            kept = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
            KEPT.validate_python(kept)
            if len({len(kept[name]) for name in ("val", "accuracy", "seconds")}) > 1:
                raise ValueError("its lists have different lengths")
        except Exception as error:  # zip, pickle and end-of-file errors share no parent
            raise self.damaged(model, error) from error
        if kept["source"] != source:
            raise UserError(f"{path} was trained from other weights than {model!r} has now; {ANOTHER}")
        return kept

    def damaged(self, model: str, error: Exception) -> UserError:
        """The complaint about a model's checkpoint."""
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return UserError(f"{self._path(model)} is damaged ({reason}); delete it to train {model!r} again.")

    def write(self, model: str, kept: dict) -> None:
        """Keep source, val, accuracy and seconds (lists over epochs), state, and failure if there was one."""
        with files.replacing(self._path(model)) as new:
            torch.save(kept, new)


@dataclass
class _Kept:
    source: str
    val: list[float]
    accuracy: list[float]
    seconds: list[float]
    state: dict[str, Any] | None
    failure: str = ""


KEPT = TypeAdapter(_Kept)  # what `Checkpoints.write` keeps


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
        folders: name -> folder of a `save_pretrained` model; the other fields: see `LiveRuns`.
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
        versions = dict(zip(VERSIONS, (TRAINING_VERSION, VERSION), strict=True))
        asked = {"training": asdict(self.training), "seed": self.seed, "task": self.digest or task_digest(self.task)}
        self._facts = judged | self.hardware.key() | versions | asked
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
            paths = [path for path in self.folders[model].glob("*") if path.suffix in (".json", ".safetensors")]
            self._digests[model] = files.digest_each(*sorted(paths))
        new = {"source": self._digests[model], "val": [], "accuracy": [], "seconds": [], "state": None}
        return self._kept.read(model, new["source"]) or new

    def _resumed(self, model: str, state: dict | None) -> FineTuning:
        if self._current and self._current[0] == model:
            return self._current[1]
        self._current = None  # freed before the next is loaded
        folder, task = self.folders[model], self.task
        if not isinstance(task, Encoded):
            task = encoded(task, folder, tuple(task), self._facts["task"])
        run = FineTuning(folder, task, self.training, self.seed, self._score, self.hardware)
        try:
            return run.restore(state) if state else run
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise self._kept.damaged(model, error) from error


def step(job: tuple[ResumableTraining, str, int]) -> Step:
    """`ResumableTraining.step` as a function of one argument, for `compute.parallel_map`."""
    training, model, epoch = job
    return training.step(model, epoch)
