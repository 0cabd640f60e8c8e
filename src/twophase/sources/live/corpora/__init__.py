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
from twophase.training.tasks import SPLITS

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict

    from twophase.sources.live.corpora.pictures import PictureTask
    from twophase.sources.live.corpora.text import TextTask

DOMAINS = {"cv": vision, "nlp": text}
TASKS = {domain: module.TASKS for domain, module in DOMAINS.items()}


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
        _task(domain, name)
    return DOMAINS[domain].prepare(list(chosen), Path(folder), files)


def build(
    domain: str, name: str, sizes: dict[str, int], seed: int = 0, folder: str | Path = ".", at_most: bool = False
) -> DatasetDict:
    """One task, drawn deterministically.

    Args:
        sizes: examples per split, {"train": N, "validation": N, "test": N}.
        seed: the draw's seed; the task's name goes into it too, so no two tasks share a stream.
        folder: where `prepare` gathered what tasks are drawn from (vision needs none).
        at_most: for text, the training split may be smaller, where there is no more.

    Raises:
        UserError: unknown domain or task; a split that is missing or smaller than the number of classes; too little
            material for the sizes.
    """
    task = _task(domain, name)
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
    _task(domain, name)
    DOMAINS[domain].probe(name)


def _task(domain: str, name: str) -> PictureTask | TextTask:
    if name not in names(domain):
        raise UserError(f"unknown {domain} task {name!r}; known: {', '.join(names(domain))}.")
    return TASKS[domain][name]
