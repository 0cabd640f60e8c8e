"""Find the pre-trained model worth fine-tuning for a new task: coarse recall, then fine-selection."""

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twophase.commands.select import select

__version__ = "0.1.0"
__all__ = ["__version__", "select"]


warnings.filterwarnings("ignore", message="IProgress not found")  # in a notebook a plain bar does without ipywidgets


def __getattr__(name: str) -> Any:
    if name == "select":
        return importlib.import_module("twophase.commands.select").select
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
