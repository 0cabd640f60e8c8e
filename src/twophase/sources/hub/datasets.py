"""A dataset of a hub as local files, a few a split."""

from pathlib import Path
from urllib.parse import quote

from twophase.sources.hub.addresses import Place
from twophase.sources.hub.splits import layout
from twophase.sources.hub.transfer import list_repository, receive_all, total_size


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


def dataset_bytes(name: str, config: str | None = None, revision: str | None = None) -> int:
    """What `fetch_dataset` would download into an empty cache; asks for a listing only.

    Raises:
        UserError: as `fetch_dataset`.
    """
    place = Place("dataset", name, revision, None)
    repository = list_repository("dataset", place.name, place.revision)
    return total_size(repository, layout(place.name, repository.files, repository.card, config)[1].values())
