"""A performance matrix of one's own: every model of a list fine-tuned on every dataset of a list, planned first.

The records that come out are what recall and fine-selection rest on (``zoo=folder``, ``zoo.matrix=records.csv``).
"""

from twophase.commands.matrix.planning import Plan, plan
from twophase.commands.matrix.report import text
from twophase.commands.matrix.running import run
from twophase.commands.matrix.settings import Settings, compose

__all__ = ["Plan", "Settings", "compose", "plan", "run", "text"]
