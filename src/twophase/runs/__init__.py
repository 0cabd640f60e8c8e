"""The only thing a selection sees: models that can be trained one more epoch, live or replayed."""

from .base import LEDGER, Runs
from .live import LiveRuns
from .recorded import RecordedRuns

__all__ = ["LEDGER", "LiveRuns", "RecordedRuns", "Runs"]
