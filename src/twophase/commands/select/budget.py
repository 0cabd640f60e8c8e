"""How many models, and how many epochs, a budget allows; and the clock that ends training when its minutes are over."""

import math
import time
from dataclasses import dataclass

from twophase.commands.select.settings import Budget
from twophase.errors import UserError
from twophase.selection import halving_epochs


@dataclass(frozen=True)
class Plan:
    """What is trained.

    Attributes:
        top: models to recall.
        epochs: of a full run.
        most: model-epochs that halving takes at most; fine-selection takes as many or fewer.
        seconds: expected for them; None where nothing was measured.
        said: what the budget changed, for the user; empty if nothing.
    """

    top: int
    epochs: int
    most: int
    seconds: float | None
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
    left_epochs = budget.epochs - spent_epochs if budget.epochs else math.inf
    left_seconds = budget.minutes * 60 - spent_seconds if budget.minutes else math.inf
    if left_epochs < 1 or left_seconds < epoch_seconds:
        raise UserError(
            f"the budget ({_said(budget)}) is spent by recall ({spent_epochs:g} epochs, {spent_seconds:.0f} s) before one epoch "
            f"of one model ({epoch_seconds:.0f} s); raise budget.minutes or budget.epochs, or lower task.max_rows."
        )
    fitting = [
        k for k in range(1, top + 1)
        if halving_epochs(k, epochs) <= left_epochs and halving_seconds(k, epochs, epoch_seconds, workers) <= left_seconds
    ]  # fmt: skip
    models, length = fitting[-1] if fitting else 1, epochs
    if not fitting:
        length = int(min(epochs, left_epochs, left_seconds / epoch_seconds if epoch_seconds else epochs))
    most, changes = halving_epochs(models, length), []
    if models < top:
        changes.append(f"{models} instead of {top} models")
    if length < epochs:
        changes.append(f"{length} instead of {epochs} epochs")
    said = f"The budget of {_said(budget)} allows {' and '.join(changes)}." if changes else ""
    return Plan(models, length, most, halving_seconds(models, length, epoch_seconds, workers), said)


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


def _said(budget: Budget) -> str:
    parts = [f"{value:g} {name}" for name, value in vars(budget).items() if value]
    return " and ".join(parts)
