import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from twophase import tasks, training, zoo
from twophase.errors import UserError
from twophase.pipeline import two_phase
from twophase.records import TrainingRecords
from twophase.runs import LiveRuns, RecordedRuns
from twophase.selection import brute_force, fine_selection, successive_halving

CONFIG = training.TrainingConfig(epochs=3, learning_rate=2e-3)
SIZES = {"train": 96, "validation": 64, "test": 64}
MODELS = ("vit", "resnet", "untrained", "regnet")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Four small models, two benchmark datasets, one target, and the records of all cells."""
    root = tmp_path_factory.mktemp("world")
    for name in ("photographs", "degradation", "surfaces", "tissue"):
        tasks.save(tasks.build("cv", name, SIZES), root / name)
    recipes = [
        zoo.Recipe("vit", "vit", width=16, depth=1, upstream="photographs", epochs=1),
        zoo.Recipe("resnet", "resnet", width=16, depth=1, upstream="photographs", epochs=1),
        zoo.Recipe("untrained", "vit", width=16, depth=1, objective="none", head=False),
        zoo.Recipe("regnet", "regnet", width=16, depth=1, upstream="photographs", epochs=1),
    ]
    for recipe in recipes:
        zoo.build(recipe, root / recipe.name, root)
    rows = []
    for model in MODELS:
        for dataset in ("degradation", "surfaces", "tissue"):
            role = "target" if dataset == "tissue" else "benchmark"
            for row in training.train_cell(root / model, root / dataset, CONFIG, seed=0):
                rows.append({"model": model, "dataset": dataset, "role": role, "seed": 0, **row})
    return root, TrainingRecords.from_frame(pd.DataFrame(rows))


def live(root, **options):
    folders = {model: root / model for model in MODELS}
    task = tasks.load(root / "tissue")
    return LiveRuns(folders, task, CONFIG, seed=0, dataset="tissue", progress=False, **options)


@pytest.mark.parametrize("method", [brute_force, successive_halving, fine_selection])
def test_live_and_replayed_give_one_history(world, method):
    root, records = world
    more = (records, 0.0, 2) if method is fine_selection else ()
    real = method(live(root), MODELS, *more)
    replayed = method(RecordedRuns(records, "tissue"), MODELS, *more)
    assert real.history.equals(replayed.history)
    assert (real.winner, real.test, real.epochs) == (replayed.winner, replayed.test, replayed.epochs)
    assert real.seconds > 0 and replayed.seconds > 0


def test_two_phase_adds_the_proxies_to_the_cost(world):
    from twophase.clustering import cluster_models

    root, records = world
    matrix = records.matrix()
    clusters = cluster_models(matrix, k=2, n_clusters=2)
    scores = pd.Series(0.5, index=clusters.representatives)
    whole = two_phase(RecordedRuns(records, "tissue"), matrix, records, clusters, scores, top=2, n_trends=2, proxy_seconds=7.0)
    part = fine_selection(RecordedRuns(records, "tissue"), whole.recall.index[:2], records, n_trends=2)
    assert whole.proxies == len(clusters.non_singletons) >= 1
    assert whole.epochs == part.epochs + 0.5 * whole.proxies and whole.seconds == part.seconds + 7.0
    assert whole.winner == part.winner and whole.recall["recalled"].sum() == 2


def test_checkpoints_resume_without_training_again(world, tmp_path, monkeypatch):
    root, _ = world
    first = successive_halving(live(root, checkpoints=tmp_path), MODELS)
    monkeypatch.setattr(training.FineTuning, "epoch", lambda self: pytest.fail("trained again"))
    again = successive_halving(live(root, checkpoints=tmp_path), MODELS)
    assert again.history.equals(first.history) and again.seconds == first.seconds and again.test == first.test


def test_checkpoints_of_another_run_are_refused(world, tmp_path):
    root, _ = world
    successive_halving(live(root, checkpoints=tmp_path), MODELS)
    other = LiveRuns({m: root / m for m in MODELS}, tasks.load(root / "surfaces"), CONFIG, checkpoints=tmp_path, progress=False)
    with pytest.raises(UserError, match="every model failed on this task.*is of another task"):
        successive_halving(other, MODELS)


def test_kill_and_resume(world, tmp_path):
    """kill -9 in the middle; the second process ends with the history of an undisturbed one."""
    root, _ = world
    program = f"""
import json, sys
from twophase import tasks, training
from twophase.runs import LiveRuns
from twophase.selection import successive_halving
runs = LiveRuns({{m: {str(root)!r} + "/" + m for m in {MODELS!r}}}, tasks.load({str(root / "tissue")!r}),
                training.TrainingConfig(epochs=3, learning_rate=2e-3), checkpoints={str(tmp_path / "kept")!r}, progress=False)
chosen = successive_halving(runs, {MODELS!r})
print(json.dumps([chosen.winner, chosen.test, chosen.history.to_json()]))
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.time() + 120
    while len(list((tmp_path / "kept").glob("*.pt"))) < 2 and time.time() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").glob("*.pt")}
    assert len(done) >= 2
    resumed = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    winner, test, history = json.loads(resumed.stdout.splitlines()[-1])
    undisturbed = successive_halving(live(root), MODELS)
    assert (winner, test) == (undisturbed.winner, undisturbed.test)
    assert pd.DataFrame(json.loads(history)).reset_index(drop=True)["val"].round(6).tolist() == (
        undisturbed.history["val"].round(6).tolist()
    )


def test_a_broken_model_is_reported_and_skipped(world, tmp_path):
    root, _ = world
    broken = shutil.copytree(root / "vit", tmp_path / "broken")
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[:1000])
    runs = LiveRuns({"broken": broken, "resnet": root / "resnet"}, tasks.load(root / "tissue"), CONFIG, progress=False)
    chosen = successive_halving(runs, ["broken", "resnet"])
    assert chosen.winner == "resnet"
    row = chosen.history.set_index(["stage", "model"]).loc[(1, "broken")]
    assert math.isnan(row["val"]) and not row["kept"] and "cannot be loaded" in row["reason"]


def test_a_diverging_run_is_reported_and_skipped(world, monkeypatch):
    root, _ = world
    honest = training.FineTuning.epoch

    def epoch(self):
        if self.model.config.model_type == "resnet":
            raise training.Diverged("the loss became nan in epoch 1")
        return honest(self)

    monkeypatch.setattr(training.FineTuning, "epoch", epoch)
    chosen = successive_halving(live(root), MODELS)
    assert "the loss became nan" in chosen.history.set_index("model").loc["resnet", "reason"].iloc[0] if isinstance(
        chosen.history.set_index("model").loc["resnet", "reason"], pd.Series
    ) else "the loss became nan" in chosen.history.set_index("model").loc["resnet", "reason"]
    assert chosen.winner != "resnet"


def test_replays_name_what_is_missing(records):
    with pytest.raises(UserError, match="no records of dataset 'z'; datasets: x, y, t"):
        RecordedRuns(records, "z")
    with pytest.raises(UserError, match="no records of model 'z' on 't'; models: a, b, c"):
        RecordedRuns(records, "t").advance(["z"])
    with pytest.raises(UserError, match="have no validation curve"):
        RecordedRuns(TrainingRecords.from_matrix(records.matrix()), "x")
    runs = RecordedRuns(records, "t")
    runs.advance(["a"])
    with pytest.raises(UserError, match="trained for 1 of 2 epochs"):
        runs.test("a")
    runs.advance(["a"])
    with pytest.raises(UserError, match="trained to the end"):
        runs.advance(["a"])
    assert runs.ledger.to_dict("list") == {"stage": [1, 2], "model": ["a", "a"], "epochs": [1, 1], "seconds": [1.0, 1.0]}
