"""Which hub is asked, and where a repository of it lies here."""

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock
from huggingface_hub import constants, errors, is_offline_mode
from huggingface_hub.utils import validate_repo_id

from twophase.errors import UserError
from twophase.infra.files import read_json, write_json, write_text
from twophase.infra.store import cache_folder

PUBLIC = "https://huggingface.co"
COMMIT = re.compile(r"[0-9a-f]{40}")
FOLDER = re.compile(rf"{COMMIT.pattern}(@[\w.~%-]*)?")  # of a commit, and of a dataset's configuration
log = logging.getLogger(__name__)


def endpoint() -> str:
    """``HF_ENDPOINT`` as it is now, else the public hub: `huggingface_hub` reads it once, at import."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")


def offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` is set, now or when `huggingface_hub` was imported."""
    return is_offline_mode() or os.environ.get("HF_HUB_OFFLINE", "").upper() in constants.ENV_VARS_TRUE_VALUES


class Place:
    """Where a repository lies in the cache: a folder a commit, and notes of which one each revision stood for."""

    def __init__(self, kind: str, name: str, revision: str | None, cache: str | Path | None):
        self.name, self.revision = _parse(name, revision)
        root = Path(cache).expanduser() if cache is not None else cache_folder() / "hub"
        self.root = root / f"{kind}s--{self.name.replace('/', '--')}"

    def kept(self, config: str) -> Path | None:
        """The whole folder from an earlier call, if the hub need not (a commit) or must not (offline) be asked."""
        if not (COMMIT.fullmatch(self.revision or "") or offline()):
            return None
        if (folder := self.latest(config)) is None and offline():
            raise UserError(
                f"{self.name} at {self.revision or 'its default branch'} is not in {self.root.parent}, and "
                "HF_HUB_OFFLINE is set; unset it and repeat, or give a revision that was brought before."
            )
        return folder

    def latest(self, config: str) -> Path | None:
        """The whole folder that the last call with this revision brought, if it is still there and holds the same."""
        try:
            name = self._note(self.revision, config).read_text(encoding="utf-8")
            folder = self.root / name
            return folder if FOLDER.fullmatch(name) and folder.is_dir() and self.sound(folder) else None
        except (OSError, ValueError):
            return None

    def sound(self, folder: Path) -> bool:
        """Whether the files of a folder hold what was brought; those that do not are named and removed."""
        noted, damaged = self._hashes(folder), []
        with contextlib.suppress(UserError):
            known = read_json(noted, dict[str, str], "") if noted.exists() else {}  # folders of old have no hashes
            files = [path for path in folder.iterdir() if path.name in known and path.is_file()]
            damaged = [path for path in files if _sha256(path, path.stat().st_mtime_ns) != known[path.name]]
        for path in damaged:
            log.warning("%s does not hold what was brought: it is brought again", path)
            path.unlink()
        return not damaged

    def keep(self, config: str, folder: Path) -> None:
        """Note, for the revision asked for and for the commit, that `folder` is whole, and what its files hold."""
        files = [path for path in folder.iterdir() if path.is_file()]
        write_json(self._hashes(folder), {path.name: _sha256(path, path.stat().st_mtime_ns) for path in files})
        for revision in {self.revision, folder.name[:40]}:
            write_text(self._note(revision, config), folder.name)

    @contextlib.contextmanager
    def lock(self) -> Iterator[Path]:
        """Hold the repository's folder, which is given, against another process that brings the same."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            held = FileLock(self.root / ".lock").acquire()
        except OSError as error:
            raise UserError(
                f"{self.root} cannot be written ({error}); name another folder in TWOPHASE_CACHE."
            ) from error
        with held:
            yield self.root

    def _hashes(self, folder: Path) -> Path:
        return self.root / "notes" / f"{folder.name}.sha256"

    def _note(self, revision: str | None, config: str) -> Path:
        return self.root / "notes" / f"{quote(revision or 'HEAD', safe='')}@{quote(config, safe='')}"


@cache
def _sha256(path: Path, changed: int) -> str:
    """Of a file, once a run; `changed`: its time of change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(name: str, revision: str | None) -> tuple[str, str | None]:
    """Id and revision of "org/name[@revision]". Raises UserError on another form, or two different revisions."""
    known, at, given = str(name).partition("@")
    try:
        validate_repo_id(known)
    except errors.HFValidationError as error:
        raise UserError(
            f"{name!r} names no repository; give 'org/name' or 'org/name@revision', "
            "of letters, digits, '-', '_' and '.'."
        ) from error
    if at and (not given or revision not in (None, given)):
        raise UserError(f"{name!r} with revision={revision!r}: give one revision, in the name or beside it.")
    return known, given or revision or None
