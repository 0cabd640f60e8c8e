"""What figures were made with: versions, processor, lock and data, as ``results/manifest.json``."""

import platform
from pathlib import Path
from typing import Any

from twophase.infra import files
from twophase.infra.machine import processor, versions
from twophase.sources.live.parameters import Params
from twophase.training import tasks
from twophase.training.loading import model_digest

LOCK = Path("constraints.txt")


def describe(params: Params, data: Path, zoo: Path) -> dict[str, Any]:
    """The manifest's content; nothing in it changes between two runs on one machine."""
    domains = {}
    for name, part in params.domain.items():
        datasets = [*part.tasks.roles, *part.tasks.upstream]
        models = [model for model in part.zoo.recipes if (zoo / name / model).is_dir()]
        domains[name] = {
            "data": {dataset: tasks.digest(data / name / dataset) for dataset in datasets},
            "models": {model: model_digest(zoo / name / model) for model in models},
        }
    return {
        "profile": params.profile,
        "seed": params.seed,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "packages": versions(),
        "lock": files.digest(LOCK) if LOCK.is_file() else None,
        "domains": domains,
    }


def write(path: Path, params: Params, data: Path, zoo: Path) -> None:
    """Write the manifest."""
    files.write_json(path, describe(params, data, zoo))
