"""The proxy scores of a live zoo: every model scored on every dataset without training."""

from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.infra.compute import Failure
from twophase.infra.store import Store
from twophase.sources.live.models import built_models
from twophase.sources.live.parameters import Params
from twophase.training.features import score_key, score_one
from twophase.training.hardware import PLAIN
from twophase.training.stored import FAILURE_COLUMNS, digests, through_store

COLUMNS = ["model", "dataset", "proxy", "score", "seconds", "loading", "forward", "scoring"]


def score_cells(
    params: Params, domain: str, data: Path, folder: Path, looks: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score each (model, dataset) by every proxy of the domain, or as the leader looks at it.

    Args:
        looks: whether to compute the leader's proxies on as many examples as it looks at, in place of all on all.

    Returns:
        Scores (`COLUMNS`; seconds is the sum of the last three) and failures.

    Raises:
        UserError: not one model could be scored.
    """
    part = params.domain[domain]
    models, failures = built_models(part.zoo.recipes, folder)
    places = {model: folder / model for model in models}
    data_digests, model_digests, broken = digests({task: data / task for task in part.tasks.roles}, places)
    pairs = [(m, d) for d in part.tasks.roles for m in models if m not in broken]
    names = list(params.leader.proxies if looks else part.proxies)
    how = names, PLAIN, params.leader.examples if looks else None
    keys = [score_key(model_digests[m], data_digests[d], *how) for m, d in pairs]
    items = [(folder / model, data / dataset, *how) for model, dataset in pairs]
    values = through_store(Store(), "proxies", keys, score_one, items, f"{domain} {'looks' if looks else 'proxies'}")
    rows = []
    failures += [(model, "", "", reason) for model, reason in broken.items()]
    for (model, dataset), value in zip(pairs, values, strict=True):
        if isinstance(value, Failure):
            failures.append((model, dataset, "", value.reason))
        else:
            rows += [{"model": model, "dataset": dataset} | row for row in value]
    if not rows:
        raise UserError(f"not one {domain} model could be scored; the first reason: {failures[0][-1]}")
    return pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(failures, columns=FAILURE_COLUMNS)
