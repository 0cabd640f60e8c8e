"""The best models once more: each target's with another learning rate (Fig. 8), each dataset's with another seed."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from twophase.records import TrainingRecords
from twophase.sources.live.parameters import Params
from twophase.sources.live.records import train


def train_again(
    params: Params, domain: str, data: Path, folder: Path, first: TrainingRecords
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Fine-tune the best models of the records `first`, by their final test, once more.

    Returns:
        "second_rate" and "second_seed" -> records; and the failures of both.

    Raises:
        UserError: not one cell of the one or the other could be trained.
    """
    part = params.domain[domain]
    slower = replace(part.training, learning_rate=part.second_rate.learning_rate)
    runs = {
        "second_rate": (dict.fromkeys(part.tasks.target, "target"), part.second_rate.models, params.seed, slower),
        "second_seed": (part.tasks.roles, part.second_seed, params.seed + 1, part.training),
    }
    made, failures = {}, []
    for name, (roles, count, seed, settings) in runs.items():
        cells = [(model, task, seed) for task in roles for model in _best(first, task, count)]
        what = f"{domain} {name.replace('_', ' ')}"
        made[name], failed = train(data, folder, roles, cells, settings, what, [])
        failures.append(failed)
    return made, pd.concat(failures, ignore_index=True)


def _best(records: TrainingRecords, dataset: str, count: int) -> list[str]:
    runs = records.first_seed(dataset)
    return list(runs[runs["epoch"] == records.epochs].set_index("model")["test"].nlargest(count).index)
