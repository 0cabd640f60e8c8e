"""A matrix of one's own: planned, trained, killed, gone on with, and selected from."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

import twophase
from twophase.__main__ import main
from twophase.commands import matrix
from twophase.commands.matrix import models, planning, settings
from twophase.commands.matrix.data import Data
from twophase.commands.matrix.models import Model
from twophase.errors import UserError
from twophase.infra import locks
from twophase.infra.store import Store, cache_folder
from twophase.sources.hub import transfer
from twophase.training import folders, stored, tasks
from twophase.training.config import TrainingConfig
from twophase.training.hardware import Hardware

sys.path.insert(0, str(Path(__file__).parents[3]))
from hub_server import HubServer, Repo, commit, reach

FAST = ("matrix.training.epochs=2", "matrix.training.batch_size=8", "matrix.training.learning_rate=2e-3")


@pytest.fixture
def own(texts, tmp_path):
    """(folder of three models, folder of two tasks): messages by intent, and the same by colour, in two files."""
    shutil.copytree(texts[0], tmp_path / "models")
    (tmp_path / "tasks" / "colours").mkdir(parents=True)
    shutil.copy(texts[1], tmp_path / "tasks" / "messages.csv")
    rows = pd.read_csv(texts[1])
    rows["colour"] = ["red" if "red" in text else "other" for text in rows["message"]]
    rows[::2].to_csv(tmp_path / "tasks" / "colours" / "train.csv", index=False)
    rows[1::2].to_csv(tmp_path / "tasks" / "colours" / "test.csv", index=False)
    return tmp_path / "models", tmp_path / "tasks"


def overrides(own, *more):
    return [f"matrix.models={own[0]}", f"matrix.tasks={own[1]}", "matrix.datasets.colours.label=colour",
            "compute=serial", *FAST, *more]  # fmt: skip


@pytest.fixture
def trained(monkeypatch):
    """A list that grows by (model, dataset) of each cell that is trained."""
    from twophase.training import stored as training

    begun, honest = [], training.train_one

    def train_one(item):
        begun.append((item[0].name, item[1].name.rsplit("-", 1)[0]))
        return honest(item)

    monkeypatch.setattr(training, "train_one", train_one)
    return begun


def test_planned_trained_and_selected_from(own, texts, tmp_path, trained, capsys):
    assert main(["matrix", "plan", *overrides(own)]) == 0
    before = capsys.readouterr().out
    assert (
        "3 models x 2 datasets; 2 epochs, batch 8" in before and "cells: 6; done 0 " in before and "to do 6" in before
    )
    assert "text column: 'message'" in before, "what is guessed is said"
    assert not trained and not (own[0] / "records.csv").exists()
    assert main(["matrix", "run", *overrides(own)]) == 0
    assert before.split("disk:")[0] in capsys.readouterr().out, "run prints the same plan"
    assert len(set(trained)) == len(trained) == 6 and ("bert-16", "colours") in trained
    records = pd.read_csv(own[0] / "records.csv")
    assert records.groupby(["model", "dataset"]).size().eq(2).all() and set(records["role"]) == {"benchmark"}
    assert pd.read_csv(own[0] / "failures.csv").empty and len(pd.read_csv(own[0] / "cells.csv")) == 6
    looks = pd.read_csv(own[0] / "looks.csv")
    assert set(zip(looks["model"], looks["dataset"], strict=True)) == set(
        zip(records["model"], records["dataset"], strict=True)
    )
    after = matrix.plan(settings.compose(overrides(own)))
    assert (len(after.done), len(after.to_do)) == (6, 0) and "the 6 cells done took" in matrix.text(after)
    assert after.done["done"].sum() == pytest.approx(records["seconds"].sum())
    main(["matrix", "run", *overrides(own)])
    assert len(trained) == 6, "again, nothing is trained"
    found = twophase.select(
        texts[1], "zoo.cut=0.3", "clustering.k=2", "compute=serial", "training.epochs=2", "training.batch_size=8",
        zoo=own[0], out=tmp_path / "run", top=2, progress=False,
    )  # fmt: skip
    assert found.facts["selection"]["how"].startswith("Fine-selection") and "2 benchmark datasets" in str(found.facts)


def test_only_a_part_and_a_target(own, trained):
    given = settings.compose(
        overrides(own, "only.models=[bert-24]", "matrix.datasets.colours.role=target", "matrix.max_rows=12",
                  "matrix.max_evaluation_rows=7", "hardware.precision=bfloat16", "matrix.checkpoints=true")
    )  # fmt: skip
    records = matrix.run(given, say=lambda line: None, progress=False)
    assert {model for model, _ in trained} == {"bert-24"} and len(trained) == 2
    assert records.set_index("dataset")["role"].to_dict() == {"colours": "target", "messages": "benchmark"}
    kept = {one.name.rsplit("-", 1)[0]: tasks.load(one) for one in (cache_folder() / "matrix" / "tasks").iterdir()}
    sizes = {name: [len(task[split]) for split in tasks.SPLITS] for name, task in kept.items()}
    assert sizes == {"messages": [12, 7, 7], "colours": [12, 4, 7]}  # a tenth of 45 is less than seven
    assert kept["colours"]["test"].features["label"].names == ["other", "red"]
    cells = pd.read_csv(own[0] / "cells.csv")
    assert set(cells["precision"]) == {"bfloat16"} and cells["micro_batch"].tolist() == [8, 8]
    assert not list((cache_folder() / "matrix" / "checkpoints").rglob("*.pt"))
    assert len(matrix.plan(settings.compose(overrides(own))).done) == 0, (
        "another precision and other rows are other cells"
    )


def test_models_meet_the_tasks_that_they_read(own, pictures):
    shutil.copytree(pictures[1] / "train", own[1] / "photos")
    shutil.copytree(pictures[0] / "vit", own[0] / "vit")
    (own[0] / "broken").mkdir()
    (own[0] / "broken" / "config.json").write_text("{}")
    (own[1] / "empty.csv").write_text("")
    planned = matrix.plan(settings.compose(overrides(own)))
    assert len(planned.cells) == 3 * 2 + 1 and planned.cells.set_index("model").loc["vit", "dataset"] == "photos"
    faults = {one.name: one.fault for one in [*planned.models, *planned.data] if one.fault}
    assert set(faults) == {"broken", "empty"} and "no model.safetensors" in faults["broken"]
    assert "2 models or datasets that cannot be had are left out" in matrix.text(planned)


def test_another_table_of_records_is_not_replaced(own, trained):
    (own[0] / "records.csv").write_text("mine\n")
    with pytest.raises(UserError, match=r"records.csv was not written by this command .* give out=… another folder"):
        matrix.run(settings.compose(overrides(own)))
    assert (own[0] / "records.csv").read_text() == "mine\n" and not trained


@pytest.mark.parametrize("name", ["task.json", "test.parquet"])
def test_a_kept_task_that_is_damaged_is_named_and_made_anew(own, name):
    given = settings.compose(overrides(own))
    (before,) = [one for one in matrix.plan(given).data if one.name == "messages"]
    (before.folder / name).write_bytes(b"{")
    (after,) = [one for one in matrix.plan(given).data if one.name == "messages"]
    assert after.rows == before.rows and after.notes[1:] == before.notes
    assert after.notes[0].startswith(f"{before.folder} was damaged (")
    assert tasks.load(after.folder)["test"].num_rows == before.rows["test"]


def test_a_second_run_on_the_same_folder_says_who_has_it(own, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    with locks.held(tmp_path / "out" / ".lock"):
        assert main(["matrix", "run", *overrides(own, f"out={tmp_path / 'out'}")]) == 2
    assert f"out is in use by process {os.getpid()} on " in capsys.readouterr().err
    assert not (tmp_path / "out" / "matrix.json").exists()


def test_killed_it_goes_on_with_what_is_missing(own, trained):
    long = "matrix.training.epochs=6", "matrix.checkpoints=true"
    command = [sys.executable, "-m", "twophase", "matrix", "run", *overrides(own, *long)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ.copy())
    kept = Store().root / "cells"
    deadline = time.monotonic() + 180  # a busy machine takes a minute to import
    while len(list(kept.glob("*/[!.]*.json"))) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in kept.glob("*/[!.]*.json")}
    assert 2 <= len(before) < 6
    given = settings.compose(overrides(own, *long))
    planned = matrix.plan(given)
    assert (len(planned.done), len(planned.to_do)) == (len(before), 6 - len(before))
    records = matrix.run(given, say=lambda line: None, progress=False)
    assert len(trained) == 6 - len(before) and records.groupby(["model", "dataset"]).ngroups == 6
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert not list((cache_folder() / "matrix" / "checkpoints").rglob("*.pt"))


def test_killed_between_a_kept_cell_and_its_last_state_leaves_no_state_behind(own, trained, monkeypatch):
    given = settings.compose(overrides(own, "matrix.checkpoints=true"))
    with monkeypatch.context() as killed:
        killed.setattr(stored.shutil, "rmtree", lambda *given, **options: None)
        matrix.run(given, say=lambda line: None, progress=False)
    states = cache_folder() / "matrix" / "checkpoints"
    assert len(list(states.rglob("*.pt"))) == len(trained) == 6
    matrix.run(given, say=lambda line: None, progress=False)
    assert not list(states.rglob("*.pt")) and len(trained) == 6


@pytest.fixture
def server(monkeypatch, tmp_path, texts):
    """A hub with two models and two datasets, one of them of pairs, in other splits, with scores for labels."""
    server = HubServer()
    for name, folder in {"org/a": "bert-16", "org/b": "bert-24"}.items():
        server.models[name] = Repo({"main": texts[0] / folder})
    table = pd.read_csv(texts[1])
    plain, pairs = tmp_path / "served" / "plain", tmp_path / "served" / "pairs"
    for folder in (plain, pairs / "main"):
        folder.mkdir(parents=True)
    table.to_csv(plain / "train.csv", index=False)
    scored = pd.DataFrame(
        {"a": table["message"], "b": [None, *table["intent"][1:]], "c": table["intent"][::-1].to_numpy()}
    )
    scored["score"] = [0.2 if name == "card" else 4.8 for name in table["intent"]]
    scored[::2].to_parquet(pairs / "main" / "train-00000-of-00001.parquet")
    scored[1::2].to_parquet(pairs / "main" / "validation_matched-00000-of-00001.parquet")
    scored.assign(score=-1.0).to_parquet(pairs / "main" / "test-00000-of-00001.parquet")
    server.datasets["org/plain"], server.datasets["org/pairs"] = Repo({"main": plain}), Repo({"main": pairs})
    reach(server, monkeypatch, tmp_path)
    yield server
    server.close()


def of_hub(tmp_path, *more):
    pairs = "{path: org/pairs, text: a, text_pair: [b, c], label: score, rounded: true, splits: {train: train, test: validation_matched}}"
    return settings.compose(
        ["matrix=hub", "matrix.models=[org/a,org/none,org/b]", "matrix.datasets.plain.path=org/plain",
         f"matrix.datasets.pairs={pairs}", "hardware=cpu", "compute=serial", f"out={tmp_path / 'out'}", *FAST, *more]
    )  # fmt: skip


def test_of_a_hub_what_cannot_be_had_is_a_failure_and_the_run_goes_on(server, texts, tmp_path, trained):
    given = of_hub(tmp_path)
    planned = matrix.plan(given)
    assert len(planned.to_do) == len(planned.cells) == 4 and "org/none" in next(
        m.fault for m in planned.models if m.fault
    )
    weights = {name: (texts[0] / name / "model.safetensors").stat().st_size for name in ("bert-16", "bert-24")}
    assert {m.known for m in planned.models if not m.fault} == {"the hub's listing"}
    assert planned.disk()["download"] > sum(weights.values()) and not [
        n for n in server.downloads() if "safetensors" in n
    ]
    assert not (cache_folder() / "matrix").exists()
    said = []
    records = matrix.run(given, said.append, progress=False)
    folders = [commit(server.models[name].revisions["main"]) for name in ("org/a", "org/b")]
    assert sorted(trained) == sorted((folder, data) for folder in folders for data in ("plain", "pairs"))
    assert set(records["model"]) == {"org/a", "org/b"}
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert failures["model"].tolist() == ["org/none"] and "has no model 'org/none'" in failures["reason"][0]
    assert any("org/none is left out" in line for line in said)
    task = tasks.load(next((cache_folder() / "matrix" / "tasks").glob("pairs-*")))
    assert task["train"].features["label"].names == ["0", "5"] and len(task["test"]) == 45
    rows = task["train"].to_pandas().merge(pd.read_csv(texts[1]), left_on="text", right_on="message")
    assert (rows["text_pair"].str.split().str[0] == rows["intent"]).mean() > 0.9, "the columns b and c, joined"
    asked = len(server.downloads())
    again = matrix.run(given, said.append, progress=False)
    assert len(trained) == 4 and again.equals(records)
    assert not [name for name in server.downloads()[asked:] if name.endswith((".safetensors", ".parquet", ".csv"))]
    after = matrix.plan(given)
    assert (len(after.done), len(after.to_do)) == (4, 0)
    shelf = [
        "zoo=hub_nlp",
        f"zoo.matrix={tmp_path / 'out' / 'records.csv'}",
        "zoo.models=[org/a,org/b]",
        "clustering.k=2",
    ]
    found = twophase.select(texts[1], *shelf, "zoo.cut=0.3", "training.epochs=1", out=tmp_path / "run", progress=False)
    assert found.winner in ("org/a", "org/b") and found.facts["selection"]["how"].startswith("Fine-selection")


def test_a_hub_that_is_silent_is_asked_once(server, tmp_path, monkeypatch):
    asked, honest = [], transfer.list_repository
    from twophase.sources.hub import datasets
    from twophase.sources.hub import models as hub_models

    def counting(*given):
        asked.append(given)
        return honest(*given)

    monkeypatch.setattr(hub_models, "list_repository", counting)
    monkeypatch.setattr(datasets, "list_repository", counting)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    planned = matrix.plan(of_hub(tmp_path))
    assert len(asked) == 1 and len(planned.to_do) == 6 and "cannot be reached" in matrix.text(planned)
    assert {one.known for one in planned.models} == {"assumed"}
    with pytest.raises(UserError, match=r"not one cell could be trained; the first reason: .*cannot be reached"):
        matrix.run(of_hub(tmp_path), say=lambda line: None, progress=False)
    assert len(asked) == 3 and len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 5
    asked.clear()
    assert len(matrix.plan(of_hub(tmp_path, "ask=false")).to_do) == 6 and not asked


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["matrix.tasks=x"], "matrix.models is missing"),
        (["matrix.models=/no/where", "matrix.tasks=/no/where"], "matrix.models=/no/where is not a folder"),
        (["matrix=hub_nlpp"], "did you mean hub_nlp"),
        (["matrix=hub", "matrix.models=[a/b]"], "matrix.datasets is empty"),
        (["matrix=hub_nlp", "matrix.datasets.cola.role=goal"], "unknown matrix.datasets.cola.role 'goal'"),
        (["matrix=hub_nlp", "matrix.datasets.cola.colour=x"], "unknown key matrix.datasets.cola.colour"),
        (["matrix=hub_nlp", "only.datasets=[colla]"], "did you mean cola"),
        (["matrix=hub_nlp", "only.models=[bert]"], "unknown model 'bert' in only.models"),
        (["matrix=hub_nlp", "matrix.training.epochs=0"], "training.epochs: got 0"),
        (["matrix=hub_nlp", "hardware.precision=half"], "unknown hardware.precision 'half'"),
        (["matrix=hub_nlp", "compute=ray"], "give compute.gpus_per_task=1"),
        (["matrix=hub_nlp", "gpus=0"], "gpus: got 0"),
        (["matrix=hub_nlp", "estimate.utilisation=0"], "estimate.utilisation: got 0"),
    ],
)
def test_the_users_fault_is_one_line(given, said, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["matrix", "plan", *given]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and said in error


@pytest.mark.parametrize(("option", "shape", "epochs"), [("hub_nlp", (40, 25, 4), 5), ("hub_cv", (30, 10, 4), 4)])
def test_the_papers_matrices_are_configurations(option, shape, epochs, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    given = settings.compose([f"matrix={option}", "gpus=8", "compute=ray", "compute.gpus_per_task=0.5"])
    targets = [name for name, source in given.matrix.datasets.items() if source.role == "target"]
    assert (len(set(given.matrix.models)), len(given.matrix.datasets), len(targets)) == shape
    from twophase.commands.select import settings as selecting

    assert given.matrix.models == selecting.compose(["task.path=x", f"zoo={option}"]).zoo.models
    how = given.trainings["text"]
    assert (how.epochs, how.learning_rate) == (epochs, 3e-5) and given.matrix.checkpoints
    assert given.hardware == Hardware("cuda", "bfloat16")
    planned = matrix.plan(given)
    assert len(planned.to_do) == shape[0] * shape[1] and planned.at_once == 16
    assert "on 8 GPU(s)" in matrix.text(planned) and "HF_HUB_OFFLINE is set" in matrix.text(planned)
    # half a GPU a task trains as many cells an hour as a whole one
    whole = planning.plan(settings.compose([f"matrix={option}", "compute=ray", "compute.gpus_per_task=1"]))
    assert whole.to_do["estimate"].sum() == planned.to_do["estimate"].sum()


def test_one_process_a_gpu_where_nothing_else_is_said(monkeypatch):
    monkeypatch.delenv("TWOPHASE_WORKERS", raising=False)
    assert planning.engine(settings.compose(["matrix=hub_nlp"])).workers == 1
    assert planning.engine(settings.compose(["matrix=hub_nlp", "compute.workers=3"])).workers == 3
    assert planning.engine(settings.compose(["matrix=hub_nlp", "hardware=cpu"])).workers is None
    on_cluster = settings.compose(["matrix=hub_nlp", "hardware=auto", "compute=ray", "compute.gpus_per_task=1"])
    assert planning.hardware(on_cluster).device == "cuda", "the cluster's GPUs decide, not this machine"


def test_hours_by_hand():
    """BERT-base on 10,000 texts of 100 tokens, 5 epochs: 6 x 8.5e7 x 100 x 50,000 = 2.55e15, and a 0.068e15 of validation and test."""
    given = settings.compose(["matrix=hub_nlp"]).estimate
    model = Model("m", None, "text", 1.1e8, 8.5e7, None, None, "assumed")
    data = Data("d", settings.Source(), None, "text", {"train": 10_000, "validation": 500, "test": 1500}, 100, None)
    cost = planning.cell_cost(model, data, TrainingConfig(epochs=5, batch_size=32), Hardware("cuda", "bfloat16"), given)
    assert cost.operations == pytest.approx(6 * 8.5e7 * 100 * 50_000 + 2 * 8.5e7 * 100 * 4000)
    assert cost.training == pytest.approx(cost.operations / (312e12 * 0.3) + 5 * 313 * 0.03)
    assert cost.seconds == pytest.approx(cost.training + 20)
    picture = Model("m", None, "image", 8.6e7, 8.5e7, 197, None, "assumed")
    pictures = planning.cell_cost(picture, data, TrainingConfig(epochs=5), Hardware("cuda", "bfloat16"), given)
    assert pictures.operations == pytest.approx(1.97 * cost.operations)
    assert planning.wall_clock([10.0, 1.0, 1.0], 8) == 10 and planning.wall_clock([4.0] * 4, 2) == 8


@pytest.mark.parametrize(
    ("config", "computing", "tokens"),
    [
        ({"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072}, 84_934_656, None),  # BERT-base
        ({"dim": 768, "n_layers": 6, "hidden_dim": 3072}, 42_467_328, None),  # DistilBERT
        ({"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072, "image_size": 384, "patch_size": 16,
          "num_channels": 3}, 84_934_656, 577),
        ({"hidden_sizes": [256, 512], "num_channels": 3}, 1000, 160),  # no patches: by its parameters
    ],
)  # fmt: skip
def test_what_multiplies_a_token_is_read_from_a_configuration(config, computing, tokens):
    given = settings.compose(["matrix=hub_nlp"]).estimate
    assert models.multiplications(config, 1000, given) == (computing, tokens)


def test_parameters_are_counted_from_headers(texts):
    folder = texts[0] / "bert-24"
    assert folders.parameter_count(folder) == sum(
        tensor.numel() for tensor in load_file(folder / "model.safetensors").values()
    )
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 24
