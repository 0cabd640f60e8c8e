"""States of live runs on the disk, so that a run that was stopped goes on where it was."""

import hashlib
import json
import re
from pathlib import Path

import torch
from datasets import DatasetDict

from twophase.errors import UserError
from twophase.infra import files
from twophase.training.encoding import Encoded

VERSIONS = ("training version", "checkpoint version")


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
            known = json.loads(note.read_text()) if note.exists() else facts
            differ = [name for name in known | facts if known.get(name) != facts.get(name)]
            outdated = bool(differ) and set(differ) <= set(VERSIONS)
            if outdated:
                for old in self._folder.glob("*.pt"):
                    old.unlink()
            if outdated or not note.exists():
                files.write_text(note, json.dumps(facts, indent=1))
        except (OSError, ValueError) as error:
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
        except Exception as error:  # zip, pickle and end-of-file errors share no parent
            raise UserError(f"{path} is damaged ({error}); delete it to train {model!r} again.") from error
        if kept["source"] != source:
            raise UserError(f"{path} was trained from other weights than {model!r} has now; {ANOTHER}")
        return kept

    def write(self, model: str, kept: dict) -> None:
        """Keep source, val, accuracy and seconds (lists over epochs), state, and failure if there was one."""
        with files.replacing(self._path(model)) as new:
            torch.save(kept, new)


ANOTHER = "give another folder, or delete this one."


def task_digest(task: DatasetDict | Encoded) -> str:
    """sha256 over a task's classes and content, in order."""
    total = hashlib.sha256()
    if isinstance(task, Encoded):
        total.update(repr(task.classes).encode())
        for split, labels in task.labels.items():
            for name, values in [*task.inputs[split].items(), ("label", labels)]:
                total.update(repr((split, name, values.shape)).encode() + values.numpy().tobytes())
    else:
        for split, rows in task.items():
            total.update(repr((split, rows.features)).encode())
            for batch in rows.with_format("arrow").iter(batch_size=256):
                total.update(repr(batch.to_pydict()).encode())
    return total.hexdigest()
