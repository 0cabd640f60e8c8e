"""The cell store: results that cost minutes, kept under a key of everything that determines them.

`TWOPHASE_CACHE` names it: a folder (default: the user's cache folder of this platform), shared by every clone and
experiment, or a URL that fsspec knows, shared by machines (`backends`). A reader sees a whole entry or none; an entry that
does not read back as it was written counts as missing.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twophase.errors import UserError
from twophase.infra.store.backends import MARKER, WAIT, Local, Remote, cache_folder, canonical, digest, is_url

__all__ = ["MARKER", "Store", "cache_folder", "digest"]


class Store:
    """JSON values and folders under content keys.

    Args:
        root: a folder or URL; default: what TWOPHASE_CACHE says, else `cache_folder`.

    Raises:
        UserError: a URL of a kind that fsspec does not know, or whose package is not installed.
    """

    def __init__(self, root: Path | str | None = None):
        given = root if root is not None else os.environ.get("TWOPHASE_CACHE")
        self._place: Local | Remote
        if given and is_url(given):
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
