"""The performance matrix: every model fine-tuned on every dataset."""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twophase.errors import UserError
from twophase.infra.compute import Failure
from twophase.infra.settings import Params
from twophase.infra.store import Store, digest
from twophase.training.cells.models import built_models
from twophase.training.cells.stored import FAILURE_COLUMNS, digests, libraries, through_store
from twophase.training.hardware import PLAIN, Hardware

if TYPE_CHECKING:
    import pandas as pd

    from twophase.records import TrainingRecords


def train_cells(params: Params, domain: str, data: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune each (model, dataset, seed).

    Returns:
        Records (a row an epoch: model, dataset, role, seed, epoch, val, test, seconds) and failures.

    Raises:
        UserError: not one cell could be trained.
    """
    from twophase.training.finetuning import TrainingConfig

    part = params.domain[domain]
    roles = part.tasks.roles
    models, failures = built_models(part.zoo.recipes, folder)
    cells = [
        (model, dataset, seed)
        for dataset, role in roles.items()
        for model in models
        for seed in seeds(params.seed, part.seeds, model, role)
    ]
    settings = TrainingConfig(**asdict(part.training))
    return _trained(data, folder, roles, cells, settings, f"{domain} records", failures)


def train_second_rate(
    params: Params, domain: str, data: Path, folder: Path, first: TrainingRecords
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune the best models of each target, by their final test in the records `first`, with the second learning rate.

    Returns, raises: as `train_cells`.
    """
    from twophase.training.finetuning import TrainingConfig

    part = params.domain[domain]
    best = {target: first.final(target).nlargest(part.second_rate.models).index for target in part.tasks.target}
    cells = [(model, target, params.seed) for target, models in best.items() for model in models]
    settings = replace(TrainingConfig(**asdict(part.training)), learning_rate=part.second_rate.learning_rate)
    return _trained(data, folder, dict.fromkeys(best, "target"), cells, settings, f"{domain} second learning rate", [])


def _trained(
    data: Path, folder: Path, roles: dict[str, str], cells: list[tuple[str, str, int]], settings: Any, name: str,
    failures: list[tuple],
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    import pandas as pd

    folders = {model: folder / model for model, _, _ in cells}
    rows, failed = train_folders(folders, {task: data / task for task in roles}, roles, cells, settings, name)
    if rows.empty:
        reason = (failures + failed)[0][-1]
        raise UserError(f"not one of the cells of the {name} could be trained; the first reason: {reason}")
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
    from twophase.training import finetuning as training

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
    from twophase.sources.live import corpora as tasks
    from twophase.training import finetuning as training
    from twophase.training.resumable import ResumableTraining

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
