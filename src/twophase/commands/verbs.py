"""The smaller verbs of the command line: `params`, `proxies`, `records`, `doctor`, `clean`. None of them loads torch."""

import argparse
import platform
import sys
from pathlib import Path

import psutil

from twophase import __version__
from twophase.commands import wording
from twophase.errors import UserError
from twophase.infra import config
from twophase.infra.compute import worker_count
from twophase.infra.machine import processor, versions
from twophase.infra.store import Store
from twophase.proxies import PROXIES
from twophase.sources.live import corpora, parameters
from twophase.sources.published import READERS
from twophase.sources.published.catalogue import catalogue, get, kept


def apart(words: list[str]) -> tuple[list[str], list[str]]:
    """Names, and overrides (key=value), of what was given."""
    return [word for word in words if "=" not in word], [word for word in words if "=" in word]


def run_params(given: argparse.Namespace) -> None:
    """`twophase params`: params.yaml from conf/."""
    if given.stdout:
        parameters.load(given.overrides)
        print(config.compose(given.overrides), end="")
        return
    project = config.find_project()
    if project is None:
        raise UserError(f"{Path.cwd()} lies in no project (dvc.yaml beside conf/): go to one, or give --stdout")
    parameters.write(project / config.PARAMS, given.overrides)
    print(f"wrote {project / config.PARAMS}")


def run_proxies(given: argparse.Namespace) -> None:
    """`twophase proxies`: the proxy scores that there are."""
    rows = [(name, run.reads, (run.__doc__ or "").strip().splitlines()[0]) for name, run in PROXIES.items()]
    wording.show(("proxy", "reads", "what it is"), rows)


def run_records(given: argparse.Namespace) -> None:
    """`twophase records`: other groups' fine-tuning records."""
    sources, overrides = apart(given.given)
    entries = [entry for source in sources or [None] for entry in catalogue(source)]
    mirror = parameters.load(overrides).published.mirror
    if given.action == "list":
        rows = [
            (e.source, e.file, f"{e.bytes / 1000:.1f} kB", e.licence, "yes" if kept(e, mirror) else "no")
            for e in entries
        ]
        wording.show(("source", "file", "size", "licence", "here"), rows)
        return
    for entry in entries:
        print(get(entry, mirror))
    for source in dict.fromkeys(entry.source for entry in entries):
        found = READERS[source](mirror=mirror)
        print(f"\n{source}: {len(found.records.models)} models, {len(found.records.datasets())} datasets")
        wording.show(tuple(found.account), list(found.account.itertuples(index=False)))


def run_clean(given: argparse.Namespace) -> None:
    """`twophase clean`: a cell store without its entries; what the user added, and what others keep there, stays."""
    store = Store()
    files, size = store.size()
    if not files:
        print(f"{store.root} holds nothing to remove")
        return
    held = f"{files} files ({size / 1e6:.1f} MB)"
    if not given.yes:
        if not sys.stdin.isatty():
            raise UserError(f"{store.root} holds {held}; to remove them give --yes")
        if input(f"remove {held} from {store.root}? [y/N] ").strip().lower() != "y":
            print("nothing removed")
            return
    left = store.clear()
    print(f"removed {held} from {store.root}")
    if left:
        print(f"left there (published records, what you added, what others keep there): {', '.join(left)}")


def run_doctor(given: argparse.Namespace) -> int:
    """`twophase doctor`: what is here, what is missing, and what to do about it, a line a finding.

    Returns:
        0, or 2 if something keeps the pipeline from running.
    """
    faults, project = [], config.find_project()
    print(f"twophase {__version__}, Python {platform.python_version()} ({sys.executable})")
    for package, version in versions().items():
        print(f"  {package} {version or 'MISSING'}")
        if version is None and project:  # the library alone does without
            faults.append(f"{package} is missing: run `make install`")
    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    print(f"machine: {processor()}, {worker_count()} workers, {free:.1f} of {total:.1f} GiB memory free")
    print(f"cell store: {_store(faults)}")
    print(f"configuration: {config.find_conf()}")
    print(f"data: {_data(faults if project else [])}")
    if project is None:
        print("project: none around this folder")
    elif fault := parameters.difference(project / config.PARAMS):
        faults.append(fault)
    else:
        print("params.yaml: in step with conf/")
    for fault in faults:
        print(f"FAULT: {fault}")
    print("all is well" if not faults else f"{len(faults)} to mend")
    return 2 if faults else 0


def _store(faults: list[str]) -> str:
    try:
        store = Store()
        store.probe()
        files, size = store.size()
    except UserError as error:
        faults.append(str(error))
        return "out of order"
    return f"{store.root}, {files} files, {size / 1e6:.1f} MB"


def _data(faults: list[str]) -> str:
    """Whether what every dataset is made from is here: fonts, pictures, packages."""
    names: list[tuple[str, str]] = []
    try:
        for domain, part in parameters.load().domain.items():
            names += [(domain, name) for name in (*part.tasks.roles, *part.tasks.upstream)]
    except UserError as error:
        faults.append(str(error))
    drawn = 0
    for domain, name in names:
        try:
            corpora.probe(domain, name)
            drawn += 1
        except (OSError, UserError) as error:
            faults.append(f"dataset {name} cannot be built ({error}): reinstall with `make install`")
    return f"{drawn} of {len(names)} datasets can be built"
