"""Where models come from: the live zoo is built on demand, and says so first."""

import pandas as pd
import pytest
from safetensors.numpy import save_file

from twophase.commands.select import inputs
from twophase.errors import UserError
from twophase.sources.live import opening, parameters


def test_outside_a_project_the_live_zoo_is_built_once_and_says_how_long(tmp_path, monkeypatch, pictures):
    monkeypatch.chdir(tmp_path)
    params, said, calls = parameters.load(["domains=[cv]", "profile=smoke"]), [], []
    rows = pd.read_csv(pictures[0] / "records.csv")
    monkeypatch.setattr(opening, "build_tasks", lambda *given: calls.append("tasks"))
    monkeypatch.setattr(opening, "build_zoo", lambda *given: calls.append("zoo"))
    monkeypatch.setattr(opening, "train_cells", lambda *given: (calls.append("cells"), (rows, None))[1])
    for _ in range(2):
        models, table, data = opening.built(params, "cv", said.append)
    assert calls == ["tasks", "zoo", "cells"] and len(said) == 1 and "about 4 minutes" in said[0]
    assert pd.read_csv(table)["model"].nunique() == 4 and models.parent.parent == data.parent.parent


def test_another_version_of_the_zoo_is_another_zoo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = parameters.load(["domains=[cv]", "profile=smoke"])
    before = opening.live_place(params, "cv")
    assert opening.live_place(parameters.load(["domains=[cv]", "profile=smoke", "cv.cut=0.2"]), "cv") == before
    monkeypatch.setattr(opening, "ZOO_VERSION", opening.ZOO_VERSION + 1)
    assert not set(opening.live_place(params, "cv")) & set(before)


def test_inside_the_project_its_own_zoo_is_taken(tmp_path, monkeypatch):
    for folder in ("conf", "zoo/cv", "data/cv", "results/cv"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("dvc.yaml", "conf/config.yaml", "results/cv/records.csv"):
        (tmp_path / file).touch()
    params = parameters.load(["domains=[cv]"])
    monkeypatch.chdir(tmp_path)
    assert opening.built(params, "cv", print) == (
        tmp_path / "zoo/cv",
        tmp_path / "results/cv/records.csv",
        tmp_path / "data/cv",
    )


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("model,dataset,role,test\nvit,x,target,0.5\n", "has no rows of role benchmark"),
        ("model,dataset,role,test\nother,x,benchmark,0.5\n", "has no complete row for any model"),
        ("model,dataset\nvit,x\n", "records lack the columns"),
    ],
)
def test_records_that_do_not_fit_their_folder(records, message, tmp_path):
    from twophase.training.config import TrainingConfig

    (tmp_path / "vit").mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / "vit" / name).write_text("{}")
    save_file({}, tmp_path / "vit" / "model.safetensors")
    (tmp_path / "records.csv").write_text(records)
    with pytest.raises(UserError, match=message):
        inputs._of_folder(tmp_path, 0.1, TrainingConfig())


def test_an_unknown_kind_of_zoo_is_refused_before_any_work():
    from dataclasses import replace

    from twophase.commands.select import settings

    zoo = settings.compose(["zoo=live", "task=csv", "task.path=x.csv"]).zoo
    with pytest.raises(UserError, match="zoo.kind 'shop'.*live.*folder.*hub"):
        inputs.open_candidates(replace(zoo, kind="shop"), {}, "image", print)
