"""Labelled tasks as `datasets.DatasetDict`s with `train`, `validation`, `test` and a `ClassLabel`.

`TASKS` lists, per domain, what can be built from the packages that the project depends on; which of them
are benchmarks, targets or upstreams is configuration (`conf/domain/`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from twophase.errors import UserError
from twophase.sources.live.corpora import text, vision
from twophase.sources.live.corpora.harvest import source

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict

DOMAINS = {"cv": vision, "nlp": text}
TASKS = {domain: module.TASKS for domain, module in DOMAINS.items()}
SPLITS = ("train", "validation", "test")


def names(domain: str) -> list[str]:
    """Names of the tasks that the package can build for a domain. Raises UserError on an unknown domain."""
    if domain not in TASKS:
        raise UserError(f"unknown domain {domain!r}; known: {', '.join(TASKS)}. Name one of these.")
    return list(TASKS[domain])


def sources(domain: str) -> dict[str, str]:
    """Version of each package (and of Python) that the tasks of a domain are made from.

    Raises:
        UserError: an unknown domain, or a package that is not installed.
    """
    names(domain)
    return {package: source(package)["version"] for package in DOMAINS[domain].PACKAGES}


def prepare(domain: str, chosen: list[str], folder: str | Path, files: int | None = None) -> pd.DataFrame:
    """Gather into `folder` what the chosen tasks of a domain are drawn from; at most `files` of a package's sources.

    Returns:
        A row a source: source (package), version, licence, files, what was found in them, sha256 of it.

    Raises:
        UserError: unknown domain or task, or a package that is not installed.
    """
    for name in chosen:
        if name not in names(domain):
            raise UserError(f"unknown {domain} task {name!r}; known: {', '.join(names(domain))}.")
    return DOMAINS[domain].prepare(list(chosen), Path(folder), files)


def build(
    domain: str, name: str, sizes: dict[str, int], seed: int = 0, folder: str | Path = ".", at_most: bool = False
) -> DatasetDict:
    """One task, drawn deterministically.

    Args:
        domain: key of `TASKS`, for example "cv".
        name: a task of that domain.
        sizes: examples per split, {"train": N, "validation": N, "test": N}.
        seed: the draw's seed; the task's name goes into it too, so no two tasks share a stream.
        folder: where `prepare` gathered what tasks are drawn from (vision needs none).
        at_most: for text, the training split may be smaller, where there is no more.

    Raises:
        UserError: unknown domain or task; a split that is missing or smaller than the number of classes; too little
            material for the sizes.
    """
    if name not in names(domain):
        raise UserError(f"unknown {domain} task {name!r}; known: {', '.join(names(domain))}.")
    task = TASKS[domain][name]
    for split in SPLITS:
        if sizes.get(split, 0) < max(2, len(task.classes)):
            raise UserError(
                f"task {name!r}: {sizes.get(split, 0)} {split} examples for {len(task.classes)} classes; "
                f"give at least one example a class in tasks.sizes.{split}."
            )
    mixed = int.from_bytes(hashlib.sha256(f"{name}/{seed}".encode()).digest()[:8])
    return DOMAINS[domain].to_dataset(name, {split: sizes[split] for split in SPLITS}, mixed, Path(folder), at_most)


def probe(domain: str, name: str) -> None:
    """Look whether what a task is made from is installed; quick.

    Raises:
        UserError: unknown domain or task, or a package that is not installed.
        OSError: a font or a picture is missing from its package.
    """
    if name not in names(domain):
        raise UserError(f"unknown {domain} task {name!r}; known: {', '.join(names(domain))}.")
    DOMAINS[domain].probe(name)


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
    total = hashlib.sha256()
    for split in SPLITS:
        total.update((Path(folder) / f"{split}.parquet").read_bytes())
    return total.hexdigest()
