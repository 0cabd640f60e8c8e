"""Where a store's entries lie: in a folder, or under a URL. Both check what they read, by the marker of a kept folder.

In a folder, entries are written to a temporary name and renamed, and one run at a time holds it. Under a URL (through
fsspec) nothing rests on how the place writes: half a value is no JSON; a folder counts only with its marker, which is
written last and holds the sha256 of every file; the files lie below the sha256 of the marker, so that two machines that
keep the same entry never mix theirs.
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
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from twophase.errors import UserError
from twophase.infra import files

MARKER = ".complete.json"
URL = re.compile(r"[a-zA-Z][\w.+-]*://")
WAIT = 3600.0  # seconds that a second run waits for the first
ENTRY = re.compile(r"/\w+/[0-9a-f]{2}/[0-9a-f]{64}(\.json$|/)")  # what is counted and removed: a bucket may hold more
FOLDERS = {"file", "local", "sftp", "ssh", "smb"}  # places where a folder must be made before a file in it


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


class Remote:
    """Objects under one URL, by names that are paths below it; see `Store`.

    Args:
        root: the URL.
        copies: where folders are copied to, since models are loaded from folders of this machine.
    """

    def __init__(self, root: str, copies: Local):
        import fsspec

        self.root = root.rstrip("/")
        self._copies = Local(copies.root / files.digest(self.root.encode())[:16])
        try:
            self._files, self._base = fsspec.url_to_fs(self.root)
        except ImportError as error:
            raise UserError(
                f"the store {root} needs a package that is not installed ({error}); install it, or name a folder in TWOPHASE_CACHE"
            ) from error
        except ValueError as error:
            raise UserError(
                f"the store {root} is no place that fsspec knows ({error}); name a folder in TWOPHASE_CACHE, or a URL such as "
                "s3://bucket/prefix"
            ) from error
        known = self._files.protocol
        self._in_folders = not FOLDERS.isdisjoint([known] if isinstance(known, str) else known)

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def read(self, name: str) -> str | None:
        found = self._bytes(name)
        with contextlib.suppress(UnicodeDecodeError, AttributeError):
            return found.decode()
        return None

    def write(self, name: str, text: str) -> None:
        self._put(name, text.encode())

    def get_folder(self, name: str) -> Path | None:
        marker = self.read(f"{name}/{MARKER}")
        kept = listed(marker)
        if kept is None:
            return None
        copy = self._copies.get_folder(name)
        if copy is not None and listed((copy / MARKER).read_text(encoding="utf-8")) == kept:
            return copy

        def fetch(folder: Path) -> None:
            for inside in kept:
                outside = PurePosixPath(inside).is_absolute() or ".." in PurePosixPath(inside).parts
                if outside or (found := self._bytes(_below(name, marker, inside))) is None:
                    raise _Damaged
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                (folder / inside).write_bytes(found)
            if contents(folder) != kept:
                raise _Damaged

        if copy is not None:  # of what was made anew elsewhere
            shutil.rmtree(copy, ignore_errors=True)
        try:
            return self._copies.put_folder(name, json.loads(marker).get("key"), fetch)
        except _Damaged:
            return None

    def put_folder(self, name: str, key: Any, build: Callable[[Path], Any]) -> Path:
        if (kept := self.get_folder(name)) is not None:
            return kept
        # after a put that was interrupted the copy is there
        copy = self._copies.get_folder(name) or self._copies.put_folder(name, key, build)
        marker = (copy / MARKER).read_text(encoding="utf-8")
        for inside in contents(copy):
            self._put(_below(name, marker, inside), (copy / inside).read_bytes())
        self.write(f"{name}/{MARKER}", marker)
        return copy

    def sizes(self) -> list[int]:
        return [facts["size"] for facts in self._entries().values()]

    def clear(self) -> None:
        found = self._entries()
        # markers first: a folder that is half removed must not look whole
        for path in sorted(found, key=lambda path: not path.endswith(MARKER)):
            self._remove(path)
        shutil.rmtree(self._copies.root, ignore_errors=True)

    def probe(self) -> None:
        self._put(".probe", b"")
        self._remove(f"{self._base}/.probe")

    @contextlib.contextmanager
    def lock(self, purpose: str, wait: float = 0) -> Iterator[None]:
        """Nobody holds a URL: there is no lock that all these places know."""
        yield

    def _bytes(self, name: str) -> bytes | None:
        with self._reached("read"), contextlib.suppress(FileNotFoundError):
            return self._files.cat_file(f"{self._base}/{name}")
        return None

    def _put(self, name: str, content: bytes) -> None:
        path = f"{self._base}/{name}"
        with self._reached("written"):
            if self._in_folders:
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, content)

    def _remove(self, path: str) -> None:
        with self._reached("cleared"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(path)

    def _entries(self) -> dict[str, dict]:
        with self._reached("read"), contextlib.suppress(FileNotFoundError):
            self._files.invalidate_cache()
            found = self._files.find(self._base, detail=True)
            return {path: facts for path, facts in found.items() if ENTRY.match(path.removeprefix(self._base))}
        return {}

    @contextlib.contextmanager
    def _reached(self, what: str) -> Iterator[None]:
        """Turn what a place's client raises into one clear message; their errors share no parent."""
        try:
            yield
        except Exception as error:
            reason = next(iter(str(error).splitlines()), "")
            raise UserError(
                f"the store {self.root} cannot be {what} ({type(error).__name__}: {reason}): see to its address and your rights "
                "there, or name another one in TWOPHASE_CACHE"
            ) from error


def _below(name: str, marker: str, inside: str) -> str:
    return f"{name}/{files.digest(marker.encode())[:16]}/{inside}"


class _Damaged(Exception):
    """A folder that is not what its marker says."""
