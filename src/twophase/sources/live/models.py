"""The models of a live zoo, pre-trained side by side through the store."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from twophase.errors import UserError
from twophase.infra.compute import Failure, parallel_map
from twophase.infra.files import replacing
from twophase.infra.store import Store, cache_folder, digest
from twophase.sources.live.parameters import Params
from twophase.sources.live.zoo import pretraining
from twophase.sources.live.zoo.recipes import fingerprint, reads
from twophase.training import finetuning, tasks
from twophase.training.stored import libraries

ZOO_LIBRARIES = ("tokenizers", "scikit-learn", "scipy")
UNBUILT = "unbuilt.csv"  # in the zoo's folder: models that could not be built, with the reason


def build_zoo(params: Params, domain: str, data: Path, folder: Path) -> None:
    """Pre-train the models, a generation at a time (parents first), and copy them to `folder/<model>`."""
    store, recipes = Store(), params.domain[domain].zoo.recipes
    keys = {name: zoo_key(recipe, recipes, data) for name, recipe in recipes.items()}
    built: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    with store.lock("models", [keys], f"{domain} zoo"):
        lacking = [name for name in recipes if store.get_folder("models", keys[name]) is None]
        shared = _make_shared([recipes[name] for name in lacking], data, domain)
        left = list(recipes)
        while left:
            ready = [n for n in left if not recipes[n].parent or recipes[n].parent in built | reasons]
            left = [name for name in left if name not in ready]
            built |= {name: kept for name in ready if (kept := store.get_folder("models", keys[name]))}
            reasons |= {n: f"its parent {recipes[n].parent} failed" for n in ready if recipes[n].parent in reasons}
            missing = [name for name in ready if name not in built | reasons]
            missing.sort(key=lambda name: recipes[name].objective == "classification")  # the longest are not the last
            items = [(store.root, keys[n], recipes[n], data, keys.get(recipes[n].parent), shared) for n in missing]
            made = zip(missing, parallel_map(build_model, items, description=f"{domain} zoo"), strict=True)
            reasons |= {name: result.reason for name, result in made if isinstance(result, Failure)}
            built |= {n: _kept(store, keys[n]) for n in missing if n not in reasons}
        pretraining.forget_upstreams(_parts(shared))
    if not built:
        reason = next(iter(reasons.values()))
        raise UserError(f"no model of the {domain} zoo could be built; the first reason: {reason}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, kept in built.items():
        store.export(kept, folder / name)
    unbuilt = pd.DataFrame(sorted(reasons.items()), columns=["model", "reason"])
    with replacing(folder / UNBUILT) as new:
        unbuilt.to_csv(new, index=False, lineterminator="\n")


def zoo_key(recipe: Any, recipes: dict[str, Any], data: Path) -> dict:
    """Key of a model: its recipe and its parents', the data they learned from, the code's versions."""
    line, current = [recipe], recipe
    while current.parent:
        current = recipes[current.parent]
        line.append(current)
    upstreams = {name: tasks.digest(data / name) for one in line for name in sorted(reads(one))}
    return {
        "recipe": fingerprint(recipe, recipes),
        "upstreams": upstreams,
        "zoo": pretraining.ZOO_VERSION,
        "training": finetuning.TRAINING_VERSION,
        **libraries(*ZOO_LIBRARIES),
    }


def build_model(item: tuple[Path | str, dict, Any, Path, dict | None, str]) -> None:
    """Build a model into the store, which may be all that the worker's machine and this one share with the data."""
    root, key, recipe, data, parent_key, shared = item
    store = Store(root)
    parent = _kept(store, parent_key) if parent_key else None
    store.put_folder("models", key, lambda folder: pretraining.build(recipe, folder, data, parent, _parts(shared)))


def _kept(store: Store, key: dict) -> Path:
    if (folder := store.get_folder("models", key)) is None:
        raise UserError(
            f"the model {key['recipe']['name']} was built but is not in the store {store.root}: workers on other machines must "
            "have the same store; name a folder that they share, or a URL, in TWOPHASE_CACHE"
        )
    return folder


def _make_shared(recipes: list[Any], data: Path, domain: str) -> str:
    """Make what several of the models share, once and side by side; returns the name of its folder."""
    read = sorted({name for recipe in recipes for name in reads(recipe) if recipe.architecture})
    made_of = {"data": {task: tasks.digest(data / task) for task in read}, "zoo": pretraining.ZOO_VERSION}
    name = digest(made_of | libraries(*ZOO_LIBRARIES))
    for what, items in zip(("tokenizers", "inputs"), pretraining.shared(recipes), strict=True):
        parallel_map(share, [(item, data, name) for item in items], description=f"{domain} {what}" if items else None)
    return name


def share(item: tuple[tuple, Path, str]) -> None:
    """Make one of the things that several models share."""
    what, data, shared = item
    pretraining.share(what, data, _parts(shared))


def _parts(name: str) -> Path:
    return cache_folder() / "parts" / name  # a worker on another machine makes its own


def built_models(recipes: dict[str, Any], folder: Path) -> tuple[list[str], list[tuple]]:
    """The models that were built, and a failure for each that was not."""
    listed = folder / UNBUILT
    reasons = dict(pd.read_csv(listed).itertuples(index=False)) if listed.is_file() else {}
    return [m for m in recipes if m not in reasons], [(m, "", "", reason) for m, reason in reasons.items()]
