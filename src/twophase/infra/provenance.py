"""What figures were made with: versions, processor, lock and data, as ``results/manifest.json``."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from twophase.infra.settings import Params

LOCK = Path("constraints.txt")
PACKAGES = ("torch", "transformers", "datasets", "scikit-learn", "scikit-image", "numpy", "scipy", "pandas",
            "pillow", "matplotlib", "dvc", "hydra-core")  # fmt: skip


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str | None]:
    """Installed version of each package; None if it is missing."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe(params: Params, data: Path, zoo: Path) -> dict[str, Any]:
    """The manifest's content; nothing in it changes between two runs on one machine."""
    from twophase.sources.live import corpora as tasks
    from twophase.sources.live.zoo import digest

    domains = {}
    for name, part in params.domain.items():
        datasets = [*part.tasks.roles, *part.tasks.upstream]
        models = [model for model in part.zoo.recipes if (zoo / name / model).is_dir()]
        domains[name] = {
            "data": {dataset: tasks.digest(data / name / dataset) for dataset in datasets},
            "models": {model: digest(zoo / name / model) for model in models},
        }
    return {
        "profile": params.profile,
        "seed": params.seed,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "packages": versions(),
        "lock": hashlib.sha256(LOCK.read_bytes()).hexdigest() if LOCK.is_file() else None,
        "domains": domains,
    }


def write(path: Path, params: Params, data: Path, zoo: Path) -> None:
    """Write the manifest."""
    path.write_text(json.dumps(describe(params, data, zoo), indent=2) + "\n", encoding="utf-8")
