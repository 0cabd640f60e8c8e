"""The folder of a run: opened for one task, and what is said when the disk is full."""

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from twophase.errors import UserError
from twophase.infra.files import write_json
from twophase.infra.store import cache_folder
from twophase.training.checkpoints import task_digest


def open_run(folder: Path, task, path: str) -> None:
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
