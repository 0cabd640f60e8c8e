"""The best models of each target once more, with another learning rate (Fig. 8)."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from twophase.records import TrainingRecords
from twophase.sources.live.parameters import Params
from twophase.sources.live.records import train


def train_second_rate(
    params: Params, domain: str, data: Path, folder: Path, first: TrainingRecords
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune the best models of each target, by their final test in the records `first`, with the second learning rate.

    Returns, raises: as `train_cells`.
    """
    part = params.domain[domain]
    best = {target: first.final(target).nlargest(part.second_rate.models).index for target in part.tasks.target}
    cells = [(model, target, params.seed) for target, models in best.items() for model in models]
    settings = replace(part.training, learning_rate=part.second_rate.learning_rate)
    return train(data, folder, dict.fromkeys(best, "target"), cells, settings, f"{domain} second learning rate", [])
