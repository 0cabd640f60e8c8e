"""What one gets without fine-tuning: a linear classifier on a model's frozen features, or on no model's features at all.

The simplest rivals of any selection. Each is fitted on a dataset's training split; the model of a probe is chosen by its
score on the validation split.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reproduction.evidence import MODALITY
from twophase.infra.compute import Failure
from twophase.infra.files import digest_each
from twophase.infra.store import Store
from twophase.sources.live.models import built_models
from twophase.sources.live.parameters import Params
from twophase.training import baselines, features, tasks
from twophase.training.finetuning import encoded
from twophase.training.stored import FAILURE_COLUMNS, digests, libraries, through_store

WITHOUT_MODEL = {"language": "TF-IDF", "vision": "HOG"}
STRENGTHS = (0.1, 10.0)  # scikit-learn's C; the first is that of `proxies.linear_probe`
COLUMNS = ["model", "dataset", "val", "test", "seconds"]


def fit(params: Params, domain: str, data: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A linear classifier on each model's features of each dataset, and one on words or gradients.

    Args:
        params: the configuration.
        domain: for example "cv".
        data: folder of its datasets.
        folder: of its models.

    Returns:
        model ("TF-IDF" or "HOG" for none), dataset, val, test (accuracies), seconds; and failures.
    """
    part = params.domain[domain]
    models, failures = built_models(part.zoo.recipes, folder)
    of_data, of_models, broken = digests(
        {name: data / name for name in part.tasks.roles}, {m: folder / m for m in models}
    )
    failures += [(model, "", "", reason) for model, reason in broken.items()]
    name = WITHOUT_MODEL[MODALITY[domain]]
    pairs = [(model, dataset) for dataset in of_data for model in [name, *of_models]]
    code = digest_each(Path(__file__), Path(baselines.__file__), Path(features.__file__))
    facts = {"code": code, **libraries("scikit-learn", "scipy", "scikit-image")}
    keys = [{"model": of_models.get(model, model), "data": of_data[dataset], **facts} for model, dataset in pairs]
    items = [(data / dataset, folder / model if model in of_models else None, name) for model, dataset in pairs]
    values = through_store(Store(), "rivals", keys, rival, items, f"{domain} linear classifiers")
    rows = []
    for (model, dataset), value in zip(pairs, values, strict=True):
        if isinstance(value, Failure):
            failures.append((model, dataset, "", value.reason))
        else:
            rows.append({"model": model, "dataset": dataset, **value})
    return pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(failures, columns=FAILURE_COLUMNS)


def rival(item: tuple[Path, Path | None, str]) -> dict[str, float]:
    """val, test, seconds of one linear classifier; `item` is a dataset, a model or None, and what is read without one."""
    data, model, name = item
    start = time.perf_counter()
    if model is None:
        task = tasks.load(data)
        seen = baselines.words(task) if name == "TF-IDF" else _gradients(task)
        labels = {split: np.array(task[split]["label"]) for split in tasks.SPLITS}
    else:
        seen, labels = baselines.frozen(encoded(data, model), model)
    accuracy = _classified(seen, labels, STRENGTHS if model is None else STRENGTHS[:1])
    return {"val": accuracy["validation"], "test": accuracy["test"], "seconds": time.perf_counter() - start}


def _gradients(task: Any) -> dict[str, np.ndarray]:
    """Histograms of oriented gradients, and each colour's pixels."""
    from skimage.feature import hog

    how = {"orientations": 8, "pixels_per_cell": (4, 4), "cells_per_block": (2, 2), "channel_axis": -1}

    def seen(picture: Any) -> np.ndarray:
        pixels = np.asarray(picture.convert("RGB"), dtype=float) / 255
        return np.concatenate([hog(pixels, **how), pixels.ravel()])

    return baselines.standardised(
        {split: np.stack([seen(one) for one in task[split]["image"]]) for split in tasks.SPLITS}
    )


def _classified(seen: dict[str, Any], labels: dict[str, np.ndarray], strengths: tuple[float, ...]) -> dict[str, float]:
    """Accuracy on each held-out split; the penalty that is best on the validation split is taken."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # accuracy settles long before the weights do
        for strength in strengths:
            fitted = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(seen["train"], labels["train"])
            found.append({split: fitted.score(seen[split], labels[split]) for split in ("validation", "test")})
    return max(found, key=lambda accuracy: accuracy["validation"])
