"""A store whose entries lie in a folder of this machine: whole or not there, and each computed by one process at a time."""

import contextlib
import errno
import json
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from twophase.errors import UserError
from twophase.infra import files, locks

MARKER = ".complete.json"
WAIT = 3600.0  # seconds that a second run waits for the first
DEEPEST = 4  # folders in which an entry of the folder can lie
OWN = {  # what of a folder is counted and removed, and what is in it then: others may keep things in the same folder
    r"(fetched/[0-9a-f]{16}/)?\w+/[0-9a-f]{2}/[0-9a-f]{64}\.json": "",
    r"(\w+/)+([0-9a-f]{2}|tasks)/\.new-\w+(\.json)?": "",  # what a kill has left
    r"(fetched/[0-9a-f]{16}/)?\w+/[0-9a-f]{2}/[0-9a-f]{64}": MARKER,
    r"parts/[0-9a-f]{64}": "",
    r"hub/(models|datasets)--[^/]+": ".lock",
    r"matrix/tasks/[^/]+-[0-9a-f]{12}": "task.json",
    r"matrix/checkpoints/[0-9a-f]{16}": "run.json",
    r"live/\w+-[0-9a-f]{8}": "data",
    r"runs/notebook-.+-[0-9a-f]{12}": "run.json",
}


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
        if (kept := self.get_folder(name)) is not None:
            return kept
        target = self.path(name)
        with _writable(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with files.replacing_folder(target) as new:
                build(new)
                marker = {"key": key, "files": contents(new)}
                (new / MARKER).write_text(json.dumps(marker, sort_keys=True, indent=1), encoding="utf-8")
                if self.get_folder(name) is not None:  # another process has kept the same: either will do
                    raise FileExistsError(target)
        except OSError:
            if self.get_folder(name) is None:
                raise
        return target

    def sizes(self) -> list[int]:
        inside = [file for own in self._own() for file in (own.rglob("*") if own.is_dir() else [own])]
        return [file.lstat().st_size for file in inside if not file.is_dir()]

    def clear(self) -> list[str]:
        with self._turn([], "clean", WAIT):
            for own in list(self._own()):
                shutil.rmtree(own) if own.is_dir() else own.unlink(missing_ok=True)
                for above in own.relative_to(self.root).parents[:-1]:
                    with contextlib.suppress(OSError):  # there is more in it
                        (self.root / above).rmdir()
        return sorted(one.name for one in self.root.iterdir() if one.name != "locks")

    def _own(self, folder: Path | None = None) -> Iterator[Path]:
        """The entries, and what else of `cache_folder` is made again when it is missing; nothing behind a link."""
        folder = folder or self.root
        inside = [one for one in folder.iterdir() if not one.is_symlink()] if folder.is_dir() else []
        for path in inside:
            name = path.relative_to(self.root).as_posix()
            kinds = [needed for pattern, needed in OWN.items() if re.fullmatch(pattern, name)]
            if kinds and (path / kinds[0]).exists():
                yield path
            elif path.is_dir() and name.count("/") < DEEPEST:
                yield from self._own(path)

    def probe(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        probe = self.root / ".probe"
        probe.touch()
        probe.unlink()

    @contextlib.contextmanager
    def lock(self, names: list[str], purpose: str, wait: float) -> Iterator[list[int]]:
        own = self.root / "locks" / f"{uuid.uuid4().hex}.lock"
        with contextlib.ExitStack() as stack:
            with self._turn(names, purpose, wait) as free:
                stack.callback(own.unlink, missing_ok=True)
                stack.enter_context(locks.held(own, entries=[names[number] for number in free]))
            yield free

    @contextlib.contextmanager
    def _turn(self, names: list[str], purpose: str, wait: float) -> Iterator[list[int]]:
        """While nobody else can begin to hold anything: the numbers of the names that are free, once one is.

        No names: once nothing is held.
        """
        deadline = None
        while True:
            with _writable(self.root):
                (self.root / "locks").mkdir(parents=True, exist_ok=True)
                turn = FileLock(self.root / "locks" / "store.lock").acquire()
            with turn:
                taken = self._taken()
                free = [number for number, name in enumerate(names) if name not in taken]
                if free or not taken:
                    yield free
                    return
            who = locks.named(taken.get(names[0] if names else next(iter(taken))))
            if deadline is None:
                deadline = time.monotonic() + wait
                print(f"twophase: {purpose} waits for {who} (up to {wait:.0f} s)", file=sys.stderr, flush=True)
            if time.monotonic() > deadline:
                raise UserError(
                    f"the store {self.root} is in use by {who}: wait for it or stop that process, "
                    "then repeat; or give this run a store of its own in TWOPHASE_CACHE"
                )
            time.sleep(0.2)

    def _taken(self) -> dict[str, locks.Holder]:
        """Entry -> who holds it."""
        taken = {}
        for lock in self.root.glob("locks/*.lock"):
            if lock.name == "store.lock":
                continue
            try:
                with FileLock(lock).acquire(timeout=0):  # its process was killed
                    lock.with_suffix(".json").unlink(missing_ok=True)
                    lock.unlink()
            except Timeout:
                who = locks.holder(lock)
                taken |= dict.fromkeys(who.entries if who else [lock.name], who)
        return taken


@contextlib.contextmanager
def _writable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"the store {root} cannot be written ({error}): name another folder in TWOPHASE_CACHE"
        ) from None


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file of a folder but the marker, under its path inside."""
    inside = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): files.digest_each(path) for path in inside}


def listed(marker: str | None) -> dict[str, str] | None:
    """What a marker says of the files of its folder (`contents`); None if it is none."""
    try:
        found = json.loads(marker)["files"]
        return found if isinstance(found, dict) and all(isinstance(one, str) for one in found.values()) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
