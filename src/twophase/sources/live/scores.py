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
    part, chosen = params.domain[domain], params.leader
    models, failures = built_models(part.zoo.recipes, folder)
    places, tasks = {model: folder / model for model in models}, {task: data / task for task in part.tasks.roles}
    how = (list(chosen.proxies), chosen.examples) if looks else (list(part.proxies), None)
    rows, failed = score_folders(places, tasks, *how, f"{domain} {'looks' if looks else 'proxies'}")
    failures = pd.DataFrame([*failures, *failed], columns=FAILURE_COLUMNS)
    if rows.empty:
        raise UserError(f"not one {domain} model could be scored; the first reason: {failures['reason'].iloc[0]}")
    return rows, failures


def score_folders(
    folders: dict[str, Path],
    data: dict[str, Path],
    proxies: list[str],
    examples: int | None,
    name: str,
    progress: bool = True,
) -> tuple[pd.DataFrame, list[tuple]]:
    """Score models in folders on tasks in folders, each kept as soon as it is done.

    Args:
        folders, data: model and dataset -> folder.
        proxies, examples: see `features.score_cell`.
        name: of the work, on its bar.
        progress: whether to show the bar.

    Returns:
        Scores (`COLUMNS`), and failures: (model, dataset, "", reason).
    """
    data_digests, model_digests, broken = digests(data, folders)
    pairs = [(model, dataset) for dataset in data for model in folders if model not in broken]
    how = proxies, PLAIN, examples
    keys = [score_key(model_digests[model], data_digests[dataset], *how) for model, dataset in pairs]
    items = [(folders[model], data[dataset], *how) for model, dataset in pairs]
    values = through_store(Store(), "proxies", keys, score_one, items, name, progress)
    failures = [(model, "", "", reason) for model, reason in broken.items()]
    rows: list[dict] = []
    for (model, dataset), value in zip(pairs, values, strict=True):
        if isinstance(value, Failure):
            failures.append((model, dataset, "", value.reason))
        else:
            rows += [{"model": model, "dataset": dataset} | row for row in value]
    return pd.DataFrame(rows, columns=COLUMNS), failures


def looks(
    params: Params, table: Path, folders: dict[str, Path], data: dict[str, Path], progress: bool = True
) -> pd.DataFrame:
    """The leader's proxy scores of these models on these datasets: read from a table, the rest computed once.

    Args:
        params: the leader's proxies and examples.
        table: what an earlier stage has written; it may not be there.
        folders, data: model and dataset -> folder.
        progress: whether to show a bar.
    """
    chosen = params.leader
    kept = pd.read_csv(table) if table.is_file() else pd.DataFrame(columns=COLUMNS)
    if not set(chosen.proxies) <= set(kept["proxy"]):
        kept = kept.iloc[:0]
    known = set(zip(kept["model"], kept["dataset"], strict=True))
    found = [kept]
    for dataset, place in data.items():
        if missing := {name: folder for name, folder in folders.items() if (name, dataset) not in known}:
            title = f"looks at {dataset}"
            found.append(
                score_folders(missing, {dataset: place}, list(chosen.proxies), chosen.examples, title, progress)[0]
            )
    whole = pd.concat([part for part in found if len(part)]) if any(map(len, found)) else kept
    return whole[whole["model"].isin(folders) & whole["dataset"].isin(data)].reset_index(drop=True)
