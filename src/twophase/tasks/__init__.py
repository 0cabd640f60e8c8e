"""Labelled tasks as `datasets.DatasetDict`s with `train`, `validation`, `test` and a `ClassLabel`.

`TASKS` lists, per domain, what can be built from the packages that the project depends on; which of them
are benchmarks, targets or upstreams is configuration (`conf/domain/`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from . import vision

if TYPE_CHECKING:
    from datasets import DatasetDict

TASKS = {"cv": vision.TASKS}
SPLITS = ("train", "validation", "test")


def names(domain: str) -> list[str]:
    """Names of the tasks that the package can build for a domain. Raises UserError on an unknown domain."""
    if domain not in TASKS:
        raise UserError(f"unknown domain {domain!r}; known: {', '.join(TASKS)}. Name one of these.")
    return list(TASKS[domain])


def build(domain: str, name: str, sizes: dict[str, int], seed: int = 0) -> DatasetDict:
    """One task, drawn deterministically.

    Args:
        domain: key of `TASKS`, for example "cv".
        name: a task of that domain.
        sizes: examples per split, {"train": N, "validation": N, "test": N}.
        seed: the draw's seed; the task's name goes into it too, so no two tasks share a stream.

    Raises:
        UserError: unknown domain or task; a split that is missing or smaller than the number of classes.
    """
    if name not in names(domain):
        raise UserError(f"unknown {domain} task {name!r}; known: {', '.join(names(domain))}.")
    task = TASKS[domain][name]
    for split in SPLITS:
        if sizes.get(split, 0) < len(task.classes):
            raise UserError(
                f"task {name!r}: {sizes.get(split, 0)} {split} examples for {len(task.classes)} classes; "
                f"give at least one example a class in tasks.sizes.{split}."
            )
    return vision.to_dataset(task, sizes, int.from_bytes(hashlib.sha256(f"{name}/{seed}".encode()).digest()[:8]))


def save(task: DatasetDict, folder: str | Path) -> Path:
    """Write one parquet file a split into `folder` (the same bytes for the same content); returns the folder."""
    import pyarrow.parquet as pq

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in task.items():
        pq.write_table(rows.data.table.cast(rows.features.arrow_schema), folder / f"{split}.parquet")
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
            splits[split] = Dataset(pq.read_table(path))
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path} cannot be read as a task split ({error}); "
                f"a task is a folder with {', '.join(f'{s}.parquet' for s in SPLITS)}. Build it again."
            ) from error
    return DatasetDict(splits)


def digest(folder: str | Path) -> str:
    """sha256 over the bytes of a saved task's splits: part of every key under which results are kept."""
    total = hashlib.sha256()
    for split in SPLITS:
        total.update((Path(folder) / f"{split}.parquet").read_bytes())
    return total.hexdigest()
