"""Cells of a performance matrix: models fine-tuned on tasks, each kept as soon as it is done."""

import math
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from twophase.infra.compute import Failure
from twophase.infra.store import Store, digest
from twophase.training import finetuning, tasks
from twophase.training.hardware import PLAIN, Hardware
from twophase.training.resumable import ResumableTraining
from twophase.training.stored import digests, libraries, through_store


def train_folders(
    folders: dict[str, Path],
    data: dict[str, Path],
    roles: dict[str, str],
    cells: list[tuple[str, str, int]],
    settings: Any,
    name: str,
    hardware: Hardware = PLAIN,
    checkpoints: Path | None = None,
    progress: bool = True,
) -> tuple[pd.DataFrame, list[tuple]]:
    """Train cells (model, dataset, seed) of models and tasks in folders.

    ``checkpoints``: where cells keep their state after every epoch until they are done; None: a killed cell begins anew.

    Returns:
        Records (a row an epoch), and failures: (model, dataset, seed, reason).
    """
    hardware = hardware.resolved()  # once, here: no worker decides by itself
    data_digests, model_digests, broken = digests(data, folders)
    cells = [cell for cell in cells if cell[0] not in broken]
    keys = [cell_key(model_digests[m], data_digests[d], settings, seed, hardware) for m, d, seed in cells]
    kept = [checkpoints / digest(key)[:16] if checkpoints else None for key in keys]
    items = [(folders[m], data[d], settings, seed, hardware, kept[n]) for n, (m, d, seed) in enumerate(cells)]

    def forget(number: int) -> None:
        if kept[number]:
            shutil.rmtree(kept[number], ignore_errors=True)

    values = through_store(Store(), "cells", keys, train_one, items, name, progress, forget)
    rows, failures = [], [(model, "", "", reason) for model, reason in broken.items()]
    for (model, dataset, seed), value in zip(cells, values, strict=True):
        if isinstance(value, Failure):
            failures.append((model, dataset, seed, value.reason))
            continue
        head = {"model": model, "dataset": dataset, "role": roles[dataset], "seed": seed}
        rows += [head | row for row in value]
    return pd.DataFrame(rows), failures


def cell_key(model: str, data: str, settings: Any, seed: int, hardware: Hardware = PLAIN) -> dict:
    """Key of a cell: digests of the model and the data, how it is trained, and the versions of what computes it."""
    facts = {
        "model": model,
        "data": data,
        "config": asdict(settings),
        "seed": seed,
        "training": finetuning.TRAINING_VERSION,
    }
    return facts | libraries() | hardware.key()


class CellFailed(RuntimeError):
    """A cell that is trained epoch by epoch could not be: why."""


def train_one(item: tuple[Path, Path, Any, int, Hardware, Path | None]) -> list[dict]:
    model, data, settings, seed, hardware, checkpoints = item
    if checkpoints is None:
        return finetuning.train_cell(model, data, settings, seed, hardware)
    run = ResumableTraining(
        {model.name: model}, finetuning.encoded(data, model), settings, seed, checkpoints, hardware=hardware,
        digest=tasks.digest(data),
    )  # fmt: skip
    rows = []
    for epoch in range(1, settings.epochs + 1):
        done = run.step(model.name, epoch)
        if math.isnan(done.score):
            raise CellFailed(done.failure)
        rows.append({"epoch": epoch, "val": done.score, "test": None, "seconds": done.seconds})
    whole = run.run(model.name)
    rows[-1] |= {"test": whole.test()} | ({} if hardware.plain else {"micro_batch": whole.micro_batch})
    return rows
