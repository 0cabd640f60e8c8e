"""Models and benchmark datasets of the user's own, added to a live zoo: only their cells are trained."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from twophase.errors import UserError, unknown
from twophase.infra.files import replacing, write_json
from twophase.sources.hub import fetch_model
from twophase.sources.live import parameters
from twophase.sources.live.opening import DOMAIN, Live, added_folder, live_place, open_live, params_of
from twophase.training import cells, tasks
from twophase.training.loading import load_classifier, load_processor, modality, model_digest


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
    params = params_of(domain)
    live = open_live(params, domain, say)
    place = live.added / "models" / _checked(name, live, live.added / "models")
    _copy(folder, place)
    rows, failures = _train(
        params, domain, live.data, {name: place}, dict.fromkeys(live.data, "benchmark"), f"cells of {name}"
    )
    return _kept(live, name, rows, failures)


def _located(given: str | Path) -> tuple[Path, str]:
    """Folder and name of a model: a folder here, or brought from a hub."""
    folder = Path(given).expanduser()
    if (folder / "config.json").is_file():
        return folder, folder.resolve().name
    if folder.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", str(given)):
        raise UserError(
            f"{given} is no saved model (there is no config.json); give a folder written by save_pretrained(), or the id of a "
            "model on a hub: org/name."
        )

    brought = fetch_model(str(given))
    return brought.folder, brought.name.split("/")[-1]


def add_dataset(name: str, task, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Add a benchmark dataset: every model of the live zoo is trained on it.

    Args:
        name: for the performance matrix.
        task: a `DatasetDict`, as `tasks.files.read` gives it.

    Returns:
        A row a model: score, or the reason why there is none.

    Raises:
        UserError: a dataset of this name is there already with other content.
    """
    what = "image" if "image" in task["train"].features else "text"
    params = params_of(DOMAIN[what])
    live = open_live(params, DOMAIN[what], say)
    place = live.added / "tasks" / _checked(name, live, live.added / "tasks")
    new = place.with_name(f".{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    tasks.save(task, new)
    if place.exists() and tasks.digest(place) != tasks.digest(new):
        shutil.rmtree(new)
        raise UserError(
            f"a dataset {name!r} with other content is there already; choose another name, or delete {place}."
        )
    shutil.rmtree(place, ignore_errors=True)
    new.rename(place)
    rows, failures = _train(params, DOMAIN[what], {name: place}, live.folders, {name: "benchmark"}, f"cells of {name}")
    return _kept(live, name, rows, failures)


def added(domain: str) -> list[str]:
    """Names of the user's own models of a domain."""
    folder = added_folder(domain) / "models"
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
    final = live.records.matrix(missing="keep")
    column = final[name] if name in final else pd.Series(index=final.index, dtype=float)
    failed = _failed(live, name)
    return pd.DataFrame({"score": column, "failure": [failed.get(d, failed.get("", "")) for d in column.index]})


def _failed(live: Live, name: str) -> dict[str, str]:
    file = live.added / "failures" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _checked(name: str, live: Live, own: Path) -> str:
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise UserError(f"{name!r} is no name: letters, digits, dots, dashes and underscores are allowed; give name=…")
    if (name in live.folders or name in live.data) and not (own / name).exists():
        raise UserError(f"the live zoo has a {name!r} of its own; give another name: name=…")
    return name


def _copy(folder: Path, place: Path) -> None:

    if place.exists():
        if model_digest(place) != model_digest(folder):
            raise UserError(
                f"a model {place.name!r} with other weights is there already; give name=… or delete {place}."
            )
        return
    new = place.with_name(f".{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(folder, new, ignore=shutil.ignore_patterns("*.bin", "*.pt", "*.pth", "*.h5", "*.msgpack", "*.py"))
    new.rename(place)


def _train(params, domain: str, data: dict, folders: dict, roles: dict, name: str) -> tuple[pd.DataFrame, list[tuple]]:
    settings = params.domain[domain].training
    cells_ = [(model, dataset, params.seed) for dataset in data for model in folders]
    return cells.train_folders(folders, data, roles, cells_, settings, name)


def _kept(live: Live, name: str, rows: pd.DataFrame, failures: list[tuple]) -> pd.DataFrame:
    """Write records and failures of what was added; the scores as a table."""
    if not rows.empty:
        with replacing(live.added / "records" / f"{name}.csv") as new:
            rows.to_csv(new, index=False)
    axis = "dataset" if rows.empty or rows["model"].nunique() == 1 else "model"
    reasons = {str(failure[1] if axis == "dataset" else failure[0]): failure[3] for failure in failures}
    write_json(live.added / "failures" / f"{name}.json", reasons)
    scores = rows.dropna(subset=["test"]).set_index(axis)["test"] if not rows.empty else pd.Series(dtype=float)
    table = pd.DataFrame({"score": scores, "failure": ""})
    return pd.concat([table, pd.DataFrame({"score": None, "failure": reasons})]) if reasons else table
