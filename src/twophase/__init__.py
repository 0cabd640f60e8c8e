"""Find the pre-trained model worth fine-tuning for a new task: coarse recall, then fine-selection."""

import importlib
import warnings
from typing import Any

__version__ = "0.1.0"
# Imported when asked for: `import twophase` waits for nothing.
_HOMES = {
    "TrainingRecords": "records",
    "top_k_similarity": "similarity",
    "cluster_models": "clustering",
    "silhouette": "clustering",
    "normalize": "recall",
    "coarse_recall": "recall",
    "RecordedRuns": "runs",
    "LiveRuns": "runs",
    "brute_force": "selection",
    "successive_halving": "selection",
    "fine_selection": "selection",
    "two_phase": "pipeline",
    "lead": "leader_pipeline",
    "select": "commands.select",
}
__all__ = ["__version__", *_HOMES]


warnings.filterwarnings("ignore", message="IProgress not found")  # in a notebook a plain bar does without ipywidgets


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"twophase.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
