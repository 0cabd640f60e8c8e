"""The second phase of a run: how many models and epochs the budget allows, and their fine-selection."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from datasets import DatasetDict

from twophase import pipeline
from twophase.commands import wording
from twophase.commands.select.budget import OutOfTime, Plan, Watch, plan
from twophase.commands.select.candidates import Candidates
from twophase.commands.select.recalling import Ranking
from twophase.commands.select.settings import Settings
from twophase.errors import Unreachable, UserError
from twophase.infra.compute import width
from twophase.runs import LiveRuns
from twophase.selection import Selection

TRAINING_TO_SCORING = 4.0  # an epoch of fine-tuning takes about so many times a pass without gradients


@dataclass(frozen=True)
class Prepared:
    """What is trained: the plan, its runs, and models of the ranking that cannot be had, with the reason."""

    plan: Plan
    runs: LiveRuns
    failures: dict[str, str]


def prepare(
    given: Settings,
    folder: Path,
    candidates: Candidates,
    ranking: Ranking,
    task: DatasetDict,
    watch: Watch,
    say: Callable[[str], None],
    progress: bool,
) -> Prepared:
    """How much is trained, and its runs. With a budget in minutes, one epoch of one model is trained and measured first."""
    top, spent = min(given.recall.top, len(ranking.table)), sum(ranking.scored.values())
    costs = given.recall.epochs_per_proxy * len(ranking.scored), spent
    guess = TRAINING_TO_SCORING * spent / max(1, len(ranking.scored))
    workers = width() if given.budget.minutes else 1
    planned = plan(top, candidates.training.epochs, given.budget, *costs, guess, workers)
    how = [given.metric.replace("/", "-"), *given.hardware.key().get("hardware", {}).values()]
    failures: dict[str, str] = {}

    def opened(planned: Plan) -> LiveRuns:
        return LiveRuns(
            _reached(candidates, ranking.models, planned.top, failures, say),
            task,
            replace(candidates.training, epochs=planned.epochs),
            given.seed,
            folder / "checkpoints" / "-".join([str(planned.epochs), *how]),
            progress,
            metric=given.metric,
            trust_remote_code=given.trust_remote_code,
            side_by_side=given.compute.engine != "serial",
            before=watch.before,
            hardware=given.hardware,
        )

    runs = opened(planned)
    if given.budget.minutes:
        watch.begin(runs.kept_seconds() / workers, guess)
        if measured := _first_epoch(runs, candidates):
            planned = plan(top, planned.epochs, given.budget, *costs, measured, workers)
            runs = opened(planned)
    if planned.said:
        say(planned.said)
    return Prepared(planned, runs, failures)


def fine_select(given: Settings, candidates: Candidates, runs: LiveRuns) -> tuple[Selection, str]:
    """Fine-selection of the models of `runs`, or halving where no curves are known; and how, in sentences."""
    chosen, known = given.selection, candidates.records if candidates.curves else None
    found = pipeline.fine_select(runs, runs.models, known, chosen.threshold, chosen.n_trends, chosen.threshold_kind)
    judged = "" if given.metric == "accuracy" else f" by {wording.metric(given.metric)}"
    if known is None:
        how = "the models' curves on benchmark datasets are not known, so no result was predicted."
        return found, f"Successive halving{judged}: {how}"
    if runs.epochs == 1:
        return found, f"Fine-selection in one epoch: the best validation{judged} after it decided."
    datasets = len(known.datasets())
    how = (
        f"Fine-selection: after every epoch the better half{judged} was kept, without those whose "
        f"{min(chosen.n_trends, datasets)} convergence trends on {datasets} benchmark datasets predict that they end below a "
        "better one."
    )
    if judged:
        how += " Trends and predictions are of accuracy, which is what is known of the benchmark datasets."
    return found, how


def known_seconds(candidates: Candidates) -> pd.Series | None:
    """Mean seconds of an epoch on benchmark datasets, by model; None where records do not tell it of all."""
    if candidates.records is None or candidates.records.frame["seconds"].isna().any():
        return None
    return candidates.records.frame.groupby("model")["seconds"].mean()


def _first_epoch(runs: LiveRuns, candidates: Candidates) -> float | None:
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
    seconds, known = float(ledger["seconds"].iloc[-1]), known_seconds(candidates)
    return seconds if known is None else seconds * float(known[runs.models].mean() / known[ledger["model"].iloc[-1]])


def _reached(
    candidates: Candidates, ranked: list[str], top: int, failures: dict[str, str], say: Callable[[str], None]
) -> dict[str, Path]:
    """The first models of the ranking whose files are there or can be brought; why others cannot goes to `failures`."""
    folders = {}
    for model in ranked:
        if len(folders) == top:
            break
        try:
            folders[model] = candidates.folder(model)
        except Unreachable:
            raise
        except UserError as error:
            if model not in failures:
                say(f"{model} cannot be had ({error}); the next of the ranking takes its place.")
            failures[model] = str(error)
    if not folders:
        raise UserError(f"no model of the ranking can be had; the first reason: {next(iter(failures.values()))}")
    return folders
