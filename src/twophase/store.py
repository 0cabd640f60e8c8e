"""The cell store: results that cost minutes, kept under a key of everything that determines them.

One folder per user (``TWOPHASE_CACHE``, else the platform's cache folder), shared by every clone and
experiment. Entries are written to a temporary name and renamed, so a reader sees a whole entry or none; an
entry that does not read back as it was written counts as missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twophase.errors import UserError

MARKER = ".complete.json"
WAIT = 3600.0  # seconds that a second run waits for the first


def cache_folder() -> Path:
    """``TWOPHASE_CACHE``, else the user's cache folder of this platform."""
    if given := os.environ.get("TWOPHASE_CACHE"):
        return Path(given).expanduser().resolve()
    from platformdirs import user_cache_path

    return user_cache_path("twophase", appauthor=False)


def digest(key: Any) -> str:
    """sha256 of the canonical JSON of ``key`` (sorted keys, no blanks).

    Raises:
        TypeError: something in ``key`` is not JSON: a key must not depend on how an object prints.
    """
    return hashlib.sha256(_canonical(key).encode()).hexdigest()


def file_digest(*paths: Path) -> str:
    """sha256 over the bytes of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


class Store:
    """JSON values and folders under content keys.

    Args:
        root: where; default :func:`cache_folder`.
    """

    def __init__(self, root: Path | str | None = None):
        self.root = Path(root) if root is not None else cache_folder()

    def path(self, kind: str, key: Any) -> Path:
        """Where the entry of ``key`` lies: ``<root>/<kind>/<first two digits>/<sha256>``."""
        name = digest(key)
        return self.root / kind / name[:2] / name

    def get(self, kind: str, key: Any) -> Any | None:
        """The JSON value kept under ``key``, or None if there is none (or none that is whole)."""
        try:
            entry = json.loads(self._file(kind, key).read_text(encoding="utf-8"))
            return entry["value"] if _canonical(entry["key"]) == _canonical(key) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, kind: str, key: Any, value: Any) -> None:
        """Keep a JSON value; the entry says its key in the clear, for people who look into the store."""
        target = self._file(kind, key)
        text = json.dumps({"key": key, "value": value}, sort_keys=True, indent=1)
        with _writable(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-", suffix=".json")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)

    def get_folder(self, kind: str, key: Any) -> Path | None:
        """The folder kept under ``key``, each file checked by sha256; None if it is missing or damaged."""
        folder = self.path(kind, key)
        try:
            listed = json.loads((folder / MARKER).read_text(encoding="utf-8"))["files"]
            whole = listed == _contents(folder)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return folder if whole else None

    def put_folder(self, kind: str, key: Any, build: Callable[[Path], Any]) -> Path:
        """Let ``build`` fill an empty folder and keep it; if it raises, nothing is kept. Returns where."""
        target = self.path(kind, key)
        with _writable(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
        try:
            build(temporary)
            marker = {"key": key, "files": _contents(temporary)}
            (temporary / MARKER).write_text(json.dumps(marker, sort_keys=True, indent=1), encoding="utf-8")
            if self.get_folder(kind, key) is None:
                shutil.rmtree(target, ignore_errors=True)
                # another process may have kept the same entry in between: either copy will do
                with contextlib.suppress(OSError):
                    temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    def export(self, folder: Path, target: Path) -> None:
        """Copy a kept folder to ``target`` (which is replaced), without the store's own marker."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns(MARKER))

    def size(self) -> tuple[int, int]:
        """Number of files and their bytes."""
        files = [path for path in self.root.rglob("*") if path.is_file()] if self.root.is_dir() else []
        return len(files), sum(path.stat().st_size for path in files)

    def clear(self) -> None:
        """Remove every entry; waits for a run that uses the store."""
        with self.lock("clean"):
            for kind in [folder for folder in self.root.iterdir() if folder.is_dir() and folder.name != "locks"]:
                shutil.rmtree(kind)

    @contextlib.contextmanager
    def lock(self, purpose: str, wait: float = WAIT) -> Iterator[None]:
        """Hold the store: a second process waits up to ``wait`` seconds, told at once who holds it.

        The operating system frees the lock with its process, however that ended.

        Raises:
            UserError: still held after ``wait`` seconds; names the holder's process, host and command.
        """
        from filelock import FileLock, Timeout

        folder = self.root / "locks"
        with _writable(self.root):
            folder.mkdir(parents=True, exist_ok=True)
        lock, note = FileLock(folder / "store.lock"), folder / "holder.json"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(
                f"twophase: {purpose} waits for {_holder(note)} (up to {wait:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
            try:
                lock.acquire(timeout=wait, poll_interval=0.2)
            except Timeout:
                raise UserError(
                    f"the store {self.root} is in use by {_holder(note)}: wait for it or stop that process, "
                    "then repeat; or give this run a store of its own in TWOPHASE_CACHE"
                ) from None
        try:
            who = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "command": _command(),
                "since": time.time(),
            }
            note.write_text(json.dumps(who), encoding="utf-8")
            yield
        finally:
            note.unlink(missing_ok=True)
            lock.release()

    def _file(self, kind: str, key: Any) -> Path:
        return self.path(kind, key).with_suffix(".json")


def _canonical(key: Any) -> str:
    return json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _holder(note: Path) -> str:
    try:
        who = json.loads(note.read_text(encoding="utf-8"))
        return f"process {who['pid']} on {who['host']} ({who['command']})"
    except (OSError, ValueError, KeyError):
        return "another process"


@contextlib.contextmanager
def _writable(root: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(
            f"the store {root} cannot be written ({error}): name another folder in TWOPHASE_CACHE"
        ) from None
