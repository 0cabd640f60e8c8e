"""A run from data to a fine-tuned model: what comes out, what is kept, what a stop leaves."""

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

import twophase
from twophase.commands.select import finishing, inputs, settings
from twophase.commands.select.run import Stopped
from twophase.errors import UserError
from twophase.infra import locks
from twophase.training import finetuning

FAST = (
    "compute=serial",
    "training.epochs=2",
    "training.batch_size=8",
    "training.learning_rate=2e-3",
    "zoo.cut=0.2",
    "clustering.k=2",
)


def chosen(pictures, out, *more, **keys):
    zoo, photos = pictures
    return twophase.select(photos, *FAST, *more, zoo=zoo, out=out, progress=False, **keys)


def test_pictures_to_a_model_and_the_reasons(pictures, tmp_path, capsys):
    found = chosen(pictures, tmp_path / "run", top=3)
    printed = capsys.readouterr().out
    assert "the first of the ranking" in printed.lower() and "recall_score" in printed
    assert found.winner in pd.read_csv(pictures[0] / "records.csv")["model"].unique()
    assert found.recall["recalled"].sum() == 3 and set(found.history["model"]) == set(found.recall.index[:3])
    assert found.interval[0] <= found.test <= found.interval[1]
    trained = found.ledger["epochs"].sum()
    assert found.costs.loc["two-phase", "epochs"] == trained + 0.5 * len(found.facts["recall"]["scored"])
    assert found.costs.loc["brute force (estimate)", "epochs"] == 4 * 2 and found.costs["seconds"].gt(0).all()
    assert found.classes["test"].sum() == 32
    assert (found.classes["right"] * found.classes["test"]).sum() / 32 == pytest.approx(found.test)
    written = json.loads((tmp_path / "run" / "selection.json").read_text())
    assert written["winner"] == found.winner and written["test"] == found.test
    assert "Fine-selection" in written["selection"]["how"]
    assert printed.startswith("train: 64 files in train, 64 read; set apart: 6 for validation\n")
    assert "\ntest: 32 files in test, 32 read\n" in printed
    splits = written["data"]["splits"]
    assert [(name, one["rows"], one["read"], one["used"]) for name, one in splits.items()] == [
        ("train", 64, 64, 58), ("validation", 6, 6, 6), ("test", 32, 32, 32),
    ]  # fmt: skip


def test_the_winner_is_a_model_for_a_pipeline(pictures, tmp_path):
    from PIL import Image
    from transformers import pipeline

    found = chosen(pictures, tmp_path / "run", top=2)
    classify = pipeline("image-classification", model=str(found.model))
    files = sorted((pictures[1] / "test").glob("*/*.png"), key=lambda path: (path.parent.name, path.name))
    answers = [classify(Image.open(path).convert("RGB"))[0]["label"] for path in files]
    right = sum(answer == path.parent.name for answer, path in zip(answers, files, strict=True))
    assert right / len(files) == pytest.approx(found.test)
    card = (found.model / "README.md").read_text()
    assert f"Accuracy {found.test:.3f}" in card and "Fine-selection" in card and "representatives" in card


def test_the_report_needs_no_network_and_shows_everything(pictures, tmp_path):
    found = chosen(pictures, tmp_path / "run", top=3)
    html = found.report.read_text()
    assert html.count("data:image/png;base64,") == 2 * 4
    assert "http://" not in html and "https://" not in html and 'src="data:' in html
    for said in (
        "photos: " + found.winner,
        "Who was cut when",
        "trying all 4 models (estimate)",
        "Errors on the test split",
    ):
        assert said in html
    assert all(model in html for model in found.recall.index)
    assert "truncation" not in html and "tokens" not in html


def test_texts_without_records_are_scored_one_by_one_and_halved(texts, tmp_path, capsys):
    zoo, table = texts
    found = twophase.select(table, *FAST[:4], zoo=zoo, out=tmp_path / "run", progress=False, top=2)
    printed = capsys.readouterr().out
    assert "text column" in printed and "'message'" in printed and "'intent'" in printed
    assert "nothing is known of them" in found.facts["recall"]["how"] and len(found.facts["recall"]["scored"]) == 3
    assert found.facts["selection"]["how"].startswith("Successive halving")
    from transformers import pipeline

    long = "my red card was lost " * 100  # 500 words; the model reads 64 tokens
    answer = pipeline("text-classification", model=str(found.model), truncation=True)(long)[0]
    assert answer["label"] in ("card", "transfer", "rate")
    for said in (found.report.read_text(), (found.model / "README.md").read_text()):
        assert "truncation=True" in said and "the first 64 tokens" in said and "no test text is longer" in said


def test_sentence_pairs_are_two_columns(texts, tmp_path):
    rows = pd.read_csv(texts[1])
    pairs = pd.DataFrame({"first": rows["message"], "second": rows["message"].to_numpy()[::-1]})
    pairs["same"] = ["yes" if a == b else "no" for a, b in zip(rows["intent"], rows["intent"][::-1], strict=True)]
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    found = twophase.select(
        tmp_path / "pairs.csv", *FAST[:4], text="first", text_pair="second", label="same", zoo=texts[0],
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(found.model))
    answer = classify({"text": "my red card was lost", "text_pair": "my blue card was lost"})
    assert answer["label"] in ("yes", "no") and set(found.classes.index) == {"yes", "no"}


def test_the_same_command_again_trains_and_scores_nothing(pictures, tmp_path, epochs, monkeypatch):
    first = chosen(pictures, tmp_path / "run", top=3)
    begun = len(epochs)
    assert begun == first.ledger["epochs"].sum()
    from twophase.training import features as inference

    monkeypatch.setattr(inference, "extract", None)  # scoring again would fail
    again = chosen(pictures, tmp_path / "run", top=3)
    assert len(epochs) == begun
    assert again.history.equals(first.history) and again.test == first.test
    more = chosen(pictures, tmp_path / "run", "overwrite=true", top=4)  # one model more: only what is new is trained
    assert len(more.ledger) > len(first.ledger) and len(epochs) < begun + len(more.ledger)


def test_stopped_it_saves_the_best_so_far_and_goes_on(pictures, tmp_path, epochs):
    undisturbed = chosen(pictures, tmp_path / "whole", top=4)
    epochs.interrupt(3)
    with pytest.raises(Stopped) as stopped:
        chosen(pictures, tmp_path / "run", top=4)
    outcome = stopped.value.outcome
    assert not outcome.finished and (outcome.model / "model.safetensors").is_file()
    assert outcome.history["val"].between(0, 1).all() and outcome.history["val"].nunique() > 0
    assert outcome.ledger["epochs"].sum() == 2 and "best so far" in str(outcome)
    assert "The run was stopped" in outcome.report.read_text()
    resumed = chosen(pictures, tmp_path / "run", top=4)
    assert resumed.finished and resumed.winner == undisturbed.winner and resumed.test == undisturbed.test
    assert resumed.history.equals(undisturbed.history)


def test_stopped_before_any_epoch_there_is_no_outcome(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning.FineTuning, "epoch", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(Stopped) as stopped:
        chosen(pictures, tmp_path / "run", top=2)
    assert stopped.value.outcome is None and not (tmp_path / "run" / "model").exists()


def test_killed_it_goes_on_with_the_same_command(pictures, tmp_path):
    zoo, photos = pictures
    command = [sys.executable, "-m", "twophase", "select", "task=image_folder", f"task.path={photos}", "zoo=folder",
               f"zoo.path={zoo}", f"out={tmp_path / 'run'}", "recall.top=4", *FAST]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"TQDM_DISABLE": "1"}
    )
    kept = tmp_path / "run" / "checkpoints"
    deadline = time.monotonic() + 180  # a busy machine takes a minute to import
    while not list(kept.glob("*/*.pt")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(kept.glob("*/*.pt"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "test accuracy" in done.stdout and (tmp_path / "run" / "report.html").is_file()


def test_a_broken_model_is_reported_and_skipped(pictures, tmp_path, capsys):
    zoo = tmp_path / "zoo"
    shutil.copytree(pictures[0], zoo)
    whole = chosen((zoo, pictures[1]), tmp_path / "whole", top=3)
    first = whole.facts["recall"]["scored"]
    for name in first:  # every representative
        (zoo / name / "config.json").write_text('{"model_type": "of another library"}')
    if len(first) == 4:
        pytest.skip("every model is a representative here")
    found = chosen((zoo, pictures[1]), tmp_path / "run", top=3)
    assert found.winner not in first and set(first) <= set(found.facts["failures"])
    assert "cannot be scored" in capsys.readouterr().out
    assert all(name in found.report.read_text() for name in first)


def test_another_metric_is_what_it_is_judged_by(pictures, tmp_path):
    found = chosen(pictures, tmp_path / "run", "metric=macro_f1", top=2)
    how = found.facts["selection"]["how"]
    assert found.metric == "macro_f1" and "the better half by macro F1 was kept" in how and "of accuracy" in how
    from sklearn.metrics import f1_score
    from transformers import pipeline

    files = sorted((pictures[1] / "test").glob("*/*.png"))
    classify = pipeline("image-classification", model=str(found.model))
    answers = [classify(str(path))[0]["label"] for path in files]
    assert found.score == pytest.approx(f1_score([path.parent.name for path in files], answers, average="macro"))


def test_another_precision_is_another_run_of_the_same_folder(pictures, tmp_path, epochs):
    plain = chosen(pictures, tmp_path / "run", top=2)
    begun = len(epochs)
    mixed = chosen(pictures, tmp_path / "run", "hardware.precision=bfloat16", "overwrite=true", top=2)
    assert len(epochs) == 2 * begun and mixed.finished and plain.test >= 0
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"2-accuracy", "2-accuracy-bfloat16"}


def test_a_budget_of_epochs_is_kept(pictures, tmp_path, capsys):
    found = chosen(pictures, tmp_path / "run", "budget.epochs=4", top=4)
    assert found.costs.loc["two-phase", "epochs"] <= 4
    assert "The budget of 4 epochs allows" in capsys.readouterr().out


def test_a_budget_too_small_for_one_epoch_says_what_was_spent(pictures, tmp_path):
    with pytest.raises(UserError, match=r"the budget \(0.0001 minutes\) is spent by recall .* raise budget.minutes"):
        chosen(pictures, tmp_path / "run", minutes=0.0001)


def test_minutes_are_watched_while_models_train(pictures, tmp_path, monkeypatch, capsys):
    from twophase.commands.select import fine_selecting

    now = [0.0]
    monkeypatch.setattr(fine_selecting.time, "monotonic", lambda: now[0])
    honest = finetuning.FineTuning.epoch

    def epoch(self):  # the first is quick, which is what the plan goes by; the others take a minute
        now[0] += 60 * bool(trained)
        trained.append(1)
        return honest(self)

    trained: list[int] = []
    monkeypatch.setattr(finetuning.FineTuning, "epoch", epoch)
    found = chosen(pictures, tmp_path / "run", top=4, minutes=2.5)
    assert len(trained) == 3 and found.ledger["epochs"].sum() == 3 and not found.finished
    assert "The budget of 2.5 minutes ended the training after 2.0" in capsys.readouterr().out
    assert "best so far" in str(found) and "The budget of 2.5 minutes ended" in found.report.read_text()
    assert chosen(pictures, tmp_path / "run", top=4, minutes=100).finished and len(trained) > 3


def test_minutes_that_are_over_before_the_first_epoch(pictures, tmp_path, monkeypatch):
    from twophase.commands.select import fine_selecting

    now = iter(range(0, 10**6, 100))
    monkeypatch.setattr(fine_selecting.time, "monotonic", lambda: next(now))
    with pytest.raises(UserError, match="1 minutes ended the training after 1.7; .* None has finished an epoch"):
        chosen(pictures, tmp_path / "run", top=2, minutes=1)


@pytest.mark.usefixtures("two_threads")
def test_side_by_side_it_selects_the_same(pictures, tmp_path):
    one = chosen(pictures, tmp_path / "one", top=4)
    two = chosen(pictures, tmp_path / "two", "compute=local", "compute.workers=2", top=4)
    assert two.winner == one.winner and two.test == one.test and two.history.equals(one.history)
    assert two.ledger.drop(columns="seconds").equals(one.ledger.drop(columns="seconds"))


def test_another_tasks_folder_is_left_alone(pictures, texts, tmp_path):
    chosen(pictures, tmp_path / "run", top=2)
    before = (tmp_path / "run" / "selection.json").read_bytes()
    with pytest.raises(UserError, match="holds a run of another task .*photos"):
        twophase.select(texts[1], zoo=texts[0], out=tmp_path / "run", progress=False)
    assert (tmp_path / "run" / "selection.json").read_bytes() == before


def test_a_second_run_on_the_same_folder_says_who_has_it(pictures, tmp_path):
    with locks.held(tmp_path / ".lock"), pytest.raises(UserError, match=rf"in use by process {os.getpid()} on .*out=…"):
        chosen(pictures, tmp_path, top=2)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_model_that_reads_back_otherwise_is_no_success_and_replaces_nothing(pictures, tmp_path, monkeypatch):
    chosen(pictures, tmp_path / "run", top=2)
    weights = tmp_path / "run" / "model" / "model.safetensors"
    before, honest = weights.read_bytes(), finetuning.FineTuning.save

    def save(self, folder):
        honest(self, folder)
        content = bytearray((folder / "model.safetensors").read_bytes())
        content[-1] ^= 1  # a bit of the last weight
        (folder / "model.safetensors").write_bytes(content)

    monkeypatch.setattr(finetuning.FineTuning, "save", save)
    (tmp_path / "run" / ".new-left").mkdir()
    with pytest.raises(UserError, match="reads back with other weights; nothing in it was replaced"):
        chosen(pictures, tmp_path / "run", top=2)
    assert weights.read_bytes() == before and not list((tmp_path / "run").glob(".new-*"))


def test_a_full_disk_is_one_message_and_nothing_is_lost(pictures, tmp_path, monkeypatch):
    import errno

    from twophase.training.resumable import Checkpoints

    honest, count = Checkpoints.write, []

    def write(self, *arguments):
        count.append(1)
        if len(count) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return honest(self, *arguments)

    monkeypatch.setattr(Checkpoints, "write", write)
    with pytest.raises(UserError, match="no space is left for .*; what was finished is kept"):
        chosen(pictures, tmp_path / "run", top=3)
    assert len(list((tmp_path / "run" / "checkpoints").glob("*/*.pt"))) == 1
    monkeypatch.setattr(Checkpoints, "write", honest)
    assert chosen(pictures, tmp_path / "run", top=3).finished


def test_a_disk_that_is_really_full(pictures, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small tmpfs cannot be mounted here")
    try:
        with pytest.raises(UserError, match="no space is left for"):
            chosen(pictures, disk / "run", top=4)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_models_with_wrong_shapes_are_skipped(pictures, tmp_path):
    zoo = tmp_path / "zoo"
    shutil.copytree(pictures[0], zoo)
    config = json.loads((zoo / "resnet" / "config.json").read_text())
    config["hidden_sizes"] = [size * 2 for size in config["hidden_sizes"]]
    (zoo / "resnet" / "config.json").write_text(json.dumps(config))
    found = chosen((zoo, pictures[1]), tmp_path / "run", top=4)
    assert found.winner != "resnet" and "resnet" in found.facts["failures"]


def test_brute_force_is_scaled_by_what_records_took(pictures):
    given = settings.compose([f"task.path={pictures[1]}", "zoo=folder", f"zoo.path={pictures[0]}"])
    own = inputs.open_candidates(given.zoo, given.training, "image", print)
    known = own.records.frame.groupby("model")["seconds"].mean()
    ledger = pd.DataFrame({"stage": [1], "model": ["vit"], "epochs": [1], "seconds": [3 * known["vit"]]})
    assert finishing.brute_force_seconds(own, ledger, epochs=5) == pytest.approx(5 * 3 * known.sum())


def test_help_shows_examples_and_select_is_there_without_loading_it():
    done = subprocess.run([sys.executable, "-m", "twophase", "select", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "twophase select photos/ " in done.stdout
    assert "Ctrl-C" in done.stdout
    light = "import sys, twophase; sys.exit('torch' in sys.modules or not callable(twophase.select))"
    assert subprocess.run([sys.executable, "-c", light]).returncode == 0
    assert Path(twophase.__file__).is_file() and "select" in twophase.__all__
