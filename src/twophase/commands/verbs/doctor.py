"""``twophase doctor``: what is here, what is missing, and what to do about it."""

import argparse
import platform
import sys

import psutil

from twophase import __version__
from twophase.errors import UserError
from twophase.infra import config
from twophase.infra.compute import worker_count
from twophase.infra.machine import processor, versions
from twophase.infra.store import Store
from twophase.sources.live import corpora, parameters


def run(given: argparse.Namespace) -> int:
    """Print a line a finding. Returns 0, or 2 if something keeps the pipeline from running."""
    faults = []
    print(f"twophase {__version__}, Python {platform.python_version()} ({sys.executable})")
    for package, version in versions().items():
        print(f"  {package} {version or 'MISSING'}")
        if version is None:
            faults.append(f"{package} is missing: run `make install`")
    print(f"machine: {processor()}, {_machine()}")
    print(f"cell store: {_store(faults)}")
    print(f"configuration: {config.find_conf()}")
    print(f"data: {_data(faults)}")
    project = config.find_project()
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


def _machine() -> str:
    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    return f"{worker_count()} workers, {free:.1f} of {total:.1f} GiB memory free"


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
