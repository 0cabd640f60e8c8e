"""The work of the stages, cell by cell: what is in the store is read, what is missing is computed.

A key holds everything that determines a cell: configuration, digests of data and weights, a version of the
code that computes it, the seed, and the libraries whose arithmetic it is. A failed cell is reported, never
kept, and never ends the run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twophase.compute import Failure, parallel_map
from twophase.errors import UserError
from twophase.settings import Params
from twophase.store import Store, file_digest

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = ("torch", "transformers", "numpy")
FAILURE_COLUMNS = ["model", "dataset", "seed", "reason"]
UNBUILT = "unbuilt.csv"  # in the zoo's folder: models that could not be built, with the reason


def through_store(
    store: Store,
    kind: str,
    keys: list[dict],
    function: Callable[[Any], Any],
    items: list[Any],
    description: str,
    progress: bool = True,
) -> list[Any]:
    """The value of each key: read from the store, or ``function(item)`` kept as soon as it is there.

    ``description`` names the work, on the bar and to whoever waits for the store; ``progress``: whether to show the bar.

    Returns:
        A value or a :class:`~twophase.compute.Failure` for each key, in order.
    """
    values = [store.get(kind, key) for key in keys]
    if all(value is not None for value in values):
        return values
    with store.lock(description):
        values = [store.get(kind, key) for key in keys]
        missing = [index for index, value in enumerate(values) if value is None]

        def keep(number: int, value: Any) -> None:
            values[missing[number]] = value
            if not isinstance(value, Failure):
                store.put(kind, keys[missing[number]], value)

        shown = description if progress else None
        parallel_map(function, [items[i] for i in missing], description=shown, on_result=keep)
    return values


def build_tasks(params: Params, domain: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build the datasets into ``folder/<task>``. One that cannot be built ends the stage.

    Returns:
        What they were drawn from (`tasks.prepare`), and facts of each (`tasks.describe`, and its role).
    """
    import pandas as pd

    from twophase import tasks

    chosen = params.domain[domain].tasks
    sizes = dict.fromkeys(chosen.roles, chosen.sizes) | dict.fromkeys(chosen.upstream, chosen.upstream_sizes)
    sources = tasks.prepare(domain, list(sizes), folder, chosen.files)
    items = [
        (domain, name, asdict(size), params.seed, folder / name, name in chosen.upstream)
        for name, size in sizes.items()
    ]
    results = parallel_map(build_task, items, description=f"{domain} tasks")
    failed = [f"{item[1]} ({result.reason})" for item, result in zip(items, results, strict=True) if result]
    if failed:
        raise UserError(f"{domain} datasets that cannot be built: {'; '.join(failed)}")
    roles = chosen.roles | dict.fromkeys(chosen.upstream, "upstream")
    facts = [{"dataset": name, "role": roles[name], **tasks.describe(folder / name)} for name in sizes]
    return sources, pd.DataFrame(facts)


def build_task(item: tuple[str, str, dict, int, Path, bool]) -> None:
    from twophase import tasks

    domain, name, sizes, seed, folder, at_most = item
    tasks.save(tasks.build(domain, name, sizes, seed, folder.parent, at_most), folder)


def build_zoo(params: Params, domain: str, data: Path, folder: Path) -> None:
    """Pre-train the models, a generation at a time (parents first), and copy them to ``folder/<model>``."""
    import pandas as pd

    store, recipes = Store(), params.domain[domain].zoo.recipes
    keys = {name: zoo_key(recipe, recipes, data) for name, recipe in recipes.items()}
    built: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    with store.lock(f"{domain} zoo"):
        left = list(recipes)
        while left:
            ready = [n for n in left if not recipes[n].parent or recipes[n].parent in built | reasons]
            left = [name for name in left if name not in ready]
            built |= {name: kept for name in ready if (kept := store.get_folder("models", keys[name]))}
            reasons |= {n: f"its parent {recipes[n].parent} failed" for n in ready if recipes[n].parent in reasons}
            missing = [name for name in ready if name not in built | reasons]
            items = [(store.root, keys[n], recipes[n], data, built.get(recipes[n].parent)) for n in missing]
            made = parallel_map(build_model, items, description=f"{domain} zoo")
            for name, result in zip(missing, made, strict=True):
                if isinstance(result, Failure):
                    reasons[name] = result.reason
                else:
                    built[name] = result
    if not built:
        raise UserError(
            f"no model of the {domain} zoo could be built; the first reason: {next(iter(reasons.values()))}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, kept in built.items():
        store.export(kept, folder / name)
    unbuilt = pd.DataFrame(sorted(reasons.items()), columns=["model", "reason"])
    unbuilt.to_csv(folder / UNBUILT, index=False, lineterminator="\n")


def zoo_key(recipe: Any, recipes: dict[str, Any], data: Path) -> dict:
    """Key of a model: its recipe and its parents', the data they learned from, the code's versions."""
    from twophase import tasks, training, zoo

    line, current = [recipe], recipe
    while current.parent:
        current = recipes[current.parent]
        line.append(current)
    upstreams = {name: tasks.digest(data / name) for one in line for name in sorted(one.reads)}
    return {
        "recipe": zoo.fingerprint(recipe, recipes),
        "upstreams": upstreams,
        "zoo": zoo.ZOO_VERSION,
        "training": training.TRAINING_VERSION,
        **_libraries("tokenizers", "scikit-learn", "scipy"),
    }


def build_model(item: tuple[Path, dict, Any, Path, Path | None]) -> Path:
    from twophase import zoo

    root, key, recipe, data, parent = item
    return Store(root).put_folder("models", key, lambda folder: zoo.build(recipe, folder, data, parent=parent))


def train_cells(
    params: Params, domain: str, data: Path, folder: Path, second_rate: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fine-tune each (model, dataset, seed); with `second_rate` the targets alone, with the second learning rate.

    Returns:
        Records (a row an epoch: model, dataset, role, seed, epoch, val, test, seconds) and failures.

    Raises:
        UserError: not one cell could be trained.
    """
    import pandas as pd

    from twophase import training

    part = params.domain[domain]
    settings = training.TrainingConfig(**asdict(part.training))
    roles, name = part.tasks.roles, f"{domain} records"
    if second_rate:
        settings = replace(settings, learning_rate=part.second_learning_rate)
        roles, name = dict.fromkeys(part.tasks.target, "target"), f"{domain} second learning rate"
    models, failures = _models(part.zoo.recipes, folder)
    cells = [
        (model, dataset, seed)
        for dataset, role in roles.items()
        for model in models
        for seed in seeds(params.seed, part.seeds, model, role)
    ]
    folders = {model: folder / model for model in models}
    rows, failed = train_folders(folders, {task: data / task for task in roles}, roles, cells, settings, name)
    if rows.empty:
        raise UserError(f"not one {domain} cell could be trained; the first reason: {(failures + failed)[0][-1]}")
    return rows, pd.DataFrame(failures + failed, columns=FAILURE_COLUMNS)


def train_folders(
    folders: dict[str, Path],
    data: dict[str, Path],
    roles: dict[str, str],
    cells: list[tuple[str, str, int]],
    settings: Any,
    name: str,
) -> tuple[pd.DataFrame, list[tuple]]:
    """Train cells (model, dataset, seed) of models and tasks in folders.

    Returns:
        Records (a row an epoch), and failures: (model, dataset, seed, reason).
    """
    import pandas as pd

    from twophase import training

    data_digests, model_digests, broken = _digests(data, folders)
    cells = [cell for cell in cells if cell[0] not in broken]
    keys = [
        {
            "model": model_digests[model],
            "data": data_digests[dataset],
            "config": asdict(settings),
            "seed": seed,
            "training": training.TRAINING_VERSION,
            **_libraries(),
        }
        for model, dataset, seed in cells
    ]
    items = [(folders[model], data[dataset], settings, seed) for model, dataset, seed in cells]
    values = through_store(Store(), "cells", keys, train_one, items, name)
    rows, failures = [], [(model, "", "", reason) for model, reason in broken.items()]
    for (model, dataset, seed), value in zip(cells, values, strict=True):
        if isinstance(value, Failure):
            failures.append((model, dataset, seed, value.reason))
            continue
        head = {"model": model, "dataset": dataset, "role": roles[dataset], "seed": seed}
        rows += [head | row for row in value]
    return pd.DataFrame(rows), failures


def seeds(seed: int, repeated: Any, model: str, role: str) -> list[int]:
    """The seeds of a model's cells on datasets of ``role``: only benchmark cells are repeated."""
    extra = repeated.extra if model in repeated.models and role == "benchmark" else 0
    return [seed + number for number in range(extra + 1)]


def train_one(item: tuple[Path, Path, Any, int]) -> list[dict]:
    from twophase import training

    return training.train_cell(*item)


def score_cells(params: Params, domain: str, data: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score each (model, dataset) by every proxy of the domain.

    Returns:
        Scores (model, dataset, proxy, score, seconds) and failures.

    Raises:
        UserError: not one model could be scored.
    """
    import pandas as pd

    from twophase import inference, proxies

    part = params.domain[domain]
    models, failures = _models(part.zoo.recipes, folder)
    places = {model: folder / model for model in models}
    data_digests, model_digests, broken = _digests({task: data / task for task in part.tasks.roles}, places)
    pairs = [(m, d) for d in part.tasks.roles for m in models if m not in broken]
    sources = [Path(inference.__file__), *sorted(Path(proxies.__file__).parent.glob("*.py"))]
    code = file_digest(*sources)
    keys = [
        {"model": model_digests[m], "data": data_digests[d], "proxies": list(part.proxies), "code": code}
        | _libraries("scikit-learn", "scipy")
        for m, d in pairs
    ]
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


def score_one(item: tuple[Path, Path, list[str]]) -> list[dict]:
    from twophase import inference

    return inference.score_cell(*item)


def _models(recipes: dict[str, Any], folder: Path) -> tuple[list[str], list[tuple]]:
    """The models that were built, and a failure for each that was not."""
    import pandas as pd

    listed = folder / UNBUILT
    reasons = dict(pd.read_csv(listed).itertuples(index=False)) if listed.is_file() else {}
    return [m for m in recipes if m not in reasons], [(m, "", "", reason) for m, reason in reasons.items()]


def _digests(data: dict[str, Path], folders: dict[str, Path]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Digest of each dataset and each model, and the reason for each model whose files cannot be read."""
    from twophase import tasks, zoo

    of_data = {dataset: tasks.digest(folder) for dataset, folder in data.items()}
    of_models, broken = {}, {}
    for model, folder in folders.items():
        try:
            of_models[model] = zoo.digest(folder)
        except OSError as error:
            broken[model] = f"its files cannot be read: {error}"
    return of_data, of_models, broken


def _libraries(*more: str) -> dict[str, str]:
    return {name: version(name) for name in (*LIBRARIES, *more)}
