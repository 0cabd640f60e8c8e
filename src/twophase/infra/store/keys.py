"""Content keys, and what a kept folder must hold."""

import json
from pathlib import Path
from typing import Any

from twophase.infra import files

MARKER = ".complete.json"


def digest(key: Any) -> str:
    """sha256 of the canonical JSON of ``key`` (sorted keys, no blanks).

    Raises:
        TypeError: something in ``key`` is not JSON: a key must not depend on how an object prints.
    """
    return files.digest(canonical(key).encode())


def canonical(key: Any) -> str:
    """JSON with sorted keys and no blanks."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file of a folder but the marker, under its path inside."""
    inside = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): files.digest_each(path) for path in inside}


def listed(marker: str | None) -> dict[str, str] | None:
    """What a marker says of the files of its folder (:func:`contents`); None if it is none."""
    try:
        return dict(json.loads(marker)["files"])
    except (ValueError, KeyError, TypeError):
        return None


def mark(folder: Path, key: Any) -> str:
    """The marker of a folder, which is whole: its key, and what it holds."""
    return json.dumps({"key": key, "files": contents(folder)}, sort_keys=True, indent=1)
