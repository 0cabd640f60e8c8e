"""Files and folders that are there whole or not at all, a reader of what is kept, digests, and what is said when the disk
is full.
"""

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

from pydantic import TypeAdapter, ValidationError

from twophase.errors import UserError, refused

LARGEST = 100_000_000  # bytes of a kept JSON file


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


@contextlib.contextmanager
def replacing_folder(folder: str | Path) -> Iterator[Path]:
    """An empty folder beside `folder` to fill, which takes its place once all its files are on the disk.

    Whatever stops the filling, `folder` stays as it was.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-", ignore_cleanup_errors=True) as beside:
        new, old = Path(beside) / "new", Path(beside) / "old" / folder.name  # by its name `tidy` can put it back
        old.parent.mkdir()
        new.mkdir()  # with the rights that the user's folders have
        yield new
        for path in new.rglob("*"):
            if path.is_file():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        if os.path.lexists(folder):
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if os.path.lexists(old):
                old.rename(folder)
            raise


def tidy(*folders: Path) -> None:
    """Remove what writers that were killed have left in folders that nobody else writes into now.

    What was to be replaced, and stands aside since the writer was killed between two renames, goes back to its place.
    """
    for left in (left for folder in folders for left in folder.glob(".new-*")):
        for old in left.glob("old/*"):
            if not os.path.lexists(left.parent / old.name):
                old.rename(left.parent / old.name)
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file for people to read, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: str | Path, kind: Any, remedy: str) -> Any:
    """What a kept JSON file holds.

    Args:
        kind: the type that it must have: dict[str, str], a dataclass, …
        remedy: what the user does about a damaged one.

    Raises:
        UserError: it is no file, too large, no JSON or not of this type.
    """
    path = Path(path)
    try:
        if not path.is_file():  # a pipe or device would never end
            raise ValueError("it is no file")
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has over {LARGEST:,} bytes")
        return TypeAdapter(kind).validate_python(json.loads(path.read_bytes()))
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        reason = where + first["msg"]
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    raise UserError(f"{path} is damaged ({reason}); {remedy}.")


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that another can take its place; returns where it is now."""
    return path.replace(path.with_name(f"{path.name}.broken"))


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
    """Turn a full disk, on which these folders are, and whatever else the system refuses, into one clear message.

    Raises:
        UserError: whoever met it.
    """
    try:
        yield
    except Exception as error:  # of torch, safetensors and pyarrow, too
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        places = [place for place in folders if place.exists()]
        crowded = [place for place in places if shutil.disk_usage(place).free < 2**20]
        if isinstance(error, UserError | BrokenPipeError) or not (full or crowded or isinstance(error, OSError)):
            raise
        if not (full or crowded):
            raise refused(error) from error
        where = " and ".join(map(str, crowded)) or f"{' or '.join(map(str, places))}, or for what is printed"
        raise UserError(
            f"no space is left for {where}; what was finished is kept. Free some space and repeat the same command."
        ) from error
