"""The work of the stages, cell by cell: what is in the store is read, what is missing is computed.

A key holds everything that determines a cell: configuration, digests of data and weights, a version of the
code that computes it, the seed, and the libraries whose arithmetic it is. A failed cell is reported, never
kept, and never ends the run.
"""

from twophase.training.cells.datasets import build_tasks
from twophase.training.cells.models import build_zoo
from twophase.training.cells.proxies import score_cells, score_key, score_one
from twophase.training.cells.stored import through_store
from twophase.training.cells.training import train_cells, train_folders, train_one, train_second_rate

__all__ = [
    "build_tasks", "build_zoo", "score_cells", "score_key", "score_one", "through_store", "train_cells", "train_folders", "train_one",
    "train_second_rate",
]  # fmt: skip
