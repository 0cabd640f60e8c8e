"""The only thing a selection sees: models that can be trained one more epoch, live or replayed."""

from twophase.runs.base import LEDGER, Runs
from twophase.runs.live import LiveRuns
from twophase.runs.recorded import RecordedRuns

__all__ = ["LEDGER", "LiveRuns", "RecordedRuns", "Runs"]
