"""The only thing a selection sees: models that can be trained one more epoch, live or replayed."""

from importlib import import_module
from typing import Any

from twophase.runs.base import Runs
from twophase.runs.recorded import RecordedRuns

__all__ = ["LiveRuns", "RecordedRuns", "Runs"]


def __getattr__(name: str) -> Any:
    if name == "LiveRuns":  # it brings torch along, which replaying needs not
        return import_module("twophase.runs.live").LiveRuns
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
