"""The cell store: results that cost minutes, kept under a key of everything that determines them.

`TWOPHASE_CACHE` names it: a folder (default: the user's cache folder of this platform), shared by every clone and
experiment, or a URL that fsspec knows, shared by machines (`remote`). A reader sees a whole entry or none; an entry that
does not read back as it was written counts as missing. In a folder, entries are written to a temporary name and renamed,
and what one run is computing no other computes.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from twophase.errors import UserError
from twophase.infra import files, locks

__all__ = ["MARKER", "Store", "cache_folder", "digest"]

MARKER = ".complete.json"
URL = re.compile(r"[a-zA-Z][\w.+-]*://")
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
            value = entry["value"]
            sound = entry.get("sha256") in (None, digest_of(value))  # entries of old have none
            return value if sound and canonical(entry["key"]) == canonical(key) else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def put(self, kind: str, key: Any, value: Any) -> None:
        """Keep a JSON value; the entry says its key in the clear, for people who look into the store."""
        plain = json.loads(json.dumps(value))
        text = json.dumps({"key": key, "value": plain, "sha256": digest_of(plain)}, sort_keys=True, indent=1)
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

    def clear(self) -> list[str]:
        """Remove every entry; waits for runs that use a folder as their store. Returns what is left: it was not ours."""
        return self._place.clear()

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

    def lock(
        self, kind: str, keys: list[Any], purpose: str, wait: float = WAIT
    ) -> contextlib.AbstractContextManager[list[int]]:
        """Hold the entries of those keys that no other process holds, and be told their numbers: at least one.

        If others hold them all, it waits up to `wait` seconds, and says at once for whom. Only entries of a folder can be
        held. Those of a URL never are: two runs that share one may both compute what neither has finished, and what a cell
        holds does not depend on who computed it (but for its seconds; the last one stays).

        Raises:
            UserError: still held after `wait` seconds; names the holder's process, host and command.
        """
        return self._place.lock([_name(kind, key) for key in keys], purpose, wait)


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


def digest_of(value: Any) -> str:
    """sha256 of a JSON value, which may hold NaN."""
    return files.digest(json.dumps(value, sort_keys=True).encode())


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
