"""Content keys, and what a kept folder must hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

MARKER = ".complete.json"


def digest(key: Any) -> str:
    """sha256 of the canonical JSON of ``key`` (sorted keys, no blanks).

    Raises:
        TypeError: something in ``key`` is not JSON: a key must not depend on how an object prints.
    """
    return hashlib.sha256(canonical(key).encode()).hexdigest()


def canonical(key: Any) -> str:
    """JSON with sorted keys and no blanks."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)


def file_digest(*paths: Path) -> str:
    """sha256 over the bytes of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file of a folder but the marker, under its path inside."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def listed(marker: str | None) -> dict[str, str] | None:
    """What a marker says of the files of its folder (:func:`contents`); None if it is none."""
    try:
        return dict(json.loads(marker)["files"])
    except (ValueError, KeyError, TypeError):
        return None


def mark(folder: Path, key: Any) -> str:
    """The marker of a folder, which is whole: its key, and what it holds."""
    return json.dumps({"key": key, "files": contents(folder)}, sort_keys=True, indent=1)
