"""The machine that a benchmark was measured on."""

import os
import platform
from typing import Any

import psutil

from twophase.infra.compute import worker_count
from twophase.infra.machine import processor, versions

PACKAGES = (
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "optuna",
    "accelerate",
    "transformer-ranker",
)


def describe() -> dict[str, Any]:
    """Processor, cores, memory (GiB), versions, and the load of the last minute. No date: a repeat differs by its figures."""
    return {
        "processor": processor(),
        "cores": worker_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions(PACKAGES),
        "load_at_start": round(os.getloadavg()[0], 2),
    }
