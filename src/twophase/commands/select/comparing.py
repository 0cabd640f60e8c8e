"""What the user would have without fine-tuning: linear classifiers, fitted before any training so that a run always has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from twophase.commands.select.inputs import Candidates
from twophase.commands.select.recalling import Ranking, digest_of
from twophase.commands.wording import seconds
from twophase.infra.compute import Failure
from twophase.infra.files import digest_each
from twophase.infra.store import Store
from twophase.training import baselines, features, tasks
from twophase.training.stored import libraries, through_store

WORDS, FROZEN = "TF-IDF with a linear classifier", "a linear classifier on the untouched {}"


def without_fine_tuning(
    candidates: Candidates, ranking: Ranking, task: Path, modality: str, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Name -> classes predicted of the test split, and seconds: of words (texts), and of the first model of the ranking."""
    first = ranking.table.index[0]
    models = {WORDS: None} if modality == "text" else {}
    digest = digest_of(candidates, first)
    if not isinstance(digest, Failure):
        models[FROZEN.format(first)] = candidates.folder(first)
    code = digest_each(Path(baselines.__file__), Path(features.__file__))
    facts = {"data": tasks.digest(task), "code": code, **libraries("scikit-learn", "scipy")}
    keys = [facts | {"model": digest if model else ""} for model in models.values()]
    items = [(task, model) for model in models.values()]
    found = through_store(Store(), "baselines", keys, baselines.linear, items, "linear classifiers", progress=False)
    made = {name: value for name, value in zip(models, found, strict=True) if not isinstance(value, Failure)}
    for name, value in zip(models, found, strict=True):
        if isinstance(value, Failure):
            say(f"{name} cannot be fitted: {value.reason}")
    labels = np.array(tasks.load(task)["test"]["label"])
    for name, value in made.items():
        right = (labels == value["predicted"]).mean()
        say(f"Without fine-tuning: {name} has accuracy {right:.3f} on the test split ({seconds(value['seconds'])}).")
    return made
