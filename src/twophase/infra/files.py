"""Files that are there whole or not at all, digests of what files hold, and what is said when the disk is full."""

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twophase.errors import UserError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A new file beside `path` to write into, which takes its place in one step once it is whole and on the disk.

    Whatever stops the writing, `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=path.suffix)
    os.close(handle)
    new = Path(name)
    try:
        yield new
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        os.umask(mask := os.umask(0))
        new.chmod(0o666 & ~mask)  # mkstemp's file is its owner's alone
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file for people to read, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def digest(*parts: bytes | Path) -> str:
    """sha256 over bytes and over the content of files, one after the other."""
    total = hashlib.sha256()
    for part in parts:
        with io.BytesIO(part) if isinstance(part, bytes) else part.open("rb") as opened:
            while piece := opened.read(2**20):
                total.update(piece)
    return total.hexdigest()


def digest_each(*paths: Path) -> str:
    """sha256 over the sha256 of each file: unlike `digest`, it tells where one file ends and the next begins."""
    return hashlib.sha256(b"".join(bytes.fromhex(digest(path)) for path in paths)).hexdigest()


@contextlib.contextmanager
def room(*folders: Path) -> Iterator[None]:
    """Turn a full disk, on which these folders are, into one clear message, whoever met it."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        places = [place for place in folders if place.exists()]
        crowded = [place for place in places if shutil.disk_usage(place).free < 2**20]
        if isinstance(error, UserError) or not (full or crowded):
            raise
        raise UserError(
            f"no space is left for {' and '.join(map(str, crowded or places))}; what was finished is kept. Free some space and "
            "repeat the same command."
        ) from error
