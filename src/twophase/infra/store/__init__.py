"""The cell store: results that cost minutes, kept under a key of everything that determines them.

`TWOPHASE_CACHE` names it: a folder (default: the user's cache folder of this platform), shared by every clone and
experiment, or a URL that fsspec knows, shared by machines (`remote`). A reader sees a whole entry or none; an entry that
does not read back as it was written counts as missing. In a folder, entries are written to a temporary name and renamed,
and what one run is computing no other computes.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from twophase.errors import UserError
from twophase.infra import files
from twophase.infra.store.local import MARKER, WAIT, Local

__all__ = ["MARKER", "Store", "cache_folder", "digest"]

URL = re.compile(r"[a-zA-Z][\w.+-]*://")


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
