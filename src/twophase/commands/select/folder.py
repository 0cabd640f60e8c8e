"""The folder of a run: opened for one task, its settings noted, and what is said when the disk is full."""

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from datasets import DatasetDict

from twophase.commands.select.settings import Settings
from twophase.errors import UserError
from twophase.infra.files import write_json, write_text
from twophase.infra.store import cache_folder
from twophase.training.encoding import task_digest


def open_run(folder: Path, task: DatasetDict, path: str) -> None:
    """Make the run's folder, or go on in one of the same task.

    Raises:
        UserError: the folder cannot be made, or holds something else.
    """
    note, facts = folder / "run.json", {"task": task_digest(task), "path": str(path)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if note.is_file():
            known = json.loads(note.read_text(encoding="utf-8"))
            if known.get("task") != facts["task"]:
                raise UserError(
                    f"{folder} holds a run of another task ({known.get('path', 'unknown')}, or the same with other rows or "
                    "splits); give out=… another folder, or delete it."
                )
            return
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty and holds no run; give out=… a new folder.")
        write_json(note, facts)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError) or getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise UserError(f"{folder} cannot be the run's folder ({error}); give out=… another one.") from error


def note_settings(given: Settings, folder: Path) -> list[str]:
    """Write down the settings of this run; says that an earlier one with others has left its result in the folder.

    The data are not among them: a folder is of one task, wherever its files lie.
    """
    note = folder / "settings.json"
    now = {name: value for name, value in asdict(given).items() if name not in ("asked", "compute", "out", "task")}
    text = json.dumps(now, indent=2, sort_keys=True, default=str) + "\n"
    before = note.read_text(encoding="utf-8") if note.is_file() else text
    write_text(note, text)
    if before == text or not (folder / "selection.json").is_file():
        return []
    return [
        f"{folder} holds a result with other settings; what it trained is used where it fits, its model and report are replaced."
    ]


@contextlib.contextmanager
def room(folder: Path) -> Iterator[None]:
    """Turn a full disk into one clear message, whoever met it."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        places = [place for place in (folder, cache_folder()) if place.exists()]
        crowded = [place for place in places if shutil.disk_usage(place).free < 2**20]
        if isinstance(error, UserError) or not (full or crowded):
            raise
        raise UserError(
            f"no space is left for {' and '.join(map(str, crowded or places))}; what was finished is kept. Free some space and "
            "repeat the same command."
        ) from error
