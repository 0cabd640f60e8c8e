"""Which files of other groups' records are read, how one comes here (mirror, cache, or its public address), and what a
reader makes of it.

The catalogue holds facts alone: repository, commit, path, size, sha256, licence. The files themselves are never part of
this repository or its wheel.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import requests

from twophase.errors import UserError
from twophase.infra.files import digest
from twophase.infra.store import cache_folder
from twophase.records import TrainingRecords

ADDRESS = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
TIMEOUT = 30.0  # seconds without a byte
RETRIES = 2


@dataclass(frozen=True)
class Entry:
    """A file of the catalogue.

    Attributes:
        source, file: what it belongs to ("model-recycling"), and its name here and in a mirror (`source/file`).
        repository, commit, path: where it is public.
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
    entries = {entry.file: entry for entry in catalogue(source)}
    if file not in entries:
        raise UserError(f"{source} has no file {file!r}; allowed: {', '.join(entries)}.")
    return entries[file]


def get(entry: Entry, mirror: str | Path | None = None, progress: bool = True) -> Path:
    """The path of a file whose sha256 is right: in the mirror, in the cache, or downloaded into the cache.

    Args:
        mirror: folder that holds `source/file`; the variable TWOPHASE_MIRROR goes before it. Where there is one, nothing is
            downloaded.

    Raises:
        UserError: the mirror lacks the file or has another one; or it cannot be downloaded, or is not what it must be.
    """
    if folder := os.environ.get("TWOPHASE_MIRROR") or mirror:
        return _mirrored(entry, Path(folder).expanduser())
    return _downloaded(entry, cache_folder() / "records", progress)


def kept(entry: Entry, mirror: str | Path | None = None) -> bool:
    """Whether the file is here already, so that `get` needs no network."""
    folder = os.environ.get("TWOPHASE_MIRROR") or mirror or cache_folder() / "records"
    path = Path(folder).expanduser() / entry.source / entry.file
    return path.is_file() and digest(path) == entry.sha256


def _mirrored(entry: Entry, folder: Path) -> Path:
    path = folder / entry.source / entry.file
    if not path.is_file():
        raise UserError(
            f"{path} does not exist; the mirror must hold {entry.source}/{entry.file}. Without a mirror (unset "
            "TWOPHASE_MIRROR, published.mirror=null) the file is downloaded."
        )
    if (got := digest(path)) != entry.sha256:
        raise UserError(
            f"{path} is not the file of the catalogue ({path.stat().st_size} bytes, sha256 {got[:12]}…; it must have "
            f"{entry.bytes} bytes, sha256 {entry.sha256[:12]}…): truncated, changed, or of another commit. Copy it again."
        )
    return path


def _downloaded(entry: Entry, folder: Path, progress: bool) -> Path:
    import pooch

    name = f"{entry.source}/{entry.file}"
    # a file that is there with the right hash is used; a new one stands under a temporary name until its hash is right
    registry, urls = {name: f"sha256:{entry.sha256}"}, {name: entry.address}
    shelf = pooch.create(folder, base_url="", registry=registry, urls=urls, retry_if_failed=RETRIES)
    pooch.get_logger().setLevel("ERROR")
    try:
        return Path(shelf.fetch(name, downloader=pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT)))
    except (requests.RequestException, OSError, ValueError) as error:
        raise UserError(
            f"{name} cannot be had from {entry.address}: {_reason(error)}. Nothing of it was kept; files that came before "
            f"are. Try again with a network, or name a folder that holds {name} in TWOPHASE_MIRROR."
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError):
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server sent nothing for {TIMEOUT:g} seconds"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached"
    if isinstance(error, ValueError) and "hash" in str(error):
        return "what came is not the file of the catalogue (another sha256)"
    return " ".join(str(error).split())


@dataclass(frozen=True)
class Published:
    """Published records as this project reads them.

    Attributes:
        records: final scores, or curves where there are any.
        account: a row a cleaning step: what was left out and why (step), how many of which unit (dropped, unit), how
            many are left (left).
        models: facts of each model that the source gives, for example base_model, size (parameters).
    """

    records: TrainingRecords
    account: pd.DataFrame
    models: pd.DataFrame

    @property
    def matrix(self) -> pd.DataFrame:
        """Final scores, datasets x models; models with empty cells are left out."""
        return self.records.matrix(role=None, missing="drop")


class Account:
    """Keeps count while rows are left out."""

    def __init__(self, unit: str):
        self._unit = unit
        self._steps: list[tuple] = []

    def start(self, frame: pd.DataFrame, source: str) -> pd.DataFrame:
        """The rows as they came."""
        self._steps.append((f"in {source}", 0, self._unit, len(frame)))
        return frame

    def keep(self, frame: pd.DataFrame, these: pd.Series, why: str) -> pd.DataFrame:
        """The rows where `these` holds; the others are counted under `why`."""
        kept = frame[these]
        self._steps.append((why, len(frame) - len(kept), self._unit, len(kept)))
        return kept

    @property
    def table(self) -> pd.DataFrame:
        """step, dropped, unit, left."""
        return pd.DataFrame(self._steps, columns=["step", "dropped", "unit", "left"])
