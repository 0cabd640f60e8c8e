"""The second phase of a run: how many models and epochs the budget allows, and their fine-selection."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import DatasetDict

from twophase import pipeline
from twophase.commands import wording
from twophase.commands.select.inputs import Candidates
from twophase.commands.select.recalling import Ranking
from twophase.commands.select.settings import Budget, Settings
from twophase.errors import Unreachable, UserError
from twophase.infra.compute import width
from twophase.runs import LiveRuns
from twophase.selection import Selection, brute_force, halving_epochs, successive_halving

TRAINING_TO_SCORING = 4.0  # an epoch of fine-tuning takes about so many times a pass without gradients


@dataclass(frozen=True)
class Plan:
    """What is trained.

    Attributes:
        top: models to recall.
        epochs: of a full run.
        said: what the budget changed, for the user; empty if nothing.
    """

    top: int
    epochs: int
    said: str


def halving_seconds(models: int, epochs: int, epoch_seconds: float, workers: int = 1) -> float:
    """Seconds of successive halving where `workers` models train at the same time."""
    return epoch_seconds * sum(math.ceil(max(1, models >> stage) / workers) for stage in range(epochs))


def plan(
    top: int,
    epochs: int,
    budget: Budget,
    spent_epochs: float,
    spent_seconds: float,
    epoch_seconds: float,
    workers: int = 1,
) -> Plan:
    """The most models whose halving fits the budget; if not even one model fits, fewer epochs.

    Args:
        top, epochs: as configured.
        spent_epochs, spent_seconds: what recall has cost.
        epoch_seconds: expected for one model and epoch.
        workers: models that train at the same time.

    Raises:
        UserError: not even one epoch of one model fits.
    """
    limits = " and ".join(f"{value:g} {name}" for name, value in vars(budget).items() if value)
    left_epochs = budget.epochs - spent_epochs if budget.epochs else math.inf
    left_seconds = budget.minutes * 60 - spent_seconds if budget.minutes else math.inf
    if left_epochs < 1 or left_seconds < epoch_seconds:
        raise UserError(
            f"the budget ({limits}) is spent by recall ({spent_epochs:g} epochs, {spent_seconds:.0f} s) before one epoch "
            f"of one model ({epoch_seconds:.0f} s); raise budget.minutes or budget.epochs, or lower task.max_rows."
        )

    def fits(models: int) -> bool:
        seconds = halving_seconds(models, epochs, epoch_seconds, workers)
        return halving_epochs(models, epochs) <= left_epochs and seconds <= left_seconds

    models, length = max(filter(fits, range(1, top + 1)), default=0), epochs
    if not models:
        models = 1
        length = int(min(epochs, left_epochs, left_seconds / epoch_seconds if epoch_seconds else epochs))
    changes = [f"{models} instead of {top} models"] if models < top else []
    if length < epochs:
        changes.append(f"{length} instead of {epochs} epochs")
    return Plan(models, length, f"The budget of {limits} allows {' and '.join(changes)}." if changes else "")


class OutOfTime(Exception):
    """The budget's minutes are over; says so in a sentence."""


class Watch:
    """Ends training before an epoch that the budget's minutes do not allow, since a plan may be wrong."""

    def __init__(self, minutes: float | None):
        self._minutes, self._start, self._earlier = minutes, time.monotonic(), 0.0
        self._expected, self._first, self._rounds = 0.0, 0.0, 0

    def begin(self, earlier: float, epoch_seconds: float) -> None:
        """Count in what earlier runs of the same folder took; an epoch is expected to take so long until one has."""
        self._earlier, self._expected = earlier, epoch_seconds

    def before(self, rounds: int) -> None:
        """Raise OutOfTime if so many epochs, one after the other, would end too late."""
        if self._minutes is None:
            return
        now = time.monotonic()
        self._first = self._first if self._rounds else now
        expected = (now - self._first) / self._rounds if self._rounds else self._expected
        spent = self._earlier + now - self._start
        if spent + rounds * expected > 60 * self._minutes:
            raise OutOfTime(
                f"The budget of {self._minutes:g} minutes ended the training after {spent / 60:.1f}; with a higher "
                "budget.minutes the same command goes on."
            )
        self._rounds += rounds


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
    method: str = "two_phase",
) -> Prepared:
    """How much is trained, and its runs. With a budget in minutes, one epoch of one model is trained and measured first."""
    spent = sum(ranking.scored.values())
    guess = TRAINING_TO_SCORING * spent / max(1, len(ranking.scored))
    workers = width() if given.budget.minutes else 1
    how = [given.metric.replace("/", "-"), *given.hardware.key().get("hardware", {}).values()]
    failures: dict[str, str] = {}

    def planned(epochs: int, epoch_seconds: float) -> Plan:
        top = len(ranking.table) if method != "two_phase" else min(given.recall.top, len(ranking.table))
        spent_epochs = given.recall.epochs_per_proxy * len(ranking.scored)
        return plan(top, epochs, given.budget, spent_epochs, spent, epoch_seconds, workers)

    def opened(chosen: Plan) -> LiveRuns:
        return LiveRuns(
            _reached(candidates, ranking.models, chosen.top, failures, say),
            task,
            replace(candidates.training, epochs=chosen.epochs),
            given.seed,
            folder / "checkpoints" / "-".join([str(chosen.epochs), *how]),
            progress,
            metric=given.metric,
            trust_remote_code=given.trust_remote_code,
            side_by_side=given.compute.engine != "serial",
            before=watch.before,
            hardware=given.hardware,
        )

    chosen = planned(candidates.training.epochs, guess)
    runs = opened(chosen)
    if given.budget.minutes:
        watch.begin(runs.kept_seconds() / workers, guess)
        if measured := _first_epoch(runs, candidates):
            chosen = planned(chosen.epochs, measured)
            runs = opened(chosen)
    if chosen.said:
        say(chosen.said)
    return Prepared(chosen, runs, failures)


def fine_select(
    given: Settings, candidates: Candidates, runs: LiveRuns, method: str = "two_phase"
) -> tuple[Selection, str]:
    """Fine-selection of the models of `runs`, or halving where no curves are known; and how, in sentences."""
    if method == "brute_force":
        return brute_force(
            runs, runs.models
        ), "Brute force: every model was trained to the end, the best validation won."
    if method == "halving":
        return successive_halving(runs, runs.models), "Successive halving: after every epoch the better half was kept."
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
    seconds, known = float(ledger["seconds"].iloc[-1]), candidates.epoch_seconds
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
