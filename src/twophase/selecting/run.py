"""A run: the task, recall, fine-selection, the winner; everything kept in one folder, so that it can be stopped and go on."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from .. import tasks
from ..checkpoints import task_digest
from ..compute import single_thread
from ..errors import Unreachable, UserError
from ..loading import load_processor, modality
from ..runs import LiveRuns
from ..selection import Selection, fine_selection, successive_halving
from ..tasks import files
from .budget import Plan, plan
from .outcome import Outcome, by_class, wilson
from .recalling import Recalled, recall
from .settings import Settings
from .shelf import Shelf, open_shelf

TRAINING_TO_SCORING = 4.0  # an epoch of fine-tuning takes about so many times a pass without gradients
PIPELINES = {"text": "text-classification", "image": "image-classification"}
SHOWN = 10  # models of the ranking on the screen


class Stopped(KeyboardInterrupt):
    """Ctrl-C; what was reached is in `outcome`, None if nothing was."""

    def __init__(self, outcome: Outcome | None):
        super().__init__()
        self.outcome = outcome


def run(given: Settings, say: Callable[[str], None] = print, progress: bool = True) -> Outcome:
    """Select a model for a task and fine-tune it.

    Args:
        given: see `settings.compose`.
        say: told what happens, a line at a time.
        progress: whether to show bars.

    Raises:
        UserError: anything wrong with data, models, budget or folder, before long work where it can be known.
        Stopped: interrupted; the best model so far is saved, and the same call goes on.
    """
    folder = Path(given.out).expanduser() if given.out else Path("runs") / (Path(given.task.path).stem or "task")
    import torch  # noqa: F401  an interrupt in the middle of this import would leave nothing that can save a model

    with _room(folder), single_thread():  # threads of small models would wait for each other on a busy machine
        return _run(given, folder, say, progress)


def _run(given: Settings, folder: Path, say: Callable[[str], None], progress: bool) -> Outcome:
    data = _data(given)
    for line in (*data.guesses, *data.notes):
        say(line)
    sizes = ", ".join(f"{len(rows)} {split}" for split, rows in data.task.items())
    say(f"{len(data.counts)} classes; {sizes} examples.")
    what = "image" if "image" in data.task["train"].features else "text"
    _open(folder, data.task, given.task.path)
    shelf = open_shelf(given, what, say)
    if given.recall.top > len(shelf.folders):
        say(f"recall.top is {given.recall.top}, {shelf.name} has {len(shelf.folders)} models: all of them are kept.")
    tasks.save(data.task, folder / "task")

    found = recall(given, shelf, folder / "task", say, progress)
    say(f"{found.how} in {sum(found.scored.values()):.0f} s. The first of the ranking:")
    say(found.table.drop(columns="recalled").head(SHOWN).to_string(float_format=lambda value: f"{value:.3f}"))

    spent = sum(found.scored.values())
    top = min(given.recall.top, len(found.table))
    per_epoch = TRAINING_TO_SCORING * spent / max(1, len(found.scored))
    planned = plan(
        top, shelf.training.epochs, given.budget, given.recall.epochs_per_proxy * len(found.scored), spent, per_epoch
    )
    if planned.said:
        say(planned.said)
    training = replace(shelf.training, epochs=planned.epochs)
    folders, unreached = _reached(shelf, found.models, planned.top, say)
    found.failures.update(unreached)
    runs = LiveRuns(
        folders, tasks.load(folder / "task"), training, given.seed,
        folder / "checkpoints" / f"{planned.epochs}-{given.metric.replace('/', '-')}", progress,
        metric=given.metric, trust_remote_code=given.trust_remote_code,
    )  # fmt: skip
    try:
        chosen, how = _select(given, shelf, runs, list(folders))
    except KeyboardInterrupt:
        raise Stopped(_best_so_far(given, folder, shelf, found, planned, runs, data, what)) from None
    return _finish(given, folder, shelf, found, planned, runs, data, what, chosen, how)


def _data(given: Settings) -> files.FileTask:
    """The task, from files or from a hub."""
    source = asdict(given.task)
    kind, path, name = (source.pop(key) for key in ("kind", "path", "name"))
    if kind != "hub":
        if name is not None:
            raise UserError(f"task.name={name} names a configuration of task=hub; leave it out for task={kind}.")
        return files.read(kind, path, **source, seed=given.seed)
    from ..hub import fetch_dataset
    from ..tasks.shards import gather

    with tempfile.TemporaryDirectory() as folder:
        return files.read("parquet", gather(fetch_dataset(path, name), folder), **source, seed=given.seed)


def _reached(
    shelf: Shelf, ranked: list[str], top: int, say: Callable[[str], None]
) -> tuple[dict[str, Path], dict[str, str]]:
    """The first models of the ranking whose files are there or can be brought, and why others cannot."""
    folders, failures = {}, {}
    for model in ranked:
        if len(folders) == top:
            break
        try:
            folders[model] = shelf.folder(model)
        except Unreachable:
            raise
        except UserError as error:
            failures[model] = str(error)
            say(f"{model} cannot be had ({error}); the next of the ranking takes its place.")
    if not folders:
        raise UserError(f"no model of the ranking can be had; the first reason: {next(iter(failures.values()))}")
    return folders, failures


def _select(given: Settings, shelf: Shelf, runs: LiveRuns, recalled: list[str]) -> tuple[Selection, str]:
    if given.metric != "accuracy":
        how = f"Successive halving by {given.metric}: the models' curves on benchmark datasets are accuracies, so no result was predicted."
        return successive_halving(runs, recalled), how
    if shelf.records is None or not shelf.curves:
        how = "Successive halving: the models' curves on benchmark datasets are not known, so no result was predicted."
        return successive_halving(runs, recalled), how
    chosen, known = given.selection, shelf.records
    trends = min(chosen.n_trends, len(known.datasets()))
    how = (
        f"Fine-selection: after every epoch the better half was kept, without those whose {trends} convergence trends on "
        f"{len(known.datasets())} benchmark datasets predict that they end below a better one."
    )
    return fine_selection(runs, recalled, known, chosen.threshold, trends, chosen.threshold_kind, given.seed), how


def _best_so_far(
    given: Settings,
    folder: Path,
    shelf: Shelf,
    found: Recalled,
    planned: Plan,
    runs: LiveRuns,
    data: files.FileTask,
    what: str,
) -> Outcome | None:
    ledger = runs.ledger
    try:
        name, _ = runs.so_far()
    except UserError:
        return None
    history = ledger.assign(val=float("nan"), predicted=float("nan"), kept=True, reason="stopped")
    history = history[["stage", "model", "val", "predicted", "kept", "reason"]]
    chosen = Selection(name, float("nan"), float(ledger["epochs"].sum()), float(ledger["seconds"].sum()), history)
    return _finish(
        given, folder, shelf, found, planned, runs, data, what, chosen, "The run was stopped.", finished=False
    )


def _finish(
    given: Settings, folder: Path, shelf: Shelf, found: Recalled, planned: Plan, runs: LiveRuns, data: files.FileTask,
    what: str, chosen: Selection, how: str, finished: bool = True,
) -> Outcome:  # fmt: skip
    """Save the winner and write down what was found."""
    trained = runs.trained(chosen.winner) if finished else runs.so_far()[1]
    predicted, labels = trained.predict("test").argmax(1), trained.task.labels["test"].numpy()
    right = int((predicted == labels).sum())
    judged = right / len(labels) if given.metric == "accuracy" else trained.test()
    train = trained.task.labels["train"]
    baseline = float((labels == int(train.bincount().argmax())).mean())
    model = folder / "model"
    proxies = given.recall.epochs_per_proxy * len(found.scored)
    costs = pd.DataFrame(
        {
            "epochs": [chosen.epochs + proxies, float(len(shelf.folders) * planned.epochs)],
            "seconds": [
                chosen.seconds + sum(found.scored.values()),
                brute_force_seconds(shelf, runs.ledger, planned.epochs),
            ],
        },
        index=["two-phase", "brute force (estimate)"],
    ).rename_axis("method")
    interval = wilson(right, len(labels))
    outcome = Outcome(
        winner=chosen.winner, test=right / len(labels), interval=interval, baseline=baseline, model=model,
        metric=given.metric, score=judged, recall=found.table, history=chosen.history, ledger=runs.ledger, costs=costs,
        classes=by_class(labels, predicted, trained.task.classes), folder=folder, finished=finished,
        facts={
            "winner": chosen.winner, "finished": finished, "test": right / len(labels), "metric": given.metric, "score": judged, "interval": list(interval),
            "baseline": baseline, "pipeline": PIPELINES[what], "zoo": shelf.name,
            "data": {"path": given.task.path, "classes": len(trained.task.classes), "notes": [*data.guesses, *data.notes],
                     **{split: len(rows) for split, rows in data.task.items()}},
            "training": asdict(shelf.training) | {"epochs": planned.epochs}, "budget": planned.said,
            "recall": {"how": found.how, "scored": found.scored,
                       "ranking": json.loads(found.table.reset_index().to_json(orient="records"))},
            "selection": {"how": how, "history": json.loads(chosen.history.to_json(orient="records"))},
            "costs": json.loads(costs.to_json(orient="index")),
            "failures": shelf.left_out | found.failures | runs.failures,
        },
    )  # fmt: skip
    _save(outcome, trained, shelf.folder(chosen.winner))
    from . import report

    outcome.write()
    report.write(outcome)
    return outcome


def _save(outcome: Outcome, trained, source: Path) -> None:
    """The winner with its tokenizer or image processor and a card, whole or not at all."""
    new = outcome.model.with_name("model.new")
    shutil.rmtree(new, ignore_errors=True)
    trained.save(new)
    load_processor(source).save_pretrained(new)
    (new / "README.md").write_text(card(outcome, modality(source)), encoding="utf-8")
    shutil.rmtree(outcome.model, ignore_errors=True)
    new.rename(outcome.model)


def card(outcome: Outcome, what: str) -> str:
    """A model card: data, score, and how the model was selected."""
    facts, (low, high) = outcome.facts, outcome.interval
    data = facts["data"]
    return f"""---
pipeline_tag: {PIPELINES[what]}
library_name: transformers
---
# {outcome.winner}, fine-tuned on {Path(data["path"]).name}

Accuracy {outcome.test:.3f} (95 % interval {low:.3f} to {high:.3f}) on {data["test"]} test examples of {data["classes"]} classes; always answering the
most frequent class gives {outcome.baseline:.3f}. Trained on {data["train"]} examples, {facts["training"]["epochs"]} epochs, selected on {data["validation"]}.

Selected from {len(outcome.recall)} models of {facts["zoo"]}: {facts["recall"]["how"]}. {facts["selection"]["how"]} {facts["budget"]}

```python
from transformers import pipeline

classify = pipeline("{PIPELINES[what]}", model="{outcome.model}")
```
"""


def brute_force_seconds(shelf: Shelf, ledger: pd.DataFrame, epochs: int) -> float:
    """What training all models to the end would take, at the speed of those that were trained.

    Where records tell how long each model took on benchmark datasets, the others are scaled by that.
    """
    fine = ledger[ledger["epochs"] == 1]
    if fine.empty:
        return float("nan")
    measured = fine.groupby("model")["seconds"].mean()
    if shelf.records is None or shelf.records.frame["seconds"].isna().any():
        return float(measured.mean() * len(shelf.folders) * epochs)
    known = shelf.records.frame.groupby("model")["seconds"].mean()
    speed = measured.sum() / known[measured.index].sum()
    return float((speed * known.loc[list(shelf.folders)]).sum() * epochs)


def _open(folder: Path, task, path: str) -> None:
    """Make the run's folder, or go on in one of the same task.

    Raises:
        UserError: the folder cannot be made, or holds something else.
    """
    note, facts = folder / "run.json", {"task": task_digest(task), "path": str(path)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if note.is_file():
            known = json.loads(note.read_text(encoding="utf-8"))
            if known.get("task") != facts["task"]:
                raise UserError(
                    f"{folder} holds a run of another task ({known.get('path', 'unknown')}, or the same with other rows or "
                    "splits); give out=… another folder, or delete it."
                )
            return
        if any(folder.iterdir()):
            raise UserError(f"{folder} is not empty and holds no run; give out=… a new folder.")
        temporary = note.with_suffix(".tmp")
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        temporary.replace(note)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError) or getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise UserError(f"{folder} cannot be the run's folder ({error}); give out=… another one.") from error


@contextlib.contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Turn a full disk into one clear message, whoever met it."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full and folder.exists():
            full = shutil.disk_usage(folder).free < 2**20
        if isinstance(error, UserError) or not full:
            raise
        raise UserError(
            f"no space is left for {folder}; what was finished is kept. Free some space and repeat the same command."
        ) from error
