"""`twophase models` and `twophase tasks`: what live zoos have, and what a user adds (its cells alone are trained)."""

import argparse
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from datasets import DatasetDict

from twophase.commands import wording
from twophase.commands.select.inputs import modality_of, read_task
from twophase.commands.select.settings import DOMAIN, compose
from twophase.commands.verbs import apart
from twophase.errors import UserError, unknown
from twophase.infra.files import read_json, replacing_folder, room
from twophase.infra.store import cache_folder
from twophase.sources.hub import fetch_model
from twophase.sources.live import parameters
from twophase.sources.live.opening import Live, added_folder, built, live_place, open_live, params_of, train_added
from twophase.training import tasks
from twophase.training.folders import check, located, name_of
from twophase.training.loading import load_classifier, load_processor, modality, model_digest


def run_models(given: argparse.Namespace) -> None:
    """`twophase models`: those of the live zoos, one of them, or one of the user's own."""
    names, overrides = apart(given.given)
    if given.action == "list":
        if names:
            raise UserError(f"got {names[0]!r}; `models list` takes key=value only")
        _list_models(overrides)
        return
    if len(names) != 1:
        wanted = "the folder of one model, or its id on a hub," if given.action == "add" else "the name of one model"
        raise UserError(f"got {' '.join(names) or 'nothing'}; `models {given.action}` takes {wanted}")
    if given.action == "remove":
        print(f"removed {remove('models', names[0])} and its records; cells that were trained are kept in the store.")
        return
    if given.action == "show":
        folder, scores = show(names[0])
        print(f"{names[0]}: {folder}")
    else:
        with room(cache_folder()):
            scores = add_model(names[0], name=_name(overrides))
    print(wording.frame(scores))


def run_tasks(given: argparse.Namespace) -> None:
    """`twophase tasks`: datasets of the live zoos, one of them as files, or one of the user's own."""
    if given.action == "list":
        _list_tasks(given.overrides)
    elif given.action == "save":
        if len(given.overrides) != 2:
            raise UserError(f"got {' '.join(given.overrides) or 'nothing'}; `tasks save` takes a dataset and a folder")
        with room(cache_folder(), Path(given.overrides[1]).parent):
            name, folder = given.overrides[0], save_task(*given.overrides)
        print(f"{name} is in {folder}. Next: twophase select {folder}")
    elif given.action == "remove":
        if len(given.overrides) != 1:
            raise UserError(
                f"got {' '.join(given.overrides) or 'nothing'}; `tasks remove` takes the name of one dataset"
            )
        print(
            f"removed {remove('tasks', given.overrides[0])} and its records; cells that were trained are kept in the store."
        )
    else:
        named = [part for part in given.overrides if part.startswith("name=")]
        settings = compose([part for part in given.overrides if part not in named])
        data = read_task(settings.task, settings.seed)
        for line in data.said:
            print(line)
        with room(cache_folder()):
            scores = add_dataset(_name(named) or Path(settings.task.path).stem, data.task)
        print(wording.frame(scores))


def _list_models(overrides: list[str]) -> None:
    rows = []
    for domain, part in parameters.load(overrides).domain.items():
        for name, recipe in part.zoo.recipes.items():
            start = recipe.parent or f"{recipe.architecture} {recipe.width} x {recipe.depth}"
            learned = f"{recipe.upstream} ({recipe.objective})" if recipe.upstream else "nothing"
            rows.append((domain, name, start, learned, "yes" if recipe.head else "no"))
        rows += [(domain, name, "added by you", "", "") for name in added(domain)]
    wording.show(("domain", "model", "starts from", "learned", "source head"), rows)


def _list_tasks(overrides: list[str]) -> None:
    rows = []
    for domain, part in parameters.load(overrides).domain.items():
        for role in ("benchmark", "target", "upstream"):
            sizes = part.tasks.upstream_sizes if role == "upstream" else part.tasks.sizes
            names = getattr(part.tasks, role)
            rows += [(domain, name, role, sizes.train, sizes.validation, sizes.test) for name in names]
        for name in added(domain, "tasks"):
            parts = tasks.load(added_folder(domain) / "tasks" / name)
            rows.append((domain, name, "benchmark, added by you", *map(len, parts.values())))
    wording.show(("domain", "dataset", "role", "train", "validation", "test"), rows)


def _name(overrides: list[str]) -> str | None:
    """The name in name=…; UserError for any other key."""
    for override in overrides:
        if not override.startswith("name="):
            raise UserError(f"got {override!r}; allowed here is name=…")
    return overrides[-1].removeprefix("name=") if overrides else None


def add_model(folder: str | Path, say: Callable[[str], None] = print, name: str | None = None) -> pd.DataFrame:
    """Add a model to the live zoo of what it reads, and train its cells; called again, it trains those that failed.

    Args:
        folder: written by save_pretrained, with its tokenizer or image processor; or the id of a model on a hub
            ("org/name", "org/name@revision"), of which safetensors alone are brought and no code.
        name: by default the folder's, or the last part of the id.

    Returns:
        A row a benchmark dataset: score, or the reason why there is none.

    Raises:
        UserError: the model cannot be loaded, or a model of another content has this name.
    """
    folder, own_name = _located(folder)
    name = name or own_name
    domain = DOMAIN[modality(folder)]
    load_processor(folder)
    load_classifier(folder)
    live = open_live(params_of(domain), domain, say)
    place = _place(live, "models", name)
    if not place.exists():
        unwanted = shutil.ignore_patterns("*.bin", "*.pt", "*.pth", "*.h5", "*.msgpack", "*.py")
        with replacing_folder(place) as new:
            shutil.copytree(folder, new, ignore=unwanted, dirs_exist_ok=True)
    elif model_digest(place) != model_digest(folder):
        raise UserError(f"a model {name!r} with other weights is there already; give name=… or delete {place}.")
    return train_added(params_of(domain), domain, live.data, {name: place}, name)


def _located(given: str | Path) -> tuple[Path, str]:
    """Folder and name of a model: a folder here, or brought from a hub."""
    folder = Path(given).expanduser()
    if folder.is_dir():
        check(place := located(folder))
        return place, name_of(folder).split("/")[-1]
    if folder.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", str(given)):
        raise UserError(
            f"{given} is no folder; give one written by save_pretrained(), or the id of a model on a hub: org/name."
        )
    brought = fetch_model(str(given))
    return brought.folder, brought.name.split("/")[-1]


def add_dataset(name: str, task: DatasetDict, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Add a benchmark dataset: every model of the live zoo is trained on it.

    Returns:
        A row a model: score, or the reason why there is none.

    Raises:
        UserError: a dataset of this name is there already with other content.
    """
    domain = DOMAIN[modality_of(task)]
    live = open_live(params_of(domain), domain, say)
    place = _place(live, "tasks", name)
    with replacing_folder(place) as new:
        tasks.save(task, new)
        if place.exists() and tasks.digest(place) != tasks.digest(new):
            raise UserError(
                f"a dataset {name!r} with other content is there already; choose another name, or delete {place}."
            )
    return train_added(params_of(domain), domain, {name: place}, live.folders, name)


def _place(live: Live, kind: str, name: str) -> Path:
    """Where the user's model or dataset of this name is kept; `kind`: "models" or "tasks"."""
    if not re.fullmatch(r"[\w][\w.-]{,59}", name):
        raise UserError(
            f"{name!r} is no name: at most 60 letters, digits, dots, dashes and underscores are allowed; give name=…"
        )
    place = live.added / kind / name
    if (name in live.folders or name in live.data) and not place.exists():
        raise UserError(f"the live zoo has a {name!r} of its own; give another name: name=…")
    return place


def remove(kind: str, name: str) -> Path:
    """Remove a model or dataset that the user added, with its records and failures; returns where it was.

    Args:
        kind: "models" or "tasks".

    Raises:
        UserError: the user has added none of this name.
    """
    found = {one: domain for domain in DOMAIN.values() for one in added(domain, kind)}
    if name not in found:
        raise unknown(f"{kind[:-1]} {name!r} of your own", name, found)
    folder = added_folder(found[name])
    place = folder / kind / name
    shutil.rmtree(place)
    for file in (folder / "records" / f"{name}.csv", folder / "failures" / f"{name}.json"):
        file.unlink(missing_ok=True)
    return place


def added(domain: str, kind: str = "models") -> list[str]:
    """Names of the user's own models (or "tasks") of a domain."""
    folder = added_folder(domain) / kind
    return sorted(path.name for path in folder.glob("*") if not path.name.startswith("."))


def show(name: str, say: Callable[[str], None] = print) -> tuple[Path, pd.DataFrame]:
    """A model's folder, and its score or failure on every benchmark dataset.

    Raises:
        UserError: no live zoo has such a model, or its zoo is not built yet.
    """
    names = []
    for domain, part in parameters.load().domain.items():
        here = [*part.zoo.recipes, *added(domain)]
        names += here
        if name not in here:
            continue
        if not live_place(params_of(domain), domain)[1].is_file():
            raise UserError(
                f"{name} is not built yet: `make repro` builds the live zoo, and so does the first `twophase select` with it."
            )
        live = open_live(params_of(domain), domain, say)
        if name in live.folders:
            return live.folders[name], _scores(live, name)
        raise UserError(f"the model {name!r} of the live zoo could not be built, or has no cell; see failures.csv.")
    raise unknown(f"model {name!r}", name, names)


def _scores(live: Live, name: str) -> pd.DataFrame:
    file = live.added / "failures" / f"{name}.json"
    failed = read_json(file, dict[str, str], "delete it, or add it again") if file.exists() else {}
    final = live.records.matrix(missing="keep")
    scores = final.get(name, pd.Series(index=final.index, dtype=float))
    return pd.DataFrame({"score": scores, "failure": [failed.get(d, failed.get("", "")) for d in scores.index]})


def save_task(name: str, path: str | Path, say: Callable[[str], None] = print) -> Path:
    """Write a dataset as a folder: train.csv, validation.csv, test.csv with columns text and label, or pictures by class.

    Raises:
        UserError: no live zoo has a benchmark dataset or target of this name; or the folder holds something.
    """
    path = Path(path).expanduser()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is there already; give a new folder.")
    params = parameters.load()
    domains = {dataset: domain for domain, part in params.domain.items() for dataset in part.tasks.roles}
    if name not in domains:
        raise unknown(f"dataset {name!r}", name, domains)
    task = tasks.load(built(params, domains[name], say)[2] / name)
    classes = task["train"].features["label"].names
    with replacing_folder(path) as new:
        for split, rows in task.items():
            if "text" in rows.features:
                frame = rows.to_pandas()
                frame["label"] = [classes[label] for label in frame["label"]]
                frame.to_csv(new / f"{split}.csv", index=False, lineterminator="\n")
                continue
            for number, row in enumerate(rows):
                folder = new / split / classes[row["label"]].replace("/", "-")
                folder.mkdir(parents=True, exist_ok=True)
                row["image"].save(folder / f"{number:04}.png")
    return path
