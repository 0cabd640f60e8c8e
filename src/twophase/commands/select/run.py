"""A run: the task, recall, fine-selection, the winner; everything kept in one folder, so that it can be stopped and go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from twophase.commands.select import notices as telling
from twophase.commands.select import wording
from twophase.commands.select.budget import OutOfTime, Plan, Watch, plan
from twophase.commands.select.candidates import Shelf, open_shelf
from twophase.commands.select.finishing import Reached, best_so_far, finish, known_seconds
from twophase.commands.select.folder import open_run, room
from twophase.commands.select.outcome import Outcome
from twophase.commands.select.reading import read_task
from twophase.commands.select.recalling import Recalled, recall
from twophase.commands.select.settings import Settings
from twophase.errors import Unreachable, UserError
from twophase.infra.compute import single_thread, using, width
from twophase.runs import LiveRuns
from twophase.selection import Selection, fine_selection, successive_halving
from twophase.sources.live import corpora as tasks
from twophase.training.hardware import one_a_gpu

if TYPE_CHECKING:
    from datasets import DatasetDict

TRAINING_TO_SCORING = 4.0  # an epoch of fine-tuning takes about so many times a pass without gradients
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
    given = replace(given, compute=one_a_gpu(given.compute, given.hardware))
    folder = Path(given.out).expanduser() if given.out else Path("runs") / (Path(given.task.path).stem or "task")
    import torch  # noqa: F401  an interrupt in the middle of this import would leave nothing that can save a model

    # threads of small models would wait for each other on a busy machine
    with room(folder), single_thread(), using(given.compute):
        return _run(given, folder, say, progress)


def _run(given: Settings, folder: Path, say: Callable[[str], None], progress: bool) -> Outcome:
    watch = Watch(given.budget.minutes)
    data = read_task(given)
    for line in (*data.guesses, *data.notes):
        say(line)
    sizes, counts = ", ".join(f"{len(rows)} {split}" for split, rows in data.task.items()), data.counts["train"]
    say(f"{sizes} examples; {len(counts)} classes of {counts.min()} to {counts.max()} training examples.")
    what = "image" if "image" in data.task["train"].features else "text"
    open_run(folder, data.task, given.task.path)
    shelf = open_shelf(given, what, say)
    for line in (*telling.of_folder(given, folder), *telling.of_shelf(given, shelf)):
        say(line)
    tasks.save(data.task, folder / "task")

    found = recall(given, shelf, folder / "task", say, progress)
    say(f"{found.how} ({sum(found.scored.values()):.0f} s). The first of the ranking:")
    say(found.table.drop(columns="recalled").head(SHOWN).to_string(float_format=lambda value: f"{value:.3f}"))

    task = tasks.load(folder / "task")
    planned, runs = _planned(given, folder, shelf, found, task, watch, say, progress)
    if what == "text":
        for line in telling.of_length(shelf.folder(runs.models[0]), task["train"]):
            say(line)
    reached = Reached(given, folder, shelf, found, planned, runs, data, what)
    try:
        chosen, how = _select(given, shelf, runs)
    except KeyboardInterrupt:
        raise Stopped(best_so_far(reached, "The run was stopped; the same command goes on.")) from None
    except OutOfTime as ended:
        say(str(ended))
        return best_so_far(reached, str(ended))
    return finish(reached, chosen, how)


def _planned(
    given: Settings, folder: Path, shelf: Shelf, found: Recalled, task: DatasetDict, watch: Watch,
    say: Callable[[str], None], progress: bool,
) -> tuple[Plan, LiveRuns]:  # fmt: skip
    """How much is trained, and its runs. With a budget in minutes, one epoch of one model is trained and measured first."""
    top, spent = min(given.recall.top, len(found.table)), sum(found.scored.values())
    costs = given.recall.epochs_per_proxy * len(found.scored), spent
    guess = TRAINING_TO_SCORING * spent / max(1, len(found.scored))
    workers = width() if given.budget.minutes else 1
    planned = plan(top, shelf.training.epochs, given.budget, *costs, guess, workers)

    how = [given.metric.replace("/", "-"), *given.hardware.key().get("hardware", {}).values()]

    def opened(planned: Plan) -> LiveRuns:
        folders, unreached = _reached(shelf, found.models, planned.top, say)
        found.failures.update(unreached)
        return LiveRuns(
            folders, task, replace(shelf.training, epochs=planned.epochs), given.seed,
            folder / "checkpoints" / "-".join([str(planned.epochs), *how]), progress,
            metric=given.metric, trust_remote_code=given.trust_remote_code,
            side_by_side=given.compute.engine != "serial", before=watch.before, hardware=given.hardware,
        )  # fmt: skip

    runs = opened(planned)
    if given.budget.minutes:
        watch.begin(runs.kept_seconds() / workers, guess)
        if measured := _first_epoch(runs, shelf):
            planned = plan(top, planned.epochs, given.budget, *costs, measured, workers)
            runs = opened(planned)
    if planned.said:
        say(planned.said)
    return planned, runs


def _first_epoch(runs: LiveRuns, shelf: Shelf) -> float | None:
    """Seconds that an epoch of these models takes, from one of the first model that trains; None if none does.

    Others are scaled by what they took on benchmark datasets, where records tell it.
    """
    try:
        for model in runs.models:
            runs.advance([model])
            if model not in runs.failures:
                break
    except OutOfTime as ended:
        if not runs.kept_seconds():
            raise UserError(
                f"{ended} None has finished an epoch; raise budget.minutes, or lower task.max_rows."
            ) from None
    ledger = runs.ledger
    runs.restart()
    if not ledger["epochs"].sum():
        return None
    seconds, known = float(ledger["seconds"].iloc[-1]), known_seconds(shelf)
    return seconds if known is None else seconds * float(known[runs.models].mean() / known[ledger["model"].iloc[-1]])


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


def _select(given: Settings, shelf: Shelf, runs: LiveRuns) -> tuple[Selection, str]:
    judged = "" if given.metric == "accuracy" else f" by {wording.metric(given.metric)}"
    if shelf.records is None or not shelf.curves:
        how = f"Successive halving{judged}: the models' curves on benchmark datasets are not known, so no result was predicted."
        return successive_halving(runs, runs.models), how
    chosen, known = given.selection, shelf.records
    trends = min(chosen.n_trends, len(known.datasets()))
    how = (
        f"Fine-selection: after every epoch the better half{judged} was kept, without those whose {trends} convergence trends "
        f"on {len(known.datasets())} benchmark datasets predict that they end below a better one."
    )
    if runs.epochs == 1:
        how = f"Fine-selection in one epoch: the best validation{judged} after it decided."
    if judged and runs.epochs > 1:
        how += " Trends and predictions are of accuracy, which is what is known of the benchmark datasets."
    return fine_selection(runs, runs.models, known, chosen.threshold, trends, chosen.threshold_kind), how
