"""`twophase.select`: a user's task in, a fine-tuned model and the reasons out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twophase.errors import UserError
from twophase.infra.config import quoted

if TYPE_CHECKING:
    from twophase.commands.select.outcome import Outcome


def select(
    path: str | Path,
    *overrides: str,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    zoo: str | None = None,
    top: int | None = None,
    minutes: float | None = None,
    out: str | Path | None = None,
    progress: bool = True,
) -> Outcome:
    """Select a pre-trained model for a labelled task, and fine-tune it.

    Args:
        path: a csv, tsv, json, jsonl or parquet file, a folder of such files (train.csv, test.csv, …), or a folder of
            pictures, one folder a class.
        overrides: of the configuration, as on the command line: "selection.threshold=0.05".
        text, text_pair, label: columns; those not named are guessed, and the guess is printed.
        zoo: where models come from, an option of conf/zoo/ ("live") or a folder of folders with models.
        top: models that coarse recall keeps; given, the paper's two phases are used in place of the leader.
        minutes: what the run may take, about.
        out: the run's folder; runs/<name of the data> by default.
        progress: whether to show bars.

    Returns:
        `Outcome`: the winner, its score, the folder of the model, the ranking, the history, what it cost.

    Raises:
        UserError: with one message that says what is wrong and what to do.
        KeyboardInterrupt: stopped; the best model so far is saved in the run's folder.
    """
    from twophase.commands.select import settings
    from twophase.commands.select.run import run

    if not isinstance(path, str | Path):
        raise UserError(
            f"got {type(path).__name__}; a task is given by the path of a file or folder (a frame: frame.to_csv('task.csv', index=False))."
        )
    given = [f"task={settings.kind_of(path)}", f"task.path={quoted(path)}"]
    if zoo is not None:
        given += [f"zoo.path={quoted(zoo)}", "zoo=folder"] if Path(zoo).is_dir() else [f"zoo={zoo}"]
    columns = {"task.text": text, "task.text_pair": text_pair, "task.label": label}
    named = columns | {"recall.top": top, "budget.minutes": minutes, "out": out}
    given += [f"{key}={quoted(value)}" for key, value in named.items() if value is not None]
    return run(settings.compose([*given, *overrides]), progress=progress)
