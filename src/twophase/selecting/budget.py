"""How many models, and how many epochs, a budget allows."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UserError
from .settings import Budget


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


def halving_epochs(models: int, epochs: int) -> int:
    """Model-epochs of successive halving: every survivor trains an epoch a stage (Section V-C)."""
    return sum(max(1, models >> stage) for stage in range(epochs))


def plan(
    top: int, epochs: int, budget: Budget, spent_epochs: float, spent_seconds: float, epoch_seconds: float
) -> Plan:
    """The most models whose halving fits the budget; if not even one model fits, fewer epochs.

    Args:
        top, epochs: as configured.
        spent_epochs, spent_seconds: what recall has cost.
        epoch_seconds: expected for one model and epoch.

    Raises:
        UserError: not even one epoch of one model fits.
    """
    limits = [(budget.epochs - spent_epochs) if budget.epochs else None]
    limits.append((budget.minutes * 60 - spent_seconds) / epoch_seconds if budget.minutes else None)
    allowed = min((limit for limit in limits if limit is not None), default=None)
    if allowed is None:
        most = halving_epochs(top, epochs)
        return Plan(top, epochs, most, most * epoch_seconds, "")
    if allowed < 1:
        raise UserError(
            f"the budget ({_said(budget)}) is spent by recall ({spent_epochs:g} epochs, {spent_seconds:.0f} s) before one epoch "
            f"of one model ({epoch_seconds:.0f} s); raise budget.minutes or budget.epochs, or lower task.max_rows."
        )
    fitting = [k for k in range(1, top + 1) if halving_epochs(k, epochs) <= allowed]
    models, length = (max(fitting), epochs) if fitting else (1, int(allowed))
    most, changes = halving_epochs(models, length), []
    if models < top:
        changes.append(f"{models} instead of {top} models")
    if length < epochs:
        changes.append(f"{length} instead of {epochs} epochs")
    said = f"The budget of {_said(budget)} allows {' and '.join(changes)}." if changes else ""
    return Plan(models, length, most, most * epoch_seconds, said)


def _said(budget: Budget) -> str:
    parts = [f"{value:g} {name}" for name, value in vars(budget).items() if value]
    return " and ".join(parts)
