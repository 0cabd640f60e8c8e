"""`twophase matrix`: a performance matrix, planned or trained."""

import argparse

from twophase.commands import matrix as matrices
from twophase.training.loading import quiet


def run(given: argparse.Namespace) -> None:

    settings = matrices.compose(given.overrides)

    with quiet():
        if given.action == "plan":
            print(matrices.text(matrices.plan(settings)))
        else:
            matrices.run(settings)
