"""The cell store: results that cost minutes, kept under a key of everything that determines them.

`TWOPHASE_CACHE` names it: a folder (default: the user's cache folder of this platform), shared by every clone and
experiment, or a URL that fsspec knows, shared by machines (`remote`). A reader sees a whole entry or none; an entry that
does not read back as it was written counts as missing. In a folder, entries are written to a temporary name and renamed,
and one run at a time holds it.
"""

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

__all__ = ["MARKER", "Store", "cache_folder", "digest"]

MARKER = ".complete.json"
URL = re.compile(r"[a-zA-Z][\w.+-]*://")
WAIT = 3600.0  # seconds that a second run waits for the first


class Store:
    """JSON values and folders under content keys.

    Args:
        root: a folder or URL; default: what TWOPHASE_CACHE says, else `cache_folder`.

    Raises:
        UserError: a URL of a kind that fsspec does not know, or whose package is not installed.
    """

    def __init__(self, root: Path | str | None = None):
        given = root if root is not None else os.environ.get("TWOPHASE_CACHE")
        if given and is_url(given):
            from twophase.infra.store.remote import Remote

            self._place = Remote(str(given), Local(cache_folder() / "fetched"))
        else:
            self._place = Local(Path(root) if root is not None else cache_folder())

    @property
    def root(self) -> Path | str:
        """The folder or URL."""
        return self._place.root

    def path(self, kind: str, key: Any) -> Path | str:
        """Where the entry of `key` lies: `<root>/<kind>/<first two digits>/<sha256>`, and ".json" for a value."""
        return self._place.path(_name(kind, key))

    def get(self, kind: str, key: Any) -> Any | None:
        """The JSON value kept under `key`, or None if there is none (or none that is whole)."""
        text = self._place.read(f"{_name(kind, key)}.json")
        try:
            entry = json.loads(text)
            return entry["value"] if canonical(entry["key"]) == canonical(key) else None
        except (ValueError, KeyError, TypeError):
            return None

    def put(self, kind: str, key: Any, value: Any) -> None:
        """Keep a JSON value; the entry says its key in the clear, for people who look into the store."""
        text = json.dumps({"key": key, "value": value}, sort_keys=True, indent=1)
        self._place.write(f"{_name(kind, key)}.json", text)

    def get_folder(self, kind: str, key: Any) -> Path | None:
        """The folder kept under `key` (of a URL: a copy on this machine), checked by sha256; None if missing or damaged."""
        return self._place.get_folder(_name(kind, key))

    def put_folder(self, kind: str, key: Any, build: Callable[[Path], Any]) -> Path:
        """Let `build` fill an empty folder and keep it; nothing if it raises. Returns where `get_folder` has it."""
        return self._place.put_folder(_name(kind, key), key, build)

    def export(self, folder: Path, target: Path) -> None:
        """Copy a kept folder to `target` (which is replaced), without the store's own marker."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns(MARKER))

    def size(self) -> tuple[int, int]:
        """Number of files and their bytes."""
        sizes = self._place.sizes()
        return len(sizes), sum(sizes)

    def clear(self) -> None:
        """Remove every entry; waits for a run that uses a folder as its store."""
        self._place.clear()

    def probe(self) -> None:
        """Write and remove a file.

        Raises:
            UserError: that cannot be done.
        """
        try:
            self._place.probe()
        except OSError as error:
            raise UserError(
                f"the store {self.root} cannot be used ({error}): name another one in TWOPHASE_CACHE"
            ) from None

    def lock(self, purpose: str, wait: float = WAIT) -> contextlib.AbstractContextManager[None]:
        """Hold the store: a second process waits up to `wait` seconds, told at once who holds it.

        Only a folder can be held. A URL never is: two runs that share one may both compute what neither has finished, and
        what a cell holds does not depend on who computed it (but for its seconds; the last one stays).

        Raises:
            UserError: still held after `wait` seconds; names the holder's process, host and command.
        """
        return self._place.lock(purpose, wait)


def _name(kind: str, key: Any) -> str:
    name = digest(key)
    return f"{kind}/{name[:2]}/{name}"


def digest(key: Any) -> str:
    """sha256 of the canonical JSON of `key` (sorted keys, no blanks).

    Raises:
        TypeError: something in `key` is not JSON: a key must not depend on how an object prints.
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
    """What a marker says of the files of its folder (`contents`); None if it is none."""
    try:
        return dict(json.loads(marker)["files"])
    except (ValueError, KeyError, TypeError):
        return None


def cache_folder() -> Path:
    """A folder of this machine: `TWOPHASE_CACHE` if that is one, else the user's cache folder of this platform.

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
    """Files of one folder, by names that are paths inside; see `Store`."""

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
        with _writable(self.root):
            files.write_text(self.path(name), text)

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
            marker = {"key": key, "files": contents(temporary)}
            (temporary / MARKER).write_text(json.dumps(marker, sort_keys=True, indent=1), encoding="utf-8")
            if self.get_folder(name) is None:
                shutil.rmtree(target, ignore_errors=True)
                # another process may have kept the same entry in between: either copy will do
                with contextlib.suppress(OSError):
                    temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    def sizes(self) -> list[int]:
        return [path.stat().st_size for path in self.root.rglob("*") if path.is_file()]

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
            command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
            who = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": time.time()}
            files.write_text(note, json.dumps(who))
            yield
        finally:
            note.unlink(missing_ok=True)
            lock.release()


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
