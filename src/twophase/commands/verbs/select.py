"""`twophase select`: a model for a task."""

import argparse
import sys

from twophase.commands.select.run import Stopped
from twophase.commands.select.run import run as run_select
from twophase.commands.select.settings import compose
from twophase.training.loading import quiet


def run(given: argparse.Namespace) -> int:

    settings = compose(given.overrides)
    try:
        with quiet():
            print(f"\n{run_select(settings)}")
    except Stopped as stopped:
        if stopped.outcome is None:
            print("twophase: interrupted before any model finished an epoch; the same command goes on", file=sys.stderr)
        else:
            print(f"\n{stopped.outcome}")
            print("twophase: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0
