"""A store in a folder: entries are written to a temporary name and renamed; one run at a time holds it."""

import contextlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from twophase.errors import UserError
from twophase.infra import files
from twophase.infra.store.keys import MARKER, contents, listed, mark

URL = re.compile(r"[a-zA-Z][\w.+-]*://")
WAIT = 3600.0  # seconds that a second run waits for the first


def cache_folder() -> Path:
    """A folder of this machine: ``TWOPHASE_CACHE`` if that is one, else the user's cache folder of this platform.

    What is only of use here lies in it whatever the store is: models and datasets brought from a hub, published records,
    the live zoo, and copies of folders of a store under a URL.
    """
    given = os.environ.get("TWOPHASE_CACHE")
    if given and not is_url(given):
        return Path(given).expanduser().resolve()

    return user_cache_path("twophase", appauthor=False)


def is_url(given: str | Path) -> bool:
    """Whether a store is named by a URL such as s3://bucket/prefix."""
    return bool(URL.match(str(given)))


class Local:
    """Files of one folder, by names that are paths inside; see :class:`~twophase.infra.store.Store`."""

    def __init__(self, root: Path):
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name

    def read(self, name: str) -> str | None:
        try:
            return self.path(name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None

    def write(self, name: str, text: str) -> None:
        target = self.path(name)
        with _writable(self.root):
            files.write_text(target, text)

    def get_folder(self, name: str) -> Path | None:
        folder = self.path(name)
        known = listed(self.read(f"{name}/{MARKER}"))
        with contextlib.suppress(OSError):  # another process removes it
            return folder if known is not None and known == contents(folder) else None
        return None

    def put_folder(self, name: str, key: Any, build: Callable[[Path], Any]) -> Path:
        target = self.path(name)
        with _writable(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
        try:
            build(temporary)
            (temporary / MARKER).write_text(mark(temporary, key), encoding="utf-8")
            if self.get_folder(name) is None:
                shutil.rmtree(target, ignore_errors=True)
                # another process may have kept the same entry in between: either copy will do
                with contextlib.suppress(OSError):
                    temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    def sizes(self) -> list[int]:
        inside = [path for path in self.root.rglob("*") if path.is_file()] if self.root.is_dir() else []
        return [path.stat().st_size for path in inside]

    def clear(self) -> None:
        with self.lock("clean"):
            for kind in [folder for folder in self.root.iterdir() if folder.is_dir() and folder.name != "locks"]:
                shutil.rmtree(kind)

    def probe(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        probe = self.root / ".probe"
        probe.touch()
        probe.unlink()

    @contextlib.contextmanager
    def lock(self, purpose: str, wait: float = WAIT) -> Iterator[None]:
        """The operating system frees the lock with its process, however that ended."""
        folder = self.root / "locks"
        with _writable(self.root):
            folder.mkdir(parents=True, exist_ok=True)
        lock, note = FileLock(folder / "store.lock"), folder / "holder.json"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"twophase: {purpose} waits for {_holder(note)} (up to {wait:.0f} s)", file=sys.stderr, flush=True)
            try:
                lock.acquire(timeout=wait, poll_interval=0.2)
            except Timeout:
                raise UserError(
                    f"the store {self.root} is in use by {_holder(note)}: wait for it or stop that process, "
                    "then repeat; or give this run a store of its own in TWOPHASE_CACHE"
                ) from None
        try:
            who = {"pid": os.getpid(), "host": socket.gethostname(), "command": _command(), "since": time.time()}
            files.write_text(note, json.dumps(who))
            yield
        finally:
            note.unlink(missing_ok=True)
            lock.release()


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
