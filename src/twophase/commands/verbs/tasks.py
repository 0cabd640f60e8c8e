"""`twophase tasks`: datasets of the live zoos, one of them as files, or one of the user's own."""

import argparse
from pathlib import Path

from twophase.commands import additions, wording
from twophase.commands.samples import save_task
from twophase.commands.select.reading import read_task
from twophase.commands.select.settings import compose, kind_of
from twophase.commands.verbs.models import name_of
from twophase.errors import UserError
from twophase.sources.live import parameters


def run(given: argparse.Namespace) -> None:

    if given.action == "add":
        _add(given.overrides)
        return
    if given.action == "save":
        if len(given.overrides) != 2:
            raise UserError(f"got {' '.join(given.overrides) or 'nothing'}; `tasks save` takes a dataset and a folder")
        name, folder = given.overrides[0], save_task(*given.overrides)
        print(f"{name} is in {folder}. Next: twophase select task={kind_of(folder)} task.path={folder}")
        return
    rows = []
    for domain, part in parameters.load(given.overrides).domain.items():
        chosen = part.tasks
        for role in ("benchmark", "target", "upstream"):
            sizes = chosen.upstream_sizes if role == "upstream" else chosen.sizes
            rows += [(domain, name, role, sizes.train, sizes.validation, sizes.test) for name in getattr(chosen, role)]
    wording.show(("domain", "dataset", "role", "train", "validation", "test"), rows)


def _add(overrides: list[str]) -> None:

    named = [part for part in overrides if part.startswith("name=")]
    settings = compose([part for part in overrides if part not in named])
    data = read_task(settings.task, settings.seed)
    for line in (*data.guesses, *data.notes):
        print(line)
    table = additions.add_dataset(name_of(named) or Path(settings.task.path).stem, data.task)
    print(wording.frame(table))
