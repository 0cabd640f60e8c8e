"""A dataset of a hub as local files, a few a split."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from .places import Place
from .splits import layout
from .transfer import list_repository, receive_all


def fetch_dataset(
    name: str,
    config: str | None = None,
    revision: str | None = None,
    *,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Bring the parquet, csv or json files of a dataset's configuration; a loading script is never run or brought.

    Returns:
        A folder of files named by split: train-00000-of-00001.parquet, test-00000-of-00001.parquet, …

    Raises:
        UserError: as `models.fetch_model`; or no such files, no such configuration, or several and none named.
    """
    place = Place("dataset", name, revision, cache)
    if kept := place.kept(config or ""):
        return kept
    repository = list_repository("dataset", place.name, place.revision)
    chosen, files = layout(place.name, repository.files, repository.card, config)
    with place.lock() as root:
        folder = root / f"{repository.commit}@{quote(chosen, safe='')}"
        folder.mkdir(exist_ok=True)
        receive_all(repository, files, folder, progress)
        place.keep(config or "", folder)
    return folder
