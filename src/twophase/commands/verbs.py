"""What each verb of the command line does; each imports what it needs itself, so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from twophase.errors import UserError


def _add_task(overrides: list[str]) -> None:
    from twophase.commands.select import additions as growing
    from twophase.commands.select.reading import read_task
    from twophase.commands.select.settings import compose

    named = [part for part in overrides if part.startswith("name=")]
    settings = compose([part for part in overrides if part not in named])
    data = read_task(settings)
    for line in (*data.guesses, *data.notes):
        print(line)
    table = growing.add_dataset(_named(named) or Path(settings.task.path).stem, data.task)
    print(table.to_string(float_format=lambda value: f"{value:.3f}", na_rep=""))


def select(given: argparse.Namespace) -> int:
    from twophase.commands.select.settings import compose

    settings = compose(given.overrides)
    from twophase.commands.select.run import Stopped, run
    from twophase.training.loading import quiet

    try:
        with quiet():
            print(f"\n{run(settings)}")
    except Stopped as stopped:
        if stopped.outcome is None:
            print("twophase: interrupted before any model finished an epoch; the same command goes on", file=sys.stderr)
        else:
            print(f"\n{stopped.outcome}")
            print("twophase: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def matrix(given: argparse.Namespace) -> None:
    from twophase.commands import matrix as matrices

    settings = matrices.compose(given.overrides)
    from twophase.training.loading import quiet

    with quiet():
        if given.action == "plan":
            print(matrices.plan(settings))
        else:
            matrices.run(settings)


def params(given: argparse.Namespace) -> None:
    from twophase.infra import config

    if given.stdout:
        config.load(given.overrides)
        print(config.compose(given.overrides), end="")
        return
    project = config.find_project()
    if project is None:
        raise UserError(f"{Path.cwd()} lies in no project (dvc.yaml beside conf/): go to one, or give --stdout")
    config.write(project / config.PARAMS, given.overrides)
    print(f"wrote {project / config.PARAMS}")


def models(given: argparse.Namespace) -> None:
    from twophase.infra import config

    names = [part for part in given.given if "=" not in part]
    overrides = [part for part in given.given if "=" in part]
    if given.action == "list":
        if names:
            raise UserError(f"got {names[0]!r}; `models list` takes key=value only")
        rows = []
        for domain, part in config.load(overrides).domain.items():
            for name, recipe in part.zoo.recipes.items():
                start = recipe.parent or f"{recipe.architecture} {recipe.width} x {recipe.depth}"
                learned = f"{recipe.upstream} ({recipe.objective})" if recipe.upstream else "nothing"
                rows.append((domain, name, start, learned, "yes" if recipe.head else "no"))
            from twophase.commands.select.additions import added

            rows += [(domain, name, "added by you", "", "") for name in added(domain)]
        _table(("domain", "model", "starts from", "learned", "source head"), rows)
        return
    if len(names) != 1:
        what = "the folder of one model, or its id on a hub," if given.action == "add" else "the name of one model"
        raise UserError(f"got {' '.join(names) or 'nothing'}; `models {given.action}` takes {what}")
    from twophase.commands.select import additions as growing

    if given.action == "show":
        folder, table = growing.show(names[0])
        print(f"{names[0]}: {folder}")
    else:
        table = growing.add_model(names[0], name=_named(overrides))
    print(table.to_string(float_format=lambda value: f"{value:.3f}", na_rep=""))


def _named(overrides: list[str]) -> str | None:
    """The name in name=…; UserError for any other key."""
    for override in overrides:
        if not override.startswith("name="):
            raise UserError(f"got {override!r}; allowed here is name=…")
    return overrides[-1].removeprefix("name=") if overrides else None


def proxies(given: argparse.Namespace) -> None:
    from twophase.proxies import PROXIES

    rows = [(name, run.reads, (run.__doc__ or "").strip().splitlines()[0]) for name, run in PROXIES.items()]
    _table(("proxy", "reads", "what it is"), rows)


def tasks(given: argparse.Namespace) -> None:
    from twophase.infra import config

    if given.action == "add":
        _add_task(given.overrides)
        return
    if given.action == "save":
        if len(given.overrides) != 2:
            raise UserError(f"got {' '.join(given.overrides) or 'nothing'}; `tasks save` takes a dataset and a folder")
        from twophase.commands.select.bundled import save_task
        from twophase.commands.select.settings import kind_of

        name, folder = given.overrides[0], save_task(*given.overrides)
        print(f"{name} is in {folder}. Next: twophase select task={kind_of(folder)} task.path={folder}")
        return
    rows = []
    for domain, part in config.load(given.overrides).domain.items():
        chosen = part.tasks
        for role in ("benchmark", "target", "upstream"):
            sizes = chosen.upstream_sizes if role == "upstream" else chosen.sizes
            rows += [(domain, name, role, sizes.train, sizes.validation, sizes.test) for name in getattr(chosen, role)]
    _table(("domain", "dataset", "role", "train", "validation", "test"), rows)


def records(given: argparse.Namespace) -> None:
    from twophase.infra import config
    from twophase.sources.published import READERS
    from twophase.sources.published.catalogue import catalogue, get, kept

    overrides = [part for part in given.given if "=" in part]
    sources = [part for part in given.given if "=" not in part]
    entries = [entry for source in sources or [None] for entry in catalogue(source)]
    mirror = config.load(overrides).published.mirror
    if given.action == "list":
        rows = [
            (e.source, e.file, f"{e.bytes / 1000:.1f} kB", e.licence, "yes" if kept(e, mirror) else "no")
            for e in entries
        ]
        _table(("source", "file", "size", "licence", "here"), rows)
        return
    for entry in entries:
        print(get(entry, mirror))
    for source in dict.fromkeys(entry.source for entry in entries):
        found = READERS[source](mirror=mirror)
        print(f"\n{source}: {len(found.records.models)} models, {len(found.records.datasets())} datasets")
        _table(tuple(found.account), list(found.account.itertuples(index=False)))


def doctor(given: argparse.Namespace) -> int:
    from twophase.commands.doctor import report

    return report()


def clean(given: argparse.Namespace) -> None:
    from twophase.infra.store import Store

    store = Store()
    files, size = store.size()
    if not files:
        print(f"{store.root} is empty")
        return
    if not given.yes:
        if not sys.stdin.isatty():
            raise UserError(f"{store.root} holds {files} files ({size / 1e6:.1f} MB); to remove them give --yes")
        if input(f"remove {files} files ({size / 1e6:.1f} MB) from {store.root}? [y/N] ").strip().lower() != "y":
            print("nothing removed")
            return
    store.clear()
    print(f"removed {files} files ({size / 1e6:.1f} MB) from {store.root}")


def _table(head: tuple, rows: list[tuple]) -> None:
    lines = [tuple(map(str, row)) for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
