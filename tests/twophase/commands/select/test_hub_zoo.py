"""Selection among a hub's models and on a hub's dataset, from a server on this machine."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

import twophase
from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.sources.live import opening
from twophase.sources.published import model_recycling
from twophase.sources.published.catalogue import Published
from twophase.training.loading import model_digest

sys.path.insert(0, str(Path(__file__).parents[3]))
from hub_server import HubServer, Repo, reach

FAST = ("training.epochs=1", "training.batch_size=8", "clustering.k=2", "zoo.cut=0.05", "recall.top=2")
SCORES = {
    "org/a": (0.80, 0.70, 0.60),
    "org/b": (0.81, 0.71, 0.61),
    "org/c": (0.50, 0.40, 0.90),
    "org/d": (0.52, 0.41, 0.88),
}
MODELS = dict(zip(SCORES, ("bert-16", "bert-24", "bert-32", "bert-16"), strict=True))


@pytest.fixture
def server(monkeypatch, tmp_path, texts):
    """A hub with the four models of a small matrix."""
    server = HubServer()
    for name, folder in MODELS.items():
        server.models[name] = Repo({"main": texts[0] / folder})
    reach(server, monkeypatch, tmp_path)
    matrix = pd.DataFrame(SCORES, index=["x", "y", "z"])
    facts = pd.DataFrame(
        {"base_model": ["bert", "bert", "bert", "other"], "size": [1e6, 2e6, 3e6, 4e6]}, index=list(SCORES)
    )
    found = Published(TrainingRecords.from_matrix(matrix), pd.DataFrame(), facts)
    monkeypatch.setattr(model_recycling, "read", lambda mirror=None: found)
    yield server
    server.close()


def select(texts, tmp_path, *more):
    return twophase.select(texts[1], *FAST, *more, zoo="published", out=tmp_path / "run", progress=False)


def test_only_representatives_and_recalled_are_brought_and_it_halves(server, texts, tmp_path):
    found = select(texts, tmp_path)
    assert set(found.facts["recall"]["scored"]) == {"org/b", "org/d"}
    assert found.facts["selection"]["how"].startswith("Successive halving: the models' curves")
    assert found.winner in SCORES and found.recall["prior"].notna().all()
    weights = [path for method, path, _ in server.requests if method == "GET" and path.endswith(".safetensors")]
    asked = {path.split("/resolve/")[0].strip("/") for path in weights}
    assert asked == {"org/b", "org/d"} | set(found.recall.index[:2])


def test_filters_choose_among_the_matrix(server, texts, tmp_path):
    found = select(texts, tmp_path, "zoo.base_model=bert", "zoo.max_parameters=2.5e6")
    assert set(found.recall.index) == {"org/a", "org/b"}
    with pytest.raises(UserError, match="unknown zoo.base_model 'brt'"):
        select(texts, tmp_path, "zoo.base_model=brt")
    with pytest.raises(UserError, match="no model passes"):
        select(texts, tmp_path, "zoo.max_parameters=1")


def test_models_that_cannot_be_had_are_replaced(server, texts, tmp_path, capsys):
    del server.models["org/b"]
    server.models["org/d"].gated = True
    found = select(texts, tmp_path)
    assert set(found.facts["recall"]["scored"]) == {"org/a", "org/c"}
    assert {"org/b", "org/d"} <= set(found.facts["failures"])
    assert "org/b cannot be scored" in capsys.readouterr().out


def test_a_hub_that_cannot_be_reached_ends_the_run_at_once(server, texts, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        select(texts, tmp_path)


def test_a_dataset_of_the_hub_keeps_its_class_names(server, texts, tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"message": Value("string"), "intent": ClassLabel(names=["card", "rate", "transfer"])})
    table = pd.read_csv(texts[1]).sample(frac=1, random_state=0)
    table["intent"] = [features["intent"].str2int(name) for name in table["intent"]]
    folder = tmp_path / "served"
    (folder / "data").mkdir(parents=True)
    whole = Dataset.from_pandas(table, features=features, preserve_index=False)
    for number in range(2):
        part = whole.shard(2, number) if number else whole.shard(2, 0)
        part.to_parquet(str(folder / "data" / f"train-{number:05}-of-00002.parquet"))
    whole.to_parquet(str(folder / "data" / "unsupervised-00000-of-00001.parquet"))
    server.datasets["org/messages"] = Repo({"main": folder})
    from twophase.commands.select import settings
    from twophase.commands.select.run import run

    given = ["task=hub", "task.path=org/messages", "zoo=folder", f"zoo.path={texts[0]}", f"out={tmp_path / 'run'}",
             "training.epochs=1", "training.batch_size=8"]  # fmt: skip
    found = run(settings.compose(given), progress=False)
    assert (
        list(found.classes.index) == ["card", "rate", "transfer"]
        and found.facts["data"]["train"] + found.facts["data"]["test"] + found.facts["data"]["validation"] == 90
    )
    assert (
        found.facts["data"]["notes"][0]
        == "train: 90 rows in train.parquet, 90 read; set apart: 18 for test and 9 for validation"
    )
    assert "org/messages: splits not read: unsupervised" in found.facts["data"]["notes"]
    assert json.loads((found.model / "config.json").read_text())["id2label"] == {
        "0": "card",
        "1": "rate",
        "2": "transfer",
    }


@pytest.mark.parametrize(("option", "number"), [("hub_nlp", 40), ("hub_cv", 30)])
def test_the_papers_models_are_a_configuration(option, number):
    from twophase.commands.select import settings

    given = settings.compose(["task.path=x", f"zoo={option}"])
    assert len(set(given.zoo.models)) == number and all(name.count("/") <= 1 for name in given.zoo.models)


def test_a_model_of_the_hub_is_added_to_the_live_zoo(server, texts, tmp_path, monkeypatch):
    from twophase.commands import zoos

    monkeypatch.setenv("TWOPHASE_CACHE", str(tmp_path / "cache"))
    records = TrainingRecords.from_matrix(pd.DataFrame({"bert-24": [0.5], "bert-32": [0.6]}, index=["messages"]))
    folders = {name: texts[0] / name for name in records.models}
    live = opening.Live(folders, records, pd.DataFrame, {"messages": tmp_path / "messages"}, tmp_path / "added")
    monkeypatch.setattr(zoos, "open_live", lambda *_: live)
    trained = []

    def train(params, domain, data, folders, name):
        trained.append((domain, {name: model_digest(folder) for name, folder in folders.items()}))
        return pd.DataFrame()

    monkeypatch.setattr(zoos, "train_added", train)
    zoos.add_model("org/a")
    assert trained == [("nlp", {"a": model_digest(texts[0] / "bert-16")})]
    with pytest.raises(UserError, match="org/none"):
        zoos.add_model("org/none")
    with pytest.raises(UserError, match="is no folder; .* or the id of a model on a hub"):
        zoos.add_model("/nowhere/at/all")
