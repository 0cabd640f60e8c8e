"""The end of a run: the winner saved with its card, costs against brute force, the outcome and its report."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from datasets import DatasetDict

from twophase.commands.select import report
from twophase.commands.select.candidates import Candidates
from twophase.commands.select.card import card
from twophase.commands.select.fine_selecting import Prepared, known_seconds
from twophase.commands.select.outcome import Outcome, by_class, wilson
from twophase.commands.select.recalling import Ranking
from twophase.commands.select.settings import Settings
from twophase.commands.wording import counted, named
from twophase.errors import UserError
from twophase.selection import HISTORY, Selection
from twophase.sources.files.reader import FileTask
from twophase.training.encoding import CHARACTERS, LONGEST
from twophase.training.loading import load_processor, quiet

PIPELINES = {"text": "text-classification", "image": "image-classification"}


@dataclass(frozen=True)
class Reached:
    """What a run has when fine-tuning begins; `modality` is "text" or "image"."""

    given: Settings
    folder: Path
    candidates: Candidates
    ranking: Ranking
    prepared: Prepared
    data: FileTask
    modality: str


def best_so_far(reached: Reached, why: str) -> Outcome | None:
    """The outcome of a run that was ended early; None if no model has finished an epoch."""
    runs = reached.prepared.runs
    try:
        name, _ = runs.so_far()
    except UserError:
        return None
    ledger = runs.ledger
    val = [runs.validation(row.model, row.stage) for row in ledger.itertuples()]
    history = ledger.assign(val=val, predicted=float("nan"), kept=True, reason="ended early")[HISTORY]
    chosen = Selection(name, float("nan"), float(ledger["epochs"].sum()), float(ledger["seconds"].sum()), history)
    return finish(reached, chosen, why, finished=False)


def finish(reached: Reached, chosen: Selection, how: str, finished: bool = True) -> Outcome:
    """Save the winner and write down what was found."""
    given, candidates, ranking, planned = reached.given, reached.candidates, reached.ranking, reached.prepared.plan
    runs, data, folder = reached.prepared.runs, reached.data, reached.folder
    trained = runs.trained(chosen.winner) if finished else runs.so_far()[1]
    predicted, labels = trained.predict("test").argmax(1), trained.task.labels["test"].numpy()
    right = int((predicted == labels).sum())
    judged = right / len(labels) if given.metric == "accuracy" else trained.test()
    train = trained.task.labels["train"]
    baseline = float((labels == int(train.bincount().argmax())).mean())
    model = folder / "model"
    proxies = given.recall.epochs_per_proxy * len(ranking.scored)
    costs = pd.DataFrame(
        {
            "epochs": [chosen.epochs + proxies, float(len(candidates.folders) * planned.epochs)],
            "seconds": [
                chosen.seconds + sum(ranking.scored.values()),
                brute_force_seconds(candidates, runs.ledger, planned.epochs),
            ],
        },
        index=["two-phase", "brute force (estimate)"],
    ).rename_axis("method")
    interval = wilson(right, len(labels))
    outcome = Outcome(
        winner=chosen.winner, test=right / len(labels), interval=interval, baseline=baseline, model=model,
        metric=given.metric, score=judged, recall=ranking.table, history=chosen.history, ledger=runs.ledger, costs=costs,
        classes=by_class(labels, predicted, data.counts["train"]), folder=folder, finished=finished,
        pictures=report.pictures,
        facts={
            "winner": chosen.winner, "finished": finished, "test": right / len(labels), "metric": given.metric, "score": judged, "interval": list(interval),
            "baseline": baseline, "pipeline": PIPELINES[reached.modality], "zoo": candidates.name, "models": len(candidates.folders), "hub": candidates.bring is not None,
            "reads": reads(data.task, candidates.folder(chosen.winner)) if reached.modality == "text" else "",
            "data": {"name": named(given.task.path, given.task.kind, given.task.name), "path": given.task.path, "kind": given.task.kind,
                     "pairs": "text_pair" in data.task["train"].features, "classes": len(trained.task.classes), "counts": data.counts.T.to_dict(),
                     "notes": [*data.guesses, *data.notes], "leaked": data.leaked,
                     **{split: len(rows) for split, rows in data.task.items()}},
            "training": asdict(candidates.training) | {"epochs": planned.epochs}, "budget": planned.said,
            "recall": {"how": ranking.how, "scored": ranking.scored, "proxy": given.proxy.name, "normalization": given.proxy.normalization, "epochs": proxies,
                       "ranking": json.loads(ranking.table.reset_index().to_json(orient="records"))},
            "selection": {"how": how, "history": json.loads(chosen.history.to_json(orient="records"))},
            "costs": json.loads(costs.to_json(orient="index")),
            "failures": candidates.left_out | ranking.failures | reached.prepared.failures | runs.failures,
        },
    )  # fmt: skip
    _save(outcome, trained, candidates.folder(chosen.winner))
    outcome.write()
    report.write(outcome)
    return outcome


def _save(outcome: Outcome, trained, source: Path) -> None:
    """The winner with its tokenizer or image processor and a card, whole or not at all."""
    new = outcome.model.with_name("model.new")
    shutil.rmtree(new, ignore_errors=True)
    processor = load_processor(source)
    if hasattr(processor, "model_max_length"):  # a pipeline then cuts texts where training did
        processor.model_max_length = min(processor.model_max_length, LONGEST)
    with quiet():
        trained.save(new)
        processor.save_pretrained(new)
    (new / "README.md").write_text(card(outcome), encoding="utf-8")
    shutil.rmtree(outcome.model, ignore_errors=True)
    new.rename(outcome.model)


def reads(task: DatasetDict, model: Path) -> str:
    """How much of a text a model reads, and how many test texts are longer."""
    tokenizer = load_processor(model)
    longest = min(tokenizer.model_max_length, LONGEST)
    rows = task["test"]
    texts = [
        [text[: longest * CHARACTERS] for text in rows[name]] for name in ("text", "text_pair") if name in rows.features
    ]
    with quiet():
        longer = sum(len(tokens) > longest for tokens in tokenizer(*texts)["input_ids"])
    reached = (
        f"{counted(longer, 'test text')} of {len(rows):,} {'is' if longer == 1 else 'are'} longer"
        if longer
        else "no test text is longer"
    )
    return f"The model reads the first {counted(longest, 'token')} of a text and leaves out the rest; {reached}."


def brute_force_seconds(candidates: Candidates, ledger: pd.DataFrame, epochs: int) -> float:
    """What training all models to the end would take, at the speed of those that were trained.

    Where records tell how long each model took on benchmark datasets, the others are scaled by that.
    """
    fine = ledger[ledger["epochs"] == 1]
    if fine.empty:
        return float("nan")
    measured, known = fine.groupby("model")["seconds"].mean(), known_seconds(candidates)
    if known is None:
        return float(measured.mean() * len(candidates.folders) * epochs)
    speed = measured.sum() / known[measured.index].sum()
    return float((speed * known.loc[list(candidates.folders)]).sum() * epochs)
