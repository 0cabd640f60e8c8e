"""The performance matrix: every model fine-tuned on every dataset."""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twophase.compute import Failure
from twophase.errors import UserError
from twophase.hardware import PLAIN, Hardware
from twophase.settings import Params
from twophase.store import Store, digest

from .models import built_models
from .stored import FAILURE_COLUMNS, digests, libraries, through_store

if TYPE_CHECKING:
    import pandas as pd


def train_cells(
    params: Params, domain: str, data: Path, folder: Path, second_rate: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune each (model, dataset, seed); with `second_rate` the targets alone, with the second learning rate.

    Returns:
        Records (a row an epoch: model, dataset, role, seed, epoch, val, test, seconds) and failures.

    Raises:
        UserError: not one cell could be trained.
    """
    import pandas as pd

    from twophase import training

    part = params.domain[domain]
    settings = training.TrainingConfig(**asdict(part.training))
    roles, name = part.tasks.roles, f"{domain} records"
    if second_rate:
        settings = replace(settings, learning_rate=part.second_learning_rate)
        roles, name = dict.fromkeys(part.tasks.target, "target"), f"{domain} second learning rate"
    models, failures = built_models(part.zoo.recipes, folder)
    cells = [
        (model, dataset, seed)
        for dataset, role in roles.items()
        for model in models
        for seed in seeds(params.seed, part.seeds, model, role)
    ]
    folders = {model: folder / model for model in models}
    rows, failed = train_folders(folders, {task: data / task for task in roles}, roles, cells, settings, name)
    if rows.empty:
        raise UserError(f"not one {domain} cell could be trained; the first reason: {(failures + failed)[0][-1]}")
    return rows, pd.DataFrame(failures + failed, columns=FAILURE_COLUMNS)


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
    import pandas as pd

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


def seeds(seed: int, repeated: Any, model: str, role: str) -> list[int]:
    """The seeds of a model's cells on datasets of ``role``: only benchmark cells are repeated."""
    extra = repeated.extra if model in repeated.models and role == "benchmark" else 0
    return [seed + number for number in range(extra + 1)]


def cell_key(model: str, data: str, settings: Any, seed: int, hardware: Hardware = PLAIN) -> dict:
    """Key of a cell: digests of the model and the data, how it is trained, and the versions of what computes it."""
    from twophase import training

    facts = {
        "model": model,
        "data": data,
        "config": asdict(settings),
        "seed": seed,
        "training": training.TRAINING_VERSION,
    }
    return facts | libraries() | hardware.key()


class CellFailed(RuntimeError):
    """A cell that is trained epoch by epoch could not be: why."""


def train_one(item: tuple[Path, Path, Any, int, Hardware, Path | None]) -> list[dict]:
    from twophase import tasks, training
    from twophase.runs.resumable import ResumableTraining

    model, data, settings, seed, hardware, checkpoints = item
    if checkpoints is None:
        return training.train_cell(model, data, settings, seed, hardware)
    run = ResumableTraining(
        {model.name: model}, training.encoded(data, model), settings, seed, checkpoints, hardware=hardware,
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
