"""The end of a run: the winner saved with its card, costs against brute force, the outcome and its report."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from huggingface_hub import EvalResult, ModelCardData

from twophase.commands import wording
from twophase.commands.select import report
from twophase.commands.select.fine_selecting import Prepared
from twophase.commands.select.inputs import Candidates, texts_beyond
from twophase.commands.select.outcome import Outcome, by_class, wilson
from twophase.commands.select.recalling import Ranking
from twophase.commands.select.settings import Settings
from twophase.commands.wording import counted, named
from twophase.errors import UserError
from twophase.infra.files import replacing_folder, write_text
from twophase.leader import Step
from twophase.leader_pipeline import Known
from twophase.selection import HISTORY, Selection
from twophase.sources.files.reader import FileTask
from twophase.training.config import scorer
from twophase.training.encoding import CHARACTERS
from twophase.training.finetuning import FineTuning
from twophase.training.foreign import quiet
from twophase.training.loading import load_classifier, load_processor

KINDS = {"image_folder": "imagefolder"}  # what the hub calls data of no hub: by the reader of the `datasets` library
METRICS = {"macro_f1": "f1", "weighted_f1": "f1", "matthews": "matthews_correlation"}  # the hub's names


@dataclass(frozen=True)
class Reached:
    """What a run has when fine-tuning begins; `modality` is "text" or "image", `others` what `without_fine_tuning` gave, `known` what a leader knew."""

    given: Settings
    folder: Path
    candidates: Candidates
    ranking: Ranking
    prepared: Prepared
    data: FileTask
    modality: str
    others: dict[str, dict[str, Any]]
    method: str = "two_phase"
    known: Known | None = None


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
    given, candidates, runs, data = reached.given, reached.candidates, reached.prepared.runs, reached.data
    trained = runs.trained(chosen.winner) if finished else runs.so_far()[1]
    predicted, labels = trained.predict("test").argmax(1), trained.task.labels["test"].numpy()
    right = int((predicted == labels).sum())
    most_frequent = int(trained.task.labels["train"].bincount().argmax())
    found = {
        "winner": chosen.winner,
        "finished": finished,
        "test": right / len(labels),
        "metric": given.metric,
        "score": right / len(labels) if given.metric == "accuracy" else trained.test(),
        "interval": wilson(right, len(labels)),
        "baseline": float((labels == most_frequent).mean()),
    }
    judge = scorer(given.metric, given.trust_remote_code)
    others = [
        {
            "name": name,
            "accuracy": float((labels == other["predicted"]).mean()),
            "score": judge(labels, np.array(other["predicted"])),
            "seconds": other["seconds"],
        }
        for name, other in reached.others.items()
    ]
    costs = _costs(reached, chosen)
    outcome = Outcome(
        **found,
        model=reached.folder / "model",
        recall=reached.ranking.table,
        history=chosen.history,
        ledger=runs.ledger,
        costs=costs,
        classes=by_class(labels, predicted, data.counts["train"]),
        folder=reached.folder,
        pictures=report.pictures,
        facts=found | {"baselines": others} | _facts(reached, chosen, how, costs),
    )
    _save(outcome, trained, candidates.folder(chosen.winner))
    outcome.write()
    report.write(outcome)
    return outcome


def _facts(reached: Reached, chosen: Selection, how: str, costs: pd.DataFrame) -> dict:
    """What selection.json holds beside the result: the data, how was trained and recalled, and what failed."""
    given, candidates, ranking, data = reached.given, reached.candidates, reached.ranking, reached.data
    planned, source = reached.prepared.plan, given.task
    read = _read_of_text(data, candidates.folder(chosen.winner)) if reached.modality == "text" else ""
    return {
        "pipeline": f"{reached.modality}-classification",
        "zoo": candidates.name,
        "models": len(candidates.folders),
        "hub": candidates.bring is not None,
        "reads": read,
        "data": {
            "name": named(source.path, source.kind, source.name),
            "path": source.path,
            "kind": source.kind,
            "pairs": "text_pair" in data.task["train"].features,
            "classes": len(data.counts),
            "counts": data.counts.T.to_dict(),
            "notes": data.said,
            "splits": {split: account.facts() for split, account in data.accounts.items()},
            "leaked": data.leaked,
            **{split: len(rows) for split, rows in data.task.items()},
        },
        "training": asdict(candidates.training) | {"epochs": planned.epochs},
        "budget": planned.said,
        "recall": {
            "how": ranking.how,
            "scored": ranking.scored,
            "proxy": given.proxy.name,
            "normalization": ranking.normalization,
            "epochs": given.recall.epochs_per_proxy * len(ranking.scored),
            "ranking": json.loads(ranking.table.reset_index().to_json(orient="records")),
        },
        "selection": {"how": how, "history": json.loads(chosen.history.to_json(orient="records"))},
        "method": reached.method,
        "belief": _belief(reached, chosen.winner),
        "costs": json.loads(costs.to_json(orient="index")),
        "failures": candidates.left_out | ranking.failures | reached.prepared.failures | reached.prepared.runs.failures,
    }


def _belief(reached: Reached, winner: str) -> dict | None:
    """What the leader came to believe: the winner's probability to be the best, and each step; None for another method."""
    if reached.method != "leader":
        return None
    leader = reached.known.leader
    steps = pd.DataFrame(leader.steps, columns=Step._fields).to_json(orient="records")
    unlike = leader.belief.unlike
    chance = None if unlike else float(leader.chances()[leader.models.index(winner)])
    return {"probability": chance, "price": leader.price, "unlike": unlike, "steps": json.loads(steps)}


def _costs(reached: Reached, chosen: Selection) -> pd.DataFrame:
    """Epochs and seconds of this run, proxies included, and of brute force."""
    scored, epochs = reached.ranking.scored, reached.prepared.plan.epochs
    brute_force = brute_force_seconds(reached.candidates, reached.prepared.runs.ledger, epochs)
    rows = {
        reached.method.replace("_", "-"): [
            chosen.epochs + reached.given.recall.epochs_per_proxy * len(scored),
            chosen.seconds + sum(scored.values()),
        ],
        "brute force (estimate)": [float(len(reached.candidates.folders) * epochs), brute_force],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["epochs", "seconds"]).rename_axis("method")


def brute_force_seconds(candidates: Candidates, ledger: pd.DataFrame, epochs: int) -> float:
    """What training all models to the end would take, at the speed of those that were trained.

    Where records tell how long each model took on benchmark datasets, the others are scaled by that.
    """
    fine = ledger[ledger["epochs"] == 1]
    if fine.empty:
        return float("nan")
    measured, known = fine.groupby("model")["seconds"].mean(), candidates.epoch_seconds
    if known is None:
        return float(measured.mean() * len(candidates.folders) * epochs)
    speed = measured.sum() / known[measured.index].sum()
    return float((speed * known.loc[list(candidates.folders)]).sum() * epochs)


def _read_of_text(data: FileTask, model: Path) -> str:
    """How much of a text a model reads, and how many test texts are longer."""
    texts = data.task["test"]
    longest, longer = texts_beyond(model, texts, CHARACTERS)
    of_texts = f"{counted(longer, 'test text')} of {len(texts):,} {'is' if longer == 1 else 'are'} longer"
    reached = of_texts if longer else "no test text is longer"
    return f"The model reads the first {counted(longest, 'token')} of a text and leaves out the rest; {reached}."


def _save(outcome: Outcome, trained: FineTuning, source: Path) -> None:
    """The winner with its tokenizer or image processor and a card, whole or not at all."""
    processor = load_processor(source)  # a pipeline cuts texts where training did: this says how many tokens are read
    with replacing_folder(outcome.model) as new:
        with quiet():
            trained.save(new)
            processor.save_pretrained(new)
        write_text(new / "README.md", card(outcome))
        load_processor(new)
        written, read = trained.model.state_dict(), load_classifier(new).state_dict()
        if written.keys() != read.keys() or not all(values.cpu().equal(read[name]) for name, values in written.items()):
            raise UserError(
                f"the model that was written to {outcome.folder} reads back with other weights; nothing in it was replaced. See to "
                "the disk, and repeat the same command."
            )


def card(outcome: Outcome) -> str:
    """The card, for README.md beside the model; its metadata are those that a hub reads."""
    facts, (low, high) = outcome.facts, outcome.interval
    data, epochs, how = facts["data"], facts["training"]["epochs"], facts["recall"]["how"]
    ended = "" if outcome.finished else f" of {epochs}, when the run was ended early"
    text = [
        f"# {outcome.winner}, fine-tuned on {data['name']}",
        f"Accuracy {outcome.test:.3f} (95 % interval {low:.3f} to {high:.3f}) on {counted(data['test'], 'test example')} of "
        f"{counted(data['classes'], 'class')}; always answering the most frequent class gives {outcome.baseline:.3f}.",
        f"Trained on {counted(data['train'], 'example')} for {counted(outcome.trained, 'epoch')}{ended}, selected on "
        f"{counted(data['validation'], 'other')}.",
    ]
    text += [f"Without fine-tuning, {row['name']} has accuracy {row['accuracy']:.3f}." for row in outcome.baselines[:1]]
    if outcome.beaten:
        text.append(f"**{outcome.beaten}.**")
    if outcome.metric != "accuracy":
        judged = wording.metric(outcome.metric).capitalize()
        text.insert(2, f"{judged}, which models were selected by: {outcome.score:.3f}.")
    if outcome.leaked:
        text.insert(
            2, f"**This is too high for new data: {outcome.leaked}.**" if outcome.misleading else f"{outcome.leaked}."
        )
    if facts["reads"]:
        text.append(facts["reads"])
    text.append(
        f"Selected from {counted(facts['models'], 'model')} of {facts['zoo']}. {how[0].upper()}{how[1:]}. "
        f"{facts['selection']['how']} {facts['budget']}".rstrip()
    )
    lines = outcome.usage(".").replace('model=".",', 'model=".",  # this folder, or the path to it')
    return f"---\n{_metadata(outcome)}\n---\n" + "\n\n".join(text) + f"\n\n```python\n{lines}\n```\n"


def _metadata(outcome: Outcome) -> str:
    """YAML with what is true and a hub understands: a base model and a dataset are named only if they are a hub's."""
    facts, data = outcome.facts, outcome.facts["data"]
    of_hub = data["kind"] == "hub"
    found = [("accuracy", outcome.test, "Accuracy")]
    if outcome.metric in METRICS:
        found.append((METRICS[outcome.metric], outcome.score, wording.metric(outcome.metric).capitalize()))
    measured = {
        "task_type": facts["pipeline"],
        "dataset_type": data["path"] if of_hub else KINDS.get(data["kind"], data["kind"]),
        "dataset_name": data["name"],
        "dataset_split": "test",
    }
    results = [
        EvalResult(**measured, metric_type=name, metric_value=round(value, 4), metric_name=said)
        for name, value, said in found
    ]
    result = (
        {} if outcome.misleading else {"model_name": f"{outcome.winner} on {data['name']}", "eval_results": results}
    )
    return ModelCardData(
        pipeline_tag=facts["pipeline"],
        library_name="transformers",
        tags=["twophase", "fine-tuned"],
        metrics=[name for name, _, _ in found],
        base_model=outcome.winner if facts["hub"] else None,
        datasets=[data["path"]] if of_hub else None,
        **result,
    ).to_yaml()
