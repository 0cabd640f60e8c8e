"""`twophase params`: params.yaml from conf/."""

import argparse
from pathlib import Path

from twophase.errors import UserError
from twophase.infra import config
from twophase.sources.live import parameters


def run(given: argparse.Namespace) -> None:

    if given.stdout:
        parameters.load(given.overrides)
        print(config.compose(given.overrides), end="")
        return
    project = config.find_project()
    if project is None:
        raise UserError(f"{Path.cwd()} lies in no project (dvc.yaml beside conf/): go to one, or give --stdout")
    parameters.write(project / config.PARAMS, given.overrides)
    print(f"wrote {project / config.PARAMS}")
