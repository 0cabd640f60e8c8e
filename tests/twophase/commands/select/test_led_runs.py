"""`select` by the leader: what is told, kept and drawn, and what happens where too little is known."""

import json
import shutil

import pandas as pd
import pytest
import small_zoo

import twophase
from twophase.belief import Belief
from twophase.commands.select import drawing
from twophase.errors import UserError
from twophase.sources.live.scores import score_folders
from twophase.training import finetuning

FAST = ("compute=serial", "training.epochs=2", "training.batch_size=8", "training.learning_rate=2e-3")
PROXIES = ["leep", "logme", "h_score", "knn"]
BENCHMARKS = ("degradation", "surfaces", "focus", "roughness", "palettes", "noises")
CONFIG = finetuning.TrainingConfig(epochs=2, batch_size=8, learning_rate=2e-3)


@pytest.fixture(scope="module")
def known(pictures, tmp_path_factory):
    """(zoo with records.csv of six benchmark datasets and looks.csv, folder of pictures by class)."""
    root = tmp_path_factory.mktemp("leading")
    zoo, photos = pictures
    shutil.copytree(zoo, root / "zoo")
    small_zoo.draw(root / "data", BENCHMARKS, {"train": 32, "validation": 24, "test": 24})
    folders, data = (
        {name: root / "zoo" / name for name in small_zoo.RECIPES},
        {name: root / "data" / name for name in BENCHMARKS},
    )
    rows = [
        {"model": model, "dataset": dataset, "role": "benchmark", "seed": 0, **row}
        for model in folders
        for dataset in BENCHMARKS
        for row in finetuning.train_cell(folders[model], data[dataset], CONFIG)
    ]
    pd.DataFrame(rows).to_csv(root / "zoo" / "records.csv", index=False)
    score_folders(folders, data, PROXIES, 16, "looks", False)[0].to_csv(root / "zoo" / "looks.csv", index=False)
    return root / "zoo", photos


def led(known, out, *more, **keys):
    zoo, photos = known
    return twophase.select(photos, *FAST, "leader.examples=16", *more, zoo=zoo, out=out, progress=False, **keys)


@pytest.fixture
def usual(monkeypatch):
    """Six small datasets find any other one strange; here the belief is followed all the same."""
    monkeypatch.setattr(Belief, "unlike", False)


def test_each_step_is_a_line_and_the_result_says_how_sure_it_is(known, usual, tmp_path, capsys):
    found = led(known, tmp_path / "run")
    said = capsys.readouterr().out
    assert "looked at" in said and "Leader:" in said and "the best with probability" in said
    belief = found.facts["belief"]
    assert found.facts["method"] == "leader" and 0 <= belief["probability"] <= 1
    assert f"with probability {belief['probability']:.2f}" in str(found)
    looks = [step for step in belief["steps"] if step["action"] == "look"]
    assert {step["model"] for step in looks} == set(found.facts["recall"]["scored"])
    trained = [step for step in belief["steps"] if step["action"] != "look"]
    assert [step["model"] for step in trained] == list(found.ledger["model"])
    assert found.costs.loc["leader", "epochs"] == len(trained) + 0.5 * len(looks)
    assert found.ledger["epochs"].sum() <= 4 * 2
    assert json.loads((tmp_path / "run" / "selection.json").read_text())["belief"]["steps"] == belief["steps"]
    html = found.report.read_text()
    assert "What was believed, step by step" in html and html.count("data:image/png;base64,") == 2 * 5
    above, below = drawing.beliefs(found).axes
    assert below.get_ylim()[0] == 0 and above.get_ylabel() == "expected accuracy"


def test_a_task_unlike_all_benchmarks_is_halved_and_called_so(known, tmp_path):
    found = led(known, tmp_path / "run")
    belief, how = found.facts["belief"], found.facts["selection"]["how"]
    assert belief["unlike"] and belief["probability"] is None and "with probability" not in str(found)
    assert "unlike anything measured" in how and found.ledger["epochs"].sum() == 4 + 2
    assert "unlike anything measured" in found.report.read_text()


def test_the_same_command_computes_nothing_again(known, tmp_path):
    first, again = (led(known, tmp_path / "run") for _ in range(2))
    assert first.facts["belief"] == again.facts["belief"] and first.winner == again.winner


def test_another_method_is_what_was_asked_for(known, tmp_path):
    whole = led(known, tmp_path / "whole", "method=brute_force")
    assert whole.ledger["epochs"].sum() == 4 * 2 and whole.facts["belief"] is None
    assert whole.costs.loc["brute-force", "epochs"] == 8 and "Brute force" in whole.facts["selection"]["how"]
    half = led(known, tmp_path / "half", "method=halving")
    assert half.ledger["epochs"].sum() == 4 + 2 and "brute" not in half.costs.index[0]
    paper = led(known, tmp_path / "paper", "method=two_phase", "zoo.cut=0.2", "clustering.k=2", top=2)
    assert paper.facts["method"] == "two_phase" and "Recall score" in paper.report.read_text()


def test_a_budget_ends_it_with_the_best_so_far(known, usual, tmp_path):
    few = led(known, tmp_path / "run", "budget.epochs=3.5", "leader.price=0")
    spent = few.ledger["epochs"].sum() + 0.5 * len(few.facts["recall"]["scored"])
    assert spent <= 3.5 and (few.folder / "model" / "config.json").is_file()
    assert few.finished or "budget of 3.5 epochs" in few.facts["selection"]["how"]


def test_where_too_little_is_known_it_is_the_two_phases_or_an_error(pictures, known, tmp_path):
    zoo, photos = pictures
    plain = twophase.select(
        photos, *FAST, "zoo.cut=0.2", "clustering.k=2", zoo=zoo, out=tmp_path / "a", top=2, progress=False
    )
    assert plain.facts["method"] == "two_phase"
    with pytest.raises(UserError, match=r"method=leader: their proxy scores on five benchmark datasets"):
        twophase.select(photos, *FAST, "method=leader", zoo=zoo, out=tmp_path / "b", progress=False)
    with pytest.raises(UserError, match=r"method=leader: their curves of 3 epochs"):
        led(known, tmp_path / "c", "method=leader", "training.epochs=3")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("method=best", "unknown method 'best'; allowed: auto, leader"),
        ("leader.price=-1", "leader.price: got -1"),
        ("leader.examples=0", "leader.examples: got 0"),
        ("leader.proxies=[leap]", "leep"),
    ],
)
def test_settings_that_cannot_be_are_named(known, tmp_path, override, said):
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        led(known, tmp_path / "run", override)


def test_a_model_that_cannot_be_read_is_named_and_left(known, tmp_path, capsys):
    zoo = shutil.copytree(known[0], tmp_path / "zoo")
    (zoo / "resnet" / "config.json").write_text('{"model_type": "of another library"}')
    found = led((zoo, known[1]), tmp_path / "run", "leader.price=0")
    assert found.winner != "resnet" and "resnet" in found.facts["failures"]
    assert "resnet cannot be looked at" in capsys.readouterr().out


def test_whoever_names_a_setting_of_the_two_phases_gets_them(known, usual, tmp_path, capsys):
    found = led(known, tmp_path / "a", "zoo.cut=0.2", "clustering.k=2", top=2)
    assert found.facts["method"] == "two_phase" and found.recall["recalled"].sum() == 2
    assert "recall.top" in (said := capsys.readouterr().out) and "method=two_phase" in said
    found = led(known, tmp_path / "b", "method=leader", top=2)
    assert found.facts["method"] == "leader" and "recall.top: not used by method=leader" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,dataset,proxy\na,b,leep\n", "lacks the columns score"),
        ("", "cannot be read"),
        ("model,dataset,proxy,score\na,b,leep,good\n", "one number for each"),
        ("model,dataset,proxy,score\na,b,leep,1\na,b,leep,2\n", "one number for each"),
    ],
)
def test_a_broken_table_of_looks_is_named(known, tmp_path, text, said):
    zoo = shutil.copytree(known[0], tmp_path / "zoo")
    (zoo / "looks.csv").write_text(text)
    with pytest.raises(UserError, match=rf"looks\.csv.*{said}.*matrix run"):
        led((zoo, known[1]), tmp_path / "run")


def test_the_report_of_a_leader_says_why_each_model_was_trained(known, usual, tmp_path):
    found = led(known, tmp_path / "run")
    html = found.report.read_text()
    assert "Why it was trained" in html and "convergence trends" not in html and "not the best at the end" not in html
