"""The records of a live zoo: every model fine-tuned on every dataset."""

from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.sources.live.models import built_models
from twophase.sources.live.parameters import Params
from twophase.training.config import TrainingConfig
from twophase.training.stored import FAILURE_COLUMNS, train_folders


def train_cells(params: Params, domain: str, data: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune each model on each dataset.

    Returns:
        Records (a row an epoch: model, dataset, role, seed, epoch, val, test, seconds) and failures.

    Raises:
        UserError: not one cell could be trained.
    """
    part = params.domain[domain]
    roles = part.tasks.roles
    models, failures = built_models(part.zoo.recipes, folder)
    cells = [(model, name, params.seed) for name in roles for model in models]
    return train(data, folder, roles, cells, part.training, f"{domain} records", failures)


def train(
    data: Path,
    folder: Path,
    roles: dict[str, str],
    cells: list[tuple[str, str, int]],
    settings: TrainingConfig,
    name: str,
    failures: list[tuple],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune these cells of models and datasets in folders, beside `failures` before; returns, raises as `train_cells`."""
    folders = {model: folder / model for model, _, _ in cells}
    rows, failed = train_folders(folders, {task: data / task for task in roles}, roles, cells, settings, name)
    if rows.empty:
        reason = (failures + failed)[0][-1]
        raise UserError(f"not one of the cells of the {name} could be trained; the first reason: {reason}")
    return rows, pd.DataFrame(failures + failed, columns=FAILURE_COLUMNS)
