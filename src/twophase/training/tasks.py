"""A labelled task on the disk: a parquet file a split, and a `datasets.DatasetDict` in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twophase.errors import UserError
from twophase.infra import files

if TYPE_CHECKING:
    from datasets import DatasetDict

SPLITS = ("train", "validation", "test")


def describe(folder: str | Path) -> dict:
    """Facts of a saved task: classes, chance (share of the test split's most frequent class), examples a split."""
    task = load(folder)
    labels = task["test"]["label"]
    frequent = max(labels.count(label) for label in set(labels)) / len(labels)
    classes = len(task["train"].features["label"].names)
    return {"classes": classes, "chance": frequent} | {split: len(task[split]) for split in SPLITS}


def save(task: DatasetDict, folder: str | Path) -> Path:
    """Write one parquet file a split into `folder` (the same bytes for the same content); returns the folder."""
    import pyarrow.parquet as pq

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in task.items():
        rows = rows if rows._indices is None else rows.flatten_indices()  # rows that were chosen are a view of all
        with files.replacing(folder / f"{split}.parquet") as new:
            pq.write_table(rows.data.table.cast(rows.features.arrow_schema), new)
    return folder


def load(folder: str | Path) -> DatasetDict:
    """Read what `save` wrote, without a copy in any download cache.

    Raises:
        UserError: a split's file is missing or is not parquet.
    """
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict

    folder, splits = Path(folder), {}
    for split in SPLITS:
        path = folder / f"{split}.parquet"
        try:
            table = pq.read_table(path)
            table.validate(full=True)  # text that is not UTF-8 would otherwise show in the middle of a run
            splits[split] = Dataset(table)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read as a task split ({error}); "
                f"a task is a folder with {', '.join(f'{s}.parquet' for s in SPLITS)}. Build it again."
            ) from error
    return DatasetDict(splits)


def digest(folder: str | Path) -> str:
    """sha256 over the bytes of a saved task's splits: part of every key under which results are kept."""
    return files.digest(*(Path(folder) / f"{split}.parquet" for split in SPLITS))
