"""``twophase doctor``: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import platform
import sys

from twophase import __version__
from twophase.errors import UserError


def report() -> int:
    """Print a line a finding. Returns 0, or 2 if something keeps the pipeline from running."""
    from twophase.infra import config
    from twophase.infra.provenance import processor, versions

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
    elif fault := config.difference(project / config.PARAMS):
        faults.append(fault)
    else:
        print("params.yaml: in step with conf/")
    for fault in faults:
        print(f"FAULT: {fault}")
    print("all is well" if not faults else f"{len(faults)} to mend")
    return 2 if faults else 0


def _machine() -> str:
    import psutil

    from twophase.infra.compute import worker_count

    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    return f"{worker_count()} workers, {free:.1f} of {total:.1f} GiB memory free"


def _store(faults: list[str]) -> str:
    from twophase.infra.store import Store

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
    from twophase.infra import config
    from twophase.sources.live import corpora as tasks

    names: list[tuple[str, str]] = []
    try:
        for domain, part in config.load().domain.items():
            names += [(domain, name) for name in (*part.tasks.roles, *part.tasks.upstream)]
    except UserError as error:
        faults.append(str(error))
    drawn = 0
    for domain, name in names:
        try:
            tasks.probe(domain, name)
            drawn += 1
        except (OSError, UserError) as error:
            faults.append(f"dataset {name} cannot be built ({error}): reinstall with `make install`")
    return f"{drawn} of {len(names)} datasets can be built"
