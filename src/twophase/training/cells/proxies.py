"""Every model scored on every dataset without training."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from twophase.errors import UserError
from twophase.infra.compute import Failure
from twophase.infra.settings import Params
from twophase.infra.store import Store, file_digest
from twophase.training.cells.models import built_models
from twophase.training.cells.stored import FAILURE_COLUMNS, digests, libraries, through_store
from twophase.training.hardware import PLAIN, Hardware

if TYPE_CHECKING:
    import pandas as pd


def score_cells(params: Params, domain: str, data: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score each (model, dataset) by every proxy of the domain.

    Returns:
        Scores (model, dataset, proxy, score, seconds) and failures.

    Raises:
        UserError: not one model could be scored.
    """
    import pandas as pd

    part = params.domain[domain]
    models, failures = built_models(part.zoo.recipes, folder)
    places = {model: folder / model for model in models}
    data_digests, model_digests, broken = digests({task: data / task for task in part.tasks.roles}, places)
    pairs = [(m, d) for d in part.tasks.roles for m in models if m not in broken]
    keys = [score_key(model_digests[m], data_digests[d], list(part.proxies)) for m, d in pairs]
    items = [(folder / model, data / dataset, list(part.proxies)) for model, dataset in pairs]
    values = through_store(Store(), "proxies", keys, score_one, items, f"{domain} proxies")
    rows = []
    failures += [(model, "", "", reason) for model, reason in broken.items()]
    for (model, dataset), value in zip(pairs, values, strict=True):
        if isinstance(value, Failure):
            failures.append((model, dataset, "", value.reason))
        else:
            rows += [{"model": model, "dataset": dataset} | row for row in value]
    if not rows:
        raise UserError(f"not one {domain} model could be scored; the first reason: {failures[0][-1]}")
    columns = ["model", "dataset", "proxy", "score", "seconds"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(failures, columns=FAILURE_COLUMNS)


def score_key(model: str, data: str, proxies: list[str], hardware: Hardware = PLAIN) -> dict:
    """Key of the proxy scores of a model on a dataset: digests of both, and the code and libraries that compute them."""
    from twophase import proxies as package
    from twophase.training import features as inference

    computed = {name: (package.PROXIES | package.RELEASED)[name] for name in proxies}
    own = {Path(inspect.getsourcefile(inspect.unwrap(function))) for function in computed.values()}
    code = file_digest(Path(inference.__file__), *sorted({*Path(package.__file__).parent.glob("*.py"), *own}))
    facts = {"model": model, "data": data, "proxies": proxies, "code": code}
    return facts | libraries("scikit-learn", "scipy") | hardware.key()


def score_one(item: tuple) -> list[dict]:
    from twophase.training import features as inference

    return inference.score_cell(*item)
