"""Where the repositories of a hub lie on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock
from huggingface_hub.utils import HFValidationError, validate_repo_id

from twophase.errors import UserError
from twophase.infra.store import cache_folder
from twophase.sources.hub import transfer
from twophase.sources.hub.transfer import COMMIT


class Place:
    """Where a repository lies in the cache: a folder a commit, and notes of which one each revision stood for."""

    def __init__(self, kind: str, name: str, revision: str | None, cache: str | Path | None):
        self.name, self.revision = _parse(name, revision)
        root = Path(cache).expanduser() if cache is not None else cache_folder() / "hub"
        self.root = root / f"{kind}s--{self.name.replace('/', '--')}"

    def kept(self, config: str) -> Path | None:
        """The whole folder from an earlier call, if the hub need not (a commit) or must not (offline) be asked."""
        if not (offline := transfer.offline()) and not COMMIT.fullmatch(self.revision or ""):
            return None
        if folder := self.latest(config):
            return folder
        if offline:
            raise UserError(
                f"{self.name} at {self.revision or 'its default branch'} is not in {self.root.parent}, and "
                "HF_HUB_OFFLINE is set; unset it and repeat, or give a revision that was brought before."
            )
        return None

    def latest(self, config: str) -> Path | None:
        """The whole folder that the last call with this revision brought, if it is still there."""
        try:
            folder = self.root / self._note(self.revision, config).read_text(encoding="utf-8")
            return folder if folder.is_dir() else None
        except OSError:
            return None

    def keep(self, config: str, folder: Path) -> None:
        """Note, for the revision asked for and for the commit, that `folder` is whole."""
        for revision in {self.revision, folder.name[:40]}:
            note = self._note(revision, config)
            note.parent.mkdir(exist_ok=True)
            note.write_text(folder.name, encoding="utf-8")

    @contextmanager
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

    def _note(self, revision: str | None, config: str) -> Path:
        return self.root / "notes" / f"{quote(revision or 'HEAD', safe='')}@{quote(config, safe='')}"


def _parse(name: str, revision: str | None) -> tuple[str, str | None]:
    """Id and revision of "org/name[@revision]". Raises UserError on another form, or two different revisions."""
    known, at, given = str(name).partition("@")
    try:
        validate_repo_id(known)
    except HFValidationError as error:
        raise UserError(
            f"{name!r} names no repository; give 'org/name' or 'org/name@revision', "
            "of letters, digits, '-', '_' and '.'."
        ) from error
    if at and (not given or revision not in (None, given)):
        raise UserError(f"{name!r} with revision={revision!r}: give one revision, in the name or beside it.")
    return known, given or revision or None
