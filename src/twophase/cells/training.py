"""The performance matrix: every model fine-tuned on every dataset."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twophase.compute import Failure
from twophase.errors import UserError
from twophase.settings import Params
from twophase.store import Store

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
) -> tuple[pd.DataFrame, list[tuple]]:
    """Train cells (model, dataset, seed) of models and tasks in folders.

    Returns:
        Records (a row an epoch), and failures: (model, dataset, seed, reason).
    """
    import pandas as pd

    from twophase import training

    data_digests, model_digests, broken = digests(data, folders)
    cells = [cell for cell in cells if cell[0] not in broken]
    keys = [
        {
            "model": model_digests[model],
            "data": data_digests[dataset],
            "config": asdict(settings),
            "seed": seed,
            "training": training.TRAINING_VERSION,
            **libraries(),
        }
        for model, dataset, seed in cells
    ]
    items = [(folders[model], data[dataset], settings, seed) for model, dataset, seed in cells]
    values = through_store(Store(), "cells", keys, train_one, items, name)
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


def train_one(item: tuple[Path, Path, Any, int]) -> list[dict]:
    from twophase import training

    return training.train_cell(*item)
