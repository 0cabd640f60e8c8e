"""What a run tells its user before it trains: what was left out, what was asked for and does not apply, what is cut."""

import json
from dataclasses import asdict
from pathlib import Path

from datasets import Dataset

from twophase.commands.select.candidates import Candidates
from twophase.commands.select.settings import Settings
from twophase.infra.files import write_text
from twophase.training.encoding import LONGEST
from twophase.training.loading import load_processor

NAMED = 3  # models that are left out, named one by one
LOOKED_AT = 2000  # texts whose length is looked at


def of_folder(given: Settings, folder: Path) -> list[str]:
    """That an earlier run with other settings has left its result in the folder; writes down the settings of this one.

    The data are not among them: a folder is of one task, wherever its files lie.
    """
    note = folder / "settings.json"
    now = {name: value for name, value in asdict(given).items() if name not in ("asked", "compute", "out", "task")}
    text = json.dumps(now, indent=2, sort_keys=True, default=str) + "\n"
    before = note.read_text(encoding="utf-8") if note.is_file() else text
    write_text(note, text)
    if before == text or not (folder / "selection.json").is_file():
        return []
    return [
        f"{folder} holds a result with other settings; what it trained is used where it fits, its model and report are replaced."
    ]


def of_candidates(given: Settings, candidates: Candidates) -> list[str]:
    """Models that cannot be selected, and settings that this zoo has no use for."""
    lines = [f"{name} is left out: {reason}." for name, reason in list(candidates.left_out.items())[:NAMED]]
    if (more := len(candidates.left_out) - NAMED) > 0:
        lines.append(f"{more} more models are left out; the report has them all.")
    if given.recall.top > len(candidates.folders):
        lines.append(
            f"recall.top is {given.recall.top}, {candidates.name} has {len(candidates.folders)} models: all of them are kept."
        )
    if candidates.records is None:
        why, unused = "nothing is known of these models on benchmark datasets", ("clustering", "selection", "zoo.cut")
    elif not candidates.curves:
        why, unused = "the models' curves on benchmark datasets are not known", ("selection",)
    else:
        why, unused = "", ()
    if asked := given.named(*unused):
        lines.append(f"{', '.join(asked)}: not used, since {why}.")
    if candidates.records is not None:
        datasets = len(candidates.records.datasets())
        for key, got in (("clustering.k", given.clustering.k), ("selection.n_trends", given.selection.n_trends)):
            if got > datasets and key not in asked:
                lines.append(f"{key} is {got}, and there are {datasets} benchmark datasets: {datasets} is used.")
    return lines


def of_length(folder: Path, texts: Dataset) -> list[str]:
    """That a model does not read training texts to the end."""
    tokenizer = load_processor(folder)
    longest = min(tokenizer.model_max_length, LONGEST)
    rows = texts.select(range(min(LOOKED_AT, len(texts))))
    columns = [list(rows[name]) for name in ("text", "text_pair") if name in rows.features]
    cut = [len(ids) > longest for ids in tokenizer(*columns, verbose=False)["input_ids"]]
    if not any(cut):
        return []
    share = max(1, round(100 * sum(cut) / len(cut)))
    return [
        f"{folder.name} reads {longest} tokens of a text; {share} % of the training texts are longer, and cut there."
    ]
