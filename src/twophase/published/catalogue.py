"""Which files of other groups' records are read, and how one comes here: mirror, cache, or its public address.

The catalogue holds facts alone: repository, commit, path, size, sha256, licence. The files themselves are never part of
this repository or its wheel.
"""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..store import cache_folder

ADDRESS = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
TIMEOUT = 30.0  # seconds without an answer


@dataclass(frozen=True)
class Entry:
    """A file of the catalogue.

    Attributes:
        source: what it belongs to, for example "model-recycling".
        file: its name here and in a mirror (`source/file`).
        repository, commit, path: where it is public.
        bytes, sha256: what it must be.
        licence: as its repository states it.
    """

    source: str
    file: str
    repository: str
    commit: str
    path: str
    bytes: int
    sha256: str
    licence: str

    @property
    def address(self) -> str:
        """Its public address; TWOPHASE_RECORDS_ADDRESS may hold another pattern with the same fields."""
        pattern = os.environ.get("TWOPHASE_RECORDS_ADDRESS") or ADDRESS
        return pattern.format(repository=self.repository, commit=self.commit, path=self.path)


def catalogue(source: str | None = None) -> list[Entry]:
    """All entries, or those of one source.

    Raises:
        UserError: no such source.
    """
    with Path(__file__).with_name("catalogue.csv").open(newline="", encoding="utf-8") as lines:
        entries = [Entry(**(row | {"bytes": int(row["bytes"])})) for row in csv.DictReader(lines)]
    known = list(dict.fromkeys(entry.source for entry in entries))
    if source is not None and source not in known:
        raise UserError(f"unknown records {source!r}; allowed: {', '.join(known)}.")
    return [entry for entry in entries if source in (None, entry.source)]


def find(source: str, file: str) -> Entry:
    """One entry. Raises UserError for a source or file that is not in the catalogue."""
    entries = catalogue(source)
    for entry in entries:
        if entry.file == file:
            return entry
    raise UserError(f"{source} has no file {file!r}; allowed: {', '.join(entry.file for entry in entries)}.")


def get(entry: Entry, progress: bool = True) -> Path:
    """The path of a file whose sha256 is right: in the mirror, in the cache, or downloaded into the cache.

    Args:
        entry: of the catalogue.
        progress: whether to show a bar while it is downloaded.

    Raises:
        UserError: the mirror's file is another one, or the file can neither be found nor downloaded.
    """
    if mirror := os.environ.get("TWOPHASE_MIRROR"):
        path = Path(mirror).expanduser() / entry.source / entry.file
        if not path.is_file():
            raise UserError(f"{path} does not exist; TWOPHASE_MIRROR must name a folder with {entry.source}/{entry.file}.")
        if (got := sha256(path)) != entry.sha256:
            raise UserError(f"{path} is not the file of the catalogue: sha256 {got}, expected {entry.sha256}.")
        return path
    return _download(entry, cache_folder() / "records" / entry.source, progress)


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(entry: Entry, folder: Path, progress: bool) -> Path:
    import pooch
    import requests

    try:
        found = pooch.retrieve(
            entry.address, f"sha256:{entry.sha256}", entry.file, folder,
            downloader=pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT),
        )  # fmt: skip
    except (requests.RequestException, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{entry.source}/{entry.file} cannot be had from {entry.address}: {reason}. Try again with a network, or name "
            f"a folder that holds {entry.source}/{entry.file} in TWOPHASE_MIRROR."
        ) from error
    return Path(found)
