"""Is a part of a benchmark dataset's training examples enough for the performance matrix? (Section III-A)"""

import tempfile
from pathlib import Path

import pandas as pd

from reproduction.evidence import Evidence
from twophase.errors import UserError
from twophase.sources.live.models import built_models
from twophase.sources.live.parameters import Params
from twophase.training import tasks
from twophase.training.stored import FAILURE_COLUMNS, train_folders

SIZES = (125, 250)  # training examples; what all of them give is in the records
COLUMNS = ["model", "dataset", "examples", "test"]
DATASETS, EVERY = 8, 3  # so many benchmark datasets, and every third model: a sixth of what the records cost


def train(params: Params, domain: str, data: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune every third model on the first examples of some benchmark datasets.

    Returns:
        Final scores (model, dataset, examples, test) and failures.

    Raises:
        UserError: not one cell could be trained.
    """
    part = params.domain[domain]
    benchmark = part.tasks.benchmark
    chosen = sorted({benchmark[number * len(benchmark) // DATASETS] for number in range(DATASETS)}, key=benchmark.index)
    models, failures = built_models(part.zoo.recipes, folder)
    with tempfile.TemporaryDirectory() as room:
        places = {}
        for name in chosen:
            task = tasks.load(data / name)
            whole = task["train"]
            for size in [size for size in SIZES if size < len(whole)]:
                task["train"] = whole.select(range(size))
                places[f"{name}@{size}"] = tasks.save(task, Path(room) / f"{name}@{size}")
        if not places:  # datasets that are smaller than that already
            return pd.DataFrame(columns=COLUMNS), pd.DataFrame(failures, columns=FAILURE_COLUMNS)
        folders = {model: folder / model for model in models[::EVERY]}
        cells = [(model, name, params.seed) for name in places for model in folders]
        given = folders, places, dict.fromkeys(places, "benchmark"), cells, part.training, f"{domain} fewer examples"
        rows, failed = train_folders(*given)
    if rows.empty:
        raise UserError(
            f"not one cell could be trained on fewer examples; the first reason: {(failures + failed)[0][-1]}"
        )
    last = rows[rows["epoch"] == rows["epoch"].max()]
    dataset = last["dataset"].str.rsplit("@", n=1, expand=True).set_axis(["dataset", "examples"], axis=1)
    table = pd.concat([last[["model"]], dataset, last[["test"]]], axis=1)[COLUMNS]
    return table, pd.DataFrame(failures + failed, columns=FAILURE_COLUMNS)


def agreement(evidence: Evidence) -> pd.DataFrame:
    """Spearman of the models' final scores after fewer training examples with those after all, datasets x examples."""
    few = pd.read_csv(evidence.results / evidence.domain / "fewer_examples.csv")
    rows: dict[str, dict[int, float]] = {}
    for (dataset, examples), here in few.groupby(["dataset", "examples"], sort=False):
        final = evidence.final(dataset)
        scores = here.set_index("model")["test"]
        rows.setdefault(dataset, {})[examples] = scores.corr(final.reindex(scores.index), method="spearman")
    return pd.DataFrame(rows).T.reindex(columns=list(SIZES)).rename_axis("dataset")
