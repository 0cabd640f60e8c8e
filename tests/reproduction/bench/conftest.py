"""A project with a live zoo of three tiny, untrained models, as `make repro` leaves one."""

from types import SimpleNamespace

import pandas as pd
import pytest

from twophase.infra import config
from twophase.infra.compute import single_thread
from twophase.sources.live import corpora
from twophase.sources.live.zoo import pretraining
from twophase.sources.live.zoo.recipe import Recipe
from twophase.training import finetuning, tasks

SIZES = {"train": 48, "validation": 24, "test": 24}
BENCHMARK, TARGET = ("first", "second"), "target"  # three draws of handwritten digits
OVERRIDES = ("profile=smoke", "cards=none", "recall.top=2", "clustering.k=2", "selection.n_trends=1", "cv.cut=0.5")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Folder of a project: configuration, models, data and records of cv."""
    root = tmp_path_factory.mktemp("project")
    (root / "conf").symlink_to(config.find_conf())
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text(config.compose(OVERRIDES))
    for seed, name in enumerate((*BENCHMARK, TARGET)):
        tasks.save(corpora.build("cv", "digits", SIZES, seed), root / "data" / "cv" / name)
    recipes = [
        Recipe(name, architecture, width=16, depth=1, objective="none", head=False)
        for name, architecture in (("vit", "vit"), ("resnet", "resnet"), ("regnet", "regnet"))
    ]
    made = finetuning.TrainingConfig(epochs=2)
    rows = []
    with single_thread():
        for recipe in recipes:
            folder = root / "zoo" / "cv" / recipe.name
            pretraining.build(recipe, folder, root / "data" / "cv")
            for dataset in (*BENCHMARK, TARGET):
                role = "target" if dataset == TARGET else "benchmark"
                for row in finetuning.train_cell(folder, root / "data" / "cv" / dataset, made):
                    rows.append({"model": recipe.name, "dataset": dataset, "role": role, "seed": 0, **row})
    (root / "results" / "cv").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(root / "results" / "cv" / "records.csv", index=False)
    return root


@pytest.fixture
def project(built, monkeypatch, tmp_path):
    """The same, and it is the current folder."""
    monkeypatch.chdir(built)
    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "cache"))
    return SimpleNamespace(root=built, models=["regnet", "resnet", "vit"], target=TARGET)
