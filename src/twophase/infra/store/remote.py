"""A store whose entries lie under a URL, through fsspec.

Nothing rests on how the place writes: half a value is no JSON; a folder counts only with its marker, which is written last
and holds the sha256 of every file; the files lie below the sha256 of the marker, so that two machines that keep the same
entry never mix theirs.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from twophase.errors import UserError
from twophase.infra import files
from twophase.infra.store.local import MARKER, Local, contents, listed

ENTRY = re.compile(r"/\w+/[0-9a-f]{2}/[0-9a-f]{64}(\.json$|/)")  # what is counted and removed: a bucket may hold more
FOLDERS = {"file", "local", "sftp", "ssh", "smb"}  # places where a folder must be made before a file in it


class Remote:
    """Objects under one URL, by names that are paths below it; see `Store`.

    Args:
        root: the URL.
        copies: where folders are copied to, since models are loaded from folders of this machine.
    """

    def __init__(self, root: str, copies: Local):
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

    def clear(self) -> list[str]:
        found = self._entries()
        # markers first: a folder that is half removed must not look whole
        for path in sorted(found, key=lambda path: not path.endswith(MARKER)):
            self._remove(path)
        shutil.rmtree(self._copies.root, ignore_errors=True)
        return []

    def probe(self) -> None:
        self._put(".probe", b"")
        self._remove(f"{self._base}/.probe")

    @contextlib.contextmanager
    def lock(self, names: list[str], purpose: str, wait: float = 0) -> Iterator[list[int]]:
        """Nobody holds a URL: there is no lock that all these places know."""
        yield list(range(len(names)))

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
