import gc
import json
import math
import shutil
import signal
import subprocess
import sys
import weakref

import pandas as pd
import pytest
import small_zoo

from twophase.errors import UserError
from twophase.records import TrainingRecords
from twophase.runs import LiveRuns, RecordedRuns
from twophase.selection import brute_force, fine_selection, successive_halving
from twophase.training import finetuning, tasks
from twophase.training.encoding import encode, task_digest

CONFIG = finetuning.TrainingConfig(epochs=3, learning_rate=2e-3)
SIZES = {"train": 96, "validation": 64, "test": 64}
MODELS = ("vit", "resnet", "untrained", "regnet")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Four small models, two benchmark datasets, one target, and the records of all cells."""
    root = tmp_path_factory.mktemp("world")
    small_zoo.draw(root, ("photographs", "degradation", "surfaces", "tissue"), SIZES)
    small_zoo.build(root, MODELS, root)
    rows = []
    for model in MODELS:
        for dataset in ("degradation", "surfaces", "tissue"):
            role = "target" if dataset == "tissue" else "benchmark"
            for row in finetuning.train_cell(root / model, root / dataset, CONFIG, seed=0):
                rows.append({"model": model, "dataset": dataset, "role": role, "seed": 0, **row})
    return root, TrainingRecords.from_frame(pd.DataFrame(rows))


def live(root, folders=None, task="tissue", config=CONFIG, seed=0, **options):
    folders = folders or {model: root / model for model in MODELS}
    options = {"progress": False, "dataset": task} | options
    return LiveRuns(folders, tasks.load(root / task), config, seed, **options)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("method", [brute_force, successive_halving, fine_selection])
def test_live_and_replayed_give_one_history(world, tmp_path, method, kept):
    root, records = world
    more = (records, 0.0, 2) if method is fine_selection else ()
    running, replaying = live(root, checkpoints=tmp_path if kept else None), RecordedRuns(records, "tissue")
    real, replayed = method(running, MODELS, *more), method(replaying, MODELS, *more)
    assert real.history.equals(replayed.history)
    assert (real.winner, real.test, real.epochs) == (replayed.winner, replayed.test, replayed.epochs)
    assert running.ledger.drop(columns="seconds").equals(replaying.ledger.drop(columns="seconds"))
    assert real.seconds > 0 and replayed.seconds > 0


def test_a_task_encoded_before_gives_the_same_history(world):
    root, _ = world
    encoded = encode(tasks.load(root / "tissue"), root / "vit")
    runs = LiveRuns({model: root / model for model in MODELS}, encoded, CONFIG, progress=False)
    assert successive_halving(runs, MODELS).history.equals(successive_halving(live(root), MODELS).history)


def test_checkpoints_resume_without_training_again(world, tmp_path, epochs):
    root, _ = world
    first = successive_halving(live(root, checkpoints=tmp_path), MODELS)
    assert len(epochs) == first.epochs == 4 + 2 + 1
    again = successive_halving(live(root, checkpoints=tmp_path), MODELS)
    assert len(epochs) == first.epochs
    assert again.history.equals(first.history) and (again.seconds, again.test) == (first.seconds, first.test)
    brute_force(live(root, checkpoints=tmp_path), MODELS)  # goes on with the models that halving had cut
    assert len(epochs) == 4 * 3


def test_what_was_kept_but_never_entered_counts_as_trained(world, tmp_path):
    """As after Ctrl-C before a worker has handed over what it finished."""
    root, _ = world
    before = live(root, checkpoints=tmp_path)
    before.advance(MODELS[:2])
    before.advance(MODELS[:1])
    runs = live(root, checkpoints=tmp_path)
    name, run = runs.so_far()
    assert (name, run.done) == (MODELS[0], 2) and len(runs.ledger) == 3
    key = ["stage", "model"]
    assert runs.ledger.sort_values(key, ignore_index=True).equals(before.ledger.sort_values(key, ignore_index=True))
    assert runs.so_far()[0] == name and len(runs.ledger) == 3


def test_a_second_selection_on_the_same_live_runs_trains_what_is_missing_only(world, epochs):
    root, records = world
    runs = live(root)
    halved, whole = successive_halving(runs, MODELS), brute_force(runs, MODELS)
    assert len(epochs) == 4 * 3 and (halved.epochs, whole.epochs) == (7, 12)
    assert whole.history.equals(brute_force(RecordedRuns(records, "tissue"), MODELS).history)


@pytest.mark.parametrize("same_object", [False, True])
def test_interrupted_in_an_epoch_and_resumed(world, tmp_path, monkeypatch, same_object):
    """Ctrl-C after an epoch's training, before its validation; alone, the model is still in memory then."""
    root, _ = world
    undisturbed = brute_force(live(root), ["vit"])
    honest, scored = finetuning.FineTuning._scored, []

    def accuracy(self, split):
        scored.append((self.done, split))
        if len(scored) == 2:
            raise KeyboardInterrupt
        return honest(self, split)

    monkeypatch.setattr(finetuning.FineTuning, "_scored", accuracy)
    runs = live(root, checkpoints=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        brute_force(runs, ["vit"])
    assert runs.failures == {} and len(runs.ledger) == 1
    resumed = brute_force(runs if same_object else live(root, checkpoints=tmp_path), ["vit"])
    assert scored == [*((n, "validation") for n in (0, 1, 1, 2)), (3, "test")]  # the interrupted epoch again, no other
    assert resumed.history.equals(undisturbed.history) and resumed.test == undisturbed.test


def test_kill_and_resume(world, tmp_path):
    """kill -9 within an epoch; the next process trains what is missing and ends as an undisturbed run does."""
    import torch

    root, _ = world
    program = """
import os, signal, sys, torch
from twophase.training import tasks
from twophase.training import finetuning
from twophase.runs import LiveRuns
from twophase.selection import successive_halving
root, kept, models, threads, die_at = sys.argv[1], sys.argv[2], sys.argv[3].split(","), int(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(threads)
begun, honest = [], finetuning.FineTuning._scored
def accuracy(self, split):
    begun.append(split)
    if len(begun) == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return honest(self, split)
finetuning.FineTuning._scored = accuracy
config = finetuning.TrainingConfig(epochs=3, learning_rate=2e-3)
folders = {model: f"{root}/{model}" for model in models}
runs = LiveRuns(folders, tasks.load(f"{root}/tissue"), config, checkpoints=kept, progress=False, dataset="tissue")
chosen = successive_halving(runs, models)
print(begun.count("validation"), chosen.winner, repr(chosen.test), chosen.history.to_csv(), sep="|")
"""
    arguments = [sys.executable, "-c", program, str(root), str(tmp_path / "kept"), ",".join(MODELS)]
    arguments.append(str(torch.get_num_threads()))  # sums over other numbers of threads differ in the last bit
    killed = subprocess.run([*arguments, "6"], stdout=subprocess.DEVNULL)
    assert killed.returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").glob("*.pt")}
    assert len(kept) == 4 and sum(len(torch.load(path, weights_only=True)["val"]) for path in kept) == 5
    resumed = subprocess.run([*arguments, "0"], capture_output=True, text=True, check=True)
    begun, winner, test, history = resumed.stdout.rstrip("\n").split("|")
    undisturbed = successive_halving(live(root), MODELS)
    assert int(begun) == 7 - 5
    assert (winner, float(test)) == (undisturbed.winner, undisturbed.test)
    assert history.strip() == undisturbed.history.to_csv().strip()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"task": "surfaces"}, "task"),
        ({"seed": 1}, "seed"),
        ({"config": finetuning.TrainingConfig(epochs=3, learning_rate=1e-3)}, "training"),
    ],
)
def test_checkpoints_of_another_run_are_refused(world, tmp_path, changed, named):
    root, _ = world
    live(root, checkpoints=tmp_path).advance(["vit"])
    with pytest.raises(UserError, match=rf"another run's checkpoints \({named} differ\); give another folder"):
        live(root, checkpoints=tmp_path, **changed)


def test_checkpoints_that_another_version_kept_are_trained_anew(world, tmp_path):
    root, _ = world
    live(root, checkpoints=tmp_path).advance(["vit"])
    note = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(note | {"checkpoint version": 0}))
    assert live(root, checkpoints=tmp_path).kept_seconds() == 0 and not list(tmp_path.glob("*.pt"))
    assert json.loads((tmp_path / "run.json").read_text()) == note


def test_checkpoints_of_another_model_of_that_name_are_refused(world, tmp_path):
    root, _ = world
    live(root, checkpoints=tmp_path).advance(["vit", "resnet"])
    folders = {"vit": root / "untrained", "resnet": root / "resnet"}
    with pytest.raises(UserError, match="trained from other weights than 'vit' has now"):
        successive_halving(live(root, folders, checkpoints=tmp_path), ["resnet", "vit"])


def test_a_damaged_checkpoint_is_named(world, tmp_path):
    root, _ = world
    live(root, checkpoints=tmp_path).advance(["vit"])
    (file,) = tmp_path.glob("vit-*.pt")
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError, match="vit-.* is damaged .* delete it to train 'vit' again"):
        live(root, checkpoints=tmp_path).advance(["vit"])


def test_names_that_a_file_cannot_hold_are_kept_apart(world, tmp_path):
    root, _ = world
    folders = {"org/vit": root / "vit", "org-vit": root / "resnet", "../vit": root / "untrained"}
    first = live(root, folders, checkpoints=tmp_path).advance(folders)
    assert len(list(tmp_path.glob("*.pt"))) == 3
    assert live(root, folders, checkpoints=tmp_path).advance(folders).equals(first)


def test_one_model_is_in_memory(world, monkeypatch):
    root, _ = world
    made, honest = [], finetuning.FineTuning.__init__

    def init(self, *args, **options):
        gc.collect()
        assert sum(run() is not None for run in made) == 0, "a model is loaded beside another"
        made.append(weakref.ref(self))
        honest(self, *args, **options)

    monkeypatch.setattr(finetuning.FineTuning, "__init__", init)
    gc.freeze()  # what other tests left is not looked through each time
    brute_force(live(root), MODELS)
    gc.unfreeze()
    assert len(made) >= len(MODELS)


def test_what_nobody_keeps_goes_with_the_runs(world, tmp_path, monkeypatch):
    root, _ = world
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    runs = live(root)
    runs.advance(["vit"])
    assert list(tmp_path.glob("twophase-*/vit-*.pt"))
    del runs
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_broken_model_is_reported_and_skipped(world, tmp_path):
    root, _ = world
    broken = shutil.copytree(root / "vit", tmp_path / "broken")
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[:1000])
    folders = {"broken": broken, "gone": tmp_path / "gone", "resnet": root / "resnet"}
    runs = live(root, folders, checkpoints=tmp_path / "kept")
    chosen = successive_halving(runs, folders)
    assert chosen.winner == "resnet" and chosen.epochs == 3
    first = chosen.history[chosen.history["stage"] == 1].set_index("model")
    assert math.isnan(first.loc["broken", "val"]) and not first.loc["broken", "kept"]
    assert "is no safetensors file" in first.loc["broken", "reason"] and first.loc["gone", "reason"].startswith(
        "failed: "
    )
    assert set(runs.failures) == {"broken", "gone"}
    (broken / "model.safetensors").write_bytes(weights)  # mended, it is trained by the next run
    again = live(root, folders, checkpoints=tmp_path / "kept").advance(["broken"])
    assert again["broken"] == live(root).advance(["vit"])["vit"]


def test_a_diverging_run_is_reported_skipped_and_not_trained_again(world, tmp_path, epochs):
    from safetensors.torch import load_file, save_file

    root, _ = world
    wild = shutil.copytree(root / "resnet", tmp_path / "wild")
    weights = load_file(wild / "model.safetensors")
    name = max(weights, key=lambda key: weights[key].numel())
    save_file(weights | {name: weights[name] * math.nan}, wild / "model.safetensors", metadata={"format": "pt"})
    folders = {"wild": wild, "vit": root / "vit"}
    chosen = brute_force(live(root, folders, checkpoints=tmp_path / "kept"), folders)
    row = chosen.history.set_index(["stage", "model"]).loc[(1, "wild")]
    assert row["reason"] == "failed: the loss became nan in epoch 1" and not row["kept"]
    assert chosen.winner == "vit" and chosen.epochs == 3 and epochs.count("resnet") == 1
    again = brute_force(live(root, folders, checkpoints=tmp_path / "kept"), folders)
    assert epochs.count("resnet") == 1 and again.history.equals(chosen.history) and again.seconds == chosen.seconds


def test_whatever_else_goes_wrong_with_a_model_does_not_end_the_run(world, monkeypatch):
    root, _ = world
    honest = finetuning.FineTuning.epoch

    def epoch(self):
        if self.model.config.model_type == "resnet" and self.done == 1:
            raise RuntimeError("out of memory")
        return honest(self)

    monkeypatch.setattr(finetuning.FineTuning, "epoch", epoch)
    runs = live(root)
    chosen = brute_force(runs, MODELS)
    reasons = chosen.history.set_index(["stage", "model"])["reason"]
    assert reasons[1, "resnet"] == "kept" and reasons[2, "resnet"] == "failed: RuntimeError: out of memory"
    assert chosen.epochs == 3 * 3 + 1 and (3, "resnet") not in reasons.index
    booked = len(runs.ledger)
    assert math.isnan(runs.advance(["resnet"])["resnet"]) and len(runs.ledger) == booked


def test_one_class_is_said_as_such(world):
    root, _ = world
    task = tasks.load(root / "tissue")
    task["train"] = task["train"].filter(lambda row: row["label"] == 0)
    runs = LiveRuns({"vit": root / "vit"}, task, CONFIG, progress=False)
    with pytest.raises(UserError, match="every model failed.*one class only"):
        successive_halving(runs, ["vit"])


def test_progress_names_the_stage(world, capsys):
    root, _ = world
    live(root, progress=True).advance(["vit"])
    assert "stage 1 of 3" in capsys.readouterr().err
    live(root).advance(["vit"])
    assert capsys.readouterr().err == ""


def test_unknown_and_missing_models_are_named(world):
    root, _ = world
    with pytest.raises(UserError, match="unknown model 'vti'; models: vit, resnet"):
        live(root).advance(["vti"])
    with pytest.raises(UserError, match="no models to train"):
        LiveRuns({}, tasks.load(root / "tissue"), CONFIG)
    with pytest.raises(UserError, match="trained for 0 of 3 epochs"):
        live(root).trained("vit")


def test_task_digest_sees_rows_order_and_classes(world):
    root, _ = world
    task = tasks.load(root / "tissue")
    digest = task_digest(task)
    assert task_digest(tasks.load(root / "tissue")) == digest
    for rows in (task["train"].select(range(95)), task["train"].select([1, 0, *range(2, 96)])):
        other = tasks.load(root / "tissue")
        other["train"] = rows
        assert task_digest(other) != digest
    renamed = tasks.load(root / "tissue")
    names = [f"class {i}" for i in range(renamed["train"].features["label"].num_classes)]
    feature = type(renamed["train"].features["label"])(names=names)
    assert task_digest(renamed.cast_column("label", feature)) != digest
    encoded = encode(task, root / "vit")
    assert task_digest(encoded) == task_digest(encode(task, root / "vit"))
    encoded.labels["train"][0] += 1
    assert task_digest(encoded) != task_digest(encode(task, root / "vit"))


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
    assert runs.ledger.to_dict("list") == {
        "stage": [1, 2],
        "model": ["a", "a"],
        "epochs": [1, 1],
        "seconds": [1.0, 1.0],
    }
